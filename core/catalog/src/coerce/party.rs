//! What a person or company is reached by: names, e-mail addresses, phone numbers, addresses.
//!
//! Each takes the short form that people write (a text) beside the full one (an object).

use serde_json::{Value as Json, json};

use super::{CoerceContext, line};
use crate::reading::{MapReader, wrong_type};
use crate::{Address, Emails, FullName, Issue, Issues, NameOrder, Phone, Phones, Value, folded};

/// Characters of a whole name, or of one of its parts.
const NAME_MAX: u32 = 300;
/// Characters of an e-mail address (RFC 5321: 254 octets).
const EMAIL_MAX: usize = 254;
/// Characters of the part before the `@`.
const EMAIL_LOCAL_MAX: usize = 64;
/// Characters of a phone number as typed.
const PHONE_MAX: u32 = 80;
/// Further e-mail addresses or phone numbers of one party.
const ADDITIONAL_MAX: usize = 50;
/// Characters of one part of an address.
const ADDRESS_PART_MAX: u32 = 500;

// ---------------------------------------------------------------------------------------- names

pub(super) fn full_name(input: &Json) -> Result<Value, Issues> {
    let name = match input {
        Json::String(text) => {
            // Trimmed, as the parts of the full form are.
            let Some(full) = line(text.trim(), NAME_MAX)? else {
                return Ok(Value::Null);
            };
            FullName {
                order: order_of(&full),
                full,
                given: None,
                family: None,
            }
        }
        Json::Object(_) => {
            let mut reader = MapReader::new(input, "a name")?;
            let full = part(&mut reader, "full", NAME_MAX);
            let given = part(&mut reader, "given", NAME_MAX);
            let family = part(&mut reader, "family", NAME_MAX);
            let order = reader.one_of(
                "order",
                &[
                    ("GIVEN_FIRST", NameOrder::GivenFirst),
                    ("FAMILY_FIRST", NameOrder::FamilyFirst),
                ],
            );
            reader.finish().into_result(())?;
            let order = order.unwrap_or_else(|| {
                order_of(full.as_deref().or(family.as_deref()).unwrap_or_default())
            });
            let Some(full) = full.or_else(|| joined(given.as_deref(), family.as_deref(), order))
            else {
                return Ok(Value::Null);
            };
            FullName {
                full,
                given,
                family,
                order,
            }
        }
        _ => {
            return Err(wrong_type(
                "a name: a text, or an object with full, given, family, order",
                input,
            ));
        }
    };
    Ok(Value::FullName(name))
}

/// Names written in Han, Hangul or Kana have the family name first; of others one must be told.
fn order_of(name: &str) -> NameOrder {
    if name.chars().any(is_east_asian) {
        NameOrder::FamilyFirst
    } else {
        NameOrder::GivenFirst
    }
}

fn is_east_asian(character: char) -> bool {
    matches!(character,
        '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7af}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}')
}

fn joined(given: Option<&str>, family: Option<&str>, order: NameOrder) -> Option<String> {
    let (first, second) = match order {
        NameOrder::GivenFirst => (given, family),
        NameOrder::FamilyFirst => (family, given),
    };
    match (first, second) {
        (Some(first), Some(second)) => {
            let together = order == NameOrder::FamilyFirst
                && first.chars().all(is_east_asian)
                && second.chars().all(is_east_asian);
            let space = if together { "" } else { " " };
            Some(format!("{first}{space}{second}"))
        }
        (one, other) => one.or(other).map(str::to_owned),
    }
}

pub(super) fn full_name_json(name: &FullName) -> Json {
    json!({
        "full": name.full,
        "given": name.given,
        "family": name.family,
        "order": match name.order {
            NameOrder::GivenFirst => "GIVEN_FIRST",
            NameOrder::FamilyFirst => "FAMILY_FIRST",
        },
    })
}

// --------------------------------------------------------------------------------------- e-mail

/// One address as it was written, without blanks around it; empty is none.
pub(super) fn email(input: &Json) -> Result<Option<String>, Issues> {
    let Json::String(text) = input else {
        return Err(wrong_type("an e-mail address", input));
    };
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if is_email(text) {
        return Ok(Some(text.to_owned()));
    }
    Err(Issue::new(
        "BAD_EMAIL",
        "expected an e-mail address such as \"ada@example.com\"",
    )
    .into())
}

/// Generous on purpose: who owns an address knows its spelling. What is refused can't be one:
/// no single `@`, blanks, controls, empty or over-long parts, a domain without a dot.
pub(super) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let plain = |part: &str| {
        !part.chars().any(|each| {
            each.is_control() || each.is_whitespace() || "\"(),:;<>@[\\]".contains(each)
        })
    };
    text.len() <= EMAIL_MAX
        && (1..=EMAIL_LOCAL_MAX).contains(&local.len())
        && plain(local)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && plain(domain)
        && domain.contains('.')
        && domain.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .chars()
                    .all(|each| each.is_alphanumeric() || each == '-' || !each.is_ascii())
        })
}

pub(super) fn emails(input: &Json) -> Result<Value, Issues> {
    let (primary, additional) = primary_and_additional(input, "e-mail addresses", email)?;
    let mut seen = std::collections::HashSet::new();
    let mut all: Vec<String> = primary
        .into_iter()
        .chain(additional)
        .filter(|address| seen.insert(folded(address)))
        .collect();
    if all.is_empty() {
        return Ok(Value::Null);
    }
    let primary = all.remove(0);
    Ok(Value::Emails(Emails {
        primary,
        additional: all,
    }))
}

/// The three ways to write several of something: one, a list, or primary and additional.
fn primary_and_additional<T>(
    input: &Json,
    what: &str,
    one: impl Fn(&Json) -> Result<Option<T>, Issues>,
) -> Result<(Option<T>, Vec<T>), Issues> {
    let list = |items: &[Json]| -> Result<Vec<T>, Issues> {
        if items.len() > ADDITIONAL_MAX {
            return Err(Issue::new(
                "TOO_MANY",
                format!("expected at most {ADDITIONAL_MAX} {what}"),
            )
            .with("max", ADDITIONAL_MAX)
            .into());
        }
        let mut issues = Issues::default();
        let mut all = Vec::new();
        for (position, item) in items.iter().enumerate() {
            match one(item) {
                Ok(value) => all.extend(value),
                Err(part) => issues.extend_at(position, part),
            }
        }
        issues.into_result(all)
    };
    match input {
        Json::String(_) => Ok((one(input)?, Vec::new())),
        Json::Array(items) => Ok((None, list(items)?)),
        // A phone may itself be an object: what has neither member is one of them.
        Json::Object(map)
            if !map.contains_key("primary")
                && !map.contains_key("additional")
                && (map.contains_key("typed") || map.contains_key("e164")) =>
        {
            Ok((one(input)?, Vec::new()))
        }
        Json::Object(_) => {
            let mut reader = MapReader::new(input, what)?;
            let mut primary = None;
            if let Some(item) = reader.take("primary") {
                match one(item) {
                    Ok(value) => primary = value,
                    Err(part) => reader.issues.extend_at("primary", part),
                }
            }
            let mut additional = Vec::new();
            let items = reader.list("additional");
            match list(items) {
                Ok(values) => additional = values,
                Err(part) => reader.issues.extend_at("additional", part),
            }
            reader.finish().into_result((primary, additional))
        }
        _ => Err(wrong_type(
            &format!("{what}: a text, a list, or an object with primary and additional"),
            input,
        )),
    }
}

// ---------------------------------------------------------------------------------------- phone

pub(super) fn phone(input: &Json, context: &CoerceContext) -> Result<Option<Phone>, Issues> {
    let (typed, e164) = match input {
        Json::String(text) => (text.clone(), None),
        Json::Object(_) => {
            let mut reader = MapReader::new(input, "a phone number")?;
            let typed = reader.text("typed");
            let e164 = reader.text("e164").filter(|number| !number.is_empty());
            if e164.as_deref().is_some_and(|number| !is_e164(number)) {
                reader.issues.push(
                    Issue::new(
                        "BAD_PHONE",
                        "expected a number in E.164, such as \"+493012345678\"",
                    )
                    .at("e164"),
                );
            }
            reader.finish().into_result(())?;
            (typed.or_else(|| e164.clone()).unwrap_or_default(), e164)
        }
        _ => {
            return Err(wrong_type(
                "a phone number: a text, or an object with typed",
                input,
            ));
        }
    };
    let Some(typed) = line(typed.trim(), PHONE_MAX)? else {
        return Ok(None);
    };
    if !typed.chars().any(char::is_numeric) {
        return Err(Issue::new(
            "BAD_PHONE",
            "expected a phone number, with at least one digit, such as \"+49 30 12345678\"",
        )
        .into());
    }
    let e164 = e164.or_else(|| normalised(&typed, context.region.as_deref()));
    Ok(Some(Phone { e164, typed }))
}

pub(super) fn phones(input: &Json, context: &CoerceContext) -> Result<Value, Issues> {
    let (primary, additional) =
        primary_and_additional(input, "phone numbers", |item| phone(item, context))?;
    let mut all: Vec<Phone> = Vec::new();
    for number in primary.into_iter().chain(additional) {
        let known = all.iter().any(|other| {
            other.typed == number.typed || (other.e164.is_some() && other.e164 == number.e164)
        });
        if !known {
            all.push(number);
        }
    }
    if all.is_empty() {
        return Ok(Value::Null);
    }
    let primary = all.remove(0);
    Ok(Value::Phones(Phones {
        primary,
        additional: all,
    }))
}

pub(super) fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (3..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

/// E.164 of what was typed. The metadata decides how a number is read, not whether it exists:
/// ranges open faster than metadata is renewed.
fn normalised(typed: &str, region: Option<&str>) -> Option<String> {
    use unicode_normalization::UnicodeNormalization;

    let lower: String = typed.nfkc().collect::<String>().to_lowercase();
    // An extension is dialled after the call is answered; it is no part of E.164.
    let number = ["ext", "x", "#", ";", ",", "durchwahl", "转"]
        .iter()
        .filter_map(|mark| lower.find(mark))
        .min()
        .map_or(lower.as_str(), |end| &lower[..end]);
    // Only what a number consists of reaches the parser: its grammar knows far more than people
    // type, and none of that is wanted from a stranger.
    let mut plain = String::new();
    for character in number.chars() {
        match character {
            '+' if plain.is_empty() => plain.push('+'),
            '0'..='9' => plain.push(character),
            '(' | ')' | '-' | '.' | '/' | ' ' | '\u{a0}' | '\u{2010}'..='\u{2015}' | '\u{2212}' => {
            }
            _ => return None,
        }
    }
    // "(0)" behind a country code is dialled at home only: +44 (0)20 …
    if plain.starts_with('+') && number.contains("(0)") {
        let before: usize = number[..number.find("(0)")?]
            .bytes()
            .filter(u8::is_ascii_digit)
            .count();
        plain.remove(1 + before);
    }
    let country = region.and_then(|region| region.parse::<phonenumber::country::Id>().ok());
    let parsed = phonenumber::parse(country, &plain).ok()?;
    let text = parsed.format().mode(phonenumber::Mode::E164).to_string();
    ((8..=16).contains(&text.len()) && is_e164(&text)).then_some(text)
}

pub(super) fn phone_json(phone: &Phone) -> Json {
    json!({ "e164": phone.e164, "typed": phone.typed })
}

// -------------------------------------------------------------------------------------- address

pub(super) fn address(input: &Json) -> Result<Value, Issues> {
    let mut reader = MapReader::new(
        input,
        "an address: an object with street, city, region, postalCode, country",
    )?;
    let street = match reader.text("street") {
        Some(text) => match super::lines(&text, ADDRESS_PART_MAX) {
            Ok(street) => street,
            Err(part) => {
                reader.issues.extend_at("street", part);
                None
            }
        },
        None => None,
    };
    let address = Address {
        street,
        city: part(&mut reader, "city", ADDRESS_PART_MAX),
        region: part(&mut reader, "region", ADDRESS_PART_MAX),
        postal_code: part(&mut reader, "postalCode", ADDRESS_PART_MAX),
        country: part(&mut reader, "country", ADDRESS_PART_MAX),
    };
    reader.finish().into_result(())?;
    Ok(if address == Address::default() {
        Value::Null
    } else {
        Value::Address(address)
    })
}

pub(super) fn address_json(address: &Address) -> Json {
    json!({
        "street": address.street,
        "city": address.city,
        "region": address.region,
        "postalCode": address.postal_code,
        "country": address.country,
    })
}

/// A member that is one line of text; blank is absent.
fn part(reader: &mut MapReader<'_>, name: &'static str, max: u32) -> Option<String> {
    let text = reader.text(name)?;
    match line(text.trim(), max) {
        Ok(line) => line,
        Err(issues) => {
            reader.issues.extend_at(name, issues);
            None
        }
    }
}
