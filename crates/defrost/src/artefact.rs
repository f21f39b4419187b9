//! The trained classifier as files: `model.safetensors` and `model.json`.
//!
//! Invariant: `model.json` is written last, so a folder that holds it holds a whole classifier.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::backbone::{self, UnknownBackbone};
use crate::fs::{self, FsError};
use crate::head::Head;
use crate::image::Resize;
use crate::model::{Layout, Model};
use crate::weights::{WeightsError, from_safetensors, to_safetensors};

/// A classifier that can't be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtefactError {
    /// Its files.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// Its tensors.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Its backbone is not one of this version's.
    #[error("{}: {source}; was it written by a newer version?", path.display())]
    Backbone {
        /// The description.
        path: PathBuf,
        /// The name.
        source: UnknownBackbone,
    },
    /// The folder holds none.
    #[error("{} is not a run: it has no `model/model.json`; give the folder that `defrost train` made", path.display())]
    Missing {
        /// The run's folder.
        path: PathBuf,
    },
    /// The description doesn't say what it must.
    #[error("{} is damaged: {reason}; train again or restore the file", path.display())]
    Damaged {
        /// The description.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// What `model.json` says: everything but the numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Artefact {
    /// Of this description.
    pub version: u32,
    /// The registry's id.
    pub backbone: String,
    /// How the backbone was built.
    pub layout: Layout,
    /// The side of the picture that the network sees.
    pub input_size: usize,
    /// How a picture is brought to that size.
    pub resize: Resize,
    /// Names, in the order of the outputs.
    pub classes: Vec<String>,
    /// The layers between pooling and classifier.
    #[serde(with = "crate::recipe::head_table")]
    pub head: Head,
    /// BLAKE3 over all tensors in name order.
    pub weights_hash: String,
}

const VERSION: u32 = 1;
const DESCRIPTION: &str = "model.json";
const TENSORS: &str = "model.safetensors";

impl Artefact {
    /// Describes `model`.
    pub fn new(model: &Model, input_size: usize, head: &Head, classes: &[String], resize: Resize) -> Artefact {
        Artefact {
            version: VERSION,
            backbone: model.backbone.id.to_owned(),
            layout: model.layout,
            input_size,
            resize,
            classes: classes.to_vec(),
            head: head.clone(),
            weights_hash: model.weights_hash(),
        }
    }

    /// Writes the classifier into `folder`.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn save(&self, folder: &Path, model: &Model) -> Result<(), ArtefactError> {
        let metadata =
            [("format", "defrost 1"), ("backbone", self.backbone.as_str()), ("weights_hash", &self.weights_hash)];
        fs::write_atomic(&folder.join(TENSORS), &to_safetensors(&model.params, &metadata))?;
        let path = folder.join(DESCRIPTION);
        let text = serde_json::to_string_pretty(self).map_err(|error| damaged(&path, error.to_string()))?;
        Ok(fs::write_atomic(&path, format!("{text}\n").as_bytes())?)
    }

    /// Whether `folder` holds a classifier.
    pub fn exists(folder: &Path) -> bool {
        folder.join(DESCRIPTION).is_file()
    }

    /// Reads a classifier.
    ///
    /// # Errors
    /// When the folder holds none, or its files are damaged or don't fit each other.
    pub fn load(folder: &Path) -> Result<(Artefact, Model), ArtefactError> {
        let path = folder.join(DESCRIPTION);
        if !path.is_file() {
            let path = folder.parent().filter(|_| folder.ends_with("model")).unwrap_or(folder).to_owned();
            return Err(ArtefactError::Missing { path });
        }
        let artefact: Artefact =
            serde_json::from_str(&fs::read_to_string(&path)?).map_err(|error| damaged(&path, error.to_string()))?;
        if artefact.version != VERSION {
            let reason = format!("it has version {}, this program reads version {VERSION}", artefact.version);
            return Err(damaged(&path, reason));
        }
        let backbone = backbone::find(&artefact.backbone)
            .map_err(|source| ArtefactError::Backbone { path: path.clone(), source })?;
        if artefact.classes.len() < 2 || artefact.input_size < backbone::MIN_INPUT_SIZE {
            return Err(damaged(&path, "it names fewer than two classes, or too small a picture".to_owned()));
        }
        let mut model =
            Model::new(backbone, artefact.layout, artefact.input_size, &artefact.head, artefact.classes.len(), 0);
        let tensors_path = folder.join(TENSORS);
        let mut tensors = from_safetensors(&tensors_path.display().to_string(), &fs::read(&tensors_path)?)?;
        for (name, own) in &mut model.params {
            match tensors.remove(name) {
                Some(tensor) if tensor.shape() == own.shape() => *own = tensor,
                Some(tensor) => {
                    let reason = format!("{name} has shape {:?}, expected {:?}", tensor.shape(), own.shape());
                    return Err(damaged(&tensors_path, reason));
                }
                None => return Err(damaged(&tensors_path, format!("{name} is missing"))),
            }
        }
        if model.weights_hash() != artefact.weights_hash {
            return Err(damaged(&tensors_path, "its tensors don't hash to what model.json says".to_owned()));
        }
        Ok((artefact, model))
    }
}

fn damaged(path: &Path, reason: String) -> ArtefactError {
    ArtefactError::Damaged { path: path.to_owned(), reason }
}
