//! What an import would begin with: what the file is, its columns and what they may be, its first
//! rows, and what is wrong with them as far as that is seen without writing.

use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    Encoding, Format, Guess, ImportOptions, RowError, guess,
    plan::{self, Plan},
    source::Cell,
};
use crate::{AppError, Caller, Workspace, access::authorise_admin};

/// Rows that are shown.
const SHOWN: usize = 5;

/// What an import would begin with.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportPreview {
    /// What the file is.
    pub format: Format,
    /// Of its text.
    pub encoding: Option<Encoding>,
    /// Between the columns of a CSV file.
    pub delimiter: Option<char>,
    /// Of a workbook, the one that is read first.
    pub sheets: Vec<String>,
    /// How many rows there are.
    pub rows: u64,
    /// What each column may be.
    pub columns: Vec<Guess>,
    /// The mapping that would be used, in the form of [`ImportOptions::map`].
    pub map: Vec<String>,
    /// Cells of the first rows, by column.
    pub first: Vec<Vec<Json>>,
    /// What is wrong with the first rows.
    pub problems: Vec<RowError>,
}

/// Looks at a file as an import would.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND` (the file), `BAD_INPUT`, `LIMIT_EXCEEDED`.
pub async fn import_preview(
    workspace: &Workspace,
    caller: &Caller,
    object: &str,
    file: Uuid,
    options: &ImportOptions,
) -> Result<ImportPreview, AppError> {
    authorise_admin(caller)?;
    let source = super::open(workspace, caller, file, options).await?;
    let state = workspace.state();
    let rows = source.first(guess::ROWS)?;
    let columns = plan::guesses(workspace, caller, object, &source, &rows, options)?;
    let mut options = options.clone();
    if options.map.is_empty() {
        options.map = plan::map_of(&columns);
    }
    let problems = if options.map.is_empty() {
        Vec::new()
    } else {
        let context = plan::context(workspace, caller);
        let plan = Plan::resolve(&state, context, object, &source.header, &options)?;
        plan.mapping.rows(&rows, &state.directory).errors
    };
    let (sheet, others) = source.sheets.clone().unzip();
    let others = others.unwrap_or_default().into_iter();
    let shown = |cell: &Cell| match cell {
        Cell::Empty => Json::Null,
        Cell::Json(json) => json.clone(),
        Cell::Text(text) | Cell::Typed(text) => text.clone().into(),
    };
    Ok(ImportPreview {
        format: source.format,
        encoding: source.encoding,
        delimiter: source.delimiter,
        sheets: sheet
            .iter()
            .cloned()
            .chain(others.filter(|name| Some(name) != sheet.as_ref()))
            .collect(),
        rows: source.rows,
        columns,
        map: options.map,
        first: rows
            .iter()
            .take(SHOWN)
            .map(|row| row.cells.iter().map(shown).collect())
            .collect(),
        problems,
    })
}
