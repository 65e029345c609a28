//! What a guest returns, checked: it is a stranger's, however well its types fit.

use serde_json::Value as Json;

use crate::bindings::types;
use crate::call::{Effect, FaultCause, Outcome, PluginIssue, effect_object, effect_values};
use crate::manifest::Hook;
use crate::services::{names, value_bytes};
use crate::values::{NamedValue, PluginValue};
use crate::{Grants, Limits};

type Refusal = (FaultCause, String);

fn at_most(what: &str, count: usize, max: usize) -> Result<(), Refusal> {
    if count > max {
        return Err((
            FaultCause::Output,
            format!("it returned {count} {what}; at most {max} are allowed"),
        ));
    }
    Ok(())
}

/// An outcome that stays within the hook's `writes`, the grants and the limits.
pub(crate) fn check_outcome(
    outcome: &Outcome,
    hook: &Hook,
    grants: &Grants,
    limits: &Limits,
) -> Result<(), Refusal> {
    at_most("patches", outcome.patches.len(), limits.patches_max)?;
    at_most("effects", outcome.effects.len(), limits.effects_max)?;
    let bytes: usize = outcome.patches.iter().map(named_bytes).sum::<usize>()
        + outcome.effects.iter().map(effect_bytes).sum::<usize>();
    at_most("bytes", bytes, limits.outcome_bytes)?;
    for patch in &outcome.patches {
        if !hook.writes.contains(&patch.name) {
            return Err((
                FaultCause::Denied,
                format!(
                    "it patches `{}`, which the manifest's `writes` of the hook does not name",
                    clipped(&patch.name)
                ),
            ));
        }
        check_json_depth(&patch.value, limits)?;
    }
    for effect in &outcome.effects {
        let object = effect_object(effect);
        let values = effect_values(effect);
        let denied = match effect {
            Effect::Create(_) => grants
                .deny_create(object)
                .or_else(|| grants.deny_write(object, names(values))),
            Effect::Update(_) => grants.deny_write(object, names(values)),
            Effect::Delete(_) => grants.deny_delete(object),
        };
        if let Some(capability) = denied {
            return Err((
                FaultCause::Denied,
                format!(
                    "an effect needs the capability `{}`, which has not been granted",
                    clipped(&capability)
                ),
            ));
        }
        for value in values {
            check_json_depth(&value.value, limits)?;
        }
    }
    Ok(())
}

/// The issues of a rejection: at least one, and not too many.
pub(crate) fn check_issues(
    issues: Vec<types::Issue>,
    limits: &Limits,
) -> Result<Vec<PluginIssue>, Refusal> {
    if issues.is_empty() {
        return Err((
            FaultCause::Output,
            "it rejected without an issue that says why".to_owned(),
        ));
    }
    at_most("issues", issues.len(), limits.issues_max)?;
    let bytes: usize = issues.iter().map(issue_bytes).sum();
    at_most("bytes of issues", bytes, limits.outcome_bytes)?;
    Ok(issues.into_iter().map(PluginIssue::from).collect())
}

/// An operation's result: JSON, not too long, not too deep.
pub(crate) fn check_result(text: &str, limits: &Limits) -> Result<Json, Refusal> {
    at_most("bytes of JSON", text.len(), limits.result_bytes)?;
    check_depth(text, limits)?;
    serde_json::from_str(text).map_err(|error| {
        (
            FaultCause::Output,
            format!("its result is not JSON: {error}"),
        )
    })
}

fn check_json_depth(value: &PluginValue, limits: &Limits) -> Result<(), Refusal> {
    match value {
        PluginValue::Ext((_, json)) => check_depth(json, limits),
        _ => Ok(()),
    }
}

/// Depth of brackets outside strings, found without building anything.
fn check_depth(json: &str, limits: &Limits) -> Result<(), Refusal> {
    let mut depth = 0usize;
    let mut in_string = false;
    let mut escaped = false;
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > limits.json_depth_max {
                    return Err((
                        FaultCause::Output,
                        format!(
                            "its JSON is nested deeper than {} levels",
                            limits.json_depth_max
                        ),
                    ));
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

fn named_bytes(value: &NamedValue) -> usize {
    value.name.len() + value_bytes(&value.value)
}

fn effect_bytes(effect: &Effect) -> usize {
    let id = match effect {
        Effect::Create(_) => 0,
        Effect::Update((_, id, _)) | Effect::Delete((_, id)) => id.len(),
    };
    effect_object(effect).len() + id + effect_values(effect).iter().map(named_bytes).sum::<usize>()
}

fn issue_bytes(issue: &types::Issue) -> usize {
    issue.code.len()
        + issue.path.iter().map(String::len).sum::<usize>()
        + issue
            .params
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum::<usize>()
}

/// A name that a guest chose, short enough for a message.
fn clipped(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(100).collect()
}
