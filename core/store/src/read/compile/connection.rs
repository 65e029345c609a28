//! Connections: the level of a page, the level that counts, the order, and what is written around
//! the records.

use relata_catalog::{ColumnType, Via};

use super::program::{ConnectionWriter, Program};
use super::{CompileError, Compiler, ORDER_TERMS_MAX, Position, Select, check_depth};
use crate::ddl::begins_an_index;
use crate::filter::{ColumnRef, Direction, Nulls, Operand, OrderTerm, SystemColumn};
use crate::read::columns::find_sorting;
use crate::read::condition::{Scope, Statement};
use crate::read::cursor::{CursorColumn, fingerprint};
use crate::read::lists::listed;
use crate::read::order::Term;
use crate::read::plan::{Given, Level, PageArguments, PageQuery, Parent, Query, select};
use crate::read::program::{AggregateProgram, Body, ConnectionOp, ConnectionProgram, Op};
use crate::read::{Connection, ConnectionMember, EdgeMember, Page, PageInfoMember};

/// What joins the records of a list with the record that has it.
const LINK: &str = "via";

/// What a list has beside its columns and tables.
pub(super) struct PageParts {
    pub(super) conditions: Vec<String>,
    pub(super) terms: Vec<Term>,
    /// Whether cursors are written from its rows.
    pub(super) cursor: bool,
    pub(super) arguments: PageArguments,
    pub(super) peek: bool,
    /// What the cursors belong to, beside the order.
    pub(super) subject: String,
}

impl<'c> Compiler<'c> {
    pub(super) fn connection(
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
        let mut aggregates = Vec::new();
        let mut groups = Vec::new();
        for member in &connection.members {
            match member {
                ConnectionMember::Aggregate { members, .. } => {
                    aggregates.push(self.aggregate(connection, members, parent, position)?);
                }
                ConnectionMember::Groups { groups: one, .. } => {
                    groups.push(self.groups(connection, one, parent, position)?);
                }
                _ => {}
            }
        }
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
            aggregates,
            groups,
        ))
    }

    fn page(
        &mut self,
        connection: &Connection,
        parent: Option<Parent>,
        position: Position,
        wanted: &Wanted,
    ) -> Result<(usize, Box<[Body]>), CompileError> {
        let scope = Scope {
            object: connection.object,
            alias: "t".to_owned(),
        };
        let object = self.object(connection.object)?;
        let level = self.reserve()?;
        let mut select_of = Select::new(self.statement(parent), level, &object.table, &scope.alias);
        let source = self.source(&mut select_of, &scope, connection, parent)?;
        let terms = self.terms(&mut select_of, &scope, connection)?;
        let mut lists: Vec<Body> = Vec::new();
        for member in &connection.members {
            match member {
                ConnectionMember::Nodes { members, .. } => {
                    lists.push(self.record(&mut select_of, &scope, members, position)?);
                }
                ConnectionMember::Edges { members, .. } => {
                    lists.push(self.edge(&mut select_of, &scope, connection, members, position)?);
                }
                _ => {}
            }
        }
        let conditions = self.conditions(&mut select_of.statement, &scope, connection, source)?;
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

    pub(super) fn finish_page(
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

    /// Sets where the records of a connection come from; what must hold of them because of it.
    pub(super) fn source(
        &self,
        select_of: &mut Select<'c>,
        scope: &Scope,
        connection: &Connection,
        parent: Option<Parent>,
    ) -> Result<Option<String>, CompileError> {
        match (connection.via, parent) {
            (Some(via), Some(_)) => {
                let of = select_of.statement.parent();
                let deleted = connection.deleted;
                let listed = listed(self.catalogue, via, scope, LINK, of, deleted)?;
                select_of.tables = listed.tables;
                Ok(Some(listed.condition))
            }
            (None, None) => Ok(None),
            (None, Some(_)) => Err(CompileError::Missing("the relation of a nested list")),
            (Some(_), None) => Err(CompileError::Missing("the record of a nested list")),
        }
    }

    /// Conditions of a connection, whatever its page: of where its records come from, in or out of
    /// the trash, and the filter.
    pub(super) fn conditions(
        &self,
        statement: &mut Statement<'c>,
        scope: &Scope,
        connection: &Connection,
        source: Option<String>,
    ) -> Result<Vec<String>, CompileError> {
        let mut conditions: Vec<String> = source.into_iter().collect();
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
        let table = &self.object(connection.object)?.table;
        let mut counted = Select::new(self.statement(parent), 0, table, &scope.alias);
        let source = self.source(&mut counted, &scope, connection, parent)?;
        let conditions = self.conditions(&mut counted.statement, &scope, connection, source)?;
        let mut tail = format!(" FROM {}", counted.tables);
        and_where(&mut tail, &conditions);
        self.finish_count(counted.statement, parent, depth, &tail)
    }

    pub(super) fn finish_count(
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

    /// The terms of an order, up to the first that is unique; the id if none is. A list along a
    /// tree that is given none begins with the nearest.
    fn terms(
        &self,
        select_of: &mut Select<'c>,
        scope: &Scope,
        connection: &Connection,
    ) -> Result<Vec<Term>, CompileError> {
        let order: &[OrderTerm] = &connection.order;
        if order.len() > ORDER_TERMS_MAX {
            return Err(CompileError::Limit {
                what: "terms in an order",
                max: ORDER_TERMS_MAX,
            });
        }
        let mut terms: Vec<Term> = Vec::with_capacity(order.len() + 1);
        if order.is_empty() && matches!(connection.via, Some(Via::Tree { .. })) {
            terms.push(Term {
                expression: format!("{LINK}.depth"),
                column: ColumnType::Integer,
                nullable: false,
                direction: Direction::Ascending,
                nulls: Nulls::Last,
                indexed: false,
            });
        }
        for term in order {
            let mut at = scope.clone();
            for field in &term.through {
                at = select_of.join(&at, *field)?;
            }
            let found = find_sorting(self.catalogue, at.object, term)?;
            let expression = found.text(self.backend, &at.alias)?;
            // Said twice, the first decides.
            if terms.iter().any(|known| known.expression == expression) {
                continue;
            }
            let own_id =
                term.through.is_empty() && term.column == ColumnRef::System(SystemColumn::Id);
            let object = self.object(at.object)?;
            terms.push(Term {
                indexed: term.through.is_empty()
                    && found
                        .name()
                        .is_some_and(|name| begins_an_index(object, name)),
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
            indexed: true,
        });
        Ok(terms)
    }

    fn edge(
        &mut self,
        select_of: &mut Select<'c>,
        scope: &Scope,
        connection: &Connection,
        members: &[EdgeMember],
        position: Position,
    ) -> Result<Body, CompileError> {
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
                EdgeMember::Link { key, members } => {
                    let Some(Via::Link { object, .. }) = connection.via else {
                        return Err(CompileError::Missing("the link of a list without links"));
                    };
                    let link = Scope {
                        object,
                        alias: LINK.to_owned(),
                    };
                    program.key(key);
                    let body = self.record(select_of, &link, members, position.deeper())?;
                    program.extend(body);
                }
                EdgeMember::Literal { key, json } => program.literal(key, json),
            }
        }
        program.close();
        Ok(program.finish())
    }
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
                ConnectionMember::Aggregate { .. }
                | ConnectionMember::Groups { .. }
                | ConnectionMember::Literal { .. } => {}
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

pub(super) fn arguments(page: &Page) -> PageArguments {
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
    lists: Box<[Body]>,
    aggregates: Vec<AggregateProgram>,
    groups: Vec<ConnectionProgram>,
) -> ConnectionProgram {
    let mut program = ConnectionWriter::default();
    program.open();
    for member in members {
        match member {
            ConnectionMember::Nodes { key, .. } | ConnectionMember::Edges { key, .. } => {
                program.list(key);
            }
            ConnectionMember::PageInfo { key, members } => program.page_info(key, members),
            ConnectionMember::TotalCount { key } => program.member(key, ConnectionOp::Total),
            ConnectionMember::Aggregate { key, .. } => program.aggregate(key),
            ConnectionMember::Groups { key, .. } => program.groups(key),
            ConnectionMember::Literal { key, json } => program.literal(key, json),
        }
    }
    ConnectionProgram {
        aggregates: aggregates.into(),
        groups: groups.into(),
        ..program.finish(page, count, lists, wanted.ends)
    }
}

/// Conditions that all hold, behind what stands after FROM.
pub(super) fn and_where(text: &mut String, conditions: &[String]) {
    if !conditions.is_empty() {
        text.push_str(" WHERE ");
        text.push_str(&conditions.join(" AND "));
    }
}
