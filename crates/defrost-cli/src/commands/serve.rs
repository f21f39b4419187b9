//! `defrost serve`: a classifier over HTTP, with a page for people.
//!
//! Invariant: whatever arrives, memory and time are bounded. Each limit answers with a status and what to do about it.

mod about;
mod answer;
mod app;
mod explain;
mod guard;
mod listen;
mod marks;
mod metrics;
mod page;
mod queue;
mod refusal;
mod upload;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use defrost::image::Limits as PictureLimits;
use serde::Serialize;
use tokio::net::TcpListener;

use super::{predictor, run_or_latest};
use crate::args;
use crate::environment;
use crate::failure::Failure;
use crate::interrupt;
use crate::terminal::{Terminal, short};
use app::App;
use guard::Guard;

/// What a request may ask for at most.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Of each picture; the body of a request has no more bytes than one picture.
    pictures: PictureLimits,
    /// Requests that are read or answered at one time.
    in_flight: usize,
    /// For a request to arrive, and again for it to be answered.
    timeout: Duration,
}

/// Where the server listens, as data.
#[derive(Serialize)]
struct Listening {
    run: String,
    address: SocketAddr,
    url: String,
}

/// Threads for connections: they copy bytes, while all cores see pictures.
const CONNECTION_THREADS: usize = 2;

pub(super) fn run(args: &args::Serve, terminal: &Terminal) -> Result<(), Failure> {
    let words = terminal.words;
    let token = args.token.clone().or_else(environment::token).filter(|token| !token.is_empty());
    if token.is_none() && !args.addr.ip().is_loopback() {
        return Err(Failure::user(words.token_needed(&args.addr.to_string())).hint(words.token_hint()));
    }
    if let Some(threads) = args.threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().map_err(Failure::system)?;
    }
    let run = run_or_latest(args.run.as_deref(), terminal)?;
    let predictor = predictor(&run)?;
    let limits = Limits {
        pictures: PictureLimits { max_bytes: args.max_bytes, max_pixels: args.max_pixels, ..predictor.limits() },
        in_flight: args.max_in_flight,
        timeout: Duration::from_secs_f64(args.timeout),
    };
    let app = App::new(&run, predictor, limits, Guard::new(token.as_deref()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONNECTION_THREADS)
        .enable_all()
        .build()
        .map_err(Failure::system)?;
    let stop = Arc::new(tokio::sync::Notify::new());
    let stopped = Arc::clone(&stop);
    interrupt::listen_and(terminal, move || stop.notify_one())?;
    runtime.block_on(async {
        let listener = TcpListener::bind(args.addr).await.map_err(|error| cannot_listen(args.addr, error, terminal))?;
        let address = listener.local_addr().map_err(Failure::system)?;
        let listening = Listening { run: run.display().to_string(), address, url: format!("http://{address}") };
        match terminal.wants_json() {
            true => terminal.json(&listening)?,
            false => terminal.data(format!("{}\n", listening.url).as_bytes())?,
        }
        terminal.say(words.serving(&short(&run), &listening.url));
        listen::serve(listener, app::router(app), limits, stopped.notified()).await;
        terminal.say(words.served());
        Ok(())
    })
}

fn cannot_listen(addr: SocketAddr, error: std::io::Error, terminal: &Terminal) -> Failure {
    let message = terminal.words.cannot_listen(&addr.to_string(), &error.to_string());
    Failure::user(message).hint(terminal.words.other_port())
}
