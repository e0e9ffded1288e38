//! What a link is like, in words: `wan`, or `latency=20ms,bandwidth=1gbit`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The longest latency and jitter that can be asked for.
const LONGEST: Duration = Duration::from_secs(60);

/// How a link delays what is sent over it, in either direction.
///
/// It is written as it is read: as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct LinkSpec {
    /// Time from the last byte sent to the last byte received.
    pub latency: Duration,
    /// The latency of a message lies within plus and minus this.
    pub jitter: Duration,
    /// Bits a second, in each direction of each link; `None` is as fast as can be.
    pub bandwidth: Option<f64>,
}

/// A link that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0}; write lan, wan, intercontinental, or for instance \
     latency=20ms,bandwidth=1gbit,jitter=2ms"
)]
pub struct ParseLinkError(String);

/// Links with names, and what they stand for.
pub const PRESETS: [(&str, LinkSpec); 3] = [
    ("lan", LinkSpec::new(Duration::from_micros(100), 10e9)),
    ("wan", LinkSpec::new(Duration::from_millis(40), 100e6)),
    ("intercontinental", LinkSpec::new(Duration::from_millis(100), 50e6)),
];

impl LinkSpec {
    /// A link without jitter.
    pub const fn new(latency: Duration, bits_per_second: f64) -> LinkSpec {
        LinkSpec { latency, jitter: Duration::ZERO, bandwidth: Some(bits_per_second) }
    }

    /// How long so many bytes keep the link busy.
    pub fn transmission(&self, bytes: usize) -> Duration {
        let seconds = self.bandwidth.map_or(0.0, |rate| bytes as f64 * 8.0 / rate);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

impl FromStr for LinkSpec {
    type Err = ParseLinkError;

    fn from_str(text: &str) -> Result<LinkSpec, ParseLinkError> {
        if let Some((_, preset)) = PRESETS.iter().find(|(name, _)| *name == text) {
            return Ok(*preset);
        }
        let mut spec = LinkSpec::default();
        let mut seen = Vec::new();
        for part in text.split(',') {
            let Some((key, value)) = part.split_once('=') else {
                return Err(ParseLinkError(format!("`{part}` is not a link")));
            };
            let (key, value) = (key.trim(), value.trim());
            match key {
                "latency" => spec.latency = duration(value)?,
                "jitter" => spec.jitter = duration(value)?,
                "bandwidth" => spec.bandwidth = Some(bandwidth(value)?),
                _ => return Err(ParseLinkError(format!("a link has no `{key}`"))),
            }
            if seen.contains(&key) {
                return Err(ParseLinkError(format!("`{key}` is said twice")));
            }
            seen.push(key);
        }
        if spec.jitter > spec.latency {
            let text = "the jitter is larger than the latency: messages would arrive too early";
            return Err(ParseLinkError(text.into()));
        }
        Ok(spec)
    }
}

impl TryFrom<String> for LinkSpec {
    type Error = ParseLinkError;

    fn try_from(text: String) -> Result<LinkSpec, ParseLinkError> {
        text.parse()
    }
}

impl From<LinkSpec> for String {
    fn from(spec: LinkSpec) -> String {
        spec.to_string()
    }
}

impl fmt::Display for LinkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = PRESETS.iter().find(|(_, preset)| preset == self) {
            return f.write_str(name);
        }
        write!(f, "latency={}us", self.latency.as_nanos() as f64 / 1e3)?;
        if let Some(rate) = self.bandwidth {
            write!(f, ",bandwidth={}mbit", rate / 1e6)?;
        }
        if !self.jitter.is_zero() {
            write!(f, ",jitter={}us", self.jitter.as_nanos() as f64 / 1e3)?;
        }
        Ok(())
    }
}

/// The number in front of one of the units, times what the unit stands for.
fn quantity(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(at);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<f64>().ok().map(|number| number * factor)
}

fn duration(text: &str) -> Result<Duration, ParseLinkError> {
    let seconds = quantity(text, &[("us", 1e-6), ("ms", 1e-3), ("s", 1.0)]);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|&duration| duration <= LONGEST)
        .ok_or_else(|| {
            let longest = LONGEST.as_secs();
            ParseLinkError(format!("`{text}` is no time from 0us to {longest}s"))
        })
}

fn bandwidth(text: &str) -> Result<f64, ParseLinkError> {
    quantity(text, &[("kbit", 1e3), ("mbit", 1e6), ("gbit", 1e9)])
        .filter(|rate| (1e3..=1e12).contains(rate))
        .ok_or_else(|| ParseLinkError(format!("`{text}` is no bandwidth from 1kbit to 1000gbit")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn presets_and_quantities_are_understood() {
        let wan: LinkSpec = "wan".parse().unwrap();
        assert_eq!(wan, LinkSpec::new(Duration::from_millis(40), 100e6));
        assert_eq!("latency=40ms,bandwidth=100mbit".parse(), Ok(wan));
        assert_eq!(wan.to_string(), "wan");
        let spec: LinkSpec = "bandwidth=1.5gbit,latency=20ms,jitter=500us".parse().unwrap();
        assert_eq!(spec.jitter, Duration::from_micros(500));
        assert_eq!(spec.bandwidth, Some(1.5e9));
        let slow: LinkSpec = "latency=0us".parse().unwrap();
        assert_eq!(slow.transmission(usize::MAX), Duration::ZERO);
    }

    #[test]
    fn bytes_take_their_time() {
        let wan: LinkSpec = "wan".parse().unwrap();
        assert_eq!(wan.transmission(12_500_000), Duration::from_secs(1));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("moon", "`moon` is not a link"),
            ("", "`` is not a link"),
            ("latency=20", "no time"),
            ("latency=61s", "no time"),
            ("latency=-1ms", "no time"),
            ("latency=1ms,latency=2ms", "twice"),
            ("delay=1ms", "no `delay`"),
            ("bandwidth=0mbit", "no bandwidth"),
            ("bandwidth=9..9mbit", "no bandwidth"),
            ("latency=1ms,jitter=2ms", "larger than the latency"),
        ] {
            let error = text.parse::<LinkSpec>().unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("latency=20ms"), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_understood(
            latency in 0u64..1_000_000,
            part in 0.0..=1.0,
            rate in proptest::option::of(1u32..1_000_000),
        ) {
            let spec = LinkSpec {
                latency: Duration::from_micros(latency),
                jitter: Duration::from_micros((latency as f64 * part) as u64),
                bandwidth: rate.map(|kilobits| f64::from(kilobits) * 1e3),
            };
            let again: LinkSpec = spec.to_string().parse().unwrap();
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(1.0);
            prop_assert_eq!(again.latency, spec.latency);
            prop_assert_eq!(again.jitter, spec.jitter);
            prop_assert!(close(again.bandwidth.unwrap_or(0.0), spec.bandwidth.unwrap_or(0.0)));
        }

        #[test]
        fn no_text_is_too_strange(text in ".{0,40}") {
            let _ = text.parse::<LinkSpec>();
        }
    }
}
