//! A sheet of an XLSX workbook, cell by cell. Numbers come without the noise of binary fractions:
//! Excel itself keeps 15 digits.
//!
//! A workbook is a zip file, and a small one may unpack to anything. So everything in it is
//! unpacked once into nothing, and counted, before the reader sees it.

use std::{
    io::{Cursor, Read as _},
    ops::ControlFlow,
    sync::Arc,
};

use calamine::{DataRef, ExcelDateTime, Reader as _, Xlsx};
use relata_catalog::Issue;

use super::{
    CELL_BYTES_MAX, COLUMNS_MAX, Cell, EXPANDED_BYTES_MAX, RawRow, Sink, Source, header_of,
    too_long,
};
use crate::AppError;

type Workbook = Xlsx<Cursor<Arc<[u8]>>>;

pub(super) fn open(
    source: &mut Source,
    bytes: &Arc<[u8]>,
    asked: Option<&str>,
) -> Result<(), AppError> {
    expanded(bytes)?;
    let workbook = workbook(bytes)?;
    let names = workbook.sheet_names();
    let sheet = match asked {
        Some(asked) => names.iter().find(|name| *name == asked).ok_or_else(|| {
            let message = format!(
                "there is no sheet `{asked}`; there are {}",
                names.join(", ")
            );
            AppError::bad_input_issues(Issue::new("BAD_INPUT", message).at("sheet").into())
        })?,
        None => names
            .first()
            .ok_or_else(|| AppError::bad_input("the workbook has no sheets"))?,
    };
    source.sheets = Some((sheet.clone(), names.clone()));
    let mut header = None;
    let mut rows = 0;
    read(bytes, sheet, &mut |row| {
        if header.is_none() {
            header = Some(header_of(row.cells.iter().map(Cell::text)));
        } else {
            rows += 1;
        }
        ControlFlow::Continue(())
    })?;
    source.header =
        header.ok_or_else(|| AppError::bad_input(format!("the sheet {sheet} is empty")))?;
    source.rows = rows;
    Ok(())
}

pub(super) fn each(
    source: &Source,
    bytes: &Arc<[u8]>,
    sink: &mut Sink<'_>,
) -> Result<(), AppError> {
    let Some((sheet, _)) = &source.sheets else {
        return Err(AppError::broken("a workbook without a sheet"));
    };
    let columns = source.header.len();
    let mut is_header = true;
    read(bytes, sheet, &mut |mut row| {
        if std::mem::take(&mut is_header) {
            return ControlFlow::Continue(());
        }
        if row.cells.len() > columns {
            row.fault = row.fault.take().or_else(|| {
                let message = format!("the row has cells beyond the {columns} of the header");
                Some(Issue::new("COLUMNS", message))
            });
        }
        row.cells.resize(columns, Cell::Empty);
        for (name, cell) in source.header.iter().zip(&row.cells) {
            if let Cell::Text(text) = cell
                && text.len() > CELL_BYTES_MAX
            {
                row.fault = row
                    .fault
                    .take()
                    .or_else(|| Some(too_long(name, text.len())));
            }
        }
        sink(row)
    })
}

fn workbook(bytes: &Arc<[u8]>) -> Result<Workbook, AppError> {
    Xlsx::new(Cursor::new(Arc::clone(bytes))).map_err(unreadable)
}

fn unreadable(error: calamine::XlsxError) -> AppError {
    AppError::bad_input(format!("the workbook can't be read: {error}"))
}

/// Refuses what unpacks to more than it should.
fn expanded(bytes: &[u8]) -> Result<(), AppError> {
    let broken = |error: &dyn std::fmt::Display| {
        AppError::bad_input(format!("the file is a broken zip: {error}"))
    };
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| broken(&error))?;
    if archive.index_for_name("xl/workbook.xml").is_none() {
        return Err(AppError::bad_input(
            "the file is a zip archive, but not an Excel workbook; unpack it first",
        ));
    }
    let mut left = EXPANDED_BYTES_MAX;
    for position in 0..archive.len() {
        let entry = archive.by_index(position).map_err(|error| broken(&error))?;
        let read = std::io::copy(&mut entry.take(left + 1), &mut std::io::sink())
            .map_err(|error| broken(&error))?;
        left = left.checked_sub(read).ok_or_else(|| {
            AppError::LimitExceeded(format!(
                "the workbook unpacks to more than {EXPANDED_BYTES_MAX} bytes; save it as CSV"
            ))
        })?;
    }
    Ok(())
}

/// Rows with anything in them, the header included.
fn read(bytes: &Arc<[u8]>, sheet: &str, sink: &mut Sink<'_>) -> Result<(), AppError> {
    let mut workbook = workbook(bytes)?;
    let mut reader = workbook.worksheet_cells_reader(sheet).map_err(unreadable)?;
    let mut row: Option<RawRow> = None;
    while let Some(cell) = reader.next_cell().map_err(unreadable)? {
        let (at, column) = cell.get_position();
        let line = u64::from(at) + 1;
        let value = cell_of(cell.get_value());
        if value.is_empty() {
            continue;
        }
        if row.as_ref().is_some_and(|row| row.line != line)
            && let Some(full) = row.take()
            && sink(full) == ControlFlow::Break(())
        {
            return Ok(());
        }
        let column = column as usize;
        if column >= COLUMNS_MAX {
            return Err(AppError::LimitExceeded(format!(
                "row {line} has a cell in column {}; at most {COLUMNS_MAX} columns can be read",
                column + 1
            )));
        }
        let row = row.get_or_insert_with(|| RawRow {
            line,
            cells: Vec::new(),
            fault: None,
        });
        if row.cells.len() <= column {
            row.cells.resize(column + 1, Cell::Empty);
        }
        if let DataRef::Error(error) = cell.get_value() {
            row.fault.get_or_insert(Issue::new(
                "BAD_FORMULA",
                format!("the formula in column {} has failed: {error}", column + 1),
            ));
        }
        row.cells[column] = value;
    }
    if let Some(full) = row {
        // Nothing follows, whatever the answer is.
        let _ = sink(full);
    }
    Ok(())
}

fn cell_of(value: &DataRef<'_>) -> Cell {
    match value {
        DataRef::Empty => Cell::Empty,
        DataRef::String(text) => Cell::Text(text.clone()),
        DataRef::SharedString(text) => Cell::Text((*text).to_owned()),
        DataRef::Int(number) => Cell::Typed(number.to_string()),
        DataRef::Float(number) => Cell::Typed(digits(*number)),
        DataRef::Bool(flag) => Cell::Typed(flag.to_string()),
        DataRef::DateTime(time) => Cell::Typed(moment(time)),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => Cell::Typed(text.clone()),
        DataRef::Error(error) => Cell::Text(error.to_string()),
    }
}

/// A number in 15 digits, without an exponent where that is possible.
fn digits(number: f64) -> String {
    let written = format!("{number:.14e}");
    rust_decimal::Decimal::from_scientific(&written)
        .map_or(written, |decimal| decimal.normalize().to_string())
}

/// A day, or a moment of nobody's clock: Excel knows no zones.
fn moment(time: &ExcelDateTime) -> String {
    let (year, month, day, hour, minute, second, milli) = time.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    match (hour, minute, second, milli) {
        (0, 0, 0, 0) => date,
        (_, _, _, 0) => format!("{date}T{hour:02}:{minute:02}:{second:02}"),
        _ => format!("{date}T{hour:02}:{minute:02}:{second:02}.{milli:03}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_noise() {
        for (number, written) in [
            (0.1 + 0.2, "0.3"),
            (1234.5, "1234.5"),
            (8010.0, "8010"),
            (-0.07, "-0.07"),
            (1e15, "1000000000000000"),
        ] {
            assert_eq!(digits(number), written);
        }
    }
}
