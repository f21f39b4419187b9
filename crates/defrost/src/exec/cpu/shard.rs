//! A shard of a batch under way through the tail, and what each layer needs to run over it.

use std::collections::BTreeMap;
use std::ops::Range;

use defrost_kernels::{Buffer, Kernels, Packed};

use crate::graph::{Graph, Layer};
use crate::tensor::Params;

/// Values and gradients of one shard, by layer counted from the tap; buffers are kept from step to step.
#[derive(Debug, Default, Clone)]
pub(super) struct Shard {
    /// Pictures of the shard.
    pub(super) samples: usize,
    /// Number of its first picture in the batch.
    pub(super) first: usize,
    /// Each layer's output: `samples` times its length.
    pub(super) values: Vec<Buffer>,
    /// What a fused activation was applied to; for dropout, the factors.
    pub(super) inner: Vec<Buffer>,
    /// Values and what activations were applied to, of layers that take pictures one by one: a picture's, while another's is
    /// in `values` and `inner`.
    others: Vec<[Vec<Buffer>; 2]>,
    /// Gradient by each layer's output; empty where none has arrived.
    pub(super) gradients: Vec<Buffer>,
    /// Of the parameters that train, by their number in the tail.
    pub(super) parameter_gradients: Vec<Vec<f32>>,
    /// Which of them hold nothing yet.
    untouched: Vec<bool>,
    pub(super) packed: Packed,
    pub(super) rounded: Buffer,
    pub(super) patches: Buffer,
    /// A strip of a value that is stored nowhere.
    pub(super) strip: Buffer,
    /// Seconds that each unit has taken since [`begin_gradients`](Self::begin_gradients), forward and backward.
    pub(super) seconds: Vec<[f64; 2]>,
    /// Buffers that wait to be used again, by their length: the same lengths come back in every step.
    spare: BTreeMap<usize, Vec<Buffer>>,
}

impl Shard {
    /// Makes room for `layers` layers; old values are left to be overwritten.
    pub(super) fn begin(&mut self, pictures: Range<usize>, layers: usize) {
        (self.samples, self.first) = (pictures.len(), pictures.start);
        self.values.resize_with(layers, Buffer::default);
        self.inner.resize_with(layers, Buffer::default);
        self.gradients.resize_with(layers, Buffer::default);
        self.seconds.resize(layers, [0.0; 2]);
    }

    /// Exchanges what is stored with what is kept for the shard's picture `number` alone; once more changes it back.
    pub(super) fn exchange(&mut self, number: usize) {
        if self.others.len() <= number {
            self.others.resize_with(number + 1, Default::default);
        }
        let [values, inner] = &mut self.others[number];
        std::mem::swap(values, &mut self.values);
        std::mem::swap(inner, &mut self.inner);
    }

    /// A buffer of `len` with any content.
    pub(super) fn buffer(&mut self, len: usize) -> Buffer {
        self.spare.get_mut(&len).and_then(Vec::pop).unwrap_or_else(|| Buffer::zeros(len))
    }

    /// A buffer of `len` zeros.
    pub(super) fn zeros(&mut self, len: usize) -> Buffer {
        let mut buffer = self.buffer(len);
        buffer.fill(0.0);
        buffer
    }

    /// Keeps a buffer for later.
    pub(super) fn keep(&mut self, buffer: Buffer) {
        if !buffer.is_empty() {
            self.spare.entry(buffer.len()).or_default().push(buffer);
        }
    }

    /// Takes room for the gradients of a shard; what it holds does not matter.
    pub(super) fn begin_gradients(&mut self, gradients: Vec<Vec<f32>>) {
        self.untouched = vec![true; gradients.len()];
        self.parameter_gradients = gradients;
        self.seconds.fill([0.0; 2]);
    }

    /// The gradient of parameter `number`, to be added to.
    pub(super) fn parameter_gradient(&mut self, number: usize) -> &mut [f32] {
        let gradient = &mut self.parameter_gradients[number];
        if std::mem::take(&mut self.untouched[number]) {
            gradient.fill(0.0);
        }
        gradient
    }

    /// Whether the gradient of parameter `number` must be added to; else it must be overwritten now.
    pub(super) fn accumulates(&mut self, number: usize) -> bool {
        !std::mem::take(&mut self.untouched[number])
    }

    /// Gives the gradients away; those that nothing arrived at are zero.
    pub(super) fn end_gradients(&mut self) -> Vec<Vec<f32>> {
        (0..self.untouched.len()).for_each(|number| {
            self.parameter_gradient(number);
        });
        std::mem::take(&mut self.parameter_gradients)
    }

    /// Adds `gradient` to what has arrived at layer `at`.
    pub(super) fn arrive(&mut self, at: usize, gradient: Buffer, kernels: Kernels) {
        if self.gradients[at].is_empty() {
            let old = std::mem::replace(&mut self.gradients[at], gradient);
            self.keep(old);
        } else {
            kernels.add_assign(&mut self.gradients[at], &gradient);
            self.keep(gradient);
        }
    }
}

/// Whether this is a training step, and which random numbers it draws.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mode {
    /// Dropout does nothing.
    Inference,
    /// Dropout acts.
    Training {
        /// The run's.
        seed: u64,
        /// Counted over the stage.
        step: u64,
        /// Whether stochastic depth acts.
        stochastic_depth: bool,
    },
}

/// Mean and `1 / sqrt(variance + epsilon)` of a batch, one a channel.
#[derive(Debug, Default, Clone)]
pub(super) struct BatchMoments {
    pub(super) mean: Vec<f32>,
    pub(super) inverse_deviation: Vec<f32>,
}

/// What a BatchNorm with batch statistics needs to know of all shards to go backward.
pub(super) struct BatchGradient<'a> {
    pub(super) moments: &'a BatchMoments,
    /// Σ dy
    pub(super) sum: Vec<f32>,
    /// Σ dy · x̂
    pub(super) dot: Vec<f32>,
    /// Rows of the whole batch.
    pub(super) rows: usize,
}

/// A graph's layers with their parameters and kernels: what forward and backward share.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) graph: &'a Graph,
    pub(super) params: &'a Params,
    pub(super) kernels: Kernels,
    pub(super) mode: Mode,
}

impl Context<'_> {
    pub(super) fn param(&self, layer: &Layer, name: &str) -> &[f32] {
        self.params[&format!("{}/{name}", layer.name)].data()
    }

    /// `(scale, shift)` of a BatchNorm by the batch's moments.
    pub(super) fn batch_norm(&self, layer: &Layer, moments: &BatchMoments) -> (Vec<f32>, Vec<f32>) {
        let (gamma, beta) = (self.param(layer, "gamma"), self.param(layer, "beta"));
        let scale: Vec<f32> = gamma.iter().zip(&moments.inverse_deviation).map(|(g, inverse)| g * inverse).collect();
        let shift = beta.iter().zip(&moments.mean).zip(&scale).map(|((b, mean), s)| b - mean * s).collect();
        (scale, shift)
    }
}
