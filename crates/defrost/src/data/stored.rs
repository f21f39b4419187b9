//! Where a picture lies, and how it is read again.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use super::DataError;
use super::cifar;
use crate::fs::{self, FsError};
use crate::image::{self, Limits, Picture};

/// A labelled picture of a data set.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Relative to the data set, with forward slashes; in an archive the member's name, and for CIFAR the batch and the
    /// record's number in it: `data_batch_1/00042`.
    pub path: String,
    /// The class's index in [`Dataset::classes`](super::Dataset::classes).
    pub label: usize,
    /// BLAKE3 of the encoded file; of the raw pixels for a CIFAR record.
    pub content: [u8; 32],
    /// Pictures of one group (a patient, a place, a burst of shots) stay on one side of a split.
    pub group: Option<Arc<str>>,
    /// How much it counts in training; 1 where nothing else is said.
    pub weight: f32,
    stored: Stored,
}

/// A picture that can't be read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// As [`Sample::path`].
    pub path: String,
    /// The class that it would have had.
    pub label: usize,
    /// BLAKE3 of the encoded file, where its bytes can be read.
    pub content: Option<[u8; 32]>,
    /// The decoder's or the system's reason, and the remedy where there is one.
    pub reason: String,
}

impl Sample {
    /// The encoded file; `None` for a record of pixels, which isn't one.
    ///
    /// # Errors
    /// When it can't be read any longer.
    pub fn file(&self) -> Result<Option<Cow<'_, [u8]>>, DataError> {
        match self.stored {
            Stored::Record { .. } => Ok(None),
            _ => Ok(Some(self.stored.bytes()?)),
        }
    }

    /// Reads the picture once more and decodes it.
    ///
    /// # Errors
    /// When the file can't be read any longer, or can't be decoded within `limits`.
    pub fn picture(&self, limits: &Limits) -> Result<Picture, DataError> {
        let bytes = self.stored.bytes()?;
        match self.stored {
            Stored::Record { .. } => Ok(Picture::new(cifar::SIDE, cifar::SIDE, cifar::interleave(&bytes))),
            _ => image::decode(&bytes, limits).map_err(|source| DataError::Picture { path: self.path.clone(), source }),
        }
    }
}

/// A picture that was found but not read yet.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) path: String,
    pub(super) label: usize,
    pub(super) stored: Stored,
    pub(super) group: Option<Arc<str>>,
    pub(super) weight: f32,
    /// The table's line that names it.
    pub(super) line: Option<Line>,
}

/// A line of a table.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// The table's file name.
    pub(super) table: Arc<str>,
    /// From 1.
    pub(super) number: usize,
}

impl Candidate {
    pub(super) fn new(path: String, label: usize, stored: Stored) -> Candidate {
        Candidate { path, label, stored, group: None, weight: 1.0, line: None }
    }

    /// Reads the bytes once: to know their hash and, where they are to be `recognised`, that a decoder does.
    pub(super) fn read(self, recognised: bool) -> Result<Sample, Skipped> {
        let Candidate { path, label, stored, group, weight, line } = self;
        let skipped = |path, content, reason: String| {
            let reason = match &line {
                Some(Line { table, number }) => format!("{reason} (line {number} of {table})"),
                None => reason,
            };
            Skipped { path, label, content, reason }
        };
        let bytes = match stored.bytes() {
            Ok(bytes) => bytes,
            Err(error) => return Err(skipped(path, None, error.to_string())),
        };
        let content = *blake3::hash(&bytes).as_bytes();
        let checked = match stored {
            Stored::Record { .. } => Ok(()),
            _ if !recognised => Ok(()),
            _ => image::probe(&bytes).map(|_| ()),
        };
        drop(bytes);
        match checked {
            Ok(()) => Ok(Sample { path, label, content, group, weight, stored }),
            Err(error) => Err(skipped(path, Some(content), error.to_string())),
        }
    }
}

/// The bytes of one picture.
#[derive(Debug, Clone)]
pub(super) enum Stored {
    /// A file of its own.
    File(PathBuf),
    /// A member of an uncompressed archive, read by position.
    Member { archive: Arc<ArchiveFile>, offset: u64, length: usize },
    /// A deflated member of a zip archive, read by position.
    Deflated { archive: Arc<ArchiveFile>, offset: u64, packed: usize, length: usize, crc: u32 },
    /// A row of a Parquet file.
    #[cfg(feature = "parquet")]
    Row { file: Arc<super::parquet::Pictures>, group: usize, row: usize },
    /// Named by a table, but not there.
    Absent(PathBuf),
    /// A member of a compressed archive, kept in memory.
    Memory(Arc<[u8]>),
    /// A CIFAR record's pixels, plane after plane, in its batch.
    Record { batch: Arc<[u8]>, offset: usize },
}

/// An open archive; the path is for messages.
#[derive(Debug)]
pub(super) struct ArchiveFile {
    pub(super) file: File,
    pub(super) path: PathBuf,
}

impl Stored {
    /// The encoded bytes (raw pixels for a CIFAR record).
    pub(super) fn bytes(&self) -> Result<Cow<'_, [u8]>, FsError> {
        match self {
            Stored::File(path) => fs::read(path).map(Cow::Owned),
            Stored::Member { archive, offset, length } => {
                let mut bytes = vec![0; *length];
                fs::read_at(&archive.file, &mut bytes, *offset).map_err(FsError::at("read", &archive.path))?;
                Ok(Cow::Owned(bytes))
            }
            Stored::Deflated { archive, offset, packed, length, crc } => {
                let inflated = inflate(archive, *offset, *packed, *length, *crc);
                inflated.map(Cow::Owned).map_err(FsError::at("read", &archive.path))
            }
            #[cfg(feature = "parquet")]
            Stored::Row { file, group, row } => file.bytes(*group, *row).map(Cow::Owned),
            Stored::Absent(path) => Err(FsError::at("read", path)(io::ErrorKind::NotFound.into())),
            Stored::Memory(bytes) => Ok(Cow::Borrowed(bytes)),
            Stored::Record { batch, offset } => Ok(Cow::Borrowed(&batch[*offset..*offset + cifar::PIXELS])),
        }
    }

    /// The same bytes, to be kept: not copied where they are in memory already.
    pub(super) fn shared(&self) -> Result<Arc<[u8]>, FsError> {
        match self {
            Stored::Memory(bytes) => Ok(Arc::clone(bytes)),
            _ => Ok(self.bytes()?.into()),
        }
    }
}

/// The `length` bytes of a deflated member; never more, whatever the stream holds.
fn inflate(archive: &ArchiveFile, offset: u64, packed: usize, length: usize, crc: u32) -> io::Result<Vec<u8>> {
    let mut compressed = vec![0; packed];
    fs::read_at(&archive.file, &mut compressed, offset)?;
    let mut bytes = Vec::new();
    let mut stream = flate2::CrcReader::new(flate2::read::DeflateDecoder::new(compressed.as_slice()));
    (&mut stream).take(length as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() != length || stream.crc().sum() != crc {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a member is damaged; fetch or pack the archive again"));
    }
    Ok(bytes)
}
