//! Functions that an expression may call, by the names that CEL gives them.

use ::cel::common::ast::{CallExpr, Expr, IdedExpr};
use jiff::{Timestamp, civil::Date};

use super::Datum;
use super::arithmetic::{at_scale, single};
use super::check::Checker;
use super::program::{CalendarPart, Function, Node, Op, Program, Type};
use crate::Issue;
use crate::names::{did_you_mean, nearest};

/// All of them, for the message about one that isn't there.
const NAMES: &[&str] = &[
    "contains",
    "date",
    "decimal",
    "duration",
    "endsWith",
    "getDate",
    "getDayOfWeek",
    "getFullYear",
    "getHours",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "has",
    "int",
    "lowerAscii",
    "math.greatest",
    "math.least",
    "math.round",
    "size",
    "startsWith",
    "string",
    "timestamp",
    "trim",
    "upperAscii",
];

/// A call, as a function or as a method: `size(x)` and `x.size()`.
pub(super) fn call(
    checker: &mut Checker<'_, '_>,
    tree: &IdedExpr,
    call: &CallExpr,
    depth: usize,
) -> Option<Program> {
    let mut name = call.func_name.clone();
    let mut trees: Vec<&IdedExpr> = Vec::new();
    match call.target.as_deref() {
        Some(IdedExpr {
            expr: Expr::Ident(library),
            ..
        }) if library == "math" => name = format!("math.{name}"),
        Some(target) => trees.push(target),
        None => {}
    }
    trees.extend(&call.args);
    if !NAMES.contains(&name.as_str()) {
        let meant = nearest(&name, NAMES.iter().copied());
        let issue = Issue::new(
            "EXPRESSION_UNKNOWN",
            format!("there is no function \"{name}\".{}", did_you_mean(meant)),
        );
        return checker.wrong(tree, issue);
    }
    let arguments: Vec<Option<Node>> = trees
        .iter()
        .map(|argument| checker.node(argument, depth))
        .collect();
    let mut arguments: Vec<Node> = arguments.into_iter().collect::<Option<_>>()?;
    if let [list, text] = arguments.as_slice()
        && let (Op::Read(path), Op::Literal(Datum::Text(text)), "contains") =
            (&list.op, &text.op, name.as_str())
        && list.of == Type::Choices
    {
        checker.option(tree, path, text)?;
    }
    let types: Vec<Type> = arguments.iter().map(|argument| argument.of).collect();
    let made = match (name.as_str(), types.as_slice()) {
        (_, [Type::Null, ..]) => None,
        ("size", [Type::Text]) => Some((Type::Integer, Function::TextSize)),
        ("size", [Type::Choices]) => Some((Type::Integer, Function::ListSize)),
        ("contains", [Type::Text, Type::Text]) => Some((Type::Boolean, Function::Contains)),
        ("contains", [Type::Choices, Type::Text]) => Some((Type::Boolean, Function::Has)),
        ("startsWith", [Type::Text, Type::Text]) => Some((Type::Boolean, Function::StartsWith)),
        ("endsWith", [Type::Text, Type::Text]) => Some((Type::Boolean, Function::EndsWith)),
        ("lowerAscii", [Type::Text]) => Some((Type::Text, Function::LowerAscii)),
        ("upperAscii", [Type::Text]) => Some((Type::Text, Function::UpperAscii)),
        ("trim", [Type::Text]) => Some((Type::Text, Function::Trim)),
        ("string", [Type::Text]) | ("int", [Type::Integer]) => {
            return Some(single(arguments.remove(0)));
        }
        ("string", [Type::Integer | Type::Decimal(_) | Type::Date]) => {
            Some((Type::Text, Function::Text))
        }
        ("int", [Type::Decimal(_)]) => Some((Type::Integer, Function::Truncate)),
        ("decimal", [Type::Integer | Type::Decimal(_)]) => {
            // Nothing happens to the digits; it divides as a decimal from here on.
            let mut number = arguments.remove(0);
            number.of = Type::Decimal(number.of.scale());
            return Some(single(number));
        }
        ("math.round", [Type::Integer | Type::Decimal(_)]) => {
            Some((Type::Decimal(0), Function::Round))
        }
        ("math.round", [Type::Integer | Type::Decimal(_), Type::Integer]) => {
            return rounded(checker, tree, arguments);
        }
        ("math.greatest", [_, _, ..]) => {
            return extreme(checker, tree, Function::Greatest, arguments);
        }
        ("math.least", [_, _, ..]) => {
            return extreme(checker, tree, Function::Least, arguments);
        }
        ("getFullYear", [Type::Date | Type::Instant]) => calendar(CalendarPart::Year),
        ("getMonth", [Type::Date | Type::Instant]) => calendar(CalendarPart::Month),
        ("getDate", [Type::Date | Type::Instant]) => calendar(CalendarPart::Day),
        ("getDayOfWeek", [Type::Date | Type::Instant]) => calendar(CalendarPart::Weekday),
        ("getHours", [Type::Instant]) => calendar(CalendarPart::Hour),
        ("getHours", [Type::Duration]) => return Some(whole(arguments, 3_600_000_000)),
        ("getMinutes", [Type::Duration]) => return Some(whole(arguments, 60_000_000)),
        ("getSeconds", [Type::Duration]) => return Some(whole(arguments, 1_000_000)),
        ("date", [Type::Instant]) => Some((Type::Date, Function::DateOf)),
        ("date" | "timestamp" | "duration", [Type::Text]) => {
            return constant(checker, tree, &name, &arguments);
        }
        _ => None,
    };
    let Some((of, function)) = made else {
        let types: Vec<&str> = types.iter().map(|each| each.name()).collect();
        return checker.mismatch(
            tree,
            format!("{name} does not take {}", types.join(" and ")),
        );
    };
    Some(single(Node::call(of, function, arguments)))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "an arm of a match whose others may have nothing"
)]
fn calendar(part: CalendarPart) -> Option<(Type, Function)> {
    Some((Type::Integer, Function::Calendar(part)))
}

/// A length of time in whole units of this many microseconds.
fn whole(mut arguments: Vec<Node>, micros: i64) -> Program {
    arguments.push(Node::literal(Type::Integer, Datum::Number(micros)));
    single(Node::call(Type::Integer, Function::Quotient, arguments))
}

/// `math.round(number, digits)`
fn rounded(
    checker: &mut Checker<'_, '_>,
    tree: &IdedExpr,
    mut arguments: Vec<Node>,
) -> Option<Program> {
    let digits = arguments.pop()?;
    match digits.op {
        Op::Literal(Datum::Number(digits @ 0..=9)) => {
            let of = Type::Decimal(u32::try_from(digits).ok()?);
            Some(single(Node::call(of, Function::Round, arguments)))
        }
        _ => checker.mismatch(
            tree,
            "math.round takes digits from 0 to 9, written out".to_owned(),
        ),
    }
}

/// `math.greatest` and `math.least` of two or more numbers.
fn extreme(
    checker: &mut Checker<'_, '_>,
    tree: &IdedExpr,
    function: Function,
    arguments: Vec<Node>,
) -> Option<Program> {
    if let Some(other) = arguments.iter().find(|argument| !argument.of.is_number()) {
        return checker.mismatch(tree, format!("expected numbers, got {}", other.of.name()));
    }
    let scale = arguments.iter().map(|argument| argument.of.scale()).max()?;
    let of = if arguments.iter().all(|each| each.of == Type::Integer) {
        Type::Integer
    } else {
        Type::Decimal(scale)
    };
    let mut each = arguments.into_iter().map(single);
    let first = at_scale(each.next()?, of);
    each.try_fold(first, |left, right| {
        let mut pair = left.parts;
        pair.extend(at_scale(right, of).parts);
        Some(single(Node::call(of, function, pair)))
    })
}

/// `date("2026-01-31")`, `timestamp("2026-01-31T08:00:00Z")`, `duration("1h30m")`
fn constant(
    checker: &mut Checker<'_, '_>,
    tree: &IdedExpr,
    name: &str,
    arguments: &[Node],
) -> Option<Program> {
    let Some(Op::Literal(Datum::Text(text))) = arguments.first().map(|argument| &argument.op)
    else {
        return checker.mismatch(tree, format!("{name} takes a text that is written out"));
    };
    let (node, example) = match name {
        "date" => (
            text.parse::<Date>()
                .ok()
                .filter(|date| (1..=9999).contains(&date.year()))
                .map(|date| Node::literal(Type::Date, Datum::Date(date))),
            "2026-01-31",
        ),
        "timestamp" => (
            text.parse::<Timestamp>().ok().map(|instant| {
                Node::literal(Type::Instant, Datum::Instant(instant.as_microsecond()))
            }),
            "2026-01-31T08:00:00Z",
        ),
        _ => (
            micros_of(text).map(|micros| Node::literal(Type::Duration, Datum::Number(micros))),
            "1h30m",
        ),
    };
    match node {
        Some(node) => Some(single(node)),
        None => {
            let shown: String = text.chars().take(80).collect();
            checker.mismatch(
                tree,
                format!("\"{shown}\" is no {name}; expected something like \"{example}\""),
            )
        }
    }
}

/// A length of time as CEL writes it: numbers with units `h`, `m`, `s`, `ms`, `us`.
fn micros_of(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_i128;
    while !rest.is_empty() {
        let digits =
            rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let number: rust_decimal::Decimal = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest
            .find(|character: char| !character.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let unit: i64 = match &rest[..end] {
            "h" => 3_600_000_000,
            "m" => 60_000_000,
            "s" => 1_000_000,
            "ms" => 1_000,
            "us" => 1,
            _ => return None,
        };
        rest = &rest[end..];
        let micros = number.checked_mul(unit.into())?;
        total += micros.trunc().mantissa() / 10_i128.pow(micros.trunc().scale());
    }
    let total = i64::try_from(total)
        .ok()
        .filter(|total| *total < 1_000_000_000_000_000_000)?;
    Some(if negative { -total } else { total })
}
