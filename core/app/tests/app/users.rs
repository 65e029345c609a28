//! Users, tokens and sessions.

use relata_app::{
    Caller, Workspace,
    tokens::{token_create, token_delete, tokens_list},
    users::{
        UserChanges, UserInput, administrator_ensure, sign_in, user_create, user_delete,
        user_update,
    },
};
use uuid::Uuid;

use crate::fixture::{administrator, issues};

on_each_database! {
    tokens_open_and_close
    users_are_checked
    passwords_make_sessions
}

async fn tokens_open_and_close(workspace: Workspace) {
    let administrator = administrator(&workspace).await;
    let user = administrator.user.clone().unwrap();
    let made = token_create(&workspace, &administrator, user.id, "test", None)
        .await
        .unwrap();
    assert!(made.token.starts_with("rlt_"));
    let caller = workspace.authenticate(&made.token).await.unwrap();
    assert!(caller.is_admin);
    assert_eq!(caller.actor.to_string(), format!("token:{}", made.info.id));
    assert_eq!(
        tokens_list(&workspace, &administrator, None)
            .await
            .unwrap()
            .len(),
        1
    );

    token_delete(&workspace, &administrator, made.info.id)
        .await
        .unwrap();
    for wrong in [made.token.as_str(), "", "rlt_x"] {
        let error = workspace.authenticate(wrong).await.unwrap_err();
        assert_eq!(error.code(), "UNAUTHENTICATED");
    }
    let stale = token_create(&workspace, &administrator, user.id, "test", Some(1))
        .await
        .unwrap_err();
    assert_eq!(issues(&stale), ["expiresAt BAD_INPUT"]);
}

async fn users_are_checked(workspace: Workspace) {
    let administrator = administrator(&workspace).await;
    assert!(
        !administrator_ensure(&workspace, "eve@example.org", None)
            .await
            .unwrap()
    );
    let input = UserInput {
        email: "not an address".to_owned(),
        password: Some("short".to_owned()),
        zone: Some("Mars/Olympus".to_owned()),
        ..UserInput::default()
    };
    let error = user_create(&workspace, &administrator, &input)
        .await
        .unwrap_err();
    assert_eq!(
        issues(&error),
        ["email BAD_EMAIL", "password BAD_PASSWORD", "zone BAD_INPUT"]
    );

    let input = UserInput {
        email: "ADA@example.org".to_owned(),
        ..UserInput::default()
    };
    let error = user_create(&workspace, &administrator, &input)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "UNIQUE_VIOLATION");

    let id = administrator.user.clone().unwrap().id;
    let demoted = UserChanges {
        is_admin: Some(false),
        ..UserChanges::default()
    };
    assert_eq!(
        issues(
            &user_update(&workspace, &administrator, id, &demoted)
                .await
                .unwrap_err()
        ),
        ["isAdmin LAST_ADMINISTRATOR"]
    );
    assert!(user_delete(&workspace, &administrator, id).await.is_err());

    let input = UserInput {
        email: "bob@example.org".to_owned(),
        ..UserInput::default()
    };
    let bob = user_create(&workspace, &administrator, &input)
        .await
        .unwrap();
    let error = user_create(&workspace, &Caller::user(bob.clone()), &input)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "FORBIDDEN");
    user_delete(&workspace, &administrator, bob.id)
        .await
        .unwrap();
    let error = user_delete(&workspace, &administrator, Uuid::now_v7())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "NOT_FOUND");
}

async fn passwords_make_sessions(workspace: Workspace) {
    administrator_ensure(&workspace, "ada@example.org", Some("correct horse"))
        .await
        .unwrap();
    let session = sign_in(&workspace, "Ada@example.org", "correct horse")
        .await
        .unwrap();
    assert!(
        workspace
            .authenticate(&session.token)
            .await
            .unwrap()
            .is_admin
    );
    for (email, password) in [
        ("ada@example.org", "wrong horse"),
        ("eve@example.org", "correct horse"),
    ] {
        let error = sign_in(&workspace, email, password).await.unwrap_err();
        assert_eq!(error.code(), "UNAUTHENTICATED");
    }
}
