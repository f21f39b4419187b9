//! `defrost cache`: where weights and features are kept, and how to be rid of them.
//!
//! Layout: `weights/` holds the publishers' files, `features/` the rows of trunk passes; `*.part` are half downloads.

use std::path::{Path, PathBuf};

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
pub(super) fn features(terminal: &Terminal) -> Result<PathBuf, Failure> {
    Ok(folder(terminal)?.join(FEATURES))
}

#[derive(Serialize)]
struct Info {
    path: String,
    kinds: Vec<Usage>,
}

#[derive(Serialize)]
struct Usage {
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

pub(super) fn run(action: &CacheAction, terminal: &Terminal) -> Result<(), Failure> {
    let folder = folder(terminal)?;
    let entries = list(&folder)?;
    match action {
        CacheAction::Info => info(&folder, &entries, terminal),
        CacheAction::Prune => prune(&folder, &entries, terminal),
    }
}

fn info(folder: &Path, entries: &[Entry], terminal: &Terminal) -> Result<(), Failure> {
    let usage = |kind| {
        let of_kind = || entries.iter().filter(|entry| entry.kind == kind);
        Usage { kind, files: of_kind().count(), bytes: of_kind().map(|entry| entry.bytes).sum() }
    };
    let kinds: Vec<Usage> = [WEIGHTS, FEATURES, PARTIAL].map(usage).into();
    if terminal.wants_json() {
        return terminal.json(&Info { path: folder.display().to_string(), kinds });
    }
    let mut rows = vec![terminal.words.cache_headings().to_vec()];
    rows.extend(
        kinds
            .iter()
            .map(|usage| vec![terminal.words.cache_kind(usage.kind), usage.files.to_string(), bytes(usage.bytes)]),
    );
    terminal.data(format!("{}\n{}", short(folder), columns(&rows)).as_bytes())
}

fn prune(folder: &Path, entries: &[Entry], terminal: &Terminal) -> Result<(), Failure> {
    let (mut files, mut freed) = (0, 0);
    for entry in entries.iter().filter(|entry| entry.kind != WEIGHTS) {
        std::fs::remove_file(&entry.path).map_err(FsError::at("remove", &entry.path))?;
        files += 1;
        freed += entry.bytes;
    }
    terminal.say(terminal.words.pruned(files, &bytes(freed)));
    if terminal.wants_json() {
        terminal.json(&Pruned { path: folder.display().to_string(), files, bytes: freed })?;
    }
    Ok(())
}

struct Entry {
    kind: &'static str,
    path: PathBuf,
    bytes: u64,
}

/// The cache's own files, by path; what else lies there is left alone. A cache that doesn't exist yet holds none.
fn list(folder: &Path) -> Result<Vec<Entry>, FsError> {
    let mut entries = Vec::new();
    for kind in [WEIGHTS, FEATURES] {
        let below = folder.join(kind);
        if !below.exists() {
            continue;
        }
        let failed = || FsError::at("read", &below);
        for file in std::fs::read_dir(&below).map_err(failed())? {
            let file = file.map_err(failed())?;
            let metadata = file.metadata().map_err(failed())?;
            if metadata.is_file() {
                let partial = file.path().extension().is_some_and(|ending| ending == "part");
                let kind = if partial { PARTIAL } else { kind };
                entries.push(Entry { kind, path: file.path(), bytes: metadata.len() });
            }
        }
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}
