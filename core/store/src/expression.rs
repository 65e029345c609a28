//! An expression as SQL: what [`relata_catalog::expression`] says in memory, said in the dialect of
//! each database, over the columns of a record's table.
//!
//! | type | PostgreSQL | SQLite |
//! | --- | --- | --- |
//! | boolean | BOOLEAN | 0, 1 |
//! | integer, decimal | BIGINT or NUMERIC | INTEGER in units of the static scale |
//! | duration | NUMERIC, microseconds | INTEGER, microseconds |
//! | all others | as their columns (`cells.rs`) | likewise |
//!
//! Invariant: the text depends on the catalogue alone, so that the same formula is the same text
//! wherever it stands in a statement (PostgreSQL compares texts of groups and orders). Constants
//! stand in it in hexadecimal: nothing in them can be read as SQL.
//!
//! Invariant: nothing in it raises an error, whatever the row holds.

use relata_catalog::expression::{
    CalendarPart, Datum, Function, INSTANTS, Node, Op, Path, PathColumn, SystemField, Type,
};
use relata_catalog::{Catalogue, ColumnType, Kind, Object};

use crate::Backend;
use crate::filter::SystemColumn;
use crate::read::{CompileError, quoted, system_column};

/// Days from 0001-01-01 to 9999-12-31.
const DAYS_MAX: i64 = 3_652_058;

/// The text of a value that is worked out from the record in the row `alias`.
pub(crate) fn expression_text(
    backend: Backend,
    catalogue: &Catalogue,
    object: &Object,
    alias: &str,
    node: &Node,
    form: TextForm,
) -> Result<String, CompileError> {
    let dialect = Dialect {
        backend,
        catalogue,
        object,
        alias,
        form,
    };
    let text = dialect.node(node)?;
    // Whole numbers may have become NUMERIC on their way, and decimals may have been whole numbers.
    Ok(match (backend, node.of) {
        (Backend::Postgres, Type::Integer) => format!("CAST({text} AS int8)"),
        (Backend::Postgres, Type::Decimal(_)) => numeric(&text),
        (Backend::Postgres, Type::Text) => format!("({text} COLLATE \"C\")"),
        _ => text,
    })
}

/// Which of the two columns of a text is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextForm {
    /// The text.
    Exact,
    /// Its folded key, put together of those of its parts. A part that has none counts with A–Z in
    /// small letters.
    Folded,
}

struct Dialect<'a> {
    backend: Backend,
    catalogue: &'a Catalogue,
    object: &'a Object,
    alias: &'a str,
    form: TextForm,
}

impl Dialect<'_> {
    fn node(&self, node: &Node) -> Result<String, CompileError> {
        if self.form == TextForm::Folded && node.of == Type::Text {
            return self.folded(node);
        }
        Ok(match &node.op {
            Op::Literal(datum) => self.literal(node.of, datum),
            Op::Read(path) => self.read(path, TextForm::Exact)?,
            // Nobody has said yet what they are.
            Op::Variable(_) => return Err(CompileError::Missing("what comes with a request")),
            Op::Not(part) => format!("(NOT {})", self.node(part)?),
            Op::And(parts) => self.joined(parts, " AND ")?,
            Op::Or(parts) => self.joined(parts, " OR ")?,
            Op::Same(left, right) => self.same(left, right)?,
            Op::Less(left, right, or_equal) => self.less(left, right, *or_equal)?,
            Op::If(condition, then, otherwise) => {
                let otherwise = self.node(otherwise)?;
                self.choice(condition, &self.node(then)?, &otherwise)?
            }
            Op::Call(function, arguments) => self.call(node, *function, arguments)?,
        })
    }

    /// Conditions inside a folded text compare exact ones.
    fn exact(&self) -> Self {
        Self {
            form: TextForm::Exact,
            ..*self
        }
    }

    fn folded(&self, node: &Node) -> Result<String, CompileError> {
        Ok(match &node.op {
            Op::Literal(Datum::Text(text)) => self.text(&relata_catalog::folded(text)),
            Op::Literal(datum) => self.literal(node.of, datum),
            Op::Read(path) => self.read(path, TextForm::Folded)?,
            Op::If(condition, then, otherwise) => {
                let otherwise = self.node(otherwise)?;
                self.exact()
                    .choice(condition, &self.node(then)?, &otherwise)?
            }
            Op::Call(Function::Concat, parts) => self.joined(parts, " || ")?,
            Op::Call(Function::LowerAscii | Function::UpperAscii, parts) => {
                self.node(parts.first().ok_or(CompileError::Missing("an argument"))?)?
            }
            Op::Call(Function::Trim, parts) => self.call(node, Function::Trim, parts)?,
            _ => self.exact().node(node)?,
        })
    }

    fn joined(&self, parts: &[Node], between: &str) -> Result<String, CompileError> {
        let parts = parts
            .iter()
            .map(|part| self.node(part))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(format!("({})", parts.join(between)))
    }

    fn choice(
        &self,
        condition: &Node,
        then: &str,
        otherwise: &str,
    ) -> Result<String, CompileError> {
        let condition = self.exact().node(condition)?;
        let (yes, no) = match self.backend {
            Backend::Sqlite => ("1", "0"),
            Backend::Postgres => ("TRUE", "FALSE"),
        };
        Ok(format!(
            "(CASE {condition} WHEN {yes} THEN {then} WHEN {no} THEN {otherwise} END)"
        ))
    }

    fn literal(&self, of: Type, datum: &Datum) -> String {
        let postgres = self.backend == Backend::Postgres;
        match datum {
            Datum::Null if postgres => format!("CAST(NULL AS {})", postgres_type(of)),
            Datum::Null => "NULL".to_owned(),
            Datum::Boolean(boolean) if postgres => boolean.to_string().to_uppercase(),
            Datum::Boolean(boolean) => i64::from(*boolean).to_string(),
            Datum::Number(number) if postgres => format!(
                "CAST({} AS numeric)",
                relata_catalog::expression::text_of(*number, of.scale())
            ),
            Datum::Number(number) => format!("({number})"),
            Datum::Text(text) => self.text(text),
            // Digits and dashes, whatever the author wrote.
            Datum::Date(date) if postgres => format!("DATE '{date}'"),
            Datum::Date(date) => self.text(&date.to_string()),
            Datum::Instant(micros) if postgres => self.instant_of(&micros.to_string()),
            Datum::Instant(micros) => format!("({micros})"),
            Datum::Reference(id) if postgres => format!("CAST('{id}' AS uuid)"),
            Datum::Reference(id) => format!("x'{}'", id.simple()),
            Datum::Choices(choices) => {
                let texts: Vec<String> = choices.iter().map(|choice| self.text(choice)).collect();
                match self.backend {
                    Backend::Sqlite => format!("json_array({})", texts.join(", ")),
                    Backend::Postgres => format!("CAST(ARRAY[{}] AS text[])", texts.join(", ")),
                }
            }
        }
    }

    /// A constant text, in hexadecimal.
    fn text(&self, text: &str) -> String {
        let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        match self.backend {
            Backend::Sqlite => format!("CAST(x'{digits}' AS TEXT)"),
            Backend::Postgres => format!("convert_from('\\x{digits}'::bytea, 'UTF8')"),
        }
    }

    /// The instant so many microseconds after 1970. Multiples of a day and less than a day: both
    /// are exact in the floating point in which PostgreSQL multiplies an interval.
    fn instant_of(&self, micros: &str) -> String {
        format!(
            "(TIMESTAMPTZ '1970-01-01T00:00:00Z' \
             + CAST(div(CAST({micros} AS numeric), 86400000000) AS int4) * INTERVAL '24 hours' \
             + CAST(mod(CAST({micros} AS numeric), 86400000000) AS int8) * INTERVAL '1 microsecond')"
        )
    }

    /// A column of the record, or of the one that relations lead to.
    fn read(&self, path: &Path, form: TextForm) -> Result<String, CompileError> {
        let Some((first, rest)) = path.through.split_first() else {
            return self.column(&path.column, form);
        };
        let missing = CompileError::Missing("a relation of an expression");
        let (_, field) = self.object.field_keyed(first).ok_or(missing)?;
        let Kind::Relation(relation) = &field.kind else {
            return Err(CompileError::Missing("a relation of an expression"));
        };
        let (_, target) = self
            .catalogue
            .object_keyed(&relation.target)
            .ok_or(CompileError::Missing("the target of a relation"))?;
        // One level deeper than the alias that it is joined to.
        let alias = format!("h{}", path.through.len());
        let inner = Dialect {
            object: target,
            alias: &alias,
            ..*self
        };
        let rest = Path {
            through: rest.to_vec(),
            ..path.clone()
        };
        let value = inner.read(&rest, form)?;
        Ok(format!(
            "(SELECT {value} FROM {} AS {alias} WHERE {alias}.\"id\" = {}.{} \
             AND {alias}.\"_deleted_at\" IS NULL)",
            quoted(&target.table),
            self.alias,
            quoted(&field.columns()[0].name),
        ))
    }

    fn column(&self, column: &PathColumn, form: TextForm) -> Result<String, CompileError> {
        let (field, part) = match column {
            PathColumn::System(field) => {
                let (name, ..) = system_column(match field {
                    SystemField::Id => SystemColumn::Id,
                    SystemField::Version => SystemColumn::Version,
                    SystemField::CreatedAt => SystemColumn::CreatedAt,
                    SystemField::UpdatedAt => SystemColumn::UpdatedAt,
                    SystemField::Owner => SystemColumn::Owner,
                });
                return Ok(format!("{}.{}", self.alias, quoted(name)));
            }
            PathColumn::Field { field, part } => (field, *part),
        };
        let missing = || CompileError::Missing("a field of an expression");
        let (_, field) = self.object.field_keyed(field).ok_or_else(missing)?;
        let columns = field.stored_columns();
        let own = columns.get(part).ok_or_else(missing)?;
        let folded = columns
            .get(part + 1)
            .filter(|next| next.column_type == ColumnType::Folded);
        let name = format!("{}.{}", self.alias, quoted(&own.name));
        Ok(match (own.column_type, form, folded) {
            (_, TextForm::Folded, Some(folded)) => {
                format!("{}.{}", self.alias, quoted(&folded.name))
            }
            (_, TextForm::Folded, None) => self.lower(&name),
            // A list without elements is as empty as no list.
            (ColumnType::TextList, ..) => match self.backend {
                Backend::Sqlite => format!("NULLIF({name}, '[]')"),
                Backend::Postgres => {
                    format!("(CASE WHEN cardinality({name}) > 0 THEN {name} END)")
                }
            },
            _ => name,
        })
    }

    fn lower(&self, text: &str) -> String {
        match self.backend {
            Backend::Sqlite => format!("lower({text})"),
            Backend::Postgres => format!("lower({text} COLLATE \"C\")"),
        }
    }

    /// Two texts as PostgreSQL compares them by code points.
    fn collated<'t>(&self, of: Type, text: &'t str) -> std::borrow::Cow<'t, str> {
        if self.backend == Backend::Postgres && of == Type::Text {
            format!("({text} COLLATE \"C\")").into()
        } else {
            text.into()
        }
    }

    fn same(&self, left: &Node, right: &Node) -> Result<String, CompileError> {
        let is_null = |node: &Node| matches!(node.op, Op::Literal(Datum::Null));
        if is_null(right) {
            return Ok(format!("({} IS NULL)", self.node(left)?));
        }
        if is_null(left) {
            return Ok(format!("({} IS NULL)", self.node(right)?));
        }
        let (first, second) = (self.node(left)?, self.node(right)?);
        Ok(match self.backend {
            Backend::Postgres => {
                let first = self.collated(left.of, &first);
                format!("({first} IS NOT DISTINCT FROM {second})")
            }
            Backend::Sqlite if left.of.scale() == right.of.scale() => {
                format!("({first} IS {second})")
            }
            // What both of them lack is the same too.
            Backend::Sqlite => format!(
                "(relata_compare({first}, {}, {second}, {}) IS \
                 (CASE WHEN ({first}) IS NULL AND ({second}) IS NULL THEN NULL ELSE 0 END))",
                left.of.scale(),
                right.of.scale()
            ),
        })
    }

    fn less(&self, left: &Node, right: &Node, or_equal: bool) -> Result<String, CompileError> {
        let (first, second) = (self.node(left)?, self.node(right)?);
        let sign = if or_equal { "<=" } else { "<" };
        if self.backend == Backend::Sqlite && left.of.scale() != right.of.scale() {
            return Ok(format!(
                "(relata_compare({first}, {}, {second}, {}) {sign} 0)",
                left.of.scale(),
                right.of.scale()
            ));
        }
        let first = self.collated(left.of, &first);
        Ok(format!("({first} {sign} {second})"))
    }

    fn call(
        &self,
        node: &Node,
        function: Function,
        arguments: &[Node],
    ) -> Result<String, CompileError> {
        let texts = arguments
            .iter()
            .map(|argument| self.node(argument))
            .collect::<Result<Vec<_>, _>>()?;
        let types: Vec<Type> = arguments.iter().map(|argument| argument.of).collect();
        let missing = CompileError::Missing("an argument of a function");
        match (texts.as_slice(), types.as_slice()) {
            ([one], [of]) => self.of_one(node.of, function, one, *of).ok_or(missing),
            ([first, second], [left, right]) => self
                .of_two(node.of, function, (first, *left), (second, *right))
                .ok_or(missing),
            _ => Err(missing),
        }
    }

    fn of_one(&self, result: Type, function: Function, text: &str, of: Type) -> Option<String> {
        let postgres = self.backend == Backend::Postgres;
        Some(match function {
            Function::Round if postgres => bounded(
                &format!("round({}, {})", numeric(text), result.scale()),
                result,
            ),
            Function::Round => {
                format!("relata_rescale({text}, {}, {})", of.scale(), result.scale())
            }
            Function::Truncate if postgres => bounded(&format!("trunc({})", numeric(text)), result),
            Function::Truncate => format!("relata_truncate({text}, {})", of.scale()),
            Function::Safe if postgres => with_values(
                "CASE WHEN q.a BETWEEN -9007199254740991 AND 9007199254740991 THEN q.a END",
                &[("a", text)],
            ),
            Function::Safe => format!("relata_safe({text})"),
            Function::Text if of == Type::Date && postgres => {
                format!("to_char({text}, 'YYYY-MM-DD')")
            }
            Function::Text if of == Type::Date => text.to_owned(),
            Function::Text if postgres => {
                format!("CAST(round({}, {}) AS text)", numeric(text), of.scale())
            }
            Function::Text => format!("relata_text({text}, {})", of.scale()),
            Function::TextSize => format!("length({text})"),
            Function::ListSize if postgres => format!("cardinality({text})"),
            Function::ListSize => format!("json_array_length({text})"),
            Function::LowerAscii => self.lower(text),
            Function::UpperAscii if postgres => format!("upper({text} COLLATE \"C\")"),
            Function::UpperAscii => format!("upper({text})"),
            Function::Trim if postgres => format!("btrim({text}, E' \\t\\n\\r')"),
            Function::Trim => format!("trim({text}, ' ' || char(9, 10, 13))"),
            Function::DateOf if postgres => format!("CAST({text} AT TIME ZONE 'UTC' AS date)"),
            Function::DateOf => format!("relata_date_of({text})"),
            Function::Calendar(part) => self.calendar(part, text, of),
            _ => return None,
        })
    }

    fn calendar(&self, part: CalendarPart, text: &str, of: Type) -> String {
        if self.backend == Backend::Sqlite {
            let function = if of == Type::Date {
                "relata_part_of_date"
            } else {
                "relata_part_of_instant"
            };
            return format!("{function}({}, {text})", part as i64);
        }
        let clock = if of == Type::Date {
            text.to_owned()
        } else {
            format!("({text} AT TIME ZONE 'UTC')")
        };
        let (word, before) = match part {
            CalendarPart::Year => ("year", 0),
            CalendarPart::Month => ("month", 1),
            CalendarPart::Day => ("day", 0),
            CalendarPart::Weekday => ("dow", 0),
            CalendarPart::Hour => ("hour", 0),
        };
        format!("(extract({word} FROM {clock}) - {before})")
    }

    fn of_two(
        &self,
        result: Type,
        function: Function,
        (left, left_type): (&str, Type),
        (right, right_type): (&str, Type),
    ) -> Option<String> {
        let postgres = self.backend == Backend::Postgres;
        let (left_scale, right_scale) = (left_type.scale(), right_type.scale());
        let sign = match function {
            Function::Add => "+",
            Function::Subtract => "-",
            _ => "",
        };
        let (first, second) = (numeric(left), numeric(right));
        Some(match function {
            Function::Add | Function::Subtract if postgres => {
                bounded(&format!("{first} {sign} {second}"), result)
            }
            Function::Add | Function::Subtract => {
                format!("relata_add({left}, {left_scale}, {sign}({right}), {right_scale})")
            }
            Function::Multiply if postgres => bounded(
                &format!("round({first} * {second}, {})", result.scale()),
                result,
            ),
            Function::Multiply => format!(
                "relata_multiply({left}, {right}, {}, {})",
                left_scale + right_scale,
                result.scale()
            ),
            Function::Divide if postgres => divided(&first, &second, result),
            Function::Divide => format!(
                "relata_divide({left}, {left_scale}, {right}, {right_scale}, {})",
                result.scale()
            ),
            Function::Quotient if postgres => format!("div({first}, NULLIF({second}, 0))"),
            Function::Quotient => format!("({left} / {right})"),
            Function::Remainder if postgres => format!("mod({first}, NULLIF({second}, 0))"),
            Function::Remainder => format!("({left} % {right})"),
            Function::Greatest | Function::Least => {
                let greatest = function == Function::Greatest;
                if postgres {
                    let word = if greatest { "greatest" } else { "least" };
                    // It would pass over what is empty.
                    with_values(
                        &format!(
                            "CASE WHEN q.a IS NOT NULL AND q.b IS NOT NULL THEN {word}(q.a, q.b) END"
                        ),
                        &[("a", &first), ("b", &second)],
                    )
                } else {
                    let word = if greatest { "max" } else { "min" };
                    format!("{word}({left}, {right})")
                }
            }
            Function::Concat => format!("({left} || {right})"),
            Function::Contains => {
                let word = if postgres { "strpos" } else { "instr" };
                format!("({word}({left}, {right}) > 0)")
            }
            Function::StartsWith if postgres => format!("starts_with({left}, {right})"),
            Function::StartsWith => format!("relata_starts_with({left}, {right})"),
            Function::EndsWith if postgres => with_values(
                "(right(q.a, length(q.b)) = q.b COLLATE \"C\")",
                &[("a", left), ("b", right)],
            ),
            Function::EndsWith => format!("relata_ends_with({left}, {right})"),
            Function::Has if postgres => format!("({right} COLLATE \"C\" = ANY({left}))"),
            Function::Has => format!("relata_has({left}, {right})"),
            Function::DaysBetween if postgres => format!("({left} - {right})"),
            Function::DaysBetween => format!("relata_days_between({left}, {right})"),
            Function::AddDays if postgres => with_values(
                &format!(
                    "CASE WHEN (q.a - DATE '0001-01-01') + q.b BETWEEN 0 AND {DAYS_MAX} \
                     THEN q.a + CAST(q.b AS int4) END"
                ),
                &[("a", left), ("b", &second)],
            ),
            Function::AddDays => format!("relata_add_days({left}, {right})"),
            Function::TimeBetween if postgres => {
                format!("(extract(epoch FROM ({left} - {right})) * 1000000)")
            }
            Function::TimeBetween => format!("({left} - {right})"),
            Function::AddTime if postgres => {
                let sum = format!("extract(epoch FROM {left}) * 1000000 + {second}");
                with_values(
                    &format!(
                        "CASE WHEN q.a BETWEEN {} AND {} THEN {} END",
                        INSTANTS.start(),
                        INSTANTS.end(),
                        self.instant_of("q.a")
                    ),
                    &[("a", &sum)],
                )
            }
            Function::AddTime => format!("relata_add_time({left}, {right})"),
            _ => return None,
        })
    }
}

pub(crate) fn numeric(text: &str) -> String {
    format!("CAST({text} AS numeric)")
}

/// PostgreSQL: something said of values that are worked out once. `OFFSET 0` keeps the planner from
/// putting the values in the place of their names, which would double the text at each level.
fn with_values(said: &str, values: &[(&str, &str)]) -> String {
    let values: Vec<String> = values
        .iter()
        .map(|(name, text)| format!("{text} AS {name}"))
        .collect();
    format!(
        "(SELECT {said} FROM (SELECT {} OFFSET 0) AS q)",
        values.join(", ")
    )
}

/// PostgreSQL: nothing in the place of a number of more than 18 digits.
pub(crate) fn bounded(text: &str, of: Type) -> String {
    let digits = 18 - of.scale();
    with_values(
        &format!("CASE WHEN abs(q.a) < 1e{digits} THEN q.a END"),
        &[("a", text)],
    )
}

/// PostgreSQL: a quotient rounded half away from zero. Its own has as many digits as it finds
/// fitting, and rounding it again would round twice.
pub(crate) fn divided(left: &str, right: &str, of: Type) -> String {
    let scale = of.scale();
    let quotient = format!(
        "sign(q.a) * sign(q.b) \
         * div(abs(q.a) * 2e{scale} + abs(q.b), abs(q.b) * 2) * 1e-{scale}"
    );
    let quotient = with_values(
        &format!("CASE WHEN q.b <> 0 THEN {quotient} END"),
        &[("a", left), ("b", right)],
    );
    bounded(&quotient, of)
}

fn postgres_type(of: Type) -> &'static str {
    match of {
        Type::Boolean => "bool",
        Type::Integer | Type::Decimal(_) | Type::Duration | Type::Money(_) => "numeric",
        Type::Text | Type::Null => "text",
        Type::Date => "date",
        Type::Instant => "timestamptz",
        Type::Reference => "uuid",
        Type::Choices => "text[]",
    }
}
