//! Documents that clients may name by their SHA-256 instead of sending them.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue, QueryOrder as _, QuerySelect as _};

use crate::database::Database;
use crate::error::StoreError;
use crate::transaction::Transaction;

/// A registered document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// SHA-256 of the text.
    pub hash: Vec<u8>,
    /// GraphQL.
    pub text: String,
    /// Who registered it.
    pub actor: String,
    /// When, in microseconds since 1970-01-01T00:00:00Z.
    pub at: i64,
}

mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "relata_document")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub hash: Vec<u8>,
        pub text: String,
        pub actor: String,
        pub at: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

impl From<row::Model> for Document {
    fn from(row: row::Model) -> Self {
        Self {
            hash: row.hash,
            text: row.text,
            actor: row.actor,
            at: row.at,
        }
    }
}

impl Transaction {
    /// Registers documents. Those that are there already stay as they are.
    ///
    /// # Errors
    /// What the database says.
    pub async fn insert_documents(&self, documents: &[Document]) -> Result<(), StoreError> {
        /// Far below the number of parameters that both databases take in a statement.
        const AT_ONCE: usize = 100;
        for documents in documents.chunks(AT_ONCE) {
            let rows = documents.iter().map(|document| row::ActiveModel {
                hash: ActiveValue::Set(document.hash.clone()),
                text: ActiveValue::Set(document.text.clone()),
                actor: ActiveValue::Set(document.actor.clone()),
                at: ActiveValue::Set(document.at),
            });
            let result = row::Entity::insert_many(rows)
                .on_conflict_do_nothing()
                .exec_without_returning(&self.statements())
                .await;
            self.explained(result).await?;
        }
        Ok(())
    }

    /// Removes a document, and says whether it was there.
    ///
    /// # Errors
    /// What the database says.
    pub async fn delete_document(&self, hash: &[u8]) -> Result<bool, StoreError> {
        let result = row::Entity::delete_by_id(hash.to_vec())
            .exec(&self.statements())
            .await;
        Ok(self.explained(result).await?.rows_affected > 0)
    }

    /// How many documents are registered.
    ///
    /// # Errors
    /// What the database says.
    pub async fn documents_count(&self) -> Result<u64, StoreError> {
        let count = row::Entity::find().count(&self.statements()).await;
        self.explained(count).await
    }
}

impl Database {
    /// The document with this hash.
    ///
    /// # Errors
    /// What the database says.
    pub async fn document(&self, hash: &[u8]) -> Result<Option<Document>, StoreError> {
        let row = row::Entity::find_by_id(hash.to_vec())
            .one(&self.platform())
            .await?;
        Ok(row.map(Document::from))
    }

    /// Registered documents by their hashes, from behind `after`, at most so many.
    ///
    /// # Errors
    /// What the database says.
    pub async fn documents(
        &self,
        after: Option<&[u8]>,
        first: u64,
    ) -> Result<Vec<Document>, StoreError> {
        let mut select = row::Entity::find().order_by_asc(row::Column::Hash);
        if let Some(after) = after {
            select = select.filter(row::Column::Hash.gt(after.to_vec()));
        }
        let rows = select.limit(first).all(&self.platform()).await?;
        Ok(rows.into_iter().map(Document::from).collect())
    }
}
