//! Compares the patterns: the overhead of each per request, the time for which an ended session
//! continues to be accepted, and the issuer's cost of a refresh. `cargo xtask bench --only
//! patterns` runs this benchmark.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has failed")]
#![expect(clippy::indexing_slicing, reason = "a failed setup ends the program")]
#![expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]

mod latency;
mod refreshes;
mod services;
mod signing;

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    if let [_, serve, folder, ttl] = arguments.as_slice()
        && serve == "issuer"
    {
        return portcullis_bench_issuer::serve(folder.as_ref(), ttl.parse().unwrap());
    }
    // `cargo test --all-targets` also runs this program, but does not need its figures.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let value = |name: &str| arguments.iter().find_map(|argument| argument.strip_prefix(name));
    let rounds = value("rounds=").map_or(31, |number| number.parse().unwrap());
    // Without a PostgreSQL server, its rows are left out.
    let postgres = std::env::var("PORTCULLIS_POSTGRES").ok();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    signing::beside_the_signature(&runtime, rounds);
    runtime.block_on(async {
        latency::side_by_side(rounds, postgres.as_deref()).await;
        refreshes::of_every_store(postgres.as_deref()).await;
    });
}
