//! Aggregates: measures over all records of a connection, as one statement.

use relata_catalog::{ColumnType, FieldIndex, Kind};

use super::connection::and_where;
use super::measures::{Measures, Plain};
use super::program::{Program, Steps};
use super::{CompileError, Compiler, Position, Select, check_depth};
use crate::filter::ColumnRef;
use crate::read::columns::{describe, find_column, find_folded};
use crate::read::condition::Scope;
use crate::read::plan::{Level, Parent, Query, select};
use crate::read::program::{AggregateProgram, AmountOp, AmountsProgram, Body, Cell, Op};
use crate::read::{AggregateMember, Connection, Measure, MeasureMember, PartMember};

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
        let mut measures = Measures::new(self.backend, self.runs);
        let body = self.measures(&mut measures, &scope, members)?;
        let source = self.source(&mut select_of, &scope, connection, parent)?;
        let conditions = self.conditions(&mut select_of.statement, &scope, connection, source)?;
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
                    let column = measures.plainly(Plain::Rows);
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
        let own = found.text(self.backend, &scope.alias)?;
        let folded = find_folded(self.catalogue, scope.object, column)?
            .map(|folded| folded.text(self.backend, &scope.alias))
            .transpose()?;
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

    /// Columns of amounts and of currencies, and the digits of the amounts.
    pub(super) fn money_columns(
        &self,
        scope: &Scope,
        field: FieldIndex,
    ) -> Result<MoneyColumns, CompileError> {
        let found = |part| {
            find_column(
                self.catalogue,
                scope.object,
                ColumnRef::Field { field, part },
            )
        };
        let amount = found(0)?;
        let (ColumnType::Decimal(scale), Kind::Money { .. }) =
            (amount.column, self.field(scope.object, field)?.shown())
        else {
            return Err(CompileError::Missing("a field of money"));
        };
        Ok(MoneyColumns {
            amount: amount.text(self.backend, &scope.alias)?,
            currency: found(1)?.text(self.backend, &scope.alias)?,
            scale,
        })
    }

    fn amounts(
        &self,
        measures: &mut Measures,
        scope: &Scope,
        field: FieldIndex,
        members: &[MeasureMember],
    ) -> Result<Body, CompileError> {
        let money = self.money_columns(scope, field)?;
        let wanted: Vec<Measure> = members
            .iter()
            .filter_map(|member| match member {
                MeasureMember::Amounts { measure, .. } => Some(*measure),
                _ => None,
            })
            .collect();
        let mut program = Program::default();
        program.open();
        for member in members {
            match member {
                MeasureMember::Measure { key, measure } => {
                    let column = measures.amounts_counted(*measure, &money).ok_or_else(|| {
                        CompileError::Unmeasured {
                            column: describe(
                                self.catalogue,
                                scope.object,
                                ColumnRef::Field { field, part: 0 },
                            ),
                            measure: *measure,
                        }
                    })?;
                    let cell = Cell::Integer;
                    program.member(key, Op::Cell { column, cell });
                }
                MeasureMember::Amounts {
                    key,
                    measure,
                    members,
                } => program.member(
                    key,
                    Op::Amounts(Box::new(AmountsProgram {
                        column: measures.by_currency(&money, &wanted),
                        measure: *measure,
                        scale: money.scale,
                        members: amount_members(members),
                    })),
                ),
                MeasureMember::Literal { key, json } => program.literal(key, json),
            }
        }
        program.close();
        Ok(program.finish())
    }
}

/// Where a field of money stands.
pub(super) struct MoneyColumns {
    pub(super) amount: String,
    pub(super) currency: String,
    /// Digits of the amounts.
    pub(super) scale: u32,
}

/// What is written of an amount.
fn amount_members(members: &[PartMember]) -> Box<[AmountOp]> {
    let mut steps = Steps::new(AmountOp::Raw);
    steps.open();
    for member in members {
        match member {
            PartMember::Column { key, part: 0 } => steps.member(key, AmountOp::Amount),
            PartMember::Column { key, .. } => steps.member(key, AmountOp::Currency),
            PartMember::Literal { key, json } => steps.literal(key, json),
            // Not parts of money.
            PartMember::Address { key, .. }
            | PartMember::Object { key, .. }
            | PartMember::List { key, .. } => {
                steps.literal(key, "null");
            }
        }
    }
    steps.close();
    steps.finish()
}
