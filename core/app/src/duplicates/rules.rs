//! What of two records is compared, what it is worth, and the keys that they may share.
//!
//! Rules follow from kinds: e-mail addresses, phone numbers, domains, names, addresses. Their
//! weights are the logarithms of odds; those of names are in their modules.

use relata_catalog::{Kind, Object, Phone, Value, folded};

use super::{
    companies::{CompanyName, company_keys, company_name, compare_companies},
    people::{PersonName, compare_people, person_keys, person_name},
};

/// Odds before anything is known, of two records that share a key.
const PRIOR: f64 = -1.6;
const EMAIL: f64 = 6.0;
const SHARED_EMAIL: f64 = 1.2;
const PHONE: f64 = 2.6;
const DOMAIN: f64 = 2.2;
const OTHER_DOMAIN: f64 = -1.2;
const CITY: f64 = 0.8;
const OTHER_COUNTRY: f64 = -1.5;
const COUNTRY: f64 = 0.2;

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
    /// `EMAIL`, `PHONE`, `DOMAIN`, `NAME`, `ADDRESS`.
    pub rule: &'static str,
    /// Logarithm of the odds that it adds; below 0 it speaks against.
    pub score: f64,
    /// Of the record, or the data, that was asked about.
    pub mine: String,
    /// Of the other one.
    pub theirs: String,
}

/// What is compared of a record.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Profile {
    label: String,
    company: Option<CompanyName>,
    person: Option<PersonName>,
    emails: Vec<String>,
    phones: Vec<String>,
    domains: Vec<String>,
    city: Option<String>,
    country: Option<String>,
}

impl Profile {
    /// Of a record's values, in the order of the object's fields.
    #[must_use]
    pub fn of(object: &Object, values: &[Value]) -> Self {
        let mut profile = Self::default();
        // What has neither an address nor a person's name is no party: deals may be called alike.
        let is_party = object.fields.iter().any(|field| {
            matches!(
                field.kind,
                Kind::Email
                    | Kind::Emails
                    | Kind::Phone
                    | Kind::Phones
                    | Kind::Url
                    | Kind::FullName
            )
        });
        if !is_party {
            return profile;
        }
        for (field, value) in object.fields.iter().zip(values) {
            let is_label = object.label_field.as_ref() == Some(&field.key);
            match (&field.kind, value) {
                (Kind::Text { .. }, Value::Text(text)) if is_label => {
                    profile.label.clone_from(text);
                    profile.company = Some(company_name(text));
                }
                (Kind::FullName, Value::FullName(name)) if is_label => {
                    profile.label.clone_from(&name.full);
                    profile.person = Some(person_name(&name.full));
                }
                (Kind::Email, Value::Text(address)) => profile.add_email(address),
                (_, Value::Emails(emails)) => {
                    profile.add_email(&emails.primary);
                    emails
                        .additional
                        .iter()
                        .for_each(|email| profile.add_email(email));
                }
                (_, Value::Phone(phone)) => profile.add_phone(phone),
                (_, Value::Phones(phones)) => {
                    profile.add_phone(&phones.primary);
                    phones
                        .additional
                        .iter()
                        .for_each(|phone| profile.add_phone(phone));
                }
                (Kind::Url, Value::Text(url)) => profile.add_domain(host_of(url)),
                (_, Value::Address(address)) => {
                    profile.city = address.city.as_deref().map(folded);
                    profile.country = address.country.as_deref().map(folded);
                }
                _ => {}
            }
        }
        profile
    }

    /// Of parts as they are typed, for who has no record: a name, and what else is known.
    #[must_use]
    pub fn of_texts(is_person: bool, name: &str, email: &str, phone: &str, city: &str) -> Self {
        let mut profile = Self {
            label: name.to_owned(),
            company: (!is_person).then(|| company_name(name)),
            person: is_person.then(|| person_name(name)),
            city: (!city.is_empty()).then(|| folded(city)),
            ..Self::default()
        };
        if !email.is_empty() {
            profile.add_email(email);
        }
        if !phone.is_empty() {
            profile.phones.push(phone.to_owned());
        }
        profile
    }

    fn add_email(&mut self, address: &str) {
        let address = folded(address.trim());
        if let Some((_, domain)) = address.rsplit_once('@') {
            self.add_domain(domain);
        }
        self.emails.push(address);
    }

    fn add_phone(&mut self, phone: &Phone) {
        self.phones.extend(phone.e164.clone());
    }

    fn add_domain(&mut self, host: &str) {
        let host = folded(host);
        let registered = psl::domain_str(&host).unwrap_or(&host).to_owned();
        if !PROVIDERS.contains(&registered.as_str()) && !self.domains.contains(&registered) {
            self.domains.push(registered);
        }
    }
}

fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    host.split_once(':').map_or(host, |(host, _)| host)
}

/// What two records of one party share at least one of.
#[must_use]
pub fn keys(profile: &Profile) -> Vec<String> {
    let mut keys: Vec<String> = profile
        .emails
        .iter()
        .map(|email| format!("e:{email}"))
        .collect();
    keys.extend(profile.phones.iter().map(|phone| format!("p:{phone}")));
    if let Some(name) = &profile.company {
        keys.extend(profile.domains.iter().map(|domain| format!("d:{domain}")));
        company_keys(name, &mut keys);
    }
    if let Some(name) = &profile.person {
        person_keys(name, &mut keys);
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// How likely two profiles are of one party, 0 to 1, and why; the weightiest reason first.
#[must_use]
pub fn compare(mine: &Profile, theirs: &Profile) -> (f64, Vec<Reason>) {
    let mut reasons = Vec::new();
    let mut add = |rule, score: f64, mine: &str, theirs: &str| {
        reasons.push(Reason {
            rule,
            score,
            mine: mine.to_owned(),
            theirs: theirs.to_owned(),
        });
    };
    let common = |left: &[String], right: &[String]| -> Option<String> {
        left.iter().find(|item| right.contains(item)).cloned()
    };
    if let Some(email) = common(&mine.emails, &theirs.emails) {
        let local = email.split('@').next().unwrap_or_default();
        let is_shared = SHARED.contains(&local) && mine.person.is_some();
        add(
            "EMAIL",
            if is_shared { SHARED_EMAIL } else { EMAIL },
            &email,
            &email,
        );
    }
    if let Some(phone) = common(&mine.phones, &theirs.phones) {
        add("PHONE", PHONE, &phone, &phone);
    }
    if mine.company.is_some() {
        match common(&mine.domains, &theirs.domains) {
            Some(domain) => add("DOMAIN", DOMAIN, &domain, &domain),
            None if !mine.domains.is_empty() && !theirs.domains.is_empty() => {
                add("DOMAIN", OTHER_DOMAIN, &mine.domains[0], &theirs.domains[0]);
            }
            None => {}
        }
    }
    let name = match (&mine.company, &theirs.company, &mine.person, &theirs.person) {
        (Some(left), Some(right), ..) => Some(compare_companies(left, right)),
        (.., Some(left), Some(right)) => Some(compare_people(left, right)),
        _ => None,
    };
    if let Some(score) = name {
        add("NAME", score, &mine.label, &theirs.label);
    }
    match (&mine.country, &theirs.country) {
        (Some(left), Some(right)) if left != right => add("ADDRESS", OTHER_COUNTRY, left, right),
        (Some(left), Some(right)) => add("ADDRESS", COUNTRY, left, right),
        _ => {}
    }
    if let (Some(left), Some(right)) = (&mine.city, &theirs.city)
        && left == right
    {
        add("ADDRESS", CITY, left, right);
    }
    reasons.sort_by(|left, right| right.score.abs().total_cmp(&left.score.abs()));
    let odds = PRIOR + reasons.iter().map(|reason| reason.score).sum::<f64>();
    (1.0 / (1.0 + (-odds).exp()), reasons)
}
