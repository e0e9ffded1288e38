//! Options that all commands of a participant have: who it is, and in which consortium.

use crate::consortium::Consortium;
use crate::control::Dialer;
use crate::failure::Failure;
use crate::identity::Identity;
use crate::inference::Asked;
use jiff::Timestamp;
use std::path::PathBuf;
use std::time::Duration;

/// Who asks, and of whom.
#[derive(clap::Args)]
pub struct ParticipantArgs {
    /// The consortium file.
    #[arg(long, value_name = "FILE", env = "TERCET_CONSORTIUM", default_value = "consortium.toml")]
    consortium: PathBuf,
    /// Your secret key file.
    #[arg(long, value_name = "NAME.key", env = "TERCET_IDENTITY")]
    identity: PathBuf,
    /// Seconds to wait for a party that does not answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

/// A participant with its consortium, loaded.
pub struct Participation {
    /// The consortium.
    pub consortium: Consortium,
    /// The participant.
    pub identity: Identity,
    /// How long to wait for a party that does not answer.
    pub patience: Duration,
}

impl ParticipantArgs {
    /// The options of a command that does not need a participant in every case.
    pub fn new(consortium: PathBuf, identity: PathBuf, timeout: u64) -> Self {
        ParticipantArgs { consortium, identity, timeout }
    }

    /// Loads both files and checks that the identity belongs to the consortium.
    pub fn load(&self) -> Result<Participation, Failure> {
        let consortium = Consortium::load(&self.consortium)?;
        let identity = Identity::load(&self.identity)?;
        let name = identity.name();
        match consortium.by_name(name) {
            None => Err(Failure::new(format!(
                "{name} does not take part in consortium \"{}\"",
                consortium.name()
            ))
            .with_hint("use the key file of a participant, or the consortium that lists it")),
            Some(listed) if !listed.card().same_identity(identity.card()) => {
                Err(Failure::new(format!("consortium.toml lists other keys of {name}"))
                    .with_hint("use the key file that belongs to the card in consortium.toml"))
            }
            Some(_) => {
                require_valid(&identity)?;
                let patience = Duration::from_secs(self.timeout);
                Ok(Participation { consortium, identity, patience })
            }
        }
    }
}

/// Parties refuse a certificate outside its dates, so it need not be tried.
fn require_valid(identity: &Identity) -> Result<(), Failure> {
    let validity = identity.card().certificate().validity();
    if validity.contains(Timestamp::now()) {
        return Ok(());
    }
    let (from, until) = (validity.from, validity.until);
    Err(Failure::new(format!(
        "the certificate of {} is valid from {from} to {until}, which is not now",
        identity.name()
    ))
    .with_hint(
        "if the clock is right, run `tercet keygen --renew NAME.key` and hand the new card to \
         everyone",
    ))
}

impl Participation {
    /// Asks kept models as this participant.
    pub fn asked(&self) -> Asked<'_> {
        let Participation { consortium, identity, patience } = self;
        Asked { consortium, identity, patience: *patience }
    }

    /// Dials the parties as this participant.
    pub fn dialer(&self) -> Dialer<'_> {
        Dialer::new(&self.consortium, &self.identity, self.patience)
    }
}

/// Runs asynchronous work of a command to its end.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(format!("cannot start the runtime: {e}")))?
        .block_on(work)
}
