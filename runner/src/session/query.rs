//! A session that answers a question: rows of whoever asks, a model that the parties keep.

use super::agreement::{Agreement, DataSetDigest, Purpose};
use super::host::News;
use super::inputs::{failed, stored_file};
use crate::CODE_VERSION;
use crate::control::{Checked, FaultKind, Progress, SessionFault};
use crate::digest::Digest;
use crate::identity::Name;
use crate::inference::{AnswerShare, AnswerTerms, KeptShare, MAX_ROWS, Query, rows_digest};
use crate::model::{self, TensorTerms};
use crate::node::{KeptError, Node, kept_model};
use crate::schema::Schema;
use crate::store::StoredSubmission;
use mpc_core::ctx::Ctx;
use mpc_core::error::Result as MpcResult;
use mpc_core::exec::Outcome;
use mpc_core::net::SessionId;
use mpc_core::ring::Z64;
use mpc_core::security::Security;
use mpc_core::share::{Arith, Fixed, Words};
use nn::blueprint::Blueprint;
use nn::engine::Mpc;
use nn::infer::{SharedModel, infer};
use nn::inputs::{Scope, broken_rules};
use nn::layers::Parameters;
use nn::train::Dataset;
use std::ops::ControlFlow;
use tokio::sync::watch;
use zeroize::Zeroizing;

/// A question that this party can help to answer with what it holds.
#[derive(Debug)]
pub(super) struct PreparedQuery {
    pub(super) query: Query,
    pub(super) agreement: Agreement,
    pub(super) model: KeptShare,
    pub(super) submission: StoredSubmission,
    blueprint: Blueprint,
}

/// Finds the model and the rows, and checks that this client may ask it this.
///
/// # Errors
/// A fault of kind `BadJob` when the question cannot be answered here, of kind `Internal`
/// when the store fails.
pub(super) fn prepare(
    node: &Node,
    session: SessionId,
    client: &Name,
    query: &Query,
) -> Result<PreparedQuery, SessionFault> {
    let model = kept_model(node, query.model).map_err(|e| match e {
        KeptError::Unknown { .. } => SessionFault::bad_job(e),
        e => SessionFault::internal(e),
    })?;
    let terms = &model.terms;
    let loss = terms.spec.model.loss;
    if !terms.policy.allows_member(client) {
        return Err(SessionFault::bad_job(format!("{client} may not ask model {}", terms.id)));
    }
    if !terms.policy.allows(query.answer, loss) {
        let (most, asked) = (terms.policy.most(loss), query.answer);
        return Err(SessionFault::bad_job(format!(
            "model {} answers with {most}, not with {asked}",
            terms.id
        )));
    }
    let submission = node.store.submission(query.rows).map_err(SessionFault::internal)?;
    let meant = rows_digest(terms);
    let submission = submission.filter(|s| s.owner == *client && s.schema == meant);
    let submission = submission.ok_or_else(|| {
        SessionFault::bad_job(format!(
            "{} has no rows {} of {client} for model {}",
            node.party(),
            query.rows,
            terms.id
        ))
    })?;
    if submission.rows > MAX_ROWS {
        let rows = submission.rows;
        return Err(SessionFault::bad_job(format!("{rows} rows are asked; at most {MAX_ROWS}")));
    }
    let schema = Schema::from_toml(&terms.schema_file).map_err(SessionFault::internal)?;
    let rows = usize::try_from(submission.rows).map_err(SessionFault::bad_job)?;
    let blueprint = model::blueprint(&terms.spec, &schema, rows).map_err(SessionFault::internal)?;
    let agreement = Agreement {
        session,
        code: CODE_VERSION.into(),
        consortium: node.consortium.digest(),
        job: query.digest(terms),
        schema: terms.schema,
        client: client.clone(),
        purpose: Purpose::Infer,
        rows: submission.rows,
        data: vec![DataSetDigest {
            id: submission.id,
            owner: submission.owner.clone(),
            manifest: submission.manifest,
        }],
        stocks: Vec::new(),
        start: None,
    };
    Ok(PreparedQuery { query: query.clone(), agreement, model, submission, blueprint })
}

/// The shares of the rows.
///
/// # Errors
/// When they cannot be read, or are not as wide as the schema says.
pub(super) fn load(node: &Node, prepared: &PreparedQuery) -> Result<Fixed, SessionFault> {
    let file = stored_file(node, &prepared.submission)?;
    let manifest = &file.header().data_set;
    let (rows, scale) = (prepared.blueprint.data().rows, manifest.scale);
    let columns = prepared.blueprint.data().columns.len();
    let found = [manifest.rows, manifest.feature_columns, manifest.label_columns];
    if found != [rows as u64, columns as u64, 0] {
        return Err(SessionFault::bad_job(format!(
            "the rows have {} features and {} labels, but the model takes {columns} features",
            manifest.feature_columns, manifest.label_columns
        )));
    }
    let opened = file.open(&node.consortium, &node.identity, rows * columns);
    let (first, second) = opened.map_err(|e| failed(&prepared.submission, e))?.into_components();
    Ok(Fixed::new(Arith::from_components([rows, columns], first, second), scale))
}

/// The answers; `None` where the rows break the schema, which is all that is opened.
///
/// # Errors
/// Those of protocols and links.
pub(super) async fn answer<S: Security>(
    ctx: Ctx<S>,
    prepared: &PreparedQuery,
    rows: Fixed,
    news: &watch::Sender<News>,
    mut done: impl FnMut(Progress),
) -> MpcResult<Option<Fixed>> {
    let shape = prepared.blueprint.data();
    let of = shape.rows;
    let checked = |rows: usize| {
        let checked = Checked { rows: rows as u64, of: of as u64 };
        news.send_modify(|news| news.checked = Some(checked));
        ControlFlow::Continue(())
    };
    // Rows beyond their bounds could make a network overflow, and tell more than an answer.
    let labels = Fixed::new(Arith::zeros([of, 0]), rows.scale);
    let data = Dataset { features: rows.clone(), labels }.into();
    let step = ctx.step("check-inputs");
    if broken_rules(&step, shape, &data, &[of], Scope::Features, checked).await? == [true] {
        return Ok(None);
    }
    let engine = Mpc::new(ctx.step("answer"));
    let loss = prepared.model.terms.spec.model.loss;
    let parameters = parameters(&prepared.model);
    let model = SharedModel::new(&engine, prepared.blueprint.layers(), loss, parameters)?;
    let progress = |rows: usize| {
        done(Progress { epoch: 1, epochs: 1, batch: rows as u64, batches: of as u64 });
    };
    infer(&engine, &model, &rows, prepared.query.answer, progress).await.map(Some)
}

/// Weights and bias of each layer, of the tensors of a model one after the other.
pub(super) fn parameters(model: &KeptShare) -> Vec<Parameters<Fixed>> {
    let mut start = 0;
    let mut tensors = model.terms.tensors.iter().map(|tensor| {
        let shape = [tensor.rows as usize, tensor.columns as usize];
        let place = start..start + shape[0] * shape[1];
        start = place.end;
        let [first, second] =
            [&model.first, &model.second].map(|words| Words::from(words[place.clone()].to_vec()));
        Fixed::new(Arith::from_components(shape, first, second), tensor.scale)
    });
    let mut parameters = Vec::new();
    while let (Some(weights), Some(bias)) = (tensors.next(), tensors.next()) {
        parameters.push(Parameters { weights, bias });
    }
    parameters
}

/// Seals this party's components of the answers for whoever asked.
///
/// # Errors
/// When they cannot be sealed.
pub(super) fn seal(
    node: &Node,
    prepared: &PreparedQuery,
    answers: &Fixed,
    outcome: &Outcome,
) -> Result<Vec<u8>, String> {
    let PreparedQuery { query, agreement, model, .. } = prepared;
    let [rows, columns] = answers.shape();
    let terms = AnswerTerms {
        model: query.model,
        model_terms: model.terms.digest(),
        answer: query.answer,
        security: query.security,
        session: agreement.session,
        agreement: agreement.digest(),
        transcript: Digest(outcome.transcript),
        receiver: agreement.client.clone(),
        rows: agreement.data[0].clone(),
        tensors: vec![TensorTerms {
            name: query.answer.name().into(),
            rows: rows as u64,
            columns: columns as u64,
            scale: answers.scale,
        }],
    };
    let component = |of: fn(&Arith<Z64>) -> &[u64]| Zeroizing::new(of(&answers.share).to_vec());
    let share =
        AnswerShare { terms, first: component(Arith::first), second: component(Arith::second) };
    let client = node
        .consortium
        .member(&agreement.client)
        .ok_or_else(|| format!("{} is no member of the consortium", agreement.client))?;
    share.seal(node.party(), &node.identity, &client.card).map_err(|e| e.to_string())
}

impl PreparedQuery {
    /// The fault of rows that are not what the schema allows.
    pub(super) fn bad_rows(&self) -> SessionFault {
        let message = "the rows break the schema: a number is out of its bounds, or a category \
                       is not zero or one";
        SessionFault::new(FaultKind::BadData, None, message)
    }
}
