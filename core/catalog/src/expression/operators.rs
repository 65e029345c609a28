//! Operators of an expression: what each takes, and what comes of it.

use ::cel::common::ast::{CallExpr, Expr, IdedExpr, operators};

use super::arithmetic::{arithmetic, at_scale, nothing_like, single, typed_null};
use super::check::{Checker, field_at};
use super::program::{Function, Node, Op, Path, Program, Type};
use super::{Datum, functions};
use crate::names::one_of;
use crate::{Issue, Kind};

impl Checker<'_, '_> {
    /// What an operator or a function gives.
    pub(super) fn call(
        &mut self,
        tree: &IdedExpr,
        call: &CallExpr,
        depth: usize,
    ) -> Option<Program> {
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
                let minus = single(Node::literal(Type::Integer, Datum::Number(-1)));
                self.arithmetic(tree, operators::MULTIPLY, number, minus)
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
