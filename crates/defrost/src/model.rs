//! A backbone with its head and all parameters: what is trained, saved and asked for predictions.

use serde::{Deserialize, Serialize};

use crate::backbone::Backbone;
use crate::graph::{Cut, CutError, CutPoint, Graph, Summary, Tap};
use crate::head::Head;
use crate::tensor::{Params, hash_params};
use crate::weights::initialize;

/// How Keras builds a backbone: with pretrained weights some families rescale once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// `weights="imagenet"`
    Pretrained,
    /// `weights=None`
    FromScratch,
}

impl Layout {
    /// How the network was built that `params` are of. Only a network that was built with `weights=None` normalizes by the mean 0
    /// and the variance 1, as Keras adapts that layer to no data.
    pub fn of(params: &Params) -> Layout {
        let all = |name: &str, value: f32| {
            params.get(name).is_some_and(|tensor| tensor.data().iter().all(|&element| element == value))
        };
        match all("normalization/mean", 0.0) && all("normalization/variance", 1.0) {
            true => Layout::FromScratch,
            false => Layout::Pretrained,
        }
    }

    /// The backbone's graph for pictures of `input_size`.
    pub fn graph(self, backbone: &Backbone, input_size: usize) -> Graph {
        match self {
            Layout::Pretrained => backbone.graph(input_size),
            Layout::FromScratch => backbone.graph_from_scratch(input_size),
        }
    }
}

/// A network with its parameters.
///
/// Invariant: `params` holds exactly the tensors of `graph`, each of the shape that the graph states.
#[derive(Debug, Clone)]
pub struct Model {
    /// The registry's entry that the backbone was built from.
    pub backbone: &'static Backbone,
    /// How it was built.
    pub layout: Layout,
    /// The backbone's layers, then the head's.
    pub graph: Graph,
    /// How many of the layers are the backbone's.
    pub backbone_layers: usize,
    /// All tensors by name.
    pub params: Params,
}

impl Model {
    /// Puts `head` for `num_classes` on `backbone`; all tensors are drawn from `seed`.
    pub fn new(
        backbone: &'static Backbone,
        layout: Layout,
        input_size: usize,
        head: &Head,
        num_classes: usize,
        seed: u64,
    ) -> Model {
        let base = layout.graph(backbone, input_size);
        let backbone_layers = base.len();
        let graph = head.attach(base, num_classes);
        let params = initialize(&graph, seed);
        Model { backbone, layout, graph, backbone_layers, params }
    }

    /// The backbone's layers alone.
    pub fn backbone_graph(&self) -> Graph {
        self.graph.truncated(self.backbone_layers)
    }

    /// Finds a cut, counted in the backbone's layers.
    ///
    /// # Errors
    /// When the backbone has too few layers, or no layer or block of that name.
    pub fn locate(&self, cut: &Cut) -> Result<CutPoint, CutError> {
        cut.locate(&self.backbone_graph())
    }

    /// The tensor stored for a cut.
    pub fn tap(&self, cut: CutPoint, batch_statistics: bool) -> Tap {
        Tap::of(&self.graph, cut, batch_statistics)
    }

    /// What `summary` prints.
    pub fn summary(&self, cut: CutPoint) -> Summary {
        Summary::new(&self.graph, self.backbone_layers, cut)
    }

    /// BLAKE3 over all tensors in name order, in hexadecimal digits.
    pub fn weights_hash(&self) -> String {
        hash_params(&self.params).to_hex().to_string()
    }

    /// Names of the backbone's tensors, in graph order.
    pub fn backbone_tensors(&self) -> impl Iterator<Item = String> {
        self.graph.layers()[..self.backbone_layers]
            .iter()
            .flat_map(|layer| layer.params.iter().map(|param| layer.param_name(param)))
    }

    /// Identifies the layers after `from` up to `to` with their tensors: the part that a stored row depends on.
    pub fn fingerprint(&self, from: Tap, to: Tap) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for layer in &self.graph.layers()[from.0 + 1..=to.0] {
            hasher.update(format!("{layer:?}").as_bytes());
            for param in &layer.params {
                let name = layer.param_name(param);
                crate::tensor::hash_tensor(&mut hasher, &name, &self.params[&name]);
            }
        }
        hasher.finalize()
    }

    /// The number of classes.
    pub fn num_classes(&self) -> usize {
        self.graph.output_shape()[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    #[test]
    fn how_a_network_was_built_is_told_by_its_normalization() {
        let params = |mean: [f32; 3], variance: [f32; 3]| {
            let tensor = |values: [f32; 3]| Tensor::new([3], values.to_vec());
            let named = [("normalization/mean", tensor(mean)), ("normalization/variance", tensor(variance))];
            Params::from(named.map(|(name, tensor)| (name.to_owned(), tensor)))
        };
        assert_eq!(Layout::of(&params([0.0; 3], [1.0; 3])), Layout::FromScratch);
        assert_eq!(Layout::of(&params([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])), Layout::Pretrained);
        assert_eq!(Layout::of(&params([0.0; 3], [0.229, 0.224, 0.225])), Layout::Pretrained);
        // Families that have no such layer are built in one way.
        assert_eq!(Layout::of(&Params::new()), Layout::Pretrained);
    }
}
