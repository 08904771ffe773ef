//! The introspection settings: the endpoint and the client.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use url::Url;
use zeroize::Zeroizing;

use super::checks::not_empty;
use super::config_error::ConfigError;
use super::key_origin::secure_url;
use crate::clock::Clock;
use crate::fetch::{Client, ClientCredential, Credential, NO_SECRET, OriginCredential};
use crate::metrics;
use crate::remote::introspection::{Introspector, MAX_ANSWER_BYTES};
use crate::settings::{self, Setting};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct IntrospectionSettings {
    pub(super) url: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) secret_file: Option<PathBuf>,
}

impl IntrospectionSettings {
    pub(super) fn are_set(&self) -> bool {
        self.url.is_some()
    }

    /// The introspector, from the URL alone or from the URL, the client ID and the secret file.
    pub(super) fn introspector(
        &self,
        issuer: &str,
        client: Option<&Client>,
        fetch_timeout: Duration,
        clock: &Arc<dyn Clock>,
    ) -> Result<Option<Introspector>, ConfigError> {
        let asking_as = self.asking_client()?;
        let (Some(url), Some(client)) = (&self.url, client) else {
            let missing =
                |_| incomplete(settings::INTROSPECTION_CLIENT_ID, settings::INTROSPECTION_URL);
            return asking_as.map_or(Ok(None), |client| Err(missing(client)));
        };
        metrics::introspections_begin(issuer);
        Ok(Some(Introspector {
            issuer: issuer.to_owned(),
            url: secure_url(settings::INTROSPECTION_URL, url, &client.urls)?,
            asking_as,
            client: Client {
                max_body: MAX_ANSWER_BYTES,
                max_body_setting: None,
                credential: None,
                ..client.clone()
            },
            fetch_timeout,
            clock: clock.clone(),
        }))
    }

    /// The credential for status lists: that of the introspection client, sent only to the origin of
    /// the introspection endpoint. An issuer may reserve long polls for clients that authenticate.
    pub(super) fn credential_for_status_lists(
        &self,
    ) -> Result<Option<OriginCredential>, ConfigError> {
        let url = self.url.as_deref().and_then(|url| Url::parse(url).ok());
        let (Some(url), Some(client)) = (url, self.asking_client()?) else { return Ok(None) };
        let credential = Credential::Client(client);
        Ok(Some(OriginCredential { origin: url.origin(), credential }))
    }

    /// The client ID and the secret file, or `None` if neither is set. One without the other is an
    /// error.
    fn asking_client(&self) -> Result<Option<ClientCredential>, ConfigError> {
        let (id, secret_file) =
            (settings::INTROSPECTION_CLIENT_ID, settings::INTROSPECTION_SECRET_FILE);
        match (&self.client_id, &self.secret_file) {
            (None, None) => Ok(None),
            (Some(_), None) => Err(incomplete(id, secret_file)),
            (None, Some(_)) => Err(incomplete(secret_file, id)),
            (Some(client_id), Some(path)) => {
                not_empty(id, client_id)?;
                check_secret(path)?;
                Ok(Some(ClientCredential { id: client_id.clone(), secret_file: path.clone() }))
            }
        }
    }
}

/// Checks the secret file, so that a problem is reported at start. The file is read again for each
/// request.
fn check_secret(path: &Path) -> Result<(), ConfigError> {
    let secret = std::fs::read_to_string(path).map(Zeroizing::new);
    let problem = match &secret {
        Ok(secret) if !secret.trim().is_empty() => return Ok(()),
        Ok(_) => NO_SECRET.to_owned(),
        Err(error) => format!("it cannot be read: {error}"),
    };
    let setting = settings::INTROSPECTION_SECRET_FILE;
    Err(ConfigError::invalid(setting, path.display().to_string(), problem))
}

fn incomplete(set: &'static Setting, absent: &'static Setting) -> ConfigError {
    let why = "introspection requires the URL, and also the client id and secret if the endpoint \
               authenticates clients; set all three, or only the URL";
    ConfigError::Contradiction { first: set, second: absent, why: why.to_owned() }
}
