//! A consortium on this machine: three nodes as processes, members, and their data.

use jiff::Timestamp;
use ndarray::Array2;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use runner::consortium::Consortium;
use runner::encode::Encoded;
use runner::identity::Identity;
use runner::schema::Schema;
use runner::sharefile::{Manifest, Sharing};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Three classes by four numbers.
pub const SCHEMA: &str = r#"
version = 1
[label]
kind = "class"
name = "kind"
classes = ["a", "b", "c"]
[[columns]]
kind = "numeric"
name = "w"
min = -1.0
max = 1.0
[[columns]]
kind = "numeric"
name = "x"
min = -1.0
max = 1.0
[[columns]]
kind = "numeric"
name = "y"
min = -1.0
max = 1.0
[[columns]]
kind = "numeric"
name = "z"
min = -1.0
max = 1.0
"#;

/// The binary under test.
pub fn tercet() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tercet"));
    command.env_remove("TERCET_CONSORTIUM").env_remove("TERCET_IDENTITY");
    command.stdin(Stdio::null());
    command
}

/// A consortium, and the nodes of it that run.
pub struct Trial {
    dir: tempfile::TempDir,
    nodes: [Option<Child>; 3],
}

impl Trial {
    /// Makes a consortium on free ports; no node runs yet.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = tercet()
            .args(["init", "--base-port", "0", "--members", "hospital-a,hospital-b,analyst"])
            .arg(dir.path().join("trial"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        fs::write(dir.path().join("schema.toml"), SCHEMA).unwrap();
        let trial = Trial { dir, nodes: [None, None, None] };
        (0..3).for_each(|party| trial.approvals(party, "none"));
        trial
    }

    /// Makes a consortium and starts its three nodes.
    pub fn running() -> Self {
        let mut trial = Trial::new();
        (0..3).for_each(|party| trial.start(party));
        trial
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn consortium_file(&self) -> PathBuf {
        self.path("trial/consortium.toml")
    }

    pub fn consortium(&self) -> Consortium {
        Consortium::load(&self.consortium_file()).unwrap()
    }

    pub fn config(&self, party: usize) -> PathBuf {
        self.path(&format!("trial/party{party}/party.toml"))
    }

    pub fn key(&self, member: &str) -> PathBuf {
        self.path(&format!("trial/members/{member}/{member}.key"))
    }

    pub fn identity(&self, member: &str) -> Identity {
        Identity::load(&self.key(member)).unwrap()
    }

    /// Replaces a limit in the configuration of a party, which must not run.
    pub fn limit(&self, party: usize, name: &str, value: u64) {
        let path = self.config(party);
        let config = fs::read_to_string(&path).unwrap();
        let line = config.lines().find(|line| line.starts_with(&format!("{name} ="))).unwrap();
        fs::write(&path, config.replace(line, &format!("{name} = {value}"))).unwrap();
    }

    /// Sets who must have approved a job at a party that does not run: few tests are about that.
    pub fn approvals(&self, party: usize, policy: &str) {
        let path = self.config(party);
        let config = fs::read_to_string(&path).unwrap();
        let line = config.lines().find(|line| line.starts_with("approvals =")).unwrap();
        fs::write(&path, config.replace(line, &format!("approvals = \"{policy}\""))).unwrap();
    }

    /// Starts a node and waits until it listens.
    pub fn start(&mut self, party: usize) {
        self.start_with(party, tercet());
    }

    /// Starts a node by a command that runs the binary.
    pub fn start_with(&mut self, party: usize, mut command: Command) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.path(&format!("party{party}.log")))
            .unwrap();
        let mut child = command
            .args(["party", "--json", "--config"])
            .arg(self.config(party))
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let listening: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(listening["event"], "listening", "{line}\n{}", self.log(party));
        self.nodes[party] = Some(child);
    }

    /// What a node has logged.
    /// Waits until a node's log holds a text: a line may come after what caused it is seen.
    pub fn await_log(&self, party: usize, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.log(party).contains(text) {
            assert!(Instant::now() < deadline, "no '{text}' in: {}", self.log(party));
            std::thread::yield_now();
        }
    }

    pub fn log(&self, party: usize) -> String {
        fs::read_to_string(self.path(&format!("party{party}.log"))).unwrap_or_default()
    }

    pub fn pid(&self, party: usize) -> u32 {
        self.nodes[party].as_ref().unwrap().id()
    }

    /// Kills a node as `kill -9` does.
    pub fn kill(&mut self, party: usize) {
        let mut child = self.nodes[party].take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Suspends a node, as if its host had frozen: connections stay open and nothing answers.
    pub fn freeze(&self, party: usize) {
        let pid = rustix::process::Pid::from_child(self.nodes[party].as_ref().unwrap());
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    }

    /// Asks a node to stop, and returns whether it did so with success.
    pub fn terminate(&mut self, party: usize) -> bool {
        let mut child = self.nodes[party].take().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        child.wait().unwrap().success()
    }

    /// Whether a node still runs.
    pub fn is_up(&mut self, party: usize) -> bool {
        self.nodes[party].as_mut().unwrap().try_wait().unwrap().is_none()
    }

    /// A command of a member, with `--json`.
    pub fn command(&self, member: &str, args: &[&str]) -> Command {
        let mut command = tercet();
        command
            .args(args)
            .arg("--json")
            .arg("--consortium")
            .arg(self.consortium_file())
            .arg("--identity")
            .arg(self.key(member))
            .current_dir(self.dir.path());
        command
    }

    /// Runs a command of a member and returns its last line, which must be of a success.
    pub fn ok(&self, member: &str, args: &[&str]) -> Value {
        let output = self.command(member, args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}\n{}", self.logs());
        last_line(&output)
    }

    /// Runs a command of a member that must fail, and returns the error message.
    pub fn fails(&self, member: &str, args: &[&str]) -> String {
        let output = self.command(member, args).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
        last_line(&output)["error"].as_str().unwrap().to_owned()
    }

    fn logs(&self) -> String {
        (0..3).map(|party| format!("--- party {party}\n{}", self.log(party))).collect()
    }

    /// Shares `rows` rows of a member into `MEMBER/NAME.partyI.tercet`.
    ///
    /// The seed decides the id of the data set as well, so that two data sets of
    /// one seed have the same.
    pub fn share(&self, member: &str, name: &str, rows: usize, seed: u64) -> Manifest {
        self.share_data(member, name, &rows_of(rows, seed), seed)
    }

    /// Shares what a member may have made up: no check of a schema comes before.
    pub fn share_data(&self, member: &str, name: &str, data: &Encoded, seed: u64) -> Manifest {
        let (owner, consortium) = (self.identity(member), self.consortium());
        let sharing = Sharing {
            data,
            schema: schema().digest(),
            name: name.parse().unwrap(),
            owner: &owner,
            consortium: &consortium,
        };
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let split = sharing.split(Timestamp::now(), &mut rng, &mut |_| {}).unwrap();
        let manifest = split.manifest().clone();
        let files = [0, 1, 2].map(|i| File::create(self.share_file(member, name, i)).unwrap());
        split.write(files, &mut |_| {}).unwrap();
        manifest
    }

    /// The share file for a party.
    pub fn share_file(&self, member: &str, name: &str, party: usize) -> PathBuf {
        let dir = self.path(member);
        fs::create_dir_all(&dir).unwrap();
        dir.join(format!("{name}.party{party}.tercet"))
    }

    /// Shares and submits rows of both hospitals.
    pub fn with_data(self, rows: usize) -> Self {
        for (member, seed) in [("hospital-a", 1), ("hospital-b", 2)] {
            self.share(member, "ward", rows, seed);
            self.ok(member, &["submit", member]);
        }
        self
    }

    /// Writes a job file.
    pub fn job(&self, name: &str, text: &str) -> String {
        let file = format!("{name}.toml");
        fs::write(self.path(&file), text).unwrap();
        file
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        for child in self.nodes.iter_mut().flatten() {
            // Whatever the test found, no process is left behind.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A job on all submitted data.
pub fn job(epochs: usize) -> String {
    format!(
        r#"
name = "kinds"
receiver = "analyst"
[data]
schema = "schema.toml"
[model]
layers = [{{ dense = 8 }}, "relu", {{ dense = "outputs" }}]
loss = "softmax-cross-entropy"
[training]
epochs = {epochs}
batch = 20
learning_rate = 0.5
seed = 7
"#
    )
}

pub fn schema() -> Schema {
    Schema::from_toml(SCHEMA).unwrap()
}

/// Three classes, each around a corner of its own.
pub fn rows_of(rows: usize, seed: u64) -> Encoded {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    };
    let features = Array2::from_shape_fn((rows, 4), |(row, column)| {
        let corner = if row % 3 == column { 0.5 } else { -0.2 };
        corner + 0.4 * noise()
    });
    let labels = Array2::from_shape_fn((rows, 3), |(row, class)| f64::from(row % 3 == class));
    Encoded::new(features, labels).unwrap()
}

/// The last line of what a command printed, as JSON.
pub fn last_line(output: &Output) -> Value {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let line = text.lines().last().unwrap_or_else(|| panic!("no output: {output:?}"));
    serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))
}

/// Flips one bit in the middle of a file.
pub fn flip_a_bit(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}
