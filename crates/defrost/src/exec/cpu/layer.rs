//! One layer of the tail over one shard: forward, and backward to its input and parameters.

use defrost_kernels::{Depthwise, Epilogue, Kernels, Matrix, Packed};

use super::fuse::batch_norm_affine;
use super::{Patches, gather_patches, kernel_activation, scatter_patches};
use crate::graph::{Activation, Graph, Layer, LayerIndex, Op, conv_padding};
use crate::rng::Stream;
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
    packed: Packed,
    patches: Vec<f32>,
    spare: Vec<Vec<f32>>,
}

impl Shard {
    /// Makes room for `layers` layers; old values are left to be overwritten.
    pub(super) fn begin(&mut self, samples: usize, first: usize, layers: usize) {
        (self.samples, self.first) = (samples, first);
        self.values.resize_with(layers, Vec::new);
        self.inner.resize_with(layers, Vec::new);
        self.gradients.resize_with(layers, Vec::new);
    }

    /// A buffer of `len` with any content.
    fn buffer(&mut self, len: usize) -> Vec<f32> {
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.resize(len, 0.0);
        buffer
    }

    /// Keeps a buffer for later.
    fn keep(&mut self, buffer: Vec<f32>) {
        if buffer.capacity() > 0 {
            self.spare.push(buffer);
        }
    }

    /// Adds `gradient` to what has arrived at layer `at`.
    fn arrive(&mut self, at: usize, gradient: Vec<f32>, kernels: Kernels) {
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
    /// The kernel as the right-hand side of the forward product, and transposed for the input's gradient.
    pub(super) kernel: Packed,
    pub(super) kernel_transposed: Packed,
}

impl Unit {
    fn trainable(&self, name: &str) -> Option<usize> {
        self.trainable.iter().find(|(own, _)| *own == name).map(|(_, number)| *number)
    }

    /// Packs the kernel anew, after it changed.
    pub(super) fn pack(&mut self, graph: &Graph, params: &Params, kernels: Kernels) {
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

fn convolution_patches(graph: &Graph, layer: &Layer) -> Patches {
    let (kernel, stride, padding) = match layer.op {
        Op::Conv2D { kernel, stride, padding, .. } | Op::DepthwiseConv2D { kernel, stride, padding } => {
            (kernel, stride, padding)
        }
        _ => unreachable!("only convolutions gather patches"),
    };
    let input = &graph.layers()[layer.inputs[0]].output_shape;
    Patches {
        height: input[0],
        width: input[1],
        channels: input[2],
        kernel,
        stride,
        pad_top: conv_padding(input[0], kernel[0], stride, padding).0,
        pad_left: conv_padding(input[1], kernel[1], stride, padding).0,
        out_height: layer.output_shape[0],
        out_width: layer.output_shape[1],
    }
}

fn depthwise_shape(graph: &Graph, layer: &Layer) -> Depthwise {
    let p = convolution_patches(graph, layer);
    Depthwise {
        height: p.height,
        width: p.width,
        channels: p.channels,
        kernel: p.kernel,
        stride: p.stride,
        pad_top: p.pad_top,
        pad_left: p.pad_left,
        out_height: p.out_height,
        out_width: p.out_width,
    }
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
    fn param(&self, layer: &Layer, name: &str) -> &[f32] {
        self.params[&format!("{}/{name}", layer.name)].data()
    }

    /// `(scale, shift)` of a BatchNorm, by moving statistics or by the batch's moments.
    fn batch_norm(&self, layer: &Layer, epsilon: f32, moments: Option<&BatchMoments>) -> (Vec<f32>, Vec<f32>) {
        match moments {
            None => {
                let (scale, shift) = batch_norm_affine(layer, self.params, epsilon);
                (scale.iter().map(|&x| x as f32).collect(), shift.iter().map(|&x| x as f32).collect())
            }
            Some(moments) => {
                let (gamma, beta) = (self.param(layer, "gamma"), self.param(layer, "beta"));
                let scale: Vec<f32> =
                    gamma.iter().zip(&moments.inverse_deviation).map(|(g, inverse)| g * inverse).collect();
                let shift = beta.iter().zip(&moments.mean).zip(&scale).map(|((b, mean), s)| b - mean * s).collect();
                (scale, shift)
            }
        }
    }

    /// Computes the output of `unit`, layer `at` from the tap.
    pub(super) fn forward(&self, unit: &Unit, at: usize, shard: &mut Shard, moments: Option<&BatchMoments>) {
        let layer = &self.graph.layers()[unit.index];
        let k = self.kernels;
        let samples = shard.samples;
        let len = layer.output_shape.iter().product::<usize>();
        let channels = layer.output_shape.last().copied().unwrap_or(1);
        let mut y = std::mem::take(&mut shard.values[at]);
        y.resize(samples * len, 0.0);
        let mut inner = std::mem::take(&mut shard.inner[at]);
        let x = &shard.values[unit.inputs[0]];
        match &layer.op {
            Op::Input => unreachable!("the tail begins after the input"),
            Op::Reshape => y.copy_from_slice(x),
            Op::Rescaling { scale, offset } => {
                let affine = |y: &mut [f32]| k.scale_shift(y, scale, offset, defrost_kernels::Activation::Linear);
                copy_and_change(x, &mut y, channels, affine);
            }
            Op::Normalization => {
                let inverse: Vec<f32> =
                    self.param(layer, "variance").iter().map(|variance| 1.0 / variance.sqrt().max(1e-7)).collect();
                let shift: Vec<f32> =
                    self.param(layer, "mean").iter().zip(&inverse).map(|(mean, inverse)| -mean * inverse).collect();
                let affine = |y: &mut [f32]| k.scale_shift(y, &inverse, &shift, defrost_kernels::Activation::Linear);
                copy_and_change(x, &mut y, channels, affine);
            }
            Op::ZeroPadding { padding } => {
                let input = &self.graph.layers()[layer.inputs[0]].output_shape;
                y.fill(0.0);
                let (row, out_row) = (input[1] * channels, layer.output_shape[1] * channels);
                for sample in 0..samples {
                    for line in 0..input[0] {
                        let source = &x[(sample * input[0] + line) * row..][..row];
                        let start = sample * len + (line + padding[0]) * out_row + padding[2] * channels;
                        y[start..start + row].copy_from_slice(source);
                    }
                }
            }
            Op::Conv2D { bias, activation, .. } => {
                let shape = convolution_patches(self.graph, layer);
                let rows = samples * shape.rows();
                let a = if shape.is_pointwise() {
                    &x[..]
                } else {
                    gather_all(&shape, x, samples, &mut shard.patches);
                    &shard.patches[..]
                };
                let bias = bias.then(|| self.param(layer, "bias"));
                let a = Matrix::new(a, rows, shape.patch_len());
                k.matmul(a, &unit.kernel, &mut y, &Epilogue { bias, ..Epilogue::default() });
                finish(*activation, k, &mut y, &mut inner);
            }
            Op::Dense { activation } => {
                let a = Matrix::new(x, samples, x.len() / samples);
                let bias = Some(self.param(layer, "bias"));
                k.matmul(a, &unit.kernel, &mut y, &Epilogue { bias, ..Epilogue::default() });
                finish(*activation, k, &mut y, &mut inner);
            }
            Op::DepthwiseConv2D { .. } => {
                let shape = depthwise_shape(self.graph, layer);
                let input_len = x.len() / samples;
                let kernel = self.param(layer, "kernel");
                for (x, y) in x.chunks_exact(input_len).zip(y.chunks_exact_mut(len)) {
                    k.depthwise(&shape, x, kernel, None, defrost_kernels::Activation::Linear, y, None);
                }
            }
            Op::BatchNorm { epsilon, .. } => {
                let (scale, shift) = self.batch_norm(layer, *epsilon, moments);
                let affine = |y: &mut [f32]| k.scale_shift(y, &scale, &shift, defrost_kernels::Activation::Linear);
                copy_and_change(x, &mut y, channels, affine);
            }
            Op::Activation(_) | Op::Relu { .. } => {
                let activation = kernel_activation(layer.op.activation());
                copy_and_change(x, &mut y, channels, |y| k.activate(activation, y));
            }
            Op::GlobalAveragePooling => {
                let input_len = x.len() / samples;
                y.fill(0.0);
                for (x, y) in x.chunks_exact(input_len).zip(y.chunks_exact_mut(channels)) {
                    k.sum_rows(x, channels, y);
                }
                let count = (input_len / channels) as f32;
                y.iter_mut().for_each(|sum| *sum /= count);
            }
            Op::Multiply => {
                y.copy_from_slice(x);
                let gates = &shard.values[unit.inputs[1]];
                for (y, gate) in y.chunks_exact_mut(len).zip(gates.chunks_exact(channels)) {
                    k.multiply_channels(y, gate);
                }
            }
            Op::Add => {
                y.copy_from_slice(x);
                k.add_assign(&mut y, &shard.values[unit.inputs[1]]);
            }
            Op::Dropout { rate, per_sample } => {
                y.copy_from_slice(x);
                inner.clear();
                if let Mode::Training { seed, step, stochastic_depth } = self.mode
                    && *rate > 0.0
                    && (stochastic_depth || !per_sample)
                {
                    for sample in shard.first..shard.first + samples {
                        let mut stream = Stream::new(seed, &layer.name, &[step, sample as u64]);
                        let mut factor = || if stream.uniform() < *rate { 0.0 } else { 1.0 / (1.0 - rate) };
                        if *per_sample {
                            let factor = factor();
                            inner.extend(std::iter::repeat_n(factor, len));
                        } else {
                            inner.extend((0..len).map(|_| factor()));
                        }
                    }
                    for (y, factor) in y.iter_mut().zip(&inner) {
                        *y *= factor;
                    }
                }
            }
        }
        shard.values[at] = y;
        shard.inner[at] = inner;
    }

    /// Sends the gradient that arrived at `unit` on to its inputs and adds it up for its parameters.
    ///
    /// `batch` holds, for a BatchNorm with batch statistics, the moments and the batch's sums of `dy` and `dy · x̂`.
    pub(super) fn backward(&self, unit: &Unit, at: usize, shard: &mut Shard, batch: Option<&BatchGradient<'_>>) {
        let layer = &self.graph.layers()[unit.index];
        let k = self.kernels;
        let mut dy = std::mem::take(&mut shard.gradients[at]);
        if dy.is_empty() {
            return;
        }
        let samples = shard.samples;
        let len = layer.output_shape.iter().product::<usize>();
        let channels = layer.output_shape.last().copied().unwrap_or(1);
        let input = unit.inputs[0];
        match &layer.op {
            Op::Input | Op::Normalization => shard.keep(dy),
            Op::Reshape => shard.arrive(input, dy, k),
            Op::Rescaling { scale, .. } => {
                k.multiply_channels(&mut dy, scale);
                shard.arrive(input, dy, k);
            }
            Op::ZeroPadding { padding } => {
                let shape = &self.graph.layers()[layer.inputs[0]].output_shape;
                let (row, out_row) = (shape[1] * channels, layer.output_shape[1] * channels);
                let mut dx = shard.buffer(samples * shape[0] * row);
                for sample in 0..samples {
                    for line in 0..shape[0] {
                        let start = sample * len + (line + padding[0]) * out_row + padding[2] * channels;
                        dx[(sample * shape[0] + line) * row..][..row].copy_from_slice(&dy[start..start + row]);
                    }
                }
                shard.arrive(input, dx, k);
                shard.keep(dy);
            }
            Op::Conv2D { activation, .. } | Op::Dense { activation } => {
                k_activation_gradient(*activation, k, &shard.inner[at], &mut dy);
                self.product_gradients(unit, layer, shard, &dy);
                shard.keep(dy);
            }
            Op::DepthwiseConv2D { .. } => {
                let shape = depthwise_shape(self.graph, layer);
                let input_len = shard.values[input].len() / samples;
                if let Some(number) = unit.trainable("kernel") {
                    let dkernel = &mut shard.parameter_gradients[number];
                    for (x, dy) in shard.values[input].chunks_exact(input_len).zip(dy.chunks_exact(len)) {
                        k.depthwise_kernel_gradient(&shape, x, dy, dkernel);
                    }
                }
                if unit.passes_gradient[0] {
                    let mut dx = shard.buffer(samples * input_len);
                    let kernel = self.param(layer, "kernel");
                    for (dy, dx) in dy.chunks_exact(len).zip(dx.chunks_exact_mut(input_len)) {
                        k.depthwise_input_gradient(&shape, dy, kernel, dx);
                    }
                    shard.arrive(input, dx, k);
                }
                shard.keep(dy);
            }
            Op::BatchNorm { epsilon, .. } => {
                self.batch_norm_gradients(unit, layer, *epsilon, shard, &mut dy, batch);
                if unit.passes_gradient[0] {
                    shard.arrive(input, dy, k);
                } else {
                    shard.keep(dy);
                }
            }
            Op::Activation(_) | Op::Relu { .. } => {
                k.activation_gradient(kernel_activation(layer.op.activation()), &shard.values[input], &mut dy);
                shard.arrive(input, dy, k);
            }
            Op::GlobalAveragePooling => {
                let input_len = shard.values[input].len() / samples;
                let share = 1.0 / (input_len / channels) as f32;
                dy.iter_mut().for_each(|dy| *dy *= share);
                let mut dx = shard.buffer(samples * input_len);
                for (dx, dy) in dx.chunks_exact_mut(input_len).zip(dy.chunks_exact(channels)) {
                    dx.chunks_exact_mut(channels).for_each(|row| row.copy_from_slice(dy));
                }
                shard.arrive(input, dx, k);
                shard.keep(dy);
            }
            Op::Multiply => {
                let gate = unit.inputs[1];
                if unit.passes_gradient[1] {
                    let mut dgate = shard.buffer(samples * channels);
                    dgate.fill(0.0);
                    let x = &shard.values[input];
                    for ((x, dy), dgate) in
                        x.chunks_exact(len).zip(dy.chunks_exact(len)).zip(dgate.chunks_exact_mut(channels))
                    {
                        k.dot_rows(x, dy, channels, dgate);
                    }
                    shard.arrive(gate, dgate, k);
                }
                if unit.passes_gradient[0] {
                    for (dy, gate) in dy.chunks_exact_mut(len).zip(shard.values[gate].chunks_exact(channels)) {
                        k.multiply_channels(dy, gate);
                    }
                    shard.arrive(input, dy, k);
                } else {
                    shard.keep(dy);
                }
            }
            Op::Add => {
                if unit.passes_gradient[0] && unit.passes_gradient[1] {
                    let mut copy = shard.buffer(dy.len());
                    copy.copy_from_slice(&dy);
                    shard.arrive(unit.inputs[1], copy, k);
                    shard.arrive(input, dy, k);
                } else {
                    shard.arrive(unit.inputs[usize::from(unit.passes_gradient[1])], dy, k);
                }
            }
            Op::Dropout { .. } => {
                for (dy, factor) in dy.iter_mut().zip(&shard.inner[at]) {
                    *dy *= factor;
                }
                shard.arrive(input, dy, k);
            }
        }
    }

    /// Gradients of `y = x · kernel + bias`, for dense layers and convolutions.
    fn product_gradients(&self, unit: &Unit, layer: &Layer, shard: &mut Shard, dy: &[f32]) {
        let k = self.kernels;
        let samples = shard.samples;
        let columns = layer.output_shape.last().copied().unwrap_or(1);
        let rows = dy.len() / columns;
        let patches = match layer.op {
            Op::Conv2D { .. } => Some(convolution_patches(self.graph, layer)).filter(|shape| !shape.is_pointwise()),
            _ => None,
        };
        if let Some(number) = unit.trainable("bias") {
            k.sum_rows(dy, columns, &mut shard.parameter_gradients[number]);
        }
        let input = unit.inputs[0];
        if let Some(number) = unit.trainable("kernel") {
            let x = match &patches {
                None => &shard.values[input][..],
                Some(shape) => {
                    gather_all(shape, &shard.values[input], samples, &mut shard.patches);
                    &shard.patches[..]
                }
            };
            let transposed = Matrix::new(x, rows, x.len() / rows).transposed();
            k.pack_into(Matrix::new(dy, rows, columns), &mut shard.packed);
            let epilogue = Epilogue { accumulate: true, ..Epilogue::default() };
            k.matmul(transposed, &shard.packed, &mut shard.parameter_gradients[number], &epilogue);
        }
        if unit.passes_gradient[0] {
            let input_len = shard.values[input].len();
            let dy = Matrix::new(dy, rows, columns);
            let mut dx = shard.buffer(input_len);
            match &patches {
                None => k.matmul(dy, &unit.kernel_transposed, &mut dx, &Epilogue::default()),
                Some(shape) => {
                    shard.patches.resize(rows * shape.patch_len(), 0.0);
                    k.matmul(dy, &unit.kernel_transposed, &mut shard.patches, &Epilogue::default());
                    dx.fill(0.0);
                    let per_sample = shape.rows() * shape.patch_len();
                    for (patches, dx) in
                        shard.patches.chunks_exact(per_sample).zip(dx.chunks_exact_mut(input_len / samples))
                    {
                        scatter_patches(shape, patches, dx);
                    }
                }
            }
            shard.arrive(input, dx, k);
        }
    }

    /// Gradients of BatchNorm; `dy` becomes the input's gradient.
    ///
    /// Inference: `dx = γ·σ⁻¹·dy`. Batch statistics (Ioffe and Szegedy 2015, §3), over the batch's n rows:
    /// `dx = γ·σ⁻¹·(dy − Σdy/n − x̂·Σ(dy·x̂)/n)`; the sums were taken over all shards and are the parameters' gradients.
    fn batch_norm_gradients(
        &self,
        unit: &Unit,
        layer: &Layer,
        epsilon: f32,
        shard: &mut Shard,
        dy: &mut [f32],
        batch: Option<&BatchGradient<'_>>,
    ) {
        let k = self.kernels;
        let channels = dy.len() / (dy.len() / layer.output_shape.last().copied().unwrap_or(1));
        if let Some(batch) = batch {
            let x = &shard.values[unit.inputs[0]];
            let gamma = self.param(layer, "gamma");
            let BatchMoments { mean, inverse_deviation } = batch.moments;
            let count = batch.rows as f32;
            for (x, dy) in x.chunks_exact(channels).zip(dy.chunks_exact_mut(channels)) {
                for c in 0..channels {
                    let normalized = (x[c] - mean[c]) * inverse_deviation[c];
                    let centred = dy[c] - batch.sum[c] / count - normalized * (batch.dot[c] / count);
                    dy[c] = gamma[c] * inverse_deviation[c] * centred;
                }
            }
            return;
        }
        let (gamma_number, beta_number) = (unit.trainable("gamma"), unit.trainable("beta"));
        if let (Some(gamma_number), Some(beta_number)) = (gamma_number, beta_number) {
            let mut sum = shard.buffer(channels);
            sum.fill(0.0);
            k.sum_rows(dy, channels, &mut sum);
            let mut dot = shard.buffer(channels);
            dot.fill(0.0);
            k.dot_rows(&shard.values[unit.inputs[0]], dy, channels, &mut dot);
            let (mean, variance) = (self.param(layer, "moving_mean"), self.param(layer, "moving_variance"));
            let dgamma = &mut shard.parameter_gradients[gamma_number];
            for c in 0..channels {
                let inverse = 1.0 / (f64::from(variance[c]) + f64::from(epsilon)).sqrt();
                dgamma[c] += ((f64::from(dot[c]) - f64::from(mean[c]) * f64::from(sum[c])) * inverse) as f32;
            }
            k.add_assign(&mut shard.parameter_gradients[beta_number], &sum);
            shard.keep(sum);
            shard.keep(dot);
        }
        if unit.passes_gradient[0] {
            let (scale, _) = self.batch_norm(layer, epsilon, None);
            k.multiply_channels(dy, &scale);
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

/// Elements that are copied before they are changed: they are then still in the nearest cache.
const COPIED: usize = 4096;

/// `y = change(x)`, some rows at a time.
fn copy_and_change(x: &[f32], y: &mut [f32], channels: usize, change: impl Fn(&mut [f32])) {
    let len = channels * (COPIED / channels).max(1);
    for (x, y) in x.chunks(len).zip(y.chunks_mut(len)) {
        y.copy_from_slice(x);
        change(y);
    }
}

/// Applies the activation that a product ends with; keeps what it was applied to.
fn finish(activation: Activation, k: Kernels, y: &mut [f32], inner: &mut Vec<f32>) {
    let activation = kernel_activation(activation);
    inner.clear();
    if activation != defrost_kernels::Activation::Linear {
        inner.extend_from_slice(y);
        k.activate(activation, y);
    }
}

fn k_activation_gradient(activation: Activation, k: Kernels, inner: &[f32], dy: &mut [f32]) {
    let activation = kernel_activation(activation);
    if activation != defrost_kernels::Activation::Linear {
        k.activation_gradient(activation, inner, dy);
    }
}

fn gather_all(shape: &Patches, x: &[f32], samples: usize, patches: &mut Vec<f32>) {
    let per_sample = shape.rows() * shape.patch_len();
    patches.resize(samples * per_sample, 0.0);
    for (x, patches) in x.chunks_exact(x.len() / samples).zip(patches.chunks_exact_mut(per_sample)) {
        gather_patches(shape, x, patches);
    }
}
