//! The tail: the layers after a tap, forward and backward over the shards of a batch.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::shard::{Context, Mode, Shard};
use super::units::{self, Unit};
use super::{Engine, layerwise, passage};
use crate::graph::{CutPoint, Graph, Tap};
use crate::tensor::Params;

/// What a trainable BatchNorm normalises by in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BatchNormMode {
    /// Its moving statistics, which stay as they are: one picture never depends on another.
    #[default]
    Inference,
    /// The batch's own mean and variance; the moving statistics follow.
    BatchStatistics,
}

/// Which random numbers a training step draws.
#[derive(Debug, Clone, Copy)]
pub struct Randomness {
    /// The run's seed.
    pub seed: u64,
    /// The step, counted so that no two steps of a run share a number.
    pub step: u64,
}

/// Gradients of the tensors that train, in graph order.
pub type Gradients = Vec<Vec<f32>>;

/// What a training step computed.
#[derive(Debug)]
pub struct StepOutput {
    /// Logits, a row a picture.
    pub logits: Vec<f32>,
    /// The loss of each picture, as the objective gave it.
    pub losses: Vec<f32>,
    /// Summed over the batch, in the order of [`Tail::trainable`].
    pub gradients: Gradients,
}

/// Writes the gradient by one picture's logits and returns its loss: `(number in the batch, logits, gradient)`.
pub type Objective<'a> = dyn Fn(usize, &[f32], &mut [f32]) -> f32 + Sync + 'a;

/// Pictures whose gradients are summed one after the other, by one thread: fixed, so that sums have one order.
pub(super) const SHARD: usize = 8;

/// Elements of a gradient that are summed over all shards while they are in the nearest cache.
const SUMMED: usize = 4096;

/// The layers after a tap, with what trains among them.
#[derive(Debug)]
pub struct Tail {
    pub(super) graph: Graph,
    pub(super) engine: Engine,
    pub(super) mode: BatchNormMode,
    pub(super) units: Vec<Unit>,
    tap_len: usize,
    /// Where a shard's pictures meet: units before this one take them one by one, the others all at once.
    pub(super) meeting: usize,
    trainable: Vec<String>,
    frozen_packed: bool,
    /// Buffers, one set for each shard that is under way.
    pool: Mutex<Vec<Shard>>,
    /// Buffers of shards' gradients, to be used again.
    spare_gradients: Mutex<Vec<Gradients>>,
}

impl Tail {
    /// The layers of `graph` after `tap`, training from `cut` on.
    pub fn new(graph: &Graph, tap: Tap, cut: CutPoint, mode: BatchNormMode, engine: Engine) -> Tail {
        Tail::compile(graph, tap, cut, mode, false, engine)
    }

    /// The layers of `graph` after `tap`, of which nothing trains, for [`tap_gradient`](Self::tap_gradient) with `params`.
    pub fn differentiable(graph: &Graph, params: &Params, tap: Tap, engine: Engine) -> Tail {
        let nothing = CutPoint { first_trainable: graph.len() };
        let mut tail = Tail::compile(graph, tap, nothing, BatchNormMode::Inference, true, engine);
        tail.pack(params);
        tail
    }

    fn compile(graph: &Graph, tap: Tap, cut: CutPoint, mode: BatchNormMode, to_tap: bool, engine: Engine) -> Tail {
        let (units, trainable) = units::compile(graph, tap, cut, mode, to_tap);
        let meeting = passage::meeting(graph, &units);
        let tap_len = graph.layers()[tap.0].output_shape.iter().product();
        let graph = graph.clone();
        let (pool, spare_gradients) = Default::default();
        Tail { graph, engine, mode, units, tap_len, meeting, trainable, frozen_packed: false, pool, spare_gradients }
    }

    /// Names of the tensors that train, in graph order.
    pub fn trainable(&self) -> &[String] {
        &self.trainable
    }

    /// Elements of one stored row.
    pub fn tap_len(&self) -> usize {
        self.tap_len
    }

    /// Length of a row of logits.
    pub fn num_classes(&self) -> usize {
        self.graph.output_shape()[0]
    }

    pub(super) fn context<'a>(&'a self, params: &'a Params, mode: Mode) -> Context<'a> {
        Context { graph: &self.graph, params, kernels: self.engine.kernels, mode }
    }

    /// Packs the kernels that may have changed; those of frozen layers only once.
    pub(super) fn pack(&mut self, params: &Params) {
        let (graph, engine, all) = (&self.graph, self.engine, !self.frozen_packed);
        self.units
            .par_iter_mut()
            .filter(|unit| all || unit.has_trainable())
            .for_each(|unit| unit.pack(graph, params, engine));
        self.frozen_packed = true;
    }

    /// One training step over `rows` (the tap's values, a row a picture): forward, loss, backward.
    ///
    /// With batch statistics the moving statistics in `params` follow the batch.
    ///
    /// # Panics
    /// When `rows` is empty or not a whole number of rows.
    pub fn forward_backward(
        &mut self,
        params: &mut Params,
        rows: &[f32],
        randomness: Randomness,
        objective: &Objective<'_>,
    ) -> StepOutput {
        self.pack(params);
        let stochastic_depth = self.mode == BatchNormMode::BatchStatistics;
        let mode = Mode::Training { seed: randomness.seed, step: randomness.step, stochastic_depth };
        let shards = self.take_shards(rows);
        let outputs: Vec<ShardOutput> = if self.units.iter().any(|unit| unit.batch_statistics) {
            let (outputs, moments) = layerwise::step(self, &self.context(params, mode), shards, rows, objective);
            layerwise::move_statistics(self, params, &moments);
            outputs
        } else {
            let context = self.context(params, mode);
            self.each_shard(shards, |shard, pictures| self.train_shard(&context, shard, pictures, rows, objective))
        };
        self.sum(outputs)
    }

    /// Forward, loss and backward of one shard.
    pub(super) fn train_shard(
        &self,
        context: &Context<'_>,
        shard: &mut Shard,
        pictures: Range<usize>,
        rows: &[f32],
        objective: &Objective<'_>,
    ) -> ShardOutput {
        self.begin_gradients(context.params, shard);
        let mut output = ShardOutput::default();
        self.run_forward(context, shard, pictures, rows);
        self.objective_of(shard, objective, &mut output);
        self.run_backward(context, shard);
        output.gradients = shard.end_gradients();
        output
    }

    /// The logits of `rows` in inference mode, a row a picture.
    ///
    /// # Panics
    /// When `rows` is not a whole number of rows.
    pub fn predict(&mut self, params: &Params, rows: &[f32]) -> Vec<f32> {
        self.pack(params);
        let context = self.context(params, Mode::Inference);
        let shards = self.take_shards(rows);
        let logits = self.each_shard(shards, |shard, pictures| {
            self.run_forward(&context, shard, pictures, rows);
            shard.values[self.units.len()].to_vec()
        });
        logits.concat()
    }

    /// The logits of one picture's `row` in inference mode, and the gradient of `objective` by the row. `params` are those that
    /// the tail was made with, or those of its layers alone.
    ///
    /// # Panics
    /// When the tail isn't [`differentiable`](Self::differentiable), or `row` isn't one row.
    pub fn tap_gradient(&self, params: &Params, row: &[f32], objective: &Objective<'_>) -> (Vec<f32>, Vec<f32>) {
        assert!(self.units.first().is_some_and(|unit| unit.passes_gradient[0]), "a tail that reaches its tap");
        assert_eq!(row.len(), self.tap_len, "one row of the tap");
        let context = self.context(params, Mode::Inference);
        let mut shard = self.take_shard();
        self.run_forward(&context, &mut shard, 0..1, row);
        let mut output = ShardOutput::default();
        self.objective_of(&mut shard, objective, &mut output);
        self.run_backward(&context, &mut shard);
        let gradient = std::mem::take(&mut shard.gradients[0]);
        let by_row = gradient.to_vec();
        shard.keep(gradient);
        self.give_back(shard);
        (output.logits, by_row)
    }

    /// The numbers of each shard's pictures, in batch order.
    fn take_shards(&self, rows: &[f32]) -> Vec<Range<usize>> {
        assert_eq!(rows.len() % self.tap_len, 0, "rows of the tap");
        let samples = rows.len() / self.tap_len;
        (0..samples).step_by(SHARD).map(|first| first..samples.min(first + SHARD)).collect()
    }

    /// Runs `work` on each shard in parallel; results come in batch order.
    fn each_shard<T: Send>(
        &self,
        shards: Vec<Range<usize>>,
        work: impl Fn(&mut Shard, Range<usize>) -> T + Sync,
    ) -> Vec<T> {
        shards
            .into_par_iter()
            .map(|pictures| {
                let mut shard = self.take_shard();
                let result = work(&mut shard, pictures);
                self.give_back(shard);
                result
            })
            .collect()
    }

    /// A set of buffers that no other shard uses now.
    pub(super) fn take_shard(&self) -> Shard {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    pub(super) fn give_back(&self, shard: Shard) {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner).push(shard);
    }

    /// Copies the shard's rows into its first value.
    pub(super) fn load(&self, shard: &mut Shard, rows: &[f32]) {
        let own = &rows[shard.first * self.tap_len..][..shard.samples * self.tap_len];
        shard.values[0].assign(own);
    }

    /// Adds the logits and losses of the pictures under way; the gradient by the logits arrives at the last layer.
    pub(super) fn objective_of(&self, shard: &mut Shard, objective: &Objective<'_>, output: &mut ShardOutput) {
        let last = self.units.len();
        let classes = self.num_classes();
        let mut gradient = shard.buffer(shard.values[last].len());
        let logits = &shard.values[last];
        let pictures = logits.chunks_exact(classes).zip(gradient.chunks_exact_mut(classes));
        let losses =
            (shard.first..).zip(pictures).map(|(number, (logits, gradient))| objective(number, logits, gradient));
        output.losses.extend(losses);
        output.logits.extend_from_slice(logits);
        shard.gradients[last] = gradient;
    }

    pub(super) fn begin_gradients(&self, params: &Params, shard: &mut Shard) {
        let spare = self.spare_gradients.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let new = || self.trainable.iter().map(|name| vec![0.0; params[name].data().len()]).collect();
        shard.begin_gradients(spare.unwrap_or_else(new));
    }

    /// Sums gradients over the shards, each element in shard order.
    fn sum(&self, outputs: Vec<ShardOutput>) -> StepOutput {
        let mut logits = Vec::new();
        let mut losses = Vec::new();
        let mut parts = Vec::with_capacity(outputs.len());
        for output in outputs {
            logits.extend(output.logits);
            losses.extend(output.losses);
            parts.push(output.gradients);
        }
        let mut parts = parts.into_iter();
        let mut gradients = parts.next().unwrap_or_default();
        let rest: Vec<Gradients> = parts.collect();
        gradients.par_iter_mut().enumerate().for_each(|(number, total)| {
            total.par_chunks_mut(SUMMED).enumerate().for_each(|(chunk, total)| {
                for part in &rest {
                    self.engine.kernels.add_assign(total, &part[number][chunk * SUMMED..][..total.len()]);
                }
            });
        });
        self.spare_gradients.lock().unwrap_or_else(PoisonError::into_inner).extend(rest);
        StepOutput { logits, losses, gradients }
    }

    /// Shards with buffers of their own, all alive at once: for the layer-by-layer run.
    pub(super) fn open_shards(&self, shards: Vec<Range<usize>>) -> Vec<Shard> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        shards
            .into_iter()
            .map(|pictures| {
                let mut shard = pool.pop().unwrap_or_default();
                shard.begin(pictures, self.units.len() + 1);
                shard
            })
            .collect()
    }

    /// Gives the buffers back.
    pub(super) fn close_shards(&self, shards: Vec<Shard>) {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner).extend(shards);
    }
}

/// What one shard of a training step gives.
#[derive(Debug, Default)]
pub(super) struct ShardOutput {
    pub(super) logits: Vec<f32>,
    pub(super) losses: Vec<f32>,
    pub(super) gradients: Gradients,
}
