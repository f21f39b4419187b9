//! EfficientNet B0–B7 as Keras builds them, and EfficientNet-Lite0.
//!
//! # Reference
//! Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", table 1 (B0) and §3.3
//! (compound scaling). Lite0 leaves out squeeze-excite and puts ReLU6 in place of swish.

use super::torch::{TimmNames, variable};
use super::{Backbone, InputRange, Layout, Timm, Variant};
use crate::graph::{Activation, Builder, Graph, Initializer, Node, Padding};
use crate::weights::{Hash, Source};

/// A row of the family: id, picture side, width and depth factors, and the publisher's MD5 sum of the file without top
/// (Keras, `applications/efficientnet.py`, `WEIGHTS_HASHES`).
macro_rules! keras_imagenet {
    ($variant:literal, $size:literal, $width:literal, $depth:literal, $md5:literal) => {
        Backbone {
            id: concat!("efficientnet_", $variant, ".keras_imagenet"),
            input_size: $size,
            input: InputRange::Bytes,
            source: Some(Source {
                url: concat!("https://storage.googleapis.com/keras-applications/efficientnet", $variant, "_notop.h5"),
                file_name: concat!("efficientnet", $variant, "_notop.h5"),
                hash: Hash::Md5($md5),
                licence: "Apache-2.0",
            }),
            variant: Variant { name: $variant, width: $width, depth: $depth },
            build,
            rename,
            timm: Timm { build: concat!("timm.create_model(\"tf_efficientnet_", $variant, "\")"), names: &TIMM },
        }
    };
}

pub(super) const FAMILY: &[Backbone] = &[
    Backbone {
        id: "efficientnet_lite0.imagenet",
        input_size: 224,
        input: InputRange::Bytes,
        source: None,
        variant: LITE0,
        build,
        rename,
        timm: Timm { build: "timm.create_model(\"tf_efficientnet_lite0\")", names: &TIMM },
    },
    keras_imagenet!("b0", 224, 1.0, 1.0, "50bc09e76180e00e4465e1a485ddc09d"),
    keras_imagenet!("b1", 240, 1.0, 1.1, "74c4e6b3e1f6a1eea24c589628592432"),
    keras_imagenet!("b2", 260, 1.1, 1.2, "111f8e2ac8aa800a7a99e3239f7bfb39"),
    keras_imagenet!("b3", 300, 1.2, 1.4, "af6d107764bb5b1abb91932881670226"),
    keras_imagenet!("b4", 380, 1.4, 1.8, "ebc24e6d6c33eaebbd558eafbeedf1ba"),
    keras_imagenet!("b5", 456, 1.6, 2.2, "38879255a25d3c92d5e44e04ae6cec6f"),
    keras_imagenet!("b6", 528, 1.8, 2.6, "9ecce42647a20130c1f39a5d4cb75743"),
    keras_imagenet!("b7", 600, 2.0, 3.1, "cbcfe4450ddf6f3ad90b1b398090fe4a"),
];

const LITE0: Variant = Variant { name: "lite0", width: 1.0, depth: 1.0 };

/// A net of 8 blocks whose last 30 layers look as those of B0: what the golden trajectories were trained with.
#[cfg(test)]
pub(super) const SMALL: Variant = Variant { name: "small", width: 0.12, depth: 0.3 };

/// A stage of table 1.
struct Stage {
    kernel: usize,
    repeats: usize,
    filters_in: usize,
    filters: usize,
    expand: usize,
    stride: usize,
}

const fn stage(
    kernel: usize,
    repeats: usize,
    filters_in: usize,
    filters: usize,
    expand: usize,
    stride: usize,
) -> Stage {
    Stage { kernel, repeats, filters_in, filters, expand, stride }
}

const STAGES: [Stage; 7] = [
    stage(3, 1, 32, 16, 1, 1),
    stage(3, 2, 16, 24, 6, 2),
    stage(5, 2, 24, 40, 6, 2),
    stage(3, 3, 40, 80, 6, 2),
    stage(5, 3, 80, 112, 6, 1),
    stage(5, 4, 112, 192, 6, 2),
    stage(3, 1, 192, 320, 6, 1),
];

/// Of the deepest block; it rises with depth from 0 (Huang et al. 2016).
const STOCHASTIC_DEPTH_RATE: f64 = 0.2;
const SQUEEZE_SHARE: f64 = 0.25;

const IMAGENET_MEAN: &[f32] = &[0.485, 0.456, 0.406];
/// Keras' file holds the standard deviations where the layer expects variances; `rescaling_1` completes the division.
const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

impl Variant {
    fn is_lite(self) -> bool {
        self.name == LITE0.name
    }

    /// Filters scaled by the width, to the nearest multiple of 8 that is not over 10 % too small.
    fn filters(self, filters: usize) -> usize {
        let scaled = filters as f64 * self.width;
        let rounded = (((scaled + 4.0) as usize) / 8 * 8).max(8);
        if (rounded as f64) < 0.9 * scaled { rounded + 8 } else { rounded }
    }

    /// Repeats scaled by the depth.
    fn repeats(self, repeats: usize) -> usize {
        (self.depth * repeats as f64).ceil() as usize
    }

    fn activation(self) -> Activation {
        if self.is_lite() { Activation::Relu6 } else { Activation::Swish }
    }
}

/// An inverted residual block.
struct Block {
    name: String,
    kernel: usize,
    filters_in: usize,
    filters: usize,
    expand: usize,
    stride: usize,
    /// Channels of the squeeze-excite; 0 is none.
    squeeze: usize,
    drop_rate: f32,
    activation: Activation,
}

pub(super) fn build(variant: Variant, layout: Layout) -> Graph {
    let name = if variant.is_lite() { "efficientnet_lite0".into() } else { format!("efficientnet{}", variant.name) };
    let mut g = Builder::new(name, Initializer::VarianceScalingFanOut, 0.99);
    let activation = variant.activation();

    let x = g.input(layout.input_size);
    let x = preprocessing(&mut g, x, variant, layout.imagenet);
    let x = g.pad_for_stride_2("stem_conv_pad", x, 3);
    let x = g.conv("stem_conv", x, variant.filters(32), 3, 2, Padding::Valid);
    let x = g.batch_norm("stem_bn", x);
    let mut x = g.activation("stem_activation", x, activation);

    for block in blocks(variant) {
        x = g.scope(&format!("{}_", block.name), |g| mb_conv(g, x, &block));
    }

    let x = g.conv("top_conv", x, variant.filters(1280), 1, 1, Padding::Same);
    let x = g.batch_norm("top_bn", x);
    g.activation("top_activation", x, activation);
    g.finish()
}

/// RGB 0–255 to what the weights expect; it belongs to the network, as in Keras.
fn preprocessing(g: &mut Builder, x: Node, variant: Variant, imagenet: bool) -> Node {
    if variant.is_lite() {
        return g.rescaling("rescaling", x, [1.0 / 128.0; 3], [-127.0 / 128.0; 3]);
    }
    let x = g.rescaling("rescaling", x, [1.0 / 255.0; 3], [0.0; 3]);
    let x = g.normalization("normalization", x, IMAGENET_MEAN, &IMAGENET_STD);
    if !imagenet {
        return x;
    }
    let scale = IMAGENET_STD.map(|std| (1.0 / std_as_written(std).sqrt()) as f32);
    g.rescaling("rescaling_1", x, scale, [0.0; 3])
}

/// The decimal number that `std` was written as, in f64: Keras takes the root in f64.
fn std_as_written(std: f32) -> f64 {
    (f64::from(std) * 1000.0).round() / 1000.0
}

fn blocks(variant: Variant) -> Vec<Block> {
    let total: usize = STAGES.iter().map(|stage| variant.repeats(stage.repeats)).sum();
    let mut blocks = Vec::with_capacity(total);
    for (number, stage) in (1..).zip(&STAGES) {
        for (repeat, letter) in (0..variant.repeats(stage.repeats)).zip('a'..) {
            let filters_in = variant.filters(if repeat == 0 { stage.filters_in } else { stage.filters });
            let squeeze = ((filters_in as f64 * SQUEEZE_SHARE) as usize).max(1);
            blocks.push(Block {
                name: format!("block{number}{letter}"),
                kernel: stage.kernel,
                filters_in,
                filters: variant.filters(stage.filters),
                expand: stage.expand,
                stride: if repeat == 0 { stage.stride } else { 1 },
                squeeze: if variant.is_lite() { 0 } else { squeeze },
                drop_rate: (STOCHASTIC_DEPTH_RATE * blocks.len() as f64 / total as f64) as f32,
                activation: variant.activation(),
            });
        }
    }
    blocks
}

/// Inverted residual (Sandler et al. 2018, fig. 3) with squeeze-excite (Hu et al. 2018). `x`: `[height, width, filters_in]`.
fn mb_conv(g: &mut Builder, input: Node, b: &Block) -> Node {
    let mut x = input;
    if b.expand != 1 {
        x = g.conv("expand_conv", x, b.filters_in * b.expand, 1, 1, Padding::Same);
        x = g.batch_norm("expand_bn", x);
        x = g.activation("expand_activation", x, b.activation);
    }
    if b.stride == 2 {
        x = g.pad_for_stride_2("dwconv_pad", x, b.kernel);
    }
    let padding = if b.stride == 2 { Padding::Valid } else { Padding::Same };
    x = g.depthwise("dwconv", x, b.kernel, b.stride, padding);
    x = g.batch_norm("bn", x);
    x = g.activation("activation", x, b.activation);
    if b.squeeze > 0 {
        x = squeeze_excite(g, x, b);
    }
    x = g.conv("project_conv", x, b.filters, 1, 1, Padding::Same);
    x = g.batch_norm("project_bn", x);
    if b.stride == 1 && b.filters == b.filters_in {
        if b.drop_rate > 0.0 {
            x = g.stochastic_depth("drop", x, b.drop_rate);
        }
        x = g.add("add", x, input);
    }
    x
}

fn squeeze_excite(g: &mut Builder, input: Node, b: &Block) -> Node {
    let channels = b.filters_in * b.expand;
    let x = g.global_average_pooling("se_squeeze", input);
    let x = g.reshape("se_reshape", x, vec![1, 1, channels]);
    let x = g.conv_bias("se_reduce", x, b.squeeze, b.activation);
    let gate = g.conv_bias("se_expand", x, channels, Activation::Sigmoid);
    g.multiply("se_excite", input, gate)
}

/// timm's `tf_efficientnet_*`.
pub(super) const TIMM: TimmNames = TimmNames {
    outer: &[("stem_conv", "conv_stem"), ("stem_bn", "bn1"), ("top_conv", "conv_head"), ("top_bn", "bn2")],
    plain: &[
        ("dwconv", "conv_dw"),
        ("bn", "bn1"),
        ("se_reduce", "se.conv_reduce"),
        ("se_expand", "se.conv_expand"),
        ("project_conv", "conv_pw"),
        ("project_bn", "bn2"),
    ],
    expanded: &[
        ("expand_conv", "conv_pw"),
        ("expand_bn", "bn1"),
        ("dwconv", "conv_dw"),
        ("bn", "bn2"),
        ("se_reduce", "se.conv_reduce"),
        ("se_expand", "se.conv_expand"),
        ("project_conv", "conv_pwl"),
        ("project_bn", "bn3"),
    ],
    split: |layer| {
        let (block, rest) = layer.strip_prefix("block")?.split_once('_')?;
        let letter = block.chars().last().filter(char::is_ascii_lowercase)?;
        let number: usize = block.strip_suffix(letter)?.parse().ok()?;
        Some((number.checked_sub(1)?, letter as usize - 'a' as usize, rest))
    },
    prefix: |stage, place| Some(format!("block{}{}_", stage + 1, ('a'..='z').nth(place)?)),
};

/// Names of timm, and of the packages `efficientnet-pytorch` and `efficientnet-lite-pytorch`:
/// `_blocks.1._expand_conv.weight` → `block2a_expand_conv/kernel`.
fn rename(foreign: &str) -> Option<String> {
    if let Some(ours) = TIMM.ours_of_timm(foreign) {
        return Some(ours);
    }
    let (layer, attribute) = foreign.rsplit_once('.')?;
    let (prefix, name) = match layer.strip_prefix("_blocks.") {
        None => {
            let name = match layer {
                "_conv_stem" => "stem_conv",
                "_bn0" => "stem_bn",
                "_conv_head" => "top_conv",
                "_bn1" => "top_bn",
                "_fc" => "predictions",
                _ => return None,
            };
            (String::new(), name)
        }
        Some(rest) => {
            let (number, layer) = rest.split_once('.')?;
            let name = match layer {
                "_expand_conv" => "expand_conv",
                "_bn0" => "expand_bn",
                "_depthwise_conv" => "dwconv",
                "_bn1" => "bn",
                "_se_reduce" => "se_reduce",
                "_se_expand" => "se_expand",
                "_project_conv" => "project_conv",
                "_bn2" => "project_bn",
                _ => return None,
            };
            let block = blocks(LITE0).into_iter().nth(number.parse().ok()?)?;
            (format!("{}_", block.name), name)
        }
    };
    Some(format!("{prefix}{name}/{}", variable(layer, attribute)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::find;

    #[test]
    fn b0_is_keras_b0() {
        let backbone = find("efficientnet_b0").unwrap();
        let graph = backbone.graph(224);
        assert_eq!((graph.len(), graph.param_count()), (238, 4_049_571));
        assert_eq!(graph.output_shape(), [7, 7, 1280]);
        assert_eq!(backbone.graph_from_scratch(224).len(), 237);
    }

    #[test]
    fn all_variants_have_keras_parameter_counts() {
        // Keras 3.15, EfficientNetB1…B7(include_top=False, weights=None).count_params().
        let expected = [6_575_239, 7_768_569, 10_783_535, 17_673_823, 28_513_527, 40_960_143, 64_097_687];
        for (number, expected) in (1..).zip(expected) {
            let backbone = find(&format!("efficientnet_b{number}")).unwrap();
            assert_eq!(backbone.graph(backbone.input_size).param_count(), expected, "{}", backbone.id);
        }
    }

    #[test]
    fn lite0_has_no_squeeze_excite() {
        let graph = find("efficientnet_lite0").unwrap().graph(224);
        assert_eq!((graph.len(), graph.param_count()), (156, 3_413_024));
        assert_eq!(graph.params().count(), 245);
        assert_eq!(graph.layers()[156 - 30].name, "block6c_expand_bn");
    }

    #[test]
    fn pytorch_names_are_known() {
        assert_eq!(rename("_blocks.1._bn0.running_var").as_deref(), Some("block2a_expand_bn/moving_variance"));
        assert_eq!(rename("_conv_stem.weight").as_deref(), Some("stem_conv/kernel"));
        assert_eq!(rename("_bn0.num_batches_tracked"), None);
        assert_eq!(rename("blocks.1.0.bn1.running_var").as_deref(), Some("block2a_expand_bn/moving_variance"));
        assert_eq!(rename("blocks.0.0.bn1.weight").as_deref(), Some("block1a_bn/gamma"));
        assert_eq!(rename("classifier.weight"), None);
    }
}
