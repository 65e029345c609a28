//! What is looked for by words, or for being the same, and what is selected of each hit.
//!
//! Which records they are is known only when it runs: so there is a read of one record for each
//! object, and a hit runs that of its own.

use async_graphql::parser::types::SelectionSet;
use relata_catalog::{ObjectIndex, Value};
use relata_store::{filter::Operand, read::Parameter};
use uuid::Uuid;

use super::{
    NoPlan, Planner, ReadStep, Step,
    coercer::Coercer,
    draft::Draft,
    inputs::{Slot, Template},
    pick::{Pick, Picked},
    prepare::Selected,
};

/// A search and what is answered of it.
pub(crate) struct SearchStep {
    pub(crate) query: Template,
    pub(crate) objects: Option<Template>,
    pub(crate) first: Option<Template>,
    pub(crate) after: Option<Template>,
    pub(crate) members: Vec<SearchMember>,
    /// For each `node` or `nodes` that is selected: the read of a record, by object. The first
    /// parameter is the id.
    pub(crate) nodes: Vec<Vec<ReadStep>>,
    /// Whether anybody wants to know where the words are.
    pub(crate) has_highlights: bool,
}

/// A member of the answer.
pub(crate) struct SearchMember {
    /// Response key.
    pub(crate) key: String,
    pub(crate) kind: SearchMemberKind,
}

pub(crate) enum SearchMemberKind {
    Edges(Vec<EdgeMember>),
    /// Position in [`SearchStep::nodes`].
    Nodes(usize),
    PageInfo(Vec<Pick>),
    TotalCount,
    /// Known beforehand (`__typename`).
    Literal(&'static str),
}

/// A member of an edge.
pub(crate) struct EdgeMember {
    /// Response key.
    pub(crate) key: String,
    pub(crate) kind: EdgeMemberKind,
}

pub(crate) enum EdgeMemberKind {
    /// Position in [`SearchStep::nodes`].
    Node(usize),
    Cursor,
    Score,
    Highlights(Picked),
    /// Known beforehand (`__typename`).
    Literal(&'static str),
}

/// Records that may be the same as another.
pub(crate) struct DuplicatesStep {
    pub(crate) object: ObjectIndex,
    pub(crate) of: Template,
    pub(crate) first: Option<Template>,
    pub(crate) members: Vec<MatchMember>,
    /// For each `node` that is selected. The first parameter is the id.
    pub(crate) nodes: Vec<ReadStep>,
}

/// A member of a match.
pub(crate) struct MatchMember {
    /// Response key.
    pub(crate) key: String,
    pub(crate) kind: MatchMemberKind,
}

pub(crate) enum MatchMemberKind {
    /// Position in [`DuplicatesStep::nodes`].
    Node(usize),
    Score,
    Reasons(Picked),
    /// Known beforehand (`__typename`).
    Literal(String),
}

impl SearchStep {
    /// The parameters of a hit's read: those of the request, and the id.
    pub(crate) fn of_hit(parameters: &[Parameter], id: Uuid) -> Vec<Parameter> {
        let mut parameters = parameters.to_vec();
        if let Some(first) = parameters.first_mut() {
            *first = Parameter::Value(Value::Reference(id));
        }
        parameters
    }
}

impl<'v> Planner<'v> {
    pub(super) fn search(
        &self,
        draft: &mut Draft<'_, 'v>,
        field: &Selected<'v>,
    ) -> Result<Step, NoPlan> {
        let mut template = |name: &str, ty: &str| {
            draft
                .argument(field, name, ty)
                .filter(|input| !input.is_null())
                .map(|input| input.template(self.variables))
        };
        let mut step = SearchStep {
            query: template("query", "String!").unwrap_or(Template::Known(serde_json::Value::Null)),
            objects: template("objects", "[String!]"),
            first: template("first", "Int"),
            after: template("after", "String"),
            members: Vec::new(),
            nodes: Vec::new(),
            has_highlights: false,
        };
        for member in draft.selected(&field.sets, "SearchConnection", &[]) {
            draft.path.push(member.key.into());
            let kind = match member.name() {
                "edges" => SearchMemberKind::Edges(self.search_edges(draft, &member, &mut step)?),
                "nodes" => SearchMemberKind::Nodes(self.hit(draft, &member, &mut step)?),
                "pageInfo" => SearchMemberKind::PageInfo(picks(draft, &member.sets, "PageInfo")),
                "totalCount" => SearchMemberKind::TotalCount,
                _ => SearchMemberKind::Literal("SearchConnection"),
            };
            draft.path.pop();
            step.members.push(SearchMember {
                key: member.key.to_owned(),
                kind,
            });
        }
        Ok(Step::Search(Box::new(step)))
    }

    /// `companyDuplicates`, where the field is one.
    pub(super) fn duplicates(
        &self,
        draft: &mut Draft<'_, 'v>,
        field: &Selected<'v>,
    ) -> Result<Option<Step>, NoPlan> {
        let Some(name) = field.name().strip_suffix("Duplicates") else {
            return Ok(None);
        };
        let Some((object, _)) = self.catalogue.object_named(name) else {
            return Ok(None);
        };
        let type_name = self.schema.names.type_name(object);
        let mut template = |name: &str, ty: &str| {
            draft
                .argument(field, name, ty)
                .filter(|input| !input.is_null())
                .map(|input| input.template(self.variables))
        };
        let of = template("of", &format!("{type_name}MatchInput!"));
        let first = template("first", "Int");
        let mut step = DuplicatesStep {
            object,
            of: of.unwrap_or(Template::Known(serde_json::Value::Null)),
            first,
            members: Vec::new(),
            nodes: Vec::new(),
        };
        let match_type = format!("{type_name}Match");
        for member in draft.selected(&field.sets, &match_type, &[]) {
            draft.path.push(member.key.into());
            let kind = match member.name() {
                "node" => {
                    step.nodes.push(self.hit_of(draft, object, &member)?);
                    MatchMemberKind::Node(step.nodes.len() - 1)
                }
                "score" => MatchMemberKind::Score,
                "reasons" => MatchMemberKind::Reasons(Picked::Object(picks(
                    draft,
                    &member.sets,
                    "Match_Reason",
                ))),
                _ => MatchMemberKind::Literal(match_type.clone()),
            };
            draft.path.pop();
            step.members.push(MatchMember {
                key: member.key.to_owned(),
                kind,
            });
        }
        Ok(Some(Step::Duplicates(Box::new(step))))
    }

    fn search_edges(
        &self,
        draft: &mut Draft<'_, 'v>,
        field: &Selected<'v>,
        step: &mut SearchStep,
    ) -> Result<Vec<EdgeMember>, NoPlan> {
        let mut members = Vec::new();
        for member in draft.selected(&field.sets, "SearchEdge", &[]) {
            draft.path.push(member.key.into());
            let kind = match member.name() {
                "node" => EdgeMemberKind::Node(self.hit(draft, &member, step)?),
                "cursor" => EdgeMemberKind::Cursor,
                "score" => EdgeMemberKind::Score,
                "highlights" => {
                    step.has_highlights = true;
                    EdgeMemberKind::Highlights(highlights(draft, &member.sets))
                }
                _ => EdgeMemberKind::Literal("SearchEdge"),
            };
            draft.path.pop();
            members.push(EdgeMember {
                key: member.key.to_owned(),
                kind,
            });
        }
        Ok(members)
    }

    /// What is selected of the record of a hit; gives its position.
    fn hit(
        &self,
        draft: &mut Draft<'_, 'v>,
        field: &Selected<'v>,
        step: &mut SearchStep,
    ) -> Result<usize, NoPlan> {
        let mut reads = Vec::with_capacity(self.catalogue.objects.len());
        for position in 0..self.catalogue.objects.len() {
            reads.push(self.hit_of(draft, ObjectIndex(position), field)?);
        }
        step.nodes.push(reads);
        Ok(step.nodes.len() - 1)
    }

    /// The same of a record of one object.
    pub(super) fn hit_of(
        &self,
        draft: &mut Draft<'_, 'v>,
        object: ObjectIndex,
        field: &Selected<'v>,
    ) -> Result<ReadStep, NoPlan> {
        // The first parameter is the id, which no client gives.
        draft.slots.push(Slot::new(
            Template::Known(serde_json::Value::Null),
            Coercer::Cursor,
            false,
            draft.path.clone(),
        ));
        self.one(draft, object, Operand::Parameter(0), field)
    }
}

pub(super) fn picks<'v>(
    draft: &mut Draft<'_, 'v>,
    sets: &[&'v SelectionSet],
    type_name: &str,
) -> Vec<Pick> {
    draft
        .selected(sets, type_name, &[])
        .iter()
        .map(|member| Pick {
            key: member.key.to_owned(),
            name: member.name().to_owned(),
            picked: match member.name() {
                "__typename" => Picked::Literal(type_name.to_owned()),
                "ranges" => Picked::Object(picks(draft, &member.sets, "Search_Range")),
                "reasons" => Picked::Object(picks(draft, &member.sets, "Match_Reason")),
                _ => Picked::Leaf,
            },
        })
        .collect()
}

fn highlights<'v>(draft: &mut Draft<'_, 'v>, sets: &[&'v SelectionSet]) -> Picked {
    Picked::Object(picks(draft, sets, "Search_Highlight"))
}
