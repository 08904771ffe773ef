//! A response, in a form that can be compared.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Response};

/// Headers that belong to a single connection or point in time.
const LEFT_OUT: [&str; 4] = ["connection", "date", "keep-alive", "transfer-encoding"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Keyed by lower-case name; the values of a repeated header are in order.
    pub(super) headers: BTreeMap<String, Vec<String>>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn new(status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let mut answer = Self { status, headers: BTreeMap::new(), body: body.to_owned() };
        for (name, value) in headers {
            answer.add(name, value);
        }
        answer
    }

    /// Converts a response into the form in which a server would send it.
    pub(super) fn of(response: Response<Bytes>) -> Self {
        let (parts, body) = response.into_parts();
        let mut answer = Self::new(parts.status.as_u16(), &[], &String::from_utf8_lossy(&body));
        answer.add_all(&parts.headers);
        if !body.is_empty() {
            answer.headers.insert("content-length".to_owned(), vec![body.len().to_string()]);
        }
        answer
    }

    pub(super) fn add_all(&mut self, headers: &HeaderMap) {
        for (name, value) in headers {
            self.add(name.as_str(), &String::from_utf8_lossy(value.as_bytes()));
        }
    }

    fn add(&mut self, name: &str, value: &str) {
        let name = name.to_ascii_lowercase();
        // Servers also signal an empty body in other ways.
        let no_body = name == "content-length" && value == "0";
        if !no_body && !LEFT_OUT.contains(&name.as_str()) {
            self.headers.entry(name).or_default().push(value.to_owned());
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {:?}", self.status, self.headers, self.body)
    }
}
