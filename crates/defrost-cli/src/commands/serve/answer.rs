//! `POST /predict`: what is on pictures, in the words of `defrost predict --json`.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use defrost::image::{self, ImageError};
use defrost::predict::Predictor;
use serde::Deserialize;

use super::super::predict::{Asked, Line, Report};
use super::app::App;
use super::refusal::Refusal;
use super::upload::{self, Upload};
use crate::terminal::Versioned;

const READABLE: &str = "send a whole JPEG, PNG, WebP, GIF, BMP or TIFF within the limits";

/// The query of a request.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Wanted {
    top_k: usize,
    min_probability: f32,
    reject_unlike: bool,
    /// What a body that is a picture is called in the answer.
    name: Option<String>,
}

impl Default for Wanted {
    fn default() -> Wanted {
        Wanted { top_k: 3, min_probability: 0.0, reject_unlike: false, name: None }
    }
}

pub(super) async fn predict(
    State(app): State<Arc<App>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    request: Request,
) -> Result<Response, Refusal> {
    let Query(wanted) = wanted.map_err(|error| misasked(&error.body_text()))?;
    let Wanted { top_k, min_probability, reject_unlike, name } = wanted;
    let asked = Asked { top_k, min_probability, reject_unlike };
    if asked.top_k == 0 || !(0.0..=1.0).contains(&asked.min_probability) {
        return Err(misasked("`top_k` must be at least 1 and `min_probability` from 0 to 1"));
    }
    let uploads = upload::read(request, name, &app).await?;
    let seen = see(&app, uploads, asked).await?;
    let (lines, statuses): (Vec<Line>, Vec<Option<StatusCode>>) = seen.into_iter().unzip();
    let unreadable: Vec<StatusCode> = statuses.into_iter().flatten().collect();
    app.metrics.count_pictures(lines.len() - unreadable.len(), unreadable.len());
    // As in the terminal: only where nothing can be read has the request failed.
    if unreadable.len() == lines.len()
        && let (Some(status), Some(reason)) = (unreadable.first(), lines.iter().find_map(|line| line.error.as_ref()))
    {
        let error = match lines.len() {
            1 => reason.clone(),
            count => format!("none of the {count} pictures can be read; of the first: {reason}"),
        };
        return Err(Refusal::new(*status, error, READABLE));
    }
    let report = Report { run: app.run.display().to_string(), predictions: lines };
    Ok(Json(Versioned::new(&report)).into_response())
}

/// The most probable class of one picture.
pub(super) async fn class_of(app: &App, bytes: Bytes) -> Result<String, Refusal> {
    let limits = app.limits.pictures;
    let task = move |predictor: &Predictor| {
        let picture = image::decode(&bytes, &limits).map_err(|error| unreadable(&error))?;
        Ok(predictor.predict(&picture).best().class.to_owned())
    };
    app.queue.run(vec![task]).await?.pop().ok_or_else(Refusal::lost)?
}

/// Decodes and predicts on all cores; of a picture that can't be read, the status that tells why.
async fn see(app: &App, uploads: Vec<Upload>, asked: Asked) -> Result<Vec<(Line, Option<StatusCode>)>, Refusal> {
    let limits = app.limits.pictures;
    let tasks = uploads.into_iter().map(|Upload { name, bytes }| {
        move |predictor: &Predictor| {
            let picture = image::decode(&bytes, &limits);
            let status = picture.as_ref().err().map(status);
            (Line::of(predictor, name, picture, asked), status)
        }
    });
    app.queue.run(tasks.collect()).await
}

/// Why a request's only picture can't be read.
pub(super) fn unreadable(error: &ImageError) -> Refusal {
    Refusal::new(status(error), error.to_string(), READABLE)
}

fn status(error: &ImageError) -> StatusCode {
    match error {
        ImageError::TooManyBytes { .. } | ImageError::TooManyPixels { .. } | ImageError::TooLong { .. } => {
            StatusCode::PAYLOAD_TOO_LARGE
        }
        ImageError::UnknownFormat { .. } | ImageError::Heic | ImageError::Avif | ImageError::Unsupported { .. } => {
            StatusCode::UNSUPPORTED_MEDIA_TYPE
        }
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

fn misasked(reason: &str) -> Refusal {
    let hint = "the query may have `top_k`, `min_probability`, `reject_unlike` and `name`, as in `/predict?top_k=5`";
    Refusal::new(StatusCode::BAD_REQUEST, format!("the query can't be read: {reason}"), hint)
}
