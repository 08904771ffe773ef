//! Measures the cost of 100,000 idle streams, and how long a revocation takes to end one of them.
//!
//! ```text
//! cargo bench -p portcullis-benches --bench streams
//! ```
//!
//! Linux only: memory and processor time are those that the kernel reports of the process.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement that fails by panicking, and prints its result"
)]

use std::fs;
use std::future::Future as _;
use std::io::Write as _;
use std::pin::Pin;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use http::Response;
use serde_json::json;
use tokio::sync::watch;

use portcullis::clock::SystemClock;
use portcullis::feed::{MemoryStore, Revocations};
use portcullis::fetch::{Fetch, FetchRequest, Fetching};
use portcullis::streams::Ended;
use portcullis::testing::{ISSUER, TestKey, TestToken, builder};
use portcullis::{Algorithm, Gate, Revocation};

const SEC: Duration = Duration::from_secs(1);
const STREAMS: u64 = 100_000;
const REVOCATIONS: u64 = 1000;
const SOURCE: &str = "STREAMS_SOURCE";
const LIST: &str = "https://issuer.example/lists/1";

/// How streams are notified of a revocation.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Source {
    /// A status list, by long polling.
    List,
    /// The feed; the instance that has the streams receives the report.
    Feed,
    /// The feed; another instance receives the report, and both share a store that notifies.
    FeedOfAnother,
}

/// A server of one status list that waits for a change, as the issuer does.
#[derive(Clone, Debug)]
struct Server {
    key: Arc<TestKey>,
    bits: Arc<Mutex<Vec<u8>>>,
    version: watch::Sender<u64>,
}

impl Server {
    fn revoke(&self, index: u64) {
        let at = usize::try_from(index / 8).unwrap();
        self.bits.lock().unwrap()[at] |= 1 << (index % 8);
        self.version.send_modify(|version| *version += 1);
    }

    fn list(&self) -> String {
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&self.bits.lock().unwrap()).unwrap();
        let list = json!({
            "sub": LIST, "iat": now(), "exp": now() + 86_400,
            "status_list": {"bits": 1, "lst": URL_SAFE_NO_PAD.encode(packed.finish().unwrap())},
        });
        let header = r#"{"alg":"ES256","kid":"k","typ":"statuslist+jwt"}"#;
        self.key.sign(header, &list.to_string())
    }
}

impl Fetch for Server {
    fn get(&self, request: FetchRequest) -> Fetching<'_> {
        let server = self.clone();
        Box::pin(async move {
            let known = request.headers.get("if-none-match").cloned();
            let mut version = server.version.subscribe();
            let tag = |version: u64| format!("\"{version}\"");
            if let Some(known) = &known {
                let changed = version.wait_for(|now| tag(*now).as_bytes() != known.as_bytes());
                let _ = tokio::time::timeout(2 * SEC, changed).await;
            }
            let now = tag(*server.version.borrow());
            let response = Response::builder().header("etag", &now);
            let response = response.header("preference-applied", "wait");
            if known.is_some_and(|known| known.as_bytes() == now.as_bytes()) {
                return Ok(response.status(304).body(Bytes::new())?);
            }
            Ok(response.body(server.list().into())?)
        })
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The resident memory, in bytes.
fn memory() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    pages.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// The processor time of the process so far. The kernel counts ticks of 10 ms.
fn processor_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

fn main() {
    let sources = [Source::Feed, Source::FeedOfAnother, Source::List];
    if let Ok(wanted) = std::env::var(SOURCE) {
        let source = sources.into_iter().find(|source| format!("{source:?}") == wanted).unwrap();
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(2).enable_all().build().unwrap().block_on(measure(source));
        return;
    }
    // Each source is measured in its own process, because a process keeps the memory that it freed.
    for source in sources.map(|source| format!("{source:?}")) {
        println!("\n{source}");
        let program = std::env::current_exe().unwrap();
        assert!(Command::new(program).env(SOURCE, source).status().unwrap().success());
    }
}

async fn measure(source: Source) {
    let key = Arc::new(TestKey::generate("k", Algorithm::Es256));
    let bits = Arc::new(Mutex::new(vec![0; (STREAMS / 8 + 1) as usize]));
    let server = Server { key: key.clone(), bits, version: watch::Sender::new(0) };
    let store = MemoryStore::new();
    let own = Revocations::new(store.clone());
    let reporting = if source == Source::Feed { own.clone() } else { Revocations::new(store) };
    let builder = builder(&key).fetch(server.clone()).token_cache_bytes(0);
    let builder = builder.max_token_lifetime(3600 * SEC).revocations(own);
    let auth = builder.clock(SystemClock::new()).build().await.unwrap();
    let revocation = match source {
        Source::List => Revocation::status_list(10 * SEC),
        Source::Feed | Source::FeedOfAnother => Revocation::feed(10 * SEC),
    };
    let gate = Gate::new(auth).revocation(revocation).unwrap();
    let mut callers = Vec::with_capacity(STREAMS as usize);
    let before = memory();
    for index in 0..STREAMS {
        let token = TestToken::new(key.clone(), ISSUER, &format!("user-{index}"), now());
        // Between half an hour and an hour.
        let token = token.lifetime(1800 + index % 1800).claim("sid", format!("session-{index}"));
        let token = token.claim("jti", format!("token-{index}")).claim("client_id", "app");
        let token = token.status(LIST, index).sign();
        callers.push(gate.authenticate_token(&token).await.unwrap());
    }
    let of_callers = memory().saturating_sub(before);
    let mut streams = Vec::with_capacity(STREAMS as usize);
    let (before, began) = (memory(), Instant::now());
    for who in &callers {
        let stream = who.open_stream();
        let mut ended = stream.ended();
        assert!(Pin::new(&mut ended).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        streams.push((stream, ended));
    }
    let (opened, of_streams) = (began.elapsed(), memory().saturating_sub(before));
    println!("bytes for each stream: {}", of_streams / STREAMS);
    println!("bytes for each caller, which the stream keeps: {}", of_callers / STREAMS);
    println!("time to open a stream: {:?}", opened / STREAMS as u32);

    tokio::time::sleep(2 * SEC).await;
    let (before, began) = (processor_time(), Instant::now());
    tokio::time::sleep(20 * SEC).await;
    let idle = (processor_time() - before).as_secs_f64() / began.elapsed().as_secs_f64();
    println!("processor time while idle: {:.2} ms per second", idle * 1000.0);

    let (before, began) = (processor_time(), Instant::now());
    let mut ends = Vec::new();
    for number in 0..REVOCATIONS {
        let index = number * (STREAMS / REVOCATIONS) + 7;
        let ended = streams[index as usize].0.ended();
        match source {
            Source::List => server.revoke(index),
            Source::Feed | Source::FeedOfAnother => {
                reporting.revoke_session(ISSUER, &format!("session-{index}")).await.unwrap();
            }
        }
        let acknowledged = Instant::now();
        ends.push(tokio::spawn(async move {
            assert_eq!(ended.await, Ended::SessionRevoked);
            acknowledged.elapsed()
        }));
        tokio::time::sleep(SEC / 100).await;
    }
    let mut times = Vec::new();
    for end in ends {
        times.push(end.await.unwrap());
    }
    let busy = (processor_time() - before).as_secs_f64() / began.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: f64| times[(times.len() as f64 * share) as usize];
    println!(
        "processor time with {REVOCATIONS} revocations in {:.1?}, signing and fetching the list included: {:.0} ms per second",
        began.elapsed(),
        busy * 1000.0
    );
    println!(
        "from the acknowledgement to the end: p50 {:?}, p99 {:?}, max {:?}",
        at(0.5),
        at(0.99),
        times[times.len() - 1]
    );
    let open = streams.iter().filter(|(stream, _)| stream.has_ended().is_none()).count() as u64;
    assert_eq!(open, STREAMS - REVOCATIONS, "no other stream has ended");
}
