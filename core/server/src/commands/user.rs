//! `relata user …`, `relata token …`

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value as Json, json};

use super::target::Target;
use super::{print_answer, wrong_usage};
use crate::cli::{Common, TokenCommand, UserCommand};

const USER_FIELDS: &str = "id name email isAdmin";

pub(super) async fn run_user(common: &Common, command: UserCommand) -> Result<()> {
    match command {
        UserCommand::Create {
            email,
            name,
            admin,
            password_file,
        } => {
            create(
                common,
                &email,
                name.as_deref(),
                admin,
                password_file.as_deref(),
            )
            .await
        }
        UserCommand::List => list(common).await,
    }
}

async fn create(
    common: &Common,
    email: &str,
    name: Option<&str>,
    is_admin: bool,
    password_file: Option<&Path>,
) -> Result<()> {
    let password = password(password_file)?;
    let target = Target::open(common).await?;
    let query =
        format!("mutation($data: UserCreate!) {{ createUser(data: $data) {{ {USER_FIELDS} }} }}");
    let variables = json!({ "data": {
        "email": email,
        "name": name.unwrap_or(email),
        "isAdmin": is_admin,
        "password": password,
    }});
    let data = target.control(&query, variables).await;
    target.close().await;
    let user = &data?["createUser"];
    print_answer(common, user, || {
        format!(
            "{} is there; `relata token create --user {email}` makes a token for programs",
            user_text(user)
        )
    });
    Ok(())
}

/// The password; a user without one can act through tokens only.
fn password(file: Option<&Path>) -> Result<Option<String>> {
    match file {
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("can't read the password from {}", file.display()))?;
            let password = text.trim_end_matches(['\r', '\n']);
            if password.is_empty() {
                return Err(wrong_usage(format!("{} is empty", file.display())));
            }
            Ok(Some(password.to_owned()))
        }
        None => Ok(std::env::var("RELATA_ADMIN_PASSWORD").ok()),
    }
}

async fn list(common: &Common) -> Result<()> {
    let target = Target::open(common).await?;
    let query = format!("{{ users {{ {USER_FIELDS} }} }}");
    let data = target.control(&query, json!({})).await;
    target.close().await;
    let users = &data?["users"];
    print_answer(common, users, || {
        users
            .as_array()
            .into_iter()
            .flatten()
            .map(user_text)
            .collect::<Vec<_>>()
            .join("\n")
    });
    Ok(())
}

fn user_text(user: &Json) -> String {
    let role = if user["isAdmin"].as_bool().unwrap_or_default() {
        " (administrator)"
    } else {
        ""
    };
    format!(
        "{} <{}>{role}",
        user["name"].as_str().unwrap_or_default(),
        user["email"].as_str().unwrap_or_default()
    )
}

pub(super) async fn run_token(common: &Common, command: TokenCommand) -> Result<()> {
    let TokenCommand::Create { user, name } = command;
    let target = Target::open(common).await?;
    let query =
        "mutation($data: TokenCreate!) { createToken(data: $data) { secret token { id } } }";
    let data = target
        .control(query, json!({ "data": { "user": user, "name": name } }))
        .await;
    target.close().await;
    let data = data?;
    let secret = data["createToken"]["secret"].as_str().unwrap_or_default();
    let id = &data["createToken"]["token"]["id"];
    print_answer(common, &json!({ "token": secret, "id": id }), || {
        secret.to_owned()
    });
    Ok(())
}
