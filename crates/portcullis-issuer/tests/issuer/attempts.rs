//! Attempts that share a count, and attempts that do not.

use portcullis_issuer::{Issuer, IssuerConfig, NewClient, NewUser};
use serde_json::json;

use crate::clients::{INTROSPECT, basic, form};
use crate::common::{Answer, Home, PASSWORD, on_every_store, post};

on_every_store!(
    wrong_client_secrets_do_not_limit_the_user_of_the_same_name,
    unknown_client_ids_have_no_counts,
    invalid_names_share_one_count,
);

/// Opens an issuer that accepts two attempts per account, and any number per address.
async fn open(home: &Home) -> Issuer {
    let mut config: IssuerConfig = home.config();
    (config.attempts_per_account, config.attempts_per_address) = (2, 0);
    let issuer = Issuer::open(config).await.unwrap();
    issuer.add_user(NewUser::new("billing", PASSWORD)).await.unwrap();
    issuer.add_client(NewClient::new("billing")).await.unwrap();
    issuer
}

async fn login_as(issuer: &Issuer, name: &str, password: &str) -> Answer {
    post(issuer, "/v1/auth/login", &json!({ "username": name, "password": password })).await
}

async fn wrong_client(issuer: &Issuer, id: &str) -> u16 {
    form(issuer, INTROSPECT, &basic(id, "wrong"), "token=x").await.status.as_u16()
}

async fn wrong_client_secrets_do_not_limit_the_user_of_the_same_name(home: Home) {
    let issuer = open(&home).await;
    for expected in [401, 401, 429] {
        assert_eq!(wrong_client(&issuer, "billing").await, expected);
    }
    login_as(&issuer, "billing", PASSWORD).await.expect(200);
}

/// If unknown ids had counts, a flood of made-up ids would fill the table.
async fn unknown_client_ids_have_no_counts(home: Home) {
    let issuer = open(&home).await;
    for _ in 0..4 {
        assert_eq!(wrong_client(&issuer, "unknown").await, 401);
    }
}

async fn invalid_names_share_one_count(home: Home) {
    let issuer = open(&home).await;
    for (name, expected) in [("a\u{0}", 401), ("b\u{0}", 401), ("c\u{0}", 429)] {
        login_as(&issuer, name, "wrong").await.expect(expected);
    }
}
