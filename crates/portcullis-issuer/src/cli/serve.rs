//! `serve`: starts the issuer from its settings, and shuts it down cleanly.

use std::io;
use std::net::SocketAddr;

use portcullis_issuer::IssuerConfig;
use tokio::net::TcpListener;
use url::{Host, Url};

use super::{Outcome, database, metrics, with_issuer};

pub(super) async fn serve(config: IssuerConfig) -> Outcome {
    let address = config.listen;
    let stop =
        stop_signal().map_err(|error| format!("cannot listen for signals to stop: {error}"))?;
    // The socket is opened before the database: a second issuer that was started by mistake must
    // not touch the database.
    let listener = TcpListener::bind(address).await.map_err(|error| {
        let advice = advice(address, &error);
        format!("cannot listen on {address}: {advice}")
    })?;
    if let Some(address) = config.metrics_listen {
        metrics::serve(address).await?;
    }
    let probes = match config.health_listen {
        Some(address) => Some(TcpListener::bind(address).await.map_err(|error| {
            format!(
                "cannot listen for health probes on {address}: {error}. Check \
                 IDENTSPHERE_HEALTH_LISTEN"
            )
        })?),
        None => None,
    };
    with_issuer(config, async |issuer| {
        if let Some(listener) = probes {
            let probed = issuer.clone();
            // Probes are answered until the process ends, because `/readyz` must fail while the issuer
            // stops.
            tokio::spawn(
                async move { probed.serve_probes(listener, std::future::pending()).await },
            );
        }
        let config = issuer.config();
        let address = listener.local_addr()?;
        tracing::info!(
            issuer = config.issuer,
            listen = %address,
            audiences = ?config.audiences,
            database = %database(config),
            "serving"
        );
        if is_elsewhere_on_this_machine(&config.issuer, address) {
            let issuer = &config.issuer;
            tracing::warn!(
                "IDENTSPHERE_ISSUER is {issuer}, but this process listens on {address}: verifiers \
                 will fetch its keys from {issuer}"
            );
        }
        if issuer.users().await?.is_empty() {
            tracing::warn!(
                "there are no users yet; add one with `portcullis-issuer users add NAME`"
            );
        }
        Ok(issuer.serve(listener, stop).await?)
    })
    .await
}

fn advice(address: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there. Stop it, or choose another \
                                     port in both IDENTSPHERE_LISTEN and IDENTSPHERE_ISSUER"
            .to_owned(),
        io::ErrorKind::PermissionDenied => "that port needs privileges. Choose one above 1023 in \
                                            both IDENTSPHERE_LISTEN and IDENTSPHERE_ISSUER"
            .to_owned(),
        io::ErrorKind::AddrNotAvailable => format!(
            "this machine has no such address. Set IDENTSPHERE_LISTEN to an address of this \
             machine, or to 0.0.0.0:{} for all",
            address.port()
        ),
        _ => format!("{error}. Check IDENTSPHERE_LISTEN"),
    }
}

/// Returns whether the issuer's URL names another port of this machine. That is correct behind a
/// proxy on this machine. More often, an operator changed only one of the two settings.
fn is_elsewhere_on_this_machine(issuer: &str, address: SocketAddr) -> bool {
    let Ok(url) = Url::parse(issuer) else { return false };
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(host)) => host.is_loopback(),
        Some(Host::Ipv6(host)) => host.is_loopback(),
        None => false,
    };
    is_loopback && url.port_or_known_default() != Some(address.port())
}

/// Returns a future that completes at Ctrl-C or at a service manager's SIGTERM. This call itself
/// installs the handlers. If the first poll installed them, a signal before that poll would kill the
/// process without a clean shutdown.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    })
}

#[cfg(windows)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupted = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupted.recv().await;
    })
}
