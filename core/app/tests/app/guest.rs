//! The membership plugin as a package, built from this repository.

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
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let plugin = root.join("plugins/membership");
    let module = std::fs::read(module(&root)).unwrap();
    let component = wit_component::ComponentEncoder::default()
        .module(&module)
        .unwrap()
        .validate(true)
        .encode()
        .unwrap();
    let read = |name: &str| std::fs::read_to_string(plugin.join(name)).unwrap();
    let mut translations = IndexMap::new();
    for language in ["en", "zh-CN"] {
        translations.insert(language.to_owned(), read(&format!("i18n/{language}.toml")));
    }
    Package::pack(&PackageParts {
        manifest: edit(read("plugin.toml")),
        component,
        blueprint: Some(edit_blueprint(read("blueprint.yaml"))),
        translations,
    })
    .unwrap()
}

/// The module, compiled anew when it is older than its sources: each test is a process of its
/// own, and most of them need not ask cargo.
fn module(root: &Path) -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let module = target.join("wasm32-unknown-unknown/guest/relata_membership.wasm");
    let sources = ["plugins/membership/src", "sdk/src", "sdk/macros/src", "wit"];
    let newest = sources
        .iter()
        .map(|folder| newest(&root.join(folder)))
        .max();
    let built = std::fs::metadata(&module)
        .and_then(|file| file.modified())
        .ok();
    if built <= newest {
        let done = Command::new(env!("CARGO"))
            .args(["build", "--package", "relata-membership"])
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
