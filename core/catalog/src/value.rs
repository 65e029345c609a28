//! Values of fields, in memory: one variant for each way of being typed, not for each kind.
//!
//! A `Value` that is in a record has been coerced and checked against its field's kind.

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::geo::GeoPoint;

/// Largest magnitude of an integer: 2^53 − 1, so that no JavaScript client loses digits.
pub const INTEGER_MAX: i64 = (1 << 53) - 1;

/// Largest number of digits of a decimal or an amount, on both databases: SQLite keeps scaled
/// 64-bit integers.
pub const DECIMAL_DIGITS_MAX: u32 = 18;

/// A field's value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", content = "v", rename_all = "camelCase")]
pub enum Value {
    /// Nothing there.
    #[default]
    Null,
    /// `boolean`.
    Boolean(bool),
    /// `integer`, `rating`, and the number of an `autonumber`; microseconds of a `time` since
    /// midnight, and of a `duration`.
    Integer(i64),
    /// `decimal` and `percent`: already at the field's scale.
    Decimal(Decimal),
    /// `text`, `longText`, `richText`, `email`, `url`, and the option of a `select`.
    Text(String),
    /// `money`.
    Money(Money),
    /// `date`.
    Date(Date),
    /// `dateTime`: microseconds since 1970-01-01T00:00:00Z.
    DateTime(i64),
    /// `multiSelect`: options in the order given, each once; `texts` and `tags`.
    Choices(Vec<String>),
    /// `json`.
    Json(serde_json::Value),
    /// `fullName`.
    FullName(FullName),
    /// `emails`.
    Emails(Emails),
    /// `phone`.
    Phone(Phone),
    /// `phones`.
    Phones(Phones),
    /// `address`.
    Address(Address),
    /// `geoPoint`.
    GeoPoint(GeoPoint),
    /// `relation`: the id of the record that it points at; `user`, and `uuid`.
    Reference(Uuid),
    /// `file`.
    File(File),
    /// `stage`.
    Stage(StageValue),
}

impl Value {
    /// Whether there is nothing there.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

/// An amount in a currency. Never a float, never added across currencies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// At the field's scale.
    pub amount: Decimal,
    /// ISO 4217, three upper-case letters.
    pub currency: String,
}

/// A person's name as given. `full` is what is shown; `given` and `family` are filled where they
/// are known, and `order` says which of them comes first in this person's culture.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FullName {
    /// The whole name as it is written, never empty.
    pub full: String,
    /// Given name or names.
    #[serde(default)]
    pub given: Option<String>,
    /// Family name.
    #[serde(default)]
    pub family: Option<String>,
    /// Which part comes first.
    #[serde(default)]
    pub order: NameOrder,
}

/// Which part of a name comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NameOrder {
    /// Ada Lovelace.
    #[default]
    GivenFirst,
    /// 王小明, Nagy Ádám.
    FamilyFirst,
}

/// E-mail addresses of one party; the first to write to stands apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Emails {
    /// The address to write to.
    pub primary: String,
    /// All others.
    #[serde(default)]
    pub additional: Vec<String>,
}

impl Emails {
    /// All of them, the primary one first.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.primary).chain(&self.additional)
    }
}

/// A phone number, normalised and as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Phone {
    /// E.164 (`+493012345678`), where what was typed can be read as a number.
    #[serde(default)]
    pub e164: Option<String>,
    /// As somebody typed it.
    pub typed: String,
}

/// Phone numbers of one party; the first to call stands apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Phones {
    /// The number to call.
    pub primary: Phone,
    /// All others.
    #[serde(default)]
    pub additional: Vec<Phone>,
}

impl Phones {
    /// All of them, the primary one first.
    pub fn all(&self) -> impl Iterator<Item = &Phone> {
        std::iter::once(&self.primary).chain(&self.additional)
    }
}

/// A postal address. Every part is optional, at least one is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Address {
    /// Street and number, lines separated by `\n`.
    #[serde(default)]
    pub street: Option<String>,
    /// Town.
    #[serde(default)]
    pub city: Option<String>,
    /// State, province, prefecture.
    #[serde(default)]
    pub region: Option<String>,
    /// Postal code.
    #[serde(default)]
    pub postal_code: Option<String>,
    /// Country as written, or its ISO 3166-1 code.
    #[serde(default)]
    pub country: Option<String>,
}

/// A file. What is said of it never changes, so it stands with the record that holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct File {
    /// Its id.
    pub id: Uuid,
    /// As who sent it called it.
    #[serde(default)]
    pub name: String,
    /// `image/png`
    #[serde(default)]
    pub content_type: String,
    /// Bytes.
    #[serde(default)]
    pub size: i64,
    /// SHA-256 of its content, in hexadecimal.
    #[serde(default)]
    pub sha256: String,
}

impl File {
    /// A file of which nothing is known but its id.
    #[must_use]
    pub fn named(id: Uuid) -> Self {
        Self {
            id,
            ..Self::default()
        }
    }

    /// Whether more is said of it than its id. That it is true is another question: whoever writes
    /// a record looks the file up.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.sha256.is_empty()
    }
}

/// Where a record stands in a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageValue {
    /// Key of the pipeline.
    pub pipeline: Key,
    /// Key of the stage, unique in its pipeline.
    pub stage: String,
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub entered_at: i64,
}

use crate::Key;
