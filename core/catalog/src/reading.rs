//! Reads JSON objects member by member and remembers what was asked for, so that at the end all
//! unknown members can be named, each with what may have been meant.

use serde_json::{Map, Value as Json};

use crate::names::{did_you_mean, is_language, nearest, one_of};
use crate::{Issue, Issues, Labels, Limits};

/// What a JSON value is, in words.
pub(crate) fn type_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "nothing",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

/// `expected a list, got a text`
pub(crate) fn wrong_type(expected: &str, input: &Json) -> Issues {
    Issue::new(
        "WRONG_TYPE",
        format!("expected {expected}, got {}", type_of(input)),
    )
    .into()
}

/// A JSON object that is being read.
pub(crate) struct MapReader<'a> {
    /// `None` when it is none, which has been reported.
    map: Option<&'a Map<String, Json>>,
    asked: Vec<&'static str>,
    /// What is wrong so far; paths are relative to this object.
    pub(crate) issues: Issues,
}

impl<'a> MapReader<'a> {
    /// # Errors
    /// When it is no object; `what` says what it should have been.
    pub(crate) fn new(value: &'a Json, what: &str) -> Result<Self, Issues> {
        match value {
            Json::Object(map) => Ok(Self {
                map: Some(map),
                asked: Vec::new(),
                issues: Issues::default(),
            }),
            _ => Err(wrong_type(what, value)),
        }
    }

    /// As [`MapReader::new`], for reading on: what is no object has no members, and none of them
    /// is missed.
    pub(crate) fn lenient(value: &'a Json, what: &str) -> Self {
        Self::new(value, what).unwrap_or_else(|issues| Self {
            map: None,
            asked: Vec::new(),
            issues,
        })
    }

    /// The member, if it is there and not null.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<&'a Json> {
        self.asked.push(name);
        self.map?.get(name).filter(|value| !value.is_null())
    }

    /// Whether the member is there, whatever it is.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.map.is_some_and(|map| map.contains_key(name))
    }

    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        match self.take(name)? {
            Json::String(text) => Some(text.clone()),
            other => {
                self.issues.extend_at(name, wrong_type("a text", other));
                None
            }
        }
    }

    /// A text that must be there; an issue and an empty text if it isn't.
    pub(crate) fn required_text(&mut self, name: &'static str) -> String {
        let before = self.issues.0.len();
        match self.text(name) {
            Some(text) => text,
            None => {
                if self.issues.0.len() == before {
                    self.missing(name);
                }
                String::new()
            }
        }
    }

    pub(crate) fn missing(&mut self, name: &'static str) {
        if self.map.is_none() {
            return;
        }
        self.issues
            .push(Issue::new("MISSING", format!("\"{name}\" is missing")).at(name));
    }

    pub(crate) fn flag(&mut self, name: &'static str) -> bool {
        match self.take(name) {
            None => false,
            Some(Json::Bool(flag)) => *flag,
            Some(other) => {
                self.issues
                    .extend_at(name, wrong_type("true or false", other));
                false
            }
        }
    }

    /// A whole number that fits the type.
    pub(crate) fn whole<N: TryFrom<i64>>(&mut self, name: &'static str) -> Option<N> {
        let value = self.take(name)?;
        let number = value.as_i64().and_then(|number| N::try_from(number).ok());
        if number.is_none() {
            self.issues
                .extend_at(name, wrong_type("a whole number in its range", value));
        }
        number
    }

    /// The items of a list; none if it is absent.
    pub(crate) fn list(&mut self, name: &'static str) -> &'a [Json] {
        match self.take(name) {
            None => &[],
            Some(Json::Array(items)) => items,
            Some(other) => {
                self.issues.extend_at(name, wrong_type("a list", other));
                &[]
            }
        }
    }

    pub(crate) fn texts(&mut self, name: &'static str) -> Vec<String> {
        let items = self.list(name);
        let mut texts = Vec::with_capacity(items.len());
        let mut issues = Issues::default();
        for (position, item) in items.iter().enumerate() {
            match item {
                Json::String(text) => texts.push(text.clone()),
                other => issues.extend_at(position, wrong_type("a text", other)),
            }
        }
        self.issues.extend_at(name, issues);
        texts
    }

    /// One of several words.
    pub(crate) fn one_of<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let text = self.text(name)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let known = || words.iter().map(|(word, _)| *word);
            self.issues.push(
                Issue::new(
                    "UNKNOWN_WORD",
                    format!(
                        "\"{text}\" is none of {}.{}",
                        one_of(known()),
                        did_you_mean(nearest(&text, known()))
                    ),
                )
                .at(name),
            );
        }
        found.map(|(_, value)| *value)
    }

    /// Texts by language. A single text counts as English.
    pub(crate) fn labels(
        &mut self,
        name: &'static str,
        limits: &Limits,
        length_max: usize,
    ) -> Labels {
        let mut labels = Labels::new();
        let Some(value) = self.take(name) else {
            return labels;
        };
        let mut issues = Issues::default();
        let map = match value {
            Json::Object(map) => map,
            Json::String(text) => {
                let single = Map::from_iter([("en".to_owned(), Json::String(text.clone()))]);
                return match read_labels(&single, length_max, &mut issues) {
                    labels if issues.is_empty() => labels,
                    labels => {
                        // The one text stands where the mapping would: no language in its path.
                        for mut issue in issues.0 {
                            issue.path.clear();
                            self.issues.push(issue.at(name));
                        }
                        labels
                    }
                };
            }
            other => {
                self.issues.extend_at(
                    name,
                    wrong_type("texts by language, such as {en: Company}", other),
                );
                return labels;
            }
        };
        if map.len() > limits.languages_max {
            issues.push(limit("languages", limits.languages_max, map.len()));
        } else {
            labels = read_labels(map, length_max, &mut issues);
        }
        self.issues.extend_at(name, issues);
        labels
    }

    /// Names the members that nobody asked for; gives all that is wrong.
    pub(crate) fn finish(mut self) -> Issues {
        for name in self.map.into_iter().flat_map(Map::keys) {
            if !self.asked.contains(&name.as_str()) {
                let meant = nearest(name, self.asked.iter().copied());
                let message = match meant {
                    Some(_) => format!("\"{name}\" is unknown here.{}", did_you_mean(meant)),
                    None => format!(
                        "\"{name}\" is unknown here; expected {}",
                        one_of(self.asked.iter().copied())
                    ),
                };
                let mut issue = Issue::new("UNKNOWN_KEY", message).at(name.clone());
                if let Some(meant) = meant {
                    issue = issue.with("suggestion", meant);
                }
                self.issues.push(issue);
            }
        }
        self.issues
    }
}

fn read_labels(map: &Map<String, Json>, length_max: usize, issues: &mut Issues) -> Labels {
    let mut labels = Labels::new();
    for (language, text) in map {
        if !is_language(language) {
            issues.push(
                Issue::new(
                    "BAD_LANGUAGE",
                    format!("\"{language}\" is no language tag such as \"en\" or \"zh-CN\""),
                )
                .at(language.clone()),
            );
        }
        match text {
            Json::String(text) if text.trim().is_empty() => {
                issues.push(Issue::new("MISSING", "the text is empty").at(language.clone()));
            }
            Json::String(text) if text.chars().count() > length_max => issues.push(
                Issue::new(
                    "TOO_LONG",
                    format!("expected at most {length_max} characters"),
                )
                .with("max", length_max)
                .at(language.clone()),
            ),
            Json::String(text) if text.contains('\0') => {
                issues.push(
                    Issue::new("BAD_CHARACTER", "the text contains a NUL character")
                        .at(language.clone()),
                );
            }
            Json::String(text) => {
                labels.insert(language.clone(), text.clone());
            }
            other => issues.extend_at(language.clone(), wrong_type("a text", other)),
        }
    }
    labels
}

/// `at most 200 fields are possible, got 300`
pub(crate) fn limit(what: &str, max: usize, got: usize) -> Issue {
    Issue::new(
        "LIMIT_EXCEEDED",
        format!("at most {max} {what} are possible, got {got}"),
    )
    .with("max", max)
    .with("got", got)
}
