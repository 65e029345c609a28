//! A blueprint against the current catalogue: the target catalogue, or all that is wrong.

use std::collections::{HashMap, HashSet};

use crate::{Blueprint, Catalogue, Issue, Issues, Limits};

/// Physical names that are in use although the catalogue does not know them: what was removed is
/// parked for a while.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TakenNames {
    /// Tables.
    pub tables: HashSet<String>,
    /// First parts of column names ([`Field::column`](crate::Field::column)), by table.
    pub columns: HashMap<String, HashSet<String>>,
    /// Indexes.
    pub indexes: HashSet<String>,
}

/// The catalogue in which `owner` has exactly what `blueprint` says, and everybody else what they
/// have now. Its revision is the current one: [`diff`](crate::diff) counts.
///
/// # Errors
/// All issues, each with its path into the document and what would be right.
pub fn resolve(
    current: &Catalogue,
    owner: &str,
    blueprint: &Blueprint,
    taken: &TakenNames,
) -> Result<Catalogue, Issues> {
    resolve_within(current, owner, blueprint, taken, &Limits::default())
}

/// As [`resolve`], with limits of one's own.
///
/// # Errors
/// All issues, each with its path into the document and what would be right.
pub fn resolve_within(
    current: &Catalogue,
    owner: &str,
    blueprint: &Blueprint,
    taken: &TakenNames,
    limits: &Limits,
) -> Result<Catalogue, Issues> {
    let _ = (current, owner, blueprint, taken, limits);
    Err(Issue::new("NOT_READY", "being written").into())
}

/// What a plugin's names on other owners' objects begin with: `membership` of
/// `relata.membership`. The platform and the workspace have none.
#[must_use]
pub fn plugin_prefix(owner: &str) -> Option<String> {
    let _ = owner;
    None
}
