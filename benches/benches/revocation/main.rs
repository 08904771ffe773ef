//! Measures the lag of a revocation at the services, and the cost for the services and the issuer.
//! `cargo xtask bench --only revocation` runs this benchmark. The issuer is a process of its own,
//! and all requests go over sockets.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has failed")]
#![expect(clippy::indexing_slicing, reason = "a failed setup ends the program")]
#![expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]

mod check;
mod lag;
mod list;
mod verifiers;

use tokio::runtime::Runtime;

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
    let revocations = value("revocations=").map_or(1000, |number| number.parse().unwrap());
    let rounds = value("rounds=").map_or(31, |number| number.parse().unwrap());
    let runtime = Runtime::new().unwrap();
    check::warm(&runtime, rounds);
    if arguments.iter().any(|argument| argument == "part=check") {
        return;
    }
    runtime.block_on(async {
        list::of_a_million().await;
        verifiers::many().await;
        lag::until_known(revocations).await;
    });
}
