//! What is looked at before any parser sees a document: how much it is, and how much it would
//! become.
//!
//! async-graphql's parser recurses: lists nested 2,000 deep (4 KB) overflow the stack and abort
//! the process, whatever limits it has been given. Its validator expands fragments: ten fragments
//! that each spread the next one twice cost a thousand times what they say. So the guard reads
//! the bytes once, aware of strings, block strings and comments, and counts; then it walks what
//! it has read, each fragment once.
//!
//! Invariant: a document that passes has brackets nested at most [`DocumentLimits::depth_max`]
//! deep, no fragment that spreads itself, and expands to at most
//! [`DocumentLimits::selections_max`] selections. The work is linear in the bytes.
//!
//! Not a parser: what passes may still be nonsense, and the parser says so with better words.

mod expand;
mod lex;
#[cfg(test)]
mod tests;
mod walk;

/// How much a document may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentLimits {
    /// Bytes of the document.
    pub bytes_max: usize,
    /// Brackets of all kinds inside each other, and selections inside each other once fragments
    /// are expanded.
    pub depth_max: usize,
    /// Names, numbers, strings and punctuation.
    pub tokens_max: usize,
    /// Fields, spreads and inline fragments, once fragments are expanded, of all operations.
    pub selections_max: u64,
    /// Fields of an operation itself, once fragments are expanded.
    pub root_fields_max: u64,
    /// Aliases, once fragments are expanded.
    pub aliases_max: u64,
    /// Directives, once fragments are expanded.
    pub directives_max: u64,
}

impl DocumentLimits {
    /// The highest [`DocumentLimits::depth_max`]: async-graphql's parser takes 64 selections inside
    /// each other, whatever it is told. Parser, planner and readers stay within their stacks
    /// there (2 MiB, in a debug build); a test goes there.
    pub const DEPTH_HIGHEST: usize = 60;
}

/// Selections inside each other that async-graphql walks: beyond the guard's, so that the guard
/// speaks first.
pub(crate) const RECURSION_MAX: usize = 2 * DocumentLimits::DEPTH_HIGHEST;

impl Default for DocumentLimits {
    fn default() -> Self {
        Self {
            bytes_max: 256 * 1024,
            depth_max: 30,
            tokens_max: 20_000,
            selections_max: 5_000,
            root_fields_max: 50,
            aliases_max: 500,
            directives_max: 500,
        }
    }
}

/// What the guard has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Tokens read.
    pub tokens: usize,
    /// Steps taken after the tokens were read: the cost of the walk, free of any clock.
    pub steps: u64,
    /// Selections of all operations, fragments expanded.
    pub selections: u64,
}

/// Why a document is turned away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It is too much. `BAD_INPUT` would be wrong: a smaller one of the same kind is welcome.
    Limit {
        /// Name of the limit, as it stands in [`DocumentLimits`].
        limit: &'static str,
        /// Its value.
        max: u64,
        /// For a person.
        message: String,
        /// Byte in the document, where there is one.
        at: Option<usize>,
    },
    /// It is no document.
    Malformed {
        /// For a person.
        message: String,
        /// Byte in the document.
        at: usize,
    },
}

/// Line and column, both from 1, of a byte.
#[must_use]
pub fn position(document: &str, at: usize) -> (usize, usize) {
    let before = &document.as_bytes()[..at.min(document.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before
        .iter()
        .rev()
        .take_while(|byte| **byte != b'\n')
        .count()
        + 1;
    (line, column)
}

/// Looks a document over.
///
/// # Errors
/// The first limit that it goes beyond, or the first place where it cannot be a document.
pub fn inspect(document: &str, limits: &DocumentLimits) -> Result<Counted, Refusal> {
    if document.len() > limits.bytes_max {
        return Err(over(
            "documentBytes",
            limits.bytes_max as u64,
            format!(
                "the document has {} bytes, at most {} are read",
                document.len(),
                limits.bytes_max
            ),
            None,
        ));
    }
    let tokens = lex::read_tokens(document, limits)?;
    let definitions = walk::Walk::new(document, &tokens).definitions()?;
    let mut counted = expand::expand(&definitions, limits)?;
    counted.tokens = tokens.len();
    counted.steps += tokens.len() as u64;
    Ok(counted)
}

fn over(limit: &'static str, max: u64, message: String, at: Option<usize>) -> Refusal {
    Refusal::Limit {
        limit,
        max,
        message,
        at,
    }
}

fn malformed(message: impl Into<String>, at: usize) -> Refusal {
    Refusal::Malformed {
        message: message.into(),
        at,
    }
}
