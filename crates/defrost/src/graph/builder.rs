//! Builds a graph with calls that read as Keras' functional API.

use super::{Activation, Graph, Initializer, Layer, LayerIndex, Op, Padding, Param, conv_padding};

/// The output of a layer that is already in the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node(LayerIndex);

impl Node {
    /// The index of the layer.
    pub fn index(self) -> LayerIndex {
        self.0
    }
}

/// Collects layers in order.
#[derive(Debug, Clone)]
pub struct Builder {
    graph: Graph,
    prefix: String,
    /// Of convolution kernels: a habit of the family.
    kernel_initializer: Initializer,
    momentum: f32,
}

/// Keras' default epsilon of BatchNormalization, which all families here keep.
const BATCH_NORM_EPSILON: f32 = 1e-3;

impl Builder {
    /// An empty graph called `name`, with convolution kernels drawn by `kernel_initializer`, and BatchNorm's `momentum`.
    pub fn new(name: impl Into<String>, kernel_initializer: Initializer, momentum: f32) -> Builder {
        let graph = Graph { name: name.into(), layers: Vec::new() };
        Builder { graph, prefix: String::new(), kernel_initializer, momentum }
    }

    /// Goes on where `graph` ends: how a head is put on a backbone.
    pub fn extend(graph: Graph) -> (Builder, Node) {
        let last = Node(graph.len() - 1);
        let builder =
            Builder { graph, prefix: String::new(), kernel_initializer: Initializer::GlorotUniform, momentum: 0.99 };
        (builder, last)
    }

    /// The finished graph.
    pub fn finish(self) -> Graph {
        self.graph
    }

    /// Adds layers whose names all begin with `prefix`.
    pub fn scope<T>(&mut self, prefix: &str, layers: impl FnOnce(&mut Builder) -> T) -> T {
        let outer = std::mem::replace(&mut self.prefix, prefix.to_owned());
        let result = layers(self);
        self.prefix = outer;
        result
    }

    /// `[height, width, channels]` or `[features]` of a node.
    pub fn shape(&self, node: Node) -> &[usize] {
        &self.graph.layers[node.0].output_shape
    }

    fn channels(&self, node: Node) -> usize {
        self.shape(node).last().copied().unwrap_or(1)
    }

    fn push(&mut self, name: &str, op: Op, inputs: &[Node], output_shape: Vec<usize>, params: Vec<Param>) -> Node {
        let name = format!("{}{name}", self.prefix);
        debug_assert!(self.graph.index_of(&name).is_none(), "two layers called {name}");
        let inputs = inputs.iter().map(|node| node.0).collect();
        self.graph.layers.push(Layer { name, op, inputs, output_shape, params });
        Node(self.graph.len() - 1)
    }

    /// The picture, `size × size × 3`.
    pub fn input(&mut self, size: usize) -> Node {
        self.push("input_layer", Op::Input, &[], vec![size, size, 3], Vec::new())
    }

    /// `x · scale + offset` for each channel.
    pub fn rescaling(&mut self, name: &str, x: Node, scale: [f32; 3], offset: [f32; 3]) -> Node {
        let shape = self.shape(x).to_vec();
        self.push(name, Op::Rescaling { scale: scale.into(), offset: offset.into() }, &[x], shape, Vec::new())
    }

    /// `(x − mean) / sqrt(variance)` with the given constants until weights replace them.
    pub fn normalization(&mut self, name: &str, x: Node, mean: &'static [f32], variance: &'static [f32]) -> Node {
        let (shape, channels) = (self.shape(x).to_vec(), self.channels(x));
        let fixed = |name, shape, initializer| Param { name, shape, trainable: false, initializer };
        let params = vec![
            fixed("mean", vec![channels], Initializer::Constant(mean)),
            fixed("variance", vec![channels], Initializer::Constant(variance)),
            fixed("count", vec![], Initializer::Zeros),
        ];
        self.push(name, Op::Normalization, &[x], shape, params)
    }

    /// The zeros that Keras puts before a stride-2 convolution of `kernel`, so that an even input is padded at its end only.
    pub fn pad_for_stride_2(&mut self, name: &str, x: Node, kernel: usize) -> Node {
        let [height, width, channels] = [self.shape(x)[0], self.shape(x)[1], self.shape(x)[2]];
        let before = |size: usize| kernel / 2 - (1 - size % 2);
        let padding = [before(height), kernel / 2, before(width), kernel / 2];
        let shape = vec![height + padding[0] + padding[1], width + padding[2] + padding[3], channels];
        self.push(name, Op::ZeroPadding { padding }, &[x], shape, Vec::new())
    }

    /// A convolution without bias or activation.
    pub fn conv(
        &mut self,
        name: &str,
        x: Node,
        filters: usize,
        kernel: usize,
        stride: usize,
        padding: Padding,
    ) -> Node {
        self.conv_with(name, x, filters, kernel, stride, padding, None)
    }

    /// A 1×1 convolution with bias and activation: the dense layers of a squeeze-excite.
    pub fn conv_bias(&mut self, name: &str, x: Node, filters: usize, activation: Activation) -> Node {
        self.conv_with(name, x, filters, 1, 1, Padding::Same, Some(activation))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a convolution's own parameters, each named by the two callers above"
    )]
    fn conv_with(
        &mut self,
        name: &str,
        x: Node,
        filters: usize,
        kernel: usize,
        stride: usize,
        padding: Padding,
        biased: Option<Activation>,
    ) -> Node {
        let [height, width, channels] = [self.shape(x)[0], self.shape(x)[1], self.shape(x)[2]];
        let output = |size| conv_padding(size, kernel, stride, padding).2;
        let mut params = vec![trainable("kernel", vec![kernel, kernel, channels, filters], self.kernel_initializer)];
        if biased.is_some() {
            params.push(trainable("bias", vec![filters], Initializer::Zeros));
        }
        let op = Op::Conv2D {
            kernel: [kernel, kernel],
            stride,
            padding,
            bias: biased.is_some(),
            activation: biased.unwrap_or(Activation::Linear),
        };
        self.push(name, op, &[x], vec![output(height), output(width), filters], params)
    }

    /// A depthwise convolution without bias.
    pub fn depthwise(&mut self, name: &str, x: Node, kernel: usize, stride: usize, padding: Padding) -> Node {
        let [height, width, channels] = [self.shape(x)[0], self.shape(x)[1], self.shape(x)[2]];
        let output = |size| conv_padding(size, kernel, stride, padding).2;
        let params = vec![trainable("kernel", vec![kernel, kernel, channels, 1], self.kernel_initializer)];
        let op = Op::DepthwiseConv2D { kernel: [kernel, kernel], stride, padding };
        self.push(name, op, &[x], vec![output(height), output(width), channels], params)
    }

    /// Batch normalization over the channels.
    pub fn batch_norm(&mut self, name: &str, x: Node) -> Node {
        let (shape, channels) = (self.shape(x).to_vec(), self.channels(x));
        let statistic = |name, initializer| Param { name, shape: vec![channels], trainable: false, initializer };
        let params = vec![
            trainable("gamma", vec![channels], Initializer::Ones),
            trainable("beta", vec![channels], Initializer::Zeros),
            statistic("moving_mean", Initializer::Zeros),
            statistic("moving_variance", Initializer::Ones),
        ];
        self.push(name, Op::BatchNorm { epsilon: BATCH_NORM_EPSILON, momentum: self.momentum }, &[x], shape, params)
    }

    /// A pointwise function.
    pub fn activation(&mut self, name: &str, x: Node, activation: Activation) -> Node {
        let shape = self.shape(x).to_vec();
        self.push(name, Op::Activation(activation), &[x], shape, Vec::new())
    }

    /// Keras' `ReLU(max_value)` layer.
    pub fn relu(&mut self, name: &str, x: Node, max_value: f32) -> Node {
        let shape = self.shape(x).to_vec();
        self.push(name, Op::Relu { max_value: Some(max_value) }, &[x], shape, Vec::new())
    }

    /// Mean over height and width.
    pub fn global_average_pooling(&mut self, name: &str, x: Node) -> Node {
        let channels = self.channels(x);
        self.push(name, Op::GlobalAveragePooling, &[x], vec![channels], Vec::new())
    }

    /// The same elements under `shape`.
    pub fn reshape(&mut self, name: &str, x: Node, shape: Vec<usize>) -> Node {
        self.push(name, Op::Reshape, &[x], shape, Vec::new())
    }

    /// `x · gate`, the gate being `[1, 1, channels]`.
    pub fn multiply(&mut self, name: &str, x: Node, gate: Node) -> Node {
        let shape = self.shape(x).to_vec();
        self.push(name, Op::Multiply, &[x, gate], shape, Vec::new())
    }

    /// `a + b`
    pub fn add(&mut self, name: &str, a: Node, b: Node) -> Node {
        let shape = self.shape(a).to_vec();
        self.push(name, Op::Add, &[a, b], shape, Vec::new())
    }

    /// Stochastic depth: in training, a whole sample's branch is dropped with probability `rate`.
    pub fn stochastic_depth(&mut self, name: &str, x: Node, rate: f32) -> Node {
        let shape = self.shape(x).to_vec();
        self.push(name, Op::Dropout { rate, per_sample: true }, &[x], shape, Vec::new())
    }

    /// Dropout of single elements.
    pub fn dropout(&mut self, name: &str, x: Node, rate: f32) -> Node {
        let shape = self.shape(x).to_vec();
        self.push(name, Op::Dropout { rate, per_sample: false }, &[x], shape, Vec::new())
    }

    /// `activation(x · kernel + bias)`
    pub fn dense(&mut self, name: &str, x: Node, units: usize, activation: Activation) -> Node {
        let features = self.channels(x);
        let params = vec![
            trainable("kernel", vec![features, units], Initializer::GlorotUniform),
            trainable("bias", vec![units], Initializer::Zeros),
        ];
        self.push(name, Op::Dense { activation }, &[x], vec![units], params)
    }
}

fn trainable(name: &'static str, shape: Vec<usize>, initializer: Initializer) -> Param {
    Param { name, shape, trainable: true, initializer }
}
