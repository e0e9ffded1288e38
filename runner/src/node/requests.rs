//! The requests of the control plane.

use super::{Node, approve, kept, submit};
use crate::CODE_VERSION;
use crate::consortium::Participant;
use crate::control::{
    Answer, CHUNK_BYTES, CONTROL_VERSION, ControlError, DataReply, Framed, Hello, NodeStatus,
    Reason, Refusal, Request, Welcome,
};
use crate::digest::Digest;
use crate::identity::Name;
use crate::session::{self, JobRequest, Purpose, SessionRequest, Task};
use crate::store::StoreError;
use jiff::Timestamp;
use mpc_core::net::SessionId;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// The connection of a client.
pub(super) type Connection = Framed<TlsStream<TcpStream>>;

/// Greets a client and serves its one request.
pub(super) async fn serve(
    node: &Arc<Node>,
    mut connection: Connection,
    client: Participant<'_>,
) -> Result<(), ControlError> {
    let request = tokio::select! {
        request = greet(node, &mut connection) => request?,
        () = node.stopping.wait() => return Ok(()),
    };
    let Some(request) = request else { return Ok(()) };
    let name = client.card().name().clone();
    let starts = matches!(
        request,
        Request::Train { .. }
            | Request::Preprocess { .. }
            | Request::Rehearse { .. }
            | Request::Infer { .. }
    );
    if starts && matches!(client, Participant::Party(..)) {
        let refusal = Refusal::new(Reason::NotAllowed, "only members start sessions");
        return refuse(&mut connection, &request, refusal).await;
    }
    let request = match request {
        Request::Train { session, job, schema } => {
            let asked = JobRequest { job, schema, purpose: Purpose::Train, rows: None };
            let task = Task::Job(asked);
            let request = SessionRequest { session, client: name, task };
            return session::host(Arc::clone(node), connection, request).await;
        }
        Request::Preprocess { session, job, schema, rows } => {
            let asked = JobRequest { job, schema, purpose: Purpose::Preprocess, rows };
            let task = Task::Job(asked);
            let request = SessionRequest { session, client: name, task };
            return session::host(Arc::clone(node), connection, request).await;
        }
        Request::Rehearse { session, job, schema, rows } => {
            let asked = JobRequest { job, schema, purpose: Purpose::Rehearse, rows };
            let task = Task::Job(asked);
            let request = SessionRequest { session, client: name, task };
            return session::host(Arc::clone(node), connection, request).await;
        }
        Request::Infer { session, query } => {
            let request = SessionRequest { session, client: name, task: Task::Query(query) };
            return session::host(Arc::clone(node), connection, request).await;
        }
        request => request,
    };
    tokio::select! {
        served = answer(node, connection, client, name, request) => served,
        () = node.stopping.wait() => Ok(()),
    }
}

/// Exchanges greetings and reads the request; `None` when client and node do not match.
async fn greet(node: &Node, connection: &mut Connection) -> Result<Option<Request>, ControlError> {
    let hello: Hello = connection.receive_message().await?;
    let consortium = node.consortium.digest();
    connection
        .send(&Welcome {
            protocol: CONTROL_VERSION,
            code: CODE_VERSION.into(),
            consortium,
            party: node.party(),
        })
        .await?;
    if hello.protocol != CONTROL_VERSION {
        // The client has seen the same numbers and tells its user.
        return Ok(None);
    }
    let request = connection.receive_message().await?;
    if hello.consortium != consortium && request != Request::Status {
        let refusal = Refusal::new(
            Reason::Consortium,
            format!(
                "the consortium of the client ({}) is not that of {} ({})",
                hello.consortium.short(),
                node.party(),
                consortium.short()
            ),
        );
        refuse(connection, &request, refusal).await?;
        return Ok(None);
    }
    Ok(Some(request))
}

/// Refuses a request in the kind of message that its sender waits for.
async fn refuse(
    connection: &mut Connection,
    request: &Request,
    refusal: Refusal,
) -> Result<(), ControlError> {
    use crate::control::{SessionEvent, Upload};
    match request {
        Request::Submit { .. } => connection.send(&Upload::Refused(refusal)).await,
        Request::Train { .. }
        | Request::Preprocess { .. }
        | Request::Rehearse { .. }
        | Request::Infer { .. } => connection.send(&SessionEvent::Refused(refusal)).await,
        Request::FetchModel(_) => connection.send(&DataReply::Refused(refusal)).await,
        Request::Status
        | Request::Approve(_)
        | Request::HowEnded(_)
        | Request::Sessions { .. }
        | Request::DescribeModel(_)
        | Request::KeepModel { .. } => connection.send(&Answer::Refused(refusal)).await,
    }
}

async fn answer(
    node: &Arc<Node>,
    mut connection: Connection,
    client: Participant<'_>,
    name: Name,
    request: Request,
) -> Result<(), ControlError> {
    match request {
        Request::Submit { length, digest } => {
            submit::take(node, &mut connection, client, length, digest).await?;
        }
        Request::FetchModel(session) => {
            send_model(node, &mut connection, &name, session).await?;
        }
        Request::Status => {
            let answer = blocking(node, status).await.map(Answer::Status);
            connection.send(&answer.unwrap_or_else(Answer::Refused)).await?;
        }
        Request::Approve(statement) => {
            let answer = blocking(node, move |node| approve::keep(node, &name, &statement)).await;
            connection.send(&answer.unwrap_or_else(Answer::Refused)).await?;
        }
        Request::Sessions { job } => {
            let answer = blocking(node, move |node| sessions(node, &job)).await;
            connection.send(&answer.unwrap_or_else(Answer::Refused)).await?;
        }
        Request::HowEnded(session) => {
            let answer = match client {
                Participant::Party(..) => {
                    blocking(node, move |node| how_ended(node, session)).await
                }
                Participant::Member(_) => Err(Refusal::new(
                    Reason::NotAllowed,
                    "only parties may ask how a session ended",
                )),
            };
            connection.send(&answer.unwrap_or_else(Answer::Refused)).await?;
        }
        Request::DescribeModel(model) => {
            let answer = blocking(node, move |node| kept::describe(node, &name, model)).await;
            connection.send(&answer.unwrap_or_else(Answer::Refused)).await?;
        }
        Request::KeepModel { weights, job, schema } => {
            let answer =
                blocking(node, move |node| kept::keep(node, &name, weights, &job, &schema)).await;
            connection.send(&answer.unwrap_or_else(Answer::Refused)).await?;
        }
        Request::Train { .. }
        | Request::Preprocess { .. }
        | Request::Rehearse { .. }
        | Request::Infer { .. } => {
            return Err(ControlError::Malformed("a session is hosted elsewhere"));
        }
    }
    connection.close().await;
    Ok(())
}

/// Runs work that waits for the disk off the asynchronous threads.
pub(super) async fn blocking<T: Send + 'static>(
    node: &Arc<Node>,
    work: impl FnOnce(&Node) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let node = Arc::clone(node);
    tokio::task::spawn_blocking(move || work(&node)).await.unwrap_or_else(|e| {
        tracing::error!(error = %e, "a request failed inside the node");
        Err(Refusal::new(Reason::Internal, "the node failed; see its log"))
    })
}

/// What a client is told when the store fails; the details go to the log.
pub(crate) fn store_refusal(error: &StoreError) -> Refusal {
    if error.is_full() {
        tracing::error!(%error, "the disk is full");
        return Refusal::new(Reason::DiskFull, "the node has no room left to store this")
            .with_hint("ask its operator to make room, then submit again");
    }
    tracing::error!(%error, "the store failed");
    Refusal::new(Reason::Internal, "the node could not use its store; see its log")
}

fn status(node: &Node) -> Result<NodeStatus, Refusal> {
    Ok(NodeStatus {
        name: node.identity.name().clone(),
        now: Timestamp::now(),
        started: node.started,
        certificate_until: node.identity.card().certificate().validity().until,
        submissions: node.store.count_submissions().map_err(|e| store_refusal(&e))?,
        running: node.running_sessions() as u64,
        free_bytes: node.store.free_bytes(),
        pid: std::process::id(),
    })
}

fn sessions(node: &Node, job: &Digest) -> Result<Answer, Refusal> {
    node.store.finished_sessions(job).map(Answer::Sessions).map_err(|e| store_refusal(&e))
}

fn how_ended(node: &Node, session: SessionId) -> Result<Answer, Refusal> {
    if let Some(end) = node.provisional_end(session) {
        return Ok(Answer::Ended(Some(end)));
    }
    let row = node.store.session(session).map_err(|e| store_refusal(&e))?;
    Ok(Answer::Ended(row.and_then(|row| row.end)))
}

/// Sends a model share to the receiver of the job, and to nobody else.
async fn send_model(
    node: &Arc<Node>,
    connection: &mut Connection,
    client: &Name,
    session: SessionId,
) -> Result<(), ControlError> {
    let client = client.clone();
    let share = blocking(node, move |node| {
        let row = node.store.session(session).map_err(|e| store_refusal(&e))?;
        let unknown = || Refusal::new(Reason::NotFound, format!("there is no session {session}"));
        let row = row.ok_or_else(unknown)?;
        if row.receiver != client {
            return Err(Refusal::new(
                Reason::NotAllowed,
                format!(
                    "the result of session {session} is for {}, not for {client}",
                    row.receiver
                ),
            ));
        }
        if !matches!(row.end, Some(crate::control::SessionEnd::Finished(_))) {
            return Err(Refusal::new(
                Reason::NotFound,
                format!("session {session} has no result: it did not finish"),
            ));
        }
        if !row.has_share {
            let message = format!("session {session} released no model");
            return Err(Refusal::new(Reason::NotFound, message)
                .with_hint("if the parties keep it, ask it: tercet predict --private --help"));
        }
        node.store.model_share(session).map_err(|e| store_refusal(&e))
    });
    match share.await {
        Ok(share) => {
            connection.send(&DataReply::Length(share.len() as u64)).await?;
            for chunk in share.chunks(CHUNK_BYTES) {
                connection.send_chunk(chunk).await?;
            }
            Ok(())
        }
        Err(refusal) => connection.send(&DataReply::Refused(refusal)).await,
    }
}
