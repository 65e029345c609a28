//! Records as files.

use async_graphql::{Context, Object, Result};
use relata_app::exports::{ExportOptions, export_start};
use relata_app::{AppError, Issue};

use super::error::graphql;
use super::jobs::Job;
use super::scalars::JsonScalar;
use super::{Administrator, caller, workspace};

#[derive(Default)]
pub(super) struct ExportMutation;

#[Object(guard = "Administrator")]
impl ExportMutation {
    /// Has records written to a file, by a job; the job's `file` is there when it is `DONE`.
    /// `options` are `{object, format: "CSV" | "XLSX" | "JSONL" | "VCARD", fields: ["id", "name",
    /// "company.name"], where}`. Without `fields`, the file holds what an import takes back to the
    /// same records; `where` is a condition in the form of lists.
    async fn start_export(&self, context: &Context<'_>, options: JsonScalar) -> Result<Job> {
        let options: ExportOptions = serde_json::from_value(options.0).map_err(|error| {
            let message = format!("options can't be read: {error}");
            let issue = Issue::new("BAD_INPUT", message).at("options");
            graphql(AppError::bad_input_issues(issue.into()))
        })?;
        export_start(workspace(context), caller(context), &options)
            .await
            .map(Job)
            .map_err(graphql)
    }
}
