//! Duplicates over a whole object, and what is said of them.

use relata_catalog::ObjectIndex;

use super::{
    NoPlan, Planner, ReadStep, Step,
    draft::Draft,
    inputs::Template,
    pick::{Pick, Picked},
    prepare::Selected,
    search::picks,
};
use crate::schema::dismissing;

/// A page of sets, and what is answered of it.
pub(crate) struct DuplicateSetsStep {
    pub(crate) object: ObjectIndex,
    pub(crate) first: Option<Template>,
    pub(crate) after: Option<Template>,
    pub(crate) score_min: Option<Template>,
    pub(crate) members: Vec<SetsMember>,
    /// For each `records` that is selected. The first parameter is the id.
    pub(crate) nodes: Vec<ReadStep>,
}

/// A member of the page.
pub(crate) struct SetsMember {
    /// Response key.
    pub(crate) key: String,
    pub(crate) kind: SetsMemberKind,
}

pub(crate) enum SetsMemberKind {
    Sets(Vec<SetMember>),
    PageInfo(Vec<Pick>),
    FoundAt,
    /// Known beforehand (`__typename`).
    Literal(String),
}

/// A member of a set.
pub(crate) struct SetMember {
    /// Response key.
    pub(crate) key: String,
    pub(crate) kind: SetMemberKind,
}

pub(crate) enum SetMemberKind {
    Score,
    /// Position in [`DuplicateSetsStep::nodes`].
    Records(usize),
    Pairs(Picked),
    /// Known beforehand (`__typename`).
    Literal(String),
}

/// Records that are said to be different, or no longer.
pub(crate) struct DismissStep {
    pub(crate) object: ObjectIndex,
    pub(crate) ids: Template,
    pub(crate) is_taken_back: bool,
}

impl<'v> Planner<'v> {
    /// `companiesDuplicates`, where the field is one.
    pub(super) fn duplicate_sets(
        &self,
        draft: &mut Draft<'_, 'v>,
        field: &Selected<'v>,
    ) -> Result<Option<Step>, NoPlan> {
        let Some(name) = field.name().strip_suffix("Duplicates") else {
            return Ok(None);
        };
        let mut objects = self.catalogue.objects.iter();
        let Some(object) = objects.position(|object| object.plural == name) else {
            return Ok(None);
        };
        let object = ObjectIndex(object);
        let type_name = self.schema.names.type_name(object);
        let mut template = |name: &str, ty: &str| {
            draft
                .argument(field, name, ty)
                .filter(|input| !input.is_null())
                .map(|input| input.template(self.variables))
        };
        let mut step = DuplicateSetsStep {
            object,
            first: template("first", "Int"),
            after: template("after", "String"),
            score_min: template("minScore", "Float"),
            members: Vec::new(),
            nodes: Vec::new(),
        };
        let page_type = format!("{type_name}_DuplicatePage");
        for member in draft.selected(&field.sets, &page_type, &[]) {
            draft.path.push(member.key.into());
            let kind = match member.name() {
                "sets" => SetsMemberKind::Sets(self.set_members(draft, &member, &mut step)?),
                "pageInfo" => SetsMemberKind::PageInfo(picks(draft, &member.sets, "PageInfo")),
                "foundAt" => SetsMemberKind::FoundAt,
                _ => SetsMemberKind::Literal(page_type.clone()),
            };
            draft.path.pop();
            step.members.push(SetsMember {
                key: member.key.to_owned(),
                kind,
            });
        }
        Ok(Some(Step::DuplicateSets(Box::new(step))))
    }

    fn set_members(
        &self,
        draft: &mut Draft<'_, 'v>,
        field: &Selected<'v>,
        step: &mut DuplicateSetsStep,
    ) -> Result<Vec<SetMember>, NoPlan> {
        let type_name = self.schema.names.type_name(step.object);
        let set_type = format!("{type_name}_DuplicateSet");
        let mut members = Vec::new();
        for member in draft.selected(&field.sets, &set_type, &[]) {
            draft.path.push(member.key.into());
            let kind = match member.name() {
                "score" => SetMemberKind::Score,
                "records" => {
                    step.nodes.push(self.hit_of(draft, step.object, &member)?);
                    SetMemberKind::Records(step.nodes.len() - 1)
                }
                "pairs" => SetMemberKind::Pairs(Picked::Object(picks(
                    draft,
                    &member.sets,
                    "Duplicate_Pair",
                ))),
                _ => SetMemberKind::Literal(set_type.clone()),
            };
            draft.path.pop();
            members.push(SetMember {
                key: member.key.to_owned(),
                kind,
            });
        }
        Ok(members)
    }

    /// `dismissCompanyDuplicates` and `undismissCompanyDuplicates`, where the field is one.
    pub(super) fn dismiss(&self, draft: &mut Draft<'_, 'v>, field: &Selected<'v>) -> Option<Step> {
        let is_taken_back = match field.name() {
            name if name.starts_with("dismiss") => false,
            name if name.starts_with("undismiss") => true,
            _ => return None,
        };
        let verb = if is_taken_back {
            "undismiss"
        } else {
            "dismiss"
        };
        let mut objects = self.catalogue.objects.iter();
        let object = objects.position(|object| dismissing(verb, object) == field.name())?;
        // What is missing has been refused by the validator, or collected just now.
        let ids = draft.argument(field, "ids", "[ID!]!");
        Some(Step::Dismiss(Box::new(DismissStep {
            object: ObjectIndex(object),
            ids: ids.map_or(Template::Known(serde_json::Value::Null), |input| {
                input.template(self.variables)
            }),
            is_taken_back,
        })))
    }
}
