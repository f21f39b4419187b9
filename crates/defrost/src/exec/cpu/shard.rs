//! A shard of a batch under way through the tail, and what each layer needs to run over it.

use std::ops::Range;

use defrost_kernels::{Kernels, Matrix, Packed};

use super::fuse::batch_norm_affine;
use crate::graph::{Graph, Layer, LayerIndex, Op};
use crate::tensor::Params;

/// Values and gradients of one shard, by layer counted from the tap; buffers are kept from step to step.
#[derive(Debug, Default, Clone)]
pub(super) struct Shard {
    /// Pictures of the shard.
    pub(super) samples: usize,
    /// Number of its first picture in the batch.
    pub(super) first: usize,
    /// Each layer's output: `samples` times its length.
    pub(super) values: Vec<Vec<f32>>,
    /// What a fused activation was applied to; for dropout, the factors.
    pub(super) inner: Vec<Vec<f32>>,
    /// Gradient by each layer's output; empty where none has arrived.
    pub(super) gradients: Vec<Vec<f32>>,
    /// Of the parameters that train, by their number in the tail.
    pub(super) parameter_gradients: Vec<Vec<f32>>,
    pub(super) packed: Packed,
    pub(super) patches: Vec<f32>,
    spare: Vec<Vec<f32>>,
}

impl Shard {
    /// Makes room for `layers` layers; old values are left to be overwritten.
    pub(super) fn begin(&mut self, pictures: Range<usize>, layers: usize) {
        (self.samples, self.first) = (pictures.len(), pictures.start);
        self.values.resize_with(layers, Vec::new);
        self.inner.resize_with(layers, Vec::new);
        self.gradients.resize_with(layers, Vec::new);
    }

    /// A buffer of `len` with any content.
    pub(super) fn buffer(&mut self, len: usize) -> Vec<f32> {
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.resize(len, 0.0);
        buffer
    }

    /// Keeps a buffer for later.
    pub(super) fn keep(&mut self, buffer: Vec<f32>) {
        if buffer.capacity() > 0 {
            self.spare.push(buffer);
        }
    }

    /// Adds `gradient` to what has arrived at layer `at`.
    pub(super) fn arrive(&mut self, at: usize, gradient: Vec<f32>, kernels: Kernels) {
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

/// What one layer of the tail needs to run.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    /// Its index in the graph.
    pub(super) index: LayerIndex,
    /// Its inputs, counted from the tap.
    pub(super) inputs: Vec<usize>,
    /// Whether a gradient must reach each input.
    pub(super) passes_gradient: Vec<bool>,
    /// Whether a gradient by its output is needed at all.
    pub(super) needs_gradient: bool,
    /// Numbers of its parameters among those that train, by name.
    pub(super) trainable: Vec<(&'static str, usize)>,
    /// Whether BatchNorm takes the batch's own moments in training.
    pub(super) batch_statistics: bool,
    /// A BatchNorm by moving statistics that this unit computes: itself, or the one before it with its activation.
    pub(super) normalization: Option<Normalization>,
    /// Whether the next unit computes this one.
    pub(super) is_absorbed: bool,
    /// The kernel as the right-hand side of the forward product, and transposed for the input's gradient.
    pub(super) kernel: Packed,
    pub(super) kernel_transposed: Packed,
}

impl Unit {
    pub(super) fn trainable(&self, name: &str) -> Option<usize> {
        self.trainable.iter().find(|(own, _)| *own == name).map(|(_, number)| *number)
    }

    /// Whether a step of training changes what it computes with.
    pub(super) fn has_trainable(&self) -> bool {
        let normalization = self.normalization.as_ref();
        !self.trainable.is_empty() || normalization.is_some_and(|normalization| normalization.trainable.is_some())
    }

    /// Packs the kernel anew, after it changed, and takes the factors of a BatchNorm.
    pub(super) fn pack(&mut self, graph: &Graph, params: &Params, kernels: Kernels) {
        if let Some(normalization) = &mut self.normalization {
            normalization.read(graph, params);
        }
        let layer = &graph.layers()[self.index];
        if !matches!(layer.op, Op::Conv2D { .. } | Op::Dense { .. }) {
            return;
        }
        let kernel = &params[&format!("{}/kernel", layer.name)];
        let columns = kernel.shape().last().copied().unwrap_or(1);
        let matrix = Matrix::new(kernel.data(), kernel.data().len() / columns, columns);
        kernels.pack_into(matrix, &mut self.kernel);
        if self.passes_gradient[0] {
            kernels.pack_into(matrix.transposed(), &mut self.kernel_transposed);
        }
    }
}

/// A BatchNorm by moving statistics, `x · scale + shift`, which a unit computes in one pass with the activation after it.
#[derive(Debug, Clone)]
pub(super) struct Normalization {
    /// The BatchNorm.
    pub(super) index: LayerIndex,
    /// Its input, counted from the tap.
    pub(super) input: usize,
    /// Whether a gradient must reach the input.
    pub(super) passes_gradient: bool,
    /// Numbers of gamma and beta among the parameters that train.
    pub(super) trainable: Option<[usize; 2]>,
    pub(super) scale: Vec<f32>,
    pub(super) shift: Vec<f32>,
}

impl Normalization {
    fn read(&mut self, graph: &Graph, params: &Params) {
        let layer = &graph.layers()[self.index];
        if let Op::BatchNorm { epsilon, .. } = layer.op {
            let (scale, shift) = batch_norm_affine(layer, params, epsilon);
            self.scale = scale.iter().map(|&x| x as f32).collect();
            self.shift = shift.iter().map(|&x| x as f32).collect();
        }
    }
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
