//! Rows on disk, found by what they are made from: shared by all runs and all processes.
//!
//! A folder holds segments of fixed-size rows ([`segment`]) and one index ([`index`]). A row's key is BLAKE3 over the trunk, the
//! picture's content and the view, so a row is found again whatever data set, split or order it was computed for. Invariants:
//! only the holder of the folder's lock writes; a row that comes out is bit for bit the one that was put in under its key; the
//! segments together never hold more bytes than the limit that the last writer was given.

mod index;
mod segment;

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use crate::fs::FsError;
use index::{INDEX, Rebuilt, SegmentInfo, Session, segment_files, segment_path};

pub(super) use index::Place;
pub(super) use segment::{Key, Segment, record_len};

/// Rows that can't be written or found.
#[derive(Debug, thiserror::Error)]
#[error("{0}; {remedy} or use `--no-cache`", remedy = remedy(.0))]
pub struct StoreError(#[from] FsError);

fn remedy(error: &FsError) -> &'static str {
    match error.source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space",
        _ => "keep the cache in another folder",
    }
}

/// The most bytes of a segment. What is evicted is a segment, so it is also how finely the oldest rows are told apart.
const SEGMENT_BYTES: u64 = 128 << 20;
/// Of a limit, a segment takes at most this part.
const SEGMENTS_AT_LEAST: u64 = 8;

/// A folder of rows.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    limit: u64,
    checked: AtomicBool,
}

/// Rows that were found or stored, and the open files that they lie in.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// For each row asked for, its place, if it has one.
    pub(super) places: Vec<Option<Place>>,
    pub(super) segments: BTreeMap<u64, Arc<Segment>>,
}

impl Kept {
    /// Reads row `number`, which has this key; false where it isn't kept, or is damaged.
    pub(super) fn read(&self, number: usize, key: &Key, output: &mut [f32]) -> bool {
        let Some(place) = self.places.get(number).copied().flatten() else { return false };
        self.segments.get(&place.segment).is_some_and(|segment| segment.read(place.slot, key, output))
    }

    fn open(&mut self, folder: &Path) {
        let Kept { places, segments } = self;
        for place in places {
            let Some(id) = place.map(|place| place.segment) else { continue };
            if let Entry::Vacant(vacant) = segments.entry(id) {
                match Segment::open(&segment_path(folder, id)) {
                    Some(segment) => drop(vacant.insert(Arc::new(segment))),
                    None => *place = None,
                }
            }
        }
    }
}

/// What a folder of rows holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Rows in it.
    pub rows: u64,
    /// Files of rows, and the index.
    pub files: usize,
    /// Of all of them.
    pub bytes: u64,
}

/// What [`verify`](super::verify) has found and mended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verified {
    /// Rows that were looked at.
    pub rows: u64,
    /// Of them, those whose values don't fit their sum any more. They are removed.
    pub damaged: u64,
    /// Whether the index was damaged. It is made anew from the rows.
    pub index_rebuilt: bool,
}

/// What identifies the rows of one trunk, all of one length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shelf {
    pub(super) trunk: Key,
    pub(super) row_len: usize,
}

impl Store {
    pub(super) fn new(folder: &Path, limit: u64) -> Store {
        Store { folder: folder.to_owned(), limit, checked: AtomicBool::new(false) }
    }

    fn session(&self) -> Result<(Session, Option<Rebuilt>), FsError> {
        let begun = Session::begin(&self.folder, !self.checked.load(Ordering::Acquire))?;
        self.checked.store(true, Ordering::Release);
        Ok(begun)
    }

    /// The rows with these keys, as far as they are here. They count as used now.
    pub(super) fn find(&self, keys: &[Key]) -> Result<Kept, StoreError> {
        let (mut session, _) = self.session()?;
        session.forget_missing()?;
        let mut kept = Kept { places: session.places(keys)?, segments: BTreeMap::new() };
        kept.open(&self.folder);
        session.touch(&kept.segments.keys().copied().collect());
        session.commit()?;
        Ok(kept)
    }

    /// Stores the rows that aren't here yet, as many as there is room for when all segments but `held` may be evicted.
    /// `segments` are open already.
    pub(super) fn insert(
        &self,
        shelf: Shelf,
        rows: &[(Key, &[f32])],
        segments: &BTreeMap<u64, Arc<Segment>>,
        held: &BTreeSet<u64>,
    ) -> Result<Kept, StoreError> {
        let (mut session, _) = self.session()?;
        let keys: Vec<Key> = rows.iter().map(|(key, _)| *key).collect();
        let known = session.places(&keys)?;
        let mut seen = BTreeSet::new();
        let new = rows.iter().zip(known).filter(|((key, _), known)| known.is_none() && seen.insert(*key));
        let new: Vec<(Key, &[f32])> = new.map(|(row, _)| *row).collect();
        let mut writer =
            Writer { store: self, session: &mut session, shelf, held: held.clone(), segments: segments.clone() };
        let mut rest = new.as_slice();
        while let written @ 1.. = writer.write(rest)? {
            rest = &rest[written..];
        }
        let segments = writer.segments;
        let mut kept = Kept { places: session.places(&keys)?, segments };
        kept.open(&self.folder);
        session.commit()?;
        Ok(kept)
    }

    /// Forgets rows that were found damaged, so that the next run computes and stores them again.
    pub(super) fn forget(&self, rows: &[(Key, Place)]) -> Result<(), StoreError> {
        let (mut session, _) = self.session()?;
        session.forget(rows)?;
        Ok(session.commit()?)
    }

    /// Reads every row and removes the damaged ones.
    pub(super) fn verify(&self) -> Result<Verified, StoreError> {
        if !self.folder.is_dir() {
            return Ok(Verified::default());
        }
        self.checked.store(false, Ordering::Release);
        let (mut session, rebuilt) = self.session()?;
        session.forget_missing()?;
        let mut rows = session.all()?;
        session.commit()?;

        // Nobody has to wait for the reading.
        rows.sort_unstable_by_key(|(_, place)| *place);
        let mut kept = Kept { places: rows.iter().map(|(_, place)| Some(*place)).collect(), segments: BTreeMap::new() };
        kept.open(&self.folder);
        let damaged: Vec<(Key, Place)> = (0..rows.len())
            .into_par_iter()
            .map_init(Vec::new, |values, number| {
                let (key, place) = rows[number];
                let segment = kept.segments.get(&place.segment);
                values.resize(segment.map_or(0, |segment| segment.row_len()), 0.0);
                (!kept.read(number, &key, values)).then_some((key, place))
            })
            .flatten()
            .collect();
        let mut forgotten = 0;
        if !damaged.is_empty() {
            let (mut session, _) = self.session()?;
            forgotten = session.forget(&damaged)?;
            session.commit()?;
        }
        let Rebuilt { damaged: index_rebuilt, lost_rows } = rebuilt.unwrap_or_default();
        Ok(Verified { rows: rows.len() as u64 + lost_rows, damaged: forgotten + lost_rows, index_rebuilt })
    }

    /// What is here now.
    pub(super) fn usage(&self) -> Result<Usage, StoreError> {
        let mut usage = files(&self.folder);
        if self.folder.join(INDEX).exists() {
            usage.rows = self.session()?.0.count()?;
        }
        Ok(usage)
    }

    /// Removes everything; returns what was there. Runs that have their rows open go on with them.
    pub(super) fn clear(&self) -> Result<Usage, StoreError> {
        if !self.folder.is_dir() {
            return Ok(Usage::default());
        }
        let _lock = crate::fs::Lock::take(&self.folder.join(index::LOCK))?;
        let usage = files(&self.folder);
        // The index first: rows without one are found again, an index without rows is only in the way.
        let paths = segment_files(&self.folder).into_iter().map(|(path, _)| path);
        let index = Some(self.folder.join(INDEX)).filter(|path| path.exists());
        for path in index.into_iter().chain(paths) {
            std::fs::remove_file(&path).map_err(FsError::at("remove", &path))?;
        }
        Ok(usage)
    }
}

/// The files in `folder`; rows aren't counted.
pub(super) fn files(folder: &Path) -> Usage {
    let mut usage = Usage::default();
    for path in segment_files(folder).into_iter().map(|(path, _)| path).chain([folder.join(INDEX)]) {
        if let Ok(metadata) = std::fs::metadata(&path) {
            usage.files += 1;
            usage.bytes += metadata.len();
        }
    }
    usage
}

/// Fills segments with the rows of one [`Store::insert`].
struct Writer<'a> {
    store: &'a Store,
    session: &'a mut Session,
    shelf: Shelf,
    held: BTreeSet<u64>,
    segments: BTreeMap<u64, Arc<Segment>>,
}

impl Writer<'_> {
    /// Writes the first rows, as many as one segment takes; returns how many, 0 where there are none or there is no room.
    fn write(&mut self, rows: &[(Key, &[f32])]) -> Result<usize, FsError> {
        let Some((first, _)) = rows.first() else { return Ok(0) };
        let Shelf { trunk, row_len } = self.shelf;
        let (limit, record) = (self.store.limit, record_len(row_len));
        let capacity = ((limit / SEGMENTS_AT_LEAST).min(SEGMENT_BYTES) / record).max(1);
        let begun = self.begun(capacity);
        let slot = begun.as_ref().map_or(0, |(id, _)| self.session.segments[id].rows);
        let header = if begun.is_none() { segment::HEADER } else { 0 };
        self.held.extend(begun.as_ref().map(|(id, _)| *id));

        let wanted = (capacity - slot).min(rows.len() as u64);
        let room = self.session.make_room(header + wanted * record, limit, &self.held)?;
        let count = wanted.min(room.saturating_sub(header) / record);
        if count == 0 {
            return Ok(0);
        }
        let (id, segment) = match begun {
            Some(begun) => begun,
            None => self.begin(first)?,
        };
        let rows = &rows[..count as usize];
        segment.write(slot, rows)?;
        let places = (slot..).map(|slot| Place { segment: id, slot });
        let entries: Vec<(Key, Place)> = rows.iter().map(|(key, _)| *key).zip(places).collect();
        self.session.enter(&entries)?;
        let info = SegmentInfo { trunk, row_len, rows: slot + count, used: 0 };
        self.session.segments.insert(id, info);
        self.session.touch(&BTreeSet::from([id]));
        self.held.insert(id);
        Ok(rows.len())
    }

    /// The last used segment of the shelf that has room, opened.
    fn begun(&mut self, capacity: u64) -> Option<(u64, Arc<Segment>)> {
        let Shelf { trunk, row_len } = self.shelf;
        let fits = |info: &SegmentInfo| info.trunk == trunk && info.row_len == row_len && info.rows < capacity;
        let candidates = self.session.segments.iter().filter(|(_, info)| fits(info));
        let (&id, _) = candidates.max_by_key(|(_, info)| info.used)?;
        let segment = match self.segments.get(&id) {
            Some(segment) => segment.clone(),
            None => Arc::new(Segment::open(&segment_path(&self.store.folder, id))?),
        };
        self.segments.insert(id, segment.clone());
        Some((id, segment))
    }

    /// A new segment, named after its first row.
    fn begin(&mut self, first: &Key) -> Result<(u64, Arc<Segment>), FsError> {
        let mut name = [0; 8];
        name.copy_from_slice(&first[..8]);
        let mut id = u64::from_be_bytes(name);
        while self.session.segments.contains_key(&id) || self.segments.contains_key(&id) {
            id = id.wrapping_add(1);
        }
        let path = segment_path(&self.store.folder, id);
        let segment = Arc::new(Segment::create(&path, &self.shelf.trunk, self.shelf.row_len)?);
        self.segments.insert(id, segment.clone());
        Ok((id, segment))
    }
}

#[cfg(test)]
mod tests;
