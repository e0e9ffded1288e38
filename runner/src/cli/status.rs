//! `tercet status`: how the three nodes are, as seen from here.

use super::participant::{ParticipantArgs, Participation, block_on};
use crate::CODE_VERSION;
use crate::consortium::Participant;
use crate::control::{Answer, ControlError, NodeStatus, Request, Welcome};
use crate::failure::{Explain, Failure};
use crate::output::Output;
use jiff::{SignedDuration, Timestamp};
use mpc_core::party::PartyId;
use serde::Serialize;

/// Clocks may differ by so much before it is remarked.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(60);
/// Certificates that expire sooner are remarked.
const EXPIRY_NOTICE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Free space below which a node is remarked.
const LOW_SPACE_BYTES: u64 = 1 << 30;

/// Check the three nodes: reachability, certificates, versions, clocks, space.
///
/// Fails when a node cannot be used from here, and says what to do about it.
#[derive(clap::Args)]
#[command(
    visible_alias = "doctor",
    after_help = "\
Example:
  tercet status --consortium trial/consortium.toml \\
      --identity trial/members/hospital-a/hospital-a.key"
)]
pub struct Args {
    #[command(flatten)]
    participant: ParticipantArgs,
}

/// What was found out about one node.
#[derive(Serialize)]
struct Finding {
    party: PartyId,
    name: String,
    address: String,
    status: Option<NodeStatus>,
    /// What keeps this participant from using the node.
    problems: Vec<String>,
    /// What will become a problem.
    remarks: Vec<String>,
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    let participation = args.participant.load()?;
    let findings = block_on(async {
        let (a, b, c) = tokio::join!(
            examine(&participation, PartyId::P0),
            examine(&participation, PartyId::P1),
            examine(&participation, PartyId::P2)
        );
        Ok([a, b, c])
    })?;
    let own = own_remarks(&participation);
    let bad = findings.iter().filter(|finding| !finding.problems.is_empty()).count();
    out.result(&serde_json::json!({ "nodes": findings, "remarks": own }), || {
        let nodes = findings.iter().map(describe);
        nodes.chain(own.iter().map(|remark| format!("! {remark}"))).collect::<Vec<_>>().join("\n")
    });
    match bad {
        0 => Ok(()),
        bad => Err(Failure::new(format!("{bad} of 3 nodes cannot be used from here"))),
    }
}

async fn examine(participation: &Participation, party: PartyId) -> Finding {
    let listed = participation.consortium.party(party);
    let mut finding = Finding {
        party,
        name: listed.card.name().to_string(),
        address: listed.address.clone(),
        status: None,
        problems: Vec::new(),
        remarks: Vec::new(),
    };
    match ask(participation, party).await {
        Ok((welcome, status)) => judge(&mut finding, participation, &welcome, status),
        Err(e) => {
            let hint = e.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
            finding.problems.push(format!("{e}{hint}"));
        }
    }
    finding
}

async fn ask(
    participation: &Participation,
    party: PartyId,
) -> Result<(Welcome, NodeStatus), ControlError> {
    let client = participation.dialer().control(party).await?;
    let welcome = client.welcome().clone();
    match client.ask(&Request::Status).await? {
        Answer::Status(status) => Ok((welcome, status)),
        _ => Err(ControlError::Malformed("another answer than was asked for")),
    }
}

fn judge(
    finding: &mut Finding,
    participation: &Participation,
    welcome: &Welcome,
    status: NodeStatus,
) {
    let digest = participation.consortium.digest();
    if welcome.consortium != digest {
        finding.problems.push(format!(
            "it holds another consortium.toml: digest {} instead of {}",
            welcome.consortium.short(),
            digest.short()
        ));
    }
    if welcome.code != CODE_VERSION {
        finding.remarks.push(format!(
            "it runs version {}, this is {CODE_VERSION}",
            welcome.code.escape_debug()
        ));
    }
    let now = Timestamp::now();
    let skew = status.now.duration_since(now);
    if skew.abs() > CLOCK_TOLERANCE {
        finding.remarks.push(format!("its clock differs by {} s from here", skew.as_secs()));
    }
    finding.remarks.extend(expiry("its certificate", status.certificate_until, now));
    if status.free_bytes < LOW_SPACE_BYTES {
        finding.remarks.push(format!("it has {} MB of disk left", status.free_bytes / 1_000_000));
    }
    finding.status = Some(status);
}

fn expiry(what: &str, until: Timestamp, now: Timestamp) -> Option<String> {
    let left = until.duration_since(now);
    let when = match left.as_hours() / 24 {
        _ if left.is_negative() => "has expired".to_owned(),
        days => format!("expires in {days} days"),
    };
    (left < EXPIRY_NOTICE)
        .then(|| format!("{what} {when}; renew it with: tercet keygen --renew NAME.key"))
}

/// What this participant should know of its own identity.
fn own_remarks(participation: &Participation) -> Vec<String> {
    let identity = &participation.identity;
    let mine = identity.card().certificate();
    let listed = participation.consortium.by_name(identity.name());
    let mut remarks: Vec<String> =
        expiry("your certificate", mine.validity().until, Timestamp::now()).into_iter().collect();
    if listed.as_ref().map(Participant::card).map(|card| card.certificate()) != Some(mine) {
        remarks.push(
            "consortium.toml lists another certificate of yours than your key file has; \
             hand your new card to everyone"
                .into(),
        );
    }
    remarks
}

fn describe(finding: &Finding) -> String {
    let mut text = format!("{} {} at {}: ", finding.party, finding.name, finding.address);
    match &finding.status {
        Some(status) => text.push_str(&format!(
            "{} submissions, {} sessions running, {:.1} GB free, certificate until {}",
            status.submissions,
            status.running,
            status.free_bytes as f64 / 1e9,
            status.certificate_until.strftime("%Y-%m-%d")
        )),
        None => text.push_str("no answer"),
    }
    for problem in &finding.problems {
        text.push_str(&format!("\n  x {problem}"));
    }
    for remark in &finding.remarks {
        text.push_str(&format!("\n  ! {remark}"));
    }
    text
}
