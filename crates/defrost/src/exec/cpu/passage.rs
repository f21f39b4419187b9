//! How a shard of pictures passes through the tail: one by one through its early layers, together through its late ones.
//!
//! Early layers' values are large, and stay in the caches when one picture follows the other. Late layers' kernels are large: read,
//! and their gradients read and written, once for a shard instead of once a picture, and their products are as high as the shard.

use std::ops::Range;
use std::time::Instant;

use super::shard::{Context, Mode, Shard};
use super::tail::{Objective, Randomness, SHARD, Tail};
use super::units::Unit;
use crate::graph::Graph;
use crate::tensor::Params;

/// Bytes of values that the layers which take a shard's pictures together may hold. Networks of tests are small.
const TOGETHER_BYTES: usize = if cfg!(test) { 64 << 10 } else { 64 << 20 };

/// The first unit that takes all pictures at once: the earliest one that nothing but its own input passes by, and from which on
/// their values fit in [`TOGETHER_BYTES`].
pub(super) fn meeting(graph: &Graph, units: &[Unit]) -> usize {
    let mut meeting = units.len();
    let (mut bytes, mut earliest_read) = (0, units.len());
    for (number, unit) in units.iter().enumerate().rev() {
        if !unit.is_absorbed {
            bytes += SHARD * size_of::<f32>() * graph.layers()[unit.index].output_shape.iter().product::<usize>();
            earliest_read = unit.reads().fold(earliest_read, usize::min);
        }
        if bytes > TOGETHER_BYTES {
            break;
        }
        // Value 0 is the tap; value n is what unit n − 1 computes.
        let is_stored = number == 0 || !units[number - 1].is_absorbed;
        if earliest_read >= number && is_stored {
            meeting = number;
        }
    }
    meeting
}

impl Tail {
    /// Loads some pictures' rows and computes all layers.
    pub(super) fn run_forward(&self, context: &Context<'_>, shard: &mut Shard, pictures: Range<usize>, rows: &[f32]) {
        let layers = self.units.len() + 1;
        shard.begin(pictures.clone(), layers);
        if self.meeting == 0 {
            self.load(shard, rows);
        } else {
            let mut met = std::mem::take(&mut shard.values[self.meeting]);
            met.resize(pictures.len() * self.meeting_len());
            for (number, met) in met.chunks_exact_mut(self.meeting_len()).enumerate() {
                let picture = pictures.start + number;
                shard.exchange(number);
                shard.begin(picture..picture + 1, layers);
                self.load(shard, rows);
                self.forward_units(0..self.meeting, context, shard);
                met.copy_from_slice(&shard.values[self.meeting]);
                shard.exchange(number);
            }
            shard.begin(pictures, layers);
            shard.values[self.meeting] = met;
        }
        self.forward_units(self.meeting..self.units.len(), context, shard);
    }

    /// Sends the gradient by the logits back through all layers that need it, after [`run_forward`](Self::run_forward).
    pub(super) fn run_backward(&self, context: &Context<'_>, shard: &mut Shard) {
        self.backward_units(self.meeting..self.units.len(), context, shard);
        if self.meeting == 0 {
            return;
        }
        let pictures = shard.first..shard.first + shard.samples;
        let met = std::mem::take(&mut shard.gradients[self.meeting]);
        for (number, met) in met.chunks_exact(self.meeting_len()).enumerate() {
            let picture = pictures.start + number;
            shard.exchange(number);
            shard.begin(picture..picture + 1, self.units.len() + 1);
            let mut gradient = shard.buffer(met.len());
            gradient.copy_from_slice(met);
            shard.arrive(self.meeting, gradient, context.kernels);
            self.backward_units(0..self.meeting, context, shard);
            shard.exchange(number);
        }
        shard.begin(pictures, self.units.len() + 1);
        shard.keep(met);
    }

    /// Length of one picture's value where the pictures meet.
    fn meeting_len(&self) -> usize {
        match self.meeting.checked_sub(1) {
            None => self.tap_len(),
            Some(unit) => self.graph.layers()[self.units[unit].index].output_shape.iter().product(),
        }
    }

    fn forward_units(&self, units: Range<usize>, context: &Context<'_>, shard: &mut Shard) {
        for (number, unit) in units.clone().zip(&self.units[units]) {
            let begun = Instant::now();
            context.forward(unit, number + 1, shard, None);
            shard.seconds[number][0] += begun.elapsed().as_secs_f64();
        }
    }

    fn backward_units(&self, units: Range<usize>, context: &Context<'_>, shard: &mut Shard) {
        for (number, unit) in units.clone().zip(&self.units[units]).rev().filter(|(_, unit)| unit.needs_gradient) {
            let begun = Instant::now();
            context.backward(unit, number + 1, shard, None);
            shard.seconds[number][1] += begun.elapsed().as_secs_f64();
        }
    }

    /// One step of the first [`SHARD`] of `rows` on this thread, unit by unit: what each computes, and its seconds for a picture.
    pub(crate) fn timed_step(
        &mut self,
        params: &Params,
        rows: &[f32],
        randomness: Randomness,
        objective: &Objective<'_>,
    ) -> Vec<UnitInfo> {
        self.pack(params);
        let mode = Mode::Training { seed: randomness.seed, step: randomness.step, stochastic_depth: false };
        let context = self.context(params, mode);
        let pictures = SHARD.min(rows.len() / self.tap_len());
        let mut shard = self.take_shard();
        self.train_shard(&context, &mut shard, 0..pictures, rows, objective);
        let infos = (self.units.iter().enumerate().zip(&shard.seconds))
            .filter(|((_, unit), _)| !unit.is_absorbed)
            .map(|((number, unit), seconds)| UnitInfo {
                pictures: if number < self.meeting { 1 } else { pictures },
                seconds: seconds.map(|seconds| seconds / pictures as f64),
                ..self.describe(unit)
            })
            .collect();
        self.give_back(shard);
        infos
    }

    fn describe(&self, unit: &Unit) -> UnitInfo {
        let layer = &self.graph.layers()[unit.index];
        let mut info = UnitInfo {
            layer: layer.name.clone(),
            what: format!("{} {:?}", layer.op.class(), layer.output_shape),
            multiply_adds: self.multiply_adds(unit),
            ..UnitInfo::default()
        };
        if let Some(expansion) = &unit.expansion {
            info.what = format!("Conv2D, {}", info.what);
            info.multiply_adds += self.multiply_adds(expansion);
        }
        info
    }

    /// Forward, for the input's gradient and for the kernel's, where they are taken.
    fn multiply_adds(&self, unit: &Unit) -> u64 {
        let layer = &self.graph.layers()[unit.index];
        let once = layer.op.multiply_adds(&self.graph.layers()[layer.inputs[0]].output_shape, &layer.output_shape);
        once * (1 + u64::from(unit.passes_gradient[0]) + u64::from(unit.trainable("kernel").is_some()))
    }
}

/// What a layer of the tail does in a training step, with the layers that it computes on the way.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UnitInfo {
    /// The layer.
    pub layer: String,
    /// Its kind and the shape of its output.
    pub what: String,
    /// Pictures that it takes at once.
    pub pictures: usize,
    /// Multiply-adds for one picture, forward and backward.
    pub multiply_adds: u64,
    /// Seconds for one picture on one thread, forward and backward.
    pub seconds: [f64; 2],
}
