//! MobileNetV2 as Keras builds it, alpha 0.35–1.4.
//!
//! # Reference
//! Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", table 2.

use super::torch::TimmNames;
use super::{Backbone, InputRange, Layout, Timm, Variant};
use crate::graph::{Builder, Graph, Initializer, Node, Padding};
use crate::weights::{Hash, Source};

/// A row of the family; Keras publishes no hash for these files.
macro_rules! keras_imagenet {
    ($alpha:literal, $file:literal, $timm:literal) => {
        Backbone {
            id: concat!("mobilenet_v2_", $alpha, ".keras_imagenet"),
            input_size: 224,
            input: InputRange::Symmetric,
            source: Some(Source {
                url: concat!(
                    "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/",
                    "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_",
                    $file,
                    "_224_no_top.h5"
                ),
                file_name: concat!("mobilenet_v2_weights_tf_dim_ordering_tf_kernels_", $file, "_224_no_top.h5"),
                hash: Hash::Unverified,
                licence: "Apache-2.0",
            }),
            variant: Variant { name: stringify!($alpha), width: $alpha, depth: 1.0 },
            build,
            rename: |foreign| TIMM.ours_of_timm(foreign),
            // timm's own defaults are PyTorch's padding and epsilon.
            timm: Timm { build: concat!("timm.", $timm, ", bn_eps=1e-3, pad_type=\"same\")"), names: &TIMM },
        }
    };
}

pub(super) const FAMILY: &[Backbone] = &[
    keras_imagenet!(0.35, "0.35", "create_model(\"mobilenetv2_035\""),
    keras_imagenet!(0.5, "0.5", "create_model(\"mobilenetv2_050\""),
    keras_imagenet!(0.75, "0.75", "create_model(\"mobilenetv2_075\""),
    keras_imagenet!(1.0, "1.0", "create_model(\"mobilenetv2_100\""),
    keras_imagenet!(1.3, "1.3", "models.efficientnet._gen_mobilenet_v2(\"mobilenetv2_130\", 1.3"),
    keras_imagenet!(1.4, "1.4", "create_model(\"mobilenetv2_140\""),
];

/// (expansion, filters, repeats, stride) of table 2.
const STAGES: [(usize, usize, usize, usize); 7] =
    [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];

fn build(variant: Variant, layout: Layout) -> Graph {
    let scaled = |filters: usize| divisible_by_8(filters as f64 * variant.width);
    let name = format!("mobilenetv2_{:.2}_{}", variant.width, layout.input_size);
    let mut g = Builder::new(name, Initializer::GlorotUniform, 0.999);
    let x = g.input(layout.input_size);
    let x = g.conv("Conv1", x, scaled(32), 3, 2, Padding::Same);
    let x = g.batch_norm("bn_Conv1", x);
    let mut x = g.relu("Conv1_relu", x, 6.0);

    let mut number = 0;
    for (expand, filters, repeats, stride) in STAGES {
        for repeat in 0..repeats {
            let stride = if repeat == 0 { stride } else { 1 };
            let prefix = if number == 0 { "expanded_conv_".into() } else { format!("block_{number}_") };
            x = g.scope(&prefix, |g| inverted_residual(g, x, expand, scaled(filters), stride));
            number += 1;
        }
    }

    let last = if variant.width > 1.0 { scaled(1280) } else { 1280 };
    let x = g.conv("Conv_1", x, last, 1, 1, Padding::Same);
    let x = g.batch_norm("Conv_1_bn", x);
    g.relu("out_relu", x, 6.0);
    g.finish()
}

/// Expand, filter each channel, project without activation (fig. 4). `input`: `[height, width, channels]`.
fn inverted_residual(g: &mut Builder, input: Node, expand: usize, filters: usize, stride: usize) -> Node {
    let channels = g.shape(input)[2];
    let mut x = input;
    if expand != 1 {
        x = g.conv("expand", x, channels * expand, 1, 1, Padding::Same);
        x = g.batch_norm("expand_BN", x);
        x = g.relu("expand_relu", x, 6.0);
    }
    if stride == 2 {
        x = g.pad_for_stride_2("pad", x, 3);
    }
    let padding = if stride == 2 { Padding::Valid } else { Padding::Same };
    x = g.depthwise("depthwise", x, 3, stride, padding);
    x = g.batch_norm("depthwise_BN", x);
    x = g.relu("depthwise_relu", x, 6.0);
    x = g.conv("project", x, filters, 1, 1, Padding::Same);
    x = g.batch_norm("project_BN", x);
    if stride == 1 && channels == filters { g.add("add", input, x) } else { x }
}

/// timm's `mobilenetv2_*`.
const TIMM: TimmNames = TimmNames {
    outer: &[("Conv1", "conv_stem"), ("bn_Conv1", "bn1"), ("Conv_1", "conv_head"), ("Conv_1_bn", "bn2")],
    plain: &[("depthwise", "conv_dw"), ("depthwise_BN", "bn1"), ("project", "conv_pw"), ("project_BN", "bn2")],
    expanded: &[
        ("expand", "conv_pw"),
        ("expand_BN", "bn1"),
        ("depthwise", "conv_dw"),
        ("depthwise_BN", "bn2"),
        ("project", "conv_pwl"),
        ("project_BN", "bn3"),
    ],
    split: |layer| {
        if let Some(rest) = layer.strip_prefix("expanded_conv_") {
            return Some((0, 0, rest));
        }
        let (number, rest) = layer.strip_prefix("block_")?.split_once('_')?;
        let mut place: usize = number.parse().ok()?;
        for (stage, (_, _, repeats, _)) in STAGES.iter().enumerate() {
            if place < *repeats {
                return Some((stage, place, rest));
            }
            place -= repeats;
        }
        None
    },
    prefix: |stage, place| {
        let repeats = STAGES.get(stage)?.2;
        let before: usize = STAGES[..stage].iter().map(|(_, _, repeats, _)| repeats).sum();
        match before + place {
            _ if place >= repeats => None,
            0 => Some("expanded_conv_".to_owned()),
            number => Some(format!("block_{number}_")),
        }
    },
};

/// The nearest multiple of 8 that is at least 8 and not over 10 % too small.
fn divisible_by_8(filters: f64) -> usize {
    let rounded = (((filters + 4.0) as usize) / 8 * 8).max(8);
    if (rounded as f64) < 0.9 * filters { rounded + 8 } else { rounded }
}

#[cfg(test)]
mod tests {
    use crate::backbone::find;

    #[test]
    fn the_narrowest_is_keras() {
        let graph = find("mobilenet_v2_0.35").unwrap().graph(224);
        assert_eq!((graph.len(), graph.param_count()), (154, 410_208));
        assert_eq!(graph.params().count(), 260);
    }
}
