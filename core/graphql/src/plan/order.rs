//! `orderBy:` to terms.

use relata_catalog::{FieldIndex, Issue, Kind, ObjectIndex};
use relata_store::filter::{ColumnRef, Direction, Nulls, OrderTerm, SystemColumn};
use serde_json::Value as Json;

use super::{
    draft::Draft,
    inputs::{Input, null_operand},
};

impl<'v> Draft<'_, 'v> {
    /// The terms, most important first.
    pub(crate) fn order(&mut self, object: ObjectIndex, input: &Input<'v>) -> Vec<OrderTerm> {
        if input.is_null() {
            return Vec::new();
        }
        self.terms("lists", input, |draft, item| {
            draft.term(object, item, Vec::new())
        })
    }

    /// The terms by which something is ordered, each by `term`.
    pub(crate) fn terms<T>(
        &mut self,
        what: &str,
        input: &Input<'v>,
        mut term: impl FnMut(&mut Self, &Input<'v>) -> Option<T>,
    ) -> Vec<T> {
        let items = input.items(self.planner.variables);
        let max = self.planner.limits.order_terms_max;
        if items.len() > max {
            self.issue(
                Issue::new(
                    "TOO_MANY",
                    format!("{what} are ordered by at most {max} terms"),
                )
                .with("max", max),
            );
            return Vec::new();
        }
        let mut terms = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            terms.extend(self.inside(index, |draft| term(draft, item)));
        }
        terms
    }

    fn term(
        &mut self,
        object: ObjectIndex,
        input: &Input<'v>,
        through: Vec<FieldIndex>,
    ) -> Option<OrderTerm> {
        let (name, value) = self.only_entry(input)?;
        self.inside(name, |draft| draft.by_name(object, name, &value, through))
    }

    fn by_name(
        &mut self,
        object: ObjectIndex,
        name: &str,
        value: &Input<'v>,
        mut through: Vec<FieldIndex>,
    ) -> Option<OrderTerm> {
        if value.is_null() {
            self.issue(null_operand());
            return None;
        }
        let system = match name {
            "id" => Some(SystemColumn::Id),
            "version" => Some(SystemColumn::Version),
            "createdAt" => Some(SystemColumn::CreatedAt),
            "updatedAt" => Some(SystemColumn::UpdatedAt),
            "deletedAt" => Some(SystemColumn::DeletedAt),
            _ => None,
        };
        let column = if let Some(column) = system {
            ColumnRef::System(column)
        } else {
            let catalogue = self.planner.catalogue;
            let Some((index, field)) = catalogue.object(object).field_named(name) else {
                self.issue(Issue::new("UNKNOWN_FIELD", format!("there is no `{name}`")));
                return None;
            };
            if let Kind::Relation(relation) = field.shown() {
                let (target, _) = catalogue.object_keyed(&relation.target)?;
                through.push(index);
                let max = self.planner.limits.order_depth_max;
                if through.len() > max {
                    self.issue(
                        Issue::new(
                            "TOO_DEEP",
                            format!("an order follows at most {max} relations"),
                        )
                        .with("max", max),
                    );
                    return None;
                }
                return self.term(target, value, through);
            }
            if matches!(field.shown(), Kind::File { .. }) {
                let (part, value) = self.only_entry(value)?;
                let column = ColumnRef::Field {
                    field: index,
                    part: if part == "size" { 4 } else { 1 },
                };
                return Some(term_by(through, column, &value));
            }
            ColumnRef::Field {
                field: index,
                part: 0,
            }
        };
        Some(term_by(through, column, value))
    }
}

fn term_by(through: Vec<FieldIndex>, column: ColumnRef, value: &Input<'_>) -> OrderTerm {
    let (direction, nulls) = direction(value.structural().as_ref());
    OrderTerm {
        through,
        column,
        direction,
        nulls,
    }
}

pub(crate) fn direction(value: Option<&Json>) -> (Direction, Nulls) {
    match value.and_then(Json::as_str) {
        Some("DESC" | "DESC_NULLS_FIRST") => (Direction::Descending, Nulls::First),
        Some("DESC_NULLS_LAST") => (Direction::Descending, Nulls::Last),
        Some("ASC_NULLS_FIRST") => (Direction::Ascending, Nulls::First),
        _ => (Direction::Ascending, Nulls::Last),
    }
}
