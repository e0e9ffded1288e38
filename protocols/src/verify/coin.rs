//! Public coins that no party can predict or bias.
//!
//! The seed is the XOR of three components, each known in advance to the two holders of
//! a pairwise key and to nobody else: so every component is committed to before the
//! computation starts, and a party lacks one of them until it is sent.
//!
//! The order of messages is part of the security. All products travel from `P_{i+1}` to
//! `P_i`, and the component that `P_{i+1}` lacks travels from `P_i` to `P_{i+1}`, one
//! round later: **a party learns a coin only from the one that has received everything
//! it has to say.** Whoever withholds a message, to choose it when the coin is known,
//! does not get to know the coin.
//!
//! A party that passes on a wrong component makes the honest parties work with different
//! coins. That reveals nothing, as all that is sent in between is masked; the transcripts
//! are compared before anything is opened.

use super::algebra::Algebra;
use mpc_core::ctx::{Ctx, Message};
use mpc_core::ring::prg::Prg;
use mpc_core::security::Security;
use mpc_core::share::Words;
use sha2::{Digest, Sha256};

/// Words of a seed.
const SEED_WORDS: usize = 2;

/// The coins of one verification.
pub struct Coins<S: Security> {
    ctx: Ctx<S>,
    transcript: Sha256,
}

impl<S: Security> Coins<S> {
    /// Coins tossed in steps below that of `ctx`.
    pub fn new(ctx: Ctx<S>) -> Coins<S> {
        Coins { ctx, transcript: Sha256::new_with_prefix(b"tercet coins v1") }
    }

    /// Expands the next coin: one round, 16 bytes a party.
    pub async fn toss(&mut self) -> Challenges {
        let ctx = self.ctx.step("coin");
        let mut draw = ctx.draw();
        let (mut first, mut second) = ([0; SEED_WORDS], [0; SEED_WORDS]);
        draw.with_prev.fill_words(&mut first);
        draw.with_next.fill_words(&mut second);
        let bytes = |words: [u64; SEED_WORDS]| words.map(u64::to_le_bytes).concat();
        let (first, second) = (bytes(first), bytes(second));
        let message =
            Message { to_next: first[..].into(), expect_prev: first.len(), ..Message::default() };
        let third = ctx.exchange(message).await.from_prev;
        let seed: [u8; 8 * SEED_WORDS] = std::array::from_fn(|i| first[i] ^ second[i] ^ third[i]);
        self.transcript.update(seed);
        Challenges(Prg::new(&seed))
    }

    /// A digest of all coins, equal at all parties unless one lied.
    pub fn transcript(self) -> [u8; 32] {
        self.transcript.finalize().into()
    }
}

/// Challenges expanded from a coin.
pub struct Challenges(Prg);

impl Challenges {
    /// The next `count` challenges.
    pub fn next<A: Algebra>(&mut self, count: usize) -> Words {
        Words::overwritten(count, |challenges| {
            self.0.fill_words(challenges);
            challenges.iter_mut().for_each(|challenge| *challenge &= A::CHALLENGE_MASK);
        })
    }

    /// The next challenge that is not zero, and so a unit.
    pub fn next_unit<A: Algebra>(&mut self) -> u64 {
        loop {
            let challenge = self.next::<A>(1)[0];
            if challenge != 0 {
                return challenge;
            }
        }
    }
}
