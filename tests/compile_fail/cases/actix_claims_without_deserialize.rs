//! A claims type without `Deserialize`.

use actix_web::{App, web};
use portcullis_actix::Claims;

struct Guest {
    sub: String,
}

async fn list(Claims(user): Claims<Guest>) -> String {
    user.sub
}

fn case() {
    let _ = App::new().route("/orders", web::get().to(list));
}
