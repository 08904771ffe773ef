//! The refusals of the OAuth endpoints, for the OpenAPI document.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::StatusCode;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{self, ContentBuilder, HeaderBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{PartialSchema as _, ToSchema as _};
use utoipa_axum::router::UtoipaMethodRouter;

use super::error::{ErrorBody, OAuthError as E};
use crate::http::api::Api;
use crate::http::openapi::operations;

/// The refusals of the token endpoint, in addition to [`OF_ANY`].
pub(in crate::http) const OF_TOKENS: &[E] = &[
    E::UnauthorizedClient(""),
    E::UnsupportedGrantType,
    E::InvalidGrant(""),
    E::InvalidScope,
    E::InvalidTarget(""),
];

/// The refusals of the revocation endpoint, in addition to [`OF_ANY`].
pub(in crate::http) const OF_REVOCATION: &[E] = &[E::InvalidGrant("")];

/// The refusals of all OAuth endpoints.
const OF_ANY: &[E] = &[
    E::InvalidRequest(""),
    E::TooLarge,
    E::TooSlow,
    E::InvalidClient,
    E::TooManyAttempts { retry_after_secs: 0 },
    E::Unavailable,
];

/// Adds the refusals of a route to its documentation.
pub(in crate::http) fn documented(
    (mut schemas, mut paths, route): UtoipaMethodRouter<Arc<Api>>,
    errors: &[E],
) -> UtoipaMethodRouter<Arc<Api>> {
    let mut by_status: BTreeMap<StatusCode, Vec<&'static str>> = BTreeMap::new();
    for error in errors.iter().chain(OF_ANY) {
        let (status, code, _) = error.parts();
        by_status.entry(status).or_default().push(code);
    }
    for operation in paths.paths.values_mut().flat_map(operations) {
        for (status, codes) in &by_status {
            let refused = RefOr::T(refused(*status, codes));
            operation.responses.responses.insert(status.as_str().to_owned(), refused);
        }
    }
    schemas.push((ErrorBody::name().into_owned(), ErrorBody::schema()));
    (schemas, paths, route)
}

fn refused(status: StatusCode, codes: &[&'static str]) -> openapi::Response {
    let one_of_these =
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes.to_vec()));
    let schema = AllOfBuilder::new()
        .item(Ref::from_schema_name(ErrorBody::name()))
        .item(ObjectBuilder::new().property("error", one_of_these));
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response =
        ResponseBuilder::new().description(codes.join("; ")).content("application/json", content);
    let header = |meaning: &str| HeaderBuilder::new().description(Some(meaning)).build();
    match status {
        StatusCode::UNAUTHORIZED => {
            response.header("WWW-Authenticate", header("RFC 6749 section 5.2"))
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            response.header("Retry-After", header("The number of seconds after which to retry"))
        }
        _ => response,
    }
    .build()
}
