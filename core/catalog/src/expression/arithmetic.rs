//! Arithmetic of values with types: numbers at their scales, days and times, money of one currency.

use ::cel::common::ast::operators;

use super::Datum;
use super::check::{QUOTIENT_SCALE, SCALE_MAX};
use super::program::{Function, Node, Program, Type};

pub(super) fn single(node: Node) -> Program {
    Program {
        of: node.of,
        parts: vec![node],
    }
}

pub(super) fn typed_null(of: Type) -> Node {
    Node::literal(of, Datum::Null)
}

/// Nothing, of the same type.
pub(super) fn nothing_like(program: &Program) -> Program {
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
pub(super) fn number_type(of: Type) -> Type {
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

pub(super) fn arithmetic(operator: &str, left: Program, right: Program) -> Made {
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
