//! Compares ways to protect one app: Portcullis in the app, Envoy in front of it, and the app
//! written with Spring instead. `cargo xtask bench --only gateways` runs this benchmark.
//!
//! The servers of a row share core 0; the sender has core 1. So a figure is what one core serves.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has failed")]
#![expect(clippy::indexing_slicing, reason = "a failed setup ends the program")]
#![expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]

mod load;
mod servers;

use std::process::Command;
use std::time::Duration;

use portcullis_benches::measure::{Measured, note, report};
use portcullis_benches::scenario::Signer;

use load::Sender;
use servers::{Server, Servers};

/// More tokens than the caches of the second table hold.
const TOKENS: usize = 4_096;

const SLICE: Duration = Duration::from_secs(2);
const WARM_UP: Duration = Duration::from_secs(1);
/// The JVM compiles what runs often, on the core that serves.
const WARM_UP_OF_SPRING: Duration = Duration::from_secs(90);

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    if let [_, serve, mode, jwk] = arguments.as_slice()
        && serve == "serve"
    {
        return servers::serve(mode, &serde_json::from_str(jwk).unwrap());
    }
    // `cargo test --all-targets` also runs this program, but does not need its figures.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let value = |name: &str| arguments.iter().find_map(|argument| argument.strip_prefix(name));
    let rounds: usize = value("rounds=").map_or(51, |number| number.parse().unwrap());
    let rounds = (rounds / 7).clamp(3, 9);
    run_on_core_1();
    let signer = Signer::new("RS256");
    let tokens: Vec<_> = (0..TOKENS).map(|number| signer.token(number)).collect();
    let servers = Servers::start(&signer.jwk());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let [one, many] = [servers.with_one_token(), servers.with_many_tokens()];
        // Before the second table, Spring has served the first.
        compare("gateways, one token", &one, &tokens[..1], WARM_UP_OF_SPRING, rounds).await;
        compare("gateways, many tokens", &many, &tokens, WARM_UP, rounds).await;
    });
    note(
        "gateways, one token",
        &format!(
            "Each row is sent requests over {} connections that are kept alive, for {} s in each of {rounds} rounds, \
             after {} s without measurement, for Spring {} s. {}",
            load::CONNECTIONS,
            SLICE.as_secs(),
            WARM_UP.as_secs(),
            WARM_UP_OF_SPRING.as_secs(),
            servers.versions,
        ),
    );
    note(
        "gateways, many tokens",
        &format!(
            "{TOKENS} tokens in turn. Portcullis' cache has room for fewer than 100 of them here, and Envoy's for 100, \
             its default: so no token is in a cache when it is sent again."
        ),
    );
}

/// Moves this process, which sends the requests, away from the servers.
fn run_on_core_1() {
    let own = std::process::id().to_string();
    let arguments = ["--all-tasks", "--cpu-list", "--pid", "1", &own];
    let moved = Command::new("taskset").args(arguments).output().unwrap();
    assert!(moved.status.success(), "this machine has no second core");
}

/// Reads one figure of a slice.
type Figure = fn(&load::Slice) -> f64;

/// Measures the rows in turn, in the opposite order every other round.
async fn compare(
    group: &str,
    rows: &[(String, Option<&Server>)],
    tokens: &[String],
    spring_warm_up: Duration,
    rounds: usize,
) {
    let mut senders = Vec::new();
    for (name, server) in rows {
        let sender = match server {
            Some(server) => {
                let mut sender = Sender::new(server.address(), tokens).await;
                let is_spring = matches!(server, Server::Spring(_));
                sender.slice(if is_spring { spring_warm_up } else { WARM_UP }).await;
                Some(sender)
            }
            None => None,
        };
        senders.push((name, sender, Vec::new()));
    }
    let number = senders.len();
    for round in 0..rounds {
        for at in 0..number {
            let at = if round % 2 == 0 { at } else { number - 1 - at };
            let (_, sender, slices) = &mut senders[at];
            if let Some(sender) = sender {
                slices.push(sender.slice(SLICE).await);
            }
        }
    }
    let figures: [(&str, Figure); 3] =
        [("time", |slice| slice.time), ("p50", |slice| slice.half), ("p99", |slice| slice.most)];
    for (what, figure) in figures {
        let rows = senders.iter().map(|(name, _, slices)| Measured {
            rounds: slices.iter().map(figure).collect(),
            ..Measured::new(*name)
        });
        report(&format!("{group}: {what}"), &rows.collect::<Vec<_>>());
    }
}
