//! `serve`: starts the sidecar, reloads its settings at SIGHUP, and shuts it down cleanly.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use portcullis_sidecar::{Config, Sidecar};
use tokio::net::TcpListener;

use super::{Outcome, admin};

pub(super) async fn serve(file: &Path) -> Outcome {
    let signals = "cannot listen for signals";
    let stop = stop_signal().map_err(|error| format!("{signals}: {error}"))?;
    let config = Config::read(file)?;
    let listener = listen("listen", config.listen()).await?;
    let admin = match config.admin_listen() {
        Some(address) => Some((listen("admin_listen", address).await?, admin::record()?)),
        None => None,
    };
    let sidecar = Sidecar::start(&config).await?;
    reload_at_hangup(file, &sidecar).map_err(|error| format!("{signals}: {error}"))?;
    if let Some((listener, metrics)) = admin {
        tracing::info!(listen = %listener.local_addr()?, "serving metrics and probes");
        let router = admin::router(metrics, sidecar.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
    }
    tracing::info!(listen = %listener.local_addr()?, config = %file.display(), "serving");
    sidecar.serve(listener, stop).await;
    tracing::info!("stopped");
    Ok(())
}

async fn listen(key: &str, address: SocketAddr) -> Result<TcpListener, Box<dyn Error>> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| {
        format!("cannot listen on {address}: {error}. Check `{key}` in the settings file").into()
    })
}

/// Reads the file again at each SIGHUP. This call installs the handler: without one, the signal
/// would end the process.
#[cfg(unix)]
fn reload_at_hangup(file: &Path, sidecar: &Sidecar) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut hangup = signal(SignalKind::hangup())?;
    let (file, sidecar) = (file.to_owned(), sidecar.clone());
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match sidecar.reload_from(&file).await {
                Ok(()) => tracing::info!(config = %file.display(), "settings reloaded"),
                Err(error) => tracing::error!(
                    error = &error as &dyn Error,
                    "settings not reloaded: the previous ones remain"
                ),
            }
        }
    });
    Ok(())
}

#[cfg(windows)]
fn reload_at_hangup(_: &Path, _: &Sidecar) -> io::Result<()> {
    Ok(())
}

/// Returns a future that completes at Ctrl-C or at a service manager's SIGTERM. This call installs
/// the handlers.
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
