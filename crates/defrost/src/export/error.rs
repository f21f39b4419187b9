//! Why a classifier isn't exported.

use std::path::PathBuf;

use super::Format;
use crate::artefact::ArtefactError;
use crate::weights::KerasError;

/// Why a classifier isn't exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// No such format.
    #[error("unknown format `{name}`{hint}; expected {}", Format::list())]
    UnknownFormat {
        /// Asked for.
        name: String,
        /// The nearest, as a question, or nothing.
        hint: String,
    },
    /// The file's name doesn't say how it is to be written.
    #[error("the ending of {} is no format's; give `--format` as one of {}", path.display(), Format::list())]
    NoFormat {
        /// The file.
        path: PathBuf,
    },
    /// The file's folder isn't there.
    #[error("the folder {} doesn't exist; make it, or give another `--out`", path.display())]
    NoFolder {
        /// The folder.
        path: PathBuf,
    },
    /// An option of ONNX with another format.
    #[error("`{option}` is for onnx alone; {format} {own}")]
    Option {
        /// The flag.
        option: &'static str,
        /// Asked for.
        format: Format,
        /// How that format does it.
        own: &'static str,
    },
    /// A tensor that the format has no name for.
    #[error("{format} has no name for {tensor}; export as onnx or keras, which take any network")]
    Unnamed {
        /// Asked for.
        format: Format,
        /// By our name.
        tensor: String,
    },
    /// The classifier's own file, or golden pictures.
    #[error(transparent)]
    Artefact(#[from] ArtefactError),
    /// A mistake in the card's template.
    #[error("the card can't be written: {0:#}")]
    Card(#[from] minijinja::Error),
    /// The libraries that make Keras' files.
    #[error(transparent)]
    Keras(#[from] KerasError),
    /// What was written can't be read back.
    #[error(
        "what was written as {format} can't be read back: {reason}; this is a mistake of defrost, nothing was kept"
    )]
    Unreadable {
        /// As what.
        format: Format,
        /// Of the reader.
        reason: String,
    },
    /// What was written isn't the classifier.
    #[error(
        "what was written as {format} isn't the classifier: {tensor} is {found}; this is a mistake of defrost, nothing was kept"
    )]
    Differs {
        /// As what.
        format: Format,
        /// By our name.
        tensor: String,
        /// What was read back.
        found: String,
    },
}
