//! Two catalogues against each other: elements are the same when their keys are.

use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use crate::blueprint::{put_kind, put_rules};
use crate::{
    Catalogue, Change, Field, Formula, Key, Kind, Object, Pipeline, Plan, Rollup, SelectOption,
    StageColumns, Step,
};

/// What must be done to come from `current` to `target`. Deterministic: the same two catalogues
/// give the same plan, down to its id.
#[must_use]
pub fn diff(current: &Catalogue, target: &Catalogue) -> Plan {
    let mut steps = Vec::new();
    for object in &current.objects {
        if let Some((_, after)) = target.object_keyed(&object.key) {
            removed_uniques(object, after, &mut steps);
        }
    }
    removed_pipelines(current, target, &mut steps);
    for object in &current.objects {
        match target.object_keyed(&object.key) {
            Some((_, after)) => removed_fields(object, after, &mut steps),
            None => steps.push(Step::RemoveObject {
                name: object.singular.clone(),
                object: object.clone(),
            }),
        }
    }
    for object in &target.objects {
        if current.object_keyed(&object.key).is_none() {
            steps.push(Step::CreateObject {
                name: object.singular.clone(),
                object: object.clone(),
            });
        }
    }
    for object in &target.objects {
        if let Some((_, before)) = current.object_keyed(&object.key) {
            changed_object(before, object, &mut steps);
        }
    }
    changed_pipelines(current, target, &mut steps);

    let mut target = target.clone();
    target.revision = current.revision + u64::from(!steps.is_empty());
    Plan {
        id: plan_id(current.revision, &steps, &target),
        base_revision: current.revision,
        target,
        steps,
    }
}

fn plan_id(base_revision: u64, steps: &[Step], target: &Catalogue) -> String {
    // Maps keep their order and the types write their members in the order of their declaration:
    // the text is canonical.
    let text = serde_json::to_vec(&(base_revision, steps, target))
        .expect("the catalogue's types write only texts as keys");
    Sha256::digest(&text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn removed_uniques(before: &Object, after: &Object, steps: &mut Vec<Step>) {
    for unique in &before.uniques {
        if !after.uniques.contains(unique) {
            steps.push(Step::RemoveUnique {
                name: unique_name(before, &unique.fields),
                object: before.key.clone(),
                table: before.table.clone(),
                unique: unique.clone(),
            });
        }
    }
}

/// `deal(number, year)`
fn unique_name(object: &Object, fields: &[Key]) -> String {
    let names: Vec<&str> = fields
        .iter()
        .filter_map(|key| Some(object.field_keyed(key)?.1.name.as_str()))
        .collect();
    format!("{}({})", object.singular, names.join(", "))
}

fn removed_pipelines(current: &Catalogue, target: &Catalogue, steps: &mut Vec<Step>) {
    for pipeline in &current.pipelines {
        let clears = target
            .object_keyed(&pipeline.object)
            .and_then(|(_, object)| {
                let (_, field) = object.field_keyed(&pipeline.field)?;
                Some(StageColumns {
                    table: object.table.clone(),
                    field: field.clone(),
                })
            });
        let name = pipeline_name(current, pipeline);
        let Some(after) = target.pipeline(&pipeline.key) else {
            steps.push(Step::RemovePipeline {
                name,
                pipeline: pipeline.clone(),
                clears,
            });
            continue;
        };
        let Some(clears) = clears else {
            continue;
        };
        for stage in &pipeline.stages {
            if after.stage(&stage.key).is_none() {
                steps.push(Step::RemoveStage {
                    name: format!("{name}.{}", stage.name),
                    pipeline: pipeline.key.clone(),
                    stage: stage.key.clone(),
                    clears: clears.clone(),
                });
            }
        }
    }
}

/// `deal.stage.sales`
fn pipeline_name(catalogue: &Catalogue, pipeline: &Pipeline) -> String {
    let object = catalogue
        .object_keyed(&pipeline.object)
        .map(|(_, object)| object);
    let field = object.and_then(|object| object.field_keyed(&pipeline.field));
    format!(
        "{}.{}.{}",
        object.map_or(pipeline.object.local(), |object| object.singular.as_str()),
        field.map_or(pipeline.field.local(), |(_, field)| field.name.as_str()),
        pipeline.name
    )
}

fn removed_fields(before: &Object, after: &Object, steps: &mut Vec<Step>) {
    for field in &before.fields {
        let name = format!("{}.{}", before.singular, field.name);
        let Some((_, kept)) = after.field_keyed(&field.key) else {
            steps.push(Step::RemoveField {
                name,
                object: before.key.clone(),
                table: before.table.clone(),
                field: field.clone(),
            });
            continue;
        };
        // Options of one that is converted are values that mean something there, or don't.
        if kept.column != field.column {
            continue;
        }
        let options_after = options(&kept.kind);
        for option in options(&field.kind) {
            if !options_after
                .iter()
                .any(|other| other.value == option.value)
            {
                steps.push(Step::RemoveOption {
                    name: format!("{name}.{}", option.value),
                    object: before.key.clone(),
                    table: before.table.clone(),
                    field: field.clone(),
                    option: option.value.clone(),
                });
            }
        }
    }
}

fn options(kind: &Kind) -> &[SelectOption] {
    match kind {
        Kind::Select { options } | Kind::MultiSelect { options } => options,
        _ => &[],
    }
}

fn changed_object(before: &Object, after: &Object, steps: &mut Vec<Step>) {
    // Most are: a change is about one of hundreds.
    if before == after {
        return;
    }
    let mut changes = Vec::new();
    compare(&mut changes, "name", &before.singular, &after.singular);
    compare(&mut changes, "plural", &before.plural, &after.plural);
    compare(&mut changes, "labels", &before.labels, &after.labels);
    compare(
        &mut changes,
        "pluralLabels",
        &before.plural_labels,
        &after.plural_labels,
    );
    compare(
        &mut changes,
        "description",
        &before.description,
        &after.description,
    );
    compare(
        &mut changes,
        "label",
        &before.label_field,
        &after.label_field,
    );
    compare(&mut changes, "rules", &before.rules, &after.rules);
    compare(&mut changes, "indexes", &before.indexes, &after.indexes);
    compare(&mut changes, "oneOf", &before.one_of, &after.one_of);
    compare(
        &mut changes,
        "duplicates",
        &before.duplicates,
        &after.duplicates,
    );
    compare(
        &mut changes,
        "lockedWhen",
        &before.locked_when,
        &after.locked_when,
    );
    compare(
        &mut changes,
        "order of fields",
        &common(&before.fields, &after.fields),
        &common(&after.fields, &before.fields),
    );
    if !changes.is_empty() {
        steps.push(Step::ChangeObject {
            name: after.singular.clone(),
            object: after.key.clone(),
            changes,
        });
    }
    for field in &after.fields {
        if before.field_keyed(&field.key).is_none() {
            steps.push(Step::AddField {
                name: format!("{}.{}", after.singular, field.name),
                object: after.key.clone(),
                table: after.table.clone(),
                field: field.clone(),
            });
        }
    }
    for field in &after.fields {
        let Some((_, old)) = before.field_keyed(&field.key) else {
            continue;
        };
        let changes = field_changes(old, field);
        if old.column != field.column {
            steps.push(Step::ConvertField {
                name: format!("{}.{}", after.singular, field.name),
                object: after.key.clone(),
                table: after.table.clone(),
                from: Box::new(old.clone()),
                field: Box::new(field.clone()),
                changes,
            });
        } else if !changes.is_empty() {
            steps.push(Step::ChangeField {
                name: format!("{}.{}", after.singular, field.name),
                object: after.key.clone(),
                table: after.table.clone(),
                field: field.clone(),
                changes,
            });
        }
    }
    for unique in &after.uniques {
        if !before.uniques.contains(unique) {
            steps.push(Step::AddUnique {
                name: unique_name(after, &unique.fields),
                object: after.key.clone(),
                table: after.table.clone(),
                unique: unique.clone(),
                columns: after.unique_columns(unique),
            });
        }
    }
}

/// Keys of the fields that both have, in the order of the first.
fn common(fields: &[Field], others: &[Field]) -> Vec<Key> {
    fields
        .iter()
        .filter(|field| others.iter().any(|other| other.key == field.key))
        .map(|field| field.key.clone())
        .collect()
}

fn field_changes(before: &Field, after: &Field) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(&mut changes, "name", &before.name, &after.name);
    compare(&mut changes, "labels", &before.labels, &after.labels);
    compare(
        &mut changes,
        "description",
        &before.description,
        &after.description,
    );
    compare(&mut changes, "required", &before.required, &after.required);
    compare(&mut changes, "default", &before.default, &after.default);
    let (mut old, mut new) = (Map::new(), Map::new());
    put_kind(&mut old, &before.kind);
    put_kind(&mut new, &after.kind);
    put_rules(&mut old, &before.rules);
    put_rules(&mut new, &after.rules);
    // A formula's type changes with the fields that it reads, though its text stays.
    for (map, kind) in [(&mut old, &before.kind), (&mut new, &after.kind)] {
        if let Kind::Formula(Formula { result, .. }) | Kind::Rollup(Rollup { result, .. }) = kind {
            map.insert("result".to_owned(), json!(result));
        }
    }
    compare_members(&mut changes, "", &old, &new);
    changes
}

fn changed_pipelines(current: &Catalogue, target: &Catalogue, steps: &mut Vec<Step>) {
    for pipeline in &target.pipelines {
        let name = pipeline_name(target, pipeline);
        let Some(before) = current.pipeline(&pipeline.key) else {
            steps.push(Step::AddPipeline {
                name,
                pipeline: pipeline.clone(),
            });
            continue;
        };
        let mut changes = Vec::new();
        compare(&mut changes, "name", &before.name, &pipeline.name);
        compare(&mut changes, "labels", &before.labels, &pipeline.labels);
        let keys = |pipeline: &Pipeline| -> Vec<String> {
            pipeline
                .stages
                .iter()
                .map(|stage| stage.key.clone())
                .collect()
        };
        compare(&mut changes, "stages", &keys(before), &keys(pipeline));
        for stage in &pipeline.stages {
            if let Some(old) = before.stage(&stage.key)
                && let (Json::Object(old), Json::Object(new)) = (json!(old), json!(stage))
            {
                compare_members(&mut changes, &format!("stages.{}.", stage.key), &old, &new);
            }
        }
        if !changes.is_empty() {
            steps.push(Step::ChangePipeline {
                name,
                pipeline: pipeline.clone(),
                changes,
            });
        }
    }
}

fn compare<T: PartialEq + serde::Serialize>(
    changes: &mut Vec<Change>,
    what: &str,
    before: &T,
    after: &T,
) {
    let (from, to) = (json!(before), json!(after));
    // The order of a mapping's members is no difference to `==` but is one to whoever shows it.
    let (from_text, to_text) = (from.to_string(), to.to_string());
    if before != after || from_text != to_text {
        changes.push(Change {
            what: what.to_owned(),
            from,
            to,
        });
    }
}

fn compare_members(
    changes: &mut Vec<Change>,
    prefix: &str,
    before: &Map<String, Json>,
    after: &Map<String, Json>,
) {
    let new_names = after.keys().filter(|name| !before.contains_key(*name));
    for name in before.keys().chain(new_names) {
        let absent = Json::Null;
        compare(
            changes,
            &format!("{prefix}{name}"),
            before.get(name).unwrap_or(&absent),
            after.get(name).unwrap_or(&absent),
        );
    }
}
