//! From text to JSON.
use serde_json::Value as Json;

use super::Limits;
use crate::{Issue, Issues};

pub(super) fn read(text: &str, limits: &Limits) -> Result<Json, Issues> {
    let _ = limits;
    serde_norway::from_str(text).map_err(|e| Issue::new("SYNTAX", e.to_string()).into())
}
