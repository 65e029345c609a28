//! What a compiled read is made from: which records, and which JSON to write of them, member by
//! member. Free of GraphQL: a GraphQL selection becomes this, and this becomes SQL and a writer.
//!
//! Keys are response keys (aliases applied). Members are written in the order given.

mod aggregate;
mod groups;

pub use aggregate::*;
pub use groups::*;

use relata_catalog::{FieldIndex, Key, ObjectIndex, Via};

use crate::filter::{ColumnRef, Deleted, Filter, Operand, OrderTerm};

/// One root field of a query.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "a read is made once for each plan; boxes would only be in the way"
)]
pub enum Read {
    /// One record by its id, or `null`. Trashed records are found too, unless they were merged away
    /// (on readers; who answers for them is in [`crate::Database::survivors`]).
    One {
        /// The object.
        object: ObjectIndex,
        /// Which one.
        id: Operand,
        /// What is written of it.
        members: Vec<Member>,
    },
    /// A connection.
    Many(Connection),
}

/// A page of records of one object.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The object whose records are listed.
    pub object: ObjectIndex,
    /// Inside a record: how its list comes to them. At the root: none.
    pub via: Option<Via>,
    /// Which of them.
    pub filter: Filter,
    /// In which order; ends with the id without being told.
    pub order: Vec<OrderTerm>,
    /// Which part of them.
    pub page: Page,
    /// Whether the trash counts.
    pub deleted: Deleted,
    /// What is written.
    pub members: Vec<ConnectionMember>,
}

/// Which part of an ordered list. `first` and `last` are not both given; the sizes have been
/// checked against the limits by the caller.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// From the front.
    pub first: Option<Operand>,
    /// From the back.
    pub last: Option<Operand>,
    /// Behind the record that this cursor names: opaque text made by the read that wrote it.
    pub after: Option<Operand>,
    /// Before the record that this cursor names.
    pub before: Option<Operand>,
    /// Records to pass over.
    pub offset: Option<Operand>,
}

/// A member of a connection's JSON object.
#[derive(Debug, Clone)]
pub enum ConnectionMember {
    /// `nodes`
    Nodes {
        /// Response key.
        key: String,
        /// What is written of each record.
        members: Vec<Member>,
    },
    /// `edges`
    Edges {
        /// Response key.
        key: String,
        /// What is written of each edge.
        members: Vec<EdgeMember>,
    },
    /// `pageInfo`
    PageInfo {
        /// Response key.
        key: String,
        /// What is written of it.
        members: Vec<PageInfoMember>,
    },
    /// `totalCount`: how many records satisfy the filter, whatever the page.
    TotalCount {
        /// Response key.
        key: String,
    },
    /// `aggregate`: measures over all records that satisfy the filter, whatever the page.
    Aggregate {
        /// Response key.
        key: String,
        /// What is measured.
        members: Vec<AggregateMember>,
    },
    /// `groups`: the records that satisfy the filter, parted by what they have in common. By an
    /// instant's length of time not in a transaction.
    Groups {
        /// Response key.
        key: String,
        /// By what, which, and what is written of them.
        groups: Box<Groups>,
    },
    /// JSON that is known beforehand (`__typename`).
    Literal {
        /// Response key.
        key: String,
        /// JSON text.
        json: String,
    },
}

/// A member of an edge.
#[derive(Debug, Clone)]
pub enum EdgeMember {
    /// `node`
    Node {
        /// Response key.
        key: String,
        /// What is written of the record.
        members: Vec<Member>,
    },
    /// `cursor`
    Cursor {
        /// Response key.
        key: String,
    },
    /// `link`, where the list goes by links: the record that joins the two.
    Link {
        /// Response key.
        key: String,
        /// What is written of it.
        members: Vec<Member>,
    },
    /// JSON that is known beforehand.
    Literal {
        /// Response key.
        key: String,
        /// JSON text.
        json: String,
    },
}

/// A member of `pageInfo`.
#[derive(Debug, Clone)]
pub enum PageInfoMember {
    /// `hasNextPage`
    HasNextPage {
        /// Response key.
        key: String,
    },
    /// `hasPreviousPage`
    HasPreviousPage {
        /// Response key.
        key: String,
    },
    /// `startCursor`
    StartCursor {
        /// Response key.
        key: String,
    },
    /// `endCursor`
    EndCursor {
        /// Response key.
        key: String,
    },
    /// JSON that is known beforehand.
    Literal {
        /// Response key.
        key: String,
        /// JSON text.
        json: String,
    },
}

/// A member of a record's JSON object.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "a read is made once for each plan; boxes would only be in the way"
)]
pub enum Member {
    /// JSON that is known beforehand (`__typename`).
    Literal {
        /// Response key.
        key: String,
        /// JSON text.
        json: String,
    },
    /// One column, written by its type: ids and dates as strings, decimals as strings at their
    /// scale, instants as RFC 3339 in UTC, integers as numbers, JSON as JSON, autonumbers with
    /// prefix and digits.
    Column {
        /// Response key.
        key: String,
        /// Which.
        column: ColumnRef,
    },
    /// The record's label: text of its label field, or its id.
    Label {
        /// Response key.
        key: String,
    },
    /// The id of the record into which this one was merged, as long as it is in the trash because
    /// of that; else `null`.
    MergedInto {
        /// Response key.
        key: String,
    },
    /// A composite value (money, full name, e-mails, phone, phones, address): `null` when it is
    /// empty, else an object of some of its parts.
    Composite {
        /// Response key.
        key: String,
        /// The field.
        field: FieldIndex,
        /// What is written of it.
        members: Vec<PartMember>,
    },
    /// A stage: `null` when empty.
    Stage {
        /// Response key.
        key: String,
        /// The field.
        field: FieldIndex,
        /// What is written of it.
        members: Vec<StageMember>,
    },
    /// Who made or last changed the record, who owns it, or another user.
    Actor {
        /// Response key.
        key: String,
        /// `CreatedBy`, `UpdatedBy`; or `Owner` or a field, where a user's id stands.
        column: ColumnRef,
        /// What is written of it, by what it is.
        members: ActorMembers,
    },
    /// The record that a relation points at: `null` when there is none or it is in the trash.
    ToOne {
        /// Response key.
        key: String,
        /// The relation field.
        field: FieldIndex,
        /// What is written of the target.
        members: Vec<Member>,
    },
    /// The record that the first filled one of several relations points at: `null` when there is
    /// none or it is in the trash.
    OneOf {
        /// Response key.
        key: String,
        /// The relations, and what is written of their targets.
        targets: Vec<(FieldIndex, Vec<Member>)>,
    },
    /// A list of this record; `connection.via` says how it comes to its records.
    ToMany {
        /// Response key.
        key: String,
        /// Which, and what is written of them.
        connection: Box<Connection>,
    },
    /// The record's history, newest first, as a connection.
    History {
        /// Response key.
        key: String,
        /// Page, 1 to 500 entries.
        page: Page,
        /// What is written of it.
        members: Vec<LogConnectionMember<HistoryMember>>,
    },
}

/// A part of a composite value, by position in the field's columns.
#[derive(Debug, Clone)]
pub enum PartMember {
    /// One column.
    Column {
        /// Response key.
        key: String,
        /// Position in the field's columns.
        part: usize,
    },
    /// An address made of a text and the id in a column.
    Address {
        /// Response key.
        key: String,
        /// Position in the field's columns.
        part: usize,
        /// What stands before the id; plain letters.
        before: &'static str,
    },
    /// A nested object made of some of the same field's columns (`phones { primary { e164 } }`).
    Object {
        /// Response key.
        key: String,
        /// Its parts.
        members: Vec<PartMember>,
    },
    /// A JSON column that holds a list of objects (`phones { additional { e164 typed } }`): of
    /// each, the named members.
    List {
        /// Response key.
        key: String,
        /// Position in the field's columns.
        part: usize,
        /// Response key and name in the stored JSON; `__typename` has its own literal.
        members: Vec<ListMember>,
    },
    /// JSON that is known beforehand.
    Literal {
        /// Response key.
        key: String,
        /// JSON text.
        json: String,
    },
}

/// A member of an object in a stored list.
#[derive(Debug, Clone)]
pub enum ListMember {
    /// Copied from the stored object, `null` when it is not there.
    Stored {
        /// Response key.
        key: String,
        /// Name in the stored object.
        name: String,
    },
    /// JSON that is known beforehand.
    Literal {
        /// Response key.
        key: String,
        /// JSON text.
        json: String,
    },
}

/// A member of a stage value.
#[derive(Debug, Clone)]
pub enum StageMember {
    /// JSON that depends on the stage alone (`pipeline`, `stage { … }`), written beforehand for
    /// each stage there is.
    ByStage {
        /// Response key.
        key: String,
        /// Pipeline's key, stage's key, JSON text. What is not listed is written as `null`.
        json: Vec<(Key, String, String)>,
    },
    /// `enteredAt`
    EnteredAt {
        /// Response key.
        key: String,
    },
    /// `options`: for each stage of the record's pipeline whether the record may enter it now.
    Options {
        /// Response key.
        key: String,
        /// All stages of all pipelines of the field.
        options: Vec<StageOption>,
        /// What is written of each.
        members: Vec<StageOptionMember>,
    },
    /// `passages`, newest first, as a list.
    Passages {
        /// Response key.
        key: String,
        /// At most this many.
        first: Operand,
        /// What is written of each.
        members: Vec<PassageMember>,
    },
    /// JSON that is known beforehand.
    Literal {
        /// Response key.
        key: String,
        /// JSON text.
        json: String,
    },
}

/// A stage that a record might enter.
#[derive(Debug, Clone)]
pub struct StageOption {
    /// The pipeline.
    pub pipeline: Key,
    /// The stage.
    pub stage: String,
    /// JSON texts of `stage { … }`, one for each time that it is selected.
    pub stage_json: Vec<String>,
    /// Stages from which it may be entered, by key or name; empty: from any. Its own stage is
    /// always allowed.
    pub from: Vec<String>,
    /// JSON texts of the unmet item for "not from here", one for each time that `unmet` is
    /// selected.
    pub from_unmet_json: Vec<String>,
    /// Fields that must be filled, with the JSON texts of the unmet item, likewise.
    pub requires: Vec<(FieldIndex, Vec<String>)>,
}

/// A member of a stage option.
#[derive(Debug, Clone)]
pub enum StageOptionMember {
    /// `stage`
    Stage {
        /// Response key.
        key: String,
        /// Which of the texts.
        text: usize,
    },
    /// `allowed`
    Allowed {
        /// Response key.
        key: String,
    },
    /// `unmet`
    Unmet {
        /// Response key.
        key: String,
        /// Which of the texts.
        text: usize,
    },
    /// JSON that is known beforehand.
    Literal {
        /// Response key.
        key: String,
        /// JSON text.
        json: String,
    },
}

/// A member of a passage.
#[derive(Debug, Clone)]
pub enum PassageMember {
    /// JSON that depends on the stage alone (`from`, `to`).
    ByStage {
        /// Response key.
        key: String,
        /// Whether it is the stage that was left (true) or entered (false).
        left: bool,
        /// Pipeline's key, stage's key, JSON text.
        json: Vec<(Key, String, String)>,
    },
    /// `at`: when the stage was entered.
    At {
        /// Response key.
        key: String,
    },
    /// `seconds`: how long the record had stood in the stage that was left; `null` for the first.
    Seconds {
        /// Response key.
        key: String,
    },
    /// `reason`
    Reason {
        /// Response key.
        key: String,
    },
    /// `by`
    By {
        /// Response key.
        key: String,
        /// What is written of it, by what it is.
        members: ActorMembers,
    },
    /// JSON that is known beforehand.
    Literal {
        /// Response key.
        key: String,
        /// JSON text.
        json: String,
    },
}

/// What is written of an actor, for each thing that an actor can be.
#[derive(Debug, Clone, Default)]
pub struct ActorMembers {
    /// `User`
    pub user: Vec<ActorMember>,
    /// `Token`
    pub token: Vec<ActorMember>,
    /// `Plugin`
    pub plugin: Vec<ActorMember>,
    /// `System`
    pub system: Vec<ActorMember>,
}

/// A member of an actor.
#[derive(Debug, Clone)]
pub enum ActorMember {
    /// `id`
    Id {
        /// Response key.
        key: String,
    },
    /// `name`, from the [`Directory`](super::Directory).
    Name {
        /// Response key.
        key: String,
    },
    /// `email`, from the directory.
    Email {
        /// Response key.
        key: String,
    },
    /// JSON that is known beforehand (`__typename`).
    Literal {
        /// Response key.
        key: String,
        /// JSON text.
        json: String,
    },
}

/// A member of a connection over a log (history).
#[derive(Debug, Clone)]
pub enum LogConnectionMember<M> {
    /// `nodes`
    Nodes {
        /// Response key.
        key: String,
        /// What is written of each.
        members: Vec<M>,
    },
    /// `pageInfo`
    PageInfo {
        /// Response key.
        key: String,
        /// What is written of it.
        members: Vec<PageInfoMember>,
    },
    /// `totalCount`
    TotalCount {
        /// Response key.
        key: String,
    },
    /// JSON that is known beforehand.
    Literal {
        /// Response key.
        key: String,
        /// JSON text.
        json: String,
    },
}

/// A member of a history entry.
#[derive(Debug, Clone)]
pub enum HistoryMember {
    /// `version` of the record that this change made.
    Version {
        /// Response key.
        key: String,
    },
    /// `at`
    At {
        /// Response key.
        key: String,
    },
    /// `change`: `CREATE`, `UPDATE`, `DELETE`, `RESTORE`
    Change {
        /// Response key.
        key: String,
    },
    /// `by`
    By {
        /// Response key.
        key: String,
        /// What is written of it, by what it is.
        members: ActorMembers,
    },
    /// `merged`: what was merged into the record, as JSON.
    Merged {
        /// Response key.
        key: String,
    },
    /// `fields`: a list of what changed.
    Fields {
        /// Response key.
        key: String,
        /// What is written of each.
        members: Vec<HistoryFieldMember>,
    },
    /// JSON that is known beforehand.
    Literal {
        /// Response key.
        key: String,
        /// JSON text.
        json: String,
    },
}

/// A member of a changed field in the history.
#[derive(Debug, Clone)]
pub enum HistoryFieldMember {
    /// `name`: the field's name today, or its last name.
    Name {
        /// Response key.
        key: String,
    },
    /// `old`, as JSON.
    Old {
        /// Response key.
        key: String,
    },
    /// `new`, as JSON.
    New {
        /// Response key.
        key: String,
    },
    /// JSON that is known beforehand.
    Literal {
        /// Response key.
        key: String,
        /// JSON text.
        json: String,
    },
}
