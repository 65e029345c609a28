//! CEL's tree against the catalogue: names become columns, every operation gets its types.

use std::sync::Arc;

use ::cel::common::ast::{Expr, IdedExpr, LiteralValue, SelectExpr};
use rust_decimal::Decimal;
use std::str::FromStr as _;

use super::arithmetic::{number_type, single};
use super::number::units_of;
use super::program::{Node, Op, Path, PathColumn, Program, Root, SystemField, Type, Variable};
use super::syntax::{Parsed, parse};
use super::{Datum, EXPRESSION_DEPTH_MAX, EXPRESSION_HOPS_MAX, EXPRESSION_NODES_MAX};
use crate::names::{did_you_mean, nearest, one_of};
use crate::reading::limit;
use crate::{
    Catalogue, DEGREE_SCALE, Field, FieldIndex, Issue, Issues, Key, Kind, OWNER_PLATFORM, Object,
};

/// Most digits behind the point.
pub(super) const SCALE_MAX: u32 = 9;
/// Digits behind the point of a quotient, at least.
pub(super) const QUOTIENT_SCALE: u32 = 6;

/// What an expression may name beside `record`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Roots {
    /// `old`: as it was before the write.
    pub old: bool,
    /// `now`, `today` and `user`.
    pub request: bool,
}

/// What a formula of the catalogue means, by its object and field; or why it means nothing.
pub(super) type Formulas<'a> =
    &'a mut (dyn FnMut(&Catalogue, &Key, &Key) -> Result<Arc<Program>, Issues> + Send);

/// The program of a text about records of an object, written by `owner`.
///
/// # Errors
/// All that is wrong with it, each with the character at which it stands.
pub fn check(
    text: &str,
    catalogue: &Catalogue,
    object: &Object,
    owner: &str,
    roots: Roots,
) -> Result<Program, Issues> {
    check_with(
        text,
        catalogue,
        object,
        owner,
        roots,
        &mut |_, object, field| {
            Err(Issue::new(
                "EXPRESSION_UNKNOWN",
                format!("{} of {} can't be read here", field.local(), object.local()),
            )
            .into())
        },
    )
}

/// Bytes of stack for reading one expression: the parser recurses, and a debug build's frames of
/// [`EXPRESSION_SIGNS_MAX`](super::EXPRESSION_SIGNS_MAX) brackets take between 16 and 32 MiB.
const STACK_BYTES: usize = 64 << 20;

/// As [`check`], with formulas. On a stack of its own.
pub(super) fn check_with(
    text: &str,
    catalogue: &Catalogue,
    object: &Object,
    owner: &str,
    roots: Roots,
    formulas: Formulas<'_>,
) -> Result<Program, Issues> {
    std::thread::scope(|scope| {
        let checking = std::thread::Builder::new()
            .name("expression".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || {
                check_here(text, catalogue, object, owner, roots, formulas)
            });
        // Neither is the author's mistake, but a catalogue can't wait for threads that there are
        // none of, and must not fall with a parser.
        let unread = |reason: &str| {
            Issue::new(
                "EXPRESSION_SYNTAX",
                format!("the expression could not be read: {reason}"),
            )
            .into()
        };
        match checking.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(checked)) => checked,
            Ok(Err(_)) => Err(unread("the parser has stopped")),
            Err(_) => Err(unread("the machine has no thread left; try again")),
        }
    })
}

fn check_here(
    text: &str,
    catalogue: &Catalogue,
    object: &Object,
    owner: &str,
    roots: Roots,
    formulas: Formulas<'_>,
) -> Result<Program, Issues> {
    let parsed = parse(text)?;
    let mut checker = Checker {
        parsed: &parsed,
        catalogue,
        object,
        owner,
        roots,
        formulas,
        issues: Issues::default(),
    };
    let program = checker.expression(&parsed.tree, 0);
    let mut issues = checker.issues;
    match program {
        Some(program) if issues.is_empty() => {
            let size = program.size();
            if size > EXPRESSION_NODES_MAX {
                issues.push(limit(
                    "nodes of an expression with the formulas that it reads",
                    EXPRESSION_NODES_MAX,
                    size,
                ));
            }
            issues.into_result(program)
        }
        _ => Err(issues),
    }
}

pub(super) struct Checker<'a, 'f> {
    parsed: &'a Parsed,
    pub(super) catalogue: &'a Catalogue,
    pub(super) object: &'a Object,
    owner: &'a str,
    roots: Roots,
    formulas: Formulas<'f>,
    issues: Issues,
}

/// What a chain of names stands for.
enum Named<'a> {
    /// The record itself, or one that it points at.
    Record {
        object: &'a Object,
        root: Root,
        through: Vec<Key>,
    },
    /// A field, whose parts may be named.
    Field {
        field: &'a Field,
        object: &'a Object,
        root: Root,
        through: Vec<Key>,
    },
    /// A value with no parts.
    Value(Program),
}

impl<'a> Checker<'a, '_> {
    /// Reports what is wrong at a node. Gives `None` to be passed on.
    pub(super) fn wrong<T>(&mut self, at: &IdedExpr, issue: Issue) -> Option<T> {
        let issue = match self.parsed.column_of(at.id) {
            Some(column) => {
                let message = format!("at character {column}: {}", issue.message);
                Issue { message, ..issue }.with("column", column)
            }
            None => issue,
        };
        self.issues.push(issue);
        None
    }

    pub(super) fn mismatch<T>(&mut self, at: &IdedExpr, message: String) -> Option<T> {
        self.wrong(at, Issue::new("EXPRESSION_TYPE", message))
    }

    pub(super) fn expression(&mut self, tree: &IdedExpr, depth: usize) -> Option<Program> {
        if depth > EXPRESSION_DEPTH_MAX {
            let issue = limit(
                "operations inside each other in an expression",
                EXPRESSION_DEPTH_MAX,
                depth,
            );
            return self.wrong(tree, issue);
        }
        match &tree.expr {
            Expr::Literal(literal) => self.literal(tree, literal),
            Expr::Ident(_) => {
                let named = self.named(tree)?;
                self.value(tree, named)
            }
            Expr::Select(select) if select.test => {
                let present = self.presence(tree, select)?;
                Some(single(present))
            }
            Expr::Select(_) => {
                let named = self.named(tree)?;
                self.value(tree, named)
            }
            Expr::Call(call) => self.call(tree, call, depth + 1),
            Expr::List(_) => self.mismatch(tree, "a list can only stand behind \"in\"".to_owned()),
            Expr::Comprehension(_) => self.mismatch(
                tree,
                "all, exists, exists_one, map and filter can't be said in SQL: use \"in\", or \
                 a rollup"
                    .to_owned(),
            ),
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
                self.mismatch(tree, "maps and messages can't be used here".to_owned())
            }
        }
    }

    /// An expression that gives anything but money.
    pub(super) fn node(&mut self, tree: &IdedExpr, depth: usize) -> Option<Node> {
        let program = self.expression(tree, depth)?;
        match <[Node; 1]>::try_from(program.parts) {
            Ok([node]) => Some(node),
            Err(_) => self.mismatch(
                tree,
                "money can't be used here: take its .amount or .currency".to_owned(),
            ),
        }
    }

    /// An expression that gives true or false.
    pub(super) fn condition(&mut self, tree: &IdedExpr, depth: usize) -> Option<Node> {
        let node = self.node(tree, depth)?;
        if matches!(node.of, Type::Boolean | Type::Null) {
            return Some(node);
        }
        self.mismatch(
            tree,
            format!("expected true or false, got {}", node.of.name()),
        )
    }

    fn literal(&mut self, tree: &IdedExpr, literal: &LiteralValue) -> Option<Program> {
        let node = match literal {
            LiteralValue::Null => Node::null(),
            LiteralValue::Boolean(boolean) => {
                Node::literal(Type::Boolean, Datum::Boolean(*boolean.inner()))
            }
            LiteralValue::Int(number) => {
                let number = *number.inner();
                if units_of(Decimal::from(number), 0).is_none() {
                    return self.too_long(tree);
                }
                Node::literal(Type::Integer, Datum::Number(number))
            }
            LiteralValue::Double(number) => {
                // The digits as written; the parser's own value is a float.
                let written = self
                    .parsed
                    .text_of(tree.id)
                    .and_then(|text| Decimal::from_str(text).ok())
                    .map(|decimal| {
                        if number.inner().is_sign_negative() && decimal.is_sign_positive() {
                            -decimal
                        } else {
                            decimal
                        }
                    })
                    .or_else(|| Decimal::from_str(&number.inner().to_string()).ok());
                let Some(decimal) = written else {
                    return self.too_long(tree);
                };
                let scale = decimal.scale();
                match units_of(decimal, scale) {
                    Some(units) if scale <= SCALE_MAX => {
                        Node::literal(Type::Decimal(scale), Datum::Number(units))
                    }
                    _ => return self.too_long(tree),
                }
            }
            LiteralValue::String(text) => {
                let text = text.inner().to_owned();
                if text.contains('\0') {
                    return self.mismatch(tree, "a text can't have a zero byte".to_owned());
                }
                Node::literal(Type::Text, Datum::Text(text))
            }
            LiteralValue::UInt(_) => {
                return self.mismatch(tree, "write 1 in the place of 1u".to_owned());
            }
            LiteralValue::Bytes(_) => {
                return self.mismatch(tree, "bytes can't be used here".to_owned());
            }
        };
        Some(single(node))
    }

    fn too_long(&mut self, tree: &IdedExpr) -> Option<Program> {
        self.mismatch(
            tree,
            "a number has at most 18 digits, 9 of them behind the point".to_owned(),
        )
    }

    /// What a chain of names means.
    fn named(&mut self, tree: &IdedExpr) -> Option<Named<'a>> {
        match &tree.expr {
            Expr::Ident(name) => self.root(tree, name),
            Expr::Select(select) => {
                if let Expr::Ident(user) = &select.operand.expr
                    && user == "user"
                    && self.roots.request
                {
                    if select.field == "id" {
                        let of = Type::Reference;
                        let node = Node::new(of, Op::Variable(Variable::User));
                        return Some(Named::Value(single(node)));
                    }
                    let issue = Issue::new(
                        "EXPRESSION_UNKNOWN",
                        format!("user has no {}; expected id", select.field),
                    );
                    return self.wrong(tree, issue);
                }
                let operand = self.named(&select.operand)?;
                self.member(tree, operand, &select.field)
            }
            _ => {
                let program = self.expression(tree, EXPRESSION_DEPTH_MAX / 2)?;
                Some(Named::Value(program))
            }
        }
    }

    fn root(&mut self, tree: &IdedExpr, name: &str) -> Option<Named<'a>> {
        let variable = match name {
            "now" => Some((Variable::Now, Type::Instant)),
            "today" => Some((Variable::Today, Type::Date)),
            _ => None,
        };
        if let Some((variable, of)) = variable.filter(|_| self.roots.request) {
            let node = Node::new(of, Op::Variable(variable));
            return Some(Named::Value(single(node)));
        }
        if let Some(root) = Root::named(name).filter(|root| *root == Root::Record || self.roots.old)
        {
            return Some(Named::Record {
                object: self.object,
                root,
                through: Vec::new(),
            });
        }
        let mut known = vec!["record"];
        if self.roots.old {
            known.push("old");
        }
        if self.roots.request {
            known.extend(["now", "today", "user"]);
        }
        let issue = Issue::new(
            "EXPRESSION_UNKNOWN",
            format!(
                "there is no \"{name}\" here; expected {}",
                one_of(known.iter().copied())
            ),
        );
        // A bare field is the likeliest slip.
        let issue = if self.object.field_named(name).is_some() {
            Issue {
                message: format!("write record.{name} in the place of {name}"),
                ..issue
            }
        } else {
            issue
        };
        self.wrong(tree, issue)
    }

    fn member(&mut self, tree: &IdedExpr, operand: Named<'a>, name: &str) -> Option<Named<'a>> {
        match operand {
            Named::Record {
                object,
                root,
                through,
            } => self.field_of(tree, object, root, through, name),
            // What is worked out has the parts of what comes of it.
            Named::Field { field, .. } if !field.kind.is_written() => {
                let value = self.value(tree, operand)?;
                self.member(tree, Named::Value(value), name)
            }
            Named::Field {
                field,
                object,
                root,
                mut through,
            } => {
                if let Kind::Relation(relation) = &field.kind {
                    through.push(field.key.clone());
                    if through.len() > EXPRESSION_HOPS_MAX {
                        let issue = limit(
                            "relations one after the other in an expression",
                            EXPRESSION_HOPS_MAX,
                            through.len(),
                        );
                        return self.wrong(tree, issue);
                    }
                    let (_, target) = self.catalogue.object_keyed(&relation.target)?;
                    return self.field_of(tree, target, root, through, name);
                }
                let parts = part_names(&field.kind);
                let Some((_, part, of)) = parts.iter().find(|(part, ..)| *part == name) else {
                    let expected = if parts.is_empty() {
                        "it has no parts".to_owned()
                    } else {
                        format!("expected {}", one_of(parts.iter().map(|(part, ..)| *part)))
                    };
                    let issue = Issue::new(
                        "EXPRESSION_UNKNOWN",
                        format!(
                            "{}.{} has no \"{name}\": {expected}",
                            object.singular, field.name
                        ),
                    );
                    return self.wrong(tree, issue);
                };
                let node = read(root, through, field, *part, *of);
                Some(Named::Value(single(node)))
            }
            Named::Value(program) => {
                if let Type::Money(scale) = program.of
                    && let [amount, currency] = program.parts.as_slice()
                {
                    match name {
                        "amount" => {
                            let mut amount = amount.clone();
                            amount.of = Type::Decimal(scale);
                            return Some(Named::Value(single(amount)));
                        }
                        "currency" => return Some(Named::Value(single(currency.clone()))),
                        _ => {}
                    }
                }
                self.wrong(
                    tree,
                    Issue::new(
                        "EXPRESSION_UNKNOWN",
                        format!("{} has no \"{name}\"", program.of.name()),
                    ),
                )
            }
        }
    }

    fn field_of(
        &mut self,
        tree: &IdedExpr,
        object: &'a Object,
        root: Root,
        through: Vec<Key>,
        name: &str,
    ) -> Option<Named<'a>> {
        if let Some((field, of)) = SystemField::named(name) {
            let path = Path {
                root,
                through,
                column: PathColumn::System(field),
            };
            return Some(Named::Value(single(Node::new(of, Op::Read(path)))));
        }
        let Some(position) = field_meant(object, self.owner, name) else {
            let names = object.fields.iter().map(|field| field.name.as_str());
            let meant = nearest(name, names);
            let issue = Issue::new(
                "EXPRESSION_UNKNOWN",
                format!(
                    "{} has no field \"{name}\".{}",
                    object.singular,
                    did_you_mean(meant)
                ),
            )
            .with("object", object.key.as_str())
            .with("field", name);
            return self.wrong(tree, issue);
        };
        Some(Named::Field {
            field: object.field(position),
            object,
            root,
            through,
        })
    }

    /// The value of what was named.
    fn value(&mut self, tree: &IdedExpr, named: Named<'a>) -> Option<Program> {
        match named {
            Named::Value(program) => Some(program),
            Named::Record { .. } => self.mismatch(
                tree,
                "a record is no value: name one of its fields".to_owned(),
            ),
            Named::Field {
                field,
                object,
                root,
                through,
            } => {
                if !field.kind.is_written() {
                    let program = match (self.formulas)(self.catalogue, &object.key, &field.key) {
                        Ok(program) => program,
                        Err(issues) => {
                            for issue in issues.0 {
                                self.wrong::<()>(tree, issue);
                            }
                            return None;
                        }
                    };
                    let mut program = program.as_ref().clone();
                    for part in &mut program.parts {
                        part.behind(root, &through);
                    }
                    return Some(program);
                }
                let Some((of, part)) = main_part(&field.kind) else {
                    return self.mismatch(
                        tree,
                        format!(
                            "a field of kind {} can't be used in an expression",
                            field.kind.name()
                        ),
                    );
                };
                let main = read(root, through.clone(), field, part, of);
                Some(match of {
                    Type::Money(_) => Program {
                        of,
                        parts: vec![main, read(root, through, field, part + 1, Type::Text)],
                    },
                    _ => single(main),
                })
            }
        }
    }

    /// `has(record.field)`: whether it is filled.
    fn presence(&mut self, tree: &IdedExpr, select: &SelectExpr) -> Option<Node> {
        let operand = self.named(&select.operand)?;
        let named = self.member(tree, operand, &select.field)?;
        let program = self.value(tree, named)?;
        let first = program.parts.into_iter().next()?;
        Some(Node::same(first, Node::null()).negated())
    }
}

pub(super) fn read(root: Root, through: Vec<Key>, field: &Field, part: usize, of: Type) -> Node {
    let path = Path {
        root,
        through,
        column: PathColumn::Field {
            field: field.key.clone(),
            part,
        },
    };
    Node::new(number_type(of), Op::Read(path))
}

/// The field that an author means: by key, one's own first, then the object's owner's, then the
/// platform's; and by name where no key fits.
pub(super) fn field_meant(object: &Object, owner: &str, reference: &str) -> Option<FieldIndex> {
    [owner, object.owner(), OWNER_PLATFORM]
        .into_iter()
        .find_map(|owner| object.field_keyed(&Key::new(owner, reference)))
        .or_else(|| object.field_named(reference))
        .map(|(position, _)| position)
}

/// The field at the end of a path.
pub(super) fn field_at<'a>(
    catalogue: &'a Catalogue,
    object: &'a Object,
    path: &Path,
) -> Option<&'a Field> {
    let mut object = object;
    for relation in &path.through {
        let Kind::Relation(relation) = &object.field_keyed(relation)?.1.kind else {
            return None;
        };
        object = catalogue.object_keyed(&relation.target)?.1;
    }
    match &path.column {
        PathColumn::Field { field, .. } => Some(object.field_keyed(field)?.1),
        PathColumn::System(_) => None,
    }
}

/// Type and column of a field that is named without a part.
pub(super) fn main_part(kind: &Kind) -> Option<(Type, usize)> {
    Some(match kind {
        Kind::Text { .. }
        | Kind::LongText { .. }
        | Kind::RichText { .. }
        | Kind::Email
        | Kind::Url
        | Kind::Select { .. }
        | Kind::FullName
        | Kind::Emails
        | Kind::Phone
        | Kind::Phones => (Type::Text, 0),
        Kind::Integer { .. } | Kind::Rating { .. } | Kind::Autonumber { .. } => (Type::Integer, 0),
        Kind::Decimal { scale, .. } | Kind::Percent { scale, .. } => (Type::Decimal(*scale), 0),
        Kind::Money { scale, .. } => (Type::Money(*scale), 0),
        Kind::Boolean => (Type::Boolean, 0),
        Kind::Date => (Type::Date, 0),
        Kind::DateTime => (Type::Instant, 0),
        // A time of day is how long it is since midnight.
        Kind::Time | Kind::Duration => (Type::Duration, 0),
        Kind::MultiSelect { .. } | Kind::Texts | Kind::Tags => (Type::Choices, 0),
        Kind::Relation(_) | Kind::Uuid | Kind::User => (Type::Reference, 0),
        Kind::Stage => (Type::Text, 1),
        Kind::Json { .. }
        | Kind::Address
        | Kind::GeoPoint
        | Kind::File { .. }
        | Kind::Formula(_)
        | Kind::Rollup(_) => return None,
    })
}

/// Parts that can be named: name, column, type.
fn part_names(kind: &Kind) -> Vec<(&'static str, usize, Type)> {
    match kind {
        Kind::Money { scale, .. } => vec![
            ("amount", 0, Type::Decimal(*scale)),
            ("currency", 1, Type::Text),
        ],
        Kind::FullName => vec![
            ("full", 0, Type::Text),
            ("given", 2, Type::Text),
            ("family", 3, Type::Text),
        ],
        Kind::Emails => vec![("primary", 0, Type::Text)],
        Kind::Phone | Kind::Phones => vec![("e164", 0, Type::Text), ("typed", 1, Type::Text)],
        Kind::Address => vec![
            ("street", 0, Type::Text),
            ("city", 1, Type::Text),
            ("region", 3, Type::Text),
            ("postalCode", 4, Type::Text),
            ("country", 5, Type::Text),
        ],
        Kind::GeoPoint => vec![
            ("latitude", 0, Type::Decimal(DEGREE_SCALE)),
            ("longitude", 1, Type::Decimal(DEGREE_SCALE)),
        ],
        Kind::File { .. } => vec![
            ("id", 0, Type::Reference),
            ("name", 1, Type::Text),
            ("contentType", 3, Type::Text),
            ("size", 4, Type::Integer),
            ("sha256", 5, Type::Text),
        ],
        Kind::Stage => vec![
            ("pipeline", 0, Type::Text),
            ("stage", 1, Type::Text),
            ("enteredAt", 2, Type::Instant),
        ],
        _ => Vec::new(),
    }
}
