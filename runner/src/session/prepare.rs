//! From a request to what this party offers to compute.

use super::agreement::{Agreement, DataSetDigest, Purpose};
use super::host::{JobRequest, SessionRequest, Task};
use super::query::{self, PreparedQuery};
use super::rehearse;
use crate::CODE_VERSION;
use crate::control::SessionFault;
use crate::digest::Digest;
use crate::failure::Failure;
use crate::identity::Name;
use crate::inference::KeptShare;
use crate::job::{Job, Multiplication, Security};
use crate::model::{self, TensorTerms};
use crate::node::{ApprovalPolicy, KeptError, Node, StockGuard, kept_model};
use crate::schema::Schema;
use crate::store::{NewSession, StoredSubmission};
use crate::triples::{self, Stock, StockOffer};
use mpc_core::net::SessionId;
use nn::blueprint::Blueprint;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// A job that this party can run with what it holds.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) job: Job,
    pub(super) schema: Schema,
    /// The submissions in the order in which their rows are used.
    pub(super) submissions: Vec<StoredSubmission>,
    pub(super) blueprint: Blueprint,
    pub(super) agreement: Agreement,
    /// The kept model that the training starts from.
    pub(super) start: Option<KeptShare>,
    /// The stocks of triples that the job draws from.
    pub(super) stocks: Vec<Stock>,
    /// Keeps other sessions from these.
    _reserved: Option<StockGuard>,
}

/// What this party is about to compute with the others.
#[derive(Debug)]
pub(super) enum Plan {
    /// A job: a training, or the triples for one.
    Job(Box<Prepared>),
    /// Answers of a model that is kept.
    Query(Box<PreparedQuery>),
}

impl Plan {
    /// What the parties have to have in common.
    pub(super) fn agreement(&self) -> &Agreement {
        match self {
            Plan::Job(job) => &job.agreement,
            Plan::Query(query) => &query.agreement,
        }
    }

    /// The same, to be completed with what the others have.
    pub(super) fn agreement_mut(&mut self) -> &mut Agreement {
        match self {
            Plan::Job(job) => &mut job.agreement,
            Plan::Query(query) => &mut query.agreement,
        }
    }

    /// Against what the computation is protected.
    pub(super) fn security(&self) -> Security {
        match self {
            Plan::Job(job) => job.job.security(),
            Plan::Query(query) => query.query.security,
        }
    }

    /// What is noted down of the session.
    pub(super) fn new_session(&self, request: &SessionRequest) -> NewSession {
        let (name, receiver) = match self {
            Plan::Job(job) => (job.job.name(), job.job.receiver()),
            Plan::Query(query) => (query.model.terms.name.as_str(), &request.client),
        };
        NewSession {
            session: request.session,
            job: self.agreement().job,
            job_name: name.to_owned(),
            client: request.client.clone(),
            receiver: receiver.clone(),
        }
    }
}

/// Finds what the request needs.
///
/// # Errors
/// A fault of kind `BadJob` when what is asked for is not valid or not here, of kind
/// `Internal` when the store fails.
pub(super) fn prepare(node: &Arc<Node>, request: &SessionRequest) -> Result<Plan, SessionFault> {
    let SessionRequest { session, client, task } = request;
    match task {
        Task::Job(asked) => {
            prepare_job(node, *session, client, asked).map(|job| Plan::Job(job.into()))
        }
        Task::Query(asked) => {
            query::prepare(node, *session, client, asked).map(|query| Plan::Query(query.into()))
        }
    }
}

/// Reads and validates the job and finds its data.
fn prepare_job(
    node: &Arc<Node>,
    session: SessionId,
    client: &Name,
    request: &JobRequest,
) -> Result<Prepared, SessionFault> {
    let job = Job::from_toml(&request.job, "the job").map_err(Failure::from)?;
    let schema = Schema::from_toml(&request.schema).map_err(Failure::from)?;
    if node.consortium.member(job.receiver()).is_none() {
        let message = format!("its receiver {} is no member of the consortium", job.receiver());
        return Err(SessionFault::bad_job(message));
    }
    // Triples can be made before there are data.
    let submissions = match request.rows {
        Some(_) => Vec::new(),
        None => select(node, &job, &schema).map_err(|fault| match request.purpose {
            Purpose::Train | Purpose::Infer => fault,
            Purpose::Preprocess => with_rows(fault, "triples can be made before"),
            Purpose::Rehearse => with_rows(fault, "a forecast can be made before"),
        })?,
    };
    if request.purpose == Purpose::Train {
        require_approvals(node, client, &job.digest(&schema), &submissions)?;
    }
    let rows = request.rows.unwrap_or(submissions.iter().map(|submission| submission.rows).sum());
    let blueprint = usize::try_from(rows).map_err(SessionFault::bad_job).and_then(|rows| {
        model::blueprint(job.spec(), &schema, rows).map_err(SessionFault::bad_job)
    })?;
    let blueprint = match (job.validation_sets().is_empty(), request.rows) {
        (true, _) => blueprint,
        (false, None) => blueprint
            .keeping_back(rows_to_judge_by(&job, &submissions))
            .map_err(SessionFault::bad_job)?,
        (false, Some(_)) => {
            return Err(SessionFault::bad_job(
                "with validation.sets it is known only when the data are here how many rows are \
                 trained on: leave --rows out",
            ));
        }
    };
    if request.purpose == Purpose::Rehearse {
        rehearse::check(&job, &blueprint)?;
    }
    // Nothing else touches the model: a rehearsal starts from made-up weights.
    let start = match request.purpose {
        Purpose::Train => start_of(node, client, &job, &schema, &blueprint)?,
        Purpose::Preprocess | Purpose::Rehearse | Purpose::Infer => None,
    };
    let (stocks, offers, reserved) = stocks(node, request.purpose, &job, &blueprint)?;
    let data = submissions.iter().map(|submission| DataSetDigest {
        id: submission.id,
        owner: submission.owner.clone(),
        manifest: submission.manifest,
    });
    let agreement = Agreement {
        session,
        code: CODE_VERSION.into(),
        consortium: node.consortium.digest(),
        job: job.digest(&schema),
        schema: schema.digest(),
        client: client.clone(),
        purpose: request.purpose,
        rows,
        data: data.collect(),
        stocks: offers,
        start: start.as_ref().map(|start| start.terms.digest()),
    };
    Ok(Prepared {
        job,
        schema,
        submissions,
        blueprint,
        agreement,
        start,
        stocks,
        _reserved: reserved,
    })
}

/// The fault of a job whose data are not here, of which something can be done without them.
fn with_rows(fault: SessionFault, what: &str) -> SessionFault {
    SessionFault { message: format!("{}; with --rows, {what}", fault.message), ..fault }
}

/// Whoever owns data that are about to be used must have approved the job, or be the one who
/// starts it.
fn require_approvals(
    node: &Node,
    client: &Name,
    job: &Digest,
    submissions: &[StoredSubmission],
) -> Result<(), SessionFault> {
    if node.config.approvals == ApprovalPolicy::None {
        return Ok(());
    }
    let owners: BTreeSet<&Name> = submissions.iter().map(|submission| &submission.owner).collect();
    let mut missing = Vec::new();
    for owner in owners.into_iter().filter(|owner| *owner != client) {
        if !node.store.is_approved(owner, job).map_err(SessionFault::internal)? {
            missing.push(owner.as_str());
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let (verb, who) = if missing.len() == 1 { ("has", "its") } else { ("have", "their") };
    Err(SessionFault::bad_job(format!(
        "{} {verb} not approved job {} for {who} data: `tercet approve` with the same job file and \
         schema does that",
        missing.join(" and "),
        job.short()
    )))
}

/// The kept model that the job starts from, if its own job allows that, and it has the tensors of
/// the network, for the same features.
fn start_of(
    node: &Node,
    client: &Name,
    job: &Job,
    schema: &Schema,
    blueprint: &Blueprint,
) -> Result<Option<KeptShare>, SessionFault> {
    let Some(id) = job.start() else { return Ok(None) };
    let model = kept_model(node, id).map_err(|e| match e {
        KeptError::Unknown { .. } => SessionFault::bad_job(e),
        e => SessionFault::internal(e),
    })?;
    let terms = &model.terms;
    let unfit = |reason: String| {
        Err(SessionFault::bad_job(format!("the training cannot start from model {id}: {reason}")))
    };
    if !terms.policy.allows_training(client, job.receiver()) {
        return unfit(format!(
            "the section [inference] of its job does not say fine_tune = true, or does not list \
             {client} and {}",
            job.receiver()
        ));
    }
    if let Some(security) = terms.security
        && !job.security().is_as_strong_as(security)
    {
        // What its job did not want a cheating party to see must not be opened unverified.
        return unfit(format!(
            "it was trained with security = \"{}\", and this job says \"{}\"",
            security.name(),
            job.security().name()
        ));
    }
    if terms.schema != schema.digest() {
        return unfit("it was made for another schema".into());
    }
    let name = |tensor: &TensorTerms| (tensor.name.clone(), tensor.rows, tensor.columns);
    let needed = model::tensors(blueprint.layers()).into_iter().map(|t| TensorTerms::new(t, 0));
    let (needed, found): (Vec<_>, Vec<_>) =
        (needed.map(|t| name(&t)).collect(), terms.tensors.iter().map(name).collect());
    if let Some((name, rows, columns)) = needed.iter().find(|tensor| !found.contains(tensor)) {
        return unfit(format!("it has no {name} of {rows} x {columns}, which the network needs"));
    }
    match needed.len() == found.len() {
        true => Ok(Some(model)),
        false => unfit("it has more tensors than the network".into()),
    }
}

/// The stocks that a session draws from or fills, what is here of them, and that no other
/// session does the same.
type Reserved = (Vec<Stock>, Vec<StockOffer>, Option<StockGuard>);

fn stocks(
    node: &Arc<Node>,
    purpose: Purpose,
    job: &Job,
    blueprint: &Blueprint,
) -> Result<Reserved, SessionFault> {
    match (job.multiplication(), purpose) {
        // It makes triples of its own, which nothing else uses.
        (_, Purpose::Rehearse) => return Ok((Vec::new(), Vec::new(), None)),
        (Multiplication::Beaver, _) => {}
        (Multiplication::Replicated, Purpose::Train | Purpose::Infer) => {
            return Ok((Vec::new(), Vec::new(), None));
        }
        (Multiplication::Replicated, Purpose::Preprocess) => {
            let message = "the job needs no triples: it does not say multiplication = \"beaver\"";
            return Err(SessionFault::bad_job(message));
        }
    }
    let stocks = triples::stocks(job, blueprint, node.consortium.digest());
    let stocks = stocks.map_err(SessionFault::bad_job)?;
    let reserved = node.reserve_stocks(stocks.iter().map(|stock| stock.id)).ok_or_else(|| {
        SessionFault::bad_job("another session uses the same triples; try again when it is over")
    })?;
    let offers = stocks.iter().map(|stock| node.store.stock(&stock.id)).collect::<Result<_, _>>();
    Ok((stocks, offers.map_err(SessionFault::internal)?, Some(reserved)))
}

/// The rows of the data sets that the model is judged by, of all rows one below the other.
fn rows_to_judge_by(job: &Job, submissions: &[StoredSubmission]) -> Vec<Range<usize>> {
    let judged_by = job.validation_sets();
    let mut start = 0;
    let mut ranges = Vec::new();
    for submission in submissions {
        // All rows were added up to a number of this machine.
        let end = start + submission.rows as usize;
        if judged_by.contains(&submission.id) {
            ranges.push(start..end);
        }
        start = end;
    }
    ranges
}

/// The submissions that the job asks for, in an order that is the same at all parties.
fn select(node: &Node, job: &Job, schema: &Schema) -> Result<Vec<StoredSubmission>, SessionFault> {
    let stored = node.store.submissions(&schema.digest()).map_err(SessionFault::internal)?;
    let party = node.party();
    let missing = |what: String| {
        SessionFault::bad_job(format!("{what} for schema {} at {party}", schema.digest().short()))
    };
    let selection = job.data();
    let judged_by = job.validation_sets();
    for id in &judged_by {
        if !stored.iter().any(|submission| submission.id == *id) {
            return Err(missing(format!("there is no data set {id} to judge by")));
        }
    }
    for owner in &selection.from {
        if !stored.iter().any(|submission| submission.owner == *owner) {
            return Err(missing(format!("{owner} has submitted nothing")));
        }
    }
    for id in &selection.sets {
        if !stored.iter().any(|submission| submission.id == *id) {
            return Err(missing(format!("there is no data set {id}")));
        }
    }
    let chosen: Vec<StoredSubmission> = stored
        .into_iter()
        .filter(|s| {
            let of_owner = selection.from.is_empty() || selection.from.contains(&s.owner);
            let listed = selection.sets.is_empty() || selection.sets.contains(&s.id);
            of_owner && listed || judged_by.contains(&s.id)
        })
        .collect();
    if chosen.is_empty() {
        return Err(missing("nothing has been submitted".into()));
    }
    Ok(chosen)
}
