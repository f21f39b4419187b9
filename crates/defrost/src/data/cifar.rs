//! CIFAR-10 and CIFAR-100 as their authors publish them: binary (`data_batch_1.bin`, … and `train.bin`, `test.bin`) and for
//! Python (`data_batch_1`, … and `train`, `test`: pickles).
//!
//! Invariant: both versions give the same samples: the same paths, order, labels and contents.
//!
//! # Reference
//! Krizhevsky 2009, *Learning Multiple Layers of Features from Tiny Images*.

use std::sync::Arc;

use super::folder::{Listing, chosen, untrained, unwrap};
use super::pickle::{Pickle, PickleError};
use super::stored::{Candidate, Stored};
use super::tree::Tree;
use super::{DataError, Kind, Labels};

/// Width and height of a picture.
pub(super) const SIDE: usize = 32;
/// Bytes of a picture: three planes, red, green, blue.
pub(super) const PIXELS: usize = 3 * PLANE;
const PLANE: usize = SIDE * SIDE;
/// Which of the two, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    hundred: bool,
    binary: bool,
}

impl Version {
    const ALL: [Version; 4] = [
        Version { hundred: false, binary: true },
        Version { hundred: false, binary: false },
        Version { hundred: true, binary: true },
        Version { hundred: true, binary: false },
    ];

    pub(super) fn kind(self) -> Kind {
        match (self.hundred, self.binary) {
            (false, true) => Kind::CifarBinary,
            (false, false) => Kind::CifarPython,
            (true, true) => Kind::Cifar100Binary,
            (true, false) => Kind::Cifar100Python,
        }
    }

    /// Whether pictures have two labels.
    pub(super) fn has_coarse(self) -> bool {
        self.hundred
    }

    fn name(self) -> &'static str {
        if self.hundred { "CIFAR-100" } else { "CIFAR-10" }
    }

    /// The file that names the classes.
    fn classes(self, labels: Labels) -> &'static str {
        match (self.hundred, self.binary, labels) {
            (false, true, _) => "batches.meta.txt",
            (false, false, _) => "batches.meta",
            (true, true, Labels::Fine) => "fine_label_names.txt",
            (true, true, Labels::Coarse) => "coarse_label_names.txt",
            (true, false, _) => "meta",
        }
    }

    /// The keys of the names and of the labels in the Python version.
    fn keys(self, labels: Labels) -> (&'static str, &'static str) {
        match (self.hundred, labels) {
            (false, _) => ("label_names", "labels"),
            (true, Labels::Fine) => ("fine_label_names", "fine_labels"),
            (true, Labels::Coarse) => ("coarse_label_names", "coarse_labels"),
        }
    }

    /// A batch's name without its ending, if the file is one.
    fn batch(self, file: &str) -> Option<&str> {
        let stem = if self.binary { file.strip_suffix(".bin")? } else { file };
        let known = match self.hundred {
            true => stem == "train" || stem == "test",
            false => {
                let number = stem.strip_prefix("data_batch_").unwrap_or_default();
                stem == "test_batch" || (!number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
            }
        };
        known.then_some(stem)
    }

    fn test_batch(self) -> &'static str {
        if self.hundred { "test" } else { "test_batch" }
    }

    fn first_batch(self) -> &'static str {
        if self.hundred { "train" } else { "data_batch_1" }
    }

    /// Bytes before a binary record's pixels: the label; of CIFAR-100 the coarse, then the fine one.
    fn label_bytes(self) -> usize {
        if self.hundred { 2 } else { 1 }
    }
}

/// Whether a file's name is one of the archives'.
pub(super) fn is_member(name: &str) -> bool {
    Version::ALL.iter().any(|version| {
        version.batch(name).is_some() || [Labels::Fine, Labels::Coarse].iter().any(|of| version.classes(*of) == name)
    })
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

/// Which version lies in a tree, if any. CIFAR-100's files have such plain names that only the names of the classes beside
/// them tell.
pub(super) fn recognise(tree: &Tree) -> Option<Version> {
    let (_, folder) = unwrap(tree);
    Version::ALL.into_iter().find(|version| {
        folder.files.keys().any(|file| version.batch(file).is_some())
            && (!version.hundred || folder.files.contains_key(version.classes(Labels::Fine)))
    })
}

/// Lists the records: those of the training batches to train, of the test batch to test; `filter` chooses and orders the
/// classes.
pub(super) fn list(tree: &Tree, version: Version, labels: Labels, filter: &[String]) -> Result<Listing, DataError> {
    let all = class_names(tree, version, labels)?;
    let known: Vec<&str> = all.iter().map(String::as_str).collect();
    let classes = chosen(&tree.path, &known, filter)?;
    let mut listing = Listing::of(classes);
    (listing.train, listing.test) = records(tree, version, labels, &all, &listing.classes)?;
    listing.ignored = unwrap(tree).1.others;
    match listing.train.is_empty() {
        true => Err(missing(tree, version, version.first_batch())),
        false => Ok(listing),
    }
}

/// Lists the test batch's records of a finished classifier's `classes`, which are fine or coarse ones.
pub(super) fn list_labelled(tree: &Tree, version: Version, classes: &[String]) -> Result<Listing, DataError> {
    let (mut labels, mut all) = (Labels::Fine, class_names(tree, version, Labels::Fine)?);
    if version.has_coarse() && !all.iter().any(|class| classes.contains(class)) {
        (labels, all) = (Labels::Coarse, class_names(tree, version, Labels::Coarse)?);
    }
    let found: Vec<&str> = all.iter().map(String::as_str).collect();
    let mut listing = Listing::of(classes.to_vec());
    listing.warnings.extend(untrained(&tree.path, &found, classes)?);
    (_, listing.test) = records(tree, version, labels, &all, classes)?;
    match listing.test.is_empty() {
        true => Err(missing(tree, version, version.test_batch())),
        false => Ok(listing),
    }
}

fn missing(tree: &Tree, version: Version, member: &'static str) -> DataError {
    DataError::CifarMember { path: tree.path.clone(), name: version.name(), member }
}

/// The training and the test records whose class is one of `classes`; `all` are the archive's own classes.
fn records(
    tree: &Tree,
    version: Version,
    labels: Labels,
    all: &[String],
    classes: &[String],
) -> Result<(Vec<Candidate>, Vec<Candidate>), DataError> {
    let numbers: Vec<Option<usize>> = all.iter().map(|class| classes.iter().position(|own| own == class)).collect();
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for (name, stored) in &unwrap(tree).1.files {
        let Some(stem) = version.batch(name) else { continue };
        let (batch, stride, own) = match version.binary {
            true => binary_batch(name, stored.shared()?, version, labels)?,
            false => python_batch(name, &stored.bytes()?, version, labels)?,
        };
        let side = if stem == version.test_batch() { &mut test } else { &mut train };
        for (record, label) in own.into_iter().enumerate() {
            let mapped = usize::try_from(label).ok().and_then(|label| numbers.get(label));
            let Some(mapped) = mapped else {
                return Err(DataError::CifarLabel { member: name.clone(), record, label, classes: all.len() });
            };
            if let Some(label) = *mapped {
                let offset = record * stride + (stride - PIXELS);
                let stored = Stored::Record { batch: Arc::clone(&batch), offset };
                side.push(Candidate::new(format!("{stem}/{record:05}"), label, stored));
            }
        }
    }
    Ok((train, test))
}

/// The archive's classes, in the order of its labels.
fn class_names(tree: &Tree, version: Version, labels: Labels) -> Result<Vec<String>, DataError> {
    let member = version.classes(labels);
    let stored = unwrap(tree).1.files.get(member).ok_or_else(|| missing(tree, version, member))?;
    let bytes = stored.bytes()?;
    if version.binary {
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
    } else {
        let (key, _) = version.keys(labels);
        let names = Pickle::parse(&bytes).and_then(|pickle| pickle.strings(key));
        names.map_err(|source| DataError::CifarPickle { member: member.to_owned(), source })
    }
}

/// A batch's bytes, the distance between its records (whose last [`PIXELS`] bytes are the pixels), and their labels.
type Batch = (Arc<[u8]>, usize, Vec<i64>);

fn binary_batch(name: &str, bytes: Arc<[u8]>, version: Version, labels: Labels) -> Result<Batch, DataError> {
    let record = version.label_bytes() + PIXELS;
    if bytes.is_empty() || !bytes.len().is_multiple_of(record) {
        return Err(DataError::CifarLength { member: name.to_owned(), record, got: bytes.len() });
    }
    // The fine label is the last before the pixels, the coarse one the first.
    let place = if labels == Labels::Fine { version.label_bytes() - 1 } else { 0 };
    let labels = bytes.chunks_exact(record).map(|record| i64::from(record[place])).collect();
    Ok((bytes, record, labels))
}

fn python_batch(name: &str, bytes: &[u8], version: Version, labels: Labels) -> Result<Batch, DataError> {
    let (_, key) = version.keys(labels);
    let read = || {
        let pickle = Pickle::parse(bytes)?;
        let labels = pickle.integers(key)?;
        let (rows, pixels) = pickle.rows("data", PIXELS)?;
        if rows != labels.len() {
            return Err(PickleError::Key { key, expected: "as long as `data` has rows" });
        }
        Ok((Arc::from(pixels), PIXELS, labels))
    };
    read().map_err(|source| DataError::CifarPickle { member: name.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::{Path, PathBuf};

    use proptest::prelude::*;

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
        assert!(matches!(names, DataError::CifarMember { member: "batches.meta.txt", .. }), "{names}");
        let batches = error(|files| files.retain(|(name, _)| !name.starts_with("data")));
        assert!(matches!(batches, DataError::CifarMember { member: "data_batch_1", .. }), "{batches}");
    }

    /// CIFAR-100 of two fine classes in each of two coarse ones: the binary version, and the Python one as protocol 2.
    fn hundred() -> [Vec<(String, Vec<u8>)>; 2] {
        let (fine, coarse) = (["apple", "bear", "beaver", "bee"], ["food", "animals"]);
        let labels: [(&str, &[u8]); 2] = [("train", &[0, 1, 2, 3, 3, 2, 1, 0]), ("test", &[1, 0])];
        let lines = |names: &[&str]| names.join("\n").into_bytes();
        let mut binary = vec![
            ("fine_label_names.txt".to_owned(), lines(&fine)),
            ("coarse_label_names.txt".to_owned(), lines(&coarse)),
        ];
        let short = |text: &str| [&[b'U', text.len() as u8], text.as_bytes()].concat();
        let list = |items: Vec<Vec<u8>>| [b"](".to_vec(), items.concat(), b"e".to_vec()].concat();
        let names = |names: &[&str]| list(names.iter().map(|name| short(name)).collect());
        let numbers = |numbers: Vec<u8>| list(numbers.into_iter().map(|number| vec![b'K', number]).collect());
        let dict = |items: &[(&str, Vec<u8>)]| {
            let items: Vec<u8> = items.iter().flat_map(|(key, value)| [short(key), value.clone()].concat()).collect();
            [&b"\x80\x02}("[..], &items, b"u."].concat()
        };
        let meta = dict(&[("fine_label_names", names(&fine)), ("coarse_label_names", names(&coarse))]);
        let mut python = vec![("meta".to_owned(), meta)];
        let coarse_of = |fine: u8| u8::from(fine > 0);
        let mut record = 0;
        for (name, labels) in labels {
            let (mut bytes, mut data) = (Vec::new(), Vec::new());
            for fine in labels {
                let pixels: Vec<u8> =
                    (0..PIXELS).map(|i| pixel(record, i / PLANE, i % PLANE / SIDE, i % SIDE)).collect();
                bytes.extend([coarse_of(*fine), *fine]);
                bytes.extend(&pixels);
                data.extend(pixels);
                record += 1;
            }
            binary.push((format!("{name}.bin"), bytes));
            let rows = labels.len() as u8;
            let array = [
                &b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R(K\x01K"[..],
                &[rows],
                b"M\0\x0c\x86cnumpy\ndtype\nU\x02u1K\0K\x01\x87R\x89T",
                &(data.len() as u32).to_le_bytes(),
                &data,
                b"tb",
            ]
            .concat();
            let coarse = numbers(labels.iter().copied().map(coarse_of).collect());
            let items = [("fine_labels", numbers(labels.to_vec())), ("coarse_labels", coarse), ("data", array)];
            python.push((name.to_owned(), dict(&items)));
        }
        [binary, python]
    }

    #[test]
    fn both_versions_of_cifar_100_have_fine_and_coarse_labels() {
        let mut prints = Vec::new();
        for (files, kind) in hundred().iter().zip(["CIFAR-100 binary", "CIFAR-100 Python"]) {
            let folder = write(files);
            let open = |labels| open(folder.path(), &DataOptions { labels, ..Default::default() }).unwrap();
            let fine = open(Labels::Fine);
            assert_eq!(fine.kind.to_string(), kind);
            assert_eq!(fine.classes, ["apple", "bear", "beaver", "bee"]);
            assert_eq!((fine.train.len(), fine.validation.len(), fine.test.len()), (4, 4, 2));
            assert_eq!((fine.test[1].path.as_str(), fine.test[1].label), ("test/00001", 0));
            let coarse = open(Labels::Coarse);
            assert_eq!(coarse.classes, ["food", "animals"]);
            assert_eq!(coarse.test.iter().map(|sample| sample.label).collect::<Vec<_>>(), [1, 0]);
            let picture = fine.test[0].picture(&Limits::default()).unwrap();
            assert_eq!(picture.pixels()[3], pixel(8, 0, 0, 1));
            let judged = open_labelled(folder.path(), &coarse.classes, false).unwrap();
            assert_eq!(judged.test.len(), 2);
            prints.push((fine.fingerprint(), coarse.fingerprint()));
        }
        assert_eq!(prints[0], prints[1]);
        let folder = write(&binary());
        let error = open(folder.path(), &DataOptions { labels: Labels::Coarse, ..Default::default() }).unwrap_err();
        assert!(matches!(error, DataError::NoCoarseLabels { kind: Kind::CifarBinary, .. }), "{error}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_batch_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for version in Version::ALL {
                let _ = binary_batch("batch", bytes.clone().into(), version, Labels::Fine);
                let _ = python_batch("batch", &bytes, version, Labels::Coarse);
            }
        }
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
