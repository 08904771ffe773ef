//! The delivery of messages to users: a trait, and the notifiers that `IDENTSPHERE_NOTIFIER` can
//! select.

mod command;
mod log;
mod message;
mod webhook;

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use url::Url;

use self::command::CommandNotifier;
use self::log::LogNotifier;
pub use self::message::{Message, MessageKind};
use self::webhook::WebhookNotifier;
use crate::error::ConfigError;

/// The variable that names a notifier.
pub(crate) const SETTING: &str = "IDENTSPHERE_NOTIFIER";

/// The value for [`LogNotifier`].
const LOG: &str = "log";

/// The prefix of a program.
const EXEC: &str = "exec:";

/// Delivers messages to users, such as the token of a password reset.
///
/// The issuer sends no mail itself. An implementation chooses the mail service, the language and
/// the page for the token. Set it as [`IssuerConfig::notifier`](crate::IssuerConfig::notifier), or
/// with `IDENTSPHERE_NOTIFIER`. Responses to clients do not wait for the delivery. A message that
/// cannot be delivered is lost, and the log says so without the token; the user must request
/// another one. [`Issuer::invite_user`](crate::Issuer::invite_user) waits, and returns the error.
///
/// ```
/// use std::sync::Arc;
///
/// use portcullis_issuer::{Delivery, IssuerConfig, Message, MessageKind, Notifier};
///
/// /// A stand-in for the client of a mail service.
/// #[derive(Debug)]
/// struct Mail;
///
/// impl Notifier for Mail {
///     fn deliver(&self, message: Message) -> Delivery<'_> {
///         Box::pin(async move {
///             let text = match (message.kind, message.token()) {
///                 (MessageKind::PasswordReset, Some(token)) => {
///                     format!("https://app.example/set-password#{token}")
///                 }
///                 _ => return Err("this service has no text for that".into()),
///             };
///             send(&message.address, text).await
///         })
///     }
/// }
/// # async fn send(_: &str, _: String) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// #     Ok(())
/// # }
///
/// let mut config = IssuerConfig::new("http://127.0.0.1:8080", "identsphere.db");
/// config.notifier = Some(Arc::new(Mail));
/// ```
pub trait Notifier: fmt::Debug + Send + Sync {
    /// Delivers one message. The issuer waits for at most 10 seconds.
    ///
    /// # Errors
    ///
    /// Returns an error if the message could not be sent. The error is logged, so it must not
    /// contain the token.
    fn deliver(&self, message: Message) -> Delivery<'_>;
}

/// A future that completes when a message was handed over for delivery.
pub type Delivery<'n> =
    Pin<Box<dyn Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send + 'n>>;

/// Returns the notifier that a setting names.
pub(crate) fn from_setting(
    setting: &str,
    secret: Option<String>,
    issuer: &str,
) -> Result<Arc<dyn Notifier>, ConfigError> {
    if let Some(command) = setting.strip_prefix(EXEC) {
        return Ok(Arc::new(CommandNotifier::new(command)?));
    }
    if setting == LOG {
        // A token that sets a password may be logged on a developer's machine only.
        if issuer.starts_with("https:") {
            return Err(ConfigError::new(
                SETTING,
                setting,
                "`log` writes tokens to the log, and is accepted for an issuer on loopback only; set an \
                 https URL, or `exec:` followed by a program",
            ));
        }
        return Ok(Arc::new(LogNotifier));
    }
    Ok(Arc::new(WebhookNotifier::new(setting, secret)?))
}

/// The part of the setting that may be shown: the URL's origin, or the program. The rest may be
/// secret: chat services put secrets into the path, and programs take them as arguments.
pub(crate) struct Shown {
    pub(crate) text: String,
    /// Whether `text` is the whole setting.
    pub(crate) is_all: bool,
}

impl Shown {
    /// Returns the part that may be shown, or `None` if the setting names no notifier: all of it
    /// may be secret then.
    pub(crate) fn of(setting: &str) -> Option<Self> {
        if setting == LOG {
            return Some(Self { text: LOG.to_owned(), is_all: true });
        }
        if let Some(command) = setting.strip_prefix(EXEC) {
            let mut words = command.split_whitespace();
            let text = format!("{EXEC}{}", words.next().unwrap_or_default());
            return Some(Self { text, is_all: words.next().is_none() });
        }
        let url = Url::parse(setting).ok().filter(|url| url.origin().is_tuple())?;
        let text = url.origin().ascii_serialization();
        let is_all = setting.trim_end_matches('/') == text;
        Some(Self { text, is_all })
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        f.write_str(if self.is_all { "" } else { " (rest not shown)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_names_a_log_a_webhook_or_a_command() {
        const LOCAL: &str = "http://127.0.0.1:8080";
        let named = |setting: &str, issuer: &str| {
            from_setting(setting, Some("s3cret".to_owned()), issuer)
                .map(|notifier| format!("{notifier:?}"))
                .map_err(|error| error.to_string())
        };
        assert_eq!(named("log", LOCAL).unwrap(), "LogNotifier");
        let hook = named("https://hooks.example/notices", "https://auth.example").unwrap();
        assert!(hook.contains("https://hooks.example"), "{hook}");
        assert!(!hook.contains("notices") && !hook.contains("s3cret"), "{hook}");
        let command = named("exec:/usr/bin/send --key s3cret", "https://auth.example").unwrap();
        assert!(command.contains("/usr/bin/send") && !command.contains("s3cret"), "{command}");
        for (wrong, issuer, hint) in [
            ("log", "https://auth.example", "loopback only"),
            ("http://hooks.example/", LOCAL, "must be an https URL"),
            ("mail", LOCAL, "must be an https URL"),
            ("exec: ", LOCAL, "exec:/usr/local/bin/"),
        ] {
            let message = named(wrong, issuer).unwrap_err();
            assert!(message.contains(hint), "{message}");
        }
        assert!(named("http://127.0.0.1:9000/notices", LOCAL).is_ok());
    }
}
