//! Users, tokens, plugins.

use relata_store::platform::{Plugin, Token, User, plugins, users};
use relata_store::{StoreError, Turn};
use uuid::Uuid;

use crate::fixture::{NOW, on_each};

fn user(email: &str) -> User {
    User {
        id: Uuid::now_v7(),
        email: email.to_owned(),
        name: "Ada".to_owned(),
        password_hash: None,
        is_admin: true,
        locale: Some("de".to_owned()),
        zone: None,
        created_at: NOW,
    }
}

#[tokio::test]
async fn users_are_found_however_their_address_is_written() {
    on_each(async |database| {
        let mut ada = user("Ada@Example.com");
        let transaction = database.begin(Turn::First).await.unwrap();
        transaction.insert_user(&ada).await.unwrap();
        ada.name = "Ada Lovelace".to_owned();
        transaction.update_user(&ada).await.unwrap();
        assert_eq!(transaction.user(ada.id).await.unwrap(), Some(ada.clone()));
        transaction.commit().await.unwrap();
        assert_eq!(
            database.user_by_email("aDA@example.COM").await.unwrap(),
            Some(ada.clone())
        );
        assert_eq!(database.users().await.unwrap(), vec![ada.clone()]);
        assert_eq!(database.user(ada.id).await.unwrap(), Some(ada));

        let transaction = database.begin(Turn::First).await.unwrap();
        let error = transaction
            .insert_user(&user("ada@example.com"))
            .await
            .unwrap_err();
        assert!(
            matches!(&error, StoreError::Unique { index } if index == users::EMAIL_INDEX),
            "{error:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn tokens_go_with_their_user() {
    on_each(async |database| {
        let ada = user("ada@example.com");
        let token = Token {
            id: Uuid::now_v7(),
            user: ada.id,
            name: "laptop".to_owned(),
            hash: vec![7; 32],
            expires_at: None,
            last_used_at: None,
            created_at: NOW,
        };
        let transaction = database.begin(Turn::First).await.unwrap();
        transaction.insert_user(&ada).await.unwrap();
        transaction.insert_token(&token).await.unwrap();
        transaction
            .touch_tokens(&[(token.id, NOW + 1)])
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        let found = database.token_by_hash(&[7; 32]).await.unwrap().unwrap();
        assert_eq!(found.last_used_at, Some(NOW + 1));
        assert_eq!(database.token_by_hash(&[8; 32]).await.unwrap(), None);

        let transaction = database.begin(Turn::First).await.unwrap();
        transaction.delete_user(ada.id).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(database.tokens().await.unwrap(), Vec::new());

        let transaction = database.begin(Turn::First).await.unwrap();
        assert!(matches!(
            transaction.insert_token(&token).await,
            Err(StoreError::Referenced)
        ));
    })
    .await;
}

#[tokio::test]
async fn plugins_keep_their_bytes() {
    on_each(async |database| {
        let mut plugin = Plugin {
            id: "relata.membership".to_owned(),
            version: "1.0.0".to_owned(),
            sha256: "00".to_owned(),
            package: vec![0, 1, 2, 255],
            enabled: true,
            suspended: None,
            grants: "{}".to_owned(),
            settings: "{}".to_owned(),
            prefix: "membership".to_owned(),
            faults: 0,
            installed_at: NOW,
        };
        let transaction = database.begin(Turn::First).await.unwrap();
        transaction.insert_plugin(&plugin).await.unwrap();
        transaction
            .set_plugin_state(&plugin.id, false, Some("five faults in a row"), 5)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        (plugin.enabled, plugin.faults) = (false, 5);
        plugin.suspended = Some("five faults in a row".to_owned());
        assert_eq!(database.plugins().await.unwrap(), vec![plugin.clone()]);

        let transaction = database.begin(Turn::First).await.unwrap();
        let other = Plugin {
            id: "acme.membership".to_owned(),
            ..plugin.clone()
        };
        let savepoint = transaction.savepoint().await.unwrap();
        let error = transaction.insert_plugin(&other).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::Unique { index } if index == plugins::PREFIX_INDEX),
            "{error:?}"
        );
        transaction.rollback_to(savepoint).await.unwrap();
        plugin.version = "1.1.0".to_owned();
        transaction.update_plugin(&plugin).await.unwrap();
        assert_eq!(transaction.plugins().await.unwrap(), vec![plugin.clone()]);
        transaction.delete_plugin(&plugin.id).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(database.plugins().await.unwrap(), Vec::new());
    })
    .await;
}
