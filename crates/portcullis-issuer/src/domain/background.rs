//! Background tasks.

use tokio::task::AbortHandle;

/// A handle to a background task. The task ends when the handle is dropped.
#[derive(Debug)]
pub(crate) struct Background(AbortHandle);

impl Background {
    /// Starts the task.
    pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(task).abort_handle())
    }

    /// Ends the task at its next await.
    pub(crate) fn stop(&self) {
        self.0.abort();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop();
    }
}
