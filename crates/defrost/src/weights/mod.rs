//! Files of weights → named tensors, strictly.
//!
//! A file's format is told by its content, never by its name: Keras' HDF5 (weights or whole model, Keras 2 and 3),
//! `.weights.h5`, `.keras`, safetensors, and PyTorch checkpoints (feature `torch`). Whatever the format, the reader gives
//! named tensors, and one place fits them to the graph (`fit.rs`, which states the rules).
//!
//! Invariant: what [`load`] returns holds every parameter of the graph, in its shape, finite. Anything else is an error that
//! lists all mistakes at once.
//!
//! ```
//! use defrost::weights::{self, WeightsError};
//! # let graph = defrost::backbone::find("efficientnet_lite0").unwrap().graph(224);
//! let loaded = weights::load_bytes("the embedded file", defrost_weights::efficientnet_lite0(), &graph, &|_| None)?;
//! assert_eq!(loaded.report.loaded, 245);
//! assert_eq!(loaded.params["block1a_dwconv/kernel"].shape(), [3, 3, 32, 1]);
//! # Ok::<(), WeightsError>(())
//! ```

pub mod fetch;
mod fit;
mod hdf5;
mod initialize;
mod keras_h5;
mod keras_v3;
mod report;
mod safetensors;
#[cfg(feature = "torch")]
mod torch;
mod torch_names;

use crate::fs::FsError;
use crate::graph::Graph;
use crate::tensor::{Params, Tensor};
use std::borrow::Cow;
use std::path::Path;

pub use self::fetch::{FetchError, Hash, Source, fetch};
pub use self::initialize::initialize;
pub use self::keras_v3::{KerasError, to_keras_archive, to_keras_weights};
pub use self::report::{Ignored, LoadReport, Reason, Unused, WrongShape};
pub use self::safetensors::{from_safetensors, half_to_safetensors, safetensors_metadata, to_safetensors};
pub use self::torch_names::{from_torch_axes, to_torch_axes};

/// Our name of a foreign checkpoint's tensor (`_blocks.1._bn0.weight` → `block2a_expand_bn/gamma`); `None` where it has none.
pub type Rename<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What a file held.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedWeights {
    /// Every parameter of the graph.
    pub params: Params,
    /// Tensors of layers that aren't the graph's: a head that was trained on it, or the original classifier. Named as in the
    /// file (`dense_1/kernel`); in a `.weights.h5`, which holds no names, by class and position (`dense/kernel` is the first
    /// dense layer's).
    pub other: Params,
    /// What was found and what was passed over.
    pub report: LoadReport,
}

/// The format of a file of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// HDF5 with layer names: `save_weights("x.h5")` or `save("x.h5")` of Keras 2, and what Keras 3 still writes.
    KerasH5,
    /// HDF5 by class and position: `save_weights("x.weights.h5")` of Keras 3.
    KerasWeightsH5,
    /// The `.keras` archive.
    KerasArchive,
    /// safetensors, with our names or a PyTorch model's.
    Safetensors,
    /// A PyTorch checkpoint in a zip archive (PyTorch 1.6 and later).
    TorchZip,
    /// A PyTorch checkpoint as a row of pickles (before 1.6).
    TorchLegacy,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Format::KerasH5 => "Keras HDF5",
            Format::KerasWeightsH5 => "Keras .weights.h5",
            Format::KerasArchive => "Keras archive (.keras)",
            Format::Safetensors => "safetensors",
            Format::TorchZip => "PyTorch checkpoint (zip)",
            Format::TorchLegacy => "PyTorch checkpoint (legacy)",
        })
    }
}

/// Why weights weren't loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file can't be read.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The content is none of the formats.
    #[error(
        "{file} isn't a file of weights: it {found}; expected Keras .h5, .weights.h5 or .keras, safetensors, or PyTorch .pth"
    )]
    UnknownFormat {
        /// Its path or name.
        file: String,
        /// What it seems to be.
        found: &'static str,
    },
    /// The format is known, but the content breaks its rules.
    #[error("{file} is damaged or unusual {format}: {reason}; fetch or save it again")]
    Damaged {
        /// Its path or name.
        file: String,
        /// What it seems to be.
        format: Format,
        /// The broken rule.
        reason: String,
    },
    /// PyTorch checkpoints are read from files, and only where the feature is on.
    #[error("{file} is a PyTorch checkpoint, which {reason}; convert it to safetensors")]
    TorchUnavailable {
        /// Its path or name.
        file: String,
        /// Why it isn't read.
        reason: &'static str,
    },
    /// Sound tensors, but not those of the graph.
    #[error("{0}")]
    Mismatch(Box<LoadReport>),
}

/// Reads the weights of `graph` from a file.
///
/// `rename` tells how a PyTorch model of this family names the tensors; Keras files don't ask it.
///
/// # Errors
/// When the file can't be read, is damaged, or doesn't hold exactly the graph's parameters.
pub fn load(path: &Path, graph: &Graph, rename: Rename<'_>) -> Result<LoadedWeights, WeightsError> {
    let bytes = crate::fs::read(path)?;
    load_from(&path.display().to_string(), Some(path), Cow::Owned(bytes), graph, rename)
}

/// Reads the weights of `graph` from the bytes of a file called `name` (all formats but PyTorch's).
///
/// # Errors
/// As [`load`].
pub fn load_bytes(name: &str, bytes: &[u8], graph: &Graph, rename: Rename<'_>) -> Result<LoadedWeights, WeightsError> {
    load_from(name, None, Cow::Borrowed(bytes), graph, rename)
}

/// `path` is for PyTorch's reader, which fetches storages from the file one by one.
fn load_from(
    file: &str,
    path: Option<&Path>,
    bytes: Cow<'_, [u8]>,
    graph: &Graph,
    rename: Rename<'_>,
) -> Result<LoadedWeights, WeightsError> {
    let container =
        Container::of(&bytes).map_err(|found| WeightsError::UnknownFormat { file: file.to_owned(), found })?;
    let damaged =
        |format| move |damage: Damage| WeightsError::Damaged { file: file.to_owned(), format, reason: damage.0 };
    let (format, contents) = match container {
        Container::Hdf5 => {
            let hdf5 = hdf5::Hdf5::open(bytes.into_owned()).map_err(damaged(Format::KerasH5))?;
            if keras_h5::is_legacy(&hdf5) {
                (Format::KerasH5, keras_h5::read(&hdf5).map_err(damaged(Format::KerasH5))?)
            } else {
                (Format::KerasWeightsH5, keras_v3::read_weights(&hdf5, graph).map_err(damaged(Format::KerasWeightsH5))?)
            }
        }
        Container::KerasArchive => {
            (Format::KerasArchive, keras_v3::read_archive(&bytes).map_err(damaged(Format::KerasArchive))?)
        }
        Container::Safetensors => {
            (Format::Safetensors, safetensors::read(&bytes, graph, rename).map_err(damaged(Format::Safetensors))?)
        }
        Container::Torch(format) => (format, read_torch(file, format, path, bytes.len(), graph, rename)?),
    };
    fit::fit(contents, graph, file, format)
}

#[cfg(feature = "torch")]
fn read_torch(
    file: &str,
    format: Format,
    path: Option<&Path>,
    len: usize,
    graph: &Graph,
    rename: Rename<'_>,
) -> Result<Contents, WeightsError> {
    let reason = "is read from a file only, not from memory";
    let path = path.ok_or_else(|| WeightsError::TorchUnavailable { file: file.to_owned(), reason })?;
    torch::read(path, len, graph, rename).map_err(|damage| WeightsError::Damaged {
        file: file.to_owned(),
        format,
        reason: damage.0,
    })
}

#[cfg(not(feature = "torch"))]
fn read_torch(
    file: &str,
    _: Format,
    _: Option<&Path>,
    _: usize,
    _: &Graph,
    _: Rename<'_>,
) -> Result<Contents, WeightsError> {
    let reason = "this build doesn't read (cargo feature `torch`)";
    Err(WeightsError::TorchUnavailable { file: file.to_owned(), reason })
}

/// What the first bytes (and, in an archive, the members' names) say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    Hdf5,
    KerasArchive,
    Safetensors,
    Torch(Format),
}

impl Container {
    /// What `bytes` are, or else what they seem to be.
    fn of(bytes: &[u8]) -> Result<Container, &'static str> {
        // The first pickle of the legacy format is a long integer, PyTorch's magic number.
        const TORCH_LEGACY: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e";
        if bytes.starts_with(b"\x89HDF\r\n\x1a\n") {
            return Ok(Container::Hdf5);
        }
        if bytes.starts_with(b"PK\x03\x04") {
            let archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).map_err(|_| "is a damaged zip archive")?;
            let has = |end: &str| archive.file_names().flatten().any(|name| name.ends_with(end));
            return match () {
                () if has(keras_v3::WEIGHTS_MEMBER) => Ok(Container::KerasArchive),
                () if has("/constants.pkl") => Err("is a TorchScript program: save the model's `state_dict()` instead"),
                () if has("/data.pkl") => Ok(Container::Torch(Format::TorchZip)),
                () => Err("is a zip archive without weights"),
            };
        }
        if bytes.starts_with(TORCH_LEGACY) {
            return Ok(Container::Torch(Format::TorchLegacy));
        }
        if bytes.get(8) == Some(&b'{') {
            return Ok(Container::Safetensors);
        }
        Err(match bytes {
            [] => "is empty",
            [0x1f, 0x8b, ..] => "is compressed by gzip: unpack it first",
            [b'<', ..] => "is a web page: the download went wrong",
            [0x80, ..] => "is a pickle, but not a PyTorch checkpoint",
            _ if is_index(bytes) => "lists the files that the weights are split over: put them into one file",
            _ if bytes.starts_with(b"version https://git-lfs") => "is a Git LFS pointer, not the file itself",
            _ => "begins like no format of weights",
        })
    }
}

/// Whether `bytes` are the index of a checkpoint in several files, as Hugging Face writes it.
fn is_index(bytes: &[u8]) -> bool {
    bytes.starts_with(b"{") && bytes.windows(12).take(1 << 16).any(|window| window == b"\"weight_map\"")
}

/// A tensor as a reader found it.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    /// Where in the file the layer's model lies: the name of a nested base model, or empty.
    container: String,
    layer: String,
    /// Keras 3's name: without `:0`, and a depthwise kernel is `kernel`.
    variable: String,
    tensor: Tensor,
}

impl Entry {
    fn new(container: &str, layer: &str, variable: &str, tensor: Tensor) -> Entry {
        let variable = variable.strip_suffix(":0").unwrap_or(variable);
        let variable = if variable == "depthwise_kernel" { "kernel" } else { variable };
        Entry { container: container.to_owned(), layer: layer.to_owned(), variable: variable.to_owned(), tensor }
    }

    fn name(&self) -> String {
        format!("{}/{}", self.layer, self.variable)
    }

    /// The name with the container's before it.
    fn full_name(&self) -> String {
        if self.container.is_empty() { self.name() } else { format!("{}/{}", self.container, self.name()) }
    }
}

/// `normalization_1` → `normalization`: Keras numbers what has no name of its own; `None` where there is no number.
fn without_number(name: &str) -> Option<&str> {
    let (base, number) = name.rsplit_once('_')?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(base)
}

/// All that a reader found.
#[derive(Debug, Clone, Default, PartialEq)]
struct Contents {
    entries: Vec<Entry>,
    /// Whether the entries come in the order of the network's layers.
    ordered: bool,
    /// Whether names and axes were PyTorch's, whose models keep input normalization outside.
    foreign: bool,
    /// Whether the first kernel is called as timm calls it, and the file doesn't say that it was written for this network.
    timm: bool,
    ignored: Vec<Ignored>,
}

/// A broken rule of a format; the text of whichever library found it.
#[derive(Debug)]
struct Damage(String);

impl<E: std::error::Error> From<E> for Damage {
    fn from(error: E) -> Damage {
        Damage(error.to_string())
    }
}

/// Bytes of tensors that a file may unfold to: a multiple of its own length, so that a small file can't ask for much memory.
#[derive(Debug)]
struct Budget {
    left: u64,
}

impl Budget {
    /// More than any compression makes of trained weights.
    const INFLATION: u64 = 64;

    fn of(file_len: usize) -> Budget {
        Budget { left: (file_len as u64).saturating_mul(Budget::INFLATION) }
    }

    /// Takes `bytes`, before they are allocated.
    fn take(&mut self, bytes: u64, what: &str) -> Result<(), Damage> {
        self.left = self
            .left
            .checked_sub(bytes)
            .ok_or_else(|| Damage(format!("{what} claims {bytes} bytes, more than a file of this length can hold")))?;
        Ok(())
    }

    /// The same for an array of 4-byte elements.
    fn take_f32(&mut self, shape: &[u64], what: &str) -> Result<(), Damage> {
        let bytes = shape.iter().try_fold(4u64, |product, &extent| product.checked_mul(extent));
        self.take(bytes.unwrap_or(u64::MAX), what)
    }
}

#[cfg(test)]
mod tests;
