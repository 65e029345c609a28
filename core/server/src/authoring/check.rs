//! `relata plugin check`: everything that is wrong with a plugin's file, at once.
//!
//! What a workspace would find at install is found here, as far as it can be without that
//! workspace: its own objects are not known, so a name that nobody here knows is a warning.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use relata_catalog::{
    Catalogue, Issues, Limits as BlueprintLimits, OWNER_PLATFORM, Object, STANDARD, TakenNames,
    resolve_text,
};
use relata_host::{
    CompileCommand, Export, Grants, Host, HostOptions, Import, Inspection, Limits, Manifest,
    Package, inspect,
};

/// What there is to say about a package.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) issues: Issues,
    pub(super) warnings: Vec<String>,
    pub(super) package_bytes: usize,
    pub(super) component_bytes: usize,
    package: Package,
    inspection: Inspection,
}

impl Report {
    pub(super) fn print_warnings(&self) {
        for warning in &self.warnings {
            eprintln!("warning: {warning}");
        }
    }
}

/// Checks the file, compiles its component as an install would, and prints what the plugin is.
///
/// # Errors
/// All that is wrong with it.
pub(crate) async fn check(file: &Path) -> Result<()> {
    let bytes = std::fs::read(file).with_context(|| format!("can't read {}", file.display()))?;
    let mut report = report(&bytes)?;
    if report.issues.is_empty() {
        report.issues = compile(&report.package).await?;
    }
    report.print_warnings();
    if !report.issues.is_empty() {
        return Err(refused(file, &report.issues));
    }
    println!("{}", summary(&report));
    Ok(())
}

/// An error that lists all issues, each with its path.
pub(super) fn refused(what: &Path, issues: &Issues) -> anyhow::Error {
    let lines: String = issues
        .0
        .iter()
        .map(|issue| format!("\n  {issue}"))
        .collect();
    let mistakes = match issues.0.len() {
        1 => "1 mistake".to_owned(),
        count => format!("{count} mistakes"),
    };
    anyhow!("{} has {mistakes}:{lines}", what.display())
}

/// Everything that can be seen without compiling.
///
/// # Errors
/// All that keeps the bytes from being a package.
pub(super) fn report(bytes: &[u8]) -> Result<Report> {
    let package =
        Package::read(bytes).map_err(|issues| refused(Path::new("the package"), &issues))?;
    let mut issues = Issues::default();
    let mut warnings = Vec::new();

    let inspection = match inspect(&package.component) {
        Ok(inspection) => {
            let granted = Grants::all(&package.manifest);
            if let Err(wrong) = granted.check(&package.manifest, &inspection) {
                issues.extend_at("plugin.toml", wrong);
            }
            inspection
        }
        Err(wrong) => {
            issues.extend_at("plugin.wasm", wrong);
            Inspection::default()
        }
    };
    let catalogue = catalogue_with(&package, &mut issues, &mut warnings)?;
    if let Some(catalogue) = catalogue {
        check_names(&package.manifest, &catalogue, &mut warnings);
    }
    check_grants_are_used(&package.manifest, &inspection, &mut warnings);
    check_translations(&package, &mut warnings);
    Ok(Report {
        issues,
        warnings,
        package_bytes: bytes.len(),
        component_bytes: package.component.len(),
        package,
        inspection,
    })
}

/// The standard objects with the plugin's blueprint applied; `None` when that does not resolve.
fn catalogue_with(
    package: &Package,
    issues: &mut Issues,
    warnings: &mut Vec<String>,
) -> Result<Option<Catalogue>> {
    // Mistakes of form and of meaning are told together, as an installation tells them.
    let resolve = |current: &Catalogue, owner: &str, text: &str| {
        let (taken, limits) = (TakenNames::default(), BlueprintLimits::default());
        resolve_text(current, owner, text, &taken, &limits).map(|(_, target)| target)
    };
    let standard = resolve(&Catalogue::default(), OWNER_PLATFORM, STANDARD)
        .context("the standard objects don't resolve")?;
    let Some(text) = &package.blueprint else {
        return Ok(Some(standard));
    };
    match resolve(&standard, &package.manifest.id, text) {
        Ok(catalogue) => Ok(Some(catalogue)),
        // It may build on what the required plugins bring.
        Err(wrong) if !package.manifest.requires.is_empty() => {
            warnings.extend(
                wrong
                    .0
                    .iter()
                    .map(|issue| format!("blueprint.yaml, without the required plugins: {issue}")),
            );
            Ok(None)
        }
        Err(wrong) => {
            issues.extend_at("blueprint.yaml", wrong);
            Ok(None)
        }
    }
}

/// Names of objects and fields in the manifest that nobody here knows.
fn check_names(manifest: &Manifest, catalogue: &Catalogue, warnings: &mut Vec<String>) {
    let mut unknown = BTreeSet::new();
    let mut look_up =
        |place: String, object: &str, fields: &mut dyn Iterator<Item = &String>| match catalogue
            .object_named(object)
        {
            None => {
                unknown.insert(format!("{place}: no object `{object}`"));
            }
            Some((_, known)) => {
                for field in fields.filter(|field| !has_field(known, field)) {
                    unknown.insert(format!("{place}: `{object}` has no field `{field}`"));
                }
            }
        };
    for hook in &manifest.hooks {
        let fields = &mut hook.fields.iter().chain(&hook.inputs).chain(&hook.writes);
        look_up(format!("hook `{}`", hook.name), &hook.object, fields);
    }
    for (object, access) in &manifest.capabilities.records {
        let fields = &mut access.read.iter().chain(&access.write);
        look_up(format!("capabilities.records.{object}"), object, fields);
    }
    warnings.extend(unknown.into_iter().map(|place| {
        format!("plugin.toml, {place} among the standard objects and the plugin's own")
    }));
}

fn has_field(object: &Object, name: &str) -> bool {
    const SYSTEM: [&str; 8] = [
        "id",
        "version",
        "createdAt",
        "updatedAt",
        "deletedAt",
        "createdBy",
        "updatedBy",
        "owner",
    ];
    SYSTEM.contains(&name) || object.field_named(name).is_some()
}

/// An administrator should not be asked for what the component can't use.
fn check_grants_are_used(manifest: &Manifest, inspection: &Inspection, warnings: &mut Vec<String>) {
    let effects_may_write = inspection.exports.contains(&Export::RecordHooks);
    let only_reads = |object: &relata_host::RecordsCapability| {
        object.write.is_empty() && !object.create && !object.delete
    };
    if inspection.imports.contains(&Import::Records) {
        return;
    }
    for (object, access) in &manifest.capabilities.records {
        if !effects_may_write || only_reads(access) {
            warnings.push(format!(
                "plugin.toml, capabilities.records.{object}: the component does not import `records`, so it can't use this"
            ));
        }
    }
}

/// Every language has the texts that English has.
fn check_translations(package: &Package, warnings: &mut Vec<String>) {
    let Some(english) = package.translations.get("en") else {
        if !package.translations.is_empty() {
            warnings.push("there is no i18n/en.toml: English is what others fall back to".into());
        }
        return;
    };
    let expected: HashSet<&String> = english.keys().collect();
    for (language, texts) in &package.translations {
        let given: HashSet<&String> = texts.keys().collect();
        let listed = |codes: Vec<&&String>| {
            let mut codes: Vec<&str> = codes.into_iter().map(|code| code.as_str()).collect();
            codes.sort_unstable();
            codes.join(", ")
        };
        let missing: Vec<_> = expected.difference(&given).collect();
        if !missing.is_empty() {
            warnings.push(format!("i18n/{language}.toml lacks {}", listed(missing)));
        }
        let surplus: Vec<_> = given.difference(&expected).collect();
        if !surplus.is_empty() {
            warnings.push(format!(
                "i18n/{language}.toml has {}, which i18n/en.toml hasn't",
                listed(surplus)
            ));
        }
    }
}

/// Compiles the component as an install would: in a child process, under its limits.
async fn compile(package: &Package) -> Result<Issues> {
    let cache = tempfile::tempdir().context("no temporary folder can be made")?;
    let compile_command =
        CompileCommand::this_program().context("the system does not say which program this is")?;
    let host = Host::new(HostOptions {
        cache_dir: cache.path().to_owned(),
        limits: Limits::default(),
        compile_command,
    })?;
    match host.load(package, &Grants::all(&package.manifest)).await {
        Ok(_) => Ok(Issues::default()),
        Err(error) => match error.issues() {
            Some(issues) => Ok(issues),
            None => Err(error.into()),
        },
    }
}

fn summary(report: &Report) -> String {
    let manifest = &report.package.manifest;
    let mut lines = vec![
        format!("{} {}: {}", manifest.id, manifest.version, manifest.name),
        format!("sha256 {}", report.package.sha256),
        format!(
            "component of {} bytes, contract {}; imports {}; exports {}",
            report.component_bytes,
            manifest.contract,
            listed(
                report
                    .inspection
                    .imports
                    .iter()
                    .filter_map(|import| match import {
                        Import::Types => None,
                        Import::Records => Some("records"),
                        Import::Settings => Some("settings"),
                        Import::Log => Some("log"),
                    })
            ),
            listed(report.inspection.exports.iter().map(|export| export.name())),
        ),
    ];
    for (object, access) in &manifest.capabilities.records {
        let mut may = Vec::new();
        if !access.read.is_empty() {
            may.push(format!("read {}", access.read.join(", ")));
        }
        if !access.write.is_empty() {
            may.push(format!("write {}", access.write.join(", ")));
        }
        if access.create {
            may.push("create".to_owned());
        }
        if access.delete {
            may.push("delete".to_owned());
        }
        lines.push(format!(
            "asks to access {object}: {} ({})",
            may.join("; "),
            access.reason
        ));
    }
    for hook in &manifest.hooks {
        lines.push(format!("hook {} on {}", hook.name, hook.object));
    }
    for operation in &manifest.operations {
        lines.push(format!(
            "operation {}_{}",
            manifest.local_name(),
            operation.name
        ));
    }
    lines.join("\n")
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.join(", ")
    }
}
