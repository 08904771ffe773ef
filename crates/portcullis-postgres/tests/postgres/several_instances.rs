//! Four instances of a service, and a server that is killed and started again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis_postgres::PostgresRevocations;
use portcullis_test_support::postgres_server::PostgresServer;
use portcullis_test_support::shared_revocations::prove;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn acknowledged_revocations_reach_all_instances_although_the_server_is_killed() {
    let server = PostgresServer::start(&[]);
    let url = server.url();
    let server = Arc::new(Mutex::new(server));
    let restarted = server.clone();
    let restart = move || {
        let mut server = restarted.lock().unwrap();
        server.kill();
        std::thread::sleep(Duration::from_secs(1));
        server.start_again();
    };
    prove("PostgreSQL", || PostgresRevocations::new(&url).unwrap(), restart).await;
}
