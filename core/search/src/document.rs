//! What the index knows of a record.

use tantivy::TantivyDocument;
use tantivy::tokenizer::{PreTokenizedString, Token};
use uuid::Uuid;

use crate::index::Fields;
use crate::text::{joined, words};

/// Words of one record that are indexed; a long text is found by its beginning.
const WORDS_MAX: usize = 20_000;
/// So long are the beginnings of words that have an entry of their own: a prefix of one letter
/// would have to gather a part of the whole vocabulary.
pub(crate) const EDGE_CHARACTERS_MAX: usize = 4;
/// Between two parts of a record there is room, so that no phrase reaches over.
const GAP: usize = 10;

/// A record, as it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its id.
    pub id: Uuid,
    /// Its object's key.
    pub object: String,
    /// Its texts.
    pub parts: Vec<Part>,
    /// Its phone numbers in E.164: found by their last digits.
    pub phones: Vec<String>,
    /// Found as a whole only, by [`crate::Index::with_keys`].
    pub keys: Vec<String>,
}

/// A text of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// How much it says about the record.
    pub weight: Weight,
    /// As it is shown.
    pub text: String,
}

/// How much a text says about its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weight {
    /// Text of several lines.
    Long,
    /// Any other text.
    Text,
    /// What people call it.
    Label,
}

/// Each weight, and its place in [`Fields`].
pub(crate) const WEIGHTS: [Weight; 3] = [Weight::Long, Weight::Text, Weight::Label];

impl Document {
    pub(crate) fn indexed(&self, fields: &Fields) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        document.add_bytes(fields.id, self.id.as_bytes());
        let (high, low) = self.id.as_u64_pair();
        document.add_u64(fields.high, high);
        document.add_u64(fields.low, low);
        document.add_text(fields.object, &self.object);
        document.add_u64(fields.object_number, object_number(&self.object));
        let mut left = WORDS_MAX;
        for weight in WEIGHTS.into_iter().rev() {
            let mut tokens = Vec::new();
            let mut edges = Vec::new();
            let mut from = 0;
            for part in self.parts.iter().filter(|part| part.weight == weight) {
                from = add(&part.text, from, &mut left, &mut tokens, &mut edges) + GAP;
                if weight == Weight::Label {
                    document.add_text(fields.whole, whole(&part.text));
                }
            }
            let place = weight as usize;
            if !tokens.is_empty() {
                document.add_pre_tokenized_text(fields.words[place], pretokenized(tokens));
            }
            if !edges.is_empty() {
                document.add_pre_tokenized_text(fields.edges[place], pretokenized(edges));
            }
        }
        for phone in &self.phones {
            let digits = reversed_digits(phone);
            if !digits.is_empty() {
                document.add_text(fields.digits, digits);
            }
        }
        for key in &self.keys {
            document.add_text(fields.keys, key);
        }
        document
    }
}

/// A number for the object's key. Two objects with one number would be told apart by their tables:
/// a record that isn't in its object's table is not shown.
pub(crate) fn object_number(object: &str) -> u64 {
    // FNV-1a: stable over time and processes, which std's hashers don't promise to be.
    object.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The whole text as its words with one blank between.
pub(crate) fn whole(text: &str) -> String {
    let mut whole = String::new();
    let words = words(text);
    for (position, word) in words.iter().enumerate() {
        let is_run = position > 0 && words[position - 1].goes_on_with(word);
        if position > 0 && !is_run {
            whole.push(' ');
        }
        whole.push_str(&word.text);
    }
    // Terms have a length; so long a label is not typed in whole.
    whole.chars().take(1_000).collect()
}

/// The digits from the last to the first, so that the last ones are a prefix.
pub(crate) fn reversed_digits(phone: &str) -> String {
    phone
        .chars()
        .rev()
        .filter(char::is_ascii_digit)
        .take(32)
        .collect()
}

/// Adds the words of a text from a position on; gives the position behind them.
fn add(
    text: &str,
    from: usize,
    left: &mut usize,
    tokens: &mut Vec<Token>,
    edges: &mut Vec<Token>,
) -> usize {
    let mut words = words(text);
    words.truncate(*left);
    *left -= words.len();
    for (place, word) in words.iter().enumerate() {
        let position = from + place;
        tokens.push(token(word.text.clone(), position));
        if word.is_single {
            // Two characters are one entry: the words that people look for have two.
            if let Some(next) = words.get(place + 1)
                && word.goes_on_with(next)
            {
                tokens.push(token(format!("{}{}", word.text, next.text), position));
            }
        } else {
            add_edges(&word.text, position, edges);
        }
    }
    for (place, together) in joined(text, &words) {
        add_edges(&together, from + place, edges);
        tokens.push(token(together, from + place));
    }
    // Positions are written as differences.
    tokens.sort_by_key(|token| token.position);
    from + words.len()
}

fn add_edges(word: &str, position: usize, edges: &mut Vec<Token>) {
    for (place, (end, _)) in word.char_indices().enumerate().skip(1) {
        if place > EDGE_CHARACTERS_MAX {
            return;
        }
        edges.push(token(word[..end].to_owned(), position));
    }
    if word.chars().count() <= EDGE_CHARACTERS_MAX {
        edges.push(token(word.to_owned(), position));
    }
}

fn token(text: String, position: usize) -> Token {
    Token {
        offset_from: 0,
        offset_to: 0,
        position,
        text,
        position_length: 1,
    }
}

fn pretokenized(tokens: Vec<Token>) -> PreTokenizedString {
    PreTokenizedString {
        text: String::new(),
        tokens,
    }
}
