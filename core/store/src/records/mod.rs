//! Records in their tables: written whole rows at a time, read back as values.
//!
//! What a record *means* (defaults, rules, hooks, history) is `relata-app`'s business; here it is
//! cells. Invariant: an update that does not find the version it expects changes nothing.

mod find;
mod references;
mod trees;

pub use find::Find;
pub(crate) use find::bound;

use std::fmt::Write as _;

use relata_catalog::{Column, ColumnType, Field, FieldIndex, Object, Value};
use sea_orm::Statement;
use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, Query, Value as SqlValue};
use uuid::Uuid;

use crate::cells::{Row, instant_parameter, quoted, selected, write_values, written};
use crate::database::Backend;
use crate::error::StoreError;
use crate::log::{Inserted, Log, all_values, insert_text_behind};
use crate::transaction::Transaction;

/// One record, whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// UUIDv7.
    pub id: Uuid,
    /// 1 when created; each change adds one.
    pub version: i64,
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub created_at: i64,
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub updated_at: i64,
    /// When it went to the trash.
    pub deleted_at: Option<i64>,
    /// An actor as `user:<uuid>`, `token:<uuid>`, `plugin:<id>` or `system`.
    pub created_by: String,
    /// Likewise.
    pub updated_by: String,
    /// A user.
    pub owner: Option<Uuid>,
    /// By [`FieldIndex`].
    pub values: Vec<Value>,
}

impl Record {
    /// The value of a field.
    #[must_use]
    pub fn value(&self, field: FieldIndex) -> &Value {
        &self.values[field.0]
    }
}

/// Whether the record is kept from others until the end of the transaction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lock {
    /// Read only.
    #[default]
    None,
    /// About to be changed (`FOR UPDATE` on `PostgreSQL`).
    Update,
}

/// The columns that every record has, in the order in which they are read and written.
pub(crate) const SYSTEM_COLUMNS: [&str; 8] = [
    "id",
    "_version",
    "_created_at",
    "_updated_at",
    "_deleted_at",
    "_created_by",
    "_updated_by",
    "_owner",
];

impl Backend {
    /// Most parameters of one statement.
    pub(crate) fn parameters_max(self) -> usize {
        match self {
            Self::Sqlite => 32_766,
            Self::Postgres => 65_535,
        }
    }
}

/// Rows of one INSERT: beyond some hundred, longer statements gain nothing and each length is
/// another text to prepare.
const INSERT_ROWS_MAX: usize = 250;

/// Ids in one statement, for the same reason.
pub(crate) const IDS_MAX: usize = 500;

impl Transaction {
    /// [`Transaction::insert_logged`] without a log.
    ///
    /// # Errors
    /// As there.
    pub async fn insert(&self, object: &Object, records: &[Record]) -> Result<(), StoreError> {
        self.insert_logged(object, records, &Log::default()).await
    }

    /// Writes new records, several rows at a time, and what the logs say of them.
    ///
    /// # Errors
    /// [`StoreError::Unique`], [`StoreError::Referenced`] (a relation points at nothing, on
    /// `PostgreSQL` at the commit), [`StoreError::Value`].
    pub async fn insert_logged(
        &self,
        object: &Object,
        records: &[Record],
        log: &Log,
    ) -> Result<(), StoreError> {
        let backend = self.backend();
        let columns = Columns::filled(object, records);
        let rows_max = (backend.parameters_max() / columns.count()).clamp(1, INSERT_ROWS_MAX);
        let chunks = records.chunks(rows_max);
        let is_one = chunks.len() == 1;
        for chunk in chunks {
            let mut values = Vec::with_capacity(chunk.len() * columns.count());
            for record in chunk {
                columns.write(backend, record, &mut values)?;
            }
            let text = columns.insert_text(backend, object, chunk.len());
            let statement = self.statement(text, values);
            if is_one {
                self.execute_logged(statement, log).await?;
                return Ok(());
            }
            self.execute(statement).await?;
        }
        self.append(log).await
    }

    /// [`Transaction::update_logged`] without a log.
    ///
    /// # Errors
    /// As there.
    pub async fn update(
        &self,
        object: &Object,
        ids: &[Uuid],
        to: &Record,
        changed: &[FieldIndex],
    ) -> Result<(), StoreError> {
        let nothing = Log::default();
        self.update_logged(object, ids, to, changed, &nothing).await
    }

    /// Writes the changed fields and the system columns of records that become alike: all of them
    /// were read at the version before `to.version`, and get what `to` has. And what the logs say
    /// of them.
    ///
    /// # Errors
    /// [`StoreError::VersionConflict`] when one is not at that version any more, or not there;
    /// [`StoreError::Unique`], [`StoreError::Value`].
    pub async fn update_logged(
        &self,
        object: &Object,
        ids: &[Uuid],
        to: &Record,
        changed: &[FieldIndex],
        log: &Log,
    ) -> Result<(), StoreError> {
        let backend = self.backend();
        let mut update = Query::update();
        update
            .table(Alias::new(&object.table))
            .value(Alias::new("_version"), to.version)
            .value(
                Alias::new("_updated_at"),
                instant_parameter(backend, Some(to.updated_at)),
            )
            .value(
                Alias::new("_deleted_at"),
                instant_parameter(backend, to.deleted_at),
            )
            .value(Alias::new("_updated_by"), to.updated_by.as_str())
            .value(Alias::new("_owner"), SqlValue::Uuid(to.owner))
            .and_where(Expr::col(Alias::new("_version")).eq(to.version - 1));
        for index in changed {
            let field = object.field(*index);
            let cells = written(backend, field, to.value(*index))?;
            for (column, cell) in field.stored_columns().into_iter().zip(cells) {
                update.value(Alias::new(column.name), cell);
            }
        }
        let chunks = ids.chunks(IDS_MAX);
        let last = chunks.len().saturating_sub(1);
        let nothing = Log::default();
        for (position, chunk) in chunks.enumerate() {
            let log = if position == last { log } else { &nothing };
            let mut update = update.clone();
            update.and_where(Expr::col(Alias::new("id")).is_in(chunk.iter().copied()));
            let done = self
                .execute_logged(backend.sea().build(&update), log)
                .await?;
            if done != chunk.len() as u64 {
                return Err(StoreError::VersionConflict);
            }
        }
        Ok(())
    }

    /// One record by its id, in the trash or not.
    ///
    /// # Errors
    /// What the database says.
    pub async fn get(
        &self,
        object: &Object,
        id: Uuid,
        lock: Lock,
    ) -> Result<Option<Record>, StoreError> {
        let statement = self.statement(
            format!(
                "SELECT {} FROM {} WHERE \"id\" = {}{}",
                columns_selected(self.backend(), object),
                quoted(&object.table),
                self.backend().placeholder(1),
                self.backend().lock_clause(lock),
            ),
            vec![id.into()],
        );
        Ok(self.records(object, statement).await?.pop())
    }

    /// Several records by their ids, in no order; ids that are not there are left out.
    ///
    /// # Errors
    /// What the database says.
    pub async fn get_many(
        &self,
        object: &Object,
        ids: &[Uuid],
        lock: Lock,
    ) -> Result<Vec<Record>, StoreError> {
        let mut records = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(IDS_MAX) {
            // Rows are locked in the order of their ids, so that two writers do not wait for each
            // other in a circle.
            let mut sorted = chunk.to_vec();
            sorted.sort_unstable();
            let statement = self.statement(
                format!(
                    "SELECT {} FROM {} WHERE \"id\" IN ({}) ORDER BY \"id\"{}",
                    columns_selected(self.backend(), object),
                    quoted(&object.table),
                    self.backend().placeholders(sorted.len()),
                    self.backend().lock_clause(lock),
                ),
                sorted.into_iter().map(SqlValue::from).collect(),
            );
            records.extend(self.records(object, statement).await?);
        }
        Ok(records)
    }

    /// Removes records for good. Relations that still point at them become empty.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when one of them is not there.
    pub async fn destroy(&self, object: &Object, ids: &[Uuid]) -> Result<(), StoreError> {
        for chunk in ids.chunks(IDS_MAX) {
            let statement = self.statement(
                format!(
                    "DELETE FROM {} WHERE \"id\" IN ({})",
                    quoted(&object.table),
                    self.backend().placeholders(chunk.len())
                ),
                chunk.iter().copied().map(SqlValue::from).collect(),
            );
            if self.execute(statement).await?.rows_affected() != chunk.len() as u64 {
                return Err(StoreError::NotFound);
            }
        }
        Ok(())
    }

    /// Runs a statement whose rows are [`columns_selected`].
    pub(crate) async fn records(
        &self,
        object: &Object,
        statement: Statement,
    ) -> Result<Vec<Record>, StoreError> {
        self.query_all(statement)
            .await?
            .iter()
            .map(|row| self.record_of(object, &mut Row::new(row, self.backend())))
            .collect()
    }

    fn record_of(&self, object: &Object, row: &mut Row<'_>) -> Result<Record, StoreError> {
        let missing = |column: &str| StoreError::value(column, "empty in a record");
        Ok(Record {
            id: row.take()?,
            version: row.take()?,
            created_at: row.take_instant()?.ok_or_else(|| missing("_created_at"))?,
            updated_at: row.take_instant()?.ok_or_else(|| missing("_updated_at"))?,
            deleted_at: row.take_instant()?,
            created_by: row.take()?,
            updated_by: row.take()?,
            owner: row.take()?,
            values: object
                .fields
                .iter()
                .map(|field| row.take_value(field))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// The columns of an INSERT: those that every record has, and of the fields those that some of
/// the records fill. What is empty in all of them needs no mention.
struct Columns<'o> {
    fields: Vec<(FieldIndex, &'o Field, Vec<Column>)>,
}

impl<'o> Columns<'o> {
    fn filled(object: &'o Object, records: &[Record]) -> Self {
        let fields = object
            .fields
            .iter()
            .enumerate()
            .map(|(index, field)| (FieldIndex(index), field))
            .filter(|(index, _)| records.iter().any(|record| !record.value(*index).is_null()))
            .map(|(index, field)| (index, field, field.stored_columns()))
            .collect();
        Self { fields }
    }

    fn of_fields(&self) -> impl Iterator<Item = &Column> {
        self.fields.iter().flat_map(|(_, _, columns)| columns)
    }

    fn count(&self) -> usize {
        SYSTEM_COLUMNS.len() + self.of_fields().count()
    }

    fn insert_text(&self, backend: Backend, object: &Object, rows: usize) -> String {
        let named: Vec<(String, Inserted)> = self
            .of_fields()
            .map(|column| {
                let inserted = match column.column_type {
                    ColumnType::Json => Inserted::Json,
                    _ => Inserted::Value,
                };
                (quoted(&column.name), inserted)
            })
            .collect();
        let mut columns = all_values(&SYSTEM_COLUMNS);
        columns.extend(named.iter().map(|(name, inserted)| (&**name, *inserted)));
        insert_text_behind(backend, &quoted(&object.table), &columns, rows, 0)
    }

    fn write(
        &self,
        backend: Backend,
        record: &Record,
        values: &mut Vec<SqlValue>,
    ) -> Result<(), StoreError> {
        values.extend([
            record.id.into(),
            record.version.into(),
            instant_parameter(backend, Some(record.created_at)),
            instant_parameter(backend, Some(record.updated_at)),
            instant_parameter(backend, record.deleted_at),
            record.created_by.as_str().into(),
            record.updated_by.as_str().into(),
            SqlValue::Uuid(record.owner),
        ]);
        for (index, field, columns) in &self.fields {
            write_values(backend, field, columns, record.value(*index), values)?;
        }
        Ok(())
    }
}

impl Backend {
    /// The placeholder at this position, from 1.
    pub(crate) fn placeholder(self, position: usize) -> String {
        match self {
            Self::Sqlite => format!("?{position}"),
            Self::Postgres => format!("${position}"),
        }
    }

    /// The placeholder at this position, where all are used once and in order. SQLite's then have
    /// no numbers, so that the statement may stand behind others in one text: sqlx gives each
    /// what those before it have left.
    pub(crate) fn write_next_placeholder(self, position: usize, text: &mut String) {
        match self {
            Self::Sqlite => text.push('?'),
            Self::Postgres => {
                // Writing into a text does not fail.
                let _ = write!(text, "${position}");
            }
        }
    }

    /// As many placeholders, as in a list.
    pub(crate) fn placeholders(self, count: usize) -> String {
        (1..=count)
            .map(|position| self.placeholder(position))
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn lock_clause(self, lock: Lock) -> &'static str {
        match (self, lock) {
            (Self::Postgres, Lock::Update) => " FOR UPDATE",
            _ => "",
        }
    }
}

/// The select list of whole records.
pub(crate) fn columns_selected(backend: Backend, object: &Object) -> String {
    SYSTEM_COLUMNS
        .iter()
        .map(|column| quoted(column))
        .chain(
            object
                .fields
                .iter()
                .flat_map(|field| field.stored_columns())
                .map(|column| selected(backend, &column)),
        )
        .collect::<Vec<_>>()
        .join(", ")
}
