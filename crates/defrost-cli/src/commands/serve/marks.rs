//! Wrong answers that a person marks: `relabel.csv` in the run, the pictures beside it, for `defrost train --relabel`.
//!
//! Invariant: nothing is kept but what a person has marked; a picture has one mark, and taking the mark back removes the picture.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path as UrlPath, Query, Request, State};
use axum::http::StatusCode;
use defrost::data::{self, Mark};
use defrost::image::Format;
use defrost::{fs, run};
use serde::{Deserialize, Serialize};

use super::app::App;
use super::refusal::Refusal;
use super::{answer, upload};

/// The marks of a run.
#[derive(Debug)]
pub(super) struct Marks {
    /// Where the table and the pictures lie.
    folder: PathBuf,
    /// One writer at a time.
    writing: Mutex<()>,
}

/// What a picture is, by the person who marks it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Marked {
    class: String,
    #[serde(default)]
    name: String,
}

/// A mark as it is answered.
#[derive(Debug, Serialize)]
struct Answer {
    path: Option<String>,
    content: String,
    name: String,
    predicted: String,
    class: String,
    time: String,
}

/// The marks of a run, and how they are used.
#[derive(Debug, Serialize)]
pub(super) struct List {
    version: u32,
    file: String,
    marks: Vec<Answer>,
}

/// `GET /relabel`.
pub(super) async fn list(State(app): State<Arc<App>>) -> Result<Json<List>, Refusal> {
    let app_of = Arc::clone(&app);
    off_the_loop(move || app_of.marks.list()).await
}

/// `POST /relabel?class=…`: the body is the picture.
pub(super) async fn mark(
    State(app): State<Arc<App>>,
    marked: Result<Query<Marked>, QueryRejection>,
    request: Request,
) -> Result<Json<List>, Refusal> {
    let Query(Marked { class, name }) = marked.map_err(|error| misasked(&error.body_text()))?;
    app.class(&class)?;
    let uploads = upload::read(request, Some(name), &app).await?;
    let [upload] = uploads.as_slice() else {
        return Err(misasked("one picture is marked at a time"));
    };
    let (name, bytes) = (upload.name.clone(), upload.bytes.clone());
    // What is kept must be a picture, and what was predicted is not the client's to say.
    let predicted = answer::class_of(&app, bytes.clone()).await?;
    let app_of = Arc::clone(&app);
    off_the_loop(move || {
        app_of.marks.add(&bytes, Mark { name, predicted, class, time: utc(SystemTime::now()), ..Mark::default() })
    })
    .await
}

/// `DELETE /relabel/CONTENT`.
pub(super) async fn unmark(
    State(app): State<Arc<App>>,
    UrlPath(content): UrlPath<String>,
) -> Result<Json<List>, Refusal> {
    let Ok(content) = blake3::Hash::from_hex(&content) else {
        return Err(misasked(&format!("`{content}` is not the content of a mark")));
    };
    let app_of = Arc::clone(&app);
    off_the_loop(move || app_of.marks.remove(content.as_bytes())).await
}

impl Marks {
    /// Of a run, or of a classifier in one file: beside it.
    pub(super) fn of(run: &Path) -> Marks {
        let folder = if run.is_dir() { Some(run) } else { run.parent() };
        Marks { folder: folder.unwrap_or(run).to_owned(), writing: Mutex::default() }
    }

    fn list(&self) -> Result<List, anyhow::Error> {
        Ok(self.answer(self.read()?))
    }

    fn add(&self, bytes: &[u8], mark: Mark) -> Result<List, anyhow::Error> {
        let content = blake3::hash(bytes);
        let file = format!("{}/{}.{}", run::RELABEL_PICTURES, &content.to_hex()[..16], extension(bytes));
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut marks = self.read()?;
        marks.retain(|mark| mark.content.as_ref() != Some(content.as_bytes()));
        // The picture first: a line never names a file that isn't there.
        fs::create_dir_all(&self.folder.join(run::RELABEL_PICTURES))?;
        fs::write_atomic(&self.folder.join(&file), bytes)?;
        marks.push(Mark { path: Some(file), content: Some(*content.as_bytes()), ..mark });
        self.write(marks)
    }

    fn remove(&self, content: &[u8; 32]) -> Result<List, anyhow::Error> {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (gone, marks): (Vec<Mark>, Vec<Mark>) =
            self.read()?.into_iter().partition(|mark| mark.content.as_ref() == Some(content));
        let list = self.write(marks)?;
        // Only what the server itself has put there; a table that a person wrote may name other files.
        let own = |path: &&String| path.starts_with(run::RELABEL_PICTURES) && !path.contains("..");
        for file in gone.iter().filter_map(|mark| mark.path.as_ref()).filter(own) {
            let _ = std::fs::remove_file(self.folder.join(file));
        }
        Ok(list)
    }

    fn read(&self) -> Result<Vec<Mark>, anyhow::Error> {
        let table = self.table();
        if table.is_file() { Ok(data::read_marks(&table)?) } else { Ok(Vec::new()) }
    }

    fn write(&self, marks: Vec<Mark>) -> Result<List, anyhow::Error> {
        data::write_marks(&self.table(), &marks)?;
        Ok(self.answer(marks))
    }

    fn answer(&self, marks: Vec<Mark>) -> List {
        let answer = |Mark { path, content, name, predicted, class, time }: Mark| Answer {
            path,
            content: content.map(|content| blake3::Hash::from(content).to_hex().to_string()).unwrap_or_default(),
            name,
            predicted,
            class,
            time,
        };
        let marks = marks.into_iter().map(answer).collect();
        List { version: 1, file: self.table().display().to_string(), marks }
    }

    fn table(&self) -> PathBuf {
        self.folder.join(run::RELABEL)
    }
}

/// Works with files beside the connections' threads.
async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, anyhow::Error> + Send + 'static,
) -> Result<Json<T>, Refusal> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::lost())?;
    done.map(Json).map_err(|error| {
        let hint = "see to the run's folder on the server: it must be writable, and its relabel.csv whole";
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}"), hint)
    })
}

fn extension(bytes: &[u8]) -> &'static str {
    match Format::of(bytes) {
        Some(Format::Png) => "png",
        Some(Format::WebP) => "webp",
        Some(Format::Gif) => "gif",
        Some(Format::Bmp) => "bmp",
        Some(Format::Tiff) => "tiff",
        _ => "jpg",
    }
}

fn misasked(reason: &str) -> Refusal {
    let hint = "send one picture as `POST /relabel?class=CLASS&name=NAME`, or `DELETE /relabel/CONTENT`";
    Refusal::new(StatusCode::BAD_REQUEST, format!("the request can't be read: {reason}"), hint)
}

/// `2026-01-02T03:04:05Z`.
fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (mut days, of_day) = (seconds / 86_400, seconds % 86_400);
    let every = |year: u64, years: u64| year.is_multiple_of(years);
    let leap = |year: u64| u64::from(every(year, 4) && (!every(year, 100) || every(year, 400)));
    let mut year = 1970;
    while days >= 365 + leap(year) {
        days -= 365 + leap(year);
        year += 1;
    }
    let mut month = 0;
    for length in [31, 28 + leap(year), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        month += 1;
        if days < length {
            break;
        }
        days -= length;
    }
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", days + 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_told_in_utc() {
        let at = |seconds| utc(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_827_696), "2000-02-29T12:34:56Z");
        assert_eq!(at(4_107_542_399), "2100-02-28T23:59:59Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00Z");
        assert_eq!(at(1_798_761_599), "2026-12-31T23:59:59Z");
    }

    #[test]
    fn a_picture_has_one_mark_and_taking_it_back_removes_it() {
        let folder = tempfile::tempdir().unwrap();
        let marks = Marks::of(folder.path());
        let mark = |class: &str| Mark { class: class.to_owned(), ..Mark::default() };
        assert!(marks.list().unwrap().marks.is_empty());
        marks.add(b"\x89PNG\r\n\x1a\n", mark("a")).unwrap();
        marks.add(b"\xff\xd8\xff", mark("a")).unwrap();
        let list = marks.add(b"\x89PNG\r\n\x1a\n", mark("b")).unwrap();
        assert_eq!(list.marks.iter().map(|mark| mark.class.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let files = || std::fs::read_dir(folder.path().join("relabel")).unwrap().count();
        assert_eq!(files(), 2);
        let content = blake3::Hash::from_hex(&list.marks[1].content).unwrap();
        let list = marks.remove(content.as_bytes()).unwrap();
        assert_eq!((list.marks.len(), files(), marks.list().unwrap().marks.len()), (1, 1, 1));
    }
}
