//! The directory that a training leaves behind: its names, its lock, and which is the latest.
//!
//! Invariant: a run is finished exactly when it holds `run.json`, which is written last; one process at a time works in it.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::fs::{self, FsError};

/// Everything resolved, so that the run can be repeated.
pub const RECIPE: &str = "recipe.toml";
/// A line an epoch.
pub const HISTORY: &str = "history.jsonl";
/// Which picture is on which side.
pub const SPLIT: &str = "split.csv";
/// Pictures that could not be used, and why.
pub const SKIPPED: &str = "skipped.csv";
/// Where training goes on after it was stopped.
pub const CHECKPOINTS: &str = "checkpoints";
/// The classifier.
pub const MODEL: &str = "model";
/// In the classifier's folder: what it is, for people.
pub const CARD: &str = "README.md";
/// Validation pictures with the classifier's answers.
pub const PREDICTIONS: &str = "predictions.csv";
/// The hashes that prove what stayed frozen.
pub const FREEZING: &str = "freezing.json";
/// Both stages in one figure.
pub const CURVES_SVG: &str = "curves.svg";
/// The same as a picture.
pub const CURVES_PNG: &str = "curves.png";
/// Right classes for pictures that the classifier got wrong, as a person marked them.
pub const RELABEL: &str = "relabel.csv";
/// Those pictures.
pub const RELABEL_PICTURES: &str = "relabel";
/// All of it for a reader.
pub const REPORT: &str = "report.html";
/// What the run came to; its presence marks the run as finished.
pub const OUTCOME: &str = "run.json";
const LOCK: &str = ".lock";
/// What of the data a resumed run must find again.
const DATA: &str = "data.json";

/// A run's directory that can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The directory.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// It holds something already.
    #[error("{} exists already; give another `--out`, or `--resume` if it is an unfinished run", path.display())]
    Exists {
        /// The directory.
        path: PathBuf,
    },
    /// Another process works in it.
    #[error("{} is in use by another process; wait for it or give another `--out`", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// There is none.
    #[error("there is no run in {}; make one with `defrost train DATA`", path.display())]
    None {
        /// Where runs were looked for.
        path: PathBuf,
    },
    /// It is no run.
    #[error("{} is not a run: it has no {RECIPE}; give the folder that `defrost train` made", path.display())]
    NotARun {
        /// The directory.
        path: PathBuf,
    },
    /// It has no classifier yet.
    #[error("{} isn't finished; finish it with `defrost train --resume --out {}`", path.display(), path.display())]
    Unfinished {
        /// The directory.
        path: PathBuf,
    },
    /// There is nothing to go on with.
    #[error("{} is finished; train anew without `--resume`, or go on from its weights with `--weights {}`", path.display(), path.display())]
    Finished {
        /// The directory.
        path: PathBuf,
    },
    /// No run of these data was stopped.
    #[error("there is no unfinished run{} in {}; train without `--resume`", of(data.as_deref()), runs.display())]
    NothingToResume {
        /// The data asked for.
        data: Option<PathBuf>,
        /// Where runs were looked for.
        runs: PathBuf,
    },
    /// The data are not those that the run began with.
    #[error("the data of {} have changed since it began: {change}; train anew without `--resume`", path.display())]
    DataChanged {
        /// The directory.
        path: PathBuf,
        /// What differs.
        change: String,
    },
}

fn of(data: Option<&Path>) -> String {
    data.map_or_else(String::new, |data| format!(" of {}", data.display()))
}

/// A run's directory, locked for this process as long as the value lives.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    _lock: File,
}

impl RunDir {
    /// Creates `path`, which must not exist or be empty; what a training has left that was killed before it wrote its recipe is no
    /// hindrance.
    ///
    /// # Errors
    /// When it holds something or can't be created.
    pub fn create(path: &Path) -> Result<RunDir, RunError> {
        if !not_begun(path) && path.exists() {
            return Err(RunError::Exists { path: path.to_owned() });
        }
        fs::create_dir_all(path)?;
        let dir = RunDir::lock(path)?;
        let data = dir.join(DATA);
        if data.is_file() {
            std::fs::remove_file(&data).map_err(FsError::at("remove", &data))?;
        }
        Ok(dir)
    }

    /// Creates the next free `NAME-1`, `NAME-2`, … in `runs`.
    ///
    /// # Errors
    /// When it can't be created.
    pub fn create_next(runs: &Path, name: &str) -> Result<RunDir, RunError> {
        fs::create_dir_all(runs)?;
        let mut number = 1;
        loop {
            let path = runs.join(format!("{name}-{number}"));
            match std::fs::create_dir(&path) {
                Ok(()) => return RunDir::lock(&path),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(FsError::at("create", &path)(error).into()),
            }
        }
    }

    /// Opens an unfinished run to go on with it.
    ///
    /// # Errors
    /// When it is no run, finished, or in use.
    pub fn resume(path: &Path) -> Result<RunDir, RunError> {
        if not_begun(path) {
            return Err(RunError::NothingToResume { data: None, runs: path.to_owned() });
        }
        if !exists(path) {
            return Err(RunError::NotARun { path: path.to_owned() });
        }
        if is_finished(path) {
            return Err(RunError::Finished { path: path.to_owned() });
        }
        RunDir::lock(path)
    }

    fn lock(path: &Path) -> Result<RunDir, RunError> {
        let lock = path.join(LOCK);
        let file = File::options().create(true).append(true).open(&lock).map_err(FsError::at("lock", &lock))?;
        match file.try_lock() {
            Ok(()) => Ok(RunDir { path: path.to_owned(), _lock: file }),
            Err(TryLockError::WouldBlock) => Err(RunError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => Err(FsError::at("lock", &lock)(error).into()),
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Notes what the data are, or, in a resumed run, checks that they are still the same.
    ///
    /// # Errors
    /// When they differ, or the note can't be written or read.
    pub fn pin_data(&self, pictures: usize, fingerprint: &str) -> Result<(), RunError> {
        let path = self.join(DATA);
        let now = serde_json::json!({ "pictures": pictures, "fingerprint": fingerprint });
        if !path.is_file() {
            return Ok(fs::write_atomic(&path, format!("{now}\n").as_bytes())?);
        }
        let before: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path)?).unwrap_or_default();
        if before == now {
            return Ok(());
        }
        let change = match &before["pictures"] {
            count if *count == now["pictures"] => "other pictures or another split".to_owned(),
            count => format!("{count} pictures then, {pictures} now"),
        };
        Err(RunError::DataChanged { path: self.path.clone(), change })
    }
}

/// Whether a training has begun in `path`.
pub fn exists(path: &Path) -> bool {
    path.join(RECIPE).is_file()
}

/// Whether `path` is a folder without anything that a training could go on from: empty, or left by one that was killed before
/// it wrote its recipe.
fn not_begun(path: &Path) -> bool {
    let before_the_recipe = [LOCK, DATA].map(std::ffi::OsStr::new);
    std::fs::read_dir(path)
        .is_ok_and(|entries| entries.flatten().all(|entry| before_the_recipe.contains(&entry.file_name().as_os_str())))
}

/// Whether a run has come to its end.
pub fn is_finished(path: &Path) -> bool {
    path.join(OUTCOME).is_file()
}

/// The runs in `runs`, the latest first.
fn by_age(runs: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(runs).into_iter().flatten().flatten();
    let mut found: Vec<(SystemTime, PathBuf)> = entries
        .filter_map(|entry| {
            let modified = entry.path().join(RECIPE).metadata().ok()?.modified().ok()?;
            Some((modified, entry.path()))
        })
        .collect();
    found.sort();
    found.into_iter().rev().map(|(_, path)| path).collect()
}

/// The latest finished run in `runs`.
///
/// # Errors
/// When there is none.
pub fn latest(runs: &Path) -> Result<PathBuf, RunError> {
    by_age(runs).into_iter().find(|path| is_finished(path)).ok_or_else(|| RunError::None { path: runs.to_owned() })
}

/// The latest unfinished run in `runs` whose recipe satisfies `of_data`; `data` is for the error.
///
/// # Errors
/// When there is none.
pub fn latest_unfinished(
    runs: &Path,
    data: Option<&Path>,
    of_data: impl Fn(&Path) -> bool,
) -> Result<PathBuf, RunError> {
    let unfinished = by_age(runs).into_iter().filter(|path| !is_finished(path));
    unfinished
        .into_iter()
        .find(|path| of_data(&path.join(RECIPE)))
        .ok_or_else(|| RunError::NothingToResume { data: data.map(Path::to_owned), runs: runs.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_numbered_and_locked() {
        let folder = tempfile::tempdir().unwrap();
        let first = RunDir::create_next(folder.path(), "photos").unwrap();
        let second = RunDir::create_next(folder.path(), "photos").unwrap();
        assert!(first.path().ends_with("photos-1") && second.path().ends_with("photos-2"));
        fs::write_atomic(&first.join(RECIPE), b"").unwrap();
        assert!(matches!(RunDir::resume(first.path()), Err(RunError::InUse { .. })));
        let path = first.path().to_owned();
        drop(first);
        assert!(RunDir::resume(&path).is_ok());
        assert!(matches!(RunDir::resume(folder.path()), Err(RunError::NotARun { .. })));
        let barely_begun = second.path().to_owned();
        assert!(matches!(RunDir::create(&barely_begun), Err(RunError::InUse { .. })));
        // Killed between the note of the data and the recipe: nothing to go on from, and nothing in the way of another training.
        second.pin_data(10, "abc").unwrap();
        drop(second);
        assert!(matches!(RunDir::resume(&barely_begun), Err(RunError::NothingToResume { .. })));
        RunDir::create(&barely_begun).unwrap().pin_data(11, "abd").unwrap();
        assert!(matches!(RunDir::create(&path), Err(RunError::Exists { .. })));
    }

    #[test]
    fn a_finished_run_is_found_but_not_resumed() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create_next(folder.path(), "photos").unwrap();
        fs::write_atomic(&run.join(RECIPE), b"").unwrap();
        assert!(matches!(latest(folder.path()), Err(RunError::None { .. })));
        assert!(latest_unfinished(folder.path(), Some(Path::new("photos")), |_| true).is_ok());
        fs::write_atomic(&run.join(OUTCOME), b"{}").unwrap();
        assert_eq!(latest(folder.path()).unwrap(), run.path());
        let path = run.path().to_owned();
        drop(run);
        assert!(matches!(RunDir::resume(&path), Err(RunError::Finished { .. })));
        assert!(latest_unfinished(folder.path(), Some(Path::new("photos")), |_| true).is_err());
    }

    #[test]
    fn changed_data_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(&folder.path().join("run")).unwrap();
        run.pin_data(10, "abc").unwrap();
        run.pin_data(10, "abc").unwrap();
        let error = run.pin_data(11, "abd").unwrap_err().to_string();
        assert!(error.contains("10 pictures then, 11 now"), "{error}");
    }
}
