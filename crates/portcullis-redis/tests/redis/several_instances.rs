//! Four instances of a service, and a server that is killed and started again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis_redis::RedisRevocations;
use portcullis_test_support::redis_server::{DURABLE, Program, RedisServer};
use portcullis_test_support::shared_revocations::prove;

async fn reach_all_instances(program: Program) {
    let server = RedisServer::start(program, &DURABLE);
    let url = server.url();
    let server = Arc::new(Mutex::new(server));
    let restarted = server.clone();
    let restart = move || {
        let mut server = restarted.lock().unwrap();
        server.kill();
        std::thread::sleep(Duration::from_secs(1));
        server.start_again();
    };
    let name = format!("{program:?}");
    prove(&name, || RedisRevocations::new(&url).unwrap(), restart).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: run cargo xtask test"]
async fn acknowledged_revocations_reach_all_instances_although_redis_is_killed() {
    reach_all_instances(Program::Redis).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Valkey: run cargo xtask test"]
async fn acknowledged_revocations_reach_all_instances_although_valkey_is_killed() {
    reach_all_instances(Program::Valkey).await;
}
