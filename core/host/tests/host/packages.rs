//! Packages: what is packed is read again, and what a stranger packs is refused by name.

use std::io::{Cursor, Write};

use indexmap::IndexMap;
use proptest::prelude::*;
use relata_host::{Limits, Package, PackageParts};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::guest::{Guest, HEADER};

fn parts() -> PackageParts {
    PackageParts {
        manifest: format!("{HEADER}blueprint = \"blueprint.yaml\"\n"),
        component: Guest::good().component(),
        blueprint: Some("relata: 1\n".to_owned()),
        translations: IndexMap::from([
            (
                "en".to_owned(),
                "TOO_LOW = \"{amount} of {limit} {unknown} is too low\"\n".to_owned(),
            ),
            (
                "zh-CN".to_owned(),
                "TOO_LOW = \"{amount} 太低\"\n".to_owned(),
            ),
        ]),
    }
}

#[test]
fn what_is_packed_is_read_again() {
    let bytes = Package::pack(&parts()).unwrap();
    assert_eq!(bytes, Package::pack(&parts()).unwrap(), "the same bytes");
    let package = Package::read(&bytes).unwrap();
    assert_eq!(package.manifest.id, "test.guest");
    assert_eq!(package.component, parts().component);
    assert_eq!(package.blueprint.as_deref(), Some("relata: 1\n"));
    assert_eq!(package.sha256.len(), 64);
    assert_eq!(package.bytes, bytes);
}

#[test]
fn issues_speak_the_readers_language() {
    let package = Package::read(&Package::pack(&parts()).unwrap()).unwrap();
    let params = [
        ("amount".to_owned(), "{limit}".to_owned()),
        ("limit".to_owned(), "10".to_owned()),
    ];
    let text = |locale: &str| package.translate(locale, "TOO_LOW", &params);
    assert_eq!(text("zh-CN"), "{limit} 太低");
    assert_eq!(text("de-AT"), "{limit} of 10 {unknown} is too low");
    assert_eq!(text("en-GB"), "{limit} of 10 {unknown} is too low");
    assert_eq!(package.translate("en", "OTHER", &params), "OTHER");
}

/// A zip as a stranger would make it.
fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, contents) in entries {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        if name.ends_with('@') {
            archive
                .add_symlink(name.trim_end_matches('@'), "/etc/passwd", options)
                .unwrap();
        } else {
            archive.start_file(*name, options).unwrap();
            archive.write_all(contents).unwrap();
        }
    }
    archive.finish().unwrap().into_inner()
}

fn codes_of(bytes: &[u8], limits: &Limits) -> Vec<String> {
    let issues = Package::read_within(bytes, limits).unwrap_err();
    issues
        .0
        .iter()
        .map(|issue| {
            format!("{} {}", issue.code, issue.path_text())
                .trim_end()
                .to_owned()
        })
        .collect()
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let bytes = zip_of(&[
        ("plugin.toml", b"id = \"x\""),
        ("i18n/en.toml", b"A = 5"),
        ("i18n/de.toml", b"A = "),
    ]);
    let issues = Package::read(&bytes).unwrap_err();
    let text = issues.to_string();
    for part in [
        "plugin.toml.id",
        "plugin.toml.version",
        "plugin.wasm",
        "i18n/en.toml.A",
        "i18n/de.toml",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let limits = Limits::default();
    for name in [
        "../plugin.toml",
        "/etc/passwd",
        "static/../../x",
        "a\\b",
        "static//x",
        "C:x",
    ] {
        let codes = codes_of(&zip_of(&[(name, b"x")]), &limits);
        assert_eq!(codes, [format!("BAD_NAME {name}")], "{name}");
    }
    assert_eq!(
        codes_of(&zip_of(&[("static/link@", b"")]), &limits),
        ["SYMLINK static/link"]
    );
    assert_eq!(
        codes_of(&zip_of(&[("setup.sh", b"x")]), &limits),
        ["UNKNOWN_FILE setup.sh"]
    );
}

#[test]
fn sizes_are_checked_before_unpacking() {
    let zeros = vec![0u8; 8 << 20];
    let bomb = zip_of(&[("static/zeros", &zeros)]);
    assert!(bomb.len() < 64 << 10);
    assert_eq!(codes_of(&bomb, &Limits::default()), ["BOMB static/zeros"]);

    let limits = Limits {
        package_bytes_max: 1 << 20,
        package_ratio_max: u64::MAX,
        ..Limits::default()
    };
    assert_eq!(codes_of(&bomb, &limits), ["TOO_LARGE"]);
    assert_eq!(codes_of(&zeros, &limits), ["TOO_LARGE"]);

    let names: Vec<String> = (0..600).map(|index| format!("static/{index}")).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    assert_eq!(codes_of(&zip_of(&many), &Limits::default()), ["TOO_MANY"]);
}

#[test]
fn archives_in_archives_are_refused() {
    let inner = zip_of(&[("x", b"x")]);
    assert_eq!(
        codes_of(&zip_of(&[("static/inner", &inner)]), &Limits::default()),
        ["NESTED static/inner"]
    );
}

/// The directory says one size, the data another.
#[test]
fn a_lying_directory_is_refused() {
    let contents = vec![7u8; 5_000];
    let mut bytes = zip_of(&[("static/a", &contents)]);
    let central = bytes
        .windows(4)
        .rposition(|window| window == b"PK\x01\x02")
        .unwrap();
    bytes[central + 24..central + 28].copy_from_slice(&100u32.to_le_bytes());
    assert!(Package::read(&bytes).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Damaged packages are errors, never panics.
    #[test]
    fn damage_is_an_error(position in 0usize..2_000, flip in 1u8.., cut in any::<bool>()) {
        let mut bytes = Package::pack(&parts()).unwrap();
        let position = position % bytes.len();
        if cut {
            bytes.truncate(position);
        } else {
            bytes[position] ^= flip;
        }
        let _either = Package::read(&bytes);
    }
}
