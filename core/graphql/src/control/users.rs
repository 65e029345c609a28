//! Users.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result};
use relata_app::{
    UserInfo,
    users::{self, UserChanges, UserInput},
};

use super::error::graphql;
use super::{Administrator, caller, uuid, workspace};

/// Somebody who may sign in, and for whom tokens act.
pub(super) struct User(pub(super) UserInfo);

/// Somebody who may sign in, and for whom tokens act.
#[Object]
impl User {
    /// Id.
    async fn id(&self) -> ID {
        ID::from(self.0.id)
    }

    /// As shown.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Unique.
    async fn email(&self) -> &str {
        &self.0.email
    }

    /// Whether the control plane answers.
    async fn is_admin(&self) -> bool {
        self.0.is_admin
    }

    /// Language tag of texts, where the user has chosen one.
    async fn locale(&self) -> Option<&str> {
        self.0.locale.as_deref()
    }

    /// IANA name of the time zone, where the user has chosen one.
    async fn zone(&self) -> Option<&str> {
        self.0.zone.as_deref()
    }
}

/// A new user.
#[derive(InputObject)]
pub(super) struct UserCreate {
    /// Unique.
    email: String,
    /// As shown; the address, if absent.
    name: Option<String>,
    /// Without one the user acts through tokens only.
    #[graphql(secret)]
    password: Option<String>,
    /// Whether the control plane answers.
    #[graphql(default)]
    is_admin: bool,
    /// Language tag of texts.
    locale: Option<String>,
    /// IANA name of the time zone.
    zone: Option<String>,
}

/// What changes of a user.
#[derive(InputObject)]
pub(super) struct UserUpdate {
    /// Unique.
    email: Option<String>,
    /// As shown.
    name: Option<String>,
    /// To sign in with.
    #[graphql(secret)]
    password: Option<String>,
    /// Whether the control plane answers.
    is_admin: Option<bool>,
    /// Language tag of texts; `null` forgets it.
    locale: MaybeUndefined<String>,
    /// IANA name of the time zone; `null` forgets it.
    zone: MaybeUndefined<String>,
}

#[derive(Default)]
pub(super) struct UserQuery;

#[Object(guard = "Administrator")]
impl UserQuery {
    /// All users.
    async fn users(&self, context: &Context<'_>) -> Result<Vec<User>> {
        users::users_list(workspace(context), caller(context))
            .map(|all| all.into_iter().map(User).collect())
            .map_err(graphql)
    }

    /// The user with this id, or with this e-mail address.
    async fn user(
        &self,
        context: &Context<'_>,
        id: Option<ID>,
        email: Option<String>,
    ) -> Result<Option<User>> {
        let wanted = email.map(|email| relata_catalog::folded(&email));
        let all = users::users_list(workspace(context), caller(context)).map_err(graphql)?;
        Ok(all
            .into_iter()
            .find(|user| {
                id.as_ref()
                    .is_some_and(|id| id.as_str() == user.id.to_string())
                    || wanted
                        .as_ref()
                        .is_some_and(|wanted| *wanted == relata_catalog::folded(&user.email))
            })
            .map(User))
    }
}

#[derive(Default)]
pub(super) struct UserMutation;

#[Object(guard = "Administrator")]
impl UserMutation {
    /// Makes a user.
    async fn create_user(&self, context: &Context<'_>, data: UserCreate) -> Result<User> {
        let input = UserInput {
            email: data.email,
            name: data.name,
            password: data.password,
            is_admin: data.is_admin,
            locale: data.locale,
            zone: data.zone,
        };
        users::user_create(workspace(context), caller(context), &input)
            .await
            .map(User)
            .map_err(graphql)
    }

    /// Changes a user: what `data` does not name stays.
    async fn update_user(&self, context: &Context<'_>, id: ID, data: UserUpdate) -> Result<User> {
        let changes = UserChanges {
            email: data.email,
            name: data.name,
            password: data.password,
            is_admin: data.is_admin,
            locale: data.locale.into(),
            zone: data.zone.into(),
        };
        let id = uuid(&id, "user")?;
        users::user_update(workspace(context), caller(context), id, &changes)
            .await
            .map(User)
            .map_err(graphql)
    }

    /// Removes a user with their tokens. What they have done keeps their id.
    async fn delete_user(&self, context: &Context<'_>, id: ID) -> Result<ID> {
        let user = uuid(&id, "user")?;
        users::user_delete(workspace(context), caller(context), user)
            .await
            .map_err(graphql)?;
        Ok(id)
    }
}
