//! What an application says of issuers that are only known at run time.

use std::borrow::Cow;
use std::time::Duration;

use crate::authenticator::IssuerSettings;
use crate::request::RequestView;

/// How long a resolver's answer is valid by default.
const LIFETIME: Duration = Duration::from_secs(3600);

/// Vouches for issuers that are only known at run time, such as one for each tenant.
///
/// ```
/// use portcullis::{IssuerSettings, config::IssuerResolver};
///
/// struct Tenants;
///
/// impl IssuerResolver for Tenants {
///     fn resolve(&self, issuer: &str) -> Option<IssuerSettings> {
///         // The `iss` of a token is not verified yet: look it up in what *you* know.
///         let known = ["https://a.tenants.example", "https://b.tenants.example"];
///         known.contains(&issuer).then(|| IssuerSettings::new(issuer, "https://api.example"))
///     }
/// }
/// ```
///
/// # Rule sets
///
/// An answer is a rule set: an issuer, its keys, and what its tokens must say. It is chosen by the token's
/// `iss` alone, unless [`select`](Self::select) chooses by the request as well, for example by the host
/// that a tenant is served at. Keys, status lists, introspection answers, budgets and accepted tokens are
/// kept for each rule set: a token that was accepted at one tenant's host is validated anew, by the other
/// rules, at another's. [The guide](crate::guide::tenants) has a how-to.
///
/// The tokens of an issuer that the authenticator was built with never reach the resolver.
///
/// # URLs that tenants choose
///
/// The documents of a rule set (metadata, key sets, status lists, introspection) come from public addresses
/// only. Loopback, private, link-local and metadata addresses are refused in every URL and, by the default
/// HTTP client, after each lookup of a name, at every connection. The default client uses no proxy here,
/// and follows no redirect, as anywhere. [`IssuerSettings::allow_private_host`] permits a host by name.
/// An HTTP client of the settings' own ([`IssuerSettings::fetch`]) decides itself which addresses a name
/// may have; [`ReqwestFetch::new`](crate::fetch::ReqwestFetch::new) permits any, and uses the proxies of
/// the environment, which must then do the refusing.
///
/// # Limits
///
/// Forged tokens can name any tenant. Fetches of keys are therefore limited while there is no usable
/// key set, and for unknown `kid`s: in `t` seconds all rule sets together cause at most
/// 1,024 + 10 × `t` such fetches, and one rule set at most 8 + `t` /
/// [`cooldown`](IssuerSettings::cooldown). A token over the limit is refused with 429. Regular
/// renewals of usable key sets are not limited.
///
/// The 1,000 most used rule sets with an accepted token are kept, and 100 others. Rule sets that forged
/// tokens name do not evict those with an accepted token.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a resolver of issuers",
    label = "not an `IssuerResolver`",
    note = "implement `portcullis::config::IssuerResolver` for a type of your own, not for a closure; add issuers \
            that are known at start with `also_issuer`"
)]
pub trait IssuerResolver: Send + Sync + 'static {
    /// The name of the rule set for a token of `issuer` that came with `request`; `None` if there is
    /// none, which refuses the token as one of an untrusted issuer. By default, `issuer`.
    ///
    /// `issuer` is the unverified `iss` of a token, and the client chooses everything in `request`: the
    /// answer must name one of the rule sets that are trusted. Take the host from
    /// [`RequestView::host`]. A [bare token](crate::token::BareToken) without a request comes with an
    /// empty one, which has no host.
    ///
    /// It is called with every token that is not of a configured issuer, also with those that were
    /// accepted before: answer at once, without I/O and without calling the authenticator, and best
    /// without allocating.
    ///
    /// ```
    /// use std::borrow::Cow;
    ///
    /// use portcullis::{IssuerSettings, RequestView, config::IssuerResolver};
    ///
    /// /// Each tenant has a host, and issuers and an audience of its own.
    /// struct Tenants;
    ///
    /// impl IssuerResolver for Tenants {
    ///     fn select<'a>(&'a self, _: &'a str, request: &'a dyn RequestView) -> Option<Cow<'a, str>> {
    ///         request.host()
    ///     }
    ///
    ///     fn resolve(&self, host: &str) -> Option<IssuerSettings> {
    ///         let issuer = match host {
    ///             "a.api.example" => "https://login.a.example",
    ///             "b.api.example" => "https://login.b.example",
    ///             _ => return None,
    ///         };
    ///         Some(IssuerSettings::new(issuer, format!("https://{host}")))
    ///     }
    /// }
    /// ```
    fn select<'a>(&'a self, issuer: &'a str, request: &'a dyn RequestView) -> Option<Cow<'a, str>> {
        let _ = request;
        Some(Cow::Borrowed(issuer))
    }

    /// The settings of `rule_set`, or `None` if it is not trusted.
    ///
    /// `rule_set` is what [`select`](Self::select) has named: by default the unverified `iss` of a token.
    /// The answer must come from a trusted set, at once, without I/O and without calling the
    /// authenticator. A token whose `iss` is not the issuer of the answer is refused, without a fetch.
    /// It is valid for [`lifetime`](Self::lifetime), or until
    /// [`Authenticator::forget`](crate::Authenticator::forget). The keys are fetched when the first
    /// token needs them.
    fn resolve(&self, rule_set: &str) -> Option<IssuerSettings>;

    /// How long an answer is valid, whether it is used or not: 1 hour by default. After that, the
    /// next token of the rule set causes another call, so tokens of an issuer that is no longer
    /// trusted are accepted for at most this long.
    ///
    /// If the answer has not changed, the issuer's keys, status lists and introspection answers are
    /// kept. A custom [`fetch`](IssuerSettings::fetch) or
    /// [`key_source`](IssuerSettings::key_source) counts as unchanged only if it is the same
    /// object: keep the settings and return clones.
    fn lifetime(&self) -> Duration {
        LIFETIME
    }
}
