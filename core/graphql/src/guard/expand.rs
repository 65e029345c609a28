//! From what fragments say to what they come to, each looked at once.

use std::collections::HashMap;

use super::{Counted, DocumentLimits, Refusal, malformed, over, walk::Definition};

/// What a definition comes to when its spreads are replaced by what they bring.
#[derive(Debug, Clone, Copy, Default)]
struct Expanded {
    selections: u64,
    root_fields: u64,
    aliases: u64,
    directives: u64,
    depth: usize,
}

enum State {
    Unseen,
    Open,
    Done(Expanded),
}

/// Adds fragments up, each once.
pub(super) fn expand(
    definitions: &[Definition<'_>],
    limits: &DocumentLimits,
) -> Result<Counted, Refusal> {
    let mut positions = HashMap::with_capacity(definitions.len());
    for (position, definition) in definitions.iter().enumerate() {
        if let Some(name) = definition.fragment {
            positions.entry(name).or_insert(position);
        }
    }
    let mut expansion = Expansion {
        definitions,
        positions,
        states: definitions.iter().map(|_| State::Unseen).collect(),
        limits,
        steps: 0,
    };
    let mut total = Expanded::default();
    for (position, definition) in definitions.iter().enumerate() {
        let expanded = expansion.of(position, 0)?;
        if definition.fragment.is_some() {
            // Not counted, but looked at: cycles and depth count also where nothing spreads it.
            continue;
        }
        total.selections = total.selections.saturating_add(expanded.selections);
        total.aliases = total.aliases.saturating_add(expanded.aliases);
        total.directives = total.directives.saturating_add(expanded.directives);
        total.root_fields = total.root_fields.max(expanded.root_fields);
    }
    let checks = [
        (
            "selections",
            total.selections,
            limits.selections_max,
            "fields and fragments",
        ),
        (
            "rootFields",
            total.root_fields,
            limits.root_fields_max,
            "root fields",
        ),
        ("aliases", total.aliases, limits.aliases_max, "aliases"),
        (
            "directives",
            total.directives,
            limits.directives_max,
            "directives",
        ),
    ];
    for (limit, count, max, what) in checks {
        if count > max {
            return Err(over(
                limit,
                max,
                format!(
                    "the document comes to {count} {what} once its fragments are expanded, at most {max} are allowed"
                ),
                None,
            ));
        }
    }
    Ok(Counted {
        tokens: 0,
        steps: expansion.steps,
        selections: total.selections,
    })
}

struct Expansion<'d> {
    definitions: &'d [Definition<'d>],
    positions: HashMap<&'d str, usize>,
    states: Vec<State>,
    limits: &'d DocumentLimits,
    steps: u64,
}

impl Expansion<'_> {
    /// Recursion is over spreads inside spreads, and ends at the depth limit.
    fn of(&mut self, position: usize, around: usize) -> Result<Expanded, Refusal> {
        self.steps += 1;
        let definitions = self.definitions;
        let definition = &definitions[position];
        match self.states[position] {
            State::Done(expanded) => return Ok(expanded),
            State::Open => {
                return Err(malformed(
                    format!(
                        "fragment `{}` spreads itself",
                        definition.fragment.unwrap_or_default()
                    ),
                    definition.at,
                ));
            }
            State::Unseen => {}
        }
        if around > self.limits.depth_max {
            return Err(self.too_deep(definition.at));
        }
        self.states[position] = State::Open;
        let mut expanded = Expanded {
            selections: definition.selections,
            root_fields: definition.root_fields,
            aliases: definition.aliases,
            directives: definition.directives,
            depth: definition.depth,
        };
        for spread in &definition.spreads {
            // A spread of a fragment that isn't there is the validator's to report.
            let Some(target) = self.positions.get(spread.name).copied() else {
                self.steps += 1;
                continue;
            };
            let brought = self.of(target, around + 1)?;
            expanded.selections = expanded.selections.saturating_add(brought.selections);
            expanded.aliases = expanded.aliases.saturating_add(brought.aliases);
            expanded.directives = expanded.directives.saturating_add(brought.directives);
            if spread.at_root {
                expanded.root_fields = expanded.root_fields.saturating_add(brought.root_fields);
            }
            expanded.depth = expanded.depth.max(spread.depth + brought.depth);
        }
        if expanded.depth > self.limits.depth_max {
            return Err(self.too_deep(definition.at));
        }
        self.states[position] = State::Done(expanded);
        Ok(expanded)
    }

    fn too_deep(&self, at: usize) -> Refusal {
        over(
            "documentDepth",
            self.limits.depth_max as u64,
            format!(
                "selections nest deeper than {} once fragments are expanded",
                self.limits.depth_max
            ),
            Some(at),
        )
    }
}
