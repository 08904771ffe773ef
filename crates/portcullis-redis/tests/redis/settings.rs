//! Settings that could lose an acknowledged entry, and TLS.

use std::time::Duration;

use portcullis::Algorithm;
use portcullis::feed::{RevocationStore as _, Revocations};
use portcullis::testing::{TestKey, builder};
use portcullis_redis::RedisRevocations;
use portcullis_test_support::private_ca;
use portcullis_test_support::redis_server::{DURABLE, Program, RedisServer};

use crate::{open, read, send, session};

#[tokio::test]
#[ignore = "needs Redis: run cargo xtask test"]
async fn setting_that_could_lose_an_entry_is_unsuitable() {
    let server = RedisServer::start(Program::Redis, &[]);
    let store = open(&server);
    for (setting, value, expected) in [
        // Debian's defaults.
        ("appendonly", "no", "`appendonly` of Redis 7.0"),
        ("appendonly", "yes", "is everysec; set it to always"),
        ("no-appendfsync-on-rewrite", "yes", "is everysec; set it to always"),
        ("appendfsync", "always", "`no-appendfsync-on-rewrite` of Redis 7.0"),
        ("no-appendfsync-on-rewrite", "no", ""),
        ("maxmemory-policy", "allkeys-lru", "may delete entries; set it to noeviction"),
    ] {
        send(&server, &["CONFIG", "SET", setting, value]).await;
        let error = match store.check().await {
            Ok(()) => String::new(),
            Err(error) if error.is_unsuitable() => error.to_string(),
            Err(error) => format!("not unsuitable: {error:?}"),
        };
        assert!(error.contains(expected) && error.is_empty() == expected.is_empty(), "{error}");
    }
}

#[tokio::test]
#[ignore = "needs Redis: run cargo xtask test"]
async fn service_starts_only_if_the_settings_are_right() {
    let server = RedisServer::start(Program::Redis, &["--appendonly", "yes"]);
    let key = TestKey::generate("k", Algorithm::Es256);
    let start = async || {
        let builder = builder(&key).max_token_lifetime(Duration::from_secs(900));
        builder.revocations(Revocations::new(open(&server))).build().await
    };
    let error = format!("{:?}", start().await.unwrap_err());
    assert!(error.contains("is everysec; set it to always"), "{error}");
    send(&server, &["CONFIG", "SET", "appendfsync", "always"]).await;
    start().await.unwrap();
}

#[tokio::test]
#[ignore = "needs Redis: run cargo xtask test"]
async fn unreadable_settings_are_unsuitable_unless_trusted() {
    for (program, version) in [(Program::Redis, "Redis 7.0"), (Program::Valkey, "Valkey")] {
        let unreadable = ["--rename-command", "CONFIG", ""];
        let server = RedisServer::start(program, &[&DURABLE[..], &unreadable[..]].concat());
        let error = open(&server).check().await.unwrap_err();
        let text = error.to_string();
        assert!(error.is_unsuitable() && text.contains(version), "{text}");
        assert!(text.contains("permit CONFIG GET") && text.contains("trust_unreadable_config"));
        let trusting = RedisRevocations::builder(&server.url()).trust_unreadable_config();
        let trusting = trusting.build().unwrap();
        trusting.check().await.unwrap();
        trusting.append(&session("a")).await.unwrap();
        assert_eq!(read(&trusting, None).await.0, ["a"]);
    }
    // The information from `INFO` is checked in any case.
    let server = RedisServer::start(Program::Redis, &["--rename-command", "CONFIG", ""]);
    let trusting = RedisRevocations::builder(&server.url()).trust_unreadable_config();
    let error = trusting.build().unwrap().check().await.unwrap_err();
    assert!(error.is_unsuitable() && error.to_string().contains("aof_enabled:0"), "{error}");
}

#[tokio::test]
#[ignore = "needs Redis: run cargo xtask test"]
async fn documented_permissions_suffice() {
    let server = RedisServer::start(Program::Redis, &DURABLE);
    let documented = include_str!("../../src/store.rs");
    let (_, documented) = documented.split_once("The user needs `").unwrap();
    let (documented, _) = documented.split_once('`').unwrap();
    let mut command = vec!["ACL", "SETUSER", "app", "on", ">secret", "~{portcullis:revocations}:*"];
    command
        .extend(documented.split_whitespace().filter(|word| *word != "///" && *word != "+waitaof"));
    send(&server, &command).await;
    let url = server.url().replace("redis://", "redis://app:secret@");
    let store = RedisRevocations::new(&url).unwrap();
    store.check().await.unwrap();
    store.append(&session("a")).await.unwrap();
    store.prune(2000).await.unwrap();
    let (found, cursor) = read(&store, None).await;
    assert_eq!(found, ["a"]);
    store.changed(&cursor).await;
    assert_eq!(read(&store, Some(cursor)).await.0, [""; 0]);
    let wrong = RedisRevocations::new(&url.replace("secret", "hunter2")).unwrap();
    let error = wrong.check().await.unwrap_err();
    assert!(!error.is_unsuitable() && !format!("{error:?}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
#[ignore = "needs Redis: run cargo xtask test"]
async fn tls_accepts_only_a_certificate_of_the_ca_for_the_host() {
    let made = private_ca::certificate(&["localhost"]);
    let server = RedisServer::start_with_tls(&made);
    let store = |host: &str, authority: Option<&str>| {
        let url = server.url().replace("redis://127.0.0.1", &format!("rediss://{host}"));
        let builder = RedisRevocations::builder(&url);
        let builder = match authority {
            Some(authority) => builder.root_certificates(authority),
            None => builder,
        };
        builder.build().unwrap()
    };
    let trusted = store("localhost", Some(&made.authority));
    trusted.append(&session("a")).await.unwrap();
    assert_eq!(read(&trusted, None).await.0, ["a"]);
    for untrusted in [store("127.0.0.1", Some(&made.authority)), store("localhost", None)] {
        let error = format!("{:?}", untrusted.check().await.unwrap_err());
        assert!(error.contains("certificate"), "{error}");
    }
}
