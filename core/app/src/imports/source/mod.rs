//! A file becomes rows, whatever it is: CSV, a sheet of an XLSX workbook, JSON Lines, vCards.
//!
//! What a file is, is told by its bytes; its name and what somebody calls it are only held against
//! them. Rows are handed out one by one, so that a file of a million rows costs no more than its
//! bytes. Everything that can grow has a limit, and an error that names the row.

mod cards;
mod delimited;
mod encoding;
mod lines;
mod sheet;

use std::{ops::ControlFlow, sync::Arc};

use relata_catalog::{Issue, Issues};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tokio::sync::mpsc;

use crate::AppError;

pub use encoding::Encoding;

/// Most rows of a file.
pub const ROWS_MAX: u64 = 1_000_000;
/// Most bytes of a file.
pub const FILE_BYTES_MAX: usize = 256 << 20;
/// Most columns of a file.
pub const COLUMNS_MAX: usize = 2_000;
/// Most bytes of a cell.
pub const CELL_BYTES_MAX: usize = 1 << 20;
/// Most bytes of everything in a workbook, unpacked: a small file may claim to be a large one.
pub const EXPANDED_BYTES_MAX: u64 = 512 << 20;

/// Chunks that are read before somebody takes the first of them.
const CHUNKS_AHEAD: usize = 2;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Format {
    /// Text in lines and columns, whatever stands between the columns.
    Csv,
    /// A workbook of Excel 2007 or later.
    Xlsx,
    /// A JSON object on each line.
    Jsonl,
    /// vCard 2.1, 3.0 or 4.0.
    Vcard,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Xlsx => "an Excel workbook (XLSX)",
            Self::Jsonl => "JSON Lines",
            Self::Vcard => "vCard",
        }
    }
}

/// How a file is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct SourceOptions {
    /// What it must be; without, whatever its bytes say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) format: Option<Format>,
    /// Encoding of its text; without, it is told by the bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) encoding: Option<Encoding>,
    /// What stands between the columns of a CSV file; without, it is told by the first lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delimiter: Option<char>,
    /// Sheet of a workbook; without, the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sheet: Option<String>,
}

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    /// Nothing.
    Empty,
    /// Text, as somebody wrote it.
    Text(String),
    /// What was typed in the file (a number, a day), in the platform's own notation.
    Typed(String),
    /// JSON.
    Json(Json),
}

impl Cell {
    /// Whether there is nothing in it.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Text(text) | Self::Typed(text) => text.trim().is_empty(),
            Self::Json(json) => json.is_null(),
        }
    }

    /// For people, and for what is looked for by a text.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) | Self::Typed(text) | Self::Json(Json::String(text)) => text.clone(),
            Self::Json(json) => json.to_string(),
        }
    }
}

/// One row of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RawRow {
    /// Where it begins: the line of a text, the row of a sheet; from 1.
    pub(crate) line: u64,
    /// By column.
    pub(crate) cells: Vec<Cell>,
    /// What is wrong with the row as such.
    pub(crate) fault: Option<Issue>,
}

/// What a reader does with a row.
type Sink<'s> = dyn FnMut(RawRow) -> ControlFlow<()> + 's;

/// A file that can be read as rows, as often as one likes.
#[derive(Debug)]
pub(crate) struct Source {
    /// What it is.
    pub(crate) format: Format,
    /// Of its text.
    pub(crate) encoding: Option<Encoding>,
    /// Between the columns of a CSV file.
    pub(crate) delimiter: Option<char>,
    /// The sheet that is read, and all that there are.
    pub(crate) sheets: Option<(String, Vec<String>)>,
    /// Names of the columns.
    pub(crate) header: Vec<String>,
    /// How many rows there are, without the header.
    pub(crate) rows: u64,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Text(String),
    Bytes(Arc<[u8]>),
}

impl Source {
    /// Looks at a file: what it is, whether it can be read to its end, its columns, its rows. May
    /// take seconds.
    ///
    /// # Errors
    /// `BAD_INPUT` and `LIMIT_EXCEEDED`, with the row where one is to blame.
    pub(crate) fn open(bytes: Arc<[u8]>, options: &SourceOptions) -> Result<Self, AppError> {
        Self::read(bytes, options).map_err(in_file)
    }

    fn read(bytes: Arc<[u8]>, options: &SourceOptions) -> Result<Self, AppError> {
        if bytes.len() > FILE_BYTES_MAX {
            return Err(AppError::LimitExceeded(format!(
                "the file has {} bytes; at most {FILE_BYTES_MAX} can be read",
                bytes.len()
            )));
        }
        let format = told(&bytes, options.format)?;
        let mut source = Self {
            format,
            encoding: None,
            delimiter: None,
            sheets: None,
            header: Vec::new(),
            rows: 0,
            body: Body::Bytes(Arc::clone(&bytes)),
        };
        if format == Format::Xlsx {
            sheet::open(&mut source, &bytes, options.sheet.as_deref())?;
        } else {
            let (text, encoding) = encoding::decode(&bytes, options.encoding)?;
            match format {
                Format::Csv => delimited::open(&mut source, &text, options.delimiter)?,
                Format::Jsonl => lines::open(&mut source, &text)?,
                _ => cards::open(&mut source, &text)?,
            }
            source.encoding = Some(encoding);
            source.body = Body::Text(text);
        }
        if source.header.len() > COLUMNS_MAX {
            return Err(AppError::LimitExceeded(format!(
                "the file has {} columns; at most {COLUMNS_MAX} can be read",
                source.header.len()
            )));
        }
        if source.rows > ROWS_MAX {
            return Err(AppError::LimitExceeded(format!(
                "the file has {} rows; at most {ROWS_MAX} can be read: split it",
                source.rows
            )));
        }
        Ok(source)
    }

    /// Hands out the rows in their order, until the sink has enough.
    ///
    /// # Errors
    /// As of [`Source::open`], where a file is read anew.
    pub(crate) fn each(&self, sink: &mut Sink<'_>) -> Result<(), AppError> {
        match (&self.body, self.format) {
            (Body::Bytes(bytes), _) => sheet::each(self, bytes, sink),
            (Body::Text(text), Format::Jsonl) => lines::each(self, text, sink),
            (Body::Text(text), Format::Vcard) => cards::each(text, sink),
            (Body::Text(text), _) => delimited::each(self, text, sink),
        }
    }

    /// The first rows.
    ///
    /// # Errors
    /// As of [`Source::each`].
    pub(crate) fn first(&self, count: usize) -> Result<Vec<RawRow>, AppError> {
        let mut rows = Vec::with_capacity(count);
        self.each(&mut |row| {
            rows.push(row);
            if rows.len() >= count {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        Ok(rows)
    }

    /// All rows, so many at a time; read on a thread of its own, a little ahead of whoever takes
    /// them. The last item says why there are no more, where there should be.
    #[must_use]
    pub(crate) fn chunks(
        self: &Arc<Self>,
        size: usize,
    ) -> mpsc::Receiver<Result<Vec<RawRow>, AppError>> {
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        let source = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let mut chunk = Vec::with_capacity(size);
            let read = source.each(&mut |row| {
                chunk.push(row);
                if chunk.len() < size {
                    return ControlFlow::Continue(());
                }
                let full = std::mem::replace(&mut chunk, Vec::with_capacity(size));
                // Nobody listens any more: the job has ended.
                match sender.blocking_send(Ok(full)) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            });
            let last = match read {
                Ok(()) if chunk.is_empty() => return,
                Ok(()) => Ok(chunk),
                Err(error) => Err(error),
            };
            let _ = sender.blocking_send(last);
        });
        receiver
    }
}

/// What the bytes are, and whether that is what was asked for.
fn told(bytes: &[u8], asked: Option<Format>) -> Result<Format, AppError> {
    const NEVER: [(&[u8], &str); 7] = [
        (
            b"\xd0\xcf\x11\xe0",
            "an Excel workbook of before 2007 (XLS); save it as XLSX or CSV",
        ),
        (b"%PDF", "a PDF document"),
        (b"\x89PNG", "a picture"),
        (b"\xff\xd8\xff", "a picture"),
        (b"GIF8", "a picture"),
        (b"\x1f\x8b", "packed by gzip; unpack it first"),
        (b"SQLite format 3", "a database"),
    ];
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(AppError::bad_input("the file is empty"));
    }
    if let Some((_, what)) = NEVER.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(AppError::bad_input(format!("the file is {what}")));
    }
    let is = if bytes.starts_with(b"PK\x03\x04") {
        Format::Xlsx
    } else {
        // Only what is ASCII in every encoding is looked at.
        let start: String = bytes
            .iter()
            .take(512)
            .filter(|byte| byte.is_ascii_graphic())
            .map(|byte| char::from(*byte))
            .collect();
        if start.to_ascii_uppercase().starts_with("BEGIN:VCARD") {
            Format::Vcard
        } else if start.starts_with('{') {
            Format::Jsonl
        } else if start.starts_with("[{") {
            return Err(AppError::bad_input(
                "the file is one JSON list; write an object on each line (JSON Lines), without brackets around and commas between them",
            ));
        } else {
            Format::Csv
        }
    };
    match asked {
        // Text that begins with a brace may be CSV all the same.
        Some(Format::Csv) if is != Format::Xlsx => Ok(Format::Csv),
        Some(asked) if asked != is => Err(AppError::bad_input(format!(
            "the file is not {}, it is {}",
            asked.name(),
            is.name()
        ))),
        _ => Ok(is),
    }
}

/// What is wrong with all of the file is wrong at `file`.
fn in_file(mut error: AppError) -> AppError {
    for issue in error.issues_mut().into_iter().flat_map(|all| &mut all.0) {
        if issue.path.is_empty() {
            issue.path.push("file".into());
        }
    }
    error
}

/// A mistake in the file, with the row.
fn at_line(line: u64, code: &str, message: impl Into<String>) -> AppError {
    let message = format!("line {line}: {}", message.into());
    let issue = Issue::new(code, message.clone()).with("line", line);
    AppError::BadInput {
        headline: Some(message),
        issues: Issues::from(issue.at(line as usize).at("file")),
    }
}

/// What is wrong with a cell that is too large.
fn too_long(column: &str, bytes: usize) -> Issue {
    Issue::new(
        "TOO_LONG",
        format!("the cell has {bytes} bytes; at most {CELL_BYTES_MAX} can be read"),
    )
    .with("max", CELL_BYTES_MAX)
    .at(column)
}

/// Names of columns without blanks around them; a column without a name is called by its place.
fn header_of(names: impl Iterator<Item = String>) -> Vec<String> {
    names
        .enumerate()
        .map(|(position, name)| match name.trim() {
            "" => format!("column {}", position + 1),
            name => name.to_owned(),
        })
        .collect()
}
