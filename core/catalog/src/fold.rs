//! The folded key of a text: what it is searched, compared without case, and ordered by.
//!
//! Computed here and stored beside the text, so that both databases order and match alike: no
//! collation of theirs is involved.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Text without case, accents and compatibility forms: NFKD, combining marks removed, default
/// case fold, and once more where folding itself has produced something to decompose.
///
/// `folded("Ａdám Straße") == "adam strasse"`. Idempotent.
#[must_use]
pub fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut current = folded_once(text);
    // Folding can decompose (İ), decomposing can produce what folds (㎒ → MHz). Each round is
    // needed by a handful of characters; three are enough for all of Unicode.
    for _ in 0..3 {
        let next = folded_once(&current);
        if next == current {
            break;
        }
        current = next;
    }
    current
}

fn folded_once(text: &str) -> String {
    caseless::default_case_fold_str(
        &text
            .nfkd()
            .filter(|character| !is_combining_mark(*character))
            .collect::<String>(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_case_accents_width_and_ligatures() {
        let cases = [
            ("Company", "company"),
            ("Ångström", "angstrom"),
            ("STRASSE", "strasse"),
            ("Straße", "strasse"),
            ("São José dos Campos", "sao jose dos campos"),
            ("万科Ａ", "万科a"),
            ("ﬁn", "fin"),
            ("㎒", "mhz"),
            ("İstanbul", "istanbul"),
            ("Σίσυφος", "σισυφοσ"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(folded(text), expected, "{text}");
        }
    }

    #[test]
    fn every_character_folds_to_something_that_stays() {
        // Beyond the second plane there is nothing that folds.
        for character in '\0'..='\u{2ffff}' {
            let once = folded(&character.to_string());
            assert_eq!(folded(&once), once, "{:?}", character);
        }
    }
}
