//! A trained classifier as a file for other programs.
//!
//! | format | opened by | how |
//! | --- | --- | --- |
//! | `onnx` | onnxruntime and most run times | network and weights, channels first; outputs `logits` and `probabilities` |
//! | `keras` | Keras 3 | network and weights, under Keras' own class and layer names |
//! | `keras-weights` | Keras 3 | the weights alone, for the same network built in Python |
//! | `safetensors` | PyTorch with timm | the weights under timm's names; the metadata say how to build the network |
//!
//! Invariant: what [`export`] returns was read back and holds the classifier's tensors bit for bit.

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

use crate::artefact::Artefact;
use crate::graph::Op;
use crate::model::{Layout, Model};
use crate::tensor::Params;
use crate::weights::{self, to_keras_archive, to_keras_weights};

/// The bytes of the classifier in another program's format.
///
/// # Errors
/// When an option isn't the format's, the format can't hold the classifier, or what was written doesn't read back as it was.
pub fn export(artefact: &Artefact, model: &Model, format: Format, options: &Options) -> Result<Vec<u8>, ExportError> {
    options.check(format)?;
    let temperature = 1.0;
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
    };
    verify(model, format, &bytes)?;
    Ok(bytes)
}

/// Reads back what was written, and compares every tensor.
fn verify(model: &Model, format: Format, bytes: &[u8]) -> Result<(), ExportError> {
    let read = match format {
        Format::Onnx => onnx::read(bytes, &model.graph),
        Format::Keras | Format::KerasWeights => weights::load_bytes("the file", bytes, &model.graph, &|_| None)
            .map(|loaded| loaded.params)
            .map_err(|error| error.to_string()),
        Format::Safetensors => timm::read(bytes, model),
    };
    let mut read = read.map_err(|reason| ExportError::Unreadable { format, reason })?;
    let mut expected = model.params.clone();
    if matches!(format, Format::Onnx | Format::Safetensors) {
        // There, input normalization is a factor and a summand.
        for (layer, param) in model.graph.params().filter(|(layer, _)| layer.op == Op::Normalization) {
            let name = layer.param_name(param);
            expected.remove(&name);
            read.remove(&name);
        }
    }
    compare(format, &expected, &read)
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
    metadata.extend(licence(model).map(|licence| ("licence", licence.to_owned())));
    metadata
}

/// Under which the backbone's pretrained weights are published; `None` for those trained from scratch.
fn licence(model: &Model) -> Option<&'static str> {
    match (model.layout, &model.backbone.source) {
        (Layout::FromScratch, _) => None,
        (Layout::Pretrained, Some(source)) => Some(source.licence),
        // The embedded weights'; see the crate `defrost-weights`.
        (Layout::Pretrained, None) => Some("Apache-2.0"),
    }
}

/// Holds what was read back to what had to be written.
fn compare(format: Format, expected: &Params, read: &Params) -> Result<(), ExportError> {
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let differs =
        |name: &str, found: &str| ExportError::Differs { format, tensor: name.to_owned(), found: found.to_owned() };
    for (name, tensor) in expected {
        match read.get(name) {
            None => return Err(differs(name, "missing")),
            Some(other) if other.shape() != tensor.shape() => return Err(differs(name, "of another shape")),
            Some(other) if bits(other.data()) != bits(tensor.data()) => return Err(differs(name, "of other values")),
            Some(_) => {}
        }
    }
    match read.keys().find(|name| !expected.contains_key(*name)) {
        Some(name) => Err(differs(name, "not the classifier's")),
        None => Ok(()),
    }
}
