//! The condition that finds the records of a group, as a client would write it; and what a length
//! of time begins with.

use super::super::json::{write_date, write_instant, write_moment, write_string, write_uuid};
use super::super::plan::GroupContext;
use super::super::program::{GroupWhere, KeyCondition, KeyValue};
use super::super::rows::{Row, unexpected};
use super::super::{Span, buckets};
use super::values::write_cell;
use crate::StoreError;

/// The filter as it was given with `and: […]`: of the parent, and a condition for each key.
pub(super) fn write_group_where<R: Row>(
    out: &mut Vec<u8>,
    row: &R,
    program: &GroupWhere,
    context: &GroupContext,
) -> Result<(), StoreError> {
    out.extend_from_slice(context.begin.as_bytes());
    if let Some((path, column)) = &program.parent {
        let mut inner = b"{\"eq\":".to_vec();
        if let Some(id) = row.uuid(*column)? {
            write_uuid(&mut inner, id);
        }
        inner.push(b'}');
        write_path(out, path, &inner);
        out.push(b',');
    }
    for (index, key) in program.keys.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_condition(out, row, key, context)?;
    }
    out.extend_from_slice(b"]}");
    Ok(())
}

/// The instant at which a length of time begins, by the reader's clock; `null` when it is empty.
pub(super) fn write_beginning<R: Row>(
    out: &mut Vec<u8>,
    row: &R,
    column: usize,
    span: Span,
    context: &GroupContext,
) -> Result<(), StoreError> {
    match bucket(row, column, span)? {
        Some(bucket) => {
            let micros = context.zone.beginning(span, bucket);
            write_moment(out, micros, context.zone.offset_at(micros));
        }
        None => out.extend_from_slice(b"null"),
    }
    Ok(())
}

fn bucket<R: Row>(row: &R, column: usize, span: Span) -> Result<Option<i64>, StoreError> {
    match span {
        Span::Hour => row.instant(column),
        _ => row.integer(column),
    }
}

fn write_condition<R: Row>(
    out: &mut Vec<u8>,
    row: &R,
    condition: &KeyCondition,
    context: &GroupContext,
) -> Result<(), StoreError> {
    let KeyCondition {
        path,
        column,
        value,
    } = condition;
    if row.is_null(*column)? {
        write_empty(out, path, value);
        return Ok(());
    }
    let mut inner = Vec::new();
    let mut compared = |operator: &str, cell| -> Result<(), StoreError> {
        inner.push(b'{');
        write_string(&mut inner, operator);
        inner.push(b':');
        write_cell(&mut inner, row, *column, cell)?;
        inner.push(b'}');
        Ok(())
    };
    match value {
        KeyValue::Cell(cell) => compared("eq", cell)?,
        KeyValue::Related => compared("eq", &super::Cell::Uuid)?,
        KeyValue::Option => compared("has", &super::Cell::Text)?,
        KeyValue::Days(span) => {
            let start = row
                .day(*column)?
                .ok_or_else(|| unexpected(*column, "a day"))?;
            inner.extend_from_slice(b"{\"gte\":");
            write_date(&mut inner, start);
            if let Some(end) = buckets::end_of_days(*span, start) {
                inner.extend_from_slice(b",\"lt\":");
                write_date(&mut inner, end);
            }
            inner.push(b'}');
        }
        KeyValue::Instants(span) => {
            let bucket =
                bucket(row, *column, *span)?.ok_or_else(|| unexpected(*column, "a bucket"))?;
            let intervals = context.zone.intervals(*span, bucket);
            write_intervals(out, path, &intervals);
            return Ok(());
        }
        KeyValue::Stage { stage, conditions } => {
            let pipeline = row.text(*column)?.unwrap_or_default();
            let stage = row.text(*stage)?.unwrap_or_default();
            inner.extend_from_slice(conditions.find(pipeline, stage));
        }
    }
    write_path(out, path, &inner);
    Ok(())
}

/// That a key is empty: its field is, or a relation on the way to it leads nowhere.
fn write_empty(out: &mut Vec<u8>, path: &[Box<str>], value: &KeyValue) {
    let empty = match value {
        KeyValue::Option => "isEmpty",
        _ => "isNull",
    };
    match (value, path) {
        (KeyValue::Related, [relations @ .., _id]) => {
            // No record stands there, whether or not the relation is empty: it may be in the trash.
            out.extend_from_slice(b"{\"not\":");
            write_path(out, relations, b"{}");
            out.push(b'}');
        }
        (_, [_own]) => write_path(out, path, format!("{{\"{empty}\":true}}").as_bytes()),
        _ => {
            out.extend_from_slice(b"{\"not\":");
            write_path(out, path, format!("{{\"{empty}\":false}}").as_bytes());
            out.push(b'}');
        }
    }
}

/// Instants within one of these intervals.
fn write_intervals(out: &mut Vec<u8>, path: &[Box<str>], intervals: &[(Option<i64>, Option<i64>)]) {
    let several = intervals.len() != 1;
    if several {
        out.extend_from_slice(b"{\"or\":[");
    }
    for (index, (from, to)) in intervals.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let mut inner = vec![b'{'];
        for (name, end) in [("gte", from), ("lt", to)] {
            let Some(micros) = end else { continue };
            if inner.len() > 1 {
                inner.push(b',');
            }
            write_string(&mut inner, name);
            inner.push(b':');
            write_instant(&mut inner, *micros);
        }
        inner.push(b'}');
        write_path(out, path, &inner);
    }
    if several {
        out.extend_from_slice(b"]}");
    }
}

/// Objects inside each other, and what stands in the innermost.
fn write_path(out: &mut Vec<u8>, path: &[Box<str>], inner: &[u8]) {
    for name in path {
        out.push(b'{');
        write_string(out, name);
        out.push(b':');
    }
    out.extend_from_slice(inner);
    out.resize(out.len() + path.len(), b'}');
}
