//! The issuer's HTTP routes. The modules below have the handlers and the middleware.

mod admin;
mod api;
mod asserted;
mod audit;
mod auth;
mod body;
mod connections;
mod cookies;
mod cross_site;
mod logout;
mod messages;
mod metadata;
mod oauth;
mod openapi;
mod operation;
mod passkeys;
mod password;
mod peer;
mod problem;
mod problem_document;
mod protected;
mod readiness;
mod second_factor;
mod serve;
mod sessions;
mod status_lists;
mod trace;
mod users;
mod well_known;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::get;
use portcullis::Policy;
use portcullis_axum::RequireLayer;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

use self::admin::changes;
pub(crate) use self::api::Api;
use self::openapi::{A_BODY, A_REFRESH_COOKIE, AN_ATTEMPT, of, open, own};
use self::problem::Problem as P;
pub(crate) use self::problem::no_such_page;
pub use self::protected::LiveSession;
pub(crate) use self::protected::{authenticator, protect};
pub(crate) use self::serve::{serve, serve_probes};
use crate::domain::audit::AUDIT_SCOPE;
use crate::domain::people::ADMIN_SCOPE;

/// The maximum length of a body, in bytes: far longer than a name and a password.
const MAX_BODY_BYTES: usize = 16 * 1024;

pub(crate) fn router(api: &Arc<Api>) -> Router {
    let for_users = for_users(api).merge(for_administrators(api));
    let routes = for_anybody(api).merge(protected::protect_own(api, for_users));
    let router = openapi::publish(routes)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES));
    let router = if api.config.trusted_origins.is_empty() {
        router
    } else {
        router.layer(cross_site::cors(&api.config))
    };
    router.layer(from_fn(trace::in_a_span)).with_state(api.clone())
}

/// Returns the routes of the health probes alone, for a separate listener.
pub(crate) fn probes(api: &Arc<Api>) -> Router {
    Router::new()
        .route("/healthz", get(operation::alive))
        .route("/readyz", get(operation::ready))
        .fallback(no_such_page)
        .with_state(api.clone())
}

fn for_anybody(api: &Api) -> OpenApiRouter<Arc<Api>> {
    let wrong_credentials = &[
        of(P::WrongCredentials),
        of(P::SecondFactorNeeded),
        of(P::WrongCode),
        of(P::WrongPasskey),
        of(P::SecondFactorLocked),
        of(P::CrossSite),
        of(P::InvalidTarget),
    ];
    let wrong_token = &[of(P::NoRefreshToken), of(P::WrongRefreshToken), of(P::InvalidTarget)];
    let not_ended = &[of(P::NoSession), of(P::NotIssuersOwn)];
    let routes = OpenApiRouter::with_openapi(openapi::document(&api.config))
        .routes(open(routes!(auth::login), &[A_BODY, AN_ATTEMPT, wrong_credentials]))
        .routes(open(routes!(auth::refresh), &[A_BODY, A_REFRESH_COOKIE, AN_ATTEMPT, wrong_token]))
        .routes(open(routes!(logout::logout), &[A_BODY, A_REFRESH_COOKIE, not_ended]))
        .routes(oauth::documented(routes!(oauth::token::token), oauth::OF_TOKENS))
        .routes(oauth::documented(routes!(oauth::introspect::introspect), &[]))
        .routes(oauth::documented(routes!(oauth::revoke::revoke), oauth::OF_REVOCATION))
        .routes(routes!(well_known::jwks))
        .routes(open(routes!(status_lists::list), &[&[of(P::NoSuchPage)]]))
        .routes(routes!(well_known::metadata))
        .routes(routes!(well_known::metadata_of_rfc_8414))
        .routes(routes!(operation::alive))
        .routes(open(routes!(operation::ready), &[&[of(P::NotReady(""))]]));
    let routes = if api.config.passkey_rp_id.is_some() {
        let wrong_passkey = &[of(P::WrongPasskey), of(P::CrossSite), of(P::InvalidTarget)];
        routes
            .routes(open(routes!(passkeys::challenge), &[AN_ATTEMPT, &[of(P::CrossSite)]]))
            .routes(open(routes!(passkeys::login), &[A_BODY, AN_ATTEMPT, wrong_passkey]))
    } else {
        routes
    };
    let routes = match (api.config.registration, api.config.address_verification) {
        (false, _) => routes,
        (true, false) => {
            let refusals = &[of(P::InvalidUser("")), of(P::InvalidPassword("")), of(P::NameTaken)];
            routes.routes(open(routes!(users::register), &[A_BODY, AN_ATTEMPT, refusals]))
        }
        (true, true) => {
            let refusals = &[of(P::InvalidUser("")), of(P::InvalidPassword(""))];
            routes.routes(open(routes!(users::register_address), &[A_BODY, AN_ATTEMPT, refusals]))
        }
    };
    if api.config.notifier.is_some() {
        let new_password = &[of(P::WrongToken), of(P::InvalidPassword(""))];
        let password = &[of(P::WrongToken), of(P::WrongPassword)];
        routes
            .routes(open(routes!(messages::request_reset), &[A_BODY, AN_ATTEMPT]))
            .routes(open(routes!(messages::set_password), &[A_BODY, AN_ATTEMPT, new_password]))
            .routes(open(routes!(messages::verify_address), &[A_BODY, AN_ATTEMPT, password]))
    } else {
        routes
    }
}

fn for_users(api: &Api) -> OpenApiRouter<Arc<Api>> {
    let for_auditors = RequireLayer::new(Policy::scopes([AUDIT_SCOPE]));
    let just_stepped_up = || RequireLayer::new(second_factor::just_stepped_up());
    let enrolled = &[of(P::WrongPassword), of(P::SecondFactorExists), of(P::StepUpTooOld)];
    let shown =
        &[of(P::WrongCode), of(P::WrongPasskey), of(P::SecondFactorLocked), of(P::NoSecondFactor)];
    let new_password = &[of(P::WrongPassword), of(P::InvalidPassword(""))];
    let no_second_factor = &[of(P::NoSecondFactor)];
    let routes = OpenApiRouter::default();
    let routes = if api.config.passkey_rp_id.is_some() {
        routes.merge(for_users_with_passkeys())
    } else {
        routes
    };
    routes
        .routes(own(routes!(users::me), &[]))
        .routes(own(routes!(sessions::list), &[]))
        .routes(by_user(own(routes!(sessions::end), &[&[of(P::NoSuchSession)]])))
        .routes(by_user(own(routes!(sessions::end_all), &[])))
        .routes(unseen(own(routes!(second_factor::step_up), &[A_BODY, AN_ATTEMPT, shown])))
        .routes(unseen(own(routes!(second_factor::enrol), &[A_BODY, AN_ATTEMPT, enrolled])))
        .routes(unseen(
            own(routes!(second_factor::remove), &[no_second_factor])
                .map(|route| route.route_layer(just_stepped_up())),
        ))
        .routes(unseen(
            own(routes!(second_factor::new_recovery_codes), &[no_second_factor])
                .map(|route| route.route_layer(just_stepped_up())),
        ))
        .routes(unseen(own(routes!(password::change), &[A_BODY, AN_ATTEMPT, new_password])))
        .routes(unseen(
            own(routes!(audit::events), &[&[of(P::WrongQuery)]])
                .map(|route| route.route_layer(for_auditors)),
        ))
}

fn for_users_with_passkeys() -> OpenApiRouter<Arc<Api>> {
    let begun =
        &[of(P::WrongPassword), of(P::LoginTooOld), of(P::StepUpTooOld), of(P::TooManyPasskeys)];
    let registered = &[of(P::WrongPasskey), of(P::TooManyPasskeys)];
    let unknown = &[of(P::NoSuchPasskey)];
    OpenApiRouter::default()
        .routes(unseen(own(routes!(passkeys::begin_registration), &[A_BODY, AN_ATTEMPT, begun])))
        .routes(unseen(own(routes!(passkeys::register), &[A_BODY, AN_ATTEMPT, registered])))
        .routes(unseen(own(routes!(passkeys::list), &[])))
        .routes(unseen(own(routes!(passkeys::rename), &[A_BODY, unknown])))
        .routes(unseen(
            own(routes!(passkeys::remove), &[unknown]).map(|route| {
                route.route_layer(RequireLayer::new(second_factor::just_stepped_up()))
            }),
        ))
}

/// Restricts a route to credentials that no API has seen.
fn unseen(route: UtoipaMethodRouter<Arc<Api>>) -> UtoipaMethodRouter<Arc<Api>> {
    route.map(|route| route.route_layer(from_fn(protected::issuers_own_only)))
}

/// A route for the user alone, and not for a backend that acts for the user.
fn by_user(route: UtoipaMethodRouter<Arc<Api>>) -> UtoipaMethodRouter<Arc<Api>> {
    route.map(|route| route.route_layer(from_fn(protected::user_only)))
}

/// The refusals of an operation on another user's account.
const ADMINISTRATION: &[openapi::Refusal] = &[of(P::NotAnAdministrator), of(P::NoSuchUser)];

/// The refusal of an operation on the administrator's own account.
const ANOTHERS: &[openapi::Refusal] = &[of(P::OwnAccount)];

/// Requires a recent login or step-up (RFC 9470) for a change of an account: a stolen refresh token
/// or cookie gives no later `auth_time`.
fn recent(api: &Api, route: UtoipaMethodRouter<Arc<Api>>) -> UtoipaMethodRouter<Arc<Api>> {
    let age = api.config.admin_max_auth_age;
    if age.is_zero() {
        return route;
    }
    route.map(|route| route.route_layer(RequireLayer::new(Policy::max_auth_age(age))))
}

fn for_administrators(api: &Api) -> OpenApiRouter<Arc<Api>> {
    let new_password = &[of(P::InvalidPassword(""))];
    let new_names = &[of(P::InvalidUser(""))];
    let invited = &[of(P::InvalidUser("")), of(P::NameTaken)];
    let change = |route| recent(api, route);
    let routes = OpenApiRouter::default();
    let routes = if api.config.notifier.is_some() {
        routes.routes(change(own(routes!(admin::invite), &[ADMINISTRATION, A_BODY, invited])))
    } else {
        routes
    };
    routes
        .routes(own(routes!(admin::list), &[ADMINISTRATION, &[of(P::WrongQuery)]]))
        .routes(change(own(
            routes!(changes::set_address),
            &[ADMINISTRATION, ANOTHERS, A_BODY, new_names],
        )))
        .routes(change(own(routes!(changes::remove), &[ADMINISTRATION])))
        .routes(change(own(
            routes!(changes::set_password),
            &[ADMINISTRATION, ANOTHERS, A_BODY, new_password],
        )))
        .routes(change(own(routes!(changes::disable), &[ADMINISTRATION])))
        .routes(change(own(routes!(changes::enable), &[ADMINISTRATION])))
        .routes(change(own(routes!(changes::end_sessions), &[ADMINISTRATION])))
        .routes(change(own(routes!(changes::set_roles), &[ADMINISTRATION, A_BODY, new_names])))
        .routes(change(own(routes!(changes::set_scopes), &[ADMINISTRATION, A_BODY, new_names])))
        .routes(change(own(routes!(changes::reset_second_factor), &[ADMINISTRATION, ANOTHERS])))
        .routes(change(own(routes!(changes::unlock), &[ADMINISTRATION, ANOTHERS])))
        .routes(change(own(routes!(changes::end_all_sessions), &[ADMINISTRATION])))
        // Both the token and the user must have the scope: a narrowed token of an administrator is
        // rejected.
        .route_layer(RequireLayer::new(Policy::scopes([ADMIN_SCOPE])))
        .route_layer(from_fn(protected::issuers_own_only))
}
