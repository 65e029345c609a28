//! The catalogue through its public interface: golden documents, properties, tables of inputs.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "catalog/coercion.rs"]
mod coercion;
#[path = "catalog/coercion_of_files.rs"]
mod coercion_of_files;
#[path = "catalog/coercion_of_measures.rs"]
mod coercion_of_measures;
#[path = "catalog/coercion_of_parties.rs"]
mod coercion_of_parties;
#[path = "catalog/documents.rs"]
mod documents;
#[path = "catalog/properties.rs"]
mod properties;

use relata_catalog::{Catalogue, Limits, OWNER_PLATFORM, STANDARD, TakenNames, diff, resolve_text};

/// The standard objects, a plugin that adds to them, and a workspace that adds to both.
pub(crate) fn base() -> Catalogue {
    let mut catalogue = Catalogue::default();
    for (owner, text) in [
        (OWNER_PLATFORM, STANDARD),
        ("acme.loyalty", include_str!("base/loyalty.yaml")),
        ("workspace", include_str!("base/workspace.yaml")),
    ] {
        let (_, target) = resolve_text(
            &catalogue,
            owner,
            text,
            &TakenNames::default(),
            &Limits::default(),
        )
        .unwrap_or_else(|issues| panic!("{owner}:\n{issues}"));
        catalogue = diff(&catalogue, &target).target;
    }
    catalogue
}
