//! A data set that was read: its sides, its counts, its fingerprint, its tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use super::archive::Packing;
use super::error::{DataError, counted};
use super::manifest::Format;
use super::options::LimitPerClass;
use super::split::{Content, set_aside};
use super::stored::{Sample, Skipped};
use super::tree::Tree;
use crate::error::shortened;
use crate::fs::{self, FsError};

/// Labelled pictures, in three sides. Each side lies in byte order of its paths.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Dataset {
    /// The folder's name, or the archive's without its ending.
    pub name: String,
    /// The path as it was given.
    pub path: PathBuf,
    /// How it was recognised.
    pub kind: Kind,
    /// The classes' names; a label is an index into them. In byte order, CIFAR's in the archive's, or in the filter's.
    pub classes: Vec<String>,
    /// What is trained on.
    pub train: Vec<Sample>,
    /// What chooses the best epoch.
    pub validation: Vec<Sample>,
    /// What chooses nothing: for one evaluation at the end. Often empty.
    pub test: Vec<Sample>,
    /// Pictures that can't be read.
    pub skipped: Vec<Skipped>,
    /// How many files aren't pictures.
    pub ignored: usize,
    /// What a person should know before trusting a figure.
    pub warnings: Vec<Warning>,
}

/// How a data set was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A folder per class.
    Folders,
    /// A folder per class, in a tar archive.
    TarOfFolders,
    /// A folder per class, in a zip archive.
    ZipOfFolders,
    /// CIFAR-10's binary version.
    CifarBinary,
    /// CIFAR-10's Python version.
    CifarPython,
    /// CIFAR-100's binary version.
    Cifar100Binary,
    /// CIFAR-100's Python version.
    Cifar100Python,
    /// A table of paths and labels.
    Table(TableKind),
    /// A folder of pictures with a table of metadata.
    Metadata,
    /// A folder of pictures with a table of metadata, in an archive.
    MetadataInArchive,
}

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableKind {
    /// Comma-separated.
    Csv,
    /// Separated by tabs.
    Tsv,
    /// A JSON object a line.
    JsonLines,
}

impl From<Format> for TableKind {
    fn from(format: Format) -> TableKind {
        match format {
            Format::Csv => TableKind::Csv,
            Format::Tsv => TableKind::Tsv,
            Format::JsonLines => TableKind::JsonLines,
        }
    }
}

impl Kind {
    pub(super) fn folders(tree: &Tree) -> Kind {
        match tree.archive {
            None => Kind::Folders,
            Some(Packing::Tar | Packing::TarGz) => Kind::TarOfFolders,
            Some(Packing::Zip) => Kind::ZipOfFolders,
        }
    }

    pub(super) fn metadata(tree: &Tree) -> Kind {
        if tree.archive.is_some() { Kind::MetadataInArchive } else { Kind::Metadata }
    }

    /// Whether pictures lie in random order, not class by class.
    pub fn is_shuffled(self) -> bool {
        use Kind::{Cifar100Binary, Cifar100Python, CifarBinary, CifarPython};
        matches!(self, CifarBinary | CifarPython | Cifar100Binary | Cifar100Python)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Folders => "folder per class",
            Kind::TarOfFolders => "folder per class, tar archive",
            Kind::ZipOfFolders => "folder per class, zip archive",
            Kind::CifarBinary => "CIFAR-10 binary",
            Kind::CifarPython => "CIFAR-10 Python",
            Kind::Cifar100Binary => "CIFAR-100 binary",
            Kind::Cifar100Python => "CIFAR-100 Python",
            Kind::Table(TableKind::Csv) => "table, CSV",
            Kind::Table(TableKind::Tsv) => "table, TSV",
            Kind::Table(TableKind::JsonLines) => "table, JSON lines",
            Kind::Metadata => "pictures with a metadata table",
            Kind::MetadataInArchive => "pictures with a metadata table, archived",
        })
    }
}

/// What a person should know before trusting a figure.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The test pictures choose the best epoch.
    TestIsValidation,
    /// A share was asked for, but there is a validation folder.
    FractionUnused,
    /// A folder beside `train` isn't used.
    Unused {
        /// Relative to the data set.
        folder: String,
    },
    /// Validation lines of a table aren't used.
    LinesUnused {
        /// How many.
        lines: usize,
    },
    /// Pictures beside the class folders aren't used.
    Loose {
        /// Where they lie.
        folder: PathBuf,
        /// How many.
        pictures: usize,
    },
    /// A class folder without pictures, in data that are only examined.
    EmptyClass {
        /// The class.
        class: String,
        /// Its folder.
        folder: PathBuf,
    },
    /// The test folder lacks a class.
    NotInTest {
        /// The class.
        class: String,
    },
    /// Labelled pictures of classes that the classifier doesn't know are left out.
    Untrained {
        /// The classes.
        classes: Vec<String>,
    },
    /// Too few different pictures to set one aside.
    NoValidation {
        /// The classes.
        classes: Vec<String>,
    },
    /// The same picture in two classes.
    TwoClasses {
        /// How many different pictures are.
        pictures: usize,
        /// Two paths of one of them.
        example: [String; 2],
    },
    /// The same picture on two sides, so that the second side's figures flatter.
    TwoSides {
        /// The sides' names.
        sides: [&'static str; 2],
        /// How many pictures of the second side are on the first, too.
        pictures: usize,
        /// Two paths of one of them.
        example: [String; 2],
    },
}

/// The side that a classifier learns from, in `split.csv` and in what is said.
pub(super) const TRAIN: &str = "train";

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::TestIsValidation => f.write_str(
                "the test pictures are used for validation, so no figure is measured on pictures that chose nothing",
            ),
            Warning::FractionUnused => {
                f.write_str("`validation` gives a share, but there is a validation folder, which is used instead")
            }
            Warning::Unused { folder } => write!(f, "the folder `{folder}` lies beside `train` and isn't used"),
            Warning::LinesUnused { lines } => {
                write!(f, "{} of the table's validation lines not used", counted(*lines))
            }
            Warning::Loose { folder, pictures } => {
                write!(f, "{} in {} in no class folder, not used", counted(*pictures), folder.display())
            }
            Warning::EmptyClass { folder, .. } => write!(f, "the class folder {} holds no pictures", folder.display()),
            Warning::NotInTest { class } => write!(f, "the test folder has no class `{class}`"),
            Warning::Untrained { classes } => {
                write!(f, "the classifier doesn't know these classes, which are left out: {}", shortened(classes, 5))
            }
            Warning::NoValidation { classes } => {
                write!(f, "too few different pictures to set one aside for validation: {}", shortened(classes, 5))
            }
            Warning::TwoClasses { pictures, example: [a, b] } => {
                write!(f, "{} in more than one class, such as {a} and {b}", counted(*pictures))
            }
            Warning::TwoSides { sides: [first, second], pictures, example: [a, b] } => write!(
                f,
                "{} of the {second} side {} on the {first} side, too, such as {b} and {a}: the {second} figures flatter",
                counted(*pictures),
                if *pictures == 1 { "is" } else { "are" }
            ),
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

/// A class's pictures by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassCount {
    /// The class.
    pub class: String,
    /// Training pictures.
    pub train: usize,
    /// Validation pictures.
    pub validation: usize,
    /// Test pictures.
    pub test: usize,
}

impl Dataset {
    /// The sides by their names, in `split.csv`'s words.
    pub fn sides(&self) -> [(&'static str, &[Sample]); 3] {
        [(TRAIN, &self.train), ("validation", &self.validation), ("test", &self.test)]
    }

    /// How many pictures each class has, in the classes' order.
    pub fn class_counts(&self) -> Vec<ClassCount> {
        let empty = |class: &String| ClassCount { class: class.clone(), train: 0, validation: 0, test: 0 };
        let mut counts: Vec<ClassCount> = self.classes.iter().map(empty).collect();
        self.train.iter().for_each(|sample| counts[sample.label].train += 1);
        self.validation.iter().for_each(|sample| counts[sample.label].validation += 1);
        self.test.iter().for_each(|sample| counts[sample.label].test += 1);
        counts
    }

    /// BLAKE3 over the classes and, for each side in order, every picture's label and content: equal for data sets that
    /// train alike, wherever they lie.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        let count = |hasher: &mut blake3::Hasher, n: usize| {
            hasher.update(&(n as u64).to_le_bytes());
        };
        count(&mut hasher, self.classes.len());
        for class in &self.classes {
            count(&mut hasher, class.len());
            hasher.update(class.as_bytes());
        }
        for (_, side) in self.sides() {
            count(&mut hasher, side.len());
            for sample in side {
                count(&mut hasher, sample.label);
                hasher.update(&sample.content);
            }
        }
        *hasher.finalize().as_bytes()
    }

    /// Writes `split.csv`: a line a picture, `path,class,split,content` (BLAKE3 in hexadecimal).
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write_split_csv(&self, path: &Path) -> Result<(), DataError> {
        let rows = self.sides().into_iter().flat_map(|(side, samples)| {
            samples.iter().map(move |sample| {
                let content = blake3::Hash::from(sample.content).to_hex();
                [sample.path.clone(), self.classes[sample.label].clone(), side.to_owned(), content.to_string()]
            })
        });
        write_csv(path, ["path", "class", "split", "content"], rows)
    }

    /// The contents of the training pictures that a `split.csv` lists; none where there is no such file.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn trained_contents(path: &Path) -> Result<BTreeSet<[u8; 32]>, DataError> {
        if !path.is_file() {
            return Ok(BTreeSet::new());
        }
        let bytes = fs::read(path)?;
        let records = csv::Reader::from_reader(bytes.as_slice()).into_records().flatten().collect::<Vec<_>>();
        let trained = records.iter().filter(|record| record.get(2) == Some(TRAIN));
        Ok(trained.filter_map(|record| Some(*blake3::Hash::from_hex(record.get(3)?).ok()?.as_bytes())).collect())
    }

    /// Writes `skipped.csv`: a line for each picture that can't be read, `path,class,reason`.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write_skipped_csv(&self, path: &Path) -> Result<(), DataError> {
        let rows = self
            .skipped
            .iter()
            .map(|skipped| [skipped.path.clone(), self.classes[skipped.label].clone(), skipped.reason.clone()]);
        write_csv(path, ["path", "class", "reason"], rows)
    }

    /// Sets a share of the training pictures aside for validation.
    pub(super) fn split(&mut self, fraction: f32, seed: u64) -> Result<(), DataError> {
        let pictures: Vec<(usize, Content)> = self.train.iter().map(|sample| (sample.label, sample.content)).collect();
        let mut aside = set_aside(&pictures, fraction, seed).into_iter();
        let (validation, train): (Vec<Sample>, Vec<Sample>) =
            std::mem::take(&mut self.train).into_iter().partition(|_| aside.next() == Some(true));
        if validation.is_empty() {
            return Err(DataError::NothingToSplit);
        }
        (self.train, self.validation) = (train, validation);
        let bare = self.class_counts().into_iter().filter(|count| count.validation == 0);
        let classes: Vec<String> = bare.map(|count| count.class).collect();
        if !classes.is_empty() {
            self.warnings.push(Warning::NoValidation { classes });
        }
        Ok(())
    }

    /// Keeps the first pictures of each class.
    pub(super) fn limit(&mut self, limit: LimitPerClass) {
        let classes = self.classes.len();
        let keep = |side: &mut Vec<Sample>, most: Option<usize>| {
            let Some(most) = most else { return };
            let mut seen = vec![0; classes];
            side.retain(|sample| {
                seen[sample.label] += 1;
                seen[sample.label] <= most
            });
        };
        keep(&mut self.train, limit.train);
        keep(&mut self.validation, limit.validation);
        keep(&mut self.test, limit.test);
    }

    /// Warns of exact copies with two labels or on two sides.
    pub(super) fn warn_of_copies(&mut self) {
        let mut first: BTreeMap<Content, &Sample> = BTreeMap::new();
        let mut contradictions: BTreeMap<Content, [String; 2]> = BTreeMap::new();
        for sample in self.sides().into_iter().flat_map(|(_, samples)| samples) {
            let known = first.entry(sample.content).or_insert(sample);
            if known.label != sample.label {
                contradictions.entry(sample.content).or_insert_with(|| [known.path.clone(), sample.path.clone()]);
            }
        }
        let mut warnings = Vec::new();
        let pictures = contradictions.len();
        if let Some((_, example)) = contradictions.pop_first() {
            warnings.push(Warning::TwoClasses { pictures, example });
        }
        let sides = self.sides();
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            let on_first: BTreeMap<Content, &Sample> =
                sides[a].1.iter().map(|sample| (sample.content, sample)).collect();
            let mut copies = sides[b].1.iter().filter_map(|sample| Some((*on_first.get(&sample.content)?, sample)));
            if let Some((one, other)) = copies.next() {
                let example = [one.path.clone(), other.path.clone()];
                warnings.push(Warning::TwoSides {
                    sides: [sides[a].0, sides[b].0],
                    pictures: 1 + copies.count(),
                    example,
                });
            }
        }
        self.warnings.append(&mut warnings);
    }
}

fn write_csv<const N: usize>(
    path: &Path,
    header: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Result<(), DataError> {
    let table = || -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(header)?;
        for row in rows {
            writer.write_record(row)?;
        }
        writer.into_inner().map_err(|error| csv::Error::from(std::io::Error::other(error.to_string())))
    };
    let table = table().map_err(|error| FsError::at("write", path)(error.into()))?;
    fs::write_atomic(path, &table)?;
    Ok(())
}
