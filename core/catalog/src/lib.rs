//! The catalogue: what exists in a workspace (objects, fields, pipelines) and how it changes.
//!
//! Pure: no I/O, no async, no clock. A blueprint is [`resolve`]d against the current
//! [`Catalogue`] into a target catalogue (or all its issues at once), [`diff`] turns the two into
//! a [`Plan`], and whoever applies the plan (the store) does so in one transaction.
//!
//! Invariant: a `Catalogue` that exists is valid. Names are unique where they must be, every
//! reference points at something, physical names are fixed and at most 63 bytes.

mod issue;
mod model;
mod value;

pub use issue::{Issue, Issues, PathSegment};
pub use model::*;
pub use value::*;
