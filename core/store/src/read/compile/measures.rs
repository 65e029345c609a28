//! What is measured over many records: the select of a statement's measures.
//!
//! Three selects inside each other. The innermost has the columns that are looked at, of the
//! records that the connection's conditions leave; around it, where a measure asks for ranks, one
//! that numbers them; and around that the measures. What is measured by currency is a select of
//! its own over the same records, whose rows become JSON in one column of the same row.
//!
//! Sums are exact on both databases: the scaled amount is cut at 10^9, both halves are added up by
//! themselves, and the writer puts them together in 128 bits. Means and medians are divided there.

use indexmap::{IndexMap, IndexSet};
use relata_catalog::ColumnType;

use super::aggregate::MoneyColumns;
use super::quotient::Quotient;
use super::record::plain_cell;
use super::{CompileError, READ_COLUMNS_MAX, Runs};
use crate::Backend;
use crate::read::Measure;
use crate::read::fold::{self, Measured};
use crate::read::program::{Cell, Halves, Op};

/// Where a scaled number is cut in two. 18 digits make two halves of nine, of which 64 bits hold
/// the sum of nine thousand million.
pub(super) const CUT: i64 = 10_i64.pow(CUT_DIGITS);
pub(super) const CUT_DIGITS: u32 = 9;

/// Digits behind the point of a mean or a median of numbers, at least.
const MEAN_DIGITS: u32 = 6;

/// The measures of one statement.
pub(super) struct Measures {
    pub(super) backend: Backend,
    /// Whether [`fold`] is at hand.
    folds: bool,
    /// Text of each column of the records, once.
    inner: IndexMap<String, ()>,
    /// Each rank and number of ranks, once.
    windows: IndexMap<Window, ()>,
    outputs: Vec<Output>,
    /// What is divided for the sake of conditions and orders, once.
    pub(super) quotients: IndexSet<Quotient>,
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
    /// Text over the records, how it comes out of those of parts of them, and what it is where
    /// it is one of the plain ones.
    Measure(String, Fold, Option<Plain>),
    /// By currency, as JSON.
    Amounts(Amounts),
}

/// A measure that needs to look at each record but once: of all records, or of a column's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plain {
    Rows,
    Values(String),
    Trues(String),
    Falses(String),
    High(String),
    Low(String),
    Least(String),
    Greatest(String),
}

impl Plain {
    fn fold(&self) -> Fold {
        match self {
            Self::Rows | Self::Values(_) | Self::Trues(_) | Self::Falses(_) => Fold::Count,
            Self::High(_) | Self::Low(_) => Fold::Sum,
            Self::Least(_) => Fold::Least,
            Self::Greatest(_) => Fold::Greatest,
        }
    }

    /// As SQLite has it. Halves are otherwise on PostgreSQL.
    fn text(&self) -> String {
        match self {
            Self::Rows => "count(*)".to_owned(),
            Self::Values(name) => format!("count(b.{name})"),
            Self::Trues(name) => format!("count(*) FILTER (WHERE b.{name})"),
            Self::Falses(name) => format!("count(*) FILTER (WHERE NOT b.{name})"),
            Self::High(name) => format!("sum(b.{name} / {CUT})"),
            Self::Low(name) => format!("sum(b.{name} % {CUT})"),
            Self::Least(name) => format!("min(b.{name})"),
            Self::Greatest(name) => format!("max(b.{name})"),
        }
    }

    /// The same for [`fold`], which knows columns by position.
    fn measured(&self, position: impl Fn(&str) -> Option<usize>) -> Option<Measured> {
        Some(match self {
            Self::Rows => Measured::Rows,
            Self::Values(name) => Measured::Values(position(name)?),
            Self::Trues(name) => Measured::Trues(position(name)?),
            Self::Falses(name) => Measured::Falses(position(name)?),
            Self::High(name) => Measured::High(position(name)?),
            Self::Low(name) => Measured::Low(position(name)?),
            Self::Least(name) => Measured::Least(position(name)?),
            Self::Greatest(name) => Measured::Greatest(position(name)?),
        })
    }
}

/// How a measure comes out of the same measure of parts of the records.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    /// Numbers of records are added up; of nothing there are none.
    Count,
    Sum,
    Least,
    Greatest,
    /// It doesn't.
    Not,
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

impl Measures {
    pub(super) fn new(backend: Backend, runs: Runs) -> Self {
        Self {
            folds: backend == Backend::Sqlite && runs == Runs::OnReaders,
            backend,
            inner: IndexMap::new(),
            windows: IndexMap::new(),
            outputs: Vec::new(),
            quotients: IndexSet::new(),
        }
    }

    /// Name of a column of the records.
    pub(super) fn inner(&mut self, text: String) -> String {
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
    pub(super) fn output(&mut self, text: String, fold: Fold) -> usize {
        self.add(text, fold, None)
    }

    /// Position of a plain measure.
    pub(super) fn plainly(&mut self, plain: Plain) -> usize {
        self.add(plain.text(), plain.fold(), Some(plain))
    }

    fn add(&mut self, text: String, fold: Fold, plain: Option<Plain>) -> usize {
        let known = self
            .outputs
            .iter()
            .position(|output| matches!(output, Output::Measure(known, ..) if *known == text));
        known.unwrap_or_else(|| {
            self.outputs.push(Output::Measure(text, fold, plain));
            self.outputs.len() - 1
        })
    }

    /// Position of what is measured of money, each currency by itself.
    pub(super) fn by_currency(&mut self, money: &MoneyColumns, wanted: &[Measure]) -> usize {
        let wants = |measures: &[Measure]| measures.iter().any(|one| wanted.contains(one));
        let amount = self.inner(money.amount.clone());
        let currency = self.inner(money.currency.clone());
        let amounts = Amounts {
            sum: wants(&[Measure::Sum, Measure::Mean]),
            ends: wants(&[Measure::Least, Measure::Greatest]),
            middle: wants(&[Measure::Median]).then(|| self.middle(&amount, Some(&currency))),
            scale: money.scale,
            amount,
            currency,
        };
        let known = self
            .outputs
            .iter()
            .position(|output| matches!(output, Output::Amounts(known) if *known == amounts));
        known.unwrap_or_else(|| {
            self.outputs.push(Output::Amounts(amounts));
            self.outputs.len() - 1
        })
    }

    /// Position of how many amounts there are, or how many different ones.
    pub(super) fn amounts_counted(
        &mut self,
        measure: Measure,
        money: &MoneyColumns,
    ) -> Option<usize> {
        match measure {
            Measure::Count => {
                let amount = self.inner(money.amount.clone());
                Some(self.plainly(Plain::Values(amount)))
            }
            Measure::CountDistinct => {
                let both = format!("{} || ' ' || {}", money.amount, money.currency);
                let both = self.inner(both);
                Some(self.output(format!("count(DISTINCT b.{both})"), Fold::Not))
            }
            _ => None,
        }
    }

    /// How a measure of a column is written; none where the column has no such measure.
    pub(super) fn measure(
        &mut self,
        measure: Measure,
        column: ColumnType,
        own: &str,
        folded: Option<&str>,
    ) -> Option<Op> {
        use ColumnType as Type;
        let scale = match column {
            Type::Integer | Type::Duration => Some(0),
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
            Measure::Count => integer(self.plainly(Plain::Values(name))),
            Measure::CountDistinct if !is_listed => {
                integer(self.output(format!("count(DISTINCT b.{name})"), Fold::Not))
            }
            Measure::CountTrue if column == Type::Boolean => {
                integer(self.plainly(Plain::Trues(name)))
            }
            Measure::CountFalse if column == Type::Boolean => {
                integer(self.plainly(Plain::Falses(name)))
            }
            Measure::Sum => {
                let sum = self.halves(&name, scale?);
                match column {
                    Type::Integer => Op::SumInteger(sum),
                    Type::Duration => Op::SumDuration(sum),
                    _ => Op::SumDecimal { sum, scale: scale? },
                }
            }
            Measure::Mean => {
                let scale = scale?;
                let sum = self.halves(&name, scale);
                let count = self.plainly(Plain::Values(name));
                if column == Type::Duration {
                    return Some(Op::MeanDuration { sum, count });
                }
                Op::Mean {
                    sum,
                    count,
                    scale,
                    digits: mean_digits(scale),
                }
            }
            Measure::Median => {
                let scale = scale?;
                let (fold, (lower, upper)) = (self.middle_fold(), self.middle(&name, None));
                Op::Median {
                    lower: self.output(lower, fold),
                    upper: self.output(upper, fold),
                    cell: plain_cell(column),
                    digits: mean_digits(scale),
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
                let column = self.output(
                    format!("max(CASE WHEN b.{rank} = 1 THEN b.{name} END)"),
                    Fold::Greatest,
                );
                Op::Cell {
                    column,
                    cell: Cell::Text,
                }
            }
            Measure::Least | Measure::Greatest
                if scale.is_some()
                    || matches!(column, Type::Date | Type::DateTime | Type::Time) =>
            {
                let position = self.end(measure, &name);
                Op::Cell {
                    column: position,
                    cell: plain_cell(column),
                }
            }
            _ => return None,
        })
    }

    /// Texts of the two values in the middle, which are one where their number is odd. `within`
    /// is a column that parts the records further, and by which the texts are grouped.
    pub(super) fn middle(&mut self, name: &str, within: Option<&str>) -> (String, String) {
        if self.backend == Backend::Postgres {
            // Its own way sorts once for both, and three times as fast as windows do. The value
            // behind a half of n is that at ceil(n · fraction), up to n = 5 · 10^9.
            let behind = |fraction: &str| {
                format!("percentile_disc({fraction}) WITHIN GROUP (ORDER BY b.{name})")
            };
            return (behind("0.5"), behind("0.5000000001"));
        }
        let order = format!("r.{name} ASC NULLS LAST");
        let rank = self.window("row_number()".to_owned(), within, Some(order));
        let count = self.window(format!("count(r.{name})"), within, None);
        let middle = |add: u8| {
            format!("max(CASE WHEN b.{rank} = (b.{count} + {add}) / 2 THEN b.{name} END)")
        };
        (middle(1), middle(2))
    }

    /// A rank among all records is one among parts of them, too; PostgreSQL's own way has none.
    pub(super) fn middle_fold(&self) -> Fold {
        match self.backend {
            Backend::Sqlite => Fold::Greatest,
            Backend::Postgres => Fold::Not,
        }
    }

    pub(super) fn halves(&mut self, name: &str, scale: u32) -> Halves {
        if self.backend == Backend::Sqlite {
            return Halves {
                high: self.plainly(Plain::High(name.to_owned())),
                low: self.plainly(Plain::Low(name.to_owned())),
            };
        }
        let (high, low) = self.half_texts(name, scale);
        Halves {
            high: self.output(high, Fold::Sum),
            low: self.output(low, Fold::Sum),
        }
    }

    /// Position of the least value of a column, or of the greatest.
    pub(super) fn end(&mut self, measure: Measure, name: &str) -> usize {
        match measure {
            Measure::Least => self.plainly(Plain::Least(name.to_owned())),
            _ => self.plainly(Plain::Greatest(name.to_owned())),
        }
    }

    fn half_texts(&self, name: &str, scale: u32) -> (String, String) {
        match self.backend {
            Backend::Sqlite => (
                Plain::High(name.to_owned()).text(),
                Plain::Low(name.to_owned()).text(),
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
        self.end(Measure::Greatest, &name)
    }

    /// The columns of the result, qualified.
    pub(super) fn columns(&self, alias: &str) -> Result<Vec<String>, CompileError> {
        let columns = self.outputs.len() + self.inner.len() + self.windows.len();
        if columns + self.quotients.len() * Quotient::COLUMNS > READ_COLUMNS_MAX {
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
    pub(super) fn text(&self, keys: &[KeyColumn], from: &str) -> String {
        Quotient::select(&self.quotients, self.measured(keys, from))
    }

    fn measured(&self, keys: &[KeyColumn], from: &str) -> String {
        let records = self.records(keys, from);
        let by_currency = self
            .outputs
            .iter()
            .enumerate()
            .filter_map(|(index, output)| match output {
                Output::Amounts(amounts) => Some((index, amounts)),
                Output::Measure(..) => None,
            })
            .collect::<Vec<_>>();
        let folds = |output: &Output| !matches!(output, Output::Measure(_, Fold::Not, _));
        let mut selects = match by_currency.as_slice() {
            [] => {
                return self
                    .by_hash(keys, None, &records)
                    .unwrap_or_else(|| self.plain(keys.len(), &records));
            }
            [(_, amounts)] if self.outputs.iter().all(folds) => {
                return self.at_once(keys, amounts, &records);
            }
            _ => vec![self.plain(keys.len(), &records)],
        };
        for (index, amounts) in &by_currency {
            selects.push(self.of_currencies(keys.len(), *index, amounts, &records));
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
    fn records(&self, keys: &[KeyColumn], from: &str) -> String {
        let mut columns = keys
            .iter()
            .enumerate()
            .map(|(index, key)| format!("{} AS k{index}", key.text))
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
                        Output::Measure(text, ..) => format!("{text} AS a{index}"),
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

    /// All measures by a single walk over the records: by currency, and out of these the others.
    fn at_once(&self, keys: &[KeyColumn], amounts: &Amounts, records: &str) -> String {
        let inner =
            self.by_hash(keys, Some(amounts), records)
                .unwrap_or_else(|| {
                    let parts =
                        self.outputs.iter().enumerate().filter_map(
                            |(index, output)| match output {
                                Output::Measure(text, ..) => Some(format!("{text} AS p{index}")),
                                Output::Amounts(_) => None,
                            },
                        );
                    format!(
                        "SELECT {} FROM ({records}) AS b{}",
                        joined(self.currency_columns(keys.len(), amounts).chain(parts)),
                        group_by("b", keys.len(), Some(&amounts.currency))
                    )
                });
        let outer =
            names("c", keys.len()).chain(self.outputs.iter().enumerate().map(|(index, output)| {
                match output {
                    Output::Measure(_, fold, _) => {
                        format!("{} AS a{index}", self.folded(*fold, index))
                    }
                    Output::Amounts(_) => format!("{} AS a{index}", self.currency_rows()),
                }
            }));
        format!(
            "SELECT {} FROM ({inner}) AS c{}",
            joined(outer),
            group_by("c", keys.len(), None)
        )
    }

    /// The groups by a hash table, where everything that is measured can be by one: of the records,
    /// or of each currency's, with its columns before the others'.
    fn by_hash(
        &self,
        keys: &[KeyColumn],
        amounts: Option<&Amounts>,
        records: &str,
    ) -> Option<String> {
        // Without keys there is nothing to sort by, and one row also of no records.
        if !self.folds || !self.windows.is_empty() || (keys.is_empty() && amounts.is_none()) {
            return None;
        }
        let values: Vec<String> = (0..self.inner.len())
            .map(|index| format!("m{index}"))
            .collect();
        let position = |name: &str| values.iter().position(|value| value == name);
        let mut columns: Vec<(String, bool)> = keys
            .iter()
            .enumerate()
            .map(|(index, key)| (format!("k{index}"), key.is_id))
            .collect();
        let mut measures = Vec::new();
        let mut letter = 'a';
        if let Some(amounts) = amounts {
            letter = 'p';
            columns.push((amounts.currency.clone(), false));
            let amount = || amounts.amount.clone();
            let plain = |wanted: bool, plain: Plain| wanted.then_some(plain);
            let of_currency: [Option<Plain>; CURRENCY_MEASURES] = [
                Some(Plain::Values(amount())),
                plain(amounts.sum, Plain::High(amount())),
                plain(amounts.sum, Plain::Low(amount())),
                plain(amounts.ends, Plain::Least(amount())),
                plain(amounts.ends, Plain::Greatest(amount())),
                None,
                None,
            ];
            for (index, plain) in of_currency.iter().enumerate() {
                let measured = match plain {
                    Some(plain) => plain.measured(position)?,
                    None => Measured::Empty,
                };
                measures.push((measured, format!("v{index}")));
            }
        }
        for (index, output) in self.outputs.iter().enumerate() {
            match output {
                Output::Measure(_, _, plain) => {
                    let measured = plain.as_ref()?.measured(position)?;
                    measures.push((measured, format!("{letter}{index}")));
                }
                Output::Amounts(_) => {}
            }
        }
        let select = fold::select(&columns, &values, &measures, records)?;
        Some(match amounts {
            // What is around calls the currency by another name.
            Some(amounts) => format!(
                "SELECT h.*, h.{} AS v FROM ({select}) AS h",
                amounts.currency
            ),
            None => select,
        })
    }

    fn folded(&self, fold: Fold, index: usize) -> String {
        // PostgreSQL's sum of whole numbers has another type than they have.
        let whole = match self.backend {
            Backend::Sqlite => "",
            Backend::Postgres => "::int8",
        };
        match fold {
            Fold::Count => format!("coalesce(sum(c.p{index}), 0){whole}"),
            Fold::Sum => format!("sum(c.p{index}){whole}"),
            Fold::Least => format!("min(c.p{index})"),
            Fold::Greatest | Fold::Not => format!("max(c.p{index})"),
        }
    }

    fn of_currencies(&self, keys: usize, own: usize, amounts: &Amounts, records: &str) -> String {
        let outer = names("c", keys).chain((0..self.outputs.len()).map(|index| {
            if index == own {
                format!("{} AS a{index}", self.currency_rows())
            } else {
                format!("NULL AS a{index}")
            }
        }));
        format!(
            "SELECT {} FROM (SELECT {} FROM ({records}) AS b{}) AS c{}",
            joined(outer),
            joined(self.currency_columns(keys, amounts)),
            group_by("b", keys, Some(&amounts.currency)),
            group_by("c", keys, None)
        )
    }

    /// Keys, currency, number, sum in two halves, least, greatest, and the two in the middle.
    fn currency_columns(&self, keys: usize, amounts: &Amounts) -> impl Iterator<Item = String> {
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
        let measures: [String; CURRENCY_MEASURES] = [
            format!("count(b.{amount})"),
            or_null(amounts.sum, high),
            or_null(amounts.sum, low),
            or_null(amounts.ends, number(format!("min(b.{amount})"))),
            or_null(amounts.ends, number(format!("max(b.{amount})"))),
            or_null(amounts.middle.is_some(), number(lower)),
            or_null(amounts.middle.is_some(), number(upper)),
        ];
        let measures = measures.into_iter().enumerate();
        names("b", keys)
            .chain([format!("b.{currency} AS v")])
            .chain(measures.map(|(index, text)| format!("{text} AS v{index}")))
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// The rows of [`Measures::currency_columns`] as JSON; those without a currency are none.
    fn currency_rows(&self) -> String {
        let row = (0..CURRENCY_MEASURES)
            .map(|index| format!(", c.v{index}"))
            .collect::<String>();
        let filter = "FILTER (WHERE c.v IS NOT NULL)";
        match self.backend {
            Backend::Sqlite => format!("json_group_array(json_array(c.v{row})) {filter}"),
            Backend::Postgres => format!("(json_agg(json_build_array(c.v{row})) {filter})::text"),
        }
    }
}

/// A column that records are grouped by.
pub(super) struct KeyColumn {
    pub(super) text: String,
    pub(super) is_id: bool,
}

/// What is measured of the amounts in a currency.
const CURRENCY_MEASURES: usize = 7;

fn joined(columns: impl Iterator<Item = String>) -> String {
    columns.collect::<Vec<_>>().join(", ")
}

/// Digits behind the point of a mean or a median of numbers with these.
pub(super) fn mean_digits(scale: u32) -> u32 {
    scale.max(MEAN_DIGITS)
}

/// A sum or a value of a column as a whole number of its smallest part.
pub(super) fn scaled(backend: Backend, text: &str, scale: u32) -> String {
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
