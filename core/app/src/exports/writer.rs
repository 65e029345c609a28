//! Rows in the bytes of each format.

use std::io::{BufWriter, Write};

use relata_store::Record;
use rust_xlsxwriter::{ExcelDateTime, Format as Look, Workbook, Worksheet, XlsxError};
use serde_json::{Map, Value as Json};

use super::{
    cells::{self, Cell},
    columns::{Columns, From, Targets},
};
use crate::{
    AppError, Unit, cards,
    imports::{Format, written},
};

/// Rows that a sheet holds, the header included.
const SHEET_ROWS_MAX: u64 = 1_048_576;
/// Characters that a cell of a sheet holds.
const SHEET_CELL_MAX: usize = 32_767;
/// Digits of a number that Excel keeps.
const SHEET_DIGITS_MAX: usize = 15;

/// Writes rows of one format.
pub(super) enum Writer<W: Write + Send> {
    Csv(Box<csv::Writer<W>>),
    Sheet(Box<Sheet<W>>),
    Lines(BufWriter<W>),
    Cards(BufWriter<W>),
}

/// A workbook on its way. Its rows wait in a temporary file, not in memory.
pub(super) struct Sheet<W> {
    workbook: Workbook,
    row: u32,
    date: Look,
    out: W,
}

impl<W: Write + Send> Writer<W> {
    pub(super) fn new(
        format: Format,
        columns: &Columns,
        out: W,
        records: u64,
    ) -> Result<Self, AppError> {
        let names = columns.all.iter().map(|column| &column.name);
        Ok(match format {
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                writer
                    .write_record(names.map(String::as_bytes))
                    .map_err(not_written_csv)?;
                Self::Csv(Box::new(writer))
            }
            Format::Xlsx => {
                if records >= SHEET_ROWS_MAX {
                    return Err(AppError::LimitExceeded(format!(
                        "there are {records} records, and a sheet holds {} below its header; export CSV or JSON Lines",
                        SHEET_ROWS_MAX - 1
                    )));
                }
                let mut workbook = Workbook::new();
                let sheet = workbook
                    .add_worksheet_with_constant_memory()
                    .map_err(not_written_sheet)?;
                for (column, name) in names.enumerate() {
                    sheet
                        .write_string(0, place(column)?, name)
                        .map_err(not_written_sheet)?;
                }
                Self::Sheet(Box::new(Sheet {
                    workbook,
                    row: 0,
                    date: Look::new().set_num_format("yyyy-mm-dd"),
                    out,
                }))
            }
            Format::Jsonl => Self::Lines(BufWriter::new(out)),
            Format::Vcard => Self::Cards(BufWriter::new(out)),
        })
    }

    pub(super) fn write(
        &mut self,
        unit: &Unit,
        columns: &Columns,
        targets: &Targets,
        record: &Record,
    ) -> Result<(), AppError> {
        match self {
            Self::Csv(writer) => {
                for from in columns.all.iter().map(|column| column.from) {
                    let cell = cell(unit, columns, targets, record, from);
                    writer.write_field(text(cell)).map_err(not_written_csv)?;
                }
                writer.write_record(None::<&[u8]>).map_err(not_written_csv)
            }
            Self::Sheet(sheet) => {
                sheet.row += 1;
                let (row, date) = (sheet.row, sheet.date.clone());
                let page = sheet
                    .workbook
                    .worksheet_from_index(0)
                    .map_err(not_written_sheet)?;
                for (position, column) in columns.all.iter().enumerate() {
                    let cell = cell(unit, columns, targets, record, column.from);
                    write_cell(page, row, place(position)?, cell, &date).map_err(|error| {
                        match error {
                            XlsxError::MaxStringLengthExceeded => AppError::LimitExceeded(format!(
                                "{} of the record {} is longer than the {SHEET_CELL_MAX} characters that a cell of a sheet holds; export CSV or JSON Lines",
                                column.name, record.id
                            )),
                            error => not_written_sheet(error),
                        }
                    })?;
                }
                Ok(())
            }
            Self::Lines(out) => {
                let object: Map<String, Json> = columns
                    .all
                    .iter()
                    .map(|column| {
                        let json = json(unit, columns, targets, record, column.from);
                        (column.name.clone(), json)
                    })
                    .collect();
                serde_json::to_writer(&mut *out, &object)
                    .map_err(|error| not_written(error.into()))?;
                out.write_all(b"\n").map_err(not_written)
            }
            Self::Cards(out) => {
                let mut values = [const { Json::Null }; cards::COLUMNS.len()];
                for (value, column) in values.iter_mut().zip(&columns.all) {
                    *value = json(unit, columns, targets, record, column.from);
                }
                let card = cards::write(&record.id.to_string(), &values);
                out.write_all(card.as_bytes()).map_err(not_written)
            }
        }
    }

    pub(super) fn finish(self) -> Result<(), AppError> {
        match self {
            Self::Csv(mut writer) => writer.flush().map_err(not_written),
            Self::Lines(mut out) | Self::Cards(mut out) => out.flush().map_err(not_written),
            Self::Sheet(mut sheet) => {
                // A zip's directory stands at its end, and is written by going back.
                let mut file = tempfile::tempfile().map_err(not_written)?;
                sheet
                    .workbook
                    .save_to_writer(&mut file)
                    .map_err(not_written_sheet)?;
                std::io::Seek::rewind(&mut file).map_err(not_written)?;
                std::io::copy(&mut file, &mut sheet.out).map_err(not_written)?;
                sheet.out.flush().map_err(not_written)
            }
        }
    }
}

fn cell(unit: &Unit, columns: &Columns, targets: &Targets, record: &Record, from: From) -> Cell {
    let catalogue = unit.catalogue();
    let object = catalogue.object(columns.object);
    let context = unit.coercion();
    match from {
        From::Id => Cell::Plain(record.id.to_string()),
        From::Owner => match record.owner {
            None => Cell::Empty,
            Some(id) => match unit.state().directory.user(id) {
                Some(user) => Cell::Words(user.email.clone()),
                None => Cell::Plain(id.to_string()),
            },
        },
        From::Field(index) => cells::whole(object.field(index), record.value(index), context),
        From::Part(index, part) => {
            cells::part(catalogue, object.field(index), record.value(index), part)
        }
        From::Key(relation, target, field) => {
            let value = targets.value(record, relation, field);
            let field = catalogue.object(target).field(field);
            match relata_catalog::to_json(&field.kind, &value) {
                Json::Object(parts) => ["full", "primary", "typed"]
                    .iter()
                    .find_map(|part| parts.get(*part)?.as_str())
                    .map_or(Cell::Empty, |text| Cell::Words(text.to_owned())),
                _ => cells::whole(field, &value, context),
            }
        }
    }
}

fn json(unit: &Unit, columns: &Columns, targets: &Targets, record: &Record, from: From) -> Json {
    let catalogue = unit.catalogue();
    match from {
        From::Field(index) => {
            let field = catalogue.object(columns.object).field(index);
            cells::as_json(catalogue, field, record.value(index))
        }
        other => match cell(unit, columns, targets, record, other) {
            Cell::Empty => Json::Null,
            Cell::Words(text) | Cell::Plain(text) => text.into(),
            Cell::Number(number) => number.to_string().into(),
            Cell::Boolean(flag) => flag.into(),
            Cell::Date(date) => date.to_string().into(),
        },
    }
}

fn text(cell: Cell) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Words(text) => written(&text).into_owned(),
        Cell::Plain(text) => text,
        Cell::Number(number) => number.to_string(),
        Cell::Boolean(flag) => flag.to_string(),
        Cell::Date(date) => date.to_string(),
    }
}

fn write_cell(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    cell: Cell,
    date: &Look,
) -> Result<(), XlsxError> {
    match cell {
        Cell::Empty => {}
        Cell::Boolean(flag) => {
            sheet.write_boolean(row, column, flag)?;
        }
        Cell::Number(number) => {
            let digits = number.mantissa().unsigned_abs().to_string().len();
            match number.to_string().parse::<f64>() {
                Ok(float) if digits <= SHEET_DIGITS_MAX => {
                    sheet.write_number(row, column, float)?;
                }
                _ => {
                    sheet.write_string(row, column, number.to_string())?;
                }
            }
        }
        Cell::Date(day) => {
            let known = is_known(day).then(|| {
                let year = u16::try_from(day.year()).unwrap_or_default();
                let month = day.month().unsigned_abs();
                ExcelDateTime::from_ymd(year, month, day.day().unsigned_abs())
            });
            match known {
                Some(Ok(known)) => sheet.write_datetime_with_format(row, column, known, date)?,
                _ => sheet.write_string(row, column, day.to_string())?,
            };
        }
        other => {
            sheet.write_string(row, column, text(other))?;
        }
    }
    Ok(())
}

/// Excel counts from 1900, which it takes for a leap year.
fn is_known(day: jiff::civil::Date) -> bool {
    day >= jiff::civil::date(1900, 3, 1)
}

fn place(column: usize) -> Result<u16, AppError> {
    u16::try_from(column)
        .map_err(|_| AppError::LimitExceeded(format!("a sheet has no column {}", column + 1)))
}

pub(super) fn not_written(error: std::io::Error) -> AppError {
    AppError::Unavailable(format!("the file can't be written: {error}"))
}

fn not_written_csv(error: csv::Error) -> AppError {
    AppError::Unavailable(format!("the file can't be written: {error}"))
}

fn not_written_sheet(error: XlsxError) -> AppError {
    AppError::Unavailable(format!("the workbook can't be written: {error}"))
}
