//! Indexes: which an object's table should have, and how it comes to them.
//!
//! Which there should be follows from the object alone ([`wanted`]), so whatever has changed, the
//! tables are compared with that. `SQLite` makes them in the transaction of the change, and so does
//! `PostgreSQL` for a small table. Of a large one that would keep writers waiting: there the index
//! is made afterwards ([`Database::build_index`]), while the catalogue already counts on it. An
//! index is never needed for an answer to be right.
//!
//! Unique keys are not among them: they say what may be stored, so they come with the change.

use std::collections::HashSet;

use relata_catalog::{Catalogue, Key, Kind, Object, Plan, Step};
use sea_orm::sqlx::{self, Executor as _, PgConnection};
use sea_orm::{ConnectionTrait, Statement, Value as SqlValue};

use super::{column_names, physical_name};
use crate::cells::quoted;
use crate::database::{Backend, Database, Turn};
use crate::error::StoreError;
use crate::transaction::Transaction;

/// A table of more records (by the planner's estimate) keeps its writers while an index is made.
const AT_ONCE_MAX: i64 = 20_000;

/// What the locks of indexes that are being made begin with.
const LOCK_SPACE: &str = "relata index ";

/// A label of this many characters fits an index entry of `PostgreSQL` (2,704 bytes) even where
/// each takes four bytes.
const INDEXED_LABEL_MAX: u32 = 600;

/// An index that a table should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexSpec {
    /// Physical name.
    pub name: String,
    /// Physical table.
    pub table: String,
    /// Columns, in order.
    pub columns: Vec<String>,
    /// Columns that are carried along.
    pub include: Vec<String>,
    /// Condition of a partial index.
    pub condition: Option<String>,
}

impl IndexSpec {
    fn new(table: &str, columns: &[&str]) -> Self {
        Self {
            name: physical_name("ix", &[&[table], columns].concat()),
            table: table.to_owned(),
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            include: Vec::new(),
            condition: None,
        }
    }

    fn create(&self, backend: Backend, how: &str) -> String {
        let listed = |columns: &[String]| {
            let columns: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
            columns.join(", ")
        };
        let (columns, include) = match backend {
            // It has no other way to carry columns along than to sort by them at last.
            Backend::Sqlite => {
                let mut columns = self.columns.clone();
                columns.extend(self.include.iter().cloned());
                (listed(&columns), String::new())
            }
            Backend::Postgres if self.include.is_empty() => (listed(&self.columns), String::new()),
            Backend::Postgres => (
                listed(&self.columns),
                format!(" INCLUDE ({})", listed(&self.include)),
            ),
        };
        let condition = match &self.condition {
            Some(condition) => format!(" WHERE {condition}"),
            None => String::new(),
        };
        format!(
            "CREATE INDEX {how}{} ON {} ({columns}){include}{condition}",
            quoted(&self.name),
            quoted(&self.table),
        )
    }
}

/// The indexes that an object's table should have: those that lists of every object need, and
/// those that somebody has asked for.
pub(super) fn wanted(object: &Object) -> Vec<IndexSpec> {
    let table = &*object.table;
    let mut specs = vec![
        IndexSpec::new(table, &["_created_at", "id"]),
        IndexSpec::new(table, &["_owner", "id"]),
        IndexSpec {
            // What empties the trash looks for nothing else; most records are not in it.
            condition: Some("\"_deleted_at\" IS NOT NULL".to_owned()),
            ..IndexSpec::new(table, &["_deleted_at", "id"])
        },
    ];
    for field in &object.fields {
        let columns = column_names(field);
        match field.kind {
            // Relations are walked backwards. With the id behind it, the children of one record
            // come in their order.
            Kind::Relation(_) => specs.push(IndexSpec::new(table, &[&columns[0], "id"])),
            // Who holds a file is asked whenever somebody wants to read it, or to remove it.
            Kind::File { .. } => specs.push(IndexSpec::new(table, &[&columns[0]])),
            Kind::Stage => specs.push(IndexSpec::new(table, &[&columns[0], &columns[1]])),
            _ => {}
        }
    }
    if let Some(column) = label_column(object) {
        specs.push(IndexSpec::new(table, &[&column, "id"]));
    }
    for index in &object.indexes {
        specs.extend(asked_for(object, index));
    }
    let mut seen = HashSet::new();
    specs.retain(|spec| seen.insert(spec.name.clone()));
    specs
}

/// Physical shape of an index that somebody has asked for.
#[must_use]
pub fn asked_for(object: &Object, index: &relata_catalog::Index) -> Option<IndexSpec> {
    let mut columns = Vec::new();
    for key in &index.fields {
        let (_, field) = object.field_keyed(key)?;
        columns.extend(field.index_columns().into_iter().map(|column| column.name));
    }
    let first = columns.first()?.clone();
    columns.push("id".to_owned());
    let mut include = Vec::new();
    for key in &index.include {
        let (_, field) = object.field_keyed(key)?;
        include.extend(column_names(field));
    }
    include.retain(|column| !columns.contains(column));
    let conditions: Vec<String> = [
        index
            .filled
            .then(|| format!("{} IS NOT NULL", quoted(&first))),
        index.live.then(|| "\"_deleted_at\" IS NULL".to_owned()),
    ]
    .into_iter()
    .flatten()
    .collect();
    let marks: Vec<&str> = [
        index.filled.then_some("filled"),
        index.live.then_some("live"),
        (!include.is_empty()).then_some("with"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let names: Vec<&str> = std::iter::once(&*object.table)
        .chain(columns.iter().map(String::as_str))
        .chain(marks)
        .chain(include.iter().map(String::as_str))
        .collect();
    Some(IndexSpec {
        name: physical_name("ix", &names),
        table: object.table.clone(),
        columns,
        include,
        condition: (!conditions.is_empty()).then(|| conditions.join(" AND ")),
    })
}

/// Whether there is an index of the object's table whose first column this is.
pub(crate) fn begins_an_index(object: &Object, column: &str) -> bool {
    column == "id"
        || object.uniques.iter().any(|unique| {
            object
                .unique_columns(unique)
                .first()
                .is_some_and(|first| first == column)
        })
        || wanted(object)
            .iter()
            .any(|spec| spec.columns.first().is_some_and(|first| first == column))
}

/// The folded column of the label field: people look records up, and sort them, by it.
fn label_column(object: &Object) -> Option<String> {
    let (_, field) = object.field_keyed(object.label_field.as_ref()?)?;
    let indexed = match field.kind {
        Kind::Text { max } => max <= INDEXED_LABEL_MAX,
        Kind::FullName | Kind::Email => true,
        _ => false,
    };
    field
        .stored_columns()
        .into_iter()
        .find(|column| indexed && column.column_type == relata_catalog::ColumnType::Folded)
        .map(|column| column.name)
}

/// An index that a table has.
struct Present {
    table: String,
    name: String,
    /// Names of its columns, those that are carried along included.
    columns: Vec<String>,
    is_valid: bool,
}

/// Of one table, or of all.
async fn present(
    connection: &impl ConnectionTrait,
    backend: Backend,
    table: Option<&str>,
) -> Result<Vec<Present>, StoreError> {
    let text = match backend {
        Backend::Sqlite => {
            "SELECT m.tbl_name, m.name, coalesce((SELECT group_concat(i.name, ',') FROM pragma_index_info(m.name) AS i), ''), 1 \
             FROM sqlite_master AS m WHERE m.type = 'index' AND m.name GLOB 'ix_*' AND m.tbl_name = coalesce(?1, m.tbl_name)"
        }
        Backend::Postgres => {
            "SELECT t.relname::text, c.relname::text, coalesce((SELECT string_agg(a.attname, ',') FROM pg_attribute AS a \
             WHERE a.attrelid = c.oid), ''), CASE WHEN i.indisvalid THEN 1::bigint ELSE 0 END \
             FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_class AS t ON t.oid = i.indrelid \
             WHERE t.relnamespace = current_schema()::regnamespace AND c.relname LIKE 'ix\\_%' \
             AND t.relname = coalesce($1, t.relname)"
        }
    };
    let statement = Statement::from_sql_and_values(
        backend.sea(),
        text,
        [SqlValue::String(table.map(str::to_owned))],
    );
    let mut found = Vec::new();
    for row in connection.query_all_raw(statement).await? {
        let columns: String = row.try_get_by_index(2)?;
        let is_valid: i64 = row.try_get_by_index(3)?;
        found.push(Present {
            table: row.try_get_by_index(0)?,
            name: row.try_get_by_index(1)?,
            columns: columns.split(',').map(str::to_owned).collect(),
            is_valid: is_valid == 1,
        });
    }
    Ok(found)
}

impl Transaction {
    /// Brings the indexes of the objects that a plan is about to what they should be.
    pub(super) async fn keep_indexes(&self, plan: &Plan) -> Result<(), StoreError> {
        let mut done: Vec<&Key> = Vec::new();
        for step in &plan.steps {
            let (key, is_new) = match step {
                Step::CreateObject { object, .. } => (&object.key, true),
                Step::ChangeObject { object, .. }
                | Step::AddField { object, .. }
                | Step::ChangeField { object, .. }
                | Step::ConvertField { object, .. }
                | Step::RemoveField { object, .. } => (object, false),
                _ => continue,
            };
            if done.contains(&key) {
                continue;
            }
            done.push(key);
            if let Some((_, object)) = plan.target.object_keyed(key) {
                self.keep_indexes_of(object, is_new).await?;
            }
        }
        Ok(())
    }

    async fn keep_indexes_of(&self, object: &Object, is_new: bool) -> Result<(), StoreError> {
        let wanted = wanted(object);
        let present = match is_new {
            true => Vec::new(),
            false => present(&self.statements(), self.backend(), Some(&object.table)).await?,
        };
        let own: Vec<String> = object.fields.iter().flat_map(column_names).collect();
        for index in &present {
            // Those over parked columns go with them.
            let is_own = index
                .columns
                .iter()
                .all(|column| column == "id" || column.starts_with('_') || own.contains(column));
            if is_own && !wanted.iter().any(|spec| spec.name == index.name) {
                self.drop_index(&index.name).await?;
            }
        }
        let missing: Vec<&IndexSpec> = wanted
            .iter()
            .filter(|spec| !present.iter().any(|index| index.name == spec.name))
            .collect();
        if missing.is_empty() || !(is_new || self.is_small(&object.table).await?) {
            return Ok(());
        }
        for spec in missing {
            self.execute_text(&spec.create(self.backend(), "")).await?;
        }
        Ok(())
    }

    /// Whether an index of the table is made at once.
    async fn is_small(&self, table: &str) -> Result<bool, StoreError> {
        if self.backend() == Backend::Sqlite {
            return Ok(true);
        }
        // −1 where nobody has looked yet; then its size tells.
        let text = "SELECT CASE WHEN reltuples >= 0 THEN reltuples::bigint \
                    ELSE pg_relation_size(oid) / 100 END FROM pg_class WHERE oid = to_regclass(quote_ident($1))";
        let row = self
            .query_one(self.statement(text, vec![table.into()]))
            .await?;
        let records: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
        Ok(records <= AT_ONCE_MAX)
    }
}

impl Database {
    /// Indexes that tables should have and have not.
    ///
    /// # Errors
    /// What the database says.
    pub async fn missing_indexes(
        &self,
        catalogue: &Catalogue,
    ) -> Result<Vec<IndexSpec>, StoreError> {
        let present = present(&self.platform(), self.backend(), None).await?;
        let valid: HashSet<(&str, &str)> = present
            .iter()
            .filter(|index| index.is_valid)
            .map(|index| (index.table.as_str(), index.name.as_str()))
            .collect();
        let mut missing: Vec<IndexSpec> = catalogue
            .objects
            .iter()
            .flat_map(|object| wanted(object))
            .collect();
        missing.retain(|spec| !valid.contains(&(spec.table.as_str(), spec.name.as_str())));
        Ok(missing)
    }

    /// The same of one object.
    ///
    /// # Errors
    /// What the database says.
    pub async fn missing_indexes_of(&self, object: &Object) -> Result<Vec<IndexSpec>, StoreError> {
        let present = present(&self.platform(), self.backend(), Some(&object.table)).await?;
        let mut missing = wanted(object);
        missing.retain(|spec| {
            !present
                .iter()
                .any(|index| index.is_valid && index.name == spec.name)
        });
        Ok(missing)
    }

    /// Makes an index beside the writers of its table. Another process that makes it at the moment
    /// is left to it.
    ///
    /// # Errors
    /// What the database says. What is half made stays, and is made anew by the next attempt.
    pub async fn build_index(&self, spec: &IndexSpec) -> Result<(), StoreError> {
        if self.backend() == Backend::Sqlite {
            let transaction = self.begin(Turn::Alone).await?;
            let text = spec.create(self.backend(), "IF NOT EXISTS ");
            transaction.execute_text(&text).await?;
            return transaction.commit().await;
        }
        let mut connection = self
            .writer()?
            .get_postgres_connection_pool()
            .acquire()
            .await
            .map_err(driver)?;
        // It waits for transactions that began before it, and takes as long as it takes.
        for text in ["SET statement_timeout = 0", "SET lock_timeout = 0"] {
            connection.execute(text).await.map_err(driver)?;
        }
        let built = concurrently(&mut connection, spec).await;
        for text in ["RESET statement_timeout", "RESET lock_timeout"] {
            connection.execute(text).await.map_err(driver)?;
        }
        built
    }
}

async fn concurrently(connection: &mut PgConnection, spec: &IndexSpec) -> Result<(), StoreError> {
    // Of one process at a time, for as long as the session lives.
    let lock = format!("hashtextextended('{LOCK_SPACE}' || $1, 0)");
    let ours: bool = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "SELECT pg_try_advisory_lock({lock})"
    )))
    .bind(&spec.name)
    .fetch_one(&mut *connection)
    .await
    .map_err(driver)?;
    if !ours {
        return Ok(());
    }
    // Of an attempt that was cut off there is an index that is never used.
    let texts = [
        format!("DROP INDEX CONCURRENTLY IF EXISTS {}", quoted(&spec.name)),
        spec.create(Backend::Postgres, "CONCURRENTLY "),
    ];
    let mut built = Ok(());
    for text in texts {
        if built.is_ok() {
            built = connection
                .execute(sqlx::AssertSqlSafe(text))
                .await
                .map(|_| ())
                .map_err(driver);
        }
    }
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT pg_advisory_unlock({lock})"
    )))
    .bind(&spec.name)
    .execute(&mut *connection)
    .await
    .map_err(driver)?;
    built
}

fn driver(error: sqlx::Error) -> StoreError {
    sea_orm::DbErr::Exec(sea_orm::RuntimeErr::SqlxError(error.into())).into()
}
