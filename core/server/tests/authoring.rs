//! The way of a plugin's author, with the program that an author has.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

/// Runs `relata` in a folder; what it printed.
///
/// Cargo works offline: what the template needs is in this repository's lock file, so it has been
/// fetched. Its output is kept between runs.
fn relata(folder: &Path, arguments: &[&str]) -> String {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins");
    let output = Command::new(env!("CARGO_BIN_EXE_relata"))
        .current_dir(folder)
        .args(arguments)
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_NET_OFFLINE", "true")
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "relata {arguments:?}: {stdout}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    stdout
}

#[test]
fn a_new_plugin_builds_is_sound_and_passes_its_tests() {
    let folder = tempfile::tempdir().unwrap();
    relata(folder.path(), &["plugin", "new", "deal-limit"]);
    relata(folder.path(), &["plugin", "build", "deal-limit"]);

    let file = folder.path().join("deal-limit/deal-limit.relata");
    let size = std::fs::metadata(&file).unwrap().len();
    assert!(size < 80_000, "a small plugin has {size} bytes");

    let checked = relata(
        folder.path(),
        &["plugin", "check", "deal-limit/deal-limit.relata"],
    );
    assert!(
        // It reads no records, so it imports none.
        checked.contains("imports settings, log; exports record-hooks"),
        "{checked}"
    );

    let tested = relata(folder.path(), &["plugin", "test", "deal-limit"]);
    assert!(
        tested.contains("ok    A deal over the limit needs an approval"),
        "{tested}"
    );
}

#[test]
fn a_folder_or_file_that_is_none_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.relata"), b"not a zip").unwrap();
    for (arguments, expected) in [
        (["plugin", "new", "Bad Name"], "is no name for a plugin"),
        (["plugin", "build", "."], "there is no plugin.toml in it"),
        (["plugin", "test", "."], "there is no"),
        (["plugin", "check", "bad.relata"], "not a zip archive"),
        (["plugin", "check", "none.relata"], "can't read none.relata"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_relata"))
            .current_dir(folder.path())
            .args(arguments)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
}
