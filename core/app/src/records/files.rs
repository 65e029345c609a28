//! Files in drafts: what a client names by its id becomes all that is known of the file.
//!
//! A file is looked up in the transaction of the write, so it can't be let go at the same moment.
//! Whatever else somebody says of it is not listened to: a plugin's patch may say anything.

use std::collections::{HashMap, HashSet};

use relata_catalog::{FieldIndex, File, Issue, Kind, Object, Value, file_issues};
use relata_store::platform::{StoredFile, files as states};
use uuid::Uuid;

use super::draft::{Concern, Draft};
use crate::{AppError, files, transact::Unit};

/// Looks up files that drafts hold and their records don't yet. One that is not there, or that the
/// caller may not read, or that the field does not take, is a problem of its draft.
pub(super) async fn resolve(
    unit: &Unit,
    object: &Object,
    drafts: &mut [Draft],
) -> Result<(), AppError> {
    let fields: Vec<FieldIndex> = (0..object.fields.len())
        .map(FieldIndex)
        .filter(|index| matches!(object.field(*index).kind, Kind::File { .. }))
        .collect();
    let mut wanted: HashSet<Uuid> = HashSet::new();
    for draft in &mut *drafts {
        for field in &fields {
            keep_same(draft, *field);
            wanted.extend(new_file(draft, *field));
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let wanted: Vec<Uuid> = wanted.into_iter().collect();
    let found = unit.transaction().files(&wanted).await?;
    let mut usable: HashMap<Uuid, StoredFile> = HashMap::new();
    for file in found {
        if file.state == states::KEPT && files::may_use(unit, &file).await? {
            usable.insert(file.id, file);
        }
    }
    for draft in drafts {
        for index in &fields {
            let Some(id) = new_file(draft, *index) else {
                continue;
            };
            let field = object.field(*index);
            let Some(file) = usable.get(&id).map(known) else {
                draft.values[index.0] = Value::Null;
                draft.problem(
                    Concern::Data,
                    Issue::new("NOT_FOUND", format!("there is no file with the id {id}"))
                        .at(field.name.as_str()),
                );
                continue;
            };
            let issues = file_issues(&field.kind, &file);
            // What is wrong is told once, also where drafts are looked at again.
            draft.values[index.0] = match issues.is_empty() {
                true => Value::File(file),
                false => Value::Null,
            };
            draft.problems_at(&field.name, issues);
        }
    }
    Ok(())
}

/// The file that the record holds already, named again, is no change.
fn keep_same(draft: &mut Draft, field: FieldIndex) {
    let (Value::File(old), Value::File(new)) = (draft.old_value(field), draft.value(field)) else {
        return;
    };
    if old.id == new.id && old != new {
        draft.values[field.0] = draft.old_value(field).clone();
    }
}

fn new_file(draft: &Draft, field: FieldIndex) -> Option<Uuid> {
    match draft.value(field) {
        Value::File(file) if draft.is_changed(field) => Some(file.id),
        _ => None,
    }
}

fn known(file: &StoredFile) -> File {
    File {
        id: file.id,
        name: file.name.clone(),
        content_type: file.content_type.clone(),
        size: file.size,
        sha256: file.sha256.clone(),
    }
}
