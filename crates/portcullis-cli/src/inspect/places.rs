//! Finds the claims with scopes and roles, and the profile settings that read them.

use portcullis::Profile;
use serde_json::{Map, Value};

/// The paths to add to a profile, and the paths that the resulting settings read.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) scopes_at: Option<Vec<String>>,
    pub(super) roles_at: Vec<Vec<String>>,
    /// Paths in the token that the settings read, joined with dots.
    pub(super) scopes_in: Vec<String>,
    pub(super) roles_in: Vec<String>,
    /// Paths that look like roles and are not read.
    pub(super) unread: Vec<String>,
}

impl Places {
    pub(super) fn new(claims: &Map<String, Value>, profile: &Profile, audience: &str) -> Self {
        let mut places = Self::default();
        let own = profile.scopes_place();
        let known: [&[&str]; 2] = [&["scope"], &["scp"]];
        let scopes = [own.as_slice()].into_iter().chain(known).find(|path| has_names(claims, path));
        if let Some(path) = scopes {
            places.scopes_in.push(path.join("."));
            places.scopes_at = (path != own).then(|| owned(path));
        }
        let read = profile.roles_places();
        for path in read.iter().filter(|path| has_names(claims, path)) {
            places.roles_in.push(path.join("."));
        }
        for path in elsewhere(claims, &read) {
            if is_for(&path, claims, audience) {
                places.roles_in.push(path.join("."));
                places.roles_at.push(path);
            } else {
                places.unread.push(path.join("."));
            }
        }
        places
    }
}

/// Returns paths that look like roles and are not in `read`.
fn elsewhere(claims: &Map<String, Value>, read: &[Vec<&str>]) -> Vec<Vec<String>> {
    let mut paths = vec![
        owned(&["realm_access", "roles"]),
        owned(&["ext", "roles"]),
        owned(&["groups"]),
        owned(&["permissions"]),
    ];
    // Namespaced custom claims, as in Auth0's Actions: `https://api.example/roles`.
    let namespaced = |name: &&String| name.ends_with("/roles") || name.ends_with(":roles");
    paths.extend(claims.keys().filter(namespaced).map(|name| vec![name.clone()]));
    if let Some(Value::Object(clients)) = claims.get("resource_access") {
        let path = |client: &String| owned(&["resource_access", client, "roles"]);
        paths.extend(clients.keys().map(path));
    }
    let is_read = |path: &Vec<String>| read.iter().any(|other| other == path);
    paths.retain(|path| {
        !is_read(path) && has_names(claims, &path.iter().map(String::as_str).collect::<Vec<_>>())
    });
    paths
}

/// Returns whether the roles at this path may be roles for this API. Groups describe the organisation
/// instead, and the roles of a client apply only to that client.
fn is_for(path: &[String], claims: &Map<String, Value>, audience: &str) -> bool {
    match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["groups"] | ["permissions"] => false,
        ["resource_access", client, _] => {
            let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
            let others = claims.get("resource_access").and_then(Value::as_object);
            let is_api = |name: &str| !KEYCLOAKS_OWN.contains(&name) && name != text("azp");
            let apis = || others.into_iter().flat_map(Map::keys).filter(|name| is_api(name));
            client == audience || is_api(client) && apis().all(|name| name == client)
        }
        _ => true,
    }
}

/// Clients that every realm has. Their roles concern Keycloak itself.
const KEYCLOAKS_OWN: [&str; 3] = ["account", "broker", "realm-management"];

fn owned(path: &[&str]) -> Vec<String> {
    path.iter().map(|&name| name.to_owned()).collect()
}

/// Returns whether the path leads to a string or a list of strings.
fn has_names(claims: &Map<String, Value>, path: &[&str]) -> bool {
    let Some((first, inner)) = path.split_first() else { return false };
    let found =
        claims.get(*first).and_then(|value| inner.iter().try_fold(value, |at, name| at.get(*name)));
    match found {
        Some(Value::String(_)) => true,
        Some(Value::Array(all)) => all.iter().all(Value::is_string),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn places(
        claims: &Value,
        profile: Profile,
    ) -> (Option<Vec<String>>, Vec<Vec<String>>, Vec<String>) {
        let places = Places::new(claims.as_object().unwrap(), &profile, "https://api.example");
        (places.scopes_at, places.roles_at, places.unread)
    }

    #[test]
    fn unread_roles_are_added_if_they_may_be_this_apis_and_listed_otherwise() {
        let at = |path: &[&str]| owned(path);
        let keycloak = json!({
            "scope": "a", "azp": "web", "realm_access": {"roles": ["r"]},
            "resource_access": {
                "account": {"roles": ["r"]}, "web": {"roles": ["r"]}, "my.api": {"roles": ["r"]},
            },
        });
        let unread = ["resource_access.account.roles", "resource_access.web.roles"];
        assert_eq!(
            places(&keycloak, Profile::keycloak()),
            (
                None,
                vec![at(&["resource_access", "my.api", "roles"])],
                unread.map(str::to_owned).into()
            )
        );
        let two = json!({"resource_access": {"a": {"roles": ["r"]}, "b": {"roles": ["r"]}}});
        assert!(places(&two, Profile::keycloak()).1.is_empty());
        let scp = json!({"scp": ["a"], "ext": {"roles": ["r"]}, "groups": ["g"]});
        assert_eq!(
            places(&scp, Profile::jwt()),
            (Some(at(&["scp"])), vec![at(&["ext", "roles"])], vec!["groups".to_owned()])
        );
        assert_eq!(places(&scp, Profile::okta()).0, None);
        let string = json!({"scope": "a b", "https://shop.example/roles": ["r"]});
        assert_eq!(
            places(&string, Profile::hydra()),
            (Some(at(&["scope"])), vec![at(&["https://shop.example/roles"])], vec![])
        );
    }
}
