//! What a request to the receiver has.

use std::borrow::Cow;
use std::ops::ControlFlow;

use http::header::CONTENT_TYPE;

use super::response::{Kind, Outcome};
use crate::request::RequestView;

/// The media type of a request with a logout token.
const FORM: &[u8] = b"application/x-www-form-urlencoded";

/// The media type of a request with a security event token: RFC 8935 §2.1.
const EVENT: &[u8] = b"application/secevent+jwt";

/// The parameter with the logout token.
const PARAMETER: &str = "logout_token";

/// What a request has, by its only `Content-Type` line, with or without parameters.
pub(super) fn kind_of(request: &dyn RequestView) -> Option<Kind> {
    let (mut lines, mut kind) = (0, None);
    request.visit_header(&CONTENT_TYPE, &mut |value| {
        let media_type = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let kinds = [(FORM, Kind::LogoutToken), (EVENT, Kind::SecurityEvent)];
        let found = kinds.iter().find(|(name, _)| media_type.eq_ignore_ascii_case(name));
        (lines, kind) = (lines + 1, found.map(|(_, kind)| *kind));
        if lines > 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    kind.filter(|_| lines == 1)
}

/// Returns the logout token in a form.
pub(super) fn token_in_form(body: &[u8]) -> Result<Cow<'_, str>, Outcome> {
    let mut tokens = url::form_urlencoded::parse(body).filter(|(name, _)| name == PARAMETER);
    let (Some((_, token)), None) = (tokens.next(), tokens.next()) else {
        return Err(Outcome::form("the body does not have `logout_token` exactly once"));
    };
    Ok(token)
}
