//! Data sets: a folder per class or CIFAR-10, read into labelled [`Sample`]s and split into training, validation and
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

mod cifar;
mod dataset;
mod error;
mod folder;
mod options;
mod order;
mod pickle;
mod sample;
mod split;
mod stored;
#[cfg(test)]
mod tests;
mod tree;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

pub use dataset::{ClassCount, Dataset, Kind, Warning};
pub use error::DataError;
pub use options::{DEFAULT_FRACTION, DataOptions, LimitPerClass, Validation};
pub use order::{Shuffle, epoch_order};
pub use pickle::PickleError;
pub use sample::{DRAWN_CLASSES, Drawing, draw};
pub use stored::{Sample, Skipped};
pub use tree::ARCHIVE_LIMIT;

use folder::Listing;
use stored::Candidate;
use tree::{Folder, Tree};

/// Opens a data set: a folder of class folders, a folder with `train/` (and `val/`, `test/`) of class folders, either
/// of them in a `.tar` or `.tar.gz`, or CIFAR-10 as archive or folder. Reads every file once, in parallel.
///
/// # Errors
/// When there is nothing to train on: see [`DataError`]'s variants. A picture that can't be read is only listed in
/// [`Dataset::skipped`], unless `options.strict`.
pub fn open(path: impl AsRef<Path>, options: &DataOptions) -> Result<Dataset, DataError> {
    let path = path.as_ref();
    let fraction = options.validation.fraction();
    if !(0.0 < fraction && fraction < 1.0) {
        return Err(DataError::Fraction { got: fraction });
    }
    if options.validation_dir.is_some() && options.validation == Validation::Test {
        return Err(DataError::TwoValidations);
    }
    let tree = Tree::open(path)?;
    let validation_tree = options.validation_dir.as_deref().map(Tree::open).transpose()?;
    let own_validation = options.validation_dir.is_none() && options.validation != Validation::Test;
    let (kind, mut listing) = match cifar::recognise(&tree) {
        Some(kind) => (kind, cifar::list(&tree, kind, &options.classes)?),
        None => (Kind::folders(&tree), folder::list(&tree, &options.classes, own_validation)?),
    };
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
    let mut dataset = read(&tree, kind, listing, options.strict, options.as_found)?;
    if options.as_found {
        // The sides as they lie.
    } else if dataset.validation.is_empty() {
        dataset.split(fraction, options.seed)?;
    } else if let Validation::Fraction(_) = options.validation {
        dataset.warnings.push(Warning::FractionUnused);
    }
    dataset.limit(options.limit_per_class);
    dataset.warn_of_copies();
    Ok(dataset)
}

/// Opens the pictures that a classifier of `classes` is judged by, all as [`Dataset::test`]: of a folder's `test/`,
/// else of its
/// `val/`, else its class folders (some classes may be missing); of CIFAR-10 the test batch.
///
/// # Errors
/// When there are no such pictures, or none of a class in `classes` (pictures of other classes are left out with a
/// warning).
pub fn open_labelled(path: impl AsRef<Path>, classes: &[String], strict: bool) -> Result<Dataset, DataError> {
    let path = path.as_ref();
    let tree = Tree::open(path)?;
    let (kind, listing) = match cifar::recognise(&tree) {
        Some(kind) => (kind, cifar::list_labelled(&tree, kind, classes)?),
        None => (Kind::folders(&tree), folder::list_labelled(&tree, classes)?),
    };
    listing.require_pictures()?;
    read(&tree, kind, listing, strict, false)
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

/// Reads every candidate; those that can't be read are listed, and every class must then still have a picture to train and one
/// to validate on. `as_found` lists those alone whose bytes can't be read, and asks for nothing.
fn read(tree: &Tree, kind: Kind, listing: Listing, strict: bool, as_found: bool) -> Result<Dataset, DataError> {
    let Listing { classes, train, validation, test, ignored, warnings } = listing;
    let mut skipped = Vec::new();
    let mut side = |candidates: Vec<Candidate>, must_have: bool| -> Result<Vec<Sample>, DataError> {
        let read: Vec<Result<Sample, Skipped>> =
            candidates.into_par_iter().map(|candidate| candidate.read(!as_found)).collect();
        let (mut samples, first) = (Vec::new(), skipped.len());
        for result in read {
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
    if let Some(first) = skipped.first().filter(|_| strict) {
        return Err(DataError::Strict { count: skipped.len(), first: first.to_string() });
    }
    let (name, path) = (tree.name(), tree.path.clone());
    Ok(Dataset { name, path, kind, classes, train, validation, test, skipped, ignored, warnings })
}
