//! What a document's names mean: `company` is one's own first, then the platform's; `owner/company`
//! is exactly that.

use super::{Resolver, path, under};
use crate::names::{did_you_mean, is_key, nearest, one_of};
use crate::reading::limit;
use crate::{Issue, Key, OWNER_PLATFORM, ObjectEntry, PathSegment};

impl Resolver<'_> {
    /// Which objects there will be, and which one each entry of the document is about.
    pub(super) fn find_objects(&mut self) {
        for (position, entry) in self.blueprint.objects.iter().enumerate() {
            let ObjectEntry::Define(definition) = entry else {
                continue;
            };
            let place = path(&["objects".into(), position.into(), "key".into()]);
            self.check_key(&definition.key, place.clone());
            let key = Key::new(self.owner, &definition.key);
            if let Some(first) = self.defined.get(&key) {
                let issue = Issue::new(
                    "DUPLICATE_KEY",
                    format!(
                        "the key \"{}\" is taken by objects[{first}]",
                        definition.key
                    ),
                );
                self.report(place, issue);
            } else {
                self.defined.insert(key, position);
            }
        }
        let mut subjects = Vec::with_capacity(self.blueprint.objects.len());
        for (position, entry) in self.blueprint.objects.iter().enumerate() {
            let subject = match entry {
                ObjectEntry::Define(definition) => {
                    let key = Key::new(self.owner, &definition.key);
                    // The second of two with one key is not looked at: its mistake is the key.
                    (self.defined.get(&key) == Some(&position)).then_some(key)
                }
                ObjectEntry::Extend(extension) => {
                    let place = path(&["objects".into(), position.into(), "extends".into()]);
                    let found = self.object_or_report(&extension.extends, place.clone());
                    if found.as_ref().is_some_and(|key| key.owner() == self.owner) {
                        let issue = Issue::new(
                            "OWN_OBJECT",
                            format!(
                                "\"{}\" is an object of this document: its fields belong into \
                                 its definition",
                                extension.extends
                            ),
                        );
                        self.report(place, issue);
                        None
                    } else {
                        found
                    }
                }
            };
            subjects.push(subject);
        }
        self.subjects = subjects;

        let others = self
            .current
            .objects
            .iter()
            .filter(|object| object.owner() != self.owner)
            .count();
        let count = self.defined.len() + others;
        if count > self.limits.objects_max {
            let issue = limit("objects", self.limits.objects_max, count);
            self.report(path(&["objects".into()]), issue);
        }
    }

    pub(super) fn check_key(&mut self, key: &str, place: Vec<PathSegment>) {
        if key.is_empty() || is_key(key) {
            // An empty key has been reported as missing by the reader; documents that are built
            // in memory are checked by their names.
            if key.is_empty() {
                self.report(place, Issue::new("MISSING", "the key is empty"));
            }
            return;
        }
        let shown: String = key.chars().take(80).collect();
        let issue = Issue::new(
            "KEY_INVALID",
            format!(
                "\"{shown}\" is no key: expected a small letter, then letters, digits, \"_\" or \
                 \"-\", at most 60"
            ),
        );
        self.report(place, issue);
    }

    /// The object that a reference means, among those that there will be.
    pub(super) fn object(&self, reference: &str) -> Option<Key> {
        let exists = |key: &Key| {
            if key.owner() == self.owner {
                self.defined.contains_key(key)
            } else {
                self.current.object_keyed(key).is_some()
            }
        };
        if let Some((owner, local)) = reference.split_once('/') {
            let key = Key::new(owner, local);
            return exists(&key).then_some(key);
        }
        [self.owner, OWNER_PLATFORM]
            .into_iter()
            .map(|owner| Key::new(owner, reference))
            .find(exists)
    }

    pub(super) fn object_or_report(
        &mut self,
        reference: &str,
        place: Vec<PathSegment>,
    ) -> Option<Key> {
        let found = self.object(reference);
        if found.is_none() {
            let mut references: Vec<String> = self
                .defined
                .keys()
                .map(|key| key.local().to_owned())
                .collect();
            for object in &self.current.objects {
                match object.owner() {
                    owner if owner == self.owner => {}
                    OWNER_PLATFORM => references.push(object.key.local().to_owned()),
                    _ => references.push(object.key.to_string()),
                }
            }
            // The right local key under somebody else's name is the likeliest slip.
            let same_local = references
                .iter()
                .find(|known| known.rsplit('/').next() == Some(reference));
            let meant = same_local
                .map(String::as_str)
                .or_else(|| nearest(reference, references.iter().map(String::as_str)));
            let message = match meant {
                Some(_) => format!("there is no object \"{reference}\".{}", did_you_mean(meant)),
                None => format!(
                    "there is no object \"{reference}\"; expected {}",
                    one_of(references.iter().map(String::as_str))
                ),
            };
            let mut issue = Issue::new("UNKNOWN_OBJECT", message);
            if let Some(meant) = meant {
                issue = issue.with("suggestion", meant);
            }
            self.report(place, issue);
        }
        found
    }

    /// The field that a reference means on an object, among those that there will be.
    pub(super) fn field(&self, object: &Key, reference: &str) -> Option<Key> {
        let exists = |key: &Key| {
            if key.owner() == self.owner {
                self.own_field(object, key).is_some()
            } else {
                self.current
                    .object_keyed(object)
                    .is_some_and(|(_, object)| object.field_keyed(key).is_some())
            }
        };
        if let Some((owner, local)) = reference.split_once('/') {
            let key = Key::new(owner, local);
            return exists(&key).then_some(key);
        }
        [self.owner, object.owner(), OWNER_PLATFORM]
            .into_iter()
            .map(|owner| Key::new(owner, reference))
            .find(exists)
    }

    pub(super) fn field_or_report(
        &mut self,
        object: &Key,
        reference: &str,
        place: Vec<PathSegment>,
    ) -> Option<Key> {
        let found = self.field(object, reference);
        if found.is_none() {
            let mut references: Vec<String> = self
                .fields
                .get(object)
                .into_iter()
                .flatten()
                .map(|own| own.field.key.local().to_owned())
                .collect();
            if let Some((_, existing)) = self.current.object_keyed(object) {
                for field in &existing.fields {
                    match field.key.owner() {
                        owner if owner == self.owner => {}
                        owner if owner == object.owner() => {
                            references.push(field.key.local().to_owned());
                        }
                        _ => references.push(field.key.to_string()),
                    }
                }
            }
            let meant = nearest(reference, references.iter().map(String::as_str));
            let message = match meant {
                Some(_) => format!(
                    "{} has no field \"{reference}\".{}",
                    object.local(),
                    did_you_mean(meant)
                ),
                None => format!(
                    "{} has no field \"{reference}\"; expected {}",
                    object.local(),
                    one_of(references.iter().map(String::as_str))
                ),
            };
            let mut issue = Issue::new("UNKNOWN_FIELD", message);
            if let Some(meant) = meant {
                issue = issue.with("suggestion", meant);
            }
            self.report(place, issue);
        }
        found
    }

    /// The start of paths into an entry of `objects`.
    pub(super) fn entry_path(position: usize) -> Vec<PathSegment> {
        under(path(&["objects".into()]), position)
    }
}
