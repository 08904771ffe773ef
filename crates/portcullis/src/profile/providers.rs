//! Profiles of well-known issuers, as data.

use std::str::FromStr;

use super::Profile;
use super::habits::Habits;
use super::mark::AccessTokenMark::{AllOf, IdTokens, NoneOf, Nothing, OneOf, Required, Value};
use crate::causes::debug_with_causes;

const SCP: &[&str] = &["scp"];

/// The issuer serves its keys on its own host.
const SAME_HOST: Option<&'static [&'static str]> = Some(&[]);

impl Profile {
    /// Every profile without parameters, for the configuration.
    const NAMED: [fn() -> Self; 18] = [
        Self::jwt,
        Self::rfc9068,
        Self::auth0,
        Self::okta,
        Self::entra_v2,
        Self::entra_v1,
        Self::entra_b2c,
        Self::cognito,
        Self::keycloak,
        Self::kubernetes,
        Self::clerk,
        Self::supabase,
        Self::github_actions,
        Self::google_identity,
        Self::spring,
        Self::hydra,
        Self::authentik,
        Self::dex,
    ];

    /// Returns the names of all profiles, as used in the configuration.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        Self::NAMED.iter().map(|make| make().name).collect()
    }

    fn of(name: &'static str, habits: Habits) -> Self {
        Self { name, habits, ..Self::jwt() }
    }

    /// Returns the profile for Auth0.
    ///
    /// The issuer is `https://TENANT.REGION.auth0.com/`, with a trailing slash.
    ///
    /// Scopes are in `scope`. Permissions (RBAC) count as roles; roles that an Action adds are in a
    /// custom claim: [`roles_at`](Self::roles_at). Access tokens have `azp` or, in the RFC 9068
    /// token profile, `client_id`.
    #[must_use]
    pub fn auth0() -> Self {
        Self::of(
            "auth0",
            Habits {
                roles_in: &[&["permissions"]],
                mark: OneOf(&["azp", "client_id"]),
                key_hosts: SAME_HOST,
                ..Habits::NONE
            },
        )
    }

    /// Returns the profile for Okta custom authorization servers.
    ///
    /// The issuer is `https://DOMAIN/oauth2/ID`, without a trailing slash.
    ///
    /// Scopes are in `scp`, an array; groups, if configured, in `groups`. Access tokens have `cid`.
    /// Tokens of the organization's own server cannot be validated locally, because Okta does not
    /// publish their key.
    #[must_use]
    pub fn okta() -> Self {
        Self::of(
            "okta",
            Habits {
                scopes_in: SCP,
                roles_in: &[&["groups"]],
                mark: OneOf(&["cid"]),
                refuses: &[("jti", "ID.", "`jti` is that of an ID token")],
                key_hosts: SAME_HOST,
                ..Habits::NONE
            },
        )
    }

    /// Returns the profile for Microsoft Entra ID tokens of version 2.0, of one tenant.
    ///
    /// The issuer is `https://login.microsoftonline.com/TENANT/v2.0`. The audience is the API's
    /// GUID.
    ///
    /// Scopes are in `scp` (users), application roles in `roles`. Access tokens have `azp`. For
    /// several tenants use an [`IssuerResolver`](crate::config::IssuerResolver) that lists them,
    /// with one issuer each.
    #[must_use]
    pub fn entra_v2() -> Self {
        Self::of(
            "entra-v2",
            Habits {
                scopes_in: SCP,
                expects: &[("ver", "2.0")],
                mark: OneOf(&["azp"]),
                key_hosts: SAME_HOST,
                ..Habits::NONE
            },
        )
    }

    /// Returns the profile for Microsoft Entra ID tokens of version 1.0, of one tenant.
    ///
    /// The issuer is `https://sts.windows.net/TENANT/`, with a trailing slash. Its metadata and
    /// keys are on another host, `login.microsoftonline.com`, which this profile uses.
    ///
    /// The audience is the API's App ID URI or GUID. Access tokens have `appid`.
    #[must_use]
    pub fn entra_v1() -> Self {
        Self::of(
            "entra-v1",
            Habits {
                scopes_in: SCP,
                expects: &[("ver", "1.0")],
                mark: OneOf(&["appid"]),
                metadata_in: Some((
                    "https://sts.windows.net/",
                    "https://login.microsoftonline.com/",
                )),
                key_hosts: Some(&["login.microsoftonline.com"]),
                ..Habits::NONE
            },
        )
    }

    /// Returns the profile for Azure AD B2C.
    ///
    /// The issuer is `https://TENANT.b2clogin.com/TENANT-ID/v2.0/`, with a trailing slash. Metadata
    /// and keys belong to a policy (user flow): set
    /// [`discovery_url`](crate::IssuerSettings::discovery_url) to
    /// `https://TENANT.b2clogin.com/TENANT.onmicrosoft.com/POLICY/v2.0/.well-known/openid-configuration`.
    ///
    /// The audience is the API's GUID. Scopes are in `scp`. Access tokens have `azp` and, like ID
    /// tokens, `nonce`. `tfp` names the policy: require yours with
    /// [`Policy::claim`](crate::Policy::claim).
    #[must_use]
    pub fn entra_b2c() -> Self {
        Self::of(
            "entra-b2c",
            Habits {
                scopes_in: SCP,
                mark: OneOf(&["azp"]),
                carries: &["nonce"],
                key_hosts: SAME_HOST,
                ..Habits::NONE
            },
        )
    }

    /// Returns the profile for Amazon Cognito user pools.
    ///
    /// The issuer is `https://cognito-idp.REGION.amazonaws.com/POOL`.
    ///
    /// Access tokens have no `aud`: configure the app client's id as the audience. It is compared
    /// with `client_id`. Groups count as roles.
    #[must_use]
    pub fn cognito() -> Self {
        Self::of(
            "cognito",
            Habits {
                audience_in: Some("client_id"),
                roles_in: &[&["cognito:groups"]],
                mark: Value("token_use", "access"),
                key_hosts: SAME_HOST,
                ..Habits::NONE
            },
        )
    }

    /// Returns the profile for Keycloak.
    ///
    /// The issuer is `https://HOST/realms/REALM`. The audience needs a mapper in Keycloak. Do not
    /// accept `account`, which every user's token may have.
    ///
    /// Realm roles are read by default; add the roles of a client with
    /// `roles_at(["resource_access", CLIENT, "roles"])`. Access tokens have the claim `typ`
    /// `Bearer`.
    #[must_use]
    pub fn keycloak() -> Self {
        Self::of(
            "keycloak",
            Habits {
                roles_in: &[&["realm_access", "roles"]],
                mark: Value("typ", "Bearer"),
                common_audience: Some((
                    "account",
                    "add an audience mapper in Keycloak, and configure the audience that it writes",
                )),
                ..Habits::NONE
            },
        )
    }

    /// Returns the profile for Kubernetes service accounts.
    ///
    /// The audience must be one that the workload requests for this API, not the API server's: a
    /// token for the API server is a credential for the cluster.
    #[must_use]
    pub fn kubernetes() -> Self {
        const CLAIMS: &[&str] = &["sub", "kubernetes.io"];
        Self::of("kubernetes", Habits { requires: CLAIMS, mark: Required(CLAIMS), ..Habits::NONE })
    }

    /// Returns the profile for Clerk session tokens.
    ///
    /// The issuer is `https://clerk.SITE` or `https://SLUG.clerk.accounts.dev`, without a trailing
    /// slash.
    ///
    /// The tokens have no `aud`. Set the audience to the origin of the site whose pages call the API,
    /// such as `https://app.example`: it is compared with `azp`. The role in the active
    /// organization, `o.rol`, counts as a role. Tokens live for about a minute, so keep the leeway
    /// small. A token of a user who has not finished signing in (`sts`) is rejected.
    #[must_use]
    pub fn clerk() -> Self {
        Self::of(
            "clerk",
            Habits {
                audience_in: Some("azp"),
                roles_in: &[&["o", "rol"]],
                requires: &["sub", "sid"],
                mark: Required(&["sub", "sid"]),
                refuses: &[("sts", "pending", "`sts` marks an unfinished sign-in")],
                key_hosts: SAME_HOST,
                ..Habits::NONE
            },
        )
    }

    /// Returns the profile for Supabase.
    ///
    /// The issuer is `https://REF.supabase.co/auth/v1`, the audience `authenticated`. Tokens of
    /// anonymous users also have that audience.
    #[must_use]
    pub fn supabase() -> Self {
        Self::of(
            "supabase",
            Habits {
                roles_in: &[&["role"]],
                requires: &["sub", "session_id"],
                mark: Required(&["sub", "session_id"]),
                key_hosts: SAME_HOST,
                ..Habits::NONE
            },
        )
    }

    /// Returns the profile for GitHub Actions OpenID Connect tokens.
    ///
    /// The issuer is `https://token.actions.githubusercontent.com`.
    ///
    /// **These are ID tokens used as credentials**, and any workflow on GitHub can request any
    /// audience: check `repository_id` or `repository_owner_id` in your own claims type.
    #[must_use]
    pub fn github_actions() -> Self {
        Self::of(
            "github-actions",
            Habits {
                mark: IdTokens,
                requires: &["sub", "repository_id", "repository_owner_id"],
                key_hosts: SAME_HOST,
                ..Habits::NONE
            },
        )
    }

    /// Returns the profile for Google identity tokens for services.
    ///
    /// The issuer is `https://accounts.google.com`. The audience is the service's URL.
    ///
    /// **These are ID tokens used as credentials**: check `email` or `sub` in your own claims type.
    #[must_use]
    pub fn google_identity() -> Self {
        Self::of(
            "google-identity",
            Habits {
                mark: IdTokens,
                requires: &["sub"],
                key_hosts: Some(&["www.googleapis.com"]),
                ..Habits::NONE
            },
        )
    }

    /// Returns the profile for Spring Authorization Server.
    ///
    /// The issuer is `https://HOST`, or the server's `issuer` setting.
    ///
    /// The audience is the client's id, unless a token customizer sets another. Scopes are in
    /// `scope`, an array. ID tokens have the same audience. Access tokens have none of `azp`,
    /// `auth_time` and `sid`, so a customizer must not add them.
    #[must_use]
    pub fn spring() -> Self {
        Self::of("spring", Habits { mark: NoneOf(&["azp", "auth_time", "sid"]), ..Habits::NONE })
    }

    /// Returns the profile for Ory Hydra with JWT access tokens (`strategies.access_token: jwt`).
    ///
    /// The issuer is the value of `urls.self.issuer`.
    ///
    /// Scopes are in `scp`, an array (`strategies.jwt.scope_claim: list`, the default, or `both`).
    /// `aud` contains only what the client requests. The consent app's claims are in `ext`: to read
    /// roles there, use [`roles_at(["ext", "roles"])`](Self::roles_at). Access tokens have
    /// `client_id`.
    #[must_use]
    pub fn hydra() -> Self {
        Self::of("hydra", Habits { scopes_in: SCP, mark: OneOf(&["client_id"]), ..Habits::NONE })
    }

    /// Returns the profile for authentik, with a provider that has a signing key.
    ///
    /// The issuer is `https://HOST/application/o/SLUG/`, with a trailing slash. The audience is the
    /// client's id. Groups count as roles.
    ///
    /// Access tokens have the shape of ID tokens, with `nonce` and `auth_time`, plus `azp` and
    /// `uid` and without `at_hash`. A scope mapping can add any claim to ID tokens: ID tokens must
    /// not have both `azp` and `uid`.
    #[must_use]
    pub fn authentik() -> Self {
        Self::of(
            "authentik",
            Habits {
                roles_in: &[&["groups"]],
                mark: AllOf(&["azp", "uid"]),
                carries: &["nonce"],
                key_hosts: SAME_HOST,
                ..Habits::NONE
            },
        )
    }

    /// Returns the profile for Dex.
    ///
    /// The issuer is Dex's `issuer` setting. The audience is the client's id.
    ///
    /// **Every token is rejected** unless its header `typ` is `at+jwt`, which Dex does not write:
    /// nothing distinguishes Dex's access tokens from its ID tokens. To accept both, use
    /// [`dangerous::accept_id_tokens(Profile::dex())`](crate::dangerous::accept_id_tokens). Groups
    /// count as roles; there are no scopes.
    #[must_use]
    pub fn dex() -> Self {
        Self::of("dex", Habits { roles_in: &[&["groups"]], mark: Nothing, ..Habits::NONE })
    }
}

/// The error for a name that is not a [`Profile`].
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("it must be one of {}", Profile::names().join(", "))]
pub struct UnknownProfile(());

debug_with_causes!(UnknownProfile);

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mut profiles = Self::NAMED.iter().map(|make| make());
        profiles.find(|profile| profile.name() == name).ok_or(UnknownProfile(()))
    }
}
