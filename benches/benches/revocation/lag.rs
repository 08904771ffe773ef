//! Measures the time from the acknowledgement of a logout to the first rejection, at four services
//! under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::routing::get;
use bytes::Bytes;
use portcullis::{
    Authenticator, Gate, Revocation,
    fetch::{Fetch, FetchRequest, Fetching, ReqwestFetch},
};
use portcullis_axum::AuthLayer;
use portcullis_bench_issuer::{CLIENT, Server, Session, end, log_in};
use portcullis_benches::measure::{Measured, note, report};
use portcullis_benches::scenario::AUDIENCE;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// The group under which the figures are reported.
const GROUP: &str = "revocation, until known";

const SERVICES: usize = 4;

/// The TTL of the lists, in seconds, and the maximum age of the routes.
const TTL: u64 = 5;
const MAX_AGE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, PartialEq)]
enum Means {
    Pushed,
    AskedFor,
    Live,
}

impl Means {
    fn name(self) -> &'static str {
        match self {
            Self::Pushed => "status list, pushed",
            Self::AskedFor => "status list, asked for",
            Self::Live => "live",
        }
    }

    /// Returns the interval between logouts, and the interval between attempts at a service after a
    /// logout.
    fn pace(self) -> (Duration, Duration) {
        match self {
            Self::AskedFor => (Duration::from_millis(30), Duration::from_millis(100)),
            Self::Pushed | Self::Live => (Duration::from_millis(50), Duration::from_millis(5)),
        }
    }
}

/// An HTTP client that removes the `Prefer` header, to imitate a server or CDN that does not
/// support it.
#[derive(Debug)]
struct NoWait(ReqwestFetch);

impl Fetch for NoWait {
    fn get(&self, mut request: FetchRequest) -> Fetching<'_> {
        request.headers.remove("prefer");
        self.0.get(request)
    }

    fn post(&self, request: FetchRequest, body: Bytes) -> Fetching<'_> {
        self.0.post(request, body)
    }
}

pub(crate) async fn until_known(revocations: usize) {
    let mut measured = Vec::new();
    for means in [Means::Pushed, Means::AskedFor, Means::Live] {
        let issuer = Arc::new(Server::start(TTL, async |_: &std::path::Path| {}).await);
        measured.push(one(means, &issuer, revocations).await);
    }
    report(GROUP, &measured);
}

async fn one(means: Means, issuer: &Arc<Server>, revocations: usize) -> Measured {
    let mut services = Vec::new();
    for _ in 0..SERVICES {
        services.push(service(means, issuer).await);
    }
    let services: Arc<[String]> = services.into();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let sessions = many(&client, &issuer.url, revocations + SERVICES).await;
    let (kept, ended) = sessions.split_at(SERVICES);
    let load = Load::start(&client, &services, kept);
    let (pace, step) = means.pace();
    let lags: Arc<Mutex<Vec<f64>>> = Arc::default();
    let early = Arc::new(AtomicUsize::new(0));
    let mut running = JoinSet::new();
    let cpu = issuer.cpu();
    let begun = Instant::now();
    for session in ended.iter().cloned() {
        let (issuer, services, client) = (issuer.clone(), services.clone(), client.clone());
        let (lags, early) = (lags.clone(), early.clone());
        running.spawn(async move {
            for service in services.iter() {
                let passed = status(&client, service, &session.token).await == 200;
                early.fetch_add(usize::from(!passed), Ordering::Relaxed);
            }
            end(&client, &issuer.url, &session).await;
            let acknowledged = Instant::now();
            let mut each = JoinSet::new();
            for service in services.iter() {
                let (client, service) = (client.clone(), service.clone());
                let token = session.token.clone();
                each.spawn(async move {
                    // `known` is the time for which the service accepts the token, without the
                    // duration of the last request.
                    let mut known = acknowledged.elapsed();
                    while status(&client, &service, &token).await != 401 {
                        tokio::time::sleep(step).await;
                        known = acknowledged.elapsed();
                    }
                    known.as_nanos() as f64
                });
            }
            let last = each.join_all().await.into_iter().fold(0.0, f64::max);
            lags.lock().await.push(last);
        });
        tokio::time::sleep(pace).await;
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
    let secs = begun.elapsed().as_secs_f64();
    let cores = (issuer.cpu() - cpu) / secs;
    let (answered, refused) = load.stop().await;
    let rounds = std::mem::take(&mut *lags.lock().await);
    let mut sorted = rounds.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |percent: usize| sorted[(sorted.len() - 1) * percent / 100] / 1e6;
    note(
        GROUP,
        &format!(
            "{}: {} logouts in {secs:.0} s, known at the last of {SERVICES} services after p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, \
             at most {:.1} ms; {} refused before they were logged out. Beside that {answered} requests of others, {refused} refused. \
             The issuer took {:.0} % of a core for all of it, the logouts included.",
            means.name(),
            sorted.len(),
            at(50),
            at(90),
            at(99),
            at(100),
            early.load(Ordering::Relaxed),
            cores * 100.0,
        ),
    );
    Measured { rounds, ..Measured::new(means.name()) }
}

/// A protected service on its own socket.
async fn service(means: Means, issuer: &Server) -> String {
    let builder = Authenticator::builder(&issuer.url, AUDIENCE);
    let fetch = ReqwestFetch::new().unwrap();
    let (builder, revocation) = match means {
        Means::Pushed => (builder, Revocation::status_list(MAX_AGE)),
        Means::AskedFor => (builder.fetch(NoWait(fetch)), Revocation::status_list(MAX_AGE)),
        Means::Live => {
            let builder = builder
                .introspection_url(format!("{}/oauth/introspect", issuer.url))
                .introspection_client_id(CLIENT)
                .introspection_secret_file(issuer.folder.path().join("secret"));
            (builder, Revocation::live())
        }
    };
    let gate = Gate::new(builder.build().await.unwrap()).revocation(revocation).unwrap();
    let app = axum::Router::new().route("/", get(async || "fine")).layer(AuthLayer::new(gate));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

async fn many(client: &reqwest::Client, issuer: &str, number: usize) -> Vec<Arc<Session>> {
    let mut sessions = Vec::new();
    while sessions.len() < number {
        let mut some = JoinSet::new();
        for _ in 0..(number - sessions.len()).min(8) {
            let (client, issuer) = (client.clone(), issuer.to_owned());
            some.spawn(async move { Arc::new(log_in(&client, &issuer).await) });
        }
        sessions.extend(some.join_all().await);
    }
    sessions
}

async fn status(client: &reqwest::Client, service: &str, token: &str) -> u16 {
    client.get(service).bearer_auth(token).send().await.unwrap().status().as_u16()
}

/// Requests of other callers, a hundred per second to each service.
struct Load {
    stopped: Arc<AtomicBool>,
    tasks: JoinSet<(usize, usize)>,
}

impl Load {
    fn start(client: &reqwest::Client, services: &[String], sessions: &[Arc<Session>]) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for (service, session) in services.iter().cloned().zip(sessions.iter().cloned()) {
            let (stopped, client) = (stopped.clone(), client.clone());
            tasks.spawn(async move {
                let (mut answered, mut refused) = (0, 0);
                while !stopped.load(Ordering::Relaxed) {
                    let status = status(&client, &service, &session.token).await;
                    answered += 1;
                    refused += usize::from(status != 200);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                (answered, refused)
            });
        }
        Self { stopped, tasks }
    }

    async fn stop(self) -> (usize, usize) {
        self.stopped.store(true, Ordering::Relaxed);
        let counts = self.tasks.join_all().await;
        counts.into_iter().fold((0, 0), |(a, b), (c, d)| (a + c, b + d))
    }
}
