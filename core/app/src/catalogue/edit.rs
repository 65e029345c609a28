//! Edits of single elements, as the control plane offers them: each is an edit of the workspace's
//! own blueprint, and goes through the one door.
//!
//! A definition is an item of a blueprint document. An update names the members that change; the
//! key never does. Elements of other owners can be added to (`extends`), not changed: their owners
//! would undo it with their next version.

use std::sync::{Mutex, MutexGuard, PoisonError};

use relata_catalog::{
    Blueprint, Catalogue, DuplicatesDefinition, FieldDefinition, Issue, Issues, Key,
    KindDefinition, OWNER_PLATFORM, OWNER_WORKSPACE, Object, ObjectDefinition, ObjectEntry,
    ObjectMembers, PathSegment, Pipeline, PipelineDefinition, StageDefinition,
};
use serde_json::{Map, Value as Json};

use super::apply::{Confirm, PlanView, Proposal, Wanted, carry_out, owner_text};
use crate::{AppError, Caller, Workspace, access::authorise_admin, naming};

/// Creates an object from an item of a blueprint's `objects`.
///
/// # Errors
/// `FORBIDDEN`; `BAD_INPUT` with all that is wrong with the definition.
pub async fn object_create(
    workspace: &Workspace,
    caller: &Caller,
    definition: &Json,
) -> Result<PlanView, AppError> {
    let definition = with_key(definition)?;
    let definition =
        ObjectDefinition::from_json(&definition).map_err(AppError::bad_input_issues)?;
    edit(
        workspace,
        caller,
        Element::Object,
        &[],
        move |catalogue, blueprint| {
            let mut definition = definition.clone();
            for field in &mut definition.members.fields {
                point_by_name(catalogue, field);
            }
            blueprint.objects.push(ObjectEntry::Define(definition));
            Ok(())
        },
    )
    .await
}

/// Changes members of an object's definition: name, labels, label field … Of another owner's
/// object the workspace says by what its records may be the same, and nothing else.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`, `BAD_INPUT` (also for an object of another owner).
pub async fn object_update(
    workspace: &Workspace,
    caller: &Caller,
    name: &str,
    changes: &Map<String, Json>,
) -> Result<PlanView, AppError> {
    let (name, changes) = (name.to_owned(), changes.clone());
    edit(
        workspace,
        caller,
        Element::Object,
        &[],
        move |catalogue, blueprint| {
            let object = object_named(catalogue, &name)?;
            if object.owner() != OWNER_WORKSPACE && is_about_duplicates(&changes) {
                let said = &changes["duplicates"];
                let definition = (!said.is_null())
                    .then(|| DuplicatesDefinition::from_json(said))
                    .transpose()
                    .map_err(|issues| AppError::bad_input_issues(issues.under("duplicates")))?;
                blueprint
                    .extension_mut(object.key.as_str())
                    .members
                    .duplicates = definition;
                return Ok(());
            }
            let definition = own_object(blueprint, object)?;
            let merged = merged(definition.to_json(), &changes, "fields")?;
            *definition =
                ObjectDefinition::from_json(&merged).map_err(AppError::bad_input_issues)?;
            Ok(())
        },
    )
    .await
}

/// Whether nothing is changed but by what records may be the same.
fn is_about_duplicates(changes: &Map<String, Json>) -> bool {
    changes.len() == 1 && changes.contains_key("duplicates")
}

/// Removes an object with its records. What it loses is confirmed by its name.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`, `BAD_INPUT`.
pub async fn object_delete(
    workspace: &Workspace,
    caller: &Caller,
    name: &str,
    confirm: &[String],
) -> Result<PlanView, AppError> {
    let name = name.to_owned();
    edit(
        workspace,
        caller,
        Element::Object,
        confirm,
        move |catalogue, blueprint| {
            let object = object_named(catalogue, &name)?;
            own_object(blueprint, object)?;
            let key = object.key.local();
            blueprint.objects.retain(
                |entry| !matches!(entry, ObjectEntry::Define(definition) if definition.key == key),
            );
            // Its pipelines go with it.
            let (full, own) = (object.key.as_str(), key);
            blueprint
                .pipelines
                .retain(|pipeline| pipeline.object != full && pipeline.object != own);
            Ok(())
        },
    )
    .await
}

/// Adds a field, from an item of a blueprint's `fields`, to an object of any owner.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`, `BAD_INPUT` with all that is wrong with the definition.
pub async fn field_create(
    workspace: &Workspace,
    caller: &Caller,
    object: &str,
    definition: &Json,
) -> Result<PlanView, AppError> {
    let name = object.to_owned();
    let definition = with_key(definition)?;
    let definition = FieldDefinition::from_json(&definition).map_err(AppError::bad_input_issues)?;
    edit(
        workspace,
        caller,
        Element::Field,
        &[],
        move |catalogue, blueprint| {
            let object = object_named(catalogue, &name)?;
            let mut definition = definition.clone();
            point_by_name(catalogue, &mut definition);
            members_mut(blueprint, object).fields.push(definition);
            Ok(())
        },
    )
    .await
}

/// Changes members of a field's definition.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`, `BAD_INPUT` (also for a field of another owner).
pub async fn field_update(
    workspace: &Workspace,
    caller: &Caller,
    object: &str,
    field: &str,
    changes: &Map<String, Json>,
    confirm: &[String],
) -> Result<PlanView, AppError> {
    let (object, field, changes) = (object.to_owned(), field.to_owned(), changes.clone());
    edit(
        workspace,
        caller,
        Element::Field,
        confirm,
        move |catalogue, blueprint| {
            let object = object_named(catalogue, &object)?;
            let definition = own_field(blueprint, object, &field)?;
            let mut before = definition.to_json();
            forget_kind(&mut before, definition, &changes);
            let merged = merged(before, &changes, "")?;
            *definition =
                FieldDefinition::from_json(&merged).map_err(AppError::bad_input_issues)?;
            if changes.contains_key("to") {
                point_by_name(catalogue, definition);
            }
            Ok(())
        },
    )
    .await
}

/// Of another kind, what the former one was told means something else or nothing: the longest text
/// is no greatest number. The options of a select stay with who may choose several of them.
fn forget_kind(before: &mut Json, definition: &FieldDefinition, changes: &Map<String, Json>) {
    let members = definition.kind_members();
    let (Some(old), Some(new)) = (
        members.get("kind").and_then(Json::as_str),
        changes.get("kind").and_then(Json::as_str),
    ) else {
        return;
    };
    let chooses = |kind: &str| matches!(kind, "select" | "multiSelect");
    if old == new {
        return;
    }
    if let Some(before) = before.as_object_mut() {
        for name in members.keys() {
            if !(name == "options" && chooses(old) && chooses(new)) {
                before.remove(name);
            }
        }
    }
}

/// Removes a field with its values. What it loses is confirmed by its name, `object.field`.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`, `BAD_INPUT`.
pub async fn field_delete(
    workspace: &Workspace,
    caller: &Caller,
    object: &str,
    field: &str,
    confirm: &[String],
) -> Result<PlanView, AppError> {
    let (object, field) = (object.to_owned(), field.to_owned());
    edit(
        workspace,
        caller,
        Element::Field,
        confirm,
        move |catalogue, blueprint| {
            let object = object_named(catalogue, &object)?;
            let key = own_field(blueprint, object, &field)?.key.clone();
            forget_field(members_mut(blueprint, object), &key);
            if let Some(definition) = blueprint.object_mut(object.key.local())
                && object.owner() == OWNER_WORKSPACE
                && definition.label.as_ref() == Some(&key)
            {
                definition.label = None;
            }
            Ok(())
        },
    )
    .await
}

/// A field goes with what is said of it alone or with others: unique keys, indexes, and by what
/// records may be the same.
fn forget_field(members: &mut ObjectMembers, key: &str) {
    let is_it = |other: &String| other == key;
    members.fields.retain(|definition| definition.key != key);
    members
        .unique
        .retain(|unique| !unique.iter().any(|part| is_it(&part.field)));
    members
        .indexes
        .retain(|index| !index.fields.iter().chain(&index.include).any(is_it));
    if let Some(rules) = members
        .duplicates
        .as_mut()
        .and_then(|said| said.rules.as_mut())
    {
        rules.retain(|rule| !rule.fields.iter().any(is_it));
    }
}

/// Adds a pipeline, from an item of a blueprint's `pipelines`, to an object of any owner.
///
/// # Errors
/// `FORBIDDEN`, `BAD_INPUT` with all that is wrong with the definition.
pub async fn pipeline_create(
    workspace: &Workspace,
    caller: &Caller,
    definition: &Json,
) -> Result<PlanView, AppError> {
    let definition = with_key(definition)?;
    let definition =
        PipelineDefinition::from_json(&definition).map_err(AppError::bad_input_issues)?;
    edit(
        workspace,
        caller,
        Element::Pipeline,
        &[],
        move |catalogue, blueprint| {
            let mut definition = definition.clone();
            // The control plane knows objects by name.
            if let Some((_, object)) = catalogue.object_named(&definition.object) {
                definition.object = object.key.to_string();
            }
            blueprint.pipelines.push(definition);
            Ok(())
        },
    )
    .await
}

/// Changes members of a pipeline's definition. The pipeline is named by key or by name.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`, `BAD_INPUT` (also for a pipeline of another owner).
pub async fn pipeline_update(
    workspace: &Workspace,
    caller: &Caller,
    pipeline: &str,
    changes: &Map<String, Json>,
    confirm: &[String],
) -> Result<PlanView, AppError> {
    let (pipeline, changes) = (pipeline.to_owned(), changes.clone());
    edit(
        workspace,
        caller,
        Element::Pipeline,
        confirm,
        move |catalogue, blueprint| {
            let definition = own_pipeline(catalogue, blueprint, &pipeline)?;
            let merged = merged(definition.to_json(), &changes, "")?;
            *definition =
                PipelineDefinition::from_json(&merged).map_err(AppError::bad_input_issues)?;
            Ok(())
        },
    )
    .await
}

/// Removes a pipeline, and where records stand in it.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`, `BAD_INPUT`.
pub async fn pipeline_delete(
    workspace: &Workspace,
    caller: &Caller,
    pipeline: &str,
    confirm: &[String],
) -> Result<PlanView, AppError> {
    let pipeline = pipeline.to_owned();
    edit(
        workspace,
        caller,
        Element::Pipeline,
        confirm,
        move |catalogue, blueprint| {
            let key = own_pipeline(catalogue, blueprint, &pipeline)?.key.clone();
            blueprint.pipelines.retain(|pipeline| pipeline.key != key);
            Ok(())
        },
    )
    .await
}

/// Adds a stage to a pipeline: at a position from 0, or at the end.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`, `BAD_INPUT` with all that is wrong with the definition.
pub async fn stage_create(
    workspace: &Workspace,
    caller: &Caller,
    pipeline: &str,
    definition: &Json,
    position: Option<usize>,
) -> Result<PlanView, AppError> {
    let pipeline = pipeline.to_owned();
    let definition = with_key(definition)?;
    let definition = StageDefinition::from_json(&definition).map_err(AppError::bad_input_issues)?;
    edit(
        workspace,
        caller,
        Element::Stage,
        &[],
        move |catalogue, blueprint| {
            let stages = &mut own_pipeline(catalogue, blueprint, &pipeline)?.stages;
            let position = position.unwrap_or(stages.len()).min(stages.len());
            stages.insert(position, definition.clone());
            Ok(())
        },
    )
    .await
}

/// Changes members of a stage's definition, and its position if one is given.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`, `BAD_INPUT`.
pub async fn stage_update(
    workspace: &Workspace,
    caller: &Caller,
    pipeline: &str,
    stage: &str,
    changes: &Map<String, Json>,
    position: Option<usize>,
) -> Result<PlanView, AppError> {
    let (pipeline, stage, changes) = (pipeline.to_owned(), stage.to_owned(), changes.clone());
    edit(
        workspace,
        caller,
        Element::Stage,
        &[],
        move |catalogue, blueprint| {
            let definition = own_pipeline(catalogue, blueprint, &pipeline)?;
            let at = stage_position(definition, &stage)?;
            let whole = definition.to_json();
            let item = whole["stages"][at].clone();
            let merged = merged(item, &changes, "")?;
            let changed =
                StageDefinition::from_json(&merged).map_err(AppError::bad_input_issues)?;
            definition.stages.remove(at);
            let position = position.unwrap_or(at).min(definition.stages.len());
            definition.stages.insert(position, changed);
            Ok(())
        },
    )
    .await
}

/// Removes a stage; records that stand in it stand nowhere.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`, `BAD_INPUT`.
pub async fn stage_delete(
    workspace: &Workspace,
    caller: &Caller,
    pipeline: &str,
    stage: &str,
    confirm: &[String],
) -> Result<PlanView, AppError> {
    let (pipeline, stage) = (pipeline.to_owned(), stage.to_owned());
    edit(
        workspace,
        caller,
        Element::Stage,
        confirm,
        move |catalogue, blueprint| {
            let definition = own_pipeline(catalogue, blueprint, &pipeline)?;
            let at = stage_position(definition, &stage)?;
            let key = definition.stages.remove(at).key;
            // Nobody comes from a stage that is gone.
            for other in &mut definition.stages {
                other.from.retain(|from| *from != key);
            }
            Ok(())
        },
    )
    .await
}

/// Exports the workspace's own blueprint, edits it, and carries the difference out.
async fn edit(
    workspace: &Workspace,
    caller: &Caller,
    element: Element,
    confirm: &[String],
    change: impl Fn(&Catalogue, &mut Blueprint) -> Result<(), AppError> + Send + Sync,
) -> Result<PlanView, AppError> {
    authorise_admin(caller)?;
    let last = Mutex::new(Edited::default());
    let edited = |catalogue: &Catalogue| {
        let mut blueprint = relata_catalog::export(catalogue, OWNER_WORKSPACE);
        for entry in &mut blueprint.objects {
            // The export leaves the platform's name out; here an object has one spelling.
            if let ObjectEntry::Extend(extension) = entry
                && !extension.extends.contains('/')
            {
                extension.extends = Key::new(OWNER_PLATFORM, &extension.extends).to_string();
            }
        }
        let before = blueprint.clone();
        change(catalogue, &mut blueprint)?;
        *lock(&last) = Edited {
            before,
            after: blueprint.clone(),
        };
        Ok(blueprint)
    };
    let proposal = Proposal {
        wanted: Wanted::Edited(&edited),
        confirm: Confirm::Names(confirm),
        ..Proposal::of(OWNER_WORKSPACE, Blueprint::default())
    };
    carry_out(workspace, caller, &proposal)
        .await
        .map_err(|error| lock(&last).locate(error, element))
}

/// What is edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    Object,
    Field,
    Pipeline,
    Stage,
}

impl Element {
    /// The lists of a blueprint that lead to it.
    fn lists(self) -> &'static [&'static str] {
        match self {
            Self::Object => &["objects"],
            Self::Field => &["objects", "fields"],
            Self::Pipeline => &["pipelines"],
            Self::Stage => &["pipelines", "stages"],
        }
    }
}

fn lock(last: &Mutex<Edited>) -> MutexGuard<'_, Edited> {
    // Whoever panicked has left a whole one.
    last.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The workspace's blueprint before an edit and after it.
#[derive(Default)]
struct Edited {
    before: Blueprint,
    after: Blueprint,
}

impl Edited {
    /// Paths into the exported document mean nothing to who edits one element of it. They begin at
    /// the element, and what is within it stays: the `fields[0]` of an object's definition. What
    /// the edit breaks elsewhere is told by its names: `parcel.perKilo.expression`.
    fn locate(&self, mut error: AppError, element: Element) -> AppError {
        for issue in error.issues_mut().into_iter().flat_map(|all| &mut all.0) {
            let positions = positions_in(&issue.path, element);
            if let Some((names, is_edited)) = self.element_at(element, &positions) {
                let kept: Vec<PathSegment> = match is_edited {
                    true => Vec::new(),
                    false => names.into_iter().map(PathSegment::Name).collect(),
                };
                issue.path.splice(..2 * positions.len(), kept);
            }
        }
        error
    }

    /// The names of the element that stands there, and whether it is what was edited.
    fn element_at(&self, element: Element, positions: &[usize]) -> Option<(Vec<String>, bool)> {
        Some(match (element, positions) {
            (Element::Object | Element::Field, [at]) => {
                let entry = self.after.objects.get(*at)?;
                let is_edited = element == Element::Object && !self.before.objects.contains(entry);
                (vec![entry_name(entry)], is_edited)
            }
            (Element::Field, [at, inner]) => {
                let entry = self.after.objects.get(*at)?;
                let field = entry.members().fields.get(*inner)?;
                let mut before = self.before.objects.iter();
                let was_there = before.any(|other| {
                    entry_name(other) == entry_name(entry) && other.members().fields.contains(field)
                });
                let name = field.name.clone().unwrap_or_else(|| field.key.clone());
                (vec![entry_name(entry), name], !was_there)
            }
            (Element::Pipeline | Element::Stage, [at]) => {
                let pipeline = self.after.pipelines.get(*at)?;
                let is_edited =
                    element == Element::Pipeline && !self.before.pipelines.contains(pipeline);
                (vec![pipeline_name(pipeline)], is_edited)
            }
            (Element::Stage, [at, inner]) => {
                let pipeline = self.after.pipelines.get(*at)?;
                let stage = pipeline.stages.get(*inner)?;
                let mut before = self.before.pipelines.iter();
                let was_there =
                    before.any(|other| other.key == pipeline.key && other.stages.contains(stage));
                let name = stage.name.clone().unwrap_or_else(|| stage.key.clone());
                (vec![pipeline_name(pipeline), name], !was_there)
            }
            _ => return None,
        })
    }
}

/// Positions in the lists that lead to such an element, as far as the path goes into them.
fn positions_in(path: &[PathSegment], element: Element) -> Vec<usize> {
    let lists = element.lists().iter();
    lists
        .zip(path.chunks(2))
        .map_while(|(list, step)| match step {
            [PathSegment::Name(name), PathSegment::Index(position)] if name == list => {
                Some(*position)
            }
            _ => None,
        })
        .collect()
}

fn entry_name(entry: &ObjectEntry) -> String {
    match entry {
        ObjectEntry::Define(object) => object.name.as_ref().unwrap_or(&object.key),
        ObjectEntry::Extend(extension) => &extension.extends,
    }
    .rsplit('/')
    .next()
    .unwrap_or_default()
    .to_owned()
}

fn pipeline_name(pipeline: &PipelineDefinition) -> String {
    pipeline.name.as_ref().unwrap_or(&pipeline.key).clone()
}

/// The control plane knows objects by name, whoever owns them; a blueprint by key.
fn point_by_name(catalogue: &Catalogue, definition: &mut FieldDefinition) {
    if let KindDefinition::Relation(relation) = &mut definition.kind
        && let Some((_, target)) = catalogue.object_named(&relation.to)
    {
        relation.to = target.key.to_string();
    }
}

/// A definition without a key gets its name as key.
fn with_key(definition: &Json) -> Result<Json, AppError> {
    let Json::Object(members) = definition else {
        return Err(AppError::bad_input("a definition is an object"));
    };
    let mut members = members.clone();
    if !members.contains_key("key")
        && let Some(name) = members.get("name").cloned()
    {
        members.insert("key".to_owned(), name);
    }
    Ok(Json::Object(members))
}

/// The definition with some members replaced; `null` takes a member away. `refused` is a member
/// that has functions of its own.
fn merged(definition: Json, changes: &Map<String, Json>, refused: &str) -> Result<Json, AppError> {
    let Json::Object(mut members) = definition else {
        return Err(AppError::broken("a definition is not an object"));
    };
    let mut issues = Issues::default();
    for (name, value) in changes {
        if name == "key" && members.get("key") != Some(value) {
            issues.push(
                Issue::new("KEY_FIXED", "a key never changes; change the name instead").at("key"),
            );
        } else if name == refused {
            issues.push(
                Issue::new("BAD_INPUT", format!("{name} are changed one by one")).at(name.as_str()),
            );
        } else if value.is_null() {
            members.shift_remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    if issues.is_empty() {
        Ok(Json::Object(members))
    } else {
        Err(AppError::bad_input_issues(issues))
    }
}

fn object_named<'a>(catalogue: &'a Catalogue, name: &str) -> Result<&'a Object, AppError> {
    let found = catalogue.object_named(name).or_else(|| {
        let (owner, key) = name.split_once('/')?;
        catalogue.object_keyed(&Key::new(owner, key))
    });
    found.map(|(_, object)| object.as_ref()).ok_or_else(|| {
        let names = catalogue
            .objects
            .iter()
            .map(|object| object.singular.as_str());
        AppError::NotFound(format!(
            "there is no object {name}{}",
            naming::instead(name, names)
        ))
    })
}

fn not_own(what: &str, name: &str, owner: &str) -> AppError {
    AppError::bad_input(format!(
        "the {what} {name} belongs to {}, which alone changes it; what this workspace adds to it is its own",
        owner_text(owner)
    ))
}

fn own_object<'a>(
    blueprint: &'a mut Blueprint,
    object: &Object,
) -> Result<&'a mut ObjectDefinition, AppError> {
    if object.owner() != OWNER_WORKSPACE {
        return Err(not_own("object", &object.singular, object.owner()));
    }
    blueprint
        .object_mut(object.key.local())
        .ok_or_else(|| AppError::broken("an object is missing in its owner's export"))
}

/// Where what the workspace brings to an object stands in its blueprint.
fn members_mut<'a>(blueprint: &'a mut Blueprint, object: &Object) -> &'a mut ObjectMembers {
    let key = object.key.local();
    let own = object.owner() == OWNER_WORKSPACE;
    if own && blueprint.object(key).is_some() {
        return &mut blueprint
            .object_mut(key)
            .expect("it was found a line above")
            .members;
    }
    &mut blueprint.extension_mut(object.key.as_str()).members
}

fn own_field<'a>(
    blueprint: &'a mut Blueprint,
    object: &Object,
    name: &str,
) -> Result<&'a mut FieldDefinition, AppError> {
    let Some((_, field)) = object.field_named(name) else {
        let names = object.fields.iter().map(|field| field.name.as_str());
        return Err(AppError::NotFound(format!(
            "{} has no field {name}{}",
            object.singular,
            naming::instead(name, names)
        )));
    };
    if field.key.owner() != OWNER_WORKSPACE {
        let name = format!("{}.{name}", object.singular);
        return Err(not_own("field", &name, field.key.owner()));
    }
    members_mut(blueprint, object)
        .fields
        .iter_mut()
        .find(|definition| definition.key == field.key.local())
        .ok_or_else(|| AppError::broken("a field is missing in its owner's export"))
}

/// By key (`owner/key`), or by a name that only one pipeline has.
fn pipeline_named<'a>(catalogue: &'a Catalogue, name: &str) -> Result<&'a Pipeline, AppError> {
    let by_key = catalogue
        .pipelines
        .iter()
        .find(|pipeline| pipeline.key.as_str() == name);
    if let Some(pipeline) = by_key {
        return Ok(pipeline);
    }
    let named: Vec<&Pipeline> = catalogue
        .pipelines
        .iter()
        .map(AsRef::as_ref)
        .filter(|pipeline| pipeline.name == name)
        .collect();
    match named.as_slice() {
        [only] => Ok(only),
        [] => {
            let names = catalogue
                .pipelines
                .iter()
                .map(|pipeline| pipeline.name.as_str());
            Err(AppError::NotFound(format!(
                "there is no pipeline {name}{}",
                naming::instead(name, names)
            )))
        }
        several => {
            let keys: Vec<&str> = several
                .iter()
                .map(|pipeline| pipeline.key.as_str())
                .collect();
            Err(AppError::bad_input(format!(
                "several pipelines are named {name}; name one by its key: {}",
                keys.join(", ")
            )))
        }
    }
}

fn own_pipeline<'a>(
    catalogue: &Catalogue,
    blueprint: &'a mut Blueprint,
    name: &str,
) -> Result<&'a mut PipelineDefinition, AppError> {
    let pipeline = pipeline_named(catalogue, name)?;
    if pipeline.key.owner() != OWNER_WORKSPACE {
        return Err(not_own("pipeline", &pipeline.name, pipeline.key.owner()));
    }
    blueprint
        .pipeline_mut(pipeline.key.local())
        .ok_or_else(|| AppError::broken("a pipeline is missing in its owner's export"))
}

fn stage_position(pipeline: &PipelineDefinition, name: &str) -> Result<usize, AppError> {
    let name_of = |stage: &StageDefinition| stage.name.clone().unwrap_or_else(|| stage.key.clone());
    pipeline
        .stages
        .iter()
        .position(|stage| name_of(stage) == name)
        .ok_or_else(|| {
            let names: Vec<String> = pipeline.stages.iter().map(name_of).collect();
            AppError::NotFound(format!(
                "the pipeline {} has no stage {name}{}",
                pipeline.key,
                naming::instead(name, names.iter().map(String::as_str))
            ))
        })
}
