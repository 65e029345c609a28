//! The same reads with the rows of a write transaction: what a mutation selects back, before the
//! commit. Rows are gathered level by level, as on PostgreSQL, and then written.

use std::borrow::Cow;

use sea_orm::QueryResult;
use sea_orm::sqlx::{Decode, Row as _, Sqlite, TypeInfo as _, ValueRef as _};
use uuid::Uuid;

use super::bind::Bind;
use super::gather::{Gathered, Table};
use super::plan::{Bound, Execution, Level};
use super::postgres::binary;
use super::reader::ReaderOptions;
use super::rows::{Row, unexpected};
use super::sqlite::read_day;
use super::writer::Writer;
use super::{Compiled, Directory, Parameters};
use crate::records::bound as bound_value;
use crate::{Backend, StoreError, Transaction};

pub(crate) async fn run(
    tx: &Transaction,
    compiled: &Compiled,
    parameters: &Parameters,
    directory: &dyn Directory,
    options: &ReaderOptions,
) -> Result<Vec<u8>, StoreError> {
    let execution = Execution::new(compiled, parameters, &options.cursor_key)?;
    let mut gathered: Gathered<QueryResult> = Gathered::new(&execution);
    // Parents stand before their children in the levels.
    for level in &compiled.levels {
        let table = match tx.backend() {
            Backend::Postgres => batched(tx, &execution, &gathered, level).await?,
            Backend::Sqlite => one_by_one(tx, &execution, &gathered, level).await?,
        };
        gathered.add(level, table);
    }
    let mut out = Vec::with_capacity(1_024);
    Writer::new(
        &execution,
        directory,
        &options.cursor_key,
        options.answer_bytes_max,
    )
    .write(&mut out, &mut gathered.source())?;
    Ok(out)
}

async fn batched(
    tx: &Transaction,
    execution: &Execution<'_>,
    gathered: &Gathered<'_, QueryResult>,
    level: &Level,
) -> Result<Table<QueryResult>, StoreError> {
    let bound = &execution.levels[level.index];
    let Some(parents) = gathered.parents(level)? else {
        return Ok(Table::root(query(tx, bound, None).await?));
    };
    if parents.ids.is_empty() {
        return Ok(Table::none(parents));
    }
    let ids = Bind::Uuids(parents.ids.clone());
    let rows = query(tx, bound, Some(&ids)).await?;
    Table::nested(rows, level.last_column(), parents)
}

async fn one_by_one(
    tx: &Transaction,
    execution: &Execution<'_>,
    gathered: &Gathered<'_, QueryResult>,
    level: &Level,
) -> Result<Table<QueryResult>, StoreError> {
    let bound = &execution.levels[level.index];
    let Some(parents) = gathered.parents(level)? else {
        return Ok(Table::root(query(tx, bound, None).await?));
    };
    let mut groups = Vec::with_capacity(parents.ids.len());
    for id in &parents.ids {
        groups.push(query(tx, bound, Some(&Bind::Uuid(*id))).await?);
    }
    Ok(Table::groups(groups, parents))
}

async fn query(
    tx: &Transaction,
    bound: &Bound<'_>,
    parent: Option<&Bind>,
) -> Result<Vec<QueryResult>, StoreError> {
    let values = parent
        .into_iter()
        .chain(bound.binds.iter().map(Cow::as_ref))
        .map(|bind| bound_value(bind.clone()))
        .collect();
    tx.query_all(tx.statement(&*bound.sql, values)).await
}

/// A row of either driver: PostgreSQL's in its binary form, as the other driver gives it.
enum Raw<'r> {
    Postgres(Option<&'r [u8]>),
    Sqlite(sea_orm::sqlx::sqlite::SqliteValueRef<'r>),
}

fn raw(row: &QueryResult, position: usize) -> Result<Raw<'_>, StoreError> {
    let unreadable = |_| unexpected(position, "in the row");
    if let Some(row) = row.try_as_pg_row() {
        let value = row.try_get_raw(position).map_err(unreadable)?;
        if value.is_null() {
            return Ok(Raw::Postgres(None));
        }
        return value
            .as_bytes()
            .map(|bytes| Raw::Postgres(Some(bytes)))
            .map_err(|_| unexpected(position, "in binary form"));
    }
    let row = row
        .try_as_sqlite_row()
        .ok_or_else(|| unexpected(position, "of a known driver"))?;
    row.try_get_raw(position)
        .map(Raw::Sqlite)
        .map_err(unreadable)
}

/// Decodes a value of SQLite as what it is stored as; sqlx would convert.
fn lite<'r, T>(
    value: sea_orm::sqlx::sqlite::SqliteValueRef<'r>,
    position: usize,
    stored: &str,
    expected: &str,
) -> Result<Option<T>, StoreError>
where
    T: Decode<'r, Sqlite>,
{
    if value.is_null() {
        return Ok(None);
    }
    if value.type_info().name() != stored {
        return Err(unexpected(position, expected));
    }
    T::decode(value)
        .map(Some)
        .map_err(|_| unexpected(position, expected))
}

impl Row for QueryResult {
    fn is_null(&self, position: usize) -> Result<bool, StoreError> {
        Ok(match raw(self, position)? {
            Raw::Postgres(bytes) => bytes.is_none(),
            Raw::Sqlite(value) => value.is_null(),
        })
    }

    fn text(&self, position: usize) -> Result<Option<&str>, StoreError> {
        match raw(self, position)? {
            Raw::Postgres(bytes) => binary::text(position, bytes),
            Raw::Sqlite(value) => lite(value, position, "TEXT", "text"),
        }
    }

    fn integer(&self, position: usize) -> Result<Option<i64>, StoreError> {
        match raw(self, position)? {
            Raw::Postgres(bytes) => binary::integer(position, bytes),
            Raw::Sqlite(value) => lite(value, position, "INTEGER", "an integer"),
        }
    }

    fn boolean(&self, position: usize) -> Result<Option<bool>, StoreError> {
        match raw(self, position)? {
            Raw::Postgres(bytes) => binary::boolean(position, bytes),
            Raw::Sqlite(_) => Ok(self.integer(position)?.map(|number| number != 0)),
        }
    }

    fn uuid(&self, position: usize) -> Result<Option<Uuid>, StoreError> {
        match raw(self, position)? {
            Raw::Postgres(bytes) => binary::uuid(position, bytes),
            Raw::Sqlite(value) => lite::<&[u8]>(value, position, "BLOB", "a UUID")?
                .map(|bytes| Uuid::from_slice(bytes).map_err(|_| unexpected(position, "a UUID")))
                .transpose(),
        }
    }

    fn decimal(&self, position: usize, scale: u32) -> Result<Option<i64>, StoreError> {
        match raw(self, position)? {
            Raw::Postgres(bytes) => binary::decimal(position, bytes, scale),
            Raw::Sqlite(_) => self.integer(position),
        }
    }

    fn day(&self, position: usize) -> Result<Option<i64>, StoreError> {
        match raw(self, position)? {
            Raw::Postgres(bytes) => binary::day(position, bytes),
            Raw::Sqlite(_) => self
                .text(position)?
                .map(|text| read_day(position, text))
                .transpose(),
        }
    }

    fn instant(&self, position: usize) -> Result<Option<i64>, StoreError> {
        match raw(self, position)? {
            Raw::Postgres(bytes) => binary::instant(position, bytes),
            Raw::Sqlite(_) => self.integer(position),
        }
    }

    fn write_list(&self, position: usize, out: &mut Vec<u8>) -> Result<bool, StoreError> {
        match raw(self, position)? {
            Raw::Postgres(bytes) => binary::write_list(position, bytes, out),
            Raw::Sqlite(_) => Ok(self
                .text(position)?
                .map(|text| out.extend_from_slice(text.as_bytes()))
                .is_some()),
        }
    }
}
