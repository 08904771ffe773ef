//! `serve`: from the settings to a listening socket, and to a clean end.

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
    // The socket first: a second issuer started by mistake leaves the database alone.
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
                "cannot answer health probes on {address}: {error}. Check IDENTSPHERE_HEALTH_LISTEN"
            )
        })?),
        None => None,
    };
    with_issuer(config, async |issuer| {
        if let Some(listener) = probes {
            let probed = issuer.clone();
            // Until the process ends: `/readyz` must fail while it stops.
            tokio::spawn(
                async move { probed.serve_probes(listener, std::future::pending()).await },
            );
        }
        let config = issuer.config();
        let address = listener.local_addr()?;
        tracing::info!(
            issuer = config.issuer,
            listen = %address,
            database = %database(config),
            "serving"
        );
        if is_elsewhere_on_this_machine(&config.issuer, address) {
            let issuer = &config.issuer;
            tracing::warn!(
                "IDENTSPHERE_ISSUER is {issuer}, but this process listens on {address}: apps will \
                 look for its keys at {issuer}"
            );
        }
        if issuer.users().await?.is_empty() {
            tracing::warn!(
                "nobody can log in yet: add a user with `portcullis-issuer users add NAME`"
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
            "this machine has no such address. Set IDENTSPHERE_LISTEN to one that it has, or to \
             0.0.0.0:{} for all",
            address.port()
        ),
        _ => format!("{error}. Check IDENTSPHERE_LISTEN"),
    }
}

/// Does the issuer's URL lead to another port of this machine? Behind a proxy on this machine it
/// may; more often, only one of the two settings was changed.
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

/// Ctrl-C, or what a service manager sends. It is listened for from this call on: without that, a
/// signal that comes before the future is polled would end the process as it stands.
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
