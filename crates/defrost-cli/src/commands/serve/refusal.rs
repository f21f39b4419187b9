//! Why a request isn't answered: a status, a reason and a remedy, as JSON.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Why a request isn't answered.
#[derive(Debug, Serialize)]
pub(super) struct Refusal {
    #[serde(skip)]
    status: StatusCode,
    error: String,
    hint: String,
    /// Seconds.
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, error: impl Into<String>, hint: impl Into<String>) -> Refusal {
        Refusal { status, error: error.into(), hint: hint.into(), retry_after: None }
    }

    /// There is more to do than can be done; the same request is welcome after so many seconds.
    pub(super) fn busy(error: impl Into<String>, seconds: u64) -> Refusal {
        let hint = format!("send it again after {seconds} s, or fewer at once");
        let retry_after = Some(seconds);
        Refusal { retry_after, ..Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error, hint) }
    }

    /// A bug of ours, or a picture that a decoder can't bear.
    pub(super) fn lost() -> Refusal {
        let hint = "this is a bug, or the server is stopping; the other requests are not affected";
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the work on this request has ended without an answer", hint)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.status, self.retry_after);
        let mut response = (status, Json(self)).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
