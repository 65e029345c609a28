//! A table of the manifest that is read key by key: remembers which keys it knows, so that what
//! is left over is reported with the nearest known name, and collects issues instead of ending
//! at the first.

use relata_catalog::{Issue, Issues, PathSegment};
use toml::{Table, Value as Toml};

pub(super) struct Section<'a> {
    table: &'a Table,
    path: Vec<PathSegment>,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    pub(super) fn new(table: &'a Table, path: Vec<PathSegment>) -> Self {
        Self {
            table,
            path,
            known: Vec::new(),
        }
    }

    /// An issue at a key of this section.
    pub(super) fn issue(&self, key: &str, code: &str, message: impl Into<String>) -> Issue {
        let mut issue = Issue::new(code, message);
        issue.path = self.path_to(key);
        issue
    }

    pub(super) fn path_to(&self, key: &str) -> Vec<PathSegment> {
        let mut path = self.path.clone();
        path.push(key.into());
        path
    }

    pub(super) fn take(&mut self, key: &'static str) -> Option<&'a Toml> {
        self.known.push(key);
        self.table.get(key)
    }

    fn wrong_type(&self, key: &str, expected: &str, found: &Toml) -> Issue {
        self.issue(
            key,
            "WRONG_TYPE",
            format!("must be {expected}, not {}", type_name(found)),
        )
    }

    pub(super) fn text(&mut self, key: &'static str, issues: &mut Issues) -> Option<&'a str> {
        match self.take(key)? {
            Toml::String(text) => Some(text),
            other => {
                issues.push(self.wrong_type(key, "a string", other));
                None
            }
        }
    }

    pub(super) fn required_text(
        &mut self,
        key: &'static str,
        example: &str,
        issues: &mut Issues,
    ) -> Option<&'a str> {
        if !self.table.contains_key(key) {
            self.known.push(key);
            issues.push(self.issue(
                key,
                "REQUIRED",
                format!("is missing; for example {example}"),
            ));
            return None;
        }
        self.text(key, issues)
    }

    pub(super) fn boolean(&mut self, key: &'static str, issues: &mut Issues) -> bool {
        match self.take(key) {
            None => false,
            Some(Toml::Boolean(boolean)) => *boolean,
            Some(other) => {
                issues.push(self.wrong_type(key, "true or false", other));
                false
            }
        }
    }

    pub(super) fn integer(&mut self, key: &'static str, issues: &mut Issues) -> Option<i64> {
        match self.take(key)? {
            Toml::Integer(integer) => Some(*integer),
            other => {
                issues.push(self.wrong_type(key, "an integer", other));
                None
            }
        }
    }

    /// A list of strings without repetition, each checked.
    pub(super) fn names(
        &mut self,
        key: &'static str,
        max: usize,
        check: impl Fn(&str) -> Result<(), String>,
        issues: &mut Issues,
    ) -> Vec<String> {
        let list = match self.take(key) {
            None => return Vec::new(),
            Some(Toml::Array(list)) => list,
            Some(other) => {
                issues.push(self.wrong_type(key, "a list of strings", other));
                return Vec::new();
            }
        };
        if list.len() > max {
            issues.push(
                self.issue(
                    key,
                    "TOO_MANY",
                    format!("names {} things; at most {max} are allowed", list.len()),
                )
                .with("max", max),
            );
            return Vec::new();
        }
        let mut names: Vec<String> = Vec::with_capacity(list.len());
        for (position, entry) in list.iter().enumerate() {
            let refused = match entry {
                Toml::String(name) => {
                    let refused = if names.contains(name) {
                        Some(("REPEATED", format!("`{name}` is named twice")))
                    } else {
                        check(name).err().map(|message| ("BAD_NAME", message))
                    };
                    names.push(name.clone());
                    refused
                }
                other => Some((
                    "WRONG_TYPE",
                    format!("must be a string, not {}", type_name(other)),
                )),
            };
            if let Some((code, message)) = refused {
                let mut issue = self.issue(key, code, message);
                issue.path.push(position.into());
                issues.push(issue);
            }
        }
        names
    }

    pub(super) fn table(&mut self, key: &'static str, issues: &mut Issues) -> Option<&'a Table> {
        match self.take(key)? {
            Toml::Table(table) => Some(table),
            other => {
                issues.push(self.wrong_type(key, "a table", other));
                None
            }
        }
    }

    /// A list of tables (`[[key]]`), each with its path.
    pub(super) fn tables(
        &mut self,
        key: &'static str,
        max: usize,
        issues: &mut Issues,
    ) -> Vec<Section<'a>> {
        let list = match self.take(key) {
            None => return Vec::new(),
            Some(Toml::Array(list)) => list,
            Some(other) => {
                issues.push(self.wrong_type(key, &format!("a list of tables ([[{key}]])"), other));
                return Vec::new();
            }
        };
        if list.len() > max {
            issues.push(
                self.issue(
                    key,
                    "TOO_MANY",
                    format!("there are {}; at most {max} are allowed", list.len()),
                )
                .with("max", max),
            );
            return Vec::new();
        }
        let mut sections = Vec::with_capacity(list.len());
        for (position, entry) in list.iter().enumerate() {
            let mut path = self.path_to(key);
            path.push(position.into());
            if let Toml::Table(table) = entry {
                sections.push(Section::new(table, path));
            } else {
                let mut issue = self.wrong_type(key, "a table", entry);
                issue.path = path;
                issues.push(issue);
            }
        }
        sections
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(self, issues: &mut Issues) {
        for key in self.table.keys() {
            if self.known.contains(&key.as_str()) {
                continue;
            }
            let hint = match nearest(key, &self.known) {
                Some(near) => format!("is not a key of the manifest; did you mean `{near}`?"),
                None => format!(
                    "is not a key of the manifest; there are {}",
                    self.known.join(", ")
                ),
            };
            issues.push(self.issue(key, "UNKNOWN_KEY", hint));
        }
    }
}

fn type_name(value: &Toml) -> &'static str {
    match value {
        Toml::String(_) => "a string",
        Toml::Integer(_) => "an integer",
        Toml::Float(_) => "a float",
        Toml::Boolean(_) => "a boolean",
        Toml::Datetime(_) => "a date",
        Toml::Array(_) => "a list",
        Toml::Table(_) => "a table",
    }
}

/// The known name that is at most a third of its letters away.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|candidate| (distance(name, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(3))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, in characters. Names are short: the manifest's own size bounds this.
fn distance(left: &str, right: &str) -> usize {
    let left: String = left.chars().take(80).collect();
    strsim::levenshtein(&left, right)
}
