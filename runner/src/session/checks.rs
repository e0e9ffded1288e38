//! The check of the members' rows, before a training.

use super::host::News;
use super::prepare::Prepared;
use crate::control::Checked;
use crate::job::CheckInputs;
use mpc_core::ctx::Ctx;
use mpc_core::error::Result;
use mpc_core::security::Security;
use mpc_core::share::Fixed;
use nn::inputs::{Scope, broken_rules};
use nn::rows::Rows;
use nn::train::Dataset;
use std::ops::ControlFlow;
use tokio::sync::watch;

/// The numbers of the submissions that break the schema in what the job wants checked.
///
/// # Errors
/// Those of protocols and links.
pub(super) async fn broken_sets<S: Security>(
    ctx: &Ctx<S>,
    prepared: &Prepared,
    data: &Dataset<Rows<Fixed>>,
    news: &watch::Sender<News>,
) -> Result<Vec<usize>> {
    let scope = match prepared.job.check_inputs() {
        CheckInputs::None => return Ok(Vec::new()),
        CheckInputs::Labels => Scope::Labels,
        CheckInputs::All => Scope::All,
    };
    let shape = prepared.blueprint.data();
    let checked = |rows: usize| {
        let (rows, of) = (rows as u64, shape.rows as u64);
        news.send_modify(|news| news.checked = Some(Checked { rows, of }));
        ControlFlow::Continue(())
    };
    let rows: Vec<usize> = prepared.submissions.iter().map(|s| s.rows as usize).collect();
    let broken = broken_rules(ctx, shape, data, &rows, scope, checked).await?;
    Ok((0..rows.len()).filter(|&set| broken[set]).collect())
}
