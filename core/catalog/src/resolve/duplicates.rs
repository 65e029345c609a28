//! By what records may be the same: what each owner says of an object.

use rust_decimal::Decimal;

use super::{Resolver, under};
use crate::reading::limit;
use crate::{
    DUPLICATE_SCORES, DUPLICATE_WEIGHT_MAX, DuplicateBy, DuplicateRule, DuplicateRuleDefinition,
    Duplicates, Issue, OWNER_WORKSPACE, Object, PathSegment,
};

impl Resolver<'_> {
    /// What the document says of an object, behind what others do.
    pub(super) fn duplicates_of(
        &mut self,
        object: &Object,
        existing: &[Duplicates],
    ) -> Vec<Duplicates> {
        let mut all: Vec<Duplicates> = existing
            .iter()
            .filter(|duplicates| duplicates.owner != self.owner)
            .cloned()
            .collect();
        for entry in 0..self.blueprint.objects.len() {
            if self.subjects[entry].as_ref() != Some(&object.key) {
                continue;
            }
            let part = &self.blueprint.objects[entry];
            let Some(definition) = &part.members().duplicates else {
                continue;
            };
            let place = under(Self::entry_path(entry), "duplicates");
            if all.iter().any(|other| other.owner == self.owner) {
                let issue = Issue::new(
                    "DUPLICATE_KEY",
                    "this document has said before by what these records may be the same",
                );
                self.report(place, issue);
                continue;
            }
            let (least, greatest) = DUPLICATE_SCORES;
            self.in_range(definition.score, least, greatest, &place, "score");
            let may_say_all = Self::is_definition(part) || self.owner == OWNER_WORKSPACE;
            if definition.score.is_some() && !may_say_all {
                let issue = Issue::new(
                    "DUPLICATES_UNFIT",
                    format!(
                        "from which score on records of {} are shown is said by its owner and by \
                         the workspace: leave it out",
                        object.key
                    ),
                );
                self.report(under(place.clone(), "score"), issue);
            }
            let rules = definition
                .rules
                .as_ref()
                .map(|rules| self.duplicate_rules(object, rules, &under(place, "rules")));
            all.push(Duplicates {
                owner: self.owner.to_owned(),
                score: definition.score.map(|score| score.normalize()),
                rules,
            });
        }
        all
    }

    fn duplicate_rules(
        &mut self,
        object: &Object,
        definitions: &[DuplicateRuleDefinition],
        place: &[PathSegment],
    ) -> Vec<DuplicateRule> {
        let max = self.limits.duplicate_rules_max;
        if definitions.len() > max {
            let issue = limit("rules for duplicates", max, definitions.len());
            self.report(place.to_vec(), issue);
        }
        let mut rules: Vec<DuplicateRule> = Vec::with_capacity(definitions.len());
        for (position, definition) in definitions.iter().enumerate() {
            let place = under(place.to_vec(), position);
            self.in_range(
                definition.weight,
                // Nothing is worth nothing: who wants no rule leaves it out.
                Decimal::new(1, 2),
                DUPLICATE_WEIGHT_MAX,
                &place,
                "weight",
            );
            self.in_range(
                definition.otherwise,
                -DUPLICATE_WEIGHT_MAX,
                Decimal::ZERO,
                &place,
                "otherwise",
            );
            // Whatever it is: the reader has said that it can't be read.
            let Some(by) = definition.by else {
                continue;
            };
            let fields = under(place.clone(), "fields");
            let max = self.limits.unique_fields_max;
            let count = definition.fields.len();
            if count == 0 {
                let issue = Issue::new("MISSING", "a rule compares at least one field");
                self.report(fields.clone(), issue);
            } else if by == DuplicateBy::Name && count > 1 {
                let issue = Issue::new(
                    "DUPLICATES_UNFIT",
                    "a name is one field: make a rule for each",
                );
                self.report(fields.clone(), issue);
            } else if count > max {
                self.report(fields.clone(), limit("fields in a rule", max, count));
            }
            let mut keys = Vec::with_capacity(count);
            for (item, reference) in definition.fields.iter().enumerate() {
                let place = under(fields.clone(), item);
                let Some(key) = self.field_or_report(&object.key, reference, place.clone()) else {
                    continue;
                };
                if keys.contains(&key) {
                    let message = format!("\"{reference}\" stands twice in this rule");
                    self.report(place, Issue::new("DUPLICATE_KEY", message));
                    continue;
                }
                if let Some((_, field)) = object.field_keyed(&key)
                    && self.is_readable(&object.key, &key)
                    && !by.takes(&field.kind)
                {
                    let issue = Issue::new(
                        "DUPLICATES_UNFIT",
                        format!(
                            "a field of kind {} can't be compared by {}: expected {}",
                            field.kind.name(),
                            by.name(),
                            by.kinds()
                        ),
                    );
                    self.report(place, issue);
                }
                keys.push(key);
            }
            let rule = DuplicateRule {
                by,
                fields: keys,
                weight: definition.weight.map(|weight| weight.normalize()),
                otherwise: definition.otherwise.map(|weight| weight.normalize()),
            };
            let is_whole = rule.fields.len() == count;
            if is_whole && rules.iter().any(|other| other.asks_as(&rule)) {
                let issue = Issue::new("DUPLICATE_KEY", "a rule before it compares the same");
                self.report(place, issue);
            }
            rules.push(rule);
        }
        rules
    }

    fn in_range(
        &mut self,
        value: Option<Decimal>,
        least: Decimal,
        greatest: Decimal,
        place: &[PathSegment],
        name: &str,
    ) {
        if let Some(value) = value
            && !(least..=greatest).contains(&value)
        {
            let issue = Issue::new(
                "OUT_OF_RANGE",
                format!("expected {least} to {greatest}, got {}", value.normalize()),
            )
            .with("min", least.to_string())
            .with("max", greatest.to_string());
            self.report(under(place.to_vec(), name), issue);
        }
    }
}
