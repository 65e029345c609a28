//! What others have built on what this document leaves out. Nothing of theirs is removed behind
//! their back: the issue names it, and they (or the administrator) remove it first.

use super::{Resolver, path};
use crate::{Catalogue, Issue, Key, Kind};

impl Resolver<'_> {
    /// Others' elements in the target that lost what they stand on.
    pub(super) fn check_dependents(&mut self, target: &Catalogue) {
        for object in &self.current.objects {
            if object.owner() != self.owner || target.object_keyed(&object.key).is_some() {
                continue;
            }
            for field in &object.fields {
                if field.key.owner() != self.owner {
                    self.depended_on(
                        &object.key.clone(),
                        format!("the field {} on it", field.key),
                        field.key.owner(),
                    );
                }
            }
        }
        for object in &target.objects {
            for field in &object.fields {
                if let Kind::Relation(relation) = &field.kind
                    && target.object_keyed(&relation.target).is_none()
                {
                    self.depended_on(
                        &relation.target,
                        format!("the relation {} of {}", field.key, object.key),
                        field.key.owner(),
                    );
                }
            }
            for index in &object.indexes {
                for key in index.fields.iter().chain(&index.include) {
                    if object.field_keyed(key).is_none() {
                        self.depended_on(
                            &element(&object.key, key),
                            format!("an index of {} on {}", index.owner, object.key),
                            &index.owner,
                        );
                    }
                }
            }
            for duplicates in &object.duplicates {
                let rules = duplicates.rules.iter().flatten();
                for key in rules.flat_map(|rule| &rule.fields) {
                    if object.field_keyed(key).is_none() {
                        self.depended_on(
                            &element(&object.key, key),
                            format!(
                                "a rule of {} for duplicates of {}",
                                duplicates.owner, object.key
                            ),
                            &duplicates.owner,
                        );
                    }
                }
            }
            for unique in &object.uniques {
                for key in &unique.fields {
                    if object.field_keyed(key).is_none() {
                        let owner = super::objects::unique_owner(&object.key, unique).to_owned();
                        self.depended_on(
                            &element(&object.key, key),
                            format!("a unique key of {owner} on {}", object.key),
                            &owner,
                        );
                    }
                }
            }
        }
        for pipeline in &target.pipelines {
            if pipeline.key.owner() == self.owner {
                continue;
            }
            let Some((_, object)) = target.object_keyed(&pipeline.object) else {
                self.depended_on(
                    &pipeline.object,
                    format!("the pipeline {}", pipeline.key),
                    pipeline.key.owner(),
                );
                continue;
            };
            if object.field_keyed(&pipeline.field).is_none() {
                self.depended_on(
                    &element(&object.key, &pipeline.field),
                    format!("the pipeline {}", pipeline.key),
                    pipeline.key.owner(),
                );
            }
            for stage in &pipeline.stages {
                for key in &stage.requires {
                    if object.field_keyed(key).is_none() {
                        self.depended_on(
                            &element(&object.key, key),
                            format!("the gate of {} in the pipeline {}", stage.key, pipeline.key),
                            pipeline.key.owner(),
                        );
                    }
                }
            }
        }
    }

    fn depended_on(&mut self, removed: &Key, dependent: String, owner: &str) {
        let issue = Issue::new(
            "DEPENDED_ON",
            format!(
                "{removed} can't be left out: {dependent} depends on it, which belongs to \
                 {owner}; that must go first"
            ),
        )
        .with("element", removed.as_str())
        .with("dependent", dependent.as_str())
        .with("owner", owner);
        self.report(path(&["objects".into()]), issue);
    }
}

/// A field of an object, for a message: `relata/deal.amount`.
fn element(object: &Key, field: &Key) -> Key {
    Key::new(
        object.owner(),
        &format!("{}.{}", object.local(), field.local()),
    )
}
