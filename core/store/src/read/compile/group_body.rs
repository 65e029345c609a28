//! What is written of a group: its key, its measures, and the condition that finds its records.

use super::groups::{Key, KeyForm};
use super::program::Program;
use super::record::{actor, plain_cell, stage_texts};
use super::{CompileError, Compiler, Position, Select, check_depth};
use crate::filter::{ColumnRef, SystemColumn};
use crate::read::columns::quoted;
use crate::read::condition::Scope;
use crate::read::program::{Body, Cell, GroupWhere, KeyCondition, KeyValue, Op};
use crate::read::{GroupBy, GroupKey, GroupMember, KeyMember, Member, StageMember};

/// What is known of the groups that are written.
pub(super) struct Written<'a> {
    pub(super) by: &'a [GroupKey],
    pub(super) keys: &'a [Key],
    /// Position of the keys' first column in the rows.
    pub(super) first_key: usize,
    /// Position of the groups' inputs.
    pub(super) groups: usize,
    /// Name of the relation that points at the record around, and the column of its id.
    pub(super) parent: Option<(Box<[Box<str>]>, usize)>,
    pub(super) position: Position,
    /// The joined record of each key that is one's id.
    pub(super) nodes: Vec<(usize, Scope)>,
}

impl Written<'_> {
    fn key(&self, position: usize) -> Result<(&Key, usize), CompileError> {
        let key = self
            .keys
            .get(position)
            .ok_or(CompileError::Missing("a key of the groups"))?;
        Ok((key, self.first_key + key.column))
    }
}

impl<'c> Compiler<'c> {
    pub(super) fn group_body(
        &mut self,
        select_of: &mut Select<'c>,
        written: &mut Written<'_>,
        members: &[GroupMember],
        aggregates: Vec<Body>,
    ) -> Result<Body, CompileError> {
        let mut aggregates = aggregates.into_iter();
        let mut program = Program::default();
        program.open();
        for member in members {
            match member {
                GroupMember::Key { key, members } => {
                    program.key(key);
                    let depth = written.position.depth + 2;
                    self.key_object(select_of, written, members, depth, &mut program)?;
                }
                GroupMember::Aggregate { key, .. } => {
                    program.key(key);
                    program.extend(aggregates.next().unwrap_or_default());
                }
                GroupMember::Where { key } => {
                    let keys = written
                        .by
                        .iter()
                        .zip(written.keys)
                        .map(|(by, key)| condition(by, key, written.first_key))
                        .collect();
                    let condition = GroupWhere {
                        groups: written.groups,
                        parent: written.parent.clone(),
                        keys,
                    };
                    program.member(key, Op::GroupWhere(Box::new(condition)));
                }
                GroupMember::Literal { key, json } => program.literal(key, json),
            }
        }
        program.close();
        Ok(program.finish())
    }

    fn key_object(
        &mut self,
        select_of: &mut Select<'c>,
        written: &mut Written<'_>,
        members: &[KeyMember],
        depth: usize,
        program: &mut Program,
    ) -> Result<(), CompileError> {
        check_depth(depth)?;
        program.open();
        for member in members {
            match member {
                KeyMember::Value { key, position } => {
                    program.member(key, value(written, *position)?);
                }
                KeyMember::Stage {
                    key,
                    position,
                    members,
                } => {
                    let (_, column) = written.key(*position)?;
                    program.member(key, stage(column, members)?);
                }
                KeyMember::Owner {
                    key,
                    position,
                    members,
                } => {
                    let (_, column) = written.key(*position)?;
                    let op = Op::Actor {
                        column,
                        owner: true,
                        program: Box::new(actor(members)),
                    };
                    program.member(key, op);
                }
                KeyMember::Node {
                    key,
                    position,
                    members,
                } => {
                    let op = self.node(select_of, written, *position, members, depth)?;
                    program.member(key, op);
                }
                KeyMember::Object { key, members } => {
                    program.key(key);
                    self.key_object(select_of, written, members, depth + 1, program)?;
                }
                KeyMember::Literal { key, json } => program.literal(key, json),
            }
        }
        program.close();
        Ok(())
    }

    /// The record whose id a key is: joined to the groups, so that it is read as any other.
    fn node(
        &mut self,
        select_of: &mut Select<'c>,
        written: &mut Written<'_>,
        position: usize,
        members: &[Member],
        depth: usize,
    ) -> Result<Op, CompileError> {
        let (found, column) = written.key(position)?;
        let known = written.nodes.iter().find(|(known, _)| *known == position);
        let scope = match known {
            Some((_, scope)) => scope.clone(),
            None => {
                let scope = Scope {
                    object: found.object,
                    alias: select_of.statement.alias('n'),
                };
                select_of.tables.push_str(&format!(
                    " LEFT JOIN {} AS {alias} ON {alias}.\"id\" = g.k{}",
                    quoted(&self.object(scope.object)?.table),
                    found.column,
                    alias = scope.alias,
                ));
                written.nodes.push((position, scope.clone()));
                scope
            }
        };
        let position = Position {
            depth,
            ..written.position
        };
        let body = self.record(select_of, &scope, members, position)?;
        Ok(Op::Guarded {
            present: Box::new([column]),
            body,
        })
    }
}

fn value(written: &Written<'_>, position: usize) -> Result<Op, CompileError> {
    let (key, column) = written.key(position)?;
    let cell = match &key.form {
        KeyForm::Instants(span) => {
            return Ok(Op::Moment {
                column,
                span: *span,
                groups: written.groups,
            });
        }
        KeyForm::Column(column) => plain_cell(*column),
        KeyForm::Days(_) => Cell::Date,
        KeyForm::Option | KeyForm::Stage(_) => Cell::Text,
    };
    Ok(Op::Cell { column, cell })
}

fn stage(pipeline: usize, members: &[StageMember]) -> Result<Op, CompileError> {
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
    Ok(Op::Guarded {
        present: Box::new([stage]),
        body: body.finish(),
    })
}

fn condition(by: &GroupKey, key: &Key, first_key: usize) -> KeyCondition {
    let column = first_key + key.column;
    KeyCondition {
        path: by.path.iter().map(|name| name.as_str().into()).collect(),
        column,
        value: match &key.form {
            // A relation's own column is not grouped by: the id is that of the record there.
            KeyForm::Column(_) if is_related_id(by) => KeyValue::Related,
            KeyForm::Column(column) => KeyValue::Cell(plain_cell(*column)),
            KeyForm::Days(span) => KeyValue::Days(*span),
            KeyForm::Instants(span) => KeyValue::Instants(*span),
            KeyForm::Option => KeyValue::Option,
            KeyForm::Stage(conditions) => KeyValue::Stage {
                stage: column + 1,
                conditions: conditions.clone(),
            },
        },
    }
}

fn is_related_id(key: &GroupKey) -> bool {
    !key.through.is_empty()
        && matches!(key.by, GroupBy::Column(ColumnRef::System(SystemColumn::Id)))
}
