//! Finds another claim of a token with the names that a caller lacks, for the operator.

use super::Profile;
use super::habits::{strings, strings_in};
use crate::claims::{PolicyClaim, RegisteredClaims};
use crate::json::{Lenient, Unreadable};

/// The names that a policy rule requires and the caller does not have.
pub(crate) struct Lack<'n> {
    pub(crate) of: PolicyClaim,
    pub(crate) names: Vec<&'n str>,
    pub(crate) one_is_enough: bool,
}

impl Lack<'_> {
    fn is_met_by(&self, found: &Lenient<'_>) -> bool {
        let has = |name: &&str| {
            found.strings().iter().any(|text| text.0.split(' ').any(|word| word == *name))
        };
        let names = &self.names;
        if self.one_is_enough {
            names.iter().any(has)
        } else {
            !names.is_empty() && names.iter().all(has)
        }
    }
}

impl Profile {
    /// Returns the first place that has all names in `lacks` and that this profile does not read.
    /// All `lacks` are of one claim. Each value of the payload is read once, regardless of the
    /// number of `lacks`.
    pub(crate) fn unread_place(
        &self,
        lacks: &[Lack<'_>],
        claims: &RegisteredClaims,
    ) -> Option<&'static str> {
        let of = lacks.first()?.of;
        let (known, read): (&[&'static [&'static str]], _) = match of {
            PolicyClaim::Scopes => (SCOPES_ELSEWHERE, vec![self.scopes_place()]),
            PolicyClaim::Roles => (ROLES_ELSEWHERE, self.roles_places()),
            _ => return None,
        };
        let members = claims.raw().lenient_members().ok()?;
        let holds = |found: Result<Option<Lenient<'_>>, Unreadable>| {
            let found = found.ok().flatten();
            found.is_some_and(|found| lacks.iter().all(|lack| lack.is_met_by(&found)))
        };
        let place = known.iter().find(|place| {
            read.iter().all(|path| path != *place) && holds(strings(&members, place))
        });
        match place {
            Some(["realm_access", "roles"]) => Some("realm_access.roles"),
            Some([name]) => Some(name),
            _ if of == PolicyClaim::Roles => {
                let clients = members.get(CLIENTS).ok()??.members().ok()?;
                let mut clients = clients.values();
                let is_there = |client| holds(strings_in(client, &["roles"]));
                clients.any(is_there).then_some("resource_access.CLIENT.roles")
            }
            _ => None,
        }
    }
}

/// Keycloak's object with the roles per client.
const CLIENTS: &str = "resource_access";

/// The claims in which issuers put scopes and roles, as far as known.
const SCOPES_ELSEWHERE: &[&[&str]] = &[&["scope"], &["scp"], &["permissions"]];
const ROLES_ELSEWHERE: &[&[&str]] = &[
    &["realm_access", "roles"],
    &["groups"],
    &["cognito:groups"],
    &["role"],
    &["permissions"],
    &["entitlements"],
];
