//! What a read has been compiled to: the statement of each level, and the program that writes
//! JSON from their rows.
//!
//! A *level* is one statement: that of the root, of a list of related records, of a count, of a
//! log. Relations to one are joined into their level. On SQLite a nested level runs once for each
//! parent; on PostgreSQL once for all of them, with their ids as an array, and each row says in
//! its last column to which of them it belongs (counted from 1).

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use relata_catalog::{ColumnType, Value};

use super::bind::{Bind, Slot};
use super::buckets::Zone;
use super::condition::position;
use super::cursor::{CursorColumn, CursorKey, read_cursor};
use super::known::Known;
use super::order::{Among, Part, Term, beyond, beyond_among, in_parts, order_by, parts};
use super::program::{ConnectionProgram, Op};
use super::{Parameter, Parameters};
use crate::filter::Operand;
use crate::pace::Pace;
use crate::{Backend, StoreError};

/// Size of a page when neither `first` nor `last` is given. Callers give one.
pub(crate) const PAGE_DEFAULT: i64 = 50;

/// Most texts kept of one level: they differ by direction and by which values of a cursor are
/// empty.
const VARIANTS_MAX: usize = 64;

/// A read, compiled for one database and one revision of the catalogue. Runs any number of times,
/// on any thread.
#[derive(Debug)]
pub struct Compiled {
    pub(crate) backend: Backend,
    pub(crate) root: Root,
    pub(crate) levels: Vec<Level>,
    pub(crate) groups: Vec<GroupInputs>,
    pub(crate) pace: Pace,
    /// Of a record, where all that is selected of it stands in its own row.
    pub(crate) known: Option<Known>,
}

impl Compiled {
    /// The statements' texts, as they are without cursors: the root first.
    pub fn statements(&self) -> impl Iterator<Item = Arc<str>> {
        self.levels.iter().map(|level| level.query.plain())
    }

    /// How many statements after each other PostgreSQL needs at most: the depth of the levels.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.levels
            .iter()
            .map(|level| level.depth + 1)
            .max()
            .unwrap_or_default()
    }
}

/// What a list of groups needs to say which records are theirs.
#[derive(Debug)]
pub(crate) struct GroupInputs {
    /// The zone's table.
    pub(crate) zone: Option<(Operand, Operand)>,
    /// The connection's filter as it was given.
    pub(crate) filter: Option<Operand>,
}

/// The same for one execution.
#[derive(Debug)]
pub(crate) struct GroupContext {
    pub(crate) zone: Zone,
    /// What each `where` begins with: JSON text up to the inside of `and: […]`.
    pub(crate) begin: String,
}

impl GroupInputs {
    fn context(&self, parameters: &Parameters) -> Result<GroupContext, StoreError> {
        let given = |operand: &Operand| match operand {
            Operand::Value(value) => Ok(Parameter::Value(value.clone())),
            Operand::List(values) => Ok(Parameter::List(values.clone())),
            Operand::Parameter(position) => parameter(parameters, *position).cloned(),
        };
        let zone = match &self.zone {
            Some((starts, offsets)) => Zone::of(&given(starts)?, &given(offsets)?)?,
            None => Zone::default(),
        };
        let begin = match self.filter.as_ref().map(given).transpose()? {
            Some(Parameter::Value(Value::Json(filter))) => begin(&filter),
            _ => "{\"and\":[".to_owned(),
        };
        Ok(GroupContext { zone, begin })
    }
}

/// A filter, open at the end of its own `and`: it nests no deeper than it did.
fn begin(filter: &serde_json::Value) -> String {
    let mut text = "{".to_owned();
    let members = filter.as_object().into_iter().flatten();
    for (name, value) in members.filter(|(name, _)| *name != "and") {
        text.push_str(&format!(
            "{}:{value},",
            serde_json::Value::from(name.as_str())
        ));
    }
    text.push_str("\"and\":[");
    match &filter["and"] {
        serde_json::Value::Array(parts) => {
            parts
                .iter()
                .for_each(|part| text.push_str(&format!("{part},")));
        }
        serde_json::Value::Null => {}
        // GraphQL takes one for a list of one.
        one => text.push_str(&format!("{one},")),
    }
    text
}

/// What is written at the root.
#[derive(Debug)]
pub(crate) enum Root {
    /// One record of a level, or `null`.
    One { level: usize, program: Box<[Op]> },
    /// A connection.
    Many(ConnectionProgram),
}

/// One statement.
#[derive(Debug)]
pub(crate) struct Level {
    /// Its position in [`Compiled::levels`].
    pub(crate) index: usize,
    /// How many levels stand above it.
    pub(crate) depth: usize,
    pub(crate) parent: Option<Parent>,
    pub(crate) query: Query,
}

/// Where a nested level finds the ids of its parents.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parent {
    pub(crate) level: usize,
    pub(crate) column: usize,
    /// Whether each id occurs once: they are the level's own records, not joined ones.
    pub(crate) distinct: bool,
}

/// A statement's text and its values.
#[derive(Debug)]
pub(crate) enum Query {
    Fixed {
        sql: Arc<str>,
        slots: Box<[Slot]>,
        /// How many columns it asks for.
        columns: usize,
    },
    Page(Box<PageQuery>),
}

impl Query {
    fn plain(&self) -> Arc<str> {
        match self {
            Self::Fixed { sql, .. } => Arc::clone(sql),
            Self::Page(page) => Arc::clone(&page.plain().sql),
        }
    }
}

/// A statement for a part of an ordered list.
#[derive(Debug)]
pub(crate) struct PageQuery {
    pub(crate) backend: Backend,
    pub(crate) nested: bool,
    /// What stands between SELECT and FROM, column by column.
    pub(crate) columns: Vec<String>,
    /// What stands behind FROM.
    pub(crate) tables: String,
    pub(crate) conditions: Vec<String>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) terms: Vec<Term>,
    pub(crate) fingerprint: u64,
    /// Where the terms' values stand in the rows, when cursors are written.
    pub(crate) cursor: Box<[CursorColumn]>,
    pub(crate) arguments: PageArguments,
    /// Whether one row more is asked for, to see whether there are more.
    pub(crate) peek: bool,
    pub(crate) plain: OnceLock<Arc<Variant>>,
    pub(crate) variants: RwLock<HashMap<VariantKey, Arc<Variant>>>,
}

/// Where the arguments of a page come from.
#[derive(Debug, Default)]
pub(crate) struct PageArguments {
    pub(crate) first: Option<Given>,
    pub(crate) last: Option<Given>,
    pub(crate) offset: Option<Given>,
    pub(crate) after: Option<Given>,
    pub(crate) before: Option<Given>,
}

/// An argument of a page.
#[derive(Debug)]
pub(crate) enum Given {
    Constant(Value),
    Parameter(usize),
}

impl Given {
    pub(crate) fn new(operand: &Operand) -> Self {
        match operand {
            Operand::Value(value) => Self::Constant(value.clone()),
            // Not a form of any page argument: refused when it is read.
            Operand::List(_) => Self::Constant(Value::Choices(Vec::new())),
            Operand::Parameter(position) => Self::Parameter(*position),
        }
    }

    fn value<'v>(&'v self, parameters: &'v Parameters) -> Result<Option<&'v Value>, StoreError> {
        match self {
            Self::Constant(value) => Ok(Some(value)),
            Self::Parameter(position) => match parameter(parameters, *position)? {
                Parameter::Value(Value::Null) | Parameter::Absent => Ok(None),
                Parameter::Value(value) => Ok(Some(value)),
                Parameter::List(_) => Err(page_argument()),
            },
        }
    }

    fn number(given: Option<&Self>, parameters: &Parameters) -> Result<Option<i64>, StoreError> {
        match given.map(|given| given.value(parameters)).transpose()? {
            Some(Some(Value::Integer(number))) if *number >= 0 => Ok(Some(*number)),
            Some(Some(_)) => Err(page_argument()),
            _ => Ok(None),
        }
    }

    fn text<'v>(
        given: Option<&'v Self>,
        parameters: &'v Parameters,
    ) -> Result<Option<&'v str>, StoreError> {
        match given.map(|given| given.value(parameters)).transpose()? {
            Some(Some(Value::Text(text))) => Ok(Some(text)),
            Some(Some(_)) => Err(StoreError::BadCursor),
            _ => Ok(None),
        }
    }
}

fn page_argument() -> StoreError {
    StoreError::value("page", "expected a number that is not negative")
}

fn parameter(parameters: &Parameters, position: usize) -> Result<&Parameter, StoreError> {
    parameters.get(position).ok_or_else(|| {
        StoreError::value(
            "parameters",
            format!("there is no parameter at position {position}"),
        )
    })
}

/// What the text of a page depends on, beside the shape of the read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct VariantKey {
    pub(crate) backwards: bool,
    pub(crate) offset: bool,
    /// For each value of the cursor, whether it is empty.
    pub(crate) after: Option<Vec<bool>>,
    pub(crate) before: Option<Vec<bool>>,
}

impl VariantKey {
    /// Of the cursors that there are: whether the page ends there, and which values are empty.
    fn cursors(&self) -> impl Iterator<Item = (bool, &[bool])> {
        [(false, &self.after), (true, &self.before)]
            .into_iter()
            .filter_map(|(ends, empty)| Some((ends, empty.as_deref()?)))
    }
}

/// One of the texts of a page.
#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) sql: Arc<str>,
    pub(crate) slots: Box<[Slot]>,
}

impl PageQuery {
    fn plain(&self) -> &Arc<Variant> {
        self.plain
            .get_or_init(|| Arc::new(self.write(&VariantKey::default())))
    }

    fn variant(&self, key: VariantKey) -> Arc<Variant> {
        if key == VariantKey::default() {
            return Arc::clone(self.plain());
        }
        let known = self
            .variants
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned();
        known.unwrap_or_else(|| {
            let variant = Arc::new(self.write(&key));
            let mut variants = self
                .variants
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            if variants.len() < VARIANTS_MAX {
                variants.insert(key, Arc::clone(&variant));
            }
            variant
        })
    }

    fn write(&self, key: &VariantKey) -> Variant {
        let mut slots = self.slots.clone();
        let reserved = usize::from(self.nested);
        let mut place = |slot: Slot, column: ColumnType| {
            // A value that stands twice in the text has one place.
            let known = slots
                .iter()
                .skip(self.slots.len())
                .position(|known| *known == slot);
            let index = known.map_or_else(
                || {
                    slots.push(slot);
                    slots.len() - 1
                },
                |known| self.slots.len() + known,
            );
            position(self.backend, reserved + index + 1, column, false)
        };
        let bounded = key.cursors().next().is_some();
        let sql = if in_parts(self.backend, &self.terms, key.backwards, bounded) {
            let parts: Vec<_> = parts(&self.terms, key.backwards)
                .into_iter()
                .filter_map(|part| {
                    let conditions = self.conditions_of(part, key, &mut place)?;
                    Some((part, conditions))
                })
                .collect();
            self.text_of_parts(&parts, key, &mut place)
        } else {
            let mut conditions = self.conditions.clone();
            for (turn, empty) in key.cursors() {
                conditions.push(beyond(&self.terms, empty, turn, |index| {
                    place(Slot::of_cursor(turn, index), self.terms[index].column)
                }));
            }
            self.text(&conditions, key, &mut place)
        };
        Variant {
            sql: sql.into(),
            slots: slots.into(),
        }
    }

    /// The conditions of one part of the page, or nothing where cursors leave nothing of it.
    fn conditions_of(
        &self,
        part: Part,
        key: &VariantKey,
        place: &mut impl FnMut(Slot, ColumnType) -> String,
    ) -> Option<Vec<String>> {
        let among = |(turn, empty)| Among::of(part, &self.terms, empty, turn);
        // Before any value has a place: one that the text does not name has no type.
        if key.cursors().any(|cursor| among(cursor) == Among::None) {
            return None;
        }
        let mut conditions = self.conditions.clone();
        conditions.push(part.condition(&self.terms));
        for (turn, empty) in key.cursors() {
            if among((turn, empty)) == Among::Some {
                conditions.push(beyond_among(&self.terms, empty, turn, |index| {
                    place(Slot::of_cursor(turn, index), self.terms[index].column)
                }));
            }
        }
        Some(conditions)
    }

    fn text(
        &self,
        conditions: &[String],
        key: &VariantKey,
        place: &mut impl FnMut(Slot, ColumnType) -> String,
    ) -> String {
        let order = order_by(self.backend, &self.terms, key.backwards);
        let tail = format!(
            "{} ORDER BY {order}{}",
            self.from(conditions),
            limits(key, place)
        );
        select(self.backend, self.nested, &self.columns, &tail)
    }

    /// The parts, each by an index, put together in the order of all. SQLite merges them while it
    /// runs; PostgreSQL is told to take no more of each than there is room for.
    fn text_of_parts(
        &self,
        parts: &[(Part, Vec<String>)],
        key: &VariantKey,
        place: &mut impl FnMut(Slot, ColumnType) -> String,
    ) -> String {
        let own = self.columns.iter().enumerate();
        let own = own.map(|(index, column)| format!("{column} AS c{index}"));
        let sorting = self.terms.iter().enumerate();
        let sorting = sorting.map(|(index, term)| format!("{} AS k{index}", term.expression));
        let columns = own.chain(sorting).collect::<Vec<_>>().join(", ");
        let selects = parts.iter().map(|(part, conditions)| {
            let select = format!("SELECT {columns}{}", self.from(conditions));
            if self.backend == Backend::Sqlite {
                return select;
            }
            let terms = part.terms(&self.terms);
            let order = order_by(self.backend, &terms, key.backwards);
            let mut most = place(Slot::Limit, ColumnType::Integer);
            if key.offset {
                most = format!("{most} + {}", place(Slot::Offset, ColumnType::Integer));
            }
            format!("({select} ORDER BY {order} LIMIT {most})")
        });
        let selects = match parts {
            // Cursors that leave nothing between them.
            [] => format!(
                "SELECT {columns}{} AND FALSE",
                self.from(&["TRUE".to_owned()])
            ),
            _ => selects.collect::<Vec<_>>().join(" UNION ALL "),
        };
        let named: Vec<Term> = (0..self.terms.len())
            .map(|index| Term {
                expression: format!("k{index}"),
                ..self.terms[index].clone()
            })
            .collect();
        let order = order_by(self.backend, &named, key.backwards);
        let tail = format!(" ORDER BY {order}{}", limits(key, place));
        if self.backend == Backend::Sqlite {
            return format!("{selects}{tail}");
        }
        let names: Vec<String> = (0..self.columns.len())
            .map(|index| format!("u.c{index}"))
            .collect();
        select(
            self.backend,
            self.nested,
            &names,
            &format!(" FROM ({selects}) AS u{tail}"),
        )
    }

    fn from(&self, conditions: &[String]) -> String {
        let mut text = format!(" FROM {}", self.tables);
        if !conditions.is_empty() {
            text.push_str(" WHERE ");
            text.push_str(&conditions.join(" AND "));
        }
        text
    }
}

fn limits(key: &VariantKey, place: &mut impl FnMut(Slot, ColumnType) -> String) -> String {
    let mut text = format!(" LIMIT {}", place(Slot::Limit, ColumnType::Integer));
    if key.offset {
        text.push_str(&format!(
            " OFFSET {}",
            place(Slot::Offset, ColumnType::Integer)
        ));
    }
    text
}

/// A SELECT of these columns; on PostgreSQL, where it is nested, once for each parent.
pub(crate) fn select(backend: Backend, nested: bool, columns: &[String], tail: &str) -> String {
    if !nested || backend == Backend::Sqlite {
        return format!("SELECT {}{tail}", columns.join(", "));
    }
    let named: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| format!("{column} AS c{index}"))
        .collect();
    format!(
        "SELECT c.*, p.ord FROM unnest($1::uuid[]) WITH ORDINALITY AS p(id, ord) CROSS JOIN LATERAL (SELECT {}{tail}) AS c",
        named.join(", ")
    )
}

/// A level with its values, for one execution.
#[derive(Debug)]
pub(crate) struct Bound<'p> {
    pub(crate) sql: Arc<str>,
    /// In the order of their positions; a nested level's parent stands before them.
    pub(crate) binds: Vec<Cow<'p, Bind>>,
    pub(crate) window: Window,
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Window {
    /// Most rows to write; those behind are there to see that there are more.
    pub(crate) size: usize,
    /// Rows come from the end.
    pub(crate) backwards: bool,
    /// Whether rows stand before the window that the statement does not show.
    pub(crate) skips_front: bool,
    /// Whether rows stand behind it that the statement does not show.
    pub(crate) skips_back: bool,
}

/// One execution: all values are in place, no statement has run.
#[derive(Debug)]
pub(crate) struct Execution<'p> {
    pub(crate) compiled: &'p Compiled,
    pub(crate) levels: Vec<Bound<'p>>,
    pub(crate) groups: Vec<GroupContext>,
}

impl<'p> Execution<'p> {
    /// Brings parameters and cursors into their places.
    pub(crate) fn new(
        compiled: &'p Compiled,
        parameters: &Parameters,
        key: &CursorKey,
    ) -> Result<Self, StoreError> {
        let levels = compiled
            .levels
            .iter()
            .map(|level| level.bind(compiled.backend, parameters, key))
            .collect::<Result<_, _>>()?;
        let groups = compiled
            .groups
            .iter()
            .map(|inputs| inputs.context(parameters))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            compiled,
            levels,
            groups,
        })
    }

    pub(crate) fn window(&self, level: usize) -> Window {
        self.levels[level].window
    }
}

impl Level {
    /// On PostgreSQL, where a nested level's rows say to which parent they belong.
    pub(crate) fn last_column(&self) -> usize {
        match &self.query {
            Query::Fixed { columns, .. } => *columns,
            Query::Page(page) => page.columns.len(),
        }
    }

    fn bind<'p>(
        &'p self,
        backend: Backend,
        parameters: &Parameters,
        key: &CursorKey,
    ) -> Result<Bound<'p>, StoreError> {
        match &self.query {
            Query::Fixed { sql, slots, .. } => Ok(Bound {
                sql: Arc::clone(sql),
                binds: slots
                    .iter()
                    .map(|slot| bind_slot(slot, backend, parameters))
                    .collect::<Result<_, _>>()?,
                window: Window {
                    size: usize::MAX,
                    ..Window::default()
                },
            }),
            Query::Page(page) => page.bind(parameters, key),
        }
    }
}

impl PageQuery {
    fn bind<'p>(
        &'p self,
        parameters: &Parameters,
        key: &CursorKey,
    ) -> Result<Bound<'p>, StoreError> {
        let arguments = &self.arguments;
        let first = Given::number(arguments.first.as_ref(), parameters)?;
        let last = Given::number(arguments.last.as_ref(), parameters)?;
        let offset = Given::number(arguments.offset.as_ref(), parameters)?.filter(|rows| *rows > 0);
        let after = self.cursor_values(arguments.after.as_ref(), parameters, key)?;
        let before = self.cursor_values(arguments.before.as_ref(), parameters, key)?;
        let backwards = first.is_none() && last.is_some();
        let size = first.or(last).unwrap_or(PAGE_DEFAULT);
        let window = Window {
            size: usize::try_from(size).unwrap_or(usize::MAX),
            backwards,
            skips_front: after.is_some() || (offset.is_some() && !backwards),
            skips_back: before.is_some() || (offset.is_some() && backwards),
        };
        let emptiness = |values: &Option<Vec<Bind>>| {
            values.as_ref().map(|values| {
                values
                    .iter()
                    .map(|value| matches!(value, Bind::Null(_)))
                    .collect()
            })
        };
        let variant = self.variant(VariantKey {
            backwards,
            offset: offset.is_some(),
            after: emptiness(&after),
            before: emptiness(&before),
        });
        let cursor_value = |values: &Option<Vec<Bind>>, index: usize| {
            let values = values
                .as_ref()
                .expect("the text has places for a cursor that is there");
            Cow::Owned(values[index].clone())
        };
        let binds = variant
            .slots
            .iter()
            .enumerate()
            .map(|(index, slot)| match slot {
                Slot::Limit => Ok(Cow::Owned(Bind::Integer(
                    size.saturating_add(i64::from(self.peek)),
                ))),
                Slot::Offset => Ok(Cow::Owned(Bind::Integer(offset.unwrap_or_default()))),
                Slot::After(value) => Ok(cursor_value(&after, *value)),
                Slot::Before(value) => Ok(cursor_value(&before, *value)),
                // The variant's first slots are those of the page itself, which lives longer.
                Slot::Constant(_) | Slot::Parameter { .. } => {
                    bind_slot(&self.slots[index], self.backend, parameters)
                }
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(Bound {
            sql: Arc::clone(&variant.sql),
            binds,
            window,
        })
    }

    fn cursor_values(
        &self,
        given: Option<&Given>,
        parameters: &Parameters,
        key: &CursorKey,
    ) -> Result<Option<Vec<Bind>>, StoreError> {
        let Some(text) = Given::text(given, parameters)? else {
            return Ok(None);
        };
        let columns: Vec<ColumnType> = self.terms.iter().map(|term| term.column).collect();
        read_cursor(self.backend, key, self.fingerprint, &columns, text).map(Some)
    }
}

fn bind_slot<'p>(
    slot: &'p Slot,
    backend: Backend,
    parameters: &Parameters,
) -> Result<Cow<'p, Bind>, StoreError> {
    match slot {
        Slot::Constant(bind) => Ok(Cow::Borrowed(bind)),
        Slot::Parameter {
            position,
            conversion,
        } => conversion
            .parameter(backend, parameter(parameters, *position)?)
            .map(Cow::Owned),
        Slot::Limit | Slot::Offset | Slot::After(_) | Slot::Before(_) => Err(StoreError::value(
            "page",
            "a statement without a page has a place for one",
        )),
    }
}
