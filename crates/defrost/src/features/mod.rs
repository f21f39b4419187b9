//! The trunk pass: each picture's tap is computed once and kept on disk as a row.
//!
//! A row is a pure function of the picture's content, the view and the trunk, and that is its key in the [`Cache`]: the same
//! row serves every run, whatever its head, seed or split. [`Rows`] gives any row, from the disk where it was stored, else by
//! computing it again; what it gives is the same, bit for bit. Rows of a shallower tap are derived from the rows of a deeper
//! one by the trunk's own program, never by the tail's.

mod pictures;
mod plain;
mod rows;
mod store;

use std::path::{Path, PathBuf};

pub use pictures::{Pictures, Rendering, RowNumber, Side};
pub use plain::{PlainRows, Prepared};
pub use rows::Rows;
use store::Store;
pub use store::{StoreError, Usage, Verified};

use crate::data::DataError;

/// Why rows can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeaturesError {
    /// A picture that was readable before is not any more.
    #[error(transparent)]
    Picture(#[from] DataError),
    /// The rows' files can't be written or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The user stopped the work.
    #[error("stopped")]
    Cancelled,
}

/// Where the rows of all runs are kept, and how much room they may take.
#[derive(Debug, Clone)]
pub struct Cache {
    /// The folder.
    pub folder: PathBuf,
    /// Bytes that all rows in it may take together; the least recently used make room for new ones. 0 keeps nothing.
    pub budget: u64,
}

/// The most that rows may take on disk, whatever is free.
const MAX_BUDGET: u64 = 10_000_000_000;
/// The share of the free disk that rows may take: one part of so many. What rows take already counts as free.
const SHARE_OF_DISK: u64 = 5;

impl Cache {
    /// A cache in `folder` that takes at most 10 GB and a fifth of the free disk.
    ///
    /// # Errors
    /// When the system doesn't say how much is free.
    pub fn in_folder(folder: &Path) -> Result<Cache, StoreError> {
        let free = crate::fs::available_space(folder)? + store::files(folder).bytes;
        Ok(Cache { folder: folder.to_owned(), budget: MAX_BUDGET.min(free / SHARE_OF_DISK) })
    }

    /// Nothing is kept: each use computes its rows again.
    pub fn none() -> Cache {
        Cache { folder: PathBuf::new(), budget: 0 }
    }

    fn store(&self) -> Option<Store> {
        (self.budget > 0).then(|| Store::new(&self.folder, self.budget))
    }
}

/// What the folder `folder` of rows holds.
///
/// # Errors
/// When its index can't be opened.
pub fn usage(folder: &Path) -> Result<Usage, StoreError> {
    Store::new(folder, 0).usage()
}

/// Reads every row in `folder`, removes the damaged ones, and makes a damaged index anew.
///
/// # Errors
/// When the index can't be opened or written.
pub fn verify(folder: &Path) -> Result<Verified, StoreError> {
    Store::new(folder, 0).verify()
}

/// Removes all rows in `folder` and says what there was. Runs at work go on with the rows that they have found.
///
/// # Errors
/// When a file can't be removed.
pub fn clear(folder: &Path) -> Result<Usage, StoreError> {
    Store::new(folder, 0).clear()
}
