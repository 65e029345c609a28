//! The texts of data definition.
//!
//! `SQLite` takes foreign keys only inside CREATE TABLE and ADD COLUMN, and may name a table there
//! that comes later; `PostgreSQL` takes them afterwards, as constraints with names of their own.

use relata_catalog::{Catalogue, Column, ColumnType, Field, Kind, Object};

use super::{FILES, physical_name, target_table};
use crate::cells::quoted;
use crate::database::Backend;
use crate::error::StoreError;
use crate::numbers::series;
use crate::transaction::Transaction;

impl Transaction {
    pub(super) async fn create_table(
        &self,
        object: &Object,
        catalogue: &Catalogue,
    ) -> Result<(), StoreError> {
        let backend = self.backend();
        let mut columns = system_columns(backend);
        for field in &object.fields {
            columns.extend(
                field
                    .stored_columns()
                    .iter()
                    .map(|column| column_text(backend, field, column, catalogue)),
            );
        }
        self.execute_text(&format!(
            "CREATE TABLE {} ({}){}",
            quoted(&object.table),
            columns.join(", "),
            // A mistake of the program is an error, not a text in a column of integers.
            if backend == Backend::Sqlite {
                " STRICT"
            } else {
                ""
            },
        ))
        .await?;
        for field in &object.fields {
            if let Kind::Autonumber {
                start,
                gapless: false,
                ..
            } = field.kind
            {
                self.make_sequence(&series(object, field), start).await?;
                self.own_sequence(&object.table, field).await?;
            }
        }
        for unique in &object.uniques {
            self.add_unique(&object.table, &unique.index, &object.unique_columns(unique))
                .await?;
        }
        Ok(())
    }

    pub(super) async fn add_columns(
        &self,
        table: &str,
        field: &Field,
        catalogue: &Catalogue,
    ) -> Result<(), StoreError> {
        for column in field.stored_columns() {
            self.execute_text(&format!(
                "ALTER TABLE {} ADD COLUMN {}",
                quoted(table),
                column_text(self.backend(), field, &column, catalogue)
            ))
            .await?;
        }
        // The column is empty, so there is nothing to look at.
        self.add_foreign_key(table, field, catalogue, " NOT VALID")
            .await
    }

    /// `PostgreSQL`: the foreign keys of a new table.
    pub(super) async fn add_foreign_keys(
        &self,
        object: &Object,
        catalogue: &Catalogue,
    ) -> Result<(), StoreError> {
        for field in &object.fields {
            self.add_foreign_key(&object.table, field, catalogue, "")
                .await?;
        }
        Ok(())
    }

    async fn add_foreign_key(
        &self,
        table: &str,
        field: &Field,
        catalogue: &Catalogue,
        checked: &str,
    ) -> Result<(), StoreError> {
        let (Backend::Postgres, Some(target)) = (self.backend(), target_table(catalogue, field))
        else {
            return Ok(());
        };
        let column = &field.columns()[0].name;
        self.execute_text(&format!(
            "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) {}{checked}",
            quoted(table),
            quoted(&foreign_key_name(table, column)),
            quoted(column),
            references(target)
        ))
        .await
    }

    pub(super) async fn add_unique(
        &self,
        table: &str,
        index: &str,
        columns: &[String],
    ) -> Result<(), StoreError> {
        let listed: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
        let made = self
            .execute_text(&format!(
                "CREATE UNIQUE INDEX {} ON {} ({}) WHERE \"_deleted_at\" IS NULL",
                quoted(index),
                quoted(table),
                listed.join(", ")
            ))
            .await;
        match made {
            // SQLite names the columns, and there is no index yet to find by them.
            Err(StoreError::Unique { .. }) => Err(StoreError::Unique {
                index: index.to_owned(),
            }),
            other => other,
        }
    }

    pub(super) async fn drop_index(&self, index: &str) -> Result<(), StoreError> {
        self.execute_text(&format!("DROP INDEX IF EXISTS {}", quoted(index)))
            .await
    }

    /// Removes the constraints by which a parked column could stand in the way of others.
    pub(super) async fn release_columns(
        &self,
        table: &str,
        field: &Field,
    ) -> Result<(), StoreError> {
        if !matches!(field.kind, Kind::Relation(_)) {
            return Ok(());
        }
        match self.backend() {
            // A foreign key goes only with its column there. It empties the column when its
            // target is destroyed, which blocks nobody; its index makes that quick.
            Backend::Sqlite => Ok(()),
            Backend::Postgres => {
                let column = &field.columns()[0].name;
                self.execute_text(&format!(
                    "ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}",
                    quoted(table),
                    quoted(&foreign_key_name(table, column))
                ))
                .await
            }
        }
    }

    pub(super) async fn drop_columns(
        &self,
        table: &str,
        columns: &[String],
    ) -> Result<(), StoreError> {
        if self.backend() == Backend::Sqlite {
            // PostgreSQL drops indexes with their columns, SQLite refuses to drop the column.
            for index in self.indexes_over(table, columns).await? {
                self.drop_index(&index).await?;
            }
        }
        for column in columns {
            self.execute_text(&format!(
                "ALTER TABLE {} DROP COLUMN {}",
                quoted(table),
                quoted(column)
            ))
            .await?;
        }
        Ok(())
    }

    pub(super) async fn drop_table(&self, table: &str) -> Result<(), StoreError> {
        let text = format!(
            "DELETE FROM relata_counter WHERE substr(key, 1, length({0})) = {0}",
            self.backend().placeholder(1)
        );
        self.execute(self.statement(text, vec![format!("{table}.").into()]))
            .await?;
        if self.backend() == Backend::Postgres {
            // CASCADE: foreign keys of others that point here go, their columns stay.
            return self
                .execute_text(&format!("DROP TABLE {} CASCADE", quoted(table)))
                .await;
        }
        // A column that points at a missing table would make every INSERT beside it fail. What
        // still points here is parked itself, and without its target it means nothing.
        for (referrer, column) in self.referring_columns(table).await? {
            tracing::info!(table, referrer, column, "dropping a column with its target");
            self.drop_columns(&referrer, &[column]).await?;
        }
        self.execute_text(&format!("DROP TABLE {}", quoted(table)))
            .await
    }

    /// `SQLite`: indexes of a table in which one of the columns stands.
    async fn indexes_over(
        &self,
        table: &str,
        columns: &[String],
    ) -> Result<Vec<String>, StoreError> {
        let rows = self
            .query_all(self.statement(
                "SELECT DISTINCT l.name, i.name FROM pragma_index_list(?1) AS l, \
                 pragma_index_info(l.name) AS i WHERE l.origin = 'c'",
                vec![table.into()],
            ))
            .await?;
        let mut indexes = Vec::new();
        for row in rows {
            let index: String = row.try_get_by_index(0)?;
            let column: Option<String> = row.try_get_by_index(1)?;
            if column.is_some_and(|column| columns.contains(&column)) && !indexes.contains(&index) {
                indexes.push(index);
            }
        }
        Ok(indexes)
    }

    /// `SQLite`: columns of other tables with a foreign key to this one.
    pub(crate) async fn referring_columns(
        &self,
        table: &str,
    ) -> Result<Vec<(String, String)>, StoreError> {
        self.query_all(self.statement(
            "SELECT m.name, f.\"from\" FROM sqlite_master AS m, \
             pragma_foreign_key_list(m.name) AS f \
             WHERE m.type = 'table' AND m.name <> ?1 AND f.\"table\" = ?1",
            vec![table.into()],
        ))
        .await?
        .iter()
        .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
        .collect()
    }
}

fn foreign_key_name(table: &str, column: &str) -> String {
    physical_name("fk", &[table, column])
}

/// The engine enforces `onDelete` itself, in the transaction, before the row goes; this is the
/// net below it. Deferred, so that records that point at each other can be written in any order.
/// A file can't go as long as a column holds it, be it a parked one: no action is what restricts
/// it, with the same error code as everywhere.
fn references(target: &str) -> String {
    if target == FILES {
        return format!("REFERENCES {} (\"id\")", quoted(target));
    }
    format!(
        "REFERENCES {} (\"id\") ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED",
        quoted(target)
    )
}

fn column_text(backend: Backend, field: &Field, column: &Column, catalogue: &Catalogue) -> String {
    let declared = format!(
        "{} {}",
        quoted(&column.name),
        type_text(backend, column.column_type)
    );
    match (backend, target_table(catalogue, field)) {
        (Backend::Sqlite, Some(target)) if column.column_type == ColumnType::Reference => {
            format!("{declared} {}", references(target))
        }
        _ => declared,
    }
}

fn type_text(backend: Backend, column_type: ColumnType) -> String {
    let text = match (backend, column_type) {
        (Backend::Postgres, ColumnType::Text | ColumnType::Folded) => "TEXT COLLATE \"C\"",
        (Backend::Postgres, ColumnType::Integer | ColumnType::Time | ColumnType::Duration) => {
            "BIGINT"
        }
        (Backend::Postgres, ColumnType::Decimal(scale)) => return format!("NUMERIC(18, {scale})"),
        (Backend::Postgres, ColumnType::Boolean) => "BOOLEAN",
        (Backend::Postgres, ColumnType::Date) => "DATE",
        (Backend::Postgres, ColumnType::DateTime) => "TIMESTAMPTZ",
        (Backend::Postgres, ColumnType::Json) => "JSON",
        (Backend::Postgres, ColumnType::TextList) => "TEXT[]",
        (Backend::Postgres, ColumnType::Reference) => "UUID",
        (
            Backend::Sqlite,
            ColumnType::Integer
            | ColumnType::Time
            | ColumnType::Duration
            | ColumnType::Decimal(_)
            | ColumnType::Boolean
            | ColumnType::DateTime,
        ) => "INTEGER",
        (Backend::Sqlite, ColumnType::Reference) => "BLOB",
        (Backend::Sqlite, _) => "TEXT",
    };
    text.to_owned()
}

fn system_columns(backend: Backend) -> Vec<String> {
    let id = type_text(backend, ColumnType::Reference);
    let integer = type_text(backend, ColumnType::Integer);
    let instant = type_text(backend, ColumnType::DateTime);
    let text = type_text(backend, ColumnType::Text);
    vec![
        format!("\"id\" {id} PRIMARY KEY NOT NULL"),
        format!("\"_version\" {integer} NOT NULL"),
        format!("\"_created_at\" {instant} NOT NULL"),
        format!("\"_updated_at\" {instant} NOT NULL"),
        format!("\"_deleted_at\" {instant}"),
        format!("\"_created_by\" {text} NOT NULL"),
        format!("\"_updated_by\" {text} NOT NULL"),
        format!("\"_owner\" {id}"),
    ]
}
