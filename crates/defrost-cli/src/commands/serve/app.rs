//! The routes, and what every request goes through on its way to them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, body};
use defrost::predict::Predictor;
use tokio::sync::Semaphore;

use super::guard::{Guard, harden};
use super::metrics::{Counted, Metrics, Route};
use super::queue::Queue;
use super::refusal::Refusal;
use super::{Limits, about, answer};

/// Pictures that may wait, for each request in flight.
const WAITING_PER_REQUEST: usize = 4;
/// A refused request's body is read so far and thrown away: a client that still sends doesn't hear an answer.
const DRAINED: usize = 1 << 20;

/// What all requests share.
#[derive(Debug)]
pub(super) struct App {
    pub(super) run: PathBuf,
    pub(super) predictor: Arc<Predictor>,
    pub(super) queue: Queue,
    pub(super) metrics: Arc<Metrics>,
    pub(super) limits: Limits,
    pub(super) guard: Guard,
    in_flight: Arc<Semaphore>,
}

impl App {
    pub(super) fn new(run: &Path, predictor: Predictor, limits: Limits, guard: Guard) -> Arc<App> {
        let (predictor, metrics) = (Arc::new(predictor), Arc::new(Metrics::new()));
        let queue = Queue::start(&predictor, limits.in_flight * WAITING_PER_REQUEST, &metrics);
        let in_flight = Arc::new(Semaphore::new(limits.in_flight));
        Arc::new(App { run: run.to_owned(), predictor, queue, metrics, limits, guard, in_flight })
    }
}

/// The paths, as they are counted.
const PATHS: [&str; 6] = ["/predict", "/healthz", "/model", "/metrics", "/openapi.json", "/"];

pub(super) fn router(app: Arc<App>) -> Router {
    let body = DefaultBodyLimit::max(usize::try_from(app.limits.pictures.max_bytes).unwrap_or(usize::MAX));
    let work = Router::new()
        .route("/predict", post(answer::predict))
        .layer(body)
        .route_layer(from_fn_with_state(Arc::clone(&app), admit));
    let protected = Router::new()
        .route("/model", get(about::model))
        .route("/metrics", get(about::metrics))
        .merge(work)
        .route_layer(from_fn_with_state(Arc::clone(&app), guarded));
    Router::new()
        .route("/healthz", get(about::healthz))
        .route("/openapi.json", get(about::openapi))
        .merge(protected)
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(Arc::clone(&app), counted))
        .with_state(app)
}

/// Counts every answer, and gives it the headers that browsers obey.
async fn counted(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let path = PATHS.into_iter().find(|path| *path == request.uri().path()).unwrap_or("other");
    let mut response = next.run(request).await;
    harden(response.headers_mut());
    app.metrics.requests.get_or_create(&Route { path, status: response.status().as_u16() }).inc();
    response
}

/// Lets those through who may ask.
async fn guarded(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match app.guard.check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Lets so many requests for work through at a time, and each for so long.
async fn admit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let Ok(_place) = app.in_flight.try_acquire() else {
        let most = app.limits.in_flight;
        let refusal = Refusal::busy(format!("{most} requests are in flight"), app.queue.retry_after());
        return drained(request, &app, refusal).await;
    };
    let counted = Counted::new(&app.metrics.in_flight);
    let response = tokio::time::timeout(app.limits.timeout, next.run(request)).await;
    drop(counted);
    app.metrics.seconds.observe(begun.elapsed().as_secs_f64());
    response.unwrap_or_else(|_| {
        let seconds = app.limits.timeout.as_secs_f64();
        Refusal::busy(format!("the request took longer than {seconds} s"), app.queue.retry_after()).into_response()
    })
}

/// Refuses a request after its body, so that the client hears it; not where the body is awaited until the head is answered.
async fn drained(request: Request, app: &App, refusal: Refusal) -> Response {
    if !request.headers().contains_key(header::EXPECT) {
        let _ = tokio::time::timeout(app.limits.timeout, body::to_bytes(request.into_body(), DRAINED)).await;
    }
    refusal.into_response()
}

async fn nowhere(request: Request) -> Refusal {
    let hint = format!("there are {}; /openapi.json describes them", PATHS.join(", "));
    Refusal::new(StatusCode::NOT_FOUND, format!("there is no `{}`", request.uri().path()), hint)
}

async fn wrong_method(method: Method) -> Refusal {
    let hint = "pictures are sent with POST, the rest is asked for with GET; /openapi.json describes it";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, format!("`{method}` is not possible here"), hint)
}
