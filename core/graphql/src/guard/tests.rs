//! Documents that pass, and documents that must not.

#![allow(clippy::unwrap_used)]

use super::{lex::read_tokens, walk::Walk, *};

fn check(document: &str) -> Result<Counted, Refusal> {
    inspect(document, &DocumentLimits::default())
}

/// `limit`, `malformed` or `ok`.
fn verdict(document: &str) -> String {
    match check(document) {
        Ok(_) => "ok".into(),
        Err(Refusal::Limit { limit, .. }) => limit.into(),
        Err(Refusal::Malformed { .. }) => "malformed".into(),
    }
}

#[test]
fn passes_what_people_write() {
    for document in [
        "{ viewer { locale } }",
        "query Q($id: ID!, $n: Int = 3) @live { company(id: $id) { name people(first: $n) { nodes { id } } } }",
        "query { ...F } fragment F on Query { viewer { id } }",
        "{ a: companies(where: {name: {eq: \"}}}{{{\"}}) { nodes { ... on Company @include(if: true) { id } ... { id } ... @skip(if: false) { id } } } }",
        "# a comment with { and \"\n{ viewer { id } } # end",
        "{ companies(where: {name: {eq: \"\"\"a \\\"\"\" b \" { \"\"\"}}) { totalCount } }",
        "\u{feff}{ viewer { id } }",
        "{ f(x: [-1.5e+3, \"\\\"\", ENUM, $v, null, true]) }",
        "mutation { createCompany(data: {name: \"公司\"}) { id } }",
    ] {
        assert_eq!(verdict(document), "ok", "{document}");
    }
}

#[test]
fn turns_away_what_is_no_document() {
    for document in [
        "",
        "   # nothing",
        "{",
        "}",
        "{ a",
        "{ a ] }",
        "{ a(x: [1} ) }",
        "hello { a }",
        "{ a \"text\" }",
        "{ a(x: \"never closed) }",
        "{ a(x: \"\"\"never closed) }",
        "{ a ? }",
        "{ a .. }",
        "fragment { a }",
        "query Q",
        "query Q )",
        "{ ... on }",
        "{ a: }",
        "{ é }",
        "fragment A on Query { ...B } fragment B on Query { ...A } { ...A }",
        "fragment A on Query { ...A } { viewer { id } }",
        "\"",
        "\"\\",
        "{ a(x: {b: 1, c: [{d: 1}], b: 2}) }",
        "{ a @d(x: [{b: 1 b: 2}]) }",
        "query Q($x: A = {b: {c: 1, c: 1}}) { a }",
    ] {
        assert_eq!(verdict(document), "malformed", "{document}");
    }
}

#[test]
fn nested_literals_never_reach_a_parser() {
    for (open, close) in [("[", "]"), ("{a:", "}")] {
        let document = format!("{{ f(x: {}1{}) }}", open.repeat(2000), close.repeat(2000));
        assert_eq!(verdict(&document), "documentDepth");
        // Not closed, so that nothing but the opening brackets stands there.
        let document = format!("{{ f(x: {}", open.repeat(100_000 / open.len()));
        assert!(matches!(
            verdict(&document).as_str(),
            "documentDepth" | "documentTokens"
        ));
    }
}

#[test]
fn counts_what_fragments_come_to() {
    let counted = check("{ ...A ...A } fragment A on Query { x: viewer { id } }").unwrap();
    assert_eq!(counted.selections, 2 + 2 * 2);
}

#[test]
fn doubling_fragments_cost_what_reading_them_costs() {
    let mut document = String::from("{ ...F0 }");
    for level in 0..25 {
        document.push_str(&format!(
            " fragment F{level} on Query {{ ...F{next} ...F{next} }}",
            next = level + 1
        ));
    }
    document.push_str(" fragment F25 on Query { viewer { id } }");
    assert_eq!(verdict(&document), "selections");
    let definitions = {
        let tokens = read_tokens(&document, &DocumentLimits::default()).unwrap();
        Walk::new(&document, &tokens).definitions().unwrap().len() as u64
    };
    let generous = DocumentLimits {
        selections_max: u64::MAX,
        root_fields_max: u64::MAX,
        ..DocumentLimits::default()
    };
    let counted = inspect(&document, &generous).unwrap();
    assert!(counted.selections > 1 << 25);
    // Each definition once, and once more for each spread of it.
    assert!(
        counted.steps <= counted.tokens as u64 + 3 * definitions,
        "{counted:?}"
    );
}

#[test]
fn long_chains_of_fragments_end_early() {
    let mut document = String::from("{ ...F0 }");
    for level in 0..1_500 {
        document.push_str(&format!(
            " fragment F{level} on Query {{ ...F{} }}",
            level + 1
        ));
    }
    assert_eq!(verdict(&document), "documentDepth");
}

#[test]
fn each_limit_has_its_name() {
    let many = |part: &str, times: usize| part.repeat(times);
    assert_eq!(verdict(&many("#", 300_000)), "documentBytes");
    assert_eq!(
        verdict(&format!("{{ {} }}", many("a ", 21_000))),
        "documentTokens"
    );
    assert_eq!(
        verdict(&format!("{{ v {{ {} }} }}", many("a ", 5_001))),
        "selections"
    );
    assert_eq!(verdict(&format!("{{ {} }}", many("v ", 51))), "rootFields");
    assert_eq!(
        verdict(&format!("{{ v {{ {} }} }}", many("a:b ", 501))),
        "aliases"
    );
    assert_eq!(
        verdict(&format!("{{ v {} {{ a }} }}", many("@x ", 501))),
        "directives"
    );
    assert_eq!(
        verdict(&format!("{}a{}", many("{ v ", 31), many("}", 31))),
        "documentDepth"
    );
    // Not nested in the text, but nested once expanded.
    let document = format!(
        "{}...F{} fragment F on X {}v{}",
        many("{ a ", 20),
        many("}", 20),
        many("{ a ", 20),
        many("}", 20)
    );
    assert_eq!(verdict(&document), "documentDepth");
}

#[test]
fn the_same_document_twice_counts_both_operations() {
    let body = format!("{{ v {{ {} }} }}", "a ".repeat(3_000));
    assert_eq!(
        verdict(&format!("query A {body} query B {body}")),
        "selections"
    );
}

#[test]
fn positions_are_lines_and_columns() {
    assert_eq!(position("ab\ncd", 4), (2, 2));
    assert_eq!(position("", 9), (1, 1));
}

/// Anything made of what documents are made of.
fn soup() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    const PARTS: &[&str] = &[
        "{",
        "}",
        "{ a }",
        "(",
        ")",
        "(x: 1)",
        "[",
        "]",
        ":",
        "...",
        "on",
        "on A",
        "a",
        "b: a",
        "query",
        "mutation Q",
        "fragment F on A",
        "...F",
        "$x",
        "($x: [A!]! = [1])",
        "@d",
        "@skip(if: true)",
        "\"s\"",
        "\"\\\"\"",
        "\"\"\"b \" b\"\"\"",
        "-1.5e3",
        "# c }\n",
        " ",
        ",",
        "!",
        "=",
        "|",
        "&",
        "é",
        "null",
    ];
    proptest::collection::vec(proptest::sample::select(PARTS), 0..24)
        .prop_map(|parts| parts.join(" "))
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(2_000))]

    /// The guard turns nothing away that the parser would take, but fragments that spread
    /// themselves, and objects that have a member twice.
    #[test]
    fn what_the_parser_takes_the_guard_passes(document in soup()) {
        let verdict = check(&document);
        if async_graphql::parser::parse_query(&document).is_ok() {
            match verdict {
                Ok(_) => {}
                Err(Refusal::Malformed { message, .. })
                    if message.ends_with("spreads itself")
                        || message.ends_with("is given twice in one object") => {}
                Err(refusal) => panic!("{document}: {refusal:?}"),
            }
        }
    }

    #[test]
    fn no_bytes_make_the_guard_fail(document in "\\PC{0,200}") {
        let _ = check(&document);
    }
}
