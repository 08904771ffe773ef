//! Several actix-web workers, each with its own runtime.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use actix_web::dev::Service;
use actix_web::{App, HttpResponse, HttpServer, web};
use portcullis::fetch::{Fetch, FetchRequest, Fetching};
use portcullis::testing::{Answer, JWKS, Scene, ScriptedFetch, TestKey};
use portcullis_actix::Auth;
use tokio::sync::Semaphore;

/// An HTTP client that answers when the test allows it.
#[derive(Debug)]
struct Gated {
    fetch: ScriptedFetch,
    gate: Arc<Semaphore>,
}

impl Fetch for Gated {
    fn get(&self, request: FetchRequest) -> Fetching<'_> {
        Box::pin(async move {
            let _permit = self.gate.acquire().await?;
            self.fetch.get(request).await
        })
    }
}

/// One of the runtimes runs the fetch, and requests on all of them wait for it.
#[tokio::test]
async fn workers_share_one_fetch() {
    const WORKERS: usize = 4;
    let (fetch, gate) = (ScriptedFetch::default(), Arc::new(Semaphore::new(1)));
    let gated = Gated { fetch: fetch.clone(), gate: gate.clone() };
    let scene = Scene::unpublished_with(|builder| builder.fetch(gated)).await;
    let auth = scene.auth.clone();
    fetch.set(JWKS, Answer::ok(TestKey::jwks([&*scene.key])));
    scene.advance(2);
    gate.forget_permits(1);
    let before = fetch.requests().len();

    let waiting: Arc<Mutex<HashSet<ThreadId>>> = Arc::default();
    let seen = waiting.clone();
    let server = HttpServer::new(move || {
        let (seen, gate) = (seen.clone(), gate.clone());
        App::new()
            .route("/", web::get().to(HttpResponse::Ok))
            .wrap(Auth::new(auth.clone()))
            .wrap_fn(move |request, service| {
                let response = service.call(request);
                let mut seen = seen.lock().unwrap();
                seen.insert(thread::current().id());
                if seen.len() == WORKERS {
                    gate.add_permits(1);
                }
                response
            })
    });
    let server = server.workers(WORKERS).disable_signals().bind("127.0.0.1:0").unwrap();
    let address = server.addrs().first().unwrap().to_string();
    tokio::spawn(server.run());
    let token = scene.token("alice").sign();
    let answers: Vec<_> = (0..WORKERS)
        .map(|_| {
            // Each request has its own connection, for its own worker.
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let request = client.get(format!("http://{address}/")).bearer_auth(&token);
            tokio::spawn(async move { request.send().await.unwrap().status() })
        })
        .collect();
    for answer in answers {
        assert_eq!(answer.await.unwrap(), 200);
    }
    assert_eq!(waiting.lock().unwrap().len(), WORKERS);
    assert_eq!(fetch.requests().len(), before + 1);
}
