//! Groups: a page over the groups of a connection's records, keyset and all, as a page over
//! records is one. What is grouped stands in a select of its own, in the place of a table.

use relata_catalog::{ColumnType, ObjectIndex};

use super::connection::{PageParts, and_where, arguments};
use super::group_body::Written;
use super::log::Wanted;
use super::measures::{KeyColumn, Measures};
use super::program::ConnectionWriter;
use super::record::stage_texts;
use super::{CompileError, Compiler, ORDER_TERMS_MAX, Position, Select, check_depth};
use crate::Backend;
use crate::filter::{ColumnRef, Direction, Nulls};
use crate::read::bind::{Bind, Slot};
use crate::read::buckets::{days_text, instants_text};
use crate::read::columns::{describe, find_column, find_folded};
use crate::read::condition::{Scope, Statement};
use crate::read::cursor::fingerprint;
use crate::read::order::Term;
use crate::read::plan::{GroupInputs, Parent};
use crate::read::program::{Body, ConnectionProgram, StageTexts};
use crate::read::{
    Connection, GroupBy, GroupKey, GroupMember, GroupOrderBy, Groups, Having, LogConnectionMember,
    Span,
};

/// Most keys that records are grouped by.
pub const GROUP_KEYS_MAX: usize = 16;

/// A key, once its text is known.
pub(super) struct Key {
    /// Position of its first column among the keys' columns.
    pub(super) column: usize,
    /// Whose it is.
    pub(super) object: ObjectIndex,
    pub(super) form: KeyForm,
    /// Position of the measure that orders it before it does itself: a text's folded key.
    folded: Option<usize>,
}

pub(super) enum KeyForm {
    Column(ColumnType),
    /// The first day of a length of time, of days.
    Days(Span),
    /// The same of instants.
    Instants(Span),
    Option,
    Stage(StageTexts),
}

impl Key {
    /// Types of its columns.
    fn columns(&self) -> &[ColumnType] {
        match &self.form {
            KeyForm::Column(column) => std::slice::from_ref(column),
            KeyForm::Days(_) => &[ColumnType::Date],
            KeyForm::Instants(Span::Hour) => &[ColumnType::DateTime],
            KeyForm::Instants(_) => &[ColumnType::Integer],
            KeyForm::Option => &[ColumnType::Text],
            KeyForm::Stage(_) => &[ColumnType::Text, ColumnType::Text],
        }
    }
}

/// The select of groups, as far as it is needed by whoever counts them.
struct Parted<'c> {
    statement: Statement<'c>,
    measures: Measures,
    scope: Scope,
    keys: Vec<Key>,
    /// The keys' columns.
    columns: Vec<KeyColumn>,
    having: Vec<String>,
    /// What stands behind the columns of the records.
    from: String,
}

impl Parted<'_> {
    /// What tells these keys from others.
    fn keys_text(&self) -> String {
        let texts: Vec<&str> = self.columns.iter().map(|key| &*key.text).collect();
        texts.join(";")
    }

    /// What stands in the place of a table.
    fn tables(&self) -> String {
        format!("({}) AS g", self.measures.text(&self.columns, &self.from))
    }
}

impl<'c> Compiler<'c> {
    pub(super) fn groups(
        &mut self,
        connection: &Connection,
        groups: &Groups,
        parent: Option<Parent>,
        position: Position,
    ) -> Result<ConnectionProgram, CompileError> {
        check_depth(position.depth + 1)?;
        let mut wanted = Wanted::default();
        groups.members.iter().for_each(|member| wanted.add(member));
        let count = match wanted.total {
            true => Some(self.group_count(connection, groups, parent, position)?),
            false => None,
        };
        let (level, lists) = match wanted.rows {
            true => {
                let (level, lists) =
                    self.group_page(connection, groups, parent, position, &wanted)?;
                (Some(level), lists)
            }
            false => (None, Box::default()),
        };
        let mut program = ConnectionWriter::default();
        program.open();
        program.log(&groups.members);
        Ok(program.finish(level, count, lists, wanted.cursors))
    }

    fn group_page(
        &mut self,
        connection: &Connection,
        groups: &Groups,
        parent: Option<Parent>,
        position: Position,
        wanted: &Wanted,
    ) -> Result<(usize, Box<[Body]>), CompileError> {
        let level = self.reserve()?;
        let mut parted = self.parted(connection, groups, parent)?;
        let aggregates = self.group_aggregates(&mut parted, groups)?;
        let terms = self.group_terms(&mut parted, groups)?;
        let tables = parted.tables();
        let keys = fingerprint(&parted.keys_text());
        let columns = parted.measures.columns("g")?;
        let mut select_of = Select::new(parted.statement, level, "", "");
        select_of.tables = tables;
        // Measures stand first, at the positions that their programs know.
        for column in columns {
            select_of.expression(column);
        }
        let first_key = select_of.columns.len();
        for index in 0..parted.columns.len() {
            select_of.expression(format!("g.k{index}"));
        }
        let parent_column =
            parent.map(|_| select_of.expression(select_of.statement.parent().to_owned()));
        self.groups.push(GroupInputs {
            zone: groups
                .zone
                .as_ref()
                .map(|zone| (zone.starts.clone(), zone.offsets.clone())),
            filter: groups.origin.filter.clone(),
        });
        let mut written = Written {
            by: &groups.by,
            keys: &parted.keys,
            first_key,
            groups: self.groups.len() - 1,
            parent: parent_column.map(|column| {
                let path = groups.origin.back.iter().map(String::as_str).chain(["id"]);
                (path.map(Into::into).collect(), column)
            }),
            position,
            nodes: Vec::new(),
        };
        let mut lists = Vec::new();
        for (members, aggregates) in nodes(groups).zip(aggregates) {
            lists.push(self.group_body(&mut select_of, &mut written, members, aggregates)?);
        }
        let table = &self.object(connection.object)?.table;
        let subject = format!("{table}:{keys:x}");
        let parts = PageParts {
            conditions: parted.having,
            terms,
            cursor: wanted.cursors,
            arguments: arguments(&groups.page),
            peek: wanted.more,
            subject,
        };
        self.finish_page(select_of, parent, position.level, parts)?;
        Ok((level, lists.into()))
    }

    /// How many groups there are: with no measure but those that decide which.
    fn group_count(
        &mut self,
        connection: &Connection,
        groups: &Groups,
        parent: Option<Parent>,
        position: Position,
    ) -> Result<usize, CompileError> {
        let parted = self.parted(connection, groups, parent)?;
        let mut tail = format!(" FROM {}", parted.tables());
        and_where(&mut tail, &parted.having);
        self.finish_count(parted.statement, parent, position.level, &tail)
    }

    /// Keys, the records that are grouped, and which groups count.
    fn parted(
        &self,
        connection: &Connection,
        groups: &Groups,
        parent: Option<Parent>,
    ) -> Result<Parted<'c>, CompileError> {
        if groups.by.is_empty() || groups.by.len() > GROUP_KEYS_MAX {
            return Err(CompileError::Limit {
                what: "keys of groups",
                max: GROUP_KEYS_MAX,
            });
        }
        let scope = Scope {
            object: connection.object,
            alias: "t".to_owned(),
        };
        let table = &self.object(connection.object)?.table;
        let mut records = Select::new(self.statement(parent), 0, table, &scope.alias);
        let source = self.source(&mut records, &scope, connection, parent)?;
        let mut measures = Measures::new(self.backend, self.runs);
        let (keys, columns) = self.keys(&mut records, &mut measures, &scope, groups)?;
        let conditions = self.conditions(&mut records.statement, &scope, connection, source)?;
        let mut from = format!(" FROM {}", records.tables);
        and_where(&mut from, &conditions);
        let mut statement = records.statement;
        let having = match &groups.having {
            Having::And(parts) if parts.is_empty() => Vec::new(),
            having => vec![self.having(&mut statement, &mut measures, &scope, having)?],
        };
        Ok(Parted {
            statement,
            measures,
            scope,
            keys,
            columns,
            having,
            from,
        })
    }

    /// The keys, and their columns.
    fn keys(
        &self,
        records: &mut Select<'c>,
        measures: &mut Measures,
        scope: &Scope,
        groups: &Groups,
    ) -> Result<(Vec<Key>, Vec<KeyColumn>), CompileError> {
        let mut zone = None;
        let mut texts: Vec<String> = Vec::new();
        let mut keys = Vec::with_capacity(groups.by.len());
        for GroupKey { through, by, .. } in &groups.by {
            let mut at = scope.clone();
            for field in through {
                at = records.join(&at, *field)?;
            }
            let own = |column| -> Result<_, CompileError> {
                let found = find_column(self.catalogue, at.object, column)?;
                let text = found.text(self.backend, &at.alias)?;
                Ok((text, found.column))
            };
            let column = texts.len();
            let mut folded = None;
            let form = match by {
                GroupBy::Column(column) => {
                    let (text, column_type) = own(*column)?;
                    if matches!(column_type, ColumnType::Json | ColumnType::TextList) {
                        return Err(CompileError::Unordered {
                            column: describe(self.catalogue, at.object, *column),
                        });
                    }
                    folded = find_folded(self.catalogue, at.object, *column)?
                        .map(|found| found.text(self.backend, &at.alias))
                        .transpose()?
                        .map(|text| measures.greatest(text));
                    texts.push(text);
                    KeyForm::Column(column_type)
                }
                GroupBy::Span { column, span } => {
                    let (text, column_type) = own(*column)?;
                    match column_type {
                        ColumnType::Date => {
                            texts.push(days_text(self.backend, *span, &text));
                            KeyForm::Days(*span)
                        }
                        ColumnType::DateTime => {
                            let zone = match &zone {
                                Some(zone) => zone,
                                None => {
                                    let table = groups
                                        .zone
                                        .as_ref()
                                        .ok_or(CompileError::Missing("the zone of the groups"))?;
                                    zone.insert(records.statement.zone(table)?)
                                }
                            };
                            texts.push(instants_text(self.backend, *span, &text, zone));
                            KeyForm::Instants(*span)
                        }
                        _ => return Err(CompileError::Missing("a time in this column")),
                    }
                }
                GroupBy::Option(field) => {
                    let (text, _) = own(ColumnRef::Field {
                        field: *field,
                        part: 0,
                    })?;
                    texts.push(self.each_option(records, &text));
                    KeyForm::Option
                }
                GroupBy::Stage { field, conditions } => {
                    for part in [0, 1] {
                        let (text, _) = own(ColumnRef::Field {
                            field: *field,
                            part,
                        })?;
                        texts.push(text);
                    }
                    KeyForm::Stage(stage_texts(conditions))
                }
            };
            keys.push(Key {
                column,
                object: at.object,
                form,
                folded,
            });
        }
        let columns = keys
            .iter()
            .flat_map(Key::columns)
            .zip(texts)
            .map(|(column, text)| KeyColumn {
                text,
                is_id: *column == ColumnType::Reference,
            })
            .collect();
        Ok((keys, columns))
    }

    /// The text of an option of a list: the record is there once for each, and once where the
    /// list is empty.
    fn each_option(&self, records: &mut Select<'c>, list: &str) -> String {
        let alias = records.statement.alias('o');
        let options = match self.backend {
            Backend::Sqlite => format!("json_each({list}) AS {alias}"),
            Backend::Postgres => format!("LATERAL unnest({list}) AS {alias}(value)"),
        };
        records
            .tables
            .push_str(&format!(" LEFT JOIN {options} ON TRUE"));
        match self.backend {
            Backend::Sqlite => format!("{alias}.value"),
            // By code points, as all text is; an array has no such order of its own.
            Backend::Postgres => format!("{alias}.value COLLATE \"C\""),
        }
    }

    /// Of each list of groups, the aggregates in their order.
    fn group_aggregates(
        &self,
        parted: &mut Parted<'c>,
        groups: &Groups,
    ) -> Result<Vec<Vec<Body>>, CompileError> {
        nodes(groups)
            .map(|members| {
                members
                    .iter()
                    .filter_map(|member| match member {
                        GroupMember::Aggregate { members, .. } => Some(members),
                        _ => None,
                    })
                    .map(|members| self.measures(&mut parted.measures, &parted.scope, members))
                    .collect()
            })
            .collect()
    }

    fn having(
        &self,
        statement: &mut Statement<'c>,
        measures: &mut Measures,
        scope: &Scope,
        having: &Having,
    ) -> Result<String, CompileError> {
        let (parts, between, empty) = match having {
            Having::And(parts) => (parts, " AND ", "TRUE"),
            Having::Or(parts) => (parts, " OR ", "FALSE"),
            Having::Not(part) => {
                let part = self.having(statement, measures, scope, part)?;
                return Ok(format!("(({part}) IS NOT TRUE)"));
            }
            Having::IsNull { measure, is_null } => {
                let ordered = self.ordered(statement, measures, scope, measure)?;
                return Ok(ordered.is_null(*is_null));
            }
            Having::Compare {
                measure,
                operator,
                operand,
            } => {
                let ordered = self.ordered(statement, measures, scope, measure)?;
                return ordered.compare(statement, *operator, operand);
            }
        };
        let parts = parts
            .iter()
            .map(|part| self.having(statement, measures, scope, part))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(if parts.is_empty() {
            empty.to_owned()
        } else {
            format!("({})", parts.join(between))
        })
    }

    /// The order as it is asked for, and then all keys.
    fn group_terms(
        &self,
        parted: &mut Parted<'c>,
        groups: &Groups,
    ) -> Result<Vec<Term>, CompileError> {
        if groups.order.len() > ORDER_TERMS_MAX {
            return Err(CompileError::Limit {
                what: "terms in an order",
                max: ORDER_TERMS_MAX,
            });
        }
        let positions = parted
            .keys
            .iter()
            .map(|key| stage_position(&mut parted.statement, key))
            .collect::<Vec<_>>();
        let mut terms = GroupTerms::default();
        for term in &groups.order {
            match &term.by {
                GroupOrderBy::Key(position) => {
                    let key = parted
                        .keys
                        .get(*position)
                        .ok_or(CompileError::Missing("a key of the groups"))?;
                    let stage = positions[*position].as_deref();
                    terms.add_key(key, stage, term.direction, term.nulls);
                }
                GroupOrderBy::Measure(measure) => {
                    let ordered = self.ordered(
                        &mut parted.statement,
                        &mut parted.measures,
                        &parted.scope,
                        measure,
                    )?;
                    for (expression, column) in ordered.columns() {
                        terms.add(expression, column, term.direction, term.nulls);
                    }
                }
            }
        }
        for (key, stage) in parted.keys.iter().zip(&positions) {
            terms.add_key(key, stage.as_deref(), Direction::Ascending, Nulls::Last);
        }
        Ok(terms.0)
    }
}

/// Terms of an order, each expression once: said twice, the first decides.
#[derive(Default)]
struct GroupTerms(Vec<Term>);

impl GroupTerms {
    fn add(&mut self, expression: String, column: ColumnType, direction: Direction, nulls: Nulls) {
        if self.0.iter().any(|known| known.expression == expression) {
            return;
        }
        self.0.push(Term {
            expression,
            column,
            nullable: true,
            direction,
            nulls,
            indexed: false,
        });
    }

    fn add_key(&mut self, key: &Key, stage: Option<&str>, direction: Direction, nulls: Nulls) {
        if let Some(stage) = stage {
            self.add(stage.to_owned(), ColumnType::Integer, direction, nulls);
        }
        if let Some(folded) = key.folded {
            let folded = format!("g.a{folded}");
            self.add(folded, ColumnType::Folded, direction, nulls);
        }
        for (index, column) in key.columns().iter().enumerate() {
            let text = format!("g.k{}", key.column + index);
            self.add(text, *column, direction, nulls);
        }
    }
}

/// Where in its pipeline a stage is, where the key is one.
fn stage_position(statement: &mut Statement<'_>, key: &Key) -> Option<String> {
    let KeyForm::Stage(StageTexts(stages)) = &key.form else {
        return None;
    };
    let mut place = |text: &str| {
        let slot = Slot::Constant(Bind::Text(text.to_owned()));
        statement.place(slot, ColumnType::Text, false)
    };
    let (pipeline, stage) = (key.column, key.column + 1);
    let mut text = "CAST(CASE".to_owned();
    for (position, (own_pipeline, own_stage, _)) in stages.iter().enumerate() {
        let (own_pipeline, own_stage) = (place(own_pipeline), place(own_stage));
        text.push_str(&format!(
            " WHEN g.k{pipeline} = {own_pipeline} AND g.k{stage} = {own_stage} THEN {position}"
        ));
    }
    (!stages.is_empty()).then(|| format!("{text} END AS bigint)"))
}

/// What is written of each group, list by list.
fn nodes(groups: &Groups) -> impl Iterator<Item = &Vec<GroupMember>> {
    groups.members.iter().filter_map(|member| match member {
        LogConnectionMember::Nodes { members, .. } => Some(members),
        _ => None,
    })
}
