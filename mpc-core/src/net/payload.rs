//! The bytes of a message, in buffers that are used again.

use crate::share::Words;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// Bytes that travel, or have. Large ones lie in the buffers that the thread keeps for
/// [`Words`], so rounds do not go to the system for memory.
#[derive(Default)]
pub struct Payload {
    words: Arc<Words>,
    len: usize,
}

impl Payload {
    /// `len` bytes that `write` overwrites, all of them: what it is given may hold anything.
    pub fn written(len: usize, write: impl FnOnce(&mut [u8])) -> Payload {
        let write = |words: &mut [u64]| write(&mut bytemuck::cast_slice_mut(words)[..len]);
        Payload { words: Arc::new(Words::overwritten(len.div_ceil(8), write)), len }
    }

    /// Whole words, low byte first, where they lie.
    pub fn of_words(words: impl Into<Arc<Words>>) -> Payload {
        let words = words.into();
        let len = words.len() * size_of::<u64>();
        match cfg!(target_endian = "big") {
            false => Payload { words, len },
            true => Payload { words: Arc::new(Words::map(&words, u64::swap_bytes)), len },
        }
    }

    /// Pieces one after the other.
    pub fn joined<'a>(pieces: impl Iterator<Item = &'a [u8]> + Clone) -> Payload {
        let len = pieces.clone().map(<[u8]>::len).sum();
        Payload::written(len, |mut rest| {
            for piece in pieces {
                rest.split_off_mut(..piece.len())
                    .expect("room for all pieces")
                    .copy_from_slice(piece);
            }
        })
    }

    /// The bytes as `len` words, low byte first, where they lie; nothing if they are not as many.
    pub fn into_words(self, len: usize) -> Option<Words> {
        (Some(self.len) == len.checked_mul(size_of::<u64>())).then(|| {
            let mut words = Arc::unwrap_or_clone(self.words);
            if cfg!(target_endian = "big") {
                words.iter_mut().for_each(|word| *word = word.swap_bytes());
            }
            words
        })
    }
}

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Payload {
        Payload::written(bytes.len(), |payload| payload.copy_from_slice(bytes))
    }
}

impl Deref for Payload {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }
}

impl DerefMut for Payload {
    fn deref_mut(&mut self) -> &mut [u8] {
        let words: &mut Words = Arc::make_mut(&mut self.words);
        &mut bytemuck::cast_slice_mut(words)[..self.len]
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_joined_whatever_the_buffer_held() {
        for len in [0usize, 1, 7, 8, 9, 100_001] {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            drop(Payload::written(len, |stale| stale.fill(0xff)));
            assert_eq!(Payload::from(&bytes[..])[..], bytes);
            let (left, right) = bytes.split_at(len / 3);
            assert_eq!(Payload::joined([left, &[], right].into_iter())[..], bytes);
        }
    }

    #[test]
    fn whole_words_stay_where_they_lie() {
        for words in [vec![], vec![1], vec![0x0807_0605_0403_0201; 100_001]] {
            let bytes: Vec<u8> = words.iter().flat_map(|word: &u64| word.to_le_bytes()).collect();
            let taken = Payload::from(&bytes[..]).into_words(words.len());
            assert!(taken.is_some_and(|taken| taken[..] == words[..]));
            let mut sent = Payload::of_words(Words::from(words.clone()));
            assert_eq!(sent[..], bytes);
            // Bytes that change are not those of others who hold the words.
            let words = Arc::new(Words::from(words));
            sent = Payload::of_words(words.clone());
            sent.fill(7);
            assert!(words.iter().all(|word| *word != 0x0707_0707_0707_0707));
            for len in [words.len() + 1, words.len().wrapping_sub(1), usize::MAX] {
                assert!(Payload::from(&bytes[..]).into_words(len).is_none());
            }
        }
        assert!(Payload::from(&[0; 7][..]).into_words(1).is_none());
        assert!(Payload::from(&[0; 9][..]).into_words(1).is_none());
    }
}
