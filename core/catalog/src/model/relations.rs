//! Relations, and the lists of records that come of them.

use serde::{Deserialize, Serialize};

use super::{Catalogue, FieldIndex, Key, Kind, Labels, ObjectIndex};

/// A relation to one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Relation {
    /// The object that it points at.
    pub target: Key,
    /// The to-many field that the target gets, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inverse: Option<Inverse>,
    /// The list of other records that the target gets through this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<Box<Through>>,
    /// The lists along the whole line, of a relation of an object to itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<Box<Tree>>,
    /// What becomes of this record when the target is deleted.
    #[serde(default)]
    pub on_delete: OnDelete,
}

/// Many to many: the record with this relation is a link, and its target sees what stands at the
/// other end of it. No two links outside the trash join the same two records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Through {
    /// The list that the target gets.
    pub list: Inverse,
    /// The relation of the same object at the other end.
    pub to: Key,
}

/// Records of one object over and under each other. No record stands over itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tree {
    /// All that stand over a record, the nearest first.
    pub ancestors: Inverse,
    /// All that stand under it, the nearest first.
    pub descendants: Inverse,
}

/// The to-many side of a relation: a field of the target that lists those who point at it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Inverse {
    /// Name on the target: `people`.
    pub name: String,
    /// What people call it.
    #[serde(default)]
    pub labels: Labels,
}

/// A relation to one record of one of several objects: relations of which one at most is filled,
/// each with a column, a list on its target and rules of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OneOf {
    /// Identity.
    pub key: Key,
    /// Name of the field that shows whichever is filled.
    pub name: String,
    /// What people call it.
    #[serde(default)]
    pub labels: Labels,
    /// Relations of the object; at least two.
    pub relations: Vec<Key>,
    /// Whether a record without any is refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
}

/// What becomes of a record when the one that it points at is deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OnDelete {
    /// The deletion is refused with `REFERENCED`.
    Restrict,
    /// The relation becomes empty.
    #[default]
    SetNull,
    /// This record goes to the trash (or is destroyed) as well.
    Cascade,
}

/// How a list that belongs to a record comes to its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Via {
    /// They point at the record by this relation of theirs.
    Relation(FieldIndex),
    /// Links point at both.
    Link {
        /// The object of the links.
        object: ObjectIndex,
        /// Their relation to the record that has the list.
        here: FieldIndex,
        /// Their relation to those in the list.
        there: FieldIndex,
    },
    /// They stand over or under the record.
    Tree {
        /// The relation of the object to itself.
        relation: FieldIndex,
        /// Which of the two.
        towards: Towards,
    },
}

/// A direction in a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Towards {
    /// To its root.
    Ancestors,
    /// To its leaves.
    Descendants,
}

/// A list of other records that belongs to each record of an object.
#[derive(Debug, Clone, Copy)]
pub struct ToMany<'c> {
    /// Its name and labels.
    pub list: &'c Inverse,
    /// Whose records are listed.
    pub object: ObjectIndex,
    /// How they are found.
    pub via: Via,
    /// The relation that it comes from, and its object.
    pub relation: (ObjectIndex, FieldIndex),
    /// The name by which those in the list find the record back: of a relation where `via` is
    /// one, else of a list.
    pub back: &'c str,
}

impl Catalogue {
    /// All lists that belong to a record of `target`, in catalogue order.
    pub fn lists_of<'a>(&'a self, target: &'a Key) -> impl Iterator<Item = ToMany<'a>> {
        self.referrers_of(target)
            .flat_map(move |(object, field, relation)| {
                let inverse = relation.inverse.as_ref().map(|list| ToMany {
                    list,
                    object,
                    via: Via::Relation(field),
                    relation: (object, field),
                    back: &self.object(object).field(field).name,
                });
                let through = relation
                    .through
                    .as_ref()
                    .and_then(|through| self.through(object, field, through));
                let [ancestors, descendants] = self.tree(object, field, relation);
                [inverse, through, ancestors, descendants]
                    .into_iter()
                    .flatten()
            })
    }

    /// The list of this name that belongs to a record of `target`.
    #[must_use]
    pub fn list_named<'a>(&'a self, target: &'a Key, name: &str) -> Option<ToMany<'a>> {
        self.lists_of(target).find(|list| list.list.name == name)
    }

    fn through<'a>(
        &'a self,
        object: ObjectIndex,
        here: FieldIndex,
        through: &'a Through,
    ) -> Option<ToMany<'a>> {
        let (there, field) = self.object(object).field_keyed(&through.to)?;
        let Kind::Relation(other) = &field.kind else {
            return None;
        };
        Some(ToMany {
            list: &through.list,
            object: self.object_keyed(&other.target)?.0,
            via: Via::Link {
                object,
                here,
                there,
            },
            relation: (object, here),
            back: &other.through.as_ref()?.list.name,
        })
    }

    fn tree<'a>(
        &'a self,
        object: ObjectIndex,
        relation: FieldIndex,
        found: &'a Relation,
    ) -> [Option<ToMany<'a>>; 2] {
        let Some(tree) = &found.tree else {
            return [None, None];
        };
        let list = |list, back: &'a Inverse, towards| {
            Some(ToMany {
                list,
                object,
                via: Via::Tree { relation, towards },
                relation: (object, relation),
                back: &back.name,
            })
        };
        [
            list(&tree.ancestors, &tree.descendants, Towards::Ancestors),
            list(&tree.descendants, &tree.ancestors, Towards::Descendants),
        ]
    }

    /// All relation fields that point at `target`, with or without a list there.
    pub fn referrers_of<'a>(
        &'a self,
        target: &'a Key,
    ) -> impl Iterator<Item = (ObjectIndex, FieldIndex, &'a Relation)> {
        self.objects
            .iter()
            .enumerate()
            .flat_map(move |(object_position, object)| {
                object
                    .fields
                    .iter()
                    .enumerate()
                    .filter_map(move |(field_position, field)| match &field.kind {
                        Kind::Relation(relation) if relation.target == *target => Some((
                            ObjectIndex(object_position),
                            FieldIndex(field_position),
                            relation,
                        )),
                        _ => None,
                    })
            })
    }
}
