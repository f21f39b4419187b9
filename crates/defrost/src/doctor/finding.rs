//! What was found: one description for the terminal, JSON, the page and the list of pictures to leave out.

use std::fmt::Write as _;

use serde::Serialize;

use crate::image::Format;

/// A picture that a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// As [`Sample::path`](crate::data::Sample::path).
    pub path: String,
    /// The class that it is given.
    pub class: String,
    /// `train`, `validation` or `test`; `None` where the file can't be read.
    pub side: Option<&'static str>,
    /// BLAKE3 of the encoded file; `None` where its bytes can't be read.
    #[serde(skip)]
    pub content: Option<[u8; 32]>,
}

/// One thing that is wrong, or may be, with one picture, a group of them, or a class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// What.
    #[serde(flatten)]
    pub fact: Fact,
    /// Whom it is about; of copies, the one to keep first.
    pub pictures: Vec<Subject>,
    /// The paths of those that are better left out of a training.
    pub leave_out: Vec<String>,
}

/// How near two pictures that aren't the same file are: of the nearest pair in a group.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Likeness {
    /// In how many of 64 bits their perceptual hashes differ.
    pub hash_distance: u32,
    /// The cosine between their features.
    pub similarity: f32,
}

/// What was found, with its figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fact {
    /// The file gives no picture.
    Unreadable {
        /// What the decoder or the system says.
        reason: String,
    },
    /// The file ends before its picture does.
    Truncated {
        /// What the decoder says.
        reason: String,
    },
    /// The picture is decoded, but garbled.
    Damaged {
        /// What is wrong with its coded pixels.
        reason: String,
    },
    /// The same picture, or one as good as the same, has several classes.
    ConflictingLabels {
        /// How near, where the files differ.
        likeness: Option<Likeness>,
    },
    /// The same picture on several sides, so that the later side's figures flatter.
    Leak {
        /// How near, where the files differ.
        likeness: Option<Likeness>,
    },
    /// A class folder without pictures.
    EmptyClass {
        /// The class.
        class: String,
        /// Its folder.
        folder: String,
    },
    /// The features say another class.
    LabelError {
        /// The class that they say.
        suggested: String,
        /// Its probability, by a probe that hasn't seen this picture.
        suggested_probability: f64,
        /// The given class's.
        given_probability: f64,
    },
    /// The same file several times.
    Duplicate,
    /// Pictures that are as good as the same.
    NearDuplicate {
        /// How near.
        likeness: Likeness,
    },
    /// Far more pictures of one class than of another.
    Imbalance {
        /// The class with the most training pictures.
        largest: String,
        /// How many.
        most: usize,
        /// The class with the fewest.
        smallest: String,
        /// How many.
        fewest: usize,
    },
    /// Like no other picture.
    Outlier {
        /// The mean distance (1 − cosine) to the nearest pictures.
        distance: f64,
        /// That of the median picture.
        median: f64,
    },
    /// The name says another format than the bytes.
    WrongExtension {
        /// By the bytes.
        #[serde(serialize_with = "as_text")]
        format: Format,
        /// By the name.
        extension: String,
    },
    /// A few pixels are stretched over the network's input.
    Tiny {
        /// Of the upright picture.
        width: usize,
        /// Of the upright picture.
        height: usize,
    },
    /// Most pixels are decoded for nothing.
    Huge {
        /// Of the upright picture.
        width: usize,
        /// Of the upright picture.
        height: usize,
    },
    /// Only the first of several frames is used.
    Animated,
    /// Inks, converted without their colour profile.
    Cmyk,
    /// More than 8 bits a sample, of which 8 are used.
    Deep {
        /// Bits of a sample.
        bits: u16,
    },
    /// Turned or mirrored by a note in the file, which some programs ignore.
    Rotated {
        /// EXIF's number, 2 to 8.
        orientation: u8,
    },
}

fn as_text<S: serde::Serializer>(format: &Format, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(format)
}

/// What kind of thing was found; the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is documented as the fact of the same name")]
pub enum Kind {
    Unreadable,
    Truncated,
    Damaged,
    EmptyClass,
    ConflictingLabels,
    Leak,
    LabelError,
    Duplicate,
    NearDuplicate,
    Imbalance,
    Outlier,
    WrongExtension,
    Tiny,
    Huge,
    Animated,
    Cmyk,
    Deep,
    Rotated,
}

/// How much a kind of finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It spoils the classifier or its figures.
    Fault,
    /// It may; a person should look.
    Doubt,
    /// Nothing is wrong, but it is good to know.
    Note,
}

impl Kind {
    /// All kinds, the gravest first.
    pub const ALL: [Kind; 18] = [
        Kind::Unreadable,
        Kind::Truncated,
        Kind::Damaged,
        Kind::EmptyClass,
        Kind::ConflictingLabels,
        Kind::Leak,
        Kind::LabelError,
        Kind::Duplicate,
        Kind::NearDuplicate,
        Kind::Imbalance,
        Kind::Outlier,
        Kind::WrongExtension,
        Kind::Tiny,
        Kind::Huge,
        Kind::Animated,
        Kind::Cmyk,
        Kind::Deep,
        Kind::Rotated,
    ];

    /// How much it matters.
    pub fn severity(self) -> Severity {
        match self {
            Kind::Unreadable
            | Kind::Truncated
            | Kind::Damaged
            | Kind::EmptyClass
            | Kind::ConflictingLabels
            | Kind::Leak => Severity::Fault,
            Kind::LabelError | Kind::Duplicate | Kind::NearDuplicate | Kind::Imbalance | Kind::Outlier => {
                Severity::Doubt
            }
            _ => Severity::Note,
        }
    }
}

impl Finding {
    /// Of one picture, which stays.
    pub(super) fn of(subject: Subject, fact: Fact) -> Finding {
        Finding { fact, pictures: vec![subject], leave_out: Vec::new() }
    }

    /// Of one picture, which is better left out.
    pub(super) fn against(subject: Subject, fact: Fact) -> Finding {
        Finding { fact, leave_out: vec![subject.path.clone()], pictures: vec![subject] }
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self.fact {
            Fact::Unreadable { .. } => Kind::Unreadable,
            Fact::Truncated { .. } => Kind::Truncated,
            Fact::Damaged { .. } => Kind::Damaged,
            Fact::ConflictingLabels { .. } => Kind::ConflictingLabels,
            Fact::Leak { .. } => Kind::Leak,
            Fact::EmptyClass { .. } => Kind::EmptyClass,
            Fact::LabelError { .. } => Kind::LabelError,
            Fact::Duplicate => Kind::Duplicate,
            Fact::NearDuplicate { .. } => Kind::NearDuplicate,
            Fact::Imbalance { .. } => Kind::Imbalance,
            Fact::Outlier { .. } => Kind::Outlier,
            Fact::WrongExtension { .. } => Kind::WrongExtension,
            Fact::Tiny { .. } => Kind::Tiny,
            Fact::Huge { .. } => Kind::Huge,
            Fact::Animated => Kind::Animated,
            Fact::Cmyk => Kind::Cmyk,
            Fact::Deep { .. } => Kind::Deep,
            Fact::Rotated { .. } => Kind::Rotated,
        }
    }

    /// Why pictures are better left out: the third column of `exclude.csv`.
    pub(super) fn reason(&self, path: &str) -> String {
        let others = || {
            let mut text = String::new();
            for other in self.pictures.iter().filter(|other| other.path != path) {
                let separator = if text.is_empty() { "" } else { ", " };
                let side = other.side.unwrap_or_default();
                let _ = write!(text, "{separator}{} ({}, {side})", other.path, other.class);
            }
            text
        };
        match &self.fact {
            Fact::Unreadable { reason } => format!("unreadable: {reason}"),
            Fact::Truncated { reason } => format!("truncated: {reason}"),
            Fact::Damaged { reason } => format!("damaged: {reason}"),
            Fact::ConflictingLabels { .. } => format!("conflicting labels: the same picture is {}", others()),
            Fact::Leak { .. } => format!("leak: the same picture is {}", others()),
            Fact::Duplicate => format!("duplicate: the same picture is {}", others()),
            Fact::LabelError { suggested, suggested_probability, .. } => {
                format!("likely label error: {suggested}, probability {suggested_probability:.3}")
            }
            // No other kind asks for leaving a picture out.
            _ => String::new(),
        }
    }
}
