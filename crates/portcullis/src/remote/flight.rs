//! One fetch that any number of requests wait for.

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;

use crate::fetch::FetchError;

/// How much longer than its deadline a fetch is waited for: its own error says more.
pub(super) const PATIENCE: Duration = Duration::from_millis(250);

/// A fetch in a task of its own. Clones wait for the same one.
#[derive(Clone)]
pub(super) struct Flight {
    number: u64,
    began: Duration,
    deadline: Duration,
    landed: watch::Receiver<Option<Result<(), FetchError>>>,
}

impl Flight {
    /// Starts `fetch`, which began at `began` and bounds itself to `deadline`.
    pub(super) fn start(
        number: u64,
        began: Duration,
        deadline: Duration,
        fetch: impl Future<Output = Result<(), FetchError>> + Send + 'static,
    ) -> Result<Self, FetchError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| FetchError::NoRuntime)?;
        let (sender, landed) = watch::channel(None);
        runtime.spawn(async move {
            let outcome = fetch.await;
            sender.send_replace(Some(outcome));
        });
        Ok(Self { number, began, deadline, landed })
    }

    /// Counts those to one document.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Whether it may still end well: the runtime that it runs on can stop, or stand idle, under
    /// it.
    pub(super) fn is_under_way(&self, now: Duration) -> bool {
        self.landed.borrow().is_none()
            && self.landed.has_changed().is_ok()
            && now.saturating_sub(self.began) <= self.patience()
    }

    fn patience(&self) -> Duration {
        self.deadline.saturating_add(PATIENCE)
    }

    /// Waits for the end, for a bounded time.
    pub(super) async fn landed(mut self) -> Result<(), FetchError> {
        let patience = self.patience();
        match tokio::time::timeout(patience, self.landed.wait_for(Option::is_some)).await {
            Ok(Ok(outcome)) => outcome.clone().unwrap_or(Err(FetchError::Abandoned)),
            Ok(Err(_closed)) => Err(FetchError::Abandoned),
            Err(_elapsed) => Err(FetchError::Timeout { after: self.deadline }),
        }
    }
}
