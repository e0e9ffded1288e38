//! What this process takes of the machine.

use std::fs;

/// Largest resident memory of this process so far, as the kernel reports it; 0 where it does not.
pub fn peak_rss_bytes() -> u64 {
    field("VmHWM:")
}

/// Resident memory of this process now; 0 where the kernel does not report it.
pub fn rss_bytes() -> u64 {
    field("VmRSS:")
}

fn field(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|value| value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
