//! safetensors with the names and axes of PyTorch Image Models (timm), the head as the `classifier`.
//!
//! The metadata hold the Python that opens the file:
//!
//! ```python
//! import timm, torch
//! from safetensors import safe_open
//! from safetensors.torch import load_file
//! from torch import nn
//!
//! meta = safe_open("flowers.safetensors", "pt").metadata()
//! model = eval(meta["timm"])                 # timm.create_model("tf_efficientnet_lite0")
//! model.classifier = eval(meta["classifier"])  # nn.Sequential(nn.Linear(1280, 256), nn.ReLU(), …)
//! model.load_state_dict(load_file("flowers.safetensors"))
//! ```

use super::{ExportError, Format};
use crate::graph::{Activation, Layer, Op};
use crate::model::Model;
use crate::tensor::Params;
use crate::weights::{self, to_safetensors, to_torch_axes};

/// The head as PyTorch modules.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Classifier {
    /// The Python expression.
    pub(super) python: String,
    /// `(our layer, its module)`: `dense_1` is `classifier.0`.
    modules: Vec<(String, String)>,
}

impl Classifier {
    /// The layers after the pooling; the last one's softmax is left out.
    pub(super) fn of(model: &Model) -> Classifier {
        let layers = &model.graph.layers()[model.backbone_layers..];
        let last = layers.len() - 1;
        let (mut python, mut modules) = (Vec::new(), Vec::new());
        for (index, layer) in layers.iter().enumerate() {
            match &layer.op {
                Op::Dense { activation } => {
                    modules.push((layer.name.clone(), format!("classifier.{}", python.len())));
                    python.push(format!("nn.Linear({}, {})", layer.params[0].shape[0], layer.params[0].shape[1]));
                    python.extend(module(*activation).filter(|_| index != last).map(str::to_owned));
                }
                Op::Dropout { rate, .. } => python.push(format!("nn.Dropout({rate})")),
                // The pooling, which is timm's own.
                _ => {}
            }
        }
        // A single layer is the one that timm has anyway.
        match &mut modules[..] {
            [(_, module)] if python.len() == 1 => {
                *module = "classifier".to_owned();
                Classifier { python: python.swap_remove(0), modules }
            }
            _ => Classifier { python: format!("nn.Sequential({})", python.join(", ")), modules },
        }
    }

    fn module(&self, layer: &str) -> Option<&str> {
        self.modules.iter().find(|(own, _)| own == layer).map(|(_, module)| module.as_str())
    }

    /// Our name of a tensor of the head.
    fn rename(&self, foreign: &str) -> Option<String> {
        let (module, attribute) = foreign.rsplit_once('.')?;
        let (layer, _) = self.modules.iter().find(|(_, own)| own == module)?;
        let variable = if attribute == "weight" { "kernel" } else { attribute };
        Some(format!("{layer}/{variable}"))
    }
}

fn module(activation: Activation) -> Option<&'static str> {
    match activation {
        Activation::Linear => None,
        Activation::Relu => Some("nn.ReLU()"),
        Activation::Relu6 => Some("nn.ReLU6()"),
        Activation::Swish => Some("nn.SiLU()"),
        Activation::Sigmoid => Some("nn.Sigmoid()"),
        Activation::Softmax => Some("nn.Softmax(-1)"),
    }
}

/// The file of a classifier.
///
/// # Errors
/// When timm has no name for one of its tensors.
pub(super) fn write(model: &Model, metadata: &[(&'static str, String)]) -> Result<Vec<u8>, ExportError> {
    let classifier = Classifier::of(model);
    let mut tensors = Params::new();
    for (layer, param) in model.graph.params().filter(|(layer, _)| layer.op != Op::Normalization) {
        let ours = layer.param_name(param);
        let name = name(model, &classifier, layer, &ours)
            .ok_or_else(|| ExportError::Unnamed { format: Format::Safetensors, tensor: ours.clone() })?;
        tensors.insert(name, to_torch_axes(&layer.op, &model.params[&ours]));
    }
    let mut entries = vec![("format", "pt"), ("timm", model.backbone.timm()), ("classifier", &classifier.python)];
    entries.extend(metadata.iter().map(|(key, value)| (*key, value.as_str())));
    Ok(to_safetensors(&tensors, &entries))
}

fn name(model: &Model, classifier: &Classifier, layer: &Layer, ours: &str) -> Option<String> {
    match classifier.module(&layer.name) {
        Some(module) => Some(format!("{module}.{}", if ours.ends_with("/kernel") { "weight" } else { "bias" })),
        None => model.backbone.timm_name(ours),
    }
}

/// The tensors of such a file by our names, by the reader of PyTorch's checkpoints.
///
/// # Errors
/// With what that reader says.
pub(super) fn read(bytes: &[u8], model: &Model) -> Result<Params, String> {
    let classifier = Classifier::of(model);
    let rename = |foreign: &str| classifier.rename(foreign).or_else(|| model.backbone.rename(foreign));
    let loaded = weights::load_bytes("the file", bytes, &model.graph, &rename).map_err(|error| error.to_string())?;
    Ok(loaded.params)
}
