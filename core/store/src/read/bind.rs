//! Values on their way into a statement: which position of the text takes what, and how a value
//! of the catalogue becomes one of the database.
//!
//! What cannot be compared exactly is not rounded: a decimal that is finer than its column's
//! scale compares with the neighbour on the right side, and is equal to nothing.

use jiff::civil::Date;
use relata_catalog::{ColumnType, Value, folded};
use rust_decimal::Decimal;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use super::Parameter;
use super::json::write_string;
use crate::{Backend, StoreError};

/// Longest pattern of `like` in bytes: SQLite's own limit for patterns, less what escaping adds.
const PATTERN_BYTES_MAX: usize = 8_000;
/// Most `%` in a pattern.
const PATTERN_WILDCARDS_MAX: usize = 100;

/// Microseconds from 1970-01-01 to 2000-01-01, where PostgreSQL counts from.
pub(crate) const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;
/// Days from 1970-01-01 to 2000-01-01.
pub(crate) const POSTGRES_EPOCH_DAYS: i64 = 10_957;

/// What a position of a statement's text takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Slot {
    /// The same at each execution.
    Constant(Bind),
    /// A parameter of the read.
    Parameter {
        position: usize,
        conversion: Conversion,
    },
    /// Most rows of a page.
    Limit,
    /// Rows to pass over.
    Offset,
    /// A value of the cursor behind which the page begins.
    After(usize),
    /// A value of the cursor before which the page ends.
    Before(usize),
}

impl Slot {
    /// A value of the cursor where the page begins, or of that where it `ends`.
    pub(crate) fn of_cursor(ends: bool, index: usize) -> Self {
        if ends {
            Self::Before(index)
        } else {
            Self::After(index)
        }
    }
}

/// How a value is brought into the form of the column that it is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Conversion {
    pub(crate) column: ColumnType,
    pub(crate) form: Form,
}

/// What a comparison needs of its operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As it is, or nothing where the column cannot hold it.
    Exact,
    /// The least value of the column that is not less (for `<` and `>=`).
    Ceiling,
    /// The greatest value of the column that is not greater (for `<=` and `>`).
    Floor,
    /// A pattern of `LIKE`, for `GLOB` on SQLite.
    Pattern,
    /// The least text behind all that begin with it.
    Successor,
    /// A list.
    List,
    /// One of the two whole numbers that a number is cut into.
    Half(Half),
}

/// A number as a whole number of its last digit, which is `high · 10^cut + low`; `low` is never
/// negative. So sums and means are compared that no 64 bits hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Half {
    /// Digits behind the point.
    pub(crate) digits: u32,
    pub(crate) cut: u32,
    pub(crate) is_high: bool,
    /// Where it has more digits.
    pub(crate) rounding: Rounding,
}

/// What becomes of a number between two neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// Nothing is equal to it.
    None,
    Down,
    Up,
}

/// A value as a statement takes it. On SQLite only nothing, integers, text and UUIDs occur.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Bind {
    Null(ColumnType),
    Boolean(bool),
    Integer(i64),
    Text(String),
    Uuid(Uuid),
    Decimal(Decimal),
    Date(Date),
    Instant(i64),
    Booleans(Vec<bool>),
    Integers(Vec<i64>),
    Texts(Vec<String>),
    Uuids(Vec<Uuid>),
    Decimals(Vec<Decimal>),
    Dates(Vec<Date>),
    Instants(Vec<i64>),
}

/// Name of a column type in a cast on PostgreSQL, where both drivers must agree on the type of a
/// parameter.
pub(crate) fn postgres_type(column: ColumnType) -> &'static str {
    match column {
        ColumnType::Text | ColumnType::Folded | ColumnType::TextList | ColumnType::Json => "text",
        ColumnType::Integer | ColumnType::Time | ColumnType::Duration => "int8",
        ColumnType::Decimal(_) => "numeric",
        ColumnType::Boolean => "bool",
        ColumnType::Date => "date",
        ColumnType::DateTime => "timestamptz",
        ColumnType::Reference => "uuid",
    }
}

impl Conversion {
    /// Brings a parameter into its form.
    pub(crate) fn parameter(
        self,
        backend: Backend,
        parameter: &Parameter,
    ) -> Result<Bind, StoreError> {
        match parameter {
            Parameter::Value(value) => self.value(backend, value),
            Parameter::List(values) => self.list(backend, values),
            Parameter::Absent => Err(mismatch("a value", "no value")),
        }
    }

    /// Brings one value into its form.
    pub(crate) fn value(self, backend: Backend, value: &Value) -> Result<Bind, StoreError> {
        if self.form == Form::List {
            return match value {
                Value::Choices(choices) => Ok(texts(backend, choices.clone())),
                _ => Err(mismatch("a list", value_name(value))),
            };
        }
        if let Form::Half(half) = self.form {
            return half.of(value);
        }
        let bind = match (self.column, value) {
            (_, Value::Null) => Bind::Null(self.column),
            (ColumnType::Text | ColumnType::TextList, Value::Text(text)) => {
                self.text(backend, text.clone())?
            }
            (ColumnType::Folded, Value::Text(text)) => {
                let folded = match self.form {
                    Form::Pattern => folded_pattern(text),
                    _ => folded(text),
                };
                self.text(backend, folded)?
            }
            (
                ColumnType::Integer | ColumnType::Time | ColumnType::Duration,
                Value::Integer(number),
            ) => Bind::Integer(*number),
            (ColumnType::Decimal(scale), Value::Decimal(decimal)) => {
                self.decimal(backend, *decimal, scale)
            }
            (ColumnType::Decimal(scale), Value::Integer(number)) => {
                self.decimal(backend, Decimal::from(*number), scale)
            }
            (ColumnType::Boolean, Value::Boolean(boolean)) => match backend {
                Backend::Sqlite => Bind::Integer(i64::from(*boolean)),
                Backend::Postgres => Bind::Boolean(*boolean),
            },
            (ColumnType::Date, Value::Date(date)) => match backend {
                Backend::Sqlite => Bind::Text(date.to_string()),
                Backend::Postgres => Bind::Date(*date),
            },
            (ColumnType::DateTime, Value::DateTime(micros)) => match backend {
                Backend::Sqlite => Bind::Integer(*micros),
                Backend::Postgres => Bind::Instant(*micros),
            },
            (ColumnType::Reference, Value::Reference(id)) => Bind::Uuid(*id),
            // A text that is no UUID names no record; that is an answer, not a mistake.
            (ColumnType::Reference, Value::Text(text)) => {
                Uuid::parse_str(text).map_or(Bind::Null(ColumnType::Reference), Bind::Uuid)
            }
            (column, value) => return Err(mismatch(column_name(column), value_name(value))),
        };
        Ok(bind)
    }

    fn text(self, backend: Backend, text: String) -> Result<Bind, StoreError> {
        match self.form {
            Form::Pattern => Ok(Bind::Text(pattern(backend, &text)?)),
            Form::Successor => Ok(Bind::Text(successor(&text))),
            _ => Ok(Bind::Text(text)),
        }
    }

    fn decimal(self, backend: Backend, decimal: Decimal, scale: u32) -> Bind {
        if backend == Backend::Postgres {
            // NUMERIC compares exactly at any scale.
            return Bind::Decimal(decimal);
        }
        let rounding = match self.form {
            Form::Floor => Rounding::Down,
            Form::Ceiling => Rounding::Up,
            _ => Rounding::None,
        };
        match units(decimal, scale, rounding) {
            Units::Between => Bind::Null(self.column),
            Units::Whole(number) => match i64::try_from(number) {
                Ok(number) => Bind::Integer(number),
                Err(_) => self.beyond(number < 0),
            },
            Units::Beyond => self.beyond(decimal.is_sign_negative()),
        }
    }

    /// More than 18 digits: beyond all that a column can hold.
    fn beyond(self, negative: bool) -> Bind {
        match (self.form, negative) {
            (Form::Ceiling | Form::Floor, true) => Bind::Integer(i64::MIN),
            (Form::Ceiling | Form::Floor, false) => Bind::Integer(i64::MAX),
            _ => Bind::Null(self.column),
        }
    }

    /// Brings a list into its form: an array, or its JSON on SQLite.
    pub(crate) fn list(self, backend: Backend, values: &[Value]) -> Result<Bind, StoreError> {
        if self.form != Form::List {
            return Err(mismatch(column_name(self.column), "a list"));
        }
        let single = Conversion {
            column: self.column,
            form: Form::Exact,
        };
        let binds = values
            .iter()
            .map(|value| single.value(backend, value))
            .filter(|bind| !matches!(bind, Ok(Bind::Null(_))))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(match backend {
            Backend::Sqlite => Bind::Text(json_list(&binds)),
            Backend::Postgres => array(self.column, binds),
        })
    }
}

impl Half {
    fn of(self, value: &Value) -> Result<Bind, StoreError> {
        let decimal = match value {
            Value::Decimal(decimal) => *decimal,
            Value::Integer(number) => Decimal::from(*number),
            Value::Null => return Ok(Bind::Null(ColumnType::Integer)),
            other => return Err(mismatch("a number", value_name(other))),
        };
        let beyond = match (self.is_high, decimal.is_sign_negative()) {
            (true, true) => i64::MIN,
            (true, false) => i64::MAX,
            (false, _) => 0,
        };
        let power = 10_i128.pow(self.cut);
        let half = match units(decimal, self.digits, self.rounding) {
            Units::Between => return Ok(Bind::Null(ColumnType::Integer)),
            Units::Beyond => return Ok(Bind::Integer(beyond)),
            Units::Whole(number) if self.is_high => number.div_euclid(power),
            Units::Whole(number) => number.rem_euclid(power),
        };
        Ok(Bind::Integer(i64::try_from(half).unwrap_or(beyond)))
    }
}

/// See [`units`].
enum Units {
    Whole(i128),
    /// It is finer, and is not to be rounded.
    Between,
    /// More than 128 bits hold.
    Beyond,
}

/// A decimal in units of 10^-scale. Exactly, in 128 bits: a multiplication of decimals would
/// round at 28 digits.
fn units(decimal: Decimal, scale: u32, rounding: Rounding) -> Units {
    let (mantissa, own_scale) = (decimal.mantissa(), decimal.scale());
    let power = 10_i128.checked_pow(own_scale.abs_diff(scale));
    if own_scale <= scale {
        return power
            .and_then(|power| mantissa.checked_mul(power))
            .map_or(Units::Beyond, Units::Whole);
    }
    let power = power.expect("a decimal has at most 28 digits behind its point");
    let floor = mantissa.div_euclid(power);
    match rounding {
        _ if mantissa.rem_euclid(power) == 0 => Units::Whole(floor),
        Rounding::Down => Units::Whole(floor),
        Rounding::Up => Units::Whole(floor + 1),
        Rounding::None => Units::Between,
    }
}

fn texts(backend: Backend, texts: Vec<String>) -> Bind {
    match backend {
        Backend::Sqlite => {
            let binds: Vec<Bind> = texts.into_iter().map(Bind::Text).collect();
            Bind::Text(json_list(&binds))
        }
        Backend::Postgres => Bind::Texts(texts),
    }
}

fn json_list(binds: &[Bind]) -> String {
    let mut out = vec![b'['];
    for (index, bind) in binds.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        match bind {
            Bind::Integer(number) => super::json::write_integer(&mut out, *number),
            Bind::Text(text) => write_string(&mut out, text),
            // Without hyphens: SQL's unhex() makes the 16 bytes of it.
            Bind::Uuid(id) => write_string(&mut out, &id.simple().to_string()),
            _ => out.extend_from_slice(b"null"),
        }
    }
    out.push(b']');
    String::from_utf8(out).expect("only whole strings and ASCII were written")
}

fn array(column: ColumnType, binds: Vec<Bind>) -> Bind {
    macro_rules! gather {
        ($list:ident, $one:ident) => {
            Bind::$list(
                binds
                    .into_iter()
                    .filter_map(|bind| match bind {
                        Bind::$one(value) => Some(value),
                        _ => None,
                    })
                    .collect(),
            )
        };
    }
    match column {
        ColumnType::Text | ColumnType::Folded | ColumnType::TextList | ColumnType::Json => {
            gather!(Texts, Text)
        }
        ColumnType::Integer | ColumnType::Time | ColumnType::Duration => {
            gather!(Integers, Integer)
        }
        ColumnType::Decimal(_) => gather!(Decimals, Decimal),
        ColumnType::Boolean => gather!(Booleans, Boolean),
        ColumnType::Date => gather!(Dates, Date),
        ColumnType::DateTime => gather!(Instants, Instant),
        ColumnType::Reference => gather!(Uuids, Uuid),
    }
}

/// One step of a pattern, however the database spells it.
enum Step {
    Any,
    One,
    Literal(char),
}

/// A `LIKE` pattern whose letters are folded. What folds to a wildcard (`％`, as it is typed in
/// China and Japan) is none.
fn folded_pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    let mut letters = String::new();
    let flush = |letters: &mut String, pattern: &mut String| {
        for letter in folded(letters).chars() {
            if matches!(letter, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(letter);
        }
        letters.clear();
    };
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '%' | '_' => {
                flush(&mut letters, &mut pattern);
                pattern.push(character);
            }
            '\\' => letters.push(characters.next().unwrap_or('\\')),
            other => letters.push(other),
        }
    }
    flush(&mut letters, &mut pattern);
    pattern
}

/// A `LIKE` pattern as the database takes it. SQLite's LIKE ignores the case of ASCII letters, so
/// it becomes a GLOB there. A backslash at the end stands for itself.
fn pattern(backend: Backend, text: &str) -> Result<String, StoreError> {
    if text.len() > PATTERN_BYTES_MAX {
        return Err(StoreError::value(
            "like",
            format!("the pattern has more than {PATTERN_BYTES_MAX} bytes"),
        ));
    }
    let mut steps = Vec::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '%' if matches!(steps.last(), Some(Step::Any)) => {}
            '%' => steps.push(Step::Any),
            '_' => steps.push(Step::One),
            '\\' => steps.push(Step::Literal(characters.next().unwrap_or('\\'))),
            other => steps.push(Step::Literal(other)),
        }
    }
    let wildcards = steps
        .iter()
        .filter(|step| matches!(step, Step::Any))
        .count();
    if wildcards > PATTERN_WILDCARDS_MAX {
        return Err(StoreError::value(
            "like",
            format!("the pattern has more than {PATTERN_WILDCARDS_MAX} `%`"),
        ));
    }
    let mut spelled = String::with_capacity(text.len() + 8);
    for step in steps {
        match (backend, step) {
            (Backend::Sqlite, Step::Any) => spelled.push('*'),
            (Backend::Sqlite, Step::One) => spelled.push('?'),
            (Backend::Sqlite, Step::Literal(special @ ('*' | '?' | '['))) => {
                spelled.extend(['[', special, ']']);
            }
            (Backend::Postgres, Step::Any) => spelled.push('%'),
            (Backend::Postgres, Step::One) => spelled.push('_'),
            (Backend::Postgres, Step::Literal(special @ ('%' | '_' | '\\'))) => {
                spelled.extend(['\\', special]);
            }
            (_, Step::Literal(character)) => spelled.push(character),
        }
    }
    Ok(spelled)
}

/// The least text that is greater than all that begin with `prefix`, by code point: so a prefix
/// is a range, and an index serves it.
fn successor(prefix: &str) -> String {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            char::MAX => None,
            other => char::from_u32(u32::from(other) + 1),
        };
        if let Some(next) = next {
            characters.push(next);
            return characters.into_iter().collect();
        }
    }
    // Nothing stands behind U+10FFFF, which is no character: no text begins with two of them.
    format!("{prefix}{char_max}{char_max}", char_max = char::MAX)
}

fn mismatch(expected: &str, found: &str) -> StoreError {
    StoreError::value("operand", format!("expected {expected}, found {found}"))
}

fn column_name(column: ColumnType) -> &'static str {
    match column {
        ColumnType::Text | ColumnType::Folded | ColumnType::TextList => "a text",
        ColumnType::Integer => "an integer",
        ColumnType::Time => "a time of day",
        ColumnType::Duration => "a length of time",
        ColumnType::Decimal(_) => "a decimal",
        ColumnType::Boolean => "a boolean",
        ColumnType::Date => "a date",
        ColumnType::DateTime => "an instant",
        ColumnType::Json => "JSON",
        ColumnType::Reference => "an id",
    }
}

fn value_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Boolean(_) => "a boolean",
        Value::Integer(_) => "an integer",
        Value::Decimal(_) => "a decimal",
        Value::Text(_) => "a text",
        Value::Date(_) => "a date",
        Value::DateTime(_) => "an instant",
        Value::Reference(_) => "an id",
        Value::Choices(_) => "a list",
        _ => "a composite value",
    }
}

impl rusqlite::ToSql for Bind {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::{ToSqlOutput, ValueRef};
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null(_) => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Uuid(id) => ValueRef::Blob(id.as_bytes()),
            other => {
                return Err(rusqlite::Error::ToSqlConversionFailure(
                    format!("{other:?} has no form on SQLite").into(),
                ));
            }
        }))
    }
}

/// A date as PostgreSQL sends it.
#[derive(Debug)]
struct PostgresDate(Date);

impl ToSql for PostgresDate {
    fn to_sql(
        &self,
        _type: &Type,
        out: &mut bytes::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let days = Date::constant(2000, 1, 1)
            .until(self.0)
            .map(|span| span.get_days())?;
        days.to_sql(&Type::INT4, out)
    }

    fn accepts(_type: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// An instant as PostgreSQL sends it.
#[derive(Debug)]
struct PostgresInstant(i64);

impl ToSql for PostgresInstant {
    fn to_sql(
        &self,
        _type: &Type,
        out: &mut bytes::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        (self.0 - POSTGRES_EPOCH_MICROS).to_sql(&Type::INT8, out)
    }

    fn accepts(_type: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl ToSql for Bind {
    fn to_sql(
        &self,
        type_: &Type,
        out: &mut bytes::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null(_) => Ok(IsNull::Yes),
            Self::Boolean(value) => value.to_sql(type_, out),
            Self::Integer(value) => value.to_sql(type_, out),
            Self::Text(value) => value.to_sql(type_, out),
            Self::Uuid(value) => value.to_sql(type_, out),
            Self::Decimal(value) => value.to_sql(type_, out),
            Self::Date(value) => PostgresDate(*value).to_sql(type_, out),
            Self::Instant(value) => PostgresInstant(*value).to_sql(type_, out),
            Self::Booleans(values) => values.to_sql(type_, out),
            Self::Integers(values) => values.to_sql(type_, out),
            Self::Texts(values) => values.to_sql(type_, out),
            Self::Uuids(values) => values.to_sql(type_, out),
            Self::Decimals(values) => values.to_sql(type_, out),
            Self::Dates(values) => values
                .iter()
                .map(|date| PostgresDate(*date))
                .collect::<Vec<_>>()
                .to_sql(type_, out),
            Self::Instants(values) => values
                .iter()
                .map(|micros| PostgresInstant(*micros))
                .collect::<Vec<_>>()
                .to_sql(type_, out),
        }
    }

    // The casts in the text have settled each type.
    fn accepts(_type: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn on_sqlite(form: Form, text: &str) -> Bind {
        Conversion {
            column: ColumnType::Decimal(2),
            form,
        }
        .value(Backend::Sqlite, &Value::Decimal(text.parse().unwrap()))
        .unwrap()
    }

    #[test]
    fn a_finer_decimal_is_not_rounded_to_equality() {
        let null = Bind::Null(ColumnType::Decimal(2));
        assert_eq!(on_sqlite(Form::Exact, "1.50"), Bind::Integer(150));
        assert_eq!(on_sqlite(Form::Exact, "1.5000"), Bind::Integer(150));
        assert_eq!(on_sqlite(Form::Exact, "1.505"), null);
        assert_eq!(on_sqlite(Form::Ceiling, "1.505"), Bind::Integer(151));
        assert_eq!(on_sqlite(Form::Floor, "1.505"), Bind::Integer(150));
        assert_eq!(on_sqlite(Form::Ceiling, "-1.505"), Bind::Integer(-150));
        assert_eq!(on_sqlite(Form::Floor, "-1.505"), Bind::Integer(-151));
        assert_eq!(
            on_sqlite(Form::Exact, "1.5049999999999999999999999999"),
            null
        );
        assert_eq!(
            on_sqlite(Form::Ceiling, "1.5049999999999999999999999999"),
            Bind::Integer(151)
        );
        let huge = "7922816251426433759354395033";
        assert_eq!(on_sqlite(Form::Exact, huge), null);
        assert_eq!(on_sqlite(Form::Ceiling, huge), Bind::Integer(i64::MAX));
        assert_eq!(
            on_sqlite(Form::Floor, &format!("-{huge}")),
            Bind::Integer(i64::MIN)
        );
    }

    #[test]
    fn patterns_are_spelled_for_each_database() {
        for (given, glob, like) in [
            ("a%b_c", "a*b?c", "a%b_c"),
            ("100\\%", "100%", "100\\%"),
            ("[*?]", "[[][*][?]]", "[*?]"),
            ("%%x%%", "*x*", "%x%"),
            ("end\\", "end\\", "end\\\\"),
            ("\\\\", "\\", "\\\\"),
        ] {
            assert_eq!(pattern(Backend::Sqlite, given).unwrap(), glob);
            assert_eq!(pattern(Backend::Postgres, given).unwrap(), like);
        }
        assert!(pattern(Backend::Sqlite, &"%a".repeat(101)).is_err());
        assert!(pattern(Backend::Sqlite, &"a".repeat(8_001)).is_err());
    }

    #[test]
    fn a_prefix_ends_where_its_successor_begins() {
        for (prefix, next) in [("abc", "abd"), ("王", "玌"), ("\u{d7ff}", "\u{e000}")] {
            assert_eq!(successor(prefix), next);
        }
        assert_eq!(successor("a\u{10ffff}"), "b");
    }
}
