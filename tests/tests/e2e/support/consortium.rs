//! A consortium on this machine: three nodes as processes, and the members' commands.

use super::playground::{Playground, TERCET};
use super::process::{Complaint, Outcome, PATIENCE, PROMPTLY, Process};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// How often a consortium is made when one of its ports is taken before its node is there.
const ATTEMPTS: usize = 5;
/// The members of a consortium that nobody made otherwise.
const MEMBERS: &str = "ward-a,ward-b,analyst";

/// The files of a consortium, wherever they lie.
#[derive(Debug)]
pub struct Files {
    /// The consortium file of the members.
    pub consortium: PathBuf,
    /// The configurations of the three nodes.
    pub nodes: [PathBuf; 3],
    /// Key files of the members, each named after its member.
    pub keys: Vec<PathBuf>,
}

impl Files {
    /// Makes a local consortium with `tercet init` in this directory.
    pub fn local(play: &Playground, dir: &str) -> Self {
        let made = play.run(&format!("init {dir} --base-port 0 --members {MEMBERS}")).succeeded();
        let path = |value: &Value| play.path(value.as_str().unwrap());
        let paths = |value: &Value| value.as_array().unwrap().iter().map(path).collect::<Vec<_>>();
        Files {
            consortium: path(&made["consortium"]),
            nodes: paths(&made["parties"]).try_into().unwrap(),
            keys: paths(&made["members"]),
        }
    }

    /// The key file of a member.
    pub fn key(&self, member: &str) -> &Path {
        let found = self.keys.iter().find(|key| key.file_stem().is_some_and(|stem| stem == member));
        found.unwrap_or_else(|| panic!("{member} is no member"))
    }

    /// Sets a limit in the configurations of all nodes.
    fn set_limit(&self, name: &str, value: u64) {
        for node in &self.nodes {
            let config = fs::read_to_string(node).unwrap();
            let of_limit = |line: &&str| line.starts_with(&format!("{name} = "));
            let line = config.lines().find(of_limit).expect("all limits are in the file");
            fs::write(node, config.replace(line, &format!("{name} = {value}"))).unwrap();
        }
    }
}

/// Three running nodes and their members.
pub struct Consortium<'p> {
    play: &'p Playground,
    /// Where everything lies.
    pub files: Files,
    nodes: [Option<Process>; 3],
}

impl<'p> Consortium<'p> {
    /// Makes and starts a local consortium of the members `ward-a`, `ward-b` and `analyst`.
    pub fn start(play: &'p Playground) -> Self {
        Self::start_made(play, |dir| Files::local(play, dir))
    }

    /// Like [`Consortium::start`], with other limits than usual.
    pub fn start_limited(play: &'p Playground, limits: &[(&str, u64)]) -> Self {
        Self::start_made(play, |dir| {
            let files = Files::local(play, dir);
            limits.iter().for_each(|(name, value)| files.set_limit(name, *value));
            files
        })
    }

    /// Makes a consortium in a fresh directory, and starts its nodes.
    ///
    /// Its ports are found free when it is made; should another program have
    /// taken one before its node does, all is made again elsewhere.
    pub fn start_made(play: &'p Playground, make: impl Fn(&str) -> Files) -> Self {
        for attempt in 0..ATTEMPTS {
            let files = make(&format!("consortium-{attempt}"));
            let mut consortium = Consortium { play, files, nodes: [None, None, None] };
            match consortium.start_nodes() {
                Ok(()) => return consortium,
                Err(complaint) if complaint.mentions("cannot listen") => {}
                Err(complaint) => panic!("{complaint:#?}"),
            }
        }
        panic!("no free ports were found");
    }

    fn start_nodes(&mut self) -> Result<(), Complaint> {
        let commands = [0, 1, 2].map(|party| self.node_command(party));
        let mut started = commands.map(|command| self.play.start(command));
        for node in &mut started {
            node.wait_for("listening").map_err(|last| Complaint::of(&last))?;
        }
        self.nodes = started.map(Some);
        Ok(())
    }

    /// The command that runs the node of a party.
    pub fn node_command(&self, party: usize) -> Command {
        self.play.command(&format!("party --config {}", self.files.nodes[party].display()))
    }

    /// The command that runs the node of a party while no file can grow beyond
    /// about this many KiB, as if the disk were full.
    pub fn starved_node_command(&self, party: usize, kib: u64) -> Command {
        let node = self.node_command(party);
        let mut shell = Command::new("sh");
        // Shells count in blocks of 512 or of 1024 bytes. Without a handler for the
        // signal, writing fails with an error, as on a full disk.
        let script = format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" \"$@\"");
        shell.arg("-c").arg(script).arg(TERCET).args(node.get_args());
        shell
    }

    /// Starts the node of a party, which must not run.
    pub fn start_node(&mut self, party: usize) {
        self.start_node_by(party, Self::node_command);
    }

    /// Starts the node of a party, which must not run, by this command.
    pub fn start_node_by(&mut self, party: usize, command: impl Fn(&Self, usize) -> Command) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut node = self.play.start(command(self, party));
            match node.wait_for("listening") {
                Ok(_) => {
                    self.nodes[party] = Some(node);
                    return;
                }
                // For a moment, some connection may have the port of a node that was killed.
                Err(last) => {
                    let complaint = Complaint::of(&last);
                    let taken = complaint.mentions("cannot listen") && Instant::now() < deadline;
                    assert!(taken, "party {party} does not start: {complaint:#?}");
                }
            }
        }
    }

    /// Kills the node of a party as `kill -9` does.
    pub fn kill_node(&mut self, party: usize) {
        self.nodes[party].take().unwrap().kill();
    }

    /// Stops the node of a party in order.
    pub fn stop_node(&mut self, party: usize) {
        let node = self.nodes[party].take().unwrap();
        node.signal(Signal::TERM);
        node.finish_within(PROMPTLY).succeeded();
    }

    /// The running node of a party.
    pub fn node(&self, party: usize) -> &Process {
        self.nodes[party].as_ref().unwrap()
    }

    /// The command of a member with these arguments.
    pub fn command_of(&self, member: &str, line: &str) -> Command {
        let mut command = self.play.command(line);
        command.env("TERCET_CONSORTIUM", &self.files.consortium);
        command.env("TERCET_IDENTITY", self.files.key(member));
        command
    }

    /// Starts a command of a member.
    pub fn start_as(&self, member: &str, line: &str) -> Process {
        self.play.start(self.command_of(member, line))
    }

    /// Runs a command of a member to its end.
    pub fn run_as(&self, member: &str, line: &str) -> Outcome {
        self.start_as(member, line).finish()
    }

    /// What the nodes say about themselves; nothing where one does not answer.
    pub fn status(&self) -> [Option<Value>; 3] {
        let outcome = self.run_as("analyst", "status --timeout 10");
        let nodes = outcome.lines[0]["nodes"].as_array().unwrap();
        let status = |party: usize| Some(nodes[party]["status"].clone()).filter(|s| !s.is_null());
        [0, 1, 2].map(status)
    }

    /// Waits until these nodes run no session; they all must answer.
    pub fn wait_until_idle(&self, parties: &[usize]) {
        let deadline = Instant::now() + PROMPTLY;
        loop {
            let status = self.status();
            let running = |&party: &usize| {
                let status = status[party].as_ref();
                status.unwrap_or_else(|| panic!("party {party} does not answer"))["running"] != 0
            };
            if !parties.iter().any(running) {
                return;
            }
            assert!(Instant::now() < deadline, "a session goes on: {status:?}");
        }
    }

    /// Shares a table as `member/shares` and submits it.
    pub fn contribute(&self, member: &str, table: &str) {
        let file = format!("{member}/rows.csv");
        self.play.write(&file, table);
        let share = format!("share {file} --schema schema.toml -o {member}/shares");
        self.run_as(member, &share).succeeded();
        self.run_as(member, &format!("submit {member}/shares")).succeeded();
    }

    /// Both wards approve the job.
    pub fn approve(&self, job: &str) {
        for ward in ["ward-a", "ward-b"] {
            self.run_as(ward, &format!("approve {job} --yes")).succeeded();
        }
    }
}
