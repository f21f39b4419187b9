//! A file of fixed-size rows, read by position.
//!
//! Layout: magic, length of the JSON header (u64), header, then each row as little-endian f32 followed by the first eight
//! bytes of its BLAKE3. A row whose sum doesn't fit counts as absent.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::fs::{AtomicFile, FsError, read_at};

const MAGIC: &[u8; 8] = b"DFROWS01";
const CHECKSUM: usize = 8;
/// The header lies at the end, so that it can tell what the pass found; its position stands in the first bytes.
const PREAMBLE: u64 = 16;

/// A file of rows that can't be written or read.
#[derive(Debug, thiserror::Error)]
#[error("{0}; {remedy} or use `--no-cache`", remedy = remedy(.0))]
pub struct StoreError(#[from] FsError);

fn remedy(error: &FsError) -> &'static str {
    match error.source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space",
        _ => "keep the cache in another folder",
    }
}

/// What a file of rows holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) fingerprint: String,
    pub(super) rows: usize,
    pub(super) row_len: usize,
    /// Numbers of the pictures that couldn't be decoded; their rows are zeros and are never used.
    pub(super) unreadable: Vec<usize>,
}

/// Rows on disk.
#[derive(Debug)]
pub(super) struct Store {
    file: File,
    path: PathBuf,
    header: Header,
}

fn record_len(row_len: usize) -> usize {
    row_len * 4 + CHECKSUM
}

impl Store {
    /// Bytes on disk of `rows` rows.
    pub(super) fn bytes(rows: usize, row_len: usize) -> u64 {
        (rows * record_len(row_len)) as u64
    }

    /// The rows at `path`, if they are complete and of the expected kind.
    pub(super) fn open(path: &Path, expected: &Header) -> Option<Store> {
        let file = File::open(path).ok()?;
        let mut preamble = [0; PREAMBLE as usize];
        read_at(&file, &mut preamble, 0).ok()?;
        let (magic, position) = preamble.split_at(8);
        let position = u64::from_le_bytes(position.try_into().ok()?);
        let len = file.metadata().ok()?.len().checked_sub(position)?;
        if magic != MAGIC || position != PREAMBLE + Store::bytes(expected.rows, expected.row_len) {
            return None;
        }
        let mut text = vec![0; usize::try_from(len).ok()?];
        read_at(&file, &mut text, position).ok()?;
        let header: Header = serde_json::from_slice(&text).ok()?;
        let fits = Header { unreadable: header.unreadable.clone(), ..expected.clone() } == header;
        fits.then(|| Store { file, path: path.to_owned(), header })
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    pub(super) fn rows(&self) -> usize {
        self.header.rows
    }

    /// Reads row `number`; false where its sum doesn't fit.
    pub(super) fn read(&self, number: usize, output: &mut [f32]) -> Result<bool, StoreError> {
        let mut record = vec![0; record_len(output.len())];
        let position = PREAMBLE + (number * record.len()) as u64;
        read_at(&self.file, &mut record, position).map_err(FsError::at("read", &self.path))?;
        let (values, sum) = record.split_at(output.len() * 4);
        if blake3::hash(values).as_bytes()[..CHECKSUM] != *sum {
            return Ok(false);
        }
        for (value, bytes) in output.iter_mut().zip(values.as_chunks().0) {
            *value = f32::from_le_bytes(*bytes);
        }
        Ok(true)
    }
}

/// A file of rows that is being written; it gets its name when it is complete.
#[derive(Debug)]
pub(super) struct Writer {
    file: AtomicFile,
    path: PathBuf,
    row_len: usize,
    rows: usize,
    record: Vec<u8>,
}

impl Writer {
    pub(super) fn create(path: &Path, row_len: usize) -> Result<Writer, StoreError> {
        let file = AtomicFile::create(path)?;
        let mut writer = Writer { file, path: path.to_owned(), row_len, rows: 0, record: Vec::new() };
        // The header's position is known only at the end, but it follows from the number of rows, so it is written first.
        writer.write(&[0; PREAMBLE as usize])?;
        Ok(writer)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        Ok(self.file.write_all(bytes).map_err(FsError::at("write", &self.path))?)
    }

    /// Appends whole rows.
    pub(super) fn push(&mut self, values: &[f32]) -> Result<(), StoreError> {
        for row in values.chunks_exact(self.row_len) {
            let mut record = std::mem::take(&mut self.record);
            record.clear();
            record.extend(row.iter().flat_map(|value| value.to_le_bytes()));
            let sum = blake3::hash(&record);
            record.extend_from_slice(&sum.as_bytes()[..CHECKSUM]);
            self.write(&record)?;
            self.record = record;
            self.rows += 1;
        }
        Ok(())
    }

    /// Writes the header, gives the file its name and opens it.
    pub(super) fn commit(mut self, header: Header) -> Result<Store, StoreError> {
        let header = Header { rows: self.rows, ..header };
        let text =
            serde_json::to_vec(&header).map_err(std::io::Error::other).map_err(FsError::at("write", &self.path))?;
        self.write(&text)?;
        let position = PREAMBLE + Store::bytes(self.rows, self.row_len);
        let mut preamble = MAGIC.to_vec();
        preamble.extend_from_slice(&position.to_le_bytes());
        self.file.overwrite_start(&preamble).map_err(FsError::at("write", &self.path))?;
        self.file.commit()?;
        let file = File::open(&self.path).map_err(FsError::at("read", &self.path))?;
        Ok(Store { file, path: self.path, header })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(rows: usize) -> Header {
        Header { fingerprint: "f".into(), rows, row_len: 3, unreadable: vec![1] }
    }

    fn written(folder: &Path) -> PathBuf {
        let path = folder.join("a.rows");
        let mut writer = Writer::create(&path, 3).unwrap();
        writer.push(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        writer.commit(header(2)).unwrap();
        path
    }

    #[test]
    fn an_error_names_the_remedy_that_fits() {
        let error = |kind: ErrorKind| StoreError(FsError::at("write", Path::new("a"))(kind.into())).to_string();
        assert!(error(ErrorKind::StorageFull).ends_with("; free some space or use `--no-cache`"));
        assert!(error(ErrorKind::NotADirectory).ends_with("; keep the cache in another folder or use `--no-cache`"));
    }

    #[test]
    fn rows_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path());
        let store = Store::open(&path, &Header { unreadable: vec![], ..header(2) }).unwrap();
        let mut row = [0.0; 3];
        assert!(store.read(1, &mut row).unwrap());
        assert_eq!((row, store.header().unreadable.as_slice()), ([4.0, 5.0, 6.0], &[1][..]));
        assert!(Store::open(&path, &header(3)).is_none());
        assert!(Store::open(&path, &Header { fingerprint: "g".into(), ..header(2) }).is_none());
    }

    #[test]
    fn a_damaged_row_counts_as_absent_and_a_shortened_file_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path());
        let good = crate::fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[PREAMBLE as usize + 5] ^= 1;
        crate::fs::write_atomic(&path, &bad).unwrap();
        let store = Store::open(&path, &header(2)).unwrap();
        let mut row = [0.0; 3];
        assert!(!store.read(0, &mut row).unwrap());
        assert!(store.read(1, &mut row).unwrap());
        let mut tried = 0;
        for len in (0..good.len()).step_by(7) {
            crate::fs::write_atomic(&path, &good[..len]).unwrap();
            assert!(Store::open(&path, &header(2)).is_none(), "{len}");
            tried += 1;
        }
        assert!(tried > 5);
    }
}
