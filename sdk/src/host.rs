//! The one place where the plugin meets its host: the imports in WebAssembly, the world on this
//! thread in tests.
//!
//! The choice is made by the compiler, not at run time, so that an import that nobody calls is not
//! in the component.

use crate::{
    Issue,
    bindings::imports::relata::plugin::{
        log::Level,
        records::{Condition, Error, Query, Stored, Totals},
        types::NamedValue,
    },
};

/// What a host offers: the imports of the contract, one to one.
pub(crate) trait Host {
    fn get(object: &str, id: &str, fields: &[String]) -> Result<Option<Stored>, Error>;
    fn find(query: &Query) -> Result<Vec<Stored>, Error>;
    fn total(object: &str, field: &str, conditions: &[Condition]) -> Result<Totals, Error>;
    fn create(object: &str, values: &[NamedValue]) -> Result<String, Error>;
    fn update(object: &str, id: &str, values: &[NamedValue]) -> Result<(), Error>;
    fn delete(object: &str, id: &str) -> Result<(), Error>;
    fn settings() -> String;
    fn log(level: Level, message: &str);
}

#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::testing::OnThisThread as Here;
#[cfg(target_family = "wasm")]
pub(crate) use component::Imports as Here;

#[cfg(target_family = "wasm")]
mod component {
    use super::*;
    use crate::bindings::imports::relata::plugin::{log, records, settings};

    pub(crate) struct Imports;

    impl Host for Imports {
        fn get(object: &str, id: &str, fields: &[String]) -> Result<Option<Stored>, Error> {
            records::get(object, id, fields)
        }

        fn find(query: &Query) -> Result<Vec<Stored>, Error> {
            records::find(query)
        }

        fn total(object: &str, field: &str, conditions: &[Condition]) -> Result<Totals, Error> {
            records::total(object, field, conditions)
        }

        fn create(object: &str, values: &[NamedValue]) -> Result<String, Error> {
            records::create(object, values)
        }

        fn update(object: &str, id: &str, values: &[NamedValue]) -> Result<(), Error> {
            records::update(object, id, values)
        }

        fn delete(object: &str, id: &str) -> Result<(), Error> {
            records::delete(object, id)
        }

        fn settings() -> String {
            settings::get()
        }

        fn log(level: Level, message: &str) {
            log::write(level, message);
        }
    }
}

/// Before the plugin's code runs: a panic's text goes to the host's log, since the trap that
/// follows carries none.
pub(crate) fn report_panics() {
    #[cfg(target_family = "wasm")]
    std::panic::set_hook(Box::new(|panic| {
        Here::log(Level::Error, &panic.to_string());
    }));
}

/// What the contract's functions answer: issues go back to the person, a failure ends the call.
///
/// # Panics
/// On a failure, with its text: the host makes `PLUGIN_FAILED` of it.
pub(crate) fn issues_or_panic<T>(result: crate::Result<T>) -> Result<T, Vec<Issue>> {
    match result {
        Ok(value) => Ok(value),
        Err(crate::Error::Rejected(issues)) => Err(issues),
        Err(crate::Error::Failed(detail)) => panic!("{detail}"),
    }
}
