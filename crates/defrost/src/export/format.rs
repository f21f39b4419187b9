//! The formats, and what may be chosen of them.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::ExportError;
use crate::error::did_you_mean;
use crate::report::Lang;

/// How a classifier is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// ONNX.
    Onnx,
    /// Keras 3, the whole model.
    Keras,
    /// Keras 3, the weights alone.
    KerasWeights,
    /// safetensors with timm's names.
    Safetensors,
    /// The whole classifier as defrost reads it, in one file.
    Defrost,
    /// A text that says what the classifier is.
    Card,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 6] =
        [Format::Onnx, Format::Keras, Format::KerasWeights, Format::Safetensors, Format::Defrost, Format::Card];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Format::Onnx => "onnx",
            Format::Keras => "keras",
            Format::KerasWeights => "keras-weights",
            Format::Safetensors => "safetensors",
            Format::Defrost => "defrost",
            Format::Card => "card",
        }
    }

    /// The ending of its files.
    pub fn ending(self) -> &'static str {
        match self {
            Format::Onnx => ".onnx",
            Format::Keras => ".keras",
            Format::KerasWeights => ".weights.h5",
            Format::Safetensors => ".safetensors",
            Format::Defrost => ".defrost",
            Format::Card => ".md",
        }
    }

    /// All names, for a message.
    pub(super) fn list() -> String {
        Format::ALL.map(Format::name).join(", ")
    }

    /// The format that a file's name asks for.
    ///
    /// # Errors
    /// When its ending is no format's.
    pub fn of_path(path: &Path) -> Result<Format, ExportError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let fits = |format: &Format| name.ends_with(format.ending());
        Format::ALL.into_iter().find(fits).ok_or_else(|| ExportError::NoFormat { path: path.to_owned() })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = ExportError;

    fn from_str(name: &str) -> Result<Format, ExportError> {
        Format::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| ExportError::UnknownFormat {
            name: name.to_owned(),
            hint: did_you_mean(name, Format::ALL.map(Format::name)),
        })
    }
}

/// How many pictures go in at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Batch {
    /// Any number.
    #[default]
    Dynamic,
    /// Always so many.
    Fixed(usize),
}

/// What may be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// ONNX: the input is RGB 0–255 with channels last, and the file brings it to what the network expects.
    pub preprocess: bool,
    /// ONNX: pictures at once.
    pub batch: Batch,
    /// Card: its language.
    pub lang: Lang,
}

impl Options {
    pub(super) fn check(&self, format: Format) -> Result<(), ExportError> {
        let own = match format {
            Format::Onnx => return Ok(()),
            Format::Keras | Format::KerasWeights => "always takes RGB 0–255 in batches of any size",
            Format::Safetensors => "holds weights alone",
            Format::Defrost => "resizes pictures of any size",
            Format::Card => "is a text",
        };
        let given = [("--preprocess", self.preprocess), ("--batch", self.batch != Batch::Dynamic)];
        match given.into_iter().find(|(_, given)| *given) {
            Some((option, _)) => Err(ExportError::Option { option, format, own }),
            None => Ok(()),
        }
    }
}
