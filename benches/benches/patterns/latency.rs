//! Sends requests to each service in turn, one after another, over a kept-alive connection.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use portcullis_bench_issuer::{Server, Session, end, log_in};
use portcullis_benches::measure::{Measured, note, report};

use super::services::{self, Service};

/// The groups under which the figures are reported.
const HALF: &str = "patterns, p50";
const MOST: &str = "patterns, p99";
const LAG: &str = "patterns, lag";

/// Requests per round and service.
const REQUESTS: usize = 200;

/// The number of sessions that are ended to measure how long each continues to be accepted.
const SESSIONS: usize = 20;

pub(crate) async fn side_by_side(rounds: usize, postgres: Option<&str>) {
    let issuer = Server::start(5, async |_: &std::path::Path| {}).await;
    let services = services::all(&issuer, postgres).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut senders = Vec::new();
    for service in &services {
        let token = match &service.issuer {
            Some(url) => log_in(&client, url).await.token,
            None => String::new(),
        };
        senders.push((Sender::new(service, &token), Vec::new(), Vec::new()));
    }
    // The senders block this thread, so only one request is sent at a time, and the client does
    // nothing else while it waits for the response.
    let senders = tokio::task::spawn_blocking(move || {
        senders.iter_mut().for_each(|(sender, ..)| drop(sender.slice()));
        for round in 0..rounds {
            let number = senders.len();
            for at in 0..number {
                let at = if round % 2 == 0 { at } else { number - 1 - at };
                let (sender, half, most) = &mut senders[at];
                let times = sender.slice();
                half.push(times[times.len() / 2]);
                most.push(times[times.len() * 99 / 100]);
            }
        }
        senders
    })
    .await
    .unwrap();
    let (mut halves, mut mosts) = (Vec::new(), Vec::new());
    for (service, (_, half, most)) in services.iter().zip(senders) {
        halves.push(Measured { rounds: half, ..Measured::new(service.name) });
        mosts.push(Measured { rounds: most, ..Measured::new(service.name) });
    }
    report(HALF, &halves);
    report(MOST, &mosts);
    lags(&client, &services).await;
}

/// A client that sends one request at a time.
struct Sender {
    stream: TcpStream,
    request: Vec<u8>,
}

impl Sender {
    fn new(service: &Service, token: &str) -> Self {
        let stream = TcpStream::connect(service.at).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let request = format!(
            "GET / HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n\r\n",
            service.at
        );
        Self { stream, request: request.into_bytes() }
    }

    /// The durations of some requests, in nanoseconds, in ascending order.
    fn slice(&mut self) -> Vec<f64> {
        let mut times: Vec<f64> = (0..REQUESTS).map(|_| self.one()).collect();
        times.sort_unstable_by(f64::total_cmp);
        times
    }

    fn one(&mut self) -> f64 {
        let begun = Instant::now();
        self.stream.write_all(&self.request).unwrap();
        let mut answer = [0; 2048];
        let mut read = 0;
        while !answer[..read].ends_with(b"fine") {
            let more = self.stream.read(&mut answer[read..]).unwrap();
            assert!(more > 0 && answer.starts_with(b"HTTP/1.1 200"), "refused");
            read += more;
        }
        begun.elapsed().as_secs_f64() * 1e9
    }
}

/// Measures the time from the acknowledgement of a logout to the first rejection.
async fn lags(client: &reqwest::Client, services: &[Service]) {
    let mut measured = Vec::new();
    for service in services.iter().filter(|service| !service.by_token) {
        let Some(issuer) = &service.issuer else { continue };
        let mut lag = Measured::new(service.name);
        let mut accepted = 0;
        for _ in 0..SESSIONS {
            let session: Session = log_in(client, issuer).await;
            assert_eq!(status(client, service, &session).await, 200);
            end(client, issuer, &session).await;
            let acknowledged = Instant::now();
            let mut known = acknowledged.elapsed();
            while status(client, service, &session).await != 401 {
                accepted += 1;
                known = acknowledged.elapsed();
            }
            lag.rounds.push(known.as_secs_f64() * 1e9);
        }
        note(
            LAG,
            &format!(
                "{}: {SESSIONS} sessions ended, {accepted} requests accepted after the acknowledgement, one after another.",
                service.name
            ),
        );
        measured.push(lag);
    }
    report(LAG, &measured);
}

async fn status(client: &reqwest::Client, service: &Service, session: &Session) -> u16 {
    let url = format!("http://{}/", service.at);
    client.get(url).bearer_auth(&session.token).send().await.unwrap().status().as_u16()
}
