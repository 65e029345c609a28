//! The condition that finds the records of a group, as a client would write it.

use super::super::cursor::date_of_day;
use super::super::json::{write_date, write_instant, write_string, write_uuid};
use super::super::plan::GroupContext;
use super::super::program::{KeyCondition, KeyValue};
use super::super::rows::{Row, unexpected};
use super::super::{Span, buckets};
use super::values::write_cell;
use crate::StoreError;

/// `{"and":[…]}`: the filter as it was given, and a condition for each key.
pub(super) fn write_group_where<R: Row>(
    out: &mut Vec<u8>,
    row: &R,
    conditions: &[KeyCondition],
    context: &GroupContext,
) -> Result<(), StoreError> {
    out.extend_from_slice(b"{\"and\":[");
    if let Some(filter) = &context.filter {
        out.extend_from_slice(filter.as_bytes());
        out.push(b',');
    }
    for (index, condition) in conditions.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_condition(out, row, condition, context)?;
    }
    out.extend_from_slice(b"]}");
    Ok(())
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
    match value {
        KeyValue::Cell(cell) => {
            inner.extend_from_slice(b"{\"eq\":");
            write_cell(&mut inner, row, *column, cell)?;
            inner.push(b'}');
        }
        KeyValue::Related => {
            inner.extend_from_slice(b"{\"eq\":");
            if let Some(id) = row.uuid(*column)? {
                write_uuid(&mut inner, id);
            }
            inner.push(b'}');
        }
        KeyValue::Days(span) => {
            let (start, end) = days(row, *column, *span)?;
            inner.extend_from_slice(b"{\"gte\":");
            write_date(&mut inner, start);
            if let Some(end) = end {
                inner.extend_from_slice(b",\"lt\":");
                write_date(&mut inner, end);
            }
            inner.push(b'}');
        }
        KeyValue::Instants(span) => {
            write_instants(out, row, *column, *span, path, context)?;
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
    match (value, path) {
        (KeyValue::Related, [relations @ .., _id]) => {
            // No record stands there, whether or not the relation is empty: it may be in the trash.
            out.extend_from_slice(b"{\"not\":");
            write_path(out, relations, b"{}");
            out.push(b'}');
        }
        (_, [_own]) => write_path(out, path, b"{\"isNull\":true}"),
        _ => {
            out.extend_from_slice(b"{\"not\":");
            write_path(out, path, b"{\"isNull\":false}");
            out.push(b'}');
        }
    }
}

/// Instants within days of the reader's zone: several intervals where clocks are set back over
/// midnight.
fn write_instants<R: Row>(
    out: &mut Vec<u8>,
    row: &R,
    column: usize,
    span: Span,
    path: &[Box<str>],
    context: &GroupContext,
) -> Result<(), StoreError> {
    let (start, end) = days(row, column, span)?;
    let date = |day: i64| date_of_day(day).ok_or_else(|| unexpected(column, "a day"));
    let intervals = context
        .zone
        .intervals(date(start)?, end.map(date).transpose()?);
    let several = intervals.len() != 1;
    if several {
        out.extend_from_slice(b"{\"or\":[");
    }
    for (index, (from, to)) in intervals.into_iter().enumerate() {
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
            write_instant(&mut inner, micros);
        }
        inner.push(b'}');
        write_path(out, path, &inner);
    }
    if several {
        out.extend_from_slice(b"]}");
    }
    Ok(())
}

/// The first day of a bucket, and the first behind it.
fn days<R: Row>(row: &R, column: usize, span: Span) -> Result<(i64, Option<i64>), StoreError> {
    let start = row
        .day(column)?
        .ok_or_else(|| unexpected(column, "a day"))?;
    Ok((start, buckets::end_of(span, start)))
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
