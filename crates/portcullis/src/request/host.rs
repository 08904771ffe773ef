//! The host that a request was sent to.

use std::borrow::Cow;

use http::header::HOST;

use super::{RequestView, single};

/// The host of `request`; see [`RequestView::host`].
pub(super) fn of(request: &(impl RequestView + ?Sized)) -> Option<Cow<'_, str>> {
    let line = single(request, &HOST).ok()?;
    let Some(target) = request.target_authority() else { return normalised(line?) };
    let host = normalised(target)?;
    // If the target and `Host` differ, code that reads `Host` would use another host than the one
    // returned here.
    match line {
        Some(line) if normalised(line)? != host => None,
        _ => Some(host),
    }
}

/// The host of an authority without user information; `None` if it is malformed.
fn normalised(authority: &[u8]) -> Option<Cow<'_, str>> {
    let authority = std::str::from_utf8(authority).ok()?;
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, _) = rest.split_once(']')?;
            let of_address = |byte: u8| byte.is_ascii_hexdigit() || b":.".contains(&byte);
            if address.is_empty() || !address.bytes().all(of_address) {
                return None;
            }
            authority.split_at_checked(address.len() + 2)?
        }
        None => {
            let (name, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
            // A name with a trailing dot, for the root, is the same host.
            let name = name.strip_suffix('.').unwrap_or(name);
            let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            if name.is_empty() || name.starts_with('.') || !name.bytes().all(of_name) {
                return None;
            }
            (name, port)
        }
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
        return None;
    }
    let has_upper_case = host.bytes().any(|byte| byte.is_ascii_uppercase());
    Some(if has_upper_case { host.to_ascii_lowercase().into() } else { host.into() })
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn host(uri: &str, lines: &[&str]) -> Option<String> {
        let mut request = Request::get(uri);
        for line in lines {
            request = request.header("host", *line);
        }
        let request = request.header("x-forwarded-host", "evil.example");
        let request = request.header("forwarded", "host=evil.example").body(()).unwrap();
        let host = request.host().map(Cow::into_owned);
        assert_eq!(request.into_parts().0.host().map(Cow::into_owned), host);
        host
    }

    #[test]
    fn host_comes_from_the_target_or_the_only_host_line() {
        for (uri, lines, expected) in [
            ("/", &["a.example"][..], Some("a.example")),
            ("/", &["A.Example:8443"], Some("a.example")),
            ("/", &["a.example."], Some("a.example")),
            ("/", &["a.example:"], Some("a.example")),
            ("/", &["[FD00::1]:8443"], Some("[fd00::1]")),
            ("/", &["127.0.0.1:80"], Some("127.0.0.1")),
            ("https://a.example:8443/", &[], Some("a.example")),
            ("https://a.example/", &["A.example:443"], Some("a.example")),
            // Code that reads the target and code that reads `Host` must not serve two different
            // tenants.
            ("https://a.example/", &["b.example"], None),
            ("https://a.example/", &["a.example", "a.example"], None),
            ("https://a.example/", &["a.example b"], None),
            ("/", &["a.example", "b.example"], None),
            ("/", &["a.example", "a.example"], None),
            ("/", &[], None),
        ] {
            assert_eq!(host(uri, lines).as_deref(), expected, "{uri} {lines:?}");
        }
    }

    #[test]
    fn malformed_host_is_none() {
        for line in [
            "",
            ".",
            "..",
            ".a",
            ":80",
            "a.example:x",
            "a.example:80:80",
            "user@a.example",
            "a b",
            "a,b",
            "a/b",
            "a?b",
            "a#b",
            "a%2eexample",
            "b\u{fc}cher.example",
            "[::1",
            "[]",
            "[::1]x",
            "[::1]:x",
            "[fe80::1%25eth0]",
            "::1",
        ] {
            assert_eq!(normalised(line.as_bytes()), None, "{line}");
        }
        assert_eq!(normalised(b"a\xff"), None);
    }
}
