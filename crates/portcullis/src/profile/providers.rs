//! The documented habits of well-known issuers, each as data.

use std::str::FromStr;

use super::Profile;
use super::habits::Habits;
use crate::causes::debug_with_causes;

/// The issuer publishes its keys itself.
const SAME_HOST: Option<&'static [&'static str]> = Some(&[]);

impl Profile {
    /// Every profile that has no parameter, for the setting.
    const NAMED: [fn() -> Self; 13] = [
        Self::jwt,
        Self::rfc9068,
        Self::auth0,
        Self::okta,
        Self::entra_v2,
        Self::entra_v1,
        Self::cognito,
        Self::keycloak,
        Self::kubernetes,
        Self::clerk,
        Self::supabase,
        Self::github_actions,
        Self::google_identity,
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
    /// claim of its own: [`roles_at`](Self::roles_at).
    #[must_use]
    pub fn auth0() -> Self {
        Self::of(
            "auth0",
            Habits { roles_in: &[&["permissions"]], key_hosts: SAME_HOST, ..Habits::NONE },
        )
    }

    /// Okta, custom authorization server: `https://DOMAIN/oauth2/ID`, without a slash at the end.
    ///
    /// Scopes stand in `scp`, an array; groups, if configured, in `groups`. The tokens of the
    /// organisation's own server can not be validated locally: Okta does not publish their key.
    #[must_use]
    pub fn okta() -> Self {
        Self::of(
            "okta",
            Habits {
                scopes_in: Some("scp"),
                roles_in: &[&["groups"]],
                refuses: &[("jti", "ID.", "`jti` is an ID token's")],
                key_hosts: SAME_HOST,
                ..Habits::NONE
            },
        )
    }

    /// Microsoft Entra ID, tokens of version 2.0 of one tenant:
    /// `https://login.microsoftonline.com/TENANT/v2.0`. The audience is the API's own GUID.
    ///
    /// Scopes stand in `scp` (users), application roles in `roles`. For several tenants use an
    /// [`IssuerResolver`](crate::config::IssuerResolver) that knows them, one issuer each.
    #[must_use]
    pub fn entra_v2() -> Self {
        Self::of(
            "entra-v2",
            Habits {
                scopes_in: Some("scp"),
                expects: &[("ver", "2.0")],
                key_hosts: SAME_HOST,
                ..Habits::NONE
            },
        )
    }

    /// Microsoft Entra ID, tokens of version 1.0 of one tenant: the issuer is
    /// `https://sts.windows.net/TENANT/`, with a slash, and its metadata and keys are on another
    /// host, `login.microsoftonline.com`, which this profile knows.
    ///
    /// The audience is the API's App ID URI or GUID.
    #[must_use]
    pub fn entra_v1() -> Self {
        Self::of(
            "entra-v1",
            Habits {
                scopes_in: Some("scp"),
                expects: &[("ver", "1.0")],
                metadata_in: Some((
                    "https://sts.windows.net/",
                    "https://login.microsoftonline.com/",
                )),
                key_hosts: Some(&["login.microsoftonline.com"]),
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
                expects: &[("token_use", "access")],
                key_hosts: SAME_HOST,
                ..Habits::NONE
            },
        )
    }

    /// Keycloak: `https://HOST/realms/REALM`. The audience needs a mapper in Keycloak; do not
    /// accept `account`, which every user's token may have.
    ///
    /// Realm roles are read; those of a client stand at
    /// `roles_at(["resource_access", CLIENT, "roles"])`.
    #[must_use]
    pub fn keycloak() -> Self {
        Self::of(
            "keycloak",
            Habits {
                roles_in: &[&["realm_access", "roles"]],
                expects: &[("typ", "Bearer")],
                ..Habits::NONE
            },
        )
    }

    /// Kubernetes service accounts. The audience must be one that was asked for, not the API
    /// server's: a token for that is a credential for the cluster.
    #[must_use]
    pub fn kubernetes() -> Self {
        Self::of("kubernetes", Habits { requires: &["sub", "kubernetes.io"], ..Habits::NONE })
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
                identity_tokens: true,
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
                identity_tokens: true,
                requires: &["sub"],
                key_hosts: Some(&["www.googleapis.com"]),
                ..Habits::NONE
            },
        )
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
