//! Order, and the conditions that continue it from a cursor (keyset paging).
//!
//! An order is a list of terms of which the last is unique, so that it is total: "behind this
//! record" and "before it" are then conditions on the terms' columns. They depend on which of the
//! cursor's values are empty, so the text is made for each such case once.

use relata_catalog::ColumnType;

use crate::Backend;
use crate::filter::{Direction, Nulls};

/// A term of an order whose last term is unique.
#[derive(Debug, Clone)]
pub(crate) struct Term {
    /// Qualified column.
    pub(crate) expression: String,
    pub(crate) column: ColumnType,
    pub(crate) nullable: bool,
    pub(crate) direction: Direction,
    pub(crate) nulls: Nulls,
    /// Whether an index begins with its column.
    pub(crate) indexed: bool,
}

/// The records in which a term has a value, or those in which it has none. In an order one part
/// stands wholly before the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Filled,
    Empty,
}

impl Term {
    fn turned(&self, turn: bool) -> (Direction, Nulls) {
        if !turn {
            return (self.direction, self.nulls);
        }
        let direction = match self.direction {
            Direction::Ascending => Direction::Descending,
            Direction::Descending => Direction::Ascending,
        };
        let nulls = match self.nulls {
            Nulls::First => Nulls::Last,
            Nulls::Last => Nulls::First,
        };
        (direction, nulls)
    }

    /// Whether the database's own place for empty values, which it leaves unsaid in an index, is
    /// that of the order.
    fn is_natural(&self, backend: Backend, turn: bool) -> bool {
        let (direction, nulls) = self.turned(turn);
        !self.nullable || nulls == natural_nulls(backend, direction)
    }

    /// What tells this order from another, in a fingerprint.
    pub(crate) fn describe(&self) -> String {
        format!("{}:{:?}:{:?};", self.expression, self.direction, self.nulls)
    }
}

fn natural_nulls(backend: Backend, direction: Direction) -> Nulls {
    match (backend, direction) {
        (Backend::Sqlite, Direction::Ascending) | (Backend::Postgres, Direction::Descending) => {
            Nulls::First
        }
        _ => Nulls::Last,
    }
}

/// The text behind `ORDER BY`; from the end when `turn`.
pub(crate) fn order_by(backend: Backend, terms: &[Term], turn: bool) -> String {
    let terms: Vec<String> = terms
        .iter()
        .map(|term| {
            let (direction, nulls) = term.turned(turn);
            let word = match direction {
                Direction::Ascending => "ASC",
                Direction::Descending => "DESC",
            };
            // Said only where the database would do otherwise: it may hide an index.
            let place = match nulls {
                _ if term.is_natural(backend, turn) => "",
                Nulls::First => " NULLS FIRST",
                Nulls::Last => " NULLS LAST",
            };
            format!("{} {word}{place}", term.expression)
        })
        .collect();
    terms.join(", ")
}

/// Whether a page is better read in two parts, that of filled and that of empty values of its first
/// term: an index then serves both from where they begin. As one, "behind this value, or empty"
/// has no bound, and PostgreSQL can't walk an index in another order than its own.
pub(crate) fn in_parts(backend: Backend, terms: &[Term], turn: bool, bounded: bool) -> bool {
    terms.first().is_some_and(|term| {
        term.nullable
            && term.indexed
            && (bounded || (backend == Backend::Postgres && !term.is_natural(backend, turn)))
    })
}

/// The parts of an order by its first term, in their order.
pub(crate) fn parts(terms: &[Term], turn: bool) -> [Part; 2] {
    match terms[0].turned(turn).1 {
        Nulls::First => [Part::Empty, Part::Filled],
        Nulls::Last => [Part::Filled, Part::Empty],
    }
}

impl Part {
    /// What makes its records.
    pub(crate) fn condition(self, terms: &[Term]) -> String {
        let word = match self {
            Self::Filled => "IS NOT NULL",
            Self::Empty => "IS NULL",
        };
        format!("{} {word}", terms[0].expression)
    }

    /// By what its records are ordered: an empty value tells nobody from another.
    pub(crate) fn terms(self, terms: &[Term]) -> Vec<Term> {
        match self {
            Self::Empty => terms[1..].to_vec(),
            Self::Filled => {
                let mut terms = terms.to_vec();
                terms[0].nullable = false;
                terms
            }
        }
    }
}

/// Which records of a part are beyond a record with these values.
#[derive(PartialEq, Eq)]
pub(crate) enum Among {
    All,
    None,
    /// Those of [`beyond_among`].
    Some,
}

impl Among {
    pub(crate) fn of(part: Part, terms: &[Term], empty: &[bool], turn: bool) -> Self {
        match (part, empty[0]) {
            (Part::Filled, false) | (Part::Empty, true) => Self::Some,
            _ if parts(terms, turn)[1] == part => Self::All,
            _ => Self::None,
        }
    }
}

/// The condition of [`beyond`] in the part that the record itself is of.
pub(crate) fn beyond_among(
    terms: &[Term],
    empty: &[bool],
    turn: bool,
    mut place: impl FnMut(usize) -> String,
) -> String {
    let mut text = String::new();
    if empty[0] {
        write_beyond(&mut text, terms, empty, turn, 1, &mut place);
    } else {
        write_filled(&mut text, terms, empty, turn, 0, &mut place);
    }
    text
}

/// The condition "behind the record with these values" (before it when `turn`). `empty` says which
/// of the values are; `place` gives the text of a value's position.
pub(crate) fn beyond(
    terms: &[Term],
    empty: &[bool],
    turn: bool,
    mut place: impl FnMut(usize) -> String,
) -> String {
    let mut text = String::new();
    write_beyond(&mut text, terms, empty, turn, 0, &mut place);
    text
}

fn write_beyond(
    text: &mut String,
    terms: &[Term],
    empty: &[bool],
    turn: bool,
    index: usize,
    place: &mut impl FnMut(usize) -> String,
) {
    let term = &terms[index];
    let expression = &term.expression;
    let last = index + 1 == terms.len();
    let nulls = term.turned(turn).1;
    if empty[index] {
        // Filled ones stand behind it, or none do.
        let behind = match nulls {
            Nulls::First => format!("{expression} IS NOT NULL"),
            Nulls::Last => "FALSE".to_owned(),
        };
        text.push_str(&format!("({behind}"));
        if !last {
            text.push_str(&format!(" OR ({expression} IS NULL AND "));
            write_beyond(text, terms, empty, turn, index + 1, place);
            text.push(')');
        }
        text.push(')');
        return;
    }
    if term.nullable && nulls == Nulls::Last {
        text.push_str(&format!("({expression} IS NULL OR "));
        write_filled(text, terms, empty, turn, index, place);
        text.push(')');
    } else {
        write_filled(text, terms, empty, turn, index, place);
    }
}

/// What is beyond a filled value, among those that are filled.
fn write_filled(
    text: &mut String,
    terms: &[Term],
    empty: &[bool],
    turn: bool,
    index: usize,
    place: &mut impl FnMut(usize) -> String,
) {
    let expression = &terms[index].expression;
    let sign = match terms[index].turned(turn).0 {
        Direction::Ascending => '>',
        Direction::Descending => '<',
    };
    let value = place(index);
    if index + 1 == terms.len() {
        text.push_str(&format!("{expression} {sign} {value}"));
        return;
    }
    // The first half bounds the scan of an index on the term.
    text.push_str(&format!(
        "({expression} {sign}= {value} AND ({expression} {sign} {value} OR "
    ));
    write_beyond(text, terms, empty, turn, index + 1, place);
    text.push_str("))");
}
