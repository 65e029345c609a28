//! The standard objects: an ordinary blueprint of the owner `relata`.

/// The document.
pub const STANDARD: &str = include_str!("../blueprints/standard.yaml");
