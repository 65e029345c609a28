//! An owner's part of a catalogue as a blueprint.

use crate::{Blueprint, Catalogue};

/// What `owner` brought, as a document that resolves to the same catalogue.
#[must_use]
pub fn export(catalogue: &Catalogue, owner: &str) -> Blueprint {
    let _ = (catalogue, owner);
    Blueprint::default()
}
