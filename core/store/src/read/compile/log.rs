//! Logs of a record: its history and its passages through pipelines, newest first.
//!
//! Their rows have numbers that only grow, so that is what they are ordered and paged by.

use relata_catalog::{ColumnType, FieldIndex, ObjectIndex};

use super::connection::{PageParts, arguments};
use super::program::{ConnectionWriter, Program, Steps};
use super::record::{actor, stage_texts};
use super::{CompileError, Compiler, Position, Select, check_depth};
use crate::filter::{Direction, Nulls, Operand};
use crate::read::bind::{Bind, Slot};
use crate::read::condition::Statement;
use crate::read::order::Term;
use crate::read::plan::{Given, PageArguments, Parent};
use crate::read::program::{Cell, ChangeOp, ChangesProgram, ConnectionProgram, Op};
use crate::read::{
    ActorMembers, HistoryFieldMember, HistoryMember, LogConnectionMember, Page, PageInfoMember,
    PassageMember,
};

const HISTORY: &str = "relata_history";
const PASSAGES: &str = "relata_passage";

impl<'c> Compiler<'c> {
    pub(super) fn history(
        &mut self,
        object: ObjectIndex,
        page: &Page,
        members: &[LogConnectionMember<HistoryMember>],
        parent: Parent,
        position: Position,
    ) -> Result<ConnectionProgram, CompileError> {
        check_depth(position.depth)?;
        let mut wanted = Wanted::default();
        members.iter().for_each(|member| wanted.add(member));
        let count = match wanted.total {
            true => {
                let mut statement = self.statement(Some(parent));
                let conditions = self.log_conditions(&mut statement, object, None)?;
                let tail = format!(" FROM {HISTORY} AS t WHERE {}", conditions.join(" AND "));
                Some(self.finish_count(statement, Some(parent), position.level, &tail)?)
            }
            false => None,
        };
        let mut lists: Vec<Box<[Op]>> = Vec::new();
        let mut level = None;
        if wanted.rows {
            let reserved = self.reserve()?;
            let mut select_of = Select::new(self.statement(Some(parent)), reserved, HISTORY, "t");
            for member in members {
                if let LogConnectionMember::Nodes { members, .. } = member {
                    lists.push(self.history_entry(&mut select_of, object, members)?);
                }
            }
            let parts = PageParts {
                conditions: self.log_conditions(&mut select_of.statement, object, None)?,
                terms: vec![newest_first()],
                cursor: wanted.cursors,
                arguments: arguments(page),
                peek: wanted.more,
                subject: HISTORY.to_owned(),
            };
            self.finish_page(select_of, Some(parent), position.level, parts)?;
            level = Some(reserved);
        }
        let mut program = ConnectionWriter::default();
        program.open();
        program.log(members);
        Ok(program.finish(level, count, lists.into(), wanted.cursors))
    }

    fn log_conditions(
        &self,
        statement: &mut Statement<'c>,
        object: ObjectIndex,
        field: Option<FieldIndex>,
    ) -> Result<Vec<String>, CompileError> {
        let object = self.object(object)?;
        let mut conditions = vec![format!("t.\"record\" = {}", statement.parent())];
        if let Some(field) = field {
            let field = object
                .fields
                .get(field.0)
                .ok_or(CompileError::Missing("a field"))?;
            let key = Slot::Constant(Bind::Text(field.key.to_string()));
            let place = statement.place(key, ColumnType::Text, false);
            conditions.push(format!("t.\"field\" = {place}"));
        }
        let key = Slot::Constant(Bind::Text(object.key.to_string()));
        let place = statement.place(key, ColumnType::Text, false);
        conditions.push(format!("t.\"object\" = {place}"));
        Ok(conditions)
    }

    fn history_entry(
        &self,
        select_of: &mut Select<'c>,
        object: ObjectIndex,
        members: &[HistoryMember],
    ) -> Result<Box<[Op]>, CompileError> {
        let mut program = Program::default();
        program.open();
        for member in members {
            match member {
                HistoryMember::Version { key } => {
                    cell(&mut program, select_of, key, "version", Cell::Integer);
                }
                HistoryMember::At { key } => {
                    cell(&mut program, select_of, key, "at", Cell::InstantNumber);
                }
                HistoryMember::Change { key } => {
                    cell(&mut program, select_of, key, "change", Cell::Text);
                }
                HistoryMember::By { key, members } => {
                    acted(&mut program, select_of, key, members);
                }
                HistoryMember::Fields { key, members } => {
                    let column = select_of.column("t", "fields");
                    let op = Op::Changes(Box::new(ChangesProgram {
                        column,
                        object: self.object(object)?.key.clone(),
                        members: change(members),
                    }));
                    program.member(key, op);
                }
                HistoryMember::Merged { key } => {
                    let column = select_of.column("t", "fields");
                    program.member(key, Op::Merged { column });
                }
                HistoryMember::Literal { key, json } => program.literal(key, json),
            }
        }
        program.close();
        Ok(program.finish())
    }

    pub(super) fn passages(
        &mut self,
        object: ObjectIndex,
        field: FieldIndex,
        first: &Operand,
        members: &[PassageMember],
        parent: Parent,
        position: Position,
    ) -> Result<Op, CompileError> {
        check_depth(position.depth)?;
        let level = self.reserve()?;
        let mut select_of = Select::new(self.statement(Some(parent)), level, PASSAGES, "t");
        let mut program = Program::default();
        program.open();
        for member in members {
            match member {
                PassageMember::ByStage { key, left, json } => {
                    let (pipeline, stage) = if *left {
                        ("from_pipeline", "from_stage")
                    } else {
                        ("to_pipeline", "to_stage")
                    };
                    let op = Op::ByStage {
                        pipeline: select_of.column("t", pipeline),
                        stage: select_of.column("t", stage),
                        json: stage_texts(json),
                    };
                    program.member(key, op);
                }
                PassageMember::At { key } => {
                    cell(&mut program, &mut select_of, key, "at", Cell::InstantNumber);
                }
                PassageMember::Seconds { key } => {
                    cell(&mut program, &mut select_of, key, "seconds", Cell::Integer);
                }
                PassageMember::Reason { key } => {
                    cell(&mut program, &mut select_of, key, "reason", Cell::Text);
                }
                PassageMember::By { key, members } => {
                    acted(&mut program, &mut select_of, key, members);
                }
                PassageMember::Literal { key, json } => program.literal(key, json),
            }
        }
        program.close();
        let parts = PageParts {
            conditions: self.log_conditions(&mut select_of.statement, object, Some(field))?,
            terms: vec![newest_first()],
            cursor: false,
            arguments: PageArguments {
                first: Some(Given::new(first)),
                ..PageArguments::default()
            },
            peek: false,
            subject: PASSAGES.to_owned(),
        };
        self.finish_page(select_of, Some(parent), position.level, parts)?;
        Ok(Op::List {
            level,
            body: program.finish(),
        })
    }
}

fn newest_first() -> Term {
    Term {
        expression: "t.\"id\"".to_owned(),
        column: ColumnType::Integer,
        nullable: false,
        direction: Direction::Descending,
        nulls: Nulls::Last,
        indexed: false,
    }
}

fn cell(program: &mut Program, select_of: &mut Select<'_>, key: &str, name: &str, cell: Cell) {
    let column = select_of.column("t", name);
    program.member(key, Op::Cell { column, cell });
}

fn acted(program: &mut Program, select_of: &mut Select<'_>, key: &str, members: &ActorMembers) {
    let op = Op::Actor {
        column: select_of.column("t", "actor"),
        owner: false,
        program: Box::new(actor(members)),
    };
    program.member(key, op);
}

fn change(members: &[HistoryFieldMember]) -> Box<[ChangeOp]> {
    let mut steps = Steps::new(ChangeOp::Raw);
    steps.open();
    for member in members {
        match member {
            HistoryFieldMember::Name { key } => steps.member(key, ChangeOp::Name),
            HistoryFieldMember::Old { key } => steps.member(key, ChangeOp::Old),
            HistoryFieldMember::New { key } => steps.member(key, ChangeOp::New),
            HistoryFieldMember::Literal { key, json } => steps.literal(key, json),
        }
    }
    steps.close();
    steps.finish()
}

#[derive(Default)]
pub(super) struct Wanted {
    pub(super) rows: bool,
    pub(super) total: bool,
    pub(super) more: bool,
    pub(super) cursors: bool,
}

impl Wanted {
    pub(super) fn add<M>(&mut self, member: &LogConnectionMember<M>) {
        match member {
            LogConnectionMember::Nodes { .. } => self.rows = true,
            LogConnectionMember::TotalCount { .. } => self.total = true,
            LogConnectionMember::PageInfo { members, .. } => {
                for member in members {
                    let cursor = matches!(
                        member,
                        PageInfoMember::StartCursor { .. } | PageInfoMember::EndCursor { .. }
                    );
                    let literal = matches!(member, PageInfoMember::Literal { .. });
                    self.rows |= !literal;
                    self.cursors |= cursor;
                    self.more |= !cursor && !literal;
                }
            }
            LogConnectionMember::Literal { .. } => {}
        }
    }
}
