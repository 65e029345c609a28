//! CSV: what stands between the columns is told by the first lines; quotes are checked before
//! anything is believed, because a quote that is never closed makes one cell of all that follows.

use std::ops::ControlFlow;

use relata_catalog::Issue;

use super::{CELL_BYTES_MAX, Cell, RawRow, Sink, Source, at_line, header_of, too_long};
use crate::AppError;

/// What may stand between columns.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Lines that are looked at to find out.
const SNIFFED_LINES: usize = 20;

pub(super) fn open(source: &mut Source, text: &str, asked: Option<char>) -> Result<(), AppError> {
    let delimiter = match asked {
        None => sniffed(text),
        Some(asked) => u8::try_from(asked)
            .ok()
            .filter(|byte| byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r'))
            .ok_or_else(|| {
                AppError::bad_input_issues(
                    Issue::new("BAD_INPUT", "delimiter is one ASCII character")
                        .at("delimiter")
                        .into(),
                )
            })?,
    };
    source.delimiter = Some(char::from(delimiter));
    let rows = checked(text.as_bytes(), delimiter)?;
    source.rows = rows.saturating_sub(1);
    let mut reader = reader(text, delimiter);
    let header = reader
        .headers()
        .map_err(|error| AppError::bad_input(format!("the header can't be read: {error}")))?;
    source.header = header_of(header.iter().map(str::to_owned));
    Ok(())
}

pub(super) fn each(source: &Source, text: &str, sink: &mut Sink<'_>) -> Result<(), AppError> {
    let delimiter = source
        .delimiter
        .and_then(|delimiter| u8::try_from(delimiter).ok())
        .unwrap_or(b',');
    let columns = source.header.len();
    let mut reader = reader(text, delimiter);
    for record in reader.records() {
        let record = record
            .map_err(|error| AppError::bad_input(format!("the file can't be read: {error}")))?;
        let line = record.position().map_or(0, csv::Position::line);
        let mut fault = None;
        if record.len() != columns
            && !record
                .iter()
                .skip(columns)
                .all(|cell| cell.trim().is_empty())
            || record.len() < columns
        {
            fault = Some(Issue::new(
                "COLUMNS",
                format!(
                    "the row has {} cells, the header has {columns}",
                    record.len()
                ),
            ));
        }
        let mut cells = Vec::with_capacity(columns);
        for (position, cell) in record.iter().take(columns).enumerate() {
            if cell.len() > CELL_BYTES_MAX {
                fault = fault.or_else(|| Some(too_long(&source.header[position], cell.len())));
            }
            cells.push(if cell.is_empty() {
                Cell::Empty
            } else {
                Cell::Text(cell.to_owned())
            });
        }
        cells.resize(columns, Cell::Empty);
        if sink(RawRow { line, cells, fault }) == ControlFlow::Break(()) {
            break;
        }
    }
    Ok(())
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_reader(text.as_bytes())
}

/// The separator that cuts the first lines into equally many columns, and most of them.
fn sniffed(text: &str) -> u8 {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .take(SNIFFED_LINES)
        .collect();
    let score = |delimiter: u8| {
        let counts: Vec<usize> = lines
            .iter()
            .map(|line| outside_quotes(line, delimiter))
            .collect();
        let first = counts.first().copied().unwrap_or_default();
        let alike = counts.iter().filter(|count| **count == first).count();
        // More columns are better only among those that are as regular.
        (if first == 0 { 0 } else { alike }, first)
    };
    // Of equals the comma, which is the first.
    DELIMITERS
        .into_iter()
        .rev()
        .max_by_key(|delimiter| score(*delimiter))
        .unwrap_or(b',')
}

fn outside_quotes(line: &str, delimiter: u8) -> usize {
    let mut is_quoted = false;
    line.bytes()
        .filter(|byte| {
            is_quoted ^= *byte == b'"';
            !is_quoted && *byte == delimiter
        })
        .count()
}

/// Where a byte stands.
enum At {
    RowStart,
    CellStart,
    Plain,
    Quoted,
    /// Behind a quote that closes, or is the first of two.
    Closed,
}

/// Counts the rows, the header included, and finds quotes that don't match.
fn checked(bytes: &[u8], delimiter: u8) -> Result<u64, AppError> {
    let (mut line, mut opened) = (1_u64, 1_u64);
    let mut rows = 0;
    let mut at = At::RowStart;
    for byte in bytes {
        let is_end = matches!(byte, b'\n' | b'\r');
        at = match at {
            At::Quoted if *byte == b'"' => At::Closed,
            At::Quoted => At::Quoted,
            At::Closed if *byte == b'"' => At::Quoted,
            At::Closed if *byte == delimiter => At::CellStart,
            At::Closed if is_end => At::RowStart,
            At::Closed => {
                return Err(at_line(
                    line,
                    "BAD_QUOTE",
                    "behind a closing quote comes neither a separator nor the end of the line; a quote inside of a cell is written twice",
                ));
            }
            At::RowStart if is_end => At::RowStart,
            At::RowStart | At::CellStart => {
                if matches!(at, At::RowStart) {
                    rows += 1;
                }
                if *byte == b'"' {
                    opened = line;
                    At::Quoted
                } else if *byte == delimiter {
                    At::CellStart
                } else if is_end {
                    At::RowStart
                } else {
                    At::Plain
                }
            }
            At::Plain if *byte == delimiter => At::CellStart,
            At::Plain if is_end => At::RowStart,
            At::Plain => At::Plain,
        };
        if *byte == b'\n' {
            line += 1;
        }
    }
    if matches!(at, At::Quoted) {
        return Err(at_line(
            opened,
            "BAD_QUOTE",
            "the quote that is opened here is never closed",
        ));
    }
    Ok(rows)
}
