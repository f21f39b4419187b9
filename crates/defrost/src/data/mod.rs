//! Data sets: a folder per class, a table of paths and labels, CIFAR; as they lie or in an archive; read into labelled [`Sample`]s and split into training, validation and
//! test.
//!
//! Invariant: a [`Dataset`] is a function of the files and the [`DataOptions`] alone. Samples lie in byte order of
//! their paths, the split depends on contents and the seed, and no thread count changes either.
//!
//! ```
//! use defrost::data::{self, DataOptions, Drawing};
//! # let folder = tempfile::tempdir()?;
//! # let photos = folder.path().join("photos");
//! data::draw(&photos, &Drawing { per_class: 5, size: 64, seed: 1 })?;
//! let dataset = data::open(&photos, &DataOptions::default())?;
//! assert_eq!(dataset.classes, ["apple", "butterfly", "fish", "house", "tree", "umbrella"]);
//! assert_eq!((dataset.train.len(), dataset.validation.len()), (24, 6));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod archive;
mod cifar;
mod columns;
mod dataset;
mod divide;
mod earlier;
mod error;
mod exclude;
mod folder;
mod form;
mod kin;
mod kind;
mod looks;
mod manifest;
mod options;
mod order;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(not(feature = "parquet"))]
#[path = "no_parquet.rs"]
mod parquet;
mod pickle;
mod relabel;
mod sample;
mod split;
mod stored;
mod table;
#[cfg(test)]
mod tests;
mod tree;
mod warning;
mod zip;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

pub use archive::ARCHIVE_LIMIT;
pub use dataset::{ClassCount, Dataset};
pub use divide::folds;
pub use earlier::{Kept, SplitLine};
pub use error::DataError;
pub use kin::LOOK_ALIKE;
pub use kind::{Kind, TableKind};
pub use looks::{LOOKS_FILE, looks};
pub use options::{DEFAULT_FRACTION, DataOptions, Fold, Labels, LimitPerClass, NoFold, Validation};
pub use order::{Shuffle, epoch_order, evenly};
pub use pickle::PickleError;
pub use relabel::{Mark, read_marks, write_marks};
pub use sample::{DRAWN_CLASSES, Drawing, draw, drawn};
pub use stored::{Sample, Skipped};
pub use warning::Warning;

use earlier::Earlier;
use exclude::Exclude;
use folder::Listing;
use form::Found;
use relabel::Relabel;
use split::Content;
use stored::Candidate;
use tree::{Folder, Tree};

use crate::progress::Progress;

/// Opens a data set: a folder of class folders, a folder with `train/` (and `val/`, `test/`) of class folders, a folder of
/// pictures with `metadata.csv` (or `.jsonl`), CIFAR-10 or CIFAR-100; all of them also in a `.zip`, `.tar` or `.tar.gz`; a table
/// of paths and labels (`.csv`, `.tsv`, `.jsonl`); or Parquet files (where the feature `parquet` is on). Reads every file once, in parallel.
///
/// # Errors
/// When there is nothing to train on: see [`DataError`]'s variants. A picture that can't be read is only listed in
/// [`Dataset::skipped`], unless `options.strict`.
pub fn open(path: impl AsRef<Path>, options: &DataOptions) -> Result<Dataset, DataError> {
    open_watched(path.as_ref(), options, Progress::none())
}

/// As [`open`], telling `progress` while pictures are decoded to find look-alikes.
///
/// # Errors
/// As [`open`], and when the user stops.
pub fn open_watched(path: &Path, options: &DataOptions, progress: Progress<'_>) -> Result<Dataset, DataError> {
    let fraction = options.validation.fraction();
    if !(0.0 < fraction && fraction < 1.0) {
        return Err(DataError::Fraction { got: fraction });
    }
    options.require_one_rule()?;
    let earlier = options.split.as_deref().map(Earlier::read).transpose()?;
    let mut exclude = options.exclude.as_deref().map(Exclude::read).transpose()?;
    let mut relabel = options.relabel.as_deref().map(Relabel::read).transpose()?;
    let found = Found::at(path, options.labels)?;
    let (name, kind) = (found.name.clone(), found.kind);
    let validation_tree = options.validation_dir.as_deref().map(Tree::open).transpose()?;
    let own_validation = options.validation_dir.is_none() && options.validation != Validation::Test;
    let mut listing = found.list(options, own_validation)?;
    if let Some(validation) = &validation_tree {
        folder::validate_on(&mut listing, validation, path, &options.classes)?;
    }
    if !options.as_found {
        listing.require_pictures()?;
    }
    if options.validation == Validation::Test {
        if listing.test.is_empty() {
            return Err(DataError::NoTest { path: path.to_owned() });
        }
        listing.validation = Some(std::mem::take(&mut listing.test));
        listing.warnings.push(Warning::TestIsValidation);
    }
    let mut dataset = read((name, path, kind), listing, options.strict, options.as_found, exclude.as_mut())?;
    if let Some(relabel) = &mut relabel {
        relabel.apply(&mut dataset, exclude.as_mut())?;
        require_all(&dataset.skipped, options.strict)?;
    }
    if let (Some(exclude), Some(table)) = (exclude, &options.exclude) {
        dataset.warnings.extend(exclude.unmet());
        if dataset.excluded > 0 && !options.as_found {
            dataset.require_training(table)?;
        }
    }
    if let Some(table) = &options.relabel {
        dataset.require_training(table)?;
    }
    let pinned = |content: &Content| {
        let of_earlier = earlier.as_ref().and_then(|earlier| earlier.side(content));
        of_earlier.or_else(|| relabel.as_ref()?.side(content))
    };
    dataset.divide(options, earlier.as_ref(), pinned, progress)?;
    dataset.limit(options.limit_per_class);
    dataset.warn_of_copies();
    Ok(dataset)
}

/// Opens the pictures that a classifier of `classes` is judged by, all as [`Dataset::test`]: of a folder's `test/`,
/// else of its `val/`, else its class folders (some classes may be missing); of a table its test lines, else its validation
/// lines, else all; of CIFAR the test batch.
///
/// # Errors
/// When there are no such pictures, or none of a class in `classes` (pictures of other classes are left out with a
/// warning).
pub fn open_labelled(path: impl AsRef<Path>, classes: &[String], strict: bool) -> Result<Dataset, DataError> {
    let path = path.as_ref();
    let found = Found::at(path, Labels::Fine)?;
    let (name, kind) = (found.name.clone(), found.kind);
    let listing = found.list_labelled(classes)?;
    listing.require_pictures()?;
    read((name, path, kind), listing, strict, false, None)
}

/// The pictures to predict: files as given, folders with everything below them, each in byte order; unlabelled.
///
/// # Errors
/// When a path doesn't exist, or a folder can't be read or holds no pictures.
pub fn pictures(paths: &[PathBuf]) -> Result<Vec<PathBuf>, DataError> {
    fn gather(folder: &Folder, path: &Path, found: &mut Vec<PathBuf>) {
        found.extend(
            folder.files.keys().map(Path::new).filter(|n| crate::image::is_picture_name(n)).map(|n| path.join(n)),
        );
        for (name, below) in &folder.folders {
            gather(below, &path.join(name), found);
        }
    }
    let mut found = Vec::new();
    for path in paths {
        let metadata = std::fs::metadata(path).map_err(|source| tree::missing(path, source))?;
        if !metadata.is_dir() {
            found.push(path.clone());
            continue;
        }
        let mut below = Vec::new();
        gather(&tree::walk(path)?, path, &mut below);
        if below.is_empty() {
            return Err(DataError::NothingToPredict { path: path.clone() });
        }
        below.sort();
        found.append(&mut below);
    }
    Ok(found)
}

/// Reads every candidate; those that can't be read are listed, those to leave out are counted, and every class must then still
/// have a picture to train and one to validate on. `as_found` lists those alone whose bytes can't be read, and asks for nothing.
fn read(
    (name, path, kind): (String, &Path, Kind),
    listing: Listing,
    strict: bool,
    as_found: bool,
    mut exclude: Option<&mut Exclude>,
) -> Result<Dataset, DataError> {
    let Listing { classes, train, validation, test, ignored, warnings } = listing;
    let (mut skipped, mut excluded) = (Vec::new(), 0);
    let mut side = |candidates: Vec<Candidate>, must_have: bool| -> Result<Vec<Sample>, DataError> {
        let read: Vec<Result<Sample, Skipped>> =
            candidates.into_par_iter().map(|candidate| candidate.read(!as_found)).collect();
        let (mut samples, first) = (Vec::new(), skipped.len());
        for result in read {
            let (path, content) = match &result {
                Ok(Sample { path, content, .. }) => (path, Some(content)),
                Err(Skipped { path, content, .. }) => (path, content.as_ref()),
            };
            if exclude.as_mut().is_some_and(|exclude| exclude.leaves_out(path, content)) {
                excluded += 1;
                continue;
            }
            match result {
                Ok(sample) => samples.push(sample),
                Err(unreadable) => skipped.push(unreadable),
            }
        }
        let unreadable: &[Skipped] = &skipped[first..];
        for (label, class) in classes.iter().enumerate() {
            let mut lost = unreadable.iter().filter(|skipped| skipped.label == label);
            if let Some(example) = lost.next()
                && must_have
                && samples.iter().all(|sample| sample.label != label)
            {
                let (class, pictures) = (class.clone(), 1 + lost.count());
                return Err(DataError::UnreadableClass { class, pictures, first: example.to_string() });
            }
        }
        Ok(samples)
    };
    let train = side(train, !as_found)?;
    let validation = side(validation.unwrap_or_default(), !as_found)?;
    let test = side(test, false)?;
    require_all(&skipped, strict)?;
    let path = path.to_owned();
    let (kept, relabelled, added) = (None, 0, 0);
    Ok(Dataset {
        name,
        path,
        kind,
        classes,
        train,
        validation,
        test,
        skipped,
        ignored,
        excluded,
        relabelled,
        added,
        kept,
        warnings,
    })
}

/// A strict run leaves no picture out.
fn require_all(skipped: &[Skipped], strict: bool) -> Result<(), DataError> {
    match skipped.first().filter(|_| strict) {
        Some(first) => Err(DataError::Strict { count: skipped.len(), first: first.to_string() }),
        None => Ok(()),
    }
}
