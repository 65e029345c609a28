//! JSON Lines: an object on each line. The columns are all names of all objects, in the order in
//! which they come.

use std::ops::ControlFlow;

use indexmap::IndexSet;
use relata_catalog::Issue;
use serde_json::{Map, Value as Json};

use super::{CELL_BYTES_MAX, COLUMNS_MAX, Cell, RawRow, Sink, Source, too_long};
use crate::AppError;

pub(super) fn open(source: &mut Source, text: &str) -> Result<(), AppError> {
    let mut names: IndexSet<String> = IndexSet::new();
    for (_, line) in written(text) {
        source.rows += 1;
        // What can't be read is told with its row.
        if let Ok(object) = serde_json::from_str::<Map<String, Json>>(line) {
            names.extend(object.into_iter().map(|(name, _)| name));
        }
        if names.len() > COLUMNS_MAX {
            break;
        }
    }
    source.header = names.into_iter().collect();
    Ok(())
}

pub(super) fn each(source: &Source, text: &str, sink: &mut Sink<'_>) -> Result<(), AppError> {
    for (line, written) in written(text) {
        let row = match serde_json::from_str::<Map<String, Json>>(written) {
            Ok(mut object) => {
                let mut fault = None;
                let cells = source
                    .header
                    .iter()
                    .map(|name| match object.shift_remove(name) {
                        None => Cell::Empty,
                        Some(Json::String(text)) if text.len() > CELL_BYTES_MAX => {
                            fault.get_or_insert(too_long(name, text.len()));
                            Cell::Empty
                        }
                        Some(json) => Cell::Json(json),
                    })
                    .collect();
                RawRow { line, cells, fault }
            }
            Err(error) => RawRow {
                line,
                cells: vec![Cell::Empty; source.header.len()],
                fault: Some(Issue::new(
                    "SYNTAX",
                    format!("the line is not a JSON object: {error}"),
                )),
            },
        };
        if sink(row) == ControlFlow::Break(()) {
            break;
        }
    }
    Ok(())
}

/// Lines with something on them, with their numbers.
fn written(text: &str) -> impl Iterator<Item = (u64, &str)> {
    text.lines()
        .enumerate()
        .map(|(position, line)| (position as u64 + 1, line))
        .filter(|(_, line)| !line.trim().is_empty())
}
