//! Measures the load that many services cause at one issuer process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use portcullis_bench_issuer::{Server, end, log_in};
use portcullis_benches::measure::note;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The group under which the figures are reported.
const GROUP: &str = "revocation, until known";

const FOR: Duration = Duration::from_secs(30);

/// How services learn of revocations.
struct Habit {
    services: u64,
    /// The seconds that the issuer is asked to wait for a change (`Prefer: wait`, RFC 7240), if
    /// any.
    wait: Option<u64>,
    /// The interval between two requests.
    every: Duration,
}

/// Measures a thousand services that poll every 5 s, and as many services as may wait concurrently.
pub(crate) async fn many() {
    let asking = Habit { services: 1000, wait: None, every: Duration::from_secs(5) };
    questions(&asking, "ask one issuer process every 5 s").await;
    // These are the intervals of a service whose routes have a maximum age of 10 s.
    let waiting = Habit { services: 448, wait: Some(3), every: Duration::from_millis(100) };
    questions(&waiting, "wait at one issuer process for changes, 3 s each time").await;
}

/// Polls like a service that has the list: a new connection for each request, whose response is an
/// unchanged or a new list. Meanwhile, one session per second is logged out.
async fn questions(habit: &Habit, what: &str) {
    let issuer = Arc::new(Server::start(60, async |_: &std::path::Path| {}).await);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut sessions = Vec::new();
    for _ in 0..FOR.as_secs() {
        sessions.push(log_in(&client, &issuer.url).await);
    }
    let address = issuer.url.trim_start_matches("http://").to_owned();
    let counts: Arc<[AtomicUsize; 3]> = Arc::default();
    let Habit { services, wait, every } = *habit;
    let (begun, before) = (Instant::now(), issuer.cpu());
    let tasks: Vec<_> = (0..services)
        .map(|number| {
            let (address, counts) = (address.clone(), counts.clone());
            // The services do not all start at once.
            let first =
                Duration::from_secs(wait.unwrap_or(5)).mul_f64(number as f64 / services as f64);
            tokio::spawn(async move {
                tokio::time::sleep(first).await;
                let mut etag = String::new();
                while begun.elapsed() < FOR {
                    let asked = Instant::now();
                    let (outcome, new) = ask(&address, &etag, wait).await;
                    counts[outcome].fetch_add(1, Ordering::Relaxed);
                    etag = new.unwrap_or(etag);
                    tokio::time::sleep(every.saturating_sub(asked.elapsed())).await;
                }
            })
        })
        .collect();
    for session in &sessions {
        end(&client, &issuer.url, session).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let (cpu, secs) = (issuer.cpu() - before, begun.elapsed().as_secs_f64());
    for task in tasks {
        task.await.unwrap();
    }
    let [whole, unchanged, failed] = [0, 1, 2].map(|at| counts[at].load(Ordering::Relaxed));
    assert_eq!(failed, 0, "of {}", whole + unchanged);
    let rate = (whole + unchanged) as f64 / secs;
    note(
        GROUP,
        &format!(
            "{services} services that {what}, while a session ends every second: {rate:.0} requests a second \
             for {secs:.0} s, {whole} answered with a list and {unchanged} with \"not modified\", none failed; {:.1} % of a core, \
             {:.0} µs for each, the new signature of each second included.",
            cpu / secs * 100.0,
            cpu / (whole + unchanged) as f64 * 1e6,
        ),
    );
}

/// Sends one request. Returns its outcome (0 for a list, 1 for "not modified", 2 for anything else)
/// and the ETag of a list.
async fn ask(address: &str, etag: &str, wait: Option<u64>) -> (usize, Option<String>) {
    let mut condition =
        if etag.is_empty() { String::new() } else { format!("If-None-Match: {etag}\r\n") };
    if let Some(wait) = wait {
        condition += &format!("Prefer: wait={wait}\r\n");
    }
    let request = format!(
        "GET /v1/status-lists/0 HTTP/1.1\r\nHost: {address}\r\n{condition}Connection: close\r\n\r\n"
    );
    let mut answer = Vec::new();
    let exchanged = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        stream.read_to_end(&mut answer).await
    };
    if exchanged.await.is_err() {
        return (2, None);
    }
    let answer = String::from_utf8_lossy(&answer);
    if answer.starts_with("HTTP/1.1 304") {
        return (1, None);
    }
    let tag = answer.lines().find_map(|line| line.strip_prefix("etag: ")).map(str::to_owned);
    if answer.starts_with("HTTP/1.1 200") && tag.is_some() { (0, tag) } else { (2, None) }
}
