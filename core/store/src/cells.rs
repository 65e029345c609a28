//! Values ↔ cells: how a field's value stands in its columns, on each database.
//!
//! | column | `PostgreSQL` | `SQLite` |
//! | --- | --- | --- |
//! | text, folded | TEXT COLLATE "C" | TEXT |
//! | integer | BIGINT | INTEGER |
//! | decimal | NUMERIC(18, s) | INTEGER, scaled by 10^s |
//! | boolean | BOOLEAN | INTEGER |
//! | date | DATE | TEXT `YYYY-MM-DD` |
//! | time, duration | BIGINT, microseconds | INTEGER, microseconds |
//! | date-time | TIMESTAMPTZ | INTEGER, microseconds |
//! | JSON | JSON, written from and read as text, so that it keeps its bytes | TEXT |
//! | list of texts | TEXT[] | TEXT, a JSON array |
//! | reference | UUID | BLOB of 16 bytes |
//!
//! Invariant: what is written is what is read (a property test, `tests/round_trip.rs`). A folded
//! key is computed here from the text before it, never taken from a caller.

use chrono::{DateTime, NaiveDate, Utc};
use jiff::civil::Date;
use relata_catalog::{
    Address, Column, ColumnType, DEGREE_SCALE, Emails, Field, File, FullName, GeoPoint, Key, Kind,
    Money, NameOrder, Phone, Phones, StageValue, Value, folded,
};
use rust_decimal::Decimal;
use sea_orm::QueryResult;
use sea_orm::sea_query::{ArrayType, Expr, ExprTrait as _, SimpleExpr, Value as SqlValue};
use uuid::Uuid;

use crate::database::Backend;
use crate::error::StoreError;

/// One cell, before it is spelled for a database.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Null,
    Text(String),
    Integer(i64),
    Decimal(Decimal),
    Boolean(bool),
    Date(Date),
    DateTime(i64),
    Texts(Vec<String>),
    Reference(Uuid),
}

impl Cell {
    fn text(text: Option<&String>) -> Self {
        text.map_or(Self::Null, |text| Self::Text(text.clone()))
    }

    fn folded(text: Option<&String>) -> Self {
        text.map_or(Self::Null, |text| Self::Text(folded(text)))
    }
}

/// What to write into each of the field's columns, in their order.
///
/// # Errors
/// [`StoreError::Value`] when the value is not of the field's kind.
pub(crate) fn written(
    backend: Backend,
    field: &Field,
    value: &Value,
) -> Result<Vec<SimpleExpr>, StoreError> {
    let columns = field.stored_columns();
    let mut values = Vec::with_capacity(columns.len());
    write_values(backend, field, &columns, value, &mut values)?;
    Ok(columns
        .iter()
        .zip(values)
        .map(|(column, value)| {
            if backend == Backend::Postgres && column.column_type == ColumnType::Json {
                Expr::val(value).cast_as("json")
            } else {
                Expr::val(value)
            }
        })
        .collect())
}

/// The same as parameters, with the field's columns at hand.
pub(crate) fn write_values(
    backend: Backend,
    field: &Field,
    columns: &[Column],
    value: &Value,
    into: &mut Vec<SqlValue>,
) -> Result<(), StoreError> {
    let cells = match value {
        Value::Null => vec![Cell::Null; columns.len()],
        value => cells_of(field, value)?,
    };
    for (column, cell) in columns.iter().zip(cells) {
        into.push(bound(backend, column, cell)?);
    }
    Ok(())
}

/// The cells of a filled value.
pub(crate) fn cells_of(field: &Field, value: &Value) -> Result<Vec<Cell>, StoreError> {
    Ok(match (field.shown(), value) {
        (
            Kind::Text { .. }
            | Kind::LongText { .. }
            | Kind::RichText { .. }
            | Kind::Email
            | Kind::Url,
            Value::Text(text),
        ) => vec![Cell::Text(text.clone()), Cell::Text(folded(text))],
        (Kind::Select { .. }, Value::Text(text)) => vec![Cell::Text(text.clone())],
        (
            Kind::Integer { .. }
            | Kind::Rating { .. }
            | Kind::Autonumber { .. }
            | Kind::Time
            | Kind::Duration,
            Value::Integer(integer),
        ) => vec![Cell::Integer(*integer)],
        (Kind::Decimal { .. } | Kind::Percent { .. }, Value::Decimal(decimal)) => {
            vec![Cell::Decimal(*decimal)]
        }
        (Kind::Money { .. }, Value::Money(money)) => vec![
            Cell::Decimal(money.amount),
            Cell::Text(money.currency.clone()),
        ],
        (Kind::Boolean, Value::Boolean(boolean)) => vec![Cell::Boolean(*boolean)],
        (Kind::Date, Value::Date(date)) => vec![Cell::Date(*date)],
        (Kind::DateTime, Value::DateTime(micros)) => vec![Cell::DateTime(*micros)],
        (Kind::MultiSelect { .. } | Kind::Texts | Kind::Tags, Value::Choices(choices)) => {
            vec![Cell::Texts(choices.clone())]
        }
        (Kind::Json { .. }, Value::Json(json)) => vec![Cell::Text(json.to_string())],
        (Kind::Phone, Value::Phone(phone)) => vec![
            Cell::text(phone.e164.as_ref()),
            Cell::Text(phone.typed.clone()),
        ],
        (Kind::FullName, Value::FullName(name)) => vec![
            Cell::Text(name.full.clone()),
            Cell::Text(folded(&name.full)),
            Cell::text(name.given.as_ref()),
            Cell::text(name.family.as_ref()),
            Cell::Text(order_text(name.order).to_owned()),
        ],
        (Kind::Emails, Value::Emails(emails)) => vec![
            Cell::Text(emails.primary.clone()),
            Cell::Text(folded(&emails.primary)),
            Cell::Texts(emails.additional.clone()),
        ],
        (Kind::Phones, Value::Phones(phones)) => vec![
            Cell::text(phones.primary.e164.as_ref()),
            Cell::Text(phones.primary.typed.clone()),
            Cell::Text(json_text(&phones.additional)),
        ],
        (Kind::Address, Value::Address(address)) => vec![
            Cell::text(address.street.as_ref()),
            Cell::text(address.city.as_ref()),
            Cell::folded(address.city.as_ref()),
            Cell::text(address.region.as_ref()),
            Cell::text(address.postal_code.as_ref()),
            Cell::text(address.country.as_ref()),
        ],
        (Kind::GeoPoint, Value::GeoPoint(point)) => {
            let [x, y, z] = point.position();
            vec![
                Cell::Decimal(point.latitude),
                Cell::Decimal(point.longitude),
                Cell::Integer(x),
                Cell::Integer(y),
                Cell::Integer(z),
            ]
        }
        (Kind::File { .. }, Value::File(file)) => vec![
            Cell::Reference(file.id),
            Cell::Text(file.name.clone()),
            Cell::Text(folded(&file.name)),
            Cell::Text(file.content_type.clone()),
            Cell::Integer(file.size),
            Cell::Text(file.sha256.clone()),
        ],
        (Kind::Relation(_) | Kind::Uuid | Kind::User, Value::Reference(id)) => {
            vec![Cell::Reference(*id)]
        }
        (Kind::Stage, Value::Stage(stage)) => vec![
            Cell::Text(stage.pipeline.as_str().to_owned()),
            Cell::Text(stage.stage.clone()),
            Cell::DateTime(stage.entered_at),
        ],
        (kind, _) => {
            return Err(StoreError::value(
                &field.column,
                format!("a value that no {} field holds", kind.name()),
            ));
        }
    })
}

fn bound(backend: Backend, column: &Column, cell: Cell) -> Result<SqlValue, StoreError> {
    let wrong = || StoreError::value(&column.name, "a value of another type");
    let sqlite = backend == Backend::Sqlite;
    Ok(match column.column_type {
        ColumnType::Text | ColumnType::Folded | ColumnType::Json => match cell {
            Cell::Null => SqlValue::String(None),
            Cell::Text(text) => text.into(),
            _ => return Err(wrong()),
        },
        ColumnType::Integer | ColumnType::Time | ColumnType::Duration => match cell {
            Cell::Null => SqlValue::BigInt(None),
            Cell::Integer(integer) => integer.into(),
            _ => return Err(wrong()),
        },
        ColumnType::Decimal(scale) => match cell {
            Cell::Null if sqlite => SqlValue::BigInt(None),
            Cell::Null => SqlValue::Decimal(None),
            Cell::Decimal(decimal) if sqlite => scaled(decimal, scale)
                .ok_or_else(|| StoreError::value(&column.name, "more than 18 digits"))?
                .into(),
            Cell::Decimal(decimal) => SqlValue::Decimal(Some(decimal)),
            _ => return Err(wrong()),
        },
        ColumnType::Boolean => match cell {
            Cell::Null => SqlValue::Bool(None),
            Cell::Boolean(boolean) => boolean.into(),
            _ => return Err(wrong()),
        },
        ColumnType::Date => match cell {
            Cell::Null if sqlite => SqlValue::String(None),
            Cell::Null => SqlValue::ChronoDate(None),
            Cell::Date(date) if sqlite => date.to_string().into(),
            Cell::Date(date) => SqlValue::ChronoDate(Some(
                chrono_date(date).ok_or_else(|| StoreError::value(&column.name, "no such day"))?,
            )),
            _ => return Err(wrong()),
        },
        ColumnType::DateTime => match cell {
            Cell::Null if sqlite => SqlValue::BigInt(None),
            Cell::Null => SqlValue::ChronoDateTimeUtc(None),
            Cell::DateTime(micros) if sqlite => micros.into(),
            Cell::DateTime(micros) => SqlValue::ChronoDateTimeUtc(Some(
                instant(micros)
                    .ok_or_else(|| StoreError::value(&column.name, "an instant out of range"))?,
            )),
            _ => return Err(wrong()),
        },
        ColumnType::TextList => match cell {
            Cell::Null if sqlite => SqlValue::String(None),
            Cell::Null => SqlValue::Array(ArrayType::String, None),
            Cell::Texts(texts) if sqlite => json_text(&texts).into(),
            Cell::Texts(texts) => SqlValue::Array(
                ArrayType::String,
                Some(Box::new(texts.into_iter().map(SqlValue::from).collect())),
            ),
            _ => return Err(wrong()),
        },
        ColumnType::Reference => match cell {
            Cell::Null => SqlValue::Uuid(None),
            Cell::Reference(id) => id.into(),
            _ => return Err(wrong()),
        },
    })
}

/// Reads a row from left to right.
pub(crate) struct Row<'a> {
    row: &'a QueryResult,
    backend: Backend,
    next: usize,
}

impl<'a> Row<'a> {
    pub(crate) fn new(row: &'a QueryResult, backend: Backend) -> Self {
        Self {
            row,
            backend,
            next: 0,
        }
    }

    /// The next cell.
    pub(crate) fn take<T: sea_orm::TryGetable>(&mut self) -> Result<T, StoreError> {
        let position = self.next;
        self.next += 1;
        self.row
            .try_get_by_index(position)
            .map_err(StoreError::from)
    }

    /// The next cell, an instant.
    pub(crate) fn take_instant(&mut self) -> Result<Option<i64>, StoreError> {
        Ok(match self.backend {
            Backend::Sqlite => self.take::<Option<i64>>()?,
            Backend::Postgres => self
                .take::<Option<DateTime<Utc>>>()?
                .map(|instant| instant.timestamp_micros()),
        })
    }

    fn take_decimal(&mut self, scale: u32) -> Result<Option<Decimal>, StoreError> {
        Ok(match self.backend {
            Backend::Sqlite => self
                .take::<Option<i64>>()?
                .map(|scaled| Decimal::new(scaled, scale)),
            Backend::Postgres => self.take::<Option<Decimal>>()?.map(|mut decimal| {
                decimal.rescale(scale);
                decimal
            }),
        })
    }

    fn take_date(&mut self, column: &str) -> Result<Option<Date>, StoreError> {
        match self.backend {
            Backend::Sqlite => self
                .take::<Option<String>>()?
                .map(|text| {
                    text.parse()
                        .map_err(|error| StoreError::value(column, format!("{error}")))
                })
                .transpose(),
            Backend::Postgres => self
                .take::<Option<NaiveDate>>()?
                .map(|date| jiff_date(date).ok_or_else(|| StoreError::value(column, "no such day")))
                .transpose(),
        }
    }

    fn take_texts(&mut self, column: &str) -> Result<Option<Vec<String>>, StoreError> {
        match self.backend {
            Backend::Sqlite => self
                .take::<Option<String>>()?
                .map(|text| parsed(column, &text))
                .transpose(),
            Backend::Postgres => self.take::<Option<Vec<String>>>(),
        }
    }

    /// The value of a field from the next cells, which are its columns in order.
    pub(crate) fn take_value(&mut self, field: &Field) -> Result<Value, StoreError> {
        let column = &field.column;
        if !field.kind.is_stored() {
            // It has no cells: whoever wants it has it worked out.
            return Ok(Value::Null);
        }
        let value = match field.shown() {
            // Nothing shows as one of these.
            Kind::Formula(_) | Kind::Rollup(_) => None,
            Kind::Text { .. }
            | Kind::LongText { .. }
            | Kind::RichText { .. }
            | Kind::Email
            | Kind::Url => {
                let text = self.take::<Option<String>>()?;
                self.skip();
                text.map(Value::Text)
            }
            Kind::Select { .. } => self.take::<Option<String>>()?.map(Value::Text),
            Kind::Integer { .. }
            | Kind::Rating { .. }
            | Kind::Autonumber { .. }
            | Kind::Time
            | Kind::Duration => self.take::<Option<i64>>()?.map(Value::Integer),
            Kind::Decimal { scale, .. } | Kind::Percent { scale, .. } => {
                self.take_decimal(*scale)?.map(Value::Decimal)
            }
            Kind::Money { scale, .. } => {
                let amount = self.take_decimal(*scale)?;
                let currency = self.take::<Option<String>>()?;
                amount
                    .zip(currency)
                    .map(|(amount, currency)| Value::Money(Money { amount, currency }))
            }
            Kind::Boolean => self.take::<Option<bool>>()?.map(Value::Boolean),
            Kind::Date => self.take_date(column)?.map(Value::Date),
            Kind::DateTime => self.take_instant()?.map(Value::DateTime),
            Kind::MultiSelect { .. } | Kind::Texts | Kind::Tags => {
                self.take_texts(column)?.map(Value::Choices)
            }
            Kind::Json { .. } => self
                .take::<Option<String>>()?
                .map(|text| parsed(column, &text).map(Value::Json))
                .transpose()?,
            Kind::Phone => self.take_phone()?.map(Value::Phone),
            Kind::FullName => self.take_full_name()?.map(Value::FullName),
            Kind::Emails => {
                let primary = self.take::<Option<String>>()?;
                self.skip();
                let additional = self.take_texts(column)?.unwrap_or_default();
                primary.map(|primary| {
                    Value::Emails(Emails {
                        primary,
                        additional,
                    })
                })
            }
            Kind::Phones => {
                let primary = self.take_phone()?;
                let additional = self
                    .take::<Option<String>>()?
                    .map(|text| parsed(column, &text))
                    .transpose()?
                    .unwrap_or_default();
                primary.map(|primary| {
                    Value::Phones(Phones {
                        primary,
                        additional,
                    })
                })
            }
            Kind::Address => self.take_address()?.map(Value::Address),
            Kind::GeoPoint => {
                let latitude = self.take_decimal(DEGREE_SCALE)?;
                let longitude = self.take_decimal(DEGREE_SCALE)?;
                (0..3).for_each(|_| self.skip());
                latitude.zip(longitude).map(|(latitude, longitude)| {
                    Value::GeoPoint(GeoPoint {
                        latitude,
                        longitude,
                    })
                })
            }
            Kind::File { .. } => self.take_file()?.map(Value::File),
            Kind::Relation(_) | Kind::Uuid | Kind::User => {
                self.take::<Option<Uuid>>()?.map(Value::Reference)
            }
            Kind::Stage => {
                let pipeline = self.take::<Option<String>>()?;
                let stage = self.take::<Option<String>>()?;
                let entered_at = self.take_instant()?;
                match (pipeline, stage, entered_at) {
                    (Some(pipeline), Some(stage), Some(entered_at)) => {
                        Some(Value::Stage(StageValue {
                            pipeline: key(column, &pipeline)?,
                            stage,
                            entered_at,
                        }))
                    }
                    _ => None,
                }
            }
        };
        Ok(value.unwrap_or(Value::Null))
    }

    /// Folded keys are written, never read.
    fn skip(&mut self) {
        self.next += 1;
    }

    fn take_phone(&mut self) -> Result<Option<Phone>, StoreError> {
        let e164 = self.take()?;
        let typed = self.take::<Option<String>>()?;
        Ok(typed.map(|typed| Phone { e164, typed }))
    }

    fn take_full_name(&mut self) -> Result<Option<FullName>, StoreError> {
        let full = self.take::<Option<String>>()?;
        self.skip();
        let given = self.take()?;
        let family = self.take()?;
        let order = match self.take::<Option<String>>()?.as_deref() {
            Some("FAMILY_FIRST") => NameOrder::FamilyFirst,
            _ => NameOrder::GivenFirst,
        };
        Ok(full.map(|full| FullName {
            full,
            given,
            family,
            order,
        }))
    }

    fn take_file(&mut self) -> Result<Option<File>, StoreError> {
        let id = self.take::<Option<Uuid>>()?;
        let name = self.take::<Option<String>>()?;
        self.skip();
        let content_type = self.take::<Option<String>>()?;
        let size = self.take::<Option<i64>>()?;
        let sha256 = self.take::<Option<String>>()?;
        Ok(id.map(|id| File {
            id,
            name: name.unwrap_or_default(),
            content_type: content_type.unwrap_or_default(),
            size: size.unwrap_or_default(),
            sha256: sha256.unwrap_or_default(),
        }))
    }

    fn take_address(&mut self) -> Result<Option<Address>, StoreError> {
        let street = self.take()?;
        let city = self.take()?;
        self.skip();
        let address = Address {
            street,
            city,
            region: self.take()?,
            postal_code: self.take()?,
            country: self.take()?,
        };
        Ok((address != Address::default()).then_some(address))
    }
}

/// How a column is read: JSON as text, so that it keeps its bytes.
pub(crate) fn selected(backend: Backend, column: &Column) -> String {
    let name = quoted(&column.name);
    if backend == Backend::Postgres && column.column_type == ColumnType::Json {
        format!("{name}::text")
    } else {
        name
    }
}

/// A name as SQL takes it, whatever is in it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The decimal as a count of its smallest unit; none beyond 64 bits or when digits would be lost.
pub(crate) fn scaled(decimal: Decimal, scale: u32) -> Option<i64> {
    let mut rescaled = decimal;
    rescaled.rescale(scale);
    (rescaled == decimal)
        .then(|| i64::try_from(rescaled.mantissa()).ok())
        .flatten()
}

/// A system instant as a parameter.
pub(crate) fn instant_parameter(backend: Backend, micros: Option<i64>) -> SqlValue {
    match backend {
        Backend::Sqlite => SqlValue::BigInt(micros),
        Backend::Postgres => SqlValue::ChronoDateTimeUtc(micros.and_then(instant)),
    }
}

pub(crate) fn instant(micros: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
}

pub(crate) fn chrono_date(date: Date) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(
        i32::from(date.year()),
        u32::try_from(date.month()).ok()?,
        u32::try_from(date.day()).ok()?,
    )
}

fn jiff_date(date: NaiveDate) -> Option<Date> {
    use chrono::Datelike as _;
    Date::new(
        i16::try_from(date.year()).ok()?,
        i8::try_from(date.month()).ok()?,
        i8::try_from(date.day()).ok()?,
    )
    .ok()
}

fn order_text(order: NameOrder) -> &'static str {
    match order {
        NameOrder::GivenFirst => "GIVEN_FIRST",
        NameOrder::FamilyFirst => "FAMILY_FIRST",
    }
}

fn key(column: &str, text: &str) -> Result<Key, StoreError> {
    text.split_once('/')
        .map(|(owner, local)| Key::new(owner, local))
        .ok_or_else(|| StoreError::value(column, "not the key of a pipeline"))
}

pub(crate) fn json_text<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("lists of texts and of phones are JSON")
}

fn parsed<T: serde::de::DeserializeOwned>(column: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::value(column, error.to_string()))
}
