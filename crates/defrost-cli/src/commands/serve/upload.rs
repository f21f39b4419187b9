//! The pictures of a request: its body, or the files of a form.

use axum::body::Bytes;
use axum::extract::multipart::{Multipart, MultipartError};
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};

use super::app::App;
use super::refusal::Refusal;

/// Pictures of one request; more are sent as several.
const MOST: usize = 64;

/// A picture as it arrived.
#[derive(Debug)]
pub(super) struct Upload {
    /// As the client calls it.
    pub(super) name: String,
    pub(super) bytes: Bytes,
}

/// Reads the pictures of a request. `name` is that of a body that is a picture.
///
/// # Errors
/// When the body is neither a picture nor a form with files, holds none or too many, is too large or too slow.
pub(super) async fn read(request: Request, name: Option<String>, app: &App) -> Result<Vec<Upload>, Refusal> {
    tokio::time::timeout(app.limits.timeout, arrive(request, name, app)).await.unwrap_or_else(|_| {
        let error = format!("the request has not arrived within {} s", app.limits.timeout.as_secs_f64());
        Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, error, "send fewer or smaller pictures at once"))
    })
}

async fn arrive(request: Request, name: Option<String>, app: &App) -> Result<Vec<Upload>, Refusal> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "multipart/form-data" => {
            let form = Multipart::from_request(request, &()).await;
            let form = form.map_err(|error| unreadable(error.status(), &error.body_text(), app))?;
            files(form, app).await
        }
        "application/octet-stream" => picture(request, name, app).await,
        kind if kind.starts_with("image/") => picture(request, name, app).await,
        "" => Err(unsupported("the request has no `Content-Type`".to_owned())),
        kind => Err(unsupported(format!("`{kind}` is no picture"))),
    }
}

async fn picture(request: Request, name: Option<String>, app: &App) -> Result<Vec<Upload>, Refusal> {
    let bytes = Bytes::from_request(request, &()).await;
    let bytes = bytes.map_err(|error| unreadable(error.status(), &error.body_text(), app))?;
    Ok(vec![Upload { name: name.unwrap_or_default(), bytes }])
}

async fn files(mut form: Multipart, app: &App) -> Result<Vec<Upload>, Refusal> {
    let failed = |error: MultipartError| unreadable(error.status(), &error.body_text(), app);
    let mut files = Vec::new();
    while let Some(field) = form.next_field().await.map_err(failed)? {
        let name = field.file_name().or(field.name()).unwrap_or_default().to_owned();
        files.push(Upload { name, bytes: field.bytes().await.map_err(failed)? });
        if files.len() > MOST {
            let error = format!("a request may have at most {MOST} pictures");
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error, "send them in several requests"));
        }
    }
    if files.is_empty() {
        let hint = "add each picture as a file: `curl -F picture=@my.jpg`";
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "the form has no file", hint));
    }
    Ok(files)
}

fn unsupported(error: String) -> Refusal {
    let hint = "send a picture as `image/*` or `application/octet-stream`, or several as `multipart/form-data`";
    Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error, hint)
}

/// A body that can't be read, because of its length or its form.
fn unreadable(status: StatusCode, reason: &str, app: &App) -> Refusal {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        return too_large(app);
    }
    let hint = "send the body whole, with the length and the boundary that its head announces";
    Refusal::new(status, format!("the request can't be read: {reason}"), hint)
}

/// That the body is larger than a body may be.
pub(super) fn too_large(app: &App) -> Refusal {
    let error = format!("the request has more than {} bytes", app.limits.pictures.max_bytes);
    let hint = "send a smaller picture, or fewer; the server's `--max-bytes` is the limit";
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error, hint)
}
