//! In-memory world.
use crate::{
    bindings::imports::relata::plugin::{
        log::Level,
        records::{Condition, Error, Query, Stored, Totals},
        types::NamedValue,
    },
    host::Host,
};

pub(crate) struct OnThisThread;

impl Host for OnThisThread {
    fn get(_: &str, _: &str, _: &[String]) -> Result<Option<Stored>, Error> {
        Ok(None)
    }
    fn find(_: &Query) -> Result<Vec<Stored>, Error> {
        Ok(vec![])
    }
    fn total(_: &str, _: &str, _: &[Condition]) -> Result<Totals, Error> {
        Err(Error::Denied(String::new()))
    }
    fn create(_: &str, _: &[NamedValue]) -> Result<String, Error> {
        Ok(String::new())
    }
    fn update(_: &str, _: &str, _: &[NamedValue]) -> Result<(), Error> {
        Ok(())
    }
    fn delete(_: &str, _: &str) -> Result<(), Error> {
        Ok(())
    }
    fn settings() -> String {
        "{}".to_owned()
    }
    fn log(_: Level, _: &str) {}
}
