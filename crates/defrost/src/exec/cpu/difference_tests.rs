//! Every op's gradients against central differences, on small graphs, in both modes of BatchNorm.

use proptest::prelude::*;

use super::{BatchNormMode, Engine, Randomness, Tail};
use crate::formula;
use crate::graph::{Activation, Builder, CutPoint, Graph, Initializer, Node, Padding, Tap};
use crate::loss::{LossConfig, Target};
use crate::tensor::{Params, Tensor};

const CLASSES: usize = 3;
const SAMPLES: usize = 10; // two shards

/// Half of the pictures have one class, half a mixture of two, as MixUp and CutMix make them.
fn loss_of(graph: &Graph, params: &Params, rows: &[f32], mode: BatchNormMode) -> (f64, Vec<(String, Vec<f32>)>) {
    let cut = CutPoint { first_trainable: 0 };
    let mut tail = Tail::new(graph, Tap(0), cut, mode, Engine::default());
    let loss = LossConfig::default().build(&[1; CLASSES]).unwrap();
    let mut params = params.clone();
    let randomness = Randomness { seed: 1, step: 2 };
    let output = tail.forward_backward(&mut params, rows, randomness, &|i, logits, gradient| {
        let mut shares = [0.0; CLASSES];
        shares[i % CLASSES] = 0.7;
        shares[(i + 1) % CLASSES] = 0.3;
        let target = if i % 2 == 0 { Target::Class(i % CLASSES) } else { Target::Distribution(&shares) };
        loss.forward_backward(logits, target, SAMPLES, gradient)
    });
    let total = output.losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() / SAMPLES as f64;
    (total, tail.trainable().iter().cloned().zip(output.gradients).collect())
}

/// Compares the derivative along the gradient's own direction of each tensor, which f32 differences can resolve.
fn assert_gradients(graph: &Graph, seed: &str, mode: BatchNormMode) {
    let size: usize = graph.input_shape().iter().product();
    let rows = formula::tensor(&format!("{seed}/rows"), SAMPLES * size, 1.0, 0.0);
    let params: Params = graph
        .params()
        .map(|(layer, param)| {
            let name = layer.param_name(param);
            let (scale, shift) = match param.name {
                "gamma" | "moving_variance" | "variance" => (0.3, 1.0),
                "kernel" => ((3.0 / param.shape[..param.shape.len() - 1].iter().product::<usize>() as f32).sqrt(), 0.0),
                _ => (0.2, 0.0),
            };
            let values = formula::tensor(&format!("{seed}/{name}"), param.len(), scale, shift);
            (name, Tensor::new(param.shape.clone(), values))
        })
        .collect();
    let (_, gradients) = loss_of(graph, &params, &rows, mode);
    assert!(!gradients.is_empty());
    for (name, gradient) in &gradients {
        let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        if norm < 1e-4 {
            continue; // too flat for a difference in f32
        }
        let step = 2e-3_f64;
        let moved = |direction: f64| {
            let mut params = params.clone();
            let tensor = params.get_mut(name).unwrap();
            for (value, g) in tensor.data_mut().iter_mut().zip(gradient) {
                *value += (direction * step * f64::from(*g) / norm) as f32;
            }
            loss_of(graph, &params, &rows, mode).0
        };
        let difference = (moved(1.0) - moved(-1.0)) / (2.0 * step);
        // Corners of relu and rounding of f32 leave a few per cent.
        let tolerance = 0.04 * norm + 2e-4;
        assert!((difference - norm).abs() < tolerance, "{name}: {difference} by differences, {norm} by backward");
    }
}

fn graph_of(size: usize, middle: impl FnOnce(&mut Builder, Node) -> Node) -> Graph {
    let mut g = Builder::new("op", Initializer::GlorotUniform, 0.9);
    let x = g.input(size);
    let x = middle(&mut g, x);
    let x = g.global_average_pooling("gap", x);
    g.dense("classifier", x, CLASSES, Activation::Softmax);
    g.finish()
}

fn padding() -> impl Strategy<Value = Padding> {
    prop_oneof![Just(Padding::Same), Just(Padding::Valid)]
}

fn activation() -> impl Strategy<Value = Activation> {
    prop_oneof![
        Just(Activation::Linear),
        Just(Activation::Relu),
        Just(Activation::Relu6),
        Just(Activation::Swish),
        Just(Activation::Sigmoid)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn convolutions(size in 5usize..9, kernel in 1usize..4, stride in 1usize..3, padding in padding(), after in activation()) {
        let graph = graph_of(size, |g, x| {
            let x = g.conv("first", x, 4, 1, 1, Padding::Same);
            let x = g.conv("second", x, 5, kernel, stride, padding);
            g.activation("act", x, after)
        });
        assert_gradients(&graph, "convolutions", BatchNormMode::Inference);
    }

    #[test]
    fn depthwise_convolutions(size in 5usize..9, kernel in 1usize..6, stride in 1usize..3, after in activation()) {
        let graph = graph_of(size, |g, x| {
            let x = g.conv("first", x, 6, 1, 1, Padding::Same);
            let x = g.depthwise("depthwise", x, kernel, stride, Padding::Same);
            g.activation("act", x, after)
        });
        assert_gradients(&graph, "depthwise", BatchNormMode::Inference);
    }

    #[test]
    fn batch_norms(size in 4usize..7, batch_statistics in any::<bool>()) {
        let graph = graph_of(size, |g, x| {
            let x = g.conv("first", x, 4, 3, 1, Padding::Same);
            let x = g.batch_norm("bn", x);
            let x = g.activation("act", x, Activation::Swish);
            let x = g.conv("second", x, 5, 1, 1, Padding::Same);
            g.batch_norm("bn_2", x)
        });
        let mode = if batch_statistics { BatchNormMode::BatchStatistics } else { BatchNormMode::Inference };
        assert_gradients(&graph, "batch_norm", mode);
    }
}

#[test]
fn a_whole_block_with_every_other_op() {
    let graph = graph_of(8, |g, x| {
        let x = g.rescaling("rescaling", x, [0.9, 1.1, 1.0], [0.1; 3]);
        let x = g.normalization("normalization", x, &[0.0; 3], &[1.0; 3]);
        let x = g.pad_for_stride_2("pad", x, 3);
        let input = g.conv("first", x, 6, 3, 2, Padding::Valid);
        let x = g.depthwise("depthwise", input, 3, 1, Padding::Same);
        let gate = g.global_average_pooling("squeeze", x);
        let gate = g.reshape("reshape", gate, vec![1, 1, 6]);
        let gate = g.conv_bias("reduce", gate, 2, Activation::Swish);
        let gate = g.conv_bias("expand", gate, 6, Activation::Sigmoid);
        let x = g.multiply("excite", x, gate);
        let x = g.stochastic_depth("drop", x, 0.3);
        let x = g.add("add", x, input);
        let x = g.dropout("dropout", x, 0.2);
        g.relu("relu", x, 6.0)
    });
    assert_gradients(&graph, "block", BatchNormMode::Inference);
    assert_gradients(&graph, "block", BatchNormMode::BatchStatistics);
}
