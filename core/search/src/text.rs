//! Text becomes words: the same way for what is indexed, what is asked, and what is highlighted.
//!
//! Words of alphabetic scripts stand between what is neither letter nor digit. Scripts that put no
//! blanks between words (Chinese, Japanese, Korean, Thai …) are taken character by character. All
//! of it is folded as the rest of the product folds (case, accents, width).

use relata_catalog::folded;
use unicode_normalization::char::is_combining_mark;

/// Characters of a word that count: whoever types as many has found it.
pub(crate) const WORD_CHARACTERS_MAX: usize = 64;
/// Characters of words that are also found when written together: `O'Brien` as `obrien`.
const JOINED_CHARACTERS_MAX: usize = 32;

/// A word of a text, folded, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Folded, never empty.
    pub text: String,
    /// Its first byte in the text.
    pub start: usize,
    /// Behind its last byte.
    pub end: usize,
    /// Whether it is one character of a script without blanks.
    pub is_single: bool,
}

impl Word {
    /// Whether the next one belongs to the same run of characters.
    pub(crate) fn goes_on_with(&self, next: &Self) -> bool {
        self.is_single && next.is_single && (self.end == next.start || self.start == next.start)
    }
}

/// The words of a text, in order.
#[must_use]
pub fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut run: Option<usize> = None;
    let mut characters = text.char_indices().peekable();
    while let Some((start, character)) = characters.next() {
        let end = characters.peek().map_or(text.len(), |(next, _)| *next);
        if is_single(character) {
            if let Some(begun) = run.take() {
                push_run(text, begun, start, &mut words);
            }
            push_singles(&text[start..end], start, end, &mut words);
        } else if character.is_alphanumeric() || (run.is_some() && is_combining_mark(character)) {
            run.get_or_insert(start);
        } else if let Some(begun) = run.take() {
            push_run(text, begun, start, &mut words);
        }
    }
    if let Some(begun) = run {
        push_run(text, begun, text.len(), &mut words);
    }
    words
}

/// Folding may leave several words of one (`½` is 1⁄2), or none.
fn push_run(text: &str, start: usize, end: usize, words: &mut Vec<Word>) {
    let folded = folded(&text[start..end]);
    for part in folded.split(|character: char| !character.is_alphanumeric()) {
        if part.is_empty() {
            continue;
        }
        words.push(Word {
            text: part.chars().take(WORD_CHARACTERS_MAX).collect(),
            start,
            end,
            is_single: false,
        });
    }
}

fn push_singles(character: &str, start: usize, end: usize, words: &mut Vec<Word>) {
    for single in folded(character).chars() {
        if single.is_alphanumeric() {
            words.push(Word {
                text: single.to_string(),
                start,
                end,
                is_single: true,
            });
        }
    }
}

/// Whether the character belongs to a script that puts no blanks between words.
fn is_single(character: char) -> bool {
    matches!(character,
        '\u{0e00}'..='\u{0eff}'      // Thai, Lao
        | '\u{1000}'..='\u{109f}'    // Myanmar
        | '\u{1100}'..='\u{11ff}'    // Hangul, in parts
        | '\u{1780}'..='\u{17ff}'    // Khmer
        | '\u{2e80}'..='\u{2fdf}'    // radicals
        | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{30ff}'    // Hiragana, Katakana
        | '\u{3105}'..='\u{312f}'    // Bopomofo
        | '\u{3131}'..='\u{318e}'
        | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7af}'    // Hangul
        | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ffdc}'    // half width
        | '\u{20000}'..='\u{3ffff}'
    )
}

/// Words that nothing but one sign keeps apart, written together (`AT&T`, `O'Brien`, `e-mail`),
/// with the position of the first of them. Nobody agrees how they are typed.
pub(crate) fn joined(text: &str, words: &[Word]) -> Vec<(usize, String)> {
    const SIGNS: [&str; 5] = ["'", "’", "&", ".", "-"];
    let joins = |left: &Word, right: &Word| {
        !left.is_single
            && !right.is_single
            && left.end < right.start
            && SIGNS.contains(&&text[left.end..right.start])
    };
    let mut found = Vec::new();
    let mut first = 0;
    while first < words.len() {
        let mut last = first;
        while last + 1 < words.len() && joins(&words[last], &words[last + 1]) {
            last += 1;
        }
        if last > first {
            let together: String = words[first..=last]
                .iter()
                .map(|word| word.text.as_str())
                .collect();
            if together.chars().count() <= JOINED_CHARACTERS_MAX {
                found.push((first, together));
            }
        }
        first = last + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<String> = words(text).into_iter().map(|word| word.text).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn words_of_many_scripts() {
        check("Crème  Brûlée, GmbH", &["creme", "brulee", "gmbh"]);
        check("e\u{301}cole", &["ecole"]);
        check("ＡＢＣ　１２", &["abc", "12"]);
        check("华为3M公司", &["华", "为", "3m", "公", "司"]);
        check("ｶﾞス", &["カ", "ス"]);
        check("Straße ½", &["strasse", "1", "2"]);
        check("\"a\" NEAR(b:*) -c", &["a", "near", "b", "c"]);
        check(" .,;!\u{0}\u{7} ", &[]);
    }

    #[test]
    fn what_one_sign_keeps_apart_is_also_found_together() {
        let text = "O'Brien & AT&T, S.A.P.";
        let found = joined(text, &words(text));
        let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["obrien", "att", "sap"]);
    }
}
