//! Bytes become text. What a file is written in is decided strictly: what fits none of the
//! encodings in every byte is an error that names the line, never a text with holes in it.

use encoding_rs::{Encoding as Codec, GB18030, UTF_16BE, UTF_16LE, WINDOWS_1252};
use serde::{Deserialize, Serialize};

use super::at_line;
use crate::AppError;

/// What text is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    /// UTF-8
    #[serde(rename = "UTF-8")]
    Utf8,
    /// UTF-16, low byte first.
    #[serde(rename = "UTF-16LE")]
    Utf16Le,
    /// UTF-16, high byte first.
    #[serde(rename = "UTF-16BE")]
    Utf16Be,
    /// GB 18030, and GBK and GB 2312 within it.
    #[serde(rename = "GB18030")]
    Gb18030,
    /// Windows-1252, Western European. Never guessed: every file would be one.
    #[serde(rename = "WINDOWS-1252")]
    Windows1252,
}

impl Encoding {
    fn codec(self) -> &'static Codec {
        match self {
            Self::Utf8 => encoding_rs::UTF_8,
            Self::Utf16Le => UTF_16LE,
            Self::Utf16Be => UTF_16BE,
            Self::Gb18030 => GB18030,
            Self::Windows1252 => WINDOWS_1252,
        }
    }
}

/// The text, without a byte order mark, and what it was written in.
pub(super) fn decode(
    bytes: &[u8],
    asked: Option<Encoding>,
) -> Result<(String, Encoding), AppError> {
    let (encoding, mark) = match asked {
        Some(encoding) => (encoding, marked(bytes).map_or(0, |(_, length)| length)),
        None => match marked(bytes) {
            Some(marked) => marked,
            None => (guessed(bytes)?, 0),
        },
    };
    let bytes = &bytes[mark..];
    let text = if encoding == Encoding::Utf8 {
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|error| {
                let line = 1 + newlines(&bytes[..error.valid_up_to()]);
                at_line(
                    line,
                    "BAD_ENCODING",
                    "the text is not UTF-8 throughout; save the file as UTF-8, or name its encoding",
                )
            })?
    } else {
        let (text, had_errors) = encoding.codec().decode_without_bom_handling(bytes);
        if had_errors {
            let good = text.split('\u{fffd}').next().unwrap_or_default();
            return Err(at_line(
                1 + newlines(good.as_bytes()),
                "BAD_ENCODING",
                format!("the text is not {} throughout", encoding.codec().name()),
            ));
        }
        text.into_owned()
    };
    if let Some(position) = text.find('\0') {
        return Err(at_line(
            1 + newlines(&text.as_bytes()[..position]),
            "BAD_CHARACTER",
            "the file is not text: it contains NUL characters",
        ));
    }
    Ok((text, encoding))
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// What a byte order mark says, and its length.
fn marked(bytes: &[u8]) -> Option<(Encoding, usize)> {
    match bytes {
        [0xef, 0xbb, 0xbf, ..] => Some((Encoding::Utf8, 3)),
        [0xff, 0xfe, ..] => Some((Encoding::Utf16Le, 2)),
        [0xfe, 0xff, ..] => Some((Encoding::Utf16Be, 2)),
        _ => None,
    }
}

fn guessed(bytes: &[u8]) -> Result<Encoding, AppError> {
    if let Some(encoding) = by_zeros(bytes) {
        return Ok(encoding);
    }
    if std::str::from_utf8(bytes).is_ok() {
        return Ok(Encoding::Utf8);
    }
    mixed(bytes)?;
    if looks_chinese(bytes) {
        return Ok(Encoding::Gb18030);
    }
    let good = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
    Err(at_line(
        1 + newlines(&bytes[..good]),
        "BAD_ENCODING",
        "the text is neither UTF-8 nor GB 18030; save the file as UTF-8, or name its encoding (WINDOWS-1252 for older Western files)",
    ))
}

/// UTF-16 without a mark: line ends and separators have a zero on one side, always the same.
fn by_zeros(bytes: &[u8]) -> Option<Encoding> {
    let sample = &bytes[..bytes.len().min(4_096)];
    let zeros = |offset: usize| {
        let found = sample
            .iter()
            .skip(offset)
            .step_by(2)
            .filter(|byte| **byte == 0);
        found.count()
    };
    let (even, odd) = (zeros(0), zeros(1));
    // A text of nothing but Han has few of them, but lines it has.
    let enough = (sample.len() / 100).max(2);
    match (even, odd) {
        (0, odd) if odd >= enough => Some(Encoding::Utf16Le),
        (even, 0) if even >= enough => Some(Encoding::Utf16Be),
        _ => None,
    }
}

/// Some lines in UTF-8 and others not: parts of several files put together.
fn mixed(bytes: &[u8]) -> Result<(), AppError> {
    let mut first_other = None;
    let mut has_utf8 = false;
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.is_ascii() {
            continue;
        }
        match std::str::from_utf8(line) {
            // Pairs of bytes are UTF-8 by accident; three in a row hardly ever.
            Ok(text) => has_utf8 |= text.chars().any(|character| character.len_utf8() > 2),
            Err(_) => first_other = first_other.or(Some(number as u64 + 1)),
        }
    }
    match first_other {
        Some(line) if has_utf8 => Err(at_line(
            line,
            "BAD_ENCODING",
            "this line is not UTF-8, others are: the file is put together from several encodings",
        )),
        _ => Ok(()),
    }
}

/// Chinese text in GB 18030: nearly all of its characters are of the old set, whose both bytes
/// are above 0xA0. In Western text behind the first comes a letter.
fn looks_chinese(bytes: &[u8]) -> bool {
    let (mut old, mut others) = (0_usize, 0_usize);
    let mut rest = bytes;
    while let [lead, tail @ ..] = rest {
        if lead.is_ascii() {
            rest = tail;
            continue;
        }
        match tail {
            [trail @ 0xa1..=0xfe, after @ ..] if *lead >= 0xa1 => {
                let _ = trail;
                old += 1;
                rest = after;
            }
            [b'0'..=b'9', 0x81..=0xfe, b'0'..=b'9', after @ ..]
            | [0x40..=0x7e | 0x80..=0xfe, after @ ..] => {
                others += 1;
                rest = after;
            }
            _ => return false,
        }
    }
    old > 0 && old >= others * 4
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn check(bytes: &[u8], expected: Result<(&str, Encoding), u64>) {
        let decoded = decode(bytes, None);
        match (decoded, expected) {
            (Ok((text, encoding)), Ok((wanted, wanted_encoding))) => {
                assert_eq!((text.as_str(), encoding), (wanted, wanted_encoding));
            }
            (Err(error), Err(line)) => {
                assert_eq!(error.code(), "BAD_INPUT");
                let issue = &error.issues()[0];
                assert_eq!(issue.params["line"], serde_json::json!(line), "{error}");
            }
            (decoded, expected) => panic!("{decoded:?}, not {expected:?}"),
        }
    }

    #[test]
    fn encodings_are_told_by_the_bytes() {
        let text = "姓名,公司\n王小明,平安银行\n";
        check(text.as_bytes(), Ok((text, Encoding::Utf8)));
        check(&GB18030.encode(text).0, Ok((text, Encoding::Gb18030)));
        check(
            &[b"\xef\xbb\xbf", text.as_bytes()].concat(),
            Ok((text, Encoding::Utf8)),
        );
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        check(&little, Ok((text, Encoding::Utf16Le)));
        check(&big, Ok((text, Encoding::Utf16Be)));
        check(
            &[b"\xff\xfe", &*little].concat(),
            Ok((text, Encoding::Utf16Le)),
        );
    }

    #[test]
    fn what_fits_no_encoding_is_refused_with_its_line() {
        check(b"name\nM\xfcller\n", Err(2));
        check(
            &["名\n好的\n".as_bytes(), &GB18030.encode("王小明\n").0].concat(),
            Err(3),
        );
        check(b"a\nb\0\nc\n", Err(2));
        check(b"\xef\xbb\xbfa\n\xff\n", Err(2));
        assert_eq!(
            decode(b"M\xfcller", Some(Encoding::Windows1252)).unwrap().0,
            "Müller"
        );
    }
}
