//! Groups: a page over the groups of a connection's records, keyset and all, as a page over
//! records is one. What is grouped stands in a select of its own, in the place of a table.

use relata_catalog::ColumnType;

use super::aggregate::{Measures, Ordered};
use super::connection::{PageParts, and_where, arguments};
use super::program::{ConnectionWriter, Program};
use super::record::{plain_cell, stage_texts};
use super::{CompileError, Compiler, ORDER_TERMS_MAX, Position, Select, check_depth};
use crate::filter::{ColumnRef, Direction, Nulls, Operator, SystemColumn};
use crate::read::bind::Form;
use crate::read::buckets::bucket_text;
use crate::read::columns::{describe, find_column, find_folded, quoted};
use crate::read::condition::{Scope, Statement};
use crate::read::cursor::fingerprint;
use crate::read::order::Term;
use crate::read::plan::{GroupInputs, Level, Query, select};
use crate::read::program::{Body, Cell, ConnectionProgram, KeyCondition, KeyValue, Op, StageTexts};
use crate::read::{
    Connection, GroupBy, GroupKey, GroupMeasure, GroupMember, GroupOrderBy, Groups, Having,
    KeyMember, LogConnectionMember, PageInfoMember, StageMember,
};

/// Most keys that records are grouped by.
pub const GROUP_KEYS_MAX: usize = 16;

/// A key, once its text is known.
struct Key {
    /// Position of its first column among the keys' columns.
    column: usize,
    form: KeyForm,
    /// Position of the measure that orders it before it does itself: a text's folded key.
    folded: Option<usize>,
}

enum KeyForm {
    Column(ColumnType),
    Span(crate::read::Span, ColumnType),
    Stage(StageTexts),
}

impl Key {
    /// Types of its columns.
    fn columns(&self) -> &[ColumnType] {
        match &self.form {
            KeyForm::Column(column) => std::slice::from_ref(column),
            KeyForm::Span(..) => &[ColumnType::Date],
            KeyForm::Stage(_) => &[ColumnType::Text, ColumnType::Text],
        }
    }
}

impl<'c> Compiler<'c> {
    pub(super) fn groups(
        &mut self,
        connection: &Connection,
        groups: &Groups,
        position: Position,
    ) -> Result<ConnectionProgram, CompileError> {
        check_depth(position.depth + 1)?;
        if groups.by.is_empty() || groups.by.len() > GROUP_KEYS_MAX {
            return Err(CompileError::Limit {
                what: "keys of groups",
                max: GROUP_KEYS_MAX,
            });
        }
        let level = self.reserve()?;
        let scope = Scope {
            object: connection.object,
            alias: "t".to_owned(),
        };
        let table = &self.object(connection.object)?.table;
        let mut records = Select::new(self.statement(None), level, table, &scope.alias);
        let mut measures = Measures::new(self.backend);
        let (keys, texts) = self.keys(&mut records, &mut measures, &scope, groups)?;
        let aggregates = self.group_aggregates(&mut measures, &scope, groups)?;
        let conditions = self.conditions(&mut records.statement, &scope, connection, None)?;
        let having = self.having(
            &mut records.statement,
            &mut measures,
            &scope,
            &groups.having,
        )?;
        let terms = self.group_terms(&mut measures, &scope, groups, &keys)?;
        let mut from = format!(" FROM {}", records.tables);
        and_where(&mut from, &conditions);
        let tables = format!("({}) AS g", measures.text(&texts, &from));
        let having: Vec<String> = having.into_iter().collect();

        let mut select_of = Select::new(records.statement, level, "", "");
        select_of.tables = tables.clone();
        // Measures stand first, at the positions that their programs know.
        for column in measures.columns("g")? {
            select_of.expression(column);
        }
        let first_key = select_of.columns.len();
        for index in 0..texts.len() {
            select_of.expression(format!("g.k{index}"));
        }
        let count = match wants_count(&groups.members) {
            true => Some(self.group_count(&select_of.statement, &tables, &having, position)?),
            false => None,
        };
        let wanted = Wanted::of(&groups.members);
        let lists = groups
            .members
            .iter()
            .filter_map(|member| match member {
                LogConnectionMember::Nodes { members, .. } => Some(members),
                _ => None,
            })
            .zip(aggregates)
            .map(|(members, aggregates)| group_body(members, groups, &keys, first_key, aggregates))
            .collect::<Result<Vec<_>, _>>()?;
        let description: String = texts.join(";");
        let parts = PageParts {
            conditions: having,
            terms,
            cursor: wanted.cursors,
            arguments: arguments(&groups.page),
            peek: wanted.more,
            subject: format!("{table}:{:x}", fingerprint(&description)),
        };
        self.finish_page(select_of, None, position.level, parts)?;
        self.group_inputs.get_or_insert(GroupInputs {
            zone: groups
                .zone
                .as_ref()
                .map(|zone| (zone.starts.clone(), zone.offsets.clone())),
            filter: groups.filter.clone(),
        });
        let mut program = ConnectionWriter::default();
        program.open();
        program.log(&groups.members);
        Ok(program.finish(Some(level), count, lists.into(), wanted.cursors))
    }

    /// The keys, and the texts of their columns.
    fn keys(
        &self,
        records: &mut Select<'c>,
        measures: &mut Measures,
        scope: &Scope,
        groups: &Groups,
    ) -> Result<(Vec<Key>, Vec<String>), CompileError> {
        let mut zone = None;
        let mut texts = Vec::new();
        let mut keys = Vec::with_capacity(groups.by.len());
        for GroupKey { through, by, .. } in &groups.by {
            let mut at = scope.clone();
            for field in through {
                at = records.join(&at, *field)?;
            }
            let text = |name: &str| format!("{}.{}", at.alias, quoted(name));
            let column = texts.len();
            let (form, folded) = match by {
                GroupBy::Column(column) => {
                    let found = find_column(self.catalogue, at.object, *column)?;
                    if matches!(found.column, ColumnType::Json | ColumnType::TextList) {
                        return Err(CompileError::Unordered {
                            column: describe(self.catalogue, at.object, *column),
                        });
                    }
                    let folded = find_folded(self.catalogue, at.object, *column)?
                        .map(|folded| measures.greatest(text(&folded.name)));
                    texts.push(text(&found.name));
                    (KeyForm::Column(found.column), folded)
                }
                GroupBy::Span { column, span } => {
                    let found = find_column(self.catalogue, at.object, *column)?;
                    let zone = match found.column {
                        ColumnType::Date => None,
                        ColumnType::DateTime => {
                            if zone.is_none() {
                                zone = Some(zone_texts(&mut records.statement, groups)?);
                            }
                            zone.as_ref()
                        }
                        _ => {
                            return Err(CompileError::Missing("a time in this column"));
                        }
                    };
                    texts.push(bucket_text(self.backend, *span, &text(&found.name), zone));
                    (KeyForm::Span(*span, found.column), None)
                }
                GroupBy::Stage { field, conditions } => {
                    for part in [0, 1] {
                        let part = ColumnRef::Field {
                            field: *field,
                            part,
                        };
                        let found = find_column(self.catalogue, at.object, part)?;
                        texts.push(text(&found.name));
                    }
                    (KeyForm::Stage(stage_texts(conditions)), None)
                }
            };
            keys.push(Key {
                column,
                form,
                folded,
            });
        }
        Ok((keys, texts))
    }

    /// Of each list of groups, the aggregates in their order.
    fn group_aggregates(
        &self,
        measures: &mut Measures,
        scope: &Scope,
        groups: &Groups,
    ) -> Result<Vec<Vec<Body>>, CompileError> {
        let mut lists = Vec::new();
        for member in &groups.members {
            let LogConnectionMember::Nodes { members, .. } = member else {
                continue;
            };
            let mut bodies = Vec::new();
            for member in members {
                if let GroupMember::Aggregate { members, .. } = member {
                    bodies.push(self.measures(measures, scope, members)?);
                }
            }
            lists.push(bodies);
        }
        Ok(lists)
    }

    fn having(
        &self,
        statement: &mut Statement<'c>,
        measures: &mut Measures,
        scope: &Scope,
        having: &Having,
    ) -> Result<Option<String>, CompileError> {
        match having {
            Having::And(parts) if parts.is_empty() => Ok(None),
            having => self
                .having_text(statement, measures, scope, having)
                .map(Some),
        }
    }

    fn having_text(
        &self,
        statement: &mut Statement<'c>,
        measures: &mut Measures,
        scope: &Scope,
        having: &Having,
    ) -> Result<String, CompileError> {
        let (parts, between, empty) = match having {
            Having::And(parts) => (parts, " AND ", "TRUE"),
            Having::Or(parts) => (parts, " OR ", "FALSE"),
            Having::Not(part) => {
                let part = self.having_text(statement, measures, scope, part)?;
                return Ok(format!("(({part}) IS NOT TRUE)"));
            }
            Having::IsNull { measure, is_null } => {
                let ordered = self.ordered(measures, scope, *measure)?;
                let not = if *is_null { "" } else { "NOT " };
                return Ok(format!("{} IS {not}NULL", ordered.columns[0].0));
            }
            Having::Compare {
                measure,
                operator,
                operand,
            } => {
                let ordered = self.ordered(measures, scope, *measure)?;
                let (sign, form) = match operator {
                    Operator::Eq | Operator::Ne => ("=", Form::Exact),
                    Operator::Lt => ("<", Form::Ceiling),
                    Operator::Lte => ("<=", Form::Floor),
                    Operator::Gt => (">", Form::Floor),
                    Operator::Gte => (">=", Form::Ceiling),
                    _ => return Err(CompileError::Missing("a comparison of measures")),
                };
                let value = statement.operand(operand, ordered.operand, form)?;
                let text = ordered.compare(self.backend, sign, &value);
                // What is empty is not equal to anything.
                return Ok(if *operator == Operator::Ne {
                    format!("(({text}) IS NOT TRUE)")
                } else {
                    text
                });
            }
        };
        let parts = parts
            .iter()
            .map(|part| self.having_text(statement, measures, scope, part))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(if parts.is_empty() {
            empty.to_owned()
        } else {
            format!("({})", parts.join(between))
        })
    }

    fn ordered(
        &self,
        measures: &mut Measures,
        scope: &Scope,
        measure: GroupMeasure,
    ) -> Result<Ordered, CompileError> {
        let (column, measure) = match measure {
            GroupMeasure::Records => return Ok(measures.records_counted()),
            GroupMeasure::Column(column, measure) => (column, measure),
        };
        let found = find_column(self.catalogue, scope.object, column)?;
        let own = format!("{}.{}", scope.alias, quoted(&found.name));
        measures
            .ordered(measure, found.column, own)
            .ok_or_else(|| CompileError::Unmeasured {
                column: describe(self.catalogue, scope.object, column),
                measure,
            })
    }

    /// The order as it is asked for, and then all keys.
    fn group_terms(
        &self,
        measures: &mut Measures,
        scope: &Scope,
        groups: &Groups,
        keys: &[Key],
    ) -> Result<Vec<Term>, CompileError> {
        if groups.order.len() > ORDER_TERMS_MAX {
            return Err(CompileError::Limit {
                what: "terms in an order",
                max: ORDER_TERMS_MAX,
            });
        }
        let mut terms: Vec<Term> = Vec::new();
        let mut add = |expression: String, column, direction, nulls| {
            if !terms.iter().any(|known| known.expression == expression) {
                terms.push(Term {
                    expression,
                    column,
                    nullable: true,
                    direction,
                    nulls,
                });
            }
        };
        let by_key =
            |key: &Key,
             direction,
             nulls,
             add: &mut dyn FnMut(String, ColumnType, Direction, Nulls)| {
                if let Some(folded) = key.folded {
                    add(format!("g.a{folded}"), ColumnType::Folded, direction, nulls);
                }
                for (index, column) in key.columns().iter().enumerate() {
                    add(
                        format!("g.k{}", key.column + index),
                        *column,
                        direction,
                        nulls,
                    );
                }
            };
        for term in &groups.order {
            match &term.by {
                GroupOrderBy::Key(position) => {
                    let key = keys
                        .get(*position)
                        .ok_or(CompileError::Missing("a key of the groups"))?;
                    by_key(key, term.direction, term.nulls, &mut add);
                }
                GroupOrderBy::Measure(measure) => {
                    let ordered = self.ordered(measures, scope, *measure)?;
                    for (expression, column) in ordered.columns {
                        add(expression, column, term.direction, term.nulls);
                    }
                }
            }
        }
        for key in keys {
            by_key(key, Direction::Ascending, Nulls::Last, &mut add);
        }
        Ok(terms)
    }

    fn group_count(
        &mut self,
        statement: &Statement<'c>,
        tables: &str,
        having: &[String],
        position: Position,
    ) -> Result<usize, CompileError> {
        let level = self.reserve()?;
        let mut tail = format!(" FROM {tables}");
        and_where(&mut tail, having);
        self.levels[level] = Some(Level {
            index: level,
            depth: position.level,
            parent: None,
            query: Query::Fixed {
                sql: select(self.backend, false, &["count(*)".to_owned()], &tail).into(),
                slots: statement.slots.clone().into(),
                columns: 1,
            },
        });
        Ok(level)
    }
}

/// Texts of the zone's two lists.
fn zone_texts(
    statement: &mut Statement<'_>,
    groups: &Groups,
) -> Result<(String, String), CompileError> {
    let zone = groups
        .zone
        .as_ref()
        .ok_or(CompileError::Missing("the zone of the groups"))?;
    Ok((
        statement.operand(&zone.starts, ColumnType::DateTime, Form::List)?,
        statement.operand(&zone.offsets, ColumnType::Integer, Form::List)?,
    ))
}

/// What is written of each group.
fn group_body(
    members: &[GroupMember],
    groups: &Groups,
    keys: &[Key],
    first_key: usize,
    aggregates: Vec<Body>,
) -> Result<Body, CompileError> {
    let mut aggregates = aggregates.into_iter();
    let mut program = Program::default();
    program.open();
    for member in members {
        match member {
            GroupMember::Key { key, members } => {
                program.key(key);
                key_object(&mut program, members, keys, first_key)?;
            }
            GroupMember::Aggregate { key, .. } => {
                program.key(key);
                program.extend(aggregates.next().unwrap_or_default());
            }
            GroupMember::Where { key } => {
                let conditions = groups
                    .by
                    .iter()
                    .zip(keys)
                    .map(|(by, key)| condition(by, key, first_key))
                    .collect();
                program.member(key, Op::GroupWhere(conditions));
            }
            GroupMember::Literal { key, json } => program.literal(key, json),
        }
    }
    program.close();
    Ok(program.finish())
}

fn key_object(
    program: &mut Program,
    members: &[KeyMember],
    keys: &[Key],
    first_key: usize,
) -> Result<(), CompileError> {
    let find = |position: usize| {
        keys.get(position)
            .ok_or(CompileError::Missing("a key of the groups"))
    };
    program.open();
    for member in members {
        match member {
            KeyMember::Value { key, position } => {
                let found = find(*position)?;
                program.member(
                    key,
                    Op::Cell {
                        column: first_key + found.column,
                        cell: cell(found),
                    },
                );
            }
            KeyMember::Stage {
                key,
                position,
                members,
            } => {
                let pipeline = first_key + find(*position)?.column;
                let stage = pipeline + 1;
                let mut body = Program::default();
                body.open();
                for member in members {
                    match member {
                        StageMember::ByStage { key, json } => body.member(
                            key,
                            Op::ByStage {
                                pipeline,
                                stage,
                                json: stage_texts(json),
                            },
                        ),
                        StageMember::Literal { key, json } => body.literal(key, json),
                        _ => return Err(CompileError::Missing("a stage without a record")),
                    }
                }
                body.close();
                program.member(
                    key,
                    Op::Guarded {
                        present: Box::new([stage]),
                        body: body.finish(),
                    },
                );
            }
            KeyMember::Object { key, members } => {
                program.key(key);
                key_object(program, members, keys, first_key)?;
            }
            KeyMember::Literal { key, json } => program.literal(key, json),
        }
    }
    program.close();
    Ok(())
}

fn cell(key: &Key) -> Cell {
    match &key.form {
        KeyForm::Column(column) => plain_cell(*column),
        KeyForm::Span(..) => Cell::Date,
        KeyForm::Stage(_) => Cell::Text,
    }
}

fn condition(by: &GroupKey, key: &Key, first_key: usize) -> KeyCondition {
    let column = first_key + key.column;
    KeyCondition {
        path: by.path.iter().map(|name| name.as_str().into()).collect(),
        column,
        value: match &key.form {
            // A relation's own column is not grouped by: the id is that of the record there.
            KeyForm::Column(_) if is_id(by) => KeyValue::Related,
            KeyForm::Column(column) => KeyValue::Cell(plain_cell(*column)),
            KeyForm::Span(span, ColumnType::Date) => KeyValue::Days(*span),
            KeyForm::Span(span, _) => KeyValue::Instants(*span),
            KeyForm::Stage(conditions) => KeyValue::Stage {
                stage: column + 1,
                conditions: conditions.clone(),
            },
        },
    }
}

fn is_id(key: &GroupKey) -> bool {
    !key.through.is_empty()
        && matches!(key.by, GroupBy::Column(ColumnRef::System(SystemColumn::Id)))
}

fn wants_count(members: &[LogConnectionMember<GroupMember>]) -> bool {
    members
        .iter()
        .any(|member| matches!(member, LogConnectionMember::TotalCount { .. }))
}

struct Wanted {
    more: bool,
    cursors: bool,
}

impl Wanted {
    fn of(members: &[LogConnectionMember<GroupMember>]) -> Self {
        let mut wanted = Self {
            more: false,
            cursors: false,
        };
        for member in members {
            let LogConnectionMember::PageInfo { members, .. } = member else {
                continue;
            };
            for member in members {
                match member {
                    PageInfoMember::StartCursor { .. } | PageInfoMember::EndCursor { .. } => {
                        wanted.cursors = true;
                    }
                    PageInfoMember::Literal { .. } => {}
                    _ => wanted.more = true,
                }
            }
        }
        wanted
    }
}
