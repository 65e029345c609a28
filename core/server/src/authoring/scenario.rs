//! What a plugin's author expects of a workspace with the plugin in it: requests to the records
//! endpoint in order, and what must be in each answer (`tests/scenarios/*.yaml`).
//!
//! An expectation names what matters: members of an object that it does not name may be anything.
//! Lists are compared whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

/// Most steps of a scenario.
const STEPS_MAX: usize = 1_000;

/// A file of `tests/scenarios`: one fresh workspace.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Scenario {
    /// What it shows.
    pub(super) scenario: String,
    /// Settings of the plugin; the manifest's defaults fill in what is left out.
    #[serde(default)]
    pub(super) settings: Option<Json>,
    /// In order.
    pub(super) steps: Vec<Step>,
}

/// A request, and what must come of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Step {
    /// What it shows.
    pub(super) step: String,
    /// The GraphQL document.
    pub(super) query: String,
    /// `${name}` stands for what an earlier step saved.
    #[serde(default)]
    variables: Json,
    /// Must be in the answer.
    pub(super) expect: Expectation,
    /// Asked again until the answer fits, or ten seconds have passed: for what after hooks do.
    #[serde(default)]
    pub(super) eventually: bool,
    /// Name → JSON pointer into `data`.
    #[serde(default)]
    save: BTreeMap<String, String>,
}

/// Either data without errors, or errors.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Expectation {
    #[serde(default)]
    data: Option<Json>,
    #[serde(default)]
    errors: Option<Vec<Json>>,
}

/// Every scenario of the folder, by file.
pub(super) fn read_all(folder: &Path) -> Result<Vec<(PathBuf, Scenario)>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .with_context(|| format!("can't read {}", folder.display()))?;
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml")
    });
    files.sort();
    files
        .into_iter()
        .map(|file| {
            let scenario = read(&file).with_context(|| file.display().to_string())?;
            Ok((file, scenario))
        })
        .collect()
}

fn read(file: &Path) -> Result<Scenario> {
    let text = std::fs::read_to_string(file)?;
    let scenario: Scenario = serde_norway::from_str(&text)?;
    if scenario.steps.len() > STEPS_MAX {
        bail!(
            "has {} steps; at most {STEPS_MAX} are run",
            scenario.steps.len()
        );
    }
    for step in &scenario.steps {
        if step.expect.data.is_some() == step.expect.errors.is_some() {
            bail!("`{}`: expect either `data` or `errors`", step.step);
        }
    }
    Ok(scenario)
}

/// What earlier steps saved.
#[derive(Debug, Default)]
pub(super) struct Saved(BTreeMap<String, String>);

impl Saved {
    /// The step's variables with what was saved in them.
    pub(super) fn fill(&self, step: &Step) -> Result<Map<String, Json>> {
        match self.filled(&step.variables)? {
            Json::Null => Ok(Map::new()),
            Json::Object(variables) => Ok(variables),
            _ => bail!("variables are an object"),
        }
    }

    fn filled(&self, json: &Json) -> Result<Json> {
        Ok(match json {
            Json::String(text) => Json::String(self.text(text)?),
            Json::Array(items) => Json::Array(
                items
                    .iter()
                    .map(|item| self.filled(item))
                    .collect::<Result<_>>()?,
            ),
            Json::Object(members) => Json::Object(
                members
                    .iter()
                    .map(|(name, member)| Ok((name.clone(), self.filled(member)?)))
                    .collect::<Result<_>>()?,
            ),
            other => other.clone(),
        })
    }

    fn text(&self, text: &str) -> Result<String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, behind) = after
                .split_once('}')
                .with_context(|| format!("`{text}`: `${{` without `}}`"))?;
            let value = self
                .0
                .get(name)
                .with_context(|| format!("nothing was saved as `{name}`"))?;
            filled.push_str(before);
            filled.push_str(value);
            rest = behind;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// Keeps what the step wants kept of its answer.
    pub(super) fn keep(&mut self, step: &Step, answer: &Json) -> Result<()> {
        for (name, pointer) in &step.save {
            let value = answer["data"]
                .pointer(pointer)
                .with_context(|| format!("there is nothing at `{pointer}` to save as `{name}`"))?;
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            self.0.insert(name.clone(), text);
        }
        Ok(())
    }
}

impl Expectation {
    /// Every way in which the answer is not what was expected.
    pub(super) fn mismatches(&self, answer: &Json) -> Vec<String> {
        let mut mismatches = Vec::new();
        if let Some(data) = &self.data {
            if let Some(errors) = answer.get("errors") {
                mismatches.push(format!("errors: {errors}"));
            }
            compare("data", data, &answer["data"], &mut mismatches);
        }
        if let Some(errors) = &self.errors {
            let given: Vec<Json> = answer["errors"]
                .as_array()
                .into_iter()
                .flatten()
                .map(flattened)
                .collect();
            if given.is_empty() {
                mismatches.push(format!("no errors, but data: {}", answer["data"]));
            }
            compare(
                "errors",
                &Json::Array(errors.clone()),
                &Json::Array(given),
                &mut mismatches,
            );
        }
        mismatches
    }
}

/// An error with its extensions beside its message: `{code, issues, message, path}`.
fn flattened(error: &Json) -> Json {
    let mut flat = error.as_object().cloned().unwrap_or_default();
    if let Some(Json::Object(extensions)) = flat.remove("extensions") {
        flat.extend(extensions);
    }
    Json::Object(flat)
}

fn compare(path: &str, expected: &Json, given: &Json, mismatches: &mut Vec<String>) {
    match (expected, given) {
        (Json::Object(expected), Json::Object(given)) => {
            for (name, expected) in expected {
                let given = given.get(name).unwrap_or(&Json::Null);
                compare(&format!("{path}.{name}"), expected, given, mismatches);
            }
        }
        (Json::Array(expected), Json::Array(given)) if expected.len() == given.len() => {
            for (position, (expected, given)) in expected.iter().zip(given).enumerate() {
                compare(&format!("{path}[{position}]"), expected, given, mismatches);
            }
        }
        _ if expected == given => {}
        _ => mismatches.push(format!("{path}: expected {expected}, got {given}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn step(yaml: &str) -> Step {
        serde_norway::from_str(yaml).unwrap()
    }

    #[test]
    fn expected_members_are_compared_and_others_ignored() {
        let data = step("{step: s, query: q, expect: {data: {deal: {name: Big, tags: [A]}}}}");
        let fits = json!({"data": {"deal": {"name": "Big", "id": "1", "tags": ["A"]}}});
        assert!(data.expect.mismatches(&fits).is_empty());

        let answer = json!({"data": {"deal": {"name": "Small", "tags": ["A", "B"]}}});
        assert_eq!(
            data.expect.mismatches(&answer),
            [
                "data.deal.name: expected \"Big\", got \"Small\"",
                "data.deal.tags: expected [\"A\"], got [\"A\",\"B\"]"
            ]
        );
    }

    #[test]
    fn errors_are_compared_by_code_and_issues() {
        let refused = step(
            "{step: s, query: q, expect: {errors: [{code: PLUGIN_REJECTED, issues: [{code: OVER_LIMIT}]}]}}",
        );
        let answer = json!({"data": null, "errors": [{
            "message": "no", "path": ["createDeal"],
            "extensions": {"code": "PLUGIN_REJECTED", "issues": [{"code": "OVER_LIMIT", "path": ["amount"]}]}
        }]});
        assert!(refused.expect.mismatches(&answer).is_empty());
        assert_eq!(
            refused.expect.mismatches(&json!({"data": {"a": 1}})).len(),
            2
        );
    }

    #[test]
    fn what_was_saved_is_filled_in() {
        let first = step("{step: s, query: q, expect: {data: {}}, save: {deal: /createDeal/id}}");
        let mut saved = Saved::default();
        saved
            .keep(&first, &json!({"data": {"createDeal": {"id": "0192"}}}))
            .unwrap();
        let second = step(
            "{step: s, query: q, expect: {data: {}}, variables: {id: '${deal}', list: [{a: 'x-${deal}'}], n: 1}}",
        );
        assert_eq!(
            Json::Object(saved.fill(&second).unwrap()),
            json!({"id": "0192", "list": [{"a": "x-0192"}], "n": 1})
        );
        let unknown =
            step("{step: s, query: q, expect: {data: {}}, variables: {id: '${nothing}'}}");
        assert!(saved.fill(&unknown).is_err());
    }

    #[test]
    fn a_scenario_that_says_too_little_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        std::fs::write(
            &file,
            "{scenario: s, steps: [{step: s, query: q, expect: {}}]}",
        )
        .unwrap();
        let error = format!("{:#}", read_all(folder.path()).unwrap_err());
        assert!(error.contains("either `data` or `errors`"), "{error}");
        std::fs::write(&file, "{scenario: s, steps: [], surprise: 1}").unwrap();
        let error = format!("{:#}", read_all(folder.path()).unwrap_err());
        assert!(error.contains("surprise"), "{error}");
    }
}
