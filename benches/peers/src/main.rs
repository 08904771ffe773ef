//! Sends the same requests with the same token to the same service behind each peer: a similar
//! library. Each peer has its fastest configuration. Every handler receives the same typed claims.
//! `cargo xtask bench` runs this program.

mod authkestra;
mod axum_07;
mod huskarl;
mod oauth_resource_server;
mod plain;

use std::hint::black_box;
use std::sync::Arc;

use actix_web::dev::{Service as _, ServiceRequest};
use actix_web::test::TestRequest;
use actix_web::{App, HttpMessage as _, HttpResponse, web};
use actix_web_httpauth::extractors::bearer::BearerAuth;
use actix_web_httpauth::middleware::HttpAuthentication;
use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, FromRef};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, Request};
use portcullis::{
    Authenticator,
    keys::{KeySet, SharedKeySet},
};
use portcullis_benches::measure::{Case, measure, report};
use portcullis_benches::scenario::{
    AUDIENCE, CACHE, Claims, ISSUER, Signer, at_once, bearer, caller, public_key,
};
use portcullis_benches::service;
use serde_json::json;
use tower::ServiceExt as _;
use tower_oauth2_resource_server::server::OAuth2ResourceServer;
use tower_oauth2_resource_server::tenant::TenantConfiguration;
use tower_oauth2_resource_server::validation::ClaimsValidationSpec;

const AXUM_JWT_AUTH: &str = "axum-jwt-auth 0.7 (axum 0.8)";
const JWT_AUTHORIZER: &str = "jwt-authorizer 0.15 (axum 0.7)";
const RESOURCE_SERVER: &str = "tower-oauth2-resource-server 0.12 (axum 0.8)";
const OAUTH_RESOURCE_SERVER: &str = "oauth-resource-server 0.4 (axum 0.8)";
const HUSKARL: &str = "huskarl-axum 0.1 (axum 0.8)";
const AUTHKESTRA: &str = "authkestra-axum 0.13 (axum 0.8)";
const JSONWEBTOKEN: &str = "jsonwebtoken 12 (axum 0.8)";
const OXITOKEN: &str = "oxitoken 0.1 (axum 0.8)";

fn main() {
    jsonwebtoken_10::crypto::aws_lc::DEFAULT_PROVIDER.install_default().unwrap();
    jsonwebtoken_11::crypto::aws_lc::DEFAULT_PROVIDER.install_default().unwrap();
    let arguments: Vec<_> = std::env::args().collect();
    if let [_, serve, mode, jwk] = arguments.as_slice()
        && serve == "serve"
    {
        return serve_behind(mode, &serde_json::from_str(jwk).unwrap());
    }
    let rounds = arguments.iter().find_map(|argument| argument.strip_prefix("rounds="));
    let rounds = rounds.map_or(21, |rounds| rounds.parse().unwrap());
    for algorithm in ["RS256", "ES256"] {
        let signer = Signer::new(algorithm);
        validators(algorithm, &signer, rounds);
        in_process(algorithm, &signer, rounds);
        actix(algorithm, &signer, rounds);
        let modes = [
            "no layer",
            "warm",
            "cold",
            JWT_AUTHORIZER,
            AXUM_JWT_AUTH,
            RESOURCE_SERVER,
            OAUTH_RESOURCE_SERVER,
            HUSKARL,
            AUTHKESTRA,
            JSONWEBTOKEN,
            OXITOKEN,
        ];
        let measured = service::compare(
            &modes,
            &signer.token(0),
            &signer.jwk().to_string(),
            (rounds / 3).max(3),
        );
        report(&format!("peers service {algorithm}"), &measured);
    }
}

fn serve_behind(mode: &str, jwk: &serde_json::Value) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if mode == JWT_AUTHORIZER {
        return axum_07::serve(runtime.block_on(axum_07::protected(jwk)));
    }
    service::serve(match mode {
        "warm" => ours_shared(authenticator(jwk, CACHE)),
        "cold" => ours(authenticator(jwk, 0)),
        OAUTH_RESOURCE_SERVER => oauth_resource_server::protected(jwk),
        HUSKARL => runtime.block_on(huskarl::protected(jwk)),
        AUTHKESTRA => runtime.block_on(authkestra::protected(jwk)),
        JSONWEBTOKEN => plain::protected(plain::jsonwebtoken(jwk)),
        OXITOKEN => plain::protected(plain::oxitoken(jwk)),
        AXUM_JWT_AUTH => axum_jwt_auth(jwk),
        RESOURCE_SERVER => runtime.block_on(resource_server(jwk)),
        _ => service::bare(),
    });
}

fn authenticator(jwk: &serde_json::Value, token_cache: usize) -> Authenticator {
    let keys = KeySet::from_json(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
    let builder = Authenticator::builder(ISSUER, AUDIENCE).key_source(SharedKeySet::new(keys));
    at_once(builder.token_cache_bytes(token_cache).build()).unwrap()
}

fn ours(auth: Authenticator) -> Router {
    let handler = |portcullis_axum::Claims(user): portcullis_axum::Claims<Claims>| async move {
        black_box(user);
        "fine"
    };
    Router::new().route("/", get(handler)).layer(portcullis_axum::AuthLayer::new(auth))
}

/// Like [`ours`], with claims that are deserialized once per token.
fn ours_shared(auth: Authenticator) -> Router {
    let handler = |portcullis_axum::SharedClaims(user): portcullis_axum::SharedClaims<Claims>| async move {
        black_box(&*user);
        "fine"
    };
    Router::new().route("/", get(handler)).layer(portcullis_axum::AuthLayer::new(auth))
}

#[derive(Clone)]
struct AppState(axum_jwt_auth::Decoder<Claims>);

impl FromRef<AppState> for axum_jwt_auth::Decoder<Claims> {
    fn from_ref(state: &AppState) -> Self {
        state.0.clone()
    }
}

fn axum_jwt_auth(jwk: &serde_json::Value) -> Router {
    let jwk_10 = serde_json::from_value(jwk.clone()).unwrap();
    let mut validation =
        jsonwebtoken_10::Validation::new(jwk["alg"].as_str().unwrap().parse().unwrap());
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.validate_nbf = true;
    let decoder = axum_jwt_auth::LocalDecoder::builder()
        .keys(vec![jsonwebtoken_10::DecodingKey::from_jwk(&jwk_10).unwrap()])
        .validation(validation)
        .build()
        .unwrap();
    let handler = |user: axum_jwt_auth::Claims<Claims>| async move {
        black_box(user.claims);
        "fine"
    };
    Router::new().route("/", get(handler)).with_state(AppState(Arc::new(decoder)))
}

async fn resource_server(jwk: &serde_json::Value) -> Router {
    let audiences = vec![AUDIENCE.to_owned()];
    let tenant = TenantConfiguration::static_builder(json!({"keys": [jwk]}).to_string())
        .audiences(&audiences)
        .claims_validation(ClaimsValidationSpec::recommended(ISSUER, &audiences))
        .build()
        .unwrap();
    let server = OAuth2ResourceServer::<Claims>::builder().add_tenant(tenant).build();
    let handler = |Extension(user): Extension<Claims>| async move {
        black_box(user);
        "fine"
    };
    Router::new().route("/", get(handler)).layer(server.await.unwrap().into_layer())
}

/// Without a framework.
fn validators(algorithm: &str, signer: &Signer, rounds: usize) {
    let (token, jwk) = (signer.token(0), signer.jwk());
    let headers = bearer(&token);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let (public, warm, cold) =
        (public_key(&jwk), authenticator(&jwk, CACHE), authenticator(&jwk, 0));
    let (jsonwebtoken, oxitoken) = (plain::jsonwebtoken(&jwk), plain::oxitoken(&jwk));
    let cases = vec![
        Case::new("bare signature check", || {
            public.verify_sig(black_box(message.as_bytes()), &signature).unwrap();
        }),
        Case::new("portcullis, warm", || drop(black_box(caller(&warm, black_box(&headers))))),
        Case::new("portcullis, cold", || drop(black_box(caller(&cold, black_box(&headers))))),
        Case::new("jsonwebtoken 12", || {
            black_box(jsonwebtoken(black_box(&token)).unwrap());
        }),
        Case::new("oxitoken 0.1", || {
            black_box(oxitoken(black_box(&token)).unwrap());
        }),
    ];
    report(&format!("peers validator {algorithm}"), &measure(cases, rounds));
}

fn in_process(algorithm: &str, signer: &Signer, rounds: usize) {
    let headers = bearer(&signer.token(0));
    let jwk = signer.jwk();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let bare = service::bare();
    let (warm, cold) = (ours_shared(authenticator(&jwk, CACHE)), ours(authenticator(&jwk, 0)));
    let warm_read = ours(authenticator(&jwk, CACHE));
    let oauth = oauth_resource_server::protected(&jwk);
    let huskarl = runtime.block_on(huskarl::protected(&jwk));
    let authkestra = runtime.block_on(authkestra::protected(&jwk));
    let jsonwebtoken = plain::protected(plain::jsonwebtoken(&jwk));
    let oxitoken = plain::protected(plain::oxitoken(&jwk));
    let jwt_auth = axum_jwt_auth(&jwk);
    let resource = runtime.block_on(resource_server(&jwk));
    let bare_07 = axum_07::bare();
    let authorizer = runtime.block_on(axum_07::protected(&jwk));
    let cases = vec![
        Case::new("without (axum 0.8)", || call(&bare, &headers)),
        Case::new("without (axum 0.7)", || axum_07::call(&bare_07, &headers)),
        Case::new("portcullis, warm (axum 0.8)", || call(&warm, &headers)),
        Case::new("portcullis, warm, claims read each time (axum 0.8)", || {
            call(&warm_read, &headers);
        }),
        Case::new("portcullis, cold (axum 0.8)", || call(&cold, &headers)),
        Case::new(JWT_AUTHORIZER, || axum_07::call(&authorizer, &headers)),
        Case::new(AXUM_JWT_AUTH, || call(&jwt_auth, &headers)),
        Case::new(RESOURCE_SERVER, || call(&resource, &headers)),
        Case::new(OAUTH_RESOURCE_SERVER, || call(&oauth, &headers)),
        Case::new(HUSKARL, || call(&huskarl, &headers)),
        Case::new(AUTHKESTRA, || call(&authkestra, &headers)),
        Case::new(JSONWEBTOKEN, || call(&jsonwebtoken, &headers)),
        Case::new(OXITOKEN, || call(&oxitoken, &headers)),
    ];
    report(&format!("peers axum {algorithm}"), &measure(cases, rounds));
}

fn call(router: &Router, headers: &HeaderMap) {
    let mut request = Request::new(Body::empty());
    request.headers_mut().clone_from(headers);
    let response = at_once(router.clone().oneshot(request)).unwrap();
    assert_eq!(response.status(), 200);
    drop(black_box(response));
}

fn actix(algorithm: &str, signer: &Signer, rounds: usize) {
    let (token, jwk) = (signer.token(0), signer.jwk());
    let checks = Arc::new(plain::checks(&jwk));
    let value = format!("Bearer {token}");
    let request =
        || TestRequest::get().insert_header(("authorization", value.as_str())).to_request();
    actix_web::rt::System::new().block_on(async {
        let bare = App::new().route("/", web::get().to(HttpResponse::Ok));
        let bare = actix_web::test::init_service(bare).await;
        let our_handler = |portcullis_actix::Claims(user): portcullis_actix::Claims<Claims>| async move {
            black_box(user);
            HttpResponse::Ok()
        };
        let ours = |bytes| {
            App::new()
                .route("/", web::get().to(our_handler))
                .wrap(portcullis_actix::Auth::new(authenticator(&jwk, bytes)))
        };
        let sharing_handler = |user: portcullis_actix::SharedClaims<Claims>| async move {
            black_box(&*user.0);
            HttpResponse::Ok()
        };
        let warm = App::new()
            .route("/", web::get().to(sharing_handler))
            .wrap(portcullis_actix::Auth::new(authenticator(&jwk, CACHE)));
        let warm = actix_web::test::init_service(warm).await;
        let warm_read = actix_web::test::init_service(ours(CACHE)).await;
        let cold = actix_web::test::init_service(ours(0)).await;
        let their_handler = |user: web::ReqData<Claims>| async move {
            black_box(user.into_inner());
            HttpResponse::Ok()
        };
        let validator = move |request: ServiceRequest, bearer: BearerAuth| {
            let checks = checks.clone();
            async move {
                match jsonwebtoken::decode::<Claims>(bearer.token(), &checks.0, &checks.1) {
                    Ok(data) => {
                        request.extensions_mut().insert(data.claims);
                        Ok(request)
                    }
                    Err(_) => Err((actix_web::error::ErrorUnauthorized("refused"), request)),
                }
            }
        };
        let httpauth = App::new()
            .route("/", web::get().to(their_handler))
            .wrap(HttpAuthentication::bearer(validator));
        let httpauth = actix_web::test::init_service(httpauth).await;
        let cases = vec![
            Case::new("without", || drop(black_box(at_once(bare.call(request())).unwrap()))),
            Case::new("portcullis, warm", || {
                assert!(at_once(warm.call(request())).unwrap().status().is_success());
            }),
            Case::new("portcullis, warm, claims read each time", || {
                assert!(at_once(warm_read.call(request())).unwrap().status().is_success());
            }),
            Case::new("portcullis, cold", || {
                assert!(at_once(cold.call(request())).unwrap().status().is_success());
            }),
            Case::new("actix-web-httpauth 0.8 + jsonwebtoken 12", || {
                assert!(at_once(httpauth.call(request())).unwrap().status().is_success());
            }),
        ];
        report(&format!("peers actix {algorithm}"), &measure(cases, rounds));
    });
}
