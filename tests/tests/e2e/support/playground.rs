//! A directory of its own for each test, and the command in it.

use super::process::{Outcome, Process};
use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The binary under test.
pub const TERCET: &str = env!("CARGO_BIN_EXE_tercet-under-test");
/// Variables that would change what the command does.
const VARIABLES: [&str; 4] =
    ["TERCET_CONSORTIUM", "TERCET_IDENTITY", "TERCET_PARTY_CONFIG", "TERCET_LOG"];

/// A temporary directory in which commands run; removed at the end.
pub struct Playground {
    dir: TempDir,
    logs: Cell<usize>,
}

impl Playground {
    /// An empty directory.
    pub fn new() -> Self {
        Playground { dir: tempfile::tempdir().unwrap(), logs: Cell::new(0) }
    }

    /// The path of a file in the directory.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file, and the directories that lead to it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Reads a file.
    pub fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        let path = self.path(name);
        fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Reads a text file.
    pub fn read_text(&self, name: impl AsRef<Path>) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    /// Whether there is no such file, and no such directory with anything in it.
    pub fn is_untouched(&self, name: &str) -> bool {
        let path = self.path(name);
        !path.exists() || fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
    }

    /// The command with these arguments, given as one line, and with `--json`.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(TERCET);
        command.args(line.split_whitespace()).arg("--json").current_dir(&self.dir);
        for variable in VARIABLES {
            command.env_remove(variable);
        }
        command
    }

    /// Starts a command.
    pub fn start(&self, command: Command) -> Process {
        let number = self.logs.replace(self.logs.get() + 1);
        Process::start(command, self.path(format!("log-{number}")))
    }

    /// Runs the command with these arguments to its end.
    pub fn run(&self, line: &str) -> Outcome {
        self.start(self.command(line)).finish()
    }
}
