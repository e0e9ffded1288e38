//! Buffers of secret words.

use super::pool::{self, Buffer};
use crate::ring::{elementwise, vectorized};
use std::fmt;
use std::ops::{Deref, DerefMut};

/// A buffer of secret words: wiped when dropped, never printed.
///
/// Buffers of some size are kept for later ones of the same thread, so that a computation
/// which repeats itself does not go to the system for memory; during a session they are
/// wiped later, see [`Reuse`](super::Reuse).
#[derive(Default)]
pub struct Words {
    buffer: Buffer,
    len: usize,
}

impl Words {
    /// `len` words, all zero.
    pub fn zeroed(len: usize) -> Words {
        Words { buffer: pool::take(len, true), len }
    }

    /// `len` words that `write` overwrites, all of them: what it is given may hold anything.
    pub fn overwritten(len: usize, write: impl FnOnce(&mut [u64])) -> Words {
        let mut words = Words::unset(len);
        write(&mut words);
        words
    }

    /// [`Words::overwritten`] by what may fail.
    ///
    /// # Errors
    /// That of `write`.
    pub fn written<E>(
        len: usize,
        write: impl FnOnce(&mut [u64]) -> Result<(), E>,
    ) -> Result<Words, E> {
        let mut words = Words::unset(len);
        write(&mut words)?;
        Ok(words)
    }

    /// `f` of each word.
    pub fn map(words: &[u64], f: impl Fn(u64) -> u64) -> Words {
        Words::overwritten(words.len(), |mapped| elementwise::map(mapped, words, f))
    }

    /// `f` of each word of `x` and the same one of `y`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn zip(x: &[u64], y: &[u64], f: impl Fn(u64, u64) -> u64) -> Words {
        Words::overwritten(x.len(), |zipped| elementwise::zip(zipped, x, y, f))
    }

    /// `f` of each word of `x`, the same one of `y` and the same one of `z`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn zip3([x, y, z]: [&[u64]; 3], f: impl Fn(u64, u64, u64) -> u64) -> Words {
        assert!(x.len() == y.len() && x.len() == z.len(), "as many words");
        Words::overwritten(x.len(), |zipped| {
            let words = zipped.iter_mut().zip(x).zip(y).zip(z);
            vectorized(
                #[inline(always)]
                || words.for_each(|(((to, x), y), z)| *to = f(*x, *y, *z)),
            );
        })
    }

    /// `len` words of any content, also that of words before: for whoever sees to it that each is
    /// overwritten before it counts.
    pub fn unset(len: usize) -> Words {
        Words { buffer: pool::take(len, false), len }
    }
}

impl Clone for Words {
    fn clone(&self) -> Words {
        Words::from(&self[..])
    }
}

impl From<&[u64]> for Words {
    fn from(words: &[u64]) -> Words {
        let mut copy = Words::unset(words.len());
        copy.copy_from_slice(words);
        copy
    }
}

impl From<Vec<u64>> for Words {
    fn from(words: Vec<u64>) -> Words {
        let len = words.len();
        Words { buffer: Buffer::of(words), len }
    }
}

impl FromIterator<u64> for Words {
    fn from_iter<I: IntoIterator<Item = u64>>(words: I) -> Words {
        let mut from = words.into_iter();
        let mut words = Words::unset(from.size_hint().0);
        let mut written = 0;
        for (word, from) in words.iter_mut().zip(from.by_ref()) {
            *word = from;
            written += 1;
        }
        // An iterator may give less than it said.
        words.len = written;
        // More than were announced come one by one; what is outgrown is wiped.
        for word in from {
            if words.len == words.buffer.words.len() {
                let mut larger = Words::zeroed((2 * words.len).max(16));
                larger[..words.len].copy_from_slice(&words);
                larger.len = words.len;
                words = larger;
            }
            words.buffer.words[words.len] = word;
            words.len += 1;
            words.buffer.written = words.buffer.written.max(words.len);
        }
        words
    }
}

impl<'a> FromIterator<&'a [u64]> for Words {
    /// The slices one after the other.
    fn from_iter<I: IntoIterator<Item = &'a [u64]>>(slices: I) -> Words {
        let slices: Vec<&[u64]> = slices.into_iter().collect();
        let mut words = Words::unset(slices.iter().map(|slice| slice.len()).sum());
        let mut rest = &mut words[..];
        for slice in slices {
            let (to, beyond) = rest.split_at_mut(slice.len());
            to.copy_from_slice(slice);
            rest = beyond;
        }
        words
    }
}

impl Deref for Words {
    type Target = [u64];
    #[inline]
    fn deref(&self) -> &[u64] {
        &self.buffer.words[..self.len]
    }
}

impl DerefMut for Words {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u64] {
        &mut self.buffer.words[..self.len]
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        pool::keep(std::mem::take(&mut self.buffer));
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Words({} secret)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long enough to be kept.
    const LEN: usize = 10_000;

    #[test]
    fn a_buffer_that_was_used_before_is_zero() {
        let mut used = Words::zeroed(LEN);
        used.fill(u64::MAX);
        let place = used.as_ptr();
        drop(used);
        for len in [LEN, LEN - 1] {
            let words = Words::zeroed(len);
            assert_eq!(words.as_ptr(), place, "it is the same buffer");
            assert_eq!(words.len(), len);
            assert!(words.buffer.words.iter().all(|&word| word == 0));
        }
    }

    #[test]
    fn words_are_collected_whatever_their_number_was_said_to_be() {
        for count in [0, 1, 15, 16, 17, 1000, LEN] {
            let known: Words = (0..count as u64).collect();
            let unknown: Words = (0..count as u64).filter(|_| true).collect();
            let expected: Vec<u64> = (0..count as u64).collect();
            assert_eq!((&known[..], &unknown[..]), (&expected[..], &expected[..]));
        }
        let short: Words = (0..LEN as u64).filter(|word| word % 2 == 0).collect();
        assert_eq!(short.len(), LEN / 2);
        assert!(short.buffer.words[short.len..].iter().all(|&word| word == 0));
    }

    #[test]
    fn words_are_mapped_zipped_and_joined() {
        let (x, y): (Words, Words) = ((0..LEN as u64).collect(), (5..5 + LEN as u64).collect());
        assert!(Words::map(&x, |x| x + 5).iter().eq(y.iter()));
        assert!(Words::zip(&y, &x, |y, x| y - x).iter().all(|word| *word == 5));
        let joined: Words = [&x[..], &[], &y[..]].into_iter().collect();
        assert_eq!((&joined[..LEN], &joined[LEN..]), (&x[..], &y[..]));
    }

    #[test]
    fn a_clone_has_a_buffer_of_its_own() {
        let words: Words = (0..LEN as u64).collect();
        let mut clone = words.clone();
        clone[0] = 7;
        assert_eq!((words[0], clone[0]), (0, 7));
        assert_eq!(words[1..], clone[1..]);
    }
}
