//! How long a run will take: one picture's forward pass, measured, and the multiply-adds of the rest.

use std::time::Instant;

use crate::exec::cpu::{Engine, Program};
use crate::graph::{Graph, LayerIndex, Tap};
use crate::model::Model;

/// Seconds of the parts of a run, on all of the pool's threads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The trunk pass, decoding included.
    pub features: f64,
    /// All epochs of all stages.
    pub epochs: f64,
}

/// A training step costs about three forward passes: forward, and backward to inputs and to weights.
const STEP_FORWARDS: f64 = 3.0;
/// The tail keeps what the backward pass needs and is less fused than the trunk.
const TAIL_OVERHEAD: f64 = 1.5;
/// Decoding and resizing a photograph of half a megapixel.
const DECODE_SECONDS: f64 = 0.002;

/// Multiply-adds of the layers in `range`, for one picture.
pub fn multiply_adds(graph: &Graph, range: std::ops::Range<LayerIndex>) -> u64 {
    graph.layers()[range]
        .iter()
        .filter_map(|layer| {
            let input = &graph.layers()[*layer.inputs.first()?].output_shape;
            Some(layer.op.multiply_adds(input, &layer.output_shape))
        })
        .sum()
}

/// A stage as far as its cost goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageCost {
    /// What its rows hold.
    pub tap: Tap,
    /// Epochs at most.
    pub epochs: usize,
}

/// The pictures of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PictureCost {
    /// Pictures to train on.
    pub train: usize,
    /// Pictures to validate on.
    pub validation: usize,
    /// Views of a training picture.
    pub views: u32,
    /// The share of the rows that is stored, 0–1; the others are computed again in each epoch.
    pub kept: f64,
}

/// Estimates a run, from the time of one forward pass on this machine.
pub fn estimate(model: &Model, engine: Engine, stages: &[StageCost], pictures: PictureCost) -> Estimate {
    let PictureCost { train, validation, views, kept } = pictures;
    let graph = &model.graph;
    let threads = rayon::current_num_threads() as f64;
    let second_per_multiply_add = forward_seconds(model, engine) / multiply_adds(graph, 0..graph.len()).max(1) as f64;
    let partial = |tap: &Tap| tap.is_partial(graph);
    let trunk = |tap: Tap| multiply_adds(graph, 0..tap.0 + 1) as f64 * second_per_multiply_add;
    let decode = (train + validation) as f64 * DECODE_SECONDS;
    let deepest = stages.iter().map(|stage| stage.tap).filter(partial).min();
    let features = deepest.map_or(0.0, |tap| {
        let rows = (train * views as usize + validation) as f64;
        (kept * rows * trunk(tap) + decode) / threads
    });
    let epochs = stages
        .iter()
        .map(|stage| {
            let tail = multiply_adds(graph, stage.tap.0 + 1..graph.len()) as f64;
            let pictures = train as f64 * STEP_FORWARDS + validation as f64;
            let again = match partial(&stage.tap) {
                true => (1.0 - kept) * ((train + validation) as f64 * trunk(stage.tap) + decode),
                false => decode,
            };
            stage.epochs as f64 * (pictures * tail * second_per_multiply_add * TAIL_OVERHEAD + again) / threads
        })
        .sum();
    Estimate { features, epochs }
}

/// Of the whole network on one gray picture, one thread.
fn forward_seconds(model: &Model, engine: Engine) -> f64 {
    let last = Tap(model.graph.len() - 1);
    let program = Program::new(&model.graph, &model.params, Tap(0), last, engine);
    let picture = vec![127.0; program.input_len()];
    let (mut arena, mut output) = (program.arena(), vec![0.0; program.output_len()]);
    program.run(&picture, &mut arena, &mut output); // touches the memory
    let begun = Instant::now();
    program.run(&picture, &mut arena, &mut output);
    begun.elapsed().as_secs_f64()
}
