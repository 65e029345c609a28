//! `relata settings`: all settings as they are in force, in the form of `relata.toml`.
//!
//! Secrets are left out, and the password in the database's address. Else, what is printed and
//! read again gives the same settings.

use std::fmt::Write as _;

use super::tables::{Form, Limit, Table};
use super::values::Setting;
use super::{Config, ENVIRONMENT_PREFIX};

/// Gets each setting, then each table.
pub(super) trait Printer {
    fn setting<T: Setting>(&mut self, key: &str, about: &[&str], value: &T, default: &T);
    fn table<T: Table>(&mut self, key: &str, about: &[&str], limits: &T);
}

impl Config {
    /// The settings as a commented file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = format!(
            "# Settings of relata {}, as they are in force.\n\
             #\n\
             # Each is also an environment variable ({ENVIRONMENT_PREFIX}LISTEN, \
             {ENVIRONMENT_PREFIX}DELIVERY__PAGE), which wins over the file;\n\
             # some are flags (relata serve --help), which win over both.\n\
             # Durations: 250ms, 30s, 2m, 12h, 7d. Sizes: 512KiB, 16MiB, 1GiB, or bytes.\n",
            env!("CARGO_PKG_VERSION")
        );
        self.describe(&mut Toml(&mut text));
        text
    }

    /// The settings for a program. What is not set, or secret, is absent.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let mut members = toml::Table::new();
        self.describe(&mut Members(&mut members));
        serde_json::to_value(members).unwrap_or_default()
    }
}

struct Toml<'t>(&'t mut String);

impl Toml<'_> {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing into a String can't fail.
        let _ = writeln!(self.0, "{line}");
    }

    fn comment(&mut self, about: &[&str]) {
        for line in about {
            self.line(format_args!("# {}", line.trim()));
        }
    }
}

impl Printer for Toml<'_> {
    fn setting<T: Setting>(&mut self, key: &str, about: &[&str], value: &T, default: &T) {
        self.line(format_args!(""));
        self.comment(about);
        match shown(key, value) {
            Some(value) => {
                let default = shown(key, default).filter(|default| *default != value);
                if let Some(default) = default {
                    self.line(format_args!("# Default: {default}"));
                }
                self.line(format_args!("{key} = {value}"));
            }
            None if T::IS_SECRET => self.line(format_args!("# {key} is never shown")),
            None => self.line(format_args!("# {key} is not set")),
        }
    }

    fn table<T: Table>(&mut self, key: &str, about: &[&str], limits: &T) {
        self.line(format_args!(""));
        self.comment(about);
        self.line(format_args!("[{key}]"));
        let defaults = T::default();
        for limit in T::LIMITS {
            let Limit {
                about, form, range, ..
            } = limit;
            self.comment(about);
            self.line(format_args!(
                "# From {} to {}; default {}.",
                form.text(*range.start()),
                form.text(*range.end()),
                form.text((limit.get)(&defaults)),
            ));
            let value = form.value((limit.get)(limits));
            self.line(format_args!("{} = {value}", limit.key()));
        }
    }
}

struct Members<'m>(&'m mut toml::Table);

impl Printer for Members<'_> {
    fn setting<T: Setting>(&mut self, key: &str, _: &[&str], value: &T, _: &T) {
        if let Some(value) = shown(key, value) {
            self.0.insert(key.to_owned(), value);
        }
    }

    fn table<T: Table>(&mut self, key: &str, _: &[&str], limits: &T) {
        let members: toml::Table = T::LIMITS
            .iter()
            .map(|limit| {
                let number = (limit.get)(limits);
                (limit.key().to_owned(), Form::value(limit.form, number))
            })
            .collect();
        self.0.insert(key.to_owned(), members.into());
    }
}

fn shown<T: Setting>(key: &str, value: &T) -> Option<toml::Value> {
    let value = value.written()?;
    match (key, &value) {
        ("database_url", toml::Value::String(address)) => Some(without_password(address).into()),
        _ => Some(value),
    }
}

/// The address with stars for its password, wherever PostgreSQL's drivers look for one.
fn without_password(address: &str) -> String {
    const STARS: &str = "***";
    let scheme = address.split(':').next().unwrap_or_default();
    if scheme == "sqlite" {
        return address.to_owned();
    }
    let Ok(mut url) = url::Url::parse(address) else {
        return format!("{scheme}://{STARS}");
    };
    if url.password().is_some() && url.set_password(Some(STARS)).is_err() {
        return format!("{scheme}://{STARS}");
    }
    if url.query_pairs().any(|(name, _)| name == "password") {
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .map(|(name, value)| {
                let value = if name == "password" {
                    STARS.into()
                } else {
                    value
                };
                (name.into_owned(), value.into_owned())
            })
            .collect();
        url.query_pairs_mut().clear().extend_pairs(kept);
    }
    url.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::config::Secret;

    fn read(text: &str) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relata.toml");
        std::fs::write(&path, text).unwrap();
        let flags = toml::Table::new();
        Config::layered(&flags, std::iter::empty(), Some(&path)).unwrap()
    }

    #[test]
    fn what_is_printed_is_read_as_the_same() {
        let config = read(
            "listen = '127.0.0.1:1'\nregion = 'AT'\nrequest_timeout = '90s'\nupload_max = 1000\n\
             cors_origins = ['https://a.example']\nsuggestions = true\ndocuments = 'registered'\nlog = 'a\"b\\c'\npublic_url = 'https://crm.example.com'\n\
             [plugin_limits]\nbefore_fuel = 20_000_000\nmemory_bytes = '32MiB'\n\
             [query_limits]\ndepth_max = 12\n[control_limits]\ndepth_max = 13\n\
             [delivery]\npause_first = '90s'\n\
             [retention]\nparked = '30d'\n",
        );
        let printed = config.to_toml();
        let again = read(&printed);
        assert_eq!(format!("{config:?}"), format!("{again:?}"));
        assert_eq!(again.query_limits.document.depth_max, 12);
        assert!(printed.contains("# Default: \"30s\"\nrequest_timeout = \"90s\"\n"));
        assert!(printed.contains("# From 1ms to 1h; default 500ms.\npause_first = \"90s\"\n"));
        for key in Config::KEYS.iter().chain(Config::TABLES) {
            assert!(printed.contains(key), "{key} is missing");
        }
        assert_eq!(config.to_json()["retention"]["parked"], "30d");
        assert_eq!(config.to_json()["region"], "AT");
    }

    #[test]
    fn secrets_are_left_out() {
        let mut config = Config {
            secret_key: Some(Secret("hush".to_owned())),
            admin_password: Some(Secret("hush".to_owned())),
            ..Config::default()
        };
        for address in [
            "postgres://me:hush@host/db",
            "postgres://me@host/db?password=hush&sslmode=require",
            "postgres://me:hush@ho st/db",
        ] {
            config.database_url = address.to_owned();
            let printed = config.to_toml() + &config.to_json().to_string();
            assert!(!printed.contains("hush"), "{printed}");
            assert!(printed.contains("# secret_key is never shown"));
        }
        assert_eq!(
            without_password("postgres://me@host/db"),
            "postgres://me@host/db"
        );
    }
}
