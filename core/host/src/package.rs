//! `NAME.relata`: a zip with the manifest, the component and what belongs to them.
//!
//! Every byte is a stranger's. Sizes, names and ratios are checked against the directory of the
//! archive before anything is unpacked, and again while it is: the directory may lie.

use std::io::{Cursor, Read, Write};

use indexmap::IndexMap;
use relata_catalog::{Issue, Issues};
use sha2::{Digest, Sha256};
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter, write::SimpleFileOptions};

use crate::{Limits, Manifest};

const MANIFEST: &str = "plugin.toml";
const COMPONENT: &str = "plugin.wasm";
const BLUEPRINT: &str = "blueprint.yaml";
const TRANSLATIONS: &str = "i18n/";
/// What else may lie in a package; read by nobody here.
const ALLOWED: [&str; 5] = [
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "signature",
    "static/",
];

/// Texts by code, by language tag.
pub type Translations = IndexMap<String, IndexMap<String, String>>;

/// A plugin as it is handed over.
#[derive(Debug, Clone)]
pub struct Package {
    /// What it says about itself.
    pub manifest: Manifest,
    /// The component's bytes, unchecked: see [`inspect`](crate::inspect).
    pub component: Vec<u8>,
    /// The blueprint's YAML, unchecked.
    pub blueprint: Option<String>,
    /// Texts of its issues, by language and code.
    pub translations: Translations,
    /// Of the whole package, in hexadecimal: its identity.
    pub sha256: String,
    /// The package itself, as it is kept in the database.
    pub bytes: Vec<u8>,
}

/// What a package is made from.
#[derive(Debug, Clone, Default)]
pub struct PackageParts {
    /// Text of `plugin.toml`.
    pub manifest: String,
    /// Bytes of the component.
    pub component: Vec<u8>,
    /// Text of `blueprint.yaml`.
    pub blueprint: Option<String>,
    /// Text of `i18n/<language>.toml`, by language.
    pub translations: IndexMap<String, String>,
}

impl Package {
    /// Reads a package within the default limits.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its path: file of the package, then key.
    pub fn read(bytes: &[u8]) -> Result<Self, Issues> {
        Self::read_within(bytes, &Limits::default())
    }

    /// Reads a package.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its path: file of the package, then key.
    pub fn read_within(bytes: &[u8], limits: &Limits) -> Result<Self, Issues> {
        let mut files = unpack(bytes, limits)?;

        let mut issues = Issues::default();
        let manifest = manifest_of(&mut files, &mut issues);
        let component = files.shift_remove(COMPONENT).unwrap_or_else(|| {
            issues.push(missing(COMPONENT, "the WebAssembly component"));
            Vec::new()
        });
        let blueprint = files
            .shift_remove(BLUEPRINT)
            .and_then(|bytes| text_of(BLUEPRINT, bytes, &mut issues));
        if let Some(manifest) = &manifest
            && manifest.blueprint.is_some()
            && blueprint.is_none()
        {
            issues.push(missing(BLUEPRINT, "the manifest names it"));
        }
        let translations = translations_of(&mut files, &mut issues);

        if !issues.is_empty() {
            return Err(issues);
        }
        Ok(Self {
            manifest: manifest.expect("an absent or bad manifest is an issue"),
            component,
            blueprint,
            translations,
            sha256: hex(&Sha256::digest(bytes)),
            bytes: bytes.to_vec(),
        })
    }

    /// Makes a package. The same parts give the same bytes.
    ///
    /// # Errors
    /// What [`Package::read`] would find wrong with the result.
    pub fn pack(parts: &PackageParts) -> Result<Vec<u8>, Issues> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        let mut add = |name: &str, bytes: &[u8]| {
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Deflated)
                .last_modified_time(DateTime::default())
                .unix_permissions(0o644);
            archive
                .start_file(name, options)
                .map_err(|error| error.to_string())?;
            archive.write_all(bytes).map_err(|error| error.to_string())
        };
        let written = add(MANIFEST, parts.manifest.as_bytes())
            .and_then(|()| add(COMPONENT, &parts.component))
            .and_then(|()| match &parts.blueprint {
                Some(blueprint) => add(BLUEPRINT, blueprint.as_bytes()),
                None => Ok(()),
            })
            .and_then(|()| {
                parts.translations.iter().try_for_each(|(language, text)| {
                    add(&format!("{TRANSLATIONS}{language}.toml"), text.as_bytes())
                })
            })
            .and_then(|()| archive.finish().map_err(|error| error.to_string()));
        let bytes = written
            .map_err(|message| Issues::from(Issue::new("NOT_PACKED", message)))?
            .into_inner();
        Self::read(&bytes)?;
        Ok(bytes)
    }

    /// The text of `code` in the reader's language, with its parameters filled in: the exact
    /// language, then the language without its region, then English, then any, then the code.
    #[must_use]
    pub fn translate(&self, locale: &str, code: &str, params: &[(String, String)]) -> String {
        translate(&self.translations, locale, code, params)
    }
}

pub(crate) fn translate(
    translations: &Translations,
    locale: &str,
    code: &str,
    params: &[(String, String)],
) -> String {
    let language = locale.split(['-', '_']).next().unwrap_or(locale);
    let template = [locale, language, "en"]
        .into_iter()
        .filter_map(|tag| translations.get(tag))
        .chain(translations.values())
        .find_map(|texts| texts.get(code));
    let Some(template) = template else {
        return code.to_owned();
    };
    // One pass: a parameter's value that looks like a placeholder stays as it is.
    let mut text = String::with_capacity(template.len());
    let mut rest = template.as_str();
    while let Some(open) = rest.find('{') {
        text.push_str(&rest[..open]);
        let after = &rest[open + 1..];
        let filled = after.find('}').and_then(|close| {
            let (_, value) = params.iter().find(|(name, _)| *name == after[..close])?;
            Some((value, close))
        });
        match filled {
            Some((value, close)) => {
                text.push_str(value);
                rest = &after[close + 1..];
            }
            None => {
                text.push('{');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

/// Every file by name. Nothing is unpacked before the whole directory has been checked.
fn unpack(bytes: &[u8], limits: &Limits) -> Result<IndexMap<String, Vec<u8>>, Issues> {
    let max = limits.package_bytes_max;
    if bytes.len() as u64 > max {
        return Err(Issue::new(
            "TOO_LARGE",
            format!(
                "the package has {} bytes; at most {max} are allowed",
                bytes.len()
            ),
        )
        .with("max", max)
        .into());
    }
    let not_zip = |error: zip::result::ZipError| {
        Issues::from(Issue::new(
            "NOT_A_PACKAGE",
            format!("not a zip archive: {error}"),
        ))
    };
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(not_zip)?;

    let mut issues = Issues::default();
    if archive.len() > limits.package_entries_max {
        return Err(Issue::new(
            "TOO_MANY",
            format!(
                "there are {} files; at most {} are allowed",
                archive.len(),
                limits.package_entries_max
            ),
        )
        .into());
    }
    if archive.has_duplicate_names() {
        issues.push(Issue::new(
            "REPEATED",
            "two files of the package have the same name",
        ));
    }
    if archive.has_overlapping_entries().map_err(not_zip)? {
        issues.push(Issue::new(
            "OVERLAPPING",
            "files of the package overlap each other",
        ));
    }
    let mut wanted = Vec::with_capacity(archive.len());
    let mut total: u64 = 0;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(not_zip)?;
        let name = match entry.name() {
            Ok(name) => name.into_owned(),
            Err(_) => {
                issues.push(Issue::new("BAD_NAME", "a file's name is not UTF-8").at(index));
                continue;
            }
        };
        if let Some((code, message)) = refusal(&entry, &name, limits) {
            issues.push(Issue::new(code, message).at(name));
            continue;
        }
        total = total.saturating_add(entry.size());
        if !entry.is_dir() {
            wanted.push((index, name, entry.size()));
        }
    }
    if total > max {
        issues.push(
            Issue::new(
                "TOO_LARGE",
                format!("the files have {total} bytes together; at most {max} are allowed"),
            )
            .with("max", max),
        );
    }
    if !issues.is_empty() {
        return Err(issues);
    }

    let mut files = IndexMap::with_capacity(wanted.len());
    for (index, name, size) in wanted {
        match read_entry(&mut archive, index, size) {
            Ok(contents) if is_archive(&contents) => {
                issues.push(
                    Issue::new(
                        "NESTED",
                        "is an archive itself; a package holds plain files",
                    )
                    .at(name),
                );
            }
            Ok(contents) => {
                files.insert(name, contents);
            }
            Err(message) => issues.push(Issue::new("UNREADABLE", message).at(name)),
        }
    }
    issues.into_result(files)
}

/// Why an entry of the directory is not unpacked.
fn refusal<R: Read>(
    entry: &zip::read::ZipFile<'_, R>,
    name: &str,
    limits: &Limits,
) -> Option<(&'static str, String)> {
    let hostile_name = name.is_empty()
        || name.len() > 200
        || name.starts_with('/')
        || name.contains(['\\', ':', '\0'])
        || name.chars().any(char::is_control)
        || name
            .trim_end_matches('/')
            .split('/')
            .any(|part| part.is_empty() || part == "." || part == "..");
    if hostile_name {
        return Some((
            "BAD_NAME",
            "names of files are relative, with `/` between, without `.` and `..`".to_owned(),
        ));
    }
    if entry.encrypted() {
        return Some(("ENCRYPTED", "is encrypted; a package is not".to_owned()));
    }
    if entry.is_symlink() {
        return Some((
            "SYMLINK",
            "is a symbolic link; a package holds plain files".to_owned(),
        ));
    }
    if !matches!(
        entry.compression(),
        CompressionMethod::Stored | CompressionMethod::Deflated
    ) {
        return Some((
            "COMPRESSION",
            format!("is compressed by {}; use deflate", entry.compression()),
        ));
    }
    // Small files compress to almost nothing; a ratio says something from some size on.
    let expansion = entry.size() / entry.compressed_size().max(1);
    if entry.size() > 64 << 10 && expansion > limits.package_ratio_max {
        return Some((
            "BOMB",
            format!(
                "unpacks to {expansion} times its size; at most {} are allowed",
                limits.package_ratio_max
            ),
        ));
    }
    let known = [MANIFEST, COMPONENT, BLUEPRINT].contains(&name)
        || ALLOWED.iter().any(|allowed| {
            name == *allowed || (allowed.ends_with('/') && name.starts_with(allowed))
        })
        || name == TRANSLATIONS
        || translation_language(name).is_some();
    if !known {
        return Some((
            "UNKNOWN_FILE",
            "does not belong into a package; there may be plugin.toml, plugin.wasm, \
             blueprint.yaml, i18n/<language>.toml, static/, README.md, LICENSE, CHANGELOG.md, \
             signature"
                .to_owned(),
        ));
    }
    None
}

fn translation_language(name: &str) -> Option<&str> {
    let language = name.strip_prefix(TRANSLATIONS)?.strip_suffix(".toml")?;
    let well_formed = (2..=35).contains(&language.len())
        && language
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-');
    well_formed.then_some(language)
}

fn read_entry(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    index: usize,
    size: u64,
) -> Result<Vec<u8>, String> {
    let entry = archive.by_index(index).map_err(|error| error.to_string())?;
    let mut contents = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    entry
        .take(size + 1)
        .read_to_end(&mut contents)
        .map_err(|error| error.to_string())?;
    if contents.len() as u64 != size {
        return Err(format!(
            "has another size than the directory says ({size} bytes)"
        ));
    }
    Ok(contents)
}

fn is_archive(contents: &[u8]) -> bool {
    contents.starts_with(b"PK\x03\x04") || contents.starts_with(b"\x1f\x8b")
}

fn missing(name: &str, why: &str) -> Issue {
    Issue::new("MISSING_FILE", format!("is not in the package: {why}")).at(name)
}

fn text_of(name: &str, bytes: Vec<u8>, issues: &mut Issues) -> Option<String> {
    match String::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(_) => {
            issues.push(Issue::new("NOT_UTF8", "is not UTF-8 text").at(name));
            None
        }
    }
}

fn manifest_of(files: &mut IndexMap<String, Vec<u8>>, issues: &mut Issues) -> Option<Manifest> {
    let Some(bytes) = files.shift_remove(MANIFEST) else {
        issues.push(missing(MANIFEST, "the manifest"));
        return None;
    };
    match Manifest::parse(&text_of(MANIFEST, bytes, issues)?) {
        Ok(manifest) => Some(manifest),
        Err(wrong) => {
            issues.extend_at(MANIFEST, wrong);
            None
        }
    }
}

fn translations_of(files: &mut IndexMap<String, Vec<u8>>, issues: &mut Issues) -> Translations {
    let mut translations = Translations::new();
    for (name, bytes) in files.iter() {
        let Some(language) = translation_language(name) else {
            continue;
        };
        let Some(text) = text_of(name, bytes.clone(), issues) else {
            continue;
        };
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                let error: toml::de::Error = error;
                issues.push(Issue::new("NOT_TOML", error.to_string()).at(name.as_str()));
                continue;
            }
        };
        let mut texts = IndexMap::with_capacity(table.len());
        for (code, text) in table {
            match text {
                toml::Value::String(text) => {
                    texts.insert(code, text);
                }
                _ => issues.push(
                    Issue::new("WRONG_TYPE", "must be a string: the text of this code")
                        .at(code)
                        .at(name.as_str()),
                ),
            }
        }
        translations.insert(language.to_owned(), texts);
    }
    translations
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            text.push_str(&format!("{byte:02x}"));
            text
        })
}
