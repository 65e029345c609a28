//! What a client gave, wherever it stands: in the document, in a variable, or in the depths of a
//! variable that holds a whole filter.
//!
//! A plan is made for the *shape* of the variables, and used for all values of that shape. So an
//! operand that came from a variable is kept as the way to it, a [`Template`], and read anew at
//! each run; what is written in the document is coerced once.

use async_graphql_value::Value as Literal;
use relata_catalog::{Issue, Issues, PathSegment};
use relata_store::read::Parameter;
use serde_json::{Map, Value as Json};

use super::{
    coercer::{CoerceContext, Coercer},
    prepare::Prepared,
};

/// Values of an operation's variables, by position of their definition. None: not given.
pub(crate) struct Variables<'v> {
    prepared: &'v Prepared,
    values: Vec<Option<&'v Json>>,
}

impl<'v> Variables<'v> {
    /// Takes the given values, or defaults, and checks them against their declared types.
    ///
    /// # Errors
    /// All that is wrong with all of them; paths begin with `variables` and the name.
    pub(crate) fn read(
        prepared: &'v Prepared,
        given: &'v Map<String, Json>,
        inputs: &crate::schema::types::InputTypes,
    ) -> Result<Self, Issues> {
        let mut issues = Issues::default();
        let mut values = Vec::with_capacity(prepared.variables.len());
        for definition in &prepared.variables {
            let value = given.get(&definition.name);
            match value {
                Some(value) => {
                    let mut found = inputs.check_json(&definition.ty, value);
                    if !found.is_empty() {
                        for issue in &mut found.0 {
                            issue.path.insert(0, definition.name.as_str().into());
                            issue.path.insert(0, "variables".into());
                        }
                        issues.0.extend(found.0);
                    }
                    values.push(Some(value));
                }
                None => {
                    if definition.default.is_none() && !definition.ty.nullable {
                        issues.push(
                            Issue::new(
                                "REQUIRED",
                                format!(
                                    "the variable `${}` of type `{}` must be given",
                                    definition.name, definition.ty
                                ),
                            )
                            .at(definition.name.as_str())
                            .at("variables"),
                        );
                    }
                    values.push(definition.default.as_ref());
                }
            }
        }
        issues.into_result(Self { prepared, values })
    }

    /// Where a variable is, and its value.
    pub(crate) fn find(&self, name: &str) -> Option<(usize, Option<&'v Json>)> {
        let position = self
            .prepared
            .variables
            .iter()
            .position(|definition| definition.name == name)?;
        Some((position, self.values[position]))
    }

    fn value(&self, position: usize) -> Option<&'v Json> {
        self.values.get(position).copied().flatten()
    }

    /// What of the values decides which plan answers.
    pub(crate) fn shape(&self, inputs: &crate::schema::types::InputTypes) -> Vec<u8> {
        let mut shape = Vec::with_capacity(self.values.len() * 2);
        for (definition, value) in self.prepared.variables.iter().zip(&self.values) {
            inputs.shape(&definition.ty, *value, &mut shape);
            shape.push(b'\n');
        }
        shape
    }
}

/// The way to a value inside a variable.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    variable: usize,
    pointer: Vec<PathSegment>,
}

/// A value that is partly known, partly read from variables at each run.
#[derive(Debug, Clone)]
pub(crate) enum Template {
    Known(Json),
    Variable(Source),
    List(Vec<Template>),
    Object(Vec<(String, Template)>),
}

impl Template {
    /// Of a value in a document.
    pub(crate) fn of(literal: &Literal, variables: &Variables<'_>) -> Self {
        match literal {
            Literal::Variable(name) => match variables.find(name) {
                Some((variable, _)) => Self::Variable(Source {
                    variable,
                    pointer: Vec::new(),
                }),
                // The validator has refused variables that are not defined.
                None => Self::Known(Json::Null),
            },
            Literal::List(items) => {
                let items = items
                    .iter()
                    .map(|item| Self::of(item, variables))
                    .collect::<Vec<_>>();
                if items.iter().all(Self::is_known) {
                    Self::Known(items.into_iter().filter_map(Self::known).collect())
                } else {
                    Self::List(items)
                }
            }
            Literal::Object(entries) => {
                let entries = entries
                    .iter()
                    .map(|(key, value)| (key.to_string(), Self::of(value, variables)))
                    .collect::<Vec<_>>();
                if entries.iter().all(|(_, value)| value.is_known()) {
                    Self::Known(Json::Object(
                        entries
                            .into_iter()
                            .filter_map(|(key, value)| Some((key, value.known()?)))
                            .collect(),
                    ))
                } else {
                    Self::Object(entries)
                }
            }
            Literal::Null => Self::Known(Json::Null),
            Literal::Number(number) => Self::Known(Json::Number(number.clone())),
            Literal::String(text) => Self::Known(Json::String(text.clone())),
            Literal::Boolean(value) => Self::Known(Json::Bool(*value)),
            Literal::Enum(name) => Self::Known(Json::String(name.to_string())),
            // The language has no such literal; uploads arrive by another way.
            Literal::Binary(_) => Self::Known(Json::Null),
        }
    }

    fn is_known(&self) -> bool {
        matches!(self, Self::Known(_))
    }

    fn known(self) -> Option<Json> {
        match self {
            Self::Known(value) => Some(value),
            _ => None,
        }
    }

    /// The value. None: a variable that was not given.
    pub(crate) fn render(&self, variables: &Variables<'_>) -> Option<Json> {
        match self {
            Self::Known(value) => Some(value.clone()),
            Self::Variable(source) => source.value(variables).cloned(),
            Self::List(items) => Some(Json::Array(
                items
                    .iter()
                    // A list keeps its length: what was not given is null in it.
                    .map(|item| item.render(variables).unwrap_or_default())
                    .collect(),
            )),
            Self::Object(entries) => Some(Json::Object(
                entries
                    .iter()
                    .filter_map(|(key, value)| Some((key.clone(), value.render(variables)?)))
                    .collect(),
            )),
        }
    }
}

impl Source {
    fn value<'v>(&self, variables: &Variables<'v>) -> Option<&'v Json> {
        let mut value = variables.value(self.variable)?;
        for segment in &self.pointer {
            value = match (segment, value) {
                (PathSegment::Name(name), Json::Object(entries)) => entries.get(name)?,
                (PathSegment::Index(index), Json::Array(items)) => items.get(*index)?,
                _ => return None,
            };
        }
        Some(value)
    }

    fn inside(&self, segment: impl Into<PathSegment>) -> Self {
        let mut pointer = self.pointer.clone();
        pointer.push(segment.into());
        Self {
            variable: self.variable,
            pointer,
        }
    }
}

/// A value while a plan is made: its members can be looked into, its leaves become templates.
#[derive(Debug, Clone)]
pub(crate) enum Input<'v> {
    Literal(&'v Literal),
    Json { value: &'v Json, source: Source },
}

impl<'v> Input<'v> {
    /// What stands in the document; a variable is followed. None: it was not given.
    pub(crate) fn of(literal: &'v Literal, variables: &Variables<'v>) -> Option<Self> {
        match literal {
            Literal::Variable(name) => {
                let (variable, value) = variables.find(name)?;
                Some(Self::Json {
                    value: value?,
                    source: Source {
                        variable,
                        pointer: Vec::new(),
                    },
                })
            }
            literal => Some(Self::Literal(literal)),
        }
    }

    fn or_null(literal: &'v Literal, variables: &Variables<'v>) -> Self {
        const NULL: &Literal = &Literal::Null;
        Self::of(literal, variables).unwrap_or(Self::Literal(NULL))
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(
            self,
            Self::Literal(Literal::Null)
                | Self::Json {
                    value: Json::Null,
                    ..
                }
        )
    }

    /// Members of an object. A variable that was not given counts as null, so that a condition
    /// without its operand is found. Of anything else: none.
    pub(crate) fn entries(&self, variables: &Variables<'v>) -> Vec<(&'v str, Input<'v>)> {
        match self {
            Self::Literal(Literal::Object(entries)) => entries
                .iter()
                .map(|(key, value)| (key.as_str(), Self::or_null(value, variables)))
                .collect(),
            Self::Json {
                value: Json::Object(entries),
                source,
            } => entries
                .iter()
                .map(|(key, value)| {
                    let source = source.inside(key.as_str());
                    (key.as_str(), Self::Json { value, source })
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Items of a list; anything else is a list of itself.
    pub(crate) fn items(&self, variables: &Variables<'v>) -> Vec<Input<'v>> {
        match self {
            Self::Literal(Literal::List(items)) => items
                .iter()
                .map(|item| Self::or_null(item, variables))
                .collect(),
            Self::Json {
                value: Json::Array(items),
                source,
            } => items
                .iter()
                .enumerate()
                .map(|(index, value)| Self::Json {
                    value,
                    source: source.inside(index),
                })
                .collect(),
            other => vec![other.clone()],
        }
    }

    /// As it is used at each run.
    pub(crate) fn template(&self, variables: &Variables<'_>) -> Template {
        match self {
            Self::Literal(literal) => Template::of(literal, variables),
            Self::Json { source, .. } => Template::Variable(source.clone()),
        }
    }

    /// The value now, where it is part of the shape: a direction, a boolean.
    pub(crate) fn structural(&self) -> Option<Json> {
        match self {
            Self::Literal(Literal::Enum(name)) => Some(Json::String(name.to_string())),
            Self::Literal(Literal::Boolean(value)) => Some(Json::Bool(*value)),
            Self::Literal(_) => None,
            Self::Json { value, .. } => Some((*value).clone()),
        }
    }
}

/// What becomes one parameter of a compiled read.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    template: Template,
    coercer: Coercer,
    is_list: bool,
    /// Where in the document it stands: for errors.
    path: Vec<PathSegment>,
}

impl Slot {
    pub(crate) fn new(
        template: Template,
        coercer: Coercer,
        is_list: bool,
        path: Vec<PathSegment>,
    ) -> Self {
        Self {
            template,
            coercer,
            is_list,
            path,
        }
    }

    /// Whether it is the same at each run: no variable in it, and nothing of the clock.
    pub(crate) fn is_fixed(&self) -> bool {
        self.template.is_known() && !self.coercer.depends_on_now()
    }

    /// Whether it is read in this way: of what is the same for all slots of a request.
    pub(crate) fn is_read_by(&self, coercer: &Coercer) -> bool {
        std::mem::discriminant(&self.coercer) == std::mem::discriminant(coercer)
    }

    /// The parameter; collects what is wrong with it.
    pub(crate) fn parameter(
        &self,
        variables: &Variables<'_>,
        context: &CoerceContext<'_>,
        issues: &mut Issues,
    ) -> Option<Parameter> {
        let rendered;
        let value = match &self.template {
            Template::Known(value) => Some(value),
            Template::Variable(source) => source.value(variables),
            template => {
                rendered = template.render(variables);
                rendered.as_ref()
            }
        };
        let mut collect = |found: Issues| {
            for mut issue in found.0 {
                issue.path.splice(0..0, self.path.iter().cloned());
                issues.push(issue);
            }
        };
        let Some(value) = value.filter(|value| !value.is_null()) else {
            if self.coercer.is_optional() {
                return Some(Parameter::Absent);
            }
            collect(null_operand().into());
            return None;
        };
        if !self.is_list {
            return match self.coercer.coerce(value, context) {
                Ok(value) => Some(Parameter::Value(value)),
                Err(found) => {
                    collect(found);
                    None
                }
            };
        }
        let items = match value {
            Json::Array(items) => items.as_slice(),
            single => std::slice::from_ref(single),
        };
        if items.len() > context.list_max {
            collect(
                Issue::new(
                    "TOO_MANY",
                    format!(
                        "the list has {} values, at most {} are compared with",
                        items.len(),
                        context.list_max
                    ),
                )
                .with("max", context.list_max)
                .into(),
            );
            return None;
        }
        let mut values = Vec::with_capacity(items.len());
        let mut is_good = true;
        for (index, item) in items.iter().enumerate() {
            let coerced = if item.is_null() {
                Err(null_operand().into())
            } else {
                self.coercer.coerce_all(item, context)
            };
            match coerced {
                Ok(coerced) => values.extend(coerced),
                Err(found) => {
                    is_good = false;
                    let mut located = Issues::default();
                    located.extend_at(index, found);
                    collect(located);
                }
            }
        }
        is_good.then_some(Parameter::List(values))
    }
}

/// The parameters of this run; collects what is wrong with any of them.
pub(crate) fn parameters(
    slots: &[Slot],
    variables: &Variables<'_>,
    context: &CoerceContext<'_>,
    issues: &mut Issues,
) -> Vec<Parameter> {
    slots
        .iter()
        .map(|slot| {
            slot.parameter(variables, context, issues)
                .unwrap_or(Parameter::Absent)
        })
        .collect()
}

pub(crate) fn null_operand() -> Issue {
    Issue::new(
        "NULL_OPERAND",
        "nothing can be compared with null; ask with `isNull`, or leave the condition out",
    )
}
