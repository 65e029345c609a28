//! The plugin's settings in this workspace: what the manifest's schema describes.

use serde::de::DeserializeOwned;

use crate::{
    Error, Result,
    host::{Here, Host},
};

/// The settings as a struct. The host has checked them against the manifest's schema and filled
/// in its defaults, so a mismatch means that struct and schema disagree.
///
/// # Errors
/// A failure that says which member does not fit.
pub fn get<T: DeserializeOwned>() -> Result<T> {
    serde_json::from_str(&Here::settings()).map_err(|error| {
        Error::Failed(format!(
            "the settings are not what the plugin reads: {error}"
        ))
    })
}
