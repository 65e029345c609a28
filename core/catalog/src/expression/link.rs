//! Every expression of a catalogue gets its program: when it is resolved, and when it is loaded.
//!
//! Formulas are put in the place of their names, so no program reads a formula, and one that
//! leads back to itself is found here.

use std::collections::HashMap;
use std::sync::Arc;

use super::check::{Roots, check_with, field_meant, main_part, read};
use super::program::{Function, Node, Program, Root, Type};
use super::{EXPRESSION_FORMULAS_MAX, Expression};
use crate::names::one_of;
use crate::reading::limit;
use crate::{
    Catalogue, Field, Formula, Issue, Issues, Key, Kind, Object, Rollup, RollupFunction, Rule,
};

/// Digits behind the point of a mean, at least.
const MEAN_SCALE: u32 = 6;

/// Where an expression stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The object that it is about.
    pub object: Key,
    /// The field or the rule that has it; `None` for the object's own.
    pub element: Option<Key>,
    /// As what.
    pub place: Place,
}

/// As what an expression stands in its element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// What a formula gives.
    Formula,
    /// When a field must be filled.
    RequiredWhen,
    /// What a new record gets that says nothing.
    DefaultFrom,
    /// When a field, or a record, can't be changed.
    LockedWhen,
    /// Of what a rollup is the figure.
    RollupValue,
    /// Of which records.
    RollupFilter,
    /// By which relation they point at this object; no expression.
    RollupBy,
    /// To which records a rule applies.
    RuleWhen,
    /// What must hold.
    RuleMust,
}

impl Place {
    /// Name of the member of a blueprint.
    #[must_use]
    pub fn member(self) -> &'static str {
        match self {
            Self::Formula | Self::RollupValue => "expression",
            Self::RollupFilter => "where",
            Self::RollupBy => "by",
            Self::RequiredWhen => "requiredWhen",
            Self::DefaultFrom => "defaultFrom",
            Self::LockedWhen => "lockedWhen",
            Self::RuleWhen => "when",
            Self::RuleMust => "must",
        }
    }
}

impl Subject {
    /// As a person knows it: `deal.margin`.
    #[must_use]
    pub fn name(&self, catalogue: &Catalogue) -> String {
        let object = catalogue
            .object_keyed(&self.object)
            .map(|(_, object)| object);
        let singular = object.map_or(self.object.local(), |object| object.singular.as_str());
        match &self.element {
            Some(element) => {
                let field = object.and_then(|object| object.field_keyed(element));
                let name = field.map_or(element.local(), |(_, field)| field.name.as_str());
                format!("{singular}.{name}")
            }
            None => singular.to_owned(),
        }
    }
}

/// Puts a program behind every expression. Gives what can't have one, and why.
pub fn link(catalogue: &mut Catalogue) -> Vec<(Subject, Issues)> {
    let mut linker = Linker::default();
    let mut wrong = Vec::new();
    let mut made: Vec<(Subject, Arc<Program>)> = Vec::new();
    let mut rollups: Vec<(Key, Key, Figure)> = Vec::new();
    for object in &catalogue.objects {
        for field in &object.fields {
            if let Kind::Rollup(rollup) = &field.kind {
                match linker.figure(catalogue, object, field, rollup) {
                    Ok(figure) => rollups.push((object.key.clone(), field.key.clone(), figure)),
                    Err(issues) => wrong.extend(issues),
                }
            }
        }
        for (subject, expression) in expressions_of(object) {
            let program = linker.program(catalogue, object, &subject, expression);
            match program {
                Ok(program) => made.push((subject, program)),
                Err(issues) => wrong.push((subject, issues)),
            }
        }
    }
    let mut fed: HashMap<Key, Vec<(Key, Key)>> = HashMap::new();
    for (object, field, figure) in &rollups {
        let readers = fed.entry(figure.of.clone()).or_default();
        readers.push((object.clone(), field.clone()));
    }
    for object in &mut catalogue.objects {
        let readers = fed.remove(&object.key).unwrap_or_default();
        let has_rollups = rollups.iter().any(|(of, ..)| *of == object.key);
        if readers == object.rolled_up_by && !has_rollups && expressions_of(object).is_empty() {
            continue;
        }
        let object = Arc::make_mut(object);
        object.rolled_up_by = readers;
        put_programs(object, &made, &rollups);
    }
    wrong
}

fn put_programs(
    object: &mut Object,
    made: &[(Subject, Arc<Program>)],
    rollups: &[(Key, Key, Figure)],
) {
    let key = object.key.clone();
    each_expression_mut(object, &mut |element, place, expression| {
        expression.program = made
            .iter()
            .find(|(subject, _)| {
                subject.object == key
                    && subject.element.as_ref() == element
                    && subject.place == place
            })
            .map(|(_, program)| Arc::clone(program));
    });
    for field in &mut object.fields {
        match &mut field.kind {
            Kind::Formula(formula) => {
                let program = formula.expression.program();
                if let Some(result) = program.and_then(|program| Formula::result_of(program.of)) {
                    *formula.result = result;
                }
            }
            Kind::Rollup(rollup) => {
                let figure = rollups
                    .iter()
                    .find(|(of, own, _)| *of == key && *own == field.key);
                if let Some((_, _, figure)) = figure {
                    *rollup.result = figure.result.clone();
                    rollup.relation = Some(figure.relation.clone());
                    if let (Some(expression), program) = (&mut rollup.expression, &figure.value) {
                        expression.program.clone_from(program);
                    }
                    if let (Some(expression), program) = (&mut rollup.filter, &figure.filter) {
                        expression.program.clone_from(program);
                    }
                }
            }
            _ => {}
        }
    }
}

/// All expressions of an object.
fn expressions_of(object: &Object) -> Vec<(Subject, &Expression)> {
    let mut found = Vec::new();
    let mut add = |element: Option<&Key>, place, expression| {
        let subject = Subject {
            object: object.key.clone(),
            element: element.cloned(),
            place,
        };
        found.push((subject, expression));
    };
    for field in &object.fields {
        for (place, expression) in expressions_of_field(field) {
            add(Some(&field.key), place, expression);
        }
    }
    for rule in &object.rules {
        for (place, expression) in expressions_of_rule(rule) {
            add(Some(&rule.key), place, expression);
        }
    }
    if let Some(expression) = &object.locked_when {
        add(None, Place::LockedWhen, expression);
    }
    found
}

fn expressions_of_field(field: &Field) -> Vec<(Place, &Expression)> {
    let mut found = Vec::new();
    if let Kind::Formula(formula) = &field.kind {
        found.push((Place::Formula, &formula.expression));
    }
    let rules = &field.rules;
    for (place, expression) in [
        (Place::RequiredWhen, &rules.required_when),
        (Place::DefaultFrom, &rules.default_from),
        (Place::LockedWhen, &rules.locked_when),
    ] {
        found.extend(expression.as_ref().map(|expression| (place, expression)));
    }
    found
}

fn expressions_of_rule(rule: &Rule) -> Vec<(Place, &Expression)> {
    rule.when
        .iter()
        .map(|when| (Place::RuleWhen, when))
        .chain([(Place::RuleMust, &rule.must)])
        .collect()
}

fn each_expression_mut(
    object: &mut Object,
    visit: &mut dyn FnMut(Option<&Key>, Place, &mut Expression),
) {
    for field in &mut object.fields {
        let key = field.key.clone();
        if let Kind::Formula(formula) = &mut field.kind {
            visit(Some(&key), Place::Formula, &mut formula.expression);
        }
        let rules = &mut field.rules;
        for (place, expression) in [
            (Place::RequiredWhen, &mut rules.required_when),
            (Place::DefaultFrom, &mut rules.default_from),
            (Place::LockedWhen, &mut rules.locked_when),
        ] {
            if let Some(expression) = expression {
                visit(Some(&key), place, expression);
            }
        }
    }
    for rule in &mut object.rules {
        let key = rule.key.clone();
        if let Some(when) = &mut rule.when {
            visit(Some(&key), Place::RuleWhen, when);
        }
        visit(Some(&key), Place::RuleMust, &mut rule.must);
    }
    if let Some(expression) = &mut object.locked_when {
        visit(None, Place::LockedWhen, expression);
    }
}

/// What a rollup means.
#[derive(Clone)]
struct Figure {
    of: Key,
    relation: Key,
    value: Option<Arc<Program>>,
    filter: Option<Arc<Program>>,
    result: Kind,
}

#[derive(Default)]
struct Linker {
    /// What formulas and rollups mean to who reads them, by object and field; `None` where they
    /// have been found wrong.
    formulas: HashMap<(Key, Key), Option<Arc<Program>>>,
    /// Those that are being looked at, outermost first.
    open: Vec<(Key, Key)>,
}

impl Linker {
    fn program(
        &mut self,
        catalogue: &Catalogue,
        object: &Object,
        subject: &Subject,
        expression: &Expression,
    ) -> Result<Arc<Program>, Issues> {
        let Some(element) = &subject.element else {
            return self.checked(catalogue, object, object.owner(), subject, expression);
        };
        if subject.place != Place::Formula {
            return self.checked(catalogue, object, element.owner(), subject, expression);
        }
        let name = (subject.object.clone(), element.clone());
        if let Some(Some(program)) = self.formulas.get(&name) {
            return Ok(Arc::clone(program));
        }
        self.open.push(name.clone());
        let made = self.checked(catalogue, object, element.owner(), subject, expression);
        self.open.pop();
        let kept = made.as_ref().ok().map(Arc::clone);
        self.formulas.insert(name, kept);
        made
    }

    fn checked(
        &mut self,
        catalogue: &Catalogue,
        object: &Object,
        owner: &str,
        subject: &Subject,
        expression: &Expression,
    ) -> Result<Arc<Program>, Issues> {
        let roots = Roots {
            old: matches!(
                subject.place,
                Place::LockedWhen | Place::RuleWhen | Place::RuleMust | Place::RequiredWhen
            ),
            request: subject.place != Place::Formula,
        };
        let mut program = check_with(
            expression.text(),
            catalogue,
            object,
            owner,
            roots,
            &mut |catalogue, object, field| self.formula(catalogue, object, field),
        )?;
        fits(catalogue, object, subject, &program)?;
        if subject.place == Place::Formula && program.of == Type::Integer {
            let bounded = Node::call(Type::Integer, Function::Safe, program.parts);
            program.parts = vec![bounded];
        }
        Ok(Arc::new(program))
    }

    /// What a formula means that another expression reads.
    fn formula(
        &mut self,
        catalogue: &Catalogue,
        object: &Key,
        field: &Key,
    ) -> Result<Arc<Program>, Issues> {
        let name = (object.clone(), field.clone());
        let subject = Subject {
            object: object.clone(),
            element: Some(field.clone()),
            place: Place::Formula,
        };
        if let Some(start) = self.open.iter().position(|open| *open == name) {
            let names: Vec<String> = self.open[start..]
                .iter()
                .chain([&name])
                .map(|(object, field)| {
                    let subject = Subject {
                        object: object.clone(),
                        element: Some(field.clone()),
                        place: Place::Formula,
                    };
                    subject.name(catalogue)
                })
                .collect();
            return Err(cycle(names.join(" → ")).into());
        }
        if self.open.len() > EXPRESSION_FORMULAS_MAX {
            return Err(limit(
                "formulas that read each other",
                EXPRESSION_FORMULAS_MAX,
                self.open.len(),
            )
            .into());
        }
        let unreadable = || {
            Issue::new(
                "EXPRESSION_UNKNOWN",
                format!("the formula {} is wrong itself", subject.name(catalogue)),
            )
            .into()
        };
        let (_, of_object) = catalogue.object_keyed(object).ok_or_else(unreadable)?;
        let (_, of_field) = of_object.field_keyed(field).ok_or_else(unreadable)?;
        let told = |issues: Issues| {
            let way = issues
                .0
                .iter()
                .find_map(|issue| Some(issue.params.get("cycle")?.as_str()?.to_owned()));
            way.map_or_else(unreadable, |way| cycle(way).into())
        };
        match &of_field.kind {
            Kind::Formula(formula) => self
                .program(catalogue, of_object, &subject, &formula.expression)
                .map_err(told),
            Kind::Rollup(rollup) => {
                self.rollup(catalogue, of_object, of_field, rollup)
                    .map_err(|issues| {
                        told(Issues(
                            issues
                                .into_iter()
                                .flat_map(|(_, issues)| issues.0)
                                .collect(),
                        ))
                    })
            }
            _ => Err(unreadable()),
        }
    }

    /// How a rollup is read: its own columns, of the type that its figure has.
    fn rollup(
        &mut self,
        catalogue: &Catalogue,
        object: &Object,
        field: &Field,
        rollup: &Rollup,
    ) -> Result<Arc<Program>, Vec<(Subject, Issues)>> {
        let name = (object.key.clone(), field.key.clone());
        if let Some(Some(program)) = self.formulas.get(&name) {
            return Ok(Arc::clone(program));
        }
        let figure = self.figure(catalogue, object, field, rollup)?;
        let program = main_part(&figure.result).map(|(of, part)| {
            let main = read(Root::Record, Vec::new(), field, part, of);
            let mut parts = vec![main];
            if let Type::Money(_) = of {
                parts.push(read(Root::Record, Vec::new(), field, part + 1, Type::Text));
            }
            Arc::new(Program { of, parts })
        });
        self.formulas.insert(name, program.clone());
        program.ok_or_else(Vec::new)
    }

    /// What a rollup means, or all that is wrong with it.
    fn figure(
        &mut self,
        catalogue: &Catalogue,
        object: &Object,
        field: &Field,
        rollup: &Rollup,
    ) -> Result<Figure, Vec<(Subject, Issues)>> {
        let name = (object.key.clone(), field.key.clone());
        let at = |place| Subject {
            object: object.key.clone(),
            element: Some(field.key.clone()),
            place,
        };
        let mut wrong: Vec<(Subject, Issues)> = Vec::new();
        let Some((_, of)) = catalogue.object_keyed(&rollup.object) else {
            let issue = Issue::new(
                "UNKNOWN_OBJECT",
                format!("there is no object {}", rollup.object),
            );
            return Err(vec![(at(Place::RollupBy), issue.into())]);
        };
        let owner = field.key.owner();
        let relation = field_meant(of, owner, &rollup.by).map(|position| of.field(position));
        let relation = match relation.map(|found| (&found.key, &found.kind)) {
            Some((key, Kind::Relation(relation))) if relation.target == object.key => {
                Some(key.clone())
            }
            _ => {
                let relations: Vec<&str> = of
                    .fields
                    .iter()
                    .filter(
                        |each| matches!(&each.kind, Kind::Relation(to) if to.target == object.key),
                    )
                    .map(|each| each.name.as_str())
                    .collect();
                let issue = Issue::new(
                    "EXPRESSION_UNKNOWN",
                    format!(
                        "{} has no relation \"{}\" that points at {}; expected {}",
                        of.singular,
                        rollup.by,
                        object.singular,
                        one_of(relations.iter().copied())
                    ),
                );
                wrong.push((at(Place::RollupBy), issue.into()));
                None
            }
        };
        self.open.push(name);
        let mut checked = |place, expression: &Option<Expression>| {
            let expression = expression.as_ref()?;
            let program = self
                .rolled(catalogue, of, owner, expression.text())
                .and_then(|program| {
                    rollup_fits(place, rollup.function, &program)?;
                    Ok(program)
                });
            match program {
                Ok(program) => Some(Arc::new(program)),
                Err(issues) => {
                    wrong.push((at(place), issues));
                    None
                }
            }
        };
        let value = checked(Place::RollupValue, &rollup.expression);
        let filter = checked(Place::RollupFilter, &rollup.filter);
        self.open.pop();
        if rollup.expression.is_none() && rollup.function != RollupFunction::Count {
            let issue = Issue::new(
                "MISSING",
                "only COUNT needs no expression: write what is added up or compared, such as \
                 record.amount",
            );
            wrong.push((at(Place::RollupValue), issue.into()));
        }
        match relation {
            Some(relation) if wrong.is_empty() => Ok(Figure {
                of: of.key.clone(),
                relation,
                result: rollup_result(rollup.function, value.as_ref().map(|value| value.of)),
                value,
                filter,
            }),
            _ => Err(wrong),
        }
    }

    /// An expression over a record that is rolled up: of its own columns alone, because nobody
    /// would notice when one that it points at changes.
    fn rolled(
        &mut self,
        catalogue: &Catalogue,
        of: &Object,
        owner: &str,
        text: &str,
    ) -> Result<Program, Issues> {
        let program = check_with(
            text,
            catalogue,
            of,
            owner,
            Roots::default(),
            &mut |catalogue, object, field| self.formula(catalogue, object, field),
        )?;
        if program.paths().iter().any(|path| !path.through.is_empty()) {
            return Err(Issue::new(
                "EXPRESSION_TYPE",
                "a rollup reads the records' own fields alone: what they point at may change \
                 without them",
            )
            .into());
        }
        Ok(program)
    }
}

/// Whether a rollup can be the figure of what the program gives.
fn rollup_fits(place: Place, function: RollupFunction, program: &Program) -> Result<(), Issues> {
    let fits = match (place, function, program.of) {
        (Place::RollupFilter, _, of) => of == Type::Boolean,
        (_, RollupFunction::Count, _) => true,
        (_, _, Type::Integer | Type::Decimal(_) | Type::Money(_)) => true,
        (_, RollupFunction::Min | RollupFunction::Max, Type::Date | Type::Instant) => true,
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let expected = match (place, function) {
        (Place::RollupFilter, _) => "true or false",
        (_, RollupFunction::Min | RollupFunction::Max) => "a number, money, a date or a timestamp",
        _ => "a number or money",
    };
    Err(Issue::new(
        "EXPRESSION_TYPE",
        format!("expected {expected}, got {}", program.of.name()),
    )
    .into())
}

fn rollup_result(function: RollupFunction, of: Option<Type>) -> Kind {
    let whole = || Kind::Integer {
        min: None,
        max: None,
    };
    let of = match (function, of) {
        (RollupFunction::Count, _) | (_, None) => return whole(),
        (RollupFunction::Avg, Some(Type::Integer)) => Type::Decimal(MEAN_SCALE),
        (RollupFunction::Avg, Some(Type::Decimal(scale))) => Type::Decimal(scale.max(MEAN_SCALE)),
        (_, Some(of)) => of,
    };
    Formula::result_of(of).unwrap_or_else(whole)
}

fn cycle(way: String) -> Issue {
    Issue::new(
        "EXPRESSION_CYCLE",
        format!("it leads back to itself: {way}"),
    )
    .with("cycle", way)
}

/// Whether the program gives what its place takes.
fn fits(
    catalogue: &Catalogue,
    object: &Object,
    subject: &Subject,
    program: &Program,
) -> Result<(), Issues> {
    let wrong = |message: String| Err(Issue::new("EXPRESSION_TYPE", message).into());
    match subject.place {
        Place::Formula => {
            if Formula::result_of(program.of).is_some() {
                return Ok(());
            }
            let hint = match program.of {
                Type::Duration => ": take its getHours(), getMinutes() or getSeconds()",
                Type::Reference => ": name a field of the record",
                _ => "",
            };
            wrong(format!("a formula can't give {}{hint}", program.of.name()))
        }
        Place::DefaultFrom => {
            let Some((_, field)) = subject
                .element
                .as_ref()
                .and_then(|element| object.field_keyed(element))
            else {
                return Ok(());
            };
            super::default::fits(catalogue, field, program)
        }
        // Looked at with their rollup.
        Place::RollupValue | Place::RollupFilter | Place::RollupBy => Ok(()),
        Place::RequiredWhen | Place::LockedWhen | Place::RuleWhen | Place::RuleMust => {
            if matches!(program.of, Type::Boolean) {
                return Ok(());
            }
            wrong(format!("expected true or false, got {}", program.of.name()))
        }
    }
}
