//! vCards: each is a row. The columns are called as the person's fields that they fill, so that
//! nothing has to be mapped.

use std::ops::ControlFlow;

use relata_catalog::Issue;

use super::{Cell, RawRow, Sink, Source};
use crate::{
    AppError,
    cards::{self, COLUMNS},
};

/// What every card begins with.
const BEGIN: &str = "BEGIN:VCARD";

pub(super) fn open(source: &mut Source, text: &str) -> Result<(), AppError> {
    source.header = COLUMNS.iter().map(|name| (*name).to_owned()).collect();
    source.rows = written(text).count() as u64;
    Ok(())
}

pub(super) fn each(text: &str, sink: &mut Sink<'_>) -> Result<(), AppError> {
    for (line, card) in written(text) {
        let row = match cards::read(card) {
            Ok(values) => RawRow {
                line,
                cells: values
                    .into_iter()
                    .map(|value| match value {
                        serde_json::Value::Null => Cell::Empty,
                        json => Cell::Json(json),
                    })
                    .collect(),
                fault: None,
            },
            Err(message) => RawRow {
                line,
                cells: vec![Cell::Empty; COLUMNS.len()],
                fault: Some(Issue::new("SYNTAX", message)),
            },
        };
        if sink(row) == ControlFlow::Break(()) {
            break;
        }
    }
    Ok(())
}

/// The texts of the cards, with the lines on which they begin. Each is read by itself, so that one
/// that is broken takes no other with it.
fn written(text: &str) -> impl Iterator<Item = (u64, &str)> {
    let mut starts: Vec<(u64, usize)> = Vec::new();
    let mut offset = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let is_begin = line
            .get(..BEGIN.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(BEGIN));
        if is_begin {
            starts.push((number as u64 + 1, offset));
        }
        offset += line.len();
    }
    let ends: Vec<usize> = starts
        .iter()
        .skip(1)
        .map(|(_, start)| *start)
        .chain([text.len()])
        .collect();
    starts
        .into_iter()
        .zip(ends)
        .map(move |((line, start), end)| (line, &text[start..end]))
}
