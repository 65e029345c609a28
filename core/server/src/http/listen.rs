//! Accepting connections: HTTP/1.1 with limits on what a slow client can hold, and an end that
//! lets requests finish.
//!
//! axum's own loop is not used because it sets no limit on how long a head may take.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// After an accept that failed for want of file descriptors or memory, the next try waits.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Largest head of a request.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A listener at work.
pub(crate) struct Listening {
    pub(crate) address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// What a client may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionLimits {
    pub(crate) connections: usize,
    pub(crate) head_timeout: Duration,
}

/// Serves `routes` on `address` until told to stop.
pub(crate) async fn listen(
    address: SocketAddr,
    routes: Router,
    limits: ConnectionLimits,
) -> std::io::Result<Listening> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(accept(listener, routes, limits, stopped));
    Ok(Listening {
        address,
        stop,
        task,
    })
}

impl Listening {
    /// Accepts nothing more, and returns when the connections have ended: each after the request
    /// that it is in. Who waits sets the limit of time.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        // A panic in the loop has been reported by its hook; there is nothing left to wait for.
        let _ = self.task.await;
    }
}

async fn accept(
    listener: TcpListener,
    routes: Router,
    limits: ConnectionLimits,
    mut stopped: watch::Receiver<bool>,
) {
    let connections = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    loop {
        let Ok(place) = connections.clone().acquire_owned().await else {
            break;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        match accepted {
            Ok((stream, _peer)) => {
                let connection = graceful.watch(connection(stream, routes.clone(), limits));
                tokio::spawn(async move {
                    if let Err(error) = connection.await {
                        // The client's doing (gone, too slow, not HTTP): nobody has to act.
                        tracing::debug!(%error, "connection ended");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    graceful.shutdown().await;
}

fn connection(
    stream: TcpStream,
    routes: Router,
    limits: ConnectionLimits,
) -> hyper::server::conn::http1::Connection<TokioIo<TcpStream>, TowerToHyperService<Router>> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection will be slower than it could be");
    }
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes))
}
