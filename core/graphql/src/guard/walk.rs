//! From tokens to what each operation and fragment says itself.

use std::collections::HashSet;

use super::{
    Refusal,
    lex::{Placed, Token},
    malformed,
};

/// What an operation or a fragment says itself, before anything is expanded.
#[derive(Debug, Default)]
pub(super) struct Definition<'d> {
    pub(super) fragment: Option<&'d str>,
    pub(super) at: usize,
    pub(super) selections: u64,
    pub(super) root_fields: u64,
    pub(super) aliases: u64,
    pub(super) directives: u64,
    /// Selection sets inside each other.
    pub(super) depth: usize,
    pub(super) spreads: Vec<SpreadUse<'d>>,
}

#[derive(Debug)]
pub(super) struct SpreadUse<'d> {
    pub(super) name: &'d str,
    /// Selection sets around it, from 1.
    pub(super) depth: usize,
    /// Whether what it brings are fields of the operation itself.
    pub(super) at_root: bool,
}

/// Reads tokens as definitions. Recursion is over brackets, whose depth is known to be small.
pub(super) struct Walk<'d> {
    document: &'d str,
    tokens: &'d [Placed],
    next: usize,
}

impl<'d> Walk<'d> {
    pub(super) fn new(document: &'d str, tokens: &'d [Placed]) -> Self {
        Self {
            document,
            tokens,
            next: 0,
        }
    }

    pub(super) fn definitions(mut self) -> Result<Vec<Definition<'d>>, Refusal> {
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
                    Some(Token::Punctuation(b'(')) => self.skip_bracket(&mut definition)?,
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
                        self.directives(definition)?;
                    } else {
                        if self.peek() == Some(Token::Name) {
                            self.next += 2;
                        }
                        self.directives(definition)?;
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
                        self.skip_bracket(definition)?;
                    }
                    self.directives(definition)?;
                    if self.peek() == Some(Token::Punctuation(b'{')) {
                        self.selection_set(definition, depth + 1, false)?;
                    }
                }
                _ => return Err(self.unexpected("a field")),
            }
        }
    }

    fn directives(&mut self, definition: &mut Definition<'d>) -> Result<(), Refusal> {
        while self.peek() == Some(Token::Punctuation(b'@')) {
            definition.directives += 1;
            self.next += 1;
            if self.peek() == Some(Token::Name) {
                self.next += 1;
            }
            if self.peek() == Some(Token::Punctuation(b'(')) {
                self.skip_bracket(definition)?;
            }
        }
        Ok(())
    }

    /// From an opening bracket to behind its closing one. Brackets are known to match.
    ///
    /// The parser keeps the last of two members of one name and says nothing: of a condition, half
    /// would be lost.
    fn skip_bracket(&mut self, definition: &mut Definition<'d>) -> Result<(), Refusal> {
        // Of each open bracket the members, where it is an object's.
        let mut open: Vec<Option<HashSet<&'d str>>> = Vec::new();
        while let Some(token) = self.peek() {
            match token {
                Token::Punctuation(b'{') => open.push(Some(HashSet::new())),
                Token::Punctuation(b'(' | b'[') => open.push(None),
                Token::Punctuation(b')' | b']' | b'}') => {
                    open.pop();
                    if open.is_empty() {
                        self.next += 1;
                        return Ok(());
                    }
                }
                Token::Punctuation(b'@') => definition.directives += 1,
                Token::Name => {
                    let name = self.text();
                    let is_member = self
                        .tokens
                        .get(self.next + 1)
                        .is_some_and(|placed| placed.token == Token::Punctuation(b':'));
                    if is_member
                        && let Some(Some(members)) = open.last_mut()
                        && !members.insert(name)
                    {
                        let message = format!("`{name}` is given twice in one object");
                        return Err(malformed(message, self.at()));
                    }
                }
                _ => {}
            }
            self.next += 1;
        }
        Ok(())
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
