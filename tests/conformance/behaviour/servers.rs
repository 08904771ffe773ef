//! The same four handlers in each framework, with or without the adapter.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use portcullis::Authenticator;
use portcullis_hyper::AuthService;
use tokio::net::TcpListener;

use super::Probe;
use crate::hyper::{Answer, listen};

pub(super) async fn axum(auth: Option<Authenticator>, probe: Probe) -> SocketAddr {
    use axum::body::Body;
    use axum::routing::{get, post};

    let slow = probe.clone();
    let upload = async move |body: Body| {
        probe.told_to_go_on().await;
        axum::body::to_bytes(body, usize::MAX).await.unwrap().len().to_string()
    };
    let api = axum::Router::new()
        .route("/panic", get(async || -> () { unreachable!("a scripted panic") }))
        .route("/slow", get(async move || slow.never().await))
        .route("/fast", get(async || "fast"))
        .route("/upload", post(upload));
    let app = match auth {
        Some(auth) => portcullis_axum::protect(auth, api).into_router(),
        None => api,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

pub(super) async fn actix(auth: Option<Authenticator>, probe: Probe) -> SocketAddr {
    use actix_web::web::{self, Data, Payload, ServiceConfig};
    use actix_web::{App, HttpResponse, HttpServer};
    use portcullis_actix::Auth;

    async fn slow(probe: Data<Probe>) -> &'static str {
        probe.never().await;
        ""
    }

    async fn upload(probe: Data<Probe>, payload: Payload) -> String {
        probe.told_to_go_on().await;
        payload.to_bytes_limited(usize::MAX).await.unwrap().unwrap().len().to_string()
    }

    fn routes(config: &mut ServiceConfig) {
        let panic = async || -> HttpResponse { unreachable!("a scripted panic") };
        config
            .route("/panic", web::get().to(panic))
            .route("/slow", web::get().to(slow))
            .route("/fast", web::get().to(async || "fast"))
            .route("/upload", web::post().to(upload));
    }

    let server = HttpServer::new(move || {
        let app = App::new().app_data(Data::new(probe.clone()));
        match &auth {
            Some(auth) => {
                app.service(web::scope("").wrap(Auth::new(auth.clone())).configure(routes))
            }
            None => app.service(web::scope("").configure(routes)),
        }
    });
    // By default, actix-web continues a handler whose client has disconnected.
    let server = server.workers(1).disable_signals().h1_allow_half_closed(false);
    let server = server.bind("127.0.0.1:0").unwrap();
    let address = *server.addrs().first().unwrap();
    tokio::spawn(server.run());
    address
}

pub(super) async fn hyper(auth: Option<Authenticator>, probe: Probe) -> SocketAddr {
    let service = service_fn(move |request: Request<Incoming>| {
        let probe = probe.clone();
        async move { Ok::<_, Infallible>(handle(&probe, request).await) }
    });
    match auth {
        Some(auth) => listen(AuthService::new(auth, service)).await,
        None => listen(service).await,
    }
}

async fn handle(probe: &Probe, request: Request<Incoming>) -> Answer {
    let text = match request.uri().path() {
        "/panic" => unreachable!("a scripted panic"),
        "/slow" => {
            probe.never().await;
            String::new()
        }
        "/fast" => "fast".to_owned(),
        _ => {
            probe.told_to_go_on().await;
            request.into_body().collect().await.unwrap().to_bytes().len().to_string()
        }
    };
    Response::new(Full::new(Bytes::from(text)))
}
