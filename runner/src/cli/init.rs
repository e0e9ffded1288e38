//! `tercet init`: make a consortium directory.

use crate::consortium::{Consortium, Member, Party};
use crate::failure::Failure;
use crate::files;
use crate::identity::{Card, DEFAULT_VALIDITY_DAYS, Identity, IdentityFiles, Name, Role, Validity};
use crate::node::{ApprovalPolicy, Limits, LogFormat, NodeConfig};
use crate::output::Output;
use mpc_core::party::PartyId;
use serde_json::json;
use std::fmt::Display;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Make a consortium: three compute parties and the members who use them.
///
/// Without --cards, everything is made for one machine: keys, configurations
/// and data directories of three parties and of the members, ready to run.
/// With --cards, a real consortium is assembled from the public cards that the
/// participants made with `tercet keygen` on their own machines.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tercet init trial --members hospital-a,hospital-b,analyst
  tercet init study --cards cards/*.card.toml --addresses a.org:9140,b.org:9140,c.org:9140")]
pub struct Args {
    /// Directory to make.
    dir: PathBuf,
    /// Name of the consortium; the directory's name if left out.
    #[arg(long)]
    name: Option<String>,
    /// Make a ready-to-run example on this machine (the default without --cards).
    #[arg(long, conflicts_with = "cards")]
    local: bool,
    /// Members of the local example.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "hospital-a,hospital-b,hospital-c",
        conflicts_with = "cards"
    )]
    members: Vec<Name>,
    /// First of three consecutive ports of the local example; 0 takes free ones.
    #[arg(long, default_value_t = 9140, conflicts_with = "cards")]
    base_port: u16,
    /// Public cards of the three parties, in the order of their numbers, and of the members.
    #[arg(long, value_name = "CARD", num_args = 1.., requires = "addresses")]
    cards: Vec<PathBuf>,
    /// Where the three parties listen, as host:port, in the same order.
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', requires = "cards")]
    addresses: Vec<String>,
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    let file = args.dir.join("consortium.toml");
    if file.exists() {
        return Err(files::FileError::Exists(file).into());
    }
    let title = match &args.name {
        Some(name) => name.clone(),
        None => directory_name(&args.dir),
    };
    if args.cards.is_empty() { local(args, title, out) } else { assemble(args, title, out) }
}

fn directory_name(dir: &Path) -> String {
    let name = std::path::absolute(dir)
        .ok()
        .and_then(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()));
    name.unwrap_or_else(|| "consortium".into())
}

/// Makes all participants of a consortium on this machine.
fn local(args: Args, title: String, out: Output) -> Result<(), Failure> {
    let ports = ports(args.base_port)?;
    let validity = Validity::days_from_now(DEFAULT_VALIDITY_DAYS);
    let generate = |name: Name, role| Identity::generate(name, role, validity);
    let parties = PartyId::ALL
        .into_iter()
        .map(|id| {
            let name = format!("party{}", id.index()).parse().map_err(Failure::new)?;
            Ok((id, generate(name, Role::Party)?))
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let members = args
        .members
        .into_iter()
        .map(|name| Ok(generate(name, Role::Member)?))
        .collect::<Result<Vec<_>, Failure>>()?;

    let address = |id: PartyId| format!("127.0.0.1:{}", ports[id.index()]);
    let consortium = Consortium::new(
        title,
        parties
            .iter()
            .map(|(id, identity)| Party { address: address(*id), card: identity.card().clone() })
            .collect(),
        members.iter().map(|identity| Member { card: identity.card().clone() }).collect(),
    )?;

    for (id, identity) in &parties {
        write_party(&args.dir, *id, identity, address(*id))?;
    }
    let mut member_keys = Vec::new();
    for identity in &members {
        let dir = args.dir.join("members").join(identity.name().as_str());
        files::create_private_dir(&dir)?;
        member_keys.push(identity.save_new(&dir)?.key);
    }
    let path = write_consortium(&args.dir, &consortium)?;

    let dir = args.dir.display().to_string();
    let first_member = members.first().map(|identity| identity.name().to_string());
    let steps = next_steps(&dir, first_member.as_deref());
    files::write_new_public(&args.dir.join("README"), steps.as_bytes())?;
    let configs: Vec<PathBuf> =
        parties.iter().map(|(id, _)| party_dir(&args.dir, *id).join("party.toml")).collect();
    let value = json!({
        "consortium": path,
        "digest": consortium.digest(),
        "parties": configs,
        "addresses": consortium.parties().map(|(_, p)| p.address.as_str()).collect::<Vec<_>>(),
        "members": member_keys,
    });
    out.result(&value, || format!("Made {}\n\n{steps}", path.display()));
    Ok(())
}

/// Ports that systems do not hand out to connections by themselves: one that is free stays so until
/// the node takes it.
const QUIET_PORTS: Range<u16> = 10_000..32_000;
const QUIET: u32 = (QUIET_PORTS.end - QUIET_PORTS.start) as u32;
/// How many ports are tried.
const ATTEMPTS: usize = 1000;

/// Three consecutive ports, or three free ones.
fn ports(base: u16) -> Result<[u16; 3], Failure> {
    if base != 0 {
        return match (base.checked_add(1), base.checked_add(2)) {
            (Some(second), Some(third)) => Ok([base, second, third]),
            _ => Err(Failure::new("--base-port leaves no room for three ports")),
        };
    }
    // All three are held at once so that they differ, and released for the nodes to take.
    let mut held = Vec::with_capacity(3);
    for _ in 0..ATTEMPTS {
        let port = QUIET_PORTS.start + (getrandom::u32().map_err(no_port)? % QUIET) as u16;
        held.extend(TcpListener::bind(("127.0.0.1", port)).ok().map(|listener| (port, listener)));
        if let [(first, _), (second, _), (third, _)] = held[..] {
            return Ok([first, second, third]);
        }
    }
    Err(no_port(format!("{ATTEMPTS} from {QUIET_PORTS:?} are taken")))
}

fn no_port(reason: impl Display) -> Failure {
    Failure::new(format!("cannot find a free port: {reason}"))
}

fn party_dir(dir: &Path, id: PartyId) -> PathBuf {
    dir.join(format!("party{}", id.index()))
}

fn write_party(
    dir: &Path,
    id: PartyId,
    identity: &Identity,
    listen: String,
) -> Result<(), Failure> {
    let dir = party_dir(dir, id);
    files::create_private_dir(&dir)?;
    files::create_private_dir(&dir.join("data"))?;
    identity.save_new(&dir)?;
    let config = NodeConfig {
        party: id,
        identity: IdentityFiles::in_dir(Path::new(""), identity.name()).key,
        consortium: "../consortium.toml".into(),
        listen,
        data_dir: "data".into(),
        log: LogFormat::default(),
        approvals: ApprovalPolicy::default(),
        threads: NonZeroUsize::MIN,
        limits: Limits::default(),
    };
    files::write_new_public(&dir.join("party.toml"), config.to_toml().as_bytes())?;
    Ok(())
}

fn write_consortium(dir: &Path, consortium: &Consortium) -> Result<PathBuf, Failure> {
    files::create_dir(dir)?;
    let path = dir.join("consortium.toml");
    let text = format!(
        "# The same file at every participant. Digest of who takes part: {}\n{}",
        consortium.digest(),
        consortium.to_toml()
    );
    files::write_new_public(&path, text.as_bytes())?;
    Ok(path)
}

fn next_steps(dir: &str, member: Option<&str>) -> String {
    let member = member.unwrap_or("NAME");
    format!(
        "\
Start the three nodes, each in its own terminal:
  tercet party --config {dir}/party0/party.toml
  tercet party --config {dir}/party1/party.toml
  tercet party --config {dir}/party2/party.toml

Share a table and submit it:
  tercet schema data.csv --label LABEL -o schema.toml
  tercet share data.csv --schema schema.toml --consortium {dir}/consortium.toml \\
      --identity {dir}/members/{member}/{member}.key -o shares
  tercet submit shares --consortium {dir}/consortium.toml \\
      --identity {dir}/members/{member}/{member}.key

Members whose data a job uses approve it, but for the one who starts it:
  tercet approve job.toml --consortium {dir}/consortium.toml \\
      --identity {dir}/members/OTHER/OTHER.key

Train and fetch the model:
  tercet train job.toml --consortium {dir}/consortium.toml \\
      --identity {dir}/members/{member}/{member}.key
  tercet model fetch --job job.toml --consortium {dir}/consortium.toml \\
      --identity {dir}/members/{member}/{member}.key -o model
"
    )
}

/// Assembles a consortium from cards that were made elsewhere.
fn assemble(args: Args, title: String, out: Output) -> Result<(), Failure> {
    let cards = args.cards.iter().map(|path| Card::load(path)).collect::<Result<Vec<_>, _>>()?;
    let (parties, members): (Vec<Card>, Vec<Card>) =
        cards.into_iter().partition(|card| card.role() == Role::Party);
    if parties.len() != 3 || args.addresses.len() != 3 {
        return Err(Failure::new(format!(
            "three parties and three addresses are needed, but there are {} cards of parties \
             and {} addresses",
            parties.len(),
            args.addresses.len()
        ))
        .with_hint("make a party's card with: tercet keygen --name NAME --role party"));
    }
    let parties = parties
        .into_iter()
        .zip(args.addresses)
        .map(|(card, address)| Party { address, card })
        .collect();
    let members = members.into_iter().map(|card| Member { card }).collect();
    let consortium = Consortium::new(title, parties, members)?;
    let path = write_consortium(&args.dir, &consortium)?;
    let listed: Vec<_> = consortium
        .participants()
        .map(|participant| {
            let card = participant.card();
            json!({
                "name": card.name(),
                "role": card.role(),
                "fingerprint": card.certificate().fingerprint(),
            })
        })
        .collect();
    let value = json!({
        "consortium": path,
        "digest": consortium.digest(),
        "participants": listed,
    });
    out.result(&value, || {
        let mut text = format!("Made {}\nDigest {}\n\n", path.display(), consortium.digest());
        for participant in consortium.participants() {
            let card = participant.card();
            let fingerprint = card.certificate().fingerprint();
            text.push_str(&format!("{:<7} {:<20} {fingerprint}\n", card.role(), card.name()));
        }
        text.push_str(
            "\nCompare the fingerprints with their owners, then hand the file to every \
             participant.\n",
        );
        text
    });
    Ok(())
}
