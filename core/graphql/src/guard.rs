//! What is looked at before any parser sees a document: how much it is, and how much it would
//! become.
//!
//! async-graphql's parser recurses: lists nested 2,000 deep (4 KB) overflow the stack and abort
//! the process, whatever limits it has been given. Its validator expands fragments: ten fragments
//! that each spread the next one twice cost a thousand times what they say. So the guard reads
//! the bytes once, aware of strings, block strings and comments, and counts; then it walks what
//! it has read, each fragment once.
//!
//! Invariant: a document that passes has brackets nested at most [`DocumentLimits::depth_max`]
//! deep, no fragment that spreads itself, and expands to at most
//! [`DocumentLimits::selections_max`] selections. The work is linear in the bytes.
//!
//! Not a parser: what passes may still be nonsense, and the parser says so with better words.

use std::collections::HashMap;

/// How much a document may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentLimits {
    /// Bytes of the document.
    pub bytes_max: usize,
    /// Brackets of all kinds inside each other, and selections inside each other once fragments
    /// are expanded.
    pub depth_max: usize,
    /// Names, numbers, strings and punctuation.
    pub tokens_max: usize,
    /// Fields, spreads and inline fragments, once fragments are expanded, of all operations.
    pub selections_max: u64,
    /// Fields of an operation itself, once fragments are expanded.
    pub root_fields_max: u64,
    /// Aliases, once fragments are expanded.
    pub aliases_max: u64,
    /// Directives, once fragments are expanded.
    pub directives_max: u64,
}

impl Default for DocumentLimits {
    fn default() -> Self {
        Self {
            bytes_max: 256 * 1024,
            depth_max: 30,
            tokens_max: 20_000,
            selections_max: 5_000,
            root_fields_max: 50,
            aliases_max: 500,
            directives_max: 500,
        }
    }
}

/// What the guard has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Tokens read.
    pub tokens: usize,
    /// Steps taken after the tokens were read: the cost of the walk, free of any clock.
    pub steps: u64,
    /// Selections of all operations, fragments expanded.
    pub selections: u64,
}

/// Why a document is turned away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It is too much. `BAD_INPUT` would be wrong: a smaller one of the same kind is welcome.
    Limit {
        /// Name of the limit, as it stands in [`DocumentLimits`].
        limit: &'static str,
        /// Its value.
        max: u64,
        /// For a person.
        message: String,
        /// Byte in the document, where there is one.
        at: Option<usize>,
    },
    /// It is no document.
    Malformed {
        /// For a person.
        message: String,
        /// Byte in the document.
        at: usize,
    },
}

/// Line and column, both from 1, of a byte.
#[must_use]
pub fn position(document: &str, at: usize) -> (usize, usize) {
    let before = &document.as_bytes()[..at.min(document.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before
        .iter()
        .rev()
        .take_while(|byte| **byte != b'\n')
        .count()
        + 1;
    (line, column)
}

/// Looks a document over.
///
/// # Errors
/// The first limit that it goes beyond, or the first place where it cannot be a document.
pub fn inspect(document: &str, limits: &DocumentLimits) -> Result<Counted, Refusal> {
    if document.len() > limits.bytes_max {
        return Err(over(
            "documentBytes",
            limits.bytes_max as u64,
            format!(
                "the document has {} bytes, at most {} are read",
                document.len(),
                limits.bytes_max
            ),
            None,
        ));
    }
    let tokens = read_tokens(document, limits)?;
    let definitions = Walk::new(document, &tokens).definitions()?;
    let mut counted = expand(&definitions, limits)?;
    counted.tokens = tokens.len();
    counted.steps += tokens.len() as u64;
    Ok(counted)
}

fn over(limit: &'static str, max: u64, message: String, at: Option<usize>) -> Refusal {
    Refusal::Limit {
        limit,
        max,
        message,
        at,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// `{ } ( ) [ ] : = ! $ @ | &`
    Punctuation(u8),
    /// `...`
    Spread,
    Name,
    /// Numbers and strings.
    Literal,
}

#[derive(Debug, Clone, Copy)]
struct Placed {
    token: Token,
    start: u32,
    end: u32,
}

/// One pass over the bytes. Everything that could be deep or long ends here.
fn read_tokens(document: &str, limits: &DocumentLimits) -> Result<Vec<Placed>, Refusal> {
    let bytes = document.as_bytes();
    let mut tokens = Vec::with_capacity((bytes.len() / 4).min(limits.tokens_max));
    // Opening brackets that wait for their closing ones; never longer than the limit.
    let mut open: Vec<(u8, usize)> = Vec::with_capacity(limits.depth_max);
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let token = match bytes[at] {
            b' ' | b'\t' | b'\n' | b'\r' | b',' => {
                at += 1;
                continue;
            }
            // A byte order mark counts as white space.
            0xEF if bytes[at..].starts_with(&[0xEF, 0xBB, 0xBF]) => {
                at += 3;
                continue;
            }
            b'#' => {
                while at < bytes.len() && !matches!(bytes[at], b'\n' | b'\r') {
                    at += 1;
                }
                continue;
            }
            b'"' => {
                at = string_end(bytes, at)?;
                Token::Literal
            }
            byte @ (b'{' | b'(' | b'[') => {
                if open.len() == limits.depth_max {
                    return Err(over(
                        "documentDepth",
                        limits.depth_max as u64,
                        format!(
                            "the document nests deeper than {} brackets",
                            limits.depth_max
                        ),
                        Some(at),
                    ));
                }
                open.push((byte, at));
                at += 1;
                Token::Punctuation(byte)
            }
            byte @ (b'}' | b')' | b']') => {
                let opening = match byte {
                    b'}' => b'{',
                    b')' => b'(',
                    _ => b'[',
                };
                match open.pop() {
                    Some((before, _)) if before == opening => {}
                    _ => {
                        return Err(malformed(
                            format!("`{}` closes nothing here", char::from(byte)),
                            at,
                        ));
                    }
                }
                at += 1;
                Token::Punctuation(byte)
            }
            byte @ (b':' | b'=' | b'!' | b'$' | b'@' | b'|' | b'&') => {
                at += 1;
                Token::Punctuation(byte)
            }
            b'.' if bytes[at..].starts_with(b"...") => {
                at += 3;
                Token::Spread
            }
            byte if byte.is_ascii_alphabetic() || byte == b'_' => {
                while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_') {
                    at += 1;
                }
                Token::Name
            }
            byte if byte.is_ascii_digit() || byte == b'-' => {
                at += 1;
                while at < bytes.len()
                    && (bytes[at].is_ascii_alphanumeric()
                        || matches!(bytes[at], b'.' | b'+' | b'-' | b'_'))
                {
                    at += 1;
                }
                Token::Literal
            }
            _ => {
                let character = document[at..].chars().next().unwrap_or('\u{fffd}');
                return Err(malformed(
                    format!("{character:?} means nothing in GraphQL"),
                    at,
                ));
            }
        };
        if tokens.len() == limits.tokens_max {
            return Err(over(
                "documentTokens",
                limits.tokens_max as u64,
                format!("the document has more than {} tokens", limits.tokens_max),
                Some(start),
            ));
        }
        // The document is at most `bytes_max` long; four gigabytes are far away.
        tokens.push(Placed {
            token,
            start: start as u32,
            end: at as u32,
        });
    }
    match open.pop() {
        Some((byte, at)) => Err(malformed(
            format!("`{}` is never closed", char::from(byte)),
            at,
        )),
        None => Ok(tokens),
    }
}

/// The byte after a string that begins at `start`.
fn string_end(bytes: &[u8], start: usize) -> Result<usize, Refusal> {
    if bytes[start..].starts_with(b"\"\"\"") {
        let mut at = start + 3;
        while at < bytes.len() {
            if bytes[at..].starts_with(b"\\\"\"\"") {
                at += 4;
            } else if bytes[at..].starts_with(b"\"\"\"") {
                return Ok(at + 3);
            } else {
                at += 1;
            }
        }
        return Err(malformed("the block string is never closed", start));
    }
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return Ok(at + 1),
            b'\n' | b'\r' => break,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    Err(malformed("the string is never closed on its line", start))
}

fn malformed(message: impl Into<String>, at: usize) -> Refusal {
    Refusal::Malformed {
        message: message.into(),
        at,
    }
}

/// What an operation or a fragment says itself, before anything is expanded.
#[derive(Debug, Default)]
struct Definition<'d> {
    fragment: Option<&'d str>,
    at: usize,
    selections: u64,
    root_fields: u64,
    aliases: u64,
    directives: u64,
    /// Selection sets inside each other.
    depth: usize,
    spreads: Vec<SpreadUse<'d>>,
}

#[derive(Debug)]
struct SpreadUse<'d> {
    name: &'d str,
    /// Selection sets around it, from 1.
    depth: usize,
    /// Whether what it brings are fields of the operation itself.
    at_root: bool,
}

/// Reads tokens as definitions. Recursion is over brackets, whose depth is known to be small.
struct Walk<'d> {
    document: &'d str,
    tokens: &'d [Placed],
    next: usize,
}

impl<'d> Walk<'d> {
    fn new(document: &'d str, tokens: &'d [Placed]) -> Self {
        Self {
            document,
            tokens,
            next: 0,
        }
    }

    fn definitions(mut self) -> Result<Vec<Definition<'d>>, Refusal> {
        let mut definitions = Vec::new();
        while self.next < self.tokens.len() {
            let mut definition = Definition {
                at: self.at(),
                ..Definition::default()
            };
            if self.peek() == Some(Token::Name) {
                match self.text() {
                    "query" | "mutation" | "subscription" => {
                        self.next += 1;
                        if self.peek() == Some(Token::Name) {
                            self.next += 1;
                        }
                    }
                    "fragment" => {
                        self.next += 1;
                        if self.peek() != Some(Token::Name) {
                            return Err(self.unexpected("the fragment's name"));
                        }
                        definition.fragment = Some(self.text());
                        self.next += 1;
                    }
                    _ => return Err(self.unexpected("`query`, `mutation` or `fragment`")),
                }
            }
            // Variables, a type condition and directives stand before the braces.
            loop {
                match self.peek() {
                    Some(Token::Punctuation(b'{')) => break,
                    Some(Token::Punctuation(b'(')) => self.skip_bracket(&mut definition),
                    Some(Token::Punctuation(b'@')) => {
                        definition.directives += 1;
                        self.next += 1;
                    }
                    Some(Token::Name) => self.next += 1,
                    _ => return Err(self.unexpected("`{`")),
                }
            }
            self.selection_set(&mut definition, 1, true)?;
            definitions.push(definition);
        }
        if definitions.is_empty() {
            return Err(malformed("the document is empty", 0));
        }
        Ok(definitions)
    }

    /// From `{` to behind `}`.
    fn selection_set(
        &mut self,
        definition: &mut Definition<'d>,
        depth: usize,
        at_root: bool,
    ) -> Result<(), Refusal> {
        definition.depth = definition.depth.max(depth);
        self.next += 1;
        loop {
            match self.peek() {
                Some(Token::Punctuation(b'}')) => {
                    self.next += 1;
                    return Ok(());
                }
                Some(Token::Spread) => {
                    definition.selections += 1;
                    self.next += 1;
                    if self.peek() == Some(Token::Name) && self.text() != "on" {
                        definition.spreads.push(SpreadUse {
                            name: self.text(),
                            depth,
                            at_root,
                        });
                        self.next += 1;
                        self.directives(definition);
                    } else {
                        if self.peek() == Some(Token::Name) {
                            self.next += 2;
                        }
                        self.directives(definition);
                        if self.peek() != Some(Token::Punctuation(b'{')) {
                            return Err(self.unexpected("`{`"));
                        }
                        self.selection_set(definition, depth + 1, at_root)?;
                    }
                }
                Some(Token::Name) => {
                    definition.selections += 1;
                    definition.root_fields += u64::from(at_root);
                    self.next += 1;
                    if self.peek() == Some(Token::Punctuation(b':')) {
                        definition.aliases += 1;
                        self.next += 1;
                        if self.peek() != Some(Token::Name) {
                            return Err(self.unexpected("a field's name"));
                        }
                        self.next += 1;
                    }
                    if self.peek() == Some(Token::Punctuation(b'(')) {
                        self.skip_bracket(definition);
                    }
                    self.directives(definition);
                    if self.peek() == Some(Token::Punctuation(b'{')) {
                        self.selection_set(definition, depth + 1, false)?;
                    }
                }
                _ => return Err(self.unexpected("a field")),
            }
        }
    }

    fn directives(&mut self, definition: &mut Definition<'d>) {
        while self.peek() == Some(Token::Punctuation(b'@')) {
            definition.directives += 1;
            self.next += 1;
            if self.peek() == Some(Token::Name) {
                self.next += 1;
            }
            if self.peek() == Some(Token::Punctuation(b'(')) {
                self.skip_bracket(definition);
            }
        }
    }

    /// From an opening bracket to behind its closing one. Brackets are known to match.
    fn skip_bracket(&mut self, definition: &mut Definition<'d>) {
        let mut open = 0_usize;
        while let Some(token) = self.peek() {
            self.next += 1;
            match token {
                Token::Punctuation(b'(' | b'[' | b'{') => open += 1,
                Token::Punctuation(b')' | b']' | b'}') => {
                    open -= 1;
                    if open == 0 {
                        return;
                    }
                }
                Token::Punctuation(b'@') => definition.directives += 1,
                _ => {}
            }
        }
    }

    fn peek(&self) -> Option<Token> {
        self.tokens.get(self.next).map(|placed| placed.token)
    }

    fn text(&self) -> &'d str {
        self.tokens.get(self.next).map_or("", |placed| {
            &self.document[placed.start as usize..placed.end as usize]
        })
    }

    fn at(&self) -> usize {
        self.tokens
            .get(self.next)
            .map_or(self.document.len(), |placed| placed.start as usize)
    }

    fn unexpected(&self, expected: &str) -> Refusal {
        let message = match self.text() {
            "" => format!("the document ends where {expected} should stand"),
            found => {
                let found: String = found.chars().take(40).collect();
                format!("expected {expected}, found `{found}`")
            }
        };
        malformed(message, self.at())
    }
}

/// What a definition comes to when its spreads are replaced by what they bring.
#[derive(Debug, Clone, Copy, Default)]
struct Expanded {
    selections: u64,
    root_fields: u64,
    aliases: u64,
    directives: u64,
    depth: usize,
}

enum State {
    Unseen,
    Open,
    Done(Expanded),
}

/// Adds fragments up, each once.
fn expand(definitions: &[Definition<'_>], limits: &DocumentLimits) -> Result<Counted, Refusal> {
    let mut positions = HashMap::with_capacity(definitions.len());
    for (position, definition) in definitions.iter().enumerate() {
        if let Some(name) = definition.fragment {
            positions.entry(name).or_insert(position);
        }
    }
    let mut expansion = Expansion {
        definitions,
        positions,
        states: definitions.iter().map(|_| State::Unseen).collect(),
        limits,
        steps: 0,
    };
    let mut total = Expanded::default();
    for (position, definition) in definitions.iter().enumerate() {
        let expanded = expansion.of(position, 0)?;
        if definition.fragment.is_some() {
            // Not counted, but looked at: cycles and depth count also where nothing spreads it.
            continue;
        }
        total.selections = total.selections.saturating_add(expanded.selections);
        total.aliases = total.aliases.saturating_add(expanded.aliases);
        total.directives = total.directives.saturating_add(expanded.directives);
        total.root_fields = total.root_fields.max(expanded.root_fields);
    }
    let checks = [
        (
            "selections",
            total.selections,
            limits.selections_max,
            "fields and fragments",
        ),
        (
            "rootFields",
            total.root_fields,
            limits.root_fields_max,
            "root fields",
        ),
        ("aliases", total.aliases, limits.aliases_max, "aliases"),
        (
            "directives",
            total.directives,
            limits.directives_max,
            "directives",
        ),
    ];
    for (limit, count, max, what) in checks {
        if count > max {
            return Err(over(
                limit,
                max,
                format!(
                    "the document comes to {count} {what} once its fragments are expanded, at most {max} are allowed"
                ),
                None,
            ));
        }
    }
    Ok(Counted {
        tokens: 0,
        steps: expansion.steps,
        selections: total.selections,
    })
}

struct Expansion<'d> {
    definitions: &'d [Definition<'d>],
    positions: HashMap<&'d str, usize>,
    states: Vec<State>,
    limits: &'d DocumentLimits,
    steps: u64,
}

impl Expansion<'_> {
    /// Recursion is over spreads inside spreads, and ends at the depth limit.
    fn of(&mut self, position: usize, around: usize) -> Result<Expanded, Refusal> {
        self.steps += 1;
        let definitions = self.definitions;
        let definition = &definitions[position];
        match self.states[position] {
            State::Done(expanded) => return Ok(expanded),
            State::Open => {
                return Err(malformed(
                    format!(
                        "fragment `{}` spreads itself",
                        definition.fragment.unwrap_or_default()
                    ),
                    definition.at,
                ));
            }
            State::Unseen => {}
        }
        if around > self.limits.depth_max {
            return Err(self.too_deep(definition.at));
        }
        self.states[position] = State::Open;
        let mut expanded = Expanded {
            selections: definition.selections,
            root_fields: definition.root_fields,
            aliases: definition.aliases,
            directives: definition.directives,
            depth: definition.depth,
        };
        for spread in &definition.spreads {
            // A spread of a fragment that isn't there is the validator's to report.
            let Some(target) = self.positions.get(spread.name).copied() else {
                self.steps += 1;
                continue;
            };
            let brought = self.of(target, around + 1)?;
            expanded.selections = expanded.selections.saturating_add(brought.selections);
            expanded.aliases = expanded.aliases.saturating_add(brought.aliases);
            expanded.directives = expanded.directives.saturating_add(brought.directives);
            if spread.at_root {
                expanded.root_fields = expanded.root_fields.saturating_add(brought.root_fields);
            }
            expanded.depth = expanded.depth.max(spread.depth + brought.depth);
        }
        if expanded.depth > self.limits.depth_max {
            return Err(self.too_deep(definition.at));
        }
        self.states[position] = State::Done(expanded);
        Ok(expanded)
    }

    fn too_deep(&self, at: usize) -> Refusal {
        over(
            "documentDepth",
            self.limits.depth_max as u64,
            format!(
                "selections nest deeper than {} once fragments are expanded",
                self.limits.depth_max
            ),
            Some(at),
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

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
}
