//! Who asks.

use async_graphql::{Context, Object};
use relata_app::Caller;

use super::caller;
use super::users::User;

/// Who asks.
pub(super) struct Viewer(Caller);

/// Who asks.
#[Object]
impl Viewer {
    /// What is written into records and history: `user:<id>`, `token:<id>`.
    async fn actor(&self) -> String {
        self.0.actor.to_string()
    }

    /// The user, also behind a token.
    async fn user(&self) -> Option<User> {
        self.0.user.clone().map(User)
    }

    /// Whether the control plane answers.
    async fn is_admin(&self) -> bool {
        self.0.is_admin
    }

    /// Language tag of texts.
    async fn locale(&self) -> &str {
        &self.0.locale
    }

    /// IANA name of the time zone.
    async fn zone(&self) -> &str {
        self.0.zone.iana_name().unwrap_or("UTC")
    }
}

#[derive(Default)]
pub(super) struct ViewerQuery;

#[Object]
impl ViewerQuery {
    /// Who asks.
    async fn viewer(&self, context: &Context<'_>) -> Viewer {
        Viewer(caller(context).clone())
    }
}
