//! What a setting can be: its type, how it is read from text, and how it is written.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use relata_graphql::DocumentsAllowed;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON lines elsewhere.
    Auto,
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Something that is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub(super) String);

impl Secret {
    /// The text itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// A duration: `30s`, `250ms`, `2m`, `12h`, `7d`, or a number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time(pub Duration);

impl Time {
    pub(super) const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    pub(super) const fn milliseconds(milliseconds: u64) -> Self {
        Self(Duration::from_millis(milliseconds))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_millis();
        let (unit, name) = TIME_UNITS
            .into_iter()
            .rfind(|(unit, _)| milliseconds.is_multiple_of(u128::from(*unit)))
            .unwrap_or((1, "ms"));
        write!(formatter, "{}{name}", milliseconds / u128::from(unit))
    }
}

/// Milliseconds of a unit, and its name, smallest first.
const TIME_UNITS: [(u64, &str); 5] = [
    (1, "ms"),
    (1_000, "s"),
    (60_000, "m"),
    (3_600_000, "h"),
    (86_400_000, "d"),
];

/// A number of bytes: `512KiB`, `16MiB`, `1GiB`, or a plain number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

impl Size {
    pub(super) const fn mebibytes(mebibytes: u64) -> Self {
        Self(mebibytes * 1024 * 1024)
    }

    /// As a number of bytes in memory.
    #[must_use]
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes.is_multiple_of(1 << 30) => write!(formatter, "{}GiB", bytes >> 30),
            bytes if bytes.is_multiple_of(1 << 20) => write!(formatter, "{}MiB", bytes >> 20),
            bytes if bytes.is_multiple_of(1 << 10) => write!(formatter, "{}KiB", bytes >> 10),
            bytes => write!(formatter, "{bytes}"),
        }
    }
}

/// An absolute http or https address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebAddress(pub url::Url);

/// Text → setting. The error says what would be right.
pub(super) trait Setting: Sized {
    /// Whether it is never printed.
    const IS_SECRET: bool = false;

    fn parse(texts: &[String]) -> Result<Self, String>;

    /// As it is written in a file; nothing when it is not set, or secret.
    fn written(&self) -> Option<toml::Value>;
}

/// Most of what a setting counts that has no range of its own: far beyond any machine, and below
/// what counters and semaphores hold.
const COUNT_MAX: usize = 1_000_000;

/// The one text that a scalar setting takes.
fn single(texts: &[String]) -> Result<&str, String> {
    match texts {
        [text] => Ok(text),
        _ => Err("takes one value, not a list".to_owned()),
    }
}

impl Setting for String {
    fn parse(texts: &[String]) -> Result<Self, String> {
        single(texts).map(str::to_owned)
    }

    fn written(&self) -> Option<toml::Value> {
        Some(self.as_str().into())
    }
}

impl Setting for Secret {
    const IS_SECRET: bool = true;

    fn parse(texts: &[String]) -> Result<Self, String> {
        single(texts).map(|text| Self(text.to_owned()))
    }

    fn written(&self) -> Option<toml::Value> {
        None
    }
}

impl Setting for PathBuf {
    fn parse(texts: &[String]) -> Result<Self, String> {
        single(texts).map(Self::from)
    }

    fn written(&self) -> Option<toml::Value> {
        Some(self.to_string_lossy().into_owned().into())
    }
}

impl Setting for usize {
    fn parse(texts: &[String]) -> Result<Self, String> {
        let text = single(texts)?;
        text.parse()
            .ok()
            .filter(|number| (1..=COUNT_MAX).contains(number))
            .ok_or_else(|| format!("takes a whole number from 1 to {COUNT_MAX}, not {text}"))
    }

    fn written(&self) -> Option<toml::Value> {
        i64::try_from(*self).ok().map(Into::into)
    }
}

impl Setting for SocketAddr {
    fn parse(texts: &[String]) -> Result<Self, String> {
        single(texts)?
            .parse()
            .map_err(|_| "takes an address and a port, like 127.0.0.1:8080".to_owned())
    }

    fn written(&self) -> Option<toml::Value> {
        Some(self.to_string().into())
    }
}

impl Setting for WebAddress {
    fn parse(texts: &[String]) -> Result<Self, String> {
        let address = url::Url::parse(single(texts)?).ok();
        address
            .filter(|address| matches!(address.scheme(), "http" | "https") && address.has_host())
            .map(Self)
            .ok_or_else(|| "takes an absolute address, like https://crm.example.com".to_owned())
    }

    fn written(&self) -> Option<toml::Value> {
        Some(self.0.as_str().into())
    }
}

impl Setting for Time {
    fn parse(texts: &[String]) -> Result<Self, String> {
        let text = single(texts)?.trim();
        let (digits, unit) = number_and_unit(text);
        let unit = match unit {
            "" => "s",
            "min" => "m",
            unit => unit,
        };
        let milliseconds = TIME_UNITS
            .into_iter()
            .find_map(|(milliseconds, name)| (name == unit).then_some(milliseconds));
        milliseconds
            .zip(digits.parse::<u64>().ok())
            .and_then(|(unit, number)| number.checked_mul(unit))
            .filter(|milliseconds| *milliseconds > 0)
            .map(|milliseconds| Self(Duration::from_millis(milliseconds)))
            .ok_or_else(|| "takes a duration, like 250ms, 30s or 2m".to_owned())
    }

    fn written(&self) -> Option<toml::Value> {
        Some(self.to_string().into())
    }
}

impl Setting for Size {
    fn parse(texts: &[String]) -> Result<Self, String> {
        let text = single(texts)?.trim();
        let (digits, unit) = number_and_unit(text);
        let bytes = match unit {
            "" | "B" => Some(1_u64),
            "KiB" | "K" => Some(1 << 10),
            "MiB" | "M" => Some(1 << 20),
            "GiB" | "G" => Some(1 << 30),
            _ => None,
        };
        bytes
            .zip(digits.parse::<u64>().ok())
            .and_then(|(unit, number)| number.checked_mul(unit))
            .filter(|bytes| *bytes > 0)
            .map(Self)
            .ok_or_else(|| "takes a size, like 512KiB, 16MiB or a number of bytes".to_owned())
    }

    fn written(&self) -> Option<toml::Value> {
        Some(self.to_string().into())
    }
}

fn number_and_unit(text: &str) -> (&str, &str) {
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    (digits, unit.trim())
}

impl Setting for LogFormat {
    fn parse(texts: &[String]) -> Result<Self, String> {
        match single(texts)? {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("takes auto, text or json".to_owned()),
        }
    }

    fn written(&self) -> Option<toml::Value> {
        let name = match self {
            Self::Auto => "auto",
            Self::Text => "text",
            Self::Json => "json",
        };
        Some(name.into())
    }
}

impl Setting for bool {
    fn parse(texts: &[String]) -> Result<Self, String> {
        match single(texts)? {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("takes true or false".to_owned()),
        }
    }

    fn written(&self) -> Option<toml::Value> {
        Some((*self).into())
    }
}

impl Setting for DocumentsAllowed {
    fn parse(texts: &[String]) -> Result<Self, String> {
        match single(texts)? {
            "any" => Ok(Self::Any),
            "registered" => Ok(Self::Registered),
            _ => Err("takes any or registered".to_owned()),
        }
    }

    fn written(&self) -> Option<toml::Value> {
        let name = match self {
            Self::Any => "any",
            Self::Registered => "registered",
        };
        Some(name.into())
    }
}

impl Setting for Vec<String> {
    fn parse(texts: &[String]) -> Result<Self, String> {
        Ok(texts
            .iter()
            .flat_map(|text| text.split(','))
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .collect())
    }

    fn written(&self) -> Option<toml::Value> {
        (!self.is_empty()).then(|| self.clone().into())
    }
}

impl<T: Setting> Setting for Option<T> {
    const IS_SECRET: bool = T::IS_SECRET;

    fn parse(texts: &[String]) -> Result<Self, String> {
        T::parse(texts).map(Some)
    }

    fn written(&self) -> Option<toml::Value> {
        self.as_ref().and_then(T::written)
    }
}
