//! Models that this party keeps: taken in, described, and opened for a session.

use super::Node;
use super::requests::store_refusal;
use crate::control::{Answer, Reason, Refusal};
use crate::identity::Name;
use crate::inference::{KeptShare, KeptTerms, ModelId, Origin, weights_digest};
use crate::job::Job;
use crate::model::{self, TensorTerms};
use crate::schema::Schema;
use crate::session::stored_file;
use crate::sharefile::DataSetId;
use crate::store::StoreError;
use std::fmt::Display;
use zeroize::Zeroizing;

/// Why a model cannot be used that is to be kept here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeptError {
    /// There is none.
    #[error("{party} keeps no model {id}")]
    Unknown {
        /// This party.
        party: mpc_core::party::PartyId,
        /// The model.
        id: ModelId,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored is not what was kept.
    #[error("the model {id} is not what was kept: {reason}")]
    Altered {
        /// The model.
        id: ModelId,
        /// What is wrong.
        reason: String,
    },
}

/// This party's share of a model that it keeps: verified and decrypted.
///
/// # Errors
/// When there is none, or it was altered.
pub fn kept_model(node: &Node, id: ModelId) -> Result<KeptShare, KeptError> {
    let party = node.party();
    let sealed = node.store.kept_model(id)?.ok_or(KeptError::Unknown { party, id })?;
    let altered = |reason: &dyn Display| KeptError::Altered { id, reason: reason.to_string() };
    let (share, _) = KeptShare::open(&sealed, party, node.identity.card(), &node.identity)
        .map_err(|e| altered(&e))?;
    match share.terms.id == id && share.terms.consortium == node.consortium.digest() {
        true => Ok(share),
        false => Err(altered(&"it is another model, or of another consortium")),
    }
}

/// Seals a share for this party itself and keeps it.
///
/// # Errors
/// When it cannot be sealed or stored.
pub fn keep_share(node: &Node, share: &KeptShare) -> Result<(), String> {
    let sealed = share.seal(node.party(), &node.identity, node.identity.card());
    let sealed = sealed.map_err(|e| e.to_string())?;
    node.store.keep_model(share.terms.id, &sealed).map_err(|e| e.to_string())?;
    tracing::info!(model = %share.terms.id, name = share.terms.name, "model is kept");
    Ok(())
}

/// Tells a member who may ask a model what it is.
pub(super) fn describe(node: &Node, client: &Name, id: ModelId) -> Result<Answer, Refusal> {
    let share = kept_model(node, id).map_err(|e| match e {
        KeptError::Unknown { .. } => Refusal::new(Reason::NotFound, e)
            .with_hint("`tercet train` and `tercet model import` print the ids of kept models"),
        KeptError::Store(e) => store_refusal(&e),
        KeptError::Altered { .. } => {
            tracing::error!(error = %e, "a kept model cannot be used");
            Refusal::new(Reason::Internal, e)
        }
    })?;
    if !share.terms.policy.allows_member(client) {
        let message = format!("{client} may not ask model {id}");
        return Err(Refusal::new(Reason::NotAllowed, message)
            .with_hint("the section [inference] of its job lists who may"));
    }
    Ok(Answer::Kept(to_json(&share.terms)))
}

/// Makes a kept model of weights that a member has submitted for a job.
pub(super) fn keep(
    node: &Node,
    client: &Name,
    weights: DataSetId,
    job: &str,
    schema: &str,
) -> Result<Answer, Refusal> {
    let unfit = |reason: &dyn Display| Refusal::new(Reason::BadShareFile, reason);
    let job = Job::from_toml(job, "the job").map_err(|e| unfit(&e))?;
    let schema = Schema::from_toml(schema).map_err(|e| unfit(&e))?;
    let Some(policy) = job.inference() else {
        return Err(unfit(&"the job has no section [inference]: nobody may ask the model"));
    };
    let submission = node.store.submission(weights).map_err(|e| store_refusal(&e))?;
    let digest = job.digest(&schema);
    let ours = submission.filter(|s| s.owner == *client && s.schema == weights_digest(digest));
    let submission = ours.ok_or_else(|| {
        let message = format!("{client} has submitted no weights {weights} for this job");
        Refusal::new(Reason::NotFound, message)
    })?;
    let failed = |e: &dyn Display| {
        tracing::error!(error = %e, "cannot keep a model");
        Refusal::new(Reason::Internal, e)
    };
    let file = stored_file(node, &submission).map_err(|fault| failed(&fault.message))?;
    let manifest = file.header().data_set.clone();
    let blueprint = model::blueprint(job.spec(), &schema, 1).map_err(|e| unfit(&e))?;
    let tensors: Vec<TensorTerms> = model::tensors(blueprint.layers())
        .into_iter()
        .map(|shape| TensorTerms::new(shape, manifest.scale))
        .collect();
    let numbers: u64 = tensors.iter().map(|tensor| tensor.rows * tensor.columns).sum();
    if [manifest.rows, manifest.feature_columns, manifest.label_columns] != [1, numbers, 0] {
        let found = manifest.rows * (manifest.feature_columns + manifest.label_columns);
        return Err(unfit(&format!("the network has {numbers} weights, but {found} were sent")));
    }
    let opened = file.open(&node.consortium, &node.identity, numbers as usize);
    let opened = opened.map_err(|e| failed(&e))?;
    let (first, second) = opened.into_components();
    let words = |words: &[u64]| Zeroizing::new(words.to_vec());
    let share = KeptShare {
        first: words(&first),
        second: words(&second),
        terms: KeptTerms {
            id: ModelId(weights.0),
            name: job.name().into(),
            job: digest,
            consortium: node.consortium.digest(),
            origin: Origin::Imported { owner: client.clone(), manifest: manifest.digest() },
            schema: schema.digest(),
            schema_file: schema.to_toml(),
            spec: job.spec().clone(),
            policy: policy.clone(),
            security: None,
            tensors,
        },
    };
    // A member that was cut off asks again; another model is not replaced.
    match kept_model(node, share.terms.id) {
        Ok(known) if known.terms == share.terms => {}
        Ok(_) => {
            let message = format!("another model is kept under the id {weights}");
            return Err(Refusal::new(Reason::Conflict, message));
        }
        Err(KeptError::Unknown { .. }) => keep_share(node, &share).map_err(|e| failed(&e))?,
        Err(e) => return Err(failed(&e)),
    }
    node.store.remove_submission(weights).map_err(|e| store_refusal(&e))?;
    Ok(Answer::Kept(to_json(&share.terms)))
}

fn to_json(terms: &KeptTerms) -> String {
    serde_json::to_string(terms).expect("plain fields")
}
