//! The document's objects and unique keys, put among everybody's.
//!
//! Order: objects stay where they are, new ones come last. In an object the fields of its owner
//! come first, in the document's order, then those of others, owner by owner.

use std::collections::HashSet;
use std::sync::Arc;

use super::{OwnUnique, Resolver, kinds, path, under};
use crate::names::{is_name, mint, snake};
use crate::reading::limit;
use crate::{
    ColumnType, Field, Index, Issue, Key, Kind, Object, ObjectDefinition, ObjectEntry, OneOf,
    PathSegment, RESERVED_NAMES, RESERVED_OBJECT_SUFFIXES, Relation, Unique, UniqueBy,
};

impl Resolver<'_> {
    /// All objects that there will be.
    pub(super) fn place_objects(&mut self) -> Vec<Arc<Object>> {
        let mut placed = Vec::new();
        for object in &self.current.objects {
            if object.owner() != self.owner {
                placed.push(Arc::new(self.extended(object)));
            } else if let Some(entry) = self.defined.get(&object.key).copied()
                && let ObjectEntry::Define(definition) = &self.blueprint.objects[entry]
            {
                placed.push(Arc::new(self.redefined(object, entry, definition)));
            }
        }
        let new: Vec<(Key, usize)> = self
            .defined
            .iter()
            .filter(|(key, _)| self.current.object_keyed(key).is_none())
            .map(|(key, entry)| (key.clone(), *entry))
            .collect();
        for (key, entry) in new {
            if let ObjectEntry::Define(definition) = &self.blueprint.objects[entry] {
                placed.push(Arc::new(self.created(key, entry, definition)));
            }
        }
        for object in &placed {
            self.check_object_limits(object);
        }
        placed
    }

    /// Somebody else's object with what this document puts on it.
    fn extended(&mut self, object: &Object) -> Object {
        let own = self.own_fields(&object.key);
        let fields = in_owner_order(object.owner(), self.owner, &object.fields, own);
        let kept: Vec<Unique> = object
            .uniques
            .iter()
            .filter(|unique| unique_owner(&object.key, unique) != self.owner)
            .cloned()
            .collect();
        let mut result = Object {
            fields,
            uniques: kept,
            ..object.clone()
        };
        let asked = self.asked_uniques(&object.key);
        self.place_uniques(&mut result, asked, &object.uniques);
        result.rules = self.rules_of(&object.key, &object.rules);
        result.indexes = self.indexes_of(&result, &object.indexes);
        result.duplicates = self.duplicates_of(&result, &object.duplicates);
        result
    }

    /// An own object that was there before.
    fn redefined(
        &mut self,
        existing: &Object,
        entry: usize,
        definition: &ObjectDefinition,
    ) -> Object {
        let mut object = self.defined_object(existing.key.clone(), entry, definition);
        object.table.clone_from(&existing.table);
        let own = self.own_fields(&existing.key);
        object.fields = in_owner_order(self.owner, self.owner, &existing.fields, own);
        object.uniques = existing
            .uniques
            .iter()
            .filter(|unique| unique_owner(&existing.key, unique) != self.owner)
            .cloned()
            .collect();
        let asked = self.asked_uniques(&existing.key);
        self.place_uniques(&mut object, asked, &existing.uniques);
        object.rules = self.rules_of(&existing.key, &existing.rules);
        object.indexes = self.indexes_of(&object, &existing.indexes);
        object.duplicates = self.duplicates_of(&object, &existing.duplicates);
        object
    }

    /// An own object that is new.
    fn created(&mut self, key: Key, entry: usize, definition: &ObjectDefinition) -> Object {
        let mut object = self.defined_object(key, entry, definition);
        object.table = mint(
            &format!("rec_{}", snake(&object.singular)),
            &mut self.taken_tables,
        );
        let taken = self.taken_columns.entry(object.table.clone()).or_default();
        for own in self.fields.get_mut(&object.key).into_iter().flatten() {
            own.field.column = mint(&snake(&own.field.name), taken);
        }
        object.fields = self.own_fields(&object.key);
        let asked = self.asked_uniques(&object.key);
        self.place_uniques(&mut object, asked, &[]);
        object.rules = self.rules_of(&object.key, &[]);
        object.indexes = self.indexes_of(&object, &[]);
        object.duplicates = self.duplicates_of(&object, &[]);
        object
    }

    /// What the document says of an object, without table, fields and unique keys.
    fn defined_object(&mut self, key: Key, entry: usize, definition: &ObjectDefinition) -> Object {
        let place = Self::entry_path(entry);
        let name_segment = if definition.name.is_some() {
            "name"
        } else {
            "key"
        };
        let singular = definition.name.as_ref().unwrap_or(&definition.key).clone();
        self.check_object_name(&singular, under(place.clone(), name_segment));
        self.check_object_name(&definition.plural, under(place.clone(), "plural"));
        if singular == definition.plural {
            let issue = Issue::new(
                "DUPLICATE_NAME",
                format!("\"{singular}\" is the name of one already: the name of many must differ"),
            );
            self.report(under(place.clone(), "plural"), issue);
        }
        let label_field = definition
            .label
            .as_ref()
            .and_then(|label| self.label_field(&key, label, under(place, "label")));
        let one_of = self.alternatives(&key, entry, definition);
        Object {
            key,
            singular,
            plural: definition.plural.clone(),
            labels: definition.labels.clone(),
            plural_labels: definition.plural_labels.clone(),
            description: definition.description.clone(),
            label_field,
            table: String::new(),
            fields: Vec::new(),
            uniques: Vec::new(),
            indexes: Vec::new(),
            rules: Vec::new(),
            one_of,
            duplicates: Vec::new(),
            locked_when: definition.locked_when.clone(),
            rolled_up_by: Vec::new(),
        }
    }

    /// Relations that are read together.
    fn alternatives(
        &mut self,
        object: &Key,
        entry: usize,
        definition: &ObjectDefinition,
    ) -> Vec<OneOf> {
        let mut all = Vec::new();
        let mut keys = HashSet::new();
        let mut grouped = HashSet::new();
        for (position, one_of) in definition.one_of.iter().enumerate() {
            let place = under(under(Self::entry_path(entry), "oneOf"), position);
            self.check_key(&one_of.key, under(place.clone(), "key"));
            if !keys.insert(one_of.key.as_str()) {
                let issue = Issue::new(
                    "DUPLICATE_KEY",
                    format!("the key \"{}\" is taken by one before it", one_of.key),
                );
                self.report(under(place.clone(), "key"), issue);
            }
            let segment = match one_of.name {
                Some(_) => "name",
                None => "key",
            };
            let name = one_of.name.as_ref().unwrap_or(&one_of.key);
            let name = self.member_name(object, name, under(place.clone(), segment));
            let mut relations = Vec::with_capacity(one_of.relations.len());
            for (item, reference) in one_of.relations.iter().enumerate() {
                let place = under(under(place.clone(), "relations"), item);
                let key = Key::new(self.owner, reference);
                let own = self.own_field(object, &key);
                let is_relation =
                    own.is_some_and(|own| matches!(own.field.kind, Kind::Relation(_)));
                let message = if !is_relation && self.is_readable(object, &key) {
                    format!("\"{reference}\" is no relation of this object: expected own ones")
                } else if !grouped.insert(reference) {
                    format!("\"{reference}\" stands among alternatives already")
                } else {
                    relations.push(key);
                    continue;
                };
                self.report(place, Issue::new("ONE_OF_UNFIT", message));
            }
            if one_of.relations.len() < 2 {
                let issue = Issue::new("ONE_OF_UNFIT", "alternatives are at least two relations");
                self.report(under(place, "relations"), issue);
            }
            all.push(OneOf {
                key: Key::new(self.owner, &one_of.key),
                name,
                labels: one_of.labels.clone(),
                relations,
                required: one_of.required,
            });
        }
        all
    }

    fn check_object_name(&mut self, name: &str, place: Vec<PathSegment>) {
        if name.is_empty() {
            self.report(place, Issue::new("MISSING", "the name is empty"));
        } else if !is_name(name) {
            self.report_name(name, place);
        } else if RESERVED_NAMES.contains(&name) {
            let issue = Issue::new(
                "NAME_RESERVED",
                format!("\"{name}\" is a name that the schema keeps for itself: choose another"),
            );
            self.report(place, issue);
        } else if let Some(suffix) = RESERVED_OBJECT_SUFFIXES
            .iter()
            .find(|suffix| name.ends_with(**suffix))
        {
            let issue = Issue::new(
                "NAME_RESERVED",
                format!(
                    "an object's name can't end in \"{suffix}\": the schema derives names of \
                     that form from every object; choose another"
                ),
            )
            .with("suffix", *suffix);
            self.report(place, issue);
        }
    }

    /// The label must be the owner's own: nobody else's leaving may take it away.
    fn label_field(
        &mut self,
        object: &Key,
        reference: &str,
        place: Vec<PathSegment>,
    ) -> Option<Key> {
        let key = self.field_or_report(object, reference, place.clone())?;
        let Some(own) = self.own_field(object, &key) else {
            let issue = Issue::new(
                "LABEL_UNFIT",
                format!(
                    "\"{reference}\" belongs to {}: the label must be an own field",
                    key.owner()
                ),
            );
            self.report(place, issue);
            return None;
        };
        if !kinds::is_label(&own.field.kind) && self.is_readable(object, &key) {
            let issue = Issue::new(
                "LABEL_UNFIT",
                format!(
                    "a field of kind {} can't name a record: take one of kind text, fullName, \
                     email, autonumber …",
                    own.field.kind.name()
                ),
            );
            self.report(place, issue);
            return None;
        }
        Some(key)
    }

    fn own_fields(&self, object: &Key) -> Vec<Field> {
        self.fields
            .get(object)
            .into_iter()
            .flatten()
            .map(|own| own.field.clone())
            .collect()
    }

    /// The unique keys that the document asks for on an object: of single fields (`unique: true`)
    /// and over several (`unique: [[…]]`), each once.
    fn asked_uniques(&mut self, object: &Key) -> Vec<OwnUnique> {
        let mut asked: Vec<OwnUnique> = Vec::new();
        for entry in 0..self.blueprint.objects.len() {
            if self.subjects[entry].as_ref() != Some(object) {
                continue;
            }
            let part = &self.blueprint.objects[entry];
            for (position, definition) in part.members().fields.iter().enumerate() {
                if let Some(by) = definition.unique {
                    let place = path(&[
                        "objects".into(),
                        entry.into(),
                        "fields".into(),
                        position.into(),
                        "unique".into(),
                    ]);
                    let key = Key::new(self.owner, &definition.key);
                    self.ask_unique(object, vec![(key, by, place.clone())], place, &mut asked);
                }
            }
            for (position, references) in part.members().unique.iter().enumerate() {
                let place = under(under(Self::entry_path(entry), "unique"), position);
                let mut keys = Vec::with_capacity(references.len());
                for (item, reference) in references.iter().enumerate() {
                    let item_place = under(place.clone(), item);
                    let found = self.field_or_report(object, &reference.field, item_place.clone());
                    if let Some(key) = found {
                        keys.push((key, reference.by, item_place));
                    }
                }
                // An unknown field has been reported; the rest of such a key says nothing.
                if keys.len() < references.len() {
                    continue;
                }
                if !Self::is_definition(part)
                    && !keys.iter().any(|(key, ..)| key.owner() == self.owner)
                {
                    let issue = Issue::new(
                        "UNIQUE_UNFIT",
                        format!(
                            "a unique key on {}'s object must have at least one own field",
                            object.owner()
                        ),
                    );
                    self.report(place, issue);
                    continue;
                }
                self.ask_unique(object, keys, place, &mut asked);
            }
        }
        // Two records are linked once.
        for own in self.fields.get(object).into_iter().flatten() {
            if let Kind::Relation(Relation {
                through: Some(through),
                ..
            }) = &own.field.kind
            {
                let ends = [&own.field.key, &through.to];
                let is_asked = asked.iter().any(|unique| {
                    unique.fields.len() == 2 && ends.iter().all(|end| unique.fields.contains(end))
                });
                if !is_asked {
                    asked.push(OwnUnique {
                        fields: ends.map(Key::clone).to_vec(),
                        folded: Vec::new(),
                    });
                }
            }
        }
        asked
    }

    fn ask_unique(
        &mut self,
        object: &Key,
        keys: Vec<(Key, UniqueBy, Vec<PathSegment>)>,
        place: Vec<PathSegment>,
        asked: &mut Vec<OwnUnique>,
    ) {
        if keys.is_empty() {
            let issue = Issue::new("MISSING", "a unique key has at least one field");
            self.report(place, issue);
            return;
        }
        if keys.len() > self.limits.unique_fields_max {
            let issue = limit(
                "fields in a unique key",
                self.limits.unique_fields_max,
                keys.len(),
            );
            self.report(place, issue);
            return;
        }
        let mut seen = HashSet::new();
        let mut bytes = 0_u32;
        let mut folded = Vec::new();
        for (key, by, item_place) in &keys {
            if !seen.insert(key.clone()) {
                let issue = Issue::new(
                    "DUPLICATE_KEY",
                    format!("\"{}\" stands twice in this unique key", key.local()),
                );
                self.report(item_place.clone(), issue);
            }
            let Some(field) = self.any_field(object, key) else {
                continue;
            };
            if !self.is_readable(object, key) {
                continue;
            }
            bytes = bytes.saturating_add(kinds::unique_bytes(&field.kind, *by));
            if *by == UniqueBy::Folded && UniqueBy::of(&field.kind) == UniqueBy::Exact {
                folded.push(key.clone());
            }
            if field.unique_column(*by).is_none() {
                let unfit = match field.unique_column(UniqueBy::Exact) {
                    Some(_) => "has no case that could make no difference: expected EXACT",
                    None => "can't be in a unique key",
                };
                let issue = Issue::new(
                    "UNIQUE_UNFIT",
                    format!("a field of kind {} {unfit}", field.kind.name()),
                );
                self.report(item_place.clone(), issue);
            }
        }
        if bytes > kinds::UNIQUE_BYTES_MAX {
            let issue = Issue::new(
                "UNIQUE_UNFIT",
                format!(
                    "the values of this unique key may be too long for an index: together at \
                     most {} characters of text are possible",
                    kinds::UNIQUE_BYTES_MAX / if folded.is_empty() { 3 } else { 9 }
                ),
            );
            self.report(place.clone(), issue);
        }
        let fields: Vec<Key> = keys.into_iter().map(|(key, ..)| key).collect();
        match asked.iter().find(|unique| unique.fields == fields) {
            None => asked.push(OwnUnique { fields, folded }),
            Some(before) if before.folded == folded => {}
            Some(_) => {
                let issue = Issue::new(
                    "DUPLICATE_KEY",
                    "the same unique key is there already, with another idea of what is the same",
                );
                self.report(place, issue);
            }
        }
    }

    /// A field that there will be, whoever's it is.
    fn any_field(&self, object: &Key, field: &Key) -> Option<&Field> {
        if field.owner() == self.owner {
            return self.own_field(object, field).map(|own| &own.field);
        }
        let (_, existing) = self.current.object_keyed(object)?;
        existing.field_keyed(field).map(|(_, field)| field)
    }

    /// The indexes that the document asks for on an object: of single fields (`indexed: true`) and
    /// of several (`indexes: […]`), with those of others.
    fn indexes_of(&mut self, object: &Object, existing: &[Index]) -> Vec<Index> {
        let mut indexes = Vec::new();
        for entry in 0..self.blueprint.objects.len() {
            if self.subjects[entry].as_ref() != Some(&object.key) {
                continue;
            }
            let part = &self.blueprint.objects[entry];
            for (position, definition) in part.members().fields.iter().enumerate() {
                if definition.indexed {
                    let place = under(under(Self::entry_path(entry), "fields"), position);
                    let place = under(place, "indexed");
                    let key = Key::new(self.owner, &definition.key);
                    self.add_index(object, vec![(key, place.clone())], place, &mut indexes);
                }
            }
            for (position, definition) in part.members().indexes.iter().enumerate() {
                let place = under(under(Self::entry_path(entry), "indexes"), position);
                let mut keys = Vec::new();
                for (item, reference) in definition.fields.iter().enumerate() {
                    let place = under(under(place.clone(), "fields"), item);
                    if let Some(key) = self.field_or_report(&object.key, reference, place.clone()) {
                        keys.push((key, place));
                    }
                }
                let mut include = Vec::new();
                for (item, reference) in definition.include.iter().enumerate() {
                    let place = under(under(place.clone(), "include"), item);
                    include.extend(self.field_or_report(&object.key, reference, place));
                }
                if keys.len() < definition.fields.len() {
                    continue;
                }
                if let Some(index) = self.add_index(object, keys, place, &mut indexes) {
                    index.include = include;
                    index.filled = definition.filled;
                    index.live = definition.live;
                }
            }
            if indexes.len() > self.limits.indexes_max {
                let issue = limit(
                    "indexes of one object",
                    self.limits.indexes_max,
                    indexes.len(),
                );
                self.report(under(Self::entry_path(entry), "indexes"), issue);
            }
        }
        // In an order of their own, because a document has two places for them.
        indexes.sort_by(|one, other| one.fields.cmp(&other.fields));
        indexes.dedup();
        let mut all: Vec<Index> = existing
            .iter()
            .filter(|index| index.owner != self.owner)
            .cloned()
            .collect();
        all.extend(indexes);
        all
    }

    fn add_index<'i>(
        &mut self,
        object: &Object,
        keys: Vec<(Key, Vec<PathSegment>)>,
        place: Vec<PathSegment>,
        indexes: &'i mut Vec<Index>,
    ) -> Option<&'i mut Index> {
        let max = self.limits.unique_fields_max;
        if keys.is_empty() || keys.len() > max {
            let issue = match keys.len() {
                0 => Issue::new("MISSING", "an index has at least one field"),
                count => limit("fields in an index", max, count),
            };
            self.report(place, issue);
            return None;
        }
        let mut bytes = 0_u32;
        for (key, place) in &keys {
            let Some((_, field)) = object.field_keyed(key) else {
                continue;
            };
            if !self.is_readable(&object.key, key) {
                continue;
            }
            let columns = field.index_columns();
            if columns.is_empty() {
                let issue = Issue::new(
                    "INDEX_UNFIT",
                    format!("a field of kind {} can't be in an index", field.kind.name()),
                );
                self.report(place.clone(), issue);
            }
            // A text stands in it folded, and as it is.
            let times = match columns.as_slice() {
                [folded, _] if folded.column_type == ColumnType::Folded => 2,
                _ => 1,
            };
            bytes = bytes.saturating_add(
                kinds::unique_bytes(&field.kind, UniqueBy::Exact).saturating_mul(times),
            );
        }
        if bytes > kinds::UNIQUE_BYTES_MAX {
            let issue = Issue::new(
                "INDEX_UNFIT",
                format!(
                    "the values may be too long for an index: together at most {} characters of \
                     text are possible",
                    kinds::UNIQUE_BYTES_MAX / 6
                ),
            );
            self.report(place, issue);
            return None;
        }
        indexes.push(Index {
            owner: self.owner.to_owned(),
            fields: keys.into_iter().map(|(key, _)| key).collect(),
            include: Vec::new(),
            filled: false,
            live: false,
        });
        indexes.last_mut()
    }

    /// Adds the keys that were asked for: those that are there keep their place and, unless one of
    /// their fields goes to other columns, their index; new ones come last.
    fn place_uniques(&mut self, object: &mut Object, asked: Vec<OwnUnique>, existing: &[Unique]) {
        let mut uniques: Vec<Unique> = existing
            .iter()
            .filter(|unique| {
                object.uniques.contains(unique) || asked.iter().any(|asked| asked.is(unique))
            })
            .cloned()
            .collect();
        let before = self.current.object_keyed(&object.key);
        let is_moved = |key: &Key| {
            let column = |object: &Object| Some(object.field_keyed(key)?.1.column.clone());
            before.and_then(|(_, before)| column(before)) != column(object)
        };
        let moved: Vec<bool> = uniques
            .iter()
            .map(|unique| unique.fields.iter().any(is_moved))
            .collect();
        for (unique, moved) in uniques.iter_mut().zip(moved) {
            if moved {
                unique.index = self.mint_index(object, &unique.fields);
            }
        }
        for asked in asked {
            if uniques.iter().any(|unique| asked.is(unique)) {
                continue;
            }
            let index = self.mint_index(object, &asked.fields);
            uniques.push(Unique {
                fields: asked.fields,
                folded: asked.folded,
                index,
            });
        }
        object.uniques = uniques;
    }

    fn mint_index(&mut self, object: &Object, fields: &[Key]) -> String {
        let columns: Vec<&str> = fields
            .iter()
            .filter_map(|key| Some(object.field_keyed(key)?.1.column.as_str()))
            .collect();
        let base = format!(
            "ux_{}_{}",
            object.table.trim_start_matches("rec_"),
            columns.join("_")
        );
        mint(&base, &mut self.taken_indexes)
    }

    fn check_object_limits(&mut self, object: &Object) {
        // Only where this document adds something: others' objects were checked with theirs.
        let Some(entry) = self
            .subjects
            .iter()
            .position(|subject| subject.as_ref() == Some(&object.key))
        else {
            return;
        };
        let place = Self::entry_path(entry);
        if object.fields.len() > self.limits.fields_max {
            let issue = limit(
                "fields of one object",
                self.limits.fields_max,
                object.fields.len(),
            );
            self.report(under(place.clone(), "fields"), issue);
        }
        if object.uniques.len() > self.limits.uniques_max {
            let issue = limit(
                "unique keys of one object",
                self.limits.uniques_max,
                object.uniques.len(),
            );
            self.report(under(place, "unique"), issue);
        }
    }
}

impl OwnUnique {
    /// Whether this is the key that was asked for.
    fn is(&self, unique: &Unique) -> bool {
        self.fields == unique.fields && self.folded == unique.folded
    }
}

/// Whose a unique key is: that of the first field that is not the object owner's, else theirs. An
/// extension's key has only fields of the extending owner and the object's.
pub(crate) fn unique_owner<'a>(object: &'a Key, unique: &'a Unique) -> &'a str {
    unique
        .fields
        .iter()
        .map(Key::owner)
        .find(|owner| *owner != object.owner())
        .unwrap_or_else(|| object.owner())
}

/// The object owner's fields first, then the others', owner by owner as they came; those of
/// `replaced` are taken from `own`.
fn in_owner_order(
    object_owner: &str,
    replaced: &str,
    existing: &[Field],
    own: Vec<Field>,
) -> Vec<Field> {
    let mut owners = vec![object_owner];
    for field in existing {
        if !owners.contains(&field.key.owner()) {
            owners.push(field.key.owner());
        }
    }
    if !owners.contains(&replaced) {
        owners.push(replaced);
    }
    let mut own = Some(own);
    let mut fields = Vec::new();
    for owner in owners {
        if owner == replaced {
            fields.extend(own.take().into_iter().flatten());
        } else {
            fields.extend(
                existing
                    .iter()
                    .filter(|field| field.key.owner() == owner)
                    .cloned(),
            );
        }
    }
    fields
}
