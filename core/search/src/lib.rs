//! The only room that knows the index of search.
//!
//! An index is a folder of this process, outside the database, and never the truth: whoever fills
//! it ([`Writer`]) notes with each commit how far it has come, and it can be thrown away and made
//! again from the records. So a write of records costs nothing here, both databases rank alike,
//! and words, prefixes, Chinese substrings and typos are found on both.
//!
//! Not here: records, rights, the outbox. This room knows texts and ids.
//!
//! Invariant: what is typed is text. There is no syntax of queries.

mod text;

mod document;
mod error;
mod find;
mod highlight;
mod index;
mod query;

pub use document::{Document, Part, Weight};
pub use error::SearchError;
pub use find::{Find, Found, Hit, Place};
pub use highlight::{Highlighter, Span};
pub use index::{FORMAT, Index, Writer};
pub use query::{QUERY_CHARACTERS_MAX, QUERY_WORDS_MAX, Query, QueryError};
pub use text::words;
