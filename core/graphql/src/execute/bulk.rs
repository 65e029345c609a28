//! A mutation of many records in its transaction, and its answer.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use relata_app::{
    AppError, Unit,
    records::{
        Bulk, BulkMode, Matching, RowError, nested_within, record_create_bulk, record_delete_where,
        record_destroy_where, record_restore_where, record_update_where, record_upsert_bulk,
    },
};
use relata_catalog::{Issue, Issues, ObjectIndex};
use relata_store::Lock;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::{Reading, Run, work::read_back};
use crate::{
    errors::GraphqlError,
    plan::{
        Root,
        bulk::{BulkChange, BulkMember, BulkStep, ids_parameter},
        error_of_issues,
        inputs::Template,
    },
};

/// A change of many records with its values: everything that a further try needs.
pub(super) struct BulkJob {
    object: ObjectIndex,
    write: BulkWrite,
    members: Vec<BulkMember>,
    /// Of each `nodes`.
    reads: Vec<Reading>,
}

enum BulkWrite {
    Create {
        rows: Vec<Map<String, Json>>,
        mode: BulkMode,
    },
    Upsert {
        rows: Vec<Map<String, Json>>,
        on: usize,
        mode: BulkMode,
    },
    Update {
        matching: Matching,
        data: Map<String, Json>,
    },
    Delete {
        matching: Matching,
    },
    Restore {
        matching: Matching,
    },
    Destroy {
        matching: Matching,
    },
}

impl Run<'_> {
    /// The job of a root field, or why its request is refused.
    pub(super) fn bulk(
        &self,
        root: &Root,
        step: &BulkStep,
        reads: Vec<Reading>,
    ) -> Result<BulkJob, Box<GraphqlError>> {
        let mut issues = Issues::default();
        let matching = step.change.which().map(|which| Matching {
            filter: which.filter(self.variables, &self.coercion(), &mut issues),
            records_max: self.limits.bulk_records_max,
            nested_max: self.limits.nested_records_max,
        });
        // Conditions are there wherever the change has one.
        let matching = matching.unwrap_or_else(|| Matching {
            filter: relata_store::filter::Filter::Or(Vec::new()),
            records_max: 0,
            nested_max: 0,
        });
        let write = match &step.change {
            BulkChange::Create { data, mode } => BulkWrite::Create {
                rows: self.rows(root, step.object, data, &mut issues),
                mode: *mode,
            },
            BulkChange::Upsert { data, on, mode } => BulkWrite::Upsert {
                rows: self.rows(root, step.object, data, &mut issues),
                on: *on,
                mode: *mode,
            },
            BulkChange::Update { data, .. } => BulkWrite::Update {
                matching,
                data: match data.render(self.variables) {
                    Some(Json::Object(data)) => {
                        if let Err(beyond) = self.within_nesting(step.object, &data, &mut 0) {
                            issues.extend_at(root.key.as_str(), beyond.under("data"));
                        }
                        data
                    }
                    _ => {
                        let issue = Issue::new("REQUIRED", "`data` must be given");
                        issues.push(issue.at("data").at(root.key.as_str()));
                        Map::new()
                    }
                },
            },
            BulkChange::Delete { .. } => BulkWrite::Delete { matching },
            BulkChange::Restore { .. } => BulkWrite::Restore { matching },
            BulkChange::Destroy { .. } => BulkWrite::Destroy { matching },
        };
        if !issues.is_empty() {
            return Err(Box::new(error_of_issues(issues, &root.key, root.at)));
        }
        Ok(BulkJob {
            object: step.object,
            write,
            members: step.members.clone(),
            reads,
        })
    }

    fn rows(
        &self,
        root: &Root,
        object: ObjectIndex,
        template: &Template,
        issues: &mut Issues,
    ) -> Vec<Map<String, Json>> {
        let items = match template.render(self.variables) {
            Some(Json::Array(items)) => items,
            // One value stands for a list of one.
            Some(single) => vec![single],
            None => Vec::new(),
        };
        let max = self.limits.bulk_rows_max;
        if items.len() > max {
            issues.push(
                Issue::new(
                    "TOO_MANY",
                    format!(
                        "`data` has {} records, one mutation takes at most {max}; send them in parts",
                        items.len()
                    ),
                )
                .with("max", max)
                .at("data")
                .at(root.key.as_str()),
            );
            return Vec::new();
        }
        let mut rows = Vec::with_capacity(items.len());
        let mut nested = 0;
        for (index, item) in items.into_iter().enumerate() {
            let at = |issue: Issue| issue.at(index).at("data").at(root.key.as_str());
            let Json::Object(row) = item else {
                issues.push(at(Issue::new("REQUIRED", "a record is expected, not null")));
                continue;
            };
            if let Err(beyond) = self.within_nesting(object, &row, &mut nested) {
                issues.0.extend(beyond.0.into_iter().map(at));
                // All that follow would be beyond it as well.
                break;
            }
            rows.push(row);
        }
        rows
    }

    /// Refuses data on which too much hangs.
    pub(super) fn within_nesting(
        &self,
        object: ObjectIndex,
        data: &Map<String, Json>,
        count: &mut usize,
    ) -> Result<(), Issues> {
        nested_within(
            &self.state.catalogue,
            object,
            data,
            self.limits.nested(),
            count,
        )
    }
}

impl BulkJob {
    pub(super) async fn run(&self, unit: &Unit) -> Result<Bytes, AppError> {
        let bulk = self.write.run(unit, self.object).await?;
        let mut out = vec![b'{'];
        for (position, member) in self.members.iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            let (key, json) = match member {
                BulkMember::Count { key } => (key, bulk.ids.len().to_string().into_bytes()),
                BulkMember::Errors { key, picked } => {
                    let errors = bulk.errors.iter().map(error_json).collect::<Vec<_>>();
                    (key, picked.apply(&errors.into()).to_string().into_bytes())
                }
                BulkMember::Literal { key, json } => (key, json.clone().into_bytes()),
                BulkMember::Nodes { key, read, size } => {
                    let Some(read) = self.reads.get(*read) else {
                        return Err(AppError::broken("a list of records has no read"));
                    };
                    let (_, parameters) = read;
                    let wanted = usize::try_from(size.rows(parameters)).unwrap_or(usize::MAX);
                    let ids = &bulk.ids[..bulk.ids.len().min(wanted)];
                    (key, nodes(unit, self.object, read, ids).await?)
                }
            };
            // A response key is a name: nothing in it needs escaping.
            out.push(b'"');
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(b"\":");
            out.extend_from_slice(&json);
        }
        out.push(b'}');
        Ok(Bytes::from(out))
    }
}

/// Records by their ids, in their order, as the transaction sees them.
async fn nodes(
    unit: &Unit,
    object: ObjectIndex,
    read: &Reading,
    ids: &[Uuid],
) -> Result<Vec<u8>, AppError> {
    let json = read_back(unit, read, ids_parameter(ids)).await?;
    let list = json
        .strip_prefix(b"{\"nodes\":")
        .and_then(|list| list.strip_suffix(b"}"))
        .ok_or_else(|| AppError::broken("a list of records was written in another form"))?;
    // The read is in the order of ids. That of new records is the order in which they were made.
    if ids.is_sorted() {
        Ok(list.to_vec())
    } else {
        in_order(unit, object, list, ids).await
    }
}

/// A list of records in the order of their ids becomes one in this order.
async fn in_order(
    unit: &Unit,
    object: ObjectIndex,
    list: &[u8],
    ids: &[Uuid],
) -> Result<Vec<u8>, AppError> {
    let nodes: Vec<Json> =
        serde_json::from_slice(list).map_err(|error| AppError::internal(&error))?;
    let mut there = ids.to_vec();
    there.sort_unstable();
    if nodes.len() < there.len() {
        // A hook has destroyed some on the occasion of others.
        let described = unit.catalogue().object(object);
        let records = unit
            .transaction()
            .get_many(described, &there, Lock::None)
            .await?;
        let left: HashSet<Uuid> = records.iter().map(|record| record.id).collect();
        there.retain(|id| left.contains(id));
    }
    let mut by_id: HashMap<Uuid, Json> = there.into_iter().zip(nodes).collect();
    let ordered: Vec<Json> = ids.iter().filter_map(|id| by_id.remove(id)).collect();
    Ok(Json::from(ordered).to_string().into_bytes())
}

fn error_json(row: &RowError) -> Json {
    let issues: Vec<Json> = row
        .issues()
        .under("data")
        .0
        .into_iter()
        .map(|issue| {
            json!({
                "path": issue.path,
                "code": issue.code,
                "message": issue.message,
                "params": issue.params,
            })
        })
        .collect();
    json!({"index": row.index, "issues": issues})
}

impl BulkWrite {
    /// Carries it out. Paths of issues begin at the argument.
    async fn run(&self, unit: &Unit, object: ObjectIndex) -> Result<Bulk, AppError> {
        let changed = |ids: Vec<Uuid>| Bulk {
            ids,
            errors: Vec::new(),
        };
        match self {
            Self::Create { rows, mode } => record_create_bulk(unit, object, rows, *mode)
                .await
                .map_err(|error| error.at("data")),
            Self::Upsert { rows, on, mode } => {
                let described = unit.catalogue().object(object).clone();
                let Some(on) = described.uniques.get(*on) else {
                    return Err(AppError::broken("a unique key is not there"));
                };
                record_upsert_bulk(unit, object, rows, on, *mode)
                    .await
                    .map_err(|error| error.at("data"))
            }
            Self::Update { matching, data } => record_update_where(unit, object, matching, data)
                .await
                .map(changed)
                .map_err(|error| error.at("data")),
            Self::Delete { matching } => record_delete_where(unit, object, matching)
                .await
                .map(changed),
            Self::Restore { matching } => record_restore_where(unit, object, matching)
                .await
                .map(changed),
            Self::Destroy { matching } => record_destroy_where(unit, object, matching)
                .await
                .map(changed),
        }
    }
}
