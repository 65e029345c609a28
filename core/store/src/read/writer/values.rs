//! Values of one row: cells, labels, stored lists, and where a record may go.

use serde_json::Value as Json;
use uuid::Uuid;

use super::super::json::{
    write_date, write_decimal, write_duration, write_instant, write_integer, write_padded,
    write_string, write_time, write_uuid,
};
use super::super::program::{Cell, OptionOp, OptionProgram, OptionsProgram, StoredOp, Texts};
use super::super::rows::{Row, unexpected};
use crate::StoreError;

pub(super) fn any_filled<R: Row>(row: &R, columns: &[usize]) -> Result<bool, StoreError> {
    for column in columns {
        if !row.is_null(*column)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Writes a cell; false, and nothing written, when it is empty.
pub(super) fn write_cell<R: Row>(
    out: &mut Vec<u8>,
    row: &R,
    column: usize,
    cell: &Cell,
) -> Result<bool, StoreError> {
    let filled = match cell {
        Cell::Text => row.text(column)?.map(|text| write_string(out, text)),
        Cell::Integer => row
            .integer(column)?
            .map(|number| write_integer(out, number)),
        Cell::Boolean => row
            .boolean(column)?
            .map(|boolean| write_boolean(out, boolean)),
        Cell::Uuid => row.uuid(column)?.map(|id| write_uuid(out, id)),
        Cell::Address(before) => row.uuid(column)?.map(|id| {
            out.push(b'"');
            out.extend_from_slice(before.as_bytes());
            let mut buffer = uuid::Uuid::encode_buffer();
            out.extend_from_slice(id.hyphenated().encode_lower(&mut buffer).as_bytes());
            out.push(b'"');
        }),
        Cell::Decimal(scale) => row
            .decimal(column, *scale)?
            .map(|scaled| write_decimal(out, scaled, *scale)),
        Cell::Date => row.day(column)?.map(|day| write_date(out, day)),
        Cell::Instant => row
            .instant(column)?
            .map(|micros| write_instant(out, micros)),
        Cell::InstantNumber => row
            .integer(column)?
            .map(|micros| write_instant(out, micros)),
        Cell::Time => row.integer(column)?.map(|micros| write_time(out, micros)),
        Cell::Duration => row
            .integer(column)?
            .map(|micros| write_duration(out, micros)),
        Cell::Json => row
            .text(column)?
            .map(|text| out.extend_from_slice(text.as_bytes())),
        Cell::List => return row.write_list(column, out),
        Cell::Autonumber { prefix, digits } => row.integer(column)?.map(|number| {
            out.push(b'"');
            out.extend_from_slice(prefix);
            if number < 0 {
                out.push(b'-');
            }
            write_padded(out, number.saturating_abs(), *digits);
            out.push(b'"');
        }),
    };
    Ok(filled.is_some())
}

pub(super) fn write_label<R: Row>(
    out: &mut Vec<u8>,
    row: &R,
    cells: &[(usize, Cell)],
    id: usize,
) -> Result<(), StoreError> {
    for (column, cell) in cells {
        if write_cell(out, row, *column, cell)? {
            return Ok(());
        }
    }
    write_cell(out, row, id, &Cell::Uuid)?;
    Ok(())
}

pub(super) fn write_boolean(out: &mut Vec<u8>, boolean: bool) {
    out.extend_from_slice(if boolean { b"true" } else { b"false" });
}

pub(super) fn write_text(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => write_string(out, text),
        None => out.extend_from_slice(b"null"),
    }
}

pub(super) fn write_known(out: &mut Vec<u8>, written: &[u8]) {
    out.extend_from_slice(if written.is_empty() { b"null" } else { written });
}

pub(super) fn write_json(out: &mut Vec<u8>, json: Option<&Json>) -> Result<(), StoreError> {
    serde_json::to_writer(out, json.unwrap_or(&Json::Null))
        .map_err(|error| StoreError::value("fields", error.to_string()))
}

/// The objects of a list that is stored as JSON.
pub(super) fn stored_objects<R: Row>(row: &R, column: usize) -> Result<Vec<Json>, StoreError> {
    match row.text(column)? {
        Some(text) => serde_json::from_str(text).map_err(|_| unexpected(column, "a JSON list")),
        None => Ok(Vec::new()),
    }
}

pub(super) fn write_stored<R: Row>(
    out: &mut Vec<u8>,
    row: &R,
    column: usize,
    members: &[StoredOp],
) -> Result<(), StoreError> {
    out.push(b'[');
    for (index, object) in stored_objects(row, column)?.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        for op in members {
            match op {
                StoredOp::Raw(raw) => out.extend_from_slice(raw),
                StoredOp::Member(name) => write_json(out, object.get(&**name))?,
            }
        }
    }
    out.push(b']');
    Ok(())
}

pub(super) fn write_options<R: Row>(
    out: &mut Vec<u8>,
    row: &R,
    program: &OptionsProgram,
) -> Result<(), StoreError> {
    let pipeline = row.text(program.pipeline)?.unwrap_or_default();
    let stage = row.text(program.stage)?.unwrap_or_default();
    let mut first = true;
    out.push(b'[');
    for option in program
        .options
        .iter()
        .filter(|option| *option.pipeline == *pipeline)
    {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        let unmet = unmet(row, option, stage)?;
        for op in &program.members {
            match op {
                OptionOp::Raw(raw) => out.extend_from_slice(raw),
                OptionOp::Stage(text) => out.extend_from_slice(&option.stage_json[*text]),
                OptionOp::Allowed => write_boolean(out, unmet.is_empty()),
                OptionOp::Unmet(text) => {
                    out.push(b'[');
                    for (index, texts) in unmet.iter().enumerate() {
                        if index > 0 {
                            out.push(b',');
                        }
                        out.extend_from_slice(&texts[*text]);
                    }
                    out.push(b']');
                }
            }
        }
    }
    out.push(b']');
    Ok(())
}

/// What keeps a record in this stage from entering another. Its own is always open to it.
fn unmet<'o, R: Row>(
    row: &R,
    option: &'o OptionProgram,
    stage: &str,
) -> Result<Vec<&'o Texts>, StoreError> {
    let mut unmet = Vec::new();
    if *option.stage == *stage {
        return Ok(unmet);
    }
    if !option.from.is_empty() && !option.from.iter().any(|from| **from == *stage) {
        unmet.push(&option.from_unmet);
    }
    for (columns, json) in &option.requires {
        if !any_filled(row, columns)? {
            unmet.push(json);
        }
    }
    Ok(unmet)
}

pub(super) fn parse_id(column: usize, text: &str) -> Result<Uuid, StoreError> {
    Uuid::parse_str(text).map_err(|_| unexpected(column, "an actor"))
}
