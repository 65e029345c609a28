//! Conditions as SQL text. Values go into numbered positions, never into the text.
//!
//! Two values, not three: a comparison with an empty column is false and its negation true. SQL's
//! third value ("unknown") counts as false at the top and passes through AND, OR and EXISTS
//! without doing harm, so that indexes serve the plain comparison; only where something is
//! negated does `IS NOT TRUE` fold the third value into the second.

use relata_catalog::{Catalogue, ColumnType, FieldIndex, ObjectIndex, Via};

use super::ZoneTable;
use super::bind::{Conversion, Form, Slot, postgres_type};
use super::calendar;
use super::columns::{Found, find_column, find_folded, find_relation, find_target, quoted};
use super::compile::CompileError;
use super::lists::listed;
use crate::Backend;
use crate::ddl::begins_an_index;
use crate::filter::{CalendarPart, ColumnRef, Deleted, Filter, Operand, Operator, Quantifier};

/// How deep conditions may be nested.
const FILTER_DEPTH_MAX: usize = 40;

/// Most values of one statement: SQLite takes 32,766, PostgreSQL 65,535.
const SLOTS_MAX: usize = 30_000;

/// A table in a statement, under the name that qualifies its columns.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) object: ObjectIndex,
    pub(crate) alias: String,
}

/// A statement whose text is being written: its positions and the names it has used.
pub(crate) struct Statement<'c> {
    pub(crate) catalogue: &'c Catalogue,
    pub(crate) backend: Backend,
    pub(crate) slots: Vec<Slot>,
    /// Positions that stand before the first slot: one for the parent, where there is one.
    reserved: usize,
    aliases: usize,
}

impl<'c> Statement<'c> {
    pub(crate) fn new(catalogue: &'c Catalogue, backend: Backend, nested: bool) -> Self {
        Self {
            catalogue,
            backend,
            slots: Vec::new(),
            reserved: usize::from(nested),
            aliases: 0,
        }
    }

    /// A name that no table of this statement has.
    pub(crate) fn alias(&mut self, prefix: char) -> String {
        self.aliases += 1;
        format!("{prefix}{}", self.aliases)
    }

    /// The text of the parent's id in a nested statement.
    pub(crate) fn parent(&self) -> &'static str {
        match self.backend {
            Backend::Sqlite => "?1",
            Backend::Postgres => "p.id",
        }
    }

    /// The text of a new position.
    pub(crate) fn place(&mut self, slot: Slot, column: ColumnType, list: bool) -> String {
        self.slots.push(slot);
        position(self.backend, self.reserved + self.slots.len(), column, list)
    }

    /// The text of the position of an operand.
    pub(crate) fn operand(
        &mut self,
        operand: &Operand,
        column: ColumnType,
        form: Form,
    ) -> Result<String, CompileError> {
        let conversion = Conversion { column, form };
        let slot = match operand {
            Operand::Value(value) => Slot::Constant(conversion.value(self.backend, value)?),
            Operand::List(values) => Slot::Constant(conversion.list(self.backend, values)?),
            Operand::Parameter(position) => Slot::Parameter {
                position: *position,
                conversion,
            },
        };
        if self.slots.len() >= SLOTS_MAX {
            return Err(CompileError::Limit {
                what: "values in one statement",
                max: SLOTS_MAX,
            });
        }
        Ok(self.place(slot, column, form == Form::List))
    }

    /// Whether a record of the scope counts as there.
    pub(crate) fn deleted(&self, alias: &str, deleted: Deleted) -> Option<String> {
        match deleted {
            Deleted::Exclude => Some(format!("{alias}.\"_deleted_at\" IS NULL")),
            Deleted::Only => Some(format!("{alias}.\"_deleted_at\" IS NOT NULL")),
            Deleted::Include => None,
        }
    }

    /// A condition on a record of the scope; nothing when it always holds.
    pub(crate) fn condition(
        &mut self,
        scope: &Scope,
        filter: &Filter,
    ) -> Result<Option<String>, CompileError> {
        match filter {
            Filter::And(parts) if parts.is_empty() => Ok(None),
            filter => self.filter(scope, filter, 0).map(Some),
        }
    }

    fn filter(
        &mut self,
        scope: &Scope,
        filter: &Filter,
        depth: usize,
    ) -> Result<String, CompileError> {
        if depth > FILTER_DEPTH_MAX {
            return Err(CompileError::Limit {
                what: "nested conditions",
                max: FILTER_DEPTH_MAX,
            });
        }
        match filter {
            Filter::And(parts) => self.joined(scope, parts, " AND ", "TRUE", depth),
            Filter::Or(parts) => self.joined(scope, parts, " OR ", "FALSE", depth),
            Filter::Not(part) => {
                let part = self.filter(scope, part, depth + 1)?;
                Ok(format!("(({part}) IS NOT TRUE)"))
            }
            Filter::Compare {
                column,
                operator,
                operand,
            } => self.compare(scope, *column, *operator, operand),
            Filter::Calendar {
                column,
                part,
                zone,
                operator,
                operand,
            } => {
                let text = self.calendar_part(scope, *column, *part, zone.as_deref())?;
                self.comparison(&text, ColumnType::Integer, *operator, operand)
            }
            Filter::Near {
                field,
                middle,
                reach,
                latitudes,
            } => self.near(scope, *field, middle, reach, latitudes),
            Filter::IsNull { column, is_null } => self.is_null(scope, *column, *is_null),
            Filter::ToOne { field, filter } => self.related_one(scope, *field, filter, depth),
            Filter::ToMany {
                object,
                via,
                quantifier,
                filter,
            } => self.related_many(scope, *object, *via, *quantifier, filter, depth),
        }
    }

    fn joined(
        &mut self,
        scope: &Scope,
        parts: &[Filter],
        between: &str,
        empty: &str,
        depth: usize,
    ) -> Result<String, CompileError> {
        let parts = parts
            .iter()
            .map(|part| self.filter(scope, part, depth + 1))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(match parts.as_slice() {
            [] => empty.to_owned(),
            [only] => only.clone(),
            many => format!("({})", many.join(between)),
        })
    }

    /// The columns of a point are its latitude, its longitude and its position on three axes.
    fn near(
        &mut self,
        scope: &Scope,
        field: FieldIndex,
        middle: &[Operand; 3],
        reach: &Operand,
        [south, north]: &[Operand; 2],
    ) -> Result<String, CompileError> {
        let part = |part: usize| ColumnRef::Field { field, part };
        let from = self.compare(scope, part(0), Operator::Gte, south)?;
        let to = self.compare(scope, part(0), Operator::Lte, north)?;
        let mut squares = Vec::with_capacity(middle.len());
        for (axis, middle) in middle.iter().enumerate() {
            let found = find_column(self.catalogue, scope.object, part(2 + axis))?;
            let name = found.text(self.backend, &scope.alias)?;
            // Once for each factor: SQLite's positions without a number would be two anyway.
            let [left, right] = [
                self.operand(middle, ColumnType::Integer, Form::Exact)?,
                self.operand(middle, ColumnType::Integer, Form::Exact)?,
            ];
            squares.push(format!("({name} - {left}) * ({name} - {right})"));
        }
        let reach = self.operand(reach, ColumnType::Integer, Form::Exact)?;
        Ok(format!(
            "({from} AND {to} AND {} <= {reach})",
            squares.join(" + ")
        ))
    }

    fn is_null(
        &mut self,
        scope: &Scope,
        column: ColumnRef,
        is_null: bool,
    ) -> Result<String, CompileError> {
        let found = find_column(self.catalogue, scope.object, column)?;
        let name = found.text(self.backend, &scope.alias)?;
        // A list without elements is as empty as no list.
        let empty = match (found.column, self.backend) {
            (ColumnType::TextList, Backend::Sqlite) => format!("({name} IS NULL OR {name} = '[]')"),
            (ColumnType::TextList, Backend::Postgres) => {
                format!("({name} IS NULL OR cardinality({name}) = 0)")
            }
            _ if is_null => return Ok(format!("{name} IS NULL")),
            _ => return Ok(format!("{name} IS NOT NULL")),
        };
        Ok(if is_null {
            empty
        } else {
            format!("(NOT {empty})")
        })
    }

    fn compare(
        &mut self,
        scope: &Scope,
        column: ColumnRef,
        operator: Operator,
        operand: &Operand,
    ) -> Result<String, CompileError> {
        let found = match operator {
            Operator::IEq
            | Operator::IContains
            | Operator::IStartsWith
            | Operator::IEndsWith
            | Operator::ILike => {
                find_folded(self.catalogue, scope.object, column)?.ok_or_else(|| {
                    CompileError::unsupported(self.catalogue, scope.object, column, operator)
                })?
            }
            _ => find_column(self.catalogue, scope.object, column)?,
        };
        if !supports(found.column, operator) {
            return Err(CompileError::unsupported(
                self.catalogue,
                scope.object,
                column,
                operator,
            ));
        }
        let name = found.text(self.backend, &scope.alias)?;
        if let Some(sign) = range_sign(operator)
            && found.column == ColumnType::Text
            && let Some(folded) = find_folded(self.catalogue, scope.object, column)?
        {
            // In the order of lists, and by the letters where that finds no difference: so what is
            // less, equal and greater are three parts of the whole.
            let folded = folded.text(self.backend, &scope.alias)?;
            let key = self.operand(operand, ColumnType::Folded, Form::Exact)?;
            let text = self.operand(operand, ColumnType::Text, Form::Exact)?;
            return Ok(format!("(({folded}, {name}) {sign} ({key}, {text}))"));
        }
        let compared = self.comparison(&name, found.column, operator, operand)?;
        if operator == Operator::Eq
            && found.column == ColumnType::Text
            && let Some(folded) = find_folded(self.catalogue, scope.object, column)?
            && self.is_reached_by(scope.object, &folded, &found)
        {
            // Equal letters have equal keys, and there is an index of those.
            let folded = folded.text(self.backend, &scope.alias)?;
            let key = self.operand(operand, ColumnType::Folded, Form::Exact)?;
            return Ok(format!("({folded} = {key} AND {compared})"));
        }
        Ok(compared)
    }

    /// Whether there is an index of a text's folded key, and none of the text itself.
    fn is_reached_by(&self, object: ObjectIndex, folded: &Found<'_>, text: &Found<'_>) -> bool {
        let object = self.catalogue.object(object);
        let begins = |found: &Found<'_>| {
            found
                .name()
                .is_some_and(|name| begins_an_index(object, name))
        };
        begins(folded) && !begins(text)
    }

    /// The text of a part of a column of days or of instants.
    fn calendar_part(
        &mut self,
        scope: &Scope,
        column: ColumnRef,
        part: CalendarPart,
        zone: Option<&ZoneTable>,
    ) -> Result<String, CompileError> {
        let found = find_column(self.catalogue, scope.object, column)?;
        let name = found.text(self.backend, &scope.alias)?;
        match (found.column, zone) {
            (ColumnType::Date, _) => calendar::days_text(self.backend, part, &name)
                .ok_or(CompileError::Missing("an hour in a day")),
            (ColumnType::DateTime, Some(zone)) => {
                let zone = self.zone(zone)?;
                Ok(calendar::instants_text(self.backend, part, &name, &zone))
            }
            (ColumnType::DateTime, None) => Err(CompileError::Missing("the zone of a calendar")),
            _ => Err(CompileError::Missing("a time in this column")),
        }
    }

    /// The texts of a zone's two lists.
    pub(crate) fn zone(&mut self, zone: &ZoneTable) -> Result<(String, String), CompileError> {
        Ok((
            self.operand(&zone.starts, ColumnType::DateTime, Form::List)?,
            self.operand(&zone.offsets, ColumnType::Integer, Form::List)?,
        ))
    }

    fn comparison(
        &mut self,
        name: &str,
        column: ColumnType,
        operator: Operator,
        operand: &Operand,
    ) -> Result<String, CompileError> {
        let sqlite = self.backend == Backend::Sqlite;
        Ok(match operator {
            Operator::Eq | Operator::IEq => {
                let value = self.operand(operand, column, Form::Exact)?;
                format!("{name} = {value}")
            }
            Operator::Ne => {
                let value = self.operand(operand, column, Form::Exact)?;
                format!("(({name} = {value}) IS NOT TRUE)")
            }
            Operator::In => self.in_list(name, column, operand)?,
            Operator::NotIn => {
                let inside = self.in_list(name, column, operand)?;
                format!("(({inside}) IS NOT TRUE)")
            }
            Operator::Lt => {
                let value = self.operand(operand, column, Form::Ceiling)?;
                format!("{name} < {value}")
            }
            Operator::Lte => {
                let value = self.operand(operand, column, Form::Floor)?;
                format!("{name} <= {value}")
            }
            Operator::Gt => {
                let value = self.operand(operand, column, Form::Floor)?;
                format!("{name} > {value}")
            }
            Operator::Gte => {
                let value = self.operand(operand, column, Form::Ceiling)?;
                format!("{name} >= {value}")
            }
            Operator::Contains | Operator::IContains => {
                let value = self.operand(operand, column, Form::Exact)?;
                let function = if sqlite { "instr" } else { "strpos" };
                format!("{function}({name}, {value}) > 0")
            }
            Operator::StartsWith | Operator::IStartsWith => {
                let from = self.operand(operand, column, Form::Exact)?;
                let to = self.operand(operand, column, Form::Successor)?;
                format!("({name} >= {from} AND {name} < {to})")
            }
            Operator::EndsWith | Operator::IEndsWith => {
                let value = self.operand(operand, column, Form::Exact)?;
                if sqlite {
                    format!(
                        "(length({name}) >= length({value}) AND substr({name}, length({name}) - length({value}) + 1) = {value})"
                    )
                } else {
                    format!("right({name}, length({value})) = {value}")
                }
            }
            Operator::Like | Operator::ILike => {
                let value = self.operand(operand, column, Form::Pattern)?;
                let operator = if sqlite { "GLOB" } else { "LIKE" };
                format!("{name} {operator} {value}")
            }
            Operator::Has => {
                let value = self.operand(operand, column, Form::Exact)?;
                if sqlite {
                    // The limits are for what `end_of_exists` says.
                    let each = self.alias('l');
                    format!(
                        "EXISTS (SELECT 1 FROM json_each({name}) AS {each} WHERE {each}.value = {value} LIMIT 1)"
                    )
                } else {
                    format!("{name} @> ARRAY[{value}]")
                }
            }
            Operator::HasAny => {
                let values = self.operand(operand, column, Form::List)?;
                if sqlite {
                    let each = self.alias('l');
                    let wanted = self.alias('l');
                    format!(
                        "EXISTS (SELECT 1 FROM json_each({name}) AS {each} WHERE {each}.value IN (SELECT {wanted}.value FROM json_each({values}) AS {wanted}) LIMIT 1)"
                    )
                } else {
                    format!("{name} && {values}")
                }
            }
            // All of nothing is in a list, but not in one that is as empty as no list.
            Operator::HasAll => {
                let values = self.operand(operand, column, Form::List)?;
                if sqlite {
                    let each = self.alias('l');
                    let wanted = self.alias('l');
                    format!(
                        "({name} <> '[]' AND NOT EXISTS (SELECT 1 FROM json_each({values}) AS {wanted} WHERE {wanted}.value NOT IN (SELECT {each}.value FROM json_each({name}) AS {each})))"
                    )
                } else {
                    format!("({name} @> {values} AND cardinality({name}) > 0)")
                }
            }
        })
    }

    fn in_list(
        &mut self,
        name: &str,
        column: ColumnType,
        operand: &Operand,
    ) -> Result<String, CompileError> {
        let values = self.operand(operand, column, Form::List)?;
        if self.backend == Backend::Postgres {
            return Ok(format!("{name} = ANY({values})"));
        }
        let each = self.alias('l');
        let value = if column == ColumnType::Reference {
            format!("unhex({each}.value)")
        } else {
            format!("{each}.value")
        };
        Ok(format!(
            "{name} IN (SELECT {value} FROM json_each({values}) AS {each})"
        ))
    }

    fn related_one(
        &mut self,
        scope: &Scope,
        field: FieldIndex,
        filter: &Filter,
        depth: usize,
    ) -> Result<String, CompileError> {
        let (relation, key) = find_relation(self.catalogue, scope.object, field)?;
        let target = find_target(self.catalogue, relation)?;
        let inner = Scope {
            object: target,
            alias: self.alias('e'),
        };
        let mut text = format!(
            "EXISTS (SELECT 1 FROM {} AS {alias} WHERE {alias}.\"id\" = {}.{} AND {alias}.\"_deleted_at\" IS NULL",
            quoted(&self.catalogue.object(target).table),
            scope.alias,
            quoted(&key),
            alias = inner.alias,
        );
        self.and_filter(&mut text, &inner, filter, false, depth)?;
        text.push_str(self.end_of_exists());
        Ok(text)
    }

    fn related_many(
        &mut self,
        scope: &Scope,
        object: ObjectIndex,
        via: Via,
        quantifier: Quantifier,
        filter: &Filter,
        depth: usize,
    ) -> Result<String, CompileError> {
        let inner = Scope {
            object,
            alias: self.alias('e'),
        };
        let link = self.alias('v');
        let of = format!("{}.\"id\"", scope.alias);
        let listed = listed(self.catalogue, via, &inner, &link, &of, Deleted::Exclude)?;
        let negated = match quantifier {
            Quantifier::Some => "",
            Quantifier::None | Quantifier::Every => "NOT ",
        };
        let mut text = format!(
            "{negated}EXISTS (SELECT 1 FROM {} WHERE {} AND {}.\"_deleted_at\" IS NULL",
            listed.tables, listed.condition, inner.alias,
        );
        let failing = quantifier == Quantifier::Every;
        self.and_filter(&mut text, &inner, filter, failing, depth)?;
        text.push_str(self.end_of_exists());
        // `(NOT EXISTS …) IS NOT TRUE` would bind as `NOT (EXISTS … IS NOT TRUE)`.
        Ok(if negated.is_empty() {
            text
        } else {
            format!("({text})")
        })
    }

    /// Ends `EXISTS (SELECT …`. SQLite 3.51 makes joins of those without a LIMIT, and its OFFSET
    /// then counts every match (3.51.3: `sqlite3.c`, `existsToJoin`).
    fn end_of_exists(&self) -> &'static str {
        match self.backend {
            Backend::Sqlite => " LIMIT 1)",
            Backend::Postgres => ")",
        }
    }

    fn and_filter(
        &mut self,
        text: &mut String,
        scope: &Scope,
        filter: &Filter,
        failing: bool,
        depth: usize,
    ) -> Result<(), CompileError> {
        let always = matches!(filter, Filter::And(parts) if parts.is_empty());
        if always && !failing {
            return Ok(());
        }
        let condition = self.filter(scope, filter, depth + 1)?;
        text.push_str(" AND ");
        if failing {
            text.push_str(&format!("(({condition}) IS NOT TRUE)"));
        } else {
            text.push_str(&condition);
        }
        Ok(())
    }
}

/// The text of a position.
pub(crate) fn position(backend: Backend, number: usize, column: ColumnType, list: bool) -> String {
    match backend {
        Backend::Sqlite => format!("?{number}"),
        Backend::Postgres => {
            let brackets = if list { "[]" } else { "" };
            format!("${number}::{}{brackets}", postgres_type(column))
        }
    }
}

fn range_sign(operator: Operator) -> Option<&'static str> {
    match operator {
        Operator::Lt => Some("<"),
        Operator::Lte => Some("<="),
        Operator::Gt => Some(">"),
        Operator::Gte => Some(">="),
        _ => None,
    }
}

fn supports(column: ColumnType, operator: Operator) -> bool {
    use ColumnType as Type;
    match operator {
        Operator::Eq | Operator::Ne | Operator::In | Operator::NotIn => {
            !matches!(column, Type::TextList | Type::Json)
        }
        Operator::Lt | Operator::Lte | Operator::Gt | Operator::Gte => {
            !matches!(column, Type::TextList | Type::Json | Type::Boolean)
        }
        Operator::Has | Operator::HasAny | Operator::HasAll => column == Type::TextList,
        _ => matches!(column, Type::Text | Type::Folded),
    }
}
