//! The configuration of a party's node: `party.toml`.

use crate::failure::Explain;
use crate::files::{self, FileError};
use mpc_core::party::PartyId;
use mpc_core::ring::gemm::MAX_THREADS;
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a node configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is not of the expected form.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        reason: String,
    },
}

impl Explain for ConfigError {
    fn hint(&self) -> Option<String> {
        match self {
            ConfigError::File(e) => e.hint(),
            ConfigError::Malformed { .. } => {
                Some("compare it with the party.toml that `tercet init` writes".into())
            }
        }
    }
}

/// How the node writes its log to standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text at a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Who must have approved a job before this node computes on submitted data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApprovalPolicy {
    /// Each owner of a data set that the job uses, but for the one who starts it.
    #[default]
    Owners,
    /// Nobody: every member may run every job on all data.
    None,
}

/// What a node accepts at most and how long it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Limits {
    /// Longest share file that is accepted, in bytes.
    pub max_submission_bytes: u64,
    /// Connections served at the same time.
    pub max_connections: usize,
    /// Seconds that a client may be silent within a request.
    pub client_timeout_seconds: u64,
    /// Seconds to wait for the other parties when a session starts.
    pub connect_timeout_seconds: u64,
    /// Seconds to wait for a message of another party during a session.
    pub round_timeout_seconds: u64,
    /// Shares of features, or of labels, that a training keeps in memory, in bytes; of larger data
    /// it reads the rows of each batch from a file.
    pub rows_in_memory_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_submission_bytes: 8 << 30,
            max_connections: 256,
            client_timeout_seconds: 30,
            connect_timeout_seconds: 20,
            round_timeout_seconds: 30,
            rows_in_memory_bytes: 64 << 20,
        }
    }
}

impl Limits {
    /// How long a client may be silent within a request.
    pub fn client_timeout(&self) -> Duration {
        Duration::from_secs(self.client_timeout_seconds)
    }

    /// How long a starting session waits for the other parties.
    pub fn connect_timeout(&self) -> Duration {
        Duration::from_secs(self.connect_timeout_seconds)
    }

    /// How long a running session waits for a message.
    pub fn round_timeout(&self) -> Duration {
        Duration::from_secs(self.round_timeout_seconds)
    }

    fn validate(&self) -> Result<(), String> {
        let positive = [
            ("max-submission-bytes", self.max_submission_bytes),
            ("max-connections", self.max_connections as u64),
            ("client-timeout-seconds", self.client_timeout_seconds),
            ("connect-timeout-seconds", self.connect_timeout_seconds),
            ("round-timeout-seconds", self.round_timeout_seconds),
        ];
        match positive.iter().find(|(_, value)| *value == 0) {
            Some((field, _)) => Err(format!("limits.{field} must be at least 1")),
            None => Ok(()),
        }
    }
}

/// The configuration of one node; relative paths are relative to its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NodeConfig {
    /// Which of the three parties this node is.
    pub party: PartyId,
    /// Its secret key file.
    pub identity: PathBuf,
    /// The consortium file.
    pub consortium: PathBuf,
    /// Address and port to listen on; port 0 takes any free port.
    pub listen: String,
    /// Where submissions and results are kept.
    pub data_dir: PathBuf,
    /// How the log is written.
    #[serde(default)]
    pub log: LogFormat,
    /// Who must have approved a job.
    #[serde(default)]
    pub approvals: ApprovalPolicy,
    /// Cores that a session may use for a product of matrices.
    #[serde(default = "one")]
    pub threads: NonZeroUsize,
    /// Limits and deadlines.
    #[serde(default)]
    pub limits: Limits,
}

fn one() -> NonZeroUsize {
    NonZeroUsize::MIN
}

impl NodeConfig {
    /// Loads a configuration file and resolves its paths.
    ///
    /// # Errors
    /// When it cannot be read or is malformed.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = files::read_text(path)?;
        let malformed = |reason| ConfigError::Malformed { path: path.to_owned(), reason };
        let mut config: NodeConfig = toml::from_str(&text).map_err(|e| malformed(e.to_string()))?;
        config.limits.validate().map_err(malformed)?;
        if config.threads.get() > MAX_THREADS {
            return Err(malformed(format!("threads must be 1 to {MAX_THREADS}")));
        }
        let base = path.parent().unwrap_or(Path::new("."));
        for entry in [&mut config.identity, &mut config.consortium, &mut config.data_dir] {
            *entry = base.join(&*entry);
        }
        Ok(config)
    }

    /// The configuration as a TOML file.
    pub fn to_toml(&self) -> String {
        let body = toml::to_string(self).expect("a configuration is plain fields");
        format!("# Node of {}. Relative paths are relative to this file.\n{body}", self.party)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<NodeConfig, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("party.toml");
        std::fs::write(&path, text).unwrap();
        NodeConfig::load(&path)
    }

    const MINIMAL: &str = r#"
        party = 1
        identity = "p1.key"
        consortium = "/etc/tercet/consortium.toml"
        listen = "0.0.0.0:9141"
        data-dir = "data"
    "#;

    #[test]
    fn defaults_fill_in_and_relative_paths_are_resolved() {
        let config = load(MINIMAL).unwrap();
        assert_eq!(config.party, PartyId::P1);
        assert_eq!(config.limits, Limits::default());
        assert_eq!(config.threads.get(), 1);
        assert_eq!(config.consortium, Path::new("/etc/tercet/consortium.toml"));
        assert!(config.identity.is_absolute() && config.identity.ends_with("p1.key"));
    }

    #[test]
    fn mistakes_are_named() {
        let wrong_party = MINIMAL.replace("party = 1", "party = 3");
        assert!(load(&wrong_party).unwrap_err().to_string().contains("there is no party 3"));
        let unknown = format!("{MINIMAL}\nsurprise = 1");
        assert!(load(&unknown).unwrap_err().to_string().contains("surprise"));
        let zero = format!("{MINIMAL}\n[limits]\nround-timeout-seconds = 0");
        assert!(load(&zero).unwrap_err().to_string().contains("round-timeout-seconds"));
        for threads in ["0", "1025"] {
            let odd = format!("{MINIMAL}\nthreads = {threads}");
            assert!(load(&odd).unwrap_err().to_string().contains("threads"));
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let config = load(MINIMAL).unwrap();
        let again: NodeConfig = toml::from_str(&config.to_toml()).unwrap();
        assert_eq!(again, config);
    }
}
