//! Forward passes against Keras and PyTorch.

use super::{BatchNormMode, Engine, Isa, Kernels, Precision, Program, Tail};
use crate::backbone::{self, InputRange};
use crate::goldens::{self, apart};
use crate::graph::{CutPoint, Graph, Tap};
use crate::tensor::Params;

fn run(graph: &Graph, params: &Params, to: usize, picture: &[f32]) -> Vec<f32> {
    run_on(Engine::default(), graph, params, to, picture)
}

fn run_on(engine: Engine, graph: &Graph, params: &Params, to: usize, picture: &[f32]) -> Vec<f32> {
    let program = Program::new(graph, params, Tap(0), Tap(to), engine);
    let mut output = vec![0.0; program.output_len()];
    program.run(picture, &mut program.arena(), &mut output);
    output
}

fn pooled(output: &[f32], channels: usize) -> Vec<f32> {
    let rows = (output.len() / channels) as f64;
    (0..channels)
        .map(|c| (output.iter().skip(c).step_by(channels).map(|&v| f64::from(v)).sum::<f64>() / rows) as f32)
        .collect()
}

fn assert_close(what: &str, got: &[f32], expected: &[f32]) {
    let (difference, largest) = apart(got, expected);
    assert!(difference <= 1e-4 * largest, "{what}: {difference} apart, largest {largest}");
}

/// Each sampled layer, computed by a program that ends there.
fn assert_samples(graph: &Graph, params: &Params, golden: &Params, picture: &[f32], whole: bool) {
    let mut tried = 0;
    for (name, expected) in golden {
        let Some(layer) = name.strip_prefix("samples/") else { continue };
        let index = graph.index_of(layer).unwrap();
        // Inside a squeeze-excite two tensors are alive, but a program may end there all the same.
        let output = run(graph, params, index, picture);
        // The samples were taken over all pictures of the batch; those of the first can be told by their index.
        let per_batch = expected.shape()[0];
        assert_eq!(per_batch, 64);
        let pictures = if whole { 4 } else { 2 };
        let total = output.len() * pictures;
        let (mut got, mut want) = (Vec::new(), Vec::new());
        for (j, &value) in expected.data().iter().enumerate() {
            let flat = (j * 1_000_003 + 17) % total;
            if flat < output.len() {
                got.push(output[flat]);
                want.push(value);
            }
        }
        assert!(!got.is_empty(), "{layer}");
        assert_close(layer, &got, &want);
        tried += 1;
    }
    assert!(tried > 8);
}

#[test]
fn b0_gives_keras_features() {
    let golden = goldens::tensors("forward/b0.safetensors");
    let graph = backbone::find("efficientnet_b0").unwrap().graph(224);
    let params = goldens::weights(&graph, 0, goldens::B0_GAIN);
    let first = goldens::picture("image/0", 224, 32);
    let output = run(&graph, &params, graph.len() - 1, &first);
    assert_close("output0", &output, golden["output0"].data());
    assert_close("pooled 0", &pooled(&output, 1280), &golden["pooled"].data()[..1280]);
    let second = run(&graph, &params, graph.len() - 1, &goldens::picture("image/1", 224, 32));
    assert_close("pooled 1", &pooled(&second, 1280), &golden["pooled"].data()[1280..]);
    let noise = crate::formula::tensor("noise", 224 * 224 * 3, 127.5, 127.5);
    let third = run(&graph, &params, graph.len() - 1, &noise);
    assert_close("noise", &pooled(&third, 1280), golden["pooled_noise"].data());
    assert_samples(&graph, &params, &golden, &first, false);
}

#[test]
fn the_small_net_gives_keras_features_fused_and_layer_by_layer() {
    let golden = goldens::tensors("forward/small.safetensors");
    let graph = backbone::SMALL.graph(64);
    let params = goldens::weights(&graph, 0, goldens::SMALL_GAIN);
    let expected = golden["output"].data();
    let len = expected.len() / 4;
    for number in 0..4 {
        let picture = goldens::picture(&format!("train/{number}"), 64, 16);
        let output = run(&graph, &params, graph.len() - 1, &picture);
        assert_close("fused", &output, &expected[number * len..][..len]);
        let frozen = CutPoint { first_trainable: graph.len() };
        let mut tail = Tail::new(&graph, Tap(0), frozen, BatchNormMode::Inference, Engine::default());
        let output = tail.predict(&params, &picture);
        assert_close("layer by layer", &output, &expected[number * len..][..len]);
    }
    assert_samples(&graph, &params, &golden, &goldens::picture("train/0", 64, 16), true);
}

/// Six photographs from their decoded pixels, with the embedded weights.
#[test]
fn lite0_gives_pytorchs_features_of_photographs() {
    let golden = goldens::tensors("lite0/lite0.safetensors");
    let backbone = backbone::find("efficientnet_lite0").unwrap();
    let graph = backbone.graph(224);
    assert_eq!(backbone.input, InputRange::Bytes);
    let params =
        crate::weights::load_bytes("lite0", defrost_weights::efficientnet_lite0(), &graph, &|_| None).unwrap().params;
    let mut tried = 0;
    for number in 0..10 {
        let Some(decoded) = golden.get(&format!("photo{number}/decoded")) else { continue };
        let [height, width] = [decoded.shape()[0], decoded.shape()[1]];
        let picture = crate::image::resize_f32(decoded.data(), height, width, 224, 224, crate::image::Resize::Bilinear);
        let output = run(&graph, &params, graph.len() - 1, &picture);
        let expected = &golden["pooled"].data()[number * 1280..][..1280];
        let (difference, _) = apart(&pooled(&output, 1280), expected);
        assert!(difference <= 1e-4, "photograph {number}: {difference}");
        tried += 1;
    }
    assert_eq!(tried, 6);
}

/// `Σ a·b / (|a|·|b|)`
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn every_instruction_set_gives_keras_features() {
    let golden = goldens::tensors("forward/b0.safetensors");
    let graph = backbone::find("efficientnet_b0").unwrap().graph(224);
    let params = goldens::weights(&graph, 0, goldens::B0_GAIN);
    let picture = goldens::picture("image/0", 224, 32);
    let mut tried = 0;
    for kernels in Isa::ALL.into_iter().filter_map(Kernels::with) {
        let engine = Engine { kernels, precision: Precision::F32 };
        let output = run_on(engine, &graph, &params, graph.len() - 1, &picture);
        assert_close(kernels.isa().name(), &output, golden["output0"].data());
        tried += 1;
    }
    assert!(tried >= 1);
}

/// The bound that the documents state: a cosine of at least 0.999 to the features in single precision.
#[test]
fn bf16_features_point_the_same_way() {
    let graph = backbone::find("efficientnet_b0").unwrap().graph(224);
    let params = goldens::weights(&graph, 0, goldens::B0_GAIN);
    for number in 0..2 {
        let picture = goldens::picture(&format!("image/{number}"), 224, 32);
        let features =
            |precision| pooled(&run_on(Engine::new(precision), &graph, &params, graph.len() - 1, &picture), 1280);
        let cosine = cosine(&features(Precision::F32), &features(Precision::Bf16));
        assert!((0.999..1.0).contains(&cosine), "picture {number}: {cosine}");
    }
}
