//! Requests as trait objects.

use std::borrow::Cow;
use std::ops::ControlFlow;

use http::Extensions;
use http::header::HeaderName;

use super::{Connection, RequestView};

/// A request of any type, sized or not, to be passed as a `&dyn RequestView`.
pub(crate) struct Erased<'r, R: ?Sized>(pub(crate) &'r R);

impl<R: RequestView + ?Sized> RequestView for Erased<'_, R> {
    fn method(&self) -> Option<&str> {
        self.0.method()
    }

    fn visit_header<'r>(
        &'r self,
        name: &HeaderName,
        visit: &mut dyn FnMut(&'r [u8]) -> ControlFlow<()>,
    ) {
        self.0.visit_header(name, visit);
    }

    fn path(&self) -> Option<&str> {
        self.0.path()
    }

    fn query(&self) -> Option<&str> {
        self.0.query()
    }

    fn target_authority(&self) -> Option<&[u8]> {
        self.0.target_authority()
    }

    fn host(&self) -> Option<Cow<'_, str>> {
        self.0.host()
    }

    fn connection(&self) -> Option<&Connection> {
        self.0.connection()
    }

    fn route(&self) -> Option<Cow<'_, str>> {
        self.0.route()
    }

    fn extensions(&self) -> Option<&Extensions> {
        self.0.extensions()
    }
}

/// The empty request of a token that came without one.
pub(crate) struct NoRequest;

impl RequestView for NoRequest {
    fn method(&self) -> Option<&str> {
        None
    }

    fn visit_header<'r>(&'r self, _: &HeaderName, _: &mut dyn FnMut(&'r [u8]) -> ControlFlow<()>) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::tests::everything;

    /// A request that overrides the default of each method.
    #[derive(Default)]
    struct Full(Connection, Extensions);

    impl RequestView for Full {
        fn method(&self) -> Option<&str> {
            Some("m")
        }

        fn visit_header<'r>(
            &'r self,
            _: &HeaderName,
            visit: &mut dyn FnMut(&'r [u8]) -> ControlFlow<()>,
        ) {
            let _ = visit(b"line");
        }

        fn path(&self) -> Option<&str> {
            Some("p")
        }

        fn query(&self) -> Option<&str> {
            Some("q")
        }

        fn target_authority(&self) -> Option<&[u8]> {
            Some(b"a")
        }

        fn host(&self) -> Option<Cow<'_, str>> {
            Some("h".into())
        }

        fn connection(&self) -> Option<&Connection> {
            Some(&self.0)
        }

        fn route(&self) -> Option<Cow<'_, str>> {
            Some("r".into())
        }

        fn extensions(&self) -> Option<&Extensions> {
            Some(&self.1)
        }
    }

    /// A method that is not forwarded would return its default.
    #[test]
    fn erased_request_returns_the_values_of_the_request() {
        let request = Full::default();
        assert_eq!(everything(&Erased(&request)), everything(&request));
        for said in everything(&request) {
            assert!(said != "None" && said != "[]", "{said}");
        }
        for said in everything(&NoRequest) {
            assert!(said == "None" || said == "[]", "{said}");
        }
    }
}
