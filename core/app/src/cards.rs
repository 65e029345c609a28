//! vCards and persons: which property is which field, both ways.
//!
//! Read are 2.1, 3.0 and 4.0, written is 4.0. What a card says that no field holds (a photo, a
//! second address) is not kept; what it says of the order of a name is (`X-RELATA-NAME-ORDER`,
//! since vCard has no word for it).

use calcard::{
    Entry, Parser,
    vcard::{VCard, VCardEntry, VCardParameterName, VCardProperty, VCardValue, VCardVersion},
};
use serde_json::{Value as Json, json};

/// Fields of a person that a card fills, as an import names them.
pub(crate) const COLUMNS: [&str; 8] = [
    "name",
    "emails",
    "phones",
    "address",
    "company.name",
    "jobTitle",
    "birthday",
    "description",
];

/// Our own property: `GIVEN_FIRST` or `FAMILY_FIRST`.
const NAME_ORDER: &str = "X-RELATA-NAME-ORDER";

/// What a card says, by [`COLUMNS`]; null for what it doesn't say.
pub(crate) fn read(text: &str) -> Result<[Json; COLUMNS.len()], String> {
    let card = match Parser::new(text).entry() {
        Entry::VCard(card) if is_ended(text) => card,
        Entry::InvalidLine(line) => {
            let line: String = line.chars().take(60).collect();
            return Err(format!("the card has a line that is none: {line}"));
        }
        _ => return Err("the card is not ended by END:VCARD".to_owned()),
    };
    Ok([
        name(&card),
        several(&card, &VCardProperty::Email),
        several(&card, &VCardProperty::Tel),
        address(&card),
        optional(first(&card, &VCardProperty::Org)),
        optional(first(&card, &VCardProperty::Title)),
        birthday(&card),
        optional(first(&card, &VCardProperty::Note)),
    ])
}

/// The parser takes the end of the text for the end of the card.
fn is_ended(text: &str) -> bool {
    text.lines()
        .any(|line| line.trim_end().eq_ignore_ascii_case("END:VCARD"))
}

fn optional(text: Option<String>) -> Json {
    text.map_or(Json::Null, Json::from)
}

/// The parts of a structured value: each may be a list, of which a name is made.
fn parts(entry: &VCardEntry) -> Vec<String> {
    entry
        .values
        .iter()
        .map(|value| match value {
            VCardValue::Component(items) => items.join(" ").trim().to_owned(),
            other => other.as_text().unwrap_or_default().trim().to_owned(),
        })
        .collect()
}

fn first(card: &VCard, property: &VCardProperty) -> Option<String> {
    card.properties(property)
        .filter_map(|entry| parts(entry).into_iter().next())
        .find(|text| !text.is_empty())
}

fn name(card: &VCard) -> Json {
    let full = first(card, &VCardProperty::Fn);
    let parts = card
        .property(&VCardProperty::N)
        .map(parts)
        .unwrap_or_default();
    let part = |position: usize| parts.get(position).filter(|text| !text.is_empty()).cloned();
    let (family, given) = (part(0), part(1));
    if full.is_none() && family.is_none() && given.is_none() {
        return Json::Null;
    }
    let mut name = json!({ "full": full, "given": given, "family": family });
    let own = VCardProperty::Other(NAME_ORDER.to_owned());
    let order = first(card, &own).or_else(|| {
        let (full, family) = (full.as_deref()?, family.as_deref()?);
        given.as_deref()?;
        let is_family_first = full.starts_with(family) && !full.ends_with(family);
        Some(
            if is_family_first {
                "FAMILY_FIRST"
            } else {
                "GIVEN_FIRST"
            }
            .to_owned(),
        )
    });
    if let Some(order) = order {
        name["order"] = order.into();
    }
    name
}

/// E-mail addresses or phone numbers, the preferred one first.
fn several(card: &VCard, property: &VCardProperty) -> Json {
    let mut entries: Vec<(u32, String)> = card
        .properties(property)
        .filter_map(|entry| {
            let text = parts(entry).into_iter().next()?;
            let text = text.strip_prefix("tel:").unwrap_or(&text).trim().to_owned();
            (!text.is_empty()).then(|| (preference(entry), text))
        })
        .collect();
    if entries.is_empty() {
        return Json::Null;
    }
    entries.sort_by_key(|(preference, _)| *preference);
    entries.into_iter().map(|(_, text)| text).collect()
}

/// 1 for what is preferred, 100 for the others: `PREF=1` of 4.0, `TYPE=pref` of 3.0.
fn preference(entry: &VCardEntry) -> u32 {
    const LEAST: u32 = 100;
    let by_number = entry
        .parameters(&VCardParameterName::Pref)
        .find_map(|value| value.as_integer()?.iana().copied());
    let by_type = || {
        entry.parameters(&VCardParameterName::Type).any(|value| {
            value
                .as_text()
                .is_some_and(|text| text.eq_ignore_ascii_case("pref"))
        })
    };
    by_number.unwrap_or_else(|| if by_type() { 1 } else { LEAST })
}

fn address(card: &VCard) -> Json {
    let mut entries: Vec<&VCardEntry> = card.properties(&VCardProperty::Adr).collect();
    entries.sort_by_key(|entry| preference(entry));
    let Some(entry) = entries.first() else {
        return Json::Null;
    };
    let parts = parts(entry);
    let part = |position: usize| parts.get(position).filter(|text| !text.is_empty());
    // Box, extension and street, each on a line of its own.
    let street: Vec<&str> = [2, 1, 0]
        .into_iter()
        .filter_map(|position| part(position).map(String::as_str))
        .collect();
    let street = (!street.is_empty()).then(|| street.join("\n"));
    let values = [street.as_ref(), part(3), part(4), part(5), part(6)];
    if values.iter().all(Option::is_none) {
        return Json::Null;
    }
    let [street, city, region, postal_code, country] = values;
    json!({
        "street": street, "city": city, "region": region,
        "postalCode": postal_code, "country": country,
    })
}

/// A day without a year is no day here.
fn birthday(card: &VCard) -> Json {
    let Some(entry) = card.property(&VCardProperty::Bday) else {
        return Json::Null;
    };
    match entry.values.first() {
        Some(VCardValue::PartialDateTime(date)) => match (date.year, date.month, date.day) {
            (Some(year), Some(month), Some(day)) => format!("{year:04}-{month:02}-{day:02}").into(),
            _ => Json::Null,
        },
        Some(other) => optional(other.as_text().map(str::to_owned)),
        None => Json::Null,
    }
}

/// The card of a person whose values stand in the order of [`COLUMNS`], in the form that clients
/// get; the company by its name.
pub(crate) fn write(id: &str, values: &[Json; COLUMNS.len()]) -> String {
    let [
        name,
        emails,
        phones,
        address,
        company,
        title,
        birthday,
        note,
    ] = values;
    let mut card = VCard::default();
    let mut add = |property: VCardProperty, value: VCardValue| {
        card.entries
            .push(VCardEntry::new(property).with_value(value));
    };
    let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
    add(
        VCardProperty::Uid,
        VCardValue::Text(format!("urn:uuid:{id}")),
    );
    add(VCardProperty::Fn, VCardValue::Text(text(&name["full"])));
    for (property, json) in [
        (VCardProperty::Org, company),
        (VCardProperty::Title, title),
        (VCardProperty::Note, note),
    ] {
        if let Json::String(value) = json {
            add(property, VCardValue::Text(value.clone()));
        }
    }
    if let Json::String(order) = &name["order"] {
        add(
            VCardProperty::Other(NAME_ORDER.to_owned()),
            VCardValue::Text(order.clone()),
        );
    }
    if let Json::String(day) = birthday {
        let mut numbers = day.split('-');
        let date = calcard::common::PartialDateTime {
            year: numbers.next().and_then(|year| year.parse().ok()),
            month: numbers.next().and_then(|month| month.parse().ok()),
            day: numbers.next().and_then(|day| day.parse().ok()),
            ..Default::default()
        };
        add(VCardProperty::Bday, VCardValue::PartialDateTime(date));
    }
    let structured = |property: VCardProperty, parts: &[&Json]| {
        VCardEntry::new(property).with_values(
            parts
                .iter()
                .map(|part| VCardValue::Text(text(part)))
                .collect(),
        )
    };
    let nothing = Json::Null;
    if name["given"].is_string() || name["family"].is_string() {
        let parts = [
            &name["family"],
            &name["given"],
            &nothing,
            &nothing,
            &nothing,
        ];
        card.entries.push(structured(VCardProperty::N, &parts));
    }
    if address.is_object() {
        let parts = [
            &nothing,
            &nothing,
            &address["street"],
            &address["city"],
            &address["region"],
            &address["postalCode"],
            &address["country"],
        ];
        card.entries.push(structured(VCardProperty::Adr, &parts));
    }
    for (property, json, member) in [
        (VCardProperty::Email, emails, None),
        (VCardProperty::Tel, phones, Some("typed")),
    ] {
        let additional = json["additional"].as_array().into_iter().flatten();
        for (position, one) in std::iter::once(&json["primary"])
            .chain(additional)
            .enumerate()
        {
            let one = member.map_or(one, |member| &one[member]);
            if let Json::String(value) = one {
                let entry =
                    VCardEntry::new(property.clone()).with_value(VCardValue::Text(value.clone()));
                card.entries.push(match position {
                    0 => entry.with_param(calcard::vcard::VCardParameter::new(
                        VCardParameterName::Pref,
                        1_u32,
                    )),
                    _ => entry,
                });
            }
        }
    }
    let mut written = String::new();
    // Writing into a text can't fail.
    let _ = card.write_to(&mut written, VCardVersion::V4_0);
    written
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn check(card: &str, expected: [Json; COLUMNS.len()]) {
        assert_eq!(read(card).unwrap(), expected, "{card}");
    }

    #[test]
    fn cards_of_phones_and_offices_are_read() {
        // As an Apple device writes it.
        check(
            "BEGIN:VCARD\r\nVERSION:3.0\r\nPRODID:-//Apple Inc.//iPhone OS 17.0//EN\r\nN:王;小明;;;\r\nFN:王小明\r\nORG:平安银行;\r\nTITLE:经理\r\nEMAIL;type=INTERNET;type=HOME:home@example.com\r\nEMAIL;type=INTERNET;type=WORK;type=pref:work@example.com\r\nTEL;type=CELL;type=VOICE;type=pref:+86 139 1099 8888\r\nitem1.ADR;type=WORK;type=pref:;;深南大道 1 号;深圳;广东;518000;中国\r\nBDAY:1990-05-04\r\nNOTE:第一行\\n第二行\\, 逗号\r\nEND:VCARD\r\n",
            [
                json!({"full": "王小明", "given": "小明", "family": "王", "order": "FAMILY_FIRST"}),
                json!(["work@example.com", "home@example.com"]),
                json!(["+86 139 1099 8888"]),
                json!({"street": "深南大道 1 号", "city": "深圳", "region": "广东", "postalCode": "518000", "country": "中国"}),
                json!("平安银行"),
                json!("经理"),
                json!("1990-05-04"),
                json!("第一行\n第二行, 逗号"),
            ],
        );
        // As Outlook writes it.
        check(
            "BEGIN:VCARD\r\nVERSION:2.1\r\nN;LANGUAGE=de;CHARSET=utf-8:Lovelace;Ada\r\nFN;CHARSET=utf-8:Ada Lovelace\r\nORG:Analytical Engines;Research\r\nTEL;WORK;VOICE:+44 20 7946 0958\r\nEMAIL;PREF;INTERNET:ada@example.com\r\nEND:VCARD\r\n",
            [
                json!({"full": "Ada Lovelace", "given": "Ada", "family": "Lovelace", "order": "GIVEN_FIRST"}),
                json!(["ada@example.com"]),
                json!(["+44 20 7946 0958"]),
                Json::Null,
                json!("Analytical Engines"),
                Json::Null,
                Json::Null,
                Json::Null,
            ],
        );
        // As Android writes it, with a birthday of no year.
        check(
            "BEGIN:VCARD\nVERSION:2.1\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=4D=C3=BC=6C=6C=65=72;=4A=C3=B6=72=67;;;\nFN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=4A=C3=B6=72=67=20=4D=C3=BC=6C=6C=65=72\nTEL;CELL;PREF:0171 1234567\nBDAY:--05-04\nEND:VCARD\n",
            [
                json!({"full": "Jörg Müller", "given": "Jörg", "family": "Müller", "order": "GIVEN_FIRST"}),
                Json::Null,
                json!(["0171 1234567"]),
                Json::Null,
                Json::Null,
                Json::Null,
                Json::Null,
                Json::Null,
            ],
        );
        assert!(read("BEGIN:VCARD\r\nVERSION:3.0\r\nFN:x\r\n").is_err());
    }

    #[test]
    fn what_is_written_is_read_again() {
        let card = write(
            "0190b5a1-7c3e-7000-8000-000000000000",
            &[
                json!({"full": "Nagy; Ádám, Jr.", "given": "Ádám", "family": "Nagy", "order": "FAMILY_FIRST"}),
                json!({"primary": "a@example.com", "additional": ["b@example.com"]}),
                json!({"primary": {"e164": "+4930123456", "typed": "+49 30 123456"}, "additional": [{"e164": null, "typed": "12;3,4"}]}),
                json!({"street": "Fő utca 1.\n2. emelet", "city": "Budapest", "region": null, "postalCode": "1011", "country": "HU"}),
                json!("Kovács, Tóth; és Társa"),
                json!("a \\ b"),
                json!("1815-12-10"),
                json!("long ".repeat(60) + "🙂\nend"),
            ],
        );
        assert!(card.starts_with("BEGIN:VCARD\r\nVERSION:4.0\r\n"), "{card}");
        check(
            &card,
            [
                json!({"full": "Nagy; Ádám, Jr.", "given": "Ádám", "family": "Nagy", "order": "FAMILY_FIRST"}),
                json!(["a@example.com", "b@example.com"]),
                json!(["+49 30 123456", "12;3,4"]),
                json!({"street": "Fő utca 1.\n2. emelet", "city": "Budapest", "region": null, "postalCode": "1011", "country": "HU"}),
                json!("Kovács, Tóth; és Társa"),
                json!("a \\ b"),
                json!("1815-12-10"),
                json!("long ".repeat(60) + "🙂\nend"),
            ],
        );
    }
}
