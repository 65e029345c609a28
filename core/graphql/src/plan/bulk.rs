//! Mutations of many records: which records, what is done to them, and what is selected of the
//! answer.

use relata_app::records::BulkMode;
use relata_catalog::{Issue, Issues, ObjectIndex, Value, capitalised};
use relata_store::{
    filter::{ColumnRef, Deleted, Filter, Operand, Operator, SystemColumn},
    read::{Connection, ConnectionMember, Parameter, Read},
};
use serde_json::Value as Json;

use super::{
    NoPlan, Planner, ReadStep, Step,
    coercer::{CoerceContext, Coercer},
    cost::{Cost, Size},
    draft::Draft,
    inputs::{Slot, Template, Variables, parameters},
    pick::{Pick, Picked},
    prepare::Selected,
};
use crate::schema::bulk::unique_keys;

/// A change of many records.
pub(crate) struct BulkStep {
    pub(crate) object: ObjectIndex,
    pub(crate) change: BulkChange,
    pub(crate) members: Vec<BulkMember>,
    /// Of each `nodes`, in order; the first parameter of each is the list of ids.
    pub(crate) reads: Vec<ReadStep>,
}

/// What is done to the records.
pub(crate) enum BulkChange {
    Create {
        data: Template,
        mode: BulkMode,
    },
    Upsert {
        data: Template,
        /// Position among the object's unique keys.
        on: usize,
        mode: BulkMode,
    },
    Update {
        which: Which,
        data: Template,
    },
    Delete {
        which: Which,
    },
    Restore {
        which: Which,
    },
    Destroy {
        which: Which,
    },
}

impl BulkChange {
    /// By which condition the records are found.
    pub(crate) fn which(&self) -> Option<&Which> {
        match self {
            Self::Create { .. } | Self::Upsert { .. } => None,
            Self::Update { which, .. }
            | Self::Delete { which }
            | Self::Restore { which }
            | Self::Destroy { which } => Some(which),
        }
    }
}

/// A condition, and how its parameters are made.
pub(crate) struct Which {
    filter: Filter,
    slots: Vec<Slot>,
}

impl Which {
    /// The condition of this run; collects what is wrong with its operands.
    pub(crate) fn filter(
        &self,
        variables: &Variables<'_>,
        context: &CoerceContext<'_>,
        issues: &mut Issues,
    ) -> Filter {
        self.filter
            .filled(&parameters(&self.slots, variables, context, issues))
    }
}

/// A member of the answer.
#[derive(Debug, Clone)]
pub(crate) enum BulkMember {
    Count {
        key: String,
    },
    Nodes {
        key: String,
        /// Position in [`BulkStep::reads`].
        read: usize,
        /// How many of them.
        size: Size,
    },
    Errors {
        key: String,
        picked: Picked,
    },
    Literal {
        key: String,
        json: String,
    },
}

const VERBS: [&str; 6] = ["create", "upsert", "update", "delete", "restore", "destroy"];

impl<'v> Planner<'v> {
    /// `createCompanies` and the like. None: it is no such field.
    pub(super) fn bulk(
        &self,
        draft: &mut Draft<'_, 'v>,
        field: &Selected<'v>,
    ) -> Result<Option<Step>, NoPlan> {
        let found = VERBS.iter().find_map(|verb| {
            let rest = field.name().strip_prefix(verb)?;
            let position = self
                .catalogue
                .objects
                .iter()
                .position(|object| capitalised(&object.plural) == rest)?;
            Some((*verb, ObjectIndex(position)))
        });
        let Some((verb, object)) = found else {
            return Ok(None);
        };
        let type_name = self.schema.names.type_name(object);
        let change = match verb {
            "create" => BulkChange::Create {
                data: self.data(draft, field, &format!("[{type_name}Create!]!")),
                mode: mode(draft, field),
            },
            "upsert" => BulkChange::Upsert {
                data: self.data(draft, field, &format!("[{type_name}Create!]!")),
                on: self.unique(draft, object, type_name, field),
                mode: mode(draft, field),
            },
            "update" => BulkChange::Update {
                which: which(draft, object, type_name, field),
                data: self.data(draft, field, &format!("{type_name}Update!")),
            },
            "delete" => BulkChange::Delete {
                which: which(draft, object, type_name, field),
            },
            "restore" => BulkChange::Restore {
                which: which(draft, object, type_name, field),
            },
            _ => BulkChange::Destroy {
                which: which(draft, object, type_name, field),
            },
        };
        let mut members = Vec::new();
        let mut reads = Vec::new();
        for member in draft.selected(&field.sets, &format!("{type_name}Bulk"), &[]) {
            let key = member.key.to_owned();
            let planned = match member.name() {
                "count" => BulkMember::Count { key },
                "errors" => BulkMember::Errors {
                    key,
                    picked: draft.inside(member.key, |draft| errors(draft, &member)),
                },
                "nodes" => {
                    draft.path.push(member.key.into());
                    let (step, size) = self.bulk_nodes(draft, object, &member)?;
                    draft.path.pop();
                    reads.push(step);
                    BulkMember::Nodes {
                        key,
                        read: reads.len() - 1,
                        size,
                    }
                }
                _ => BulkMember::Literal {
                    key,
                    json: super::quoted(&format!("{type_name}Bulk")),
                },
            };
            members.push(planned);
        }
        Ok(Some(Step::Bulk(Box::new(BulkStep {
            object,
            change,
            members,
            reads,
        }))))
    }

    fn data(&self, draft: &mut Draft<'_, 'v>, field: &Selected<'v>, ty: &str) -> Template {
        match draft.argument(field, "data", ty) {
            Some(input) => input.template(self.variables),
            // It has been refused by the validator, or collected just now.
            None => Template::Known(Json::Null),
        }
    }

    /// The key by which records are found again.
    fn unique(
        &self,
        draft: &mut Draft<'_, 'v>,
        object: ObjectIndex,
        type_name: &str,
        field: &Selected<'v>,
    ) -> usize {
        let given = draft
            .argument(field, "on", &format!("{type_name}Unique!"))
            .and_then(|input| input.structural());
        let keys = unique_keys(self.catalogue.object(object));
        let found = keys
            .into_iter()
            .find(|(name, _)| given.as_ref().and_then(Json::as_str) == Some(name.as_str()));
        match found {
            Some((_, position)) => position,
            None => {
                // Where it is wrong, that has been said.
                if draft.issues.is_empty() {
                    draft.issue(Issue::new("REQUIRED", "`on` must be given").at("on"));
                }
                0
            }
        }
    }

    /// Records by their ids, which no client gives: the first parameter.
    fn bulk_nodes(
        &self,
        draft: &mut Draft<'_, 'v>,
        object: ObjectIndex,
        member: &Selected<'v>,
    ) -> Result<(ReadStep, Size), NoPlan> {
        draft.slots.push(Slot::new(
            Template::Known(Json::Null),
            Coercer::Cursor,
            false,
            draft.path.clone(),
        ));
        let (page, size) = draft.page(member, self.limits.page_default);
        let mut inner = Vec::new();
        let members = draft.record(object, &member.sets, &mut inner);
        let read = Read::Many(Connection {
            object,
            via: None,
            filter: Filter::Compare {
                column: ColumnRef::System(SystemColumn::Id),
                operator: Operator::In,
                operand: Operand::Parameter(0),
            },
            order: Vec::new(),
            page,
            deleted: Deleted::Include,
            members: vec![ConnectionMember::Nodes {
                key: "nodes".to_owned(),
                members,
            }],
        });
        let step = self.compiled(draft, &read, Cost { size, inner })?;
        Ok((step, size))
    }
}

/// Which records, by the same conditions as in lists. Its parameters are its own, so they are
/// taken before anything else of the field has any.
fn which<'v>(
    draft: &mut Draft<'_, 'v>,
    object: ObjectIndex,
    type_name: &str,
    field: &Selected<'v>,
) -> Which {
    let all = draft
        .argument(field, "all", "Boolean")
        .and_then(|input| input.structural());
    let found = draft.issues.0.len();
    let filter = match draft.argument(field, "where", &format!("{type_name}Filter!")) {
        Some(input) => draft.inside("where", |draft| draft.filter(object, &input, 1)),
        None => super::filter::everything(),
    };
    if filter.is_unconditional() && all != Some(Json::Bool(true)) && draft.issues.0.len() == found {
        draft.inside("where", |draft| {
            draft.issue(Issue::new(
                "EMPTY_WHERE",
                "there is no condition, so every record would be meant; if that is wanted, add `all: true`",
            ));
        });
    }
    Which {
        filter,
        slots: std::mem::take(&mut draft.slots),
    }
}

fn mode<'v>(draft: &mut Draft<'_, 'v>, field: &Selected<'v>) -> BulkMode {
    let given = draft
        .argument(field, "mode", "BulkMode")
        .and_then(|input| input.structural());
    match given {
        Some(Json::String(mode)) if mode == "PARTIAL" => BulkMode::Partial,
        _ => BulkMode::AllOrNone,
    }
}

fn errors<'v>(draft: &mut Draft<'_, 'v>, member: &Selected<'v>) -> Picked {
    let picks = draft
        .selected(&member.sets, "BulkError", &[])
        .iter()
        .map(|error| Pick {
            key: error.key.to_owned(),
            name: error.name().to_owned(),
            picked: match error.name() {
                "issues" => Picked::Object(
                    draft
                        .selected(&error.sets, "Bulk_Issue", &[])
                        .iter()
                        .map(|issue| Pick {
                            key: issue.key.to_owned(),
                            name: issue.name().to_owned(),
                            picked: match issue.name() {
                                "__typename" => Picked::Literal("Bulk_Issue".to_owned()),
                                _ => Picked::Leaf,
                            },
                        })
                        .collect(),
                ),
                "__typename" => Picked::Literal("BulkError".to_owned()),
                _ => Picked::Leaf,
            },
        })
        .collect();
    Picked::Object(picks)
}

/// The ids of records as a parameter of the read of `nodes`.
pub(crate) fn ids_parameter(ids: &[uuid::Uuid]) -> Parameter {
    Parameter::List(ids.iter().copied().map(Value::Reference).collect())
}
