//! `relata plugin build`: a folder becomes one file.
//!
//! The author's own cargo compiles the crate to a core module; what the SDK has noted in it about
//! the contract makes a component of that; manifest, blueprint and texts go with it. Nothing that
//! can be seen without compiling waits for the compiler.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow, bail};
use relata_host::{Manifest, Package, PackageParts};
use serde_json::Value as Json;
use wit_component::ComponentEncoder;

use super::check::{self, Report};

/// Memory of the component when it starts: 256 KiB of stack, the static data, and the rest of a
/// mebibyte for what it allocates, so that few calls have to grow it (only touched pages cost the
/// host anything). Who needs more for static data sets RUSTFLAGS, which replaces this.
const MEMORY_CONFIG: &str = "target.wasm32-unknown-unknown.rustflags=['-Clink-arg=-zstack-size=262144', '-Clink-arg=--initial-memory=1048576']";
const TARGET: &str = "wasm32-unknown-unknown";
/// A workspace's own profile for guests, if it has one.
const PROFILE_GUEST: &str = "guest";
const PROFILE_RELEASE: &str = "release";

/// Builds the plugin in `folder` into one file: `output`, or `NAME.relata` in the folder, where
/// NAME is the folder's. Prints which.
///
/// # Errors
/// Everything that is wrong with the folder, or what the compiler says.
pub(crate) fn build(folder: &Path, output: Option<&Path>) -> Result<PathBuf> {
    let (file, report) = build_quietly(folder, output)?;
    report.print_warnings();
    println!(
        "{} ({}, {} of component)",
        file.display(),
        kilobytes(report.package_bytes),
        kilobytes(report.component_bytes),
    );
    Ok(file)
}

/// That there is a plugin in the folder at all.
pub(super) fn expect_plugin(folder: &Path) -> Result<()> {
    if folder.join("plugin.toml").is_file() {
        Ok(())
    } else {
        bail!(
            "{} is no plugin: there is no plugin.toml in it (`relata plugin new NAME` makes one)",
            folder.display()
        )
    }
}

/// Builds, and says nothing on stdout.
pub(super) fn build_quietly(folder: &Path, output: Option<&Path>) -> Result<(PathBuf, Report)> {
    expect_plugin(folder)?;
    let mut parts = read_parts(folder)?;
    Manifest::parse(&parts.manifest)
        .map_err(|issues| check::refused(&folder.join("plugin.toml"), &issues))?;

    let module = compile(folder)?;
    parts.component = component_of(&module)?;
    let bytes = Package::pack(&parts).map_err(|issues| check::refused(folder, &issues))?;
    let report = check::report(&bytes)?;
    if !report.issues.is_empty() {
        return Err(check::refused(folder, &report.issues));
    }

    let file = match output {
        Some(file) => file.to_owned(),
        None => folder.join(format!("{}.relata", name_of(folder)?)),
    };
    std::fs::write(&file, &bytes).with_context(|| format!("can't write {}", file.display()))?;
    Ok((file, report))
}

fn name_of(folder: &Path) -> Result<String> {
    let folder = folder
        .canonicalize()
        .with_context(|| format!("can't read {}", folder.display()))?;
    folder
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .with_context(|| format!("{} has no name", folder.display()))
}

fn kilobytes(bytes: usize) -> String {
    format!("{} KB", bytes.div_ceil(1_000))
}

/// Everything that goes into the package besides the component.
fn read_parts(folder: &Path) -> Result<PackageParts> {
    let manifest = read(&folder.join("plugin.toml"))?;
    let blueprint = folder.join("blueprint.yaml");
    let blueprint = if blueprint.is_file() {
        Some(read(&blueprint)?)
    } else {
        None
    };
    let mut parts = PackageParts {
        manifest,
        blueprint,
        ..PackageParts::default()
    };
    let texts = folder.join("i18n");
    if texts.is_dir() {
        let mut files = std::fs::read_dir(&texts)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
            .with_context(|| format!("can't read {}", texts.display()))
            .map(|files: Vec<PathBuf>| files)?;
        files.sort();
        for file in files {
            let language = file
                .file_name()
                .and_then(|name| name.to_str())
                .and_then(|name| name.strip_suffix(".toml"))
                .map(str::to_owned);
            match language {
                Some(language) => {
                    parts.translations.insert(language, read(&file)?);
                }
                None => bail!(
                    "{} is no translation: they are named i18n/<language>.toml",
                    file.display()
                ),
            }
        }
    }
    Ok(parts)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))
}

/// Compiles the crate to a core module and reads it.
fn compile(folder: &Path) -> Result<Vec<u8>> {
    let manifest = folder
        .join("Cargo.toml")
        .canonicalize()
        .with_context(|| format!("there is no Cargo.toml in {}", folder.display()))?;
    let profile = if has_guest_profile(folder)? {
        PROFILE_GUEST
    } else {
        PROFILE_RELEASE
    };
    let output = cargo(folder)
        .args(["build", "--lib", "--target", TARGET, "--profile", profile])
        .args(["--config", MEMORY_CONFIG])
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .context("cargo can't be run; a plugin is built with the Rust toolchain (rustup.rs)")?;
    if !output.status.success() {
        let hint = if has_target(folder) {
            ""
        } else {
            "; the toolchain lacks WebAssembly: `rustup target add wasm32-unknown-unknown` adds it"
        };
        bail!("cargo can't build {}{hint}", folder.display());
    }
    let module = module_of(&output.stdout, &manifest).ok_or_else(|| {
        anyhow!(
            "{} makes no WebAssembly module: its Cargo.toml needs `[lib] crate-type = [\"cdylib\", \"rlib\"]`",
            folder.display()
        )
    })?;
    std::fs::read(&module).with_context(|| format!("can't read {}", module.display()))
}

/// The author's cargo, in the author's folder: its toolchain file and configuration are in force.
fn cargo(folder: &Path) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(folder);
    command
}

/// Runs the crate's own tests, on this machine.
pub(super) fn run_native_tests(folder: &Path) -> Result<()> {
    let status = cargo(folder)
        .args(["test", "--quiet"])
        .status()
        .context("cargo can't be run; a plugin is tested with the Rust toolchain (rustup.rs)")?;
    if status.success() {
        Ok(())
    } else {
        bail!("the crate's own tests fail")
    }
}

fn has_guest_profile(folder: &Path) -> Result<bool> {
    let output = cargo(folder)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .stderr(Stdio::inherit())
        .output()
        .context("cargo can't be run; a plugin is built with the Rust toolchain (rustup.rs)")?;
    if !output.status.success() {
        bail!("cargo can't read the Cargo.toml in {}", folder.display());
    }
    let metadata: Json =
        serde_json::from_slice(&output.stdout).context("cargo's metadata is no JSON")?;
    let root = metadata["workspace_root"].as_str().unwrap_or_default();
    let manifest: toml::Table = read(&Path::new(root).join("Cargo.toml"))?
        .parse()
        .with_context(|| format!("{root}/Cargo.toml is no TOML"))?;
    Ok(manifest
        .get("profile")
        .is_some_and(|profiles| profiles.get(PROFILE_GUEST).is_some()))
}

fn has_target(folder: &Path) -> bool {
    Command::new("rustc")
        .current_dir(folder)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .is_ok_and(|output| {
            let path = String::from_utf8_lossy(&output.stdout);
            Path::new(path.trim()).is_dir()
        })
}

/// The module among cargo's messages.
fn module_of(messages: &[u8], manifest: &Path) -> Option<PathBuf> {
    String::from_utf8_lossy(messages)
        .lines()
        .filter_map(|line| serde_json::from_str::<Json>(line).ok())
        .filter(|message| {
            message["reason"] == "compiler-artifact"
                && message["manifest_path"]
                    .as_str()
                    .is_some_and(|path| Path::new(path) == manifest)
        })
        .flat_map(|message| {
            let files = message["filenames"].as_array().cloned().unwrap_or_default();
            files
                .into_iter()
                .filter_map(|file| file.as_str().map(PathBuf::from))
        })
        .find(|file| {
            file.extension()
                .is_some_and(|extension| extension == "wasm")
        })
}

/// Makes a component of a core module. What the module does not call is not imported.
fn component_of(module: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(ComponentEncoder::encode)
        .map_err(|error| {
            anyhow!(
                "no component can be made of the module: {error:#}; is everything that it imports \
                 from the SDK, and is `relata_sdk::register!` called once?"
            )
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_module_is_found_among_the_messages_of_cargo() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","manifest_path":"/a/sdk/Cargo.toml","filenames":["/t/sdk.rlib"]}"#,
            "\nnot json\n",
            r#"{"reason":"compiler-artifact","manifest_path":"/a/Cargo.toml","filenames":["/t/a.rlib","/t/a.wasm"]}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(
            module_of(messages.as_bytes(), Path::new("/a/Cargo.toml")),
            Some(PathBuf::from("/t/a.wasm"))
        );
        assert_eq!(
            module_of(messages.as_bytes(), Path::new("/a/sdk/Cargo.toml")),
            None
        );
    }

    #[test]
    fn what_is_no_plugin_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let error = build_quietly(folder.path(), None).unwrap_err().to_string();
        assert!(error.contains("no plugin.toml"), "{error}");

        std::fs::write(
            folder.path().join("plugin.toml"),
            "id = 1\nsurprise = true\n",
        )
        .unwrap();
        let error = build_quietly(folder.path(), None).unwrap_err().to_string();
        assert!(
            error.contains("surprise") && error.contains("version"),
            "{error}"
        );
    }

    #[test]
    fn a_module_that_knows_nothing_of_the_contract_is_refused() {
        let error = component_of(b"not wasm").unwrap_err().to_string();
        assert!(error.contains("no component"), "{error}");
    }
}
