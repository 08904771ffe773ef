//! The service on actix-web.

use std::net::SocketAddr;

use actix_web::http::header::ContentType;
use actix_web::{
    App, FromRequest as _, HttpMessage as _, HttpRequest, HttpResponse, HttpServer, web,
};
use portcullis::token::Foreign;
use portcullis_actix::{Auth, Caller, Claims, MaybeCaller, Rejection, Require};
use portcullis_testing::conformance::{Suite, Unfit, role_policy, scope_policy, step_up_policy};

use crate::KIND;

async fn who(MaybeCaller(who): MaybeCaller) -> HttpResponse {
    answer(who.as_ref().and_then(|who| who.subject()).unwrap_or("anonymous"))
}

/// A caller, or a foreign credential that this handler accepts.
async fn known(request: HttpRequest) -> Result<HttpResponse, Rejection> {
    if request.extensions().get::<Foreign>().is_some() {
        return Ok(answer("foreign"));
    }
    Ok(who(MaybeCaller::extract(&request).await?).await)
}

async fn inside(Caller(who): Caller) -> Result<HttpResponse, Rejection> {
    who.require(&role_policy())?;
    Ok(answer(who.subject().unwrap_or_default()))
}

async fn unfit(Claims(Unfit { tenant }): Claims<Unfit>) -> HttpResponse {
    answer(&tenant.to_string())
}

fn answer(text: &str) -> HttpResponse {
    HttpResponse::Ok().insert_header(ContentType(KIND.parse().unwrap())).body(text.to_owned())
}

pub(crate) fn serve(suite: &Suite) -> SocketAddr {
    let (strict, optional) = (suite.strict.clone(), suite.optional.clone());
    let foreign = suite.foreign.clone();
    let server = HttpServer::new(move || {
        let require = |path, policy| web::resource(path).wrap(Require::new(policy)).to(who);
        App::new()
            .service(require("/require-alone", scope_policy()))
            .service(web::resource("/health").to(async || answer("anonymous")))
            .service(web::resource("/maybe-alone").to(who))
            .service(web::resource("/caller-alone").to(async |_: Caller| answer("")))
            .service(web::resource("/optional").wrap(Auth::new(optional.clone())).to(who))
            .service(
                web::resource("/optional-scope")
                    .wrap(Require::new(scope_policy()))
                    .wrap(Auth::new(optional.clone()))
                    .to(who),
            )
            .service(web::resource("/foreign").wrap(Auth::new(foreign.clone())).to(known))
            .service(web::resource("/foreign-maybe").wrap(Auth::new(foreign.clone())).to(who))
            .service(
                web::resource("/foreign-scope")
                    .wrap(Require::new(scope_policy()))
                    .wrap(Auth::new(foreign.clone()))
                    .to(who),
            )
            .service(
                web::scope("")
                    .wrap(Auth::new(strict.clone()))
                    .service(require("/scope", scope_policy()))
                    .service(
                        web::resource("/method")
                            .route(web::get().to(who))
                            .route(web::post().to(who).wrap(Require::new(scope_policy()))),
                    )
                    .service(require("/role", role_policy()))
                    .service(require("/step-up", step_up_policy()))
                    .service(web::resource("/inside").to(inside))
                    .service(web::resource("/unfit").to(unfit))
                    .service(web::resource("/").to(who)),
            )
    });
    let server = server.workers(1).disable_signals().bind_auto_h2c("127.0.0.1:0").unwrap();
    let address = *server.addrs().first().unwrap();
    tokio::spawn(server.run());
    address
}
