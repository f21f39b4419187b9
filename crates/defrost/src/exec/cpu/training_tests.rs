//! Gradients and whole trainings against Keras, with the small net.

use super::{BatchNormMode, Engine, Program, Randomness, StepOutput, Tail};
use crate::backbone;
use crate::goldens::{self, apart};
use crate::graph::{Cut, Graph, Tap};
use crate::head::{Head, HeadLayer};
use crate::loss::{CrossEntropy, LossConfig, Target, softmax};
use crate::metrics::argmax;
use crate::optim::{Optimizer, OptimizerConfig, Variable};
use crate::tensor::Params;

const CLASSES: usize = 5;
const BATCH: usize = 8;
const HEAD_LAYERS: usize = 4;

struct Bench {
    graph: Graph,
    base: Graph,
    params: Params,
    loss: CrossEntropy,
    train: Vec<Vec<f32>>,
    validation: Vec<Vec<f32>>,
}

fn pictures(prefix: &str, count: usize) -> Vec<Vec<f32>> {
    (0..count).map(|i| goldens::picture(&format!("{prefix}/{i}"), 64, 16)).collect()
}

fn bench(base: Graph) -> Bench {
    let mut head = Head::default();
    head.layers[1] = HeadLayer::Dropout(0.0);
    let graph = head.attach(base.clone(), CLASSES);
    let params = goldens::weights(&graph, HEAD_LAYERS, goldens::SMALL_GAIN);
    let loss = LossConfig::default().build(&[1; CLASSES]).unwrap();
    Bench { graph, base, params, loss, train: pictures("train", 40), validation: pictures("val", 20) }
}

/// Rows of the tap for pictures.
fn rows(graph: &Graph, params: &Params, tap: Tap, pictures: &[Vec<f32>]) -> Vec<f32> {
    let program = Program::new(graph, params, Tap(0), tap, Engine::default());
    let mut arena = program.arena();
    let mut row = vec![0.0; program.output_len()];
    let mut all = Vec::new();
    for picture in pictures {
        program.run(picture, &mut arena, &mut row);
        all.extend_from_slice(&row);
    }
    all
}

fn step(bench: &mut Bench, tail: &mut Tail, rows: &[f32], first: usize) -> StepOutput {
    let samples = rows.len() / tail.tap_len();
    let loss = &bench.loss;
    tail.forward_backward(&mut bench.params, rows, Randomness { seed: 0, step: 0 }, &|i, logits, gradient| {
        loss.forward_backward(logits, Target::Class((first + i) % CLASSES), samples, gradient)
    })
}

fn mean(losses: &[f32]) -> f32 {
    losses.iter().sum::<f32>() / losses.len() as f32
}

#[test]
fn every_gradient_is_keras() {
    let golden = goldens::tensors("train/gradients.safetensors");
    let mut bench = bench(backbone::SMALL.graph(64));
    let cut = Cut::All.locate(&bench.base).unwrap();
    let tap = Tap::of(&bench.graph, cut, false);
    let mut tail = Tail::new(&bench.graph, tap, cut, BatchNormMode::Inference, Engine::default());
    let rows = rows(&bench.graph, &bench.params, tap, &bench.train[..BATCH]);
    let output = step(&mut bench, &mut tail, &rows, 0);
    let mut tried = 0;
    for (name, gradient) in tail.trainable().iter().zip(&output.gradients) {
        let prefixed = format!("grad/head/{name}");
        let expected = golden.get(&format!("grad/{name}")).unwrap_or_else(|| &golden[&prefixed]);
        let (difference, largest) = apart(gradient, expected.data());
        assert!(difference <= 1e-3 * largest, "{name}: {difference} of {largest}");
        tried += 1;
    }
    assert_eq!(tried, 111);
}

/// The three stages of the golden trajectory: every step's loss, validation after every epoch, weights after every stage.
fn follow(mut bench: Bench, mode: BatchNormMode, golden: &str, after: impl Fn(&str) -> Option<String>) {
    let report = goldens::json(golden);
    let stages = [("frozen", Cut::Head, 1e-3), ("last30", Cut::Last(30), 1e-4), ("full", Cut::All, 1e-5)];
    let mut steps = 0;
    for (name, cut, learning_rate) in stages {
        let cut = cut.locate(&bench.base).unwrap();
        let tap = Tap::of(&bench.graph, cut, mode == BatchNormMode::BatchStatistics);
        let mut tail = Tail::new(&bench.graph, tap, cut, mode, Engine::default());
        let train = rows(&bench.graph, &bench.params, tap, &bench.train);
        let validation = rows(&bench.graph, &bench.params, tap, &bench.validation);
        let mut optimizer = Optimizer::new(OptimizerConfig::default());
        let row = tail.tap_len();
        for (epoch, expected) in report["stages"][name]["epochs"].as_array().unwrap().iter().enumerate() {
            for (number, batch) in train.chunks(BATCH * row).enumerate() {
                let output = step(&mut bench, &mut tail, batch, number * BATCH);
                let names = tail.trainable().to_vec();
                let mut tensors: Vec<(&String, &mut crate::tensor::Tensor)> =
                    bench.params.iter_mut().filter(|(name, _)| names.contains(name)).collect();
                let mut variables: Vec<Variable<'_>> = tensors
                    .iter_mut()
                    .map(|(name, tensor)| {
                        let number = names.iter().position(|own| own == *name).unwrap();
                        Variable { name, values: tensor.data_mut(), gradient: &output.gradients[number] }
                    })
                    .collect();
                optimizer.update(&mut variables, learning_rate);
                let loss = mean(&output.losses);
                let wanted = expected["step_losses"][number].as_f64().unwrap() as f32;
                assert!((loss - wanted).abs() < 1e-3, "{name}, epoch {epoch}, step {number}: {loss} for {wanted}");
                steps += 1;
            }
            let logits = tail.predict(&bench.params, &validation);
            let (mut losses, mut right) = (Vec::new(), 0);
            for (i, logits) in logits.chunks(CLASSES).enumerate() {
                losses.push(bench.loss.forward(logits, Target::Class(i % CLASSES)));
                let best = argmax(logits);
                right += usize::from(best == i % CLASSES);
            }
            let wanted = expected["val_loss"].as_f64().unwrap() as f32;
            assert!((mean(&losses) - wanted).abs() < 1e-3, "{name}, epoch {epoch}: {} for {wanted}", mean(&losses));
            assert_eq!(right as f32 / 20.0, expected["val_accuracy"].as_f64().unwrap() as f32);
        }
        let logits = tail.predict(&bench.params, &validation);
        let mut probabilities = [0.0; CLASSES];
        for (logits, wanted) in
            logits.chunks(CLASSES).zip(report["stages"][name]["predictions_val"].as_array().unwrap())
        {
            softmax(logits, &mut probabilities);
            for (got, wanted) in probabilities.iter().zip(wanted.as_array().unwrap()) {
                assert!((got - wanted.as_f64().unwrap() as f32).abs() < 1e-3);
            }
        }
        if let Some(file) = after(name) {
            let expected = goldens::tensors(&file);
            assert!(expected.len() >= tail.trainable().len());
            for (name, expected) in &expected {
                let name = name.strip_prefix("head/").unwrap_or(name);
                let (difference, _) = apart(bench.params[name].data(), expected.data());
                assert!(difference < 1e-4, "{name}: {difference}");
            }
        }
    }
    assert_eq!(steps, 40);
}

#[test]
fn the_trajectory_of_all_three_stages_is_keras() {
    let bench = bench(backbone::SMALL.graph(64));
    let after = |stage: &str| Some(format!("train/after_{stage}.safetensors"));
    follow(bench, BatchNormMode::Inference, "train/trajectory.json", after);
}

#[test]
fn with_batch_statistics_it_is_keras_3s_own() {
    let base = backbone::SMALL.graph(64).without_stochastic_depth();
    assert_eq!(base.len(), 118);
    let after = |stage: &str| (stage == "last30").then(|| "train/keras3_after_last30.safetensors".to_owned());
    follow(bench(base), BatchNormMode::BatchStatistics, "train/keras3_trajectory.json", after);
}
