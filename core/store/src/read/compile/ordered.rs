//! Measures of groups that are compared and ordered by.

use relata_catalog::{ColumnType, Kind};

use super::measures::{CUT, CUT_DIGITS, Measures, Plain, mean_digits, scaled};
use super::quotient::Quotient;
use super::{CompileError, Compiler};
use crate::Backend;
use crate::filter::{ColumnRef, Operand, Operator};
use crate::read::bind::{Form, Half, Rounding};
use crate::read::columns::{describe, find_column, find_folded};
use crate::read::condition::{Scope, Statement};
use crate::read::program::{Halves, Op};
use crate::read::{GroupMeasure, Measure};

/// A measure, by columns of the groups `g`.
pub(super) enum Ordered {
    /// One column.
    Single { text: String, column: ColumnType },
    /// Two whole numbers: what is measured is `high · 10^cut + low` in units of the last of its
    /// digits, and `low` is never negative.
    Pair {
        high: String,
        low: String,
        digits: u32,
        cut: u32,
    },
    /// A text and its folded key, which comes first.
    Text {
        folded: Option<String>,
        text: String,
    },
}

impl Ordered {
    /// Texts that order as the measure does, most important first.
    pub(super) fn columns(self) -> Vec<(String, ColumnType)> {
        match self {
            Self::Single { text, column } => vec![(text, column)],
            Self::Pair { high, low, .. } => {
                vec![(high, ColumnType::Integer), (low, ColumnType::Integer)]
            }
            Self::Text { folded, text } => folded
                .map(|folded| (folded, ColumnType::Folded))
                .into_iter()
                .chain([(text, ColumnType::Text)])
                .collect(),
        }
    }

    /// Whether nothing was measured.
    pub(super) fn is_null(&self, is_null: bool) -> String {
        let (Self::Single { text, .. } | Self::Pair { high: text, .. } | Self::Text { text, .. }) =
            self;
        let not = if is_null { "" } else { "NOT " };
        format!("{text} IS {not}NULL")
    }

    /// A comparison with an operand.
    pub(super) fn compare(
        &self,
        statement: &mut Statement<'_>,
        operator: Operator,
        operand: &Operand,
    ) -> Result<String, CompileError> {
        let (sign, rounding) = match operator {
            Operator::Eq | Operator::Ne => ("=", Rounding::None),
            Operator::Lt => ("<", Rounding::Up),
            Operator::Lte => ("<=", Rounding::Down),
            Operator::Gt => (">", Rounding::Down),
            Operator::Gte => (">=", Rounding::Up),
            _ => return Err(CompileError::Missing("a comparison of measures")),
        };
        let text = match self {
            Self::Single { text, column } => {
                let form = match rounding {
                    Rounding::None => Form::Exact,
                    Rounding::Down => Form::Floor,
                    Rounding::Up => Form::Ceiling,
                };
                let value = statement.operand(operand, *column, form)?;
                format!("{text} {sign} {value}")
            }
            Self::Pair {
                high,
                low,
                digits,
                cut,
            } => {
                let mut half = |is_high| {
                    let form = Form::Half(Half {
                        digits: *digits,
                        cut: *cut,
                        is_high,
                        rounding,
                    });
                    statement.operand(operand, ColumnType::Integer, form)
                };
                let values = (half(true)?, half(false)?);
                format!("({high}, {low}) {sign} ({}, {})", values.0, values.1)
            }
            Self::Text { .. } => return Err(CompileError::Missing("a comparison of such a text")),
        };
        // What is empty is not equal to anything.
        Ok(if operator == Operator::Ne {
            format!("(({text}) IS NOT TRUE)")
        } else {
            text
        })
    }
}

impl<'c> Compiler<'c> {
    pub(super) fn ordered(
        &self,
        statement: &mut Statement<'c>,
        measures: &mut Measures,
        scope: &Scope,
        measure: &GroupMeasure,
    ) -> Result<Ordered, CompileError> {
        let unmeasured = |column, measure| CompileError::Unmeasured {
            column: describe(self.catalogue, scope.object, column),
            measure,
        };
        match measure {
            GroupMeasure::Records => Ok(counted(measures.plainly(Plain::Rows))),
            GroupMeasure::Column(column, measure) => {
                if let ColumnRef::Field { field, part: 0 } = *column
                    && matches!(self.field(scope.object, field)?.shown(), Kind::Money { .. })
                {
                    let money = self.money_columns(scope, field)?;
                    return measures
                        .amounts_counted(*measure, &money)
                        .map(counted)
                        .ok_or_else(|| unmeasured(*column, *measure));
                }
                let found = find_column(self.catalogue, scope.object, *column)?;
                let folded = find_folded(self.catalogue, scope.object, *column)?
                    .map(|folded| folded.text(self.backend, &scope.alias))
                    .transpose()?;
                let own = found.text(self.backend, &scope.alias)?;
                let digits = match found.column {
                    ColumnType::Decimal(scale) => mean_digits(scale),
                    // To whole microseconds, as it is written.
                    ColumnType::Duration => 0,
                    _ => mean_digits(0),
                };
                measures
                    .ordered(*measure, found.column, &own, folded, digits)
                    .ok_or_else(|| unmeasured(*column, *measure))
            }
            GroupMeasure::Money {
                field,
                currency,
                measure,
            } => {
                let money = self.money_columns(scope, *field)?;
                let currency = statement.operand(currency, ColumnType::Text, Form::Exact)?;
                let own = format!(
                    "CASE WHEN {} = {currency} THEN {} END",
                    money.currency, money.amount
                );
                let column = ColumnType::Decimal(money.scale);
                measures
                    .ordered(*measure, column, &own, None, money.scale)
                    .ok_or_else(|| {
                        unmeasured(
                            ColumnRef::Field {
                                field: *field,
                                part: 0,
                            },
                            *measure,
                        )
                    })
            }
        }
    }
}

fn counted(position: usize) -> Ordered {
    Ordered::Single {
        text: format!("g.a{position}"),
        column: ColumnType::Integer,
    }
}

impl Measures {
    /// A measure as something to compare and to order by; none where it isn't. `digits` are those
    /// of a mean.
    fn ordered(
        &mut self,
        measure: Measure,
        column: ColumnType,
        own: &str,
        folded: Option<String>,
        digits: u32,
    ) -> Option<Ordered> {
        let scale = match column {
            ColumnType::Decimal(scale) => Some(scale),
            ColumnType::Integer | ColumnType::Duration => Some(0),
            _ => None,
        };
        match (measure, scale) {
            (Measure::Sum, Some(scale)) => {
                let name = self.inner(own.to_owned());
                let sum = self.halves(&name, scale);
                Some(ordered_sum(sum, scale))
            }
            (Measure::Mean, Some(scale)) => {
                let name = self.inner(own.to_owned());
                let sum = self.halves(&name, scale);
                let count = self.plainly(Plain::Values(name));
                let high = format!("d.a{}", sum.high);
                let low = format!("d.a{}", sum.low);
                Some(self.quotient(high, low, format!("d.a{count}"), scale, digits))
            }
            (Measure::Median, Some(scale)) => {
                let name = self.inner(own.to_owned());
                let (fold, (lower, upper)) = (self.middle_fold(), self.middle(&name, None));
                let [lower, upper] = [lower, upper].map(|text| {
                    let text = format!("d.a{}", self.output(text, fold));
                    match self.backend {
                        Backend::Sqlite => text,
                        Backend::Postgres => {
                            format!("({})::int8", scaled(self.backend, &text, scale))
                        }
                    }
                });
                let both = format!("({lower} + {upper})");
                let high = format!("{both} / {CUT}");
                let low = format!("{both} % {CUT}");
                Some(self.quotient(high, low, "2".to_owned(), scale, digits))
            }
            (Measure::Least | Measure::Greatest, None)
                if matches!(column, ColumnType::Text | ColumnType::Folded) =>
            {
                let Op::Cell { column: text, .. } =
                    self.measure(measure, column, own, folded.as_deref())?
                else {
                    return None;
                };
                let folded = folded.map(|folded| {
                    let name = self.inner(folded);
                    format!("g.a{}", self.end(measure, &name))
                });
                Some(Ordered::Text {
                    folded,
                    text: format!("g.a{text}"),
                })
            }
            _ => match self.measure(measure, column, own, folded.as_deref())? {
                Op::Cell { column: at, .. } => Some(match measure {
                    Measure::Least | Measure::Greatest => Ordered::Single {
                        text: format!("g.a{at}"),
                        column,
                    },
                    _ => counted(at),
                }),
                _ => None,
            },
        }
    }

    fn quotient(
        &mut self,
        high: String,
        low: String,
        divisor: String,
        scale: u32,
        digits: u32,
    ) -> Ordered {
        let more = digits - scale;
        let (index, _) = self.quotients.insert_full(Quotient {
            high,
            low,
            divisor,
            digits: more,
        });
        Ordered::Pair {
            high: format!("g.q{index}"),
            low: format!("g.f{index}"),
            digits,
            cut: more,
        }
    }
}

/// The halves are made such that the lower one is never negative: so they order as the sum.
fn ordered_sum(sum: Halves, scale: u32) -> Ordered {
    let low = format!("(((g.a{low} % {CUT}) + {CUT}) % {CUT})", low = sum.low);
    Ordered::Pair {
        high: format!("(g.a{} + (g.a{} - {low}) / {CUT})", sum.high, sum.low),
        low,
        digits: scale,
        cut: CUT_DIGITS,
    }
}
