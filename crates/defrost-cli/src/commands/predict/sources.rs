//! Which pictures are meant: files, folders, patterns, and paths on stdin.

use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use defrost::data;

use crate::failure::Failure;
use crate::terminal::Terminal;

/// Stands for paths on stdin, one a line.
const STDIN: &str = "-";

/// The pictures that are meant by `paths`, in their order: a folder's and a pattern's in the order of their names. A path from
/// stdin is taken as a picture, whether it is there or not: what can't be read is told with the others.
pub(super) fn pictures(paths: &[PathBuf], terminal: &Terminal) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if path.as_os_str() == STDIN && !path.exists() {
            found.extend(from_stdin(terminal)?);
        } else if !path.exists() && is_pattern(path) {
            found.extend(matching(path, terminal)?);
        } else {
            found.extend(data::pictures(std::slice::from_ref(path))?);
        }
    }
    Ok(found)
}

fn from_stdin(terminal: &Terminal) -> Result<Vec<PathBuf>, Failure> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        terminal.say(terminal.words.paths_are_awaited());
    }
    let lines: io::Result<Vec<String>> = stdin.lock().lines().collect();
    let lines = lines.map_err(|error| Failure::user(terminal.words.stdin_is_lost(&error.to_string())))?;
    let paths = lines.iter().map(|line| line.trim_end_matches('\r')).filter(|line| !line.is_empty());
    Ok(paths.map(PathBuf::from).collect())
}

fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '['])
}

/// What a pattern that the shell has left as it is matches: pictures, and those in matching folders.
fn matching(pattern: &Path, terminal: &Terminal) -> Result<Vec<PathBuf>, Failure> {
    let shown = pattern.display().to_string();
    let no_pattern = |error: glob::PatternError| Failure::user(format!("{shown}: {error}"));
    let mut found = Vec::new();
    for path in glob::glob(&pattern.to_string_lossy()).map_err(no_pattern)? {
        let path = path.map_err(|error| Failure::from(std::io::Error::from(error)))?;
        if path.is_dir() {
            // One without pictures is no mistake among others.
            found.extend(data::pictures(&[path]).unwrap_or_default());
        } else if defrost::image::is_picture_name(&path) {
            found.push(path);
        }
    }
    // A picture may be matched itself and lie in a folder that is.
    found.sort();
    found.dedup();
    if found.is_empty() { Err(Failure::user(terminal.words.no_match(&shown))) } else { Ok(found) }
}
