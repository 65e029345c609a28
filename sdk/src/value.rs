//! Values of fields as Rust types, both ways.
//!
//! Each kind of field has one type here; composites that the contract carries as JSON are parsed
//! with serde, which a plugin pays for only if it names one of them.

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Decimal, Value,
    time::{Date, DateTime},
};

/// A Rust type that a field's value can be read as.
pub trait FromValue: Sized {
    /// What it takes, for the error.
    const EXPECTED: &'static str;

    /// Reads it.
    ///
    /// # Errors
    /// The value itself, when it is of another type.
    fn from_value(value: Value) -> Result<Self, Value>;
}

/// What a value is, for the error.
pub(crate) fn kind_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Boolean(_) => "boolean",
        Value::Integer(_) => "integer",
        Value::Decimal(_) => "decimal",
        Value::Text(_) => "text",
        Value::Money(_) => "money",
        Value::Date(_) => "date",
        Value::Datetime(_) => "date-time",
        Value::Reference(_) => "reference",
        Value::Choices(_) => "choices",
        Value::Ext(_) => "another kind",
    }
}

/// The id of a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reference(String);

impl Reference {
    /// From the id's text.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl AsRef<str> for Reference {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// An amount in a currency. Amounts of two currencies don't add up, so there is no `+`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// Exact.
    pub amount: Decimal,
    /// ISO 4217, three upper-case letters.
    pub currency: String,
}

impl Money {
    /// An amount in a currency.
    #[must_use]
    pub fn new(amount: Decimal, currency: impl Into<String>) -> Self {
        Self {
            amount,
            currency: currency.into(),
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.amount, self.currency)
    }
}

/// A person's name as given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FullName {
    /// The whole name as it is written.
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

/// E-mail addresses of one party.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emails {
    /// The address to write to.
    pub primary: String,
    /// All others.
    #[serde(default)]
    pub additional: Vec<String>,
}

/// A phone number, normalised and as typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phone {
    /// E.164, where what was typed can be read as a number.
    #[serde(default)]
    pub e164: Option<String>,
    /// As somebody typed it.
    pub typed: String,
}

/// Phone numbers of one party.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phones {
    /// The number to call.
    pub primary: Phone,
    /// All others.
    #[serde(default)]
    pub additional: Vec<Phone>,
}

/// A file. To put one into a field, its id is enough.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct File {
    /// Its id.
    pub id: String,
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

/// A postal address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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

/// Where a record stands in a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Key of the pipeline.
    pub pipeline: String,
    /// Key of the stage.
    pub stage: String,
}

/// Anything that JSON can say.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonValue(pub serde_json::Value);

impl<T: FromValue> FromValue for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Null => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }
}

impl FromValue for Value {
    const EXPECTED: &'static str = "anything";

    fn from_value(value: Value) -> Result<Self, Value> {
        Ok(value)
    }
}

impl FromValue for bool {
    const EXPECTED: &'static str = "boolean";

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Boolean(boolean) => Ok(boolean),
            value => Err(value),
        }
    }
}

impl FromValue for i64 {
    const EXPECTED: &'static str = "integer";

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Integer(integer) => Ok(integer),
            value => Err(value),
        }
    }
}

impl FromValue for String {
    const EXPECTED: &'static str = "text";

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Text(text) => Ok(text),
            // A select is text to who doesn't care for its options.
            Value::Choices(mut options) if options.len() == 1 => Ok(options.swap_remove(0)),
            value => Err(value),
        }
    }
}

impl FromValue for Vec<String> {
    const EXPECTED: &'static str = "choices";

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Choices(options) => Ok(options),
            value => Err(value),
        }
    }
}

impl FromValue for Decimal {
    const EXPECTED: &'static str = "decimal";

    fn from_value(value: Value) -> Result<Self, Value> {
        match &value {
            Value::Decimal(text) => text.parse().map_err(|_| value),
            Value::Integer(integer) => Ok(Self::from(*integer)),
            _ => Err(value),
        }
    }
}

impl FromValue for Money {
    const EXPECTED: &'static str = "money";

    fn from_value(value: Value) -> Result<Self, Value> {
        match &value {
            Value::Money((amount, currency)) => match amount.parse() {
                Ok(amount) => Ok(Self::new(amount, currency.clone())),
                Err(_) => Err(value),
            },
            _ => Err(value),
        }
    }
}

impl FromValue for Date {
    const EXPECTED: &'static str = "date";

    fn from_value(value: Value) -> Result<Self, Value> {
        match &value {
            Value::Date(text) => text.parse().map_err(|_| value),
            _ => Err(value),
        }
    }
}

impl FromValue for DateTime {
    const EXPECTED: &'static str = "date-time";

    fn from_value(value: Value) -> Result<Self, Value> {
        match &value {
            Value::Datetime(text) => text.parse().map_err(|_| value),
            _ => Err(value),
        }
    }
}

impl FromValue for Reference {
    const EXPECTED: &'static str = "reference";

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Reference(id) => Ok(Self(id)),
            value => Err(value),
        }
    }
}

impl FromValue for JsonValue {
    const EXPECTED: &'static str = "json";

    fn from_value(value: Value) -> Result<Self, Value> {
        from_ext(value, "json").map(Self)
    }
}

/// Reads a composite from the JSON that the contract carries it as.
fn from_ext<T: DeserializeOwned>(value: Value, kind: &str) -> Result<T, Value> {
    match &value {
        Value::Ext((given, json)) if given == kind => serde_json::from_str(json).map_err(|_| value),
        _ => Err(value),
    }
}

/// Composites, with the name of their kind.
macro_rules! composite {
    ($($composite:ident = $kind:literal),* $(,)?) => {$(
        impl FromValue for $composite {
            const EXPECTED: &'static str = $kind;

            fn from_value(value: Value) -> Result<Self, Value> {
                from_ext(value, $kind)
            }
        }
    )*};
}

composite!(
    FullName = "fullName",
    Emails = "emails",
    Phone = "phone",
    Phones = "phones",
    Address = "address",
    File = "file",
    Stage = "stage",
);

macro_rules! into_ext {
    ($($composite:ident = $kind:literal),* $(,)?) => {$(
        impl From<$composite> for Value {
            fn from(composite: $composite) -> Self {
                let json = serde_json::to_string(&composite)
                    .expect("a struct of texts is always JSON");
                Self::Ext(($kind.to_owned(), json))
            }
        }
    )*};
}

into_ext!(
    FullName = "fullName",
    Emails = "emails",
    Phone = "phone",
    Phones = "phones",
    Address = "address",
    File = "file",
);

impl From<JsonValue> for Value {
    fn from(json: JsonValue) -> Self {
        Self::Ext(("json".to_owned(), json.0.to_string()))
    }
}

impl<T> From<Option<T>> for Value
where
    Value: From<T>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::from)
    }
}

impl From<bool> for Value {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

impl From<i64> for Value {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}

impl From<i32> for Value {
    fn from(integer: i32) -> Self {
        Self::Integer(integer.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<String>> for Value {
    fn from(options: Vec<String>) -> Self {
        Self::Choices(options)
    }
}

impl From<Decimal> for Value {
    fn from(decimal: Decimal) -> Self {
        Self::Decimal(decimal.to_string())
    }
}

impl From<Money> for Value {
    fn from(money: Money) -> Self {
        Self::Money((money.amount.to_string(), money.currency))
    }
}

impl From<Date> for Value {
    fn from(date: Date) -> Self {
        Self::Date(date.to_string())
    }
}

impl From<DateTime> for Value {
    fn from(instant: DateTime) -> Self {
        Self::Datetime(instant.to_string())
    }
}

impl From<Reference> for Value {
    fn from(reference: Reference) -> Self {
        Self::Reference(reference.0)
    }
}

impl From<&Reference> for Value {
    fn from(reference: &Reference) -> Self {
        Self::Reference(reference.0.clone())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn values_round_trip() {
        fn check<T>(value: T)
        where
            T: FromValue + Clone + PartialEq + fmt::Debug,
            Value: From<T>,
        {
            assert_eq!(T::from_value(Value::from(value.clone())).unwrap(), value);
            assert_eq!(
                Option::<T>::from_value(Value::from(value.clone())).unwrap(),
                Some(value)
            );
            assert_eq!(Option::<T>::from_value(Value::Null).unwrap(), None);
        }
        check(true);
        check(-9_007_199_254_740_991_i64);
        check("王小明".to_owned());
        check(vec!["A".to_owned(), "B".to_owned()]);
        check("12.50".parse::<Decimal>().unwrap());
        check(Money::new("0.10".parse().unwrap(), "EUR"));
        check("2026-11-22".parse::<Date>().unwrap());
        check("2026-11-22T08:00:00.5Z".parse::<DateTime>().unwrap());
        check(Reference::new("0192"));
        check(FullName {
            full: "王小明".into(),
            given: Some("小明".into()),
            family: Some("王".into()),
            order: NameOrder::FamilyFirst,
        });
        check(Emails {
            primary: "a@example.org".into(),
            additional: vec![],
        });
        check(Phone {
            e164: Some("+493012345678".into()),
            typed: "030 12345678".into(),
        });
        check(Address {
            city: Some("Taipei".into()),
            ..Address::default()
        });
        check(JsonValue(serde_json::json!({"a": [1, "2"]})));
    }

    #[test]
    fn a_select_reads_as_its_option_in_either_form() {
        for value in [
            Value::Text("GOLD".into()),
            Value::Choices(vec!["GOLD".into()]),
        ] {
            assert_eq!(String::from_value(value).unwrap(), "GOLD");
        }
    }
}
