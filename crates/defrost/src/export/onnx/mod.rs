//! ONNX: the graph's layers as nodes, channels first.
//!
//! | here | in the file |
//! | --- | --- |
//! | layers before the first convolution | left to the caller (`mean` and `std` in the metadata), or one `Mul` and `Add` |
//! | `ZeroPadding`, `Padding::Same` | the `pads` of the convolution that follows |
//! | kernels `(h, w, in, out)`, dense `(in, out)` | `(out, in, h, w)`, `(out, in)`, under the layer's own names |
//! | BatchNorm | `BatchNormalization` with its own four tensors; run times fold it |
//! | swish | `x · Sigmoid(x)` |
//! | dropout | nothing |
//! | the classifier's softmax | output `logits`, divided by the temperature, then output `probabilities` |
//!
//! Invariant: every tensor of the layers that are written is in the file bit for bit, only its axes are moved.
//!
//! # Reference
//! ONNX operator set [`OPSET`]; onnx.ai/onnx/operators.

mod proto;
mod read;

use prost::Message;

use self::proto::{
    AttributeProto, Dimension, Extent, FLOAT, GraphProto, INT64, IR_VERSION, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorType, TypeProto, ValueInfoProto,
};
use super::Batch;
use super::preprocessing::{Preprocessing, affine};
use crate::graph::{Activation, Layer, LayerIndex, Op, Padding, conv_padding};
use crate::model::Model;
use crate::weights::to_torch_axes;

#[cfg(test)]
pub(super) use self::read::outline;
pub(super) use self::read::read;

/// The operator set: old enough for every run time in use, and all that is needed.
pub const OPSET: i64 = 13;

/// The name of the picture's input.
const INPUT: &str = "pixels";
const LOGITS: &str = "logits";
const PROBABILITIES: &str = "probabilities";

/// How the file is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Form<'a> {
    pub(super) preprocess: bool,
    pub(super) batch: Batch,
    /// Logits are divided by it before the softmax; 1 is nothing.
    pub(super) temperature: f64,
    pub(super) description: &'a str,
    pub(super) metadata: &'a [(&'static str, String)],
}

/// The file of a classifier.
pub(super) fn write(model: &Model, form: &Form<'_>) -> Vec<u8> {
    let mut writer = Writer { model, nodes: Vec::new(), initializers: Vec::new(), values: Vec::new() };
    let input = writer.begin(form.preprocess);
    let first = writer.values.len();
    for (index, layer) in model.graph.layers().iter().enumerate().skip(first) {
        let value = writer.layer(index, layer);
        writer.values.push(value);
    }
    writer.end(form.temperature);
    let picture: [usize; 3] = match form.preprocess {
        true => [model.graph.input_shape()[0], model.graph.input_shape()[1], 3],
        false => [3, model.graph.input_shape()[0], model.graph.input_shape()[1]],
    };
    let classes = model.num_classes();
    let graph = GraphProto {
        node: writer.nodes,
        name: model.backbone.id.to_owned(),
        initializer: writer.initializers,
        input: vec![value_info(INPUT, form.batch, &picture, input)],
        output: vec![
            value_info(LOGITS, form.batch, &[classes], "before the softmax"),
            value_info(PROBABILITIES, form.batch, &[classes], "of each class"),
        ],
    };
    let entry = |(key, value): &(&str, String)| StringStringEntryProto { key: (*key).to_owned(), value: value.clone() };
    let file = ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: "defrost".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: form.description.to_owned(),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: Some(OPSET) }],
        metadata_props: form.metadata.iter().map(entry).collect(),
    };
    file.encode_to_vec()
}

fn value_info(name: &str, batch: Batch, shape: &[usize], doc: &str) -> ValueInfoProto {
    let batch = match batch {
        Batch::Dynamic => Extent::Named("batch".to_owned()),
        Batch::Fixed(pictures) => Extent::Fixed(pictures as i64),
    };
    let extents = shape.iter().map(|&extent| Extent::Fixed(extent as i64));
    let dim = std::iter::once(batch).chain(extents).map(|extent| Dimension { value: Some(extent) }).collect();
    let tensor = TensorType { elem_type: Some(FLOAT), shape: Some(TensorShapeProto { dim }) };
    let r#type = Some(TypeProto { tensor_type: Some(tensor) });
    ValueInfoProto { name: name.to_owned(), r#type, doc_string: doc.to_owned() }
}

/// The output of a layer in the file.
#[derive(Debug, Clone)]
struct Value {
    name: String,
    /// `[top, bottom, left, right]` zeros that whoever reads it must add.
    padding: [usize; 4],
    /// `[batch, channels, 1, 1]` where the graph has `[channels]`.
    unflattened: bool,
}

impl Value {
    fn plain(name: impl Into<String>) -> Value {
        Value { name: name.into(), padding: [0; 4], unflattened: false }
    }
}

struct Writer<'a> {
    model: &'a Model,
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    /// One for each layer that was written.
    values: Vec<Value>,
}

impl Writer<'_> {
    /// The layers before the first convolution; says what the input is.
    fn begin(&mut self, preprocess: bool) -> &'static str {
        let preprocessing = Preprocessing::of(self.model);
        let value = if preprocess {
            let channels_first = self.node(
                "preprocess/channels_first",
                "Transpose",
                &[INPUT],
                vec![AttributeProto::ints("perm", [0, 3, 1, 2])],
            );
            self.affine("preprocess", &channels_first, &preprocessing.scale, &preprocessing.offset)
        } else {
            INPUT.to_owned()
        };
        self.values = vec![Value::plain(value); preprocessing.last + 1];
        if preprocess {
            "RGB 0–255, channels last"
        } else {
            "(RGB / 255 − mean) / std, channels first; mean and std are in the metadata"
        }
    }

    fn end(&mut self, temperature: f64) {
        let logits = if temperature == 1.0 {
            LOGITS.to_owned()
        } else {
            let temperature = self.floats("temperature", &[], &[temperature as f32]);
            self.node("calibrated_logits", "Div", &[LOGITS, &temperature], vec![])
        };
        self.node(PROBABILITIES, "Softmax", &[&logits], vec![AttributeProto::int("axis", 1)]);
    }

    /// Writes a layer whose inputs are written.
    fn layer(&mut self, index: LayerIndex, layer: &Layer) -> Value {
        let name = layer.name.as_str();
        let source = layer.inputs.first().map_or(0, |&input| input);
        match &layer.op {
            // Layer 0, which `begin` wrote.
            Op::Input => self.values[0].clone(),
            Op::Rescaling { .. } | Op::Normalization => {
                let (scale, offset) = affine(self.model, layer).unwrap_or_default();
                let x = self.spatial(source);
                Value::plain(self.affine(name, &x, &scale, &offset))
            }
            Op::ZeroPadding { padding } => {
                let mut value = self.values[source].clone();
                value.padding.iter_mut().zip(padding).for_each(|(sum, &own)| *sum += own);
                value
            }
            Op::Conv2D { kernel, stride, padding, bias, activation } => {
                let y = self.conv(layer, source, *kernel, *stride, *padding, 1, *bias);
                Value::plain(self.activation(name, y, *activation))
            }
            Op::DepthwiseConv2D { kernel, stride, padding } => {
                Value::plain(self.conv(layer, source, *kernel, *stride, *padding, layer.output_shape[2], false))
            }
            Op::BatchNorm { epsilon, .. } => {
                let mut inputs = vec![self.any(source)];
                inputs.extend(["gamma", "beta", "moving_mean", "moving_variance"].map(|own| self.param(layer, own)));
                Value::plain(self.node(
                    name,
                    "BatchNormalization",
                    &inputs,
                    vec![AttributeProto::float("epsilon", *epsilon)],
                ))
            }
            Op::Activation(_) | Op::Relu { max_value: None | Some(6.0) } => {
                let x = self.any(source);
                Value::plain(self.activation_as(name, x, layer.op.activation()))
            }
            Op::Relu { max_value: Some(limit) } => {
                let x = self.any(source);
                Value::plain(self.clip(name, &x, *limit))
            }
            Op::GlobalAveragePooling => {
                let x = self.spatial(source);
                let name = self.node(name, "GlobalAveragePool", &[x], vec![]);
                Value { unflattened: true, ..Value::plain(name) }
            }
            Op::Reshape => self.reshape(layer, source),
            Op::Multiply | Op::Add => {
                let inputs: Vec<String> = layer.inputs.iter().map(|&input| self.any(input)).collect();
                let op = if layer.op == Op::Add { "Add" } else { "Mul" };
                Value::plain(self.node(name, op, &inputs, vec![]))
            }
            Op::Dropout { .. } => self.values[source].clone(),
            Op::Dense { activation } => {
                let last = index + 1 == self.model.graph.len();
                let inputs = [self.flat(source), self.param(layer, "kernel"), self.param(layer, "bias")];
                let output = if last { LOGITS } else { name };
                let y = self.named_node(name, output, "Gemm", &inputs, vec![AttributeProto::int("transB", 1)]);
                // The last one's softmax is `end`'s.
                Value::plain(if last { y } else { self.activation(name, y, *activation) })
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a convolution's own parameters")]
    fn conv(
        &mut self,
        layer: &Layer,
        source: LayerIndex,
        kernel: [usize; 2],
        stride: usize,
        padding: Padding,
        group: usize,
        bias: bool,
    ) -> String {
        let Value { name: x, padding: [top, bottom, left, right], .. } = self.values[source].clone();
        // The graph's shape has the zeros already.
        let shape = &self.model.graph.layers()[source].output_shape;
        let along = |axis: usize| conv_padding(shape[axis], kernel[axis], stride, padding);
        let ((above, below, _), (before, after, _)) = (along(0), along(1));
        let mut inputs = vec![x, self.param(layer, "kernel")];
        if bias {
            inputs.push(self.param(layer, "bias"));
        }
        let attributes = vec![
            AttributeProto::ints("kernel_shape", kernel),
            AttributeProto::ints("strides", [stride, stride]),
            AttributeProto::ints("pads", [top + above, left + before, bottom + below, right + after]),
            AttributeProto::int("group", group as i64),
        ];
        self.node(&layer.name, "Conv", &inputs, attributes)
    }

    /// The activation that a layer called `layer` ends with.
    fn activation(&mut self, layer: &str, x: String, activation: Activation) -> String {
        self.activation_as(&format!("{layer}/{}", activation.name()), x, activation)
    }

    /// An activation as a node called `name`.
    fn activation_as(&mut self, name: &str, x: String, activation: Activation) -> String {
        match activation {
            Activation::Linear => x,
            Activation::Relu => self.node(name, "Relu", &[x], vec![]),
            Activation::Relu6 => self.clip(name, &x, 6.0),
            Activation::Swish => {
                let gate = self.node(&format!("{name}/sigmoid"), "Sigmoid", &[&x], vec![]);
                self.node(name, "Mul", &[x, gate], vec![])
            }
            Activation::Sigmoid => self.node(name, "Sigmoid", &[x], vec![]),
            Activation::Softmax => self.node(name, "Softmax", &[x], vec![AttributeProto::int("axis", 1)]),
        }
    }

    /// `min(max(x, 0), limit)`
    fn clip(&mut self, name: &str, x: &str, limit: f32) -> String {
        let [min, max] = [0.0, limit].map(|value| self.floats(&format!("constant/{value}"), &[], &[value]));
        self.node(name, "Clip", &[x, &min, &max], vec![])
    }

    /// `x · scale + offset` for each channel of `[batch, channels, height, width]`.
    fn affine(&mut self, name: &str, x: &str, scale: &[f64], offset: &[f64]) -> String {
        let [scale, offset] = [("scale", scale), ("offset", offset)].map(|(own, values)| {
            let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
            self.floats(&format!("{name}/{own}"), &[1, values.len(), 1, 1], &values)
        });
        let scaled = self.node(&format!("{name}/scaled"), "Mul", &[x, &scale], vec![]);
        self.node(name, "Add", &[scaled, offset], vec![])
    }

    fn reshape(&mut self, layer: &Layer, source: LayerIndex) -> Value {
        let value = &self.values[source];
        let channels = self.model.graph.layers()[source].output_shape.last().copied();
        if value.unflattened && layer.output_shape.len() == 3 && layer.output_shape[2..] == channels.as_slice()[..] {
            return Value::plain(value.name.clone());
        }
        // Channels last here, first there: only where one of them is no picture do the elements keep their order.
        let x = self.flat(source);
        let shape: Vec<i64> = match layer.output_shape[..] {
            [height, width, channels] => vec![-1, channels as i64, height as i64, width as i64],
            _ => std::iter::once(-1).chain(layer.output_shape.iter().map(|&extent| extent as i64)).collect(),
        };
        let bytes = shape.iter().flat_map(|extent| extent.to_le_bytes()).collect();
        let shape = self.initializer(&format!("{}/shape", layer.name), &[shape.len()], INT64, bytes);
        Value::plain(self.node(&layer.name, "Reshape", &[x, shape], vec![]))
    }

    /// The value of a layer with its zeros around it, `[batch, channels, height, width]`.
    fn spatial(&mut self, source: LayerIndex) -> String {
        let Value { name, padding, .. } = self.values[source].clone();
        if padding == [0; 4] {
            return name;
        }
        let [top, bottom, left, right] = padding.map(|zeros| zeros as i64);
        let bytes = [0, 0, top, left, 0, 0, bottom, right].iter().flat_map(|extent| extent.to_le_bytes()).collect();
        let layer = &self.model.graph.layers()[source].name;
        let pads = self.initializer(&format!("{layer}/pads"), &[8], INT64, bytes);
        let name = self.node(layer, "Pad", &[name, pads], vec![]);
        self.values[source] = Value::plain(name.clone());
        name
    }

    /// The value of a layer, `[batch, features]`.
    fn flat(&mut self, source: LayerIndex) -> String {
        let value = &self.values[source];
        if !value.unflattened {
            return value.name.clone();
        }
        let name = value.name.clone();
        let flat = self.node(&format!("{name}/flat"), "Flatten", &[name], vec![]);
        self.values[source] = Value::plain(flat.clone());
        flat
    }

    /// The value of a layer in the graph's own number of axes.
    fn any(&mut self, source: LayerIndex) -> String {
        if self.values[source].unflattened { self.flat(source) } else { self.spatial(source) }
    }

    /// Adds a node that is called as its output; gives that name.
    fn node(&mut self, name: &str, op: &str, inputs: &[impl AsRef<str>], attributes: Vec<AttributeProto>) -> String {
        self.named_node(name, name, op, inputs, attributes)
    }

    fn named_node(
        &mut self,
        name: &str,
        output: &str,
        op: &str,
        inputs: &[impl AsRef<str>],
        attribute: Vec<AttributeProto>,
    ) -> String {
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|input| input.as_ref().to_owned()).collect(),
            output: vec![output.to_owned()],
            name: name.to_owned(),
            op_type: op.to_owned(),
            attribute,
        });
        output.to_owned()
    }

    /// Adds a layer's tensor; gives its name.
    fn param(&mut self, layer: &Layer, own: &str) -> String {
        let name = format!("{}/{own}", layer.name);
        let tensor = to_torch_axes(&layer.op, &self.model.params[&name]);
        self.initializer(&name, tensor.shape(), FLOAT, tensor.to_le_bytes())
    }

    /// Adds constants, once for each name.
    fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.initializer(name, shape, FLOAT, bytes)
    }

    fn initializer(&mut self, name: &str, shape: &[usize], data_type: i32, raw_data: Vec<u8>) -> String {
        if !self.initializers.iter().any(|tensor| tensor.name == name) {
            let dims = shape.iter().map(|&extent| extent as i64).collect();
            self.initializers.push(TensorProto { dims, data_type: Some(data_type), name: name.to_owned(), raw_data });
        }
        name.to_owned()
    }
}
