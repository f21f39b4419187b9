//! The trunk pass: each picture's tap is computed once and kept on disk as a row.
//!
//! Rows are numbered by picture and view. A [`Rows`] gives any of them, from the disk where it was stored, else by computing
//! it again; what it gives is the same, bit for bit. Rows of a shallower tap are derived from the rows of a deeper one by the
//! trunk's own program, never by the tail's.

mod pictures;
mod store;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

pub use pictures::{Pictures, Rendering, RowNumber, Side};
pub use store::StoreError;
use store::{Header, Store, Writer};

use crate::data::DataError;
use crate::exec::cpu::{Arena, Program};
use crate::progress::{Phase, Progress};

/// Why rows can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeaturesError {
    /// A picture that was readable before is not any more.
    #[error(transparent)]
    Picture(#[from] DataError),
    /// The rows' file can't be written or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The user stopped the work.
    #[error("stopped")]
    Cancelled,
}

/// Where rows are kept, and how much room they may take.
#[derive(Debug, Clone)]
pub struct Cache {
    /// The folder.
    pub folder: PathBuf,
    /// Bytes that may be written; 0 keeps nothing.
    pub budget: u64,
}

/// The most that rows may take on disk, whatever is free.
const MAX_BUDGET: u64 = 10_000_000_000;

impl Cache {
    /// A cache in `folder` that takes at most 10 GB and a fifth of the free disk.
    ///
    /// # Errors
    /// When the system doesn't say how much is free.
    pub fn in_folder(folder: &Path) -> Result<Cache, StoreError> {
        let free = crate::fs::available_space(folder)?;
        Ok(Cache { folder: folder.to_owned(), budget: MAX_BUDGET.min(free / 5) })
    }

    /// Nothing is kept: each use computes its rows again.
    pub fn none() -> Cache {
        Cache { folder: PathBuf::new(), budget: 0 }
    }
}

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
    fingerprint: blake3::Hash,
    store: Option<Store>,
    arenas: Mutex<Vec<Arena>>,
}

impl Rows {
    /// Rows computed from pictures; `fingerprint` identifies the trunk (graph, weights, engine).
    pub fn from_pictures(pictures: Arc<Pictures>, program: Program, fingerprint: blake3::Hash) -> Rows {
        let fingerprint = combine(&[fingerprint, pictures.fingerprint()]);
        Rows { origin: Origin::Pictures(pictures), program, fingerprint, store: None, arenas: Mutex::default() }
    }

    /// Rows derived from those of a deeper tap by the trunk's continued program.
    pub fn derived(rows: Arc<Rows>, program: Program, fingerprint: blake3::Hash) -> Rows {
        let fingerprint = combine(&[fingerprint, rows.fingerprint]);
        Rows { origin: Origin::Rows(rows), program, fingerprint, store: None, arenas: Mutex::default() }
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
        Store::bytes(self.count(), self.row_len())
    }

    /// Rows that are on disk.
    pub fn stored(&self) -> usize {
        self.store.as_ref().map_or(0, Store::rows)
    }

    /// The file that holds or will hold the rows.
    pub fn path(&self, cache: &Cache) -> PathBuf {
        cache.folder.join(format!("{}.rows", &self.fingerprint.to_hex()[..32]))
    }

    /// The pictures that the rows come from.
    pub fn pictures(&self) -> &Pictures {
        match &self.origin {
            Origin::Pictures(pictures) => pictures,
            Origin::Rows(rows) => rows.pictures(),
        }
    }

    /// Opens what an earlier run has stored, if it is all there.
    pub fn open(&mut self, cache: &Cache) -> bool {
        if cache.budget == 0 {
            return false;
        }
        self.store = Store::open(&self.path(cache), &self.header(cache));
        self.store.is_some()
    }

    fn header(&self, cache: &Cache) -> Header {
        let affordable = (cache.budget / Store::bytes(1, self.row_len())) as usize;
        Header {
            fingerprint: self.fingerprint.to_hex().to_string(),
            rows: self.count().min(affordable),
            row_len: self.row_len(),
            unreadable: Vec::new(),
        }
    }

    /// Computes the rows that the cache has room for and stores them; every picture is decoded once, whether there is room for
    /// its rows or not, and those that can't be are told to [`Pictures`].
    ///
    /// # Errors
    /// When the file can't be written, a picture can't be read and the data are strict, or the user stops.
    pub fn fill(&mut self, cache: &Cache, label: &str, progress: Progress<'_>) -> Result<(), FeaturesError> {
        if self.open(cache) {
            if let (Origin::Pictures(pictures), Some(store)) = (&self.origin, &self.store) {
                pictures.set_unreadable(&store.header().unreadable);
            }
            return Ok(());
        }
        let header = self.header(cache);
        if header.rows == 0 && matches!(self.origin, Origin::Rows(_)) {
            return Ok(()); // the pictures behind them were looked at already
        }
        let mut writer = match header.rows {
            0 => None,
            _ => Some(Writer::create(&self.path(cache), header.row_len)?),
        };
        progress.begin(Phase::Features, self.pictures().count() as u64, label);
        let result = self.compute_all(header.rows, writer.as_mut(), progress);
        progress.end();
        result?;
        if let Some(writer) = writer {
            let header = Header { unreadable: self.pictures().unreadable_numbers(), ..header };
            self.store = Some(writer.commit(header)?);
        }
        Ok(())
    }

    fn compute_all(
        &self,
        rows: usize,
        mut writer: Option<&mut Writer>,
        progress: Progress<'_>,
    ) -> Result<(), FeaturesError> {
        let pictures = self.pictures();
        for first in (0..pictures.count()).step_by(PICTURES_AT_ONCE) {
            if progress.cancelled() {
                return Err(FeaturesError::Cancelled);
            }
            let last = (first + PICTURES_AT_ONCE).min(pictures.count());
            let chunk: Vec<Vec<f32>> = (first..last)
                .into_par_iter()
                .map(|picture| {
                    let values = self.rows_of_picture(picture, rows);
                    progress.advance(1);
                    values
                })
                .collect::<Result<_, FeaturesError>>()?;
            if let Some(writer) = &mut writer {
                for values in chunk {
                    writer.push(&values)?;
                }
            }
        }
        Ok(())
    }

    /// All views of one picture, those with a number below `stored`; zeros where the picture can't be read.
    fn rows_of_picture(&self, picture: usize, stored: usize) -> Result<Vec<f32>, FeaturesError> {
        let numbers = self.pictures().rows_of(picture);
        let wanted = numbers.end.min(stored).saturating_sub(numbers.start);
        let mut values = vec![0.0; wanted * self.row_len()];
        match &self.origin {
            Origin::Pictures(pictures) => {
                let decoded = match pictures.decode(picture) {
                    Ok(decoded) => decoded,
                    Err(error) if pictures.is_strict() => return Err(error.into()),
                    Err(error) => {
                        pictures.mark_unreadable(picture, &error);
                        return Ok(values);
                    }
                };
                for (view, output) in values.chunks_exact_mut(self.row_len()).enumerate() {
                    let pixels = pictures.render(picture, &decoded, view as u32);
                    self.run(&pixels, output);
                }
            }
            Origin::Rows(_) if self.pictures().is_unreadable(picture) => {}
            Origin::Rows(_) => {
                for (number, output) in numbers.zip(values.chunks_exact_mut(self.row_len())) {
                    self.compute(number, output)?;
                }
            }
        }
        Ok(values)
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
        match &self.store {
            Some(store) if number < store.rows() && store.read(number, output)? => Ok(()),
            _ => self.compute(number, output),
        }
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
}

/// Pictures between two writes: enough to keep all threads busy, little enough to hold in memory.
const PICTURES_AT_ONCE: usize = 64;

fn combine(hashes: &[blake3::Hash]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for hash in hashes {
        hasher.update(hash.as_bytes());
    }
    hasher.finalize()
}
