//! A session that rehearses a job: a few batches on rows that everybody knows, to foretell
//! what the job will take with these parties over these links.
//!
//! Nothing that was submitted is read and nothing is kept or released, so no owner of data
//! needs to have approved it. But it takes the parties' time, so it is short, alone, and gives
//! way to whatever else is to be computed.

use super::host::News;
use super::prepare::Prepared;
use crate::bench::ClockKind;
use crate::bench::forecast::{Rehearsal, Training};
use crate::control::{self, Progress, SessionFault};
use crate::job::Job;
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::security::Security;
use nn::blueprint::Blueprint;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Longest time of a rehearsal; it is looked at after each group of batches.
const MAX_SECONDS: u64 = 120;
/// Seconds after which it is stopped in the middle of a batch.
const STOP_SECONDS: u64 = 180;
/// Most bytes that a party sends in a rehearsal; they are looked at after each group of
/// batches.
const MAX_BYTES_SENT: u64 = 4 << 30;
/// Most numbers that are made up, rows times columns.
const MAX_NUMBERS: usize = 1 << 23;
/// Most numbers in a tensor: 128 MiB for each of its components.
const MAX_TENSOR: u128 = 1 << 24;
/// Most products of numbers in a layer, seconds of work: only between rounds is it looked at
/// whether the rehearsal is to end.
const MAX_PRODUCTS: u128 = 1 << 34;

/// Waits for as long as a rehearsal may take at the very most.
pub(super) async fn time_is_over() {
    tokio::time::sleep(Duration::from_secs(STOP_SECONDS)).await;
    tracing::warn!("a rehearsal is stopped: it takes more than {STOP_SECONDS} s");
}

/// What is rehearsed of a job with data sets of so many rows.
fn of(
    job: &Job,
    blueprint: &Blueprint,
    sets: Vec<usize>,
) -> std::result::Result<Rehearsal, SessionFault> {
    let training = Training {
        blueprint: blueprint.clone(),
        security: job.security(),
        multiplication: job.multiplication(),
        check: job.check_inputs(),
        sets,
    };
    Rehearsal::of(&training, ClockKind::Wall).map_err(SessionFault::bad_job)
}

/// Whether a job is small enough to be rehearsed.
///
/// # Errors
/// A fault of kind `BadJob` that says how large it may be.
pub(super) fn check(job: &Job, blueprint: &Blueprint) -> std::result::Result<(), SessionFault> {
    let load = blueprint.load();
    if load.numbers > MAX_TENSOR || load.products > MAX_PRODUCTS {
        return Err(SessionFault::bad_job(format!(
            "a batch of {} rows, or what is judged at a time, is too large to be rehearsed: a layer \
             makes {} numbers of it and takes {} products, and {MAX_TENSOR} and {MAX_PRODUCTS} may \
             be; a forecast without --measured has no such limit",
            blueprint.batch(),
            load.numbers,
            load.products,
        )));
    }
    match of(job, blueprint, vec![blueprint.data().rows])?.numbers() {
        0..=MAX_NUMBERS => Ok(()),
        numbers => Err(SessionFault::bad_job(format!(
            "a rehearsal of batches of {} rows would make up {numbers} numbers, and at most \
             {MAX_NUMBERS} may be; a forecast without --measured has no such limit",
            blueprint.batch()
        ))),
    }
}

/// Rehearses; the figures are news. Returns why it was broken off, if it was.
///
/// # Errors
/// Those of protocols and links.
pub(super) async fn run<S: Security>(
    ctx: &Ctx<S>,
    prepared: &Prepared,
    news: &watch::Sender<News>,
    mut done: impl FnMut(Progress),
) -> Result<Option<SessionFault>> {
    let Prepared { job, blueprint, agreement, submissions, .. } = prepared;
    // Without data that were submitted, there is one set.
    let mut sets: Vec<u64> = submissions.iter().map(|submission| submission.rows).collect();
    if sets.is_empty() {
        sets.push(agreement.rows);
    }
    let lengths = sets.iter().map(|&rows| rows as usize).collect();
    let rehearsal = of(job, blueprint, lengths).map_err(|fault| Error::Misuse(fault.message))?;
    let parts = rehearsal.parts() as u64;
    let (begun, mut reached) = (Instant::now(), 0);
    let go_on = |part: usize| {
        reached = part as u64;
        done(Progress { epoch: 1, epochs: 1, batch: reached, batches: parts });
        let is_long = begun.elapsed() > Duration::from_secs(MAX_SECONDS);
        match is_long || ctx.traffic().bytes_sent > MAX_BYTES_SENT {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    let Some(measured) = rehearsal.run(&ctx.step("rehearsal"), go_on).await? else {
        return Ok(Some(SessionFault::bad_job(format!(
            "the rehearsal was broken off after {reached} of {parts} parts, {:.0} s and {} \
             bytes sent: it may take {MAX_SECONDS} s and {MAX_BYTES_SENT} bytes; a forecast \
             without --measured has no such limit",
            begun.elapsed().as_secs_f64(),
            ctx.traffic().bytes_sent,
        ))));
    };
    let kept_back = match job.validation_sets().is_empty() {
        true => 0,
        false => blueprint.validation_rows() as u64,
    };
    let rehearsed = control::Rehearsal { sets, kept_back, measured };
    news.send_modify(|news| news.rehearsed = Some(rehearsed));
    Ok(None)
}
