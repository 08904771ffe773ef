//! The verdict on a request: the gate's, and then the route's.

use std::sync::Arc;

use axum::body::Body;
use http::request::Parts;
use http::{Extensions, Response};
use portcullis::adapter::{
    Bodies as _, Exit, FromBytes, Site, Visitor, admit, note_requirement, optional_caller,
    required_caller,
};
use portcullis::token::Foreign;
use portcullis::{Anonymous, Authenticated, Gate, Refusal};

use crate::routes::{Route, Token};

/// The gates of a sidecar, which differ only in what they let through.
#[derive(Debug, Clone)]
pub(crate) struct Gates {
    strict: Gate,
    /// Also lets through requests without a credential or with a foreign one.
    lenient: Gate,
}

/// A request that may pass.
pub(crate) struct Admitted {
    /// `None` without a token, and for a foreign credential.
    pub(crate) who: Option<Authenticated>,
    /// A credential that the upstream must verify.
    pub(crate) foreign: Option<Foreign>,
    pub(crate) exit: Exit,
}

/// The pattern of a request's route, for the log.
#[derive(Clone)]
struct Pattern(Arc<str>);

/// All requests pass a gate, so this is never logged.
const REMEDY: &str = "report this: the sidecar has no gate";

impl Gates {
    pub(crate) fn new(gate: Gate) -> Self {
        let strict = gate.route_from(pattern);
        Self { lenient: strict.clone().optional().pass_foreign(), strict }
    }

    /// The gate for routes that require a token.
    pub(crate) fn strict(&self) -> &Gate {
        &self.strict
    }

    /// Decides about a request for `route`. The error is the response to a refused one.
    pub(crate) async fn decide(
        &self,
        request: &mut Parts,
        route: &Route,
    ) -> Result<Admitted, Response<Body>> {
        if !route.pattern.is_empty() {
            request.extensions.insert(Pattern(route.pattern.clone()));
        }
        let gate = match route.token {
            Token::None => {
                let (_, exit) = self.strict.enter_open(request);
                return Ok(Admitted { who: None, foreign: None, exit });
            }
            Token::Optional => &self.lenient,
            Token::Required => &self.strict,
        };
        let exit = gate.exit(request);
        let visitor = gate.enter(request).await.map_err(FromBytes::refused)?;
        let (mut who, anonymous, foreign) = match visitor {
            Visitor::Caller(who) => (Some(who), None, None),
            Visitor::Anonymous(anonymous) => (None, Some(anonymous), None),
            Visitor::Foreign(foreign) => (None, None, Some(foreign)),
        };
        let (anonymous, of_other) = (anonymous.as_ref(), foreign.as_ref());
        let met = Self::meets(request, route, who.as_ref(), anonymous, of_other).await;
        // As in the adapters, where the gate gives the refusals behind it their form.
        met.map_err(|refusal| FromBytes::passed(refusal.into_response(), &exit))?;
        if let (Some(who), Some(requirement)) = (&mut who, &route.requirement) {
            note_requirement(who, requirement);
        }
        Ok(Admitted { who, foreign, exit })
    }

    /// Checks what the route requires of a visitor of its gate.
    async fn meets(
        request: &Parts,
        route: &Route,
        who: Option<&Authenticated>,
        anonymous: Option<&Anonymous>,
        foreign: Option<&Foreign>,
    ) -> Result<(), Refusal> {
        let site = || Site::of(request, Some(pattern));
        if let Some(requirement) = &route.requirement {
            admit(who, anonymous, foreign, requirement, REMEDY, site).await
        } else if route.token == Token::Required {
            required_caller(who, anonymous, foreign, REMEDY, site).map(drop)
        } else if route.pass_foreign {
            Ok(())
        } else {
            // A credential that nothing has verified is not the same as none.
            optional_caller(who, anonymous, foreign, REMEDY, site).map(drop)
        }
    }
}

fn pattern(extensions: &Extensions) -> Option<&str> {
    extensions.get::<Pattern>().map(|Pattern(pattern)| &**pattern)
}
