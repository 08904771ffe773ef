//! A token in a WebSocket handshake ([RFC 6455 §4.1]). A page can set no header there but the list
//! of subprotocols, so that one of them carries the token: `new WebSocket(url, ["chat",
//! "bearer." + token])`.
//!
//! [RFC 6455 §4.1]: https://www.rfc-editor.org/rfc/rfc6455#section-4.1

use http::header::SEC_WEBSOCKET_PROTOCOL;

use super::{BearerToken, CredentialsError};
use crate::request::{RequestView, try_each_line};

/// The token behind `prefix` in the list of subprotocols.
pub(super) fn find<'r>(
    request: &'r (impl RequestView + ?Sized),
    prefix: &str,
) -> Result<Option<BearerToken<'r>>, CredentialsError> {
    let mut found = None;
    try_each_line(request, &SEC_WEBSOCKET_PROTOCOL, |line| {
        for protocol in line.split(|&byte| byte == b',') {
            let Some(token) = protocol.trim_ascii().strip_prefix(prefix.as_bytes()) else {
                continue;
            };
            if found.is_some() {
                return Err(CredentialsError::Repeated);
            }
            found = Some(BearerToken::parse(token)?);
        }
        Ok(())
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn found(lines: &[&'static str]) -> Result<Option<String>, CredentialsError> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(SEC_WEBSOCKET_PROTOCOL, http::HeaderValue::from_static(line));
        }
        Ok(find(&headers, "bearer.")?.map(|token| token.text().unwrap().to_owned()))
    }

    #[test]
    fn the_token_is_found_among_other_protocols() {
        for lines in [&["bearer.a.b.c"][..], &["chat, bearer.a.b.c"], &["chat", "bearer.a.b.c,x"]] {
            assert_eq!(found(lines), Ok(Some("a.b.c".to_owned())), "{lines:?}");
        }
        for lines in [&[][..], &["chat"], &["bearer"], &["Bearer.a"], &["x-bearer.a"]] {
            assert_eq!(found(lines), Ok(None), "{lines:?}");
        }
    }

    #[test]
    fn two_tokens_or_none_behind_the_prefix_are_refused() {
        assert_eq!(found(&["bearer.a, bearer.a"]), Err(CredentialsError::Repeated));
        assert_eq!(found(&["bearer.a", "bearer.b"]), Err(CredentialsError::Repeated));
        for lines in [&["bearer."][..], &["bearer.a b"], &["bearer.\"a\""]] {
            assert_eq!(found(lines), Err(CredentialsError::Grammar), "{lines:?}");
        }
    }
}
