//! The documented habits of well-known issuers, each as data.

use std::str::FromStr;

use super::Profile;
use super::habits::Habits;
use super::mark::AccessTokenMark::{AllOf, IdTokens, NoneOf, Nothing, OneOf, Required, Value};
use crate::causes::debug_with_causes;

const SCP: &[&str] = &["scp"];

/// The issuer publishes its keys itself.
const SAME_HOST: Option<&'static [&'static str]> = Some(&[]);

impl Profile {
    /// Every profile that has no parameter, for the setting.
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

    /// The names of all profiles, as the setting has them.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        Self::NAMED.iter().map(|make| make().name).collect()
    }

    fn of(name: &'static str, habits: Habits) -> Self {
        Self { name, habits, ..Self::jwt() }
    }

    /// Auth0. The issuer ends in a slash: `https://TENANT.REGION.auth0.com/`.
    ///
    /// Scopes stand in `scope`, permissions (RBAC) count as roles; roles of an Action stand in a
    /// claim of its own: [`roles_at`](Self::roles_at). Access tokens have `azp` or, in the RFC 9068 token
    /// profile, `client_id`.
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

    /// Okta, custom authorization server: `https://DOMAIN/oauth2/ID`, without a slash at the end.
    ///
    /// Scopes stand in `scp`, an array; groups, if configured, in `groups`. Access tokens have `cid`. The tokens of the
    /// organisation's own server can not be validated locally: Okta does not publish their key.
    #[must_use]
    pub fn okta() -> Self {
        Self::of(
            "okta",
            Habits {
                scopes_in: SCP,
                roles_in: &[&["groups"]],
                mark: OneOf(&["cid"]),
                refuses: &[("jti", "ID.", "`jti` is an ID token's")],
                key_hosts: SAME_HOST,
                ..Habits::NONE
            },
        )
    }

    /// Microsoft Entra ID, tokens of version 2.0 of one tenant:
    /// `https://login.microsoftonline.com/TENANT/v2.0`. The audience is the API's own GUID.
    ///
    /// Scopes stand in `scp` (users), application roles in `roles`. Access tokens have `azp`. For several tenants use an
    /// [`IssuerResolver`](crate::config::IssuerResolver) that knows them, one issuer each.
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

    /// Microsoft Entra ID, tokens of version 1.0 of one tenant: the issuer is
    /// `https://sts.windows.net/TENANT/`, with a slash, and its metadata and keys are on another
    /// host, `login.microsoftonline.com`, which this profile knows.
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

    /// Azure AD B2C: the issuer is `https://TENANT.b2clogin.com/TENANT-ID/v2.0/`, with a slash. Metadata and
    /// keys are of a policy (user flow): set
    /// [`discovery_url`](crate::IssuerSettings::discovery_url) to
    /// `https://TENANT.b2clogin.com/TENANT.onmicrosoft.com/POLICY/v2.0/.well-known/openid-configuration`.
    ///
    /// The audience is the API's GUID. Scopes stand in `scp`. Access tokens have `azp`, and `nonce` as the
    /// ID tokens do. The policy is named in `tfp`: hold callers to yours with
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

    /// Amazon Cognito user pools: `https://cognito-idp.REGION.amazonaws.com/POOL`.
    ///
    /// Access tokens have no `aud`: the audience to configure is the app client's id, which is
    /// compared with `client_id`. Groups count as roles.
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

    /// Keycloak: `https://HOST/realms/REALM`. The audience needs a mapper in Keycloak; do not
    /// accept `account`, which every user's token may have.
    ///
    /// Realm roles are read; those of a client stand at
    /// `roles_at(["resource_access", CLIENT, "roles"])`. Access tokens have the claim `typ` `Bearer`.
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

    /// Kubernetes service accounts. The audience must be one that was asked for, not the API
    /// server's: a token for that is a credential for the cluster.
    #[must_use]
    pub fn kubernetes() -> Self {
        const CLAIMS: &[&str] = &["sub", "kubernetes.io"];
        Self::of("kubernetes", Habits { requires: CLAIMS, mark: Required(CLAIMS), ..Habits::NONE })
    }

    /// Clerk's session tokens: `https://clerk.SITE` or `https://SLUG.clerk.accounts.dev`, without
    /// a slash at the end.
    ///
    /// They have no `aud`: the audience to configure is the origin of the site whose pages may
    /// call, such as `https://app.example`, which is compared with `azp`. The role in the active
    /// organisation, `o.rol`, counts as a role. A token lasts for about a minute, so keep the
    /// leeway small; one of a user who has not finished signing in (`sts`) is refused.
    #[must_use]
    pub fn clerk() -> Self {
        Self::of(
            "clerk",
            Habits {
                audience_in: Some("azp"),
                roles_in: &[&["o", "rol"]],
                requires: &["sub", "sid"],
                mark: Required(&["sub", "sid"]),
                refuses: &[("sts", "pending", "`sts` says that signing in is not finished")],
                key_hosts: SAME_HOST,
                ..Habits::NONE
            },
        )
    }

    /// Supabase: `https://REF.supabase.co/auth/v1`, audience `authenticated`. Anonymous users have
    /// that audience too.
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

    /// GitHub Actions' OpenID Connect tokens: `https://token.actions.githubusercontent.com`.
    ///
    /// **These are ID tokens used as credentials**, and anybody's workflow can ask for any
    /// audience: hold callers to `repository_id` or `repository_owner_id` in your own claims type.
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

    /// Google's identity tokens for services: `https://accounts.google.com`, audience the
    /// service's URL.
    ///
    /// **These are ID tokens used as credentials**: hold callers to `email` or `sub` in your own
    /// claims type.
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

    /// Spring Authorization Server: `https://HOST`, or whatever `issuer` is set to there.
    ///
    /// The audience is the client's id, unless a token customizer puts another one in. Scopes stand in
    /// `scope`, an array. ID tokens have that audience too: access tokens have none of `azp`, `auth_time`
    /// and `sid`, so a customizer must not add these.
    #[must_use]
    pub fn spring() -> Self {
        Self::of("spring", Habits { mark: NoneOf(&["azp", "auth_time", "sid"]), ..Habits::NONE })
    }

    /// Ory Hydra, with access tokens that are JWTs (`strategies.access_token: jwt`): the issuer is what
    /// `urls.self.issuer` says.
    ///
    /// Scopes stand in `scp`, an array (`strategies.jwt.scope_claim: list`, the default, or `both`).
    /// `aud` has only what the client asks for. The consent app's claims stand in `ext`: for roles
    /// there, [`roles_at(["ext", "roles"])`](Self::roles_at). Access tokens have `client_id`.
    #[must_use]
    pub fn hydra() -> Self {
        Self::of("hydra", Habits { scopes_in: SCP, mark: OneOf(&["client_id"]), ..Habits::NONE })
    }

    /// authentik, for a provider with a signing key: `https://HOST/application/o/SLUG/`, with a slash.
    ///
    /// The audience is the client's id. Groups count as roles. Access tokens are made like ID tokens, with
    /// `nonce` and `auth_time`; they have `azp` and `uid` besides, and no `at_hash`. A scope mapping can put any
    /// claim into ID tokens: none must put in both of these.
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

    /// Dex: the issuer is what `issuer` says there. The audience is the client's id.
    ///
    /// **Every token is refused** whose header does not say `at+jwt`, which Dex does not write: nothing tells
    /// Dex's access tokens from its ID tokens. To accept both, say [`dangerous::accept_id_tokens(Profile::dex())`](crate::dangerous::accept_id_tokens).
    /// Groups count as roles; there are no scopes.
    #[must_use]
    pub fn dex() -> Self {
        Self::of("dex", Habits { roles_in: &[&["groups"]], mark: Nothing, ..Habits::NONE })
    }
}

/// A name that is no [`Profile`].
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
