//! API tokens.

use async_graphql::{Context, ID, InputObject, Object, Result};
use relata_app::tokens::{self, NewToken, TokenInfo};
use relata_app::{AppError, users};

use super::error::graphql;
use super::scalars::DateTime;
use super::users::User;
use super::{Administrator, caller, state, uuid, workspace};

/// Lets a program act for a user. Its secret is not kept.
pub(super) struct Token(TokenInfo);

/// Lets a program act for a user. Its secret is not kept.
#[Object]
impl Token {
    /// Id.
    async fn id(&self) -> ID {
        ID::from(self.0.id)
    }

    /// What it is for.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Whom it acts for.
    async fn user(&self, context: &Context<'_>) -> Option<User> {
        state(context)
            .directory
            .user(self.0.user)
            .cloned()
            .map(User)
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it was last used, to about a minute.
    async fn last_used_at(&self) -> Option<DateTime> {
        self.0.last_used_at.map(DateTime)
    }

    /// When it ends, if ever.
    async fn expires_at(&self) -> Option<DateTime> {
        self.0.expires_at.map(DateTime)
    }
}

/// A token and its secret.
pub(super) struct CreatedToken(NewToken);

/// A token and its secret.
#[Object]
impl CreatedToken {
    /// What a program sends: `Authorization: Bearer …`. Shown this once.
    async fn secret(&self) -> &str {
        &self.0.token
    }

    /// The token.
    async fn token(&self) -> Token {
        Token(self.0.info.clone())
    }
}

/// A new token.
#[derive(InputObject)]
pub(super) struct TokenCreate {
    /// Whom it acts for: the user's e-mail address, or id. The caller, if absent.
    user: Option<String>,
    /// What it is for.
    #[graphql(default_with = "\"API\".to_owned()")]
    name: String,
    /// When it ends; never, if absent.
    expires_at: Option<DateTime>,
}

#[derive(Default)]
pub(super) struct TokenQuery;

#[Object(guard = "Administrator")]
impl TokenQuery {
    /// All tokens.
    async fn tokens(&self, context: &Context<'_>) -> Result<Vec<Token>> {
        tokens::tokens_list(workspace(context), caller(context), None)
            .await
            .map(|all| all.into_iter().map(Token).collect())
            .map_err(graphql)
    }

    /// The token with this id.
    async fn token(&self, context: &Context<'_>, id: ID) -> Result<Option<Token>> {
        let all = tokens::tokens_list(workspace(context), caller(context), None)
            .await
            .map_err(graphql)?;
        Ok(all
            .into_iter()
            .find(|token| token.id.to_string() == id.as_str())
            .map(Token))
    }
}

#[derive(Default)]
pub(super) struct TokenMutation;

#[Object(guard = "Administrator")]
impl TokenMutation {
    /// Makes a token; its secret is shown this once.
    async fn create_token(&self, context: &Context<'_>, data: TokenCreate) -> Result<CreatedToken> {
        let user = whom(context, data.user.as_deref()).await?;
        tokens::token_create(
            workspace(context),
            caller(context),
            user,
            &data.name,
            data.expires_at.map(|instant| instant.0),
        )
        .await
        .map(CreatedToken)
        .map_err(graphql)
    }

    /// Ends a token at once.
    async fn delete_token(&self, context: &Context<'_>, id: ID) -> Result<ID> {
        let token = uuid(&id, "token")?;
        tokens::token_delete(workspace(context), caller(context), token)
            .await
            .map_err(graphql)?;
        Ok(id)
    }
}

/// The user that a token is for: by e-mail address or id, or the caller.
async fn whom(context: &Context<'_>, user: Option<&str>) -> Result<uuid::Uuid> {
    match user {
        Some(email) if email.contains('@') => users::user_by_email(workspace(context), email)
            .await
            .map(|user| user.id)
            .map_err(graphql),
        Some(id) => uuid(&ID::from(id), "user"),
        None => {
            let own = caller(context).user.as_ref().map(|user| user.id);
            own.ok_or_else(|| {
                graphql(AppError::bad_input(
                    "say for which user: by e-mail address or id",
                ))
            })
        }
    }
}
