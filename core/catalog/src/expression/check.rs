//! CEL's tree against the catalogue: names become columns, every operation gets its types.

use std::sync::Arc;

use ::cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, SelectExpr, operators};
use rust_decimal::Decimal;
use std::str::FromStr as _;

use super::number::units_of;
use super::program::{
    Function, Node, Op, Path, PathColumn, Program, Root, SystemField, Type, Variable,
};
use super::syntax::{Parsed, parse};
use super::{Datum, EXPRESSION_DEPTH_MAX, EXPRESSION_HOPS_MAX, EXPRESSION_NODES_MAX, functions};
use crate::names::{did_you_mean, nearest, one_of};
use crate::reading::limit;
use crate::{Catalogue, Field, FieldIndex, Issue, Issues, Key, Kind, OWNER_PLATFORM, Object};

/// Most digits behind the point.
const SCALE_MAX: u32 = 9;
/// Digits behind the point of a quotient, at least.
const QUOTIENT_SCALE: u32 = 6;

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
    &'a mut (dyn FnMut(&Catalogue, &Key, &Key) -> Result<Arc<Program>, Issue> + Send);

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
            ))
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
    catalogue: &'a Catalogue,
    object: &'a Object,
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
                        Err(issue) => return self.wrong(tree, issue),
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

    fn call(&mut self, tree: &IdedExpr, call: &CallExpr, depth: usize) -> Option<Program> {
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND, parts) => self.joined(parts, depth, true),
            (operators::LOGICAL_OR, parts) => self.joined(parts, depth, false),
            (operators::LOGICAL_NOT, [part]) => {
                let part = self.condition(part, depth)?;
                Some(single(part.negated()))
            }
            (operators::CONDITIONAL, [condition, then, otherwise]) => {
                let condition = self.condition(condition, depth);
                let then = self.expression(then, depth);
                let otherwise = self.expression(otherwise, depth);
                self.choice(tree, condition?, then?, otherwise?)
            }
            (operators::EQUALS, [left, right]) => {
                let (left, right) = self.pair(left, right, depth)?;
                let same = self.same(tree, left, right)?;
                Some(single(same))
            }
            (operators::NOT_EQUALS, [left, right]) => {
                let (left, right) = self.pair(left, right, depth)?;
                let same = self.same(tree, left, right)?;
                Some(single(same.negated()))
            }
            (
                operator @ (operators::LESS
                | operators::LESS_EQUALS
                | operators::GREATER
                | operators::GREATER_EQUALS),
                [left, right],
            ) => self.ordered(tree, operator, left, right, depth),
            (operators::IN, [value, list]) => self.within(tree, value, list, depth),
            (operators::NEGATE, [number]) => {
                let number = self.expression(number, depth)?;
                self.arithmetic(tree, operators::MULTIPLY, number, minus_one())
            }
            (
                operator @ (operators::ADD
                | operators::SUBSTRACT
                | operators::MULTIPLY
                | operators::DIVIDE
                | operators::MODULO),
                [left, right],
            ) => {
                let (left, right) = self.pair(left, right, depth)?;
                self.arithmetic(tree, operator, left, right)
            }
            _ => functions::call(self, tree, call, depth),
        }
    }

    fn pair(
        &mut self,
        left: &IdedExpr,
        right: &IdedExpr,
        depth: usize,
    ) -> Option<(Program, Program)> {
        let left = self.expression(left, depth);
        let right = self.expression(right, depth);
        Some((left?, right?))
    }

    fn joined(&mut self, parts: &[IdedExpr], depth: usize, all: bool) -> Option<Program> {
        let nodes: Vec<Option<Node>> = parts
            .iter()
            .map(|part| self.condition(part, depth))
            .collect();
        let nodes: Vec<Node> = nodes.into_iter().collect::<Option<_>>()?;
        // `a && b && c` comes as a tree of pairs.
        let mut flat = Vec::with_capacity(nodes.len());
        for node in nodes {
            match node.op {
                Op::And(parts) if all => flat.extend(parts),
                Op::Or(parts) if !all => flat.extend(parts),
                op => flat.push(Node::new(node.of, op)),
            }
        }
        let op = if all { Op::And(flat) } else { Op::Or(flat) };
        Some(single(Node::new(Type::Boolean, op)))
    }

    fn choice(
        &mut self,
        tree: &IdedExpr,
        condition: Node,
        then: Program,
        otherwise: Program,
    ) -> Option<Program> {
        let (then, otherwise) = match (then.of, otherwise.of) {
            (Type::Null, Type::Null) => return Some(then),
            (Type::Null, _) => (nothing_like(&otherwise), otherwise),
            (_, Type::Null) => {
                let nothing = nothing_like(&then);
                (then, nothing)
            }
            (left, right) if left == right => (then, otherwise),
            (left, right) if left.is_number() && right.is_number() => {
                let scale = left.scale().max(right.scale());
                let of = Type::Decimal(scale);
                (at_scale(then, of), at_scale(otherwise, of))
            }
            (Type::Money(left), Type::Money(right)) => {
                let of = Type::Money(left.max(right));
                (at_scale(then, of), at_scale(otherwise, of))
            }
            (left, right) => {
                return self.mismatch(
                    tree,
                    format!(
                        "both sides of ? : must be of one type, got {} and {}",
                        left.name(),
                        right.name()
                    ),
                );
            }
        };
        let of = then.of;
        let parts = then
            .parts
            .into_iter()
            .zip(otherwise.parts)
            .map(|(then, otherwise)| Node::choice(condition.clone(), then, otherwise))
            .collect();
        Some(Program { of, parts })
    }

    pub(super) fn same(&mut self, tree: &IdedExpr, left: Program, right: Program) -> Option<Node> {
        let (left, right) = self.comparable(tree, left, right)?;
        self.options(tree, &left, &right)?;
        let mut pairs: Vec<Node> = left
            .parts
            .into_iter()
            .zip(right.parts)
            .map(|(left, right)| Node::same(left, right))
            .collect();
        Some(if pairs.len() == 1 {
            pairs.remove(0)
        } else {
            Node::new(Type::Boolean, Op::And(pairs))
        })
    }

    /// Both of one type, where they can be compared.
    fn comparable(
        &mut self,
        tree: &IdedExpr,
        left: Program,
        right: Program,
    ) -> Option<(Program, Program)> {
        let fits = match (left.of, right.of) {
            (Type::Null, Type::Money(_)) => return Some((nothing_like(&right), right)),
            (Type::Money(_), Type::Null) => {
                let nothing = nothing_like(&left);
                return Some((left, nothing));
            }
            (Type::Null, _) | (_, Type::Null) | (Type::Money(_), Type::Money(_)) => true,
            (Type::Reference, Type::Text) => {
                let right = self.reference(tree, right)?;
                return Some((left, right));
            }
            (Type::Text, Type::Reference) => {
                let left = self.reference(tree, left)?;
                return Some((left, right));
            }
            (left, right) => left == right || (left.is_number() && right.is_number()),
        };
        if fits {
            return Some((left, right));
        }
        let hint = match (left.of, right.of) {
            (Type::Date, Type::Text) | (Type::Text, Type::Date) => ": write date(\"2026-01-31\")",
            (Type::Instant, Type::Text) | (Type::Text, Type::Instant) => {
                ": write timestamp(\"2026-01-31T08:00:00Z\")"
            }
            (Type::Money(_), other) | (other, Type::Money(_)) if other.is_number() => {
                ": take the .amount of the money"
            }
            _ => "",
        };
        self.mismatch(
            tree,
            format!(
                "{} and {} can't be compared{hint}",
                left.of.name(),
                right.of.name()
            ),
        )
    }

    /// A text that stands where an id is expected.
    fn reference(&mut self, tree: &IdedExpr, text: Program) -> Option<Program> {
        if let [
            Node {
                op: Op::Literal(Datum::Text(text)),
                ..
            },
        ] = text.parts.as_slice()
            && let Ok(id) = uuid::Uuid::parse_str(text)
        {
            return Some(single(Node::reference(id)));
        }
        self.mismatch(tree, "a reference compares with an id".to_owned())
    }

    /// A select compared with a text that is none of its options is a slip.
    fn options(&mut self, tree: &IdedExpr, left: &Program, right: &Program) -> Option<()> {
        for (field, text) in [(left, right), (right, left)] {
            if let [
                Node {
                    op: Op::Read(path), ..
                },
            ] = field.parts.as_slice()
                && let [
                    Node {
                        op: Op::Literal(Datum::Text(text)),
                        ..
                    },
                ] = text.parts.as_slice()
            {
                self.option(tree, path, text)?;
            }
        }
        Some(())
    }

    pub(super) fn option(&mut self, tree: &IdedExpr, path: &Path, text: &str) -> Option<()> {
        let Some(field) = field_at(self.catalogue, self.object, path) else {
            return Some(());
        };
        let (Kind::Select { options } | Kind::MultiSelect { options }) = &field.kind else {
            return Some(());
        };
        let values = || options.iter().map(|option| option.value.as_str());
        if values().any(|value| value == text) {
            return Some(());
        }
        let issue = Issue::new(
            "EXPRESSION_UNKNOWN",
            format!(
                "{} has no option \"{text}\"; expected {}",
                field.name,
                one_of(values())
            ),
        );
        self.wrong(tree, issue)
    }

    fn ordered(
        &mut self,
        tree: &IdedExpr,
        operator: &str,
        left: &IdedExpr,
        right: &IdedExpr,
        depth: usize,
    ) -> Option<Program> {
        let (left, right) = self.pair(left, right, depth)?;
        let (left, right) = self.comparable(tree, left, right)?;
        let or_equal = matches!(operator, operators::LESS_EQUALS | operators::GREATER_EQUALS);
        let (left, right) = match operator {
            operators::GREATER | operators::GREATER_EQUALS => (right, left),
            _ => (left, right),
        };
        for side in [&left, &right] {
            if matches!(side.of, Type::Boolean | Type::Reference | Type::Choices) {
                return self.mismatch(tree, format!("{} has no order", side.of.name()));
            }
        }
        let order = |left: Node, right: Node| {
            Node::new(
                Type::Boolean,
                Op::Less(Box::new(left), Box::new(right), or_equal),
            )
        };
        let mut lefts = left.parts.into_iter();
        let mut rights = right.parts.into_iter();
        let amounts = order(lefts.next()?, rights.next()?);
        // Amounts in different currencies have no order: the answer is empty.
        Some(single(match (lefts.next(), rights.next()) {
            (Some(left), Some(right)) => {
                Node::choice(Node::same(left, right), amounts, typed_null(Type::Boolean))
            }
            _ => amounts,
        }))
    }

    fn within(
        &mut self,
        tree: &IdedExpr,
        value: &IdedExpr,
        list: &IdedExpr,
        depth: usize,
    ) -> Option<Program> {
        if let Expr::List(list) = &list.expr {
            let value = self.expression(value, depth)?;
            let mut parts = Vec::with_capacity(list.elements.len());
            for element in &list.elements {
                let element = self.expression(element, depth)?;
                parts.push(self.same(tree, value.clone(), element)?);
            }
            return Some(single(match parts.len() {
                0 => Node::literal(Type::Boolean, Datum::Boolean(false)),
                1 => parts.remove(0),
                _ => Node::new(Type::Boolean, Op::Or(parts)),
            }));
        }
        let value = self.node(value, depth);
        let list = self.node(list, depth);
        let (value, list) = (value?, list?);
        if list.of != Type::Choices || value.of != Type::Text {
            return self.mismatch(
                tree,
                format!(
                    "\"in\" takes a value and a list, got {} and {}",
                    value.of.name(),
                    list.of.name()
                ),
            );
        }
        if let (Op::Read(path), Op::Literal(Datum::Text(text))) = (&list.op, &value.op) {
            self.option(tree, path, text)?;
        }
        // An empty list has nothing in it.
        let has = Node::call(Type::Boolean, Function::Has, vec![list.clone(), value]);
        let is_empty = Node::same(list, Node::null());
        Some(single(Node::choice(
            is_empty,
            Node::literal(Type::Boolean, Datum::Boolean(false)),
            has,
        )))
    }

    fn arithmetic(
        &mut self,
        tree: &IdedExpr,
        operator: &str,
        left: Program,
        right: Program,
    ) -> Option<Program> {
        match arithmetic(operator, left, right) {
            Ok(program) => Some(program),
            Err((left, right)) => self.mismatch(
                tree,
                format!(
                    "{} {} {} has no meaning",
                    left.name(),
                    operator.trim_matches('_'),
                    right.name()
                ),
            ),
        }
    }
}

fn minus_one() -> Program {
    single(Node::literal(Type::Integer, Datum::Number(-1)))
}

pub(super) fn single(node: Node) -> Program {
    Program {
        of: node.of,
        parts: vec![node],
    }
}

fn typed_null(of: Type) -> Node {
    Node::literal(of, Datum::Null)
}

/// Nothing, of the same type.
fn nothing_like(program: &Program) -> Program {
    Program {
        of: program.of,
        parts: program
            .parts
            .iter()
            .map(|part| typed_null(part.of))
            .collect(),
    }
}

/// The same number, or amount, at another scale.
pub(super) fn at_scale(program: Program, of: Type) -> Program {
    let mut parts = program.parts;
    if program.of.scale() != of.scale()
        && let Some(first) = parts.first_mut()
    {
        let number = std::mem::replace(first, Node::null());
        *first = Node::call(Type::Decimal(of.scale()), Function::Round, vec![number]);
    }
    if let Some(first) = parts.first_mut() {
        first.of = number_type(of);
    }
    Program { of, parts }
}

/// The type of the first part.
fn number_type(of: Type) -> Type {
    match of {
        Type::Money(scale) => Type::Decimal(scale),
        other => other,
    }
}

fn sum_type(left: Type, right: Type) -> Type {
    match (left, right) {
        (Type::Integer, Type::Integer) => Type::Integer,
        _ => Type::Decimal(left.scale().max(right.scale())),
    }
}

/// An operation of two values, or their types where it has no meaning for them.
type Made = Result<Program, (Type, Type)>;

fn arithmetic(operator: &str, left: Program, right: Program) -> Made {
    let types = (left.of, right.of);
    if matches!(types, (Type::Money(_), _) | (_, Type::Money(_))) {
        return money(operator, left, right);
    }
    let mut pair = vec![];
    pair.extend(left.parts);
    pair.extend(right.parts);
    use Function as F;
    let (of, function) = match (operator, types.0, types.1) {
        // What is empty stays empty, in any type.
        (_, Type::Null, of) | (_, of, Type::Null) => return Ok(single(typed_null(of))),
        (operators::ADD, Type::Text, Type::Text) => (Type::Text, F::Concat),
        (operators::ADD, Type::Duration, Type::Duration) => (Type::Duration, F::Add),
        (operators::SUBSTRACT, Type::Duration, Type::Duration) => (Type::Duration, F::Subtract),
        (operators::MULTIPLY, Type::Duration, Type::Integer)
        | (operators::MULTIPLY, Type::Integer, Type::Duration) => (Type::Duration, F::Multiply),
        (operators::ADD, Type::Date, Type::Integer) => (Type::Date, F::AddDays),
        (operators::ADD, Type::Integer, Type::Date) => {
            pair.swap(0, 1);
            (Type::Date, F::AddDays)
        }
        (operators::SUBSTRACT, Type::Date, Type::Integer) => {
            let days = pair.remove(1);
            pair.push(negative(days));
            (Type::Date, F::AddDays)
        }
        (operators::SUBSTRACT, Type::Date, Type::Date) => (Type::Integer, F::DaysBetween),
        (operators::ADD, Type::Instant, Type::Duration) => (Type::Instant, F::AddTime),
        (operators::ADD, Type::Duration, Type::Instant) => {
            pair.swap(0, 1);
            (Type::Instant, F::AddTime)
        }
        (operators::SUBSTRACT, Type::Instant, Type::Duration) => {
            let time = pair.remove(1);
            pair.push(negative(time));
            (Type::Instant, F::AddTime)
        }
        (operators::SUBSTRACT, Type::Instant, Type::Instant) => (Type::Duration, F::TimeBetween),
        (_, left, right) if !left.is_number() || !right.is_number() => {
            return Err((left, right));
        }
        (operators::ADD, left, right) => (sum_type(left, right), F::Add),
        (operators::SUBSTRACT, left, right) => (sum_type(left, right), F::Subtract),
        (operators::MULTIPLY, Type::Integer, Type::Integer) => (Type::Integer, F::Multiply),
        (operators::MULTIPLY, left, right) => {
            let scale = (left.scale() + right.scale()).min(SCALE_MAX);
            (Type::Decimal(scale), F::Multiply)
        }
        (operators::DIVIDE, Type::Integer, Type::Integer) => (Type::Integer, F::Quotient),
        (operators::DIVIDE, left, right) => {
            let scale = left.scale().max(right.scale()).max(QUOTIENT_SCALE);
            (Type::Decimal(scale.min(SCALE_MAX)), F::Divide)
        }
        (operators::MODULO, Type::Integer, Type::Integer) => (Type::Integer, F::Remainder),
        (_, left, right) => return Err((left, right)),
    };
    Ok(single(Node::call(of, function, pair)))
}

fn negative(number: Node) -> Node {
    let of = number.of;
    let minus = Node::literal(Type::Integer, Datum::Number(-1));
    Node::call(of, Function::Multiply, vec![number, minus])
}

/// Money with money of one currency, or with a number.
fn money(operator: &str, left: Program, right: Program) -> Made {
    let types = (left.of, right.of);
    let wrong = Err(types);
    let mut lefts = left.parts.into_iter();
    let mut rights = right.parts.into_iter();
    let (Some(first), Some(second)) = (lefts.next(), rights.next()) else {
        return wrong;
    };
    let calculated = |of: Type| {
        arithmetic(operator, single(first.clone()), single(second.clone()))
            .ok()
            .map(|made| at_scale(made, of))
            .and_then(|made| made.parts.into_iter().next())
    };
    match (types, lefts.next(), rights.next()) {
        ((Type::Money(one), Type::Money(other)), Some(currency), Some(with)) => {
            let alike = Node::same(currency.clone(), with);
            let scale = one.max(other);
            match operator {
                operators::ADD | operators::SUBSTRACT => {
                    let Some(amount) = calculated(Type::Decimal(scale)) else {
                        return wrong;
                    };
                    Ok(Program {
                        of: Type::Money(scale),
                        parts: amount_and(alike, amount, currency),
                    })
                }
                operators::DIVIDE => {
                    let ratio = Type::Decimal(scale.max(QUOTIENT_SCALE));
                    let Some(quotient) = calculated(ratio) else {
                        return wrong;
                    };
                    Ok(single(Node::choice(alike, quotient, typed_null(ratio))))
                }
                _ => wrong,
            }
        }
        ((Type::Money(scale), number), Some(currency), None)
            if number.is_number()
                && matches!(operator, operators::MULTIPLY | operators::DIVIDE) =>
        {
            priced(calculated(Type::Decimal(scale)), scale, currency, types)
        }
        ((number, Type::Money(scale)), None, Some(currency))
            if number.is_number() && operator == operators::MULTIPLY =>
        {
            priced(calculated(Type::Decimal(scale)), scale, currency, types)
        }
        _ => wrong,
    }
}

fn priced(amount: Option<Node>, scale: u32, currency: Node, types: (Type, Type)) -> Made {
    let Some(amount) = amount else {
        return Err(types);
    };
    let filled = Node::same(amount.clone(), Node::null()).negated();
    Ok(Program {
        of: Type::Money(scale),
        parts: vec![
            amount,
            Node::choice(filled, currency, typed_null(Type::Text)),
        ],
    })
}

/// An amount under a condition, and its currency where there is an amount.
fn amount_and(condition: Node, amount: Node, currency: Node) -> Vec<Node> {
    let nothing = typed_null(amount.of);
    let amount = Node::choice(condition, amount, nothing);
    let filled = Node::same(amount.clone(), Node::null()).negated();
    vec![
        amount,
        Node::choice(filled, currency, typed_null(Type::Text)),
    ]
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
        Kind::MultiSelect { .. } => (Type::Choices, 0),
        Kind::Relation(_) => (Type::Reference, 0),
        Kind::Stage => (Type::Text, 1),
        Kind::Json { .. } | Kind::Address | Kind::Formula(_) | Kind::Rollup(_) => return None,
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
        Kind::Stage => vec![
            ("pipeline", 0, Type::Text),
            ("stage", 1, Type::Text),
            ("enteredAt", 2, Type::Instant),
        ],
        _ => Vec::new(),
    }
}
