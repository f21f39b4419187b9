//! CIFAR-10 as its authors publish it: binary (`data_batch_1.bin`, …) and for Python (`data_batch_1`, …: pickles).
//!
//! Invariant: both give the same samples: the same paths, order, labels and contents.
//!
//! # Reference
//! Krizhevsky 2009, *Learning Multiple Layers of Features from Tiny Images*.

use std::sync::Arc;

use super::folder::{Listing, chosen, untrained, unwrap};
use super::pickle::{Pickle, PickleError};
use super::stored::{Candidate, Stored};
use super::tree::Tree;
use super::{DataError, Kind};

/// Width and height of a picture.
pub(super) const SIDE: usize = 32;
/// Bytes of a picture: three planes, red, green, blue.
pub(super) const PIXELS: usize = 3 * PLANE;
const PLANE: usize = SIDE * SIDE;
/// Bytes of a binary record: the label, then the pixels.
const RECORD: usize = 1 + PIXELS;

const BINARY_CLASSES: &str = "batches.meta.txt";
const PYTHON_CLASSES: &str = "batches.meta";

/// Whether a file's name is one of the archive's.
pub(super) fn is_member(name: &str) -> bool {
    [BINARY_CLASSES, PYTHON_CLASSES].contains(&name) || batch(name).is_some()
}

/// A batch's name without its ending, and whether it is a binary one.
fn batch(name: &str) -> Option<(&str, bool)> {
    let (stem, binary) = match name.strip_suffix(".bin") {
        Some(stem) => (stem, true),
        None => (name, false),
    };
    let number = stem.strip_prefix("data_batch_").unwrap_or_default();
    let known = stem == "test_batch" || (!number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()));
    known.then_some((stem, binary))
}

/// Pixels in rows (RGB RGB …) of one record's planes.
pub(super) fn interleave(planes: &[u8]) -> Vec<u8> {
    let mut pixels = vec![0; PIXELS];
    for (plane, values) in planes.chunks_exact(PLANE).enumerate() {
        for (pixel, value) in values.iter().enumerate() {
            pixels[3 * pixel + plane] = *value;
        }
    }
    pixels
}

/// How CIFAR-10 lies in a tree, if it does.
pub(super) fn recognise(tree: &Tree) -> Option<Kind> {
    let (_, folder) = unwrap(tree);
    let has = |wanted| folder.files.keys().any(|name| batch(name).is_some_and(|(_, binary)| binary == wanted));
    match (has(true), has(false)) {
        (true, _) => Some(Kind::CifarBinary),
        (false, true) => Some(Kind::CifarPython),
        (false, false) => None,
    }
}

/// Lists CIFAR-10's records: `data_batch_*` to train, `test_batch` to test; `filter` chooses and orders the classes.
pub(super) fn list(tree: &Tree, kind: Kind, filter: &[String]) -> Result<Listing, DataError> {
    let all = class_names(tree, kind)?;
    let known: Vec<&str> = all.iter().map(String::as_str).collect();
    let classes = chosen(&tree.path, &known, filter)?;
    let mut listing = Listing::of(classes);
    (listing.train, listing.test) = records(tree, kind, &all, &listing.classes)?;
    listing.ignored = unwrap(tree).1.others;
    match listing.train.is_empty() {
        true => Err(DataError::CifarMember { path: tree.path.clone(), member: "data_batch_1" }),
        false => Ok(listing),
    }
}

/// Lists the test batch's records of a finished classifier's `classes`.
pub(super) fn list_labelled(tree: &Tree, kind: Kind, classes: &[String]) -> Result<Listing, DataError> {
    let all = class_names(tree, kind)?;
    let found: Vec<&str> = all.iter().map(String::as_str).collect();
    let mut listing = Listing::of(classes.to_vec());
    listing.warnings.extend(untrained(&tree.path, &found, classes)?);
    (_, listing.test) = records(tree, kind, &all, classes)?;
    match listing.test.is_empty() {
        true => Err(DataError::CifarMember { path: tree.path.clone(), member: "test_batch" }),
        false => Ok(listing),
    }
}

/// The training and the test records whose class is one of `classes`; `all` are the archive's own classes.
fn records(
    tree: &Tree,
    kind: Kind,
    all: &[String],
    classes: &[String],
) -> Result<(Vec<Candidate>, Vec<Candidate>), DataError> {
    let labels: Vec<Option<usize>> = all.iter().map(|class| classes.iter().position(|own| own == class)).collect();
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for (name, stored) in &unwrap(tree).1.files {
        let Some((stem, _)) = batch(name).filter(|(_, binary)| *binary == (kind == Kind::CifarBinary)) else {
            continue;
        };
        let (batch, stride, own) = match kind {
            Kind::CifarBinary => binary_batch(name, stored.shared()?)?,
            _ => python_batch(name, &stored.bytes()?)?,
        };
        let side = if stem == "test_batch" { &mut test } else { &mut train };
        for (record, label) in own.into_iter().enumerate() {
            let mapped = usize::try_from(label).ok().and_then(|label| labels.get(label));
            let Some(mapped) = mapped else {
                return Err(DataError::CifarLabel { member: name.clone(), record, label, classes: all.len() });
            };
            if let Some(label) = *mapped {
                let offset = record * stride + (stride - PIXELS);
                let stored = Stored::Record { batch: Arc::clone(&batch), offset };
                side.push(Candidate { path: format!("{stem}/{record:05}"), label, stored });
            }
        }
    }
    Ok((train, test))
}

/// The archive's classes, in the order of its labels.
fn class_names(tree: &Tree, kind: Kind) -> Result<Vec<String>, DataError> {
    let binary = kind == Kind::CifarBinary;
    let member = if binary { BINARY_CLASSES } else { PYTHON_CLASSES };
    let stored =
        unwrap(tree).1.files.get(member).ok_or_else(|| DataError::CifarMember { path: tree.path.clone(), member })?;
    let bytes = stored.bytes()?;
    if binary {
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
    } else {
        let names = Pickle::parse(&bytes).and_then(|pickle| pickle.strings("label_names"));
        names.map_err(|source| DataError::CifarPickle { member: member.to_owned(), source })
    }
}

/// A batch's bytes, the distance between its records (whose last [`PIXELS`] bytes are the pixels), and their labels.
type Batch = (Arc<[u8]>, usize, Vec<i64>);

fn binary_batch(name: &str, bytes: Arc<[u8]>) -> Result<Batch, DataError> {
    if bytes.is_empty() || !bytes.len().is_multiple_of(RECORD) {
        return Err(DataError::CifarLength { member: name.to_owned(), got: bytes.len() });
    }
    let labels = bytes.chunks_exact(RECORD).map(|record| i64::from(record[0])).collect();
    Ok((bytes, RECORD, labels))
}

fn python_batch(name: &str, bytes: &[u8]) -> Result<Batch, DataError> {
    let read = || {
        let pickle = Pickle::parse(bytes)?;
        let labels = pickle.integers("labels")?;
        let (rows, pixels) = pickle.rows("data", PIXELS)?;
        if rows != labels.len() {
            return Err(PickleError::Key { key: "labels", expected: "as long as `data` has rows" });
        }
        Ok((Arc::from(pixels), PIXELS, labels))
    };
    read().map_err(|source| DataError::CifarPickle { member: name.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::{Path, PathBuf};

    use super::super::{DataOptions, Dataset, Validation, open, open_labelled};
    use super::*;
    use crate::image::Limits;

    const NAMES: [&str; 10] =
        ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

    /// The golden archive's batches: their names and labels.
    const BATCHES: [(&str, &[u8]); 3] =
        [("data_batch_1", &[3, 5, 3, 5]), ("data_batch_2", &[5, 3]), ("test_batch", &[5, 3])];

    fn golden(version: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/cifar").join(version)
    }

    fn pixel(record: usize, plane: usize, y: usize, x: usize) -> u8 {
        ((29 * record + 50 * plane + 3 * y + 5 * x) % 256) as u8
    }

    /// The golden archive's files in the binary version.
    fn binary() -> Vec<(String, Vec<u8>)> {
        let mut files = vec![("batches.meta.txt".to_owned(), NAMES.join("\n").into_bytes())];
        let mut record = 0;
        for (name, labels) in BATCHES {
            let mut bytes = Vec::new();
            for label in labels {
                bytes.push(*label);
                bytes.extend((0..PIXELS).map(|i| pixel(record, i / PLANE, i % PLANE / SIDE, i % SIDE)));
                record += 1;
            }
            files.push((format!("{name}.bin"), bytes));
        }
        files
    }

    fn write(files: &[(String, Vec<u8>)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            crate::fs::write_atomic(&folder.path().join("cifar-10-batches-bin").join(name), bytes).unwrap();
        }
        folder
    }

    fn compressed(folder: &str, files: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, format!("{folder}/{name}"), bytes.as_slice()).unwrap();
        }
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&archive.into_inner().unwrap()).unwrap();
        gzip.finish().unwrap()
    }

    fn test_protocol(path: &Path) -> Dataset {
        let classes = vec!["dog".to_owned(), "cat".to_owned()];
        open(path, &DataOptions { validation: Validation::Test, classes, ..Default::default() }).unwrap()
    }

    #[test]
    fn all_versions_are_the_same_data_set() {
        let folder = write(&binary());
        let archive = folder.path().join("cifar-10-binary.tar.gz");
        crate::fs::write_atomic(&archive, &compressed("cifar-10-batches-bin", &binary())).unwrap();
        let inner = folder.path().join("cifar-10-batches-bin");
        let paths = [inner, archive, golden("python2"), golden("python3")];
        let sets: Vec<Dataset> = paths.iter().map(|path| test_protocol(path)).collect();
        assert_eq!(
            sets.iter().map(|set| set.kind.to_string()).collect::<Vec<_>>(),
            ["CIFAR-10 binary", "CIFAR-10 binary", "CIFAR-10 Python", "CIFAR-10 Python"]
        );
        assert_eq!(sets[1].name, "cifar-10-binary");
        for set in &sets {
            assert_eq!(set.fingerprint(), sets[0].fingerprint(), "{}", set.path.display());
            assert_eq!(set.classes, ["dog", "cat"]);
            let samples: Vec<(&str, usize)> = set.train.iter().map(|s| (s.path.as_str(), s.label)).collect();
            assert_eq!(
                samples,
                [
                    ("data_batch_1/00000", 1),
                    ("data_batch_1/00001", 0),
                    ("data_batch_1/00002", 1),
                    ("data_batch_1/00003", 0),
                    ("data_batch_2/00000", 0),
                    ("data_batch_2/00001", 1),
                ]
            );
            assert_eq!(set.validation.len(), 2);
            let picture = set.train[4].picture(&Limits::default()).unwrap();
            assert_eq!((picture.width(), picture.height()), (32, 32));
            let expected: Vec<u8> = (0..PIXELS).map(|i| pixel(4, i % 3, i / 3 / SIDE, i / 3 % SIDE)).collect();
            assert_eq!(picture.pixels(), expected);
        }
    }

    #[test]
    fn validation_is_split_from_the_training_batches() {
        let classes = vec!["cat".to_owned(), "dog".to_owned()];
        let set = open(golden("python2"), &DataOptions { classes, ..Default::default() }).unwrap();
        assert_eq!((set.train.len(), set.validation.len(), set.test.len()), (4, 2, 2));
    }

    #[test]
    fn a_classifier_is_judged_by_the_test_batch() {
        let set = open_labelled(golden("python3"), &["dog".to_owned(), "wolf".to_owned()], false).unwrap();
        assert_eq!(set.test.iter().map(|s| (s.path.as_str(), s.label)).collect::<Vec<_>>(), [("test_batch/00000", 0)]);
        assert!(set.warnings[0].to_string().contains("airplane"), "{:?}", set.warnings);
    }

    #[test]
    fn what_is_wrong_with_a_batch_is_said() {
        let error = |change: fn(&mut Vec<(String, Vec<u8>)>)| {
            let mut files = binary();
            change(&mut files);
            open(write(&files).path(), &DataOptions::default()).unwrap_err()
        };
        let short = error(|files| files[1].1.truncate(5000));
        assert!(matches!(short, DataError::CifarLength { got: 5000, .. }), "{short}");
        let label = error(|files| files[2].1[3073] = 10);
        assert!(matches!(label, DataError::CifarLabel { record: 1, label: 10, classes: 10, .. }), "{label}");
        let names = error(|files| drop(files.remove(0)));
        assert!(matches!(names, DataError::CifarMember { member: BINARY_CLASSES, .. }), "{names}");
        let batches = error(|files| files.retain(|(name, _)| !name.starts_with("data")));
        assert!(matches!(batches, DataError::CifarMember { member: "data_batch_1", .. }), "{batches}");
    }

    #[test]
    fn cut_off_and_altered_pickles_are_errors_not_panics() {
        let mut tried = 0;
        for version in ["python2", "python3"] {
            for name in ["batches.meta", "data_batch_2"] {
                let good = crate::fs::read(&golden(version).join(name)).unwrap();
                let head = good.len().min(500);
                for length in (0..head).chain(good.len() - 40..good.len()) {
                    assert!(Pickle::parse(&good[..length]).is_err(), "{version}/{name} {length}");
                    tried += 1;
                }
                for place in (0..head).chain(good.len() - 40..good.len()) {
                    for value in [0, 1, b'.', b'b', b'R', b'h', 0x8a, 0xff] {
                        let mut altered = good.clone();
                        altered[place] = value;
                        if let Ok(pickle) = Pickle::parse(&altered) {
                            let _ =
                                (pickle.integers("labels"), pickle.strings("label_names"), pickle.rows("data", PIXELS));
                        }
                        tried += 1;
                    }
                }
            }
        }
        assert!(tried > 1000, "{tried}");
    }

    #[test]
    fn a_cut_off_archive_is_an_error_not_a_panic() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cifar.tar.gz");
        let whole = compressed("cifar", &binary());
        for share in [0, 1, 10, 50, 90, 99] {
            crate::fs::write_atomic(&path, &whole[..whole.len() * share / 100]).unwrap();
            let error = open(&path, &DataOptions::default()).unwrap_err();
            let expected = matches!(error, DataError::Archive { .. } | DataError::NoPictures { .. });
            assert!(expected, "{share}: {error}");
        }
    }
}
