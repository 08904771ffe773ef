//! The size of the lists for a million sessions, one in a hundred of them revoked.

use std::path::Path;
use std::time::{Duration, Instant};

use portcullis::testing::verdict;
use portcullis::{Authenticator, Gate, Revocation};
use portcullis_bench_issuer::{Server, log_in};
use portcullis_benches::measure::note;
use portcullis_benches::scenario::{AUDIENCE, bearer};
use sqlx::{ConnectOptions as _, Executor as _};

/// The group under which the figures are reported.
const GROUP: &str = "revocation, until known";

/// Assigns half a million sessions to each of two lists, at random indexes.
const SESSIONS: &str = "\
    WITH RECURSIVE numbers(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i < 999999) \
    INSERT INTO status_places (list, place, owner, taken_until, revoked) \
    SELECT i % 2, ((i / 2) * 40503 + 7) % 1048576, 'session ' || i, 4000000000, \
           abs(random()) % 100 = 0 FROM numbers; \
    UPDATE status_lists SET lists = 2, version = version + 1;";

pub(crate) async fn of_a_million() {
    let issuer = Server::start(60, async |database: &Path| {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
        let mut connection = options.connect().await.unwrap();
        connection.execute(SESSIONS).await.unwrap();
    })
    .await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/v1/status-lists/1", issuer.url);
    let get = async || {
        let begun = Instant::now();
        let answer = client.get(&url).send().await.unwrap().error_for_status().unwrap();
        let body = answer.bytes().await.unwrap();
        (begun.elapsed(), body.len())
    };
    let (made, bytes) = get().await;
    let mut kept: Vec<Duration> = Vec::new();
    for _ in 0..51 {
        kept.push(get().await.0);
    }
    kept.sort_unstable();

    let token = log_in(&client, &issuer.url).await.token;
    let mut fetched = Vec::new();
    let mut services = Vec::new();
    let before = resident();
    for _ in 0..21 {
        let auth = Authenticator::builder(&issuer.url, AUDIENCE).build().await.unwrap();
        let gate =
            Gate::new(auth).revocation(Revocation::status_list(Duration::from_secs(60))).unwrap();
        let begun = Instant::now();
        verdict(&gate, &bearer(&token)).await.unwrap();
        fetched.push(begun.elapsed());
        services.push(gate);
    }
    fetched.sort_unstable();
    let grown = (resident() - before) / services.len() as f64 / 1024.0;
    note(
        GROUP,
        &format!(
            "A million sessions, 1 % of them revoked, in two lists: {bytes} bytes over the wire for each list, made in {:.0} ms, and \
             then answered from memory in {:.1} ms (median of 51). A service fetches, verifies and unpacks one in {:.1} ms (median of \
             21) and keeps 128 KiB of bits for it; its process grows by {grown:.0} KiB, the authenticator with its keys and its HTTP \
             client included.",
            millis(made),
            millis(kept[25]),
            millis(fetched[10]),
        ),
    );
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Returns the resident memory of this process, in bytes.
fn resident() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: Option<f64> = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or_default() * 4096.0
}
