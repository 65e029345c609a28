//! Answers to requests that came with an idempotency key, kept for who asks again.

use sea_orm::ActiveValue;
use sea_orm::entity::prelude::*;

use crate::error::StoreError;
use crate::transaction::Transaction;

/// What was answered to a request.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Whose request it was.
    pub actor: String,
    /// The key that came with it.
    pub key: String,
    /// SHA-256 of what was asked.
    pub body: Vec<u8>,
    /// The answer's bytes.
    pub answer: Vec<u8>,
    /// When, in microseconds since 1970-01-01T00:00:00Z.
    pub at: i64,
}

impl std::fmt::Debug for KeptAnswer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Records' values stand in the answer: debug output ends in logs.
        formatter
            .debug_struct("KeptAnswer")
            .field("actor", &self.actor)
            .field("answer", &self.answer.len())
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "relata_answer")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub actor: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub key: String,
        pub body: Vec<u8>,
        pub answer: Vec<u8>,
        pub at: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

impl From<row::Model> for KeptAnswer {
    fn from(row: row::Model) -> Self {
        Self {
            actor: row.actor,
            key: row.key,
            body: row.body,
            answer: row.answer,
            at: row.at,
        }
    }
}

impl Transaction {
    /// What was answered to a request of this actor with this key.
    ///
    /// # Errors
    /// What the database says.
    pub async fn kept_answer(
        &self,
        actor: &str,
        key: &str,
    ) -> Result<Option<KeptAnswer>, StoreError> {
        let found = row::Entity::find_by_id((actor.to_owned(), key.to_owned()))
            .one(&self.statements())
            .await;
        Ok(self.explained(found).await?.map(KeptAnswer::from))
    }

    /// Keeps an answer, in the place of an older one with the same key.
    ///
    /// # Errors
    /// [`StoreError::Retryable`] when another transaction has kept one under the same key
    /// meanwhile.
    pub async fn keep_answer(&self, answer: &KeptAnswer) -> Result<(), StoreError> {
        let deleted = row::Entity::delete_by_id((answer.actor.clone(), answer.key.clone()))
            .exec(&self.statements())
            .await;
        self.explained(deleted).await?;
        let row = row::ActiveModel {
            actor: ActiveValue::Set(answer.actor.clone()),
            key: ActiveValue::Set(answer.key.clone()),
            body: ActiveValue::Set(answer.body.clone()),
            answer: ActiveValue::Set(answer.answer.clone()),
            at: ActiveValue::Set(answer.at),
        };
        let inserted = row::Entity::insert(row)
            .exec_without_returning(&self.statements())
            .await;
        match self.explained(inserted).await {
            Ok(_) => Ok(()),
            // Whoever was faster has answered: the next try finds it.
            Err(error @ StoreError::Unique { .. }) => Err(StoreError::Retryable(error.into())),
            Err(error) => Err(error),
        }
    }

    /// Removes answers from before an instant.
    ///
    /// # Errors
    /// What the database says.
    pub async fn prune_answers(&self, before: i64) -> Result<u64, StoreError> {
        let result = row::Entity::delete_many()
            .filter(row::Column::At.lt(before))
            .exec(&self.statements())
            .await;
        Ok(self.explained(result).await?.rows_affected)
    }
}
