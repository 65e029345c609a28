//! API tokens and sessions: 256 random bits, shown once, kept as SHA-256. Nothing to guess, so
//! nothing to slow down.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rand::{TryRng as _, rngs::SysRng};
use relata_catalog::Issue;
use relata_store::{StoreError, Turn, platform::Token};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::{AppError, Caller, Workspace, access::authorise_admin};

/// What every token begins with, so that a leaked one is recognised.
pub const TOKEN_PREFIX: &str = "rlt_";
/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;
/// Most characters of a token's name.
const NAME_MAX: usize = 100;
/// How long another process may go on with a token that was revoked here.
const CACHE_FOR: Duration = Duration::from_secs(2);
/// Tokens that are remembered.
const CACHE_MAX: usize = 10_000;
/// `last used` is that exact.
const TOUCH_EVERY_MICROS: i64 = 60_000_000;

/// A token that was just made: the only time that its text is known.
#[derive(Clone)]
pub struct NewToken {
    /// What is sent as `Authorization: Bearer …`.
    pub token: String,
    /// What is known of it later.
    pub info: TokenInfo,
}

impl std::fmt::Debug for NewToken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the token: debug output ends in logs.
        formatter
            .debug_struct("NewToken")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// Id.
    pub id: Uuid,
    /// Whose.
    pub user: Uuid,
    /// What it is for.
    pub name: String,
    /// Not valid from then on, in microseconds since 1970.
    pub expires_at: Option<i64>,
    /// To about a minute.
    pub last_used_at: Option<i64>,
    /// When it was made.
    pub created_at: i64,
}

impl From<Token> for TokenInfo {
    fn from(token: Token) -> Self {
        Self {
            id: token.id,
            user: token.user,
            name: token.name,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
            created_at: token.created_at,
        }
    }
}

/// Tokens that were looked up a moment ago.
#[derive(Debug, Default)]
pub(crate) struct TokenCache {
    known: Mutex<HashMap<[u8; 32], Known>>,
    used: Mutex<HashMap<Uuid, i64>>,
}

#[derive(Debug, Clone)]
struct Known {
    caller: Arc<Caller>,
    expires_at: Option<i64>,
    until: Instant,
}

impl TokenCache {
    /// Forgets everything: tokens or users have changed.
    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    /// What was used since the last time.
    pub(crate) fn take_used(&self) -> Vec<(Uuid, i64)> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.drain().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, hash: &[u8; 32]) -> Option<Known> {
        self.lock()
            .get(hash)
            .filter(|known| known.until > Instant::now())
            .cloned()
    }

    fn put(&self, hash: [u8; 32], known: Known) {
        let mut all = self.lock();
        if all.len() >= CACHE_MAX {
            all.clear();
        }
        all.insert(hash, known);
    }

    fn note_used(&self, token: Uuid, last: Option<i64>, now: i64) {
        if last.is_none_or(|last| now - last > TOUCH_EVERY_MICROS) {
            self.used
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(token, now);
        }
    }
}

impl Workspace {
    /// Who sends this token.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`, the same for a token that never was, was revoked or has expired.
    pub async fn authenticate(&self, bearer: &str) -> Result<Arc<Caller>, AppError> {
        let refused = || {
            AppError::Unauthenticated(
                "the token is not valid: it is unknown, revoked or expired".to_owned(),
            )
        };
        let now = crate::clock::now_micros();
        let hash: [u8; 32] = Sha256::digest(bearer.as_bytes()).into();
        let known = match self.tokens().get(&hash) {
            Some(known) => known,
            None => {
                let token = self
                    .database()
                    .token_by_hash(&hash)
                    .await?
                    .filter(|token| bool::from(token.hash.as_slice().ct_eq(&hash)))
                    .ok_or_else(refused)?;
                let user = self
                    .database()
                    .user(token.user)
                    .await?
                    .ok_or_else(refused)?;
                self.tokens().note_used(token.id, token.last_used_at, now);
                let known = Known {
                    caller: Arc::new(Caller::token(token.id, crate::users::info(&user))),
                    expires_at: token.expires_at,
                    until: Instant::now() + CACHE_FOR,
                };
                self.tokens().put(hash, known.clone());
                known
            }
        };
        if known.expires_at.is_some_and(|expires| expires <= now) {
            return Err(refused());
        }
        Ok(known.caller)
    }
}

/// The tokens of a user, or all of them. Everybody sees their own; an administrator sees all.
///
/// # Errors
/// `FORBIDDEN`.
pub async fn tokens_list(
    workspace: &Workspace,
    caller: &Caller,
    user: Option<Uuid>,
) -> Result<Vec<TokenInfo>, AppError> {
    authorise_for(caller, user)?;
    let tokens = workspace.database().tokens().await?;
    Ok(tokens
        .into_iter()
        .filter(|token| user.is_none_or(|user| token.user == user))
        .map(TokenInfo::from)
        .collect())
}

/// Makes a token for a user. Its text is in the answer and nowhere else.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`, `BAD_INPUT`.
pub async fn token_create(
    workspace: &Workspace,
    caller: &Caller,
    user: Uuid,
    name: &str,
    expires_at: Option<i64>,
) -> Result<NewToken, AppError> {
    authorise_for(caller, Some(user))?;
    if name.trim().is_empty() || name.chars().count() > NAME_MAX {
        return Err(AppError::bad_input_issues(
            Issue::new(
                "BAD_INPUT",
                format!("a token's name says in 1 to {NAME_MAX} characters what it is for"),
            )
            .at("name")
            .into(),
        ));
    }
    if expires_at.is_some_and(|expires| expires <= crate::clock::now_micros()) {
        return Err(AppError::bad_input_issues(
            Issue::new("BAD_INPUT", "the token would have expired already")
                .at("expiresAt")
                .into(),
        ));
    }
    if workspace.database().user(user).await?.is_none() {
        return Err(AppError::NotFound(format!(
            "there is no user with the id {user}"
        )));
    }
    mint(workspace, user, name, expires_at).await
}

/// Revokes a token, at once in this process and within seconds in others.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`.
pub async fn token_delete(
    workspace: &Workspace,
    caller: &Caller,
    id: Uuid,
) -> Result<(), AppError> {
    let absent = || AppError::NotFound(format!("there is no token with the id {id}"));
    let tokens = workspace.database().tokens().await?;
    let token = tokens
        .into_iter()
        .find(|token| token.id == id)
        .ok_or_else(absent)?;
    authorise_for(caller, Some(token.user))?;
    let transaction = workspace.database().begin(Turn::First).await?;
    transaction
        .delete_token(id)
        .await
        .map_err(|error| match error {
            StoreError::NotFound => absent(),
            other => other.into(),
        })?;
    transaction.commit().await?;
    workspace.tokens().forget();
    workspace.refresh_people().await
}

/// Makes a token without asking who may.
pub(crate) async fn mint(
    workspace: &Workspace,
    user: Uuid,
    name: &str,
    expires_at: Option<i64>,
) -> Result<NewToken, AppError> {
    let mut secret = [0_u8; TOKEN_BYTES];
    fill_random(&mut secret)?;
    let text = format!("{TOKEN_PREFIX}{}", base64url(&secret));
    let token = Token {
        id: Uuid::now_v7(),
        user,
        name: name.to_owned(),
        hash: Sha256::digest(text.as_bytes()).to_vec(),
        expires_at,
        last_used_at: None,
        created_at: crate::clock::now_micros(),
    };
    let transaction = workspace.database().begin(Turn::First).await?;
    transaction.insert_token(&token).await?;
    transaction.commit().await?;
    workspace.refresh_people().await?;
    Ok(NewToken {
        token: text,
        info: token.into(),
    })
}

pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<(), AppError> {
    SysRng
        .try_fill_bytes(bytes)
        .map_err(|error| AppError::internal(&error))
}

fn authorise_for(caller: &Caller, user: Option<Uuid>) -> Result<(), AppError> {
    let own = caller.user.as_ref().map(|user| user.id);
    if own.is_some() && own == user {
        Ok(())
    } else {
        authorise_admin(caller)
    }
}

/// RFC 4648, section 5, without padding.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk
            .iter()
            .fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for position in 0..=chunk.len() {
            let index = (bits >> (18 - 6 * position)) & 63;
            text.push(char::from(ALPHABET[index as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_base64url_without_padding() {
        assert_eq!(base64url(b""), "");
        assert_eq!(base64url(b"f"), "Zg");
        assert_eq!(base64url(b"fo"), "Zm8");
        assert_eq!(base64url(b"foo"), "Zm9v");
        assert_eq!(base64url(&[0xfb, 0xff, 0xfe]), "-__-");
        assert_eq!(base64url(&[0; TOKEN_BYTES]).len(), 43);
    }
}
