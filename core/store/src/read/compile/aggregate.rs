//! Aggregates: measures over all records of a connection, as one statement.
//!
//! Three selects inside each other. The innermost has the columns that are looked at, of the
//! records that the connection's conditions leave; around it, where a measure asks for ranks, one
//! that numbers them; and around that the measures. What is measured by currency is a select of
//! its own over the same records, whose rows become JSON in one column of the same row.
//!
//! Sums are exact on both databases: the scaled amount is cut at 10^9, both halves are added up by
//! themselves, and the writer puts them together in 128 bits. Means and medians are divided there.

use indexmap::IndexMap;
use relata_catalog::{ColumnType, FieldIndex, Kind};

use super::connection::and_where;
use super::program::{Program, Steps};
use super::record::plain_cell;
use super::{CompileError, Compiler, Position, READ_COLUMNS_MAX, Select, check_depth};
use crate::Backend;
use crate::filter::ColumnRef;
use crate::read::columns::{describe, find_column, find_folded, quoted};
use crate::read::condition::Scope;
use crate::read::plan::{Level, Parent, Query, select};
use crate::read::program::{AggregateProgram, AmountOp, AmountsProgram, Body, Cell, Halves, Op};
use crate::read::{AggregateMember, Connection, Measure, MeasureMember, PartMember};

/// Where a scaled number is cut in two. 18 digits make two halves of nine, of which 64 bits hold
/// the sum of nine thousand million.
const CUT: i64 = 1_000_000_000;

/// Digits behind the point of a mean or a median of numbers, at least.
const MEAN_DIGITS: u32 = 6;

/// The measures of one statement.
pub(super) struct Measures {
    backend: Backend,
    /// Text of each column of the records, once.
    inner: IndexMap<String, ()>,
    /// Each rank and number of ranks, once.
    windows: IndexMap<Window, ()>,
    outputs: Vec<Output>,
}

/// A number that a record has among those with the same keys.
#[derive(PartialEq, Eq, Hash)]
struct Window {
    call: String,
    /// A column that parts them further.
    within: Option<String>,
    order: Option<String>,
}

impl Window {
    fn text(&self, keys: usize) -> String {
        let parts = (0..keys)
            .map(|index| format!("r.k{index}"))
            .chain(self.within.iter().map(|column| format!("r.{column}")))
            .collect::<Vec<_>>();
        let mut over = String::new();
        if !parts.is_empty() {
            over.push_str(&format!("PARTITION BY {} ", parts.join(", ")));
        }
        if let Some(order) = &self.order {
            over.push_str(&format!("ORDER BY {order}"));
        }
        format!("{} OVER ({})", self.call, over.trim_end())
    }
}

/// A column of the result.
enum Output {
    /// Text over the records.
    Measure(String),
    /// By currency, as JSON.
    Amounts(Amounts),
}

/// What is measured of money, by currency.
#[derive(Clone, PartialEq, Eq)]
struct Amounts {
    amount: String,
    currency: String,
    scale: u32,
    sum: bool,
    ends: bool,
    /// Texts of the two values in the middle.
    middle: Option<(String, String)>,
}

impl<'c> Compiler<'c> {
    /// The level of an aggregate over all records of a connection, and its program.
    pub(super) fn aggregate(
        &mut self,
        connection: &Connection,
        members: &[AggregateMember],
        parent: Option<Parent>,
        position: Position,
    ) -> Result<AggregateProgram, CompileError> {
        check_depth(position.depth + 1)?;
        let level = self.reserve()?;
        let scope = Scope {
            object: connection.object,
            alias: "t".to_owned(),
        };
        let table = &self.object(connection.object)?.table;
        let mut select_of = Select::new(self.statement(parent), level, table, &scope.alias);
        let mut measures = Measures::new(self.backend);
        let body = self.measures(&mut measures, &scope, members)?;
        let conditions = self.conditions(&mut select_of.statement, &scope, connection, parent)?;
        let mut from = format!(" FROM {}", select_of.tables);
        and_where(&mut from, &conditions);
        let columns = measures.columns("g")?;
        let tail = format!(" FROM ({}) AS g", measures.text(&[], &from));
        self.levels[level] = Some(Level {
            index: level,
            depth: position.level,
            parent,
            query: Query::Fixed {
                sql: select(self.backend, parent.is_some(), &columns, &tail).into(),
                slots: select_of.statement.slots.into(),
                columns: columns.len(),
            },
        });
        Ok(AggregateProgram { level, body })
    }

    /// The program that writes an aggregate; what it needs is added to the measures. The
    /// positions are those of the measures among themselves.
    pub(super) fn measures(
        &self,
        measures: &mut Measures,
        scope: &Scope,
        members: &[AggregateMember],
    ) -> Result<Body, CompileError> {
        let mut program = Program::default();
        program.open();
        for member in members {
            match member {
                AggregateMember::Count { key } => {
                    let column = measures.output("count(*)".to_owned());
                    program.member(
                        key,
                        Op::Cell {
                            column,
                            cell: Cell::Integer,
                        },
                    );
                }
                AggregateMember::Column {
                    key,
                    column,
                    members,
                } => {
                    program.key(key);
                    let body = self.measured(measures, scope, *column, members)?;
                    program.extend(body);
                }
                AggregateMember::Money {
                    key,
                    field,
                    members,
                } => {
                    program.key(key);
                    let body = self.amounts(measures, scope, *field, members)?;
                    program.extend(body);
                }
                AggregateMember::Literal { key, json } => program.literal(key, json),
            }
        }
        program.close();
        Ok(program.finish())
    }

    fn measured(
        &self,
        measures: &mut Measures,
        scope: &Scope,
        column: ColumnRef,
        members: &[MeasureMember],
    ) -> Result<Body, CompileError> {
        let found = find_column(self.catalogue, scope.object, column)?;
        let own = format!("{}.{}", scope.alias, quoted(&found.name));
        let folded = find_folded(self.catalogue, scope.object, column)?
            .map(|folded| format!("{}.{}", scope.alias, quoted(&folded.name)));
        let mut program = Program::default();
        program.open();
        for member in members {
            let (key, measure) = match member {
                MeasureMember::Measure { key, measure } => (key, *measure),
                MeasureMember::Amounts { .. } => {
                    return Err(CompileError::Missing("a currency of this column"));
                }
                MeasureMember::Literal { key, json } => {
                    program.literal(key, json);
                    continue;
                }
            };
            let op = measures
                .measure(measure, found.column, &own, folded.as_deref())
                .ok_or_else(|| CompileError::Unmeasured {
                    column: describe(self.catalogue, scope.object, column),
                    measure,
                })?;
            program.member(key, op);
        }
        program.close();
        Ok(program.finish())
    }

    fn amounts(
        &self,
        measures: &mut Measures,
        scope: &Scope,
        field: FieldIndex,
        members: &[MeasureMember],
    ) -> Result<Body, CompileError> {
        let part = |part: usize| ColumnRef::Field { field, part };
        let amount = find_column(self.catalogue, scope.object, part(0))?;
        let (ColumnType::Decimal(scale), Kind::Money { .. }) =
            (amount.column, &self.field(scope.object, field)?.kind)
        else {
            return Err(CompileError::Missing("a field of money"));
        };
        let currency = find_column(self.catalogue, scope.object, part(1))?;
        let amount = measures.inner(format!("{}.{}", scope.alias, quoted(&amount.name)));
        let currency = measures.inner(format!("{}.{}", scope.alias, quoted(&currency.name)));
        let wants = |wanted: &[Measure]| {
            members.iter().any(|member| {
                matches!(member, MeasureMember::Amounts { measure, .. } if wanted.contains(measure))
            })
        };
        let by_currency = Amounts {
            sum: wants(&[Measure::Sum, Measure::Mean]),
            ends: wants(&[Measure::Least, Measure::Greatest]),
            middle: wants(&[Measure::Median]).then(|| measures.middle(&amount, Some(&currency))),
            scale,
            amount: amount.clone(),
            currency,
        };
        let mut program = Program::default();
        program.open();
        for member in members {
            match member {
                MeasureMember::Measure {
                    key,
                    measure: Measure::Count,
                } => {
                    let column = measures.output(format!("count(b.{amount})"));
                    program.member(
                        key,
                        Op::Cell {
                            column,
                            cell: Cell::Integer,
                        },
                    );
                }
                MeasureMember::Amounts {
                    key,
                    measure,
                    members,
                } => {
                    let column = measures.by_currency(by_currency.clone());
                    program.member(
                        key,
                        Op::Amounts(Box::new(AmountsProgram {
                            column,
                            measure: *measure,
                            scale,
                            members: money(members),
                        })),
                    );
                }
                MeasureMember::Measure { measure, .. } => {
                    return Err(CompileError::Unmeasured {
                        column: describe(self.catalogue, scope.object, part(0)),
                        measure: *measure,
                    });
                }
                MeasureMember::Literal { key, json } => program.literal(key, json),
            }
        }
        program.close();
        Ok(program.finish())
    }
}

/// What is written of an amount.
fn money(members: &[PartMember]) -> Box<[AmountOp]> {
    let mut steps = Steps::new(AmountOp::Raw);
    steps.open();
    for member in members {
        match member {
            PartMember::Column { key, part: 0 } => steps.member(key, AmountOp::Amount),
            PartMember::Column { key, .. } => steps.member(key, AmountOp::Currency),
            PartMember::Literal { key, json } => steps.literal(key, json),
            // Not parts of money.
            PartMember::Object { key, .. } | PartMember::List { key, .. } => {
                steps.literal(key, "null");
            }
        }
    }
    steps.close();
    steps.finish()
}

impl Measures {
    pub(super) fn new(backend: Backend) -> Self {
        Self {
            backend,
            inner: IndexMap::new(),
            windows: IndexMap::new(),
            outputs: Vec::new(),
        }
    }

    /// Name of a column of the records.
    fn inner(&mut self, text: String) -> String {
        format!("m{}", self.inner.insert_full(text, ()).0)
    }

    /// Name of a rank.
    fn window(&mut self, call: String, within: Option<&str>, order: Option<String>) -> String {
        let window = Window {
            call,
            within: within.map(str::to_owned),
            order,
        };
        format!("w{}", self.windows.insert_full(window, ()).0)
    }

    /// Position of a column of the result.
    fn output(&mut self, text: String) -> usize {
        let known = self
            .outputs
            .iter()
            .position(|output| matches!(output, Output::Measure(known) if *known == text));
        known.unwrap_or_else(|| {
            self.outputs.push(Output::Measure(text));
            self.outputs.len() - 1
        })
    }

    fn by_currency(&mut self, amounts: Amounts) -> usize {
        let known = self
            .outputs
            .iter()
            .position(|output| matches!(output, Output::Amounts(known) if *known == amounts));
        known.unwrap_or_else(|| {
            self.outputs.push(Output::Amounts(amounts));
            self.outputs.len() - 1
        })
    }

    /// How a measure of a column is written; none where the column has no such measure.
    fn measure(
        &mut self,
        measure: Measure,
        column: ColumnType,
        own: &str,
        folded: Option<&str>,
    ) -> Option<Op> {
        use ColumnType as Type;
        let scale = match column {
            Type::Integer => Some(0),
            Type::Decimal(scale) => Some(scale),
            _ => None,
        };
        let is_text = matches!(column, Type::Text | Type::Folded);
        let is_listed = matches!(column, Type::Json | Type::TextList);
        let name = self.inner(own.to_owned());
        let integer = |column| Op::Cell {
            column,
            cell: Cell::Integer,
        };
        Some(match measure {
            Measure::Count => integer(self.output(format!("count(b.{name})"))),
            Measure::CountDistinct if !is_listed => {
                integer(self.output(format!("count(DISTINCT b.{name})")))
            }
            Measure::CountTrue if column == Type::Boolean => {
                integer(self.output(format!("count(*) FILTER (WHERE b.{name})")))
            }
            Measure::CountFalse if column == Type::Boolean => {
                integer(self.output(format!("count(*) FILTER (WHERE NOT b.{name})")))
            }
            Measure::Sum => {
                let sum = self.halves(&name, scale?);
                match column {
                    Type::Integer => Op::SumInteger(sum),
                    _ => Op::SumDecimal { sum, scale: scale? },
                }
            }
            Measure::Mean => {
                let scale = scale?;
                let sum = self.halves(&name, scale);
                let count = self.output(format!("count(b.{name})"));
                Op::Mean {
                    sum,
                    count,
                    scale,
                    digits: scale.max(MEAN_DIGITS),
                }
            }
            Measure::Median => {
                let scale = scale?;
                let (lower, upper) = self.middle(&name, None);
                Op::Median {
                    lower: self.output(lower),
                    upper: self.output(upper),
                    cell: plain_cell(column),
                    digits: scale.max(MEAN_DIGITS),
                }
            }
            Measure::Least | Measure::Greatest if is_text => {
                // By the folded key, as texts are ordered; the least of all by code point, so
                // that it is the same record's on both databases.
                let key = folded.map(|folded| self.inner(folded.to_owned()));
                let direction = if measure == Measure::Least {
                    "ASC"
                } else {
                    "DESC"
                };
                let order = [key.as_ref(), Some(&name)]
                    .into_iter()
                    .flatten()
                    .map(|column| format!("r.{column} {direction} NULLS LAST"))
                    .collect::<Vec<_>>();
                let rank = self.window("row_number()".to_owned(), None, Some(order.join(", ")));
                let column = self.output(format!("max(CASE WHEN b.{rank} = 1 THEN b.{name} END)"));
                Op::Cell {
                    column,
                    cell: Cell::Text,
                }
            }
            Measure::Least | Measure::Greatest
                if scale.is_some() || matches!(column, Type::Date | Type::DateTime) =>
            {
                let function = if measure == Measure::Least {
                    "min"
                } else {
                    "max"
                };
                let position = self.output(format!("{function}(b.{name})"));
                Op::Cell {
                    column: position,
                    cell: plain_cell(column),
                }
            }
            _ => return None,
        })
    }

    /// Texts of the two values in the middle, which are one where their number is odd. `within`
    /// is a column that parts the records further.
    fn middle(&mut self, name: &str, within: Option<&str>) -> (String, String) {
        let order = format!("r.{name} ASC NULLS LAST");
        let rank = self.window("row_number()".to_owned(), within, Some(order));
        let count = self.window(format!("count(r.{name})"), within, None);
        let middle = |add: u8| {
            format!("max(CASE WHEN b.{rank} = (b.{count} + {add}) / 2 THEN b.{name} END)")
        };
        (middle(1), middle(2))
    }

    fn halves(&mut self, name: &str, scale: u32) -> Halves {
        let (high, low) = self.half_texts(name, scale);
        Halves {
            high: self.output(high),
            low: self.output(low),
        }
    }

    fn half_texts(&self, name: &str, scale: u32) -> (String, String) {
        match self.backend {
            Backend::Sqlite => (
                format!("sum(b.{name} / {CUT})"),
                format!("sum(b.{name} % {CUT})"),
            ),
            Backend::Postgres => {
                let sum = scaled(self.backend, &format!("sum(b.{name})"), scale);
                (
                    format!("div({sum}, {CUT})::int8"),
                    format!("mod({sum}, {CUT})::int8"),
                )
            }
        }
    }

    /// Position of the greatest value of a text over the records.
    pub(super) fn greatest(&mut self, text: String) -> usize {
        let name = self.inner(text);
        self.output(format!("max(b.{name})"))
    }

    /// How many records, as something to compare and to order by.
    pub(super) fn records_counted(&mut self) -> Ordered {
        let position = self.output("count(*)".to_owned());
        Ordered::single(position, ColumnType::Integer)
    }

    /// A measure as something to compare and to order by; none where it isn't.
    pub(super) fn ordered(
        &mut self,
        measure: Measure,
        column: ColumnType,
        own: String,
    ) -> Option<Ordered> {
        use ColumnType as Type;
        let is_number = matches!(column, Type::Integer | Type::Decimal(_));
        let is_time = matches!(column, Type::Date | Type::DateTime);
        match measure {
            Measure::Sum if is_number => {
                let scale = match column {
                    Type::Decimal(scale) => scale,
                    _ => 0,
                };
                let name = self.inner(own);
                let sum = self.halves(&name, scale);
                Some(Ordered::sum(sum, column))
            }
            Measure::Least | Measure::Greatest if is_number || is_time => {
                match self.measure(measure, column, &own, None)? {
                    Op::Cell { column: at, .. } => Some(Ordered::single(at, column)),
                    _ => None,
                }
            }
            Measure::Count | Measure::CountDistinct | Measure::CountTrue | Measure::CountFalse => {
                match self.measure(measure, column, &own, None)? {
                    Op::Cell { column: at, .. } => Some(Ordered::single(at, Type::Integer)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The columns of the result, qualified.
    pub(super) fn columns(&self, alias: &str) -> Result<Vec<String>, CompileError> {
        if self.outputs.len() + self.inner.len() + self.windows.len() > READ_COLUMNS_MAX {
            return Err(CompileError::Limit {
                what: "measures in one aggregate",
                max: READ_COLUMNS_MAX,
            });
        }
        // An aggregate of which nothing but its type is wanted still needs a row.
        if self.outputs.is_empty() {
            return Ok(vec!["1".to_owned()]);
        }
        Ok((0..self.outputs.len())
            .map(|index| format!("{alias}.a{index}"))
            .collect())
    }

    /// The select of all measures, by these keys. `from` is what stands behind the columns of the
    /// records.
    pub(super) fn text(&self, keys: &[String], from: &str) -> String {
        let records = self.records(keys, from);
        let by_currency = self
            .outputs
            .iter()
            .enumerate()
            .filter_map(|(index, output)| match output {
                Output::Amounts(amounts) => Some((index, amounts)),
                Output::Measure(_) => None,
            })
            .collect::<Vec<_>>();
        let mut selects = vec![self.plain(keys.len(), &records)];
        for (index, amounts) in &by_currency {
            selects.push(self.of_currencies(keys.len(), *index, amounts, &records));
        }
        if by_currency.is_empty() {
            return selects.remove(0);
        }
        // Each of them has the columns of all, and fills its own.
        let columns = names("u", keys.len())
            .chain((0..self.outputs.len()).map(|index| format!("max(u.a{index}) AS a{index}")))
            .collect::<Vec<_>>();
        format!(
            "SELECT {} FROM ({}) AS u{}",
            columns.join(", "),
            selects.join(" UNION ALL "),
            group_by("u", keys.len(), None)
        )
    }

    /// The records: keys, columns, ranks.
    fn records(&self, keys: &[String], from: &str) -> String {
        let mut columns = keys
            .iter()
            .enumerate()
            .map(|(index, key)| format!("{key} AS k{index}"))
            .chain(
                self.inner
                    .keys()
                    .enumerate()
                    .map(|(index, text)| format!("{text} AS m{index}")),
            )
            .collect::<Vec<_>>();
        if columns.is_empty() {
            columns.push("1 AS m".to_owned());
        }
        let records = format!("SELECT {}{from}", columns.join(", "));
        if self.windows.is_empty() {
            return records;
        }
        let windows = self
            .windows
            .keys()
            .enumerate()
            .map(|(index, text)| format!("{} AS w{index}", text.text(keys.len())))
            .collect::<Vec<_>>();
        format!("SELECT r.*, {} FROM ({records}) AS r", windows.join(", "))
    }

    fn plain(&self, keys: usize, records: &str) -> String {
        let mut columns = names("b", keys)
            .chain(
                self.outputs
                    .iter()
                    .enumerate()
                    .map(|(index, output)| match output {
                        Output::Measure(text) => format!("{text} AS a{index}"),
                        Output::Amounts(_) => format!("NULL AS a{index}"),
                    }),
            )
            .collect::<Vec<_>>();
        if columns.is_empty() {
            columns.push("count(*) AS a".to_owned());
        }
        format!(
            "SELECT {} FROM ({records}) AS b{}",
            columns.join(", "),
            group_by("b", keys, None)
        )
    }

    /// Rows of currency, number, sum in two halves, least, greatest, and the two in the middle.
    fn of_currencies(&self, keys: usize, own: usize, amounts: &Amounts, records: &str) -> String {
        let Amounts {
            amount,
            currency,
            scale,
            ..
        } = amounts;
        let or_null = |wanted: bool, text: String| if wanted { text } else { "NULL".to_owned() };
        let number = |text: String| match self.backend {
            Backend::Sqlite => text,
            Backend::Postgres => format!("({})::int8", scaled(self.backend, &text, *scale)),
        };
        let (high, low) = self.half_texts(amount, *scale);
        let (lower, upper) = amounts.middle.clone().unwrap_or_default();
        let measures = [
            format!("count(b.{amount})"),
            or_null(amounts.sum, high),
            or_null(amounts.sum, low),
            or_null(amounts.ends, number(format!("min(b.{amount})"))),
            or_null(amounts.ends, number(format!("max(b.{amount})"))),
            or_null(amounts.middle.is_some(), number(lower)),
            or_null(amounts.middle.is_some(), number(upper)),
        ];
        let inner = names("b", keys)
            .chain([format!("b.{currency} AS v")])
            .chain(
                measures
                    .iter()
                    .enumerate()
                    .map(|(index, text)| format!("{text} AS v{index}")),
            )
            .collect::<Vec<_>>();
        let row = (0..measures.len())
            .map(|index| format!(", c.v{index}"))
            .collect::<String>();
        let json = match self.backend {
            Backend::Sqlite => format!("json_group_array(json_array(c.v{row}))"),
            Backend::Postgres => format!("json_agg(json_build_array(c.v{row}))::text"),
        };
        let outer = names("c", keys)
            .chain((0..self.outputs.len()).map(|index| {
                if index == own {
                    format!("{json} AS a{index}")
                } else {
                    format!("NULL AS a{index}")
                }
            }))
            .collect::<Vec<_>>();
        format!(
            "SELECT {} FROM (SELECT {} FROM ({records}) AS b WHERE b.{currency} IS NOT NULL{}) AS c{}",
            outer.join(", "),
            inner.join(", "),
            group_by("b", keys, Some(currency)),
            group_by("c", keys, None)
        )
    }
}

/// A measure of a group that is compared or ordered by.
pub(super) struct Ordered {
    /// Texts that order as the measure does, most important first.
    pub(super) columns: Vec<(String, ColumnType)>,
    /// What it is compared with.
    pub(super) operand: ColumnType,
    /// The halves, where it is a sum.
    sum: Option<Halves>,
}

impl Ordered {
    fn single(position: usize, column: ColumnType) -> Self {
        Self {
            columns: vec![(format!("g.a{position}"), column)],
            operand: column,
            sum: None,
        }
    }

    /// The halves are made such that the lower one is never negative: so they order as the sum.
    fn sum(sum: Halves, operand: ColumnType) -> Self {
        let low = floor_rest(&format!("g.a{}", sum.low));
        let high = format!("(g.a{} + (g.a{} - {low}) / {CUT})", sum.high, sum.low);
        Self {
            columns: vec![(high, ColumnType::Integer), (low, ColumnType::Integer)],
            operand,
            sum: Some(sum),
        }
    }

    /// A comparison with the value at a position.
    pub(super) fn compare(&self, backend: Backend, sign: &str, value: &str) -> String {
        let Some(sum) = self.sum else {
            return format!("{} {sign} {value}", self.columns[0].0);
        };
        match backend {
            Backend::Sqlite => {
                let low = floor_rest(value);
                format!(
                    "({}, {}) {sign} (({value} - {low}) / {CUT}, {low})",
                    self.columns[0].0, self.columns[1].0
                )
            }
            Backend::Postgres => {
                let scale = match self.operand {
                    ColumnType::Decimal(scale) => scale,
                    _ => 0,
                };
                format!(
                    "(g.a{}::numeric * {CUT} + g.a{}) {sign} {}",
                    sum.high,
                    sum.low,
                    scaled(backend, &format!("{value}::numeric"), scale)
                )
            }
        }
    }
}

/// What is left of a whole number, 0 or more, once all whole cuts are taken from it.
fn floor_rest(text: &str) -> String {
    format!("((({text} % {CUT}) + {CUT}) % {CUT})")
}

/// A sum or a value of a column as a whole number of its smallest part.
fn scaled(backend: Backend, text: &str, scale: u32) -> String {
    match backend {
        Backend::Postgres if scale > 0 => format!("({text} * {})", 10_u64.pow(scale)),
        _ => text.to_owned(),
    }
}

fn names(alias: &str, keys: usize) -> impl Iterator<Item = String> + use<'_> {
    (0..keys).map(move |index| format!("{alias}.k{index} AS k{index}"))
}

fn group_by(alias: &str, keys: usize, also: Option<&str>) -> String {
    let columns = (0..keys)
        .map(|index| format!("{alias}.k{index}"))
        .chain(also.map(|also| format!("{alias}.{also}")))
        .collect::<Vec<_>>();
    if columns.is_empty() {
        String::new()
    } else {
        format!(" GROUP BY {}", columns.join(", "))
    }
}
