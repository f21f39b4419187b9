//! Weights from their publisher: downloaded once, resumed where a transfer broke off, verified before use.
//!
//! Invariant: a file under its final name in the cache is complete, and has the publisher's hash where there is one. What is
//! half there is called `NAME.part`.

use crate::fs::{self, FsError};
use crate::progress::{Phase, Progress};
use sha2::digest::Digest;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a transfer is taken up again before the error is reported.
const ATTEMPTS: usize = 3;
/// How long the other side may say nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a file of weights is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// Where it is downloaded; redirects are followed.
    pub url: &'a str,
    /// What it is called in the cache.
    pub file_name: &'a str,
    /// The publisher's own.
    pub hash: Hash<'a>,
    /// Under which it is published, as an SPDX identifier.
    pub licence: &'a str,
}

impl Source<'_> {
    /// Where the file lies, or will lie, in the folder `cache`.
    pub fn path(&self, cache: &Path) -> PathBuf {
        cache.join(self.file_name)
    }
}

/// What the publisher says that a file hashes to, in hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash<'a> {
    /// MD5, as Keras publishes it: it tells of damage, not of malice.
    Md5(&'a str),
    /// SHA-256.
    Sha256(&'a str),
    /// Nothing is published: the first download's SHA-256 is noted beside it (`NAME.sha256`) and holds from then on.
    Unverified,
}

/// A file that is in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it was downloaded just now.
    pub downloaded: bool,
    /// Whether it has a hash that its publisher states.
    pub verified: bool,
}

/// A file that couldn't be had. The text names the three ways to get it.
#[derive(Debug, thiserror::Error)]
#[error(
    "can't get {file_name} from {url}: {failure}; download again, give the file with `--weights FILE`, or put it into {}",
    cache.display()
)]
pub struct FetchError {
    /// What it is called in the cache.
    pub file_name: String,
    /// Where it is published.
    pub url: String,
    /// The folder where it is looked for.
    pub cache: PathBuf,
    /// What went wrong.
    pub failure: Box<Failure>,
}

/// What went wrong with a download.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// No connection, or it broke before the answer.
    #[error("{0}")]
    Connection(ureq::Error),
    /// An answer other than the file.
    #[error("the server answers {0}")]
    Status(u16),
    /// The transfer broke off; what came is kept and taken up next time where the file can be verified.
    #[error("the transfer broke off after {got} bytes{}", expected.map(|bytes| format!(" of {bytes}")).unwrap_or_default())]
    Interrupted {
        /// Bytes at hand.
        got: u64,
        /// Bytes of the whole file, where the server says.
        expected: Option<u64>,
    },
    /// What came isn't the file; it is thrown away.
    #[error("what came has the {kind} {got}, but the publisher's is {expected}")]
    WrongHash {
        /// `MD5` or `SHA-256`.
        kind: &'static str,
        /// The publisher's.
        expected: String,
        /// Of the bytes that came.
        got: String,
    },
    /// The file in the cache isn't what it was, or never was the right one.
    #[error("the copy in the cache has the {kind} {got} instead of {expected}: remove it")]
    DamagedCopy {
        /// `MD5` or `SHA-256`.
        kind: &'static str,
        /// The publisher's, or the first download's.
        expected: String,
        /// Of the file in the cache.
        got: String,
    },
    /// The disk is too full.
    #[error("it needs {needed} bytes, and {available} are free")]
    NoSpace {
        /// Bytes still to come.
        needed: u64,
        /// Bytes free.
        available: u64,
    },
    /// Another process downloads the same file.
    #[error("another process is downloading it")]
    Busy,
    /// The caller stopped it; what came is kept.
    #[error("stopped")]
    Cancelled,
    /// A file in the cache can't be read or written.
    #[error(transparent)]
    Fs(#[from] FsError),
}

/// The file of `source` in the folder `cache`, downloaded if it isn't there. It is verified either way.
///
/// Proxies are taken from the usual environment variables by the HTTP library.
///
/// # Errors
/// When it isn't there and can't be downloaded, or isn't what its publisher describes.
pub fn fetch(source: &Source<'_>, cache: &Path, progress: Progress<'_>) -> Result<Fetched, FetchError> {
    cached_or_downloaded(source, cache, progress).map_err(|failure| FetchError {
        file_name: source.file_name.to_owned(),
        url: source.url.to_owned(),
        cache: cache.to_owned(),
        failure: Box::new(failure),
    })
}

fn cached_or_downloaded(source: &Source<'_>, cache: &Path, progress: Progress<'_>) -> Result<Fetched, Failure> {
    let path = source.path(cache);
    let verified = source.hash != Hash::Unverified;
    let cached = || -> Result<Fetched, Failure> {
        check_copy(&path, source.hash)?;
        Ok(Fetched { path: path.clone(), downloaded: false, verified })
    };
    if path.exists() {
        return cached();
    }
    let mut part = Part::lock(&path)?;
    if path.exists() {
        // Another process finished it between the look and the lock.
        return cached();
    }
    if !verified {
        // Halves of two versions would go unnoticed.
        part.clear()?;
    }
    if let Err(failure) = part.download(source, cache, progress).and_then(|()| part.verify(source.hash)) {
        part.leave(verified);
        return Err(failure);
    }
    part.keep_as(&path)?;
    check_copy(&path, source.hash)?;
    Ok(Fetched { path, downloaded: true, verified })
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Md5,
    Sha256,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Md5 => "MD5",
            Kind::Sha256 => "SHA-256",
        }
    }
}

impl<'a> Hash<'a> {
    fn stated(self) -> Option<(Kind, &'a str)> {
        match self {
            Hash::Md5(digits) => Some((Kind::Md5, digits)),
            Hash::Sha256(digits) => Some((Kind::Sha256, digits)),
            Hash::Unverified => None,
        }
    }
}

/// Checks a complete file by its publisher's hash, else by that of the first time it was seen.
fn check_copy(path: &Path, hash: Hash<'_>) -> Result<(), Failure> {
    let differs = |kind: Kind, expected: &str| -> Result<(), Failure> {
        let got = hash_file(path, kind)?;
        if got.eq_ignore_ascii_case(expected) {
            return Ok(());
        }
        Err(Failure::DamagedCopy { kind: kind.name(), expected: expected.to_owned(), got })
    };
    if let Some((kind, expected)) = hash.stated() {
        return differs(kind, expected);
    }
    let note = with_suffix(path, ".sha256");
    if note.exists() {
        return differs(Kind::Sha256, fs::read_to_string(&note)?.trim());
    }
    fs::write_atomic(&note, format!("{}\n", hash_file(path, Kind::Sha256)?).as_bytes())?;
    Ok(())
}

fn hash_file(path: &Path, kind: Kind) -> Result<String, FsError> {
    fn digits<D: Digest>(path: &Path) -> Result<String, FsError> {
        let mut file = File::open(path).map_err(FsError::at("read", path))?;
        let mut hasher = D::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer).map_err(FsError::at("read", path))? {
                0 => return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
                read => hasher.update(&buffer[..read]),
            }
        }
    }
    match kind {
        Kind::Md5 => digits::<md5::Md5>(path),
        Kind::Sha256 => digits::<sha2::Sha256>(path),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

/// The half-finished file, held by one process. It outlives a killed run on purpose, which an atomic file doesn't.
struct Part {
    file: File,
    path: PathBuf,
    /// Bytes in it.
    len: u64,
}

impl Part {
    fn lock(target: &Path) -> Result<Part, Failure> {
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        let path = with_suffix(target, ".part");
        let file = OpenOptions::new().append(true).create(true).open(&path).map_err(FsError::at("create", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Failure::Busy),
            Err(TryLockError::Error(error)) => return Err(FsError::at("lock", &path)(error).into()),
        }
        if !path.exists() {
            // Its owner has thrown it away between the opening and the lock.
            return Err(Failure::Busy);
        }
        let len = (&file).seek(SeekFrom::End(0)).map_err(FsError::at("read", &path))?;
        Ok(Part { file, path, len })
    }

    fn clear(&mut self) -> Result<(), FsError> {
        self.len = 0;
        self.file.set_len(0).map_err(FsError::at("write", &self.path))
    }

    /// Throws away what isn't the publisher's file.
    fn verify(&mut self, hash: Hash<'_>) -> Result<(), Failure> {
        let Some((kind, expected)) = hash.stated() else { return Ok(()) };
        let got = hash_file(&self.path, kind)?;
        if got.eq_ignore_ascii_case(expected) {
            return Ok(());
        }
        self.clear()?;
        Err(Failure::WrongHash { kind: kind.name(), expected: expected.to_owned(), got })
    }

    /// Ends a failed download: what can be taken up stays, anything else is removed while the lock is held.
    fn leave(self, can_be_verified: bool) {
        if self.len == 0 || !can_be_verified {
            // The failure that led here says more than that a useless file stays.
            let _ = std::fs::remove_file(&self.path);
        }
    }

    /// Renames while the lock is held.
    fn keep_as(self, target: &Path) -> Result<(), FsError> {
        self.file.sync_all().map_err(FsError::at("write", &self.path))?;
        std::fs::rename(&self.path, target).map_err(FsError::at("write", target))
    }

    /// Fetches what is missing; takes the transfer up again as long as something comes.
    fn download(&mut self, source: &Source<'_>, cache: &Path, progress: Progress<'_>) -> Result<(), Failure> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE))
            .user_agent(concat!("defrost/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        let mut attempt = 1;
        loop {
            let before = self.len;
            match self.transfer(&agent, source, cache, progress) {
                Err(Failure::Interrupted { got, .. }) if got > before && attempt < ATTEMPTS => {
                    attempt += 1;
                    if source.hash == Hash::Unverified {
                        self.clear()?;
                    }
                }
                done => return done,
            }
        }
    }

    /// One request from the first missing byte on.
    fn transfer(
        &mut self,
        agent: &ureq::Agent,
        source: &Source<'_>,
        cache: &Path,
        progress: Progress<'_>,
    ) -> Result<(), Failure> {
        let mut request = agent.get(source.url);
        if self.len > 0 {
            request = request.header("Range", format!("bytes={}-", self.len));
        }
        let mut response = request.call().map_err(Failure::Connection)?;
        let range = response.headers().get("content-range").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (first, total) = content_range(range);
        let expected = match response.status().as_u16() {
            206 if first == Some(self.len) => total,
            // The whole file, whether or not a part of it was asked for.
            200 => {
                self.clear()?;
                response.body().content_length()
            }
            416 if total == Some(self.len) => return Ok(()),
            // The part is longer than the file, or another part came: it is of no use.
            206 | 416 if self.len > 0 => {
                self.clear()?;
                return self.transfer(agent, source, cache, progress);
            }
            status => return Err(Failure::Status(status)),
        };
        let available = fs::available_space(cache)?;
        let needed = expected.unwrap_or_default().saturating_sub(self.len);
        if needed > available {
            return Err(Failure::NoSpace { needed, available });
        }
        progress.begin(Phase::Download, expected.unwrap_or_default(), source.file_name);
        progress.advance(self.len);
        let copied = self.append(&mut response.body_mut().as_reader(), expected, progress);
        progress.end();
        copied
    }

    fn append(&mut self, body: &mut impl Read, expected: Option<u64>, progress: Progress<'_>) -> Result<(), Failure> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            if progress.cancelled() {
                return Err(Failure::Cancelled);
            }
            let read = match body.read(&mut buffer) {
                Ok(0) if expected.is_none_or(|bytes| self.len >= bytes) => return Ok(()),
                Ok(0) | Err(_) => return Err(Failure::Interrupted { got: self.len, expected }),
                Ok(read) => read,
            };
            self.file.write_all(&buffer[..read]).map_err(FsError::at("write", &self.path))?;
            self.len += read as u64;
            progress.advance(read as u64);
        }
    }
}

/// `bytes 100-199/1000` → (100, 1000); `bytes */1000` → (none, 1000).
fn content_range(header: &str) -> (Option<u64>, Option<u64>) {
    let Some((range, total)) = header.strip_prefix("bytes ").and_then(|rest| rest.split_once('/')) else {
        return (None, None);
    };
    (range.split('-').next().and_then(|first| first.parse().ok()), total.parse().ok())
}

#[cfg(test)]
mod tests;
