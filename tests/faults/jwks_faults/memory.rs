//! The memory that a hostile document can consume, from the kernel's statistics of a process.
#![cfg(target_os = "linux")]

use portcullis::Algorithm;
use portcullis::testing::TestKey;
use portcullis_test_support::faults::GZIP_BOMB;
use portcullis_test_support::key_server::{Answer, Server, response};
use portcullis_test_support::service::{JWKS, builder, jwks};

const CHILD: &str = "PORTCULLIS_TEST_CHILD";

/// The maximum document size by default, in bytes.
const MAX_BODY: usize = 512 * 1024;

/// The bound for one fetch: some copies of the largest document, on either side of the socket, and
/// its parsed form.
const BOUND: usize = 16 * 1024 * 1024;

/// The peak memory of this process, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// As many copies of `item` as fit into the largest document.
fn full_of(item: &str) -> Vec<u8> {
    let number = (MAX_BODY - 20) / (item.len() + 1);
    response("200 OK", "", format!(r#"{{"keys":[{}]}}"#, vec![item; number].join(",")))
}

/// Documents within the limit, or too long.
fn documents() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("a gzip bomb", response("200 OK", "content-encoding: gzip\r\n", GZIP_BOMB)),
        ("a long body", response("200 OK", "", vec![b' '; 32 * MAX_BODY])),
        ("arrays in a member", full_of(&format!(r#"{{"a":[{}]}}"#, vec!["[]"; 9000].join(",")))),
    ]
}

/// Documents with far more keys than a set may have.
fn crowds() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("numbers", full_of("1")),
        ("empty objects", full_of("{}")),
        ("objects of many members", full_of(&format!("{{{}}}", vec![r#""":1"#; 50].join(",")))),
    ]
}

#[test]
fn memory_of_a_document_is_a_bounded_multiple_of_its_limit() {
    check("memory::memory_of_a_document_is_a_bounded_multiple_of_its_limit", documents());
}

#[test]
fn keys_over_the_limit_cost_no_more_memory_than_the_document() {
    check("memory::keys_over_the_limit_cost_no_more_memory_than_the_document", crowds());
}

/// Runs each document in its own process, because the kernel reports only the peak of a process.
fn check(this: &str, mut documents: Vec<(&'static str, Vec<u8>)>) {
    if let Some(number) = std::env::var_os(CHILD) {
        return fetch(documents.swap_remove(number.to_str().unwrap().parse().unwrap()));
    }
    let mut failed = Vec::new();
    for (number, (name, _)) in documents.iter().enumerate() {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", this])
            .env(CHILD, number.to_string())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        if !(output.status.success() && text.contains("1 passed")) {
            failed.push(format!("{name}: {text}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn fetch((name, document): (&str, Vec<u8>)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Server::start();
        let key = TestKey::generate("a", Algorithm::Es256);
        server.set(JWKS, Answer::Document(jwks([&key])));
        let auth = builder(&server).max_body_bytes(MAX_BODY).build().await.unwrap();
        server.set(JWKS, Answer::Bytes(document));
        let before = peak();
        // Whether the document is a key set does not matter here.
        let _ = auth.refresh().await;
        let cost = peak() - before;
        assert!(cost < BOUND, "{name}: {cost} bytes");
    });
}
