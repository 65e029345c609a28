//! Trees: no record stands over itself, and no line is longer than can be read.

use std::collections::HashMap;

use relata_catalog::{FieldIndex, Issue, Kind, Object, Relation, Value};
use relata_store::read::TREE_DEPTH_MAX;
use uuid::Uuid;

use super::{Draft, draft::Concern};
use crate::{AppError, transact::Unit};

/// Notes in each draft whether it would stand over itself, or too deep. Drafts of one batch are
/// looked at as they will stand together.
pub(super) async fn check(
    unit: &Unit,
    object: &Object,
    drafts: &mut [Draft],
) -> Result<(), AppError> {
    for (position, field) in object.fields.iter().enumerate() {
        let Kind::Relation(Relation { tree: Some(_), .. }) = &field.kind else {
            continue;
        };
        check_tree(unit, object, FieldIndex(position), drafts).await?;
    }
    Ok(())
}

async fn check_tree(
    unit: &Unit,
    object: &Object,
    field: FieldIndex,
    drafts: &mut [Draft],
) -> Result<(), AppError> {
    let moved = |draft: &Draft| match (draft.is_changed(field), draft.value(field)) {
        (true, Value::Reference(parent)) => Some(*parent),
        _ => None,
    };
    let over: Vec<Uuid> = drafts.iter().filter_map(moved).collect();
    if over.is_empty() {
        return Ok(());
    }
    let transaction = unit.transaction();
    let mut parents = transaction.parents(object, field, &over).await?;
    let stored: Vec<Uuid> = drafts
        .iter()
        .filter(|draft| draft.before.is_some() && moved(draft).is_some())
        .map(|draft| draft.id)
        .collect();
    let heights = match stored.is_empty() {
        true => HashMap::new(),
        false => transaction.heights(object, field, &stored).await?,
    };
    for draft in &*drafts {
        if draft.is_changed(field) {
            let parent = match draft.value(field) {
                Value::Reference(parent) => Some(*parent),
                _ => None,
            };
            parents.insert(draft.id, parent);
        }
    }
    let name = &object.field(field).name;
    for draft in drafts {
        if moved(draft).is_none() {
            continue;
        }
        let height = heights.get(&draft.id).copied().unwrap_or_default();
        let issue = match above(&parents, draft.id) {
            None => Issue::new(
                "CYCLE",
                format!(
                    "the {} would stand over itself: {name} leads from it back to it",
                    object.singular
                ),
            ),
            Some(depth) if depth + height > TREE_DEPTH_MAX => Issue::new(
                "TOO_DEEP",
                format!("by {name}, at most {TREE_DEPTH_MAX} records stand over each other"),
            )
            .with("max", TREE_DEPTH_MAX),
            Some(_) => continue,
        };
        draft.problem(Concern::Data, issue.at(name.as_str()));
    }
    Ok(())
}

/// How many records stand over one; none, if it is one of them.
fn above(parents: &HashMap<Uuid, Option<Uuid>>, id: Uuid) -> Option<usize> {
    let mut depth = 0;
    let mut at = id;
    while let Some(Some(parent)) = parents.get(&at) {
        if *parent == id {
            return None;
        }
        depth += 1;
        // Longer than allowed, or a circle that others of the batch make among themselves.
        if depth > TREE_DEPTH_MAX {
            break;
        }
        at = *parent;
    }
    Some(depth)
}
