//! From bytes to tokens, in one pass. Everything that could be deep or long ends here.

use super::{DocumentLimits, Refusal, malformed, over};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// `{ } ( ) [ ] : = ! $ @ | &`
    Punctuation(u8),
    /// `...`
    Spread,
    Name,
    /// Numbers and strings.
    Literal,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// The tokens of a document.
pub(super) fn read_tokens(document: &str, limits: &DocumentLimits) -> Result<Vec<Placed>, Refusal> {
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
