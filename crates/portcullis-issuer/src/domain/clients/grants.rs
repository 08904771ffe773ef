//! The client credentials grant: access tokens of machine clients in their own name (RFC 6749
//! section 4.4).

use super::Clients;
use super::store::RegisteredClient;
use crate::domain::audit::EventKind;
use crate::domain::peer::Peer;
use crate::error::Error;

/// The result of a token request.
pub(crate) enum ClientGrant {
    Token {
        access_token: String,
        scope: String,
    },
    /// A requested scope is not one of the client's.
    WrongScope,
    /// The client may not request tokens for a requested API.
    WrongTarget,
}

impl Clients {
    /// Issues a token to `client` with the requested scopes, for the requested APIs (RFC 8707). If
    /// the request names no scopes, the token has all of the client's scopes. If it names no APIs,
    /// the token is for all of the client's APIs.
    pub(crate) async fn grant(
        &self,
        client: &RegisteredClient,
        scope: Option<&str>,
        resources: &[String],
        peer: &Peer,
    ) -> Result<ClientGrant, Error> {
        let Some(scopes) = chosen(scope.map(|scope| scope.split(' ')), &client.scopes) else {
            return Ok(ClientGrant::WrongScope);
        };
        let settings = self.tokens.settings();
        let own = if client.audiences.is_empty() { &settings.audiences } else { &client.audiences };
        let asked = (!resources.is_empty()).then(|| resources.iter().map(String::as_str));
        let Some(audiences) = chosen(asked, own).filter(|audiences| !audiences.is_empty()) else {
            return Ok(ClientGrant::WrongTarget);
        };
        let keys = self.keys.current().await?;
        let (scope, now) = (scopes.join(" "), self.now());
        let place = self.tokens.take_place(&client.place_owner, now).await?;
        let named = (client.id.as_str(), place);
        let issued = self.tokens.issue_to_client(&keys, named, scope.clone(), audiences, now);
        let access_token = issued.await?;
        let event = self.event(EventKind::ClientToken, Some(&client.id), peer);
        self.audit.record_client_token(&event).await?;
        Ok(ClientGrant::Token { access_token, scope })
    }
}

/// Returns the requested names without duplicates, or all of `own` if there is no request. Returns
/// `None` if a requested name is not in `own`.
fn chosen<'n>(
    asked: Option<impl Iterator<Item = &'n str>>,
    own: &'n [String],
) -> Option<Vec<&'n str>> {
    let Some(asked) = asked else { return Some(own.iter().map(String::as_str).collect()) };
    let mut chosen = Vec::new();
    for name in asked {
        if !own.iter().any(|own| own == name) {
            return None;
        }
        if !chosen.contains(&name) {
            chosen.push(name);
        }
    }
    Some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_beyond_the_allowed_names_is_rejected() {
        let own = ["a".to_owned(), "b".to_owned()];
        let scope = |asked: &'static str| chosen(Some(asked.split(' ')), &own);
        assert_eq!(chosen(None::<std::str::Split<'_, char>>, &own), Some(vec!["a", "b"]));
        assert_eq!(scope("b"), Some(vec!["b"]));
        assert_eq!(scope("b a b"), Some(vec!["b", "a"]));
        for wrong in ["c", "a c", "A", "", "a  b", "a\tb", " a"] {
            assert_eq!(scope(wrong), None, "{wrong:?}");
        }
    }
}
