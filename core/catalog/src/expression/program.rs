//! The typed tree that an expression becomes.

use jiff::civil::Date;
use uuid::Uuid;

use crate::Key;

use super::Datum;

/// What an expression gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// Always empty: the literal `null`.
    Null,
    /// True or false.
    Boolean,
    /// Whole number.
    Integer,
    /// Decimal with this many digits behind the point, 0 to 9.
    Decimal(u32),
    /// Text.
    Text,
    /// Calendar day.
    Date,
    /// Instant.
    Instant,
    /// Length of time, in microseconds.
    Duration,
    /// Id of a record or of a user.
    Reference,
    /// List of texts.
    Choices,
    /// Amount with this many digits behind the point, and its currency. Two parts.
    Money(u32),
}

impl Type {
    /// Name for a person.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Integer => "an integer",
            Self::Decimal(_) => "a decimal",
            Self::Text => "a text",
            Self::Date => "a date",
            Self::Instant => "a timestamp",
            Self::Duration => "a duration",
            Self::Reference => "a reference",
            Self::Choices => "a list of texts",
            Self::Money(_) => "money",
        }
    }

    /// Digits behind the point of what is kept as a whole number of its last digit.
    #[must_use]
    pub fn scale(self) -> u32 {
        match self {
            Self::Decimal(scale) | Self::Money(scale) => scale,
            _ => 0,
        }
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Decimal(_))
    }
}

/// What an expression means.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// What it gives.
    pub of: Type,
    /// The value; of money the amount and then the currency.
    pub parts: Vec<Node>,
}

/// An operation and the type of what it gives, which is never money.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it gives.
    pub of: Type,
    /// How.
    pub op: Op,
}

/// How a value comes about. Numbers are whole numbers of the last digit of their type's scale.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Always the same.
    Literal(Datum),
    /// A column of the record, or of one that it points at.
    Read(Path),
    /// What comes with the request.
    Variable(Variable),
    /// Of three values: the opposite; empty of what is empty.
    Not(Box<Node>),
    /// Of three values: false if any is, else empty if any is.
    And(Vec<Node>),
    /// Of three values: true if any is, else empty if any is.
    Or(Vec<Node>),
    /// Equal, where empty equals empty; never empty itself. Numbers compare by value.
    Same(Box<Node>, Box<Node>),
    /// The first is less than the second; or, with `true`, not greater. Empty if one is.
    Less(Box<Node>, Box<Node>, bool),
    /// The second where the first is true, the third where it is false, else empty.
    If(Box<Node>, Box<Node>, Box<Node>),
    /// A function of its arguments: empty if one of them is.
    Call(Function, Vec<Node>),
}

/// What is made of arguments that are all there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// Sum, at the greater scale. Also of durations.
    Add,
    /// Difference, at the greater scale. Also of durations.
    Subtract,
    /// Product, at the sum of the scales or 9.
    Multiply,
    /// Quotient at the scale of the result, rounded. Empty if the divisor is 0.
    Divide,
    /// Whole quotient, towards zero. Empty if the divisor is 0.
    Quotient,
    /// What [`Function::Quotient`] leaves, with the sign of the dividend.
    Remainder,
    /// A number at the scale of the result, rounded half away from zero.
    Round,
    /// A number without what is behind the point.
    Truncate,
    /// A whole number within ±(2^53 − 1): what a field can give.
    Safe,
    /// The greatest of several.
    Greatest,
    /// The least of several.
    Least,
    /// A number in digits; a day as ISO 8601.
    Text,
    /// Both texts, one behind the other.
    Concat,
    /// Characters of a text.
    TextSize,
    /// Elements of a list.
    ListSize,
    /// Whether the second text stands in the first.
    Contains,
    /// Whether the first text begins with the second.
    StartsWith,
    /// Whether the first text ends with the second.
    EndsWith,
    /// Whether the first list has the second, a text.
    Has,
    /// A–Z in small letters.
    LowerAscii,
    /// a–z in capitals.
    UpperAscii,
    /// Without spaces, tabs and line breaks at both ends.
    Trim,
    /// Days between two days.
    DaysBetween,
    /// A day some days later.
    AddDays,
    /// The time between two instants.
    TimeBetween,
    /// An instant some time later.
    AddTime,
    /// A part of a day, or of an instant in UTC.
    Calendar(CalendarPart),
    /// The day of an instant in UTC.
    DateOf,
}

/// A part of a day or of an instant, counted as CEL does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CalendarPart {
    /// `getFullYear()`
    Year,
    /// `getMonth()`, from 0.
    Month,
    /// `getDate()`, from 1.
    Day,
    /// `getDayOfWeek()`, from 0, Sunday.
    Weekday,
    /// `getHours()`; of instants alone.
    Hour,
}

impl CalendarPart {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Year,
        Self::Month,
        Self::Day,
        Self::Weekday,
        Self::Hour,
    ];

    /// This part of a day, or of an instant at that hour.
    #[must_use]
    pub fn of(self, date: Date, hour: i64) -> i64 {
        match self {
            Self::Year => i64::from(date.year()),
            Self::Month => i64::from(date.month()) - 1,
            Self::Day => i64::from(date.day()),
            Self::Weekday => i64::from(date.weekday().to_sunday_zero_offset()),
            Self::Hour => hour,
        }
    }
}

/// What comes with the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Variable {
    /// `now`
    Now,
    /// `today`, by the reader's clock.
    Today,
    /// `user.id`; empty where nobody in person asks.
    User,
}

/// Which record an expression reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Root {
    /// `record`: as it is, or as it would be.
    Record,
    /// `old`: as it was before the write; every field of it is empty when it is created.
    Old,
}

/// A column, reached from a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path {
    /// From which.
    pub root: Root,
    /// Relations to follow, by their keys, outermost first. A target in the trash is none.
    pub through: Vec<Key>,
    /// What is read there.
    pub column: PathColumn,
}

/// What is read of a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PathColumn {
    /// Position `part` of [`Field::columns`](crate::Field::columns).
    Field {
        /// The field.
        field: Key,
        /// Position in its columns.
        part: usize,
    },
    /// What every record has.
    System(SystemField),
}

/// What every record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SystemField {
    /// `id`
    Id,
    /// `version`
    Version,
    /// `createdAt`
    CreatedAt,
    /// `updatedAt`
    UpdatedAt,
    /// `owner`: the user's id
    Owner,
}

impl Node {
    pub(super) fn new(of: Type, op: Op) -> Self {
        Self { of, op }
    }

    pub(super) fn literal(of: Type, datum: Datum) -> Self {
        Self::new(of, Op::Literal(datum))
    }

    pub(super) fn null() -> Self {
        Self::literal(Type::Null, Datum::Null)
    }

    pub(super) fn reference(id: Uuid) -> Self {
        Self::literal(Type::Reference, Datum::Reference(id))
    }

    pub(super) fn call(of: Type, function: Function, arguments: Vec<Self>) -> Self {
        Self::new(of, Op::Call(function, arguments))
    }

    pub(super) fn same(left: Self, right: Self) -> Self {
        Self::new(Type::Boolean, Op::Same(Box::new(left), Box::new(right)))
    }

    pub(super) fn negated(self) -> Self {
        Self::new(Type::Boolean, Op::Not(Box::new(self)))
    }

    pub(super) fn choice(condition: Self, then: Self, otherwise: Self) -> Self {
        let of = if then.of == Type::Null {
            otherwise.of
        } else {
            then.of
        };
        Self::new(
            of,
            Op::If(Box::new(condition), Box::new(then), Box::new(otherwise)),
        )
    }

    /// The nodes directly inside.
    #[must_use]
    pub fn inside(&self) -> Vec<&Self> {
        match &self.op {
            Op::Literal(_) | Op::Read(_) | Op::Variable(_) => Vec::new(),
            Op::Not(part) => vec![part],
            Op::And(parts) | Op::Or(parts) | Op::Call(_, parts) => parts.iter().collect(),
            Op::Same(left, right) | Op::Less(left, right, _) => vec![left, right],
            Op::If(condition, then, otherwise) => vec![condition, then, otherwise],
        }
    }

    fn inside_mut(&mut self) -> Vec<&mut Self> {
        match &mut self.op {
            Op::Literal(_) | Op::Read(_) | Op::Variable(_) => Vec::new(),
            Op::Not(part) => vec![part],
            Op::And(parts) | Op::Or(parts) | Op::Call(_, parts) => parts.iter_mut().collect(),
            Op::Same(left, right) | Op::Less(left, right, _) => vec![left, right],
            Op::If(condition, then, otherwise) => vec![condition, then, otherwise],
        }
    }

    /// Nodes of the tree, this one included.
    #[must_use]
    pub fn size(&self) -> usize {
        1 + self.inside().into_iter().map(Self::size).sum::<usize>()
    }

    fn each_path<'a>(&'a self, found: &mut Vec<&'a Path>) {
        if let Op::Read(path) = &self.op {
            found.push(path);
        }
        for part in self.inside() {
            part.each_path(found);
        }
    }

    /// The same, of the record that these relations lead to.
    pub(super) fn behind(&mut self, root: Root, through: &[Key]) {
        if let Op::Read(path) = &mut self.op {
            path.root = root;
            path.through.splice(0..0, through.iter().cloned());
        }
        for part in self.inside_mut() {
            part.behind(root, through);
        }
    }

    fn needs(&self, variable: Variable) -> bool {
        matches!(&self.op, Op::Variable(own) if *own == variable)
            || self.inside().into_iter().any(|part| part.needs(variable))
    }
}

impl Program {
    /// All columns that it reads.
    #[must_use]
    pub fn paths(&self) -> Vec<&Path> {
        let mut found = Vec::new();
        for part in &self.parts {
            part.each_path(&mut found);
        }
        found
    }

    /// Whether it gives something else from one request to the next.
    #[must_use]
    pub fn needs(&self, variable: Variable) -> bool {
        self.parts.iter().any(|part| part.needs(variable))
    }

    /// Nodes of the tree.
    #[must_use]
    pub fn size(&self) -> usize {
        self.parts.iter().map(Node::size).sum()
    }
}
