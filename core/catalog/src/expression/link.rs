//! Every expression of a catalogue gets its program: when it is resolved, and when it is loaded.
//!
//! Formulas are put in the place of their names, so no program reads a formula, and one that
//! leads back to itself is found here.

use std::collections::HashMap;
use std::sync::Arc;

use super::check::{Roots, check_with};
use super::program::{Path, PathColumn, Program, Type};
use super::{EXPRESSION_FORMULAS_MAX, Expression};
use crate::reading::limit;
use crate::{Catalogue, Field, FormulaResult, Issue, Issues, Key, Kind, Object, Rule};

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
            Self::Formula => "expression",
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
        let object = catalogue.object_keyed(&self.object).map(|(_, object)| object);
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
    for object in &catalogue.objects {
        for (subject, expression) in expressions_of(object) {
            let program = linker.program(catalogue, object, &subject, expression);
            match program {
                Ok(program) => made.push((subject, program)),
                Err(issues) => wrong.push((subject, issues)),
            }
        }
    }
    for object in &mut catalogue.objects {
        if expressions_of(object).is_empty() {
            continue;
        }
        let key = object.key.clone();
        let object = Arc::make_mut(object);
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
            if let Kind::Formula(formula) = &mut field.kind
                && let Some(result) = formula
                    .expression
                    .program()
                    .and_then(|program| FormulaResult::of(program.of))
            {
                formula.result = result;
            }
        }
    }
    wrong
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

#[derive(Default)]
struct Linker {
    /// What formulas mean, by object and field; `None` while and after they have been found wrong.
    formulas: HashMap<(Key, Key), Option<Arc<Program>>>,
    /// Formulas that are being looked at, outermost first.
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
        let program = check_with(
            expression.text(),
            catalogue,
            object,
            owner,
            roots,
            &mut |catalogue, object, field| self.formula(catalogue, object, field),
        )?;
        fits(catalogue, object, subject, &program)?;
        Ok(Arc::new(program))
    }

    /// What a formula means that another expression reads.
    fn formula(
        &mut self,
        catalogue: &Catalogue,
        object: &Key,
        field: &Key,
    ) -> Result<Arc<Program>, Issue> {
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
            return Err(cycle(names.join(" → ")));
        }
        if self.open.len() > EXPRESSION_FORMULAS_MAX {
            return Err(limit(
                "formulas that read each other",
                EXPRESSION_FORMULAS_MAX,
                self.open.len(),
            ));
        }
        let unreadable = || {
            Issue::new(
                "EXPRESSION_UNKNOWN",
                format!("the formula {} is wrong itself", subject.name(catalogue)),
            )
        };
        let (_, of_object) = catalogue.object_keyed(object).ok_or_else(unreadable)?;
        let (_, of_field) = of_object.field_keyed(field).ok_or_else(unreadable)?;
        let Kind::Formula(formula) = &of_field.kind else {
            return Err(unreadable());
        };
        self.program(catalogue, of_object, &subject, &formula.expression)
            .map_err(|issues| {
                let way = issues
                    .0
                    .iter()
                    .find_map(|issue| Some(issue.params.get("cycle")?.as_str()?.to_owned()));
                way.map_or_else(unreadable, cycle)
            })
    }
}

fn cycle(way: String) -> Issue {
    Issue::new(
        "EXPRESSION_CYCLE",
        format!("the formula leads back to itself: {way}"),
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
            if FormulaResult::of(program.of).is_some() {
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
        Place::RequiredWhen | Place::LockedWhen | Place::RuleWhen | Place::RuleMust => {
            if matches!(program.of, Type::Boolean) {
                return Ok(());
            }
            wrong(format!(
                "expected true or false, got {}",
                program.of.name()
            ))
        }
    }
}

/// The relations of `object` that its rules follow before they can be told: each a list of keys,
/// outermost first, every prefix of one included.
#[must_use]
pub fn paths_of<'a>(programs: impl IntoIterator<Item = &'a Program>) -> Vec<&'a Path> {
    programs
        .into_iter()
        .flat_map(Program::paths)
        .filter(|path| !path.through.is_empty() || matches!(path.column, PathColumn::System(_)))
        .collect()
}
