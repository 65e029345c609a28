//! A search in a query, for words or for duplicates: hits from the index, and what is selected of each from the database.
//!
//! A hit whose record is no longer there is left out, so a page may have fewer than were asked for.

use bytes::Bytes;
use relata_app::{
    AppError,
    duplicates::{self, FIRST_MAX, Match, Of, rules::Reason},
    search::{Highlight, SearchHit, SearchPage, SearchRequest, highlights, search},
};
use relata_catalog::Issues;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{Reading, Run, failed, rows_error};
use crate::{
    errors::GraphqlError,
    plan::{
        ReadStep, Root, error_of_issues,
        inputs::Template,
        pick,
        search::{
            DuplicatesStep, EdgeMember, EdgeMemberKind, MatchMemberKind, SearchMemberKind,
            SearchStep,
        },
    },
};

impl Run<'_> {
    pub(super) async fn search(
        &self,
        root: &Root,
        step: &SearchStep,
    ) -> Result<Bytes, Box<GraphqlError>> {
        let page = search(self.workspace, self.state, &self.search_request(step))
            .await
            .map_err(|error| {
                // Paths of issues begin at the arguments.
                failed(root, &error.at(root.key.as_str()))
            })?;
        let nodes = self.search_nodes(root, step, &page).await?;
        let marked = self
            .search_highlights(step, &page)
            .await
            .map_err(|error| failed(root, &error))?;
        Ok(Bytes::from(written(step, &page, &nodes, &marked)))
    }

    fn search_request(&self, step: &SearchStep) -> SearchRequest {
        let given = |template: &Option<Template>| -> Option<Json> {
            let value = template.as_ref()?.render(self.variables)?;
            (!value.is_null()).then_some(value)
        };
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        SearchRequest {
            query: step
                .query
                .render(self.variables)
                .as_ref()
                .map(text)
                .unwrap_or_default(),
            objects: given(&step.objects).map(|objects| match &objects {
                Json::Array(names) => names.iter().map(text).collect(),
                // One value stands for a list of one.
                single => vec![text(single)],
            }),
            first: given(&step.first).and_then(|first| first.as_i64()),
            after: given(&step.after).as_ref().map(text),
        }
    }

    /// What is selected of the record of each hit, by selection; empty where there is none.
    async fn search_nodes(
        &self,
        root: &Root,
        step: &SearchStep,
        page: &SearchPage,
    ) -> Result<Vec<Vec<Bytes>>, Box<GraphqlError>> {
        let mut reads: Vec<Reading> = Vec::with_capacity(step.nodes.len() * page.hits.len());
        let mut issues = Issues::default();
        let mut rows_all = 0_u64;
        for by_object in &step.nodes {
            let parameters: Vec<_> = by_object
                .iter()
                .map(|read: &ReadStep| self.parameters(read, &mut issues))
                .collect();
            for hit in &page.hits {
                let (parameters, rows) = &parameters[hit.object.0];
                rows_all = rows_all.saturating_add(*rows);
                let compiled = by_object[hit.object.0].compiled.clone();
                reads.push((compiled, SearchStep::of_hit(parameters, hit.id)));
            }
        }
        let mut read = self
            .hits_read(root, reads, issues, rows_all)
            .await?
            .into_iter();
        Ok(step
            .nodes
            .iter()
            .map(|_| {
                let of_one = read.by_ref().take(page.hits.len());
                of_one.map(Bytes::from).collect()
            })
            .collect())
    }

    /// Reads what is selected of hits, within the limit of rows.
    pub(super) async fn hits_read(
        &self,
        root: &Root,
        reads: Vec<Reading>,
        issues: Issues,
        rows: u64,
    ) -> Result<Vec<Vec<u8>>, Box<GraphqlError>> {
        if !issues.is_empty() {
            return Err(Box::new(error_of_issues(issues, &root.key, root.at)));
        }
        if rows > self.limits.rows_max {
            let mut error = rows_error(rows, self.limits.rows_max);
            error.path = vec![root.key.as_str().into()];
            return Err(Box::new(error));
        }
        if reads.is_empty() {
            return Ok(Vec::new());
        }
        self.workspace
            .reader()
            .run(&reads, self.state.directory.clone())
            .await
            .map_err(|error| failed(root, &AppError::from(error)))
    }

    pub(super) async fn duplicates(
        &self,
        root: &Root,
        step: &DuplicatesStep,
    ) -> Result<Bytes, Box<GraphqlError>> {
        let matches = self
            .matches(step)
            .await
            .map_err(|error| failed(root, &error.at(root.key.as_str())))?;
        let mut reads: Vec<Reading> = Vec::with_capacity(step.nodes.len() * matches.len());
        let mut issues = Issues::default();
        let mut rows_all = 0_u64;
        for read in &step.nodes {
            let (parameters, rows) = self.parameters(read, &mut issues);
            rows_all = rows_all.saturating_add(rows.saturating_mul(matches.len() as u64));
            reads.extend(matches.iter().map(|found| {
                let parameters = SearchStep::of_hit(&parameters, found.id);
                (read.compiled.clone(), parameters)
            }));
        }
        let read = self.hits_read(root, reads, issues, rows_all).await?;
        let node = |selection: usize, place: usize| &read[selection * matches.len() + place];
        let mut out = Writing::default();
        out.open(b'[');
        for (place, found) in matches.iter().enumerate() {
            if (0..step.nodes.len()).any(|selection| node(selection, place) == b"null") {
                continue;
            }
            out.item();
            out.open(b'{');
            for member in &step.members {
                out.key(&member.key);
                match &member.kind {
                    MatchMemberKind::Node(selection) => {
                        out.bytes.extend_from_slice(node(*selection, place));
                    }
                    MatchMemberKind::Score => out.json(&rounded(found.score)),
                    MatchMemberKind::Reasons(picked) => {
                        out.json(&picked.apply(&reasons_of(&found.reasons)));
                    }
                    MatchMemberKind::Literal(name) => out.json(&name.as_str().into()),
                }
            }
            out.close(b'}');
        }
        out.close(b']');
        Ok(Bytes::from(out.bytes))
    }

    async fn matches(&self, step: &DuplicatesStep) -> Result<Vec<Match>, AppError> {
        let of = match step.of.render(self.variables) {
            Some(Json::Object(mut of)) => match (of.remove("id"), of.remove("data")) {
                (Some(Json::String(id)), _) => match Uuid::parse_str(&id) {
                    Ok(id) => Of::Record(id),
                    // What is no id is the id of nothing.
                    Err(_) => return Ok(Vec::new()),
                },
                (_, Some(Json::Object(data))) => Of::Data(data),
                _ => return Ok(Vec::new()),
            },
            _ => return Ok(Vec::new()),
        };
        let first = match &step.first {
            Some(first) => first
                .render(self.variables)
                .and_then(|first| first.as_i64()),
            None => None,
        };
        let first = match first.map(usize::try_from) {
            None => FIRST_DEFAULT,
            Some(Ok(first)) if first <= FIRST_MAX => first,
            Some(_) => {
                let issue = relata_catalog::Issue::new(
                    "OUT_OF_RANGE",
                    format!("0 to {FIRST_MAX} duplicates are answered"),
                )
                .with("max", FIRST_MAX);
                return Err(AppError::bad_input_issues(issue.at("first").into()));
            }
        };
        duplicates::duplicates(
            self.workspace,
            self.state,
            self.caller,
            step.object,
            &of,
            first,
        )
        .await
        .map_err(|error| match of {
            Of::Data(_) => error.at("data").at("of"),
            Of::Record(_) => error,
        })
    }

    async fn search_highlights(
        &self,
        step: &SearchStep,
        page: &SearchPage,
    ) -> Result<Vec<Vec<Highlight>>, AppError> {
        if !step.has_highlights || page.hits.is_empty() {
            return Ok(vec![Vec::new(); page.hits.len()]);
        }
        let unit = self.workspace.snapshot(self.caller).await?;
        if unit.state().revision != self.state.revision {
            // Positions of objects are of another catalogue by now.
            return Err(AppError::Conflict);
        }
        highlights(&unit, page).await
    }
}

/// Duplicates that are answered where nobody says how many.
const FIRST_DEFAULT: usize = 20;

/// Two digits are as exact as such a figure is.
pub(super) fn rounded(score: f64) -> Json {
    ((score * 100.0).round() / 100.0).into()
}

pub(super) fn reasons_of(reasons: &[Reason]) -> Json {
    reasons
        .iter()
        .map(|reason| {
            json!({
                "rule": reason.rule,
                "score": rounded(reason.score),
                "mine": reason.mine,
                "theirs": reason.theirs,
            })
        })
        .collect()
}

/// The answer's JSON.
fn written(
    step: &SearchStep,
    page: &SearchPage,
    nodes: &[Vec<Bytes>],
    marked: &[Vec<Highlight>],
) -> Vec<u8> {
    let is_there = |place: usize| nodes.iter().all(|of_one| of_one[place] != "null");
    let there: Vec<usize> = (0..page.hits.len())
        .filter(|place| is_there(*place))
        .collect();
    let mut out = Writing::default();
    out.open(b'{');
    for member in &step.members {
        out.key(&member.key);
        match &member.kind {
            SearchMemberKind::Edges(members) => {
                out.open(b'[');
                for place in &there {
                    out.item();
                    edge(&mut out, members, &page.hits[*place], *place, nodes, marked);
                }
                out.close(b']');
            }
            SearchMemberKind::Nodes(selection) => {
                out.open(b'[');
                for place in &there {
                    out.item();
                    out.bytes.extend_from_slice(&nodes[*selection][*place]);
                }
                out.close(b']');
            }
            SearchMemberKind::PageInfo(picks) => {
                let cursor = |hit: Option<&SearchHit>| hit.map(SearchHit::cursor);
                let info = json!({
                    "hasNextPage": page.has_next,
                    "hasPreviousPage": page.has_previous,
                    "startCursor": cursor(page.hits.first()),
                    "endCursor": cursor(page.hits.last()),
                });
                if let Json::Object(info) = &info {
                    out.json(&pick::apply(picks, info));
                }
            }
            SearchMemberKind::TotalCount => out.json(&page.total.into()),
            SearchMemberKind::Literal(name) => out.json(&(*name).into()),
        }
    }
    out.close(b'}');
    out.bytes
}

fn edge(
    out: &mut Writing,
    members: &[EdgeMember],
    hit: &SearchHit,
    place: usize,
    nodes: &[Vec<Bytes>],
    marked: &[Vec<Highlight>],
) {
    out.open(b'{');
    for member in members {
        out.key(&member.key);
        match &member.kind {
            EdgeMemberKind::Node(selection) => {
                out.bytes.extend_from_slice(&nodes[*selection][place]);
            }
            EdgeMemberKind::Cursor => out.json(&hit.cursor().into()),
            EdgeMemberKind::Score => out.json(&hit.score.into()),
            EdgeMemberKind::Highlights(picked) => {
                let highlights: Vec<Json> = marked[place].iter().map(json_of).collect();
                out.json(&picked.apply(&Json::Array(highlights)));
            }
            EdgeMemberKind::Literal(name) => out.json(&(*name).into()),
        }
    }
    out.close(b'}');
}

fn json_of(highlight: &Highlight) -> Json {
    let ranges: Vec<Json> = highlight
        .ranges
        .iter()
        .map(|range| json!({"start": range.start, "end": range.end}))
        .collect();
    json!({"field": highlight.field, "text": highlight.text, "ranges": ranges})
}

/// JSON that has parts which are written already.
#[derive(Default)]
pub(super) struct Writing {
    bytes: Vec<u8>,
}

impl Writing {
    pub(super) fn open(&mut self, bracket: u8) {
        self.bytes.push(bracket);
    }

    pub(super) fn close(&mut self, bracket: u8) {
        self.bytes.push(bracket);
    }

    /// A comma, unless it is the first of its list or object.
    pub(super) fn item(&mut self) {
        if !matches!(self.bytes.last(), Some(b'[' | b'{')) {
            self.bytes.push(b',');
        }
    }

    /// A response key is a name: nothing in it needs escaping.
    pub(super) fn key(&mut self, key: &str) {
        self.item();
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(key.as_bytes());
        self.bytes.extend_from_slice(b"\":");
    }

    /// JSON as it is written already.
    pub(super) fn raw(&mut self, json: &[u8]) {
        self.bytes.extend_from_slice(json);
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn json(&mut self, json: &Json) {
        self.bytes.extend_from_slice(json.to_string().as_bytes());
    }
}
