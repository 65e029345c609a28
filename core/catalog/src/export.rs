//! An owner's part of a catalogue as a blueprint: resolving it again changes nothing.

use crate::resolve::unique_owner;
use crate::{
    Blueprint, Catalogue, DuplicateRuleDefinition, DuplicatesDefinition, Field, FieldDefinition,
    Index, IndexDefinition, Key, Kind, KindDefinition, OWNER_PLATFORM, Object, ObjectDefinition,
    ObjectEntry, ObjectExtension, ObjectMembers, OneOfDefinition, Pipeline, PipelineDefinition,
    RelationDefinition, RollupDefinition, RuleDefinition, Stage, StageDefinition, Unique, UniqueBy,
    UniqueField, plugin_prefix,
};

/// What `owner` brought, as a document that resolves to the same catalogue. Configuration records
/// are records, not catalogue, and are not in it.
#[must_use]
pub fn export(catalogue: &Catalogue, owner: &str) -> Blueprint {
    let exporter = Exporter {
        catalogue,
        owner,
        prefix: plugin_prefix(owner).map(|prefix| format!("{prefix}_")),
    };
    Blueprint {
        objects: catalogue
            .objects
            .iter()
            .filter_map(|object| exporter.entry(object))
            .collect(),
        pipelines: catalogue
            .pipelines
            .iter()
            .filter(|pipeline| pipeline.key.owner() == owner)
            .map(|pipeline| exporter.pipeline(pipeline))
            .collect(),
        records: Vec::new(),
    }
}

struct Exporter<'a> {
    catalogue: &'a Catalogue,
    owner: &'a str,
    prefix: Option<String>,
}

impl Exporter<'_> {
    fn entry(&self, object: &Object) -> Option<ObjectEntry> {
        let own_uniques: Vec<&Unique> = object
            .uniques
            .iter()
            .filter(|unique| unique_owner(&object.key, unique) == self.owner)
            .collect();
        let fields: Vec<FieldDefinition> = object
            .fields
            .iter()
            .filter(|field| field.key.owner() == self.owner)
            .map(|field| self.field(object, field, &own_uniques))
            .collect();
        let unique: Vec<Vec<UniqueField>> = own_uniques
            .iter()
            .filter(|unique| !self.is_single_own(unique))
            .map(|unique| {
                unique
                    .fields
                    .iter()
                    .map(|key| UniqueField {
                        field: self.field_reference(&object.key, key),
                        by: asked_by(unique, key),
                    })
                    .collect()
            })
            .collect();
        let references = |keys: &[Key]| {
            keys.iter()
                .map(|key| self.field_reference(&object.key, key))
                .collect()
        };
        let indexes = object
            .indexes
            .iter()
            .filter(|index| index.owner == self.owner && !self.is_mark(index))
            .map(|index| IndexDefinition {
                fields: references(&index.fields),
                include: references(&index.include),
                filled: index.filled,
                live: index.live,
            });
        let rules = object
            .rules
            .iter()
            .filter(|rule| rule.key.owner() == self.owner)
            .map(|rule| RuleDefinition {
                key: rule.key.local().to_owned(),
                when: rule.when.clone(),
                must: rule.must.clone(),
                message: rule.message.clone(),
                fields: references(&rule.fields),
            });
        let members = ObjectMembers {
            fields,
            unique,
            indexes: indexes.collect(),
            rules: rules.collect(),
            duplicates: self.duplicates(object),
        };
        if object.owner() == self.owner {
            Some(ObjectEntry::Define(ObjectDefinition {
                key: object.key.local().to_owned(),
                name: unless_key(&object.singular, &object.key),
                plural: object.plural.clone(),
                labels: object.labels.clone(),
                plural_labels: object.plural_labels.clone(),
                description: object.description.clone(),
                label: object
                    .label_field
                    .as_ref()
                    .map(|key| self.field_reference(&object.key, key)),
                members,
                one_of: object
                    .one_of
                    .iter()
                    .map(|one_of| OneOfDefinition {
                        key: one_of.key.local().to_owned(),
                        name: unless_key(&one_of.name, &one_of.key),
                        labels: one_of.labels.clone(),
                        relations: one_of
                            .relations
                            .iter()
                            .map(|key| key.local().to_owned())
                            .collect(),
                        required: one_of.required,
                    })
                    .collect(),
                locked_when: object.locked_when.clone(),
            }))
        } else if members.is_empty() {
            None
        } else {
            Some(ObjectEntry::Extend(ObjectExtension {
                extends: self.object_reference(&object.key),
                members,
            }))
        }
    }

    fn duplicates(&self, object: &Object) -> Option<DuplicatesDefinition> {
        let mut all = object.duplicates.iter();
        let own = all.find(|duplicates| duplicates.owner == self.owner)?;
        let rules = own.rules.as_ref().map(|rules| {
            let definitions = rules.iter().map(|rule| DuplicateRuleDefinition {
                by: Some(rule.by),
                fields: rule
                    .fields
                    .iter()
                    .map(|key| self.field_reference(&object.key, key))
                    .collect(),
                weight: rule.weight,
                otherwise: rule.otherwise,
            });
            definitions.collect()
        });
        Some(DuplicatesDefinition {
            score: own.score,
            rules,
        })
    }

    /// Whether a unique key is written as `unique: true` at its field.
    fn is_single_own(&self, unique: &Unique) -> bool {
        matches!(unique.fields.as_slice(), [only] if only.owner() == self.owner)
    }

    /// Whether an index is written as `indexed: true` at its field.
    fn is_mark(&self, index: &Index) -> bool {
        matches!(index.fields.as_slice(), [only] if only.owner() == self.owner)
            && index.include.is_empty()
            && !index.filled
            && !index.live
    }

    fn field(&self, object: &Object, field: &Field, own_uniques: &[&Unique]) -> FieldDefinition {
        let bare = self.bare(&object.key, &field.name);
        FieldDefinition {
            key: field.key.local().to_owned(),
            name: unless_key(bare, &field.key),
            labels: field.labels.clone(),
            description: field.description.clone(),
            kind: match &field.kind {
                Kind::Relation(relation) => KindDefinition::Relation(RelationDefinition::of(
                    relation,
                    |key| self.object_reference(key),
                    |key| self.field_reference(&object.key, key),
                    |name| self.bare(&relation.target, name).to_owned(),
                )),
                Kind::Rollup(rollup) => KindDefinition::Rollup(RollupDefinition {
                    of: self.object_reference(&rollup.object),
                    by: rollup.by.clone(),
                    function: rollup.function,
                    expression: rollup.expression.clone(),
                    filter: rollup.filter.clone(),
                }),
                kind => KindDefinition::Plain(kind.clone()),
            },
            required: field.required,
            unique: own_uniques
                .iter()
                .find(|unique| self.is_single_own(unique) && unique.fields[0] == field.key)
                .map(|unique| asked_by(unique, &field.key)),
            indexed: object.indexes.iter().any(|index| {
                index.owner == self.owner && self.is_mark(index) && index.fields[0] == field.key
            }),
            default: field.default.clone(),
            rules: field.rules.clone(),
        }
    }

    /// A name on an object without the prefix that resolving puts before it.
    fn bare<'n>(&self, object: &Key, name: &'n str) -> &'n str {
        match &self.prefix {
            Some(prefix) if object.owner() != self.owner => {
                name.strip_prefix(prefix.as_str()).unwrap_or(name)
            }
            _ => name,
        }
    }

    fn object_reference(&self, key: &Key) -> String {
        let is_hidden = || {
            self.catalogue
                .object_keyed(&Key::new(self.owner, key.local()))
                .is_some()
        };
        if key.owner() == self.owner || (key.owner() == OWNER_PLATFORM && !is_hidden()) {
            key.local().to_owned()
        } else {
            key.to_string()
        }
    }

    fn field_reference(&self, object: &Key, key: &Key) -> String {
        let is_hidden = || {
            self.catalogue
                .object_keyed(object)
                .is_some_and(|(_, object)| {
                    object
                        .field_keyed(&Key::new(self.owner, key.local()))
                        .is_some()
                })
        };
        if key.owner() == self.owner || (key.owner() == object.owner() && !is_hidden()) {
            key.local().to_owned()
        } else {
            key.to_string()
        }
    }

    fn pipeline(&self, pipeline: &Pipeline) -> PipelineDefinition {
        PipelineDefinition {
            key: pipeline.key.local().to_owned(),
            name: unless_key(&pipeline.name, &pipeline.key),
            labels: pipeline.labels.clone(),
            object: self.object_reference(&pipeline.object),
            field: self.field_reference(&pipeline.object, &pipeline.field),
            stages: pipeline
                .stages
                .iter()
                .map(|stage| self.stage(pipeline, stage))
                .collect(),
        }
    }

    fn stage(&self, pipeline: &Pipeline, stage: &Stage) -> StageDefinition {
        StageDefinition {
            key: stage.key.clone(),
            name: Some(&stage.name)
                .filter(|name| **name != stage.key)
                .cloned(),
            labels: stage.labels.clone(),
            stage_type: stage.stage_type,
            probability: stage.probability,
            requires: stage
                .requires
                .iter()
                .map(|key| self.field_reference(&pipeline.object, key))
                .collect(),
            from: stage.from.clone(),
        }
    }
}

/// How an author told the key to compare the field.
fn asked_by(unique: &Unique, field: &Key) -> UniqueBy {
    match unique.folded.contains(field) {
        true => UniqueBy::Folded,
        false => UniqueBy::Exact,
    }
}

/// The name, where it is another than the key.
fn unless_key(name: &str, key: &Key) -> Option<String> {
    (name != key.local()).then(|| name.to_owned())
}
