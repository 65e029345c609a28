//! The program that writes JSON from rows: bytes that are known beforehand, and what stands
//! between them. Flat, so that writing a record is one walk over a slice.

use relata_catalog::Key;

use super::{Measure, Span};

/// A step of the program that writes a record.
#[derive(Debug)]
pub(crate) enum Op {
    /// Bytes known beforehand: braces, keys, commas.
    Raw(Box<[u8]>),
    /// A column.
    Cell { column: usize, cell: Cell },
    /// What stands inside, or `null` when all of these columns are empty.
    Guarded {
        present: Box<[usize]>,
        body: Box<[Op]>,
    },
    /// What stands inside the first of which the column is filled, or `null`.
    FirstOf(Box<[(usize, Body)]>),
    /// A label: the first of these that is filled.
    Label {
        cells: Box<[(usize, Cell)]>,
        id: usize,
    },
    /// A list of objects that is stored as JSON.
    Stored {
        column: usize,
        members: Box<[StoredOp]>,
    },
    /// JSON by pipeline and stage.
    ByStage {
        pipeline: usize,
        stage: usize,
        json: StageTexts,
    },
    /// The stages that the record might enter.
    Options(Box<OptionsProgram>),
    /// Who acted.
    Actor {
        column: usize,
        owner: bool,
        program: Box<ActorProgram>,
    },
    /// A nested connection.
    Connection(Box<ConnectionProgram>),
    /// A nested list: what is written of each row of a level.
    List { level: usize, body: Box<[Op]> },
    /// The cursor of the row in its level.
    Cursor { level: usize },
    /// What changed, from the history's JSON.
    Changes(Box<ChangesProgram>),
    /// What was merged into the record, from the same.
    Merged { column: usize },
    /// A sum of whole numbers.
    SumInteger(Halves),
    /// A sum of lengths of time.
    SumDuration(Halves),
    /// The mean length of time, in whole microseconds.
    MeanDuration { sum: Halves, count: usize },
    /// A sum of decimals of a scale.
    SumDecimal { sum: Halves, scale: u32 },
    /// A sum divided by how many there are, with so many digits behind the point.
    Mean {
        sum: Halves,
        count: usize,
        scale: u32,
        digits: u32,
    },
    /// The mean of the two values in the middle.
    Median {
        lower: usize,
        upper: usize,
        cell: Cell,
        digits: u32,
    },
    /// A list of amounts, one for each currency.
    Amounts(Box<AmountsProgram>),
    /// The beginning of a length of time, by the clock in the zone of a list of groups.
    Moment {
        column: usize,
        span: Span,
        groups: usize,
    },
    /// The condition that finds a group's records.
    GroupWhere(Box<GroupWhere>),
}

/// See [`Op::GroupWhere`]: the filter as it was given, and all of these.
#[derive(Debug)]
pub(crate) struct GroupWhere {
    /// Position of what is known of the list of groups.
    pub(crate) groups: usize,
    /// Of a list of related records: the path of a condition on the record that has it, its `id`
    /// included, and the column of that.
    pub(crate) parent: Option<(Box<[Box<str>]>, usize)>,
    pub(crate) keys: Box<[KeyCondition]>,
}

/// The condition that a key of a group stands for.
#[derive(Debug)]
pub(crate) struct KeyCondition {
    /// Names of relations and of the field.
    pub(crate) path: Box<[Box<str>]>,
    pub(crate) column: usize,
    pub(crate) value: KeyValue,
}

/// What a key of a group holds.
#[derive(Debug)]
pub(crate) enum KeyValue {
    Cell(Cell),
    /// The id of a related record, which is the last of the path.
    Related,
    /// A first day, in a column of days.
    Days(Span),
    /// A first day or an hour, in a column of instants.
    Instants(Span),
    /// An option that a list has.
    Option,
    /// The column holds the pipeline.
    Stage {
        stage: usize,
        conditions: StageTexts,
    },
}

/// The columns of a sum: it is `high · 10^9 + low`, both of the same sign.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Halves {
    pub(crate) high: usize,
    pub(crate) low: usize,
}

/// See [`Op::Amounts`]. The column is JSON: a list of lists of currency, number, both halves of
/// the sum, least, greatest, lower and upper middle; amounts as scaled whole numbers.
#[derive(Debug)]
pub(crate) struct AmountsProgram {
    pub(crate) column: usize,
    pub(crate) measure: Measure,
    pub(crate) scale: u32,
    pub(crate) members: Box<[AmountOp]>,
}

/// A member of an amount.
#[derive(Debug)]
pub(crate) enum AmountOp {
    Raw(Box<[u8]>),
    Amount,
    Currency,
}

/// Writes an aggregate from the only row of its level.
#[derive(Debug)]
pub(crate) struct AggregateProgram {
    pub(crate) level: usize,
    pub(crate) body: Body,
}

/// How a column is written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Text,
    Integer,
    Boolean,
    Uuid,
    /// The id behind a text of plain letters, as one text.
    Address(&'static str),
    Decimal(u32),
    Date,
    Instant,
    /// An instant of a log: microseconds as an integer on both databases.
    InstantNumber,
    Time,
    Duration,
    Json,
    List,
    /// Prefix (escaped) and digits.
    Autonumber {
        prefix: Box<[u8]>,
        digits: usize,
    },
}

/// What is written of each record of a list.
pub(crate) type Body = Box<[Op]>;

/// JSON texts by pipeline and stage.
#[derive(Debug, Clone)]
pub(crate) struct StageTexts(pub(crate) Box<[StageText]>);

/// Pipeline, stage, JSON.
pub(crate) type StageText = (Box<str>, Box<str>, Box<[u8]>);

impl StageTexts {
    /// The text of a stage, or `null`.
    pub(crate) fn find(&self, pipeline: &str, stage: &str) -> &[u8] {
        self.0
            .iter()
            .find(|(one_pipeline, one_stage, _)| {
                **one_stage == *stage && **one_pipeline == *pipeline
            })
            .map_or(b"null", |(_, _, json)| json)
    }
}

/// See [`Op::Stored`].
#[derive(Debug)]
pub(crate) enum StoredOp {
    Raw(Box<[u8]>),
    Member(Box<str>),
}

/// See [`Op::Options`].
#[derive(Debug)]
pub(crate) struct OptionsProgram {
    pub(crate) pipeline: usize,
    pub(crate) stage: usize,
    pub(crate) options: Box<[OptionProgram]>,
    pub(crate) members: Box<[OptionOp]>,
}

/// One stage that a record might enter.
#[derive(Debug)]
pub(crate) struct OptionProgram {
    pub(crate) pipeline: Box<str>,
    pub(crate) stage: Box<str>,
    pub(crate) stage_json: Texts,
    /// Keys of stages.
    pub(crate) from: Box<[Box<str>]>,
    pub(crate) from_unmet: Texts,
    /// Columns of which one must be filled, and what is said when none is.
    pub(crate) requires: Box<[Requirement]>,
}

/// JSON, one for each time that it is selected.
pub(crate) type Texts = Box<[Box<[u8]>]>;

/// Columns, and what is said when none is filled.
pub(crate) type Requirement = (Box<[usize]>, Texts);

/// See [`OptionsProgram::members`].
#[derive(Debug)]
pub(crate) enum OptionOp {
    Raw(Box<[u8]>),
    /// Which text.
    Stage(usize),
    Allowed,
    /// Which text of each.
    Unmet(usize),
}

/// See [`Op::Actor`].
#[derive(Debug)]
pub(crate) struct ActorProgram {
    pub(crate) user: Box<[ActorOp]>,
    pub(crate) token: Box<[ActorOp]>,
    pub(crate) plugin: Box<[ActorOp]>,
    pub(crate) system: Box<[ActorOp]>,
}

/// A member of an actor.
#[derive(Debug)]
pub(crate) enum ActorOp {
    Raw(Box<[u8]>),
    Id,
    Name,
    Email,
}

/// See [`Op::Changes`].
#[derive(Debug)]
pub(crate) struct ChangesProgram {
    pub(crate) column: usize,
    pub(crate) object: Key,
    pub(crate) members: Box<[ChangeOp]>,
}

/// A member of a changed field.
#[derive(Debug)]
pub(crate) enum ChangeOp {
    Raw(Box<[u8]>),
    Name,
    Old,
    New,
}

/// Writes a connection.
#[derive(Debug)]
pub(crate) struct ConnectionProgram {
    /// The level of the page, when rows are asked for.
    pub(crate) page: Option<usize>,
    /// The level that counts, when that is asked for.
    pub(crate) count: Option<usize>,
    /// What is written of each row, for each list of the connection.
    pub(crate) lists: Box<[Body]>,
    pub(crate) aggregates: Box<[AggregateProgram]>,
    pub(crate) groups: Box<[ConnectionProgram]>,
    pub(crate) members: Box<[ConnectionOp]>,
    /// Whether `startCursor` or `endCursor` is written.
    pub(crate) ends: bool,
    /// Whether the only list can be written while rows come, because nothing that stands before
    /// it depends on them.
    pub(crate) streams: bool,
}

/// A step of the program that writes a connection.
#[derive(Debug)]
pub(crate) enum ConnectionOp {
    Raw(Box<[u8]>),
    List(usize),
    Aggregate(usize),
    Groups(usize),
    Total,
    HasNext,
    HasPrevious,
    Start,
    End,
}
