//! A query as a tree: what is sent as text, and what the interpreter reads.

use serde_json::{Map, Value as Json};

/// A document with one operation, and the values of its variables.
#[derive(Default)]
pub(crate) struct Question {
    pub(crate) variables: Vec<Variable>,
    pub(crate) fragments: Vec<Fragment>,
    pub(crate) selections: Vec<Selection>,
    /// Whether an administrator asks: today all see the same.
    pub(crate) is_admin: bool,
}

pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) ty: String,
    pub(crate) default: Option<Literal>,
    /// None: it is not sent.
    pub(crate) given: Option<Json>,
}

pub(crate) struct Fragment {
    pub(crate) name: String,
    pub(crate) on: String,
    pub(crate) selections: Vec<Selection>,
}

#[derive(Clone)]
pub(crate) enum Selection {
    Field(Field),
    Inline {
        on: Option<String>,
        directives: Vec<Directive>,
        selections: Vec<Selection>,
    },
    Spread {
        fragment: String,
        directives: Vec<Directive>,
    },
}

#[derive(Clone)]
pub(crate) struct Field {
    pub(crate) alias: Option<String>,
    pub(crate) name: String,
    pub(crate) arguments: Vec<(String, Literal)>,
    pub(crate) directives: Vec<Directive>,
    pub(crate) selections: Vec<Selection>,
}

/// `@skip(if:)` or `@include(if:)`.
#[derive(Clone)]
pub(crate) struct Directive {
    pub(crate) name: &'static str,
    pub(crate) condition: Literal,
}

/// A value in a document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Null,
    Boolean(bool),
    Number(serde_json::Number),
    Text(String),
    Enum(String),
    List(Vec<Literal>),
    Object(Vec<(String, Literal)>),
    Variable(String),
}

impl Literal {
    /// The JSON of a value in which no variable stands.
    pub(crate) fn constant(&self) -> Option<Json> {
        self.value(&Map::new())
            .filter(|_| !self.mentions_variables())
    }

    fn mentions_variables(&self) -> bool {
        match self {
            Self::Variable(_) => true,
            Self::List(items) => items.iter().any(Self::mentions_variables),
            Self::Object(members) => members.iter().any(|(_, value)| value.mentions_variables()),
            _ => false,
        }
    }

    /// What it means with these values of the variables; none for a variable without one.
    pub(crate) fn value(&self, variables: &Map<String, Json>) -> Option<Json> {
        Some(match self {
            Self::Null => Json::Null,
            Self::Boolean(value) => Json::Bool(*value),
            Self::Number(number) => Json::Number(number.clone()),
            Self::Text(text) | Self::Enum(text) => Json::String(text.clone()),
            Self::List(items) => items
                .iter()
                .map(|item| item.value(variables).unwrap_or_default())
                .collect(),
            Self::Object(members) => members
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), value.value(variables)?)))
                .collect::<Map<_, _>>()
                .into(),
            Self::Variable(name) => variables.get(name)?.clone(),
        })
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Boolean(value) => out.push_str(&value.to_string()),
            Self::Number(number) => out.push_str(&number.to_string()),
            // GraphQL has the escapes of JSON.
            Self::Text(text) => out.push_str(&Json::from(text.as_str()).to_string()),
            Self::Enum(name) => out.push_str(name),
            Self::List(items) => {
                out.push('[');
                for item in items {
                    item.write(out);
                    out.push(' ');
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (name, value) in members {
                    out.push_str(&format!("{name}: "));
                    value.write(out);
                    out.push(' ');
                }
                out.push('}');
            }
            Self::Variable(name) => out.push_str(&format!("${name}")),
        }
    }
}

impl From<&str> for Literal {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Literal {
    fn from(number: i64) -> Self {
        Self::Number(number.into())
    }
}

impl Field {
    pub(crate) fn named(name: &str) -> Self {
        Self {
            alias: None,
            name: name.to_owned(),
            arguments: Vec::new(),
            directives: Vec::new(),
            selections: Vec::new(),
        }
    }

    /// The member of the answer.
    pub(crate) fn key(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.name)
    }
}

impl Question {
    /// The text that is sent.
    pub(crate) fn document(&self) -> String {
        let mut out = "query Q".to_owned();
        if !self.variables.is_empty() {
            out.push('(');
            for variable in &self.variables {
                out.push_str(&format!("${}: {} ", variable.name, variable.ty));
                if let Some(default) = &variable.default {
                    out.push_str("= ");
                    default.write(&mut out);
                    out.push(' ');
                }
            }
            out.push(')');
        }
        write_selections(&mut out, &self.selections, 0);
        for fragment in &self.fragments {
            out.push_str(&format!("\nfragment {} on {}", fragment.name, fragment.on));
            write_selections(&mut out, &fragment.selections, 0);
        }
        out
    }

    /// Leaves out variables that nothing uses: they would be refused.
    pub(crate) fn forget_unused(&mut self) {
        let variables = std::mem::take(&mut self.variables);
        let text = self.document();
        self.variables = variables;
        self.variables.retain(|variable| {
            let written = format!("${}", variable.name);
            let mut behind_uses = text.split(&written).skip(1);
            behind_uses.any(|behind| !behind.starts_with(|next: char| next.is_ascii_digit()))
        });
    }

    /// Gives other values to variables that decide what is shown, and how many.
    pub(crate) fn vary(&mut self) {
        self.is_admin = !self.is_admin;
        for variable in &mut self.variables {
            let default = variable.default.as_ref().and_then(Literal::constant);
            let value = variable.given.clone().or(default);
            let other = match (variable.ty.trim_end_matches('!'), value) {
                ("Boolean", Some(Json::Bool(value))) => Json::from(!value),
                ("Int", Some(Json::Number(number))) => {
                    Json::from(number.as_i64().unwrap_or_default() + 1)
                }
                _ => continue,
            };
            variable.given = Some(other);
        }
    }

    /// The variables that are sent.
    pub(crate) fn given(&self) -> Map<String, Json> {
        self.variables
            .iter()
            .filter_map(|variable| Some((variable.name.clone(), variable.given.clone()?)))
            .collect()
    }

    /// The values of the variables: what is sent, or their defaults.
    pub(crate) fn values(&self) -> Map<String, Json> {
        let mut values = self.given();
        for variable in &self.variables {
            let default = variable.default.as_ref().and_then(Literal::constant);
            if let (None, Some(default)) = (&variable.given, default) {
                values.insert(variable.name.clone(), default);
            }
        }
        values
    }
}

fn write_selections(out: &mut String, selections: &[Selection], depth: usize) {
    if selections.is_empty() {
        return;
    }
    out.push_str(" {");
    for selection in selections {
        out.push('\n');
        out.push_str(&"  ".repeat(depth + 1));
        match selection {
            Selection::Field(field) => {
                if let Some(alias) = &field.alias {
                    out.push_str(&format!("{alias}: "));
                }
                out.push_str(&field.name);
                if !field.arguments.is_empty() {
                    out.push('(');
                    for (name, value) in &field.arguments {
                        out.push_str(&format!("{name}: "));
                        value.write(out);
                        out.push(' ');
                    }
                    out.push(')');
                }
                write_directives(out, &field.directives);
                write_selections(out, &field.selections, depth + 1);
            }
            Selection::Inline {
                on,
                directives,
                selections,
            } => {
                out.push_str("...");
                if let Some(on) = on {
                    out.push_str(&format!(" on {on}"));
                }
                write_directives(out, directives);
                write_selections(out, selections, depth + 1);
            }
            Selection::Spread {
                fragment,
                directives,
            } => {
                out.push_str(&format!("...{fragment}"));
                write_directives(out, directives);
            }
        }
    }
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push('}');
}

fn write_directives(out: &mut String, directives: &[Directive]) {
    for directive in directives {
        out.push_str(&format!(" @{}(if: ", directive.name));
        directive.condition.write(out);
        out.push(')');
    }
}
