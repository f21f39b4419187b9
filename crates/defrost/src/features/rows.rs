//! The rows of one tap: found in the store, else computed from pictures or derived from the rows of a deeper tap.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::store::{Kept, Key, Place, Shelf, Store, StoreError, record_len};
use super::{Cache, FeaturesError, Pictures, RowNumber};
use crate::exec::cpu::{Arena, Program};
use crate::progress::{Phase, Progress};

/// What rows are computed from.
#[derive(Debug)]
enum Origin {
    Pictures(Arc<Pictures>),
    Rows(Arc<Rows>),
}

/// The rows of one tap, for every picture and view.
#[derive(Debug)]
pub struct Rows {
    origin: Origin,
    program: Program,
    trunk: blake3::Hash,
    store: Option<Store>,
    kept: Kept,
    /// Rows that the store had and that turned out to be damaged.
    damaged: Mutex<BTreeSet<RowNumber>>,
    arenas: Mutex<Vec<Arena>>,
}

/// A row that was computed.
type Computed = (RowNumber, Vec<f32>);

impl Rows {
    /// Rows computed from pictures; `fingerprint` identifies the network (graph, weights, engine).
    pub fn from_pictures(pictures: Arc<Pictures>, program: Program, fingerprint: blake3::Hash) -> Rows {
        let trunk = combine(&[fingerprint, pictures.preparation()]);
        Rows::new(Origin::Pictures(pictures), program, trunk)
    }

    /// Rows derived from those of a deeper tap by the trunk's continued program.
    pub fn derived(rows: Arc<Rows>, program: Program, fingerprint: blake3::Hash) -> Rows {
        let trunk = combine(&[fingerprint, rows.trunk]);
        Rows::new(Origin::Rows(rows), program, trunk)
    }

    fn new(origin: Origin, program: Program, trunk: blake3::Hash) -> Rows {
        let (kept, damaged, arenas) = (Kept::default(), Mutex::default(), Mutex::default());
        Rows { origin, program, trunk, store: None, kept, damaged, arenas }
    }

    /// Elements of a row.
    pub fn row_len(&self) -> usize {
        self.program.output_len()
    }

    /// Rows in all.
    pub fn count(&self) -> usize {
        self.pictures().row_count()
    }

    /// Bytes that all rows would take on disk.
    pub fn bytes(&self) -> u64 {
        self.count() as u64 * record_len(self.row_len())
    }

    /// Rows that are on disk.
    pub fn stored(&self) -> usize {
        self.kept.places.iter().flatten().count()
    }

    /// The pictures that the rows come from.
    pub fn pictures(&self) -> &Pictures {
        match &self.origin {
            Origin::Pictures(pictures) => pictures,
            Origin::Rows(rows) => rows.pictures(),
        }
    }

    fn key(&self, number: RowNumber) -> Key {
        self.pictures().key(&self.trunk, number)
    }

    fn is_kept(&self, number: RowNumber) -> bool {
        self.kept.places.get(number).is_some_and(Option::is_some)
    }

    /// Looks for the rows that earlier runs have stored; [`stored`](Rows::stored) tells how many there are.
    ///
    /// # Errors
    /// When the cache can't be opened.
    pub fn find(&mut self, cache: &Cache) -> Result<(), StoreError> {
        self.store = cache.store();
        if let Some(store) = &self.store {
            let keys: Vec<Key> = (0..self.count()).map(|number| self.key(number)).collect();
            self.kept = store.find(&keys)?;
        }
        Ok(())
    }

    /// Finds the rows that are stored, and computes and stores the others, as many as the cache has room for. A picture with a
    /// row that isn't found is decoded, whether there is room for its rows or not, and told to [`Pictures`] if it can't be.
    ///
    /// # Errors
    /// When a file can't be written, a picture can't be read and the data are strict, or the user stops. Rows that are computed
    /// by then stay.
    pub fn fill(&mut self, cache: &Cache, label: &str, progress: Progress<'_>) -> Result<(), FeaturesError> {
        self.find(cache)?;
        let pictures = self.pictures();
        let incomplete = |picture: &usize| pictures.rows_of(*picture).any(|number| !self.is_kept(number));
        let work: Vec<usize> = match self.origin {
            Origin::Pictures(_) => (0..pictures.count()).filter(incomplete).collect(),
            // The pictures behind them were looked at already.
            Origin::Rows(_) if self.store.is_none() => Vec::new(),
            Origin::Rows(_) => {
                (0..pictures.count()).filter(|picture| !pictures.is_unreadable(*picture)).filter(incomplete).collect()
            }
        };
        if work.is_empty() {
            return Ok(());
        }
        progress.begin(Phase::Features, work.len() as u64, label);
        let result = self.compute_missing(&work, progress);
        progress.end();
        result
    }

    fn compute_missing(&mut self, work: &[usize], progress: Progress<'_>) -> Result<(), FeaturesError> {
        let mut room = self.store.is_some();
        let mut computed: Vec<Computed> = Vec::new();
        let views = self.pictures().views() as usize;
        let at_once = (ROWS_AT_ONCE / views).max(PICTURES_A_THREAD * rayon::current_num_threads());
        for chunk in work.chunks(at_once) {
            if !room && matches!(self.origin, Origin::Rows(_)) {
                break;
            }
            // One chunk is written while the next one is computed.
            let (kept, next) = rayon::join(
                || self.keep(&computed),
                || match progress.cancelled() {
                    true => Err(FeaturesError::Cancelled),
                    false => self.compute_chunk(chunk, room, progress),
                },
            );
            room &= self.note(&computed, kept?);
            computed = next?;
        }
        let kept = self.keep(&computed)?;
        self.note(&computed, kept);
        Ok(())
    }

    fn compute_chunk(
        &self,
        chunk: &[usize],
        room: bool,
        progress: Progress<'_>,
    ) -> Result<Vec<Computed>, FeaturesError> {
        let rows: Vec<Vec<Computed>> = chunk
            .par_iter()
            .map(|&picture| {
                let rows = self.compute_picture(picture, room);
                progress.advance(1);
                rows
            })
            .collect::<Result<_, FeaturesError>>()?;
        Ok(rows.into_iter().flatten().collect())
    }

    /// The rows of one picture that aren't kept; none where the picture can't be read, or there is no room for them.
    fn compute_picture(&self, picture: usize, room: bool) -> Result<Vec<Computed>, FeaturesError> {
        let missing = self.pictures().rows_of(picture).filter(|&number| room && !self.is_kept(number));
        match &self.origin {
            Origin::Pictures(pictures) => {
                let decoded = match pictures.decode(picture) {
                    Ok(decoded) => decoded,
                    Err(error) if pictures.is_strict() => return Err(error.into()),
                    Err(error) => {
                        pictures.mark_unreadable(picture, &error);
                        return Ok(Vec::new());
                    }
                };
                let row = |number| {
                    let (_, view) = pictures.of_row(number);
                    let mut values = vec![0.0; self.row_len()];
                    self.run(&pictures.render(picture, &decoded, view), &mut values);
                    (number, values)
                };
                Ok(missing.map(row).collect())
            }
            Origin::Rows(_) => missing
                .map(|number| {
                    let mut values = vec![0.0; self.row_len()];
                    self.compute(number, &mut values)?;
                    Ok((number, values))
                })
                .collect(),
        }
    }

    /// Stores rows.
    fn keep(&self, computed: &[Computed]) -> Result<Kept, StoreError> {
        let Some(store) = self.store.as_ref().filter(|_| !computed.is_empty()) else { return Ok(Kept::default()) };
        let rows: Vec<(Key, &[f32])> = computed.iter().map(|(number, row)| (self.key(*number), &row[..])).collect();
        let shelf = Shelf { trunk: *self.trunk.as_bytes(), row_len: self.row_len() };
        store.insert(shelf, &rows, &self.kept.segments, &self.held())
    }

    /// Notes where rows were stored; whether all of them were.
    fn note(&mut self, computed: &[Computed], kept: Kept) -> bool {
        self.kept.segments.extend(kept.segments);
        for ((number, _), place) in computed.iter().zip(&kept.places) {
            self.kept.places[*number] = *place;
        }
        kept.places.iter().all(Option::is_some)
    }

    /// The segments that this run reads from: they aren't evicted for its own rows.
    fn held(&self) -> BTreeSet<u64> {
        let mut held: BTreeSet<u64> = self.kept.segments.keys().copied().collect();
        if let Origin::Rows(rows) = &self.origin {
            held.extend(rows.held());
        }
        held
    }

    fn run(&self, input: &[f32], output: &mut [f32]) {
        let arenas = || self.arenas.lock().unwrap_or_else(PoisonError::into_inner);
        let arena = arenas().pop();
        let mut arena = arena.unwrap_or_else(|| self.program.arena());
        self.program.run(input, &mut arena, output);
        arenas().push(arena);
    }

    /// Computes one row anew.
    fn compute(&self, number: RowNumber, output: &mut [f32]) -> Result<(), FeaturesError> {
        match &self.origin {
            Origin::Pictures(pictures) => {
                let (picture, view) = pictures.of_row(number);
                let pixels = pictures.render(picture, &pictures.decode(picture)?, view);
                self.run(&pixels, output);
            }
            Origin::Rows(rows) => {
                let mut input = vec![0.0; rows.row_len()];
                rows.read_one(number, &mut input)?;
                self.run(&input, output);
            }
        }
        Ok(())
    }

    fn read_one(&self, number: RowNumber, output: &mut [f32]) -> Result<(), FeaturesError> {
        if self.is_kept(number) {
            if self.kept.read(number, &self.key(number), output) {
                return Ok(());
            }
            self.damaged().insert(number);
        }
        self.compute(number, output)
    }

    /// The rows with these numbers, one after the other.
    ///
    /// # Errors
    /// When a row has to be computed and its picture can't be read any more, or the disk fails.
    pub fn read(&self, numbers: &[RowNumber]) -> Result<Vec<f32>, FeaturesError> {
        let mut values = vec![0.0; numbers.len() * self.row_len()];
        values
            .par_chunks_exact_mut(self.row_len())
            .zip(numbers)
            .try_for_each(|(output, &number)| self.read_one(number, output))?;
        Ok(values)
    }

    fn damaged(&self) -> std::sync::MutexGuard<'_, BTreeSet<RowNumber>> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Rows {
    /// Forgets the damaged rows, so that the next run stores them again.
    fn drop(&mut self) {
        let place = |number: &RowNumber| Some((self.key(*number), self.kept.places[*number]?));
        let damaged: Vec<(Key, Place)> = self.damaged().iter().filter_map(place).collect();
        if let Some(store) = self.store.as_ref().filter(|_| !damaged.is_empty()) {
            // Where this fails, the next run meets them again.
            let _ = store.forget(&damaged);
        }
    }
}

/// Rows between two writes: little enough to hold in memory, and to lose when the process is killed.
const ROWS_AT_ONCE: usize = 64;
/// Pictures between two writes at least, to keep all threads busy.
const PICTURES_A_THREAD: usize = 4;

pub(super) fn combine(hashes: &[blake3::Hash]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for hash in hashes {
        hasher.update(hash.as_bytes());
    }
    hasher.finalize()
}
