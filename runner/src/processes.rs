//! Processes that a command starts: other `tercet` commands, each in its own process.
//!
//! All run in one directory, where `commands.sh` notes them down: they can be
//! repeated by hand. Nothing that is started here outlives the value that stands
//! for it.

use crate::failure::Failure;
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use serde_json::Value;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// How long a process that is asked to stop may take.
const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait for the end of a process that was killed.
const KILL_PATIENCE: Duration = Duration::from_secs(2);
/// The file with all commands that were started.
const RECORD: &str = "commands.sh";
/// Lines of a log that are quoted when a process ends without an explanation.
const QUOTED_LINES: usize = 5;

/// Starts `tercet` commands in one directory.
#[derive(Debug)]
pub struct Processes {
    exe: PathBuf,
    dir: PathBuf,
}

impl Processes {
    /// Starts this very program, with `dir` as working directory and logs in `dir/logs`.
    ///
    /// # Errors
    /// When the program cannot be found or the directory not be used.
    pub fn new(dir: &Path) -> Result<Self, Failure> {
        let exe = std::env::current_exe()
            .map_err(|e| Failure::new(format!("cannot find the program to start: {e}")))?;
        let processes = Processes { exe, dir: dir.to_owned() };
        fs::create_dir_all(processes.log_dir())
            .map_err(|e| Failure::new(format!("cannot write to {}: {e}", dir.display())))?;
        Ok(processes)
    }

    fn log_dir(&self) -> PathBuf {
        self.dir.join("logs")
    }

    /// Starts a command; `who` names its log file.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, who: &str, args: &[&str]) -> Result<Process, Failure> {
        let words = ["tercet"].into_iter().chain(args.iter().copied());
        let command = words.map(quoted).collect::<Vec<_>>().join(" ");
        let log = self.log_dir().join(format!("{who}.log"));
        let append = |path: &Path| File::options().create(true).append(true).open(path);
        let start = || {
            writeln!(append(&self.dir.join(RECORD))?, "{command}  # {who}")?;
            let errors = append(&log)?;
            Command::new(&self.exe)
                .arg("--json")
                .args(args)
                .current_dir(&self.dir)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(errors)
                // Ctrl-C at the terminal is for the demo, which then ends its processes in order.
                .process_group(0)
                .spawn()
        };
        match start() {
            Ok(mut child) => {
                let (input, lines) = (child.stdin.take(), child.stdout.take().map(BufReader::new));
                Ok(Process { command, log, child, input, lines, last: Value::Null })
            }
            Err(e) => Err(Failure::new(format!("cannot start `{command}`: {e}"))),
        }
    }

    /// Runs a command to its end and returns the last line that it printed.
    ///
    /// # Errors
    /// When it cannot be started, or with its own error and hint.
    pub async fn run(&self, who: &str, args: &[&str]) -> Result<Value, Failure> {
        self.start(who, args)?.finish(|_| {}).await
    }
}

/// A running command; it is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    command: String,
    log: PathBuf,
    child: Child,
    /// Its standard input: ends with this process, even if that is killed.
    input: Option<ChildStdin>,
    lines: Option<BufReader<ChildStdout>>,
    /// The line that it printed last.
    last: Value,
}

impl Process {
    /// Its process id while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Writes a line to its standard input.
    ///
    /// # Errors
    /// When it does not read any more, with its own error if it says one.
    pub async fn tell(&mut self, line: &impl Serialize) -> Result<(), Failure> {
        let mut text = serde_json::to_string(line).map_err(Failure::new)?;
        text.push('\n');
        let sent = match &mut self.input {
            Some(input) => input.write_all(text.as_bytes()).await,
            None => Ok(()),
        };
        match sent {
            Ok(()) => Ok(()),
            Err(e) => {
                self.finish(|_| {}).await?;
                Err(Failure::new(format!("cannot tell `{}`: {e}", self.command)))
            }
        }
    }

    /// The next line that it prints, which is JSON; `None` at the end.
    ///
    /// # Errors
    /// When its output cannot be read.
    pub async fn next_line(&mut self) -> Result<Option<&Value>, Failure> {
        let Some(lines) = &mut self.lines else { return Ok(None) };
        let mut text = String::new();
        match lines.read_line(&mut text).await {
            Ok(0) => Ok(None),
            Ok(_) => {
                self.last = serde_json::from_str(&text).unwrap_or(Value::String(text));
                Ok(Some(&self.last))
            }
            Err(e) => Err(Failure::new(format!("cannot follow `{}`: {e}", self.command))),
        }
    }

    /// Shows every line to `event`, waits for the end and returns the last line.
    ///
    /// # Errors
    /// When it failed, with its own error and hint.
    pub async fn finish(&mut self, mut event: impl FnMut(&Value)) -> Result<Value, Failure> {
        while let Some(line) = self.next_line().await? {
            event(line);
        }
        match self.child.wait().await {
            Ok(status) if status.success() => Ok(self.last.take()),
            Ok(status) => Err(self.explain(status)),
            Err(e) => Err(Failure::new(format!("cannot wait for `{}`: {e}", self.command))),
        }
    }

    /// Why it ended badly: in the words of its last line if that is an error, otherwise
    /// with the end of its log.
    fn explain(&self, status: ExitStatus) -> Failure {
        let Some(error) = self.last["error"].as_str() else {
            let text = format!("`{}` ended early ({status}){}", self.command, end_of(&self.log));
            return Failure::new(text);
        };
        let failure = Failure::new(format!("`{}` failed: {error}", self.command));
        match self.last["hint"].as_str() {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }

    /// Asks it to stop, and kills it if it does not.
    pub async fn stop(mut self) {
        let pid = self.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        // A process that has ended in the meantime needs no signal.
        let asked = pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok());
        if asked {
            // What has not ended in time is killed on drop.
            let _ = timeout(STOP_PATIENCE, self.child.wait()).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only where the process has ended already.
        let _ = self.child.start_kill();
        // It must be gone before its directory is removed.
        let killed = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && killed.elapsed() < KILL_PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A word of a command as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The end of a log, ready to be appended to a message.
fn end_of(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(QUOTED_LINES)..];
    last.iter().fold(String::new(), |text, line| format!("{text}\n    {line}"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted("holder-1/rows.csv"), "holder-1/rows.csv");
        assert_eq!(quoted("kind, really"), "'kind, really'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
