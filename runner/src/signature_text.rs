//! A signature as 128 hexadecimal digits, for `#[serde(with)]`.

use ed25519_dalek::Signature;
use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// Writes the digits.
pub(crate) fn serialize<S: Serializer>(
    signature: &Signature,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(signature.to_bytes()))
}

/// Reads the digits.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Signature, D::Error> {
    let text = String::deserialize(deserializer)?;
    let mut bytes = [0; 64];
    hex::decode_to_slice(text, &mut bytes)
        .map_err(|_| D::Error::custom("the signature is not 128 hexadecimal digits"))?;
    Ok(Signature::from_bytes(&bytes))
}
