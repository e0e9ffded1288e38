//! One party of a measurement, from its links to its figures: the same in a process of its
//! own and in a thread.

use super::clocks::Sample;
use super::data::Judged;
use super::measure::{Measured, repeat};
use super::plan::Plan;
use super::steps::{self, StepCost};
use super::trace::{self, Bar};
use crate::digest::Digest;
use crate::job::Security;
use crate::memory::peak_rss_bytes;
use getrandom::SysRng;
use mpc_core::error::Result;
use mpc_core::exec::Session;
use mpc_core::net::{KEY_AGREEMENT_ROUNDS, SessionId, Transport, agree_keys};
use mpc_core::party::PartyId;
use mpc_core::prss::Prss;
use mpc_core::security::{Malicious, SemiHonest};
use mpc_core::timeline::Timeline;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;

/// What a party measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PartyResult {
    /// One for each repetition.
    pub samples: Vec<Sample>,
    /// What was done before, a repetition: triples.
    pub offline: Option<Sample>,
    /// Of a training, the hash of the opened model.
    pub model: Option<Digest>,
    /// Of a training on rows of a file, how good the model is.
    #[serde(default)]
    pub judged: Option<Judged>,
    /// What each step took, where that was recorded.
    pub steps: Vec<StepCost>,
    /// What a trace shows, where that was recorded.
    pub bars: Vec<Bar>,
    /// Largest resident memory of the process, start and made-up data included.
    pub peak_rss_bytes: u64,
    /// The process.
    pub pid: u32,
}

/// The session of a measurement with a seed; public, as everything is that follows from it.
pub(super) fn seeded_session(seed: u64) -> SessionId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&seed.to_le_bytes());
    SessionId(id)
}

/// Agrees on keys; with a seed they are no secrets, for made-up data only.
///
/// # Errors
/// Those of [`agree_keys`].
pub(super) fn keys(transport: &mut dyn Transport, seed: Option<u64>) -> Result<Prss> {
    let keys = match seed {
        None => agree_keys(transport, &[0; 32], &mut SysRng)?,
        Some(seed) => {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            rng.set_stream(transport.party().index() as u64);
            agree_keys(transport, &[0; 32], &mut rng)?
        }
    };
    Ok(Prss::new(keys.with_prev.as_bytes(), keys.with_next.as_bytes()))
}

/// Agrees on keys and does what the plan says; `done` hears how many repetitions are over.
///
/// # Errors
/// Those of the links and of the protocols.
pub(super) fn compute(
    transport: &mut dyn Transport,
    plan: &Plan,
    done: impl FnMut(usize),
) -> Result<PartyResult> {
    let prss = keys(transport, plan.setting.seed)?;
    let timeline = RefCell::new(Timeline::default());
    let mut session = Session::new(transport, prss, KEY_AGREEMENT_ROUNDS);
    if plan.setting.record {
        session = session.record_in(&timeline);
    }
    let (Measured { samples, offline, model, judged }, _) = match plan.security {
        Security::SemiHonest => session.run::<SemiHonest, _, _>(|ctx| repeat(ctx, plan, done)),
        Security::Malicious => session.run::<Malicious, _, _>(|ctx| repeat(ctx, plan, done)),
    }?;
    let timeline = timeline.into_inner();
    let (warm_up, repetitions) = (plan.warm_up, plan.repetitions);
    Ok(PartyResult {
        samples,
        offline,
        model,
        judged,
        steps: steps::costs(&timeline, plan.setting.depth, warm_up, repetitions),
        bars: trace::bars(&timeline, warm_up),
        peak_rss_bytes: peak_rss_bytes(),
        pid: std::process::id(),
    })
}

/// Who reports progress.
pub(super) fn reports(party: PartyId) -> bool {
    party == PartyId::P0
}
