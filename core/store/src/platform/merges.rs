//! Merges: which record answers for one that was merged away, and what undoes it.
//!
//! A record is a loser as long as it is in the trash because of its merge: restored alone, or
//! destroyed, it is nobody's alias any more.

use std::collections::HashMap;

use relata_catalog::Key;
use sea_orm::{ConnectionTrait, QueryResult, Statement, Value};
use uuid::Uuid;

use crate::database::{Backend, Database};
use crate::error::StoreError;
use crate::transaction::Transaction;

/// Most merges from one record to its survivor: a → b → c are two.
const CHAIN_MAX: usize = 1_000;
/// Ids of one statement, far below what both databases take.
const IDS_AT_ONCE: usize = 500;

/// Records that became one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// UUIDv7.
    pub id: Uuid,
    /// Of which object they are.
    pub object: Key,
    /// The one that stays.
    pub survivor: Uuid,
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub at: i64,
    /// Who did it.
    pub actor: String,
    /// What undoes it, JSON.
    pub undo: String,
}

impl Transaction {
    /// Notes what undoes a merge.
    ///
    /// # Errors
    /// What the database says.
    pub async fn insert_merge(&self, merge: &Merge) -> Result<(), StoreError> {
        let text = format!(
            "INSERT INTO relata_merge (id, object, survivor, at, actor, undo) VALUES ({})",
            self.backend().placeholders(6)
        );
        let values = vec![
            merge.id.into(),
            merge.object.as_str().into(),
            merge.survivor.into(),
            merge.at.into(),
            merge.actor.as_str().into(),
            merge.undo.as_str().into(),
        ];
        self.execute(self.statement(text, values)).await?;
        Ok(())
    }

    /// From now on the survivor answers for the losers.
    ///
    /// # Errors
    /// What the database says.
    pub async fn insert_losers(
        &self,
        merge: Uuid,
        survivor: Uuid,
        losers: &[Uuid],
    ) -> Result<(), StoreError> {
        let text = format!(
            "INSERT INTO relata_merge_loser (loser, survivor, merge) VALUES ({})",
            self.backend().placeholders(3)
        );
        for loser in losers {
            let values = vec![(*loser).into(), survivor.into(), merge.into()];
            self.execute(self.statement(text.clone(), values)).await?;
        }
        Ok(())
    }

    /// The merge in which this record was lost.
    ///
    /// # Errors
    /// What the database says.
    pub async fn merge_of(&self, loser: Uuid) -> Result<Option<Merge>, StoreError> {
        let text = format!(
            "SELECT m.id, m.object, m.survivor, m.at, m.actor, m.undo FROM relata_merge AS m \
             JOIN relata_merge_loser AS l ON l.merge = m.id WHERE l.loser = {}",
            self.backend().placeholder(1)
        );
        let row = self
            .query_one(self.statement(text, vec![loser.into()]))
            .await?;
        row.map(|row| merge(&row)).transpose()
    }

    /// Forgets a merge that was undone.
    ///
    /// # Errors
    /// What the database says.
    pub async fn delete_merge(&self, merge: Uuid) -> Result<(), StoreError> {
        for text in [
            "DELETE FROM relata_merge_loser WHERE merge = ",
            "DELETE FROM relata_merge WHERE id = ",
        ] {
            let text = format!("{text}{}", self.backend().placeholder(1));
            self.execute(self.statement(text, vec![merge.into()]))
                .await?;
        }
        Ok(())
    }

    /// Records that have come back from the trash: nobody answers for them any more. A merge of
    /// which no loser is left is forgotten: nothing of it can be undone.
    ///
    /// # Errors
    /// What the database says.
    pub async fn forget_losers(&self, ids: &[Uuid]) -> Result<(), StoreError> {
        for chunk in ids.chunks(IDS_AT_ONCE) {
            let merges = self.of_losers("merge", "loser", chunk).await?;
            if merges.is_empty() {
                continue;
            }
            let text = format!(
                "DELETE FROM relata_merge_loser WHERE loser IN ({})",
                self.backend().placeholders(chunk.len())
            );
            self.execute(self.statement(text, values(chunk))).await?;
            for merge in merges {
                let text = format!(
                    "DELETE FROM relata_merge WHERE id = {} AND NOT EXISTS \
                     (SELECT 1 FROM relata_merge_loser AS l WHERE l.merge = relata_merge.id)",
                    self.backend().placeholder(1)
                );
                self.execute(self.statement(text, vec![merge.into()]))
                    .await?;
            }
        }
        Ok(())
    }

    /// Records that are gone for good: nobody answers for them any more. Those for which they
    /// answered are answered for by who came after them, or answer for themselves again.
    ///
    /// # Errors
    /// What the database says.
    pub async fn bridge_losers(&self, ids: &[Uuid]) -> Result<(), StoreError> {
        // One after the other: two of them may follow each other in a chain.
        for id in self.of_losers("loser", "loser", ids).await? {
            let backend = self.backend();
            let text = format!(
                "UPDATE relata_merge_loser SET survivor = \
                 (SELECT next.survivor FROM relata_merge_loser AS next WHERE next.loser = {}) \
                 WHERE survivor = {}",
                backend.placeholder(1),
                backend.placeholder(2)
            );
            self.execute(self.statement(text, vec![id.into(), id.into()]))
                .await?;
            self.forget_losers(&[id]).await?;
        }
        let abandoned = self.of_losers("loser", "survivor", ids).await?;
        self.forget_losers(&abandoned).await
    }

    /// One column of the losers of which another one is among these, each value once.
    async fn of_losers(
        &self,
        column: &str,
        among: &str,
        ids: &[Uuid],
    ) -> Result<Vec<Uuid>, StoreError> {
        let mut found = Vec::new();
        for chunk in ids.chunks(IDS_AT_ONCE) {
            let text = format!(
                "SELECT DISTINCT l.{column} FROM relata_merge_loser AS l WHERE l.{among} IN ({})",
                self.backend().placeholders(chunk.len())
            );
            for row in self.query_all(self.statement(text, values(chunk))).await? {
                found.push(row.try_get_by_index(0)?);
            }
        }
        Ok(found)
    }

    /// Who answers for each of these, through all merges; who answers for itself is left out.
    ///
    /// # Errors
    /// What the database says.
    pub async fn survivors(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, Uuid>, StoreError> {
        survivors(&self.statements(), self.backend(), ids).await
    }
}

impl Database {
    /// As [`Transaction::survivors`], outside of one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn survivors(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, Uuid>, StoreError> {
        survivors(&self.platform(), self.backend(), ids).await
    }
}

async fn survivors(
    connection: &impl ConnectionTrait,
    backend: Backend,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Uuid>, StoreError> {
    let mut found = HashMap::new();
    for chunk in ids.chunks(IDS_AT_ONCE) {
        let text = chain(backend, chunk.len());
        let statement = Statement::from_sql_and_values(backend.sea(), text, values(chunk));
        for row in connection.query_all_raw(statement).await? {
            found.insert(row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        }
    }
    Ok(found)
}

/// Who answers for each of so many ids, the last of each chain last.
fn chain(backend: Backend, ids: usize) -> String {
    format!(
        "WITH RECURSIVE chain(loser, survivor, hop) AS (\
         SELECT l.loser, l.survivor, 1 FROM relata_merge_loser AS l WHERE l.loser IN ({}) \
         UNION ALL \
         SELECT chain.loser, next.survivor, chain.hop + 1 FROM chain \
         JOIN relata_merge_loser AS next ON next.loser = chain.survivor \
         WHERE chain.hop < {CHAIN_MAX}) \
         SELECT chain.loser, chain.survivor FROM chain ORDER BY chain.hop",
        backend.placeholders(ids)
    )
}

fn values(ids: &[Uuid]) -> Vec<Value> {
    ids.iter().copied().map(Value::from).collect()
}

fn merge(row: &QueryResult) -> Result<Merge, StoreError> {
    let object: String = row.try_get_by_index(1)?;
    Ok(Merge {
        id: row.try_get_by_index(0)?,
        object: object
            .split_once('/')
            .map(|(owner, local)| Key::new(owner, local))
            .ok_or_else(|| StoreError::value("object", "not a key"))?,
        survivor: row.try_get_by_index(2)?,
        at: row.try_get_by_index(3)?,
        actor: row.try_get_by_index(4)?,
        undo: row.try_get_by_index(5)?,
    })
}
