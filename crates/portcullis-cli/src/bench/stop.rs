//! Handles Ctrl-C. The first Ctrl-C ends the measurement with a report of the figures so far; the
//! second ends the program.

use std::future::poll_fn;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use tokio::signal::ctrl_c;

use crate::exit::Exit;
use crate::output;

#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Listens for Ctrl-C from now on.
    pub(super) async fn listen(&self) {
        let asked = self.0.clone();
        let mut next = Box::pin(ctrl_c());
        // The first poll installs the handler.
        poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await.is_ready();
        output::complain(
            "portcullis: measuring; Ctrl-C ends it with a report of what was measured",
        );
        tokio::spawn(async move {
            while next.await.is_ok() {
                if asked.swap(true, Ordering::SeqCst) {
                    process::exit(Exit::Interrupted as i32);
                }
                output::complain("portcullis: stopping; Ctrl-C again ends it without a report");
                next = Box::pin(ctrl_c());
            }
        });
    }

    pub(super) fn asked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
