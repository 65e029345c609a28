//! Runs a read's program over the rows of a source and writes JSON. There is one writer; it is
//! compiled once for each source.

mod groups;
mod measures;
mod values;

use serde_json::Value as Json;
use uuid::Uuid;

use self::groups::{write_beginning, write_group_where};
use self::measures::{
    write_amounts, write_mean, write_mean_duration, write_median, write_sum_decimal,
    write_sum_duration, write_sum_integer,
};
use self::values::{
    any_filled, parse_id, stored_objects, write_boolean, write_cell, write_json, write_known,
    write_label, write_options, write_stored, write_text,
};
use super::Directory;
use super::cursor::{CursorKey, write_cursor};
use super::json::{write_integer, write_string, write_uuid};
use super::plan::{Execution, Level, Query, Root};
use super::program::{
    ActorOp, ActorProgram, AggregateProgram, Cell, ChangeOp, ChangesProgram, ConnectionOp,
    ConnectionProgram, Op,
};
use super::rows::{Flow, Row, Source, unexpected};
use crate::StoreError;
use crate::log::MERGED;

/// Writes the answers of one read. Buffers are kept from row to row.
pub(crate) struct Writer<'a> {
    execution: &'a Execution<'a>,
    directory: &'a dyn Directory,
    key: &'a CursorKey,
    /// Most bytes of the answer.
    bytes_max: usize,
}

/// What is learned of a list while its rows pass.
#[derive(Default)]
struct Passed {
    more: bool,
    /// Cursors of the first and the last row that passed.
    first: Vec<u8>,
    last: Vec<u8>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(
        execution: &'a Execution<'a>,
        directory: &'a dyn Directory,
        key: &'a CursorKey,
        bytes_max: usize,
    ) -> Self {
        Self {
            execution,
            directory,
            key,
            bytes_max,
        }
    }

    /// Writes the value of the read.
    pub(crate) fn write<S: Source>(
        &self,
        out: &mut Vec<u8>,
        source: &mut S,
    ) -> Result<(), StoreError> {
        match &self.execution.compiled.root {
            Root::One { level, program } => {
                let mut found = false;
                source.visit(self.level(*level), None, |source, row| {
                    found = true;
                    self.ops(out, source, row, program)?;
                    Ok(Flow::Enough)
                })?;
                if !found {
                    out.extend_from_slice(b"null");
                }
                Ok(())
            }
            Root::Many(program) => self.connection(out, source, program, None),
        }
    }

    fn level(&self, index: usize) -> &'a Level {
        &self.execution.compiled.levels[index]
    }

    fn connection<S: Source>(
        &self,
        out: &mut Vec<u8>,
        source: &mut S,
        program: &ConnectionProgram,
        parent: Option<&S::Row<'_>>,
    ) -> Result<(), StoreError> {
        let total = match program.count {
            Some(level) => Some(self.count(source, level, parent)?),
            None => None,
        };
        let window = program
            .page
            .map(|level| self.execution.window(level))
            .unwrap_or_default();
        let streams = program.streams && !window.backwards;
        let mut passed = Passed::default();
        let mut lists: Vec<Vec<u8>> = Vec::new();
        if let (Some(level), false) = (program.page, streams) {
            lists = self.collect(source, program, level, parent, &mut passed)?;
        }
        for member in &program.members {
            match member {
                ConnectionOp::Raw(raw) => out.extend_from_slice(raw),
                ConnectionOp::List(list) => match program.page {
                    Some(level) if streams => {
                        self.stream(out, source, program, level, parent, &mut passed)?;
                    }
                    _ => out.extend_from_slice(&lists[*list]),
                },
                ConnectionOp::Aggregate(aggregate) => {
                    let aggregate = &program.aggregates[*aggregate];
                    self.aggregate(out, source, aggregate, parent)?;
                }
                ConnectionOp::Groups(groups) => {
                    self.connection(out, source, &program.groups[*groups], parent)?;
                }
                ConnectionOp::Total => write_integer(out, total.unwrap_or_default()),
                ConnectionOp::HasNext => {
                    let next = if window.backwards {
                        window.skips_back
                    } else {
                        passed.more || window.skips_back
                    };
                    write_boolean(out, next);
                }
                ConnectionOp::HasPrevious => {
                    let previous = if window.backwards {
                        passed.more || window.skips_front
                    } else {
                        window.skips_front
                    };
                    write_boolean(out, previous);
                }
                ConnectionOp::Start if window.backwards => write_known(out, &passed.last),
                ConnectionOp::Start => write_known(out, &passed.first),
                ConnectionOp::End if window.backwards => write_known(out, &passed.first),
                ConnectionOp::End => write_known(out, &passed.last),
            }
        }
        Ok(())
    }

    /// Writes an aggregate: its level has one row, also where there are no records.
    fn aggregate<S: Source>(
        &self,
        out: &mut Vec<u8>,
        source: &mut S,
        program: &AggregateProgram,
        parent: Option<&S::Row<'_>>,
    ) -> Result<(), StoreError> {
        source.visit(self.level(program.level), parent, |source, row| {
            self.ops(out, source, row, &program.body)?;
            Ok(Flow::Enough)
        })
    }

    fn count<S: Source>(
        &self,
        source: &mut S,
        level: usize,
        parent: Option<&S::Row<'_>>,
    ) -> Result<i64, StoreError> {
        let mut total = 0;
        source.visit(self.level(level), parent, |_, row| {
            total = row.integer(0)?.unwrap_or_default();
            Ok(Flow::Enough)
        })?;
        Ok(total)
    }

    /// Writes the only list of a connection as its rows come.
    fn stream<S: Source>(
        &self,
        out: &mut Vec<u8>,
        source: &mut S,
        program: &ConnectionProgram,
        level: usize,
        parent: Option<&S::Row<'_>>,
        passed: &mut Passed,
    ) -> Result<(), StoreError> {
        let size = self.execution.window(level).size;
        let body = &program.lists[0];
        let mut rows = 0;
        out.push(b'[');
        source.visit(self.level(level), parent, |source, row| {
            if rows == size {
                passed.more = true;
                return Ok(Flow::Enough);
            }
            if rows > 0 {
                out.push(b',');
            }
            rows += 1;
            if program.ends {
                self.pass(passed, level, row)?;
            }
            self.ops(out, source, row, body)?;
            self.check_size(out)?;
            Ok(Flow::More)
        })?;
        out.push(b']');
        Ok(())
    }

    /// Writes the lists of a connection apart, for when something before them depends on their
    /// rows, there are several, or the rows come from the end.
    fn collect<S: Source>(
        &self,
        source: &mut S,
        program: &ConnectionProgram,
        level: usize,
        parent: Option<&S::Row<'_>>,
        passed: &mut Passed,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let window = self.execution.window(level);
        let mut lists: Vec<Vec<u8>> = program.lists.iter().map(|_| Vec::new()).collect();
        // Where each row ends, in each list.
        let mut ends: Vec<Vec<usize>> = program.lists.iter().map(|_| Vec::new()).collect();
        let mut rows = 0;
        source.visit(self.level(level), parent, |source, row| {
            if rows == window.size {
                passed.more = true;
                return Ok(Flow::Enough);
            }
            rows += 1;
            if program.ends {
                self.pass(passed, level, row)?;
            }
            for ((body, list), ends) in program.lists.iter().zip(&mut lists).zip(&mut ends) {
                self.ops(list, source, row, body)?;
                ends.push(list.len());
                self.check_size(list)?;
            }
            Ok(Flow::More)
        })?;
        Ok(lists
            .iter()
            .zip(&ends)
            .map(|(list, ends)| joined(list, ends, window.backwards))
            .collect())
    }

    fn check_size(&self, out: &[u8]) -> Result<(), StoreError> {
        if out.len() > self.bytes_max {
            return Err(StoreError::value(
                "answer",
                format!(
                    "has more than {} bytes: ask for smaller pages",
                    self.bytes_max
                ),
            ));
        }
        Ok(())
    }

    fn pass<R: Row>(&self, passed: &mut Passed, level: usize, row: &R) -> Result<(), StoreError> {
        passed.last.clear();
        self.cursor(&mut passed.last, level, row)?;
        if passed.first.is_empty() {
            passed.first.clone_from(&passed.last);
        }
        Ok(())
    }

    fn cursor<R: Row>(&self, out: &mut Vec<u8>, level: usize, row: &R) -> Result<(), StoreError> {
        let Query::Page(page) = &self.level(level).query else {
            return Err(unexpected(level, "a list with cursors"));
        };
        write_cursor(out, self.key, page.fingerprint, &page.cursor, row)
    }

    fn ops<S: Source>(
        &self,
        out: &mut Vec<u8>,
        source: &mut S,
        row: &S::Row<'_>,
        ops: &[Op],
    ) -> Result<(), StoreError> {
        for op in ops {
            match op {
                Op::Raw(raw) => out.extend_from_slice(raw),
                Op::Cell { column, cell } => {
                    if !write_cell(out, row, *column, cell)? {
                        out.extend_from_slice(b"null");
                    }
                }
                Op::Guarded { present, body } => {
                    if any_filled(row, present)? {
                        self.ops(out, source, row, body)?;
                    } else {
                        out.extend_from_slice(b"null");
                    }
                }
                Op::FirstOf(alternatives) => {
                    let mut found = None;
                    for (present, body) in alternatives {
                        if found.is_none() && any_filled(row, &[*present])? {
                            found = Some(body);
                        }
                    }
                    match found {
                        Some(body) => self.ops(out, source, row, body)?,
                        None => out.extend_from_slice(b"null"),
                    }
                }
                Op::Label { cells, id } => write_label(out, row, cells, *id)?,
                Op::Stored { column, members } => write_stored(out, row, *column, members)?,
                Op::ByStage {
                    pipeline,
                    stage,
                    json,
                } => match (row.text(*pipeline)?, row.text(*stage)?) {
                    (Some(pipeline), Some(stage)) => {
                        out.extend_from_slice(json.find(pipeline, stage));
                    }
                    _ => out.extend_from_slice(b"null"),
                },
                Op::Options(program) => write_options(out, row, program)?,
                Op::Actor {
                    column,
                    owner,
                    program,
                } => self.actor(out, row, *column, *owner, program)?,
                Op::Connection(program) => self.connection(out, source, program, Some(row))?,
                Op::List { level, body } => self.list(out, source, row, *level, body)?,
                Op::Cursor { level } => self.cursor(out, *level, row)?,
                Op::Changes(program) => self.changes(out, row, program)?,
                Op::Merged { column } => {
                    let changes = stored_objects(row, *column)?;
                    let merged = changes.iter().find(|change| is_merged(change));
                    match merged.and_then(|merged| merged.get("new")) {
                        Some(merged) => write_json(out, Some(merged))?,
                        None => out.extend_from_slice(b"null"),
                    }
                }
                Op::SumInteger(sum) => write_sum_integer(out, row, *sum)?,
                Op::SumDuration(sum) => write_sum_duration(out, row, *sum)?,
                Op::MeanDuration { sum, count } => write_mean_duration(out, row, *sum, *count)?,
                Op::SumDecimal { sum, scale } => write_sum_decimal(out, row, *sum, *scale)?,
                Op::Mean {
                    sum,
                    count,
                    scale,
                    digits,
                } => write_mean(out, row, *sum, *count, *scale, *digits)?,
                Op::Median {
                    lower,
                    upper,
                    cell,
                    digits,
                } => write_median(out, row, [*lower, *upper], cell, *digits)?,
                Op::Amounts(program) => write_amounts(out, row, program)?,
                Op::Moment {
                    column,
                    span,
                    groups,
                } => {
                    let context = &self.execution.groups[*groups];
                    write_beginning(out, row, *column, *span, context)?;
                }
                Op::GroupWhere(program) => {
                    let context = &self.execution.groups[program.groups];
                    write_group_where(out, row, program, context)?;
                }
            }
        }
        Ok(())
    }

    fn list<S: Source>(
        &self,
        out: &mut Vec<u8>,
        source: &mut S,
        row: &S::Row<'_>,
        level: usize,
        body: &[Op],
    ) -> Result<(), StoreError> {
        let mut first = true;
        out.push(b'[');
        source.visit(self.level(level), Some(row), |source, row| {
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            self.ops(out, source, row, body)?;
            Ok(Flow::More)
        })?;
        out.push(b']');
        Ok(())
    }

    fn actor<R: Row>(
        &self,
        out: &mut Vec<u8>,
        row: &R,
        column: usize,
        owner: bool,
        program: &ActorProgram,
    ) -> Result<(), StoreError> {
        if owner {
            match row.uuid(column)? {
                Some(id) => self.user(out, id, &program.user),
                None => out.extend_from_slice(b"null"),
            }
            return Ok(());
        }
        let Some(actor) = row.text(column)? else {
            out.extend_from_slice(b"null");
            return Ok(());
        };
        match actor.split_once(':') {
            Some(("user", id)) => self.user(out, parse_id(column, id)?, &program.user),
            Some(("token", id)) => {
                let id = parse_id(column, id)?;
                let mut name = None;
                for op in &program.token {
                    match op {
                        ActorOp::Raw(raw) => out.extend_from_slice(raw),
                        ActorOp::Id => write_uuid(out, id),
                        ActorOp::Name => {
                            let name = name.get_or_insert_with(|| self.directory.token(id));
                            write_text(out, name.as_deref());
                        }
                        ActorOp::Email => out.extend_from_slice(b"null"),
                    }
                }
            }
            Some(("plugin", id)) => {
                let mut name = None;
                for op in &program.plugin {
                    match op {
                        ActorOp::Raw(raw) => out.extend_from_slice(raw),
                        ActorOp::Id => write_string(out, id),
                        ActorOp::Name => {
                            let name = name.get_or_insert_with(|| self.directory.plugin(id));
                            write_text(out, name.as_deref());
                        }
                        ActorOp::Email => out.extend_from_slice(b"null"),
                    }
                }
            }
            _ => {
                for op in &program.system {
                    match op {
                        ActorOp::Raw(raw) => out.extend_from_slice(raw),
                        ActorOp::Id | ActorOp::Name => write_string(out, actor),
                        ActorOp::Email => out.extend_from_slice(b"null"),
                    }
                }
            }
        }
        Ok(())
    }

    fn user(&self, out: &mut Vec<u8>, id: Uuid, program: &[ActorOp]) {
        let mut user = None;
        for op in program {
            match op {
                ActorOp::Raw(raw) => out.extend_from_slice(raw),
                ActorOp::Id => write_uuid(out, id),
                ActorOp::Name => {
                    let user = user.get_or_insert_with(|| self.directory.user(id));
                    write_text(out, user.as_ref().map(|(name, _)| name.as_str()));
                }
                ActorOp::Email => {
                    let user = user.get_or_insert_with(|| self.directory.user(id));
                    write_text(out, user.as_ref().map(|(_, email)| email.as_str()));
                }
            }
        }
    }

    fn changes<R: Row>(
        &self,
        out: &mut Vec<u8>,
        row: &R,
        program: &ChangesProgram,
    ) -> Result<(), StoreError> {
        out.push(b'[');
        let changes = stored_objects(row, program.column)?;
        let fields = changes.iter().filter(|change| !is_merged(change));
        for (index, change) in fields.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            for op in &program.members {
                match op {
                    ChangeOp::Raw(raw) => out.extend_from_slice(raw),
                    ChangeOp::Old => write_json(out, change.get("old"))?,
                    ChangeOp::New => write_json(out, change.get("new"))?,
                    ChangeOp::Name => {
                        let key = change
                            .get("field")
                            .and_then(Json::as_str)
                            .unwrap_or_default();
                        let name = field_key(key)
                            .and_then(|key| self.directory.field_name(&program.object, &key));
                        // A field that is gone is called by its key.
                        let local = key.rsplit('/').next().unwrap_or(key);
                        write_string(out, name.as_deref().unwrap_or(local));
                    }
                }
            }
        }
        out.push(b']');
        Ok(())
    }
}

/// Whether this says what was merged, and nothing of a field.
fn is_merged(change: &Json) -> bool {
    change.get("field").and_then(Json::as_str) == Some(MERGED)
}

fn field_key(text: &str) -> Option<relata_catalog::Key> {
    let (owner, local) = text.split_once('/')?;
    Some(relata_catalog::Key::new(owner, local))
}

/// A list whose rows have been written one behind the other, with commas, in the list's order.
fn joined(list: &[u8], ends: &[usize], backwards: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(list.len() + ends.len() + 2);
    out.push(b'[');
    let mut write = |index: usize| {
        let start = if index == 0 { 0 } else { ends[index - 1] };
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(&list[start..ends[index]]);
    };
    if backwards {
        (0..ends.len()).rev().for_each(&mut write);
    } else {
        (0..ends.len()).for_each(&mut write);
    }
    out.push(b']');
    out
}
