//! Every format against the same tensors, what isn't accepted, and files that somebody damaged.

use super::*;
use crate::graph::{Activation, Builder, Initializer, Padding};
use serde_json::Value;
use std::path::PathBuf;

mod damaged;
mod formats;
mod rules;
#[cfg(feature = "torch")]
mod torch;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name)
}

/// A golden's bytes; unpacked where it is kept as `.gz`.
fn golden_bytes(name: &str) -> Vec<u8> {
    use std::io::Read;
    let bytes = crate::fs::read(&golden(name)).unwrap();
    if !name.ends_with(".gz") {
        return bytes;
    }
    let mut content = Vec::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut content).unwrap();
    content
}

fn reference(name: &str) -> Params {
    from_safetensors(name, &golden_bytes(name)).unwrap()
}

/// The EfficientNet of 8 blocks that all the goldens hold, from Keras' own list of its layers.
fn small_net() -> Graph {
    let list: Value = serde_json::from_slice(&golden_bytes("layers/small.json")).unwrap();
    let mut g = Builder::new("small", Initializer::VarianceScalingFanOut, 0.99);
    let mut nodes = std::collections::HashMap::new();
    for layer in list["layers"].as_array().unwrap() {
        let (name, config) = (layer["name"].as_str().unwrap(), &layer["config"]);
        let inputs: Vec<_> =
            layer["inputs"].as_array().unwrap().iter().map(|input| nodes[input.as_str().unwrap()]).collect();
        let number = |key: &str| config[key].as_u64().unwrap() as usize;
        let [kernel, stride] = ["kernel_size", "strides"].map(|key| config[key][0].as_u64().unwrap_or(1) as usize);
        let padding = if config["padding"] == "same" { Padding::Same } else { Padding::Valid };
        let node = match layer["class"].as_str().unwrap() {
            "InputLayer" => g.input(64),
            "Rescaling" => g.rescaling(name, inputs[0], [1.0 / 255.0; 3], [0.0; 3]),
            "Normalization" => g.normalization(name, inputs[0], &[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225]),
            "ZeroPadding2D" => g.pad_for_stride_2(name, inputs[0], 3),
            "Conv2D" if config["use_bias"] == true => {
                g.conv_bias(name, inputs[0], number("filters"), Activation::Swish)
            }
            "Conv2D" => g.conv(name, inputs[0], number("filters"), kernel, stride, padding),
            "DepthwiseConv2D" => g.depthwise(name, inputs[0], kernel, stride, padding),
            "BatchNormalization" => g.batch_norm(name, inputs[0]),
            "Activation" => g.activation(name, inputs[0], Activation::Swish),
            "GlobalAveragePooling2D" => g.global_average_pooling(name, inputs[0]),
            "Reshape" => {
                let channels = g.shape(inputs[0])[0];
                g.reshape(name, inputs[0], vec![1, 1, channels])
            }
            "Multiply" => g.multiply(name, inputs[0], inputs[1]),
            "Add" => g.add(name, inputs[0], inputs[1]),
            "Dropout" => g.stochastic_depth(name, inputs[0], 0.1),
            class => panic!("{class}"),
        };
        nodes.insert(name, node);
    }
    let graph = g.finish();
    assert_eq!((graph.len(), graph.param_count(), graph.params().count()), (120, 56_427, 160));
    graph
}

fn load_golden(name: &str) -> Result<LoadedWeights, WeightsError> {
    load_bytes(name, &golden_bytes(name), &small_net(), &|_| None)
}

/// Same names, shapes and bits.
fn assert_same(got: &Params, expected: &Params) {
    let names = |params: &Params| params.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(got), names(expected));
    for (name, tensor) in expected {
        assert_eq!(got[name].shape(), tensor.shape(), "{name}");
        assert_eq!(got[name].to_le_bytes(), tensor.to_le_bytes(), "{name}");
    }
}
