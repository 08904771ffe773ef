//! A token in a WebSocket handshake ([RFC 6455 §4.1]). The list of subprotocols is the only header
//! of the handshake that a page can set, so one of the subprotocols carries the token:
//! `new WebSocket(url, ["chat", "bearer." + token])`.
//!
//! [RFC 6455 §4.1]: https://www.rfc-editor.org/rfc/rfc6455#section-4.1

use http::header::SEC_WEBSOCKET_PROTOCOL;

use super::{BearerToken, CredentialsError};
use crate::request::{RequestView, try_each_line};

/// How the list of subprotocols contains the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The token is after the marker, in the same item.
    Prefix,
    /// Like `Prefix`, with the token in base64url.
    Base64url,
    /// The token is the item right after the marker.
    Pair,
}

/// The token that `marker` marks in the list of subprotocols.
pub(super) fn find<'r>(
    request: &'r (impl RequestView + ?Sized),
    form: Form,
    marker: &str,
) -> Result<Option<BearerToken<'r>>, CredentialsError> {
    let mut found = None;
    // All lines form one list (RFC 9110 §5.3), so the marker of a pair may be the last item of a
    // line.
    let mut is_marked = false;
    try_each_line(request, &SEC_WEBSOCKET_PROTOCOL, |line| {
        for item in line.split(|&byte| byte == b',') {
            let item = item.trim_ascii();
            let token = if form == Form::Pair {
                let is_token = is_marked;
                is_marked = !is_token && item == marker.as_bytes();
                is_token.then_some(item)
            } else {
                item.strip_prefix(marker.as_bytes())
            };
            let Some(token) = token else { continue };
            if found.is_some() {
                return Err(CredentialsError::Repeated);
            }
            found = Some(match form {
                Form::Prefix | Form::Pair => BearerToken::parse(token)?,
                Form::Base64url => BearerToken::decode(token)?,
            });
        }
        Ok(())
    })?;
    if is_marked { Err(CredentialsError::Grammar) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn found(
        form: Form,
        marker: &str,
        lines: &[&'static str],
    ) -> Result<Option<String>, CredentialsError> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(SEC_WEBSOCKET_PROTOCOL, http::HeaderValue::from_static(line));
        }
        Ok(find(&headers, form, marker)?.map(|token| token.text().unwrap().to_owned()))
    }

    #[test]
    fn token_is_found_among_other_subprotocols() {
        let found = |lines: &[&'static str]| found(Form::Prefix, "bearer.", lines);
        for lines in [&["bearer.a.b.c"][..], &["chat, bearer.a.b.c"], &["chat", "bearer.a.b.c,x"]] {
            assert_eq!(found(lines), Ok(Some("a.b.c".to_owned())), "{lines:?}");
        }
        for lines in [&[][..], &["chat"], &["bearer"], &["Bearer.a"], &["x-bearer.a"]] {
            assert_eq!(found(lines), Ok(None), "{lines:?}");
        }
    }

    #[test]
    fn no_token_or_two_tokens_after_the_prefix_are_rejected() {
        let found = |lines: &[&'static str]| found(Form::Prefix, "bearer.", lines);
        assert_eq!(found(&["bearer.a, bearer.a"]), Err(CredentialsError::Repeated));
        assert_eq!(found(&["bearer.a", "bearer.b"]), Err(CredentialsError::Repeated));
        for lines in [&["bearer."][..], &["bearer.a b"], &["bearer.\"a\""]] {
            assert_eq!(found(lines), Err(CredentialsError::Grammar), "{lines:?}");
        }
    }

    #[test]
    fn encoded_token_is_found_after_its_prefix() {
        let found = |lines: &[&'static str]| found(Form::Base64url, "b64.", lines);
        for lines in [&["b64.YS5iLmM"][..], &["chat, b64.YS5iLmM"], &["chat", "b64.YS5iLmM,x"]] {
            assert_eq!(found(lines), Ok(Some("a.b.c".to_owned())), "{lines:?}");
        }
        for lines in [&[][..], &["YS5iLmM"], &["B64.YS5iLmM"]] {
            assert_eq!(found(lines), Ok(None), "{lines:?}");
        }
        assert_eq!(found(&["b64.YQ, b64.YQ"]), Err(CredentialsError::Repeated));
        for lines in [&["b64."][..], &["b64.a.b"], &["b64.YQ=="], &["b64.YR"]] {
            assert_eq!(found(lines), Err(CredentialsError::Grammar), "{lines:?}");
        }
    }

    #[test]
    fn subprotocol_after_the_marker_is_the_token() {
        let found = |lines: &[&'static str]| found(Form::Pair, "bearer", lines);
        for lines in [
            &["bearer, a.b.c"][..],
            &["bearer,a.b.c"],
            &["chat, bearer, a.b.c, x"],
            &["chat, bearer", "a.b.c"],
        ] {
            assert_eq!(found(lines), Ok(Some("a.b.c".to_owned())), "{lines:?}");
        }
        for lines in [&[][..], &["a.b.c"], &["Bearer, a"], &["bearer.a"], &["chat, a"]] {
            assert_eq!(found(lines), Ok(None), "{lines:?}");
        }
        for lines in [&["bearer, a, bearer, a"][..], &["bearer, a", "bearer, b"]] {
            assert_eq!(found(lines), Err(CredentialsError::Repeated), "{lines:?}");
        }
        for lines in [&["bearer"][..], &["bearer,"], &["bearer,, a"], &["bearer, a, bearer"]] {
            assert_eq!(found(lines), Err(CredentialsError::Grammar), "{lines:?}");
        }
    }
}
