//! What of two records is compared, what it is worth, and the keys that they may share.
//!
//! The rules are data ([`DuplicateRule`]), those that follow from kinds included; here stands what
//! they mean. Weights are the logarithms of odds; those of names are in their modules.

use relata_catalog::{
    Address, DuplicateBy, DuplicateRule, FieldIndex, Kind, Object, Value, folded, to_json,
};
use rust_decimal::prelude::ToPrimitive as _;

use super::{
    companies::{CompanyName, company_keys, company_name, compare_companies},
    people::{PersonName, compare_people, person_keys, person_name},
};

/// Odds before anything is known, of two records that share a key.
const PRIOR: f64 = -1.6;
/// Of what the same address is worth, what one is worth that a whole house reads.
const SHARED_EMAIL: f64 = 0.2;
/// Of what the same address is worth, what the same city is; the rest is the country.
const CITY: f64 = 0.8;
/// Characters of a value by which those with the same one are found.
const KEY_CHARACTERS_MAX: usize = 64;

/// What a rule is worth where nobody says it: the same values, and others.
fn worth(by: DuplicateBy, is_person: bool) -> (f64, f64) {
    match by {
        DuplicateBy::Email | DuplicateBy::Equal => (6.0, 0.0),
        DuplicateBy::Phone => (2.6, 0.0),
        DuplicateBy::Domain => (2.2, -1.2),
        DuplicateBy::Name if is_person => (3.0, -5.0),
        DuplicateBy::Name => (4.5, -5.0),
        DuplicateBy::Address => (1.0, -1.5),
    }
}

/// Addresses that everybody in a house reads.
const SHARED: &[&str] = &[
    "info",
    "office",
    "contact",
    "kontakt",
    "sales",
    "hello",
    "mail",
    "admin",
    "support",
    "service",
    "team",
    "post",
    "enquiries",
    "noreply",
];
/// Providers where anybody has an address.
const PROVIDERS: &[&str] = &[
    "gmail.com",
    "googlemail.com",
    "yahoo.com",
    "yahoo.co.uk",
    "yahoo.de",
    "yahoo.fr",
    "hotmail.com",
    "outlook.com",
    "live.com",
    "icloud.com",
    "me.com",
    "aol.com",
    "gmx.de",
    "gmx.net",
    "web.de",
    "t-online.de",
    "mail.ru",
    "yandex.ru",
    "qq.com",
    "163.com",
    "126.com",
    "sina.com",
    "foxmail.com",
    "protonmail.com",
    "proton.me",
    "orange.fr",
    "free.fr",
    "libero.it",
    "uol.com.br",
    "msn.com",
    "comcast.net",
    "shaw.ca",
    "surfeu.de",
    "surfeu.at",
    "yahoo.no",
    "yahoo.in",
    "yahoo.uk",
    "yahoo.se",
    "yahoo.pl",
    "yahoo.pt",
    "yahoo.es",
    "yahoo.it",
    "yahoo.ar",
    "yahoo.cl",
];

/// Why two records may be the same, or may not.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// `EMAIL`, `PHONE`, `DOMAIN`, `NAME`, `ADDRESS`, `EQUAL`.
    pub rule: &'static str,
    /// Logarithm of the odds that it adds; below 0 it speaks against.
    pub score: f64,
    /// Of the record, or the data, that was asked about.
    pub mine: String,
    /// Of the other one.
    pub theirs: String,
}

/// The rules of an object at one revision.
#[derive(Debug, Clone)]
pub struct Rules {
    /// From how probable on records are shown.
    pub score: f64,
    rules: Vec<Rule>,
    is_person: bool,
}

#[derive(Debug, Clone)]
struct Rule {
    by: DuplicateBy,
    fields: Vec<FieldIndex>,
    /// Its weight, by what it is worth where nobody says it.
    factor: f64,
    otherwise: f64,
}

impl Rules {
    /// Those that hold for an object.
    #[must_use]
    pub fn of(object: &Object) -> Self {
        let all = object.duplicate_rules();
        let compiled = |rule: &DuplicateRule| {
            let fields: Vec<_> = rule
                .fields
                .iter()
                .filter_map(|key| object.field_keyed(key))
                // Another's field may have become another kind since.
                .filter(|(_, field)| rule.by.takes(&field.kind))
                .collect();
            if fields.is_empty()
                || rule.by == DuplicateBy::Equal && fields.len() < rule.fields.len()
            {
                return None;
            }
            let is_person = fields
                .iter()
                .any(|(_, field)| matches!(field.kind, Kind::FullName));
            let (weight, otherwise) = worth(rule.by, is_person);
            let said =
                |weight: Option<rust_decimal::Decimal>| weight.and_then(|said| said.to_f64());
            Some(Rule {
                by: rule.by,
                fields: fields.into_iter().map(|(index, _)| index).collect(),
                factor: said(rule.weight).map_or(1.0, |said| said / weight),
                otherwise: said(rule.otherwise).unwrap_or(otherwise),
            })
        };
        let rules: Vec<Rule> = all.iter().filter_map(compiled).collect();
        let is_person = rules
            .iter()
            .filter(|rule| rule.by == DuplicateBy::Name)
            .any(|rule| matches!(object.field(rule.fields[0]).kind, Kind::FullName));
        Self {
            score: object.duplicate_score().to_f64().unwrap_or(1.0),
            rules,
            is_person,
        }
    }

    /// Whether there are none: then no two records are the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether a field is compared at all.
    pub(super) fn has(&self, field: FieldIndex) -> bool {
        self.rules.iter().any(|rule| rule.fields.contains(&field))
    }

    /// What decides by which keys the records of an object are found.
    #[must_use]
    pub fn form(object: &Object) -> String {
        let mut form = String::new();
        for rule in object.duplicate_rules() {
            form.push_str(rule.by.name());
            for field in &rule.fields {
                form.push(' ');
                form.push_str(field.as_str());
            }
            form.push(';');
        }
        form
    }

    /// What is compared of a record, by its values in the order of the object's fields.
    #[must_use]
    pub fn profile(&self, object: &Object, values: &[Value]) -> Profile {
        let part = |rule: &Rule| {
            let found = rule.fields.iter().map(|index| &values[index.0]);
            match rule.by {
                DuplicateBy::Email => Part::Texts(emails(found)),
                DuplicateBy::Phone => Part::Texts(phones(found)),
                DuplicateBy::Domain => Part::Texts(domains(object, rule, values)),
                DuplicateBy::Name => match &values[rule.fields[0].0] {
                    Value::Text(text) => Part::Company(text.clone(), company_name(text)),
                    Value::FullName(name) => {
                        Part::Person(name.full.clone(), person_name(&name.full))
                    }
                    _ => Part::Nothing,
                },
                DuplicateBy::Address => Part::Places(
                    found
                        .filter_map(|value| match value {
                            Value::Address(address) => Some(Place::of(address)),
                            _ => None,
                        })
                        .collect(),
                ),
                DuplicateBy::Equal => equal(object, rule, values),
            }
        };
        Profile {
            parts: self.rules.iter().map(part).collect(),
        }
    }

    /// What two records that are the same share at least one of.
    #[must_use]
    pub fn keys(&self, profile: &Profile) -> Vec<String> {
        let mut keys = Vec::new();
        for (position, (rule, part)) in self.rules.iter().zip(&profile.parts).enumerate() {
            match (rule.by, part) {
                (DuplicateBy::Email, Part::Texts(all)) => {
                    keys.extend(all.iter().map(|email| format!("e:{email}")));
                }
                (DuplicateBy::Phone, Part::Texts(all)) => {
                    keys.extend(all.iter().map(|phone| format!("p:{phone}")));
                }
                (DuplicateBy::Domain, Part::Texts(all)) => {
                    keys.extend(all.iter().map(|domain| format!("d:{domain}")));
                }
                (_, Part::Company(_, name)) => company_keys(name, &mut keys),
                (_, Part::Person(_, name)) => person_keys(name, &mut keys),
                (_, Part::Equal { compared, .. }) => {
                    let beginning: String = compared.chars().take(KEY_CHARACTERS_MAX).collect();
                    keys.push(format!("q{position}:{beginning}"));
                }
                // Whole towns share one.
                (_, Part::Places(_) | Part::Texts(_) | Part::Nothing) => {}
            }
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// How likely two profiles are of the same, 0 to 1, and why; the weightiest reason first.
    #[must_use]
    pub fn compare(&self, mine: &Profile, theirs: &Profile) -> (f64, Vec<Reason>) {
        let mut reasons = Vec::new();
        for (rule, (left, right)) in self.rules.iter().zip(mine.parts.iter().zip(&theirs.parts)) {
            self.judge(rule, left, right, &mut reasons);
        }
        reasons.sort_by(|left, right| right.score.abs().total_cmp(&left.score.abs()));
        let odds = PRIOR + reasons.iter().map(|reason| reason.score).sum::<f64>();
        (1.0 / (1.0 + (-odds).exp()), reasons)
    }

    fn judge(&self, rule: &Rule, mine: &Part, theirs: &Part, reasons: &mut Vec<Reason>) {
        let (weight, otherwise) = worth(rule.by, matches!(mine, Part::Person(..)));
        // Nothing is said by what is worth nothing.
        let mut add = |score: f64, mine: &str, theirs: &str| {
            if score != 0.0 {
                reasons.push(Reason {
                    rule: rule.by.name(),
                    score,
                    mine: mine.to_owned(),
                    theirs: theirs.to_owned(),
                });
            }
        };
        match (mine, theirs) {
            (Part::Texts(left), Part::Texts(right)) => {
                match left.iter().find(|text| right.contains(text)) {
                    Some(same) => {
                        let is_shared = rule.by == DuplicateBy::Email
                            && self.is_person
                            && same
                                .split('@')
                                .next()
                                .is_some_and(|it| SHARED.contains(&it));
                        let share = if is_shared { SHARED_EMAIL } else { 1.0 };
                        add(weight * share * rule.factor, same, same);
                    }
                    None if !left.is_empty() && !right.is_empty() => {
                        add(rule.otherwise, &left[0], &right[0]);
                    }
                    None => {}
                }
            }
            (Part::Company(left, mine), Part::Company(right, theirs)) => {
                let score = graded(rule, otherwise, compare_companies(mine, theirs));
                add(score, left, right);
            }
            (Part::Person(left, mine), Part::Person(right, theirs)) => {
                let score = graded(rule, otherwise, compare_people(mine, theirs));
                add(score, left, right);
            }
            (Part::Places(left), Part::Places(right)) => {
                let pairs = left
                    .iter()
                    .flat_map(|one| right.iter().map(move |other| (one, other)));
                // Of several addresses the two that say most for it.
                let best = pairs
                    .map(|(one, other)| one.beside(other, rule, weight))
                    .max_by(|one, other| total(one).total_cmp(&total(other)));
                for (score, left, right) in best.into_iter().flatten() {
                    add(score, left, right);
                }
            }
            (
                Part::Equal { shown, compared },
                Part::Equal {
                    shown: other_shown,
                    compared: other,
                },
            ) => {
                let is_same = compared == other;
                let score = if is_same {
                    weight * rule.factor
                } else {
                    rule.otherwise
                };
                add(score, shown, other_shown);
            }
            _ => {}
        }
    }
}

/// A grade of likeness as this rule weighs it.
fn graded(rule: &Rule, otherwise: f64, grade: f64) -> f64 {
    if grade > 0.0 {
        grade * rule.factor
    } else {
        grade * (rule.otherwise / otherwise)
    }
}

fn total(said: &[(f64, &str, &str)]) -> f64 {
    said.iter().map(|(score, ..)| score).sum()
}

/// What is compared of a record, by rule.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Profile {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Nothing,
    /// Of which one that both have is enough.
    Texts(Vec<String>),
    Company(String, CompanyName),
    Person(String, PersonName),
    Places(Vec<Place>),
    Equal {
        shown: String,
        compared: String,
    },
}

#[derive(Debug, Clone, PartialEq)]
struct Place {
    city: Option<String>,
    country: Option<String>,
}

impl Place {
    fn of(address: &Address) -> Self {
        Self {
            city: address.city.as_deref().map(folded),
            country: address.country.as_deref().map(folded),
        }
    }

    fn beside<'p>(
        &'p self,
        other: &'p Self,
        rule: &Rule,
        weight: f64,
    ) -> Vec<(f64, &'p str, &'p str)> {
        let mut said = Vec::new();
        match (&self.country, &other.country) {
            (Some(left), Some(right)) if left != right => {
                said.push((rule.otherwise, left.as_str(), right.as_str()));
            }
            (Some(left), Some(right)) => {
                said.push((
                    weight * (1.0 - CITY) * rule.factor,
                    left.as_str(),
                    right.as_str(),
                ));
            }
            _ => {}
        }
        if let (Some(left), Some(right)) = (&self.city, &other.city)
            && left == right
        {
            said.push((weight * CITY * rule.factor, left.as_str(), right.as_str()));
        }
        said
    }
}

fn emails<'v>(values: impl Iterator<Item = &'v Value>) -> Vec<String> {
    let mut all = Vec::new();
    for value in values {
        match value {
            Value::Text(address) => all.push(folded(address.trim())),
            Value::Emails(emails) => {
                let addresses = std::iter::once(&emails.primary).chain(&emails.additional);
                all.extend(addresses.map(|address| folded(address.trim())));
            }
            _ => {}
        }
    }
    all
}

fn phones<'v>(values: impl Iterator<Item = &'v Value>) -> Vec<String> {
    let mut all = Vec::new();
    for value in values {
        match value {
            Value::Phone(phone) => all.extend(phone.e164.clone()),
            Value::Phones(phones) => {
                let numbers = std::iter::once(&phones.primary).chain(&phones.additional);
                all.extend(numbers.filter_map(|phone| phone.e164.clone()));
            }
            _ => {}
        }
    }
    all
}

fn domains(object: &Object, rule: &Rule, values: &[Value]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut add = |host: &str| {
        let host = folded(host);
        let registered = psl::domain_str(&host).unwrap_or(&host).to_owned();
        if !PROVIDERS.contains(&registered.as_str()) && !all.contains(&registered) {
            all.push(registered);
        }
    };
    for index in &rule.fields {
        let value = &values[index.0];
        if let (Kind::Url, Value::Text(url)) = (&object.field(*index).kind, value) {
            add(host_of(url));
        } else {
            for address in emails(std::iter::once(value)) {
                if let Some((_, domain)) = address.rsplit_once('@') {
                    add(domain);
                }
            }
        }
    }
    all
}

/// All of the fields, or nothing.
fn equal(object: &Object, rule: &Rule, values: &[Value]) -> Part {
    let mut shown = Vec::with_capacity(rule.fields.len());
    let mut compared = Vec::with_capacity(rule.fields.len());
    for index in &rule.fields {
        let value = &values[index.0];
        if value.is_null() {
            return Part::Nothing;
        }
        let text = match to_json(&object.field(*index).kind, value) {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        compared.push(match value {
            Value::Text(text) => plain(text),
            _ => text.clone(),
        });
        shown.push(text);
    }
    Part::Equal {
        shown: shown.join(", "),
        compared: compared.join("\u{1f}"),
    }
}

/// Letters and digits alone: `DE 123 456` is `de123456`. Signs alone are what they are.
fn plain(text: &str) -> String {
    let folded = folded(text);
    let plain: String = folded
        .chars()
        .filter(|sign| sign.is_alphanumeric())
        .collect();
    if plain.is_empty() { folded } else { plain }
}

fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    host.split_once(':').map_or(host, |(host, _)| host)
}
