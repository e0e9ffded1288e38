//! How often, in which modes and on which links; and where the figures go.

use super::super::participant::block_on;
use super::values::{Modes, RING_BITS, positive, ring};
use crate::bench::{self, ClockKind, PartyResult, Plan, Setting, Summary, Task, tables};
use crate::failure::{EXIT_INTERRUPTED, Failure};
use crate::output::Output;
use mpc_core::net::LinkSpec;
use mpc_core::ring::gemm::MAX_THREADS;
use std::path::{Path, PathBuf};

const BAR: &str = "{msg} [{bar:30}] {pos}/{len}, {elapsed} gone, {eta} to go";

/// How often, and under which conditions.
#[derive(clap::Args)]
pub(super) struct Runs {
    /// Repetitions that count.
    #[arg(long, value_name = "N", default_value = "20", value_parser = positive)]
    iters: usize,
    /// Repetitions before those that count.
    #[arg(long, value_name = "N", default_value = "3")]
    warm_up: u16,
    /// Against what the computation is protected.
    #[arg(long, value_enum, default_value = "both")]
    security: Modes,
    /// Bits of the words that numbers are shared in: 64, and no other.
    #[arg(long, value_name = "BITS", value_delimiter = ',', value_parser = ring, default_value = "64")]
    ring: Vec<u32>,
    /// Links that are this slow: lan, wan, intercontinental, or for instance
    /// latency=20ms,bandwidth=1gbit,jitter=2ms. [default: as fast as this machine]
    #[arg(long, value_name = "LINK")]
    link: Option<LinkSpec>,
    /// Three threads on simulated clocks instead of three processes: times are those of
    /// three machines with a core each, and slow links cost no time here.
    #[arg(long)]
    in_process: bool,
    /// With --in-process: count no computation, so that times are those of the links alone,
    /// and the same on every machine.
    #[arg(long, requires = "in_process")]
    links_alone: bool,
    /// Threads that a party may use for a product of matrices.
    #[arg(long, value_name = "N", default_value = "1", value_parser = threads, conflicts_with = "in_process")]
    threads: usize,
    /// Make everything random repeatable: keys, shares, weights, jitter. The keys are then
    /// no secrets, so this exists for measurements of made-up data only.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Figures by step, told apart by so many names of their paths.
    #[arg(long, value_name = "DEPTH", num_args = 0..=1, default_missing_value = "2")]
    steps: Option<usize>,
    /// Write a trace of all parties for Perfetto or Chrome.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Write all figures as CSV.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write the table for LaTeX.
    #[arg(long, value_name = "FILE")]
    latex: Option<PathBuf>,
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=MAX_THREADS).contains(&n) => Ok(n),
        _ => Err(format!("`{text}` is not a number from 1 to {MAX_THREADS}")),
    }
}

impl Runs {
    /// Repetitions, counted or not.
    pub(super) fn repetitions(&self) -> usize {
        usize::from(self.warm_up) + self.iters
    }

    fn setting(&self) -> Setting {
        Setting {
            link: self.link,
            clock: match (self.in_process, self.links_alone) {
                (true, true) => ClockKind::Links,
                (true, false) => ClockKind::Simulated,
                (false, _) => ClockKind::Wall,
            },
            seed: self.seed,
            threads: self.threads,
            record: self.steps.is_some() || self.trace.is_some(),
            depth: self.steps.unwrap_or_default(),
        }
    }
}

/// Measures each task in each mode, one after the other.
pub(super) fn measure(
    tasks: impl IntoIterator<Item = Task>,
    runs: &Runs,
    out: Output,
) -> Result<(), Failure> {
    let tasks: Vec<Task> = tasks.into_iter().collect();
    debug_assert!(runs.ring.iter().all(|&bits| bits == RING_BITS), "no other can be asked for");
    if runs.trace.is_some() && (tasks.len() > 1 || runs.security.list().len() > 1) {
        return Err(Failure::new("a trace shows one measurement, but there would be several")
            .with_hint("choose one size and one mode, for instance with --security semi-honest"));
    }
    let speed = bench::MatrixSpeed::here();
    let mut summaries = Vec::new();
    for task in tasks {
        for &security in runs.security.list() {
            let plan = Plan {
                task: task.clone(),
                security,
                warm_up: runs.warm_up.into(),
                repetitions: runs.iters,
                setting: runs.setting(),
            };
            let parties = run(&plan, out)?;
            if let Some(file) = &runs.trace {
                let trace = bench::trace(parties.each_ref().map(|party| party.bars.as_slice()));
                write(file, &trace.to_string())?;
                out.note(format!("The trace is in {}.", file.display()));
            }
            let mut summary = Summary::new(&plan, &speed, &parties);
            if runs.steps.is_none() {
                summary.steps.clear();
            }
            out.event(&summary);
            summaries.push(summary);
        }
    }
    if let Some(file) = &runs.csv {
        write(file, &tables::csv(&summaries)?)?;
    }
    if let Some(file) = &runs.latex {
        write(file, &tables::latex(&summaries))?;
    }
    if !out.is_json() {
        out.result(&summaries, || tables::render(&summaries));
    }
    Ok(())
}

fn run(plan: &Plan, out: Output) -> Result<[PartyResult; 3], Failure> {
    let bar = out.bar((plan.warm_up + plan.repetitions) as u64, BAR);
    bar.set_message(plan.security.name());
    let parties = if plan.setting.clock != ClockKind::Wall {
        bench::measure_in_process(plan, |done| bar.set_position(done))
    } else {
        block_on(async {
            tokio::select! {
                parties = bench::measure(plan, |done| bar.set_position(done)) => parties,
                _ = tokio::signal::ctrl_c() => {
                    Err(Failure::new("interrupted; all processes were ended")
                        .with_code(EXIT_INTERRUPTED))
                }
            }
        })
    };
    bar.finish_and_clear();
    parties
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text)
        .map_err(|e| Failure::new(format!("cannot write {}: {e}", file.display())))
}
