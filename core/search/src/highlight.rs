//! Where in a text the words of a query are.

use strsim::osa_distance;

use crate::document::reversed_digits;
use crate::find::typos_of;
use crate::query::{Query, QueryWord};
use crate::text::{Word, joined, words};

/// A part of a text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Its first byte.
    pub start: usize,
    /// Behind its last byte.
    pub end: usize,
}

/// Finds the words of one query again.
#[derive(Debug)]
pub struct Highlighter<'q> {
    query: &'q Query,
    with_typos: bool,
}

impl<'q> Highlighter<'q> {
    /// For the words of a query, with typos if it was answered so.
    #[must_use]
    pub fn new(query: &'q Query, with_typos: bool) -> Self {
        Self { query, with_typos }
    }

    /// Where the words are: in order, none within another. A word of which the beginning was typed
    /// is meant as a whole.
    #[must_use]
    pub fn spans(&self, text: &str) -> Vec<Span> {
        let words = words(text);
        let joined = joined(text, &words);
        let mut spans = Vec::new();
        for wanted in &self.query.words {
            match wanted {
                QueryWord::Word(wanted) => {
                    let hits = words
                        .iter()
                        .filter(|word| !word.is_single && self.is(&word.text, wanted));
                    spans.extend(hits.map(|word| span(word, word)));
                    // As one word, where the first of its parts isn't the word already.
                    let together = joined.iter().filter(|(first, text)| {
                        self.is(text, wanted) && !self.is(&words[*first].text, wanted)
                    });
                    for (first, _) in together {
                        if let Some(last) = last_joined(text, &words, *first) {
                            spans.push(span(&words[*first], &words[last]));
                        }
                    }
                }
                QueryWord::Run(run) => {
                    if !run_spans(&words, run, &mut spans) && self.with_typos {
                        for pair in run.windows(2) {
                            run_spans(&words, pair, &mut spans);
                        }
                    }
                }
            }
        }
        spans.sort_unstable();
        let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
        for span in spans {
            match merged.last_mut() {
                Some(last) if span.start < last.end || (span.start == last.start) => {
                    last.end = last.end.max(span.end);
                }
                // Characters of one run are one part.
                Some(last) if span.start == last.end => last.end = span.end,
                _ => merged.push(span),
            }
        }
        merged
    }

    /// Whether the query is the end of this phone number.
    #[must_use]
    pub fn is_phone(&self, e164: &str) -> bool {
        let digits = reversed_digits(e164);
        let mut phones = self.query.phones.iter();
        phones.any(|phone| digits.starts_with(phone))
    }

    fn is(&self, word: &str, wanted: &str) -> bool {
        word.starts_with(wanted)
            || (self.with_typos
                && typos_of(wanted)
                    .is_some_and(|typos| osa_distance(word, wanted) <= usize::from(typos)))
    }
}

fn span(first: &Word, last: &Word) -> Span {
    Span {
        start: first.start,
        end: last.end,
    }
}

fn run_spans(words: &[Word], run: &[String], spans: &mut Vec<Span>) -> bool {
    let before = spans.len();
    for window in words.windows(run.len()) {
        let is_run = window
            .iter()
            .zip(run)
            .all(|(word, wanted)| word.is_single && word.text == *wanted)
            && window.windows(2).all(|pair| pair[0].goes_on_with(&pair[1]));
        if is_run {
            spans.push(span(&window[0], &window[window.len() - 1]));
        }
    }
    spans.len() > before
}

/// The last of the words that are joined with this one.
fn last_joined(text: &str, words: &[Word], first: usize) -> Option<usize> {
    (first + 1..words.len()).rev().find(|last| {
        let part = &words[first..=*last];
        joined(text, part).first().is_some_and(|(place, together)| {
            *place == 0
                && together.chars().count()
                    == part
                        .iter()
                        .map(|word| word.text.chars().count())
                        .sum::<usize>()
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[track_caller]
    fn check(query: &str, text: &str, expected: &str) {
        let query = Query::parse(query).unwrap();
        let mut marked = String::new();
        let mut at = 0;
        for span in Highlighter::new(&query, true).spans(text) {
            marked.push_str(&text[at..span.start]);
            marked.push_str(&format!("[{}]", &text[span.start..span.end]));
            at = span.end;
        }
        marked.push_str(&text[at..]);
        assert_eq!(marked, expected);
    }

    #[test]
    fn words_are_marked_where_they_are() {
        check("creme bru", "La Crème brûlée", "La [Crème] [brûlée]");
        check("公司 华", "华为技术有限公司", "[华]为技术有限[公司]");
        check("obrien", "Pat O'Brien", "Pat [O'Brien]");
        check("micorsoft", "Microsoft Corp.", "[Microsoft] Corp.");
        check("att", "AT&T Inc", "[AT&T] Inc");
        check("x", "Nothing", "Nothing");
    }
}
