//! Who does something, and on whose behalf.

use std::{fmt, str::FromStr};

use jiff::tz::TimeZone;
use uuid::Uuid;

/// Who does something. Its text is what the database keeps: `user:<uuid>`, `token:<uuid>`,
/// `plugin:<id>` or `system`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A person.
    User(Uuid),
    /// A program with an API token.
    Token(Uuid),
    /// A plugin, with what was granted to it.
    Plugin(String),
    /// The product itself: migrations, configuration records, the command line.
    System,
}

impl fmt::Display for Actor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(formatter, "user:{id}"),
            Self::Token(id) => write!(formatter, "token:{id}"),
            Self::Plugin(id) => write!(formatter, "plugin:{id}"),
            Self::System => formatter.write_str("system"),
        }
    }
}

/// A text that names no actor.
#[derive(Debug, thiserror::Error)]
#[error("not an actor: {0}")]
pub struct NotAnActor(String);

impl FromStr for Actor {
    type Err = NotAnActor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotAnActor(text.to_owned());
        match text.split_once(':') {
            None if text == "system" => Ok(Self::System),
            Some(("user", id)) => id.parse().map(Self::User).map_err(|_| wrong()),
            Some(("token", id)) => id.parse().map(Self::Token).map_err(|_| wrong()),
            Some(("plugin", id)) if !id.is_empty() => Ok(Self::Plugin(id.to_owned())),
            _ => Err(wrong()),
        }
    }
}

/// What is known of a user who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserInfo {
    /// Id.
    pub id: Uuid,
    /// As shown.
    pub name: String,
    /// Unique, folded.
    pub email: String,
    /// Whether the control plane answers.
    pub is_admin: bool,
    /// Language tag, where the user has chosen one.
    pub locale: Option<String>,
    /// IANA name, where the user has chosen one.
    pub zone: Option<String>,
}

/// Language of a caller who has not chosen one.
pub const LOCALE_DEFAULT: &str = "en";

/// On whose behalf a request runs.
#[derive(Debug, Clone)]
pub struct Caller {
    /// What is written into records and history.
    pub actor: Actor,
    /// The user, also behind a token.
    pub user: Option<UserInfo>,
    /// Whether the control plane answers.
    pub is_admin: bool,
    /// Language tag of texts.
    pub locale: String,
    /// Zone of "today" and of dates without one.
    pub zone: TimeZone,
}

impl Caller {
    /// The product itself: may do everything.
    #[must_use]
    pub fn system() -> Self {
        Self {
            actor: Actor::System,
            user: None,
            is_admin: true,
            locale: LOCALE_DEFAULT.to_owned(),
            zone: TimeZone::UTC,
        }
    }

    /// A user, as themselves.
    #[must_use]
    pub fn user(user: UserInfo) -> Self {
        Self {
            actor: Actor::User(user.id),
            ..Self::of_user(user)
        }
    }

    /// A program that acts for a user by one of the user's tokens.
    #[must_use]
    pub fn token(token: Uuid, user: UserInfo) -> Self {
        Self {
            actor: Actor::Token(token),
            ..Self::of_user(user)
        }
    }

    /// A plugin in the course of somebody's request: its own rights, the reader's language.
    #[must_use]
    pub fn plugin(&self, id: &str) -> Self {
        Self {
            actor: Actor::Plugin(id.to_owned()),
            user: None,
            is_admin: false,
            locale: self.locale.clone(),
            zone: self.zone.clone(),
        }
    }

    fn of_user(user: UserInfo) -> Self {
        let zone = user
            .zone
            .as_deref()
            .and_then(|name| TimeZone::get(name).ok())
            .unwrap_or(TimeZone::UTC);
        Self {
            actor: Actor::System,
            is_admin: user.is_admin,
            locale: user
                .locale
                .clone()
                .unwrap_or_else(|| LOCALE_DEFAULT.to_owned()),
            zone,
            user: Some(user),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_text_of_an_actor_reads_back() {
        for actor in [
            Actor::User(Uuid::now_v7()),
            Actor::Token(Uuid::now_v7()),
            Actor::Plugin("relata.membership".to_owned()),
            Actor::System,
        ] {
            assert_eq!(actor.to_string().parse::<Actor>().unwrap(), actor);
        }
        for wrong in ["", "user:", "user:1", "plugin:", "root", "system:"] {
            assert!(wrong.parse::<Actor>().is_err(), "{wrong}");
        }
    }
}
