//! Rules, and every expression of the catalogue that there will be: the document's own, and others'
//! that read what the document changes.

use std::collections::HashSet;

use super::{Resolver, under};
use crate::expression::{self, Place, Subject};
use crate::names::is_key;
use crate::reading::limit;
use crate::{Catalogue, Issue, Issues, Key, Object, PathSegment, Rule};

impl Resolver<'_> {
    /// The rules that an object will have: others' as they are, and then those of the document.
    pub(super) fn rules_of(&mut self, object: &Key, existing: &[Rule]) -> Vec<Rule> {
        let mut rules: Vec<Rule> = existing
            .iter()
            .filter(|rule| rule.key.owner() != self.owner)
            .cloned()
            .collect();
        let mut seen = HashSet::new();
        for entry in 0..self.blueprint.objects.len() {
            if self.subjects[entry].as_ref() != Some(object) {
                continue;
            }
            let definitions = &self.blueprint.objects[entry].members().rules;
            for (position, definition) in definitions.iter().enumerate() {
                let place = under(under(Self::entry_path(entry), "rules"), position);
                self.check_key(&definition.key, under(place.clone(), "key"));
                if is_key(&definition.key) && !seen.insert(definition.key.as_str()) {
                    let issue = Issue::new(
                        "DUPLICATE_KEY",
                        format!(
                            "the key \"{}\" is taken by a rule before it",
                            definition.key
                        ),
                    );
                    self.report(under(place.clone(), "key"), issue);
                    continue;
                }
                if definition.message.is_empty() {
                    let issue = Issue::new(
                        "MISSING",
                        "a rule has a message, such as {en: The end must come after the start}: \
                         whoever breaks it reads nothing else",
                    );
                    self.report(under(place.clone(), "message"), issue);
                }
                let mut fields = Vec::with_capacity(definition.fields.len());
                for (item, reference) in definition.fields.iter().enumerate() {
                    let place = under(under(place.clone(), "fields"), item);
                    fields.extend(self.field_or_report(object, reference, place));
                }
                rules.push(Rule {
                    key: Key::new(self.owner, &definition.key),
                    when: definition.when.clone(),
                    must: definition.must.clone(),
                    message: definition.message.clone(),
                    fields,
                });
            }
            if rules.len() > self.limits.rules_max {
                let issue = limit("rules of one object", self.limits.rules_max, rules.len());
                self.report(under(Self::entry_path(entry), "rules"), issue);
            }
        }
        rules
    }

    /// Gives every expression its program, or says why it has none.
    pub(super) fn link_expressions(&mut self, target: &mut Catalogue) {
        for (subject, mut issues) in expression::link(target) {
            if !self.unreadable.is_empty() {
                // What an unreadable field holds is unknown, so nothing is said of types.
                issues.0.retain(|issue| issue.code != "EXPRESSION_TYPE");
            }
            match self.place_of(&subject) {
                Some(place) => self.report_all(&place, issues),
                None => self.report_broken(&subject, &issues, target),
            }
        }
        let objects: Vec<_> = target.objects.clone();
        for object in &objects {
            self.check_rule_fields(object);
        }
    }

    /// Where an expression of this document stands in it.
    fn place_of(&self, subject: &Subject) -> Option<Vec<PathSegment>> {
        let entries = || {
            (0..self.blueprint.objects.len())
                .filter(|entry| self.subjects[*entry].as_ref() == Some(&subject.object))
        };
        let place = match &subject.element {
            None => {
                let entry = entries().find(|_| subject.object.owner() == self.owner)?;
                Self::entry_path(entry)
            }
            Some(element) if element.owner() != self.owner => return None,
            Some(element) => match subject.place {
                Place::RuleWhen | Place::RuleMust => entries().find_map(|entry| {
                    let rules = &self.blueprint.objects[entry].members().rules;
                    let position = rules.iter().position(|rule| rule.key == element.local())?;
                    Some(under(under(Self::entry_path(entry), "rules"), position))
                })?,
                _ => self.own_field(&subject.object, element)?.path(),
            },
        };
        Some(under(place, subject.place.member()))
    }

    /// Somebody else's expression that could be read before this document.
    fn report_broken(&mut self, subject: &Subject, issues: &Issues, target: &Catalogue) {
        let element = subject.element.as_ref().unwrap_or(&subject.object);
        let reasons: Vec<&str> = issues
            .0
            .iter()
            .map(|issue| issue.message.as_str())
            .collect();
        let name = subject.name(target);
        let issue = Issue::new(
            "DEPENDED_ON",
            format!(
                "{name} of {} could not be worked out any more ({}): its {} must change first",
                element.owner(),
                reasons.join("; "),
                subject.place.member()
            ),
        )
        .with("dependent", element.as_str())
        .with("owner", element.owner());
        self.report(vec!["objects".into()], issue);
    }

    /// Others' rules that point a person at a field that goes.
    fn check_rule_fields(&mut self, object: &Object) {
        for rule in &object.rules {
            for field in &rule.fields {
                if rule.key.owner() != self.owner && object.field_keyed(field).is_none() {
                    let issue = Issue::new(
                        "DEPENDED_ON",
                        format!(
                            "{field} can't be left out: the rule {} depends on it, which belongs \
                             to {}; that must go first",
                            rule.key.local(),
                            rule.key.owner()
                        ),
                    )
                    .with("dependent", rule.key.as_str())
                    .with("owner", rule.key.owner());
                    self.report(vec!["objects".into()], issue);
                }
            }
        }
    }
}
