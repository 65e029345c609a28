//! What a file is: told by its first bytes, and held against what its name and its sender say.
//!
//! Most formats begin with bytes of their own. Text has none: text is what its ending says, where
//! that is a kind of text. What nobody can tell is `application/octet-stream`, whatever somebody
//! calls it, and what is called something that its bytes are not is refused ([`Contradiction`]):
//! who reads the name would be misled.

use std::fmt;

/// How much of a file is looked at.
pub const HEAD_BYTES: usize = 8 << 10;

/// What is nothing in particular.
const UNKNOWN: &str = "application/octet-stream";
/// Text that no ending calls anything.
const PLAIN_TEXT: &str = "text/plain";

/// A file that is not what it is called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the file is called {claimed} by its {by}, but its bytes are {told}")]
pub struct Contradiction {
    /// The type that it is called.
    pub claimed: String,
    /// By what.
    pub by: Claim,
    /// What it is.
    pub told: String,
}

/// What says of a file what it is, beside its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The ending of its name.
    Ending,
    /// Who has sent it.
    Header,
}

impl fmt::Display for Claim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ending => "ending",
            Self::Header => "Content-Type",
        })
    }
}

/// The type of a file with this name and this beginning (the first [`HEAD_BYTES`], or all of it),
/// of which the sender says that it is `claimed`.
///
/// # Errors
/// [`Contradiction`].
pub fn content_type(
    name: &str,
    claimed: Option<&str>,
    head: &[u8],
) -> Result<String, Contradiction> {
    let by_ending = mime_guess::from_path(name)
        .first_raw()
        .map(plain)
        .filter(|ending| says_something(ending));
    let by_header = claimed.map(plain).filter(|claimed| says_something(claimed));
    let claims = [(Claim::Ending, &by_ending), (Claim::Header, &by_header)];
    let text = is_text(head);
    let told = infer::get(head)
        .map(|told| told.mime_type())
        // Two or three letters at the beginning of a text mean nothing: "BM" is no picture.
        .filter(|told| !text || is_written_in_letters(told));
    for (by, claim) in claims {
        let Some(claim) = claim else { continue };
        let fits = match told {
            Some(told) => fits(claim, told, text),
            None if text => is_kind_of_text(claim) || !infer::is_mime_supported(claim),
            None => !is_kind_of_text(claim) && !infer::is_mime_supported(claim),
        };
        if !fits && !head.is_empty() {
            return Err(Contradiction {
                claimed: claim.clone(),
                by,
                told: told
                    .unwrap_or(if text { PLAIN_TEXT } else { UNKNOWN })
                    .to_owned(),
            });
        }
    }
    // An ending says more than bytes can: a document of an office lies in an archive.
    let named = || by_ending.clone().or(by_header.clone());
    Ok(match told {
        Some(told) if !is_kind_of_text(told) => by_ending
            .filter(|ending| is_built_on(ending, told))
            .unwrap_or_else(|| told.to_owned()),
        _ if text => named()
            .filter(|named| is_kind_of_text(named))
            .unwrap_or_else(|| PLAIN_TEXT.to_owned()),
        _ => UNKNOWN.to_owned(),
    })
}

/// Whether a browser does nothing with it but show or play it: no script, no markup, no reader of
/// somebody else's. Whatever else a file is, it goes out as [`UNKNOWN`].
#[must_use]
pub fn is_shown_safely(content_type: &str) -> bool {
    match content_type.split_once('/') {
        Some(("audio" | "video", _)) => true,
        Some(("image", image)) => matches!(
            image,
            "png" | "jpeg" | "gif" | "webp" | "avif" | "bmp" | "tiff" | "heic" | "heif"
        ),
        _ => false,
    }
}

/// In lower case, without parameters, and by the name that most use.
fn plain(claimed: &str) -> String {
    let bare = claimed.split(';').next().unwrap_or_default().trim();
    let bare = bare.to_ascii_lowercase();
    let usual = match bare.as_str() {
        "image/jpg" | "image/pjpeg" => "image/jpeg",
        "image/x-png" => "image/png",
        "image/x-ms-bmp" | "image/x-bmp" => "image/bmp",
        "application/x-pdf" => "application/pdf",
        "application/x-zip-compressed" | "application/x-zip" => "application/zip",
        "application/x-gzip" => "application/gzip",
        "text/rtf" => "application/rtf",
        "application/x-rar-compressed" | "application/x-rar" => "application/vnd.rar",
        "audio/mp3" | "audio/x-mp3" => "audio/mpeg",
        "audio/wav" | "audio/wave" | "audio/vnd.wave" => "audio/x-wav",
        "audio/x-m4a" | "audio/mp4" => "audio/m4a",
        "audio/flac" => "audio/x-flac",
        "audio/x-aiff" => "audio/aiff",
        "video/avi" | "video/msvideo" => "video/x-msvideo",
        "image/x-icon" => "image/vnd.microsoft.icon",
        "application/x-msdownload" | "application/x-dosexec" => {
            "application/vnd.microsoft.portable-executable"
        }
        _ => return bare,
    };
    usual.to_owned()
}

/// Who doesn't know says one of these.
fn says_something(claimed: &str) -> bool {
    !matches!(
        claimed,
        "" | UNKNOWN
            | "binary/octet-stream"
            | "application/x-www-form-urlencoded"
            | "application/force-download"
            | "application/download"
            | "application/x-download"
    )
}

fn fits(claim: &str, told: &str, text: bool) -> bool {
    let told_plain = plain(told);
    claim == told_plain
        || is_built_on(claim, told)
        // What browsers, scripts and readers of text take for their own is text all the same.
        || (text && is_kind_of_text(told) && is_kind_of_text(claim))
        // Letters that are a document as well: a script is no less a text.
        || (text && is_kind_of_text(claim) && claim == PLAIN_TEXT)
        || same_family(claim, &told_plain)
}

/// Whether files of a type are files of another, looked at closely.
fn is_built_on(claim: &str, told: &str) -> bool {
    let told = plain(told);
    match told.as_str() {
        "application/zip" => {
            claim.starts_with("application/vnd.openxmlformats-officedocument.")
                || claim.starts_with("application/vnd.oasis.opendocument.")
                || claim.starts_with("application/vnd.ms-")
                || claim.ends_with("+zip")
                || matches!(
                    claim,
                    "application/java-archive"
                        | "application/x-java-archive"
                        | "application/vnd.android.package-archive"
                        | "application/vnd.google-earth.kmz"
                        | "application/x-cbz"
                        | "application/vnd.comicbook+zip"
                        | "application/x-xpinstall"
                        | "application/vnd.visio"
                        | "model/3mf"
                        | "application/vnd.apple.pages"
                        | "application/vnd.apple.numbers"
                        | "application/vnd.apple.keynote"
                )
        }
        // Word, Excel and PowerPoint of before 2007, messages of Outlook, installers.
        "application/x-ole-storage" => {
            claim.starts_with("application/vnd.ms-")
                || matches!(
                    claim,
                    "application/msword" | "application/x-msi" | "application/vnd.visio"
                )
        }
        "application/gzip" => matches!(
            claim,
            "application/x-tar" | "application/x-compressed-tar" | "application/x-compressed"
        ),
        "text/xml" => claim.ends_with("+xml") || claim == "application/xml",
        // Macros, templates and slide shows are told as the plain document.
        _ if told.starts_with("application/vnd.openxmlformats-officedocument.")
            || told.starts_with("application/vnd.oasis.opendocument.")
            || told.starts_with("application/vnd.ms-")
            || told == "application/msword" =>
        {
            let stem = |name: &str| {
                [
                    "word",
                    "excel",
                    "spreadsheet",
                    "powerpoint",
                    "presentation",
                    "text",
                ]
                .into_iter()
                .find(|stem| name.contains(stem))
            };
            claim == "application/zip"
                || (claim.starts_with("application/vnd.")
                    && stem(claim).is_some()
                    && stem(claim) == stem(&told))
        }
        _ => false,
    }
}

/// Wrappers of sound and pictures hold one, the other or both, and endings don't tell.
fn same_family(claim: &str, told: &str) -> bool {
    const FAMILIES: [&[&str]; 5] = [
        &[
            "video/mp4",
            "audio/m4a",
            "video/x-m4v",
            "video/quicktime",
            "video/3gpp",
            "audio/3gpp",
            "audio/aac",
            "application/mp4",
        ],
        &[
            "image/heif",
            "image/heic",
            "image/heif-sequence",
            "image/heic-sequence",
            "image/avif",
        ],
        &["audio/ogg", "video/ogg", "application/ogg", "audio/opus"],
        &[
            "video/webm",
            "audio/webm",
            "video/x-matroska",
            "audio/x-matroska",
        ],
        &[
            "image/tiff",
            "image/x-canon-cr2",
            "image/x-adobe-dng",
            "image/x-nikon-nef",
        ],
    ];
    FAMILIES
        .iter()
        .any(|family| family.contains(&claim) && family.contains(&told))
}

/// Formats that are written in letters although they are more than text.
fn is_written_in_letters(told: &str) -> bool {
    is_kind_of_text(told)
        || matches!(
            told,
            "application/pdf" | "application/rtf" | "application/postscript"
        )
}

fn is_kind_of_text(name: &str) -> bool {
    name.starts_with("text/")
        || name.ends_with("+xml")
        || name.ends_with("+json")
        || matches!(
            name,
            "application/json"
                | "application/xml"
                | "application/javascript"
                | "application/ecmascript"
                | "application/sql"
                | "application/x-sql"
                | "application/x-sh"
                | "application/x-csh"
                | "application/x-httpd-php"
                | "application/x-perl"
                | "application/x-tex"
                | "application/x-latex"
                | "application/x-yaml"
                | "application/yaml"
                | "application/toml"
                | "application/x-subrip"
                | "application/jsonl"
                | "application/x-ndjson"
                | "application/pgp-signature"
                | "application/pgp-keys"
                | "application/x-x509-ca-cert"
                | "application/x-pem-file"
                | "application/graphql"
                | "message/rfc822"
        )
}

/// Letters in any encoding: no control character but those of lines, or UTF-16, where every
/// second byte of a letter is one.
fn is_text(head: &[u8]) -> bool {
    let is_control = |byte: u8| matches!(byte, 0..=8 | 0x0B | 0x0E..=0x1A | 0x1C..=0x1F | 0x7F);
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return true;
    }
    if !head.iter().copied().any(is_control) {
        return true;
    }
    let zeros = |from: usize| {
        head.iter()
            .skip(from)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    let of_other = |from: usize| {
        head.iter()
            .skip(from)
            .step_by(2)
            .any(|byte| is_control(*byte))
    };
    let quarter = head.len() / 4;
    (zeros(1) > quarter && zeros(0) == 0 && !of_other(0))
        || (zeros(0) > quarter && zeros(1) == 0 && !of_other(1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const ZIP: &[u8] = b"PK\x03\x04\x14\0\0\0\x08\0";
    const OLE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0\0\0";

    #[track_caller]
    fn check(name: &str, claimed: &str, head: &[u8], expected: Result<&str, &str>) {
        let claimed = Some(claimed).filter(|claimed| !claimed.is_empty());
        let told = content_type(name, claimed, head).map_err(|error| error.to_string());
        assert_eq!(
            told.as_deref().map_err(String::as_str),
            expected,
            "{name} {claimed:?}"
        );
    }

    #[test]
    fn bytes_tell_what_a_file_is() {
        check("a.png", "image/png", PNG, Ok("image/png"));
        check("a", "", PNG, Ok("image/png"));
        check(
            "a.unheard-of",
            "application/x-unheard-of",
            PNG,
            Err(
                "the file is called application/x-unheard-of by its Content-Type, but its bytes are image/png",
            ),
        );
        check("a.pdf", "", b"%PDF-1.7\n", Ok("application/pdf"));
        check(
            "a.jpg",
            "image/jpg",
            b"\xff\xd8\xff\xe0\0\x10JFIF",
            Ok("image/jpeg"),
        );
        check("a.relata", "", ZIP, Ok("application/zip"));
    }

    #[test]
    fn an_ending_says_what_lies_in_an_archive() {
        let sheet = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
        check("a.xlsx", sheet, ZIP, Ok(sheet));
        check("a.xls", "", OLE, Ok("application/vnd.ms-excel"));
        check(
            "a.png",
            "",
            ZIP,
            Err("the file is called image/png by its ending, but its bytes are application/zip"),
        );
    }

    #[test]
    fn text_is_what_its_ending_says() {
        check("a.csv", "", b"a,b\n1,2\n", Ok("text/csv"));
        check("a", "text/csv; charset=utf-8", b"a,b\n", Ok("text/csv"));
        check(
            "a",
            "application/x-www-form-urlencoded",
            b"a,b\n",
            Ok("text/plain"),
        );
        check("a.json", "", b"{}", Ok("application/json"));
        check("a.txt", "", b"BMW, Audi\n", Ok("text/plain"));
        check("a.txt", "", b"<html> is how it begins", Ok("text/plain"));
        check(
            "a.svg",
            "image/svg+xml",
            b"<svg xmlns='x'/>",
            Ok("image/svg+xml"),
        );
        check("a.csv", "", b"\xff\xfea\0,\0b\0", Ok("text/csv"));
        check("a.csv", "", "公司,姓名\n".as_bytes(), Ok("text/csv"));
        check("a.csv", "", b"n\0a\0m\0e\0\n\0x\0", Ok("text/csv"));
        check("a.txt", "", b"", Ok("text/plain"));
    }

    #[test]
    fn what_is_called_something_else_is_refused() {
        check(
            "a.png",
            "",
            b"hello",
            Err("the file is called image/png by its ending, but its bytes are text/plain"),
        );
        check(
            "a",
            "application/pdf",
            b"<html><script>",
            Err(
                "the file is called application/pdf by its Content-Type, but its bytes are text/html",
            ),
        );
        check(
            "a.txt",
            "",
            PNG,
            Err("the file is called text/plain by its ending, but its bytes are image/png"),
        );
        check(
            "a.csv",
            "",
            b"\0\x01\x02\x03\x04\x05",
            Err(
                "the file is called text/csv by its ending, but its bytes are application/octet-stream",
            ),
        );
        check(
            "a.png",
            "image/jpeg",
            PNG,
            Err("the file is called image/jpeg by its Content-Type, but its bytes are image/png"),
        );
    }

    #[test]
    fn what_nobody_can_tell_is_nothing_in_particular() {
        check("a.bin", "", b"\0\x01\x02", Ok("application/octet-stream"));
        check("a.bin", "", PNG, Ok("image/png"));
        check(
            "a.dcm",
            "",
            b"\0\x01\x02\x03\x04\x05",
            Ok("application/octet-stream"),
        );
        check(
            "a",
            "application/x-mine",
            b"\0\x01\x02\x03",
            Ok("application/octet-stream"),
        );
    }

    #[test]
    fn nothing_that_a_browser_runs_is_shown() {
        for safe in ["image/png", "audio/mpeg", "video/mp4"] {
            assert!(is_shown_safely(safe), "{safe}");
        }
        for unsafe_type in [
            "text/html",
            "image/svg+xml",
            "text/xml",
            "application/xhtml+xml",
            "text/javascript",
            "application/pdf",
            "text/plain",
            "text/css",
            "application/wasm",
            "nonsense",
        ] {
            assert!(!is_shown_safely(unsafe_type), "{unsafe_type}");
        }
    }
}
