//! Rules of the catalogue, held against drafts: what must be filled under a condition, what can't
//! be changed any more, what must hold between fields; and defaults that are worked out.
//!
//! Records that a rule looks at through relations are loaded first, in this transaction, so that
//! what was decided can't be undone by a neighbour. A record from before a rule may be changed
//! elsewhere without being made whole: a rule is asked of a change only when the change touches
//! what the rule reads.

use std::collections::{HashMap, HashSet};

use relata_catalog::{
    Catalogue, FieldIndex, Issue, Kind, Object, ObjectIndex, Value,
    expression::{
        Datum, Expression, Path, PathColumn, Program, Root, Scope, SystemField, Variable, datum_of,
    },
    text_in,
};
use relata_store::{
    Find, Record,
    filter::{ColumnRef, Filter, Operand, Operator, SystemColumn},
};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::draft::{Concern, Draft};
use crate::{AppError, transact::Unit};

/// Fills what the data leaves out and the catalogue works out.
pub(super) async fn defaults(
    unit: &Unit,
    object: &Object,
    drafts: &mut [Draft],
    rows: &[&Map<String, Json>],
) -> Result<(), AppError> {
    let fields: Vec<(FieldIndex, &Program)> = fields_of(object)
        .filter_map(|index| {
            let expression = object.field(index).rules.default_from.as_ref()?;
            Some((index, program_of(expression)?))
        })
        .collect();
    if fields.is_empty() {
        return Ok(());
    }
    let programs: Vec<&Program> = fields.iter().map(|(_, program)| *program).collect();
    let related = Related::load(unit, object, drafts, &programs).await?;
    for (draft, data) in drafts.iter_mut().zip(rows) {
        for (index, program) in &fields {
            let field = object.field(*index);
            if data.contains_key(&field.name) {
                continue;
            }
            let given = Given::new(unit, object, draft, &related);
            match program.value_for(field, &given, unit.coercion()) {
                Ok(value) => draft.values[index.0] = value,
                Err(issues) => draft.problems_at(&field.name, issues),
            }
        }
    }
    Ok(())
}

/// Notes in each draft which rules it breaks.
pub(super) async fn check(
    unit: &Unit,
    object: &Object,
    drafts: &mut [Draft],
) -> Result<(), AppError> {
    for draft in &mut *drafts {
        immutable(object, draft);
    }
    let programs: Vec<&Program> = conditions(object).filter_map(program_of).collect();
    if programs.is_empty() {
        return Ok(());
    }
    let related = Related::load(unit, object, drafts, &programs).await?;
    for draft in drafts {
        let problems = broken(unit, object, draft, &related);
        for issue in problems {
            draft.problem(Concern::Data, issue);
        }
    }
    Ok(())
}

/// Why a record can't be taken away, if a rule keeps it.
pub(super) async fn locked(
    unit: &Unit,
    object: &Object,
    record: &Record,
) -> Result<Option<Issue>, AppError> {
    let Some(program) = object.locked_when.as_ref().and_then(program_of) else {
        return Ok(None);
    };
    let draft = Draft::of(record.clone());
    let related = Related::load(unit, object, std::slice::from_ref(&draft), &[program]).await?;
    let given = Given::new(unit, object, &draft, &related);
    Ok(program
        .evaluate_one(&given)
        .is_true()
        .then(|| lock_issue(object)))
}

fn lock_issue(object: &Object) -> Issue {
    Issue::new(
        "LOCKED",
        format!(
            "the {} is locked as it stands and can't be changed",
            object.singular
        ),
    )
}

/// All conditions that an object's records are held against.
fn conditions(object: &Object) -> impl Iterator<Item = &Expression> {
    let of_fields = object
        .fields
        .iter()
        .flat_map(|field| [&field.rules.required_when, &field.rules.locked_when])
        .flatten();
    let of_rules = object
        .rules
        .iter()
        .flat_map(|rule| rule.when.iter().chain([&rule.must]));
    object.locked_when.iter().chain(of_fields).chain(of_rules)
}

fn fields_of(object: &Object) -> impl Iterator<Item = FieldIndex> {
    (0..object.fields.len()).map(FieldIndex)
}

/// A catalogue that exists is linked; an expression without a program says nothing.
fn program_of(expression: &Expression) -> Option<&Program> {
    expression.program().map(AsRef::as_ref)
}

/// What is set once stays.
fn immutable(object: &Object, draft: &mut Draft) {
    for index in fields_of(object) {
        let field = object.field(index);
        if field.rules.immutable && !draft.old_value(index).is_null() && draft.is_changed(index) {
            let issue = Issue::new(
                "IMMUTABLE",
                format!("{} can't be changed once it is set", field.name),
            );
            draft.problem(Concern::Data, issue.at(field.name.as_str()));
        }
    }
}

fn broken(unit: &Unit, object: &Object, draft: &Draft, related: &Related) -> Vec<Issue> {
    let given = Given::new(unit, object, draft, related);
    let holds = |expression: &Option<Expression>| {
        expression
            .as_ref()
            .and_then(program_of)
            .is_some_and(|program| program.evaluate_one(&given).is_true())
    };
    let mut issues = Vec::new();
    if draft.before.is_some() && !draft.is_unchanged() && holds(&object.locked_when) {
        issues.push(lock_issue(object));
    }
    for index in fields_of(object) {
        let field = object.field(index);
        let rules = &field.rules;
        let name = field.name.as_str();
        let is_touched = draft.before.is_none() || draft.is_changed(index);
        if draft.before.is_some() && draft.is_changed(index) && holds(&rules.locked_when) {
            let message = format!("{name} is locked as the {} stands", object.singular);
            issues.push(Issue::new("LOCKED", message).at(name));
        }
        if draft.value(index).is_null()
            && (is_touched || touches(object, draft, &rules.required_when))
            && holds(&rules.required_when)
            && !is_complained(draft, name)
        {
            let message = format!("{name} is required as the {} stands", object.singular);
            issues.push(Issue::new("REQUIRED", message).at(name));
        }
    }
    for rule in &object.rules {
        let Some(must) = program_of(&rule.must) else {
            continue;
        };
        let must_is_touched = draft.before.is_none()
            || is_read(object, draft, must)
            || touches(object, draft, &rule.when);
        if !must_is_touched || (rule.when.is_some() && !holds(&rule.when)) {
            continue;
        }
        if must.evaluate_one(&given).is_false() {
            let message =
                text_in(&rule.message, &unit.caller().locale).unwrap_or_else(|| rule.key.local());
            let fields: Vec<&str> = rule
                .fields
                .iter()
                .filter_map(|key| Some(object.field_keyed(key)?.1.name.as_str()))
                .collect();
            let mut issue = Issue::new("RULE", message)
                .with("rule", rule.key.as_str())
                .with("fields", fields.clone());
            if let Some(first) = fields.first() {
                issue = issue.at(*first);
            }
            issues.push(issue);
        }
    }
    issues
}

/// Whether something has been said of a field's value already.
fn is_complained(draft: &Draft, name: &str) -> bool {
    draft.problems.iter().any(|(_, issue)| {
        matches!(issue.path.first(), Some(relata_catalog::PathSegment::Name(first)) if first == name)
    })
}

fn touches(object: &Object, draft: &Draft, expression: &Option<Expression>) -> bool {
    expression
        .as_ref()
        .and_then(program_of)
        .is_some_and(|program| is_read(object, draft, program))
}

/// Whether a program reads what the draft changes.
fn is_read(object: &Object, draft: &Draft, program: &Program) -> bool {
    program.paths().into_iter().any(|path| {
        let first = match (path.through.first(), &path.column) {
            (Some(relation), _) => relation,
            (None, PathColumn::Field { field, .. }) => field,
            (None, PathColumn::System(SystemField::Owner)) => {
                return draft
                    .before
                    .as_ref()
                    .is_none_or(|before| before.owner != draft.owner);
            }
            (None, PathColumn::System(_)) => return false,
        };
        object
            .field_keyed(first)
            .is_some_and(|(index, _)| draft.is_changed(index))
    })
}

/// Records that drafts point at, as far as programs follow their relations.
struct Related(HashMap<Uuid, Record>);

impl Related {
    async fn load(
        unit: &Unit,
        object: &Object,
        drafts: &[Draft],
        programs: &[&Program],
    ) -> Result<Self, AppError> {
        let catalogue = unit.catalogue();
        let mut related = Self(HashMap::new());
        let paths: Vec<&Path> = programs
            .iter()
            .flat_map(|program| program.paths())
            .filter(|path| !path.through.is_empty())
            .collect();
        let deepest = paths.iter().map(|path| path.through.len()).max();
        for hops in 1..=deepest.unwrap_or(0) {
            let mut wanted: HashMap<ObjectIndex, HashSet<Uuid>> = HashMap::new();
            for path in paths.iter().filter(|path| path.through.len() >= hops) {
                for draft in drafts {
                    let (found, target) = related.reference(catalogue, object, draft, path, hops);
                    if let (Some(id), Some(target)) = (found, target)
                        && !related.0.contains_key(&id)
                    {
                        wanted.entry(target).or_default().insert(id);
                    }
                }
            }
            for (target, ids) in wanted {
                let ids = ids.into_iter().map(Value::Reference).collect();
                let filter = Filter::Compare {
                    column: ColumnRef::System(SystemColumn::Id),
                    operator: Operator::In,
                    operand: Operand::List(ids),
                };
                let found = unit
                    .transaction()
                    .find(catalogue, &Find::new(target, filter))
                    .await?;
                related.0.extend(
                    found
                        .into_iter()
                        .map(|record| (record.id, unit.expected(record))),
                );
            }
        }
        Ok(related)
    }

    /// The id that the last of the first `hops` relations of a path holds, and what it points at.
    fn reference(
        &self,
        catalogue: &Catalogue,
        object: &Object,
        draft: &Draft,
        path: &Path,
        hops: usize,
    ) -> (Option<Uuid>, Option<ObjectIndex>) {
        let mut object = object;
        let mut values = values_of(draft, path.root);
        let mut reached = (None, None);
        for relation in path.through.iter().take(hops) {
            let Some((index, field)) = object.field_keyed(relation) else {
                return (None, None);
            };
            let Kind::Relation(relation) = &field.kind else {
                return (None, None);
            };
            let Some((target, next)) = catalogue.object_keyed(&relation.target) else {
                return (None, None);
            };
            let id = match values.and_then(|values| values.get(index.0)) {
                Some(Value::Reference(id)) => *id,
                _ => return (None, None),
            };
            values = self.0.get(&id).map(|record| record.values.as_slice());
            object = next;
            reached = (Some(id), Some(target));
        }
        reached
    }
}

fn values_of(draft: &Draft, root: Root) -> Option<&[Value]> {
    match root {
        Root::Record => Some(&draft.values),
        Root::Old => draft.before.as_ref().map(|before| before.values.as_slice()),
    }
}

/// A draft as expressions see it.
struct Given<'a> {
    unit: &'a Unit,
    object: &'a Object,
    draft: &'a Draft,
    related: &'a Related,
}

impl<'a> Given<'a> {
    fn new(unit: &'a Unit, object: &'a Object, draft: &'a Draft, related: &'a Related) -> Self {
        Self {
            unit,
            object,
            draft,
            related,
        }
    }

    /// What every record has, of the draft itself.
    fn own(&self, root: Root, field: SystemField) -> Datum {
        let before = self.draft.before.as_ref();
        if root == Root::Old {
            return before.map_or(Datum::Null, |record| system(record, field));
        }
        let now = Datum::Instant(self.unit.now());
        match (field, before) {
            (SystemField::Id, _) => Datum::Reference(self.draft.id),
            (SystemField::Owner, _) => self.draft.owner.map_or(Datum::Null, Datum::Reference),
            (SystemField::Version, before) => {
                Datum::Number(before.map_or(1, |record| record.version + 1))
            }
            (SystemField::UpdatedAt, _) | (SystemField::CreatedAt, None) => now,
            (SystemField::CreatedAt, Some(record)) => Datum::Instant(record.created_at),
        }
    }
}

fn system(record: &Record, field: SystemField) -> Datum {
    match field {
        SystemField::Id => Datum::Reference(record.id),
        SystemField::Version => Datum::Number(record.version),
        SystemField::CreatedAt => Datum::Instant(record.created_at),
        SystemField::UpdatedAt => Datum::Instant(record.updated_at),
        SystemField::Owner => record.owner.map_or(Datum::Null, Datum::Reference),
    }
}

fn in_values(object: &Object, values: &[Value], field: &relata_catalog::Key, part: usize) -> Datum {
    object
        .field_keyed(field)
        .map_or(Datum::Null, |(index, field)| {
            values
                .get(index.0)
                .map_or(Datum::Null, |value| datum_of(field, value, part))
        })
}

impl Scope for Given<'_> {
    fn read(&self, path: &Path) -> Datum {
        let catalogue = self.unit.catalogue();
        if path.through.is_empty() {
            return match &path.column {
                PathColumn::System(field) => self.own(path.root, *field),
                PathColumn::Field { field, part } => values_of(self.draft, path.root)
                    .map_or(Datum::Null, |values| {
                        in_values(self.object, values, field, *part)
                    }),
            };
        }
        let (id, target) =
            self.related
                .reference(catalogue, self.object, self.draft, path, path.through.len());
        let found = id.and_then(|id| self.related.0.get(&id)).zip(target);
        found.map_or(Datum::Null, |(record, target)| match &path.column {
            PathColumn::System(field) => system(record, *field),
            PathColumn::Field { field, part } => {
                in_values(catalogue.object(target), &record.values, field, *part)
            }
        })
    }

    fn variable(&self, variable: Variable) -> Datum {
        let caller = self.unit.caller();
        match variable {
            Variable::Now => Datum::Instant(self.unit.now()),
            Variable::Today => jiff::Timestamp::from_microsecond(self.unit.now())
                .map_or(Datum::Null, |now| {
                    Datum::Date(caller.zone.to_datetime(now).date())
                }),
            Variable::User => caller
                .user
                .as_ref()
                .map_or(Datum::Null, |user| Datum::Reference(user.id)),
        }
    }
}
