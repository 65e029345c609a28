//! Merges: what is asked of them, their previews, and what an undoing answers. And the way from a
//! record that was merged away to the one that answers for it.

use std::ops::Range;

use bytes::Bytes;
use relata_app::{
    AppError,
    records::{MergePreview, MergeRequest, Unmerged, record_merge_preview},
};
use relata_catalog::{Issue, ObjectIndex, Value};
use relata_store::read::Parameter;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::{Outcomes, Reading, Run, failed, lost};
use crate::{
    errors::GraphqlError,
    plan::{
        Plan, ReadStep, Root, Step, error_of_issues,
        inputs::Template,
        merge::{MergeArguments, MergePreviewStep},
        search::SearchStep,
    },
};

impl Run<'_> {
    /// What a merge is asked for.
    pub(super) fn merge_request(
        &self,
        object: ObjectIndex,
        arguments: &MergeArguments,
    ) -> Result<MergeRequest, AppError> {
        let rendered = |template: &Template| template.render(self.variables).unwrap_or_default();
        let ids = self.ids_of(object, &arguments.ids)?;
        let keep = self.id_in(object, &rendered(&arguments.keep))?;
        let data = match arguments.data.as_ref().map(rendered) {
            Some(Json::Object(data)) => data,
            _ => Map::new(),
        };
        Ok(MergeRequest { ids, keep, data })
    }

    pub(super) async fn merge_preview(
        &self,
        root: &Root,
        step: &MergePreviewStep,
    ) -> Result<Bytes, Box<GraphqlError>> {
        let request = self
            .merge_request(step.object, &step.arguments)
            .map_err(|error| failed(root, &error))?;
        self.within_nesting(step.object, &request.data, &mut 0)
            .map_err(|beyond| {
                let issues = beyond.under("data").under(root.key.as_str());
                error_of_issues(issues, &root.key, root.at)
            })?;
        let preview = self
            .preview(step.object, request)
            .await
            .map_err(|error| failed(root, &error))?;
        let json = step.picked.apply(&json_of(&preview));
        Ok(Bytes::from(json.to_string()))
    }

    async fn preview(
        &self,
        object: ObjectIndex,
        request: MergeRequest,
    ) -> Result<MergePreview, AppError> {
        let revision = self.state.revision;
        self.workspace
            .transact_long(self.caller, move |unit| {
                let request = request.clone();
                Box::pin(async move {
                    if unit.state().revision != revision {
                        // Positions of objects are of another catalogue by now.
                        return Err(AppError::Unavailable(
                            "the catalogue has moved on; ask again".to_owned(),
                        ));
                    }
                    record_merge_preview(&unit, object, &request).await
                })
            })
            .await
    }

    /// Reads again what was asked for by the id of a record that was merged away, as its survivor.
    /// Where every record was found, nothing is looked up.
    pub(super) async fn follow_merged(
        &self,
        plan: &Plan,
        reads: &[Reading],
        outcomes: &mut Outcomes,
    ) {
        let missed = missed(plan, reads, outcomes);
        if missed.is_empty() {
            return;
        }
        let ids: Vec<Uuid> = missed.iter().map(|(_, _, id)| *id).collect();
        let survivors = match self.workspace.database().survivors(&ids).await {
            Ok(survivors) => survivors,
            Err(error) => {
                let error = AppError::from(error);
                for (root, range, _) in missed {
                    outcomes[range.start] = Err(failed(root, &error));
                }
                return;
            }
        };
        for (root, range, id) in missed {
            let Some(survivor) = survivors.get(&id) else {
                continue;
            };
            let again: Vec<Reading> = reads[range.clone()]
                .iter()
                .map(|(compiled, parameters)| {
                    (compiled.clone(), SearchStep::of_hit(parameters, *survivor))
                })
                .collect();
            let read = self
                .workspace
                .reader()
                .run(&again, self.state.directory.clone())
                .await;
            match read {
                Ok(read) if read.len() == again.len() => {
                    for (place, json) in range.zip(read) {
                        outcomes[place] = Ok(Bytes::from(json));
                    }
                }
                Ok(_) => outcomes[range.start] = Err(lost(root)),
                Err(error) => outcomes[range.start] = Err(failed(root, &AppError::from(error))),
            }
        }
    }
}

/// Reads of one record by its id that have found none: of which root, which of the reads, by which
/// id.
fn missed<'p>(
    plan: &'p Plan,
    reads: &[Reading],
    outcomes: &Outcomes,
) -> Vec<(&'p Root, Range<usize>, Uuid)> {
    let mut missed = Vec::new();
    let mut reached = 0;
    for root in &plan.roots {
        let steps: &[ReadStep] = match &root.step {
            Step::Read(step) => std::slice::from_ref(step),
            Step::Node(steps) => steps,
            _ => continue,
        };
        let range = reached..reached + steps.len();
        reached = range.end;
        let is_missed = steps.iter().all(|step| step.by_id)
            && outcomes[range.clone()]
                .iter()
                .all(|outcome| outcome.as_ref().is_ok_and(|json| json == "null"));
        let id =
            reads[range.clone()]
                .first()
                .and_then(|(_, parameters)| match parameters.first() {
                    Some(Parameter::Value(Value::Reference(id))) => Some(*id),
                    _ => None,
                });
        if let (true, Some(id)) = (is_missed, id) {
            missed.push((root, range, id));
        }
    }
    missed
}

fn json_of(preview: &MergePreview) -> Json {
    let ids = |ids: &[Uuid]| ids.iter().map(Uuid::to_string).collect::<Vec<_>>();
    json!({
        "fields": preview.fields.iter().map(|field| json!({
            "name": field.name,
            "value": field.value,
            "from": ids(&field.from),
        })).collect::<Vec<_>>(),
        "moves": preview.moves.iter().map(|moved| json!({
            "object": moved.object,
            "field": moved.field,
            "count": moved.count,
            "trashed": moved.trashed,
        })).collect::<Vec<_>>(),
        "conflicts": preview.conflicts.iter().map(|conflict| json!({
            "name": conflict.name,
            "values": conflict.values.iter().map(|(id, value)| json!({
                "id": id.to_string(),
                "value": value,
            })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "issues": preview.issues.0.iter().map(issue).collect::<Vec<_>>(),
    })
}

fn issue(issue: &Issue) -> Json {
    json!({
        "path": issue.path,
        "code": issue.code,
        "message": issue.message,
        "params": issue.params,
    })
}

/// What an undoing answers, before anything is selected of it.
pub(super) fn json_of_undone(undone: &Unmerged) -> Json {
    json!({
        "survivor": undone.survivor.to_string(),
        "restored": undone.restored.iter().map(Uuid::to_string).collect::<Vec<_>>(),
        "gone": undone.gone.iter().map(Uuid::to_string).collect::<Vec<_>>(),
        "left": undone.left.iter().map(|left| json!({
            "object": left.object,
            "id": left.id.to_string(),
            "field": left.field,
        })).collect::<Vec<_>>(),
    })
}
