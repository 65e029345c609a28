//! Companies and the people in them.

use rand::{Rng, RngExt as _, seq::IndexedRandom as _};
use relata_catalog::{Kind, Object};
use serde_json::{Map, Value as Json, json};

use super::{
    Data, Sample,
    cultures::{
        COMPANY_WORDS, COMPANY_WORDS_CHINESE, COMPANY_WORDS_JAPANESE, CULTURES, Culture,
        JOB_TITLES, JOB_TITLES_CHINESE, Order, TRADES,
    },
    work::Firm,
};

/// A company that will be written.
pub(super) struct NewCompany {
    pub(super) data: Map<String, Json>,
    pub(super) name: String,
    pub(super) culture: &'static Culture,
}

/// A person who will be written.
pub(super) struct NewPerson {
    pub(super) data: Map<String, Json>,
    /// Position of the company in the list, if the person has one.
    pub(super) firm: Option<usize>,
}

impl Sample {
    pub(super) fn company(&mut self) -> NewCompany {
        let culture = self.culture();
        let trade = *self.pick(TRADES);
        let name = self.company_name(culture, trade);
        let domain = self.domain(culture);
        let employees = self.company_size();
        let mut data = Data::of(self, "company");
        let industry = data
            .object
            .as_deref()
            .and_then(|object| option_like(object, "industry", trade.0));
        if let Some(industry) = industry {
            data.set("industry", industry);
        }
        // Between 80,000 and 220,000 in the currency of a large economy for each employee.
        let revenue = employees * self.random.random_range(80..220) * 1_000;
        data.set("name", name.clone())
            .set("website", format!("https://www.{domain}"))
            .set("employees", employees)
            .set(
                "annualRevenue",
                json!({"amount": format!("{revenue}.00"), "currency": culture.currency}),
            )
            .set("emails", json!({"primary": format!("info@{domain}")}))
            .set(
                "phones",
                json!({"primary": {"typed": digits(&mut self.random, culture.phone)}}),
            )
            .set("address", address(&mut self.random, culture));
        NewCompany {
            data: data.fields,
            name,
            culture,
        }
    }

    pub(super) fn person(&mut self, firms: &[Firm]) -> NewPerson {
        // One in twelve is a private customer.
        let firm = (!firms.is_empty() && self.random.random_range(0..12) > 0)
            .then(|| self.random.random_range(0..firms.len()));
        // Most people of a company come from where it is.
        let culture = match firm {
            Some(position) if self.random.random_range(0..5) > 0 => firms[position].culture,
            _ => self.culture(),
        };
        let given = self.random.random_range(0..culture.given.len());
        let family = self.random.random_range(0..culture.family.len());
        let (given_name, family_name) = (culture.given[given], culture.family[family]);
        let full = match culture.order {
            Order::GivenFirst => format!("{given_name} {family_name}"),
            Order::FamilyFirst => format!("{family_name} {given_name}"),
            Order::FamilyFirstJoined => format!("{family_name}{given_name}"),
        };
        let order = if culture.order == Order::GivenFirst {
            "GIVEN_FIRST"
        } else {
            "FAMILY_FIRST"
        };
        let mail = format!(
            "{}.{}{}@{}",
            ascii(culture.given_ascii.get(given).unwrap_or(&given_name)),
            ascii(culture.family_ascii.get(family).unwrap_or(&family_name)),
            self.random.random_range(1..1000),
            self.domain(culture),
        );
        let titles = if culture.country == "CN" {
            JOB_TITLES_CHINESE
        } else {
            JOB_TITLES
        };
        let title = *self.pick(titles);
        let mut data = Data::of(self, "person");
        data.set(
            "name",
            json!({"full": full, "given": given_name, "family": family_name, "order": order}),
        )
        .set("emails", json!({"primary": mail}))
        .set(
            "phones",
            json!({"primary": {"typed": digits(&mut self.random, culture.phone)}}),
        )
        .set("jobTitle", title)
        .set("address", address(&mut self.random, culture));
        if self.random.random_range(0..3) == 0 {
            let age_days = self.random.random_range(22 * 365..66 * 365);
            let birthday = self.today.saturating_sub(jiff::Span::new().days(age_days));
            data.set("birthday", birthday.to_string());
        }
        if let Some(position) = firm {
            data.connect("company", firms[position].id);
        }
        NewPerson {
            data: data.fields,
            firm,
        }
    }

    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        of.choose(&mut self.random)
            .expect("the tables are not empty")
    }

    fn culture(&mut self) -> &'static Culture {
        let all: u32 = CULTURES.iter().map(|culture| culture.weight).sum();
        let mut at = self.random.random_range(0..all);
        for culture in CULTURES {
            if at < culture.weight {
                return culture;
            }
            at -= culture.weight;
        }
        &CULTURES[0]
    }

    fn company_name(&mut self, culture: &Culture, trade: (&str, &str, &str, &str)) -> String {
        let form = *self.pick(culture.company_forms);
        match culture.country {
            "CN" => {
                let (city, word) = (
                    self.pick(culture.cities).0,
                    *self.pick(COMPANY_WORDS_CHINESE),
                );
                format!("{city}{word}{}{form}", trade.2)
            }
            "JP" => format!("{}{}{form}", self.pick(COMPANY_WORDS_JAPANESE), trade.3),
            _ => match self.random.random_range(0..3) {
                0 => format!("{} {} {form}", self.pick(culture.family), trade.1),
                1 => format!(
                    "{} & {} {form}",
                    self.pick(culture.family),
                    self.pick(culture.family)
                ),
                _ => format!("{} {} {form}", self.pick(COMPANY_WORDS), trade.1),
            },
        }
    }

    /// Under `example`, which nobody can own.
    fn domain(&mut self, culture: &Culture) -> String {
        let word = ascii(self.pick::<&str>(COMPANY_WORDS));
        format!("{word}.{}.example", culture.top_level_domain)
    }

    /// Many small companies, few large ones.
    fn company_size(&mut self) -> i64 {
        let magnitude: f64 =
            self.random.random_range(0.7..1.0) * self.random.random_range(0.3..4.6);
        10_f64.powf(magnitude).round().max(1.0) as i64
    }
}

fn address(random: &mut impl Rng, culture: &Culture) -> Json {
    let (city, region, postal_code) = culture
        .cities
        .choose(random)
        .expect("the tables are not empty");
    let street = culture
        .streets
        .choose(random)
        .expect("the tables are not empty");
    let number = random.random_range(1..180);
    let street = match culture.country {
        "CN" => format!("{street}{number}号"),
        "US" | "IN" | "NG" => format!("{number} {street}"),
        "FR" => format!("{number}, {street}"),
        _ => format!("{street} {number}"),
    };
    json!({
        "street": street,
        "city": city,
        "region": region,
        "postalCode": digits(random, postal_code),
        "country": culture.country,
    })
}

/// The pattern with a digit for each `#`.
fn digits(random: &mut impl Rng, pattern: &str) -> String {
    pattern
        .chars()
        .map(|character| match character {
            '#' => char::from(b'0' + random.random_range(0..10_u8)),
            other => other,
        })
        .collect()
}

/// Letters and digits of a name, in lower-case ASCII where folding leads there.
fn ascii(name: &str) -> String {
    relata_catalog::folded(name)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect()
}

/// The option of a select field with this value, or the nearest there is: any.
fn option_like(object: &Object, field: &str, wanted: &str) -> Option<String> {
    match &object.field_named(field)?.1.kind {
        Kind::Select { options } => options
            .iter()
            .find(|option| option.value == wanted)
            .or(options.first())
            .map(|option| option.value.clone()),
        _ => None,
    }
}
