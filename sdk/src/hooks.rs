//! Hooks on records: what a call tells, and what a before hook may answer.

use crate::{
    Actor, ActorKind, Change, Error, Fields, Issue, Plugin, Result, Value,
    bindings::{
        hooks::exports::relata::plugin::record_hooks as wire,
        imports::relata::plugin::types::NamedValue,
    },
    host,
    records::{Create, Delete, Update},
    time::DateTime,
};

/// A write that is about to happen.
#[derive(Debug, Clone, PartialEq)]
pub struct Before {
    call: wire::BeforeCall,
}

impl Before {
    pub(crate) fn new(call: wire::BeforeCall) -> Self {
        Self { call }
    }

    /// Name of the hook in the manifest.
    #[must_use]
    pub fn hook(&self) -> &str {
        &self.call.hook
    }

    /// Name of the object.
    #[must_use]
    pub fn object(&self) -> &str {
        &self.call.object
    }

    /// What happens to the record.
    #[must_use]
    pub fn change(&self) -> Change {
        self.call.change
    }

    /// Id of the record, also of one that is being created.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.call.id
    }

    /// Who writes.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.call.actor
    }

    /// Whether the write is an effect, or a call, of the plugin with this id.
    #[must_use]
    pub fn is_by_plugin(&self, id: &str) -> bool {
        self.call.actor.kind == ActorKind::Plugin && self.call.actor.id == id
    }

    /// When: the only clock of a before hook.
    ///
    /// # Errors
    /// A failure, when the host's text is no instant.
    pub fn now(&self) -> Result<DateTime> {
        instant(&self.call.now)
    }

    /// The declared inputs as they will be.
    ///
    /// # Errors
    /// A failure, when the struct doesn't list the manifest's inputs in their order.
    pub fn record<T: Fields>(&self) -> Result<T> {
        named(&self.call.hook, T::from_values(self.call.new.clone()))
    }

    /// The declared inputs as they were; `None` on create.
    ///
    /// # Errors
    /// A failure, when the struct doesn't list the manifest's inputs in their order.
    pub fn previous<T: Fields>(&self) -> Result<Option<T>> {
        previous(&self.call.hook, &self.call.old)
    }

    /// For a hook that the manifest names and the code doesn't know.
    #[must_use]
    pub fn unknown(&self) -> Error {
        Error::Failed(format!("no code for the before hook `{}`", self.call.hook))
    }
}

/// A write that was committed.
#[derive(Debug, Clone, PartialEq)]
pub struct After {
    call: wire::AfterCall,
}

impl After {
    pub(crate) fn new(call: wire::AfterCall) -> Self {
        Self { call }
    }

    /// Name of the hook in the manifest.
    #[must_use]
    pub fn hook(&self) -> &str {
        &self.call.hook
    }

    /// Name of the object.
    #[must_use]
    pub fn object(&self) -> &str {
        &self.call.object
    }

    /// What happened to the record.
    #[must_use]
    pub fn change(&self) -> Change {
        self.call.change
    }

    /// Id of the record.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.call.id
    }

    /// The record's version that the write made.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.call.version
    }

    /// Who wrote.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.call.actor
    }

    /// When it was committed.
    ///
    /// # Errors
    /// A failure, when the host's text is no instant.
    pub fn at(&self) -> Result<DateTime> {
        instant(&self.call.at)
    }

    /// The same for each delivery of the same event: what was done under it need not be done
    /// again.
    #[must_use]
    pub fn idempotency_key(&self) -> &str {
        &self.call.idempotency_key
    }

    /// The declared inputs after the write.
    ///
    /// # Errors
    /// A failure, when the struct doesn't list the manifest's inputs in their order.
    pub fn record<T: Fields>(&self) -> Result<T> {
        named(&self.call.hook, T::from_values(self.call.new.clone()))
    }

    /// The declared inputs before the write; `None` on create.
    ///
    /// # Errors
    /// A failure, when the struct doesn't list the manifest's inputs in their order.
    pub fn previous<T: Fields>(&self) -> Result<Option<T>> {
        previous(&self.call.hook, &self.call.old)
    }

    /// For a hook that the manifest names and the code doesn't know.
    #[must_use]
    pub fn unknown(&self) -> Error {
        Error::Failed(format!("no code for the after hook `{}`", self.call.hook))
    }
}

fn instant(text: &str) -> Result<DateTime> {
    text.parse()
        .map_err(|error| Error::Failed(format!("the host's time `{text}`: {error}")))
}

fn previous<T: Fields>(hook: &str, old: &[Value]) -> Result<Option<T>> {
    if old.is_empty() {
        Ok(None)
    } else {
        named(hook, T::from_values(old.to_vec())).map(Some)
    }
}

fn named<T>(hook: &str, fields: Result<T, crate::FieldsError>) -> Result<T> {
    fields.map_err(|error| Error::Failed(format!("inputs of the hook `{hook}`: {error}")))
}

/// What a before hook wants done: changes to the record, and further writes in the same
/// transaction.
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use = "an outcome does nothing until it is returned"]
pub struct Outcome {
    patches: Vec<NamedValue>,
    effects: Vec<wire::Effect>,
}

impl Outcome {
    /// The write goes ahead as it is.
    pub fn accept() -> Self {
        Self::default()
    }

    /// Changes a field of the record itself, one that the manifest's `writes` names.
    pub fn set(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.patches.push(NamedValue {
            name: field.into(),
            value: value.into(),
        });
        self
    }

    /// Creates another record.
    pub fn create(mut self, create: Create) -> Self {
        let (object, values) = create.into_parts();
        self.effects.push(wire::Effect::Create((object, values)));
        self
    }

    /// Changes another record.
    pub fn update(mut self, update: Update) -> Self {
        let (object, id, values) = update.into_parts();
        self.effects
            .push(wire::Effect::Update((object, id, values)));
        self
    }

    /// Puts another record into the trash.
    pub fn delete(mut self, delete: Delete) -> Self {
        let (object, id) = delete.into_parts();
        self.effects.push(wire::Effect::Delete((object, id)));
        self
    }
}

impl From<Outcome> for wire::Outcome {
    fn from(outcome: Outcome) -> Self {
        Self {
            patches: outcome.patches,
            effects: outcome.effects,
        }
    }
}

/// The component's `before`.
#[doc(hidden)]
pub fn serve_before<P: Plugin>(call: wire::BeforeCall) -> Result<wire::Outcome, Vec<Issue>> {
    host::report_panics();
    host::issues_or_panic(P::before(Before::new(call))).map(wire::Outcome::from)
}

/// The component's `after`.
#[doc(hidden)]
pub fn serve_after<P: Plugin>(call: wire::AfterCall) -> Result<(), String> {
    host::report_panics();
    P::after(After::new(call)).map_err(|error| error.to_string())
}
