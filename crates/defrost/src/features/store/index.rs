//! The index: which row lies where, and when each segment was used last.
//!
//! It is a redb file, opened for one [`Session`] at a time, while the folder's lock is held; the folder's other files are
//! written under the same lock. Invariant: an entry is a hint. A row is believed only if its own sum fits its key, so a wrong
//! entry costs a computation and never gives a wrong row; and the index can be made anew from the segments.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use redb::{Database, ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction};

use super::segment::{HEADER, Key, Segment, record_len};
use crate::fs::{FsError, Lock};

/// Key → segment and slot.
const ROWS: TableDefinition<'_, &[u8; 32], (u64, u64)> = TableDefinition::new("rows");
/// Segment → trunk, elements of a row, rows, tick of the last use.
const SEGMENTS: TableDefinition<'_, u64, (&[u8; 32], u64, u64, u64)> = TableDefinition::new("segments");
/// Bytes of the index that are kept in memory while it is open.
const MEMORY: usize = 16 << 20;

pub(super) const LOCK: &str = "lock";
pub(super) const INDEX: &str = "index.redb";
/// An index that is being made anew.
const UNFINISHED: &str = "index.redb.new";

/// Where a row lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::features) struct Place {
    pub(in crate::features) segment: u64,
    pub(in crate::features) slot: u64,
}

/// A segment as the index knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SegmentInfo {
    pub(super) trunk: Key,
    pub(super) row_len: usize,
    pub(super) rows: u64,
    /// Ticks count sessions that use rows, not seconds: no clock can turn their order round.
    pub(super) used: u64,
}

impl SegmentInfo {
    pub(super) fn bytes(&self) -> u64 {
        HEADER + self.rows * record_len(self.row_len)
    }
}

/// What became of an index that was missing or damaged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rebuilt {
    /// Whether there was an index, which couldn't be read.
    pub(super) damaged: bool,
    /// Records that no entry could be made for.
    pub(super) lost_rows: u64,
}

/// The index, open and changeable; nobody else has it. What isn't committed never happened.
pub(super) struct Session {
    write: WriteTransaction,
    database: Database,
    folder: PathBuf,
    pub(super) segments: BTreeMap<u64, SegmentInfo>,
    committed: BTreeMap<u64, SegmentInfo>,
    removed: BTreeSet<u64>,
    lock: Lock,
}

/// The file of a segment.
pub(super) fn segment_path(folder: &Path, id: u64) -> PathBuf {
    folder.join(format!("{id:016x}.rows"))
}

/// The files of rows in `folder`, with their numbers where their names have one.
pub(super) fn segment_files(folder: &Path) -> Vec<(PathBuf, Option<u64>)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let rows = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "rows");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(rows).collect();
    files.sort();
    let id = |path: &Path| {
        let name = path.file_stem()?.to_str().filter(|name| name.len() == 16)?;
        u64::from_str_radix(name, 16).ok()
    };
    files.into_iter().map(|path| (path.clone(), id(&path))).collect()
}

/// An index with its tables.
struct Open {
    write: WriteTransaction,
    database: Database,
    segments: BTreeMap<u64, SegmentInfo>,
}

fn open(path: &Path, check: bool) -> Result<Open, redb::Error> {
    let database = Database::builder().set_cache_size(MEMORY).set_check_integrity_on_open(check).create(path)?;
    let write = database.begin_write()?;
    let mut segments = BTreeMap::new();
    write.open_table(ROWS)?;
    for entry in write.open_table(SEGMENTS)?.iter()? {
        let (id, info) = entry?;
        let (trunk, row_len, rows, used) = info.value();
        let row_len = usize::try_from(row_len).unwrap_or(usize::MAX);
        segments.insert(id.value(), SegmentInfo { trunk: *trunk, row_len, rows, used });
    }
    Ok(Open { write, database, segments })
}

/// Makes an index of every whole row that lies in the folder; returns how many records aren't. It gets its name when it is
/// complete, so that a process that is killed meanwhile loses nothing.
fn rebuild(folder: &Path) -> Result<u64, FsError> {
    let (path, unfinished) = (folder.join(INDEX), folder.join(UNFINISHED));
    remove_quietly(&unfinished);
    let lost = adopt(folder, &unfinished).map_err(failed(&unfinished))?;
    std::fs::rename(&unfinished, &path).map_err(FsError::at("write", &path))?;
    Ok(lost)
}

fn adopt(folder: &Path, index: &Path) -> Result<u64, redb::Error> {
    let Open { write, database, .. } = open(index, false)?;
    let mut lost = 0;
    let mut values = Vec::new();
    for (path, id) in segment_files(folder) {
        let Some((id, segment)) = id.zip(Segment::open(&path)) else {
            remove_quietly(&path);
            continue;
        };
        let mut whole = 0;
        let mut table = write.open_table(ROWS)?;
        for slot in 0..segment.rows() {
            match segment.check(slot, &mut values) {
                Some(key) => {
                    table.insert(&key, (id, slot))?;
                    whole += 1;
                }
                None => lost += 1,
            }
        }
        if whole == 0 {
            remove_quietly(&path);
        } else {
            let info = (segment.trunk(), segment.row_len() as u64, segment.rows(), 0);
            write.open_table(SEGMENTS)?.insert(id, info)?;
        }
    }
    write.commit()?;
    database.close()?;
    Ok(lost)
}

/// Whether the file's content is at fault, not the system.
fn is_damage(error: &redb::Error) -> bool {
    use io::ErrorKind as Kind;
    match error {
        redb::Error::Io(error) => {
            matches!(error.kind(), Kind::InvalidData | Kind::UnexpectedEof | Kind::InvalidInput | Kind::Other)
        }
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => false,
        _ => true,
    }
}

fn failed(path: &Path) -> impl Fn(redb::Error) -> FsError {
    move |error| {
        let source = match error {
            redb::Error::Io(error) => error,
            error @ redb::Error::DatabaseAlreadyOpen => io::Error::new(io::ErrorKind::ResourceBusy, error),
            error => io::Error::other(error),
        };
        FsError { action: "use", path: path.to_owned(), source }
    }
}

impl Session {
    /// Waits for the folder's lock and opens the index. Where there is none, or it is damaged, it is made from the segments.
    /// With `check`, every page of it is checked first, and files of rows that it doesn't know are removed.
    pub(super) fn begin(folder: &Path, check: bool) -> Result<(Session, Option<Rebuilt>), FsError> {
        crate::fs::create_dir_all(folder)?;
        let lock = Lock::take(&folder.join(LOCK))?;
        let path = folder.join(INDEX);
        let bytes = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        if bytes > 0 {
            match open(&path, check) {
                Ok(open) => {
                    let session = Session::of(open, folder, lock);
                    if check {
                        session.remove_unknown();
                    }
                    return Ok((session, None));
                }
                Err(error) if is_damage(&error) => {
                    std::fs::remove_file(&path).map_err(FsError::at("remove", &path))?;
                }
                Err(error) => return Err(failed(&path)(error)),
            }
        }
        let lost_rows = rebuild(folder)?;
        let session = Session::of(open(&path, false).map_err(failed(&path))?, folder, lock);
        Ok((session, Some(Rebuilt { damaged: bytes > 0, lost_rows })))
    }

    fn of(open: Open, folder: &Path, lock: Lock) -> Session {
        let Open { write, database, segments } = open;
        let (committed, removed) = (segments.clone(), BTreeSet::new());
        Session { write, database, folder: folder.to_owned(), segments, committed, removed, lock }
    }

    /// Removes what a process left that was killed between making a segment and entering it, or removing it and its file.
    fn remove_unknown(&self) {
        for (path, id) in segment_files(&self.folder) {
            if id.is_none_or(|id| !self.segments.contains_key(&id)) {
                remove_quietly(&path);
            }
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(INDEX)
    }

    /// Where the rows with these keys lie, as far as they are known.
    pub(super) fn places(&self, keys: &[Key]) -> Result<Vec<Option<Place>>, FsError> {
        let places = || {
            let table = self.write.open_table(ROWS)?;
            let place = |key: &Key| {
                let entry = table.get(key)?.map(|entry| entry.value());
                Ok(entry.map(|(segment, slot)| Place { segment, slot }))
            };
            keys.iter().map(place).collect::<Result<Vec<_>, redb::Error>>()
        };
        places().map_err(failed(&self.path()))
    }

    /// Every row and its place.
    pub(super) fn all(&self) -> Result<Vec<(Key, Place)>, FsError> {
        let all = || {
            let table = self.write.open_table(ROWS)?;
            let mut rows = Vec::new();
            for entry in table.iter()? {
                let (key, place) = entry?;
                let (segment, slot) = place.value();
                rows.push((*key.value(), Place { segment, slot }));
            }
            Ok::<_, redb::Error>(rows)
        };
        all().map_err(failed(&self.path()))
    }

    /// The number of rows.
    pub(super) fn count(&self) -> Result<u64, FsError> {
        let count = || Ok::<_, redb::Error>(self.write.open_table(ROWS)?.len()?);
        count().map_err(failed(&self.path()))
    }

    /// Enters rows that are written.
    pub(super) fn enter(&mut self, rows: &[(Key, Place)]) -> Result<(), FsError> {
        let enter = || {
            let mut table = self.write.open_table(ROWS)?;
            for (key, place) in rows {
                table.insert(key, (place.segment, place.slot))?;
            }
            Ok::<_, redb::Error>(())
        };
        enter().map_err(failed(&self.path()))
    }

    /// Forgets rows that still lie where they were found damaged; returns how many did.
    pub(super) fn forget(&mut self, rows: &[(Key, Place)]) -> Result<u64, FsError> {
        let forget = || {
            let mut table = self.write.open_table(ROWS)?;
            let mut forgotten = 0;
            for (key, place) in rows {
                let there = table.get(key)?.is_some_and(|entry| entry.value() == (place.segment, place.slot));
                if there {
                    table.remove(key)?;
                    forgotten += 1;
                }
            }
            Ok::<_, redb::Error>(forgotten)
        };
        forget().map_err(failed(&self.path()))
    }

    /// Forgets the rows of segments whose files are gone, and those past a file's end.
    pub(super) fn forget_missing(&mut self) -> Result<(), FsError> {
        let mut whole = BTreeMap::new();
        for (&id, info) in &self.segments {
            let there = Segment::open(&segment_path(&self.folder, id))
                .filter(|segment| segment.row_len() == info.row_len)
                .map_or(0, |segment| segment.rows());
            if there < info.rows {
                whole.insert(id, there);
            }
        }
        if whole.is_empty() {
            return Ok(());
        }
        self.retain(|place| whole.get(&place.segment).is_none_or(|&rows| place.slot < rows))?;
        for (id, rows) in whole {
            if rows == 0 {
                self.segments.remove(&id);
                self.removed.insert(id);
            } else if let Some(info) = self.segments.get_mut(&id) {
                info.rows = rows;
            }
        }
        Ok(())
    }

    fn retain(&mut self, keep: impl Fn(Place) -> bool) -> Result<(), FsError> {
        let retain = || {
            let mut table = self.write.open_table(ROWS)?;
            table.retain(|_, (segment, slot)| keep(Place { segment, slot }))?;
            Ok::<_, redb::Error>(())
        };
        retain().map_err(failed(&self.path()))
    }

    /// Marks segments as used now.
    pub(super) fn touch(&mut self, ids: &BTreeSet<u64>) {
        let now = self.segments.values().map(|info| info.used).max().unwrap_or(0) + 1;
        for id in ids {
            if let Some(info) = self.segments.get_mut(id) {
                info.used = now;
            }
        }
    }

    /// Bytes of all rows.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.values().map(SegmentInfo::bytes).sum()
    }

    /// Removes the least recently used segments, but none of `held`, until `wanted` more bytes fit into `limit`; returns how
    /// many bytes fit now.
    pub(super) fn make_room(&mut self, wanted: u64, limit: u64, held: &BTreeSet<u64>) -> Result<u64, FsError> {
        let mut victims = BTreeSet::new();
        let mut bytes = self.bytes();
        let mut oldest: Vec<(u64, u64)> = self.segments.iter().map(|(&id, info)| (info.used, id)).collect();
        oldest.sort_unstable();
        for (_, id) in oldest.into_iter().filter(|(_, id)| !held.contains(id)) {
            if bytes + wanted <= limit {
                break;
            }
            bytes -= self.segments.get(&id).map_or(0, SegmentInfo::bytes);
            victims.insert(id);
        }
        if !victims.is_empty() {
            self.remove(&victims)?;
        }
        Ok(limit.saturating_sub(bytes))
    }

    /// Removes segments with all their rows.
    pub(super) fn remove(&mut self, ids: &BTreeSet<u64>) -> Result<(), FsError> {
        self.retain(|place| !ids.contains(&place.segment))?;
        self.segments.retain(|id, _| !ids.contains(id));
        self.removed.extend(ids);
        Ok(())
    }

    /// Makes all of it last, then removes the files that aren't needed any more.
    pub(super) fn commit(self) -> Result<(), FsError> {
        let Session { write, database, folder, segments, committed, removed, lock } = self;
        let store = || {
            {
                let mut table = write.open_table(SEGMENTS)?;
                for id in committed.keys().filter(|id| !segments.contains_key(id)) {
                    table.remove(id)?;
                }
                for (id, info) in segments.iter().filter(|(id, info)| committed.get(id) != Some(info)) {
                    table.insert(id, (&info.trunk, info.row_len as u64, info.rows, info.used))?;
                }
            }
            write.commit()?;
            Ok(database.close()?)
        };
        store().map_err(failed(&folder.join(INDEX)))?;
        for id in removed.iter().filter(|id| !segments.contains_key(id)) {
            remove_quietly(&segment_path(&folder, *id));
        }
        drop(lock);
        Ok(())
    }
}

/// Removes a file that is of no use; one that can't be removed is tried again when the index is checked next.
fn remove_quietly(path: &Path) {
    let _ = std::fs::remove_file(path);
}
