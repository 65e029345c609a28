//! Files: a client names one by its id; what else is said of it is looked up by who can.

use serde_json::{Value as Json, json};

use crate::reading::MapReader;
use crate::{File, Issue, Issues, Kind, Value};

/// A file by its id alone, or all of it as [`file_json`] writes it.
pub(super) fn file(input: &Json, kind: &Kind) -> Result<Value, Issues> {
    if input.is_string() {
        let id = super::id(input, "a file")?;
        return Ok(Value::File(File::named(id)));
    }
    let mut reader = MapReader::new(input, "the id of a file")?;
    let id = match reader.take("id").map(|id| super::id(id, "a file")) {
        Some(Ok(id)) => Some(id),
        Some(Err(part)) => {
            reader.issues.extend_at("id", part);
            None
        }
        None => {
            reader.missing("id");
            None
        }
    };
    let name = reader.text("name").unwrap_or_default();
    let content_type = reader.text("contentType").unwrap_or_default();
    let size = reader.whole("size").unwrap_or_default();
    let sha256 = reader.text("sha256").unwrap_or_default();
    for (member, text) in [
        ("name", &name),
        ("contentType", &content_type),
        ("sha256", &sha256),
    ] {
        if let Err(part) = super::characters(text, |character| !character.is_control()) {
            reader.issues.extend_at(member, part);
        }
    }
    reader.finish().into_result(())?;
    let Some(id) = id else {
        return Ok(Value::Null);
    };
    let file = File {
        id,
        name,
        content_type,
        size,
        sha256,
    };
    let issues = match file.is_known() {
        true => file_issues(kind, &file),
        false => Issues::default(),
    };
    issues.into_result(Value::File(file))
}

pub(super) fn file_json(file: &File) -> Json {
    json!({
        "id": file.id.hyphenated().to_string(),
        "name": file.name,
        "contentType": file.content_type,
        "size": file.size,
        "sha256": file.sha256,
    })
}

/// Why a file is not one that the field takes.
#[must_use]
pub fn file_issues(kind: &Kind, file: &File) -> Issues {
    let mut issues = Issues::default();
    let Kind::File { types, max_size } = kind else {
        return issues;
    };
    if !types.is_empty()
        && !types
            .iter()
            .any(|allowed| covers(allowed, &file.content_type))
    {
        issues.push(
            Issue::new(
                "CONTENT_TYPE",
                format!(
                    "expected a file of the type {}, got {}",
                    types.join(" or "),
                    file.content_type
                ),
            )
            .with("types", types.clone())
            .with("got", file.content_type.as_str()),
        );
    }
    if let Some(max) = max_size.filter(|max| file.size > *max) {
        issues.push(
            Issue::new(
                "TOO_LARGE",
                format!("expected a file of at most {max} bytes, got {}", file.size),
            )
            .with("max", max)
            .with("got", file.size),
        );
    }
    issues
}

/// Whether `image/*` or `image/png` takes a type, or all that another such name takes.
pub(crate) fn covers(allowed: &str, content_type: &str) -> bool {
    match allowed.strip_suffix('*') {
        Some(group) => content_type.starts_with(group),
        None => allowed == content_type,
    }
}
