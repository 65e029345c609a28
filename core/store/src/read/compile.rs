//! From the shape of a read to statements and programs. Pure.
//!
//! Each connection, count and log becomes a level; a relation to one becomes a join in the level
//! of its record, shared by all that follow the same relation (members and order alike).

mod log;
mod program;
mod record;

use indexmap::IndexMap;
use relata_catalog::{Catalogue, ColumnType, FieldIndex, ObjectIndex};

use super::bind::{Conversion, Form, Slot};
use super::condition::{
    Scope, Statement, describe, find_relation, find_sorting, find_target, quoted,
};
use super::cursor::{CursorColumn, fingerprint};
use super::order::Term;
use super::plan::{
    Compiled, ConnectionOp, ConnectionProgram, Given, Level, Op, PageArguments, PageQuery, Parent,
    Query, Root, select,
};
use super::{Connection, ConnectionMember, EdgeMember, Member, Page, PageInfoMember, Read};
use crate::filter::{ColumnRef, Direction, Nulls, Operand, Operator, OrderTerm, SystemColumn};
use crate::{Backend, StoreError};
use program::Program;

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

/// Compiles a read for one database and this revision of the catalogue.
///
/// # Errors
/// When the read asks for what a column does not offer, or for too much.
pub fn compile(
    catalogue: &Catalogue,
    backend: Backend,
    read: &Read,
) -> Result<Compiled, CompileError> {
    let mut compiler = Compiler {
        catalogue,
        backend,
        levels: Vec::new(),
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
    })
}

struct Compiler<'c> {
    catalogue: &'c Catalogue,
    backend: Backend,
    levels: Vec<Option<Level>>,
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

/// What a list has beside its columns and tables.
struct PageParts {
    conditions: Vec<String>,
    terms: Vec<Term>,
    /// Whether cursors are written from its rows.
    cursor: bool,
    arguments: PageArguments,
    peek: bool,
    /// What the cursors belong to, beside the order.
    subject: String,
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
        let columns = select_of.checked_columns()?;
        let tail = format!(" FROM {} WHERE t.\"id\" = {place}", select_of.tables);
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

    fn connection(
        &mut self,
        connection: &Connection,
        parent: Option<Parent>,
        position: Position,
    ) -> Result<ConnectionProgram, CompileError> {
        check_depth(position.depth)?;
        let wanted = Wanted::of(&connection.members);
        let count = match wanted.total {
            true => Some(self.count(connection, parent, position.level)?),
            false => None,
        };
        let (page, lists) = match wanted.rows {
            true => {
                let (level, lists) = self.page(connection, parent, position, &wanted)?;
                (Some(level), lists)
            }
            false => (None, Box::default()),
        };
        Ok(connection_program(
            &connection.members,
            &wanted,
            page,
            count,
            lists,
        ))
    }

    fn page(
        &mut self,
        connection: &Connection,
        parent: Option<Parent>,
        position: Position,
        wanted: &Wanted,
    ) -> Result<(usize, Box<[Box<[Op]>]>), CompileError> {
        let scope = Scope {
            object: connection.object,
            alias: "t".to_owned(),
        };
        let object = self.object(connection.object)?;
        let level = self.reserve()?;
        let mut select_of = Select::new(self.statement(parent), level, &object.table, &scope.alias);
        let terms = self.terms(&mut select_of, &scope, &connection.order)?;
        let mut lists: Vec<Box<[Op]>> = Vec::new();
        for member in &connection.members {
            match member {
                ConnectionMember::Nodes { members, .. } => {
                    lists.push(self.record(&mut select_of, &scope, members, position)?);
                }
                ConnectionMember::Edges { members, .. } => {
                    lists.push(self.edge(&mut select_of, &scope, members, position)?);
                }
                _ => {}
            }
        }
        let conditions = self.conditions(&mut select_of.statement, &scope, connection, parent)?;
        let parts = PageParts {
            conditions,
            terms,
            cursor: wanted.cursors,
            arguments: arguments(&connection.page),
            peek: wanted.more,
            subject: object.table.clone(),
        };
        self.finish_page(select_of, parent, position.level, parts)?;
        Ok((level, lists.into()))
    }

    fn finish_page(
        &mut self,
        mut select_of: Select<'c>,
        parent: Option<Parent>,
        depth: usize,
        parts: PageParts,
    ) -> Result<(), CompileError> {
        let cursor: Box<[CursorColumn]> = if parts.cursor {
            parts
                .terms
                .iter()
                .map(|term| CursorColumn {
                    position: select_of.expression(term.expression.clone()),
                    column: term.column,
                })
                .collect()
        } else {
            Box::default()
        };
        let description: String = parts.terms.iter().map(Term::describe).collect();
        let columns = select_of.checked_columns()?;
        let level = select_of.level;
        self.levels[level] = Some(Level {
            index: level,
            depth,
            parent,
            query: Query::Page(Box::new(PageQuery {
                backend: self.backend,
                nested: parent.is_some(),
                columns,
                tables: select_of.tables,
                conditions: parts.conditions,
                slots: select_of.statement.slots,
                terms: parts.terms,
                fingerprint: fingerprint(&format!("{}:{description}", parts.subject)),
                cursor,
                arguments: parts.arguments,
                peek: parts.peek,
                plain: Default::default(),
                variants: Default::default(),
            })),
        });
        Ok(())
    }

    /// Conditions of a connection, whatever its page: of one parent, in or out of the trash, and
    /// the filter.
    fn conditions(
        &self,
        statement: &mut Statement<'c>,
        scope: &Scope,
        connection: &Connection,
        parent: Option<Parent>,
    ) -> Result<Vec<String>, CompileError> {
        let mut conditions = Vec::new();
        match (connection.via, parent) {
            (Some(via), Some(_)) => {
                let (_, key) = find_relation(self.catalogue, connection.object, via)?;
                conditions.push(format!(
                    "{}.{} = {}",
                    scope.alias,
                    quoted(&key),
                    statement.parent()
                ));
            }
            (None, None) => {}
            (None, Some(_)) => return Err(CompileError::Missing("the relation of a nested list")),
            (Some(_), None) => return Err(CompileError::Missing("the record of a nested list")),
        }
        conditions.extend(statement.deleted(&scope.alias, connection.deleted));
        conditions.extend(statement.condition(scope, &connection.filter)?);
        Ok(conditions)
    }

    fn count(
        &mut self,
        connection: &Connection,
        parent: Option<Parent>,
        depth: usize,
    ) -> Result<usize, CompileError> {
        let scope = Scope {
            object: connection.object,
            alias: "t".to_owned(),
        };
        let table = quoted(&self.object(connection.object)?.table);
        let mut statement = self.statement(parent);
        let conditions = self.conditions(&mut statement, &scope, connection, parent)?;
        let mut tail = format!(" FROM {table} AS t");
        if !conditions.is_empty() {
            tail.push_str(" WHERE ");
            tail.push_str(&conditions.join(" AND "));
        }
        self.finish_count(statement, parent, depth, &tail)
    }

    fn finish_count(
        &mut self,
        statement: Statement<'c>,
        parent: Option<Parent>,
        depth: usize,
        tail: &str,
    ) -> Result<usize, CompileError> {
        let level = self.reserve()?;
        let columns = ["count(*)".to_owned()];
        self.levels[level] = Some(Level {
            index: level,
            depth,
            parent,
            query: Query::Fixed {
                sql: select(self.backend, parent.is_some(), &columns, tail).into(),
                slots: statement.slots.into(),
                columns: columns.len(),
            },
        });
        Ok(level)
    }

    /// The terms of an order, up to the first that is unique; the id if none is.
    fn terms(
        &self,
        select_of: &mut Select<'c>,
        scope: &Scope,
        order: &[OrderTerm],
    ) -> Result<Vec<Term>, CompileError> {
        if order.len() > ORDER_TERMS_MAX {
            return Err(CompileError::Limit {
                what: "terms in an order",
                max: ORDER_TERMS_MAX,
            });
        }
        let mut terms: Vec<Term> = Vec::with_capacity(order.len() + 1);
        for term in order {
            let mut at = scope.clone();
            for field in &term.through {
                at = select_of.join(&at, *field)?;
            }
            let found = find_sorting(self.catalogue, at.object, term)?;
            let expression = format!("{}.{}", at.alias, quoted(&found.name));
            // Said twice, the first decides.
            if terms.iter().any(|known| known.expression == expression) {
                continue;
            }
            let own_id =
                term.through.is_empty() && term.column == ColumnRef::System(SystemColumn::Id);
            terms.push(Term {
                expression,
                column: found.column,
                nullable: found.nullable || !term.through.is_empty(),
                direction: term.direction,
                nulls: term.nulls,
            });
            if own_id {
                return Ok(terms);
            }
        }
        terms.push(Term {
            expression: format!("{}.\"id\"", scope.alias),
            column: ColumnType::Reference,
            nullable: false,
            direction: Direction::Ascending,
            nulls: Nulls::Last,
        });
        Ok(terms)
    }

    fn edge(
        &mut self,
        select_of: &mut Select<'c>,
        scope: &Scope,
        members: &[EdgeMember],
        position: Position,
    ) -> Result<Box<[Op]>, CompileError> {
        let mut program = Program::default();
        program.open();
        for member in members {
            match member {
                EdgeMember::Node { key, members } => {
                    program.key(key);
                    let node = self.record(select_of, scope, members, position.deeper())?;
                    program.extend(node);
                }
                EdgeMember::Cursor { key } => {
                    program.key(key);
                    program.op(Op::Cursor {
                        level: select_of.level,
                    });
                }
                EdgeMember::Literal { key, json } => program.literal(key, json),
            }
        }
        program.close();
        Ok(program.finish())
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

/// What a connection's members need.
struct Wanted {
    rows: bool,
    total: bool,
    /// Whether it matters that there are more rows than those written.
    more: bool,
    cursors: bool,
    ends: bool,
}

impl Wanted {
    fn of(members: &[ConnectionMember]) -> Self {
        let mut wanted = Self {
            rows: false,
            total: false,
            more: false,
            cursors: false,
            ends: false,
        };
        for member in members {
            match member {
                ConnectionMember::Nodes { .. } => wanted.rows = true,
                ConnectionMember::Edges { members, .. } => {
                    wanted.rows = true;
                    wanted.cursors |= members
                        .iter()
                        .any(|member| matches!(member, EdgeMember::Cursor { .. }));
                }
                ConnectionMember::PageInfo { members, .. } => wanted.page_info(members),
                ConnectionMember::TotalCount { .. } => wanted.total = true,
                ConnectionMember::Literal { .. } => {}
            }
        }
        wanted
    }

    fn page_info(&mut self, members: &[PageInfoMember]) {
        for member in members {
            match member {
                PageInfoMember::HasNextPage { .. } | PageInfoMember::HasPreviousPage { .. } => {
                    self.rows = true;
                    self.more = true;
                }
                PageInfoMember::StartCursor { .. } | PageInfoMember::EndCursor { .. } => {
                    self.rows = true;
                    self.cursors = true;
                    self.ends = true;
                }
                PageInfoMember::Literal { .. } => {}
            }
        }
    }
}

fn arguments(page: &Page) -> PageArguments {
    let given = |operand: &Option<Operand>| operand.as_ref().map(Given::new);
    PageArguments {
        first: given(&page.first),
        last: given(&page.last),
        offset: given(&page.offset),
        after: given(&page.after),
        before: given(&page.before),
    }
}

fn connection_program(
    members: &[ConnectionMember],
    wanted: &Wanted,
    page: Option<usize>,
    count: Option<usize>,
    lists: Box<[Box<[Op]>]>,
) -> ConnectionProgram {
    let mut program = program::ConnectionWriter::default();
    program.open();
    for member in members {
        match member {
            ConnectionMember::Nodes { key, .. } | ConnectionMember::Edges { key, .. } => {
                program.list(key);
            }
            ConnectionMember::PageInfo { key, members } => program.page_info(key, members),
            ConnectionMember::TotalCount { key } => program.member(key, ConnectionOp::Total),
            ConnectionMember::Literal { key, json } => program.literal(key, json),
        }
    }
    program.finish(page, count, lists, wanted.ends)
}
