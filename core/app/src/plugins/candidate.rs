//! A package before it is installed: everything that can be refused without compiling it, all at
//! once.

use relata_catalog::{
    Blueprint, Catalogue, Issue, Issues, Limits, TakenNames, resolve, resolve_text,
};
use relata_host::{Grants, Manifest, Package};
use serde_json::Value as Json;

use super::InstallOptions;
use crate::{
    AppError, Workspace, naming,
    services::{find_field, find_object},
};

/// A package that is acceptable so far as that can be told without compiling it.
pub(super) struct Candidate {
    pub(super) package: Package,
    pub(super) grants: Grants,
    pub(super) settings: Json,
    pub(super) prefix: String,
    pub(super) blueprint: Blueprint,
}

/// Reads a package and checks it against the workspace.
///
/// # Errors
/// `BAD_INPUT` with all that is wrong.
pub(super) fn candidate(
    workspace: &Workspace,
    package: &[u8],
    options: &InstallOptions,
) -> Result<Candidate, AppError> {
    let host = workspace.host();
    let package =
        Package::read_within(package, host.limits()).map_err(AppError::bad_input_issues)?;
    let manifest = &package.manifest;
    let mut issues = Issues::default();

    let grants = match &options.grants {
        None => Ok(Grants::all(manifest)),
        Some(given) => Grants::parse(given, manifest),
    };
    let settings =
        manifest.settings_with_defaults(options.settings.as_ref().unwrap_or(&Json::Null));
    match (host.inspect(&package.component), &grants) {
        (Ok(inspection), Ok(grants)) => {
            if let Err(wrong) = grants.check(manifest, &inspection) {
                issues.0.extend(wrong.0);
            }
        }
        (Err(wrong), _) => issues.extend_at("plugin.wasm", wrong),
        (Ok(_), Err(_)) => {}
    }
    newer(workspace, &package, &mut issues);
    let required = required(workspace, manifest);
    // What follows from a plugin that is missing is not looked for.
    let blueprint = match (required.is_empty(), &package.blueprint) {
        (true, text) => {
            resolved(workspace, manifest, text.as_deref()).map(|(blueprint, target)| {
                if let Err(wrong) = fits(&target, &manifest.id, manifest) {
                    issues.0.extend(wrong.0);
                }
                blueprint
            })
        }
        (false, None) => Ok(Blueprint::default()),
        (false, Some(text)) => Blueprint::parse(text),
    };
    issues.0.extend(required.0);
    let prefix = options
        .prefix
        .clone()
        .or_else(|| relata_catalog::plugin_prefix(&manifest.id))
        .unwrap_or_else(|| manifest.local_name().to_owned());
    free_prefix(workspace, &manifest.id, &prefix, &mut issues);

    match (grants, settings, blueprint) {
        (Ok(grants), Ok(settings), Ok(blueprint)) if issues.is_empty() => Ok(Candidate {
            grants,
            settings,
            prefix,
            blueprint,
            package,
        }),
        (grants, settings, blueprint) => {
            if let Err(wrong) = grants {
                issues.extend_at("grants", wrong);
            }
            if let Err(wrong) = settings {
                issues.extend_at("settings", wrong);
            }
            if let Err(wrong) = blueprint {
                issues.extend_at("blueprint.yaml", wrong);
            }
            Err(AppError::BadInput {
                headline: Some(format!(
                    "the plugin {} can't be installed",
                    package.manifest.id
                )),
                issues,
            })
        }
    }
}

/// The blueprint and the catalogue that would come of it. Mistakes of form and of meaning are found
/// together; in the transaction it is resolved again, on the catalogue of that moment.
fn resolved(
    workspace: &Workspace,
    manifest: &Manifest,
    text: Option<&str>,
) -> Result<(Blueprint, Catalogue), Issues> {
    let state = workspace.state();
    let taken = TakenNames::default();
    match text {
        Some(text) => resolve_text(
            &state.catalogue,
            &manifest.id,
            text,
            &taken,
            &Limits::default(),
        ),
        None => {
            let nothing = Blueprint::default();
            let target = resolve(&state.catalogue, &manifest.id, &nothing, &taken)?;
            Ok((nothing, target))
        }
    }
}

/// The same id with other content must be a higher version.
fn newer(workspace: &Workspace, package: &Package, issues: &mut Issues) {
    let state = workspace.state();
    let Some(installed) = state.plugins.get(&package.manifest.id) else {
        return;
    };
    if installed.sha256 != package.sha256 && package.manifest.version <= installed.manifest.version
    {
        issues.push(
            Issue::new(
                "VERSION_NOT_NEWER",
                format!(
                    "version {} of {} is installed with other content; an upgrade needs a higher version than {}",
                    installed.manifest.version, installed.id, package.manifest.version
                ),
            )
            .with("installed", installed.version())
            .at("version")
            .at("plugin.toml"),
        );
    }
}

fn required(workspace: &Workspace, manifest: &Manifest) -> Issues {
    let mut issues = Issues::default();
    let state = workspace.state();
    for (id, wanted) in &manifest.requires {
        let message = match state.plugins.get(id) {
            Some(other) if wanted.matches(&other.manifest.version) => continue,
            Some(other) => format!(
                "it needs {id} {wanted}, and {} is installed",
                other.manifest.version
            ),
            None => format!("it needs the plugin {id} {wanted}: install that first"),
        };
        issues.push(
            Issue::new("REQUIRES", message)
                .at(id.as_str())
                .at("requires")
                .at("plugin.toml"),
        );
    }
    issues
}

/// Two plugins with one prefix would have the same GraphQL names.
fn free_prefix(workspace: &Workspace, id: &str, prefix: &str, issues: &mut Issues) {
    let well_formed = prefix.starts_with(|c: char| c.is_ascii_lowercase())
        && prefix.chars().all(|c| c.is_ascii_alphanumeric());
    if !well_formed {
        issues.push(
            Issue::new(
                "BAD_NAME",
                format!("the prefix {prefix:?} of GraphQL names is a letter a–z, then letters and digits"),
            )
            .at("prefix"),
        );
    }
    let state = workspace.state();
    let other = state
        .plugins
        .iter()
        .find(|other| other.id != id && other.prefix == prefix);
    if let Some(other) = other {
        issues.push(
            Issue::new(
                "NAME_TAKEN",
                format!(
                    "the prefix {prefix} of {id} is that of {} already: install it with another prefix",
                    other.id
                ),
            )
            .at("prefix"),
        );
    }
}

/// Hooks and capabilities name objects and fields that are there.
pub(super) fn fits(catalogue: &Catalogue, id: &str, manifest: &Manifest) -> Result<(), Issues> {
    let mut issues = Issues::default();
    for (position, hook) in manifest.hooks.iter().enumerate() {
        let mut wrong = Issues::default();
        let names = [
            ("fields", &hook.fields),
            ("inputs", &hook.inputs),
            ("writes", &hook.writes),
        ];
        names_there(catalogue, id, &hook.object, &names, "object", &mut wrong);
        for issue in wrong.0 {
            issues.push(issue.at(position).at("hooks").at("plugin.toml"));
        }
    }
    for (object, capability) in &manifest.capabilities.records {
        let mut wrong = Issues::default();
        let names = [("read", &capability.read), ("write", &capability.write)];
        names_there(catalogue, id, object, &names, "", &mut wrong);
        for issue in wrong.0 {
            issues.push(
                issue
                    .at(object.as_str())
                    .at("records")
                    .at("capabilities")
                    .at("plugin.toml"),
            );
        }
    }
    issues.into_result(())
}

/// As [`fits`], for the catalogue that a plan would make.
pub(super) fn accept(
    id: String,
    manifest: Manifest,
) -> impl Fn(&Catalogue) -> Result<(), AppError> + Send + Sync {
    move |target| {
        fits(target, &id, &manifest).map_err(|issues| AppError::BadInput {
            headline: Some(format!("the plugin {id} speaks of what is not there")),
            issues,
        })
    }
}

fn names_there(
    catalogue: &Catalogue,
    id: &str,
    object: &str,
    lists: &[(&str, &Vec<String>)],
    object_member: &str,
    issues: &mut Issues,
) {
    let Some(index) = find_object(catalogue, id, object) else {
        let known = catalogue
            .objects
            .iter()
            .map(|object| object.singular.as_str());
        let mut issue = Issue::new(
            "UNKNOWN_OBJECT",
            format!(
                "there is no object {object}{}",
                naming::instead(object, known)
            ),
        );
        if !object_member.is_empty() {
            issue = issue.at(object_member);
        }
        issues.push(issue);
        return;
    };
    let described = catalogue.object(index);
    for (list, names) in lists {
        for (position, name) in names.iter().enumerate() {
            if find_field(described, id, name).is_none() {
                let known = described.fields.iter().map(|field| field.name.as_str());
                issues.push(
                    Issue::new(
                        "UNKNOWN_FIELD",
                        format!(
                            "{object} has no field {name}{}",
                            naming::instead(name, known)
                        ),
                    )
                    .at(position)
                    .at(*list),
                );
            }
        }
    }
}
