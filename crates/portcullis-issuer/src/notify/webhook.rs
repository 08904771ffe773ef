//! The notifier that posts messages to a URL.

use std::fmt;

use axum::http::HeaderValue;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use bytes::Bytes;
use portcullis::fetch::{Fetch as _, FetchRequest, ReqwestFetch};
use url::{Host, Url};

use super::{Delivery, Message, Notifier, SETTING, Shown};
use crate::error::ConfigError;

/// The maximum length of the response's body, which is not used.
const MAX_BODY: usize = 64 * 1024;

/// Posts each message as JSON to a URL.
pub(super) struct WebhookNotifier {
    url: String,
    bearer: Option<HeaderValue>,
    client: ReqwestFetch,
}

impl WebhookNotifier {
    pub(super) fn new(url: &str, secret: Option<String>) -> Result<Self, ConfigError> {
        let expected = "must be an https URL (http on loopback only), `exec:` followed by a program, or `log` \
                        (the value is not shown here)";
        let wrong = || ConfigError::hidden(SETTING, expected);
        let parsed = Url::parse(url).map_err(|_| wrong())?;
        let is_loopback = match parsed.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if !(parsed.scheme() == "https" || parsed.scheme() == "http" && is_loopback) {
            return Err(wrong());
        }
        let bearer = secret.map(|secret| {
            let mut value = HeaderValue::try_from(format!("Bearer {secret}")).map_err(|_| {
                let expected = "must be of visible ASCII characters (the value is not shown here)";
                ConfigError::hidden("IDENTSPHERE_NOTIFIER_SECRET", expected)
            })?;
            value.set_sensitive(true);
            Ok(value)
        });
        let client = ReqwestFetch::new()
            .map_err(|error| ConfigError::hidden(SETTING, format!("cannot be used: {error}")))?;
        Ok(Self { url: url.to_owned(), bearer: bearer.transpose()?, client })
    }
}

impl Notifier for WebhookNotifier {
    fn deliver(&self, message: Message) -> Delivery<'_> {
        Box::pin(async move {
            let mut request = FetchRequest::new(&self.url, MAX_BODY);
            request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            if let Some(bearer) = &self.bearer {
                request.headers.insert(AUTHORIZATION, bearer.clone());
            }
            let body = Bytes::from(serde_json::to_vec(&message)?);
            let answer = self.client.post(request, body).await?;
            if answer.status().is_success() {
                Ok(())
            } else {
                Err(format!("the webhook answered {}", answer.status()).into())
            }
        })
    }
}

impl fmt::Debug for WebhookNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = Shown::of(&self.url).map(|shown| shown.text);
        f.debug_struct("WebhookNotifier").field("url", &url).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use axum::extract::State;
    use axum::http::{HeaderMap, StatusCode};
    use axum::routing::post;
    use zeroize::Zeroizing;

    use super::*;
    use crate::notify::MessageKind;

    type Received = Arc<Mutex<Vec<(String, String)>>>;

    async fn receive(
        State(received): State<Received>,
        headers: HeaderMap,
        body: String,
    ) -> StatusCode {
        let bearer = headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
        let refused = bearer.is_none();
        received.lock().unwrap().push((bearer.unwrap_or_default(), body));
        if refused { StatusCode::FORBIDDEN } else { StatusCode::NO_CONTENT }
    }

    #[tokio::test]
    async fn message_is_posted_with_the_secret_and_an_error_answer_is_an_error() {
        let received = Received::default();
        let app = Router::new().route("/messages", post(receive)).with_state(received.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/messages", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        let message = || {
            let message = Message::new(MessageKind::Invitation, "id", "bob", "bob@example.com");
            message.with_token(Zeroizing::new("t0ken".to_owned()), 900)
        };
        let hook = WebhookNotifier::new(&url, Some("s3cret".to_owned())).unwrap();
        hook.deliver(message()).await.unwrap();
        let (bearer, body) = received.lock().unwrap().pop().unwrap();
        assert_eq!(bearer, "Bearer s3cret");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&body["kind"], &body["token"]), (&"invitation".into(), &"t0ken".into()));

        let without = WebhookNotifier::new(&url, None).unwrap();
        let refused = without.deliver(message()).await.unwrap_err().to_string();
        assert!(refused.contains("403") && !refused.contains("t0ken"), "{refused}");
        server.abort();
        let unreachable = hook.deliver(message()).await;
        assert!(unreachable.is_err() && !format!("{unreachable:?}").contains("s3cret"));
    }
}
