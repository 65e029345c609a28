//! Plugins of this repository as packages: membership, and the one that breaks when told to.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use indexmap::IndexMap;
use relata_host::{Package, PackageParts};

/// The package, with its manifest changed by `edit`.
pub(crate) fn membership(edit: impl Fn(String) -> String) -> Vec<u8> {
    membership_with(edit, |blueprint| blueprint)
}

/// The package, with its manifest and its blueprint changed.
pub(crate) fn membership_with(
    edit: impl Fn(String) -> String,
    edit_blueprint: impl Fn(String) -> String,
) -> Vec<u8> {
    let root = root();
    let plugin = root.join("plugins/membership");
    let read = |name: &str| std::fs::read_to_string(plugin.join(name)).unwrap();
    let mut translations = IndexMap::new();
    for language in ["en", "zh-CN"] {
        translations.insert(language.to_owned(), read(&format!("i18n/{language}.toml")));
    }
    Package::pack(&PackageParts {
        manifest: edit(read("plugin.toml")),
        component: component(&root, "plugins/membership", "relata-membership"),
        blueprint: Some(edit_blueprint(read("blueprint.yaml"))),
        translations,
    })
    .unwrap()
}

/// The package that breaks when a note's title, or an argument, tells it to.
pub(crate) fn faulty() -> Vec<u8> {
    faulty_with(|manifest| manifest)
}

/// The package, with its manifest changed by `edit`.
pub(crate) fn faulty_with(edit: impl Fn(String) -> String) -> Vec<u8> {
    let root = root();
    let manifest = root.join("tests/guests/faulty/plugin.toml");
    Package::pack(&PackageParts {
        manifest: edit(std::fs::read_to_string(manifest).unwrap()),
        component: component(&root, "tests/guests/faulty", "guest-faulty"),
        blueprint: None,
        translations: IndexMap::new(),
    })
    .unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn component(root: &Path, folder: &str, package: &str) -> Vec<u8> {
    let module = std::fs::read(module(root, folder, package)).unwrap();
    wit_component::ComponentEncoder::default()
        .module(&module)
        .unwrap()
        .validate(true)
        .encode()
        .unwrap()
}

/// The module, compiled anew when it is older than its sources: each test is a process of its
/// own, and most of them need not ask cargo.
fn module(root: &Path, folder: &str, package: &str) -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let file = format!("{}.wasm", package.replace('-', "_"));
    let module = target.join("wasm32-unknown-unknown/guest").join(file);
    let own = format!("{folder}/src");
    let sources = [own.as_str(), "sdk/src", "sdk/macros/src", "wit"];
    let newest = sources
        .iter()
        .map(|folder| newest(&root.join(folder)))
        .max();
    let built = std::fs::metadata(&module)
        .and_then(|file| file.modified())
        .ok();
    if built <= newest {
        let done = Command::new(env!("CARGO"))
            .args(["build", "--package", package])
            .args(["--target", "wasm32-unknown-unknown", "--profile", "guest"])
            .current_dir(root)
            .status()
            .unwrap();
        assert!(done.success(), "the guest does not build");
    }
    module
}

fn newest(folder: &Path) -> SystemTime {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() {
                newest(&path)
            } else {
                std::fs::metadata(path).unwrap().modified().unwrap()
            }
        })
        .max()
        .unwrap_or(SystemTime::UNIX_EPOCH)
}
