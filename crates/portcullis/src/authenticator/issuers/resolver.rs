//! The resolver of issuers that are only known at run time.

use std::borrow::Cow;
use std::time::Duration;

use crate::authenticator::IssuerSettings;
use crate::request::RequestView;

/// The default lifetime of a resolver's answer.
const LIFETIME: Duration = Duration::from_secs(3600);

/// Resolves issuers that are only known at run time, such as one for each tenant.
///
/// ```
/// use portcullis::{IssuerSettings, config::IssuerResolver};
///
/// struct Tenants;
///
/// impl IssuerResolver for Tenants {
///     fn resolve(&self, issuer: &str) -> Option<IssuerSettings> {
///         // The `iss` is not verified yet: look it up in *your own* list of tenants.
///         let known = ["https://a.tenants.example", "https://b.tenants.example"];
///         known.contains(&issuer).then(|| IssuerSettings::new(issuer, "https://api.example"))
///     }
/// }
/// ```
///
/// # Rule sets
///
/// An answer is a rule set: an issuer, its keys, and the rules for its tokens. The token's `iss`
/// selects it, unless [`select`](Self::select) also uses the request, for example the host of a
/// tenant. Keys, status lists, introspection responses, budgets and cached tokens are separate for
/// each rule set. A token that was accepted at one tenant's host is validated again at another
/// tenant's host, by the rules of that host. [The guide](crate::guide::tenants) has a how-to.
///
/// Tokens of an issuer that the authenticator was built with never reach the resolver.
///
/// # URLs that tenants choose
///
/// The documents of a rule set (metadata, key sets, status lists, introspection) are fetched from
/// public addresses only. Loopback, private, link-local and metadata addresses are refused in every
/// URL. The default HTTP client also refuses them after each name lookup, at every connection. For
/// these fetches, it uses no proxy. It never follows redirects.
/// [`IssuerSettings::allow_private_host`] permits a host by name.
///
/// A custom HTTP client ([`IssuerSettings::fetch`]) decides itself which addresses a name may resolve
/// to. [`ReqwestFetch::new`](crate::fetch::ReqwestFetch::new) permits any address and uses the proxies
/// of the environment, so these proxies must block private addresses. A
/// [`RemoteKeySet`](crate::keys::RemoteKeySet) as the `key_source` of an answer is fetched with its own
/// settings. If a tenant chose its URL, build it with
/// [`public_addresses_only`](crate::keys::RemoteKeySetBuilder::public_addresses_only).
///
/// # Limits
///
/// Forged tokens can name any tenant. Key fetches are therefore limited while a rule set has no
/// usable keys, and for unknown `kid`s. In `t` seconds, one rule set causes at most 8 + `t` /
/// [`cooldown`](IssuerSettings::cooldown) such fetches, and all rule sets together cause at most
/// 1,024 + 10 × `t`. A token over the limit gets 429. Regular refreshes of usable key sets are not
/// limited.
///
/// The cache holds the 1,000 most used rule sets with an accepted token, and 100 others. Rule sets
/// that forged tokens name do not evict those with an accepted token.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a resolver of issuers",
    label = "not an `IssuerResolver`",
    note = "implement `portcullis::config::IssuerResolver` for a type of your own, not for a closure; add issuers \
            that are known at start with `also_issuer`"
)]
pub trait IssuerResolver: Send + Sync + 'static {
    /// Returns the name of the rule set for a token of `issuer` that came with `request`. `None`
    /// rejects the token as one of an untrusted issuer. By default, the name is `issuer`.
    ///
    /// `issuer` is the unverified `iss` of a token, and the client controls everything in
    /// `request`. Return only names of rule sets that you trust. Take the host from
    /// [`RequestView::host`]. For a [bare token](crate::token::BareToken) without a request,
    /// `request` is empty and has no host.
    ///
    /// Use one name for each rule set, and compare it exactly in [`resolve`](Self::resolve): two
    /// spellings are two rule sets, each with its own keys and budget.
    ///
    /// This method is called for every token that is not of a configured issuer, cache hits
    /// included. Return at once, without I/O, without calls to the authenticator, and preferably
    /// without allocations.
    ///
    /// ```
    /// use std::borrow::Cow;
    ///
    /// use portcullis::{IssuerSettings, RequestView, config::IssuerResolver};
    ///
    /// /// Each tenant has its own host, issuer and audience.
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

    /// Returns the settings of `rule_set`, or `None` if it is not trusted.
    ///
    /// `rule_set` is the name from [`select`](Self::select): by default the unverified `iss` of a
    /// token. Look it up in a trusted set. Return at once, without I/O and without calls to the
    /// authenticator. A token whose `iss` is not the issuer of the answer is rejected without a
    /// fetch. The answer is valid for [`lifetime`](Self::lifetime), or until
    /// [`Authenticator::forget`](crate::Authenticator::forget). The keys are fetched when the first
    /// token needs them.
    fn resolve(&self, rule_set: &str) -> Option<IssuerSettings>;

    /// Returns whether `issuer` is one of yours: whether any rule set accepts its tokens, at any
    /// host and for any caller. By default, `true` for every issuer.
    ///
    /// Only [`Gate::pass_foreign`](crate::Gate::pass_foreign) and
    /// [`Gate::caller_or_foreign`](crate::Gate::caller_or_foreign) call it. A token of one of your
    /// issuers is validated here, and never passed to other code. `issuer` is the unverified `iss`
    /// of a token. Return `true` if you are not sure.
    fn is_ours(&self, issuer: &str) -> bool {
        let _ = issuer;
        true
    }

    /// Returns how long an answer is valid, whether it is used or not: 1 hour by default.
    ///
    /// After that, the next token of the rule set causes another call, so tokens of an issuer that
    /// you no longer trust are accepted for at most this long.
    ///
    /// If the new answer is equal, the keys, status lists and introspection responses of the issuer
    /// are kept. A custom [`fetch`](IssuerSettings::fetch) or
    /// [`key_source`](IssuerSettings::key_source) is equal only if it is the same object: store the
    /// settings and return clones.
    fn lifetime(&self) -> Duration {
        LIFETIME
    }
}
