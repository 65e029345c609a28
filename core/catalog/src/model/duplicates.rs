//! By what records of an object may be the same.
//!
//! Whoever defines an object says so for all of it; where nobody does, rules follow from the kinds
//! of its fields ([`derived`]), as data like any others. A plugin adds rules for what it has added
//! itself. What the workspace says stands in the place of all that.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Field, Key, Kind, OWNER_WORKSPACE, Object, Owner};

/// From how probable on records are shown as duplicates, where nobody says it.
pub const DUPLICATE_SCORE: Decimal = Decimal::from_parts(5, 0, 0, false, 1);
/// The least and the greatest of such probabilities.
pub const DUPLICATE_SCORES: (Decimal, Decimal) = (
    Decimal::from_parts(1, 0, 0, false, 2),
    Decimal::from_parts(99, 0, 0, false, 2),
);
/// The most that a rule can say for two records, or against them: the logarithm of odds of 22,000
/// to 1, against which no other rule stands.
pub const DUPLICATE_WEIGHT_MAX: Decimal = Decimal::from_parts(10, 0, 0, false, 0);

/// What one owner says of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Duplicates {
    /// Whose it is.
    pub owner: Owner,
    /// From how probable on records are shown, 0.01 to 0.99.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Decimal>,
    /// The rules. Absent: those that follow from kinds. None: there are no duplicates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<DuplicateRule>>,
}

/// Something that speaks for two records being the same, or against it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DuplicateRule {
    /// How values are compared.
    pub by: DuplicateBy,
    /// Of which fields. Of e-mail addresses, numbers, domains and addresses, one of any of them is
    /// enough; a name is one field; of `EQUAL` all must be the same.
    pub fields: Vec<Key>,
    /// What the same values are worth, as the natural logarithm of odds: 0.7 doubles them, 2.3
    /// makes them ten times, 4.6 a hundred times. What is only alike is worth the share of it that
    /// it is worth without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<Decimal>,
    /// What others are worth where both records have some, at most 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Decimal>,
}

/// How values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DuplicateBy {
    /// The same e-mail address.
    Email,
    /// The same phone number.
    Phone,
    /// The same domain, of web and e-mail addresses; without those of which anybody has one.
    Domain,
    /// A name that is alike: of a company (text) or of a person (full name).
    Name,
    /// The same city and country.
    Address,
    /// The same values, case, accents, blanks and signs aside.
    Equal,
}

impl DuplicateBy {
    /// All of them, as documents call them.
    pub const ALL: [(&'static str, Self); 6] = [
        ("EMAIL", Self::Email),
        ("PHONE", Self::Phone),
        ("DOMAIN", Self::Domain),
        ("NAME", Self::Name),
        ("ADDRESS", Self::Address),
        ("EQUAL", Self::Equal),
    ];

    /// As documents and reasons call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, by)| *by == self)
            .map_or("", |(name, _)| name)
    }

    /// Whether values of this kind can be compared so.
    #[must_use]
    pub fn takes(self, kind: &Kind) -> bool {
        match self {
            Self::Email => matches!(kind, Kind::Email | Kind::Emails),
            Self::Phone => matches!(kind, Kind::Phone | Kind::Phones),
            Self::Domain => matches!(kind, Kind::Url | Kind::Email | Kind::Emails),
            Self::Name => matches!(kind, Kind::Text { .. } | Kind::FullName),
            Self::Address => matches!(kind, Kind::Address),
            Self::Equal => matches!(
                kind,
                Kind::Text { .. }
                    | Kind::Integer { .. }
                    | Kind::Decimal { .. }
                    | Kind::Date
                    | Kind::DateTime
                    | Kind::Uuid
                    | Kind::Select { .. }
            ),
        }
    }

    /// The kinds that it takes, for a message.
    #[must_use]
    pub fn kinds(self) -> &'static str {
        match self {
            Self::Email => "email, emails",
            Self::Phone => "phone, phones",
            Self::Domain => "url, email, emails",
            Self::Name => "text, fullName",
            Self::Address => "address",
            Self::Equal => "text, integer, decimal, date, dateTime, uuid, select",
        }
    }
}

impl Object {
    /// From how probable on its records are shown as duplicates.
    #[must_use]
    pub fn duplicate_score(&self) -> Decimal {
        let said = |owner: &str| self.duplicates_of(owner)?.score;
        said(OWNER_WORKSPACE)
            .or_else(|| said(self.owner()))
            .unwrap_or(DUPLICATE_SCORE)
    }

    /// The rules that hold, each once.
    #[must_use]
    pub fn duplicate_rules(&self) -> Vec<DuplicateRule> {
        let said = |owner: &str| self.duplicates_of(owner)?.rules.clone();
        if let Some(rules) = said(OWNER_WORKSPACE) {
            return rules;
        }
        let mut rules = said(self.owner()).unwrap_or_else(|| derived(self));
        let added = self
            .duplicates
            .iter()
            .filter(|duplicates| duplicates.owner != self.owner())
            .flat_map(|duplicates| duplicates.rules.iter().flatten());
        for rule in added {
            if !rules.iter().any(|other| other.asks_as(rule)) {
                rules.push(rule.clone());
            }
        }
        rules
    }

    fn duplicates_of(&self, owner: &str) -> Option<&Duplicates> {
        self.duplicates
            .iter()
            .find(|duplicates| duplicates.owner == owner)
    }
}

impl DuplicateRule {
    /// Whether it compares what another one compares. The order of fields says nothing.
    #[must_use]
    pub fn asks_as(&self, other: &Self) -> bool {
        self.by == other.by
            && self.fields.len() == other.fields.len()
            && self.fields.iter().all(|field| other.fields.contains(field))
    }
}

/// What follows from kinds. What has neither an address nor a person's name is no party and has no
/// rules: deals may be called alike.
fn derived(object: &Object) -> Vec<DuplicateRule> {
    let is_party = object.fields.iter().any(|field| {
        matches!(
            field.kind,
            Kind::Email | Kind::Emails | Kind::Phone | Kind::Phones | Kind::Url | Kind::FullName
        )
    });
    if !is_party {
        return Vec::new();
    }
    let label = object
        .label_field
        .as_ref()
        .and_then(|key| object.field_keyed(key))
        .map(|(_, field)| field)
        .filter(|field| DuplicateBy::Name.takes(&field.kind));
    let is_company = label.is_some_and(|field| matches!(field.kind, Kind::Text { .. }));
    let is_label = |field: &Field| label.is_some_and(|label| label.key == field.key);
    DuplicateBy::ALL
        .into_iter()
        .map(|(_, by)| DuplicateRule {
            by,
            fields: object
                .fields
                .iter()
                .filter(|field| by.takes(&field.kind))
                .filter(|field| match by {
                    DuplicateBy::Name => is_label(field),
                    // Colleagues share a domain and are not the same.
                    DuplicateBy::Domain => is_company,
                    // What a kind says is no number by which parties are told apart.
                    DuplicateBy::Equal => false,
                    _ => true,
                })
                .map(|field| field.key.clone())
                .collect(),
            weight: None,
            otherwise: None,
        })
        .filter(|rule| !rule.fields.is_empty())
        .collect()
}
