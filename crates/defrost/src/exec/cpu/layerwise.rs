//! Training with batch statistics: layer by layer, all shards meeting at each BatchNorm; sums are taken in shard order, in f64.

use std::ops::Range;

use rayon::prelude::*;

use super::shard::{BatchGradient, BatchMoments, Context, Shard};
use super::tail::{Objective, ShardOutput, Tail};
use super::units::Unit;
use crate::graph::Op;
use crate::tensor::Params;

/// Mean and variance of a batch, one a channel.
pub(super) struct Moments {
    pub(super) unit: usize,
    mean: Vec<f64>,
    variance: Vec<f64>,
}

/// One training step: what each shard gives, and the moments of each BatchNorm that took the batch's.
pub(super) fn step(
    tail: &Tail,
    context: &Context<'_>,
    shards: Vec<Range<usize>>,
    rows: &[f32],
    objective: &Objective<'_>,
) -> (Vec<ShardOutput>, Vec<Moments>) {
    let mut shards = tail.open_shards(shards);
    shards.par_iter_mut().for_each(|shard| tail.load(shard, rows));

    let mut all_moments: Vec<Moments> = Vec::new();
    let mut by_unit: Vec<Option<BatchMoments>> = vec![None; tail.units.len()];
    for (number, unit) in tail.units.iter().enumerate() {
        if unit.batch_statistics {
            let moments = batch_moments(number, unit, context, &shards);
            by_unit[number] = Some(moments.narrow(epsilon(unit, context)));
            all_moments.push(moments);
        }
        let moments = by_unit[number].as_ref();
        shards.par_iter_mut().for_each(|shard| context.forward(unit, number + 1, shard, moments));
    }

    let mut outputs: Vec<ShardOutput> = shards
        .par_iter_mut()
        .map(|shard| {
            let mut output = ShardOutput::default();
            tail.objective_of(shard, objective, &mut output);
            output
        })
        .collect();
    for shard in &mut shards {
        tail.begin_gradients(context.params, shard);
    }
    for (number, unit) in tail.units.iter().enumerate().rev().filter(|(_, unit)| unit.needs_gradient) {
        let gradient = by_unit[number].as_ref().map(|moments| batch_gradient(number, unit, moments, &mut shards));
        shards.par_iter_mut().for_each(|shard| context.backward(unit, number + 1, shard, gradient.as_ref()));
    }
    for (output, shard) in outputs.iter_mut().zip(&mut shards) {
        output.gradients = shard.end_gradients();
    }
    tail.close_shards(shards);
    (outputs, all_moments)
}

/// `moving ← momentum · moving + (1 − momentum) · batch`, the variance being the biased one, as in Keras 3.
pub(super) fn move_statistics(tail: &Tail, params: &mut Params, moments: &[Moments]) {
    for moments in moments {
        let layer = &tail.graph.layers()[tail.units[moments.unit].index];
        let Op::BatchNorm { momentum, .. } = layer.op else { continue };
        for (name, batch) in [("moving_mean", &moments.mean), ("moving_variance", &moments.variance)] {
            if let Some(moving) = params.get_mut(&format!("{}/{name}", layer.name)) {
                for (moving, batch) in moving.data_mut().iter_mut().zip(batch) {
                    *moving = *moving * momentum + *batch as f32 * (1.0 - momentum);
                }
            }
        }
    }
}

impl Moments {
    fn narrow(&self, epsilon: f32) -> BatchMoments {
        BatchMoments {
            mean: self.mean.iter().map(|&mean| mean as f32).collect(),
            inverse_deviation: self
                .variance
                .iter()
                .map(|variance| (1.0 / (variance + f64::from(epsilon)).sqrt()) as f32)
                .collect(),
        }
    }
}

fn epsilon(unit: &Unit, context: &Context<'_>) -> f32 {
    match context.graph.layers()[unit.index].op {
        Op::BatchNorm { epsilon, .. } => epsilon,
        _ => 0.0,
    }
}

/// Sums `term(row)` over all rows of all shards, each shard by itself, then shard by shard.
fn sum_over_shards(shards: &[Shard], channels: usize, term: impl Fn(&Shard, &mut [f64]) + Sync) -> Vec<f64> {
    let parts: Vec<Vec<f64>> = shards
        .par_iter()
        .map(|shard| {
            let mut sums = vec![0.0; channels];
            term(shard, &mut sums);
            sums
        })
        .collect();
    let mut total = vec![0.0; channels];
    for part in parts {
        for (total, part) in total.iter_mut().zip(part) {
            *total += part;
        }
    }
    total
}

fn batch_moments(number: usize, unit: &Unit, context: &Context<'_>, shards: &[Shard]) -> Moments {
    let channels = context.graph.layers()[unit.index].output_shape.last().copied().unwrap_or(1);
    let input = unit.inputs[0];
    let rows = row_count(shards, input, channels) as f64;
    let mut mean = sum_over_shards(shards, channels, |shard, sums| {
        for row in shard.values[input].chunks_exact(channels) {
            for (sum, &x) in sums.iter_mut().zip(row) {
                *sum += f64::from(x);
            }
        }
    });
    mean.iter_mut().for_each(|sum| *sum /= rows);
    let mut variance = sum_over_shards(shards, channels, |shard, sums| {
        for row in shard.values[input].chunks_exact(channels) {
            for ((sum, &x), mean) in sums.iter_mut().zip(row).zip(&mean) {
                *sum += (f64::from(x) - mean).powi(2);
            }
        }
    });
    variance.iter_mut().for_each(|sum| *sum /= rows);
    Moments { unit: number, mean, variance }
}

fn row_count(shards: &[Shard], value: usize, channels: usize) -> usize {
    shards.iter().map(|shard| shard.values[value].len() / channels).sum()
}

/// Σ dy and Σ dy·x̂ over the batch; they are the gradients of beta and gamma, put down once, at the first shard.
fn batch_gradient<'a>(
    number: usize,
    unit: &Unit,
    moments: &'a BatchMoments,
    shards: &mut [Shard],
) -> BatchGradient<'a> {
    let channels = moments.mean.len();
    let input = unit.inputs[0];
    let sum = sum_over_shards(shards, channels, |shard, sums| {
        for row in shard.gradients[number + 1].chunks_exact(channels) {
            for (sum, &dy) in sums.iter_mut().zip(row) {
                *sum += f64::from(dy);
            }
        }
    });
    let dot = sum_over_shards(shards, channels, |shard, sums| {
        let rows = shard.values[input].chunks_exact(channels).zip(shard.gradients[number + 1].chunks_exact(channels));
        for (x, dy) in rows {
            for c in 0..channels {
                let normalized = (x[c] - moments.mean[c]) * moments.inverse_deviation[c];
                sums[c] += f64::from(dy[c]) * f64::from(normalized);
            }
        }
    });
    let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<f32>>();
    let (sum, dot) = (narrow(&sum), narrow(&dot));
    for &(name, parameter) in &unit.trainable {
        let gradient = if name == "gamma" { &dot } else { &sum };
        shards[0].parameter_gradient(parameter).copy_from_slice(gradient);
    }
    BatchGradient { moments, rows: row_count(shards, input, channels), sum, dot }
}
