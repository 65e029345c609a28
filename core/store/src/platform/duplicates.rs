//! Duplicates: what the last search over an object has found, and which pairs are said to be
//! different.
//!
//! A search writes its sets under a number of its own, and they are shown from the moment on in
//! which it is the object's. So who reads sees those of one search.

use relata_catalog::Key;
use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use crate::error::StoreError;
use crate::transaction::Transaction;

/// Rows of one statement, far below what both databases take.
const ROWS_AT_ONCE: usize = 500;

/// The search whose sets are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DuplicateRun {
    /// Its number: the job's.
    pub run: Uuid,
    /// When it ended, in microseconds since 1970-01-01T00:00:00Z.
    pub at: i64,
}

/// Records that may all be the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateSet {
    /// From 1, the highest score first.
    pub place: i64,
    /// Of its likeliest pair, in ten-thousandths.
    pub score: i64,
    /// At least two.
    pub members: Vec<Uuid>,
}

/// Two records that are different, whatever they look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distinct {
    /// The smaller id.
    pub low: Uuid,
    /// The greater id.
    pub high: Uuid,
    /// When it was said, in microseconds since 1970-01-01T00:00:00Z.
    pub at: i64,
    /// Who has said it.
    pub actor: String,
}

impl Transaction {
    /// Forgets sets of searches that have not come to their end, and of those that another one has
    /// followed.
    ///
    /// # Errors
    /// What the database says.
    pub async fn prune_duplicate_sets(&self) -> Result<(), StoreError> {
        let text = "DELETE FROM relata_duplicate_set WHERE run NOT IN \
                    (SELECT r.run FROM relata_duplicate_run AS r)";
        self.execute(self.statement(text.to_owned(), Vec::new()))
            .await?;
        Ok(())
    }

    /// Adds sets to those of a search.
    ///
    /// # Errors
    /// What the database says.
    pub async fn insert_duplicate_sets(
        &self,
        run: Uuid,
        sets: &[DuplicateSet],
    ) -> Result<(), StoreError> {
        for chunk in sets.chunks(ROWS_AT_ONCE) {
            let mut rows = Vec::with_capacity(chunk.len());
            let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 4);
            for set in chunk {
                rows.push(format!("({})", self.places(values.len(), 4)));
                let members: Vec<String> = set.members.iter().map(Uuid::to_string).collect();
                values.extend([
                    Value::from(run),
                    set.place.into(),
                    set.score.into(),
                    members.join(" ").into(),
                ]);
            }
            let text = format!(
                "INSERT INTO relata_duplicate_set (run, place, score, members) VALUES {}",
                rows.join(", ")
            );
            self.execute(self.statement(text, values)).await?;
        }
        Ok(())
    }

    /// From now on the sets of this search are shown.
    ///
    /// # Errors
    /// What the database says.
    pub async fn set_duplicate_run(
        &self,
        object: &Key,
        run: DuplicateRun,
    ) -> Result<(), StoreError> {
        let backend = self.backend();
        let text = format!(
            "DELETE FROM relata_duplicate_run WHERE object = {}",
            backend.placeholder(1)
        );
        self.execute(self.statement(text, vec![object.as_str().into()]))
            .await?;
        let text = format!(
            "INSERT INTO relata_duplicate_run (object, run, at) VALUES ({})",
            backend.placeholders(3)
        );
        let values = vec![object.as_str().into(), run.run.into(), run.at.into()];
        self.execute(self.statement(text, values)).await?;
        Ok(())
    }

    /// The search of an object whose sets are shown.
    ///
    /// # Errors
    /// What the database says.
    pub async fn duplicate_run(&self, object: &Key) -> Result<Option<DuplicateRun>, StoreError> {
        let text = format!(
            "SELECT r.run, r.at FROM relata_duplicate_run AS r WHERE r.object = {}",
            self.backend().placeholder(1)
        );
        let row = self
            .query_one(self.statement(text, vec![object.as_str().into()]))
            .await?;
        row.map(|row| {
            Ok(DuplicateRun {
                run: row.try_get_by_index(0)?,
                at: row.try_get_by_index(1)?,
            })
        })
        .transpose()
    }

    /// Sets of a search behind a place, in order, at least so likely.
    ///
    /// # Errors
    /// What the database says.
    pub async fn duplicate_sets(
        &self,
        run: Uuid,
        after: i64,
        score_min: i64,
        first: u64,
    ) -> Result<Vec<DuplicateSet>, StoreError> {
        let backend = self.backend();
        let text = format!(
            "SELECT s.place, s.score, s.members FROM relata_duplicate_set AS s \
             WHERE s.run = {} AND s.place > {} AND s.score >= {} ORDER BY s.place LIMIT {}",
            backend.placeholder(1),
            backend.placeholder(2),
            backend.placeholder(3),
            backend.placeholder(4)
        );
        let first = i64::try_from(first).unwrap_or(i64::MAX);
        let values = vec![run.into(), after.into(), score_min.into(), first.into()];
        let rows = self.query_all(self.statement(text, values)).await?;
        rows.iter().map(set).collect()
    }

    /// Notes that these are different; who has said so before stays.
    ///
    /// # Errors
    /// What the database says.
    pub async fn insert_distinct(
        &self,
        object: &Key,
        pairs: &[Distinct],
    ) -> Result<(), StoreError> {
        for chunk in pairs.chunks(ROWS_AT_ONCE) {
            let mut rows = Vec::with_capacity(chunk.len());
            let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 5);
            for pair in chunk {
                rows.push(format!("({})", self.places(values.len(), 5)));
                values.extend([
                    Value::from(pair.low),
                    pair.high.into(),
                    object.as_str().into(),
                    pair.at.into(),
                    pair.actor.as_str().into(),
                ]);
            }
            let text = format!(
                "INSERT INTO relata_distinct (low, high, object, at, actor) VALUES {} \
                 ON CONFLICT (low, high) DO NOTHING",
                rows.join(", ")
            );
            self.execute(self.statement(text, values)).await?;
        }
        Ok(())
    }

    /// Forgets that these are different.
    ///
    /// # Errors
    /// What the database says.
    pub async fn delete_distinct(&self, pairs: &[(Uuid, Uuid)]) -> Result<(), StoreError> {
        let text = format!(
            "DELETE FROM relata_distinct WHERE low = {} AND high = {}",
            self.backend().placeholder(1),
            self.backend().placeholder(2)
        );
        for (low, high) in pairs {
            let values = vec![(*low).into(), (*high).into()];
            self.execute(self.statement(text.clone(), values)).await?;
        }
        Ok(())
    }

    /// What was said of pairs of these records.
    ///
    /// # Errors
    /// What the database says.
    pub async fn distinct_among(
        &self,
        object: &Key,
        ids: &[Uuid],
    ) -> Result<Vec<Distinct>, StoreError> {
        let mut found = Vec::new();
        for chunk in ids.chunks(ROWS_AT_ONCE) {
            let text = format!(
                "SELECT d.low, d.high, d.at, d.actor FROM relata_distinct AS d \
                 WHERE d.low IN ({}) AND d.object = {}",
                self.backend().placeholders(chunk.len()),
                self.backend().placeholder(chunk.len() + 1)
            );
            let ids = chunk.iter().copied().map(Value::from);
            let values = ids.chain([object.as_str().into()]).collect();
            for row in self.query_all(self.statement(text, values)).await? {
                found.push(distinct(&row)?);
            }
        }
        found.retain(|pair| ids.contains(&pair.high));
        Ok(found)
    }

    /// What was said of the records of an object: behind a pair, in order.
    ///
    /// # Errors
    /// What the database says.
    pub async fn distinct_of(
        &self,
        object: &Key,
        after: Option<(Uuid, Uuid)>,
        first: u64,
    ) -> Result<Vec<Distinct>, StoreError> {
        let backend = self.backend();
        let (low, high) = after.unwrap_or((Uuid::nil(), Uuid::nil()));
        let text = format!(
            "SELECT d.low, d.high, d.at, d.actor FROM relata_distinct AS d \
             WHERE d.object = {} AND (d.low, d.high) > ({}, {}) ORDER BY d.low, d.high LIMIT {}",
            backend.placeholder(1),
            backend.placeholder(2),
            backend.placeholder(3),
            backend.placeholder(4)
        );
        let first = i64::try_from(first).unwrap_or(i64::MAX);
        let values = vec![
            object.as_str().into(),
            low.into(),
            high.into(),
            first.into(),
        ];
        let rows = self.query_all(self.statement(text, values)).await?;
        rows.iter().map(distinct).collect()
    }

    /// The records that are different from one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn distinct_from(&self, id: Uuid) -> Result<Vec<Uuid>, StoreError> {
        let backend = self.backend();
        let text = format!(
            "SELECT d.high FROM relata_distinct AS d WHERE d.low = {} \
             UNION ALL SELECT d.low FROM relata_distinct AS d WHERE d.high = {}",
            backend.placeholder(1),
            backend.placeholder(2)
        );
        let rows = self
            .query_all(self.statement(text, vec![id.into(), id.into()]))
            .await?;
        rows.iter()
            .map(|row| Ok(row.try_get_by_index(0)?))
            .collect()
    }

    /// So many placeholders, behind as many as there are already.
    fn places(&self, before: usize, count: usize) -> String {
        (before + 1..=before + count)
            .map(|place| self.backend().placeholder(place))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

fn set(row: &QueryResult) -> Result<DuplicateSet, StoreError> {
    let members: String = row.try_get_by_index(2)?;
    Ok(DuplicateSet {
        place: row.try_get_by_index(0)?,
        score: row.try_get_by_index(1)?,
        members: members
            .split(' ')
            .map(|id| Uuid::parse_str(id).map_err(|_| StoreError::value("members", "not ids")))
            .collect::<Result<_, _>>()?,
    })
}

fn distinct(row: &QueryResult) -> Result<Distinct, StoreError> {
    Ok(Distinct {
        low: row.try_get_by_index(0)?,
        high: row.try_get_by_index(1)?,
        at: row.try_get_by_index(2)?,
        actor: row.try_get_by_index(3)?,
    })
}
