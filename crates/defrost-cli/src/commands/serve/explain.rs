//! `POST /explain`: where in a picture the evidence for a class lies, as a picture.

use std::sync::{Arc, OnceLock};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use defrost::explain::{Explainer, overlay};
use defrost::image::{self, shrink, to_jpeg};
use defrost::predict::Predictor;
use serde::Deserialize;

use super::app::App;
use super::refusal::Refusal;
use super::{answer, upload};

/// Longer side of the answer, in pixels.
const SIDE: usize = 800;
const QUALITY: u8 = 85;

/// The query of a request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// The most probable one where none is named.
    class: Option<String>,
}

/// Compiled when it is first asked for: many servers never are.
#[derive(Debug, Default)]
pub(super) struct Lazy(OnceLock<Explainer>);

impl Lazy {
    fn of(&self, predictor: &Predictor) -> &Explainer {
        self.0.get_or_init(|| Explainer::new(predictor.artefact(), predictor.model()))
    }
}

pub(super) async fn explain(
    State(app): State<Arc<App>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    request: Request,
) -> Result<impl IntoResponse, Refusal> {
    let Query(Wanted { class }) = wanted.map_err(|error| misasked(&error.body_text()))?;
    let class = class.map(|name| app.class(&name)).transpose()?;
    let uploads = upload::read(request, None, &app).await?;
    let [upload] = uploads.as_slice() else {
        return Err(misasked("one picture is explained at a time"));
    };
    let (bytes, limits, app_of) = (upload.bytes.clone(), app.limits.pictures, Arc::clone(&app));
    let task = move |predictor: &Predictor| {
        let picture = image::decode(&bytes, &limits).map_err(|error| answer::unreadable(&error))?;
        let map = app_of.explainer.of(predictor).explain(&picture, class);
        Ok(to_jpeg(&overlay(&shrink(&picture, SIDE), &map), QUALITY))
    };
    let jpeg = app.queue.run(vec![task]).await?.pop().ok_or_else(Refusal::lost)??;
    Ok(([(header::CONTENT_TYPE, "image/jpeg")], jpeg))
}

fn misasked(reason: &str) -> Refusal {
    let hint = "send one picture; the query may have `class`, as in `/explain?class=daisy`";
    Refusal::new(StatusCode::BAD_REQUEST, format!("the request can't be read: {reason}"), hint)
}
