//! Programs under construction: bytes that are known beforehand are put together.

use super::super::json::key_text;
use super::super::program::{ConnectionOp, ConnectionProgram, Op};
use super::super::{LogConnectionMember, PageInfoMember};

/// A list of steps in which known bytes are merged. `T` is a kind of step.
#[derive(Debug)]
pub(super) struct Steps<T> {
    done: Vec<T>,
    raw: Vec<u8>,
    /// For each open brace, whether a member stands behind it.
    filled: Vec<bool>,
    wrap: fn(Box<[u8]>) -> T,
}

impl<T> Steps<T> {
    pub(super) fn new(wrap: fn(Box<[u8]>) -> T) -> Self {
        Self {
            done: Vec::new(),
            raw: Vec::new(),
            filled: Vec::new(),
            wrap,
        }
    }

    pub(super) fn open(&mut self) {
        self.raw.push(b'{');
        self.filled.push(false);
    }

    pub(super) fn close(&mut self) {
        self.raw.push(b'}');
        self.filled.pop();
    }

    pub(super) fn key(&mut self, key: &str) {
        if let Some(filled) = self.filled.last_mut()
            && std::mem::replace(filled, true)
        {
            self.raw.push(b',');
        }
        self.raw.extend_from_slice(&key_text(key));
    }

    pub(super) fn literal(&mut self, key: &str, json: &str) {
        self.key(key);
        self.raw.extend_from_slice(json.as_bytes());
    }

    pub(super) fn op(&mut self, op: T) {
        self.flush();
        self.done.push(op);
    }

    pub(super) fn member(&mut self, key: &str, op: T) {
        self.key(key);
        self.op(op);
    }

    fn flush(&mut self) {
        if !self.raw.is_empty() {
            let raw = std::mem::take(&mut self.raw).into_boxed_slice();
            self.done.push((self.wrap)(raw));
        }
    }

    pub(super) fn finish(mut self) -> Box<[T]> {
        self.flush();
        self.done.into()
    }
}

/// The program that writes a record or a part of one.
#[derive(Debug)]
pub(super) struct Program(Steps<Op>);

impl Default for Program {
    fn default() -> Self {
        Self(Steps::new(Op::Raw))
    }
}

impl std::ops::Deref for Program {
    type Target = Steps<Op>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl std::ops::DerefMut for Program {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Program {
    /// Another program in the place of a value.
    pub(super) fn extend(&mut self, program: Box<[Op]>) {
        for op in program {
            match op {
                Op::Raw(raw) => self.0.raw.extend_from_slice(&raw),
                op => self.op(op),
            }
        }
    }

    pub(super) fn finish(self) -> Box<[Op]> {
        self.0.finish()
    }
}

/// The program that writes a connection.
#[derive(Debug)]
pub(super) struct ConnectionWriter {
    steps: Steps<ConnectionOp>,
    lists: usize,
    aggregates: usize,
    groups: usize,
    /// Whether something that depends on the rows stands before the first list.
    waits: bool,
}

impl Default for ConnectionWriter {
    fn default() -> Self {
        Self {
            steps: Steps::new(ConnectionOp::Raw),
            lists: 0,
            aggregates: 0,
            groups: 0,
            waits: false,
        }
    }
}

impl ConnectionWriter {
    pub(super) fn open(&mut self) {
        self.steps.open();
    }

    pub(super) fn literal(&mut self, key: &str, json: &str) {
        self.steps.literal(key, json);
    }

    pub(super) fn member(&mut self, key: &str, op: ConnectionOp) {
        self.steps.member(key, op);
    }

    pub(super) fn list(&mut self, key: &str) {
        self.steps.member(key, ConnectionOp::List(self.lists));
        self.lists += 1;
    }

    pub(super) fn aggregate(&mut self, key: &str) {
        self.steps
            .member(key, ConnectionOp::Aggregate(self.aggregates));
        self.aggregates += 1;
    }

    pub(super) fn groups(&mut self, key: &str) {
        self.steps.member(key, ConnectionOp::Groups(self.groups));
        self.groups += 1;
    }

    pub(super) fn page_info(&mut self, key: &str, members: &[PageInfoMember]) {
        self.steps.key(key);
        self.steps.open();
        for member in members {
            let (key, op) = match member {
                PageInfoMember::HasNextPage { key } => (key, ConnectionOp::HasNext),
                PageInfoMember::HasPreviousPage { key } => (key, ConnectionOp::HasPrevious),
                PageInfoMember::StartCursor { key } => (key, ConnectionOp::Start),
                PageInfoMember::EndCursor { key } => (key, ConnectionOp::End),
                PageInfoMember::Literal { key, json } => {
                    self.steps.literal(key, json);
                    continue;
                }
            };
            self.waits |= self.lists == 0;
            self.steps.member(key, op);
        }
        self.steps.close();
    }

    pub(super) fn log<M>(&mut self, members: &[LogConnectionMember<M>]) {
        for member in members {
            match member {
                LogConnectionMember::Nodes { key, .. } => self.list(key),
                LogConnectionMember::PageInfo { key, members } => self.page_info(key, members),
                LogConnectionMember::TotalCount { key } => {
                    self.member(key, ConnectionOp::Total);
                }
                LogConnectionMember::Literal { key, json } => self.literal(key, json),
            }
        }
    }

    pub(super) fn finish(
        mut self,
        page: Option<usize>,
        count: Option<usize>,
        lists: Box<[Box<[Op]>]>,
        ends: bool,
    ) -> ConnectionProgram {
        self.steps.close();
        ConnectionProgram {
            page,
            count,
            streams: lists.len() == 1 && !self.waits,
            lists,
            aggregates: Box::default(),
            groups: Box::default(),
            members: self.steps.finish(),
            ends,
        }
    }
}
