//! Imports of files that were uploaded.

use async_graphql::{Context, ID, Object, Result};
use relata_app::imports::{self, ImportOptions, UndoOptions};
use relata_app::{AppError, Issue};
use serde_json::{Value as Json, json};

use super::error::graphql;
use super::jobs::Job;
use super::scalars::JsonScalar;
use super::{Administrator, caller, uuid, workspace};

#[derive(Default)]
pub(super) struct ImportQuery;

#[Object(guard = "Administrator")]
impl ImportQuery {
    /// Looks at a file as `startImport` would: `{format, encoding, delimiter, sheets, rows, columns:
    /// [{column, target, candidate, score, reason}], map, first, problems: [{line, column, code,
    /// message}]}`. `map` is what would be used, in the form of the options.
    async fn import_preview(
        &self,
        context: &Context<'_>,
        object: String,
        file: ID,
        options: Option<JsonScalar>,
    ) -> Result<JsonScalar> {
        let options = read_options(options).map_err(graphql)?;
        let file = uuid(&file, "file")?;
        imports::import_preview(workspace(context), caller(context), &object, file, &options)
            .await
            .map(|preview| JsonScalar(json!(preview)))
            .map_err(graphql)
    }
}

#[derive(Default)]
pub(super) struct ImportMutation;

#[Object(guard = "Administrator")]
impl ImportMutation {
    /// Has the rows of a file brought in as records of an object, by a job. `file` is the id that
    /// `POST /files` gave: CSV, XLSX, JSON Lines or vCards. `options` are `{map:
    /// ["COLUMN=FIELD"], set, skipEmpty, distinct, mode: "ALL_OR_NONE" | "PARTIAL", dryRun,
    /// action: "CREATE" | "UPDATE" | "UPSERT", on: ["FIELD" or "id"], empty: "KEEP" | "CLEAR",
    /// createMissing, overrideGates, dateOrder: "DMY" | "MDY" | "YMD", decimalComma, format,
    /// encoding, delimiter, sheet}`.
    async fn start_import(
        &self,
        context: &Context<'_>,
        object: String,
        file: ID,
        options: Option<JsonScalar>,
    ) -> Result<Job> {
        let options = read_options(options).map_err(graphql)?;
        let file = uuid(&file, "file")?;
        imports::import_start(workspace(context), caller(context), &object, file, &options)
            .await
            .map(Job)
            .map_err(graphql)
    }

    /// Has an import taken back, by a job: records that it has made go to the trash (with
    /// `destroy`, for good), changed ones get their former values. Those that somebody has changed
    /// since stay as they are, unless `force` is given.
    async fn undo_import(
        &self,
        context: &Context<'_>,
        job: ID,
        #[graphql(default)] force: bool,
        #[graphql(default)] destroy: bool,
    ) -> Result<Job> {
        let id = uuid(&job, "import")?;
        let options = UndoOptions { force, destroy };
        imports::import_undo(workspace(context), caller(context), id, options)
            .await
            .map(Job)
            .map_err(graphql)
    }

    /// Writes the bad rows of an import to a CSV file with a column that says what is wrong, and
    /// gives its id for `GET /files/{id}`: to be put right, and imported again.
    async fn import_bad_rows(&self, context: &Context<'_>, job: ID) -> Result<ID> {
        let id = uuid(&job, "import")?;
        imports::import_bad_rows(workspace(context), caller(context), id)
            .await
            .map(ID::from)
            .map_err(graphql)
    }

    /// `startImport`, and waits for the end. The report counts rows and records, and names what
    /// is wrong by line and column.
    async fn import_records(
        &self,
        context: &Context<'_>,
        object: String,
        file: ID,
        options: JsonScalar,
    ) -> Result<JsonScalar> {
        let options = read_options(Some(options)).map_err(graphql)?;
        let file = uuid(&file, "file")?;
        imports::import_now(workspace(context), caller(context), &object, file, &options)
            .await
            .map(|report| JsonScalar(json!(report)))
            .map_err(graphql)
    }
}

fn read_options(options: Option<JsonScalar>) -> Result<ImportOptions, AppError> {
    let read = match options.map(|options| options.0) {
        None | Some(Json::Null) => Ok(ImportOptions::default()),
        Some(options @ Json::Object(_)) => serde_json::from_value(options)
            .map_err(|error| format!("options can't be read: {error}")),
        Some(_) => Err("options takes an object".to_owned()),
    };
    read.map_err(|message| {
        AppError::bad_input_issues(Issue::new("BAD_INPUT", message).at("options").into())
    })
}
