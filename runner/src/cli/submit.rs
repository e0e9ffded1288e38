//! `tercet submit`: send share files to the parties and bring back receipts.

use super::participant::{ParticipantArgs, Participation, block_on};
use crate::control::{ControlError, upload};
use crate::digest::Digest;
use crate::failure::Failure;
use crate::files;
use crate::output::Output;
use crate::receipt::Receipt;
use crate::sharefile::{DataSetId, SHARE_FILE_EXTENSION, ShareFile};
use indicatif::{MultiProgress, ProgressBar};
use mpc_core::party::PartyId;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

const BAR: &str = "{msg:<10} [{bar:30}] {bytes}/{total_bytes}, {eta} to go";

/// Send share files to the parties and bring back a signed receipt from each.
///
/// Each file goes to the party that it is encrypted to. The receipt is written
/// beside the file. Submitting again is harmless: what was interrupted goes on,
/// and what is stored already brings the same receipt.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tercet submit shares --consortium trial/consortium.toml \\
      --identity trial/members/hospital-a/hospital-a.key
  tercet submit ward.party0.tercet ward.party1.tercet ward.party2.tercet --identity hospital-a.key")]
pub struct Args {
    /// Share files, or directories with share files.
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    participant: ParticipantArgs,
}

/// A share file that is to be sent.
struct Parcel {
    path: PathBuf,
    party: PartyId,
    data_set: DataSetId,
    name: String,
    length: u64,
    digest: Digest,
}

/// A share file that was stored.
#[derive(Serialize)]
struct Delivered {
    party: PartyId,
    data_set: DataSetId,
    file: PathBuf,
    receipt: PathBuf,
    rows: u64,
    sha256: Digest,
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    let participation = args.participant.load()?;
    let parcels = examine(&find(&args.paths)?, &participation)?;
    note_missing(&parcels, out);
    let bars = MultiProgress::new();
    let sent = block_on(async {
        let mut lanes: [Vec<&Parcel>; 3] = Default::default();
        for parcel in &parcels {
            lanes[parcel.party.index()].push(parcel);
        }
        let [a, b, c] = lanes.map(|lane| send_all(lane, &participation, &bars, out));
        let (a, b, c) = tokio::join!(a, b, c);
        Ok([a, b, c].into_iter().flatten().collect::<Vec<_>>())
    })?;
    let (delivered, failures): (Vec<_>, Vec<_>) = sent.into_iter().partition(Result::is_ok);
    let delivered: Vec<Delivered> = delivered.into_iter().filter_map(Result::ok).collect();
    let failures: Vec<Failure> = failures.into_iter().filter_map(Result::err).collect();
    if failures.is_empty() {
        out.result(&serde_json::json!({ "delivered": delivered }), || describe(&delivered));
        return Ok(());
    }
    out.event(&serde_json::json!({ "event": "partial", "delivered": delivered }));
    out.note(describe(&delivered));
    Err(summary(&failures, delivered.len()))
}

/// The share files among files and directories, in a fixed order.
fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let unreadable = |e| Failure::new(format!("cannot read {}: {e}", path.display()));
        for entry in fs::read_dir(path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?.path();
            if entry.extension().is_some_and(|end| end == SHARE_FILE_EXTENSION) {
                found.push(entry);
            }
        }
    }
    found.sort();
    found.dedup();
    if found.is_empty() {
        return Err(Failure::new("there is no share file to submit")
            .with_hint("make share files with: tercet share DATA.csv --schema schema.toml"));
    }
    Ok(found)
}

/// Reads and verifies the share files before any is sent.
fn examine(paths: &[PathBuf], participation: &Participation) -> Result<Vec<Parcel>, Failure> {
    let me = participation.identity.name();
    let mut parcels = Vec::new();
    for path in paths {
        let named = |failure: Failure| Failure {
            message: format!("{}: {}", path.display(), failure.message),
            ..failure
        };
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (length, file) = opened.map_err(|e| named(Failure::new(e)))?;
        let share = ShareFile::read(BufReader::new(file)).map_err(|e| named(e.into()))?;
        share.verify(&participation.consortium).map_err(|e| named(e.into()))?;
        let header = share.header();
        if header.data_set.owner != *me {
            let message = format!("it is of {}, not of {me}", header.data_set.owner);
            return Err(named(Failure::new(message).with_hint("its owner has to submit it")));
        }
        parcels.push(Parcel {
            path: path.clone(),
            party: header.party,
            data_set: header.data_set.id,
            name: header.data_set.name.to_string(),
            length,
            digest: share.digest(),
        });
    }
    Ok(parcels)
}

/// Tells which parties would be left without their part of a data set.
fn note_missing(parcels: &[Parcel], out: Output) {
    let mut sets: BTreeMap<DataSetId, (&str, [bool; 3])> = BTreeMap::new();
    for parcel in parcels {
        let (_, has) = sets.entry(parcel.data_set).or_insert((&parcel.name, [false; 3]));
        has[parcel.party.index()] = true;
    }
    for (name, has) in sets.values() {
        for party in PartyId::ALL.into_iter().filter(|party| !has[party.index()]) {
            out.note(format!(
                "note: the share file of data set {name} for {party} is not among these files; \
                 the data set can be used once all three parties have theirs"
            ));
        }
    }
}

async fn send_all(
    lane: Vec<&Parcel>,
    participation: &Participation,
    bars: &MultiProgress,
    out: Output,
) -> Vec<Result<Delivered, Failure>> {
    let mut results = Vec::with_capacity(lane.len());
    for parcel in lane {
        let bar = bars.add(out.bar(parcel.length, BAR));
        bar.set_message(parcel.party.to_string());
        let sent = send(parcel, participation, &bar).await.map_err(|failure| {
            let message =
                format!("{} for {}: {}", parcel.path.display(), parcel.party, failure.message);
            Failure { message, ..failure }
        });
        bar.finish_and_clear();
        results.push(sent);
    }
    results
}

async fn send(
    parcel: &Parcel,
    participation: &Participation,
    bar: &ProgressBar,
) -> Result<Delivered, Failure> {
    let client = participation.dialer().control(parcel.party).await?;
    let file = tokio::fs::File::open(&parcel.path).await.map_err(Failure::new)?;
    let progress = |sent| bar.set_position(sent);
    let answer = upload(client, file, parcel.length, parcel.digest, progress).await?;
    let receipt = verified(&answer, parcel, participation)?;
    let path = receipt_path(&parcel.path);
    files::write_atomic(&path, &answer)?;
    Ok(Delivered {
        party: parcel.party,
        data_set: parcel.data_set,
        file: parcel.path.clone(),
        receipt: path,
        rows: receipt.rows,
        sha256: parcel.digest,
    })
}

/// A receipt that does not verify is as bad as none.
fn verified(
    answer: &[u8],
    parcel: &Parcel,
    participation: &Participation,
) -> Result<Receipt, Failure> {
    let receipt = Receipt::from_json(answer)
        .map_err(|e| Failure::new(format!("the answer is not a receipt: {e}")))?;
    receipt.verify(&participation.consortium)?;
    receipt.require_file(parcel.digest)?;
    if receipt.party != parcel.party || receipt.data_set != parcel.data_set {
        return Err(Failure::new(ControlError::Malformed("the receipt is for something else")));
    }
    Ok(receipt)
}

/// `ward.party0.tercet` gets the receipt `ward.party0.receipt.json`.
fn receipt_path(share_file: &Path) -> PathBuf {
    share_file.with_extension("receipt.json")
}

fn describe(delivered: &[Delivered]) -> String {
    let lines = delivered.iter().map(|item| {
        format!(
            "{} stored {} rows of data set {}; receipt {}",
            item.party,
            item.rows,
            item.data_set,
            item.receipt.display()
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn summary(failures: &[Failure], delivered: usize) -> Failure {
    let messages: Vec<&str> = failures.iter().map(|failure| failure.message.as_str()).collect();
    let total = failures.len() + delivered;
    let message = format!(
        "{} of {total} share files were not stored: {}",
        failures.len(),
        messages.join("; ")
    );
    let hint = failures.iter().find_map(|failure| failure.hint.clone());
    let again = "submitting again sends only what is missing";
    Failure::new(message).with_hint(match hint {
        Some(hint) => format!("{hint}; {again}"),
        None => again.into(),
    })
}
