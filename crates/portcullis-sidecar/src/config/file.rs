//! The keys of the settings file.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Method};
use ipnet::IpNet;
use portcullis::adapter::Requirement;
use portcullis::{Policy, Revocation};
use serde::Deserialize;
use toml::Spanned;

use super::error::ConfigError;
use super::tables::{IssuerTable, ServiceSettings, Table};
use super::{Config, Feed, ForwardAuth, Mode, Proxies, Timeouts};
use crate::headers::folded;
use crate::identity::{Identity, Told};
use crate::path;
use crate::routes::{Pattern, Route, Routes, Token, Unmatched, is_upper_case};
use crate::upstream::Upstream;

const MAX_CONNECTIONS: usize = 8192;

/// The longest time that a setting may name: a day.
const MAX_SECS: u64 = 86_400;

/// Headers that cannot name the caller, because they have another meaning.
const TAKEN: [&str; 18] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "origin",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-real-ip",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<SocketAddr>,
    admin_listen: Option<SocketAddr>,
    max_connections: Option<Spanned<usize>>,
    upstream: Option<Spanned<String>>,
    forward_auth: Option<Spanned<ForwardAuthTable>>,
    #[serde(default)]
    proxies: Vec<Spanned<String>>,
    #[serde(default)]
    open_preflights: bool,
    unmatched: Option<Unmatched>,
    connect_timeout_secs: Option<Spanned<u64>>,
    response_timeout_secs: Option<Spanned<u64>>,
    idle_timeout_secs: Option<Spanned<u64>>,
    revocation: Option<Spanned<RevocationEntry>>,
    logout_path: Option<Spanned<String>>,
    #[serde(default)]
    tokens: Table,
    #[serde(default)]
    issuer: Vec<Spanned<Table>>,
    identity: Option<IdentityTable>,
    #[serde(default)]
    route: Vec<Spanned<RouteTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ForwardAuthTable {
    path: Spanned<String>,
    uri_header: Spanned<String>,
    method_header: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityTable {
    issuer: Option<Spanned<String>>,
    subject: Option<Spanned<String>>,
    scopes: Option<Spanned<String>>,
    roles: Option<Spanned<String>>,
    #[serde(default)]
    claims: BTreeMap<Spanned<String>, Spanned<ClaimPath>>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a claim's name, or its path as a list of names")]
enum ClaimPath {
    Name(String),
    Path(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteTable {
    path: Option<Spanned<String>>,
    prefix: Option<Spanned<String>>,
    #[serde(default)]
    methods: Vec<Spanned<String>>,
    #[serde(default)]
    token: Token,
    policy: Option<Spanned<Policy>>,
    revocation: Option<Spanned<RevocationEntry>>,
    #[serde(default)]
    pass_foreign: bool,
    #[serde(default)]
    pass_credentials: bool,
    upstream: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevocationEntry {
    by: Means,
    max_age_secs: Option<u64>,
    in_outage_secs: Option<u64>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Means {
    Expiry,
    StatusList,
    Feed,
    Live,
}

/// The text of the file, which finds the line of a place in it.
#[derive(Clone, Copy)]
struct Text<'t>(&'t str);

impl Text<'_> {
    fn line(self, offset: usize) -> usize {
        1 + self.0.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }

    fn wrong(self, span: &Range<usize>, problem: impl Into<String>) -> ConfigError {
        ConfigError::new(problem).on(Some(self.line(span.start)))
    }

    /// Parses a value with `FromStr`.
    fn parse<T: FromStr<Err: std::fmt::Display>>(
        self,
        key: &str,
        value: &Spanned<String>,
    ) -> Result<T, ConfigError> {
        value.get_ref().parse().map_err(|error| {
            self.wrong(&value.span(), format!("`{key}` is {:?}: {error}", value.get_ref()))
        })
    }

    fn path(self, key: &str, value: &Spanned<String>) -> Result<String, ConfigError> {
        path::check(value.get_ref()).map_err(|path::Ambiguous(why)| {
            let problem = format!(
                "`{key}` is {:?}: it contains something that the path of a request must not have: \
                 {why}",
                value.get_ref()
            );
            self.wrong(&value.span(), problem)
        })?;
        Ok(value.get_ref().clone())
    }

    fn secs(
        self,
        key: &str,
        value: Option<Spanned<u64>>,
        default: Duration,
    ) -> Result<Duration, ConfigError> {
        let Some(value) = value else { return Ok(default) };
        if !(1..=MAX_SECS).contains(value.get_ref()) {
            let problem = format!("`{key}` is {}: must be 1 to {MAX_SECS}", value.get_ref());
            return Err(self.wrong(&value.span(), problem));
        }
        Ok(Duration::from_secs(value.into_inner()))
    }

    fn header(self, key: &str, value: &Spanned<String>) -> Result<HeaderName, ConfigError> {
        let name: HeaderName = self.parse(key, value)?;
        let is_taken = TAKEN.contains(&name.as_str()) || name.as_str().starts_with("x-forwarded-");
        if is_taken {
            let problem =
                format!("`{key}` is {:?}, a header that has another meaning", value.get_ref());
            return Err(self.wrong(&value.span(), problem));
        }
        Ok(name)
    }
}

/// Parses the text of a settings file.
pub(super) fn parse(text: &str) -> Result<Config, ConfigError> {
    let read: Result<File, toml::de::Error> = toml::from_str(text);
    let text = Text(text);
    let file = read.map_err(|error| {
        let line = error.span().map(|span| text.line(span.start));
        ConfigError::new(error.message()).on(line)
    })?;
    let mode = match (file.upstream, file.forward_auth) {
        (Some(upstream), None) => Mode::Proxy(text.parse("upstream", &upstream)?),
        (None, Some(table)) => Mode::ForwardAuth(forward_auth(text, &table, &file.proxies)?),
        (Some(_), Some(table)) => {
            let problem = "both `upstream` and `forward_auth` are set; set only one of them";
            return Err(text.wrong(&table.span(), problem));
        }
        (None, None) => {
            let problem = "set `upstream` (the app to forward requests to), or the table \
                           `[forward_auth]` (for a proxy that asks)";
            return Err(ConfigError::new(problem));
        }
    };
    let proxies = file
        .proxies
        .iter()
        .map(|network| self::network(text, network))
        .collect::<Result<_, _>>()
        .map(Proxies)?;
    let revocation = revocation(text, file.revocation.as_ref())?;
    let logout_path =
        file.logout_path.as_ref().map(|path| text.path("logout_path", path)).transpose()?;
    let of_routes = file.route.iter().filter_map(|route| route.get_ref().revocation.as_ref());
    let feed = file.revocation.iter().chain(of_routes).find(|by| by.get_ref().by == Means::Feed);
    if let (Some(feed), None) = (feed, &logout_path) {
        let problem = "revocation by `feed` needs `logout_path`, the path to which the issuer sends \
                           logout tokens";
        return Err(text.wrong(&feed.span(), problem));
    }
    let route_revocations = file
        .route
        .iter()
        .filter_map(|route| route.get_ref().revocation.as_ref())
        .map(|entry| self::revocation(text, Some(entry)))
        .collect::<Result<_, _>>()?;
    let defaults = Timeouts::default();
    let service = ServiceSettings::read(&file.tokens, |offset| text.line(offset))?;
    let routes = routes(text, file.route, file.unmatched, &mode)?;
    let config = Config {
        path: None,
        listen: file.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080))),
        admin_listen: file.admin_listen,
        max_connections: connections(text, file.max_connections)?,
        mode,
        proxies,
        open_preflights: file.open_preflights,
        timeouts: Timeouts {
            connect: text.secs(
                "connect_timeout_secs",
                file.connect_timeout_secs,
                defaults.connect,
            )?,
            response: text.secs(
                "response_timeout_secs",
                file.response_timeout_secs,
                defaults.response,
            )?,
            idle: text.secs("idle_timeout_secs", file.idle_timeout_secs, defaults.idle)?,
        },
        credentials: service.credentials(),
        service,
        issuers: file
            .issuer
            .iter()
            .map(|table| IssuerTable::read(table, |offset| text.line(offset)))
            .collect::<Result<_, _>>()?,
        identity: identity(text, file.identity)?,
        revocation,
        feed: logout_path.map(|logout_path| Feed { logout_path }),
        routes: Arc::new(routes),
        route_revocations,
    };
    Ok(config)
}

fn connections(text: Text<'_>, value: Option<Spanned<usize>>) -> Result<usize, ConfigError> {
    let Some(value) = value else { return Ok(MAX_CONNECTIONS) };
    match value.get_ref() {
        0 => Err(text.wrong(&value.span(), "`max_connections` is 0: must be at least 1")),
        number => Ok(*number),
    }
}

fn network(text: Text<'_>, network: &Spanned<String>) -> Result<IpNet, ConfigError> {
    let value = network.get_ref();
    let parsed = value.parse().or_else(|_| value.parse::<IpAddr>().map(IpNet::from));
    match parsed {
        // `10.0.0.1/8` may be a mistyped address.
        Ok(parsed) if parsed.addr() == parsed.network() => Ok(parsed),
        _ => {
            let problem = format!(
                "`proxies` has {value:?}: expected an address, or the first address of a network \
                 and the length of its prefix, such as 10.0.0.0/8"
            );
            Err(text.wrong(&network.span(), problem))
        }
    }
}

fn forward_auth(
    text: Text<'_>,
    table: &Spanned<ForwardAuthTable>,
    proxies: &[Spanned<String>],
) -> Result<ForwardAuth, ConfigError> {
    if proxies.is_empty() {
        let problem = "`forward_auth` needs `proxies`: the addresses of the proxies that may ask";
        return Err(text.wrong(&table.span(), problem));
    }
    let table = table.get_ref();
    let name = |key, value: &Spanned<String>| text.parse::<HeaderName>(key, value);
    Ok(ForwardAuth {
        path: text.path("path", &table.path)?,
        uri_header: name("uri_header", &table.uri_header)?,
        method_header: name("method_header", &table.method_header)?,
    })
}

fn revocation(
    text: Text<'_>,
    entry: Option<&Spanned<RevocationEntry>>,
) -> Result<Revocation, ConfigError> {
    let Some(spanned) = entry else { return Ok(Revocation::expiry()) };
    let RevocationEntry { by, max_age_secs, in_outage_secs } = *spanned.get_ref();
    let wrong = |problem: &str| text.wrong(&spanned.span(), problem);
    let secs = Duration::from_secs;
    let revocation = match (by, max_age_secs) {
        (Means::Expiry, None) => Revocation::expiry(),
        (Means::Expiry, Some(_)) => {
            return Err(wrong("`max_age_secs` has no effect on revocation by `expiry`; remove it"));
        }
        (Means::StatusList, Some(max_age)) => Revocation::status_list(secs(max_age)),
        (Means::Feed, Some(max_age)) => Revocation::feed(secs(max_age)),
        (Means::StatusList | Means::Feed, None) => {
            return Err(wrong("`max_age_secs` is missing: how long a revocation may take"));
        }
        (Means::Live, None) => Revocation::live(),
        (Means::Live, Some(max_age)) => Revocation::live().reuse_for(secs(max_age)),
    };
    match in_outage_secs {
        Some(_) if by == Means::Expiry => {
            Err(wrong("`in_outage_secs` has no effect on revocation by `expiry`; remove it"))
        }
        Some(in_outage) => Ok(revocation.in_outage(secs(in_outage))),
        None => Ok(revocation),
    }
}

fn identity(text: Text<'_>, table: Option<IdentityTable>) -> Result<Identity, ConfigError> {
    let Some(table) = table else {
        return Ok(Identity::new(vec![
            (HeaderName::from_static("x-auth-subject"), Told::Subject),
            (HeaderName::from_static("x-auth-scopes"), Told::Scopes),
        ]));
    };
    let mut told = Vec::new();
    for (key, header, what) in [
        ("issuer", table.issuer, Told::Issuer),
        ("subject", table.subject, Told::Subject),
        ("scopes", table.scopes, Told::Scopes),
        ("roles", table.roles, Told::Roles),
    ] {
        if let Some(header) = header {
            told.push((text.header(key, &header)?, header.span(), what));
        }
    }
    for (header, claim) in table.claims {
        let path = match claim.get_ref() {
            ClaimPath::Name(name) => vec![name.clone()],
            ClaimPath::Path(path) => path.clone(),
        };
        if path.is_empty() || path.iter().any(String::is_empty) {
            let problem = format!("the path of the claim for `{}` is empty", header.get_ref());
            return Err(text.wrong(&claim.span(), problem));
        }
        told.push((text.header("claims", &header)?, header.span(), Told::Claim(path)));
    }
    for (index, (name, span, _)) in told.iter().enumerate() {
        let same = |(other, ..): &&(HeaderName, Range<usize>, Told)| folded(other) == folded(name);
        if told.iter().take(index).any(|other| same(&other)) {
            let problem = format!("two headers for the caller are called `{name}`");
            return Err(text.wrong(span, problem));
        }
    }
    Ok(Identity::new(told.into_iter().map(|(name, _, what)| (name, what)).collect()))
}

fn routes(
    text: Text<'_>,
    tables: Vec<Spanned<RouteTable>>,
    unmatched: Option<Unmatched>,
    mode: &Mode,
) -> Result<Routes, ConfigError> {
    let mut routes = Routes::default();
    let (mut spans, mut any_strict) = (HashMap::new(), false);
    for table in tables {
        let span = table.span();
        let wrong = |problem: &str| text.wrong(&span, problem);
        let table = table.into_inner();
        let pattern = match (&table.path, &table.prefix) {
            (Some(path), None) => Pattern::Exact(text.path("path", path)?),
            (None, Some(prefix)) => {
                let path = text.path("prefix", prefix)?;
                Pattern::Below(path.trim_end_matches('/').to_owned())
            }
            _ => return Err(wrong("a route needs either `path` or `prefix`")),
        };
        let methods: Vec<Method> =
            table.methods.iter().map(|name| method(text, name)).collect::<Result<_, _>>()?;
        let is_required = table.token == Token::Required;
        if table.token == Token::None && (table.policy.is_some() || table.revocation.is_some()) {
            return Err(wrong(
                "a route with `token = \"none\"` has no caller, so it must not have a `policy` or a \
                 `revocation`",
            ));
        }
        if table.pass_foreign
            && (is_required || table.token == Token::None || table.policy.is_some())
        {
            return Err(wrong(
                "`pass_foreign` is for routes with `token = \"optional\"` and without a `policy`: the \
                 upstream must verify the other credentials",
            ));
        }
        if matches!(mode, Mode::ForwardAuth(_))
            && (table.upstream.is_some() || table.pass_credentials)
        {
            return Err(wrong(
                "`upstream` and `pass_credentials` have no effect with `forward_auth`: the proxy \
                 forwards the request",
            ));
        }
        let is_strict = table.policy.is_some()
            || table.revocation.as_ref().is_some_and(|entry| entry.get_ref().by != Means::Expiry);
        any_strict |= is_strict;
        spans.entry(pattern.clone()).or_insert(span.clone());
        let route = Route {
            pattern: Arc::from(pattern.text()),
            token: table.token,
            pass_foreign: table.pass_foreign,
            pass_credentials: table.pass_credentials,
            requirement: requirement(text, table.policy, table.revocation.as_ref())?,
            is_strict,
            upstream: table
                .upstream
                .map(|upstream| text.parse::<Upstream>("upstream", &upstream).map(Arc::new))
                .transpose()?,
        };
        routes
            .add(pattern, &methods, route)
            .map_err(|_| wrong("another route has the same path and method"))?;
    }
    // A path that the app treats like a route's, but that matches no route, must not evade a policy.
    let default = if any_strict { Unmatched::Refuse } else { Unmatched::Token };
    let unmatched = unmatched.unwrap_or(default);
    routes.on_unmatched(unmatched);
    if unmatched == Unmatched::Token
        && let Some((pattern, around)) = routes.gap()
    {
        let problem = format!(
            "`{}` has no route for some methods for which `{}` has a `policy` or a `revocation`: with \
             `unmatched = \"token\"`, these requests would need a token only; add a route without \
             `methods`",
            pattern.text(),
            around.text()
        );
        return Err(ConfigError::new(problem).on(spans.get(&pattern).map(|at| text.line(at.start))));
    }
    Ok(routes)
}

fn method(text: Text<'_>, name: &Spanned<String>) -> Result<Method, ConfigError> {
    let method: Method = text.parse("methods", name)?;
    if !is_upper_case(&method) {
        let problem = format!("`methods` has {:?}: methods are upper case", name.get_ref());
        return Err(text.wrong(&name.span(), problem));
    }
    Ok(method)
}

fn requirement(
    text: Text<'_>,
    policy: Option<Spanned<Policy>>,
    entry: Option<&Spanned<RevocationEntry>>,
) -> Result<Option<Arc<Requirement>>, ConfigError> {
    let of_entry = entry.map(|_| revocation(text, entry)).transpose()?;
    let requirement = match (policy, of_entry) {
        (None, None) => return Ok(None),
        (None, Some(revocation)) => Requirement::from(revocation),
        (Some(policy), revocation) => {
            if let Some(name) = policy.get_ref().unbound().next() {
                let problem = format!("`policy` has the custom check `{name}`, which needs code");
                return Err(text.wrong(&policy.span(), problem));
            }
            let requirement = Requirement::from(policy.into_inner());
            match revocation {
                Some(revocation) => requirement.revocation(revocation),
                None => requirement,
            }
        }
    };
    Ok(Some(Arc::new(requirement)))
}
