//! A world in memory for native tests: records, settings, a log and a clock, with the plugin's own
//! manifest and blueprint in force.
//!
//! ```no_run
//! # use relata_sdk::prelude::*;
//! # struct MyPlugin;
//! # impl Plugin for MyPlugin {}
//! use relata_sdk::testing::{World, assert_rejected};
//!
//! let world = World::of::<MyPlugin>(env!("CARGO_MANIFEST_DIR"));
//! let company = world.seed(records::create("company").set("name", "ACME"));
//! let refused = world.create(records::create("deal").set("company", company));
//! assert_rejected(refused, &[("NO_AMOUNT", "amount")]);
//! ```
//!
//! A write takes the way that it takes in the platform: hooks in their order with the declared
//! inputs by position, patches, required and unique fields, effects as the plugin, then after
//! hooks when the test delivers them; on an error nothing is written. What the manifest doesn't
//! ask for is denied here as it is there. What this is not: the catalogue (lengths, options,
//! ranges, relations are not checked) and the sandbox. For those there is `relata plugin test`.

mod definition;
mod tables;

use std::{cell::RefCell, rc::Rc};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Actor, ActorKind, Change, Error, Issue, Plugin, Reference, Result, Value,
    bindings::{
        hooks::exports::relata::plugin::record_hooks as hooks_wire,
        imports::relata::plugin::{records as wire, types::NamedValue},
        operations::exports::relata::plugin::operations as operations_wire,
    },
    hooks::{After, Before, Outcome},
    host::Host,
    log::Level,
    operations::{Json, Operation},
    records::{Create, Delete, Record, Update},
};
use definition::{Access, Definition, Hook, OperationKind};
use tables::{Row, Tables};

/// How deep writes may cause writes; the platform's default.
const DEPTH_MAX: usize = 8;

thread_local! {
    static CURRENT: RefCell<Option<Rc<Inner>>> = const { RefCell::new(None) };
}

/// A workspace in memory with one plugin in it. It belongs to the thread that made it, one at a
/// time.
#[derive(Debug)]
pub struct World {
    inner: Rc<Inner>,
}

#[derive(Debug)]
struct Inner {
    definition: Definition,
    code: Code,
    state: RefCell<State>,
}

/// The plugin's functions.
#[derive(Debug, Clone, Copy)]
struct Code {
    before: fn(Before) -> Result<Outcome>,
    after: fn(After) -> Result<()>,
    operation: fn(Operation) -> Result<Json>,
}

#[derive(Debug)]
struct State {
    tables: Tables,
    settings: serde_json::Value,
    log: Vec<(Level, String)>,
    now: String,
    actor: Actor,
    /// What the plugin may do at the moment.
    allowed: Allowed,
    depth: usize,
    /// After hooks that wait for [`World::deliver`].
    pending: Vec<hooks_wire::AfterCall>,
    delivered: Vec<hooks_wire::AfterCall>,
    events: u64,
}

/// What a call of the plugin may do with records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Allowed {
    Reads,
    Writes,
}

impl World {
    /// A world with the plugin in `folder`: reads its `plugin.toml`, its blueprint with the
    /// records in it, and its English texts. Settings are the schema's defaults.
    ///
    /// # Panics
    /// When one of the files can't be read, saying which and why.
    #[must_use]
    pub fn of<P: Plugin>(folder: &str) -> Self {
        let definition = Definition::read(folder.as_ref())
            .unwrap_or_else(|message| panic!("testing::World: {message}"));
        let mut tables = Tables::default();
        for (object, values) in &definition.records {
            let row = definition.with_defaults(object, values.clone());
            tables.insert(object, row);
        }
        let inner = Rc::new(Inner {
            code: Code {
                before: P::before,
                after: P::after,
                operation: P::operation,
            },
            state: RefCell::new(State {
                tables,
                settings: definition.settings.clone(),
                log: Vec::new(),
                now: "2026-01-01T00:00:00Z".to_owned(),
                actor: Actor {
                    kind: ActorKind::User,
                    id: "00000000-0000-7000-8000-000000000001".to_owned(),
                },
                allowed: Allowed::Writes,
                depth: 0,
                pending: Vec::new(),
                delivered: Vec::new(),
                events: 0,
            }),
            definition,
        });
        CURRENT.set(Some(Rc::clone(&inner)));
        Self { inner }
    }

    /// Changes one setting.
    pub fn set_setting(&self, name: &str, value: impl Into<serde_json::Value>) {
        self.inner.state.borrow_mut().settings[name] = value.into();
    }

    /// Sets the clock: RFC 3339 in UTC.
    pub fn set_now(&self, now: &str) {
        self.inner.state.borrow_mut().now = now.to_owned();
    }

    /// Who writes from now on. At first: a user.
    pub fn act_as(&self, kind: ActorKind, id: &str) {
        self.inner.state.borrow_mut().actor = Actor {
            kind,
            id: id.to_owned(),
        };
    }

    /// Puts a record there without any hook: what was before the test.
    pub fn seed(&self, create: Create) -> Reference {
        let (object, values) = create.into_parts();
        let values = values.into_iter().map(|named| (named.name, named.value));
        let row = self
            .inner
            .definition
            .with_defaults(&object, values.collect());
        Reference::new(self.inner.state.borrow_mut().tables.insert(&object, row))
    }

    /// Creates a record as the actor, and gives its id.
    ///
    /// # Errors
    /// The plugin's rejection or failure, or what validation says.
    pub fn create(&self, create: Create) -> Result<Reference> {
        let (object, values) = create.into_parts();
        self.inner
            .unit(|inner| inner.create(&object, values))
            .map(Reference::new)
    }

    /// Changes a record as the actor.
    ///
    /// # Errors
    /// The plugin's rejection or failure, or what validation says.
    pub fn update(&self, update: Update) -> Result<()> {
        let (object, id, values) = update.into_parts();
        self.inner
            .unit(|inner| inner.change(Change::Update, &object, &id, values))
    }

    /// Puts a record into the trash as the actor.
    ///
    /// # Errors
    /// The plugin's rejection or failure.
    pub fn delete(&self, delete: Delete) -> Result<()> {
        let (object, id) = delete.into_parts();
        self.inner
            .unit(|inner| inner.change(Change::Delete, &object, &id, Vec::new()))
    }

    /// Destroys a record for good, as the actor.
    ///
    /// # Errors
    /// The plugin's rejection or failure.
    pub fn destroy(&self, object: &str, id: impl AsRef<str>) -> Result<()> {
        self.inner
            .unit(|inner| inner.change(Change::Destroy, object, id.as_ref(), Vec::new()))
    }

    /// Delivers every after hook that waits, and says how many there were. One that fails waits
    /// on.
    ///
    /// # Errors
    /// The first failure.
    pub fn deliver(&self) -> Result<usize> {
        let calls = std::mem::take(&mut self.inner.state.borrow_mut().pending);
        let count = calls.len();
        for (position, call) in calls.iter().enumerate() {
            if let Err(error) = self.inner.after(call.clone()) {
                let mut state = self.inner.state.borrow_mut();
                let failed = calls[position..].to_vec();
                state.pending.splice(0..0, failed);
                return Err(error);
            }
            self.inner.state.borrow_mut().delivered.push(call.clone());
        }
        Ok(count)
    }

    /// Delivers once more everything that was delivered: the platform does so after a crash.
    ///
    /// # Errors
    /// The first failure.
    pub fn deliver_again(&self) -> Result<usize> {
        let calls = self.inner.state.borrow().delivered.clone();
        for call in &calls {
            self.inner.after(call.clone())?;
        }
        Ok(calls.len())
    }

    /// Calls an operation as the actor.
    ///
    /// # Errors
    /// The plugin's rejection or failure. Its writes are undone.
    ///
    /// # Panics
    /// When the manifest has no such operation, the arguments can't be JSON, or the result is not
    /// a `T`.
    pub fn call<T: DeserializeOwned>(&self, name: &str, arguments: impl Serialize) -> Result<T> {
        let kind = *self
            .inner
            .definition
            .operations
            .get(name)
            .unwrap_or_else(|| panic!("plugin.toml has no operation `{name}`"));
        let call = {
            let state = self.inner.state.borrow();
            operations_wire::OperationCall {
                name: name.to_owned(),
                arguments: serde_json::to_string(&arguments).expect("arguments are JSON"),
                actor: state.actor.clone(),
                now: state.now.clone(),
                locale: "en".to_owned(),
            }
        };
        let allowed = match kind {
            OperationKind::Query => Allowed::Reads,
            OperationKind::Mutation => Allowed::Writes,
        };
        let result = self.inner.unit(|inner| {
            inner.in_plugin(allowed, || (inner.code.operation)(Operation::new(call)))
        });
        self.inner.definition.check_texts(&result);
        result.map(|json| {
            serde_json::from_str(json.as_str())
                .unwrap_or_else(|error| panic!("result of `{name}`: {error}: {}", json.as_str()))
        })
    }

    /// A record as a struct, whatever the plugin may read.
    ///
    /// # Panics
    /// When there is no such record, or it is not a `T`.
    #[must_use]
    pub fn read<T: Record>(&self, id: impl AsRef<str>) -> T {
        let id = id.as_ref();
        let state = self.inner.state.borrow();
        let row = state
            .tables
            .get(T::OBJECT, id)
            .unwrap_or_else(|| panic!("no record `{id}` of `{}`", T::OBJECT));
        T::from_values(T::NAMES.iter().map(|name| row.value(name)).collect())
            .unwrap_or_else(|error| panic!("record of `{}`: {error}", T::OBJECT))
    }

    /// All records of `T`'s object outside the trash, oldest first.
    ///
    /// # Panics
    /// When one is not a `T`.
    #[must_use]
    pub fn all<T: Record>(&self) -> Vec<T> {
        let ids: Vec<String> = self
            .inner
            .state
            .borrow()
            .tables
            .rows(T::OBJECT)
            .map(|row| row.id.clone())
            .collect();
        ids.iter().map(|id| self.read(id)).collect()
    }

    /// Id of the record whose field has this value.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn id_of(&self, object: &str, field: &str, value: impl Into<Value>) -> Reference {
        let value = value.into();
        let state = self.inner.state.borrow();
        let row = state
            .tables
            .rows(object)
            .find(|row| row.value(field) == value)
            .unwrap_or_else(|| panic!("no `{object}` whose `{field}` is {value:?}"));
        Reference::new(row.id.clone())
    }

    /// What the plugin has written to the log.
    #[must_use]
    pub fn log(&self) -> Vec<(Level, String)> {
        self.inner.state.borrow().log.clone()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A later world of this thread stays.
        CURRENT.with_borrow_mut(|current| {
            if current
                .as_ref()
                .is_some_and(|current| Rc::ptr_eq(current, &self.inner))
            {
                *current = None;
            }
        });
    }
}

/// Checks that something was rejected with exactly these codes, each with its path (parts joined
/// by points), in this order.
///
/// # Panics
/// When it was not.
#[track_caller]
pub fn assert_rejected<T: std::fmt::Debug>(result: Result<T>, expected: &[(&str, &str)]) {
    match result {
        Err(Error::Rejected(issues)) => {
            let given: Vec<(&str, String)> = issues
                .iter()
                .map(|issue| (issue.code.as_str(), issue.path.join(".")))
                .collect();
            let given: Vec<(&str, &str)> = given
                .iter()
                .map(|(code, path)| (*code, path.as_str()))
                .collect();
            assert_eq!(given, expected, "codes and paths of the rejection");
        }
        other => panic!("expected the rejection {expected:?}, got {other:?}"),
    }
}

impl Inner {
    /// All writes inside happen, or none.
    fn unit<T>(&self, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let (tables, pending) = {
            let state = self.state.borrow();
            (state.tables.clone(), state.pending.len())
        };
        let result = work(self);
        if result.is_err() {
            let mut state = self.state.borrow_mut();
            state.tables = tables;
            state.pending.truncate(pending);
        }
        result
    }

    /// Runs the plugin's code with what it may do.
    fn in_plugin<T>(&self, allowed: Allowed, code: impl FnOnce() -> T) -> T {
        let before = std::mem::replace(&mut self.state.borrow_mut().allowed, allowed);
        let result = code();
        self.state.borrow_mut().allowed = before;
        result
    }

    /// Runs writes as the plugin, one level deeper.
    fn as_plugin<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let actor = {
            let mut state = self.state.borrow_mut();
            if state.depth == DEPTH_MAX {
                return Err(Error::Failed(format!(
                    "hooks cause writes more than {DEPTH_MAX} levels deep"
                )));
            }
            state.depth += 1;
            let plugin = Actor {
                kind: ActorKind::Plugin,
                id: self.definition.id.clone(),
            };
            std::mem::replace(&mut state.actor, plugin)
        };
        let result = work();
        let mut state = self.state.borrow_mut();
        state.actor = actor;
        state.depth -= 1;
        result
    }

    fn create(&self, object: &str, values: Vec<NamedValue>) -> Result<String> {
        self.definition.check_fields(object, &values)?;
        let given = values.into_iter().map(|named| (named.name, named.value));
        let mut row = self.definition.with_defaults(object, given.collect());
        row.id = self.state.borrow_mut().tables.next_id();

        let effects = self.run_before(Change::Create, object, None, &mut row)?;
        self.validate(object, &row)?;
        let id = self.state.borrow_mut().tables.insert(object, row.clone());
        self.queue_after(Change::Create, object, None, &row);
        self.carry_out(effects)?;
        Ok(id)
    }

    fn change(
        &self,
        change: Change,
        object: &str,
        id: &str,
        values: Vec<NamedValue>,
    ) -> Result<()> {
        self.definition.check_fields(object, &values)?;
        let old = self
            .state
            .borrow()
            .tables
            .get(object, id)
            .cloned()
            .ok_or_else(|| Error::Failed(format!("no record `{id}` of `{object}`")))?;
        let mut new = old.clone();
        for named in values {
            new.values.insert(named.name, named.value);
        }
        new.version += 1;

        let effects = self.run_before(change, object, Some(&old), &mut new)?;
        if change == Change::Update {
            self.validate(object, &new)?;
        }
        {
            let mut state = self.state.borrow_mut();
            match change {
                Change::Destroy => state.tables.remove(object, id),
                Change::Delete => {
                    new.deleted = true;
                    state.tables.replace(object, new.clone());
                }
                _ => state.tables.replace(object, new.clone()),
            }
        }
        self.queue_after(change, object, Some(&old), &new);
        self.carry_out(effects)
    }

    /// Runs the before hooks in their order; each sees the patches before it.
    fn run_before(
        &self,
        change: Change,
        object: &str,
        old: Option<&Row>,
        new: &mut Row,
    ) -> Result<Vec<hooks_wire::Effect>> {
        let mut effects = Vec::new();
        for hook in self.definition.hooks(true, object, change) {
            if !concerns(hook, old, new) {
                continue;
            }
            let call = {
                let state = self.state.borrow();
                hooks_wire::BeforeCall {
                    hook: hook.name.clone(),
                    object: object.to_owned(),
                    change,
                    id: new.id.clone(),
                    actor: state.actor.clone(),
                    now: state.now.clone(),
                    old: old.map(|old| old.inputs(&hook.inputs)).unwrap_or_default(),
                    new: new.inputs(&hook.inputs),
                }
            };
            let outcome = self.in_plugin(Allowed::Reads, || (self.code.before)(Before::new(call)));
            self.definition.check_texts(&outcome);
            let outcome = hooks_wire::Outcome::from(outcome?);
            for patch in outcome.patches {
                if !hook.writes.contains(&patch.name) {
                    return Err(Error::Failed(format!(
                        "the hook `{}` patches `{}`, which its `writes` in plugin.toml don't name",
                        hook.name, patch.name
                    )));
                }
                new.values.insert(patch.name, patch.value);
            }
            effects.extend(outcome.effects);
        }
        Ok(effects)
    }

    /// Carries out effects as the plugin.
    fn carry_out(&self, effects: Vec<hooks_wire::Effect>) -> Result<()> {
        for effect in effects {
            self.as_plugin(|| match effect {
                hooks_wire::Effect::Create((object, values)) => {
                    self.definition.allow(Access::Create, &object, &values)?;
                    self.create(&object, values).map(|_| ())
                }
                hooks_wire::Effect::Update((object, id, values)) => {
                    self.definition.allow(Access::Update, &object, &values)?;
                    self.change(Change::Update, &object, &id, values)
                }
                hooks_wire::Effect::Delete((object, id)) => {
                    self.definition.allow(Access::Delete, &object, &[])?;
                    self.change(Change::Delete, &object, &id, Vec::new())
                }
            })?;
        }
        Ok(())
    }

    /// Required and unique fields.
    fn validate(&self, object: &str, row: &Row) -> Result<()> {
        let mut issues = Vec::new();
        for field in self.definition.required(object) {
            if row.value(field) == Value::Null {
                issues.push(Issue {
                    path: vec![field.to_owned()],
                    code: "REQUIRED".to_owned(),
                    params: Vec::new(),
                });
            }
        }
        let state = self.state.borrow();
        for key in self.definition.uniques(object) {
            let values = row.inputs(&key);
            let taken = !values.contains(&Value::Null)
                && state
                    .tables
                    .rows(object)
                    .any(|other| other.id != row.id && other.inputs(&key) == values);
            if taken {
                issues.push(Issue {
                    path: vec![key.join("+")],
                    code: "UNIQUE_VIOLATION".to_owned(),
                    params: Vec::new(),
                });
            }
        }
        if issues.is_empty() {
            Ok(())
        } else {
            Err(Error::Rejected(issues))
        }
    }

    fn queue_after(&self, change: Change, object: &str, old: Option<&Row>, new: &Row) {
        for hook in self.definition.hooks(false, object, change) {
            if !concerns(hook, old, new) {
                continue;
            }
            let mut state = self.state.borrow_mut();
            state.events += 1;
            let call = hooks_wire::AfterCall {
                hook: hook.name.clone(),
                object: object.to_owned(),
                change,
                id: new.id.clone(),
                version: new.version,
                actor: state.actor.clone(),
                at: state.now.clone(),
                idempotency_key: format!("event-{}-{}", state.events, hook.name),
                old: old.map(|old| old.inputs(&hook.inputs)).unwrap_or_default(),
                new: new.inputs(&hook.inputs),
            };
            state.pending.push(call);
        }
    }

    fn after(&self, call: hooks_wire::AfterCall) -> Result<()> {
        self.unit(|_| self.in_plugin(Allowed::Writes, || (self.code.after)(After::new(call))))
    }

    /// A write that the plugin asks for in a call.
    fn plugin_write<T>(
        &self,
        access: Access,
        object: &str,
        values: &[NamedValue],
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T, wire::Error> {
        if self.state.borrow().allowed == Allowed::Reads {
            return Err(wire::Error::Denied(
                "before hooks and queries only read; return writes with the outcome".to_owned(),
            ));
        }
        self.definition
            .allow(access, object, values)
            .map_err(into_wire)?;
        self.as_plugin(work).map_err(into_wire)
    }

    fn allow_read<'a>(
        &self,
        object: &str,
        fields: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), wire::Error> {
        self.definition
            .allow_read(object, fields)
            .map_err(into_wire)
    }
}

/// On update: whether one of the hook's fields changes.
fn concerns(hook: &Hook, old: Option<&Row>, new: &Row) -> bool {
    let Some(old) = old else { return true };
    hook.fields.is_empty()
        || new.deleted != old.deleted
        || hook
            .fields
            .iter()
            .any(|field| old.value(field) != new.value(field))
}

fn into_wire(error: Error) -> wire::Error {
    match error {
        Error::Rejected(issues) => wire::Error::Invalid(issues),
        Error::Failed(detail) => wire::Error::Denied(detail),
    }
}

/// The world on this thread as a host.
pub(crate) struct OnThisThread;

impl OnThisThread {
    fn world() -> Rc<Inner> {
        CURRENT.with_borrow(|current| {
            current
                .clone()
                .expect("make a testing::World on this thread before the plugin's code runs")
        })
    }
}

impl Host for OnThisThread {
    fn get(object: &str, id: &str, fields: &[String]) -> Result<Option<wire::Stored>, wire::Error> {
        let world = Self::world();
        world.allow_read(object, fields.iter().map(String::as_str))?;
        let state = world.state.borrow();
        Ok(state.tables.live(object, id).map(|row| row.stored(fields)))
    }

    fn find(query: &wire::Query) -> Result<Vec<wire::Stored>, wire::Error> {
        let world = Self::world();
        let fields = query.fields.iter().map(String::as_str);
        let conditions = query
            .conditions
            .iter()
            .map(|condition| condition.field.as_str());
        let order = query.order.iter().map(|(field, _)| field.as_str());
        world.allow_read(&query.object, fields.chain(conditions).chain(order))?;
        Ok(world.state.borrow().tables.find(query))
    }

    fn total(
        object: &str,
        field: &str,
        conditions: &[wire::Condition],
    ) -> Result<wire::Totals, wire::Error> {
        let world = Self::world();
        let fields = conditions.iter().map(|condition| condition.field.as_str());
        world.allow_read(object, fields.chain([field]))?;
        Ok(world.state.borrow().tables.total(object, field, conditions))
    }

    fn create(object: &str, values: &[NamedValue]) -> Result<String, wire::Error> {
        let world = Self::world();
        world.plugin_write(Access::Create, object, values, || {
            world.create(object, values.to_vec())
        })
    }

    fn update(object: &str, id: &str, values: &[NamedValue]) -> Result<(), wire::Error> {
        let world = Self::world();
        world.plugin_write(Access::Update, object, values, || {
            world.change(Change::Update, object, id, values.to_vec())
        })
    }

    fn delete(object: &str, id: &str) -> Result<(), wire::Error> {
        let world = Self::world();
        world.plugin_write(Access::Delete, object, &[], || {
            world.change(Change::Delete, object, id, Vec::new())
        })
    }

    fn settings() -> String {
        Self::world().state.borrow().settings.to_string()
    }

    fn log(level: Level, message: &str) {
        let world = Self::world();
        world
            .state
            .borrow_mut()
            .log
            .push((level, message.to_owned()));
    }
}
