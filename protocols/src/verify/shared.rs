//! Replicated sharings of vectors over an extension.

use mpc_core::prss::Draw;
use mpc_core::share::Words;

/// The two components that this party holds of a vector of extension elements.
#[derive(Clone)]
pub struct Shared {
    /// `x_i`.
    pub first: Words,
    /// `x_{i+1}`.
    pub second: Words,
}

impl Shared {
    /// Copies two components.
    pub fn of(first: &[u64], second: &[u64]) -> Shared {
        Shared { first: first.into(), second: second.into() }
    }

    /// A vector of `words` zero words.
    pub fn zeroed(words: usize) -> Shared {
        Shared { first: Words::zeroed(words), second: Words::zeroed(words) }
    }

    /// A vector of `words` random words that no party knows.
    pub fn random(draw: &mut Draw, words: usize) -> Shared {
        let mut random = Shared::zeroed(words);
        draw.with_prev.fill_words(&mut random.first);
        draw.with_next.fill_words(&mut random.second);
        random
    }

    /// Does the same to both components.
    pub fn update(&mut self, f: impl Fn(&mut Words)) {
        f(&mut self.first);
        f(&mut self.second);
    }

    /// Combines both components with those of another vector.
    pub fn combine(&mut self, other: &Shared, f: impl Fn(&mut [u64], &[u64])) {
        f(&mut self.first, &other.first);
        f(&mut self.second, &other.second);
    }

    /// The vectors one after the other.
    pub fn concat(parts: &[Shared]) -> Shared {
        let join = |component: fn(&Shared) -> &Words| -> Words {
            parts.iter().map(|part| &component(part)[..]).collect::<Vec<_>>().concat().into()
        };
        Shared { first: join(|part| &part.first), second: join(|part| &part.second) }
    }

    /// The first `words` words, and the rest.
    pub fn split_at(&self, words: usize) -> (Shared, Shared) {
        let (first, second) = (self.first.split_at(words), self.second.split_at(words));
        (Shared::of(first.0, second.0), Shared::of(first.1, second.1))
    }
}
