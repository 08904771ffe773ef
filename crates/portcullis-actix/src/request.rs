//! The parts of an actix-web request that portcullis reads.

use std::borrow::Cow;
use std::ops::ControlFlow;

use actix_web::HttpRequest;
use http::header::HeaderName;
use portcullis::RequestView;
use portcullis::adapter::{Connection, Site};

/// The head of an actix-web request. actix-web and portcullis use different major
/// versions of `http`, so names and values are passed as text and bytes.
pub(crate) struct View<'r>(pub(crate) &'r HttpRequest);

pub(crate) fn site(request: &HttpRequest) -> Site {
    Site::of(&View(request), None)
}

impl RequestView for View<'_> {
    fn method(&self) -> Option<&str> {
        Some(self.0.method().as_str())
    }

    fn visit_header<'r>(
        &'r self,
        name: &HeaderName,
        visit: &mut dyn FnMut(&'r [u8]) -> ControlFlow<()>,
    ) {
        let mut lines = self.0.headers().get_all(name.as_str());
        let _ = lines.try_for_each(|line| visit(line.as_bytes()));
    }

    fn path(&self) -> Option<&str> {
        Some(self.0.uri().path())
    }

    fn query(&self) -> Option<&str> {
        self.0.uri().query()
    }

    /// Does not use `ConnectionInfo::host`, which trusts `Forwarded` and `X-Forwarded-Host`: any
    /// client can send these headers.
    fn target_authority(&self) -> Option<&[u8]> {
        self.0.uri().authority().map(|authority| authority.as_str().as_bytes())
    }

    /// Returns the value that `HttpServer::on_connect` stored: `HttpRequest::peer_addr` alone
    /// provides neither the scheme nor a certificate, and `ConnectionInfo` trusts headers.
    fn connection(&self) -> Option<&Connection> {
        self.0.conn_data()
    }

    fn route(&self) -> Option<Cow<'_, str>> {
        self.0.match_pattern().map(Cow::Owned)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::rt::net::TcpStream;
    use actix_web::{App, HttpServer, web};

    use super::*;

    /// Returns the connection that the view of a request with forwarding headers reports.
    async fn seen(tell: bool) -> String {
        let app = || {
            App::new().default_service(web::to(async |request: HttpRequest| {
                format!("{:?}", View(&request).connection())
            }))
        };
        let server = HttpServer::new(app).workers(1).on_connect(move |socket, data| {
            let socket = socket.downcast_ref::<TcpStream>().filter(|_| tell);
            if let Some(peer) = socket.and_then(|socket| socket.peer_addr().ok()) {
                data.insert(Connection::new().with_peer(([127, 0, 0, 1], peer.port()).into()));
            }
        });
        let server = server.bind(("127.0.0.1", 0)).unwrap();
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        let server = actix_web::rt::spawn(server);
        let client = reqwest::Client::new();
        let request = client.get(format!("http://{address}/"));
        let request =
            request.header("x-forwarded-for", "192.0.2.1").header("x-forwarded-proto", "https");
        let seen = request.send().await.unwrap().text().await.unwrap();
        handle.stop(false).await;
        server.await.unwrap().unwrap();
        seen
    }

    #[test]
    fn connection_comes_from_the_server_and_never_from_a_header() {
        let system = actix_web::rt::System::new();
        assert_eq!(system.block_on(seen(false)), "None");
        let seen = system.block_on(seen(true));
        assert!(seen.starts_with("Some(Connection { peer: Some(127.0.0.1:"), "{seen}");
        assert!(seen.contains("scheme: None"), "{seen}");
    }
}
