//! Measures the cost of a refresh for the issuer's binary. The requests come over HTTP from another
//! process.
//!
//! ```text
//! refreshes [rounds=5] [secs=5] [in-flight=32] NAME=BINARY …
//! ```
//!
//! Each binary is measured on SQLite and, if `PORTCULLIS_POSTGRES` is set, in its own schema of
//! that PostgreSQL database. The rounds of all binaries alternate, so that other load on the
//! machine affects them alike.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot be set up has failed"
)]

mod load;
mod server;

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use load::Load;
use server::Server;

/// The figures of one binary on one store.
struct Measured {
    name: String,
    store: &'static str,
    server: Server,
    sessions: Vec<load::Session>,
    rounds: Vec<Round>,
}

struct Round {
    rate: f64,
    cpu_micros: f64,
    median_millis: f64,
    p99_millis: f64,
    commits: Option<f64>,
}

fn main() {
    let (mut rounds, mut secs, mut in_flight, mut binaries) = (5, 5, 32, Vec::new());
    for argument in std::env::args().skip(1) {
        match argument.split_once('=').unwrap() {
            ("rounds", number) => rounds = number.parse().unwrap(),
            ("secs", number) => secs = number.parse().unwrap(),
            ("in-flight", number) => in_flight = number.parse().unwrap(),
            (name, binary) => binaries.push((name.to_owned(), binary.to_owned())),
        }
    }
    let postgres = std::env::var("PORTCULLIS_POSTGRES").ok();
    // The load runs on one thread, because it must leave the other processors to the issuer.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut all = Vec::new();
    for (name, binary) in &binaries {
        let stores = [("SQLite", None), ("PostgreSQL", postgres.as_deref())];
        for (store, url) in
            stores.into_iter().filter(|(store, url)| *store == "SQLite" || url.is_some())
        {
            let server = Server::start(Path::new(binary), url);
            let sessions = runtime.block_on(load::log_in(&server.address, in_flight));
            all.push(Measured { name: name.clone(), store, server, sessions, rounds: Vec::new() });
        }
    }
    for round in 0..rounds {
        let mut order: Vec<_> = all.iter_mut().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for measured in order {
            runtime.block_on(measured.round(Duration::from_secs(secs)));
        }
    }
    println!("{in_flight} in flight, {rounds} rounds of {secs} s; medians of the rounds.\n");
    println!(
        "| store | issuer | refreshes/s | processor time of the issuer for each | p50 | p99 | commits for each |"
    );
    println!("|---|---|---|---|---|---|---|");
    for measured in &all {
        println!("{}", measured.row());
    }
    let folder = all[0].server.home.path();
    println!(
        "\nA write of 4 KiB and its fdatasync in the same folder: {:.2} ms.",
        fsync_millis(folder)
    );
    for store in ["SQLite", "PostgreSQL"] {
        let of: Vec<_> = all.iter().filter(|measured| measured.store == store).collect();
        if let [first, others @ ..] = &of[..] {
            for other in others {
                println!(
                    "{store}: {} has {:.2} times the rate of {} and {:.3} of its processor time.",
                    first.name,
                    first.of(|round| round.rate) / other.of(|round| round.rate),
                    other.name,
                    first.of(|round| round.cpu_micros) / other.of(|round| round.cpu_micros),
                );
            }
        }
    }
}

impl Measured {
    async fn round(&mut self, length: Duration) {
        let (cpu, commits) = (self.server.cpu(), self.server.commits());
        let begun = Instant::now();
        let Load { mut millis } = load::run(&self.server.address, &mut self.sessions, length).await;
        let secs = begun.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "there are thousands")]
        let refreshes = millis.len() as f64;
        millis.sort_by(f64::total_cmp);
        self.rounds.push(Round {
            rate: refreshes / secs,
            cpu_micros: (self.server.cpu() - cpu) / refreshes * 1e6,
            median_millis: millis[millis.len() / 2],
            p99_millis: millis[millis.len() * 99 / 100],
            commits: commits.zip(self.server.commits()).map(|(a, b)| (b - a) / refreshes),
        });
    }

    /// The median of the rounds.
    fn of(&self, figure: impl Fn(&Round) -> f64) -> f64 {
        let mut figures: Vec<_> = self.rounds.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    }

    fn row(&self) -> String {
        // The counter appears with the first grouped commit. An issuer without the counter commits
        // each refresh separately.
        let commits = match self.rounds.iter().find_map(|round| round.commits) {
            Some(commits) => format!("{:.3}", self.of(|round| round.commits.unwrap_or(commits))),
            None => "1".to_owned(),
        };
        format!(
            "| {} | {} | {:.0} | {:.0} µs | {:.1} ms | {:.1} ms | {commits} |",
            self.store,
            self.name,
            self.of(|round| round.rate),
            self.of(|round| round.cpu_micros),
            self.of(|round| round.median_millis),
            self.of(|round| round.p99_millis),
        )
    }
}

fn fsync_millis(folder: &Path) -> f64 {
    let mut file = File::create(folder.join("fsync")).unwrap();
    let mut millis: Vec<f64> = (0..200)
        .map(|_| {
            let begun = Instant::now();
            file.write_all(&[7; 4096]).unwrap();
            file.sync_data().unwrap();
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    millis.sort_by(f64::total_cmp);
    millis[millis.len() / 2]
}
