//! Records of a connection, parted by what they have in common.

use relata_catalog::{FieldIndex, Key};

use super::{
    ActorMembers, AggregateMember, LogConnectionMember, Measure, Member, Page, StageMember,
};
use crate::filter::{ColumnRef, Direction, Nulls, Operand, Operator};

/// Groups of a connection.
#[derive(Debug, Clone)]
pub struct Groups {
    /// By what; at least one.
    pub by: Vec<GroupKey>,
    /// Which groups.
    pub having: Having,
    /// In which order; ends with all keys without being told.
    pub order: Vec<GroupOrder>,
    /// Which part of them: `first` and `after`.
    pub page: Page,
    /// The reader's zone, where instants are grouped by.
    pub zone: Option<ZoneTable>,
    /// What each group's `where` begins with, beside its keys.
    pub origin: GroupOrigin,
    /// What is written.
    pub members: Vec<LogConnectionMember<GroupMember>>,
}

/// Which records are grouped, as a client would say it.
#[derive(Debug, Clone, Default)]
pub struct GroupOrigin {
    /// The connection's filter as it was given: JSON.
    pub filter: Option<Operand>,
    /// Inside a record: the names by which a condition finds it back, outermost first: those of a
    /// relation to one, or of a list and `some`.
    pub back: Vec<String>,
}

/// Since when which offset holds in a zone: parameters that are lists.
#[derive(Debug, Clone, PartialEq)]
pub struct ZoneTable {
    /// Instants, ascending.
    pub starts: Operand,
    /// Whole numbers, seconds east of Greenwich: before the first start, and from each of them on.
    pub offsets: Operand,
}

/// What records of a group have in common.
#[derive(Debug, Clone)]
pub struct GroupKey {
    /// Relations to follow first (each to one), outermost first.
    pub through: Vec<FieldIndex>,
    /// What is compared.
    pub by: GroupBy,
    /// Names of the relations, the field and its part, as the client's filter has them.
    pub path: Vec<String>,
}

/// What of a record is compared with others'.
#[derive(Debug, Clone)]
pub enum GroupBy {
    /// The value of a column, as it is.
    Column(ColumnRef),
    /// The length of time that a day or an instant is in.
    Span {
        /// The column.
        column: ColumnRef,
        /// How long. Days are in no hour.
        span: Span,
    },
    /// Each option of a field with several: a record is in the group of each that it has.
    Option(FieldIndex),
    /// Pipeline and stage.
    Stage {
        /// The field.
        field: FieldIndex,
        /// Pipeline's key, stage's key, and the JSON text of the condition that finds them.
        conditions: Vec<(Key, String, String)>,
    },
}

/// A length of time of the calendar. Weeks begin on Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Span {
    /// An hour of the clock on the wall; one that is set back is there twice.
    Hour,
    /// A day.
    Day,
    /// Seven of them.
    Week,
    /// A month.
    Month,
    /// Three months, from January.
    Quarter,
    /// A year.
    Year,
}

/// A measure of a group that is compared or ordered by.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupMeasure {
    /// How many records.
    Records,
    /// A measure of a column; of the amounts of money only how many there are.
    Column(ColumnRef, Measure),
    /// A measure of the amounts in one currency.
    Money {
        /// The field.
        field: FieldIndex,
        /// The currency's code.
        currency: Operand,
        /// What is measured.
        measure: Measure,
    },
}

/// A condition on groups.
#[derive(Debug, Clone)]
pub enum Having {
    /// All hold. Empty: always true.
    And(Vec<Having>),
    /// At least one holds.
    Or(Vec<Having>),
    /// It does not hold.
    Not(Box<Having>),
    /// Compares a measure: means and medians as they are written, rounded.
    Compare {
        /// What is compared.
        measure: GroupMeasure,
        /// How: an order or equality.
        operator: Operator,
        /// With what.
        operand: Operand,
    },
    /// Whether nothing of it is filled.
    IsNull {
        /// What is looked at.
        measure: GroupMeasure,
        /// True for "is empty".
        is_null: bool,
    },
}

/// A term of an order of groups.
#[derive(Debug, Clone)]
pub struct GroupOrder {
    /// By what.
    pub by: GroupOrderBy,
    /// Which way.
    pub direction: Direction,
    /// Where groups without a value go.
    pub nulls: Nulls,
}

/// What groups are ordered by.
#[derive(Debug, Clone)]
pub enum GroupOrderBy {
    /// The key at this position.
    Key(usize),
    /// A measure: means and medians as they are written, rounded.
    Measure(GroupMeasure),
}

/// A member of a group.
#[derive(Debug, Clone)]
pub enum GroupMember {
    /// `key`
    Key {
        /// Response key.
        key: String,
        /// What is written of it.
        members: Vec<KeyMember>,
    },
    /// `aggregate`
    Aggregate {
        /// Response key.
        key: String,
        /// What is measured.
        members: Vec<AggregateMember>,
    },
    /// `where`: the condition that finds the group's records.
    Where {
        /// Response key.
        key: String,
    },
    /// JSON that is known beforehand.
    Literal {
        /// Response key.
        key: String,
        /// JSON text.
        json: String,
    },
}

/// A member of a group's key. Positions are those of [`Groups::by`].
#[derive(Debug, Clone)]
pub enum KeyMember {
    /// The value of a key; of a length of time its beginning.
    Value {
        /// Response key.
        key: String,
        /// Which key.
        position: usize,
    },
    /// A stage, by members that depend on the stage alone.
    Stage {
        /// Response key.
        key: String,
        /// Which key.
        position: usize,
        /// What is written of it: `ByStage` and `Literal`.
        members: Vec<StageMember>,
    },
    /// Whose records they are.
    Owner {
        /// Response key.
        key: String,
        /// Which key.
        position: usize,
        /// What is written of them, by what they are.
        members: ActorMembers,
    },
    /// The record whose id is a key.
    Node {
        /// Response key.
        key: String,
        /// Which key.
        position: usize,
        /// What is written of the record.
        members: Vec<Member>,
    },
    /// Keys of a related record, or of parts of a field.
    Object {
        /// Response key.
        key: String,
        /// Its members.
        members: Vec<KeyMember>,
    },
    /// JSON that is known beforehand.
    Literal {
        /// Response key.
        key: String,
        /// JSON text.
        json: String,
    },
}
