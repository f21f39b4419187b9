//! The page at `/`: plain files inside the program, and nothing from anywhere else.

use axum::extract::Path;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse};

use super::refusal::Refusal;

/// `GET /`.
pub(super) async fn index() -> impl IntoResponse {
    Html(include_str!("page/index.html"))
}

/// `GET /page/FILE`: what the page is made of.
pub(super) async fn file(Path(name): Path<String>) -> Result<([(HeaderName, &'static str); 1], &'static str), Refusal> {
    const CSS: &str = "text/css; charset=utf-8";
    const JS: &str = "text/javascript; charset=utf-8";
    let (kind, text) = match name.as_str() {
        "style.css" => (CSS, include_str!("page/style.css")),
        "app.js" => (JS, include_str!("page/app.js")),
        "server.js" => (JS, include_str!("page/server.js")),
        "card.js" => (JS, include_str!("page/card.js")),
        "words.js" => (JS, include_str!("page/words.js")),
        "icon.svg" => ("image/svg+xml", include_str!("page/icon.svg")),
        _ => {
            let hint = "the page at / names its files";
            return Err(Refusal::new(StatusCode::NOT_FOUND, format!("the page has no file `{name}`"), hint));
        }
    };
    Ok(([(header::CONTENT_TYPE, kind)], text))
}
