//! The OpenAPI document, which is generated from the mounted routes. Method, path, parameters,
//! bodies and successful responses are documented at the handler. Rejections are documented where
//! the route is mounted.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Router};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    self, Components, ContentBuilder, HeaderBuilder, InfoBuilder, LicenseBuilder, OpenApi,
    OpenApiBuilder, Ref, RefOr, ResponseBuilder, Server,
};
use utoipa::{PartialSchema as _, ToSchema as _};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

use super::api::Api;
use super::cookies;
use super::problem::Problem;
use super::problem_document::{Document, PROBLEM_JSON, urn};
use crate::config::IssuerConfig;

/// Names of the security schemes.
pub(super) const ACCESS_TOKEN: &str = "access_token";
pub(super) const ACCESS_COOKIE: &str = "access_cookie";
pub(super) const REFRESH_COOKIE: &str = "refresh_cookie";

const DESCRIPTION: &str = "Logs users in and out, keeps their sessions, and publishes the keys \
    that verify their access tokens (RFC 9068). Every error is a problem document (RFC 9457); below \
    `/oauth` errors have the format of RFC 6749. 401 has a `WWW-Authenticate` header, 429 and 503 have \
    a `Retry-After` header.";

/// Creates the document without routes.
pub(super) fn document(config: &IssuerConfig) -> OpenApi {
    let info = InfoBuilder::new()
        .title("Portcullis issuer")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(LicenseBuilder::new().name(env!("CARGO_PKG_LICENSE")).build()))
        .build();
    let mut components = Components::new();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    components.add_security_scheme(ACCESS_TOKEN, SecurityScheme::Http(bearer));
    let basic = HttpBuilder::new().scheme(HttpAuthScheme::Basic).build();
    components.add_security_scheme("client_secret", SecurityScheme::Http(basic));
    for (name, cookie) in [
        (ACCESS_COOKIE, cookies::access_name(config)),
        (REFRESH_COOKIE, cookies::REFRESH.to_owned()),
    ] {
        let cookie = ApiKey::Cookie(ApiKeyValue::new(cookie));
        components.add_security_scheme(name, SecurityScheme::ApiKey(cookie));
    }
    components.schemas.insert(Document::name().into_owned(), Document::schema());
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([Server::new(&config.issuer)]))
        .components(Some(components))
        .build()
}

/// Returns the routes, and adds a route that serves their document. The document includes the added
/// route.
pub(super) fn publish(routes: OpenApiRouter<Arc<Api>>) -> Router<Arc<Api>> {
    let json = Published::default();
    let serve = routes!(serve).layer(Extension(json.clone()));
    let (routes, document) = routes.routes(serve).split_for_parts();
    // Serialization cannot fail, and the document is set only here.
    let _ = json.0.set(document.to_json().unwrap_or_default());
    routes
}

/// The document as JSON. It is set when all routes have been added.
#[derive(Clone, Default)]
struct Published(Arc<OnceLock<String>>);

/// Returns this OpenAPI document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "discovery",
    operation_id = "openapi",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)),
)]
async fn serve(Extension(Published(json)): Extension<Published>) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=300")];
    (headers, json.get().cloned().unwrap_or_default()).into_response()
}

/// A reason for which a route may reject a request: a status, and the problem's type if it has one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    status: StatusCode,
    kind: Option<&'static str>,
    title: &'static str,
}

/// Returns the refusal for a problem of a handler.
pub(super) const fn of(problem: Problem) -> Refusal {
    let (status, kind, title, _) = problem.parts();
    Refusal { status, kind: Some(kind), title }
}

/// Returns a refusal by the middleware, which has no problem type.
const fn bare(status: StatusCode, title: &'static str) -> Refusal {
    Refusal { status, kind: None, title }
}

/// The refusals of a route with a JSON body.
pub(super) const A_BODY: &[Refusal] = &[
    of(Problem::MalformedBody),
    of(Problem::WrongFields),
    of(Problem::NotJson),
    of(Problem::TooLarge),
    of(Problem::TooSlow),
];

/// The refusals of a route that reads the refresh token's cookie.
pub(super) const A_REFRESH_COOKIE: &[Refusal] =
    &[of(Problem::AmbiguousCookie), of(Problem::UnmatchedCookie), of(Problem::CrossSite)];

/// The refusal of a route with a rate limit.
pub(super) const AN_ATTEMPT: &[Refusal] = &[of(Problem::TooManyAttempts { retry_after_secs: 0 })];

/// The refusal of a route that needs the store.
const THE_STORE: &[Refusal] = &[of(Problem::Unavailable)];

/// The refusals of a route behind the middleware and the session check.
const ACCESS: &[Refusal] = &[
    bare(StatusCode::BAD_REQUEST, "Malformed or repeated credentials"),
    bare(StatusCode::UNAUTHORIZED, "No access token, or an access token that is not accepted"),
    bare(StatusCode::FORBIDDEN, "A cookie from another site's page, or insufficient permissions"),
    of(Problem::AmbiguousCookie),
    of(Problem::UnmatchedCookie),
    of(Problem::NotIssuersOwn),
    of(Problem::SessionOver),
    of(Problem::TokenRevoked),
];

/// Documents the refusals of a route that needs no access token.
pub(super) fn open(
    (schemas, mut paths, route): UtoipaMethodRouter<Arc<Api>>,
    refusals: &[&[Refusal]],
) -> UtoipaMethodRouter<Arc<Api>> {
    let refusals: Vec<&[Refusal]> = refusals.iter().chain(&[THE_STORE]).copied().collect();
    for operation in paths.paths.values_mut().flat_map(operations) {
        document_refusals(operation, &refusals);
    }
    (schemas, paths, route)
}

/// Documents the refusals of a route behind the middleware and the session check.
pub(super) fn own(
    (schemas, mut paths, route): UtoipaMethodRouter<Arc<Api>>,
    refusals: &[&[Refusal]],
) -> UtoipaMethodRouter<Arc<Api>> {
    let refusals: Vec<&[Refusal]> = [ACCESS].iter().chain(refusals).copied().collect();
    for operation in paths.paths.values_mut().flat_map(operations) {
        operation.security = Some(
            [ACCESS_TOKEN, ACCESS_COOKIE]
                .map(|scheme| SecurityRequirement::new(scheme, [] as [&str; 0]))
                .into(),
        );
    }
    open((schemas, paths, route), &refusals)
}

pub(super) fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.delete, &mut item.patch]
        .into_iter()
        .flatten()
}

/// Documents one response per status. A status may have several reasons.
fn document_refusals(operation: &mut Operation, refusals: &[&[Refusal]]) {
    let mut by_status: BTreeMap<StatusCode, Vec<Refusal>> = BTreeMap::new();
    for refusal in refusals.iter().copied().flatten() {
        by_status.entry(refusal.status).or_default().push(*refusal);
    }
    for (status, refusals) in by_status {
        let refused = RefOr::T(refused(status, &refusals));
        operation.responses.responses.insert(status.as_str().to_owned(), refused);
    }
}

fn refused(status: StatusCode, refusals: &[Refusal]) -> openapi::Response {
    let titles: Vec<&str> = refusals.iter().map(|refusal| refusal.title).collect();
    let kinds: Vec<String> = refusals.iter().filter_map(|refusal| refusal.kind).map(urn).collect();
    let one_of_these = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(kinds));
    let schema = AllOfBuilder::new()
        .item(Ref::from_schema_name(Document::name()))
        .item(ObjectBuilder::new().property("type", one_of_these));
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response =
        ResponseBuilder::new().description(titles.join("; ")).content(PROBLEM_JSON, content);
    let header = |meaning: &str| HeaderBuilder::new().description(Some(meaning)).build();
    match status {
        StatusCode::UNAUTHORIZED => {
            response.header("WWW-Authenticate", header("RFC 6750 section 3, RFC 9470 section 3"))
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            response.header("Retry-After", header("The number of seconds after which to retry"))
        }
        _ => response,
    }
    .build()
}
