//! The bad rows of an import as a file of their own: with a column that says what is wrong, to be
//! put right and imported again.

use std::{collections::HashMap, io::Seek as _, ops::ControlFlow};

use uuid::Uuid;

use super::{ImportJob, source::Cell, written};
use crate::{AppError, Caller, Workspace, access::authorise_admin, files, jobs};

/// Name of the column.
const COLUMN: &str = "what is wrong";

/// Writes the bad rows of an import to a CSV file, and gives its id.
///
/// # Errors
/// `FORBIDDEN`; `NOT_FOUND`: no such import, or its file is not kept any more.
pub async fn import_bad_rows(
    workspace: &Workspace,
    caller: &Caller,
    id: Uuid,
) -> Result<Uuid, AppError> {
    authorise_admin(caller)?;
    let absent = || AppError::NotFound(format!("there is no import with the id {id}"));
    let job = jobs::job_get(workspace, caller, id)
        .await?
        .filter(|job| job.kind == jobs::JobKind::Import)
        .ok_or_else(absent)?;
    let of_import: ImportJob =
        serde_json::from_value(job.options).map_err(|error| AppError::internal(&error))?;
    let file = job.file.ok_or_else(absent)?;
    let mut wrong: HashMap<u64, Vec<String>> = HashMap::new();
    for error in super::import_errors(workspace, caller, id, usize::MAX).await? {
        let told = match error.column {
            Some(column) => format!("{column}: {}", error.message),
            None => error.message,
        };
        wrong.entry(error.line).or_default().push(told);
    }
    let source = super::open(workspace, caller, file, &of_import.options).await?;
    let mut made = tempfile::tempfile().map_err(|error| AppError::internal(&error))?;
    let mut writer = csv::Writer::from_writer(
        made.try_clone()
            .map_err(|error| AppError::internal(&error))?,
    );
    let mut header: Vec<&str> = source.header.iter().map(String::as_str).collect();
    header.push(COLUMN);
    let not_written = |error: csv::Error| AppError::internal(&error);
    writer.write_record(&header).map_err(not_written)?;
    let mut failed = None;
    source.each(&mut |row| {
        let Some(reasons) = wrong.get(&row.line) else {
            return ControlFlow::Continue(());
        };
        let mut cells: Vec<String> = row
            .cells
            .iter()
            .map(Cell::text)
            .map(|text| written(&text).into_owned())
            .collect();
        cells.push(written(&reasons.join("; ")).into_owned());
        match writer.write_record(&cells) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(error) = failed {
        return Err(not_written(error));
    }
    writer.flush().map_err(|error| AppError::internal(&error))?;
    made.rewind().map_err(|error| AppError::internal(&error))?;
    let name = format!("{} bad rows.csv", of_import.object);
    Ok(files::keep(workspace, caller, &name, made).await?.id)
}
