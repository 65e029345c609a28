//! `relata plugin new`: a plugin that builds, passes its tests and installs.
//!
//! The folder carries the SDK as a path dependency, the contract beside it, and a lock file with
//! the versions that this program was tested with: it builds the same in ten years.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use include_dir::{Dir, include_dir};

static SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../sdk");
static CONTRACT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../wit");

/// Folder of the SDK that is written out, not carried along.
const TEMPLATE: &str = "template";
/// Most characters of a name: a plugin's id has room for so many.
const NAME_CHARACTERS_MAX: usize = 30;

/// Names that no crate can have beside what every plugin uses: words of the language, crates of
/// the toolchain, and the SDK's dependencies.
const TAKEN: [&str; 52] = [
    "alloc",
    "as",
    "async",
    "await",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "proc-macro",
    "pub",
    "ref",
    "relata-sdk",
    "return",
    "self",
    "serde",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "type",
    "try",
    "unsafe",
    "use",
    "where",
    "while",
    "yield",
];

/// Makes the plugin in `./NAME` and says what comes next.
///
/// # Errors
/// A name that can't be one, a folder that has something in it, a file that can't be written.
pub(crate) fn new(name: &str) -> Result<()> {
    let names = Names::of(name)?;
    let folder = make(&names, Path::new("."))?;
    println!(
        "made {folder}\n\n\
         relata plugin build {name}   one file, {name}/{name}.relata\n\
         relata plugin test {name}    its tests, here and in a fresh workspace\n\n\
         {name}/README.md says the rest",
        folder = folder.display(),
    );
    Ok(())
}

/// What a plugin is called in each place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    /// `deal-limit`: the folder, and the crate.
    name: String,
    /// `deallimit`: in the id, and before its GraphQL names.
    local: String,
    /// `DealLimitPlugin`: the Rust type. The ending keeps it apart from what the SDK names.
    type_name: String,
    /// `Deal limit`
    title: String,
}

impl Names {
    /// Lower case letters, digits and hyphens, as the commands of this program are spelled.
    pub(super) fn of(name: &str) -> Result<Self> {
        let words: Vec<&str> = name.split('-').collect();
        let is_word = |word: &&str| {
            !word.is_empty()
                && word
                    .chars()
                    .all(|character| character.is_ascii_lowercase() || character.is_ascii_digit())
        };
        if !words.iter().all(is_word)
            || !name.starts_with(|first: char| first.is_ascii_lowercase())
            || name.len() > NAME_CHARACTERS_MAX
        {
            bail!(
                "`{name}` is no name for a plugin: begin with a lower case letter, go on with lower \
                 case letters, digits and single hyphens, at most {NAME_CHARACTERS_MAX} characters; \
                 for example `deal-limit`"
            );
        }
        if TAKEN.contains(&name) {
            bail!("`{name}` means something in Rust already; choose another name");
        }
        let type_name: String = words.iter().map(|word| capitalised(word)).collect();
        Ok(Self {
            name: name.to_owned(),
            local: words.concat(),
            type_name: format!("{type_name}Plugin"),
            title: capitalised(&words.join(" ")),
        })
    }

    /// The template's text with the names in it.
    fn fill(&self, text: &str) -> String {
        text.replace("{{name}}", &self.name)
            .replace("{{crate}}", &self.name.replace('-', "_"))
            .replace("{{local}}", &self.local)
            .replace("{{type}}", &self.type_name)
            .replace("{{title}}", &self.title)
    }
}

fn capitalised(word: &str) -> String {
    relata_catalog::capitalised(word)
}

/// Writes the plugin into `parent/NAME`.
pub(super) fn make(names: &Names, parent: &Path) -> Result<PathBuf> {
    let folder = parent.join(&names.name);
    let occupied = folder.exists()
        && std::fs::read_dir(&folder)
            .map(|mut entries| entries.next().is_some())
            .unwrap_or(true);
    if occupied {
        bail!(
            "{} is there already; choose another name, or remove it first",
            folder.display()
        );
    }
    let template = SDK
        .get_dir(TEMPLATE)
        .context("this program was built without the template")?;
    write_template(template, template.path(), &folder, names)?;
    write_copy(&SDK, &folder.join("sdk"))?;
    write_copy(&CONTRACT, &folder.join("wit"))?;
    Ok(folder)
}

fn write_template(dir: &Dir<'_>, root: &Path, folder: &Path, names: &Names) -> Result<()> {
    for file in dir.files() {
        let relative = file.path().strip_prefix(root).unwrap_or(file.path());
        // A file with the real name would be in force in this repository.
        let relative = match relative.to_str() {
            Some("gitignore") => Path::new(".gitignore"),
            _ => relative,
        };
        let text = file
            .contents_utf8()
            .with_context(|| format!("the template's {} is no text", relative.display()))?;
        write(&folder.join(relative), names.fill(text).as_bytes())?;
    }
    dir.dirs()
        .try_for_each(|dir| write_template(dir, root, folder, names))
}

fn write_copy(dir: &Dir<'_>, folder: &Path) -> Result<()> {
    for file in dir.files() {
        write(&folder.join(file.path()), file.contents())?;
    }
    dir.dirs()
        .filter(|dir| dir.path() != Path::new(TEMPLATE))
        .try_for_each(|dir| write_copy(dir, folder))
}

fn write(path: &Path, contents: &[u8]) -> Result<()> {
    let written = path
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(path, contents));
    written.with_context(|| format!("can't write {}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_suit_each_place() {
        assert_eq!(
            Names::of("deal-limit").unwrap(),
            Names {
                name: "deal-limit".into(),
                local: "deallimit".into(),
                type_name: "DealLimitPlugin".into(),
                title: "Deal limit".into(),
            }
        );
        for name in [
            "",
            "-a",
            "a-",
            "a--b",
            "Deal",
            "1a",
            "a_b",
            "../a",
            "a/b",
            "type",
            "relata-sdk",
            "a234567890123456789012345678901",
        ] {
            assert!(Names::of(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_new_plugin_stands_alone() {
        let parent = tempfile::tempdir().unwrap();
        let folder = make(&Names::of("deal-limit").unwrap(), parent.path()).unwrap();
        for file in [
            "Cargo.toml",
            "Cargo.lock",
            "plugin.toml",
            "blueprint.yaml",
            "README.md",
            ".gitignore",
            "src/lib.rs",
            "i18n/en.toml",
            "i18n/zh-CN.toml",
            "sdk/Cargo.toml",
            "sdk/src/lib.rs",
            "sdk/macros/Cargo.toml",
            "sdk/macros/src/lib.rs",
            "wit/plugin.wit",
        ] {
            assert!(folder.join(file).is_file(), "{file}");
        }
        assert!(!folder.join("sdk/template").exists());
        assert!(no_placeholder_is_left(&folder));

        let again = make(&Names::of("deal-limit").unwrap(), parent.path()).unwrap_err();
        assert!(again.to_string().contains("there already"), "{again}");
    }

    /// What a new plugin is built from has been built and tested here; and where the registry
    /// can't be reached, what this repository has fetched is enough.
    #[test]
    fn the_lock_file_has_the_versions_of_this_repository() {
        let packages = |text: &str| -> Vec<(String, String)> {
            let lock: toml::Table = text.parse().unwrap();
            lock["package"]
                .as_array()
                .unwrap()
                .iter()
                .map(|package| {
                    let text = |key: &str| package[key].as_str().unwrap().to_owned();
                    (text("name"), text("version"))
                })
                .collect()
        };
        let ours = packages(include_str!("../../../../Cargo.lock"));
        let theirs = packages(
            SDK.get_file("template/Cargo.lock")
                .unwrap()
                .contents_utf8()
                .unwrap(),
        );
        let strange: Vec<_> = theirs
            .iter()
            .filter(|package| package.0 != "{{name}}" && !ours.contains(package))
            .collect();
        assert!(
            strange.is_empty(),
            "make a plugin, put this repository's Cargo.lock into it, run `cargo metadata` there, \
             and take its Cargo.lock as sdk/template/Cargo.lock: {strange:?}"
        );
    }

    fn no_placeholder_is_left(folder: &Path) -> bool {
        std::fs::read_dir(folder).unwrap().all(|entry| {
            let path = entry.unwrap().path();
            if path.ends_with("sdk") {
                true
            } else if path.is_dir() {
                no_placeholder_is_left(&path)
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                ["name", "crate", "local", "type", "title"]
                    .iter()
                    .all(|name| !text.contains(&format!("{{{{{name}}}}}")))
            }
        })
    }
}
