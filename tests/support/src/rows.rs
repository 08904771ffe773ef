//! Tables whose rows run in real time, against real sockets.

use std::future::Future;

use tokio::sync::Mutex;

/// Two tables at the same time would slow each other down, past the short timeouts of their rows.
static ONE_TABLE: Mutex<()> = Mutex::const_new(());

/// Checks all rows concurrently, because most of a check is waiting. A failed row is checked again
/// alone: on a busy machine, one of many rows may fail, but a fault of the product makes a row fail
/// both times.
///
/// # Panics
///
/// If a row fails twice.
pub async fn check_all<R, S, F>(rows: Vec<R>, set_up: impl AsyncFn(R) -> S, check: fn(S) -> F)
where
    R: Clone,
    F: Future<Output = ()> + Send + 'static,
{
    let _table = ONE_TABLE.lock().await;
    // The services are set up one after another, because setting up an HTTP client keeps a
    // processor busy for a while.
    let mut services = Vec::new();
    for row in rows {
        services.push((row.clone(), set_up(row).await));
    }
    let checks: Vec<_> =
        services.into_iter().map(|(row, service)| (row, tokio::spawn(check(service)))).collect();
    let mut failed = Vec::new();
    for (row, check) in checks {
        if check.await.is_err() {
            failed.push(row);
        }
    }
    let mut twice = 0;
    for row in failed {
        eprintln!("a row has failed, see above, and is checked again alone");
        let service = set_up(row).await;
        twice += usize::from(tokio::spawn(check(service)).await.is_err());
    }
    assert_eq!(twice, 0, "rows have failed twice, see above");
}
