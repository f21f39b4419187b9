//! Keras 3: the graph's layers as a functional model, under Keras' own class names and with its own arguments.
//!
//! The model takes RGB 0–255 and gives probabilities; the layer `classifier` gives the logits. So where the graph has fewer or
//! more layers, they are without tensors: `input_rescaling` after the input of a backbone that expects another range,
//! `temperature` where the classifier is calibrated, and `probabilities` in place of the classifier's own softmax.

use serde_json::{Value, json};

use crate::graph::{Activation, Layer, Op, Padding};
use crate::model::Model;

/// The release whose files these are like.
const KERAS_VERSION: &str = "3.15.1";

/// `config.json`, and `metadata.json`.
pub(super) fn config(model: &Model, temperature: f64) -> (String, String) {
    let mut functional = Functional::default();
    for (index, layer) in model.graph.layers().iter().enumerate() {
        let inputs: Vec<Tensor> = layer.inputs.iter().map(|&input| functional.outputs[input].clone()).collect();
        let last = index + 1 == model.graph.len();
        let shape = &layer.output_shape;
        let mut output = functional.add(layer.op.class(), &layer.name, arguments(layer, last), &inputs, shape);
        let (scale, offset) = model.backbone.input.scale_offset();
        if layer.op == Op::Input && (scale, offset) != (1.0, 0.0) {
            let arguments = json!({"scale": scale, "offset": offset});
            output = functional.add("Rescaling", "input_rescaling", arguments, &[output], shape);
        }
        functional.outputs.push(output);
    }
    let classes = [model.num_classes()];
    let mut output = functional.outputs[model.graph.len() - 1].clone();
    if temperature != 1.0 {
        let arguments = json!({"scale": 1.0 / temperature, "offset": 0.0});
        output = functional.add("Rescaling", "temperature", arguments, &[output], &classes);
    }
    output = functional.add("Softmax", "probabilities", json!({"axis": -1}), &[output], &classes);
    let config = json!({
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": {
            "name": model.graph.name(),
            "trainable": true,
            "layers": functional.layers,
            "input_layers": [model.graph.layers()[0].name, 0, 0],
            "output_layers": [output.layer, 0, 0],
        },
        "registered_name": "Functional",
        "build_config": {"input_shape": null},
    });
    (config.to_string(), json!({"keras_version": KERAS_VERSION, "date_saved": "1980-01-01@00:00:00"}).to_string())
}

/// The output of a layer, as another one names it.
#[derive(Debug, Clone)]
struct Tensor {
    layer: String,
    shape: Value,
}

/// A functional model in the making.
#[derive(Debug, Default)]
struct Functional {
    layers: Vec<Value>,
    /// One for each of the graph's layers.
    outputs: Vec<Tensor>,
}

impl Functional {
    /// Adds a layer; `arguments` are those of its class.
    fn add(&mut self, class: &str, name: &str, arguments: Value, inputs: &[Tensor], output_shape: &[usize]) -> Tensor {
        let shape = batched(output_shape);
        let mut config = json!({"name": name, "trainable": true, "dtype": "float32"});
        if let (Some(config), Value::Object(arguments)) = (config.as_object_mut(), arguments) {
            config.extend(arguments);
        }
        let tensors: Vec<Value> = inputs.iter().map(Tensor::to_json).collect();
        let inbound_nodes = match &tensors[..] {
            [] => json!([]),
            [one] => json!([{"args": [one], "kwargs": {}}]),
            several => json!([{"args": [several], "kwargs": {}}]),
        };
        self.layers.push(json!({
            "module": "keras.layers",
            "class_name": class,
            "config": config,
            "registered_name": null,
            "name": name,
            "inbound_nodes": inbound_nodes,
        }));
        Tensor { layer: name.to_owned(), shape }
    }
}

impl Tensor {
    fn to_json(&self) -> Value {
        let config = json!({"shape": self.shape, "dtype": "float32", "keras_history": [self.layer, 0, 0]});
        json!({"class_name": "__keras_tensor__", "config": config})
    }
}

/// `[null, height, width, channels]`
fn batched(shape: &[usize]) -> Value {
    std::iter::once(Value::Null).chain(shape.iter().map(|&extent| extent.into())).collect()
}

/// The arguments of the layer's class; `last` leaves the activation to the layers that follow.
fn arguments(layer: &Layer, last: bool) -> Value {
    match &layer.op {
        Op::Input => json!({"batch_shape": batched(&layer.output_shape), "sparse": false, "ragged": false}),
        Op::Rescaling { scale, offset } => json!({"scale": per_channel(scale), "offset": per_channel(offset)}),
        Op::Normalization => json!({"axis": -1, "invert": false, "mean": null, "variance": null}),
        Op::ZeroPadding { padding: [top, bottom, left, right] } => json!({"padding": [[top, bottom], [left, right]]}),
        Op::Conv2D { kernel, stride, padding, bias, activation } => json!({
            "filters": layer.output_shape[2],
            "kernel_size": kernel,
            "strides": [stride, stride],
            "padding": padding_name(*padding),
            "use_bias": bias,
            "activation": activation.name(),
        }),
        Op::DepthwiseConv2D { kernel, stride, padding } => json!({
            "kernel_size": kernel,
            "strides": [stride, stride],
            "padding": padding_name(*padding),
            "use_bias": false,
        }),
        Op::BatchNorm { epsilon, momentum } => {
            json!({"axis": -1, "momentum": decimal(*momentum), "epsilon": decimal(*epsilon)})
        }
        Op::Activation(activation) => json!({"activation": activation.name()}),
        Op::Relu { max_value } => json!({"max_value": max_value.map(decimal)}),
        Op::Reshape => json!({"target_shape": layer.output_shape}),
        Op::Dropout { rate, per_sample: false } => json!({"rate": decimal(*rate)}),
        Op::Dropout { rate, per_sample: true } => json!({"rate": decimal(*rate), "noise_shape": [null, 1, 1, 1]}),
        Op::Dense { activation } => {
            let activation = if last { Activation::Linear } else { *activation };
            json!({"units": layer.output_shape[0], "activation": activation.name()})
        }
        Op::GlobalAveragePooling | Op::Multiply | Op::Add => json!({}),
    }
}

fn padding_name(padding: Padding) -> &'static str {
    match padding {
        Padding::Same => "same",
        Padding::Valid => "valid",
    }
}

/// A single number where all channels have the same.
fn per_channel(values: &[f32]) -> Value {
    match values {
        [first, rest @ ..] if rest.iter().all(|value| value == first) => json!(first),
        _ => json!(values),
    }
}

/// The number as it was written in decimal: 0.3, not the 0.30000001192092896 that an f32 makes of it.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}
