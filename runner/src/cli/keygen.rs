//! `tercet keygen`: make or renew an identity.

use crate::failure::Failure;
use crate::identity::{DEFAULT_VALIDITY_DAYS, Identity, IdentityFiles, Name, Role, Validity};
use crate::output::Output;
use serde_json::json;
use std::path::PathBuf;

/// Make the keys of a party or a member, or renew its certificate.
///
/// Writes NAME.key (secret, readable by its owner alone) and NAME.card.toml
/// (public: hand it to whoever assembles the consortium). Nothing is overwritten.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tercet keygen --name hospital-a --role member -o keys
  tercet keygen --renew keys/hospital-a.key --days 400")]
pub struct Args {
    /// Name of the party or member: lower-case letters, digits, `-` and `_`.
    #[arg(long, required_unless_present = "renew")]
    name: Option<Name>,
    /// What it takes part as.
    #[arg(long, required_unless_present = "renew")]
    role: Option<Role>,
    /// Directory for the two files.
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    output: PathBuf,
    /// Days until the TLS certificate expires.
    #[arg(long, default_value_t = DEFAULT_VALIDITY_DAYS, value_parser = clap::value_parser!(u16).range(1..))]
    days: u16,
    /// Give this identity a new TLS key and certificate; all other keys stay.
    #[arg(long, value_name = "NAME.key", conflicts_with_all = ["name", "role", "output"])]
    renew: Option<PathBuf>,
}

pub(super) fn run(args: Args, out: Output) -> Result<(), Failure> {
    let validity = Validity::days_from_now(args.days);
    let (identity, files) = match (args.renew, args.name, args.role) {
        (Some(key), ..) => {
            let mut identity = Identity::load(&key)?;
            identity.renew_certificate(validity)?;
            let files = identity.save_renewed(&key)?;
            (identity, files)
        }
        (None, Some(name), Some(role)) => {
            let identity = Identity::generate(name, role, validity)?;
            let files = identity.save_new(&args.output)?;
            (identity, files)
        }
        _ => return Err(Failure::new("--name and --role are needed, or --renew")),
    };
    report(&identity, &files, out);
    Ok(())
}

fn report(identity: &Identity, files: &IdentityFiles, out: Output) {
    let card = identity.card();
    let fingerprint = card.certificate().fingerprint();
    let until = card.certificate().validity().until;
    let value = json!({
        "name": card.name(),
        "role": card.role(),
        "key": files.key,
        "card": files.card,
        "fingerprint": fingerprint,
        "certificate_valid_until": until,
    });
    out.result(&value, || {
        format!(
            "Secret keys  {}\nPublic card  {}\nFingerprint  {fingerprint}\nValid until  {}",
            files.key.display(),
            files.card.display(),
            until.strftime("%Y-%m-%d"),
        )
    });
}
