//! Processes under test: what they say, how they end, and that they end at all.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here takes on a busy machine: what exceeds it hangs.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// "Within seconds": well below the nodes' own limits on silence.
pub const PROMPTLY: Duration = Duration::from_secs(15);

/// A running process that prints JSON lines; it is killed when it is dropped.
pub struct Process {
    command: String,
    child: Child,
    lines: Receiver<String>,
    log: PathBuf,
}

impl Process {
    /// Starts a command; what it writes to standard error goes to `log`.
    pub fn start(mut command: Command, log: PathBuf) -> Self {
        let stderr = File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (say, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if say.send(line).is_err() {
                    break;
                }
            }
        });
        let command = command.get_args().map(|arg| arg.to_string_lossy()).collect::<Vec<_>>();
        Process { command: command.join(" "), child, lines, log }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the process has written to standard error so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// The next line of standard output, or `None` when the process has ended.
    fn next_line(&self, deadline: Instant) -> Option<Value> {
        let line = match self.lines.recv_timeout(deadline - Instant::now().min(deadline)) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {
                panic!("`{}` takes too long; its log:\n{}", self.command, self.log())
            }
        };
        let value = serde_json::from_str(&line);
        Some(value.unwrap_or_else(|e| panic!("`{}` prints {line:?}: {e}", self.command)))
    }

    /// Waits until the process reports this event, and returns it.
    ///
    /// A process that ends before has failed; its last line is the error.
    pub fn wait_for(&mut self, event: &str) -> Result<Value, Value> {
        let deadline = Instant::now() + PATIENCE;
        let mut last = Value::Null;
        loop {
            match self.next_line(deadline) {
                Some(line) if line["event"] == event => return Ok(line),
                Some(line) => last = line,
                None => return Err(last),
            }
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends the process as `kill -9` does, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end of the process.
    pub fn finish(self) -> Outcome {
        self.finish_within(PATIENCE)
    }

    /// Waits for the end of a process that may well take an hour.
    pub fn finish_whenever(self) -> Outcome {
        self.finish_within(30 * PATIENCE)
    }

    /// Waits for the end of the process, which must come soon.
    pub fn finish_within(mut self, time: Duration) -> Outcome {
        let deadline = Instant::now() + time;
        let mut lines = Vec::new();
        while let Some(line) = self.next_line(deadline) {
            lines.push(line);
        }
        // Standard output is closed by the end of the process.
        let code = self.child.wait().unwrap().code();
        Outcome { command: self.command.clone(), code, lines, log: self.log() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended before; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !thread::panicking() {
            let log = self.log();
            assert!(!log.contains("panicked at"), "`{}` panicked:\n{log}", self.command);
        }
    }
}

/// How a command ended.
pub struct Outcome {
    command: String,
    code: Option<i32>,
    /// What it printed, line by line.
    pub lines: Vec<Value>,
    log: String,
}

impl Outcome {
    /// The result of a command that must have succeeded.
    pub fn succeeded(self) -> Value {
        self.ended_with(0)
    }

    /// Why a command failed, which it must have done.
    pub fn failed(self) -> Complaint {
        self.failed_with(1)
    }

    /// Why a command failed, which it must have done with this exit code.
    pub fn failed_with(self, code: i32) -> Complaint {
        Complaint::of(&self.ended_with(code))
    }

    /// The last line of a command that must have ended with this exit code.
    fn ended_with(mut self, code: i32) -> Value {
        let Outcome { command, lines, log, .. } = &self;
        assert_eq!(self.code, Some(code), "`{command}` said {lines:#?} and logged:\n{log}");
        self.lines.pop().unwrap_or(Value::Null)
    }
}

/// An error message with its hint.
#[derive(Debug)]
pub struct Complaint {
    error: String,
    hint: String,
}

impl Complaint {
    /// Reads the last line of a command that failed.
    pub fn of(line: &Value) -> Self {
        let error = line["error"].as_str().unwrap_or_else(|| panic!("no error in {line}"));
        let hint = line["hint"].as_str().unwrap_or_default();
        Complaint { error: error.into(), hint: hint.into() }
    }

    /// Whether the message has this in it.
    pub fn mentions(&self, part: &str) -> bool {
        self.error.contains(part)
    }

    /// Checks that the message has all of this in it.
    #[track_caller]
    pub fn must_mention(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.mentions(part), "{part:?} is missing in {self:#?}");
        }
    }

    /// Checks that the hint has this in it.
    #[track_caller]
    pub fn must_hint(&self, part: &str) {
        assert!(self.hint.contains(part), "{part:?} is missing in the hint of {self:#?}");
    }
}
