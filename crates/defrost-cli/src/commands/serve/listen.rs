//! Connections: how many there are, how long they may say nothing, and how they end.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::Limits;

/// Connections beside those whose requests are in flight: they wait, or ask how it goes.
const SPARE_CONNECTIONS: usize = 512;
/// How long a connection may take to send a request's head, or be silent between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Before another attempt, where the system has no room for one more connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop`, then finishes what is in flight.
pub(super) async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(limits.in_flight + SPARE_CONNECTIONS));
    let mut stop = std::pin::pin!(stop);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    loop {
        let accepted = async {
            // More connections than there is room for wait in the system's own queue.
            let place = Arc::clone(&room).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (stream, place) = tokio::select! {
            (accepted, place) = accepted => match accepted {
                Ok((stream, _)) => (stream, place),
                Err(error) if is_the_clients(&error) => continue,
                Err(_) => {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        // Answers are small and whole: waiting to send more at once would only delay them.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // How a connection fails is its client's affair.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    // A request has this long to arrive and to be answered; who is silent after that is left.
    let _ = tokio::time::timeout(2 * limits.timeout, graceful.shutdown()).await;
}

/// Whether only this connection is lost.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
