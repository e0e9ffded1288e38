//! What a measurement was made on: figures mean little without it.

use crate::CODE_VERSION;
use serde::{Deserialize, Serialize};
use std::fs;
use std::thread::available_parallelism;

/// Features of a processor that decide which kernels run.
const TOLD: [&str; 10] = [
    "avx2",
    "avx512f",
    "avx512dq",
    "avx512ifma",
    "avx512_vnni",
    "amx_int8",
    "gfni",
    "vaes",
    "vpclmulqdq",
    "aes",
];

/// The machine and the code of a measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Name of the processor.
    pub processor: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// Those of its features that decide which kernels run.
    pub features: Vec<String>,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// The kernel's version.
    pub kernel: String,
    /// Version and digest of the sources.
    pub code: String,
    /// The commit on which the sources were when they were built; they may have had changes.
    pub commit: Option<String>,
    /// Whether the build was optimised.
    pub profile: String,
    /// When it was measured.
    pub time: String,
}

impl Environment {
    /// Looks around; what cannot be learnt is left empty.
    pub fn here() -> Self {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line = cpu.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
        };
        let flags = field("flags").unwrap_or_default();
        let has = |feature: &&&str| flags.split_whitespace().any(|flag| flag == **feature);
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kilobytes = memory.lines().find_map(|line| {
            line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
        });
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Environment {
            processor: field("model name").unwrap_or_else(|| std::env::consts::ARCH.into()),
            cores: available_parallelism().map_or(1, Into::into),
            features: TOLD.iter().filter(has).map(|feature| (*feature).to_owned()).collect(),
            memory_bytes: kilobytes.unwrap_or(0) * 1024,
            kernel: kernel.trim().into(),
            code: CODE_VERSION.into(),
            commit: option_env!("TERCET_COMMIT").map(str::to_owned),
            profile: if cfg!(debug_assertions) { "dev" } else { "release" }.into(),
            time: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }
}
