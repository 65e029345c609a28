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

    /// What tells this order from another, in a fingerprint.
    pub(crate) fn describe(&self) -> String {
        format!("{}:{:?}:{:?};", self.expression, self.direction, self.nulls)
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
            let unsaid = match (backend, direction) {
                (Backend::Sqlite, Direction::Ascending)
                | (Backend::Postgres, Direction::Descending) => Nulls::First,
                _ => Nulls::Last,
            };
            let place = match nulls {
                _ if !term.nullable || nulls == unsaid => "",
                Nulls::First => " NULLS FIRST",
                Nulls::Last => " NULLS LAST",
            };
            format!("{} {word}{place}", term.expression)
        })
        .collect();
    terms.join(", ")
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
    let (direction, nulls) = term.turned(turn);
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
    let sign = match direction {
        Direction::Ascending => '>',
        Direction::Descending => '<',
    };
    let value = place(index);
    if last && !term.nullable {
        text.push_str(&format!("{expression} {sign} {value}"));
    } else if !last && (!term.nullable || nulls == Nulls::First) {
        // The first half bounds the scan of an index on the term.
        text.push_str(&format!(
            "({expression} {sign}= {value} AND ({expression} {sign} {value} OR "
        ));
        write_beyond(text, terms, empty, turn, index + 1, place);
        text.push_str("))");
    } else {
        text.push_str(&format!("({expression} {sign} {value}"));
        if term.nullable && nulls == Nulls::Last {
            text.push_str(&format!(" OR {expression} IS NULL"));
        }
        if !last {
            text.push_str(&format!(" OR ({expression} = {value} AND "));
            write_beyond(text, terms, empty, turn, index + 1, place);
            text.push(')');
        }
        text.push(')');
    }
}
