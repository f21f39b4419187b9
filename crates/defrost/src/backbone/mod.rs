//! Pretrained networks: one file per family, and this registry.
//!
//! **Adding one** is a new file with a `FAMILY` (its rows of [`Backbone`]) and its name in `FAMILIES`. A family's file states
//! the graph, what it expects of a picture, where its weights come from and how foreign checkpoints name its parameters; the
//! registry's tests then hold it to shapes, gradients and summaries without writing any.

mod efficientnet;
mod mobilenet_v2;
mod torch;

use self::torch::TimmNames;
use crate::error::did_you_mean;
use crate::graph::Graph;
use crate::weights::Source;

/// All families.
const FAMILIES: [&[Backbone]; 2] = [efficientnet::FAMILY, mobilenet_v2::FAMILY];

/// The backbone that is used where none is named; its weights are embedded in the program.
pub const DEFAULT: &str = "efficientnet_lite0.imagenet";

/// The licence of the weights that are embedded in the program, as an SPDX identifier.
const EMBEDDED_LICENCE: &str = "Apache-2.0";

/// The smallest picture side: five stride-2 steps leave one cell.
pub const MIN_INPUT_SIZE: usize = 32;

/// A pretrained network without its classifier.
#[derive(Debug, Clone, Copy)]
pub struct Backbone {
    /// `family_variant.tag`
    pub id: &'static str,
    /// The side of the picture that it was trained with.
    pub input_size: usize,
    /// What is done to RGB 0–255 before the graph; families whose graph rescales leave it as it is.
    pub input: InputRange,
    /// Where its weights are published; `None` where they are embedded in the program, which hands them in.
    pub source: Option<Source<'static>>,
    variant: Variant,
    build: fn(Variant, Layout) -> Graph,
    rename: fn(&str) -> Option<String>,
    timm: Timm,
}

/// The same network in PyTorch Image Models.
#[derive(Debug, Clone, Copy)]
struct Timm {
    /// The Python call that builds it.
    build: &'static str,
    names: &'static TimmNames,
}

/// What a family needs to tell its variants apart.
#[derive(Debug, Clone, Copy)]
struct Variant {
    name: &'static str,
    width: f64,
    depth: f64,
}

/// What a graph is built for.
#[derive(Debug, Clone, Copy)]
struct Layout {
    input_size: usize,
    /// Keras inserts `rescaling_1` only with ImageNet weights.
    imagenet: bool,
}

/// The values that a graph expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputRange {
    /// RGB 0–255 as decoded.
    Bytes,
    /// `x / 127.5 − 1`
    Symmetric,
}

impl InputRange {
    /// `(scale, offset)` of `x · scale + offset`.
    pub fn scale_offset(self) -> (f32, f32) {
        match self {
            InputRange::Bytes => (1.0, 0.0),
            InputRange::Symmetric => (1.0 / 127.5, -1.0),
        }
    }

    /// Brings pixels 0–255 into the range.
    pub fn apply(self, pixels: &mut [f32]) {
        if self == InputRange::Symmetric {
            for value in pixels {
                *value = *value / 127.5 - 1.0;
            }
        }
    }
}

/// A name that no backbone has.
#[derive(Debug, thiserror::Error)]
#[error("unknown backbone `{id}`{}", if hint.is_empty() { "; `defrost backbones` lists those that there are" } else { hint })]
pub struct UnknownBackbone {
    /// Asked for.
    pub id: String,
    /// The nearest, as a question, or nothing.
    pub hint: String,
}

/// All backbones, family by family.
pub fn all() -> impl Iterator<Item = &'static Backbone> {
    FAMILIES.into_iter().flatten()
}

/// The backbone called `id`; the tag may be left out (`efficientnet_b0`).
///
/// # Errors
/// When there is none of that name.
pub fn find(id: &str) -> Result<&'static Backbone, UnknownBackbone> {
    all().find(|backbone| backbone.id == id || backbone.short_id() == id).ok_or_else(|| UnknownBackbone {
        id: id.to_owned(),
        hint: did_you_mean(id, all().flat_map(|backbone| [backbone.short_id(), backbone.id])),
    })
}

impl Backbone {
    /// The id without its tag.
    pub fn short_id(&self) -> &'static str {
        self.id.rsplit_once('.').map_or(self.id, |(short, _)| short)
    }

    /// Under which its weights are published, as an SPDX identifier.
    pub fn licence(&self) -> &'static str {
        self.source.map_or(EMBEDDED_LICENCE, |source| source.licence)
    }

    /// The graph for pictures of `input_size`, as Keras builds it with ImageNet weights.
    pub fn graph(&self, input_size: usize) -> Graph {
        (self.build)(self.variant, Layout { input_size, imagenet: true })
    }

    /// The graph as Keras builds it with `weights=None`: for training from scratch.
    pub fn graph_from_scratch(&self, input_size: usize) -> Graph {
        (self.build)(self.variant, Layout { input_size, imagenet: false })
    }

    /// The Python call that builds the network in PyTorch Image Models, after `import timm`.
    pub fn timm(&self) -> &'static str {
        self.timm.build
    }

    /// timm's name of one of the graph's tensors; `None` for those of input normalization, which timm keeps outside.
    pub fn timm_name(&self, ours: &str) -> Option<String> {
        self.timm.names.to_timm(ours)
    }

    /// Our name of a foreign checkpoint's tensor: `_blocks.1._bn0.weight` → `block2a_expand_bn/gamma`.
    pub fn rename(&self, foreign: &str) -> Option<String> {
        (self.rename)(foreign)
    }
}

/// The small EfficientNet of the golden files, for 64×64 pictures, as Keras builds it without pretrained weights.
#[cfg(test)]
pub(crate) const SMALL: Backbone = Backbone {
    id: "efficientnet_small.golden",
    input_size: 64,
    input: InputRange::Bytes,
    source: None,
    variant: efficientnet::SMALL,
    build: |variant, layout| efficientnet::build(variant, Layout { imagenet: false, ..layout }),
    rename: |_| None,
    timm: Timm { build: "", names: &efficientnet::TIMM },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Op;
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_unique_and_found_with_and_without_tag() {
        let ids: BTreeSet<&str> = all().map(|backbone| backbone.id).collect();
        assert_eq!(ids.len(), all().count());
        for backbone in all() {
            assert_eq!(find(backbone.id).unwrap().id, backbone.id);
            assert_eq!(find(backbone.short_id()).unwrap().id, backbone.id);
        }
        assert_eq!(find(DEFAULT).unwrap().licence(), defrost_weights::EFFICIENTNET_LITE0_LICENCE);
    }

    #[test]
    fn an_unknown_id_is_answered_with_the_nearest() {
        let error = find("eficientnet_b0").unwrap_err().to_string();
        assert_eq!(error, "unknown backbone `eficientnet_b0`; did you mean `efficientnet_b0`?");
        let error = find("vgg16").unwrap_err().to_string();
        assert_eq!(error, "unknown backbone `vgg16`; `defrost backbones` lists those that there are");
    }

    #[test]
    fn every_tensor_has_a_name_in_timm_that_leads_back() {
        for backbone in all() {
            let graph = backbone.graph(backbone.input_size);
            let mut names = BTreeSet::new();
            for (layer, param) in graph.params().filter(|(layer, _)| layer.op != Op::Normalization) {
                let ours = layer.param_name(param);
                let theirs = backbone.timm_name(&ours).unwrap_or_else(|| panic!("{}: {ours}", backbone.id));
                assert_eq!(backbone.rename(&theirs), Some(ours), "{}: {theirs}", backbone.id);
                assert!(names.insert(theirs));
            }
            assert!(names.len() > 200, "{}", backbone.id);
        }
    }

    /// `tools/check-peers` wrote the file and compares it with timm.
    #[test]
    fn names_and_shapes_are_timms() {
        use crate::tensor::Tensor;
        use crate::weights::to_torch_axes;
        use sha2::{Digest, Sha256};
        let golden = include_str!("../../tests/goldens/timm_names.json");
        let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
        for backbone in all() {
            let mut lines = BTreeSet::new();
            for (layer, param) in backbone.graph(64).params() {
                let Some(name) = backbone.timm_name(&layer.param_name(param)) else { continue };
                let tensor = to_torch_axes(&layer.op, &Tensor::zeros(param.shape.clone()));
                lines.insert((name.clone(), format!("{name} {:?}\n", tensor.shape())));
            }
            let text: String = lines.into_iter().map(|(_, line)| line).collect();
            let hash: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(golden[backbone.timm()], hash, "{}", backbone.id);
        }
        assert_eq!(golden.as_object().unwrap().len(), all().count());
    }

    #[test]
    fn every_graph_is_well_formed_at_every_size() {
        for backbone in all() {
            for size in [MIN_INPUT_SIZE, 33, 64, backbone.input_size] {
                let graph = backbone.graph(size);
                let cells = size.div_ceil(32);
                assert_eq!(graph.output_shape()[..2], [cells, cells], "{} at {size}", backbone.id);
                for (index, layer) in graph.layers().iter().enumerate() {
                    assert!(layer.inputs.iter().all(|&input| input < index), "{}", layer.name);
                    assert_eq!(layer.inputs.is_empty(), index == 0, "{}", layer.name);
                }
                let names: BTreeSet<&str> = graph.layers().iter().map(|layer| layer.name.as_str()).collect();
                assert_eq!(names.len(), graph.len());
            }
        }
    }
}
