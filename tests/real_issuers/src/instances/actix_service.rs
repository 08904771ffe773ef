//! The service on actix-web.

use std::net::SocketAddr;

use actix_web::{App, HttpServer, web};
use portcullis::{Authenticator, Policy};
use portcullis_actix::{Auth, Require};

use crate::failure::{Failure, Outcome};

pub(super) fn serve(auth: Authenticator, policies: [Policy; 2]) -> Outcome<SocketAddr> {
    let server = HttpServer::new(move || {
        let [has, lacks] = policies.clone().map(Require::new);
        let api = web::scope("")
            .wrap(Auth::new(auth.clone()))
            .service(web::resource("/").to(async || ""))
            .service(web::resource("/has").wrap(has).to(async || ""))
            .service(web::resource("/lacks").wrap(lacks).to(async || ""));
        App::new().service(api)
    });
    let server = server.workers(1).disable_signals().bind("127.0.0.1:0")?;
    let address = server.addrs().first().copied();
    tokio::spawn(server.run());
    address.ok_or_else(|| Failure::new("actix-web has no address"))
}
