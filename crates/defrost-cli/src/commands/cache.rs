//! `defrost cache`: where weights and features are kept, and how to be rid of them.
//!
//! Layout: `weights/` holds the publishers' files, `features/` the rows of trunk passes ([`defrost::features`]); `*.part` are half downloads.

use std::path::{Path, PathBuf};

use defrost::data;
use defrost::features;
use defrost::fs::FsError;
use serde::Serialize;

use crate::args::CacheAction;
use crate::environment;
use crate::failure::Failure;
use crate::terminal::{Terminal, bytes, columns, short};

const FEATURES: &str = "features";
const WEIGHTS: &str = "weights";
const PARTIAL: &str = "partial";

/// The folder of the cache.
fn folder(terminal: &Terminal) -> Result<PathBuf, Failure> {
    let words = terminal.words;
    environment::cache().ok_or_else(|| Failure::user(words.no_cache_folder()).hint(words.set_cache_folder()))
}

/// Where downloaded weights are kept.
pub(super) fn weights(terminal: &Terminal) -> Result<PathBuf, Failure> {
    Ok(folder(terminal)?.join(WEIGHTS))
}

/// Where the rows of trunk passes are kept.
pub(super) fn features_folder(terminal: &Terminal) -> Result<PathBuf, Failure> {
    Ok(folder(terminal)?.join(FEATURES))
}

#[derive(Serialize)]
struct Info {
    path: String,
    kinds: Vec<Kind>,
    /// Of features.
    rows: u64,
}

#[derive(Serialize)]
struct Kind {
    kind: &'static str,
    files: usize,
    bytes: u64,
}

#[derive(Serialize)]
struct Pruned {
    path: String,
    files: usize,
    bytes: u64,
}

#[derive(Serialize)]
struct Verified {
    path: String,
    rows: u64,
    damaged: u64,
    index_rebuilt: bool,
}

pub(super) fn run(action: &CacheAction, terminal: &Terminal) -> Result<(), Failure> {
    let folder = folder(terminal)?;
    match action {
        CacheAction::Info => info(&folder, terminal),
        CacheAction::Prune => prune(&folder, terminal),
        CacheAction::Verify => verify(&folder, terminal),
    }
}

fn info(folder: &Path, terminal: &Terminal) -> Result<(), Failure> {
    let downloads = downloads(folder)?;
    let downloaded = |kind| {
        let of_kind = || downloads.iter().filter(|download| download.kind == kind);
        Kind { kind, files: of_kind().count(), bytes: of_kind().map(|download| download.bytes).sum() }
    };
    let features = features::usage(&folder.join(FEATURES))?;
    let kept = Kind { kind: FEATURES, files: features.files, bytes: features.bytes };
    let kinds = vec![downloaded(WEIGHTS), kept, downloaded(PARTIAL)];
    if terminal.wants_json() {
        return terminal.json(&Info { path: folder.display().to_string(), kinds, rows: features.rows });
    }
    let mut rows = vec![terminal.words.cache_headings().to_vec()];
    rows.extend(
        kinds.iter().map(|kind| vec![terminal.words.cache_kind(kind.kind), kind.files.to_string(), bytes(kind.bytes)]),
    );
    terminal.data(format!("{}\n{}", short(folder), columns(&rows)).as_bytes())
}

fn prune(folder: &Path, terminal: &Terminal) -> Result<(), Failure> {
    let features = features::clear(&folder.join(FEATURES))?;
    let (mut files, mut freed) = (features.files, features.bytes);
    let looks = folder.join(FEATURES).join(data::LOOKS_FILE);
    if let Ok(metadata) = std::fs::metadata(&looks) {
        std::fs::remove_file(&looks).map_err(FsError::at("remove", &looks))?;
        files += 1;
        freed += metadata.len();
    }
    for download in downloads(folder)?.iter().filter(|download| download.kind == PARTIAL) {
        std::fs::remove_file(&download.path).map_err(FsError::at("remove", &download.path))?;
        files += 1;
        freed += download.bytes;
    }
    terminal.say(terminal.words.pruned(files, &bytes(freed)));
    if terminal.wants_json() {
        terminal.json(&Pruned { path: folder.display().to_string(), files, bytes: freed })?;
    }
    Ok(())
}

fn verify(folder: &Path, terminal: &Terminal) -> Result<(), Failure> {
    let features::Verified { rows, damaged, index_rebuilt, .. } = features::verify(&folder.join(FEATURES))?;
    if index_rebuilt {
        terminal.warn(terminal.words.index_rebuilt());
    }
    terminal.say(terminal.words.rows_checked(rows, damaged));
    if terminal.wants_json() {
        terminal.json(&Verified { path: folder.display().to_string(), rows, damaged, index_rebuilt })?;
    }
    Ok(())
}

struct Download {
    kind: &'static str,
    path: PathBuf,
    bytes: u64,
}

/// Weights and half downloads, by path. A cache that doesn't exist yet holds none.
fn downloads(folder: &Path) -> Result<Vec<Download>, FsError> {
    let below = folder.join(WEIGHTS);
    let mut downloads = Vec::new();
    if !below.exists() {
        return Ok(downloads);
    }
    let failed = || FsError::at("read", &below);
    for file in std::fs::read_dir(&below).map_err(failed())? {
        let file = file.map_err(failed())?;
        let metadata = file.metadata().map_err(failed())?;
        if metadata.is_file() {
            let partial = file.path().extension().is_some_and(|ending| ending == "part");
            let kind = if partial { PARTIAL } else { WEIGHTS };
            downloads.push(Download { kind, path: file.path(), bytes: metadata.len() });
        }
    }
    downloads.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(downloads)
}
