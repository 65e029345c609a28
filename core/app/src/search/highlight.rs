//! Where in the records of a page the words are.

use std::collections::HashMap;

use relata_catalog::ObjectIndex;
use relata_search::{Highlighter, Span};
use relata_store::{Lock, Record};
use uuid::Uuid;

use super::{SearchPage, documents::texts};
use crate::{AppError, Unit};

/// Characters that are shown of a long text around the first word.
const EXCERPT_CHARACTERS: usize = 240;
/// Characters of them in front of it.
const EXCERPT_BEFORE: usize = 60;

/// A text of a record with words in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Highlight {
    /// The field's name.
    pub field: String,
    /// Its text, or a part of it where it is long.
    pub text: String,
    /// The words in it, in order.
    pub ranges: Vec<Range>,
}

/// A part of a text, in UTF-16 units: what JavaScript counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Its first unit.
    pub start: usize,
    /// Behind its last one.
    pub end: usize,
}

/// The words in the records of a page, for each hit. Records that are no longer there, or stand in
/// the trash, have none.
///
/// # Errors
/// What the database says.
pub async fn highlights(unit: &Unit, page: &SearchPage) -> Result<Vec<Vec<Highlight>>, AppError> {
    let mut wanted: HashMap<ObjectIndex, Vec<Uuid>> = HashMap::new();
    for hit in &page.hits {
        wanted.entry(hit.object).or_default().push(hit.id);
    }
    let mut records: HashMap<Uuid, Record> = HashMap::with_capacity(page.hits.len());
    for (object, ids) in wanted {
        let object = unit.catalogue().object(object);
        let found = unit
            .transaction()
            .get_many(object, &ids, Lock::None)
            .await?;
        let there = found
            .into_iter()
            .filter(|record| record.deleted_at.is_none());
        records.extend(there.map(|record| (record.id, record)));
    }
    let highlighter = Highlighter::new(&page.query, page.with_typos);
    Ok(page
        .hits
        .iter()
        .map(|hit| {
            records.get(&hit.id).map_or_else(Vec::new, |record| {
                let object = unit.catalogue().object(hit.object);
                let fields = object.fields.iter().zip(&record.values);
                fields
                    .flat_map(|(field, value)| {
                        texts(field, value)
                            .into_iter()
                            .map(move |text| (field.name.as_str(), text))
                    })
                    .filter_map(|(field, text)| {
                        let mut spans = highlighter.spans(&text.text);
                        let is_phone = text.e164.as_deref();
                        if is_phone.is_some_and(|e164| highlighter.is_phone(e164)) {
                            spans = vec![Span {
                                start: 0,
                                end: text.text.len(),
                            }];
                        }
                        (!spans.is_empty()).then(|| highlight(field, &text.text, &spans))
                    })
                    .collect()
            })
        })
        .collect())
}

fn highlight(field: &str, text: &str, spans: &[Span]) -> Highlight {
    let (from, to) = excerpt(text, spans.first().map_or(0, |first| first.start));
    let units = |end: usize| text[from..end].encode_utf16().count();
    Highlight {
        field: field.to_owned(),
        text: text[from..to].to_owned(),
        ranges: spans
            .iter()
            .filter(|span| span.start >= from && span.end <= to)
            .map(|span| Range {
                start: units(span.start),
                end: units(span.end),
            })
            .collect(),
    }
}

/// The part of a text that is shown, in bytes.
fn excerpt(text: &str, first: usize) -> (usize, usize) {
    if text.chars().nth(EXCERPT_CHARACTERS).is_none() {
        return (0, text.len());
    }
    let from = text[..first]
        .char_indices()
        .rev()
        .nth(EXCERPT_BEFORE)
        .map_or(0, |(start, _)| start);
    let to = text[from..]
        .char_indices()
        .nth(EXCERPT_CHARACTERS)
        .map_or(text.len(), |(end, _)| from + end);
    (from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_count_as_javascript_does() {
        let text = "𠮷野家 Yoshinoya";
        let start = text.find("Yoshi").unwrap_or_default();
        let found = highlight(
            "name",
            text,
            &[Span {
                start,
                end: text.len(),
            }],
        );
        assert_eq!(found.ranges, [Range { start: 5, end: 14 }]);
    }

    #[test]
    fn a_long_text_is_shown_around_the_word() {
        let text = format!("{} needle {}", "é".repeat(500), "x".repeat(500));
        let start = text.find("needle").unwrap_or_default();
        let spans = [Span {
            start,
            end: start + 6,
        }];
        let found = highlight("notes", &text, &spans);
        assert_eq!(found.text.chars().count(), EXCERPT_CHARACTERS);
        let range = found.ranges[0];
        let units: Vec<u16> = found.text.encode_utf16().collect();
        let marked = String::from_utf16_lossy(&units[range.start..range.end]);
        assert_eq!(marked, "needle");
    }
}
