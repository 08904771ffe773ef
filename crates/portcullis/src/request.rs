//! The parts of a request that are read, independent of its framework.

mod connection;
mod erased;
mod host;

use std::borrow::Cow;
use std::ops::ControlFlow;

use http::header::{HOST, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Request, Uri};

pub use connection::Connection;
pub(crate) use erased::{Erased, NoRequest};

/// The head of a request, borrowed from the web framework's type.
///
/// Header values are bytes, not a type of the `http` crate, because actix-web uses another major
/// version of `http`. The trait is implemented for [`http::Request`], [`http::request::Parts`] and,
/// for code that has only the headers, [`http::HeaderMap`].
///
/// ```
/// use std::ops::ControlFlow;
///
/// use http::header::{AUTHORIZATION, HeaderName};
/// use portcullis::RequestView;
///
/// /// A message that carries a token, and nothing else of a request.
/// struct Message {
///     authorization: Vec<u8>,
/// }
///
/// impl RequestView for Message {
///     fn method(&self) -> Option<&str> {
///         None
///     }
///
///     fn visit_header<'r>(
///         &'r self,
///         name: &HeaderName,
///         visit: &mut dyn FnMut(&'r [u8]) -> ControlFlow<()>,
///     ) {
///         if *name == AUTHORIZATION {
///             let _ = visit(&self.authorization);
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a request that Portcullis can read",
    label = "not a `RequestView`",
    note = "pass `&http::Request<B>`, `&http::request::Parts` or `&http::HeaderMap`, or implement \
            `portcullis::RequestView` for the request of your framework"
)]
pub trait RequestView {
    /// Returns the method. `None` if it is unknown, which is treated as an unsafe method.
    fn method(&self) -> Option<&str>;

    /// Calls `visit` with the value of each line of the header `name`, in order, until `visit`
    /// breaks.
    ///
    /// An implementation must take one pass over the lines, because the client chooses their
    /// number: a search for each line that begins at the first one takes quadratic time.
    fn visit_header<'r>(
        &'r self,
        name: &HeaderName,
        visit: &mut dyn FnMut(&'r [u8]) -> ControlFlow<()>,
    );

    /// Returns the path of the request's target as it was sent, not percent-decoded.
    ///
    /// `None` if it is unknown. The path selects the metadata of the protected resource. Nothing
    /// else reads the path, unless an [`IssuerResolver`](crate::config::IssuerResolver) does. A
    /// router that strips a prefix, such as axum's `nest`, strips it before the layers inside: to
    /// select by paths, put the gate outside.
    fn path(&self) -> Option<&str> {
        None
    }

    /// Returns the query of the request's target as it was sent.
    fn query(&self) -> Option<&str> {
        None
    }

    /// Returns the host and port in the request's target: `:authority` in HTTP/2, or that of a
    /// target in absolute form. `None` if the target has none; then the `Host` header is used.
    fn target_authority(&self) -> Option<&[u8]> {
        None
    }

    /// Returns the host that the request was sent to, in lower case and without a port. It is the
    /// host of the [target](Self::target_authority) or, if the target has none, the host in a
    /// single `Host` line ([RFC 9110 §7.2]).
    ///
    /// An IPv6 address keeps its brackets.
    ///
    /// `None` if there is no host, if it is malformed, if there are several `Host` lines, or if the
    /// target and `Host` name different hosts ([RFC 9113 §8.3.1]). `Forwarded` and
    /// `X-Forwarded-Host` are ignored, because any client can send them: configure a proxy to pass
    /// `Host` on. A [`HeaderMap`](http::HeaderMap) has no target, so pass the request if the host
    /// matters.
    ///
    /// Override it only if a host is known that no client can choose.
    ///
    /// ```
    /// use http::Request;
    /// use portcullis::RequestView;
    ///
    /// let request = Request::get("/orders").header("host", "Tenant-A.api.example:8443");
    /// assert_eq!(request.body(())?.host().as_deref(), Some("tenant-a.api.example"));
    ///
    /// let ambiguous = Request::get("https://a.example/").header("host", "b.example");
    /// assert_eq!(ambiguous.body(())?.host(), None);
    /// # Ok::<_, http::Error>(())
    /// ```
    ///
    /// [RFC 9110 §7.2]: https://www.rfc-editor.org/rfc/rfc9110#section-7.2
    /// [RFC 9113 §8.3.1]: https://www.rfc-editor.org/rfc/rfc9113#section-8.3.1
    fn host(&self) -> Option<Cow<'_, str>> {
        host::of(self)
    }

    /// Returns the connection of the request, if the code that accepted it provides one: peer,
    /// scheme and client certificate. The values are never derived from a header, because any
    /// client can send one.
    fn connection(&self) -> Option<&Connection> {
        None
    }

    /// Returns the pattern of the request's route, as written in the service's code, such as
    /// `/orders/{id}`.
    ///
    /// The log has the route. This method is called only when the request is refused. It must not
    /// return the path, which the client chooses.
    fn route(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// Returns the request's extensions, in which a router may have stored the route; see
    /// [`Gate::route_from`](crate::Gate::route_from).
    fn extensions(&self) -> Option<&Extensions> {
        None
    }
}

impl RequestView for HeaderMap {
    fn method(&self) -> Option<&str> {
        None
    }

    fn visit_header<'r>(
        &'r self,
        name: &HeaderName,
        visit: &mut dyn FnMut(&'r [u8]) -> ControlFlow<()>,
    ) {
        let _ = self.get_all(name).iter().map(HeaderValue::as_bytes).try_for_each(visit);
    }
}

impl<B> RequestView for Request<B> {
    fn method(&self) -> Option<&str> {
        Some(self.method().as_str())
    }

    fn visit_header<'r>(
        &'r self,
        name: &HeaderName,
        visit: &mut dyn FnMut(&'r [u8]) -> ControlFlow<()>,
    ) {
        self.headers().visit_header(name, visit);
    }

    fn path(&self) -> Option<&str> {
        Some(self.uri().path())
    }

    fn query(&self) -> Option<&str> {
        self.uri().query()
    }

    fn target_authority(&self) -> Option<&[u8]> {
        target_authority(self.uri())
    }

    fn connection(&self) -> Option<&Connection> {
        self.extensions().get()
    }

    fn extensions(&self) -> Option<&Extensions> {
        Some(self.extensions())
    }
}

impl RequestView for Parts {
    fn method(&self) -> Option<&str> {
        Some(self.method.as_str())
    }

    fn visit_header<'r>(
        &'r self,
        name: &HeaderName,
        visit: &mut dyn FnMut(&'r [u8]) -> ControlFlow<()>,
    ) {
        self.headers.visit_header(name, visit);
    }

    fn path(&self) -> Option<&str> {
        Some(self.uri.path())
    }

    fn query(&self) -> Option<&str> {
        self.uri.query()
    }

    fn target_authority(&self) -> Option<&[u8]> {
        target_authority(&self.uri)
    }

    fn connection(&self) -> Option<&Connection> {
        self.extensions.get()
    }

    fn extensions(&self) -> Option<&Extensions> {
        Some(&self.extensions)
    }
}

fn target_authority(uri: &Uri) -> Option<&[u8]> {
    uri.authority().map(|authority| authority.as_str().as_bytes())
}

/// A header that may occur only once occurred in several lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Repeated;

/// Returns the value of a header that may occur only once.
pub(crate) fn single<'r>(
    request: &'r (impl RequestView + ?Sized),
    name: &HeaderName,
) -> Result<Option<&'r [u8]>, Repeated> {
    let mut found = Ok(None);
    request.visit_header(name, &mut |value| {
        let first = found == Ok(None);
        found = if first { Ok(Some(value)) } else { Err(Repeated) };
        if first { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    found
}

/// Calls `read` with each line of a header, until `read` fails.
pub(crate) fn try_each_line<'r, E>(
    request: &'r (impl RequestView + ?Sized),
    name: &HeaderName,
    mut read: impl FnMut(&'r [u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut outcome = Ok(());
    request.visit_header(name, &mut |line| {
        outcome = read(line);
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    outcome
}

/// The host and port that the request was sent to ([RFC 9113 §8.3.1], [RFC 9110 §7.2]): those of
/// the target, or else of a single `Host` line.
///
/// [RFC 9113 §8.3.1]: https://www.rfc-editor.org/rfc/rfc9113#section-8.3.1
/// [RFC 9110 §7.2]: https://www.rfc-editor.org/rfc/rfc9110#section-7.2
pub(crate) fn authority(request: &(impl RequestView + ?Sized)) -> Option<&[u8]> {
    request.target_authority().or_else(|| single(request, &HOST).ok()?)
}

/// Whether a request with `method` is safe ([RFC 9110 §9.2.1]).
///
/// [RFC 9110 §9.2.1]: https://www.rfc-editor.org/rfc/rfc9110#section-9.2.1
pub(crate) fn is_safe(method: Option<&str>) -> bool {
    method.is_some_and(|method| {
        [Method::GET, Method::HEAD, Method::OPTIONS].iter().any(|safe| safe == method)
    })
}

/// Whether the request is a `HEAD`, whose response has no body ([RFC 9110 §9.3.2]).
///
/// [RFC 9110 §9.3.2]: https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2
pub(crate) fn is_head(request: &(impl RequestView + ?Sized)) -> bool {
    request.method() == Some(Method::HEAD.as_str())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    use super::*;

    /// The results of all methods of a request.
    pub(crate) fn everything(request: &dyn RequestView) -> Vec<String> {
        let mut lines = Vec::new();
        request.visit_header(&http::header::ACCEPT, &mut |line| {
            lines.push(line.to_vec());
            ControlFlow::Continue(())
        });
        vec![
            format!("{:?}", request.method()),
            format!("{lines:?}"),
            format!("{:?}", request.path()),
            format!("{:?}", request.query()),
            format!("{:?}", request.target_authority()),
            format!("{:?}", request.host()),
            format!("{:?}", request.connection()),
            format!("{:?}", request.extensions().map(Extensions::len)),
            format!("{:?}", request.route()),
        ]
    }

    /// A request with one header in many lines, which counts the visited lines.
    pub(crate) struct Counting {
        pub(crate) name: &'static str,
        pub(crate) lines: Vec<&'static [u8]>,
        pub(crate) method: &'static str,
        pub(crate) looks: Cell<usize>,
    }

    impl RequestView for Counting {
        fn method(&self) -> Option<&str> {
            Some(self.method)
        }

        fn visit_header<'r>(
            &'r self,
            name: &HeaderName,
            visit: &mut dyn FnMut(&'r [u8]) -> ControlFlow<()>,
        ) {
            if name == self.name {
                for line in &self.lines {
                    self.looks.set(self.looks.get() + 1);
                    if visit(line).is_break() {
                        return;
                    }
                }
            }
        }
    }

    #[test]
    fn authority_comes_from_the_target_or_a_single_host_line() {
        let of = |uri: &str, hosts: &[&str]| {
            let mut request = Request::post(uri);
            for host in hosts {
                request = request.header("host", *host);
            }
            let request = request.body(()).unwrap();
            let whole = authority(&request).map(<[u8]>::to_vec);
            let parts = request.into_parts().0;
            assert_eq!(authority(&parts).map(<[u8]>::to_vec), whole);
            whole.map(|authority| String::from_utf8(authority).unwrap())
        };
        let some = |text: &str| Some(text.to_owned());
        let target = "https://api.example:8443/x";
        assert_eq!(of(target, &["other.example"]), some("api.example:8443"));
        assert_eq!(of(target, &["a.example", "b.example"]), some("api.example:8443"));
        assert_eq!(of("/x", &["api.example"]), some("api.example"));
        assert_eq!(of("/x", &["api.example", "api.example"]), None);
        assert_eq!(of("/x", &[]), None);
    }

    #[test]
    fn header_lines_are_visited_in_order_until_the_visitor_breaks() {
        let lines: Vec<&[u8]> = vec![b"a", b"b", b"c"];
        let request = Counting { name: "x", lines, method: "GET", looks: Cell::new(0) };
        let name = HeaderName::from_static("x");
        assert_eq!((single(&request, &name), request.looks.take()), (Err(Repeated), 2));
        let mut seen = Vec::new();
        let outcome = try_each_line(&request, &name, |line| {
            seen.push(line);
            if line == b"b" { Err("enough") } else { Ok(()) }
        });
        assert_eq!((outcome, request.looks.take()), (Err("enough"), 2));
        assert_eq!(seen, [b"a", b"b"]);
        let other = HeaderName::from_static("y");
        assert_eq!(single(&request, &other), Ok(None));
    }
}
