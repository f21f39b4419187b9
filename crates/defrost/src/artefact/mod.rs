//! The trained classifier as files: a folder, or the same in one file.
//!
//! `model.json` describes it, `model.safetensors` holds its numbers, `recipe.toml` repeats the training, `golden/` holds eight
//! drawn pictures whose logits stand in the description: each load runs them. `familiar.safetensors` holds features of training
//! pictures, for [`Familiar`].
//!
//! Invariant: `model.json` is written last, so a folder that holds it holds a whole classifier. A classifier that loads gives the
//! logits that it gave when it was written.

mod classifier;
mod files;
mod golden;
mod origin;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use self::files::Files;
use crate::backbone::{self, UnknownBackbone};
use crate::calibrate::Calibration;
use crate::familiar::Familiar;
use crate::fs::{self, FsError};
use crate::head::{Head, HeadLayer};
use crate::image::{self, Decoding, ImageError, Limits, Resize};
use crate::model::{Layout, Model};
use crate::tensor::Tensor;
use crate::weights::{WeightsError, from_safetensors, half_to_safetensors, to_safetensors};

pub use classifier::Answer;
pub(crate) use classifier::Classifier;
pub use files::EXTENSION;
pub use golden::{GOLDENS, Golden, TOLERANCE};
pub use origin::{ColourOrder, Figures, Origin, Pixels};

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
    /// It was written by a newer program.
    #[error("{} has version {found}, this program reads versions up to {VERSION}; update defrost", path.display())]
    Newer {
        /// The description.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The description doesn't say what it must.
    #[error("{} is damaged: {reason}; train again or restore the file", path.display())]
    Damaged {
        /// The description.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A golden picture's file gives no picture.
    #[error("{}: {source}; restore the file", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ImageError,
    },
    /// A golden picture can't be encoded.
    #[error("can't encode a golden picture: {0}")]
    Png(#[from] ::image::ImageError),
    /// A golden picture has other logits than when the classifier was written.
    #[error(
        "{} doesn't compute what it did when it was written: for its golden picture {picture} the logit of `{class}` is {got}, \
         expected {expected}: {apart} apart, at most {tolerance} is allowed; restore its files, or use the program that wrote it",
        path.display()
    )]
    Golden {
        /// The classifier's folder.
        path: PathBuf,
        /// The picture's file.
        picture: String,
        /// The class that differs most.
        class: String,
        /// Its logit when the classifier was written.
        expected: f32,
        /// Its logit now.
        got: f32,
        /// Their difference.
        apart: f32,
        /// The difference that is allowed.
        tolerance: f32,
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
    /// How many of a JPEG's pixels are decoded; since version 2.
    #[serde(default)]
    pub decoding: Decoding,
    /// How a picture is brought to that size.
    pub resize: Resize,
    /// What is done to its values then; since version 2.
    #[serde(default)]
    pub pixels: Option<Pixels>,
    /// Names, in the order of the outputs.
    pub classes: Vec<String>,
    /// The layers between pooling and classifier.
    #[serde(with = "crate::recipe::head_table")]
    pub head: Head,
    /// BLAKE3 over all tensors in name order.
    pub weights_hash: String,
    /// Where the backbone's weights come from and under which licence; since version 2.
    #[serde(default)]
    pub origin: Option<Origin>,
    /// What the logits are divided by before the softmax, and how it was found; since version 2.
    #[serde(default)]
    pub calibration: Option<Calibration>,
    /// How far a picture may be from those that it has learned from; since version 2, and only where enough were held out.
    #[serde(default)]
    pub familiar: Option<Familiar>,
    /// How good it is on the pictures that were held out; since version 2.
    #[serde(default)]
    pub figures: Option<Figures>,
    /// The recipe that repeats the training, as TOML: `recipe.toml`; since version 2, else empty.
    #[serde(skip)]
    pub recipe: String,
    /// Drawn pictures with their logits: `golden/`; since version 2, else none.
    #[serde(skip)]
    pub goldens: Vec<Golden>,
}

/// `model.json`: the description, and the golden pictures' files with their logits.
#[derive(Serialize, Deserialize)]
struct Description<T> {
    #[serde(flatten)]
    artefact: T,
    #[serde(default)]
    goldens: Vec<GoldenLogits>,
}

#[derive(Serialize, Deserialize)]
struct GoldenLogits {
    picture: String,
    logits: Vec<f32>,
}

/// The version alone, which is read before all else.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

const VERSION: u32 = 2;
/// Bounds of what a description may state, so that a damaged one can't ask for all memory.
const MOST_PIXELS: usize = 8192;
const MOST_UNITS: usize = 1 << 20;
const TEMPERATURES: (f64, f64) = (1e-3, 1e3);
const DESCRIPTION: &str = "model.json";
const TENSORS: &str = "model.safetensors";
const RECIPE: &str = "recipe.toml";
const FAMILIAR: &str = "familiar.safetensors";
/// The tensor in it.
const FEATURES: &str = "features";

impl Artefact {
    /// Describes `model`, and runs the golden pictures.
    pub fn new(model: &Model, input_size: usize, head: &Head, classes: &[String], resize: Resize) -> Artefact {
        let mut artefact = Artefact {
            version: VERSION,
            backbone: model.backbone.id.to_owned(),
            layout: model.layout,
            input_size,
            decoding: Decoding::Full,
            resize,
            pixels: Some(Pixels::of(model.backbone.input)),
            classes: classes.to_vec(),
            head: head.clone(),
            weights_hash: model.weights_hash(),
            origin: None,
            calibration: None,
            familiar: None,
            figures: None,
            recipe: String::new(),
            goldens: Vec::new(),
        };
        artefact.goldens = golden::draw(&Classifier::new(&artefact, model));
        artefact
    }

    /// What logits are divided by before the softmax: 1 where nothing was fitted.
    pub fn temperature(&self) -> f64 {
        self.calibration.as_ref().map_or(1.0, |calibration| calibration.temperature)
    }

    /// The classifier's files, the description first.
    fn files(&self, model: &Model) -> Result<Vec<(String, Vec<u8>)>, ArtefactError> {
        let logits = |golden: &Golden| GoldenLogits { picture: golden.name.clone(), logits: golden.logits.clone() };
        let description = Description { artefact: self, goldens: self.goldens.iter().map(logits).collect() };
        let text = serde_json::to_string_pretty(&description)
            .map_err(|error| damaged(Path::new(DESCRIPTION), error.to_string()))?;
        let metadata =
            [("format", "defrost 1"), ("backbone", self.backbone.as_str()), ("weights_hash", &self.weights_hash)];
        let mut files = vec![
            (DESCRIPTION.to_owned(), format!("{text}\n").into_bytes()),
            (TENSORS.to_owned(), to_safetensors(&model.params, &metadata)),
        ];
        if !self.recipe.is_empty() {
            files.push((RECIPE.to_owned(), self.recipe.clone().into_bytes()));
        }
        if let Some(familiar) = &self.familiar {
            let shape = [familiar.pictures, familiar.features().len() / familiar.pictures];
            let features = Tensor::new(shape, familiar.features().to_vec());
            files.push((FAMILIAR.to_owned(), half_to_safetensors(FEATURES, &features)?));
        }
        for golden in &self.goldens {
            files.push((golden.name.clone(), golden.png()?));
        }
        Ok(files)
    }

    /// Writes the classifier into `folder`.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn save(&self, folder: &Path, model: &Model) -> Result<(), ArtefactError> {
        for (name, bytes) in self.files(model)?.iter().rev() {
            fs::write_atomic(&folder.join(name), bytes)?;
        }
        Ok(())
    }

    /// Writes the classifier into one file.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn pack(&self, model: &Model, file: &Path) -> Result<(), ArtefactError> {
        Ok(fs::write_atomic(file, &self.packed(model)?)?)
    }

    /// The bytes of [`pack`](Artefact::pack)'s file.
    ///
    /// # Errors
    /// When they can't be made.
    pub fn packed(&self, model: &Model) -> Result<Vec<u8>, ArtefactError> {
        Ok(files::pack(&self.files(model)?).map_err(FsError::at("write", Path::new(files::EXTENSION)))?)
    }

    /// Reads a classifier from the bytes of such a file, called `name` in errors, and runs its golden pictures.
    ///
    /// # Errors
    /// As [`load`](Artefact::load).
    pub fn unpack(name: &Path, bytes: &[u8]) -> Result<(Artefact, Model), ArtefactError> {
        Artefact::read(&Files::packed(name, bytes)?, name).map(|(artefact, model, _)| (artefact, model))
    }

    /// Runs the golden pictures on `model`, which the error calls `name`.
    ///
    /// # Errors
    /// Names the first picture whose logits differ.
    pub fn check_goldens(&self, model: &Model, name: &Path) -> Result<(), ArtefactError> {
        golden::check(&self.goldens, &Classifier::new(self, model), &self.classes, name)
    }

    /// Whether `path` is a classifier: its folder, or one file.
    pub fn exists(path: &Path) -> bool {
        path.join(DESCRIPTION).is_file() || files::is_packed(path)
    }

    /// The classifier that `path` means: one in a file, a classifier's folder, or a run with its `model/`.
    pub fn locate(path: &Path) -> Option<PathBuf> {
        [path.to_owned(), path.join("model")].into_iter().find(|path| Artefact::exists(path))
    }

    /// Reads a classifier from its folder or file, and runs its golden pictures.
    ///
    /// # Errors
    /// When there is none, its files are damaged or don't fit each other, or a golden picture has other logits than when it was
    /// written.
    pub fn load(path: &Path) -> Result<(Artefact, Model), ArtefactError> {
        Artefact::load_compiled(path).map(|(artefact, model, _)| (artefact, model))
    }

    /// As [`load`](Artefact::load), with the network compiled.
    pub(crate) fn load_compiled(path: &Path) -> Result<(Artefact, Model, Classifier), ArtefactError> {
        if !Artefact::exists(path) {
            let path = path.parent().filter(|_| path.ends_with("model")).unwrap_or(path).to_owned();
            return Err(ArtefactError::Missing { path });
        }
        Artefact::read(&Files::open(path)?, path)
    }

    fn read(files: &Files, path: &Path) -> Result<(Artefact, Model, Classifier), ArtefactError> {
        let mut artefact = read_description(files)?;
        let model = read_model(&artefact, files)?;
        artefact.familiar = match artefact.familiar.take() {
            Some(familiar) => Some(read_familiar(familiar, &model, files)?),
            None => None,
        };
        let classifier = Classifier::new(&artefact, &model);
        golden::check(&artefact.goldens, &classifier, &artefact.classes, path)?;
        Ok((artefact, model, classifier))
    }
}

fn read_description(files: &Files) -> Result<Artefact, ArtefactError> {
    let path = files.place(DESCRIPTION);
    let text = files.read_text(DESCRIPTION)?;
    let wrong = |error: serde_json::Error| damaged(&path, error.to_string());
    let Version { version } = serde_json::from_str(&text).map_err(wrong)?;
    if version > VERSION {
        return Err(ArtefactError::Newer { path, found: version });
    }
    let Description { mut artefact, goldens } = serde_json::from_str::<Description<Artefact>>(&text).map_err(wrong)?;
    if artefact.classes.len() < 2 || artefact.input_size < backbone::MIN_INPUT_SIZE {
        return Err(damaged(&path, "it names fewer than two classes, or too small a picture".to_owned()));
    }
    let units = |layer: &HeadLayer| matches!(layer, HeadLayer::Dense { units, .. } if *units > MOST_UNITS);
    if artefact.input_size > MOST_PIXELS
        || artefact.classes.len() > MOST_UNITS
        || artefact.head.layers.iter().any(units)
    {
        return Err(damaged(&path, "it states sizes that no classifier has".to_owned()));
    }
    if version == 1 {
        return Ok(artefact);
    }
    if !(TEMPERATURES.0..=TEMPERATURES.1).contains(&artefact.temperature()) {
        let (low, high) = TEMPERATURES;
        let reason = format!("the temperature is {}, expected from {low} to {high}", artefact.temperature());
        return Err(damaged(&path, reason));
    }
    if goldens.len() != GOLDENS {
        return Err(damaged(&path, format!("it names {} golden pictures, expected {GOLDENS}", goldens.len())));
    }
    artefact.recipe = files.read_text(RECIPE)?;
    for GoldenLogits { picture: name, logits } in goldens {
        let place = files.place(&name);
        if logits.len() != artefact.classes.len() {
            let (found, classes) = (logits.len(), artefact.classes.len());
            return Err(damaged(&path, format!("{name} has {found} logits for {classes} classes")));
        }
        let picture = image::decode(&files.read(&name)?, &Limits::default())
            .map_err(|source| ArtefactError::Picture { path: place, source })?;
        artefact.goldens.push(Golden { name, picture, logits });
    }
    Ok(artefact)
}

/// The features of training pictures, as many and as long as the description and the network say.
fn read_familiar(familiar: Familiar, model: &Model, files: &Files) -> Result<Familiar, ArtefactError> {
    let place = files.place(FAMILIAR);
    let mut tensors = from_safetensors(&place.display().to_string(), &files.read(FAMILIAR)?)?;
    let features = tensors.remove(FEATURES).map(Tensor::into_data).unwrap_or_default();
    let dimensions: usize = model.graph.layers()[model.backbone_layers].output_shape.iter().product();
    let pictures = familiar.pictures;
    familiar.with_features(features, dimensions).ok_or_else(|| {
        damaged(&place, format!("it doesn't hold `{FEATURES}` of {pictures} pictures, {dimensions} each"))
    })
}

fn read_model(artefact: &Artefact, files: &Files) -> Result<Model, ArtefactError> {
    let path = files.place(DESCRIPTION);
    let backbone =
        backbone::find(&artefact.backbone).map_err(|source| ArtefactError::Backbone { path: path.clone(), source })?;
    if let Some(pixels) = artefact.pixels
        && pixels != Pixels::of(backbone.input)
    {
        return Err(damaged(&path, format!("its `pixels` aren't those that {} expects", backbone.id)));
    }
    let place = files.place(TENSORS);
    let bytes = files.read(TENSORS)?;
    let (input_size, classes) = (artefact.input_size, artefact.classes.len());
    // Before any tensor is made: the description may state more than there is.
    let parameters = artefact.head.attach(artefact.layout.graph(backbone, input_size), classes).param_count();
    if parameters > bytes.len() / size_of::<f32>() {
        return Err(damaged(&place, format!("it has {} bytes, too few for {parameters} numbers", bytes.len())));
    }
    let mut model = Model::new(backbone, artefact.layout, input_size, &artefact.head, classes, 0);
    let mut tensors = from_safetensors(&place.display().to_string(), &bytes)?;
    for (name, own) in &mut model.params {
        match tensors.remove(name) {
            Some(tensor) if tensor.shape() == own.shape() => *own = tensor,
            Some(tensor) => {
                let reason = format!("{name} has shape {:?}, expected {:?}", tensor.shape(), own.shape());
                return Err(damaged(&place, reason));
            }
            None => return Err(damaged(&place, format!("{name} is missing"))),
        }
    }
    if model.weights_hash() != artefact.weights_hash {
        return Err(damaged(&place, "its tensors don't hash to what model.json says".to_owned()));
    }
    Ok(model)
}

fn damaged(path: &Path, reason: String) -> ArtefactError {
    ArtefactError::Damaged { path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests;
