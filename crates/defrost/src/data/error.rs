//! What can be wrong with a data set, each with its remedy.

use std::path::PathBuf;

use super::kind::Kind;
use super::options::Fold;
use super::pickle::PickleError;
use crate::error::{did_you_mean, shortened};
use crate::fs::FsError;
use crate::image::ImageError;

/// `1 picture`, `2 pictures`.
pub(super) fn counted(pictures: usize) -> String {
    format!("{pictures} picture{}", if pictures == 1 { "" } else { "s" })
}

/// Why a data set can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Nothing lies at the path.
    #[error("{} doesn't exist{hint}", path.display())]
    Missing {
        /// The path as it was given.
        path: PathBuf,
        /// A did-you-mean of its siblings, or nothing.
        hint: String,
    },
    /// A file that is in none of the forms of data.
    #[error("{} is a file, not a folder, an archive (.zip, .tar, .tar.gz) or a table; {remedy}", path.display())]
    NotAFolder {
        /// The path as it was given.
        path: PathBuf,
        /// What to give instead.
        remedy: &'static str,
    },
    /// A file or folder can't be read or written.
    #[error(transparent)]
    File(#[from] FsError),
    /// A damaged archive.
    #[error("{} can't be read as an archive: {source}; fetch or pack it again", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What the reader found.
        source: std::io::Error,
    },
    /// A compressed archive's pictures would fill the memory.
    #[error(
        "{} holds more than {limit} bytes of pictures, too many to keep in memory; unpack it and give the folder",
        path.display()
    )]
    ArchiveTooLarge {
        /// The archive.
        path: PathBuf,
        /// The most that is kept, in bytes.
        limit: u64,
    },
    /// A line of a table that makes no sense.
    #[error("{}, line {line}: expected {expected}; got {got}", path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What should be there.
        expected: String,
        /// What is there.
        got: String,
    },
    /// A table without labels.
    #[error(
        "{} has no column for the labels; add one called `label` (or `class`, `category`, `target`)",
        path.display()
    )]
    NoLabels {
        /// The table.
        path: PathBuf,
    },
    /// A class that a table has on one side only.
    #[error(
        "{}: the class `{class}` has {side} lines but no {missing} lines; add some, or choose the other classes with \
         `classes`",
        path.display()
    )]
    ClassOnOneSide {
        /// The table.
        path: PathBuf,
        /// The class.
        class: String,
        /// `train`, `validation` or `test`.
        side: &'static str,
        /// `train` or `validation`.
        missing: &'static str,
    },
    /// Coarse labels are asked for where there are none.
    #[error("`labels` = \"coarse\" is for CIFAR-100, but {} is a {kind}; leave it out", path.display())]
    NoCoarseLabels {
        /// The data.
        path: PathBuf,
        /// How it was recognised.
        kind: Kind,
    },
    /// Parquet files, but no code that reads them.
    #[error(
        "{} is in Parquet, which this program was built without; build it with `--features parquet`",
        path.display()
    )]
    NoParquet {
        /// The file or folder.
        path: PathBuf,
    },
    /// A Parquet file that isn't what it should be.
    #[error("{}: {reason}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong, and the remedy where there is one.
        reason: String,
    },
    /// The user stopped the work.
    #[error("stopped")]
    Cancelled,
    /// Not one picture anywhere.
    #[error(
        "{} holds no pictures; make one folder for each class and put the class's pictures into it",
        path.display()
    )]
    NoPictures {
        /// The folder or archive.
        path: PathBuf,
    },
    /// No picture to predict.
    #[error("{} holds no pictures; JPEG, PNG, WebP, GIF, BMP and TIFF are looked for, in all folders below", path.display())]
    NothingToPredict {
        /// The folder.
        path: PathBuf,
    },
    /// Pictures, but no class folders around them.
    #[error(
        "{at} holds {} but no class folders; make one folder for each class (`{at}/cat/`, `{at}/dog/`) and move each \
         picture into its class's",
        counted(*pictures), at = path.display()
    )]
    NoClassFolders {
        /// The folder or archive (or the part of it) in which class folders were expected.
        path: PathBuf,
        /// How many pictures lie there directly.
        pictures: usize,
    },
    /// Nothing to tell apart.
    #[error("{} has only one class (`{class}`); add a folder of pictures of something else", path.display())]
    OneClass {
        /// The folder or archive.
        path: PathBuf,
        /// The class.
        class: String,
    },
    /// The class filter leaves nothing to tell apart.
    #[error("`classes` names only `{class}`; name at least two of {}", shortened(known, 10))]
    OneChosen {
        /// The class.
        class: String,
        /// The classes that are there.
        known: Vec<String>,
    },
    /// A class folder without pictures.
    #[error(
        "the class folder {} holds no pictures; add some, remove the folder, or choose the other classes with \
         `classes`",
        path.display()
    )]
    EmptyClass {
        /// The class folder.
        path: PathBuf,
    },
    /// No picture of a class can be decoded.
    #[error(
        "the class `{class}` has no readable picture, but {} that can't be read, first {first}",
        counted(*pictures)
    )]
    UnreadableClass {
        /// The class.
        class: String,
        /// How many were tried.
        pictures: usize,
        /// The first one and its reason.
        first: String,
    },
    /// Validation or test pictures of a class that isn't trained.
    #[error(
        "the class `{class}` is in {} but not in {}; add training pictures of it, or choose the other classes \
         with `classes`",
        found.display(), missing.display()
    )]
    NotInTraining {
        /// The class.
        class: String,
        /// The folder that has it.
        found: PathBuf,
        /// The training folder, which hasn't.
        missing: PathBuf,
    },
    /// A trained class without validation pictures.
    #[error(
        "the class `{class}` is in {} but not in {}; add validation pictures of it, or remove that folder so that \
         they are split from the training pictures",
        found.display(), missing.display()
    )]
    NotInValidation {
        /// The class.
        class: String,
        /// The training folder.
        found: PathBuf,
        /// The validation folder, which hasn't.
        missing: PathBuf,
    },
    /// The class filter names a class that isn't there.
    #[error("`classes` names `{class}`, which {} doesn't have; it has {}{hint}", path.display(), shortened(known, 10))]
    UnknownClass {
        /// The name in the filter.
        class: String,
        /// The folder or archive.
        path: PathBuf,
        /// A did-you-mean, or nothing.
        hint: String,
        /// The classes that are there.
        known: Vec<String>,
    },
    /// The class filter names a class twice.
    #[error("`classes` names `{class}` twice; name each class once")]
    RepeatedClass {
        /// The class.
        class: String,
    },
    /// Labelled pictures of which none is of a class that the classifier was trained on.
    #[error(
        "{} has {}, none of which the classifier knows; it knows {}",
        path.display(), shortened(found, 10), shortened(known, 10)
    )]
    NoKnownClass {
        /// The folder or archive.
        path: PathBuf,
        /// Its classes.
        found: Vec<String>,
        /// The classifier's classes.
        known: Vec<String>,
    },
    /// Two folders that both mean validation, training or test.
    #[error("{} has both `{first}` and `{second}`, which mean the same; keep one", path.display())]
    TwoFolders {
        /// The folder or archive.
        path: PathBuf,
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// Validation or test folders without a training folder beside them.
    #[error("{} has `{found}` but no `train`; name the folder of training pictures `train`", path.display())]
    NoTrainingFolder {
        /// The folder or archive.
        path: PathBuf,
        /// What was found instead.
        found: String,
    },
    /// `validation = "test"` without test pictures.
    #[error(
        "`validation` is \"test\" but {} has no test pictures; add a `test` folder, or leave `validation` at \
         \"auto\"",
        path.display()
    )]
    NoTest {
        /// The folder or archive.
        path: PathBuf,
    },
    /// `validation` isn't a share.
    #[error("`validation` must be between 0 and 1, exclusive; got {got}")]
    Fraction {
        /// The value.
        got: f32,
    },
    /// Two sources of validation pictures are asked for.
    #[error("`validation_dir` and `validation` = \"test\" exclude each other; leave one out")]
    TwoValidations,
    /// Two rules for the validation pictures are asked for.
    #[error("`{first}` and `{second}` both say which pictures to validate on; leave one out")]
    TwoRules {
        /// A key.
        first: &'static str,
        /// Another one.
        second: &'static str,
    },
    /// Nothing of a class is left to train on.
    #[error("no training picture of the class `{class}` is left; choose the other classes with `classes`, or take lines out of {}", table.display())]
    ClassExcluded {
        /// The class.
        class: String,
        /// The table of pictures to leave out, or of right classes.
        table: PathBuf,
    },
    /// A table gives a picture a class that the data don't have.
    #[error(
        "{} line {line}: the data have no class `{class}`; they have {}{}",
        table.display(),
        shortened(classes, 8),
        did_you_mean(class, classes.iter().map(String::as_str))
    )]
    NoSuchClass {
        /// The table.
        table: PathBuf,
        /// Its line.
        line: usize,
        /// What it names.
        class: String,
        /// Those of the data.
        classes: Vec<String>,
    },
    /// A fold without pictures.
    #[error("fold {fold} has no picture: the data have too few that don't belong together; ask for fewer folds")]
    EmptyFold {
        /// Its number and how many there are.
        fold: Fold,
    },
    /// A split can't give a picture to either side.
    #[error(
        "no class has two different pictures, so none can be set aside for validation; add pictures, or a `val` folder"
    )]
    NothingToSplit,
    /// A picture can't be read, and the run is strict.
    #[error("{} can't be read and the run is strict; the first is {first}", counted(*count))]
    Strict {
        /// How many.
        count: usize,
        /// The first one and its reason.
        first: String,
    },
    /// A picture can't be decoded.
    #[error("{path}: {source}")]
    Picture {
        /// The picture's path in its data set.
        path: String,
        /// What the decoder found.
        source: ImageError,
    },
    /// A file of the CIFAR archive is missing.
    #[error("{} looks like {name} but has no `{member}`; fetch or unpack it again", path.display())]
    CifarMember {
        /// The folder or archive.
        path: PathBuf,
        /// `CIFAR-10` or `CIFAR-100`.
        name: &'static str,
        /// The missing file.
        member: &'static str,
    },
    /// A binary CIFAR batch that isn't a whole number of records.
    #[error("`{member}` has {got} bytes, which is no multiple of a record's {record}; fetch or unpack it again")]
    CifarLength {
        /// The batch.
        member: String,
        /// A record's length.
        record: usize,
        /// Its length.
        got: usize,
    },
    /// A CIFAR label without a class.
    #[error(
        "record {record} of `{member}` has the label {label}, but there are only {classes} classes; fetch or unpack it again"
    )]
    CifarLabel {
        /// The batch.
        member: String,
        /// Its record, from 0.
        record: usize,
        /// The label found.
        label: i64,
        /// How many classes the archive names.
        classes: usize,
    },
    /// A Python CIFAR batch that isn't what it should be.
    #[error("`{member}`: {source}; fetch or unpack it again")]
    CifarPickle {
        /// The batch.
        member: String,
        /// What was found.
        source: PickleError,
    },
    /// The folder for drawn pictures isn't empty.
    #[error(
        "{} isn't empty; give a new folder, so that no picture of yours is mixed up with drawn ones",
        path.display()
    )]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// Drawn pictures of an impossible number or size.
    #[error("`{option}` must be between {least} and {most}; got {got}")]
    Drawing {
        /// `per_class` or `size`.
        option: &'static str,
        /// The least allowed.
        least: u32,
        /// The most allowed.
        most: u32,
        /// The value.
        got: u32,
    },
}
