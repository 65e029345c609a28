//! What SQLite can't say itself: functions that every connection to it is given.
//!
//! Exact numbers of expressions are worked out by the very functions that do so in memory
//! ([`relata_catalog::expression`]); PostgreSQL has NUMERIC for them. rusqlite's connections take
//! functions as they are opened. Those of the pool for writing belong to sqlx, which has no way to
//! add one, so rusqlite is lent their handle for a moment: both stand on one `libsqlite3-sys`.

use std::cmp::Ordering;

use jiff::civil::Date;
use relata_catalog::expression::{self, CalendarPart};
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{ToSql, ValueRef};
use rusqlite::{Connection, Result};
use sea_orm::sqlx;
use sea_orm::sqlx::sqlite::SqliteConnection;

use crate::read;

/// Gives a connection all of them.
pub(crate) fn register(connection: &Connection) -> Result<()> {
    read::register_functions(connection)?;
    numbers(connection)?;
    texts(connection)?;
    times(connection)
}

/// Gives all of them to a connection of sqlx.
pub(crate) async fn register_for_writing(
    connection: &mut SqliteConnection,
) -> std::result::Result<(), sqlx::Error> {
    let mut handle = connection.lock_handle().await?;
    register_on(handle.as_raw_handle().as_ptr().cast())
        .map_err(|error| sqlx::Error::Configuration(Box::new(error)))
}

#[allow(unsafe_code)]
fn register_on(handle: *mut rusqlite::ffi::sqlite3) -> Result<()> {
    // SAFETY: the handle is a connection that is open and that sqlx has locked for the caller, so
    // nobody else uses it meanwhile. `from_handle` does not own it: dropping the borrowed
    // connection closes nothing. SQLite itself owns the functions from here on.
    let borrowed = unsafe { Connection::from_handle(handle)? };
    register(&borrowed)
}

fn add<F, T>(connection: &Connection, name: &str, arguments: i32, function: F) -> Result<()>
where
    F: Fn(&Arguments<'_, '_>) -> Result<Option<T>> + Send + 'static,
    T: ToSql,
{
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function(name, arguments, flags, move |context| {
        // What is made of nothing is nothing.
        let is_null = |position| context.get_raw(position) == ValueRef::Null;
        if (0..context.len()).any(is_null) {
            return Ok(None);
        }
        function(&Arguments(context))
    })
}

struct Arguments<'c, 'f>(&'c Context<'f>);

impl Arguments<'_, '_> {
    fn integer(&self, position: usize) -> Result<i64> {
        self.0.get(position)
    }

    fn scale(&self, position: usize) -> Result<u32> {
        self.0.get(position)
    }

    fn text(&self, position: usize) -> Result<&str> {
        Ok(self.0.get_raw(position).as_str()?)
    }

    fn date(&self, position: usize) -> Result<Option<Date>> {
        Ok(self.text(position)?.parse().ok())
    }
}

fn numbers(connection: &Connection) -> Result<()> {
    add(connection, "relata_add", 4, |of| {
        Ok(expression::add(
            of.integer(0)?,
            of.scale(1)?,
            of.integer(2)?,
            of.scale(3)?,
        ))
    })?;
    add(connection, "relata_multiply", 4, |of| {
        Ok(expression::multiply(
            of.integer(0)?,
            of.integer(1)?,
            of.scale(2)?,
            of.scale(3)?,
        ))
    })?;
    add(connection, "relata_divide", 5, |of| {
        Ok(expression::divide(
            of.integer(0)?,
            of.scale(1)?,
            of.integer(2)?,
            of.scale(3)?,
            of.scale(4)?,
        ))
    })?;
    add(connection, "relata_rescale", 3, |of| {
        Ok(expression::rescale(
            of.integer(0)?,
            of.scale(1)?,
            of.scale(2)?,
        ))
    })?;
    add(connection, "relata_truncate", 2, |of| {
        Ok(expression::truncate(of.integer(0)?, of.scale(1)?))
    })?;
    add(connection, "relata_halves", 2, |of| {
        Ok(expression::halves(of.integer(0)?, of.integer(1)?))
    })?;
    add(connection, "relata_safe", 1, |of| {
        Ok(expression::safe(of.integer(0)?))
    })?;
    add(connection, "relata_compare", 4, |of| {
        let ordering =
            expression::compare(of.integer(0)?, of.scale(1)?, of.integer(2)?, of.scale(3)?);
        Ok(Some(match ordering {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        }))
    })?;
    add(connection, "relata_text", 2, |of| {
        Ok(Some(expression::text_of(of.integer(0)?, of.scale(1)?)))
    })
}

fn texts(connection: &Connection) -> Result<()> {
    add(connection, "relata_starts_with", 2, |of| {
        Ok(Some(of.text(0)?.starts_with(of.text(1)?)))
    })?;
    add(connection, "relata_ends_with", 2, |of| {
        Ok(Some(of.text(0)?.ends_with(of.text(1)?)))
    })?;
    add(connection, "relata_has", 2, |of| {
        let list: Vec<String> = serde_json::from_str(of.text(0)?).unwrap_or_default();
        let wanted = of.text(1)?;
        Ok(Some(list.iter().any(|each| each == wanted)))
    })
}

fn times(connection: &Connection) -> Result<()> {
    add(connection, "relata_days_between", 2, |of| {
        Ok(match (of.date(0)?, of.date(1)?) {
            (Some(later), Some(earlier)) => expression::days_between(later, earlier),
            _ => None,
        })
    })?;
    add(connection, "relata_add_days", 2, |of| {
        let days = of.integer(1)?;
        let date = of.date(0)?;
        Ok(date
            .and_then(|date| expression::add_days(date, days))
            .map(|date| date.to_string()))
    })?;
    add(connection, "relata_add_time", 2, |of| {
        Ok(expression::add_time(of.integer(0)?, of.integer(1)?))
    })?;
    add(connection, "relata_date_of", 1, |of| {
        Ok(expression::utc_of(of.integer(0)?).map(|(date, _)| date.to_string()))
    })?;
    add(connection, "relata_part_of_date", 2, |of| {
        let part = part_of(of.integer(0)?);
        let date = of.date(1)?;
        Ok(part.zip(date).map(|(part, date)| part.of(date, 0)))
    })?;
    add(connection, "relata_part_of_instant", 2, |of| {
        let part = part_of(of.integer(0)?);
        let at = expression::utc_of(of.integer(1)?);
        Ok(part.zip(at).map(|(part, (date, hour))| part.of(date, hour)))
    })
}

fn part_of(number: i64) -> Option<CalendarPart> {
    CalendarPart::ALL
        .into_iter()
        .find(|part| *part as i64 == number)
}
