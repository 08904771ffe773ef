//! The table of faults.

use std::time::Duration;

use portcullis::clock::{Clock, SystemClock};

use crate::key_server::{Answer, response};
use crate::service::{JWKS, MAX_BODY};

/// The target of the redirects.
pub const ELSEWHERE: &str = "/elsewhere";

/// A set of one key, gzipped.
pub const GZIPPED_KEYS: &[u8] = include_bytes!("gzip/keys.json.gz");

/// 32 MiB of spaces and a key set, gzipped.
pub const GZIP_BOMB: &[u8] = include_bytes!("gzip/bomb.json.gz");

/// A fault and its effect.
#[derive(Debug, Clone)]
pub struct Row {
    /// The name of the fault.
    pub name: &'static str,
    /// The server's response.
    pub fault: Answer,
    /// A part of the reported error.
    pub told: &'static str,
    /// The bounds of the time until the next attempt after one failure.
    pub next_attempt: (Duration, Duration),
    /// The maximum number of bytes that are read.
    pub taken: usize,
}

/// The maximum number of bytes that are read: the limit, plus the buffers of the kernel and the
/// HTTP client.
const TAKEN: usize = MAX_BODY + 1024 * 1024;

/// The usual bounds of the time until the next attempt: one second with jitter.
const USUAL: (Duration, Duration) = (Duration::from_millis(400), Duration::from_millis(1100));

fn row(name: &'static str, fault: Answer, told: &'static str) -> Row {
    Row { name, fault, told, next_attempt: USUAL, taken: TAKEN }
}

fn ok(headers: &str, body: impl AsRef<[u8]>) -> Answer {
    Answer::Bytes(response("200 OK", headers, body))
}

fn refused(status: &str, headers: &str) -> Answer {
    // The body is a key set, but the status is not 200.
    Answer::Bytes(response(status, headers, r#"{"keys":[]}"#))
}

/// Statuses other than 200.
#[must_use]
pub fn statuses() -> Vec<Row> {
    let in_three_seconds = || {
        let date = httpdate::fmt_http_date(SystemClock::new().now() + Duration::from_secs(3));
        response("503 Busy", &format!("retry-after: {date}\r\n"), "")
    };
    let millis = |from, to| (Duration::from_millis(from), Duration::from_millis(to));
    vec![
        row("400", refused("400 Bad Request", ""), "responded with 400 Bad Request"),
        row("404", refused("404 Not Found", ""), "responded with 404 Not Found"),
        row(
            "500",
            refused("500 Internal Server Error", ""),
            "responded with 500 Internal Server Error",
        ),
        row(
            "204",
            Answer::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
            "responded with 204",
        ),
        row("unsolicited 304", refused("304 Not Modified", ""), "responded with 304"),
        Row {
            next_attempt: millis(1300, 2200),
            ..row("429", refused("429 Slow Down", "retry-after: 2\r\n"), "responded with 429")
        },
        Row {
            next_attempt: millis(1300, 2200),
            ..row("503, seconds", refused("503 Busy", "retry-after: 2\r\n"), "responded with 503")
        },
        Row {
            // A date has whole seconds only.
            next_attempt: millis(1300, 3300),
            ..row("503, a date", Answer::Made(in_three_seconds), "responded with 503")
        },
    ]
}

/// Connections that break, and responses that do not end.
#[must_use]
pub fn transport() -> Vec<Row> {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n";
    let body = [&head[..], b"{\"keys\":["].concat();
    let timeout = "no complete response within 0.4 s";
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = [b"1000\r\n", [b' '; 0x1000].as_slice(), b"\r\n"].concat();
    vec![
        row("silence before the headers", Answer::Hang(Vec::new()), timeout),
        row("silence in the headers", Answer::Hang(head[..20].to_vec()), timeout),
        row("silence in the body", Answer::Hang(body.clone()), timeout),
        row("headers that drip", Answer::Drip(b"HTTP/1.1 200 OK\r\nx: x".to_vec()), timeout),
        row("a body that drips", Answer::Drip([&head[..], b" "].concat()), timeout),
        row("a truncated body", Answer::Bytes(body), "end of file"),
        row("a truncated chunk", Answer::Bytes([&chunked[..], &chunk[..99]].concat()), "body"),
        row("nothing at all", Answer::Bytes(Vec::new()), "/jwks: error sending request"),
        row("a reset", Answer::Reset, "/jwks: error sending request"),
        row("garbage", Answer::Bytes(vec![0xff; 2000]), "/jwks: error sending request"),
        row(
            "another protocol",
            Answer::Bytes(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()),
            "/jwks: error sending request",
        ),
        row(
            "headers without end",
            Answer::Endless(b"HTTP/1.1 200 OK\r\nx: ".to_vec(), vec![b'x'; 0x1000]),
            "/jwks: error sending request",
        ),
        row(
            "a body without end",
            Answer::Endless(chunked.to_vec(), chunk),
            "more than 65536 bytes",
        ),
        row(
            "a body without length or end",
            Answer::Endless(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b' '; 0x1000]),
            "more than 65536 bytes",
        ),
        row("a long body", ok("", vec![b' '; 10 * 1024 * 1024]), "more than 65536 bytes"),
        row("a body one byte too long", ok("", padded(MAX_BODY + 1)), "more than 65536 bytes"),
    ]
}

/// Returns a row with interim responses without end. The client stores none of these responses, so
/// only the deadline ends the fetch.
#[must_use]
pub fn interim_responses() -> Row {
    let hints = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(50);
    let timeout = "no complete response within 0.4 s";
    Row { taken: usize::MAX, ..row("103 for ever", Answer::Endless(Vec::new(), hints), timeout) }
}

/// An empty key set of this many bytes.
#[must_use]
pub fn padded(length: usize) -> Vec<u8> {
    let mut document = br#"{"keys":[]}"#.to_vec();
    document.resize(length, b' ');
    document
}

/// Documents that are not a key set.
#[must_use]
pub fn documents() -> Vec<Row> {
    let nested = |open: &str, depth: usize| ok("", format!(r#"{{"keys":[{}"#, open.repeat(depth)));
    let many = |number| ok("", format!(r#"{{"keys":[{}]}}"#, vec!["{}"; number].join(",")));
    let coded = |coding: &str, body: &[u8]| ok(&format!("content-encoding: {coding}\r\n"), body);
    let html = "<!doctype html><p>Log in</p>";
    let not_an_array = "is not a key set: `keys` has a value of the wrong type";
    let breaks_off = "is not a key set: it is truncated";
    vec![
        row("an empty body", ok("", ""), "is not a key set: it is empty"),
        row("null", ok("", "null"), "is not a key set: it is `null`, not a JSON object"),
        row("HTML", ok("content-type: text/html\r\n", html), "is not a key set: it is HTML or XML"),
        row("not UTF-8", ok("", b"{\"keys\":[],\"x\":\"\xff\"}"), "it is not UTF-8 (at byte 16)"),
        row("UTF-16", ok("", b"\xff\xfe{\0}\0"), "is not a key set: it is UTF-16, not UTF-8"),
        row("something behind it", ok("", r#"{"keys":[]}{"keys":[]}"#), "trailing characters"),
        row("no `keys`", ok("", "{}"), "is not a key set: `keys` is absent"),
        row(
            "`keys` twice",
            ok("", r#"{"keys":[],"keys":[]}"#),
            r#"its member "keys" is duplicated"#,
        ),
        row("`keys` that is no array", ok("", r#"{"keys":{}}"#), not_an_array),
        row("`keys` that is null", ok("", r#"{"keys":null}"#), not_an_array),
        row("a deep nest of arrays, open", nested("[", 60_000), breaks_off),
        row("a deep nest of objects, open", nested(r#"{"a":"#, 10_000), breaks_off),
        row("too many keys", many(201), "more than 200 keys; raise max_keys"),
        row("brotli", coded("br", b"\x0b\x05\x80{}"), "Content-Encoding is \"br\""),
        row("no gzip in spite of the header", coded("gzip", b"{}"), "is gzip, but the body is not"),
        row("gzip without the header", ok("", GZIPPED_KEYS), "it is gzip data without"),
        row("a gzip bomb", coded("gzip", GZIP_BOMB), "more than 65536 bytes"),
    ]
}

/// Redirects, one of them to `to_other_origin`.
#[must_use]
pub fn redirects(to_other_origin: &str) -> Vec<Row> {
    let redirect = |to: &str| refused("302 Found", &format!("location: {to}\r\n"));
    vec![
        row("a redirect", redirect(ELSEWHERE), "responded with 302 Found"),
        row("a loop of redirects", redirect(JWKS), "responded with 302 Found"),
        row("a redirect elsewhere", redirect(to_other_origin), "responded with 302 Found"),
    ]
}
