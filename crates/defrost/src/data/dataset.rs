//! A data set that was read: its sides, its counts, its fingerprint, its tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use super::earlier::{Kept, SplitLine};
use super::error::DataError;
use super::kind::Kind;
use super::options::LimitPerClass;
use super::split::Content;
use super::stored::{Sample, Skipped};
use super::warning::Warning;
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
    /// How many pictures were left out, as asked for.
    pub excluded: usize,
    /// How many pictures were given another class, as asked for.
    pub relabelled: usize,
    /// How many pictures were added to the training pictures, as asked for.
    pub added: usize,
    /// The earlier split that was kept.
    pub kept: Option<Kept>,
    /// What a person should know before trusting a figure.
    pub warnings: Vec<Warning>,
}

/// The side that a classifier learns from, in `split.csv` and in what is said.
pub(super) const TRAIN: &str = "train";

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
    /// When the file can't be read, or isn't such a table.
    pub fn trained_contents(path: &Path) -> Result<BTreeSet<[u8; 32]>, DataError> {
        if !path.is_file() {
            return Ok(BTreeSet::new());
        }
        let lines = SplitLine::read(path)?;
        Ok(lines.into_iter().filter(|line| line.side() == TRAIN).map(|line| line.content).collect())
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
        warnings.extend(self.parted_groups());
        self.warnings.append(&mut warnings);
    }

    /// A warning of groups that lie on two sides.
    fn parted_groups(&self) -> Option<Warning> {
        let mut first: BTreeMap<&str, &'static str> = BTreeMap::new();
        let mut parted: BTreeMap<&str, [&'static str; 2]> = BTreeMap::new();
        for (side, samples) in self.sides() {
            for group in samples.iter().filter_map(|sample| sample.group.as_deref()) {
                let known = *first.entry(group).or_insert(side);
                if known != side {
                    parted.entry(group).or_insert([known, side]);
                }
            }
        }
        let groups = parted.len();
        let (example, sides) = parted.pop_first()?;
        Some(Warning::GroupOnTwoSides { groups, example: example.to_owned(), sides })
    }
}

pub(super) fn write_csv<const N: usize>(
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
