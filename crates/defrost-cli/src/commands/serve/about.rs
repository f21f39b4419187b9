//! What the server tells of itself.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use defrost::artefact::Artefact;
use defrost::job::Outcome;
use defrost::run;
use serde::Serialize;

use super::app::App;
use super::metrics::CONTENT_TYPE;

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// The classifier and how good it is.
#[derive(Serialize)]
struct Model {
    version: u32,
    run: String,
    /// What it was trained on, as its recipe names it.
    data: Option<String>,
    #[serde(flatten)]
    classifier: Classifier,
    limits: Limits,
    /// `None` where the run holds none that can be read.
    figures: Option<Figures>,
}

#[derive(Serialize)]
struct Classifier {
    backbone: String,
    input_size: usize,
    classes: Vec<String>,
    weights_hash: String,
}

#[derive(Serialize)]
struct Limits {
    max_bytes: u64,
    max_pixels: u64,
}

/// What the run measured.
#[derive(Serialize)]
struct Figures {
    train_samples: usize,
    val_samples: usize,
    val_accuracy: f64,
    val_accuracy_interval: (f64, f64),
    test_accuracy: Option<f64>,
    test_accuracy_interval: Option<(f64, f64)>,
}

/// `GET /healthz`.
pub(super) async fn healthz() -> impl IntoResponse {
    Json(Health { status: "ok" })
}

/// `GET /model`.
pub(super) async fn model(State(app): State<Arc<App>>) -> impl IntoResponse {
    let Artefact { backbone, input_size, classes, weights_hash, .. } = app.predictor.artefact().clone();
    let limits = app.limits.pictures;
    Json(Model {
        version: 1,
        run: app.run.display().to_string(),
        data: data(&app),
        classifier: Classifier { backbone, input_size, classes, weights_hash },
        limits: Limits { max_bytes: limits.max_bytes, max_pixels: limits.max_pixels },
        figures: figures(&app),
    })
}

fn data(app: &App) -> Option<String> {
    let recipe = super::super::recipe::read(&app.run.join(run::RECIPE)).ok()?;
    recipe.data.path.map(|path| path.display().to_string())
}

fn figures(app: &App) -> Option<Figures> {
    let text = defrost::fs::read_to_string(&app.run.join(run::OUTCOME)).ok()?;
    let of: Outcome = serde_json::from_str(&text).ok()?;
    Some(Figures {
        train_samples: of.train_samples,
        val_samples: of.val_samples,
        val_accuracy: of.val_accuracy,
        val_accuracy_interval: of.val_accuracy_interval,
        test_accuracy: of.test_accuracy,
        test_accuracy_interval: of.test_accuracy_interval,
    })
}

/// `GET /metrics`.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], app.metrics.text())
}

/// `GET /openapi.json`.
pub(super) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("openapi.json"))
}
