//! A backbone with its head and all parameters: what is trained, saved and asked for predictions.

use crate::backbone::Backbone;
use crate::graph::{Cut, CutError, CutPoint, Graph, Summary, Tap};
use crate::head::Head;
use crate::tensor::{Params, hash_params};
use crate::weights::initialize;

/// A network with its parameters.
///
/// Invariant: `params` holds exactly the tensors of `graph`, each of the shape that the graph states.
#[derive(Debug, Clone)]
pub struct Model {
    /// The registry's entry that the backbone was built from.
    pub backbone: &'static Backbone,
    /// The backbone's layers, then the head's.
    pub graph: Graph,
    /// How many of the layers are the backbone's.
    pub backbone_layers: usize,
    /// All tensors by name.
    pub params: Params,
}

impl Model {
    /// Puts `head` for `num_classes` on `backbone`; the head's tensors, and those of the backbone where no pretrained ones are
    /// given, are drawn from `seed`.
    pub fn new(
        backbone: &'static Backbone,
        input_size: usize,
        head: &Head,
        num_classes: usize,
        pretrained: Option<Params>,
        seed: u64,
    ) -> Model {
        let base = match pretrained {
            Some(_) => backbone.graph(input_size),
            None => backbone.graph_from_scratch(input_size),
        };
        let backbone_layers = base.len();
        let graph = head.attach(base, num_classes);
        let mut params = initialize(&graph, seed);
        params.extend(pretrained.unwrap_or_default());
        Model { backbone, graph, backbone_layers, params }
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

    /// BLAKE3 over all tensors in name order.
    pub fn weights_hash(&self) -> String {
        hash_params(&self.params).to_hex().to_string()
    }

    /// Names of the backbone's tensors, in graph order.
    pub fn backbone_tensors(&self) -> impl Iterator<Item = String> {
        self.graph.layers()[..self.backbone_layers]
            .iter()
            .flat_map(|layer| layer.params.iter().map(|param| layer.param_name(param)))
    }

    /// The number of classes.
    pub fn num_classes(&self) -> usize {
        self.graph.output_shape()[0]
    }
}
