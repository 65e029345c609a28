//! Merges, their previews and their undoing.

use async_graphql::parser::types::SelectionSet;
use relata_catalog::{ObjectIndex, capitalised};

use super::{
    Change, NoPlan, Planner, Step, WriteStep,
    coercer::Coercer,
    draft::Draft,
    inputs::{Slot, Template},
    pick::{Pick, Picked},
    prepare::Selected,
};
use relata_store::filter::Operand;

/// Which records become which one.
pub(crate) struct MergeArguments {
    pub(crate) ids: Template,
    pub(crate) keep: Template,
    pub(crate) data: Option<Template>,
}

/// What a merge would do.
pub(crate) struct MergePreviewStep {
    pub(crate) object: ObjectIndex,
    pub(crate) arguments: MergeArguments,
    pub(crate) picked: Picked,
}

/// A merge that is undone.
pub(crate) struct UnmergeStep {
    pub(crate) object: ObjectIndex,
    pub(crate) id: Template,
    pub(crate) picked: Picked,
}

impl<'v> Planner<'v> {
    /// `companyMergePreview`, where the field is one.
    pub(super) fn merge_preview(
        &self,
        draft: &mut Draft<'_, 'v>,
        field: &Selected<'v>,
    ) -> Option<Step> {
        let name = field.name().strip_suffix("MergePreview")?;
        let (object, _) = self.catalogue.object_named(name)?;
        let type_name = self.schema.names.type_name(object);
        Some(Step::MergePreview(Box::new(MergePreviewStep {
            object,
            arguments: self.merge_arguments(draft, field, type_name),
            picked: Picked::Object(picks(
                draft,
                &field.sets,
                &format!("{type_name}MergePreview"),
            )),
        })))
    }

    /// `mergeCompanies` and `unmergeCompany`, where the field is one.
    pub(super) fn merge(
        &self,
        draft: &mut Draft<'_, 'v>,
        field: &Selected<'v>,
    ) -> Result<Option<Step>, NoPlan> {
        let objects = || (0..self.catalogue.objects.len()).map(ObjectIndex);
        if let Some(name) = field.name().strip_prefix("unmerge") {
            let found = objects().find(|object| self.catalogue.object(*object).type_name() == name);
            return Ok(found.map(|object| {
                let id = draft.argument(field, "id", "ID!");
                Step::Unmerge(Box::new(UnmergeStep {
                    object,
                    id: id.map_or(Template::Known(serde_json::Value::Null), |input| {
                        input.template(self.variables)
                    }),
                    picked: Picked::Object(picks(draft, &field.sets, "Unmerge_Result")),
                }))
            }));
        }
        let Some(name) = field.name().strip_prefix("merge") else {
            return Ok(None);
        };
        let found =
            objects().find(|object| capitalised(&self.catalogue.object(*object).plural) == name);
        let Some(object) = found else {
            return Ok(None);
        };
        let type_name = self.schema.names.type_name(object);
        let arguments = self.merge_arguments(draft, field, type_name);
        // The first parameter is the id, which no client gives.
        draft.slots.push(Slot::new(
            Template::Known(serde_json::Value::Null),
            Coercer::Cursor,
            false,
            draft.path.clone(),
        ));
        let read = self.one(draft, object, Operand::Parameter(0), field)?;
        Ok(Some(Step::Write(Box::new(WriteStep {
            object,
            change: Change::Merge(arguments),
            read: Some(read),
        }))))
    }

    fn merge_arguments(
        &self,
        draft: &mut Draft<'_, 'v>,
        field: &Selected<'v>,
        type_name: &str,
    ) -> MergeArguments {
        let mut template = |name: &str, ty: &str| {
            draft
                .argument(field, name, ty)
                .filter(|input| !input.is_null())
                .map(|input| input.template(self.variables))
        };
        // What is missing has been refused by the validator, or collected just now.
        let nothing = || Template::Known(serde_json::Value::Null);
        MergeArguments {
            ids: template("ids", "[ID!]!").unwrap_or_else(nothing),
            keep: template("keep", "ID!").unwrap_or_else(nothing),
            data: template("data", &format!("{type_name}Update")),
        }
    }
}

/// What is selected of an answer that is JSON already.
fn picks<'v>(draft: &mut Draft<'_, 'v>, sets: &[&'v SelectionSet], type_name: &str) -> Vec<Pick> {
    draft
        .selected(sets, type_name, &[])
        .iter()
        .map(|member| {
            let inner = match member.name() {
                "fields" => Some("Merge_Field"),
                "moves" => Some("Merge_Move"),
                "conflicts" => Some("Merge_Conflict"),
                "values" => Some("Merge_Value"),
                "issues" => Some("Bulk_Issue"),
                "left" => Some("Unmerge_Left"),
                _ => None,
            };
            Pick {
                key: member.key.to_owned(),
                name: member.name().to_owned(),
                picked: match (member.name(), inner) {
                    ("__typename", _) => Picked::Literal(type_name.to_owned()),
                    (_, Some(inner)) => Picked::Object(picks(draft, &member.sets, inner)),
                    _ => Picked::Leaf,
                },
            }
        })
        .collect()
}
