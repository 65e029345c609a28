//! What the administrator has granted. Denied unless asked for by the manifest **and** granted.
//!
//! Checked twice: when a plugin is loaded (what its component imports), and at each host call
//! (which object, which fields).

use indexmap::IndexMap;
use relata_catalog::{Issue, Issues};
use serde::{Deserialize, Serialize};

use crate::inspect::{Export, Import, Inspection};
use crate::manifest::{Capabilities, Manifest, RecordsCapability};

/// Granted capabilities, in the form of the manifest's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Grants {
    /// Records by the singular name of their object.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub records: IndexMap<String, RecordsGrant>,
}

/// Access to records of one object.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordsGrant {
    /// Fields that may be read, filtered and sorted by.
    #[serde(default)]
    pub read: Vec<String>,
    /// Fields that may be written.
    #[serde(default)]
    pub write: Vec<String>,
    /// Whether records may be made.
    #[serde(default)]
    pub create: bool,
    /// Whether records may be put into the trash.
    #[serde(default)]
    pub delete: bool,
}

impl From<&RecordsCapability> for RecordsGrant {
    fn from(capability: &RecordsCapability) -> Self {
        Self {
            read: capability.read.clone(),
            write: capability.write.clone(),
            create: capability.create,
            delete: capability.delete,
        }
    }
}

impl Grants {
    /// Nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Everything that the manifest asks for.
    #[must_use]
    pub fn all(manifest: &Manifest) -> Self {
        Self {
            records: manifest
                .capabilities
                .records
                .iter()
                .map(|(object, capability)| (object.clone(), capability.into()))
                .collect(),
        }
    }

    /// Reads grants as an administrator sends them, and checks that nothing is granted that the
    /// manifest does not ask for.
    ///
    /// # Errors
    /// What is malformed, and each grant beyond the manifest.
    pub fn parse(json: &serde_json::Value, manifest: &Manifest) -> Result<Self, Issues> {
        let grants: Self = serde_json::from_value(json.clone()).map_err(|error| {
            Issue::new(
                "BAD_GRANTS",
                format!("grants have the form of the manifest's capabilities: {error}"),
            )
        })?;
        let issues = grants.beyond(&manifest.capabilities);
        issues.into_result(grants)
    }

    /// What is granted without having been asked for: it would be granted to nobody's knowledge.
    fn beyond(&self, asked: &Capabilities) -> Issues {
        let mut issues = Issues::default();
        for (object, grant) in &self.records {
            let refuse = |what: String| {
                Issue::new(
                    "GRANT_NOT_ASKED",
                    format!("the manifest does not ask to {what}"),
                )
                .at(object.as_str())
                .at("records")
            };
            let Some(capability) = asked.records.get(object) else {
                issues.push(refuse(format!("access `{object}`")));
                continue;
            };
            for (verb, granted, asked) in [
                ("read", &grant.read, &capability.read),
                ("write", &grant.write, &capability.write),
            ] {
                for field in granted.iter().filter(|field| !asked.contains(field)) {
                    issues.push(refuse(format!("{verb} `{object}.{field}`")));
                }
            }
            if grant.create && !capability.create {
                issues.push(refuse(format!("create `{object}`")));
            }
            if grant.delete && !capability.delete {
                issues.push(refuse(format!("delete `{object}`")));
            }
        }
        issues
    }

    /// Checks a component against its manifest and these grants: it imports nothing that was not
    /// asked for and granted, and exports what the manifest speaks of.
    ///
    /// # Errors
    /// Each capability that is missing, by name; each export that is missing.
    pub fn check(&self, manifest: &Manifest, inspection: &Inspection) -> Result<(), Issues> {
        let mut issues = self.beyond(&manifest.capabilities);
        if inspection.imports.contains(&Import::Records) {
            if manifest.capabilities.records.is_empty() {
                issues.push(
                    Issue::new(
                        "CAPABILITY_UNDECLARED",
                        "the component imports `records`, which needs the capability `records`, \
                         and the manifest does not ask for it",
                    )
                    .with("capability", "records")
                    .at("records")
                    .at("capabilities"),
                );
            } else if self.records.is_empty() {
                issues.push(
                    Issue::new(
                        "CAPABILITY_UNGRANTED",
                        "the component needs the capability `records`, which the manifest asks \
                         for and nobody has granted",
                    )
                    .with("capability", "records")
                    .at("records")
                    .at("capabilities"),
                );
            }
        }
        let speaks_of = [
            (Export::RecordHooks, "hooks", !manifest.hooks.is_empty()),
            (
                Export::Operations,
                "operations",
                !manifest.operations.is_empty(),
            ),
        ];
        for (export, key, needed) in speaks_of {
            if needed && !inspection.exports.contains(&export) {
                issues.push(
                    Issue::new(
                        "EXPORT_MISSING",
                        format!(
                            "the manifest has {key}, and the component does not export `{}`",
                            export.name()
                        ),
                    )
                    .at(key),
                );
            }
        }
        issues.into_result(())
    }

    /// The first of the fields that may not be read, or the object itself.
    pub(crate) fn deny_read<'a>(
        &self,
        object: &str,
        fields: impl IntoIterator<Item = &'a str>,
    ) -> Option<String> {
        let Some(grant) = self.records.get(object) else {
            return Some(format!("records.{object}"));
        };
        fields
            .into_iter()
            .find(|field| !grant.read.iter().any(|granted| granted == field))
            .map(|field| format!("records.{object}.read: {field}"))
    }

    /// The same for writing.
    pub(crate) fn deny_write<'a>(
        &self,
        object: &str,
        fields: impl IntoIterator<Item = &'a str>,
    ) -> Option<String> {
        let Some(grant) = self.records.get(object) else {
            return Some(format!("records.{object}"));
        };
        fields
            .into_iter()
            .find(|field| !grant.write.iter().any(|granted| granted == field))
            .map(|field| format!("records.{object}.write: {field}"))
    }

    pub(crate) fn deny_create(&self, object: &str) -> Option<String> {
        let granted = self.records.get(object).is_some_and(|grant| grant.create);
        (!granted).then(|| format!("records.{object}.create"))
    }

    pub(crate) fn deny_delete(&self, object: &str) -> Option<String> {
        let granted = self.records.get(object).is_some_and(|grant| grant.delete);
        (!granted).then(|| format!("records.{object}.delete"))
    }
}
