//! From text to CEL's own tree, within limits.

use ::cel::common::ast::{IdedExpr, SourceInfo};
use ::cel::parser::Parser;

use super::{EXPRESSION_CHARACTERS_MAX, EXPRESSION_DEPTH_MAX, EXPRESSION_SIGNS_MAX};
use crate::reading::limit;
use crate::{Issue, Issues};

/// A text, read.
pub(super) struct Parsed {
    pub(super) tree: IdedExpr,
    source: SourceInfo,
}

impl Parsed {
    /// The characters from which a node was made.
    pub(super) fn text_of(&self, id: u64) -> Option<&str> {
        let (start, stop) = self.source.offset_for(id)?;
        let (start, stop) = (start as usize, stop as usize + 1);
        // The offsets count characters.
        let mut bounds = self
            .source
            .source
            .char_indices()
            .map(|(byte, _)| byte)
            .chain([self.source.source.len()]);
        let from = bounds.nth(start)?;
        let to = if stop > start {
            bounds.nth(stop - start - 1)?
        } else {
            return None;
        };
        self.source.source.get(from..to)
    }

    /// The column of a node's first character, from 1.
    pub(super) fn column_of(&self, id: u64) -> Option<u32> {
        self.source.offset_for(id).map(|(start, _)| start + 1)
    }
}

/// Reads a text.
pub(super) fn parse(text: &str) -> Result<Parsed, Issues> {
    let characters = text.chars().count();
    if characters > EXPRESSION_CHARACTERS_MAX {
        return Err(limit(
            "characters of an expression",
            EXPRESSION_CHARACTERS_MAX,
            characters,
        )
        .into());
    }
    if text.trim().is_empty() {
        return Err(Issue::new(
            "EXPRESSION_SYNTAX",
            "the expression is empty: write something like record.amount > 1000",
        )
        .into());
    }
    guard(text)?;
    Parser::new()
        .max_recursion_depth(u16::try_from(EXPRESSION_DEPTH_MAX * 4).unwrap_or(u16::MAX))
        .error_recovery_limit(4)
        .parse_with_source_info(text)
        .map(|(tree, source)| Parsed { tree, source })
        .map_err(|errors| {
            let first = errors.errors.first();
            let what = first
                .map_or("it can't be read", |error| error.msg.as_str())
                .trim_start_matches("Syntax error: ");
            // What could stand there is half of the grammar.
            let what = what.split(" expecting ").next().unwrap_or(what);
            let what = what.replace("mismatched input '<EOF>'", "it ends too early");
            let what: String = what.chars().take(200).collect();
            let column = first.map_or(0, |error| error.pos.1) + 1;
            Issue::new(
                "EXPRESSION_SYNTAX",
                format!("this is no CEL at character {column}: {what}"),
            )
            .with("column", i64::try_from(column).unwrap_or_default())
            .into()
        })
}

/// The parser recurses, and so does what walks over its tree: what makes either go deeper is
/// counted before it begins. Signs inside of texts count too, since telling texts apart is what a
/// hostile one would lead astray.
fn guard(text: &str) -> Result<(), Issues> {
    let signs = text
        .bytes()
        .filter(|byte| b"([{?!-+*/%<>=&|.".contains(byte))
        .count();
    if signs > EXPRESSION_SIGNS_MAX {
        return Err(limit(
            "operators, dots and brackets in an expression",
            EXPRESSION_SIGNS_MAX,
            signs,
        )
        .into());
    }
    Ok(())
}
