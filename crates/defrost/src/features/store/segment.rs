//! A file of fixed-size rows, written and read by position.
//!
//! Layout: magic, elements of a row (u64), the trunk (32 bytes), then the rows, each a record: its key (32 bytes), its sum (8
//! bytes), its values as little-endian f32. The sum is the start of the values' BLAKE3, keyed with the row's key. Invariant: a
//! record counts only if its sum fits the key that is asked for, so neither a damaged row nor another's is ever taken for it.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::fs::{FsError, open_read_write, read_at, write_at};

/// Names a row by what it is made from.
pub(in crate::features) type Key = [u8; 32];

const MAGIC: &[u8; 8] = b"DFROWS02";
/// Bytes before the first record.
pub(super) const HEADER: u64 = 48;
const SUM: usize = 8;
/// Bytes of a record before the values.
const HEAD: usize = size_of::<Key>() + SUM;

/// Bytes of a row of `row_len` elements.
pub(in crate::features) fn record_len(row_len: usize) -> u64 {
    (HEAD + row_len * size_of::<f32>()) as u64
}

fn sum(key: &Key, values: &[u8]) -> [u8; SUM] {
    let mut sum = [0; SUM];
    sum.copy_from_slice(&blake3::keyed_hash(key, values).as_bytes()[..SUM]);
    sum
}

/// An open file of rows. It can be read to the end even after another process has removed it.
#[derive(Debug)]
pub(in crate::features) struct Segment {
    file: File,
    path: PathBuf,
    trunk: Key,
    row_len: usize,
}

impl Segment {
    /// A new file; what was under the name is lost.
    pub(super) fn create(path: &Path, trunk: &Key, row_len: usize) -> Result<Segment, FsError> {
        let file = open_read_write(path)?;
        let header = [&MAGIC[..], &(row_len as u64).to_le_bytes(), trunk].concat();
        let written = file.set_len(0).and_then(|()| write_at(&file, &header, 0));
        written.map_err(FsError::at("write", path))?;
        Ok(Segment { file, path: path.to_owned(), trunk: *trunk, row_len })
    }

    /// The file at `path`, if it is there and begins as it should.
    pub(super) fn open(path: &Path) -> Option<Segment> {
        let file = File::options().read(true).write(true).open(path).ok()?;
        let mut header = [0; HEADER as usize];
        read_at(&file, &mut header, 0).ok()?;
        let (magic, rest) = header.split_first_chunk::<8>()?;
        let (row_len, trunk) = rest.split_first_chunk::<8>()?;
        let row_len = usize::try_from(u64::from_le_bytes(*row_len)).ok()?;
        let plausible = row_len > 0 && row_len <= MAX_ROW_LEN && magic == MAGIC;
        plausible.then_some(Segment { file, path: path.to_owned(), trunk: trunk.try_into().ok()?, row_len })
    }

    /// What the rows were computed by.
    pub(super) fn trunk(&self) -> &Key {
        &self.trunk
    }

    /// Elements of a row.
    pub(super) fn row_len(&self) -> usize {
        self.row_len
    }

    /// Whole records in the file.
    pub(super) fn rows(&self) -> u64 {
        let bytes = self.file.metadata().map_or(0, |metadata| metadata.len());
        bytes.saturating_sub(HEADER) / record_len(self.row_len)
    }

    fn position(&self, slot: u64) -> u64 {
        HEADER + slot * record_len(self.row_len)
    }

    /// Writes rows one after the other, the first as the record number `slot`.
    pub(super) fn write(&self, slot: u64, rows: &[(Key, &[f32])]) -> Result<(), FsError> {
        let mut records = Vec::with_capacity(rows.len() * record_len(self.row_len) as usize);
        for (key, values) in rows {
            records.extend_from_slice(key);
            let sum_at = records.len();
            records.extend_from_slice(&[0; SUM]);
            records.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            let sum = sum(key, &records[sum_at + SUM..]);
            records[sum_at..sum_at + SUM].copy_from_slice(&sum);
        }
        write_at(&self.file, &records, self.position(slot)).map_err(FsError::at("write", &self.path))
    }

    /// Reads the row `key` from the record number `slot` straight into `output`; false where it isn't there, whole.
    pub(super) fn read(&self, slot: u64, key: &Key, output: &mut [f32]) -> bool {
        let mut head = [0; HEAD];
        let position = self.position(slot);
        if output.len() != self.row_len || read_at(&self.file, &mut head, position).is_err() {
            return false;
        }
        let values: &mut [u8] = bytemuck::cast_slice_mut(output);
        if read_at(&self.file, values, position + HEAD as u64).is_err() || head[size_of::<Key>()..] != sum(key, values)
        {
            return false;
        }
        for value in output {
            *value = f32::from_bits(u32::from_le(value.to_bits()));
        }
        true
    }

    /// The key that the record number `slot` names itself, if its values are the key's; `values` is reused.
    pub(super) fn check(&self, slot: u64, values: &mut Vec<f32>) -> Option<Key> {
        let mut key = Key::default();
        read_at(&self.file, &mut key, self.position(slot)).ok()?;
        values.resize(self.row_len, 0.0);
        self.read(slot, &key, values).then_some(key)
    }
}

/// More elements than any layer has; a header that says more is damaged.
const MAX_ROW_LEN: usize = 1 << 28;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROWS: [(Key, [f32; 3]); 2] = [([1; 32], [1.0, -0.0, 3.5]), ([2; 32], [4.0, f32::INFINITY, 1e-40])];

    fn written(path: &Path) -> Segment {
        let segment = Segment::create(path, &[9; 32], 3).unwrap();
        let rows: Vec<(Key, &[f32])> = ROWS.iter().map(|(key, values)| (*key, &values[..])).collect();
        segment.write(0, &rows).unwrap();
        segment
    }

    fn read(segment: &Segment, slot: u64, key: &Key) -> Option<[u32; 3]> {
        let mut row = [f32::NAN; 3];
        segment.read(slot, key, &mut row).then_some(row.map(f32::to_bits))
    }

    #[test]
    fn rows_come_back_by_slot_and_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rows");
        for segment in [written(&path), Segment::open(&path).unwrap()] {
            assert_eq!((segment.rows(), segment.row_len(), segment.trunk()), (2, 3, &[9; 32]));
            for (slot, (key, values)) in ROWS.iter().enumerate() {
                assert_eq!(read(&segment, slot as u64, key), Some(values.map(f32::to_bits)));
                assert_eq!(segment.check(slot as u64, &mut Vec::new()), Some(*key));
            }
            // Neither another's row, nor one past the end, nor one of another length.
            assert_eq!(read(&segment, 0, &ROWS[1].0), None);
            assert_eq!(read(&segment, 2, &ROWS[0].0), None);
            assert!(!segment.read(0, &ROWS[0].0, &mut [0.0; 2]));
        }
    }

    #[test]
    fn an_open_segment_outlives_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rows");
        let segment = written(&path);
        std::fs::remove_file(&path).unwrap();
        assert!(read(&segment, 1, &ROWS[1].0).is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn a_damaged_file_gives_the_row_or_none(place in 0usize..152, bit in 0u8..8, shortened in any::<bool>()) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.rows");
            drop(written(&path));
            let mut bytes = crate::fs::read(&path).unwrap();
            prop_assert_eq!(bytes.len(), 152);
            if shortened {
                bytes.truncate(place);
            } else {
                bytes[place] ^= 1 << bit;
            }
            crate::fs::write_atomic(&path, &bytes).unwrap();
            if let Some(segment) = Segment::open(&path) {
                for (slot, (key, values)) in ROWS.iter().enumerate() {
                    let row = read(&segment, slot as u64, key);
                    prop_assert!(row.is_none_or(|row| row == values.map(f32::to_bits)));
                    prop_assert!(segment.check(slot as u64, &mut Vec::new()).is_none_or(|found| found == *key));
                }
            }
        }
    }
}
