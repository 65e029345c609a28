//! What the host does for guests: the trait that whoever knows records implements, and the
//! functions that guests call, which check grants and limits before anything leaves this crate.

use std::sync::Arc;

use async_trait::async_trait;

pub use crate::bindings::log::Level as LogLevel;
pub use crate::bindings::records::{
    Condition, Direction, Error as RecordsError, Operator, Query, Stored, Totals,
};
pub use crate::bindings::types::Issue as RecordsIssue;
use crate::bindings::{log, records, settings, types};
use crate::budget::Budget;
use crate::call::{BoxError, End, FaultCause};
use crate::values::{NamedValue, PluginValue};
use crate::{Grants, Limits};

/// Most records that one `find` gives, as the contract says.
pub const FIND_LIMIT_MAX: u32 = 1_000;

/// Fields of every record that may be read without being granted, where its object is.
const SYSTEM_FIELDS: [&str; 4] = ["id", "version", "createdAt", "updatedAt"];

/// Records and settings, for one plugin in one unit of work.
///
/// Grants and limits have been checked when these are called; who the plugin acts as, and what
/// validation says, is the implementation's.
#[async_trait]
pub trait Services: Send + Sync {
    /// One record outside the trash, with the fields in the order asked for.
    async fn get(
        &self,
        object: &str,
        id: &str,
        fields: &[String],
    ) -> Result<Option<Stored>, ServiceError>;

    /// A page of records. `query.limit` is 1 to 1,000.
    async fn find(&self, query: Query) -> Result<Vec<Stored>, ServiceError>;

    /// Number of records, and the sum of a numeric field.
    async fn total(
        &self,
        object: &str,
        field: &str,
        conditions: Vec<Condition>,
    ) -> Result<Totals, ServiceError>;

    /// Makes a record and gives its id.
    async fn create(&self, object: &str, values: Vec<NamedValue>) -> Result<String, ServiceError>;

    /// Changes a record.
    async fn update(
        &self,
        object: &str,
        id: &str,
        values: Vec<NamedValue>,
    ) -> Result<(), ServiceError>;

    /// Puts a record into the trash.
    async fn delete(&self, object: &str, id: &str) -> Result<(), ServiceError>;

    /// The plugin's settings as JSON, defaults filled in.
    fn settings(&self) -> String;

    /// A line that the guest logs. The host has already written it to the server's log.
    fn log(&self, level: LogLevel, message: &str) {
        let _ = (level, message);
    }
}

/// Why a service has no answer.
#[derive(Debug)]
pub enum ServiceError {
    /// The guest gets this error, and may do something about it.
    Answer(RecordsError),
    /// The guest's call ends here, and the caller gets this error as
    /// [`CallError::Aborted`](crate::CallError::Aborted): the transaction is lost (a conflict
    /// that is to be retried, a connection that broke), so nothing that the guest decides counts.
    Abort(BoxError),
}

impl From<RecordsError> for ServiceError {
    fn from(error: RecordsError) -> Self {
        Self::Answer(error)
    }
}

/// Services of a call that has none: everything is denied, settings are empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoServices;

fn nothing_here<T>() -> Result<T, ServiceError> {
    Err(RecordsError::Denied("there are no records here".to_owned()).into())
}

#[async_trait]
impl Services for NoServices {
    async fn get(&self, _: &str, _: &str, _: &[String]) -> Result<Option<Stored>, ServiceError> {
        nothing_here()
    }
    async fn find(&self, _: Query) -> Result<Vec<Stored>, ServiceError> {
        nothing_here()
    }
    async fn total(&self, _: &str, _: &str, _: Vec<Condition>) -> Result<Totals, ServiceError> {
        nothing_here()
    }
    async fn create(&self, _: &str, _: Vec<NamedValue>) -> Result<String, ServiceError> {
        nothing_here()
    }
    async fn update(&self, _: &str, _: &str, _: Vec<NamedValue>) -> Result<(), ServiceError> {
        nothing_here()
    }
    async fn delete(&self, _: &str, _: &str) -> Result<(), ServiceError> {
        nothing_here()
    }
    fn settings(&self) -> String {
        "{}".to_owned()
    }
}

/// Whether the host functions that write answer in this call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writes {
    /// They do.
    Allowed,
    /// They answer `denied`, with this reason.
    Denied(&'static str),
}

/// What a store carries through one call.
pub(crate) struct CallState {
    pub(crate) plugin: Arc<str>,
    pub(crate) version: Arc<str>,
    pub(crate) services: Arc<dyn Services>,
    pub(crate) grants: Arc<Grants>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) writes: Writes,
    pub(crate) budget: Budget,
    pub(crate) usage: Usage,
    /// The last error that the guest has logged: what a trap is about, when one follows.
    pub(crate) last_words: Option<String>,
    /// Why the host ended the call, when it did: what wasmtime reports is then only an echo.
    pub(crate) end: Option<End>,
}

/// What a call has used of the host.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) host_calls: u32,
    pub(crate) rows: usize,
    pub(crate) read_bytes: usize,
    pub(crate) log_lines: u32,
}

type Answer<T> = wasmtime::Result<Result<T, RecordsError>>;

impl CallState {
    /// Counts a host call. The error that the guest gets when it has made too many; a guest that
    /// goes on regardless is ended.
    fn enter(&mut self) -> wasmtime::Result<Result<(), RecordsError>> {
        let max = self.limits.host_calls_max;
        self.usage.host_calls = self.usage.host_calls.saturating_add(1);
        if self.usage.host_calls > max.saturating_mul(4) {
            let detail = format!("it went on after {max} host calls");
            return Err(self.end(End::Fault(FaultCause::HostCalls, detail)));
        }
        if self.usage.host_calls > max {
            return Ok(Err(RecordsError::Limit(format!(
                "at most {max} host calls are allowed in a call"
            ))));
        }
        Ok(Ok(()))
    }

    fn end(&mut self, end: End) -> wasmtime::Error {
        let message = end.to_string();
        self.end.get_or_insert(end);
        wasmtime::Error::msg(message)
    }

    /// What the service said, or the end of the call.
    fn settle<T>(&mut self, answer: Result<T, ServiceError>) -> Answer<T> {
        match answer {
            Ok(answer) => Ok(Ok(answer)),
            Err(ServiceError::Answer(error)) => Ok(Err(error)),
            Err(ServiceError::Abort(error)) => Err(self.end(End::Aborted(error))),
        }
    }

    /// Counts rows that go into the sandbox.
    fn count_rows(&mut self, rows: &[Stored]) -> Result<(), RecordsError> {
        let bytes: usize = rows
            .iter()
            .map(|row| row.id.len() + row.values.iter().map(value_bytes).sum::<usize>())
            .sum();
        self.usage.rows = self.usage.rows.saturating_add(rows.len());
        self.usage.read_bytes = self.usage.read_bytes.saturating_add(bytes);
        if self.usage.rows > self.limits.host_rows_max {
            return Err(RecordsError::Limit(format!(
                "at most {} rows may be read in a call",
                self.limits.host_rows_max
            )));
        }
        if self.usage.read_bytes > self.limits.host_read_bytes {
            return Err(RecordsError::Limit(format!(
                "at most {} bytes may be read in a call",
                self.limits.host_read_bytes
            )));
        }
        Ok(())
    }

    fn check_write(&self) -> Result<(), RecordsError> {
        match self.writes {
            Writes::Allowed => Ok(()),
            Writes::Denied(reason) => Err(RecordsError::Denied(reason.to_owned())),
        }
    }
}

fn granted(denied: Option<String>) -> Result<(), RecordsError> {
    match denied {
        None => Ok(()),
        Some(capability) => Err(RecordsError::Denied(format!(
            "the capability `{capability}` has not been granted"
        ))),
    }
}

fn readable<'a>(fields: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    fields
        .into_iter()
        .filter(|field| !SYSTEM_FIELDS.contains(field))
}

/// About how many bytes a value has.
pub(crate) fn value_bytes(value: &PluginValue) -> usize {
    match value {
        PluginValue::Null | PluginValue::Boolean(_) => 1,
        PluginValue::Integer(_) => 8,
        PluginValue::Decimal(text)
        | PluginValue::Text(text)
        | PluginValue::Date(text)
        | PluginValue::Datetime(text)
        | PluginValue::Reference(text) => text.len(),
        PluginValue::Money((first, second)) | PluginValue::Ext((first, second)) => {
            first.len() + second.len()
        }
        PluginValue::Choices(options) => options.iter().map(|option| option.len() + 8).sum(),
    }
}

/// Runs a check whose error goes to the guest.
macro_rules! answer_unless {
    ($check:expr) => {
        if let Err(error) = $check {
            return Ok(Err(error));
        }
    };
}

impl types::Host for CallState {}

impl records::Host for CallState {
    async fn get(
        &mut self,
        object: String,
        id: String,
        fields: Vec<String>,
    ) -> Answer<Option<Stored>> {
        answer_unless!(self.enter()?);
        answer_unless!(granted(
            self.grants
                .deny_read(&object, readable(fields.iter().map(String::as_str)))
        ));
        let found = self.services.get(&object, &id, &fields).await;
        let found = match self.settle(found)? {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        answer_unless!(self.count_rows(found.as_slice()));
        Ok(Ok(found))
    }

    async fn find(&mut self, query: Query) -> Answer<Vec<Stored>> {
        answer_unless!(self.enter()?);
        let touched = query
            .fields
            .iter()
            .chain(query.conditions.iter().map(|condition| &condition.field))
            .chain(query.order.iter().map(|(field, _)| field));
        answer_unless!(granted(
            self.grants
                .deny_read(&query.object, readable(touched.map(String::as_str)))
        ));
        if !(1..=FIND_LIMIT_MAX).contains(&query.limit) {
            return Ok(Err(RecordsError::Limit(format!(
                "`limit` is {}; it may be 1 to {FIND_LIMIT_MAX}",
                query.limit
            ))));
        }
        let found = self.services.find(query).await;
        let found = match self.settle(found)? {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        answer_unless!(self.count_rows(&found));
        Ok(Ok(found))
    }

    async fn total(
        &mut self,
        object: String,
        field: String,
        conditions: Vec<Condition>,
    ) -> Answer<Totals> {
        answer_unless!(self.enter()?);
        let touched = conditions
            .iter()
            .map(|condition| condition.field.as_str())
            .chain([field.as_str()]);
        answer_unless!(granted(self.grants.deny_read(&object, readable(touched))));
        let total = self.services.total(&object, &field, conditions).await;
        self.settle(total)
    }

    async fn create(&mut self, object: String, values: Vec<NamedValue>) -> Answer<String> {
        answer_unless!(self.enter()?);
        answer_unless!(self.check_write());
        answer_unless!(granted(
            self.grants
                .deny_create(&object)
                .or_else(|| { self.grants.deny_write(&object, names(&values)) })
        ));
        let created = self.services.create(&object, values).await;
        self.settle(created)
    }

    async fn update(&mut self, object: String, id: String, values: Vec<NamedValue>) -> Answer<()> {
        answer_unless!(self.enter()?);
        answer_unless!(self.check_write());
        answer_unless!(granted(self.grants.deny_write(&object, names(&values))));
        let updated = self.services.update(&object, &id, values).await;
        self.settle(updated)
    }

    async fn delete(&mut self, object: String, id: String) -> Answer<()> {
        answer_unless!(self.enter()?);
        answer_unless!(self.check_write());
        answer_unless!(granted(self.grants.deny_delete(&object)));
        let deleted = self.services.delete(&object, &id).await;
        self.settle(deleted)
    }
}

pub(crate) fn names(values: &[NamedValue]) -> impl Iterator<Item = &str> {
    values.iter().map(|value| value.name.as_str())
}

impl settings::Host for CallState {
    fn get(&mut self) -> wasmtime::Result<String> {
        // There is no error that `settings` could answer with: at the limit the call ends.
        if self.enter()?.is_err() {
            let detail = format!("more than {} host calls", self.limits.host_calls_max);
            return Err(self.end(End::Fault(FaultCause::HostCalls, detail)));
        }
        Ok(self.services.settings())
    }
}

impl log::Host for CallState {
    fn write(&mut self, level: LogLevel, message: String) -> wasmtime::Result<()> {
        // Past the limit lines are dropped; `enter` ends a guest that never stops.
        let _dropped_at_limit = self.enter()?;
        self.usage.log_lines = self.usage.log_lines.saturating_add(1);
        if self.usage.log_lines > self.limits.log_lines_max {
            return Ok(());
        }
        let message = log_line(&message, self.limits.log_line_bytes);
        let (plugin, version) = (&*self.plugin, &*self.version);
        match level {
            LogLevel::Debug => tracing::debug!(target: "plugin", plugin, version, "{message}"),
            LogLevel::Info => tracing::info!(target: "plugin", plugin, version, "{message}"),
            LogLevel::Warn => tracing::warn!(target: "plugin", plugin, version, "{message}"),
            LogLevel::Error => tracing::error!(target: "plugin", plugin, version, "{message}"),
        }
        self.services.log(level, &message);
        if level == LogLevel::Error {
            self.last_words = Some(message);
        }
        Ok(())
    }
}

/// One line: what would move a terminal's cursor is removed, what is too long is cut.
fn log_line(message: &str, max: usize) -> String {
    let cut = message.floor_char_boundary(max);
    let mut line: String = message[..cut]
        .chars()
        .map(|c| if matches!(c, '\n' | '\t') { ' ' } else { c })
        .filter(|c| !c.is_control() && !is_direction_override(*c))
        .collect();
    if cut < message.len() {
        line.push('…');
    }
    line
}

/// Characters that make a line read as something else than it says.
fn is_direction_override(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::log_line;

    #[test]
    fn logged_lines_are_one_line_of_harmless_text() {
        assert_eq!(log_line("a\nb\tc", 100), "a b c");
        assert_eq!(log_line("\u{1b}[2Jgone\r\u{202e}", 100), "[2Jgone");
        assert_eq!(log_line("王小明", 4), "王…");
    }
}
