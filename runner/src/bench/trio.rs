//! The process that measures: it starts the three parties and gathers their figures.

use super::party::{Briefing, Introduction};
use super::plan::Plan;
use super::session::{PartyResult, seeded_session};
use crate::failure::Failure;
use crate::processes::{Process, Processes};
use crate::session::fresh_id;
use mpc_core::party::PartyId;
use serde_json::Value;

/// Runs a plan in three fresh processes; `done` hears how many repetitions are over.
///
/// # Errors
/// When a process cannot be started or fails, with its own error.
pub async fn measure(plan: &Plan, mut done: impl FnMut(u64)) -> Result<[PartyResult; 3], Failure> {
    let dir = tempfile::tempdir()
        .map_err(|e| Failure::new(format!("cannot make a temporary directory: {e}")))?;
    let processes = Processes::new(dir.path())?;
    let [first, second, third] = PartyId::ALL.map(|party| {
        let index = party.index().to_string();
        processes.start(&format!("party{index}"), &["bench", "party", "--index", &index])
    });
    let mut parties = [first?, second?, third?];
    let mut introductions = Vec::with_capacity(3);
    for party in &mut parties {
        introductions.push(introduction(party).await?);
    }
    let introductions: [Introduction; 3] = introductions
        .try_into()
        .map_err(|_| Failure::new("not every process introduced itself"))?;
    let session = match plan.setting.seed {
        Some(seed) => seeded_session(seed),
        None => fresh_id().map_err(Failure::new)?,
    };
    let briefing = Briefing { parties: introductions, session, plan: plan.clone() };
    for party in &mut parties {
        party.tell(&briefing).await?;
    }
    let [first, second, third] = &mut parties;
    let progress = |line: &Value| {
        if let Some(repetitions) = line["repetitions"].as_u64() {
            done(repetitions);
        }
    };
    let (a, b, c) =
        tokio::try_join!(first.finish(progress), second.finish(|_| {}), third.finish(|_| {}))?;
    let read = |value| serde_json::from_value(value).map_err(Failure::new);
    Ok([read(a)?, read(b)?, read(c)?])
}

async fn introduction(party: &mut Process) -> Result<Introduction, Failure> {
    let line = party.next_line().await?.cloned().unwrap_or(Value::Null);
    match serde_json::from_value(line) {
        Ok(introduction) => Ok(introduction),
        Err(e) => {
            // It says itself why it could not begin, if it could not.
            party.finish(|_| {}).await?;
            Err(Failure::new(format!("a party of the measurement did not introduce itself: {e}")))
        }
    }
}
