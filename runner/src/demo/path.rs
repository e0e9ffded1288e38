//! The path of a consortium, stage by stage, as commands in processes of their own.

use super::nodes::Nodes;
use super::prepare::{self, Prepared, ROWS, SCHEMA, TEST};
use super::report::Report;
use super::settings::Settings;
use super::stages::Stage;
use super::workspace::Workspace;
use crate::evaluation::Evaluation;
use crate::failure::Failure;
use crate::files;
use crate::output::Output;
use crate::processes::Processes;
use futures_util::future::try_join_all;
use indicatif::HumanCount;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::Instant;

const RECEIVER: &str = "analyst";
const CONSORTIUM_DIR: &str = "consortium";
const CONSORTIUM: &str = "consortium/consortium.toml";
const JOB: &str = "job.toml";
const MODEL: &str = "model";
/// How often a consortium is made when one of its ports is taken before its node is there.
const ATTEMPTS: usize = 3;

/// What `tercet train` measured.
#[derive(Debug, Deserialize)]
struct Trained {
    security: String,
    seconds: f64,
    iterations: u64,
    rounds: u64,
    bytes_sent_per_party: [u64; 3],
    peak_rss_bytes: [u64; 3],
    pids: [u32; 3],
}

/// What `tercet twin` measured.
#[derive(Debug, Deserialize)]
struct Twin {
    seconds: f64,
    #[serde(flatten)]
    evaluation: Evaluation,
}

/// Goes the whole path.
///
/// # Errors
/// When a command fails or a node dies on the way.
pub async fn walk(
    settings: &Settings,
    workspace: &Workspace,
    out: Output,
) -> Result<Report, Failure> {
    let started = Instant::now();
    let processes = Processes::new(workspace.dir())?;
    let stage = Stage::begin(out, "Data");
    let prepared = prepare::prepare(settings, &processes, workspace.dir()).await?;
    stage.done(&prepared.summary());
    for remark in &prepared.remarks {
        out.note(format!("    note: {remark}"));
    }
    let walk = Walk { settings, processes, prepared, dir: workspace.dir(), out };
    let mut nodes = walk.parties().await?;
    let walked = tokio::select! {
        walked = walk.with_parties() => walked,
        failure = nodes.first_end() => Err(failure),
    };
    let (trained, model, twin) = match walked {
        Ok(walked) => walked,
        Err(failure) => return Err(nodes.cause_of(failure).await),
    };
    nodes.stop().await;

    let Prepared { data, schema, holders, rows_test, .. } = walk.prepared;
    Ok(Report {
        data,
        network: settings.network(&schema),
        security: trained.security,
        plaintext_accuracy: twin.evaluation.accuracy(),
        secure: model,
        plaintext: twin.evaluation,
        rows_train: holders.iter().map(|holder| holder.rows).sum(),
        rows_test,
        holders,
        receiver: RECEIVER.into(),
        epochs: settings.epochs,
        iterations: trained.iterations,
        seconds_train: trained.seconds,
        seconds_plaintext: twin.seconds,
        seconds_total: started.elapsed().as_secs_f64(),
        rounds: trained.rounds,
        bytes_sent_per_party: trained.bytes_sent_per_party,
        peak_rss_bytes: trained.peak_rss_bytes,
        pids: trained.pids,
        directory: workspace.kept(),
    })
}

/// The stages, once the data are there.
struct Walk<'a> {
    settings: &'a Settings,
    processes: Processes,
    prepared: Prepared,
    dir: &'a Path,
    out: Output,
}

impl Walk<'_> {
    /// Makes keys and a consortium, and starts the nodes of the three parties.
    async fn parties(&self) -> Result<Nodes, Failure> {
        let stage = Stage::begin(self.out, "Parties");
        let holders = self.prepared.holders.iter().map(|holder| holder.name.as_str());
        let members = holders.chain([RECEIVER]).collect::<Vec<_>>().join(",");
        let mut attempt = 1;
        let nodes = loop {
            let init = ["init", CONSORTIUM_DIR, "--base-port", "0", "--members", &members];
            self.processes.run("init", &init).await?;
            match Nodes::start(&self.processes, CONSORTIUM_DIR).await {
                Ok(nodes) => break nodes,
                // Another program may have taken a free port before the node did.
                Err(_) if attempt < ATTEMPTS => attempt += 1,
                Err(failure) => return Err(failure),
            }
            let dir = self.dir.join(CONSORTIUM_DIR);
            fs::remove_dir_all(&dir)
                .map_err(|e| Failure::new(format!("cannot remove {}: {e}", dir.display())))?;
        };
        let ids = nodes.ids();
        self.out.event(&json!({ "event": "nodes", "pids": ids }));
        let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
        stage.done(&format!("fresh keys; three nodes run as processes {}", ids.join(", ")));
        Ok(nodes)
    }

    /// Everything that needs the nodes.
    async fn with_parties(&self) -> Result<(Trained, Evaluation, Twin), Failure> {
        self.share().await?;
        self.approve().await?;
        let trained = self.train().await?;
        self.fetch().await?;
        let model = self.evaluate().await?;
        let twin = self.twin().await?;
        Ok((trained, model, twin))
    }

    /// Each holder shares its rows and submits the shares, all at the same time.
    async fn share(&self) -> Result<(), Failure> {
        let stage = Stage::begin(self.out, "Sharing");
        let holders = self.prepared.holders.iter();
        try_join_all(holders.map(|holder| self.share_and_submit(&holder.name))).await?;
        let count = self.prepared.holders.len();
        stage.done(&format!("{count} holders shared their rows; {} receipts", 3 * count));
        Ok(())
    }

    /// What one data holder does, in processes of its own.
    async fn share_and_submit(&self, name: &str) -> Result<(), Failure> {
        let (rows, shares, identity) = (rows_of(name), format!("{name}/shares"), key(name));
        let share = ["share", &rows, "--schema", SCHEMA, "-o", &shares];
        self.processes.run(name, &as_member(&share, &identity)).await?;
        self.processes.run(name, &as_member(&["submit", &shares], &identity)).await?;
        Ok(())
    }

    /// Each holder approves the job.
    async fn approve(&self) -> Result<(), Failure> {
        let stage = Stage::begin(self.out, "Approval");
        let job = self.settings.job(&self.prepared.schema, RECEIVER)?;
        files::write_new_public(&self.dir.join(JOB), job.as_bytes())?;
        let approvals = self.prepared.holders.iter().map(|holder| async {
            let identity = key(&holder.name);
            let approve = as_member(&["approve", JOB, "--yes"], &identity);
            self.processes.run(&holder.name, &approve).await
        });
        try_join_all(approvals).await?;
        stage.done(&format!("all holders signed the job; {RECEIVER} gets the model"));
        Ok(())
    }

    /// Trains on the shares.
    async fn train(&self) -> Result<Trained, Failure> {
        let stage = Stage::begin(self.out, "Training");
        let identity = key(RECEIVER);
        let mut process = self.processes.start("train", &as_member(&["train", JOB], &identity))?;
        let trained = process.finish(|line| show_progress(&stage, line)).await?;
        let trained: Trained = understood("train", trained)?;
        stage.done(&format!("{} batches on shares", HumanCount(trained.iterations)));
        Ok(trained)
    }

    /// The receiver collects the model.
    async fn fetch(&self) -> Result<(), Failure> {
        let stage = Stage::begin(self.out, "Model");
        let identity = key(RECEIVER);
        let fetch = ["model", "fetch", "--job", JOB, "-o", MODEL];
        self.processes.run("fetch", &as_member(&fetch, &identity)).await?;
        stage.done("put together from three signed shares");
        Ok(())
    }

    /// Tests the model on the rows that were kept back.
    async fn evaluate(&self) -> Result<Evaluation, Failure> {
        let stage = Stage::begin(self.out, "Test");
        let args = ["evaluate", MODEL, "--data", TEST, "--schema", SCHEMA];
        let evaluation = self.processes.run("evaluate", &args).await?;
        let rows = HumanCount(self.prepared.rows_test as u64);
        stage.done(&format!("on {rows} rows that nobody trained on"));
        understood("evaluate", evaluation)
    }

    /// Trains and tests the same network on the same rows in the clear.
    async fn twin(&self) -> Result<Twin, Failure> {
        let stage = Stage::begin(self.out, "Twin");
        let files: Vec<String> =
            self.prepared.holders.iter().map(|holder| rows_of(&holder.name)).collect();
        let mut args = vec!["twin", JOB, "--test", TEST, "--data"];
        args.extend(files.iter().map(String::as_str));
        let mut process = self.processes.start("twin", &args)?;
        let twin = process.finish(|line| show_progress(&stage, line)).await?;
        stage.done("the same network, start and rows in the clear");
        understood("twin", twin)
    }
}

/// The arguments of a command that a member of the consortium gives.
fn as_member<'a>(args: &[&'a str], identity: &'a str) -> Vec<&'a str> {
    [args, &["--consortium", CONSORTIUM, "--identity", identity]].concat()
}

/// The file with a holder's rows.
fn rows_of(name: &str) -> String {
    format!("{name}/{ROWS}")
}

/// The key file of a member.
fn key(name: &str) -> String {
    format!("{CONSORTIUM_DIR}/members/{name}/{name}.key")
}

/// Moves the bar of a stage by what a command tells of its training.
fn show_progress(stage: &Stage, line: &Value) {
    let number = |field: &str| line[field].as_u64();
    let fields = ["epoch", "epochs", "batch", "batches"].map(number);
    if let [Some(epoch), Some(epochs), Some(batch), Some(batches)] = fields {
        let done = epoch.saturating_sub(1).saturating_mul(batches).saturating_add(batch);
        let what = format!("epoch {epoch}/{epochs}, batch {batch}/{batches}");
        stage.progress(done, epochs.saturating_mul(batches), what);
    }
}

/// What a command printed as its result.
fn understood<T: DeserializeOwned>(command: &str, result: Value) -> Result<T, Failure> {
    serde_json::from_value(result)
        .map_err(|e| Failure::new(format!("cannot read the result of `tercet {command}`: {e}")))
}
