//! The readiness check.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::api::Api;

/// How long the store may take: less than a Kubernetes probe waits by default, which is 1 s.
const MAX_WAIT: Duration = Duration::from_millis(900);

/// Returns an error with the reason, for operators, if requests should not be sent to this process.
pub(super) async fn readiness(api: &Api) -> Result<(), &'static str> {
    if api.stopping.load(Ordering::Acquire) {
        return Err("The issuer is stopping.");
    }
    if api.domain.users.is_closed() {
        return Err("The issuer has been closed.");
    }
    match tokio::time::timeout(MAX_WAIT, api.domain.keys.current()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "not ready: the keys cannot be read from the store");
            Err("The keys cannot be read from the store.")
        }
        Err(_) => {
            tracing::warn!("not ready: the store does not answer");
            Err("The store does not answer.")
        }
    }
}
