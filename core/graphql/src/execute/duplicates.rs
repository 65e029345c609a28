//! Duplicates over a whole object: a page of sets, and what is selected of their records.

use std::collections::HashMap;

use bytes::Bytes;
use relata_app::{
    AppError,
    duplicates::sets::{SetOfDuplicates, SetsPage, SetsRequest, duplicate_sets},
};
use relata_catalog::{Issues, ObjectIndex, format_instant};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{
    Reading, Run, failed,
    search::{Writing, reasons_of, rounded},
};
use crate::{
    errors::GraphqlError,
    plan::{
        Root,
        duplicates::{DuplicateSetsStep, SetMemberKind, SetsMemberKind},
        inputs::Template,
        pick,
        search::SearchStep,
    },
};

impl Run<'_> {
    pub(super) async fn duplicate_sets(
        &self,
        root: &Root,
        step: &DuplicateSetsStep,
    ) -> Result<Bytes, Box<GraphqlError>> {
        let page = duplicate_sets(
            self.workspace,
            self.state,
            self.caller,
            step.object,
            &self.sets_request(step),
        )
        .await
        .map_err(|error| failed(root, &error.at(root.key.as_str())))?;
        let ids: Vec<Uuid> = page.sets.iter().flat_map(|set| &set.ids).copied().collect();
        let mut reads: Vec<Reading> = Vec::with_capacity(step.nodes.len() * ids.len());
        let mut issues = Issues::default();
        let mut rows_all = 0_u64;
        for read in &step.nodes {
            let (parameters, rows) = self.parameters(read, &mut issues);
            rows_all = rows_all.saturating_add(rows.saturating_mul(ids.len() as u64));
            reads.extend(ids.iter().map(|id| {
                let parameters = SearchStep::of_hit(&parameters, *id);
                (read.compiled.clone(), parameters)
            }));
        }
        let read = self.hits_read(root, reads, issues, rows_all).await?;
        let nodes: Vec<HashMap<Uuid, &[u8]>> = (0..step.nodes.len())
            .map(|selection| {
                let of_one = &read[selection * ids.len()..][..ids.len()];
                ids.iter()
                    .copied()
                    .zip(of_one.iter().map(Vec::as_slice))
                    .collect()
            })
            .collect();
        Ok(Bytes::from(written(step, &page, &nodes)))
    }

    fn sets_request(&self, step: &DuplicateSetsStep) -> SetsRequest {
        let given = |template: &Option<Template>| template.as_ref()?.render(self.variables);
        SetsRequest {
            first: given(&step.first).and_then(|first| first.as_i64()),
            after: given(&step.after).and_then(|after| after.as_str().map(str::to_owned)),
            score_min: given(&step.score_min).and_then(|score| score.as_f64()),
        }
    }

    /// The ids that a list of them names.
    pub(super) fn ids_of(
        &self,
        object: ObjectIndex,
        template: &Template,
    ) -> Result<Vec<Uuid>, AppError> {
        match template.render(self.variables).unwrap_or_default() {
            Json::Array(ids) => ids.iter().map(|id| self.id_in(object, id)).collect(),
            // One value stands for a list of one.
            single => Ok(vec![self.id_in(object, &single)?]),
        }
    }
}

fn written(step: &DuplicateSetsStep, page: &SetsPage, nodes: &[HashMap<Uuid, &[u8]>]) -> Vec<u8> {
    // A record that has gone between the two readings takes its set with it.
    let is_there = |set: &&SetOfDuplicates| {
        let mut all = nodes.iter();
        all.all(|of_one| set.ids.iter().all(|id| of_one[id] != b"null"))
    };
    let mut out = Writing::default();
    out.open(b'{');
    for member in &step.members {
        out.key(&member.key);
        match &member.kind {
            SetsMemberKind::Sets(members) => {
                out.open(b'[');
                for set in page.sets.iter().filter(is_there) {
                    out.item();
                    out.open(b'{');
                    for member in members {
                        out.key(&member.key);
                        match &member.kind {
                            SetMemberKind::Score => out.json(&rounded(set.score)),
                            SetMemberKind::Records(selection) => {
                                out.open(b'[');
                                for id in &set.ids {
                                    out.item();
                                    out.raw(nodes[*selection][id]);
                                }
                                out.close(b']');
                            }
                            SetMemberKind::Pairs(picked) => {
                                out.json(&picked.apply(&pairs_of(set)));
                            }
                            SetMemberKind::Literal(name) => out.json(&name.as_str().into()),
                        }
                    }
                    out.close(b'}');
                }
                out.close(b']');
            }
            SetsMemberKind::PageInfo(picks) => {
                let info = json!({
                    "hasNextPage": page.has_next,
                    "hasPreviousPage": page.has_previous,
                    "startCursor": page.start_cursor,
                    "endCursor": page.end_cursor,
                });
                if let Json::Object(info) = &info {
                    out.json(&pick::apply(picks, info));
                }
            }
            SetsMemberKind::FoundAt => {
                out.json(&page.found_at.map(format_instant).into());
            }
            SetsMemberKind::Literal(name) => out.json(&name.as_str().into()),
        }
    }
    out.close(b'}');
    out.bytes()
}

fn pairs_of(set: &SetOfDuplicates) -> Json {
    set.pairs
        .iter()
        .map(|pair| {
            json!({
                "mine": pair.mine.to_string(),
                "theirs": pair.theirs.to_string(),
                "score": rounded(pair.score),
                "reasons": reasons_of(&pair.reasons),
            })
        })
        .collect()
}
