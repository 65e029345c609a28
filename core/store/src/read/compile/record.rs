//! Members of a record: cells, labels, composites, stages, actors, related records.

use relata_catalog::{ColumnType, Field, FieldIndex, Kind, ObjectIndex};

use super::program::{Program, Steps};
use super::{CompileError, Compiler, Position, Select, check_depth};
use crate::filter::ColumnRef;
use crate::read::columns::find_column;
use crate::read::condition::Scope;
use crate::read::json::write_escaped;
use crate::read::plan::Parent;
use crate::read::program::{
    ActorOp, ActorProgram, Cell, Op, OptionOp, OptionProgram, OptionsProgram, StageTexts, StoredOp,
    Texts,
};
use crate::read::{
    ActorMember, ActorMembers, ListMember, Member, PartMember, StageMember, StageOption,
    StageOptionMember,
};

impl<'c> Compiler<'c> {
    /// The program that writes a record of the scope, with its braces.
    pub(super) fn record(
        &mut self,
        select_of: &mut Select<'c>,
        scope: &Scope,
        members: &[Member],
        position: Position,
    ) -> Result<Box<[Op]>, CompileError> {
        check_depth(position.depth)?;
        let mut program = Program::default();
        program.open();
        for member in members {
            self.member(select_of, scope, member, position, &mut program)?;
        }
        program.close();
        Ok(program.finish())
    }

    fn member(
        &mut self,
        select_of: &mut Select<'c>,
        scope: &Scope,
        member: &Member,
        position: Position,
        program: &mut Program,
    ) -> Result<(), CompileError> {
        match member {
            Member::Literal { key, json } => program.literal(key, json),
            Member::Column { key, column } => {
                let op = self.cell(select_of, scope, *column)?;
                program.member(key, op);
            }
            Member::MergedInto { key } => {
                let text = format!(
                    "(SELECT l.survivor FROM relata_merge_loser AS l WHERE l.loser = {}.\"id\")",
                    scope.alias
                );
                let column = select_of.expression(text);
                let cell = Cell::Uuid;
                program.member(key, Op::Cell { column, cell });
            }
            Member::Label { key } => {
                let op = self.label(select_of, scope)?;
                program.member(key, op);
            }
            Member::Composite {
                key,
                field,
                members,
            } => {
                let body = self.composite(select_of, scope, *field, members, position)?;
                let present = self.presence(select_of, scope, *field)?;
                program.member(key, Op::Guarded { present, body });
            }
            Member::Stage {
                key,
                field,
                members,
            } => {
                let op = self.stage(select_of, scope, *field, members, position)?;
                program.member(key, op);
            }
            Member::Actor {
                key,
                column,
                members,
            } => {
                let found = find_column(self.catalogue, scope.object, *column)?;
                let column_at = select_of.expression(found.text(self.backend, &scope.alias)?);
                program.member(
                    key,
                    Op::Actor {
                        column: column_at,
                        owner: found.column == ColumnType::Reference,
                        program: Box::new(actor(members)),
                    },
                );
            }
            Member::ToOne {
                key,
                field,
                members,
            } => {
                let target = select_of.join(scope, *field)?;
                let body = self.record(select_of, &target, members, position.deeper())?;
                let present = Box::new([select_of.column(&target.alias, "id")]);
                program.member(key, Op::Guarded { present, body });
            }
            Member::OneOf { key, targets } => {
                let mut alternatives = Vec::with_capacity(targets.len());
                for (field, members) in targets {
                    let target = select_of.join(scope, *field)?;
                    let body = self.record(select_of, &target, members, position.deeper())?;
                    alternatives.push((select_of.column(&target.alias, "id"), body));
                }
                program.member(key, Op::FirstOf(alternatives.into()));
            }
            Member::ToMany { key, connection } => {
                let parent = self.parent(select_of, scope);
                let nested = self.connection(connection, Some(parent), position.nested())?;
                program.member(key, Op::Connection(Box::new(nested)));
            }
            Member::History { key, page, members } => {
                let parent = self.parent(select_of, scope);
                let nested =
                    self.history(scope.object, page, members, parent, position.nested())?;
                program.member(key, Op::Connection(Box::new(nested)));
            }
        }
        Ok(())
    }

    /// The record of the scope as the parent of a nested level.
    pub(super) fn parent(&self, select_of: &mut Select<'c>, scope: &Scope) -> Parent {
        Parent {
            level: select_of.level,
            column: select_of.column(&scope.alias, "id"),
            distinct: scope.alias == "t",
        }
    }

    pub(super) fn field(
        &self,
        object: ObjectIndex,
        field: FieldIndex,
    ) -> Result<&'c Field, CompileError> {
        self.object(object)?
            .fields
            .get(field.0)
            .ok_or(CompileError::Missing("a field"))
    }

    /// Position of one of a field's columns.
    pub(super) fn part(
        &self,
        select_of: &mut Select<'c>,
        scope: &Scope,
        field: FieldIndex,
        part: usize,
    ) -> Result<(usize, ColumnType), CompileError> {
        let found = find_column(
            self.catalogue,
            scope.object,
            ColumnRef::Field { field, part },
        )?;
        let text = found.text(self.backend, &scope.alias)?;
        Ok((select_of.expression(text), found.column))
    }

    fn cell(
        &self,
        select_of: &mut Select<'c>,
        scope: &Scope,
        column: ColumnRef,
    ) -> Result<Op, CompileError> {
        let found = find_column(self.catalogue, scope.object, column)?;
        let cell = match column {
            ColumnRef::Field { field, .. } => {
                cell_of(found.column, self.field(scope.object, field)?.shown())
            }
            ColumnRef::System(_) => plain_cell(found.column),
        };
        Ok(Op::Cell {
            column: select_of.expression(found.text(self.backend, &scope.alias)?),
            cell,
        })
    }

    /// The label field's text, where it has one; then the id.
    fn label(&self, select_of: &mut Select<'c>, scope: &Scope) -> Result<Op, CompileError> {
        let object = self.object(scope.object)?;
        let field = object
            .label_field
            .as_ref()
            .and_then(|key| object.field_keyed(key));
        let mut cells = Vec::new();
        if let Some((index, field)) = field {
            for part in label_parts(field.shown()) {
                let (column, column_type) = self.part(select_of, scope, index, *part)?;
                let cell = match field.shown() {
                    // A label is text: in quotes, as a number with neither prefix nor zeros.
                    Kind::Integer { .. } => Cell::Autonumber {
                        prefix: Box::default(),
                        digits: 1,
                    },
                    kind => cell_of(column_type, kind),
                };
                cells.push((column, cell));
            }
        }
        Ok(Op::Label {
            cells: cells.into(),
            id: select_of.column(&scope.alias, "id"),
        })
    }

    /// The columns of which one is filled when the field is.
    fn presence(
        &self,
        select_of: &mut Select<'c>,
        scope: &Scope,
        field: FieldIndex,
    ) -> Result<Box<[usize]>, CompileError> {
        let parts: &[usize] = match self.field(scope.object, field)?.shown() {
            // What was typed is always there, whether or not it could be read as a number.
            Kind::Phone | Kind::Phones => &[1, 0],
            Kind::Address => &[0, 1, 3, 4, 5],
            _ => &[0],
        };
        parts
            .iter()
            .map(|part| Ok(self.part(select_of, scope, field, *part)?.0))
            .collect()
    }

    fn composite(
        &self,
        select_of: &mut Select<'c>,
        scope: &Scope,
        field: FieldIndex,
        members: &[PartMember],
        position: Position,
    ) -> Result<Box<[Op]>, CompileError> {
        check_depth(position.depth)?;
        let kind = self.field(scope.object, field)?.shown();
        let mut program = Program::default();
        program.open();
        for member in members {
            match member {
                PartMember::Column { key, part } => {
                    let (column, column_type) = self.part(select_of, scope, field, *part)?;
                    let cell = cell_of(column_type, kind);
                    program.member(key, Op::Cell { column, cell });
                }
                PartMember::Address { key, part, before } => {
                    let (column, _) = self.part(select_of, scope, field, *part)?;
                    let cell = Cell::Address(before);
                    program.member(key, Op::Cell { column, cell });
                }
                PartMember::Object { key, members } => {
                    program.key(key);
                    let body =
                        self.composite(select_of, scope, field, members, position.deeper())?;
                    program.extend(body);
                }
                PartMember::List { key, part, members } => {
                    let (column, _) = self.part(select_of, scope, field, *part)?;
                    let members = stored(members);
                    program.member(key, Op::Stored { column, members });
                }
                PartMember::Literal { key, json } => program.literal(key, json),
            }
        }
        program.close();
        Ok(program.finish())
    }

    fn stage(
        &mut self,
        select_of: &mut Select<'c>,
        scope: &Scope,
        field: FieldIndex,
        members: &[StageMember],
        position: Position,
    ) -> Result<Op, CompileError> {
        let (pipeline, _) = self.part(select_of, scope, field, 0)?;
        let (stage, _) = self.part(select_of, scope, field, 1)?;
        let mut program = Program::default();
        program.open();
        for member in members {
            match member {
                StageMember::ByStage { key, json } => program.member(
                    key,
                    Op::ByStage {
                        pipeline,
                        stage,
                        json: stage_texts(json),
                    },
                ),
                StageMember::EnteredAt { key } => {
                    let (column, column_type) = self.part(select_of, scope, field, 2)?;
                    let cell = plain_cell(column_type);
                    program.member(key, Op::Cell { column, cell });
                }
                StageMember::Options {
                    key,
                    options,
                    members,
                } => {
                    let options = options
                        .iter()
                        .map(|option| self.option(select_of, scope, option))
                        .collect::<Result<_, _>>()?;
                    let op = Op::Options(Box::new(OptionsProgram {
                        pipeline,
                        stage,
                        options,
                        members: option_members(members),
                    }));
                    program.member(key, op);
                }
                StageMember::Passages {
                    key,
                    first,
                    members,
                } => {
                    let parent = self.parent(select_of, scope);
                    let op = self.passages(
                        scope.object,
                        field,
                        first,
                        members,
                        parent,
                        position.nested(),
                    )?;
                    program.member(key, op);
                }
                StageMember::Literal { key, json } => program.literal(key, json),
            }
        }
        program.close();
        Ok(Op::Guarded {
            present: Box::new([stage]),
            body: program.finish(),
        })
    }

    fn option(
        &self,
        select_of: &mut Select<'c>,
        scope: &Scope,
        option: &StageOption,
    ) -> Result<OptionProgram, CompileError> {
        let requires = option
            .requires
            .iter()
            .map(|(field, json)| {
                let columns = self.presence(select_of, scope, *field)?;
                Ok((columns, texts(json)))
            })
            .collect::<Result<_, CompileError>>()?;
        let pipeline = self.catalogue.pipeline(&option.pipeline);
        let from = option
            .from
            .iter()
            .map(|named| {
                pipeline
                    .and_then(|pipeline| {
                        pipeline
                            .stages
                            .iter()
                            .find(|stage| stage.key == *named)
                            .or_else(|| pipeline.stages.iter().find(|stage| stage.name == *named))
                    })
                    .map_or(named.as_str(), |stage| stage.key.as_str())
                    .into()
            })
            .collect();
        Ok(OptionProgram {
            pipeline: option.pipeline.as_str().into(),
            stage: option.stage.as_str().into(),
            stage_json: texts(&option.stage_json),
            from,
            from_unmet: texts(&option.from_unmet_json),
            requires,
        })
    }
}

/// How a column of a field is written.
fn cell_of(column: ColumnType, kind: &Kind) -> Cell {
    match kind {
        Kind::Autonumber { prefix, digits, .. } => {
            let mut escaped = Vec::new();
            write_escaped(&mut escaped, prefix);
            Cell::Autonumber {
                prefix: escaped.into(),
                digits: *digits as usize,
            }
        }
        _ => plain_cell(column),
    }
}

pub(super) fn plain_cell(column: ColumnType) -> Cell {
    match column {
        ColumnType::Text | ColumnType::Folded => Cell::Text,
        ColumnType::Integer => Cell::Integer,
        ColumnType::Decimal(scale) => Cell::Decimal(scale),
        ColumnType::Boolean => Cell::Boolean,
        ColumnType::Date => Cell::Date,
        ColumnType::DateTime => Cell::Instant,
        ColumnType::Time => Cell::Time,
        ColumnType::Duration => Cell::Duration,
        ColumnType::Json => Cell::Json,
        ColumnType::TextList => Cell::List,
        ColumnType::Reference => Cell::Uuid,
    }
}

/// The columns whose first filled one is a record's label.
fn label_parts(kind: &Kind) -> &'static [usize] {
    match kind {
        Kind::Text { .. }
        | Kind::LongText { .. }
        | Kind::Email
        | Kind::Url
        | Kind::Select { .. }
        | Kind::FullName
        | Kind::Emails
        | Kind::Date
        | Kind::DateTime
        | Kind::Decimal { .. }
        | Kind::Integer { .. }
        | Kind::Autonumber { .. } => &[0],
        Kind::Phone | Kind::Phones => &[1, 0],
        _ => &[],
    }
}

pub(super) fn stage_texts(json: &[(relata_catalog::Key, String, String)]) -> StageTexts {
    StageTexts(
        json.iter()
            .map(|(pipeline, stage, json)| {
                (
                    pipeline.as_str().into(),
                    stage.as_str().into(),
                    json.as_bytes().into(),
                )
            })
            .collect(),
    )
}

fn stored(members: &[ListMember]) -> Box<[StoredOp]> {
    let mut steps = Steps::new(StoredOp::Raw);
    steps.open();
    for member in members {
        match member {
            ListMember::Stored { key, name } => {
                steps.member(key, StoredOp::Member(name.as_str().into()));
            }
            ListMember::Literal { key, json } => steps.literal(key, json),
        }
    }
    steps.close();
    steps.finish()
}

fn texts(json: &[String]) -> Texts {
    json.iter().map(|json| json.as_bytes().into()).collect()
}

fn option_members(members: &[StageOptionMember]) -> Box<[OptionOp]> {
    let mut steps = Steps::new(OptionOp::Raw);
    steps.open();
    for member in members {
        match member {
            StageOptionMember::Stage { key, text } => steps.member(key, OptionOp::Stage(*text)),
            StageOptionMember::Allowed { key } => steps.member(key, OptionOp::Allowed),
            StageOptionMember::Unmet { key, text } => steps.member(key, OptionOp::Unmet(*text)),
            StageOptionMember::Literal { key, json } => steps.literal(key, json),
        }
    }
    steps.close();
    steps.finish()
}

pub(super) fn actor(members: &ActorMembers) -> ActorProgram {
    ActorProgram {
        user: actor_members(&members.user),
        token: actor_members(&members.token),
        plugin: actor_members(&members.plugin),
        system: actor_members(&members.system),
    }
}

fn actor_members(members: &[ActorMember]) -> Box<[ActorOp]> {
    let mut steps = Steps::new(ActorOp::Raw);
    steps.open();
    for member in members {
        match member {
            ActorMember::Id { key } => steps.member(key, ActorOp::Id),
            ActorMember::Name { key } => steps.member(key, ActorOp::Name),
            ActorMember::Email { key } => steps.member(key, ActorOp::Email),
            ActorMember::Literal { key, json } => steps.literal(key, json),
        }
    }
    steps.close();
    steps.finish()
}
