//! WebSocket connections, as bytes in both directions.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

use super::Caller;
use crate::causes::with_causes;
use crate::metrics;
use crate::serve::Place;

/// Connects both ends until one of them closes, or until a request with the caller's token would be
/// refused.
///
/// The client's place among the open connections is held meanwhile.
pub(super) fn open(
    of_client: OnUpgrade,
    of_upstream: OnUpgrade,
    who: Option<Caller>,
    place: Option<Place>,
    route: &str,
) {
    let route = route.to_owned();
    let stream = who.map(|Caller(who, auth)| (who.open_stream(), auth));
    tokio::spawn(async move {
        let _open = (metrics::OpenWebSocket::begin(), place);
        let connected = async {
            let (client, upstream) = tokio::try_join!(of_client, of_upstream)?;
            let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
            // An abrupt end is usual: a browser's tab was closed.
            let _ = copy_bidirectional(&mut client, &mut upstream).await;
            Ok::<_, hyper::Error>(())
        };
        let ended = async {
            match &stream {
                Some((stream, _)) => stream.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            connected = connected => if let Err(error) = connected {
                let error = with_causes(&error);
                tracing::debug!(route, error, "WebSocket not opened");
            },
            reason = ended => {
                tracing::info!(route, reason = reason.as_str(), "WebSocket ended with its token");
            }
        }
    });
}
