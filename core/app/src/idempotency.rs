//! Requests that their client may repeat: the header `Idempotency-Key`.
//!
//! A client whose connection was lost does not know whether its request was carried out. With a
//! key it may ask again: the answer is kept in the transaction that carries the request out, so
//! that there is an answer exactly when there is a change. What was refused has changed nothing
//! and is not kept: it is looked at again.

use relata_catalog::Issue;
use relata_store::platform::KeptAnswer;
use sha2::{Digest as _, Sha256};

use crate::{AppError, transact::Unit};

/// Most characters of a key.
pub const KEY_MAX: usize = 255;

/// A request by which its client knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeatable {
    key: String,
    body: [u8; 32],
}

impl Repeatable {
    /// The request that asks for `body` (all that makes a difference to what is done), under the
    /// client's key.
    ///
    /// # Errors
    /// `BAD_INPUT` for a key that is empty, too long or not of visible ASCII characters.
    pub fn new(key: &str, body: &[u8]) -> Result<Self, AppError> {
        let is_plain = key.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if key.trim().is_empty() || key.len() > KEY_MAX || !is_plain {
            return Err(wrong(format!(
                "Idempotency-Key takes 1 to {KEY_MAX} visible ASCII characters, such as a UUID"
            )));
        }
        Ok(Self {
            key: key.to_owned(),
            body: Sha256::digest(body).into(),
        })
    }
}

/// What was answered when the same caller has sent the request before. What comes with a plan of
/// this transaction is not done then.
///
/// # Errors
/// `BAD_INPUT` when the key came with another request.
pub async fn answer_before(unit: &Unit, request: &Repeatable) -> Result<Option<Vec<u8>>, AppError> {
    let kept = unit
        .transaction()
        .kept_answer(&unit.actor_text(), &request.key)
        .await?;
    match kept {
        Some(kept) if kept.at < oldest(unit) => Ok(None),
        Some(kept) if kept.body == request.body => Ok(Some(kept.answer)),
        Some(_) => Err(wrong(
            "this Idempotency-Key came with another request before; a new request takes a new key",
        )),
        None => Ok(None),
    }
}

/// Keeps the answer, so that it is durable together with what the transaction changes.
///
/// # Errors
/// `LIMIT_EXCEEDED` for an answer that is too large to keep.
pub async fn answer_keep(unit: &Unit, request: &Repeatable, answer: &[u8]) -> Result<(), AppError> {
    let max = unit.workspace().options().retention.answer_bytes_max;
    if answer.len() > max {
        return Err(AppError::LimitExceeded(format!(
            "the answer to a request with an Idempotency-Key may have {max} bytes, this one has {}; select less",
            answer.len()
        )));
    }
    let kept = KeptAnswer {
        actor: unit.actor_text(),
        key: request.key.clone(),
        body: request.body.to_vec(),
        answer: answer.to_vec(),
        at: unit.now(),
    };
    Ok(unit.transaction().keep_answer(&kept).await?)
}

/// Answers from before this instant count no more, though they may not have been removed yet.
fn oldest(unit: &Unit) -> i64 {
    unit.now() - crate::clock::micros_of(unit.workspace().options().retention.answers)
}

fn wrong(message: impl Into<String>) -> AppError {
    let issue = Issue::new("BAD_INPUT", message.into()).at("Idempotency-Key");
    AppError::bad_input_issues(issue.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_short_and_visible() {
        assert!(Repeatable::new("8e03978e-40d5-43dd-bc93-6894a57f9324", b"").is_ok());
        assert!(Repeatable::new("\"quoted\"", b"").is_ok());
        assert!(Repeatable::new(&"k".repeat(KEY_MAX), b"").is_ok());
        for key in ["", "   ", "t\tab", "é", &"k".repeat(KEY_MAX + 1)] {
            assert!(Repeatable::new(key, b"").is_err(), "{key}");
        }
    }

    #[test]
    fn requests_are_told_apart_by_what_they_ask_for() {
        let same = Repeatable::new("k", b"a").ok();
        assert_eq!(same, Repeatable::new("k", b"a").ok());
        assert_ne!(same, Repeatable::new("k", b"b").ok());
    }
}
