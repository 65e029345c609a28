//! From the shape of a read to statements and programs. Pure.
//!
//! Each connection, count and log becomes a level; a relation to one becomes a join in the level
//! of its record, shared by all that follow the same relation (members and order alike).

mod aggregate;
mod connection;
mod group_body;
mod groups;
mod log;
mod measures;
mod ordered;
mod program;
mod quotient;
mod record;

pub use groups::GROUP_KEYS_MAX;

use indexmap::IndexMap;
use relata_catalog::{Catalogue, ColumnType, FieldIndex, ObjectIndex};

use super::bind::{Conversion, Form, Slot};
use super::columns::{describe, find_relation, find_target, quoted};
use super::condition::{Scope, Statement};
use super::known::Known;
use super::plan::{Compiled, GroupInputs, Level, Parent, Query, Root, select};
use super::{Measure, Member, Read};
use crate::filter::{ColumnRef, Operand, Operator};
use crate::pace::Pace;
use crate::{Backend, StoreError};

/// How deep records, lists and parts may be nested in a read.
pub const READ_DEPTH_MAX: usize = 20;
/// Most relations to one that one statement follows: SQLite joins at most 64 tables.
pub const READ_JOINS_MAX: usize = 60;
/// Most columns of one statement: PostgreSQL has at most 1,664 and SQLite 2,000.
pub const READ_COLUMNS_MAX: usize = 1_500;
/// Most statements of one read.
pub const READ_LEVELS_MAX: usize = 500;
/// Most terms of an order.
pub const ORDER_TERMS_MAX: usize = 16;

/// Why a read cannot be compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// The column has no such comparison.
    #[error("{column} cannot be compared by {operator:?}")]
    Unsupported {
        /// Object, field and column.
        column: String,
        /// The comparison.
        operator: Operator,
    },
    /// The column has no order.
    #[error("{column} cannot be ordered by")]
    Unordered {
        /// Object, field and column.
        column: String,
    },
    /// The column has no such measure.
    #[error("{column} has no measure {measure:?}")]
    Unmeasured {
        /// Object, field and column.
        column: String,
        /// What was to be measured.
        measure: Measure,
    },
    /// The read is too large.
    #[error("the query has more {what} than allowed ({max})")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        max: usize,
    },
    /// A field is followed that is not a relation.
    #[error("{field} is not a relation")]
    NoRelation {
        /// The field's key.
        field: String,
    },
    /// The read speaks of something that this revision of the catalogue does not have.
    #[error("the catalogue has no such thing: {0}")]
    Missing(&'static str),
    /// A value known beforehand does not fit its column.
    #[error(transparent)]
    Operand(#[from] StoreError),
}

impl CompileError {
    pub(crate) fn unsupported(
        catalogue: &Catalogue,
        object: ObjectIndex,
        column: ColumnRef,
        operator: Operator,
    ) -> Self {
        Self::Unsupported {
            column: describe(catalogue, object, column),
            operator,
        }
    }
}

/// Where a read will run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// On the connections of a [`super::Reader`], which have functions of ours.
    OnReaders,
    /// In a transaction as well ([`super::Reader::run_in`]).
    Anywhere,
}

/// Compiles a read for one database and this revision of the catalogue.
///
/// # Errors
/// When the read asks for what a column does not offer, or for too much.
pub fn compile(
    catalogue: &Catalogue,
    backend: Backend,
    read: &Read,
    runs: Runs,
) -> Result<Compiled, CompileError> {
    let mut compiler = Compiler {
        catalogue,
        backend,
        runs,
        levels: Vec::new(),
        groups: Vec::new(),
        known: None,
    };
    let root = match read {
        Read::One {
            object,
            id,
            members,
        } => compiler.one(*object, id, members)?,
        Read::Many(connection) => {
            Root::Many(compiler.connection(connection, None, Position { level: 0, depth: 0 })?)
        }
    };
    Ok(Compiled {
        backend,
        root,
        levels: compiler
            .levels
            .into_iter()
            .map(|level| level.expect("each reserved level is filled before its compilation ends"))
            .collect(),
        groups: compiler.groups,
        known: compiler.known,
        pace: Pace::default(),
    })
}

struct Compiler<'c> {
    catalogue: &'c Catalogue,
    backend: Backend,
    runs: Runs,
    levels: Vec<Option<Level>>,
    groups: Vec<GroupInputs>,
    known: Option<Known>,
}

/// A statement over records or a log that is being written, with its columns and joins.
struct Select<'c> {
    statement: Statement<'c>,
    level: usize,
    /// Text of each column, once, at its position.
    columns: IndexMap<String, ()>,
    tables: String,
    joins: Vec<Join>,
}

struct Join {
    from: String,
    field: FieldIndex,
    to: Scope,
}

impl<'c> Select<'c> {
    fn new(statement: Statement<'c>, level: usize, table: &str, alias: &str) -> Self {
        Self {
            statement,
            level,
            columns: IndexMap::new(),
            tables: format!("{} AS {alias}", quoted(table)),
            joins: Vec::new(),
        }
    }

    /// Position of a column in the rows.
    fn column(&mut self, alias: &str, name: &str) -> usize {
        self.expression(format!("{alias}.{}", quoted(name)))
    }

    fn expression(&mut self, text: String) -> usize {
        self.columns.insert_full(text, ()).0
    }

    /// The joined target of a relation: outside the trash, or all its columns are empty.
    fn join(&mut self, scope: &Scope, field: FieldIndex) -> Result<Scope, CompileError> {
        let known = self
            .joins
            .iter()
            .find(|join| join.from == scope.alias && join.field == field);
        if let Some(join) = known {
            return Ok(join.to.clone());
        }
        if self.joins.len() >= READ_JOINS_MAX {
            return Err(CompileError::Limit {
                what: "relations followed in one list",
                max: READ_JOINS_MAX,
            });
        }
        let catalogue = self.statement.catalogue;
        let (relation, key) = find_relation(catalogue, scope.object, field)?;
        let to = Scope {
            object: find_target(catalogue, relation)?,
            alias: self.statement.alias('j'),
        };
        self.tables.push_str(&format!(
            " LEFT JOIN {} AS {alias} ON {alias}.\"id\" = {}.{} AND {alias}.\"_deleted_at\" IS NULL",
            quoted(&catalogue.object(to.object).table),
            scope.alias,
            quoted(&key),
            alias = to.alias,
        ));
        self.joins.push(Join {
            from: scope.alias.clone(),
            field,
            to: to.clone(),
        });
        Ok(to)
    }

    fn checked_columns(&self) -> Result<Vec<String>, CompileError> {
        if self.columns.len() > READ_COLUMNS_MAX {
            return Err(CompileError::Limit {
                what: "columns in one list",
                max: READ_COLUMNS_MAX,
            });
        }
        // A list of which nothing but its length is wanted still needs rows.
        if self.columns.is_empty() {
            return Ok(vec!["1".to_owned()]);
        }
        Ok(self.columns.keys().cloned().collect())
    }
}

impl<'c> Compiler<'c> {
    /// Takes the next position for a level that is compiled while its own nested ones are.
    fn reserve(&mut self) -> Result<usize, CompileError> {
        if self.levels.len() >= READ_LEVELS_MAX {
            return Err(CompileError::Limit {
                what: "lists",
                max: READ_LEVELS_MAX,
            });
        }
        self.levels.push(None);
        Ok(self.levels.len() - 1)
    }

    fn statement(&self, parent: Option<Parent>) -> Statement<'c> {
        Statement::new(self.catalogue, self.backend, parent.is_some())
    }

    fn one(
        &mut self,
        object: ObjectIndex,
        id: &Operand,
        members: &[Member],
    ) -> Result<Root, CompileError> {
        let scope = Scope {
            object,
            alias: "t".to_owned(),
        };
        let table = &self.object(object)?.table;
        let level = self.reserve()?;
        let mut select_of = Select::new(self.statement(None), level, table, &scope.alias);
        let program = self.record(
            &mut select_of,
            &scope,
            members,
            Position { level: 0, depth: 0 },
        )?;
        let conversion = Conversion {
            column: ColumnType::Reference,
            form: Form::Exact,
        };
        let slot = match id {
            Operand::Value(value) => Slot::Constant(conversion.value(self.backend, value)?),
            Operand::Parameter(position) => Slot::Parameter {
                position: *position,
                conversion,
            },
            Operand::List(_) => return Err(CompileError::Missing("a single id")),
        };
        let place = select_of
            .statement
            .place(slot, ColumnType::Reference, false);
        // Other levels are other rows; and what is only read was not written a moment before.
        if self.levels.len() == 1 && self.runs == Runs::Anywhere {
            let columns = select_of.columns.keys();
            self.known = Known::of(self.catalogue, object, &scope.alias, columns);
        }
        let columns = select_of.checked_columns()?;
        let mut tail = format!(" FROM {} WHERE t.\"id\" = {place}", select_of.tables);
        // Another answers for what was merged away. Outside the trash nothing is looked up.
        if self.runs == Runs::OnReaders {
            tail.push_str(
                " AND (t.\"_deleted_at\" IS NULL OR NOT EXISTS \
                 (SELECT 1 FROM relata_merge_loser AS l WHERE l.loser = t.\"id\"))",
            );
        }
        self.levels[level] = Some(Level {
            index: level,
            depth: 0,
            parent: None,
            query: Query::Fixed {
                sql: select(self.backend, false, &columns, &tail).into(),
                slots: select_of.statement.slots.into(),
                columns: columns.len(),
            },
        });
        Ok(Root::One { level, program })
    }

    fn object(&self, index: ObjectIndex) -> Result<&'c relata_catalog::Object, CompileError> {
        self.catalogue
            .objects
            .get(index.0)
            .map(|object| &**object)
            .ok_or(CompileError::Missing("an object"))
    }
}

/// Where in a read something stands.
#[derive(Debug, Clone, Copy)]
struct Position {
    /// Depth of the level whose rows are written.
    level: usize,
    /// How many objects and lists stand around it.
    depth: usize,
}

impl Position {
    fn deeper(self) -> Self {
        Self {
            depth: self.depth + 1,
            ..self
        }
    }

    /// Inside a nested level.
    fn nested(self) -> Self {
        Self {
            level: self.level + 1,
            depth: self.depth + 1,
        }
    }
}

fn check_depth(depth: usize) -> Result<(), CompileError> {
    if depth > READ_DEPTH_MAX {
        return Err(CompileError::Limit {
            what: "levels of nesting",
            max: READ_DEPTH_MAX,
        });
    }
    Ok(())
}
