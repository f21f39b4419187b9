//! What Keras computes, for tests: files of `tests/goldens`, and weights by the formula that they were made with.

use std::path::{Path, PathBuf};

use crate::formula;
use crate::graph::Graph;
use crate::tensor::{Params, Tensor};
use crate::weights::from_safetensors;

/// A file of `tests/goldens`.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name)
}

/// All tensors of a safetensors file.
pub(crate) fn tensors(name: &str) -> Params {
    from_safetensors(name, &std::fs::read(path(name)).unwrap()).unwrap()
}

/// A JSON file.
pub(crate) fn json(name: &str) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path(name)).unwrap()).unwrap()
}

/// Formula weights for every tensor of `graph`; those of its last `head_layers` layers carry the prefix `head/`.
pub(crate) fn weights(graph: &Graph, head_layers: usize, project_gain: f64) -> Params {
    let base = graph.len() - head_layers;
    let mut params = Params::new();
    for (index, layer) in graph.layers().iter().enumerate() {
        for param in &layer.params {
            let name = layer.param_name(param);
            let formula_name = if index < base { name.clone() } else { format!("head/{name}") };
            params.insert(name, weight(&formula_name, &layer.name, param.name, &param.shape, project_gain));
        }
    }
    params
}

fn weight(name: &str, layer: &str, variable: &str, shape: &[usize], project_gain: f64) -> Tensor {
    if layer == "normalization" {
        return match variable {
            "mean" => Tensor::new(shape, vec![0.485, 0.456, 0.406]),
            "variance" => Tensor::new(shape, vec![0.229, 0.224, 0.225]),
            _ => Tensor::zeros(shape),
        };
    }
    let (scale, shift) = match variable {
        "gamma" => (0.2, 1.0),
        "beta" | "moving_mean" | "bias" => (0.1, 0.0),
        "moving_variance" => (0.3, 1.0),
        _ => {
            let depthwise = layer.ends_with("_dwconv");
            let fan_in: usize = if depthwise { shape[0] * shape[1] } else { shape[..shape.len() - 1].iter().product() };
            let gain = match layer {
                layer if layer.ends_with("_expand_conv") || layer == "top_conv" => 3.0,
                _ if depthwise => 9.0,
                layer if layer.ends_with("_project_conv") => project_gain,
                _ => 6.0,
            };
            ((gain / fan_in as f64).sqrt() as f32, 0.0)
        }
    };
    Tensor::new(shape, formula::tensor(name, shape.iter().product(), scale, shift))
}

/// Project gain of B0's formula weights.
pub(crate) const B0_GAIN: f64 = 12.0;
/// Project gain of the small net's.
pub(crate) const SMALL_GAIN: f64 = 40.0;

/// The picture `name` of the goldens as f32 RGB 0–255.
pub(crate) fn picture(name: &str, size: usize, cell: usize) -> Vec<f32> {
    formula::picture(name, size, size, cell).into_iter().map(f32::from).collect()
}

/// The largest absolute difference, and the largest value of `expected`.
pub(crate) fn apart(got: &[f32], expected: &[f32]) -> (f32, f32) {
    assert_eq!(got.len(), expected.len());
    let difference = got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let largest = expected.iter().map(|value| value.abs()).fold(0.0, f32::max);
    assert!(got.iter().all(|value| value.is_finite()));
    (difference, largest)
}
