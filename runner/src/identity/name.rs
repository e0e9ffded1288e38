//! Names of parties and members.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Longest name.
const MAX_NAME_BYTES: usize = 64;

/// The name of a party or a member; safe to use in a file name.
///
/// Lower-case ASCII letters, digits, `-` and `_`, starting with a letter or
/// digit, at most 64 of them.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// A text that is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a name: use 1 to 64 lower-case letters, digits, `-` and `_`, \
     and start with a letter or digit"
)]
pub struct BadName(String);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let good = text.len() <= MAX_NAME_BYTES
            && text.starts_with(alphanumeric)
            && text.chars().all(|c| alphanumeric(c) || c == '-' || c == '_');
        if good { Ok(Name(text)) } else { Err(BadName(text.chars().take(80).collect())) }
    }
}

impl FromStr for Name {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        text.to_owned().try_into()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_be_awkward_in_a_path_are_refused() {
        for good in ["a", "hospital-a", "p0", "0_x", &"a".repeat(64)] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", ".", "..", "a/b", "A", "a b", "é", "a.b", &"a".repeat(65)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }
}
