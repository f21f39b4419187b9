//! The routes, and what every request goes through on its way to them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use defrost::predict::Predictor;
use http_body_util::BodyExt;
use tokio::sync::Semaphore;

use super::guard::{Guard, harden};
use super::marks::Marks;
use super::metrics::{Counted, Metrics, Route};
use super::queue::Queue;
use super::refusal::Refusal;
use super::{Limits, about, answer, explain, marks, page, upload};

/// Pictures that may wait, for each request in flight.
const WAITING_PER_REQUEST: usize = 4;
/// What the bodies of all requests take together, in KiB.
const HELD: usize = 512 << 10;
/// A refused request's body is read so far and thrown away: a client that still sends doesn't hear an answer.
const DRAINED: usize = 64 << 20;
/// And for so long.
const DRAINING: Duration = Duration::from_secs(2);
/// A request that there is no room for is refused after so long: who asks again at once, whatever the answer says, would keep the
/// cores busy with refusals.
const REFUSED_AFTER: Duration = Duration::from_millis(250);

/// What all requests share.
#[derive(Debug)]
pub(super) struct App {
    pub(super) run: PathBuf,
    pub(super) predictor: Arc<Predictor>,
    pub(super) queue: Queue,
    pub(super) metrics: Arc<Metrics>,
    pub(super) limits: Limits,
    pub(super) guard: Guard,
    pub(super) marks: Marks,
    pub(super) explainer: explain::Lazy,
    in_flight: Semaphore,
    /// Of the bodies that are read or answered, in KiB.
    held: Semaphore,
}

impl App {
    pub(super) fn new(run: &Path, predictor: Predictor, limits: Limits, guard: Guard) -> Arc<App> {
        let (predictor, metrics) = (Arc::new(predictor), Arc::new(Metrics::new()));
        let queue = Queue::start(&predictor, limits.in_flight * WAITING_PER_REQUEST, limits.timeout, &metrics);
        let in_flight = Semaphore::new(limits.in_flight);
        // One request as large as a request may be has room in any case.
        let held = Semaphore::new(HELD.max(usize::try_from(limits.pictures.max_bytes / 1024 + 1).unwrap_or(HELD)));
        Arc::new(App {
            run: run.to_owned(),
            predictor,
            queue,
            metrics,
            limits,
            guard,
            marks: Marks::of(run),
            explainer: explain::Lazy::default(),
            in_flight,
            held,
        })
    }

    /// The number of a class.
    ///
    /// # Errors
    /// When the classifier has none of that name.
    pub(super) fn class(&self, name: &str) -> Result<usize, Refusal> {
        let classes = self.predictor.classes();
        classes.iter().position(|class| class == name).ok_or_else(|| {
            let hint = format!("it has {}", classes.join(", "));
            Refusal::new(StatusCode::BAD_REQUEST, format!("the classifier has no class `{name}`"), hint)
        })
    }
}

/// The paths, as they are counted.
const PATHS: [&str; 8] = ["/predict", "/explain", "/relabel", "/model", "/metrics", "/healthz", "/openapi.json", "/"];

pub(super) fn router(app: Arc<App>) -> Router {
    let body = DefaultBodyLimit::max(usize::try_from(app.limits.pictures.max_bytes).unwrap_or(usize::MAX));
    let work = Router::new()
        .route("/predict", post(answer::predict))
        .route("/explain", post(explain::explain))
        .route("/relabel", post(marks::mark))
        .layer(body)
        .route_layer(from_fn_with_state(Arc::clone(&app), admit));
    let protected = Router::new()
        .route("/model", get(about::model))
        .route("/relabel", get(marks::list))
        .route("/relabel/{content}", delete(marks::unmark))
        .route("/metrics", get(about::metrics))
        .merge(work)
        .route_layer(from_fn_with_state(Arc::clone(&app), guarded));
    Router::new()
        .route("/", get(page::index))
        .route("/page/{file}", get(page::file))
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
    let asked = request.uri().path();
    let below = |path: &str| asked.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
    let path = PATHS.into_iter().find(|path| *path == asked || below(path)).unwrap_or("other");
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

/// Lets so many requests for work through at a time, and so many bytes.
async fn admit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    if announced(&request).is_some_and(|length| length > app.limits.pictures.max_bytes) {
        return drained(request, upload::too_large(&app)).await;
    }
    let (Ok(_place), Ok(_bytes)) = (app.in_flight.try_acquire(), app.held.try_acquire_many(kibibytes(&request, &app)))
    else {
        tokio::time::sleep(REFUSED_AFTER).await;
        let most = app.limits.in_flight;
        let error = format!("{most} requests are in flight, or {} MiB of pictures", HELD >> 10);
        return drained(request, Refusal::busy(error, app.queue.retry_after())).await;
    };
    let _counted = Counted::new(&app.metrics.in_flight);
    let response = next.run(request).await;
    app.metrics.seconds.observe(begun.elapsed().as_secs_f64());
    response
}

/// The length of the body, where the head tells it.
fn announced(request: &Request) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What the body takes: as its head announces, else as much as it may.
fn kibibytes(request: &Request, app: &App) -> u32 {
    let bytes = announced(request).unwrap_or(app.limits.pictures.max_bytes);
    u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX)
}

/// Refuses a request after its body, so that the client hears it; not where the body is sent only once the head is answered.
async fn drained(request: Request, refusal: Refusal) -> Response {
    if !request.headers().contains_key(header::EXPECT) {
        let mut body = request.into_body();
        let drain = async {
            let mut left = DRAINED;
            while let Some(Ok(frame)) = body.frame().await {
                left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len()));
                if left == 0 {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(DRAINING, drain).await;
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
