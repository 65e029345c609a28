//! What of a record is found: texts, names, addresses, numbers. Not what it points at: a record
//! must not be found by what its finder may not read there.

use relata_catalog::{Field, Kind, Object, Phone, Value, format_autonumber};
use relata_search::{Document, Part, Weight};
use relata_store::Record;

use crate::duplicates::rules::Rules;

/// A text of a field, as it is shown.
pub(super) struct Text {
    pub(super) text: String,
    /// Of a phone number.
    pub(super) e164: Option<String>,
}

/// A record as the index knows it.
pub(super) fn document(object: &Object, rules: &Rules, record: &Record) -> Document {
    let mut parts = Vec::new();
    let mut phones = Vec::new();
    for (field, value) in object.fields.iter().zip(&record.values) {
        let weight = weight(object, field);
        for Text { text, e164 } in texts(field, value) {
            phones.extend(e164.iter().cloned());
            parts.extend(e164.into_iter().map(|text| Part { weight, text }));
            parts.push(Part { weight, text });
        }
        if let (Kind::Autonumber { .. }, Value::Integer(number)) = (&field.kind, value) {
            let text = number.to_string();
            parts.push(Part { weight, text });
        }
    }
    Document {
        id: record.id,
        object: object.key.as_str().to_owned(),
        parts,
        phones,
        keys: rules.keys(&rules.profile(object, &record.values)),
    }
}

fn weight(object: &Object, field: &Field) -> Weight {
    if object.label_field.as_ref() == Some(&field.key) {
        Weight::Label
    } else if matches!(field.kind, Kind::LongText { .. } | Kind::RichText { .. }) {
        Weight::Long
    } else {
        Weight::Text
    }
}

/// The texts of a field that records are found by.
pub(super) fn texts(field: &Field, value: &Value) -> Vec<Text> {
    let plain = |text: &str| Text {
        text: text.to_owned(),
        e164: None,
    };
    match (&field.kind, value) {
        (
            Kind::Text { .. } | Kind::LongText { .. } | Kind::RichText { .. } | Kind::Email,
            Value::Text(text),
        ) => vec![plain(text)],
        // Every address begins so: nobody looks for it.
        (Kind::Url, Value::Text(text)) => {
            let bare = text
                .split_once("://")
                .map_or(text.as_str(), |(_, rest)| rest);
            vec![plain(bare.strip_prefix("www.").unwrap_or(bare))]
        }
        (Kind::Texts | Kind::Tags, Value::Choices(all)) => {
            all.iter().map(|text| plain(text)).collect()
        }
        (_, Value::FullName(name)) => vec![plain(&name.full)],
        (_, Value::Emails(emails)) => emails.all().map(|address| plain(address)).collect(),
        (_, Value::Phone(found)) => vec![phone(found)],
        (_, Value::Phones(phones)) => phones.all().map(phone).collect(),
        (_, Value::File(file)) => vec![plain(&file.name)],
        (_, Value::Address(address)) => {
            let parts = [
                &address.street,
                &address.postal_code,
                &address.city,
                &address.region,
            ];
            let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
            vec![plain(&parts.join(", "))]
        }
        (Kind::Autonumber { prefix, digits, .. }, Value::Integer(number)) => {
            vec![plain(&format_autonumber(prefix, *digits, *number))]
        }
        _ => Vec::new(),
    }
}

fn phone(phone: &Phone) -> Text {
    Text {
        text: phone.typed.clone(),
        e164: phone.e164.clone(),
    }
}

/// What decides how records of an object are indexed. Where it changes, they are indexed again.
pub(super) fn form_of(object: &Object) -> String {
    let rules = Rules::form(object);
    let label = object.label_field.iter().map(|key| key.as_str());
    let fields = object.fields.iter().flat_map(|field| {
        let prefix = match &field.kind {
            Kind::Autonumber { prefix, .. } => prefix.as_str(),
            _ => "",
        };
        [field.key.as_str(), field.kind.name(), prefix]
    });
    fingerprint(label.chain(["/"]).chain(fields).chain([rules.as_str()]))
}

/// A short name for these texts.
pub(super) fn fingerprint<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    hash.finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
