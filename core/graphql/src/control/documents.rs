//! Documents that clients may name by their SHA-256 instead of sending them.

use async_graphql::{Context, ID, Object, Result};
use relata_app::documents::{self, DocumentInfo, read_hash, read_hashes, write_hash};
use relata_app::{AppError, Issue, Issues};

use super::error::graphql;
use super::scalars::DateTime;
use super::{Administrator, caller, workspace};
use crate::records::Records;

/// A document that clients may name by its hash, as `documentId: "sha256:…"` or in Apollo's form.
pub(super) struct Document(DocumentInfo);

/// A document that clients may name by its hash, as `documentId: "sha256:…"` or in Apollo's form.
#[Object]
impl Document {
    /// SHA-256 of the text, in 64 hexadecimal digits.
    async fn id(&self) -> ID {
        ID(write_hash(&self.0.hash))
    }

    /// The GraphQL that is carried out.
    async fn text(&self) -> &str {
        &self.0.text
    }

    /// When it was registered.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.at)
    }
}

#[derive(Default)]
pub(super) struct DocumentQuery;

#[Object(guard = "Administrator")]
impl DocumentQuery {
    /// Registered documents by their hashes; at most 500. `after` is the id of the last document
    /// of the page before.
    async fn documents(
        &self,
        context: &Context<'_>,
        #[graphql(default = 50)] first: i32,
        after: Option<ID>,
    ) -> Result<Vec<Document>> {
        let after = after.map(|after| hash(&after)).transpose()?;
        let first = u64::try_from(first).unwrap_or_default();
        documents::documents_list(workspace(context), caller(context), first, after)
            .await
            .map(|found| found.into_iter().map(Document).collect())
            .map_err(graphql)
    }

    /// The registered document with this hash.
    async fn document(&self, context: &Context<'_>, id: ID) -> Result<Option<Document>> {
        let Some(hash) = read_hash(&id) else {
            return Ok(None);
        };
        documents::document_find(workspace(context), &hash)
            .await
            .map(|found| found.map(Document))
            .map_err(graphql)
    }
}

#[derive(Default)]
pub(super) struct DocumentMutation;

#[Object(guard = "Administrator")]
impl DocumentMutation {
    /// Registers documents for `/graphql`, all or none: each is valid against the schema of this
    /// moment. At most 2,000 at once and 20,000 altogether.
    async fn register_documents(
        &self,
        context: &Context<'_>,
        documents: Vec<String>,
    ) -> Result<Vec<Document>> {
        let records = context.data_unchecked::<Records>();
        let mut issues = Issues::default();
        if documents.len() <= documents::REGISTERED_AT_ONCE_MAX {
            for (position, text) in documents.iter().enumerate() {
                let wrong = records.check_document(text).await.map_err(graphql)?;
                for error in wrong {
                    let mut issue = Issue::new("BAD_INPUT", error.message);
                    if let Some((line, column)) = error.locations.first() {
                        issue = issue.with("line", *line).with("column", *column);
                    }
                    issues.push(issue.at(position).at("documents"));
                }
            }
        }
        if !issues.is_empty() {
            return Err(graphql(AppError::bad_input_issues(issues)));
        }
        let registered =
            documents::documents_register(workspace(context), caller(context), documents)
                .await
                .map_err(graphql)?;
        records.forget_documents();
        Ok(registered.into_iter().map(Document).collect())
    }

    /// Removes registered documents, and gives the ids of those that were there. Other processes
    /// on the same database may go on with them for a minute.
    async fn remove_documents(&self, context: &Context<'_>, ids: Vec<ID>) -> Result<Vec<ID>> {
        let ids: Vec<String> = ids.into_iter().map(|id| id.0).collect();
        let hashes = read_hashes(&ids).map_err(graphql)?;
        let removed = documents::documents_remove(workspace(context), caller(context), hashes)
            .await
            .map_err(graphql)?;
        context.data_unchecked::<Records>().forget_documents();
        Ok(removed.iter().map(|hash| ID(write_hash(hash))).collect())
    }
}

fn hash(after: &ID) -> Result<documents::DocumentHash> {
    read_hash(after).ok_or_else(|| {
        let issue = Issue::new("BAD_INPUT", "a SHA-256 has 64 hexadecimal digits").at("after");
        graphql(AppError::bad_input_issues(issue.into()))
    })
}
