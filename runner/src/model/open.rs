//! Opening a model: all checks first, then one addition.

use super::share::{Described, ModelShareError, TensorShare, Terms};
use crate::consortium::Consortium;
use crate::failure::Explain;
use crate::identity::{Identity, Name};
use ed25519_dalek::Signature;
use mpc_core::fixed;
use mpc_core::party::PartyId;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// Why a model was not opened. Nothing was added up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A party's share cannot be used.
    #[error("the share of {party} is refused: {source}")]
    Share {
        /// The party.
        party: PartyId,
        /// What is wrong with it.
        source: ModelShareError,
    },
    /// A share belongs to another job, session or data.
    #[error("the share of {party} is refused: its {what} is not that of the others")]
    Terms {
        /// The party that differs from the two others.
        party: PartyId,
        /// What differs first.
        what: &'static str,
    },
    /// All three shares describe different models.
    #[error("all three shares differ: their {0} differs")]
    AllDiffer(&'static str),
    /// The shares are of another job than the one asked for.
    #[error("the shares are of another {0} than the one asked for")]
    NotAskedFor(&'static str),
    /// Two parties hold different copies of what must be the same.
    #[error("{first} and {second} hold different copies of one component: one of them altered it")]
    Copies {
        /// One holder of the component.
        first: PartyId,
        /// The other holder.
        second: PartyId,
    },
}

impl Explain for OpenError {
    fn hint(&self) -> Option<String> {
        match self {
            OpenError::Share { source, .. } => source.hint(),
            _ => Some("nothing was opened; run it again, and ask the parties' operators".into()),
        }
    }
}

/// What a share's terms must agree in.
pub trait Comparable: Described {
    /// The first item in which two descriptions differ.
    fn difference(&self, other: &Self) -> Option<&'static str>;
}

/// A model in the clear, with who stands for it.
pub type OpenedModel = Opened<Terms>;

/// Tensors in the clear, with who stands for them.
pub struct Opened<T> {
    /// What they are.
    pub terms: T,
    /// The values of each tensor of the terms, row by row.
    pub tensors: Vec<Vec<f64>>,
    /// The parties and their signatures.
    pub contributions: [Contribution; 3],
}

/// One party's signature under its share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contribution {
    /// Name of the party.
    pub name: Name,
    /// Its signature over its sealed share.
    pub signature: Signature,
}

/// Verifies three sealed shares, in the order of the parties, and opens what they share.
///
/// Checks signatures, encryption and HMACs, that all three describe the same
/// tensors, that these are what `asked` accepts (it names what is wrong), and that
/// both copies of each component are equal. Only then are components added.
///
/// # Errors
/// The first check that fails, naming the party as far as the check proves it.
pub fn open_shares<T: Comparable>(
    sealed: [&[u8]; 3],
    consortium: &Consortium,
    receiver: &Identity,
    asked: impl Fn(&T) -> Option<&'static str>,
) -> Result<Opened<T>, OpenError> {
    let open = |party: PartyId| {
        let card = &consortium.party(party).card;
        let (share, signature) = TensorShare::open(sealed[party.index()], party, card, receiver)
            .map_err(|source| OpenError::Share { party, source })?;
        Ok((share, Contribution { name: card.name().clone(), signature }))
    };
    let [(a, by_a), (b, by_b), (c, by_c)] =
        [open(PartyId::P0)?, open(PartyId::P1)?, open(PartyId::P2)?];
    let (shares, contributions) = ([a, b, c], [by_a, by_b, by_c]);
    same_terms(&shares)?;
    if let Some(what) = asked(&shares[0].terms) {
        return Err(OpenError::NotAskedFor(what));
    }
    same_copies(&shares)?;
    let tensors = add_up(&shares);
    let [TensorShare { terms, .. }, ..] = shares;
    Ok(Opened { terms, tensors, contributions })
}

/// All shares must describe one model; if one differs, it is named.
fn same_terms<T: Comparable>(shares: &[TensorShare<T>; 3]) -> Result<(), OpenError> {
    let [a, b, c] = shares.each_ref().map(|share| &share.terms);
    match (a.difference(b), b.difference(c), a.difference(c)) {
        (None, None, _) => Ok(()),
        (None, Some(what), _) => Err(OpenError::Terms { party: PartyId::P2, what }),
        (Some(what), None, _) => Err(OpenError::Terms { party: PartyId::P0, what }),
        (Some(what), Some(_), None) => Err(OpenError::Terms { party: PartyId::P1, what }),
        (Some(what), Some(_), Some(_)) => Err(OpenError::AllDiffer(what)),
    }
}

impl Comparable for Terms {
    fn difference(&self, other: &Self) -> Option<&'static str> {
        let (a, b) = (self, other);
        first_difference(&[
            ("job", a.job == b.job && a.job_name == b.job_name),
            ("session", a.session == b.session),
            ("consortium", a.consortium == b.consortium),
            ("schema", a.schema == b.schema && a.schema_file == b.schema_file),
            ("code version", a.code == b.code),
            ("list of data sets", a.data == b.data && a.rows == b.rows),
            ("agreement", a.agreement == b.agreement),
            ("receiver", a.receiver == b.receiver),
            ("network", a.spec == b.spec && a.tensors == b.tensors && a.start == b.start),
            ("figures", a.figures == b.figures),
            ("transcript", a.transcript == b.transcript),
            ("security", a.security == b.security),
        ])
    }
}

/// The first of some items that is not the same.
pub(crate) fn first_difference(items: &[(&'static str, bool)]) -> Option<&'static str> {
    items.iter().find(|(_, same)| !same).map(|(what, _)| *what)
}

/// Component `x_{i+1}` is the second of `P_i` and the first of its next party.
fn same_copies<T>(shares: &[TensorShare<T>; 3]) -> Result<(), OpenError> {
    for party in PartyId::ALL {
        let (mine, next) = (&shares[party.index()], &shares[party.next().index()]);
        let equal: bool = mine.second.as_slice().ct_eq(next.first.as_slice()).into();
        if !equal {
            return Err(OpenError::Copies { first: party, second: party.next() });
        }
    }
    Ok(())
}

fn add_up<T: Described>(shares: &[TensorShare<T>; 3]) -> Vec<Vec<f64>> {
    let [x0, x1, x2] = shares.each_ref().map(|share| share.first.iter());
    let mut words: Vec<u64> =
        x0.zip(x1).zip(x2).map(|((x0, x1), x2)| x0.wrapping_add(*x1).wrapping_add(*x2)).collect();
    let mut rest = words.as_slice();
    let mut tensors = Vec::with_capacity(shares[0].terms.tensors().len());
    for tensor in shares[0].terms.tensors() {
        // The sizes were added up and compared with the payload when the shares were read.
        let (values, others) = rest.split_at((tensor.rows * tensor.columns) as usize);
        tensors.push(values.iter().map(|&word| fixed::decode(word, tensor.scale)).collect());
        rest = others;
    }
    words.zeroize();
    tensors
}

#[cfg(test)]
pub(super) mod tests;
