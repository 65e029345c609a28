//! The catalogue in its table: one row for each revision, the whole of it as JSON.
//!
//! Invariant: the newest row describes the tables that are there. Both are written by
//! [`Transaction::apply`], in one transaction, by one process at a time.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use relata_catalog::{Catalogue, Plan, TakenNames};
use sea_orm::{ConnectionTrait, QueryResult, Statement};

use crate::cells::quoted;
use crate::database::{Backend, Database, Turn};
use crate::ddl::Retention;
use crate::error::StoreError;
use crate::transaction::Transaction;

/// How the catalogue is written. A program refuses what a newer one wrote.
const FORMAT: i64 = 1;

/// Revisions that are kept.
const REVISIONS_MAX: i64 = 50;

/// What is known of one revision.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    /// Its number.
    pub revision: u64,
    /// What led to it: the plan's steps as JSON.
    pub steps: String,
    /// Who applied it.
    pub actor: String,
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub at: i64,
}

impl Database {
    /// The newest catalogue; the empty one of revision 0 in a new workspace.
    ///
    /// # Errors
    /// [`StoreError::Newer`] when a newer program wrote it.
    pub async fn load_catalogue(&self) -> Result<Catalogue, StoreError> {
        let row = self
            .platform()
            .query_one_raw(Statement::from_string(self.backend().sea(), NEWEST))
            .await?;
        catalogue_of(row)
    }

    /// The newest revision: whether the catalogue in memory is still the one in the database.
    ///
    /// # Errors
    /// What the database says.
    pub async fn catalogue_revision(&self) -> Result<u64, StoreError> {
        let row = self
            .platform()
            .query_one_raw(Statement::from_string(self.backend().sea(), REVISION))
            .await?;
        revision_of(row)
    }

    /// The revisions that are kept, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn revisions(&self) -> Result<Vec<Revision>, StoreError> {
        self.platform()
            .query_all_raw(Statement::from_string(
                self.backend().sea(),
                "SELECT revision, steps, actor, at FROM relata_catalogue ORDER BY revision DESC",
            ))
            .await?
            .iter()
            .map(|row| {
                Ok(Revision {
                    revision: row.try_get_by_index::<i64>(0)?.cast_unsigned(),
                    steps: row.try_get_by_index(1)?,
                    actor: row.try_get_by_index(2)?,
                    at: row.try_get_by_index(3)?,
                })
            })
            .collect()
    }

    /// Physical names that new elements must not take: those of everything that was ever removed.
    ///
    /// # Errors
    /// What the database says.
    pub async fn taken_names(&self) -> Result<TakenNames, StoreError> {
        taken_names(&self.platform(), self.backend()).await
    }

    /// What differs between the newest catalogue and the tables that are there: one line for a
    /// person each, none when all is well.
    ///
    /// # Errors
    /// What the database says.
    pub async fn verify(&self) -> Result<Vec<String>, StoreError> {
        let catalogue = self.load_catalogue().await?;
        let text = match self.backend() {
            Backend::Sqlite => {
                "SELECT m.name, c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c \
                 WHERE m.type = 'table'"
            }
            Backend::Postgres => {
                "SELECT table_name::text, column_name::text FROM information_schema.columns \
                 WHERE table_schema = current_schema()"
            }
        };
        let mut found: HashMap<String, HashSet<String>> = HashMap::new();
        for row in self
            .platform()
            .query_all_raw(Statement::from_string(self.backend().sea(), text))
            .await?
        {
            let table: String = row.try_get_by_index(0)?;
            found
                .entry(table)
                .or_default()
                .insert(row.try_get_by_index(1)?);
        }
        let indexes = self.indexes().await?;
        Ok(differences(&catalogue, &found, &indexes))
    }

    async fn indexes(&self) -> Result<HashSet<String>, StoreError> {
        let text = match self.backend() {
            Backend::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'index'",
            Backend::Postgres => {
                "SELECT indexname::text FROM pg_indexes WHERE schemaname = current_schema()"
            }
        };
        self.platform()
            .query_all_raw(Statement::from_string(self.backend().sea(), text))
            .await?
            .iter()
            .map(|row| row.try_get_by_index(0).map_err(StoreError::from))
            .collect()
    }
}

impl Transaction {
    /// The newest catalogue, as this transaction sees it.
    ///
    /// # Errors
    /// [`StoreError::Newer`] when a newer program wrote it.
    pub async fn load_catalogue(&self) -> Result<Catalogue, StoreError> {
        catalogue_of(self.query_one(self.statement(NEWEST, Vec::new())).await?)
    }

    /// The newest revision, as this transaction sees it. A writer whose catalogue is older than
    /// this must load the new one and begin again.
    ///
    /// # Errors
    /// What the database says.
    pub async fn catalogue_revision(&self) -> Result<u64, StoreError> {
        let is_remembered =
            self.is_only_writer() && !self.has_written_catalogue.load(Ordering::Relaxed);
        if is_remembered && let Some(known) = *self.database().known_revision() {
            return Ok(known);
        }
        let revision = revision_of(self.query_one(self.statement(REVISION, Vec::new())).await?)?;
        if is_remembered {
            *self.database().known_revision() = Some(revision);
        }
        Ok(revision)
    }

    /// Physical names that new elements must not take.
    ///
    /// # Errors
    /// What the database says.
    pub async fn taken_names(&self) -> Result<TakenNames, StoreError> {
        taken_names(&self.statements(), self.backend()).await
    }

    /// Carries a plan out: tables, columns, keys, and the new revision of the catalogue. Begin
    /// with [`Turn::Alone`], so that no other process writes by the old catalogue meanwhile.
    ///
    /// # Errors
    /// [`StoreError::VersionConflict`] when the catalogue is not at the plan's base revision any
    /// more, [`StoreError::Unique`] when records violate a new unique key.
    #[tracing::instrument(level = "debug", skip_all, fields(revision = plan.target.revision))]
    pub async fn apply(
        &self,
        plan: &Plan,
        retention: Retention,
        actor: &str,
        at: i64,
    ) -> Result<(), StoreError> {
        self.hold_catalogue().await?;
        if self.catalogue_revision().await? != plan.base_revision {
            return Err(StoreError::VersionConflict);
        }
        if plan.is_empty() {
            return Ok(());
        }
        self.carry_out(plan, retention, actor, at).await?;
        self.write_revision(plan, actor, at).await
    }

    /// Writes a further revision of the same tables: something else that the record schema is a
    /// function of (plugins) has changed.
    ///
    /// # Errors
    /// [`StoreError::VersionConflict`] when the newest revision is not the one before it.
    pub async fn touch_catalogue(
        &self,
        catalogue: &Catalogue,
        actor: &str,
        at: i64,
    ) -> Result<(), StoreError> {
        self.hold_catalogue().await?;
        if self.catalogue_revision().await? + 1 != catalogue.revision {
            return Err(StoreError::VersionConflict);
        }
        let plan = Plan {
            id: String::new(),
            base_revision: catalogue.revision - 1,
            target: catalogue.clone(),
            steps: Vec::new(),
        };
        self.write_revision(&plan, actor, at).await
    }

    /// Keeps all other writers out until the end, whichever turn this transaction took.
    async fn hold_catalogue(&self) -> Result<(), StoreError> {
        match self.backend() {
            Backend::Sqlite => Ok(()),
            Backend::Postgres => self.take_turn_again(Turn::Alone).await,
        }
    }

    async fn write_revision(&self, plan: &Plan, actor: &str, at: i64) -> Result<(), StoreError> {
        self.has_written_catalogue.store(true, Ordering::Relaxed);
        *self.database().known_revision() = None;
        let catalogue =
            serde_json::to_string(&plan.target).expect("a catalogue is made of JSON's types");
        let steps = serde_json::to_string(&plan.steps).expect("steps are made of JSON's types");
        let revision = plan.target.revision.cast_signed();
        let text = crate::log::insert_text(
            self.backend(),
            "relata_catalogue",
            &["revision", "format", "catalogue", "steps", "actor", "at"],
            1,
        );
        let values = vec![
            revision.into(),
            FORMAT.into(),
            catalogue.into(),
            steps.into(),
            actor.into(),
            at.into(),
        ];
        match self.execute(self.statement(text, values)).await {
            // Somebody else has made this revision: the snapshot was older than their commit.
            Err(StoreError::Unique { .. }) => return Err(StoreError::VersionConflict),
            other => other?,
        };
        let text = format!(
            "DELETE FROM relata_catalogue WHERE revision <= {}",
            self.backend().placeholder(1)
        );
        self.execute(self.statement(text, vec![(revision - REVISIONS_MAX).into()]))
            .await?;
        Ok(())
    }
}

const NEWEST: &str = "SELECT revision, format, catalogue FROM relata_catalogue \
                      ORDER BY revision DESC LIMIT 1";
const REVISION: &str = "SELECT revision FROM relata_catalogue ORDER BY revision DESC LIMIT 1";

fn revision_of(row: Option<QueryResult>) -> Result<u64, StoreError> {
    row.map_or(Ok(0), |row| {
        Ok(row.try_get_by_index::<i64>(0)?.cast_unsigned())
    })
}

fn catalogue_of(row: Option<QueryResult>) -> Result<Catalogue, StoreError> {
    let Some(row) = row else {
        return Ok(Catalogue::default());
    };
    let format: i64 = row.try_get_by_index(1)?;
    if format > FORMAT {
        return Err(StoreError::Newer {
            found: format!("catalogue format {format}"),
            known: format!("up to {FORMAT}"),
        });
    }
    let text: String = row.try_get_by_index(2)?;
    let unreadable = |reason| StoreError::value("relata_catalogue.catalogue", reason);
    let mut catalogue: Catalogue =
        serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    // What was stored had been resolved, so only a change of the language can break an expression.
    match relata_catalog::expression::link(&mut catalogue).first() {
        None => Ok(catalogue),
        Some((subject, issues)) => {
            let name = subject.name(&catalogue);
            Err(unreadable(format!("the expression of {name}: {issues}")))
        }
    }
}

async fn taken_names(
    connection: &impl ConnectionTrait,
    backend: Backend,
) -> Result<TakenNames, StoreError> {
    let rows = connection
        .query_all_raw(Statement::from_string(
            backend.sea(),
            "SELECT table_name, column_base FROM relata_parked",
        ))
        .await?;
    let mut taken = TakenNames::default();
    for row in rows {
        let table: String = row.try_get_by_index(0)?;
        match row.try_get_by_index::<Option<String>>(1)? {
            Some(base) => {
                taken.columns.entry(table).or_default().insert(base);
            }
            None => {
                taken.tables.insert(table);
            }
        }
    }
    Ok(taken)
}

fn differences(
    catalogue: &Catalogue,
    found: &HashMap<String, HashSet<String>>,
    indexes: &HashSet<String>,
) -> Vec<String> {
    let mut lines = Vec::new();
    for object in &catalogue.objects {
        let Some(columns) = found.get(&object.table) else {
            lines.push(format!(
                "object {}: table {} is missing",
                object.singular,
                quoted(&object.table)
            ));
            continue;
        };
        for field in &object.fields {
            for column in field.stored_columns() {
                if !columns.contains(&column.name) {
                    lines.push(format!(
                        "field {}.{}: column {} is missing",
                        object.singular,
                        field.name,
                        quoted(&column.name)
                    ));
                }
            }
        }
        for unique in &object.uniques {
            if !indexes.contains(&unique.index) {
                lines.push(format!(
                    "object {}: unique index {} is missing",
                    object.singular,
                    quoted(&unique.index)
                ));
            }
        }
    }
    lines
}
