//! What is selected of values that are JSON already: the viewer, and what plugins answer.

use async_graphql::parser::types::SelectionSet;
use serde_json::{Map, Value as Json};

use super::draft::Draft;
use crate::schema::operations::ResultType;

/// One member of a selection.
#[derive(Debug, Clone)]
pub(crate) struct Pick {
    /// Response key.
    pub(crate) key: String,
    /// Member of the value.
    pub(crate) name: String,
    /// What is selected of it.
    pub(crate) picked: Picked,
}

/// What is selected of a value.
#[derive(Debug, Clone)]
pub(crate) enum Picked {
    /// All of it.
    Leaf,
    /// Known beforehand (`__typename`).
    Literal(String),
    /// Some members of an object, or of each in a list.
    Object(Vec<Pick>),
    /// Depending on the object's `__typename`.
    Union(Vec<(String, Vec<Pick>)>),
}

/// Of the viewer, as [`Map`] with `user`, `actor`, `isAdmin`, `locale`, `zone`.
pub(crate) fn viewer<'v>(draft: &mut Draft<'_, 'v>, sets: &[&'v SelectionSet]) -> Vec<Pick> {
    draft
        .selected(sets, "Viewer", &[])
        .iter()
        .map(|member| Pick {
            key: member.key.to_owned(),
            name: member.name().to_owned(),
            picked: match member.name() {
                "__typename" => Picked::Literal("Viewer".to_owned()),
                "user" => Picked::Object(actor(draft, &member.sets, "User")),
                "actor" => Picked::Union(
                    ["User", "Token", "Plugin", "System"]
                        .iter()
                        .map(|name| ((*name).to_owned(), actor(draft, &member.sets, name)))
                        .collect(),
                ),
                _ => Picked::Leaf,
            },
        })
        .collect()
}

fn actor<'v>(draft: &mut Draft<'_, 'v>, sets: &[&'v SelectionSet], type_name: &str) -> Vec<Pick> {
    draft
        .selected(sets, type_name, &["Actor", "Owner"])
        .iter()
        .map(|member| Pick {
            key: member.key.to_owned(),
            name: member.name().to_owned(),
            picked: match member.name() {
                "__typename" => Picked::Literal(type_name.to_owned()),
                _ => Picked::Leaf,
            },
        })
        .collect()
}

/// Of what a plugin answers.
pub(crate) fn of_result<'v>(
    draft: &mut Draft<'_, 'v>,
    result: &ResultType,
    sets: &[&'v SelectionSet],
) -> Picked {
    let Some((type_name, members)) = result.object() else {
        return Picked::Leaf;
    };
    let picks = draft
        .selected(sets, type_name, &[])
        .iter()
        .map(|member| Pick {
            key: member.key.to_owned(),
            name: member.name().to_owned(),
            picked: match members.get(member.name()) {
                Some(inner) => of_result(draft, inner, &member.sets),
                None => Picked::Literal(type_name.to_owned()),
            },
        })
        .collect();
    Picked::Object(picks)
}

impl Picked {
    /// The selected part of a value. What is not there is null; of what is no object, nothing.
    pub(crate) fn apply(&self, value: &Json) -> Json {
        match (self, value) {
            (Self::Literal(text), _) => Json::String(text.clone()),
            (Self::Leaf, value) => value.clone(),
            (_, Json::Array(items)) => items.iter().map(|item| self.apply(item)).collect(),
            (Self::Object(picks), Json::Object(object)) => apply(picks, object),
            (Self::Union(types), Json::Object(object)) => {
                let type_name = object.get("__typename").and_then(Json::as_str);
                match types
                    .iter()
                    .find(|(name, _)| Some(name.as_str()) == type_name)
                {
                    Some((_, picks)) => apply(picks, object),
                    None => Json::Null,
                }
            }
            (Self::Object(_) | Self::Union(_), _) => Json::Null,
        }
    }
}

/// The selected members of an object.
pub(crate) fn apply(picks: &[Pick], object: &Map<String, Json>) -> Json {
    picks
        .iter()
        .map(|pick| {
            let value = object.get(&pick.name).unwrap_or(&Json::Null);
            (pick.key.clone(), pick.picked.apply(value))
        })
        .collect::<Map<_, _>>()
        .into()
}
