//! The table of bad metadata.

use serde_json::json;

use crate::key_server::{Answer, Server, response};
use crate::service::JWKS;

/// The path of the metadata.
pub const METADATA: &str = "/.well-known/openid-configuration";

/// A fault of metadata and its effect.
#[derive(Debug)]
pub struct Row {
    /// The name of the fault.
    pub name: &'static str,
    /// The response to the metadata request.
    pub fault: fn(&Server) -> Answer,
    /// A part of the reported error.
    pub told: &'static str,
}

fn document(issuer: &str, jwks_uri: &str) -> Answer {
    Answer::Document(json!({"issuer": issuer, "jwks_uri": jwks_uri}).to_string())
}

/// Metadata that leads to the keys of `server`.
#[must_use]
pub fn good(server: &Server) -> Answer {
    document(&server.url(""), &server.url(JWKS))
}

/// The rows of the table.
pub const ROWS: &[Row] = &[
    Row {
        name: "another issuer",
        fault: |server| document("https://evil.example", &server.url(JWKS)),
        told: "is the metadata of \"https://evil.example\", not of",
    },
    Row {
        name: "the issuer with a slash",
        fault: |server| document(&server.url("/"), &server.url(JWKS)),
        told: "add a trailing slash to issuer",
    },
    Row {
        name: "no issuer",
        fault: |server| Answer::Document(json!({"jwks_uri": server.url(JWKS)}).to_string()),
        told: "`issuer` is absent",
    },
    Row {
        name: "two issuers",
        fault: |server| {
            let (issuer, jwks_uri) = (server.url(""), server.url(JWKS));
            Answer::Document(format!(
                r#"{{"issuer":"{issuer}","issuer":"{issuer}","jwks_uri":"{jwks_uri}"}}"#
            ))
        },
        told: "its member \"issuer\" is duplicated",
    },
    Row {
        name: "`jwks_uri` on another host, over http",
        fault: |server| document(&server.url(""), "http://192.0.2.1/jwks"),
        told: "http://192.0.2.1/jwks is neither https nor on this machine",
    },
    Row {
        name: "`jwks_uri` that is a file",
        fault: |server| document(&server.url(""), "file:///etc/passwd"),
        told: "file:///etc/passwd is neither https nor on this machine",
    },
    Row {
        name: "`jwks_uri` that is no URL",
        fault: |server| document(&server.url(""), JWKS),
        told: "`jwks_uri` is not a URL",
    },
    Row {
        name: "no `jwks_uri`",
        fault: |server| Answer::Document(json!({"issuer": server.url("")}).to_string()),
        told: "`jwks_uri` is absent",
    },
    Row {
        name: "HTML",
        fault: |_| Answer::Document("<!doctype html>".to_owned()),
        told: "is not issuer metadata: it is HTML or XML",
    },
    Row {
        name: "a redirect",
        fault: |_| Answer::Bytes(response("302 Found", "location: /moved\r\n", "")),
        told: "/.well-known/openid-configuration responded with 302",
    },
    Row {
        name: "nothing in either place",
        fault: |_| Answer::Bytes(response("404 Not Found", "", "")),
        told: "/.well-known/openid-configuration responded with 404",
    },
    Row {
        name: "silence",
        fault: |_| Answer::Hang(Vec::new()),
        told: "no complete response within 0.4 s",
    },
    Row {
        name: "a document without end",
        fault: |_| Answer::Endless(b"HTTP/1.1 200 OK\r\n\r\n{".to_vec(), vec![b' '; 0x1000]),
        told: "more than 65536 bytes",
    },
];
