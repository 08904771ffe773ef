//! Whom to ask about a token, as the settings say it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::config_error::ConfigError;
use super::key_origin::secure_url;
use crate::clock::Clock;
use crate::fetch::Client;
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

    /// All three or none.
    pub(super) fn introspector(
        &self,
        issuer: &str,
        client: Option<&Client>,
        fetch_timeout: Duration,
        clock: &Arc<dyn Clock>,
    ) -> Result<Option<Introspector>, ConfigError> {
        let settings = [
            (settings::INTROSPECTION_URL, self.url.is_some()),
            (settings::INTROSPECTION_CLIENT_ID, self.client_id.is_some()),
            (settings::INTROSPECTION_SECRET_FILE, self.secret_file.is_some()),
        ];
        let find = |is_set| settings.iter().find(|setting| setting.1 == is_set);
        let Some((set, _)) = find(true) else { return Ok(None) };
        let (Some(url), Some(client_id), Some(secret_file), Some(client)) =
            (&self.url, &self.client_id, &self.secret_file, client)
        else {
            let absent = find(false).map_or(settings::INTROSPECTION_URL, |(absent, _)| absent);
            return Err(incomplete(set, absent));
        };
        Ok(Some(Introspector {
            issuer: issuer.to_owned(),
            url: secure_url(settings::INTROSPECTION_URL, url, &client.urls)?,
            client_id: client_id.clone(),
            secret_file: secret_file.clone(),
            client: Client {
                max_body: MAX_ANSWER_BYTES,
                max_body_setting: None,
                token: None,
                ..client.clone()
            },
            fetch_timeout,
            clock: clock.clone(),
        }))
    }
}

fn incomplete(set: &'static Setting, absent: &'static Setting) -> ConfigError {
    let why = "introspection needs the URL, the client and its secret; set all three or none";
    ConfigError::Contradiction { first: set, second: absent, why: why.to_owned() }
}
