//! Proxy settings do not apply to loopback URLs.

use portcullis::Algorithm;
use portcullis::testing::TestKey;
use portcullis_test_support::key_server::{Answer, Server};
use portcullis_test_support::service::{JWKS, ask, builder, jwks, token};

/// The environment variable that is set in the child process, to the URL of the key server.
const CHILD: &str = "PORTCULLIS_TEST_CHILD";

/// Runs in its own process, because environment variables cannot be set safely in this one.
#[test]
fn loopback_keys_are_fetched_without_a_proxy() {
    if std::env::var_os(CHILD).is_some() {
        return child();
    }
    let proxy = Server::start();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "proxy::loopback_keys_are_fetched_without_a_proxy"])
        .env(CHILD, "1")
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        // This variable would disable the proxies: in a CGI program, a client's `Proxy` header may
        // have set `HTTP_PROXY`.
        .env_remove("REQUEST_METHOD");
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
    {
        child.env(name, proxy.url(""));
    }
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    assert_eq!(proxy.connections(), 0);
}

fn child() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Server::start();
        let key = TestKey::generate("a", Algorithm::Es256);
        server.set(JWKS, Answer::Document(jwks([&key])));
        let auth = builder(&server).build().await.unwrap();
        assert_eq!(ask(&auth, &token(&key)).await.status, 200);
    });
}
