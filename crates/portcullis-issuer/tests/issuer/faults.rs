//! A store that is locked, missing or restarted: the issuer answers with 503 and `Retry-After`, and
//! recovers without a restart. (The unit tests have the case of a full disk on SQLite.)

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use portcullis_issuer::Issuer;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::common::{Answer, Home, call, execute, login, refresh, stranger, with_token};

/// Checks the issuer's responses while its store is unavailable.
async fn cannot_answer(issuer: &Issuer, grant: &Answer) {
    let (access, token) = (grant.text("access_token"), grant.text("refresh_token"));
    let (one, two, three, four, keys) = tokio::join!(
        login(issuer),
        refresh(issuer, &token),
        with_token(issuer, "GET /v1/users/me", &access),
        call(issuer, "GET /readyz", &[]),
        call(issuer, "GET /.well-known/jwks.json", &[]),
    );
    for answer in [one, two, three, four] {
        assert_eq!(answer.expect(503).header("retry-after"), "1");
    }
    // The health probe succeeds: a restart would not help.
    call(issuer, "GET /healthz", &[]).await.expect(200);
    assert_eq!(keys.expect(200).json["keys"].as_array().unwrap().len(), 1);
}

/// Checks that the issuer has recovered, and that the refresh token from before the outage is
/// valid.
async fn answers(issuer: &Issuer, grant: &Answer) -> Answer {
    with_token(issuer, "GET /v1/users/me", &grant.text("access_token")).await.expect(200);
    call(issuer, "GET /readyz", &[]).await.expect(200);
    login(issuer).await.expect(200);
    refresh(issuer, &grant.text("refresh_token")).await.expect(200)
}

#[tokio::test]
async fn locked_file_is_503_after_a_wait() {
    let home = Home::new();
    let issuer = home.open_with_alice().await;
    let grant = login(&issuer).await.expect(200);
    let mut other = stranger(&home).await;
    execute(&mut other, "BEGIN IMMEDIATE").await;
    let token = grant.text("refresh_token");
    let (one, two) = tokio::join!(login(&issuer), refresh(&issuer, &token));
    for answer in [one, two] {
        assert_eq!(answer.expect(503).header("retry-after"), "1");
    }
    execute(&mut other, "COMMIT").await;
    answers(&issuer, &grant).await;
}

/// SQLite itself would write to the moved file, and acknowledged changes would be lost with it.
#[cfg(unix)]
#[tokio::test]
async fn moved_or_replaced_file_is_503() {
    let home = Home::new();
    let issuer = home.open_with_alice().await;
    let grant = login(&issuer).await.expect(200);
    let aside = home.path().join("aside");
    fs::rename(home.database(), &aside).unwrap();
    for replaced in [false, true] {
        if replaced {
            fs::write(home.database(), "").unwrap();
        }
        for answer in [login(&issuer).await, refresh(&issuer, &grant.text("refresh_token")).await] {
            assert_eq!(answer.expect(503).header("retry-after"), "1");
        }
    }
    fs::rename(&aside, home.database()).unwrap();
    answers(&issuer, &grant).await;
}

/// A proxy between an issuer and PostgreSQL. When it is switched off, it closes all connections,
/// and new ones at once.
struct Cable {
    on: watch::Sender<bool>,
}

impl Cable {
    async fn between(home: &mut Home) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = home.reroute(&listener.local_addr().unwrap().to_string());
        let (on, state) = watch::channel(true);
        tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let (server, mut state) = (server.clone(), state.clone());
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(server).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = state.wait_for(|on| !on) => {}
                    }
                });
            }
        });
        Self { on }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn issuer_recovers_when_the_server_is_back() {
    let mut home = Home::on_postgres().await;
    let cable = Cable::between(&mut home).await;
    let issuer = home.open_with_alice().await;
    let mut grant = login(&issuer).await.expect(200);
    for _ in 0..2 {
        cable.on.send(false).unwrap();
        cannot_answer(&issuer, &grant).await;
        cable.on.send(true).unwrap();
        grant = answers(&issuer, &grant).await;
    }
}

/// Like a restart, this cuts every connection in the middle of its operation.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn repeated_server_restarts_do_not_end_a_session() {
    let mut home = Home::on_postgres().await;
    let cable = Cable::between(&mut home).await;
    let issuer = home.open_with_alice().await;
    let first = login(&issuer).await.expect(200);
    let done = Arc::new(AtomicBool::new(false));
    let client = tokio::spawn({
        let (issuer, done) = (issuer.clone(), Arc::clone(&done));
        let mut token = first.text("refresh_token");
        async move {
            let mut refreshed = 0_u32;
            while !done.load(Ordering::Relaxed) {
                let answer = refresh(&issuer, &token).await;
                match answer.status.as_u16() {
                    200 => token = answer.text("refresh_token"),
                    503 => continue,
                    other => panic!("{other}: {answer:?}"),
                }
                refreshed += 1;
            }
            (token, refreshed)
        }
    });
    for restart in 0..10 {
        tokio::time::sleep(Duration::from_millis(50 + restart)).await;
        cable.on.send(false).unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        cable.on.send(true).unwrap();
    }
    done.store(true, Ordering::Relaxed);
    let (token, refreshed) = client.await.unwrap();
    assert!(refreshed > 0);
    refresh(&issuer, &token).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn locked_table_or_full_disk_is_503() {
    let home = Home::on_postgres().await;
    let issuer = home.open_with_alice().await;
    let mut grant = login(&issuer).await.expect(200);
    let mut other = PgConnection::connect(home.postgres().unwrap()).await.unwrap();
    for statements in [
        ["BEGIN", "LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE", "COMMIT"],
        // A trigger raises PostgreSQL's error for a full disk (53100).
        [
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$",
            "CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON sessions \
             FOR EACH ROW EXECUTE FUNCTION full_disk()",
            "DROP TRIGGER full_disk ON sessions",
        ],
    ] {
        let [first, second, last] = statements.map(AssertSqlSafe);
        sqlx::query(first).execute(&mut other).await.unwrap();
        sqlx::query(second).execute(&mut other).await.unwrap();
        let token = grant.text("refresh_token");
        let (one, two) = tokio::join!(login(&issuer), refresh(&issuer, &token));
        for answer in [one, two] {
            assert_eq!(answer.expect(503).header("retry-after"), "1");
        }
        sqlx::query(last).execute(&mut other).await.unwrap();
        grant = answers(&issuer, &grant).await;
    }
}
