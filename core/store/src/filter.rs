//! What is asked of records, free of GraphQL and of SQL: conditions, order, operands.

use relata_catalog::{FieldIndex, ObjectIndex, Value, Via};
use uuid::Uuid;

use crate::read::{Parameter, ZoneTable};

/// A value that a condition compares with. Never part of the SQL text.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// Known when the read is compiled.
    Value(Value),
    /// Several values, known when the read is compiled (for `in`, `hasAny` …).
    List(Vec<Value>),
    /// The value at this position of [`crate::read::Parameters`], given at each execution.
    /// A parameter in the place of a list is a [`Parameter::List`](crate::read::Parameter::List).
    Parameter(usize),
}

/// A condition on records of one object.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All hold. Empty: always true.
    And(Vec<Filter>),
    /// At least one holds. Empty: never true.
    Or(Vec<Filter>),
    /// It does not hold. Conditions are two-valued: a comparison with an empty field is false,
    /// and its negation true.
    Not(Box<Filter>),
    /// Compares one column.
    Compare {
        /// What is compared.
        column: ColumnRef,
        /// How.
        operator: Operator,
        /// With what.
        operand: Operand,
    },
    /// Compares a part of a day or of an instant, which is a whole number.
    Calendar {
        /// A column of days, or of instants.
        column: ColumnRef,
        /// What of it is compared.
        part: CalendarPart,
        /// By whose clock, of instants. SQLite looks into it on connections that only read.
        zone: Option<Box<ZoneTable>>,
        /// How.
        operator: Operator,
        /// With what.
        operand: Operand,
    },
    /// Whether a point lies within a distance of another one.
    Near {
        /// A field of points.
        field: FieldIndex,
        /// Position of the middle on the sphere, on its three axes.
        middle: Box<[Operand; 3]>,
        /// The greatest square of the straight line from there.
        reach: Operand,
        /// The latitudes between which all of it lies, for an index.
        latitudes: Box<[Operand; 2]>,
    },
    /// Whether a column (for a composite: its first column) is empty.
    IsNull {
        /// What is looked at.
        column: ColumnRef,
        /// True for "is empty", false for "is filled".
        is_null: bool,
    },
    /// The record that a relation points at exists outside the trash and satisfies the condition.
    ToOne {
        /// A relation field of this object.
        field: FieldIndex,
        /// On the target.
        filter: Box<Filter>,
    },
    /// Records (outside the trash) of a list of this one.
    ToMany {
        /// Whose records are listed.
        object: ObjectIndex,
        /// How they are found.
        via: Via,
        /// How many of them.
        quantifier: Quantifier,
        /// Which of them.
        filter: Box<Filter>,
    },
}

impl Filter {
    /// The same condition with these values in the place of its parameters. A parameter that was
    /// not given stays: it can't be compiled then.
    #[must_use]
    pub fn filled(&self, parameters: &[Parameter]) -> Self {
        let all = |parts: &[Self]| parts.iter().map(|part| part.filled(parameters)).collect();
        match self {
            Self::And(parts) => Self::And(all(parts)),
            Self::Or(parts) => Self::Or(all(parts)),
            Self::Not(part) => Self::Not(Box::new(part.filled(parameters))),
            Self::Compare {
                column,
                operator,
                operand,
            } => Self::Compare {
                column: *column,
                operator: *operator,
                operand: operand.filled(parameters),
            },
            Self::Calendar {
                column,
                part,
                zone,
                operator,
                operand,
            } => Self::Calendar {
                column: *column,
                part: *part,
                zone: zone.as_ref().map(|zone| {
                    Box::new(ZoneTable {
                        starts: zone.starts.filled(parameters),
                        offsets: zone.offsets.filled(parameters),
                    })
                }),
                operator: *operator,
                operand: operand.filled(parameters),
            },
            Self::Near {
                field,
                middle,
                reach,
                latitudes,
            } => Self::Near {
                field: *field,
                middle: Box::new(middle.each_ref().map(|axis| axis.filled(parameters))),
                reach: reach.filled(parameters),
                latitudes: Box::new(latitudes.each_ref().map(|end| end.filled(parameters))),
            },
            Self::IsNull { .. } => self.clone(),
            Self::ToOne { field, filter } => Self::ToOne {
                field: *field,
                filter: Box::new(filter.filled(parameters)),
            },
            Self::ToMany {
                object,
                via,
                quantifier,
                filter,
            } => Self::ToMany {
                object: *object,
                via: *via,
                quantifier: *quantifier,
                filter: Box::new(filter.filled(parameters)),
            },
        }
    }

    /// Whether there is no condition in it at all: what it says of one record it says of every
    /// record, whatever the data.
    #[must_use]
    pub fn is_unconditional(&self) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().all(Self::is_unconditional),
            Self::Not(part) => part.is_unconditional(),
            Self::Compare { .. }
            | Self::Calendar { .. }
            | Self::Near { .. }
            | Self::IsNull { .. }
            | Self::ToOne { .. } => false,
            Self::ToMany {
                quantifier, filter, ..
            } => *quantifier == Quantifier::Every && filter.is_unconditional(),
        }
    }
}

impl Operand {
    fn filled(&self, parameters: &[Parameter]) -> Self {
        match self {
            Self::Parameter(position) => match parameters.get(*position) {
                Some(Parameter::Value(value)) => Self::Value(value.clone()),
                Some(Parameter::List(values)) => Self::List(values.clone()),
                Some(Parameter::Absent) | None => self.clone(),
            },
            known => known.clone(),
        }
    }
}

/// A part of a day or of an instant, as a whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CalendarPart {
    /// Of the calendar, not that of the week.
    Year,
    /// 1 to 4.
    Quarter,
    /// 1 to 12.
    Month,
    /// Of the year, by ISO 8601: 1 to 53.
    Week,
    /// By ISO 8601: 1 is Monday, 7 is Sunday.
    Weekday,
    /// Of the month: 1 to 31.
    Day,
    /// 0 to 23; of instants alone.
    Hour,
}

/// How many related records must satisfy a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantifier {
    /// At least one.
    Some,
    /// Not one.
    None,
    /// All (true when there are none).
    Every,
}

/// A column of a record's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnRef {
    /// Column `part` of [`Field::columns`](relata_catalog::Field::columns).
    Field {
        /// The field.
        field: FieldIndex,
        /// Position in its columns.
        part: usize,
    },
    /// A column that every record has.
    System(SystemColumn),
}

/// Columns that every record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SystemColumn {
    /// `id`
    Id,
    /// `_version`
    Version,
    /// `_created_at`
    CreatedAt,
    /// `_updated_at`
    UpdatedAt,
    /// `_deleted_at`
    DeletedAt,
    /// `_created_by`, an actor as `user:<uuid>`, `token:<uuid>`, `plugin:<id>` or `system`
    CreatedBy,
    /// `_updated_by`, likewise
    UpdatedBy,
    /// `_owner`, a user's id
    Owner,
}

impl SystemColumn {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Id,
        Self::Version,
        Self::CreatedAt,
        Self::UpdatedAt,
        Self::DeletedAt,
        Self::CreatedBy,
        Self::UpdatedBy,
        Self::Owner,
    ];
}

/// How a column is compared. Text operators marked *folded* compare the folded key that stands in
/// the column after the text. Less and greater of a text that has one is what its order says: by
/// the folded key, and by code points where that is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Equal.
    Eq,
    /// Not equal; an empty column is not equal to anything (two-valued).
    Ne,
    /// Equal to one of a list.
    In,
    /// Equal to none of a list.
    NotIn,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Contains the text, exactly.
    Contains,
    /// Starts with the text, exactly.
    StartsWith,
    /// Ends with the text, exactly.
    EndsWith,
    /// SQL `LIKE` with `%` and `_`, and `\` as escape, exactly.
    Like,
    /// Equal, folded. The operand is folded by the compiler, not by the caller; so are the next.
    IEq,
    /// Contains, folded.
    IContains,
    /// Starts with, folded.
    IStartsWith,
    /// Ends with, folded.
    IEndsWith,
    /// `LIKE`, folded.
    ILike,
    /// The list contains the value.
    Has,
    /// The list contains at least one of the values.
    HasAny,
    /// The list contains all of the values.
    HasAll,
}

/// One term of an order. The id is always the last term, ascending.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderTerm {
    /// Relations to follow first (each to one), outermost first.
    pub through: Vec<FieldIndex>,
    /// The column; text is ordered by its folded key.
    pub column: ColumnRef,
    /// Which way.
    pub direction: Direction,
    /// Where records without a value go.
    pub nulls: Nulls,
}

/// Which way to order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Greatest first.
    Descending,
}

/// Where records without a value go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Nulls {
    /// Before all others.
    First,
    /// After all others.
    Last,
}

/// Which records count as there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Deleted {
    /// Those outside the trash.
    #[default]
    Exclude,
    /// All.
    Include,
    /// Those in the trash.
    Only,
}

/// The id of a record, as an operand.
impl From<Uuid> for Operand {
    fn from(id: Uuid) -> Self {
        Self::Value(Value::Reference(id))
    }
}
