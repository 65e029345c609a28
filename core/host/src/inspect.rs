//! What a component is, what it imports and exports: read from its bytes, without compiling it.
//!
//! What a component imports proves what it can do, so everything that isn't offered is refused
//! here, by name, before a compiler sees a byte of it.

use std::collections::BTreeSet;

use relata_catalog::{Issue, Issues};
use semver::Version;
use serde::Serialize;
use wasmparser::component_types::ComponentEntityType;
use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};

use crate::manifest::CONTRACT_VERSION;

const PACKAGE: &str = "relata:plugin/";

/// An interface that the host offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Import {
    /// Types alone.
    Types,
    /// `records`
    Records,
    /// `settings`
    Settings,
    /// `log`
    Log,
}

impl Import {
    const ALL: [(&'static str, Self, &'static [&'static str]); 4] = [
        ("types", Self::Types, &[]),
        (
            "records",
            Self::Records,
            &["get", "find", "total", "create", "update", "delete"],
        ),
        ("settings", Self::Settings, &["get"]),
        ("log", Self::Log, &["write"]),
    ];
}

/// An interface that a plugin may export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Export {
    /// `record-hooks`
    RecordHooks,
    /// `operations`
    Operations,
}

impl Export {
    const ALL: [(&'static str, Self); 2] = [
        ("record-hooks", Self::RecordHooks),
        ("operations", Self::Operations),
    ];

    /// Name in the contract.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RecordHooks => "record-hooks",
            Self::Operations => "operations",
        }
    }
}

/// What a component asks of the host and offers to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// What it imports.
    pub imports: BTreeSet<Import>,
    /// What it exports.
    pub exports: BTreeSet<Export>,
}

/// Reads what a component is.
///
/// # Errors
/// Everything that keeps it from being a plugin: not a component, invalid, imports that the host
/// does not offer (WASI among them), interfaces of a foreign version.
pub fn inspect(component: &[u8]) -> Result<Inspection, Issues> {
    check_header(component)?;
    let names = top_level_names(component)?;
    let types = Validator::new_with_features(features())
        .validate_all(component)
        .map_err(|error| {
            Issue::new(
                "COMPONENT_INVALID",
                format!(
                    "not a valid component: {} (at byte {})",
                    error.message(),
                    error.offset()
                ),
            )
        })?;

    let mut issues = Issues::default();
    let mut inspection = Inspection::default();
    for name in names.imports {
        match import_named(&name) {
            Ok((import, functions)) => {
                inspection.imports.insert(import);
                let item = types.component_item_for_import(&name).map(|item| item.ty);
                if let Some(ComponentEntityType::Instance(id)) = item {
                    for (function, item) in &types[id].exports {
                        if matches!(item.ty, ComponentEntityType::Func(_))
                            && !functions.contains(&function.as_str())
                        {
                            issues.push(import_issue(
                                &name,
                                format!(
                                    "this host's `{name}` has no function `{function}`: the plugin \
                                     was built for a newer host"
                                ),
                            ));
                        }
                    }
                } else {
                    issues.push(import_issue(
                        &name,
                        format!("`{name}` is not imported as an interface"),
                    ));
                }
            }
            Err(message) => issues.push(import_issue(&name, message)),
        }
    }
    for name in names.exports {
        match export_named(&name) {
            Ok(export) => inspection.exports.extend(export),
            Err(message) => issues.push(
                Issue::new("EXPORT_UNKNOWN", message)
                    .with("export", name.clone())
                    .at(name)
                    .at("exports"),
            ),
        }
    }
    issues.into_result(inspection)
}

fn check_header(bytes: &[u8]) -> Result<(), Issues> {
    let refuse = |code: &str, message: &str| Err(Issue::new(code, message).into());
    if bytes.starts_with(b"\x7fELF") {
        return refuse(
            "COMPONENT_PRECOMPILED",
            "this is machine code (a precompiled `.cwasm`); a plugin is a WebAssembly component, \
             and this server compiles it itself",
        );
    }
    if !bytes.starts_with(b"\0asm") {
        return refuse(
            "COMPONENT_INVALID",
            "this is not WebAssembly: it does not begin with its magic number",
        );
    }
    if Parser::is_core_wasm(bytes) {
        return refuse(
            "COMPONENT_CORE_MODULE",
            "this is a core module, not a component: wrap it with the contract's WIT \
             (wit-component), as `relata plugin build` does",
        );
    }
    if !Parser::is_component(bytes) {
        return refuse(
            "COMPONENT_INVALID",
            "this is WebAssembly of an unknown version, not a component",
        );
    }
    Ok(())
}

struct TopLevelNames {
    imports: Vec<String>,
    exports: Vec<String>,
}

/// Names of the outermost component's imports and exports; what is nested is its own business.
fn top_level_names(bytes: &[u8]) -> Result<TopLevelNames, Issues> {
    let broken = |error: wasmparser::BinaryReaderError| {
        Issues::from(Issue::new(
            "COMPONENT_INVALID",
            format!(
                "not a valid component: {} (at byte {})",
                error.message(),
                error.offset()
            ),
        ))
    };
    let mut names = TopLevelNames {
        imports: Vec::new(),
        exports: Vec::new(),
    };
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(broken)? {
            Payload::Version { encoding, .. } => {
                debug_assert!(depth > 0 || encoding == Encoding::Component);
                depth += 1;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    names
                        .imports
                        .push(import.map_err(broken)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    names
                        .exports
                        .push(export.map_err(broken)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

/// What the engine is configured for: the rest would fail in the compiler with a worse message.
fn features() -> WasmFeatures {
    WasmFeatures::default()
        .difference(WasmFeatures::THREADS)
        .difference(WasmFeatures::SHARED_EVERYTHING_THREADS)
        .difference(WasmFeatures::MEMORY64)
        .difference(WasmFeatures::CM_ASYNC)
        .difference(WasmFeatures::GC)
        .difference(WasmFeatures::EXCEPTIONS)
        .difference(WasmFeatures::STACK_SWITCHING)
}

fn import_issue(name: &str, message: String) -> Issue {
    let code = if name.starts_with("wasi:") {
        "IMPORT_WASI"
    } else {
        "IMPORT_UNKNOWN"
    };
    Issue::new(code, message)
        .with("import", name)
        .at(name)
        .at("imports")
}

fn import_named(name: &str) -> Result<(Import, &'static [&'static str]), String> {
    if name.starts_with("wasi:") {
        return Err(format!(
            "WASI is not offered to plugins, and the component imports `{name}`: build it for \
             wasm32-unknown-unknown, with the SDK"
        ));
    }
    let offered = || {
        let names: Vec<&str> = Import::ALL.iter().map(|(name, ..)| *name).collect();
        names.join(", ")
    };
    let Some((interface, version)) = interface_of(name) else {
        return Err(format!(
            "this host does not offer `{name}`; it offers, of {PACKAGE}…@{CONTRACT_VERSION}: {}",
            offered()
        ));
    };
    let Some((_, import, functions)) = Import::ALL.iter().find(|(known, ..)| *known == interface)
    else {
        return Err(format!(
            "this host does not offer `{name}`; it offers {}",
            offered()
        ));
    };
    check_version(name, &version)?;
    Ok((*import, functions))
}

/// `None` for what is nobody's business (types and functions outside the contract).
fn export_named(name: &str) -> Result<Option<Export>, String> {
    let Some((interface, version)) = interface_of(name) else {
        return Ok(None);
    };
    let Some((_, export)) = Export::ALL.iter().find(|(known, _)| *known == interface) else {
        return Err(format!(
            "this host does not know `{name}`: the plugin was built for a newer host"
        ));
    };
    check_version(name, &version)?;
    Ok(Some(*export))
}

fn interface_of(name: &str) -> Option<(&str, String)> {
    let rest = name.strip_prefix(PACKAGE)?;
    let (interface, version) = rest.split_once('@').unwrap_or((rest, ""));
    Some((interface, version.to_owned()))
}

/// Compatible as semver has it: before 1.0 the minor counts as the major.
fn check_version(name: &str, version: &str) -> Result<(), String> {
    let host = Version::parse(CONTRACT_VERSION).expect("the host's own version is semver");
    let compatible = Version::parse(version).is_ok_and(|version| {
        version.major == host.major && (host.major > 0 || version.minor == host.minor)
    });
    if compatible {
        Ok(())
    } else {
        Err(format!(
            "`{name}` has another version than this host's, {host}"
        ))
    }
}
