//! Values of arguments: sizes, networks, modes.

use crate::job::Security;
use clap::ValueEnum;
use std::str::FromStr;

/// Most elements of one measurement.
const MAX_N: usize = 1 << 26;
/// Most measurements of a sweep.
const MAX_SIZES: usize = 64;

/// Against what is protected.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Modes {
    /// A curious party
    SemiHonest,
    /// A cheating party
    Malicious,
    /// One after the other
    Both,
}

impl Modes {
    pub(super) fn list(self) -> &'static [Security] {
        match self {
            Modes::SemiHonest => &[Security::SemiHonest],
            Modes::Malicious => &[Security::Malicious],
            Modes::Both => &[Security::SemiHonest, Security::Malicious],
        }
    }
}

/// Sizes to be measured one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sizes(pub(super) Vec<usize>);

impl FromStr for Sizes {
    type Err = String;

    /// Numbers with commas between them, or the powers of ten between two numbers.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut sizes = Vec::new();
        for part in text.split(',') {
            match part.split_once("..") {
                None => sizes.push(positive(part)?),
                Some((first, last)) => {
                    let (first, last) = (positive(first)?, positive(last)?);
                    let tenfold = |size: &usize| size.checked_mul(10).filter(|&size| size <= last);
                    if first > last {
                        return Err(format!("`{part}` ends before it begins"));
                    }
                    sizes.extend(std::iter::successors(Some(first), tenfold));
                }
            }
        }
        if sizes.len() > MAX_SIZES {
            return Err(format!("{} sizes are too many: at most {MAX_SIZES}", sizes.len()));
        }
        Ok(Sizes(sizes))
    }
}

/// Bits of the words that numbers are shared in.
pub(super) const RING_BITS: u32 = 64;

/// Reads the width of a ring, of which there is one.
pub(super) fn ring(text: &str) -> Result<u32, String> {
    match text.trim().parse() {
        Ok(RING_BITS) => Ok(RING_BITS),
        Ok(bits) => Err(format!(
            "there is no ring of {bits} bits: numbers are shared as words of {RING_BITS}, since a \
             truncation that never wraps and sums of products take more room than {bits} bits \
             leave; comparisons and messages count only the bits that a number can have"
        )),
        Err(_) => Err(format!("`{text}` is not a number of bits: there is {RING_BITS}")),
    }
}

/// A number of elements, also written as `1e6`.
pub(super) fn positive(text: &str) -> Result<usize, String> {
    let text = text.trim();
    let whole = |x: f64| x.fract() == 0.0 && (1.0..=MAX_N as f64).contains(&x);
    let scientific = || text.parse().ok().filter(|&x| whole(x)).map(|x: f64| x as usize);
    match text.parse().ok().or_else(scientific) {
        Some(n) if (1..=MAX_N).contains(&n) => Ok(n),
        _ => Err(format!("`{text}` is not a number from 1 to {MAX_N}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_ring() {
        assert_eq!(ring("64"), Ok(64));
        for (text, part) in
            [("52", "no ring of 52 bits"), ("128", "no ring"), ("x", "not a number")]
        {
            assert!(ring(text).unwrap_err().contains(part), "{text}");
        }
    }

    #[test]
    fn sizes_are_lists_and_sweeps() {
        assert_eq!("1e3..1e6".parse(), Ok(Sizes(vec![1000, 10_000, 100_000, 1_000_000])));
        assert_eq!("5, 20..300,7".parse(), Ok(Sizes(vec![5, 20, 200, 7])));
        for (text, part) in [
            ("", "not a number"),
            ("0", "not a number"),
            ("1.5", "not a number"),
            ("1e9", "not a number"),
            ("-1e3", "not a number"),
            ("NaN", "not a number"),
            ("10..1", "ends before"),
        ] {
            assert!(Sizes::from_str(text).unwrap_err().contains(part), "{text}");
        }
        assert!(Sizes::from_str(&["1"; 65].join(",")).unwrap_err().contains("too many"));
    }
}
