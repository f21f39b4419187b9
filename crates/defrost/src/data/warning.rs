//! What a person should know before trusting a figure.

use std::fmt;
use std::path::PathBuf;

use super::error::counted;
use crate::error::shortened;

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
    /// Chains of look-alikes too long to be copies.
    Alike {
        /// How many pictures are in them.
        pictures: usize,
    },
    /// Pictures of one group on two sides.
    GroupOnTwoSides {
        /// How many groups are.
        groups: usize,
        /// One of them.
        example: String,
        /// Its sides.
        sides: [&'static str; 2],
    },
    /// Lines of a table of right classes whose pictures are neither among the data nor beside the table.
    NothingToRelabel {
        /// The table.
        table: PathBuf,
        /// How many.
        lines: usize,
        /// The first one.
        first: usize,
    },
    /// Lines of an exclude table that no picture answers to.
    NothingToExclude {
        /// The table.
        table: PathBuf,
        /// How many.
        lines: usize,
        /// The first one.
        first: usize,
    },
}

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
            Warning::Alike { pictures } => write!(
                f,
                "{} look too much alike to tell copies from others, so look-alikes may lie on both sides; a table's `group` \
                 column keeps together what belongs together",
                counted(*pictures)
            ),
            Warning::GroupOnTwoSides { groups, example, sides: [first, second] } => write!(
                f,
                "{groups} group{} with pictures on two sides, such as `{example}` in {first} and {second}: the {second} figures flatter",
                if *groups == 1 { "" } else { "s" }
            ),
            Warning::NothingToRelabel { table, lines, first } => write!(
                f,
                "{lines} line{} of {} name{} a picture that is neither among these data nor beside the table, the first in line {first}",
                if *lines == 1 { "" } else { "s" },
                table.display(),
                if *lines == 1 { "s" } else { "" },
            ),
            Warning::NothingToExclude { table, lines, first } => write!(
                f,
                "{lines} line{} of {} name{} no picture of these data, the first in line {first}",
                if *lines == 1 { "" } else { "s" },
                table.display(),
                if *lines == 1 { "s" } else { "" },
            ),
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
