//! What somebody typed, as words.

use crate::document::{reversed_digits, whole};
use crate::text::words;

/// Characters of a query.
pub const QUERY_CHARACTERS_MAX: usize = 500;
/// Words of a query; characters of a script without blanks that stand together are one.
pub const QUERY_WORDS_MAX: usize = 16;

/// Digits from which on a query may be the end of a phone number.
const PHONE_DIGITS_MIN: usize = 4;

/// Why nothing can be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryError {
    /// There is no letter and no digit in it.
    Blank,
    /// It has so many characters.
    Long(usize),
    /// It has so many words.
    Wordy(usize),
}

/// What is looked for. All of its words have to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub(crate) words: Vec<QueryWord>,
    /// As a label would be that is nothing else.
    pub(crate) whole: String,
    /// Where it may be a phone number: its last digits, from the last to the first, in the ways in
    /// which the beginning may have been meant.
    pub(crate) phones: Vec<String>,
}

/// One word of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum QueryWord {
    /// The beginning of a word.
    Word(String),
    /// Characters that stand side by side.
    Run(Vec<String>),
}

impl Query {
    /// Reads what was typed. All of it is text.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let characters = text.chars().count();
        if characters > QUERY_CHARACTERS_MAX {
            return Err(QueryError::Long(characters));
        }
        let found = words(text);
        let mut parsed: Vec<QueryWord> = Vec::new();
        for (position, word) in found.iter().enumerate() {
            let goes_on = position > 0 && found[position - 1].goes_on_with(word);
            match parsed.last_mut() {
                Some(QueryWord::Run(run)) if goes_on => run.push(word.text.clone()),
                _ if word.is_single => parsed.push(QueryWord::Run(vec![word.text.clone()])),
                _ => parsed.push(QueryWord::Word(word.text.clone())),
            }
        }
        match parsed.len() {
            0 => Err(QueryError::Blank),
            1..=QUERY_WORDS_MAX => Ok(Self {
                words: parsed,
                whole: whole(text),
                phones: phones(text),
            }),
            many => Err(QueryError::Wordy(many)),
        }
    }
}

/// `+49 (0)30 1234-567`, `0049 30 …`, `030 …`: the country and the zero in front are typed or not.
fn phones(text: &str) -> Vec<String> {
    let is_phone = text
        .chars()
        .all(|character| character.is_ascii_digit() || "+()-./ \u{a0}".contains(character));
    if !is_phone {
        return Vec::new();
    }
    let digits: String = text
        .replace("(0)", "")
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let bare = digits.trim_start_matches('0');
    let mut found: Vec<String> = Vec::new();
    for digits in [digits.as_str(), bare] {
        let reversed = reversed_digits(digits);
        if reversed.len() >= PHONE_DIGITS_MIN && !found.contains(&reversed) {
            found.push(reversed);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn runs_and_words() {
        let query = Query::parse("华为tech 公 司").unwrap();
        let run = |text: &[&str]| QueryWord::Run(text.iter().map(|c| (*c).to_owned()).collect());
        assert_eq!(
            query.words,
            [
                run(&["华", "为"]),
                QueryWord::Word("tech".into()),
                run(&["公"]),
                run(&["司"]),
            ]
        );
    }

    #[test]
    fn a_phone_number_in_any_spelling() {
        let last = |text: &str| Query::parse(text).unwrap().phones;
        assert!(last("+49 (0)30 1234-567").contains(&"76543210394".to_owned()));
        assert!(last("030 1234567").contains(&"765432103".to_owned()));
        assert_eq!(last("12 ab"), Vec::<String>::new());
    }

    #[test]
    fn what_can_not_be_looked_for() {
        assert_eq!(Query::parse(" \"*:() "), Err(QueryError::Blank));
        assert_eq!(Query::parse(&"a".repeat(501)), Err(QueryError::Long(501)));
        assert_eq!(Query::parse(&"a ".repeat(17)), Err(QueryError::Wordy(17)));
    }
}
