//! A record that has just been written is answered from memory, where nothing is selected of it
//! but what stands in its own row.
//!
//! To read it back costs a statement. On PostgreSQL it costs more: a serialisable transaction that
//! reads the page of an index into which its neighbours write conflicts with them, and of those
//! who create at the same time one in ten had to begin again.

use relata_catalog::{Catalogue, FieldIndex, Object, ObjectIndex};
use uuid::Uuid;

use super::columns::{quoted, system_column};
use super::plan::{Execution, Level};
use super::reader::ReaderOptions;
use super::rows::{Flow, Row, Source, unexpected};
use super::writer::Writer;
use super::{Compiled, Directory, Parameters};
use crate::cells::{Cell, cells_of, json_text, scaled};
use crate::filter::{ColumnRef, SystemColumn};
use crate::{Record, StoreError};

/// Which columns of its own row a read selects of a record, by their positions.
#[derive(Debug)]
pub(crate) struct Known {
    object: ObjectIndex,
    columns: Box<[ColumnRef]>,
}

impl Known {
    /// `None` where a column is not one of the table `alias`.
    pub(crate) fn of<'t>(
        catalogue: &Catalogue,
        object: ObjectIndex,
        alias: &str,
        columns: impl Iterator<Item = &'t String>,
    ) -> Option<Self> {
        let described = catalogue.object(object);
        let names: Vec<(String, ColumnRef)> = SystemColumn::ALL
            .into_iter()
            .map(|column| {
                (
                    system_column(column).0.to_owned(),
                    ColumnRef::System(column),
                )
            })
            .chain(
                described
                    .fields
                    .iter()
                    .enumerate()
                    .flat_map(|(index, field)| {
                        let columns = field.stored_columns().into_iter().enumerate();
                        columns.map(move |(part, column)| {
                            let place = ColumnRef::Field {
                                field: FieldIndex(index),
                                part,
                            };
                            (column.name, place)
                        })
                    }),
            )
            .map(|(name, place)| (format!("{alias}.{}", quoted(&name)), place))
            .collect();
        let columns = columns
            .map(|text| {
                let found = names.iter().find(|(name, _)| name == text);
                found.map(|(_, place)| *place)
            })
            .collect::<Option<_>>()?;
        Some(Self { object, columns })
    }
}

/// See [`Reader::write_known`](super::Reader::write_known).
pub(crate) fn write(
    compiled: &Compiled,
    catalogue: &Catalogue,
    record: &Record,
    parameters: &Parameters,
    directory: &dyn Directory,
    options: &ReaderOptions,
) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(known) = &compiled.known else {
        return Ok(None);
    };
    let execution = Execution::new(compiled, parameters, &options.cursor_key)?;
    let described = catalogue.object(known.object);
    let cells = known
        .columns
        .iter()
        .map(|column| cell(described, record, *column))
        .collect::<Result<_, _>>()?;
    let mut out = Vec::with_capacity(256);
    Writer::new(
        &execution,
        directory,
        &options.cursor_key,
        options.answer_bytes_max,
    )
    .write(&mut out, &mut One(Cells(cells)))?;
    Ok(Some(out))
}

fn cell(object: &Object, record: &Record, column: ColumnRef) -> Result<Cell, StoreError> {
    let text = |text: &str| Cell::Text(text.to_owned());
    Ok(match column {
        ColumnRef::System(system) => match system {
            SystemColumn::Id => Cell::Reference(record.id),
            SystemColumn::Version => Cell::Integer(record.version),
            SystemColumn::CreatedAt => Cell::DateTime(record.created_at),
            SystemColumn::UpdatedAt => Cell::DateTime(record.updated_at),
            SystemColumn::DeletedAt => record.deleted_at.map_or(Cell::Null, Cell::DateTime),
            SystemColumn::CreatedBy => text(&record.created_by),
            SystemColumn::UpdatedBy => text(&record.updated_by),
            SystemColumn::Owner => record.owner.map_or(Cell::Null, Cell::Reference),
        },
        ColumnRef::Field { field, part } => {
            let value = record.value(field);
            if value.is_null() {
                return Ok(Cell::Null);
            }
            cells_of(object.field(field), value)?
                .into_iter()
                .nth(part)
                .ok_or_else(|| unexpected(part, "a column of the field"))?
        }
    })
}

/// The only row of the only level.
struct One(Cells);

struct Cells(Vec<Cell>);

impl Source for One {
    type Row<'row> = Cells;

    fn visit<F>(
        &mut self,
        _level: &Level,
        _parent: Option<&Self::Row<'_>>,
        mut each: F,
    ) -> Result<(), StoreError>
    where
        F: FnMut(&mut Self, &Self::Row<'_>) -> Result<Flow, StoreError>,
    {
        let row = Cells(std::mem::take(&mut self.0.0));
        each(self, &row).map(|_| ())
    }
}

impl Cells {
    fn at<'c, T>(
        &'c self,
        position: usize,
        expected: &str,
        read: impl Fn(&'c Cell) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        match self.0.get(position) {
            Some(Cell::Null) => Ok(None),
            Some(cell) => read(cell)
                .map(Some)
                .ok_or_else(|| unexpected(position, expected)),
            None => Err(unexpected(position, "in the row")),
        }
    }
}

impl Row for Cells {
    fn is_null(&self, position: usize) -> Result<bool, StoreError> {
        Ok(self.at(position, "in the row", Some)?.is_none())
    }

    fn text(&self, position: usize) -> Result<Option<&str>, StoreError> {
        self.at(position, "text", |cell| match cell {
            Cell::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    fn integer(&self, position: usize) -> Result<Option<i64>, StoreError> {
        self.at(position, "an integer", |cell| match cell {
            Cell::Integer(integer) => Some(*integer),
            _ => None,
        })
    }

    fn boolean(&self, position: usize) -> Result<Option<bool>, StoreError> {
        self.at(position, "a boolean", |cell| match cell {
            Cell::Boolean(boolean) => Some(*boolean),
            _ => None,
        })
    }

    fn uuid(&self, position: usize) -> Result<Option<Uuid>, StoreError> {
        self.at(position, "a UUID", |cell| match cell {
            Cell::Reference(id) => Some(*id),
            _ => None,
        })
    }

    fn decimal(&self, position: usize, scale: u32) -> Result<Option<i64>, StoreError> {
        self.at(position, "a decimal", |cell| match cell {
            Cell::Decimal(decimal) => scaled(*decimal, scale),
            _ => None,
        })
    }

    fn day(&self, position: usize) -> Result<Option<i64>, StoreError> {
        self.at(position, "a date", |cell| match cell {
            Cell::Date(date) => Some(super::cursor::day_of_date(*date)?),
            _ => None,
        })
    }

    fn instant(&self, position: usize) -> Result<Option<i64>, StoreError> {
        self.at(position, "an instant", |cell| match cell {
            Cell::DateTime(micros) => Some(*micros),
            _ => None,
        })
    }

    fn write_list(&self, position: usize, out: &mut Vec<u8>) -> Result<bool, StoreError> {
        let texts = self.at(position, "a list of texts", |cell| match cell {
            Cell::Texts(texts) => Some(texts),
            _ => None,
        })?;
        if let Some(texts) = texts {
            out.extend_from_slice(json_text(texts).as_bytes());
        }
        Ok(texts.is_some())
    }
}
