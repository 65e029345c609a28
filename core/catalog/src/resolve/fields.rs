//! The document's fields, made one by one: names, kinds, defaults, columns.

use super::{OwnField, Resolver, kinds, under};
use crate::names::{self, is_name, mint, snake};
use crate::{
    CoerceContext, Field, FieldDefinition, Inverse, InverseDefinition, Issue, Issues, Key, Kind,
    KindDefinition, ObjectEntry, PathSegment, RESERVED_NAMES, Relation, Rollup, Through, Tree,
    Value, coerce, is_convertible, newly_retired,
};

impl Resolver<'_> {
    /// All fields of all entries, by object.
    pub(super) fn make_fields(&mut self) {
        for (entry, part) in self.blueprint.objects.iter().enumerate() {
            let Some(object) = self.subjects[entry].clone() else {
                continue;
            };
            for (position, definition) in part.members().fields.iter().enumerate() {
                let place = under(under(Self::entry_path(entry), "fields"), position);
                let is_readable = !self.unreadable.contains(&(entry, position));
                let field = self.make_field(&object, definition, is_readable, &place);
                if self.own_field(&object, &field.key).is_some() {
                    let issue = Issue::new(
                        "DUPLICATE_KEY",
                        format!(
                            "the key \"{}\" is taken by a field before it",
                            definition.key
                        ),
                    );
                    self.report(under(place, "key"), issue);
                    continue;
                }
                self.fields
                    .entry(object.clone())
                    .or_default()
                    .push(OwnField {
                        field,
                        entry,
                        position,
                    });
            }
        }
        self.join_ends();
        self.mint_columns();
    }

    fn make_field(
        &mut self,
        object: &Key,
        definition: &FieldDefinition,
        is_readable: bool,
        place: &[PathSegment],
    ) -> Field {
        self.check_key(&definition.key, under(place.to_vec(), "key"));
        let name_segment = if definition.name.is_some() {
            "name"
        } else {
            "key"
        };
        let written = definition.name.as_ref().unwrap_or(&definition.key);
        let name = self.member_name(object, written, under(place.to_vec(), name_segment));
        let before = self.issues.0.len();
        let key = Key::new(self.owner, &definition.key);
        let kind = self.make_kind(object, &definition.kind, place);
        let existing = self
            .current
            .object_keyed(object)
            .and_then(|(_, existing)| existing.field_keyed(&key))
            .map(|(_, field)| field);
        let mut column = existing
            .map(|field| field.column.clone())
            .unwrap_or_default();
        if let Some(existing) = existing
            && is_readable
        {
            let issues = kinds::changed(&existing.kind, &kind);
            if !issues.is_empty() && is_convertible(&existing.kind, &kind) {
                // Its values go to new columns.
                column.clear();
            } else {
                self.report_all(place, issues);
            }
        }
        let field = Field {
            key,
            name,
            labels: definition.labels.clone(),
            description: definition.description.clone(),
            kind,
            required: definition.required,
            default: definition.default.clone(),
            rules: definition.rules.clone(),
            column,
        };
        // A default can't fit a kind that is wrong itself.
        if is_readable && self.issues.0.len() == before {
            let issues = kinds::rules(&field);
            self.report_all(place, issues);
            let issues = default_issues(&field);
            self.report_all(place, issues);
        }
        field
    }

    /// The name of a field or inverse that this owner puts on an object: with the plugin's prefix
    /// on somebody else's.
    pub(super) fn member_name(
        &mut self,
        object: &Key,
        written: &str,
        place: Vec<PathSegment>,
    ) -> String {
        let prefix = self
            .prefix
            .as_ref()
            .filter(|_| object.owner() != self.owner)
            .map(|prefix| format!("{prefix}_"));
        let bare = match &prefix {
            Some(prefix) => written.strip_prefix(prefix.as_str()).unwrap_or(written),
            None => written,
        };
        if !bare.is_empty() && !is_name(bare) {
            self.report_name(bare, place);
        } else if prefix.is_none() && RESERVED_NAMES.contains(&bare) {
            let issue = Issue::new(
                "NAME_RESERVED",
                format!("\"{bare}\" is a name that the schema keeps for itself: choose another"),
            );
            self.report(place, issue);
        }
        format!("{}{bare}", prefix.unwrap_or_default())
    }

    fn make_kind(
        &mut self,
        object: &Key,
        definition: &KindDefinition,
        place: &[PathSegment],
    ) -> Kind {
        match definition {
            KindDefinition::Plain(kind) => {
                let issues = kinds::parameters(kind, self.limits);
                self.report_all(place, issues);
                kind.clone()
            }
            KindDefinition::Rollup(rollup) => Kind::Rollup(Rollup {
                object: self
                    .object_or_report(&rollup.of, under(place.to_vec(), "of"))
                    .unwrap_or_else(|| object.clone()),
                by: rollup.by.clone(),
                function: rollup.function,
                expression: rollup.expression.clone(),
                filter: rollup.filter.clone(),
                // Follows when the catalogue is linked.
                result: Box::new(Kind::Integer {
                    min: None,
                    max: None,
                }),
                relation: None,
            }),
            KindDefinition::Relation(relation) => {
                let target = self
                    .object_or_report(&relation.to, under(place.to_vec(), "to"))
                    // A target that does not exist is reported; its own object stands in for it.
                    .unwrap_or_else(|| object.clone());
                let owner = self.owner;
                let mut list = |what: &str, list: &InverseDefinition| Inverse {
                    name: self.member_name(
                        &target,
                        &list.name,
                        under(under(place.to_vec(), what), "name"),
                    ),
                    labels: list.labels.clone(),
                };
                let inverse = relation
                    .inverse
                    .as_ref()
                    .map(|inverse| list("inverse", inverse));
                let through = relation.through.as_ref().map(|through| {
                    Box::new(Through {
                        list: list("through", &through.list),
                        // Found when all fields are there.
                        to: Key::new(owner, &through.to),
                    })
                });
                let tree = match (&relation.ancestors, &relation.descendants) {
                    (Some(ancestors), Some(descendants)) => Some(Box::new(Tree {
                        ancestors: list("ancestors", ancestors),
                        descendants: list("descendants", descendants),
                    })),
                    _ => None,
                };
                if relation.ancestors.is_some() != relation.descendants.is_some() {
                    let issue = Issue::new(
                        "MISSING",
                        "a tree has both: ancestors and descendants, each with a name",
                    );
                    self.report(place.to_vec(), issue);
                }
                if tree.is_some() && target != *object {
                    let issue = Issue::new(
                        "TREE_UNFIT",
                        format!(
                            "only a relation of an object to itself makes a tree; this one \
                             points at {target}"
                        ),
                    );
                    self.report(under(place.to_vec(), "ancestors"), issue);
                }
                Kind::Relation(Relation {
                    target,
                    inverse,
                    through,
                    tree,
                    on_delete: relation.on_delete,
                })
            }
        }
    }

    /// Both ends of each link: a list through a relation leads to the relation at the other end,
    /// and the list there leads back.
    fn join_ends(&mut self) {
        let mut wrong = Vec::new();
        for (object, fields) in &self.fields {
            for (position, own) in fields.iter().enumerate() {
                let Kind::Relation(Relation {
                    through: Some(through),
                    ..
                }) = &own.field.kind
                else {
                    continue;
                };
                let place = under(under(own.path(), "through"), "to");
                let other = fields.iter().find(|other| other.field.key == through.to);
                let back = other.and_then(|other| match &other.field.kind {
                    Kind::Relation(relation) => Some(relation.through.as_ref()?.to.clone()),
                    _ => None,
                });
                if back.as_ref() != Some(&own.field.key) || through.to == own.field.key {
                    let issue = Issue::new(
                        "THROUGH_UNFIT",
                        format!(
                            "\"{}\" must be another relation of the same object and owner, with \
                             \"through\" of its own that leads to \"{}\"",
                            through.to.local(),
                            own.field.key.local()
                        ),
                    );
                    wrong.push((object.clone(), position, place, issue));
                }
            }
        }
        for (object, position, place, issue) in wrong {
            self.report(place, issue);
            if let Some(own) = self
                .fields
                .get_mut(&object)
                .and_then(|all| all.get_mut(position))
                && let Kind::Relation(relation) = &mut own.field.kind
            {
                relation.through = None;
            }
        }
    }

    /// Columns of new fields on objects that are there. (A new object's table, and with it its
    /// columns, is minted when the object is placed.)
    fn mint_columns(&mut self) {
        for (object, fields) in &mut self.fields {
            let Some((_, existing)) = self.current.object_keyed(object) else {
                continue;
            };
            let taken = self
                .taken_columns
                .entry(existing.table.clone())
                .or_default();
            for own in fields {
                if own.field.column.is_empty() {
                    own.field.column = mint(&snake(&own.field.name), taken);
                }
            }
        }
    }

    /// Whether the entry is this owner's object.
    pub(super) fn is_definition(entry: &ObjectEntry) -> bool {
        matches!(entry, ObjectEntry::Define(_))
    }
}

impl Resolver<'_> {
    /// A name that is none, at its place; not where it is a key that has been reported as none.
    pub(super) fn report_name(&mut self, name: &str, place: Vec<PathSegment>) {
        let is_key = place.last() == Some(&PathSegment::from("key"));
        if is_key && !names::is_key(name) {
            return;
        }
        let shown: String = name.chars().take(80).collect();
        let way_out = if is_key {
            "; keep the key and give a \"name\" beside it"
        } else {
            ""
        };
        let issue = Issue::new(
            "NAME_INVALID",
            format!(
                "\"{shown}\" is no name: expected a small letter, then letters and digits, at \
                 most 60{}{way_out}",
                suggestion(name)
            ),
        );
        self.report(place, issue);
    }
}

/// ` (such as "closeDate")`: what the name would be, if it is only spelled another way.
fn suggestion(name: &str) -> String {
    if name.len() > 60 {
        return String::new();
    }
    let mut suggested = String::new();
    let mut is_word_start = false;
    for character in name.chars() {
        if !character.is_ascii_alphanumeric() {
            is_word_start = !suggested.is_empty();
        } else if suggested.is_empty() {
            suggested.push(character.to_ascii_lowercase());
        } else if is_word_start {
            suggested.push(character.to_ascii_uppercase());
            is_word_start = false;
        } else {
            suggested.push(character);
        }
    }
    if is_name(&suggested) {
        format!(" (such as \"{suggested}\")")
    } else {
        String::new()
    }
}

/// Whether the default is a value that a client could send.
fn default_issues(field: &Field) -> Issues {
    let mut issues = Issues::default();
    let Some(default) = &field.default else {
        return issues;
    };
    let refused = match &field.kind {
        Kind::Autonumber { .. } => Some("an autonumber gives its own values"),
        // Said with all that doesn't fit a formula.
        Kind::Formula(_) | Kind::Rollup(_) => return issues,
        Kind::Stage => Some("a stage begins with the first stage of its pipeline"),
        Kind::Relation(_) => Some("a relation has no default"),
        Kind::File { .. } => Some("a blueprint knows no files"),
        Kind::User => Some("a blueprint knows no users (defaultFrom \"user.id\" is who writes)"),
        _ => None,
    };
    if let Some(reason) = refused {
        issues.push(
            Issue::new("DEFAULT_INVALID", format!("{reason}: remove the default")).at("default"),
        );
        return issues;
    }
    let part = match coerce(field, default, &CoerceContext::default()) {
        Ok(value) => newly_retired(&field.kind, &Value::Null, &value),
        Err(part) => part,
    };
    for mut issue in part.0 {
        issue.message = format!("the default does not fit the field: {}", issue.message);
        let cause = std::mem::replace(&mut issue.code, "DEFAULT_INVALID".to_owned());
        issue = issue.with("cause", cause);
        issues.push(issue.at("default"));
    }
    issues
}
