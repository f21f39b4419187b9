//! A trained classifier as a file for other programs.
//!
//! | format | opened by | how |
//! | --- | --- | --- |
//! | `onnx` | onnxruntime and most run times | network and weights, channels first; outputs `logits` and `probabilities` |
//! | `keras` | Keras 3 | network and weights, under Keras' own class and layer names |
//! | `keras-weights` | Keras 3 | the weights alone, for the same network built in Python |
//! | `defrost` | defrost | everything: network, weights, classes, preprocessing, calibration, golden pictures |
//! | `card` | people | what the classifier is, how good it is and how to use it, in Markdown |
//! | `safetensors` | PyTorch with timm | the weights under timm's names; the metadata say how to build the network |
//!
//! Invariant: what [`export`] returns was read back and holds the classifier's tensors bit for bit.

mod card;
mod error;
mod format;
mod keras;
mod onnx;
mod preprocessing;
mod timm;

pub use self::error::ExportError;
pub use self::format::{Batch, Format, Options};
pub use self::onnx::OPSET;
pub use self::preprocessing::Preprocessing;

use std::path::Path;

use crate::artefact::Artefact;
use crate::graph::Op;
use crate::model::Model;
use crate::report::Lang;
use crate::tensor::{Params, Tensor};
use crate::weights::{self, to_keras_archive, to_keras_weights};

/// The bytes of the classifier in another program's format.
///
/// # Errors
/// When an option isn't the format's, the format can't hold the classifier, or what was written doesn't read back as it was.
pub fn export(artefact: &Artefact, model: &Model, format: Format, options: &Options) -> Result<Vec<u8>, ExportError> {
    options.check(format)?;
    let temperature = artefact.temperature();
    let metadata = metadata(artefact, model);
    let bytes = match format {
        Format::Onnx => {
            let form = onnx::Form {
                preprocess: options.preprocess,
                batch: options.batch,
                temperature,
                description: &description(artefact),
                metadata: &metadata,
            };
            onnx::write(model, &form)
        }
        Format::Keras => {
            let (config, keras_metadata) = keras::config(model, temperature);
            to_keras_archive(&config, &keras_metadata, &to_keras_weights(&model.graph, &model.params)?)?
        }
        Format::KerasWeights => to_keras_weights(&model.graph, &model.params)?,
        Format::Safetensors => timm::write(model, &metadata)?,
        Format::Defrost => artefact.packed(model)?,
        Format::Card => return Ok(card(artefact, model, options.lang)?.into_bytes()),
    };
    verify(artefact, model, format, &bytes)?;
    Ok(bytes)
}

/// The classifier's model card, in Markdown.
///
/// # Errors
/// When the template has a mistake.
pub fn card(artefact: &Artefact, model: &Model, lang: Lang) -> Result<String, ExportError> {
    Ok(card::write(artefact, model, lang)?)
}

/// Reads back what was written, compares every tensor, and runs the golden pictures on what was read.
fn verify(artefact: &Artefact, model: &Model, format: Format, bytes: &[u8]) -> Result<(), ExportError> {
    let read = match format {
        Format::Onnx => onnx::read(bytes, &model.graph),
        Format::Keras | Format::KerasWeights => weights::load_bytes("the file", bytes, &model.graph, &|_| None)
            .map(|loaded| loaded.params)
            .map_err(|error| error.to_string()),
        Format::Safetensors => timm::read(bytes, model),
        Format::Defrost => Artefact::unpack(Path::new("the export"), bytes)
            .map(|(_, model)| model.params)
            .map_err(|error| error.to_string()),
        Format::Card => return Ok(()),
    };
    let mut read = read.map_err(|reason| ExportError::Unreadable { format, reason })?;
    if matches!(format, Format::Onnx | Format::Safetensors) {
        // There, input normalization is a factor and a summand.
        for (layer, param) in model.graph.params().filter(|(layer, _)| layer.op == Op::Normalization) {
            let name = layer.param_name(param);
            read.insert(name.clone(), model.params[&name].clone());
        }
    }
    compare(format, &model.params, &read)?;
    let written = Model { params: read, ..model.clone() };
    Ok(artefact.check_goldens(&written, Path::new("the export"))?)
}

/// One line about the classifier.
fn description(artefact: &Artefact) -> String {
    let classes = artefact.classes.len();
    format!("{classes} classes, {} with a new head, trained by defrost", artefact.backbone)
}

/// What a program needs to use the classifier, by key; lists are JSON.
fn metadata(artefact: &Artefact, model: &Model) -> Vec<(&'static str, String)> {
    let preprocessing = Preprocessing::of(model);
    let json = |value: serde_json::Value| value.to_string();
    let mut metadata = vec![
        ("classes", json(artefact.classes.as_slice().into())),
        ("input_size", artefact.input_size.to_string()),
        ("resize", artefact.resize.name().to_owned()),
        ("mean", json(serde_json::json!(preprocessing.mean()))),
        ("std", json(serde_json::json!(preprocessing.std()))),
        ("backbone", artefact.backbone.clone()),
        ("weights_hash", artefact.weights_hash.clone()),
    ];
    if artefact.temperature() != 1.0 {
        metadata.push(("temperature", artefact.temperature().to_string()));
    }
    metadata.extend(licence(artefact).map(|licence| ("licence", licence.to_owned())));
    metadata
}

/// Under which the backbone's pretrained weights are published, where that is known.
fn licence(artefact: &Artefact) -> Option<&str> {
    artefact.origin.as_ref()?.licence.as_deref()
}

/// Holds what was read back to what had to be written.
fn compare(format: Format, expected: &Params, read: &Params) -> Result<(), ExportError> {
    let same_bits = |a: &Tensor, b: &Tensor| a.data().iter().zip(b.data()).all(|(a, b)| a.to_bits() == b.to_bits());
    let differs =
        |name: &str, found: &str| ExportError::Differs { format, tensor: name.to_owned(), found: found.to_owned() };
    for (name, tensor) in expected {
        match read.get(name) {
            None => return Err(differs(name, "missing")),
            Some(other) if other.shape() != tensor.shape() => return Err(differs(name, "of another shape")),
            Some(other) if !same_bits(other, tensor) => return Err(differs(name, "of other values")),
            Some(_) => {}
        }
    }
    match read.keys().find(|name| !expected.contains_key(*name)) {
        Some(name) => Err(differs(name, "not the classifier's")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
