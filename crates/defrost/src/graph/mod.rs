//! The network as data: an ordered list of named layers, as Keras numbers them.
//!
//! Freezing, cuts, summaries, weight names and the executors all read this one list; nothing else knows a network's shape.
//!
//! Invariant: a layer's inputs come before it, names are unique, and layer 0 is the only input.

mod builder;
mod cut;
mod op;
mod summary;

pub use builder::{Builder, Node};
pub use cut::{Cut, CutError, CutPoint, Tap};
pub use op::{Activation, Initializer, Op, Padding, Param, conv_padding};
pub use summary::{Summary, human_count, layer_table};

/// The index of a layer in its graph.
pub type LayerIndex = usize;

/// One layer: a name, what it computes, from what, and its named parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Unique in its graph, Keras' own: `block6d_expand_bn`.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// The layers whose outputs it reads, in order.
    pub inputs: Vec<LayerIndex>,
    /// Without the batch: `[height, width, channels]` or `[features]`.
    pub output_shape: Vec<usize>,
    /// Its parameters in Keras' order (trainable first).
    pub params: Vec<Param>,
}

impl Layer {
    /// The name of one of its parameters among all tensors: `layer/variable`.
    pub fn param_name(&self, param: &Param) -> String {
        format!("{}/{}", self.name, param.name)
    }

    /// Elements of all its parameters.
    pub fn param_count(&self) -> usize {
        self.params.iter().map(Param::len).sum()
    }
}

/// A network: layers in an order in which they can be computed, the first being the input, the last the output.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    name: String,
    layers: Vec<Layer>,
}

impl Graph {
    /// Keras' model name, for example `efficientnetb0`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All layers in order.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The number of layers.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether there is no layer (a built graph always has its input).
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// `[height, width, channels]` of the picture.
    pub fn input_shape(&self) -> &[usize] {
        &self.layers[0].output_shape
    }

    /// The last layer's output, without the batch.
    pub fn output_shape(&self) -> &[usize] {
        &self.layers[self.layers.len() - 1].output_shape
    }

    /// The first `layers` layers.
    ///
    /// # Panics
    /// When there are fewer.
    #[must_use]
    pub fn truncated(&self, layers: usize) -> Graph {
        Graph { name: self.name.clone(), layers: self.layers[..layers].to_vec() }
    }

    /// The index of the layer called `name`.
    pub fn index_of(&self, name: &str) -> Option<LayerIndex> {
        self.layers.iter().position(|layer| layer.name == name)
    }

    /// Elements of all parameters.
    pub fn param_count(&self) -> usize {
        self.layers.iter().map(Layer::param_count).sum()
    }

    /// Every parameter with its layer, in layer order.
    pub fn params(&self) -> impl Iterator<Item = (&Layer, &Param)> {
        self.layers.iter().flat_map(|layer| layer.params.iter().map(move |param| (layer, param)))
    }
}

#[cfg(test)]
impl Graph {
    /// The graph as Keras builds it with `drop_connect_rate=0`: without its stochastic-depth layers.
    pub(crate) fn without_stochastic_depth(&self) -> Graph {
        let mut new_index = Vec::with_capacity(self.len());
        let mut layers: Vec<Layer> = Vec::with_capacity(self.len());
        for layer in &self.layers {
            let inputs: Vec<LayerIndex> = layer.inputs.iter().map(|&input| new_index[input]).collect();
            if let Op::Dropout { per_sample: true, .. } = layer.op {
                new_index.push(inputs[0]);
            } else {
                new_index.push(layers.len());
                layers.push(Layer { inputs, ..layer.clone() });
            }
        }
        Graph { name: self.name.clone(), layers }
    }
}
