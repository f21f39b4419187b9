//! What loading found: a report that is also the text of the error.

use super::Format;
use crate::error::shortened;
use std::fmt;

/// How many names a list in an error shows.
const SHOWN: usize = 3;

/// What was found in a file of weights, what was passed over, and what is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadReport {
    /// Its path or name.
    pub file: String,
    /// Told by its content.
    pub format: Format,
    /// The graph's name.
    pub network: String,
    /// Where in the file the network lies: the name of the nested base model, or empty.
    pub container: String,
    /// How many parameters of the graph were read from the file.
    pub loaded: usize,
    /// Whether the file may be of a model that pads as PyTorch does: it has timm's names, and nothing says that it is one of
    /// timm's `tf_` models or our own export. Such a model is another function, though its tensors fit.
    pub may_pad_otherwise: bool,
    /// Layers that are numbered in the file (`normalization_1`) and not in the graph (`normalization`).
    pub renamed: Vec<(String, String)>,
    /// Parameters that the file needn't hold, since they are constants of the architecture.
    pub constants: Vec<String>,
    /// Tensors of other layers, handed out apart.
    pub other: Vec<String>,
    /// What no inference uses.
    pub ignored: Vec<Ignored>,
    /// Parameters of the graph that the file lacks.
    pub missing: Vec<String>,
    /// Tensors that are neither the graph's nor a head's.
    pub unused: Vec<Unused>,
    /// Tensors with the right name and another shape.
    pub wrong_shape: Vec<WrongShape>,
    /// Tensors that hold an infinity or a NaN.
    pub not_finite: Vec<String>,
    /// Names that more than one tensor has.
    pub repeated: Vec<String>,
}

/// A part of the file that was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// Its name in the file.
    pub name: String,
    /// Why.
    pub reason: Reason,
}

/// Why a part of a file is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Of an optimizer, a metric or a loss.
    TrainingState,
    /// Of a random layer's generator.
    RandomState,
    /// `num_batches_tracked`: a count that inference doesn't use.
    Counter,
    /// Text, or a type that isn't a number.
    NotNumbers,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::TrainingState => "state of training",
            Reason::RandomState => "state of a random generator",
            Reason::Counter => "a counter",
            Reason::NotNumbers => "not numbers",
        })
    }
}

/// A tensor that nothing asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unused {
    /// Its name in the file.
    pub name: String,
    /// `; did you mean …?`, or empty.
    pub hint: String,
}

/// A tensor of the right name in another shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongShape {
    /// The parameter.
    pub name: String,
    /// The graph's shape.
    pub expected: Vec<usize>,
    /// The file's, in our order of axes.
    pub found: Vec<usize>,
}

impl LoadReport {
    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.missing.is_empty()
            && self.unused.is_empty()
            && self.wrong_shape.is_empty()
            && self.not_finite.is_empty()
            && self.repeated.is_empty()
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LoadReport { file, format, network, loaded, .. } = self;
        if self.is_ok() {
            write!(f, "{file} ({format}): {loaded} tensors of `{network}`")?;
            if !self.container.is_empty() {
                write!(f, " in `{}`", self.container)?;
            }
            if !self.constants.is_empty() {
                write!(f, ", {} constants", self.constants.len())?;
            }
            if !self.other.is_empty() {
                write!(f, ", {} of other layers", self.other.len())?;
            }
            if !self.ignored.is_empty() {
                write!(f, ", {} ignored", self.ignored.len())?;
            }
            return Ok(());
        }
        if *loaded == 0 && self.wrong_shape.is_empty() {
            return write!(
                f,
                "{file} ({format}) holds nothing of `{network}`: {} tensors, among them {}; is it another network's?",
                self.other.len() + self.unused.len(),
                self.some_names()
            );
        }
        write!(f, "{file} ({format}) doesn't fit `{network}`")?;
        let mut separator = ": ";
        let mut part = |f: &mut fmt::Formatter<'_>, kind: &str, items: &[String]| -> fmt::Result {
            if !items.is_empty() {
                write!(f, "{separator}{} {kind} ({})", items.len(), shortened(items, SHOWN))?;
                separator = "; ";
            }
            Ok(())
        };
        part(f, "missing", &self.missing)?;
        let unused: Vec<String> = self.unused.iter().map(|u| format!("{}{}", u.name, u.hint)).collect();
        part(f, "unused", &unused)?;
        let shapes: Vec<String> = self
            .wrong_shape
            .iter()
            .map(|w| format!("{}: expected {:?}, got {:?}", w.name, w.expected, w.found))
            .collect();
        part(f, "wrongly shaped", &shapes)?;
        part(f, "not finite", &self.not_finite)?;
        part(f, "repeated", &self.repeated)?;
        let fits = self.missing.is_empty() && self.unused.is_empty() && shapes.is_empty();
        let misspelt = self.unused.iter().any(|unused| !unused.hint.is_empty());
        f.write_str(if fits || misspelt { "" } else { "; is it another network's?" })
    }
}

impl LoadReport {
    fn some_names(&self) -> String {
        let unused = self.unused.iter().map(|unused| &unused.name);
        let names: Vec<&String> = unused.chain(&self.other).collect();
        if names.is_empty() { "none".into() } else { shortened(&names, SHOWN) }
    }
}
