//! Imports of files that were uploaded.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result};
use relata_app::imports::{ImportOptions, import_csv};
use relata_app::{AppError, Issue};
use serde_json::{Value as Json, json};

use super::error::graphql;
use super::scalars::JsonScalar;
use super::{Administrator, caller, upload, workspace};

#[derive(Default)]
pub(super) struct ImportMutation;

#[Object(guard = "Administrator")]
impl ImportMutation {
    /// Brings the rows of a CSV file in as records of an object. `file` is the id that
    /// `POST /files` gave; `options` are `{map: ["COLUMN=FIELD"], set, skipEmpty, distinct, mode:
    /// "ALL_OR_NONE" | "PARTIAL", dryRun}`. The report counts rows and records, and names what is
    /// wrong by line and column.
    async fn import_records(
        &self,
        context: &Context<'_>,
        object: String,
        file: ID,
        options: JsonScalar,
    ) -> Result<JsonScalar> {
        let options = read_options(options.0).map_err(graphql)?;
        let bytes = upload(context, &file).await?;
        import_csv(
            workspace(context),
            caller(context),
            &object,
            bytes.as_slice(),
            &options,
            Arc::new(|_rows| {}),
        )
        .await
        .map(|report| JsonScalar(json!(report)))
        .map_err(graphql)
    }
}

fn read_options(options: Json) -> Result<ImportOptions, AppError> {
    let read = if options.is_object() {
        serde_json::from_value(options).map_err(|error| format!("options can't be read: {error}"))
    } else {
        Err("options takes an object".to_owned())
    };
    read.map_err(|message| {
        AppError::bad_input_issues(Issue::new("BAD_INPUT", message).at("options").into())
    })
}
