//! Names of protocol steps: for people as a path, for machines as a hash.

use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

/// The place of a protocol step in the computation, for instance
/// `train/epoch-0/batch-3/layer-1/relu`.
///
/// The hash covers all names from the root and the position of each among its
/// siblings, so two steps never share a hash, also when they share a name.
pub struct StepPath {
    parent: Option<Rc<StepPath>>,
    name: Rc<str>,
    hash: [u8; 32],
    children: Cell<u64>,
}

impl StepPath {
    /// The root of all steps of a session.
    pub fn root() -> Rc<StepPath> {
        let hash = Sha256::digest(b"tercet step root v1").into();
        Rc::new(StepPath { parent: None, name: "".into(), hash, children: Cell::new(0) })
    }

    /// The next child step.
    pub fn child(self: &Rc<Self>, name: &str) -> Rc<StepPath> {
        let position = self.children.replace(self.children.get() + 1);
        let hash = Sha256::new()
            .chain_update(self.hash)
            .chain_update(position.to_le_bytes())
            .chain_update(name)
            .finalize()
            .into();
        let parent = Some(self.clone());
        Rc::new(StepPath { parent, name: name.into(), hash, children: Cell::new(0) })
    }

    /// Binds randomness and messages to this step.
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// The first eight bytes of the hash, which travel in frame headers.
    pub fn tag(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.hash;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Display for StepPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.parent {
            Some(parent) if parent.parent.is_some() => write!(f, "{parent}/{}", self.name),
            Some(_) => f.write_str(&self.name),
            None => f.write_str("start"),
        }
    }
}
