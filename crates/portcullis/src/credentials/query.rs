//! A token in the query of the request's target ([RFC 6750 §2.3]). Only `dangerous` configures it.
//!
//! [RFC 6750 §2.3]: https://www.rfc-editor.org/rfc/rfc6750#section-2.3

use super::{BearerToken, CredentialsError};
use crate::request::RequestView;

/// The token in the parameter `name`. The token is not percent-decoded: the characters of a JWT
/// need no encoding, and an encoded token is rejected as malformed.
pub(super) fn find<'r>(
    request: &'r (impl RequestView + ?Sized),
    name: &str,
) -> Result<Option<BearerToken<'r>>, CredentialsError> {
    let mut found = None;
    for pair in request.query().into_iter().flat_map(|query| query.split('&')) {
        let (parameter, value) = pair.split_once('=').unwrap_or((pair, ""));
        if parameter != name {
            continue;
        }
        if found.is_some() {
            return Err(CredentialsError::Repeated);
        }
        found = Some(BearerToken::parse(value.as_bytes())?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn found(target: &str) -> Result<Option<String>, CredentialsError> {
        let request = Request::get(target).body(()).unwrap();
        Ok(find(&request, "access_token")?.map(|token| token.text().unwrap().to_owned()))
    }

    #[test]
    fn query_parameter_is_found_by_its_whole_name() {
        for target in
            ["/x?access_token=a.b.c", "/x?a=1&access_token=a.b.c&b", "/?access_token=a.b.c"]
        {
            assert_eq!(found(target), Ok(Some("a.b.c".to_owned())), "{target}");
        }
        for target in ["/x", "/x?", "/x?Access_Token=a", "/x?my_access_token=a", "/access_token=a"]
        {
            assert_eq!(found(target), Ok(None), "{target}");
        }
    }

    #[test]
    fn duplicate_or_malformed_query_parameter_is_rejected() {
        let repeated = Err(CredentialsError::Repeated);
        assert_eq!(found("/?access_token=a&access_token=a"), repeated);
        for target in ["/?access_token", "/?access_token=", "/?access_token=a%2Eb"] {
            assert_eq!(found(target), Err(CredentialsError::Grammar), "{target}");
        }
    }
}
