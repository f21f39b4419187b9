//! Files that are never half-written, locks, and reads by position.
//!
//! Invariant: a file under its final name is complete. Everything is written to a temporary sibling and renamed; the exception
//! is [`open_read_write`], for files whose parts carry sums of their own.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A failed file operation, with the path that the system's own error leaves out.
#[derive(Debug, thiserror::Error)]
#[error("can't {action} {}: {source}", path.display())]
pub struct FsError {
    /// What was tried: `read`, `write`, `create`, `lock`.
    pub action: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// The system's error.
    pub source: io::Error,
}

impl FsError {
    /// Adds `action` and `path` to a system's error; made for `map_err`.
    pub fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FsError {
        move |source| FsError { action, path: path.to_owned(), source }
    }
}

/// Reads a whole file.
///
/// # Errors
/// When the file can't be read.
pub fn read(path: &Path) -> Result<Vec<u8>, FsError> {
    std::fs::read(path).map_err(FsError::at("read", path))
}

/// Reads a whole UTF-8 file.
///
/// # Errors
/// When the file can't be read or isn't UTF-8.
pub fn read_to_string(path: &Path) -> Result<String, FsError> {
    std::fs::read_to_string(path).map_err(FsError::at("read", path))
}

/// Creates a folder and its parents.
///
/// # Errors
/// When it can't be created.
pub fn create_dir_all(path: &Path) -> Result<(), FsError> {
    std::fs::create_dir_all(path).map_err(FsError::at("create", path))
}

/// Writes `content` to a temporary sibling, syncs it and renames it to `path`.
///
/// # Errors
/// When a step fails; `path` then still holds what it held before.
pub fn write_atomic(path: &Path, content: &[u8]) -> Result<(), FsError> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(content).map_err(FsError::at("write", path))?;
    file.commit()
}

/// A file that appears under its name only when [`commit`](AtomicFile::commit) is called; dropped before, it vanishes.
#[derive(Debug)]
pub struct AtomicFile {
    file: Option<File>,
    temporary: PathBuf,
    path: PathBuf,
}

impl AtomicFile {
    /// Opens the temporary sibling of `path`; creates missing parent folders.
    ///
    /// # Errors
    /// When the folder or the file can't be created.
    pub fn create(path: &Path) -> Result<AtomicFile, FsError> {
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            create_dir_all(parent)?;
        }
        remove_abandoned(path);
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        let temporary = path.with_file_name(name);
        loop {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that the rule leads to")]
            let file = File::create(&temporary).map_err(FsError::at("create", &temporary))?;
            // The lock tells other processes that somebody is at work here. Where a file system has none, files that a killed
            // process leaves stay; nothing else depends on it.
            let locked = file.lock().is_ok();
            if !locked || temporary.exists() {
                return Ok(AtomicFile { file: Some(file), temporary, path: path.to_owned() });
            }
            // Another process took it for abandoned before it was locked.
        }
    }

    /// Syncs the content and gives the file its name.
    ///
    /// # Errors
    /// When syncing or renaming fails; the name then still holds what it held before.
    pub fn commit(mut self) -> Result<(), FsError> {
        if let Some(file) = self.file.take() {
            file.sync_all().map_err(FsError::at("write", &self.temporary))?;
        }
        std::fs::rename(&self.temporary, &self.path).map_err(FsError::at("write", &self.path))
    }
}

/// Removes the temporary siblings of `path` that killed processes have left: those that nobody holds the lock of.
fn remove_abandoned(path: &Path) {
    let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned() + ".") else { return };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let file_name = entry.file_name();
        let middle = file_name.to_str().and_then(|file| file.strip_prefix(&name)?.strip_suffix(".tmp"));
        if middle.is_none_or(|middle| middle.is_empty() || !middle.bytes().all(|byte| byte.is_ascii_digit())) {
            continue;
        }
        if let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            // It is only in the way; a file that can't be removed stays.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

impl Write for AtomicFile {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Some(file) => file.write(buffer),
            None => Err(io::Error::other("the file is committed")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), File::flush)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // Nothing sensible can be done about a temporary file that can't be removed.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

/// Opens a file to be read and written by position, and creates it where there is none. Who uses it must be able to tell a part
/// that was written from one that wasn't.
///
/// # Errors
/// When the file can't be opened.
pub fn open_read_write(path: &Path) -> Result<File, FsError> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false).open(path).map_err(FsError::at("open", path))
}

/// A file's lock, which processes and threads take in turn. It is free again when this is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Waits until the lock of the file at `path` is free, and takes it. Nothing is ever written to the file, and it must stay:
    /// whoever waits for the lock of a removed file waits for another lock than the next one who comes.
    ///
    /// # Errors
    /// When the file can't be created, or its file system has no locks.
    pub fn take(path: &Path) -> Result<Lock, FsError> {
        let file = open_read_write(path)?;
        file.lock().map_err(FsError::at("lock", path))?;
        Ok(Lock { _file: file })
    }
}

/// Reads exactly `buffer.len()` bytes from `offset`, whatever the file's cursor.
///
/// # Errors
/// When the file is shorter or can't be read.
pub fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    {
        std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
    }
    #[cfg(windows)]
    {
        let mut done = 0;
        while done < buffer.len() {
            match std::os::windows::fs::FileExt::seek_read(file, &mut buffer[done..], offset + done as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => done += read,
            }
        }
        Ok(())
    }
}

/// Writes all of `buffer` from `offset` on, whatever the file's cursor.
///
/// # Errors
/// When the file can't be written.
pub fn write_at(file: &File, buffer: &[u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    {
        std::os::unix::fs::FileExt::write_all_at(file, buffer, offset)
    }
    #[cfg(windows)]
    {
        let mut done = 0;
        while done < buffer.len() {
            match std::os::windows::fs::FileExt::seek_write(file, &buffer[done..], offset + done as u64)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => done += written,
            }
        }
        Ok(())
    }
}

/// Bytes free for this user on the file system that holds `path` (or its nearest existing parent).
///
/// # Errors
/// When the system doesn't say.
pub fn available_space(path: &Path) -> Result<u64, FsError> {
    let existing = path.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    fs4::available_space(existing).map_err(FsError::at("measure the free space of", existing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_uncommitted_file_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.txt");
        write_atomic(&path, b"first").unwrap();
        let mut half = AtomicFile::create(&path).unwrap();
        half.write_all(b"sec").unwrap();
        drop(half);
        assert_eq!(read(&path).unwrap(), b"first");
        assert_eq!(std::fs::read_dir(folder.path().join("a")).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_a_living_ones_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        let abandoned = folder.path().join("rows.999999.tmp");
        let others = ["rows.tmp", "rows.old.tmp", "other.3.tmp"].map(|name| folder.path().join(name));
        for file in others.iter().chain([&abandoned]) {
            write_atomic(file, b"half").unwrap();
        }
        let living = folder.path().join("rows.888888.tmp");
        write_atomic(&living, b"half").unwrap();
        let held = File::open(&living).unwrap();
        held.lock().unwrap();
        write_atomic(&path, b"whole").unwrap();
        assert!(!abandoned.exists() && living.exists() && others.iter().all(|file| file.exists()));
        assert_eq!(read(&path).unwrap(), b"whole");
    }

    #[test]
    fn reads_by_position() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        write_atomic(&path, b"0123456789").unwrap();
        let file = File::open(&path).unwrap();
        let mut buffer = [0; 3];
        read_at(&file, &mut buffer, 4).unwrap();
        assert_eq!(&buffer, b"456");
        assert!(read_at(&file, &mut buffer, 8).is_err());
    }

    #[test]
    fn writes_by_position() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        let file = open_read_write(&path).unwrap();
        write_at(&file, b"3456", 3).unwrap();
        write_at(&open_read_write(&path).unwrap(), b"012", 0).unwrap();
        assert_eq!(read(&path).unwrap(), b"0123456");
    }

    #[test]
    fn a_lock_is_held_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let inside = std::sync::atomic::AtomicUsize::new(0);
        let most = std::sync::atomic::AtomicUsize::new(0);
        let order = std::sync::atomic::Ordering::SeqCst;
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let _lock = Lock::take(&path).unwrap();
                        most.fetch_max(inside.fetch_add(1, order) + 1, order);
                        std::thread::yield_now();
                        inside.fetch_sub(1, order);
                    }
                });
            }
        });
        assert_eq!(most.into_inner(), 1);
    }

    #[test]
    fn an_error_names_the_file() {
        let error = read(Path::new("/no/such/file")).unwrap_err();
        assert!(error.to_string().starts_with("can't read /no/such/file: "), "{error}");
    }
}
