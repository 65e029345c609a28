//! Users: who may act, and the first administrator.

use argon2::{
    Argon2,
    password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString},
};
use relata_catalog::{Issue, Issues};
use relata_store::{StoreError, Turn, platform::User};
use uuid::Uuid;

use crate::{
    AppError, Caller, UserInfo, Workspace,
    access::authorise_admin,
    tokens::{self, NewToken},
};

/// Most characters of a name or an e-mail address.
const TEXT_MAX: usize = 254;
/// Fewest characters of a password.
pub const PASSWORD_MIN: usize = 8;
/// Most bytes of a password: what is hashed is paid for.
const PASSWORD_MAX: usize = 1_024;
/// How long a session lasts.
const SESSION_SECONDS: i64 = 30 * 24 * 3_600;

/// A user as an administrator describes one.
#[derive(Debug, Clone, Default)]
pub struct UserInput {
    /// Unique, however it is written.
    pub email: String,
    /// What people call them; the address if absent.
    pub name: Option<String>,
    /// To sign in with.
    pub password: Option<String>,
    /// Whether the control plane answers them.
    pub is_admin: bool,
    /// Language tag.
    pub locale: Option<String>,
    /// `Area/City`.
    pub zone: Option<String>,
}

/// What changes of a user; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct UserChanges {
    /// Unique, however it is written.
    pub email: Option<String>,
    /// What people call them.
    pub name: Option<String>,
    /// To sign in with.
    pub password: Option<String>,
    /// Whether the control plane answers them.
    pub is_admin: Option<bool>,
    /// Language tag; `Some(None)` forgets it.
    pub locale: Option<Option<String>>,
    /// `Area/City`; `Some(None)` forgets it.
    pub zone: Option<Option<String>>,
}

/// All users, by name.
///
/// # Errors
/// `FORBIDDEN`.
pub fn users_list(workspace: &Workspace, caller: &Caller) -> Result<Vec<UserInfo>, AppError> {
    authorise_admin(caller)?;
    let mut users: Vec<UserInfo> = workspace.state().directory.users().cloned().collect();
    users.sort_by(|left, right| (&left.name, left.id).cmp(&(&right.name, right.id)));
    Ok(users)
}

/// Creates a user.
///
/// # Errors
/// `FORBIDDEN`; `BAD_INPUT` with all that is wrong; `UNIQUE_VIOLATION` for a known address.
pub async fn user_create(
    workspace: &Workspace,
    caller: &Caller,
    input: &UserInput,
) -> Result<UserInfo, AppError> {
    authorise_admin(caller)?;
    let mut issues = Issues::default();
    check_email(&input.email, &mut issues);
    let name = input.name.clone().unwrap_or_else(|| input.email.clone());
    check_texts(
        Some(&name),
        input.locale.as_deref(),
        input.zone.as_deref(),
        &mut issues,
    );
    check_password(input.password.as_deref(), &mut issues);
    if !issues.is_empty() {
        return Err(AppError::bad_input_issues(issues));
    }
    let user = User {
        id: Uuid::now_v7(),
        email: input.email.trim().to_owned(),
        name,
        password_hash: hashed(input.password.clone()).await?,
        is_admin: input.is_admin,
        locale: input.locale.clone(),
        zone: input.zone.clone(),
        created_at: crate::clock::now_micros(),
    };
    let transaction = workspace.database().begin(Turn::First).await?;
    transaction.insert_user(&user).await.map_err(taken)?;
    transaction.commit().await?;
    workspace.refresh_people().await?;
    Ok(info(&user))
}

/// Changes a user.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`; `BAD_INPUT` with all that is wrong, also when nobody would be left to
/// administrate; `UNIQUE_VIOLATION` for a known address.
pub async fn user_update(
    workspace: &Workspace,
    caller: &Caller,
    id: Uuid,
    changes: &UserChanges,
) -> Result<UserInfo, AppError> {
    authorise_admin(caller)?;
    let mut issues = Issues::default();
    if let Some(email) = &changes.email {
        check_email(email, &mut issues);
    }
    check_texts(
        changes.name.as_deref(),
        changes.locale.as_ref().and_then(Option::as_deref),
        changes.zone.as_ref().and_then(Option::as_deref),
        &mut issues,
    );
    check_password(changes.password.as_deref(), &mut issues);
    if changes.is_admin == Some(false) {
        check_not_last(workspace, id, &mut issues);
    }
    if !issues.is_empty() {
        return Err(AppError::bad_input_issues(issues));
    }
    let password_hash = hashed(changes.password.clone()).await?;
    let transaction = workspace.database().begin(Turn::First).await?;
    let mut user = transaction.user(id).await?.ok_or_else(|| no_user(id))?;
    if let Some(email) = &changes.email {
        user.email = email.trim().to_owned();
    }
    if let Some(name) = &changes.name {
        user.name.clone_from(name);
    }
    if password_hash.is_some() {
        user.password_hash = password_hash;
    }
    user.is_admin = changes.is_admin.unwrap_or(user.is_admin);
    if let Some(locale) = &changes.locale {
        user.locale.clone_from(locale);
    }
    if let Some(zone) = &changes.zone {
        user.zone.clone_from(zone);
    }
    transaction.update_user(&user).await.map_err(taken)?;
    transaction.commit().await?;
    workspace.tokens().forget();
    workspace.refresh_people().await?;
    Ok(info(&user))
}

/// Removes a user with their tokens. What they have done keeps their id.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`; `BAD_INPUT` when nobody would be left to administrate.
pub async fn user_delete(workspace: &Workspace, caller: &Caller, id: Uuid) -> Result<(), AppError> {
    authorise_admin(caller)?;
    let mut issues = Issues::default();
    check_not_last(workspace, id, &mut issues);
    if !issues.is_empty() {
        return Err(AppError::bad_input_issues(issues));
    }
    let transaction = workspace.database().begin(Turn::First).await?;
    transaction
        .delete_user(id)
        .await
        .map_err(|error| match error {
            StoreError::NotFound => no_user(id),
            other => other.into(),
        })?;
    transaction.commit().await?;
    workspace.tokens().forget();
    workspace.refresh_people().await
}

/// Makes the first administrator. A workspace that has users already is left as it is: then the
/// answer is false.
///
/// # Errors
/// `BAD_INPUT` for an address or a password that can't be.
pub async fn administrator_ensure(
    workspace: &Workspace,
    email: &str,
    password: Option<&str>,
) -> Result<bool, AppError> {
    if workspace.state().directory.users().next().is_some() {
        return Ok(false);
    }
    let input = UserInput {
        email: email.to_owned(),
        password: password.map(str::to_owned),
        is_admin: true,
        ..UserInput::default()
    };
    match user_create(workspace, &Caller::system(), &input).await {
        Ok(_) => Ok(true),
        // Another process on the database was faster.
        Err(AppError::UniqueViolation(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The user with this address, however it is written.
///
/// # Errors
/// `NOT_FOUND`.
pub async fn user_by_email(workspace: &Workspace, email: &str) -> Result<UserInfo, AppError> {
    workspace
        .database()
        .user_by_email(email)
        .await?
        .map(|user| info(&user))
        .ok_or_else(|| {
            AppError::NotFound(format!(
                "there is no user {email}; `relata user create` makes one"
            ))
        })
}

/// Checks a password and gives a session's token.
///
/// # Errors
/// `UNAUTHENTICATED`, the same for an unknown address and a wrong password.
pub async fn sign_in(
    workspace: &Workspace,
    email: &str,
    password: &str,
) -> Result<NewToken, AppError> {
    let refused =
        || AppError::Unauthenticated("the address or the password is not right".to_owned());
    if password.len() > PASSWORD_MAX {
        return Err(refused());
    }
    let user = workspace.database().user_by_email(email).await?;
    // Somebody unknown costs as much time as somebody known.
    let hash = user
        .as_ref()
        .and_then(|user| user.password_hash.clone())
        .unwrap_or_else(|| NOBODYS_HASH.to_owned());
    let given = password.to_owned();
    let matches = blocking(move || {
        PasswordHash::new(&hash).is_ok_and(|hash| {
            Argon2::default()
                .verify_password(given.as_bytes(), &hash)
                .is_ok()
        })
    })
    .await?;
    match user {
        Some(user) if matches && user.password_hash.is_some() => {
            let expires_at = crate::clock::now_micros() + SESSION_SECONDS * 1_000_000;
            tokens::mint(workspace, user.id, "session", Some(expires_at)).await
        }
        _ => Err(refused()),
    }
}

/// A hash of the default cost that no password has: its digest is all zeros.
const NOBODYS_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$cmVsYXRhcmVsYXRhcmVsYQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

pub(crate) fn info(user: &User) -> UserInfo {
    UserInfo {
        id: user.id,
        name: user.name.clone(),
        email: user.email.clone(),
        is_admin: user.is_admin,
        locale: user.locale.clone(),
        zone: user.zone.clone(),
    }
}

fn no_user(id: Uuid) -> AppError {
    AppError::NotFound(format!("there is no user with the id {id}"))
}

fn taken(error: StoreError) -> AppError {
    match error {
        StoreError::Unique { .. } => AppError::UniqueViolation(
            Issue::new("NOT_UNIQUE", "another user has this address already")
                .at("email")
                .into(),
        ),
        other => other.into(),
    }
}

fn check_email(email: &str, issues: &mut Issues) {
    let email = email.trim();
    let well_formed = email.len() <= TEXT_MAX
        && !email.contains(char::is_whitespace)
        && email.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.is_empty() && !domain.contains('@')
        });
    if !well_formed {
        issues.push(
            Issue::new("BAD_EMAIL", format!("{email:?} is not an e-mail address")).at("email"),
        );
    }
}

fn check_texts(name: Option<&str>, locale: Option<&str>, zone: Option<&str>, issues: &mut Issues) {
    if let Some(name) = name
        && (name.trim().is_empty() || name.chars().count() > TEXT_MAX)
    {
        issues.push(
            Issue::new(
                "BAD_INPUT",
                format!("a name has 1 to {TEXT_MAX} characters"),
            )
            .at("name"),
        );
    }
    if let Some(locale) = locale {
        let well_formed = (2..=35).contains(&locale.len())
            && locale
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !well_formed {
            issues.push(
                Issue::new("BAD_INPUT", "a locale is a language tag, like en or zh-CN")
                    .at("locale"),
            );
        }
    }
    if let Some(zone) = zone
        && jiff::tz::TimeZone::get(zone).is_err()
    {
        issues
            .push(Issue::new("BAD_INPUT", "a zone is an IANA name, like Europe/Vienna").at("zone"));
    }
}

fn check_password(password: Option<&str>, issues: &mut Issues) {
    if let Some(password) = password
        && (password.chars().count() < PASSWORD_MIN || password.len() > PASSWORD_MAX)
    {
        issues.push(
            Issue::new(
                "BAD_PASSWORD",
                format!("a password has {PASSWORD_MIN} characters or more"),
            )
            .at("password"),
        );
    }
}

fn check_not_last(workspace: &Workspace, id: Uuid, issues: &mut Issues) {
    let state = workspace.state();
    let mut administrators = state.directory.users().filter(|user| user.is_admin);
    if administrators.all(|user| user.id == id) && state.directory.has_user(id) {
        issues.push(
            Issue::new(
                "LAST_ADMINISTRATOR",
                "nobody would be left to administrate: make another administrator first",
            )
            .at("isAdmin"),
        );
    }
}

async fn hashed(password: Option<String>) -> Result<Option<String>, AppError> {
    let Some(password) = password else {
        return Ok(None);
    };
    let mut salt = [0_u8; 16];
    tokens::fill_random(&mut salt)?;
    let hash = blocking(move || {
        let salt = SaltString::encode_b64(&salt).map_err(|error| error.to_string())?;
        Argon2::default()
            .hash_password(password.as_bytes(), &salt)
            .map(|hash| hash.to_string())
            .map_err(|error| error.to_string())
    })
    .await?;
    hash.map(Some)
        .map_err(|error| AppError::broken(&format!("a password can't be hashed: {error}")))
}

/// Hashing takes some 20 ms of CPU on purpose: not on a thread that serves others.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AppError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| AppError::internal(&error))
}
