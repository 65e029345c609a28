//! Registered documents: GraphQL that clients may name by its SHA-256 instead of sending it, and
//! the only ones that are carried out where the settings say so.

use relata_catalog::{Issue, Issues};
use relata_store::{Turn, platform::Document};
use sha2::{Digest as _, Sha256};

use crate::{AppError, Caller, Workspace, access::authorise_admin};

/// SHA-256 of a document's text.
pub type DocumentHash = [u8; 32];

/// Documents of one answer, at most.
pub const PAGE_MAX: u64 = 500;
/// Documents that a workspace keeps.
pub const DOCUMENTS_MAX: u64 = 20_000;
/// Documents that are registered at once.
pub const REGISTERED_AT_ONCE_MAX: usize = 2_000;

/// A registered document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentInfo {
    /// SHA-256 of the text.
    pub hash: DocumentHash,
    /// GraphQL.
    pub text: String,
    /// Who registered it.
    pub actor: String,
    /// When, in microseconds since 1970.
    pub at: i64,
}

/// The hash of a text.
#[must_use]
pub fn hash_of(text: &str) -> DocumentHash {
    Sha256::digest(text.as_bytes()).into()
}

/// The hash that 64 hexadecimal digits are.
#[must_use]
pub fn read_hash(text: &str) -> Option<DocumentHash> {
    let digits = text.as_bytes();
    let mut hash = [0; 32];
    if digits.len() != 2 * hash.len() {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(hash)
}

/// The hash in hexadecimal digits.
#[must_use]
pub fn write_hash(hash: &DocumentHash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Registered documents in the order of their hashes: at most `first` (and [`PAGE_MAX`]), from
/// behind `after`.
///
/// # Errors
/// `FORBIDDEN`, `BAD_INPUT`.
pub async fn documents_list(
    workspace: &Workspace,
    caller: &Caller,
    first: u64,
    after: Option<DocumentHash>,
) -> Result<Vec<DocumentInfo>, AppError> {
    authorise_admin(caller)?;
    if !(1..=PAGE_MAX).contains(&first) {
        let message = format!("first takes a whole number from 1 to {PAGE_MAX}");
        return Err(AppError::bad_input_issues(
            Issue::new("BAD_INPUT", message).at("first").into(),
        ));
    }
    let after = after.as_ref().map(<[u8; 32]>::as_slice);
    workspace
        .database()
        .documents(after, first)
        .await?
        .into_iter()
        .map(info)
        .collect()
}

/// The registered document with this hash: for whoever may send documents at all.
///
/// # Errors
/// What the database says.
pub async fn document_find(
    workspace: &Workspace,
    hash: &DocumentHash,
) -> Result<Option<DocumentInfo>, AppError> {
    let found = workspace.database().document(hash).await?;
    found.map(info).transpose()
}

/// Registers documents, which have been found valid. Those that are there already stay as they
/// are. Gives all of them, in the order given.
///
/// # Errors
/// `FORBIDDEN`; `LIMIT_EXCEEDED` when they were more than [`REGISTERED_AT_ONCE_MAX`], or would
/// become more than [`DOCUMENTS_MAX`].
pub async fn documents_register(
    workspace: &Workspace,
    caller: &Caller,
    texts: Vec<String>,
) -> Result<Vec<DocumentInfo>, AppError> {
    authorise_admin(caller)?;
    if texts.len() > REGISTERED_AT_ONCE_MAX {
        return Err(AppError::LimitExceeded(format!(
            "at most {REGISTERED_AT_ONCE_MAX} documents are registered at once"
        )));
    }
    let at = crate::clock::now_micros();
    let mut documents: Vec<Document> = Vec::with_capacity(texts.len());
    for text in texts {
        let hash = hash_of(&text);
        documents.push(Document {
            hash: hash.to_vec(),
            text,
            actor: caller.actor.to_string(),
            at,
        });
    }
    let registered = documents.clone();
    workspace
        .transact(caller, move |unit| {
            let mut documents = documents.clone();
            Box::pin(async move {
                documents.sort_by(|left, right| left.hash.cmp(&right.hash));
                documents.dedup_by(|left, right| left.hash == right.hash);
                unit.transaction().insert_documents(&documents).await?;
                if unit.transaction().documents_count().await? > DOCUMENTS_MAX {
                    return Err(AppError::LimitExceeded(format!(
                        "a workspace keeps at most {DOCUMENTS_MAX} documents; remove those that no client uses any more"
                    )));
                }
                Ok(())
            })
        })
        .await?;
    registered.into_iter().map(info).collect()
}

/// Removes registered documents, and gives the hashes of those that were there.
///
/// # Errors
/// `FORBIDDEN`, `LIMIT_EXCEEDED`.
pub async fn documents_remove(
    workspace: &Workspace,
    caller: &Caller,
    hashes: Vec<DocumentHash>,
) -> Result<Vec<DocumentHash>, AppError> {
    authorise_admin(caller)?;
    if hashes.len() > REGISTERED_AT_ONCE_MAX {
        return Err(AppError::LimitExceeded(format!(
            "at most {REGISTERED_AT_ONCE_MAX} documents are removed at once"
        )));
    }
    let transaction = workspace.database().begin(Turn::First).await?;
    let mut removed = Vec::new();
    for hash in hashes {
        if transaction.delete_document(&hash).await? {
            removed.push(hash);
        }
    }
    transaction.commit().await?;
    Ok(removed)
}

/// Hashes as clients write them, in the argument `ids`; all that are none, at once.
///
/// # Errors
/// `BAD_INPUT`, with positions in the list.
pub fn read_hashes(texts: &[String]) -> Result<Vec<DocumentHash>, AppError> {
    let mut issues = Issues::default();
    let mut hashes = Vec::with_capacity(texts.len());
    for (position, text) in texts.iter().enumerate() {
        match read_hash(text) {
            Some(hash) => hashes.push(hash),
            None => issues
                .push(Issue::new("BAD_INPUT", "a SHA-256 has 64 hexadecimal digits").at(position)),
        }
    }
    if issues.is_empty() {
        Ok(hashes)
    } else {
        Err(AppError::bad_input_issues(issues).at("ids"))
    }
}

fn info(document: Document) -> Result<DocumentInfo, AppError> {
    let hash = document
        .hash
        .try_into()
        .map_err(|_| AppError::broken("a registered document has a hash of another length"))?;
    Ok(DocumentInfo {
        hash,
        text: document.text,
        actor: document.actor,
        at: document.at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_64_digits() {
        let hash = hash_of("{ viewer { isAdmin } }");
        let text = write_hash(&hash);
        assert_eq!(read_hash(&text), Some(hash));
        assert_eq!(read_hash(&text.to_uppercase()), Some(hash));
        assert_eq!(read_hash(&text[1..]), None);
        assert_eq!(read_hash(&format!("{}g", &text[1..])), None);
        assert_eq!(read_hash(&"é".repeat(32)), None);
    }
}
