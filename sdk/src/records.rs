//! Records, as far as the manifest asks for them and the administrator has granted them.
//!
//! Reads see the transaction that the hook runs in. In a before hook only reads answer: further
//! writes are returned with the [`Outcome`](crate::hooks::Outcome), built by the same
//! [`create`], [`update`] and [`delete`].

use std::{fmt, ops::Deref};

pub use crate::bindings::imports::relata::plugin::records::Error;
use crate::{
    Decimal, Fields, Reference, Result, Value,
    bindings::imports::relata::plugin::{
        records::{self as wire, Condition, Direction, Operator},
        types::NamedValue,
    },
    host::{Here, Host},
};

/// Most records that one [`find`] gives.
pub const LIMIT_MAX: u32 = 1_000;

/// A struct of fields of one object: `#[derive(Fields)] #[fields(object = "member")]`.
pub trait Record: Fields {
    /// Name of the object.
    const OBJECT: &'static str;
}

/// A record that is in the database.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<T> {
    id: String,
    version: i64,
    fields: T,
}

impl<T> Stored<T> {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Counts its changes.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.version
    }

    /// Its fields, without id and version.
    #[must_use]
    pub fn into_fields(self) -> T {
        self.fields
    }
}

impl<T> Deref for Stored<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.fields
    }
}

impl<T: Record> Stored<T> {
    fn read(stored: wire::Stored) -> Result<Self> {
        let fields = T::from_values(stored.values)
            .map_err(|error| crate::Error::Failed(format!("record of `{}`: {error}", T::OBJECT)))?;
        Ok(Self {
            id: stored.id,
            version: stored.version,
            fields,
        })
    }
}

/// The record with this id, or `None` when there is none outside the trash.
///
/// # Errors
/// A failure: not granted, a limit, the database.
pub fn get<T: Record>(id: impl AsRef<str>) -> Result<Option<Stored<T>>> {
    match Here::get(T::OBJECT, id.as_ref(), &names::<T>())? {
        Some(stored) => Stored::read(stored).map(Some),
        None => Ok(None),
    }
}

/// Starts a search for records of `T`'s object.
pub fn find<T: Record>() -> Find<T> {
    Find {
        query: wire::Query {
            object: T::OBJECT.to_owned(),
            fields: names::<T>(),
            conditions: Vec::new(),
            order: Vec::new(),
            limit: LIMIT_MAX,
        },
        fields: std::marker::PhantomData,
    }
}

/// Starts adding up a numeric field (integer or decimal) of an object.
pub fn total(object: impl Into<String>, field: impl Into<String>) -> Total {
    Total {
        object: object.into(),
        field: field.into(),
        conditions: Vec::new(),
    }
}

/// Starts a new record.
pub fn create(object: impl Into<String>) -> Create {
    Create {
        object: object.into(),
        values: Vec::new(),
    }
}

/// Starts a change of the record with this id.
pub fn update(object: impl Into<String>, id: impl AsRef<str>) -> Update {
    Update {
        object: object.into(),
        id: id.as_ref().to_owned(),
        values: Vec::new(),
    }
}

/// Names a record that goes into the trash.
pub fn delete(object: impl Into<String>, id: impl AsRef<str>) -> Delete {
    Delete {
        object: object.into(),
        id: id.as_ref().to_owned(),
    }
}

fn names<T: Fields>() -> Vec<String> {
    T::NAMES.iter().map(|&name| name.to_owned()).collect()
}

/// What conditions can be put on.
pub trait Conditions: Sized {
    #[doc(hidden)]
    fn with(self, condition: Condition) -> Self;

    /// Starts a condition on a field. All conditions must hold.
    fn filter(self, field: impl Into<String>) -> FilterOn<Self> {
        FilterOn {
            on: self,
            field: field.into(),
        }
    }
}

/// A condition that still lacks its comparison.
#[derive(Debug)]
#[must_use = "name a comparison"]
pub struct FilterOn<C> {
    on: C,
    field: String,
}

impl<C: Conditions> FilterOn<C> {
    /// Equal.
    pub fn eq(self, operand: impl Into<Value>) -> C {
        self.compare(Operator::Eq, operand.into())
    }

    /// Not equal; an empty field is not equal to anything.
    pub fn ne(self, operand: impl Into<Value>) -> C {
        self.compare(Operator::Ne, operand.into())
    }

    /// Less.
    pub fn lt(self, operand: impl Into<Value>) -> C {
        self.compare(Operator::Lt, operand.into())
    }

    /// Less or equal.
    pub fn lte(self, operand: impl Into<Value>) -> C {
        self.compare(Operator::Lte, operand.into())
    }

    /// Greater.
    pub fn gt(self, operand: impl Into<Value>) -> C {
        self.compare(Operator::Gt, operand.into())
    }

    /// Greater or equal.
    pub fn gte(self, operand: impl Into<Value>) -> C {
        self.compare(Operator::Gte, operand.into())
    }

    /// Empty.
    pub fn is_null(self) -> C {
        self.compare(Operator::IsNull, Value::Null)
    }

    /// Filled.
    pub fn is_not_null(self) -> C {
        self.compare(Operator::IsNotNull, Value::Null)
    }

    fn compare(self, operator: Operator, operand: Value) -> C {
        self.on.with(Condition {
            field: self.field,
            operator,
            operand,
        })
    }
}

/// A search for records.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a search does nothing until `list` or `first`"]
pub struct Find<T> {
    query: wire::Query,
    fields: std::marker::PhantomData<T>,
}

impl<T> Conditions for Find<T> {
    fn with(mut self, condition: Condition) -> Self {
        self.query.conditions.push(condition);
        self
    }
}

impl<T: Record> Find<T> {
    /// Smallest first; after earlier orders. The id breaks ties.
    pub fn order(mut self, field: impl Into<String>) -> Self {
        self.query.order.push((field.into(), Direction::Ascending));
        self
    }

    /// Greatest first; after earlier orders. The id breaks ties.
    pub fn order_desc(mut self, field: impl Into<String>) -> Self {
        self.query.order.push((field.into(), Direction::Descending));
        self
    }

    /// At most this many, 1 to 1,000 (the default).
    pub fn limit(mut self, limit: u32) -> Self {
        self.query.limit = limit.clamp(1, LIMIT_MAX);
        self
    }

    /// The records.
    ///
    /// # Errors
    /// A failure: not granted, a limit, the database.
    pub fn list(self) -> Result<Vec<Stored<T>>> {
        Here::find(&self.query)?
            .into_iter()
            .map(Stored::read)
            .collect()
    }

    /// The first of them.
    ///
    /// # Errors
    /// A failure: not granted, a limit, the database.
    pub fn first(self) -> Result<Option<Stored<T>>> {
        Ok(self.limit(1).list()?.into_iter().next())
    }
}

/// A sum over records.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a total does nothing until `sum`, `count` or `sum_integer`"]
pub struct Total {
    object: String,
    field: String,
    conditions: Vec<Condition>,
}

impl Conditions for Total {
    fn with(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }
}

impl Total {
    /// The exact sum over the records where the field is filled; 0 when there are none.
    ///
    /// # Errors
    /// A failure: not granted, a limit, the database.
    pub fn sum(self) -> Result<Decimal> {
        let total = Here::total(&self.object, &self.field, &self.conditions)?;
        total.sum.parse().map_err(|error| {
            crate::Error::Failed(format!(
                "the sum `{}` of `{}`: {error}",
                total.sum, self.field
            ))
        })
    }

    /// The sum of an integer field.
    ///
    /// # Errors
    /// A failure, also when the sum is not a whole number of 64 bits.
    pub fn sum_integer(self) -> Result<i64> {
        let field = self.field.clone();
        self.sum()?
            .to_i64()
            .ok_or_else(|| crate::Error::Failed(format!("the sum of `{field}` is no integer")))
    }

    /// How many records there are.
    ///
    /// # Errors
    /// A failure: not granted, a limit, the database.
    pub fn count(self) -> Result<i64> {
        Ok(Here::total(&self.object, &self.field, &self.conditions)?.count)
    }
}

/// A new record.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "send it, or return it with the outcome of a before hook"]
pub struct Create {
    object: String,
    values: Vec<NamedValue>,
}

impl Create {
    /// Gives a field its value.
    pub fn set(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.values.push(NamedValue {
            name: field.into(),
            value: value.into(),
        });
        self
    }

    /// Creates it now, outside before hooks, and gives its id.
    ///
    /// # Errors
    /// A rejection by validation or another plugin, or a failure.
    pub fn send(self) -> Result<Reference> {
        Ok(Here::create(&self.object, &self.values).map(Reference::new)?)
    }

    pub(crate) fn into_parts(self) -> (String, Vec<NamedValue>) {
        (self.object, self.values)
    }
}

/// A change of a record.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "send it, or return it with the outcome of a before hook"]
pub struct Update {
    object: String,
    id: String,
    values: Vec<NamedValue>,
}

impl Update {
    /// Gives a field another value.
    pub fn set(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.values.push(NamedValue {
            name: field.into(),
            value: value.into(),
        });
        self
    }

    /// Changes it now, outside before hooks.
    ///
    /// # Errors
    /// A rejection by validation or another plugin, or a failure.
    pub fn send(self) -> Result<()> {
        Ok(Here::update(&self.object, &self.id, &self.values)?)
    }

    pub(crate) fn into_parts(self) -> (String, String, Vec<NamedValue>) {
        (self.object, self.id, self.values)
    }
}

/// A record that goes into the trash.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "send it, or return it with the outcome of a before hook"]
pub struct Delete {
    object: String,
    id: String,
}

impl Delete {
    /// Deletes it now, outside before hooks.
    ///
    /// # Errors
    /// A rejection (it is referred to, another plugin refuses), or a failure.
    pub fn send(self) -> Result<()> {
        Ok(Here::delete(&self.object, &self.id)?)
    }

    pub(crate) fn into_parts(self) -> (String, String) {
        (self.object, self.id)
    }
}

/// What validation refused is for the person who started it all; everything else is a failure.
impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(issues) => Self::Rejected(issues),
            other => Self::Failed(Explained(&other).to_string()),
        }
    }
}

/// The host's error as a person reads it in the log.
struct Explained<'a>(&'a Error);

impl fmt::Display for Explained<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, detail) = match self.0 {
            Error::NotFound(detail) => ("not found", detail.as_str()),
            Error::Denied(detail) => ("denied", detail.as_str()),
            Error::Invalid(_) => ("invalid", ""),
            Error::Limit(detail) => ("limit reached", detail.as_str()),
            Error::Unavailable(detail) => ("unavailable", detail.as_str()),
        };
        write!(formatter, "records: {what}: {detail}")
    }
}
