//! One layer of the tail over one shard, forward.

use defrost_kernels::{Activation as KernelActivation, Buffer, Epilogue, Kernels, Matrix};

use super::kernel_activation;
use super::normalized::NEAR;
use super::patches::Patches;
use super::shard::{BatchMoments, Context, Mode, Shard};
use super::units::{Normalization, Unit};
use crate::graph::{Activation, Op};
use crate::rng::Stream;

impl Context<'_> {
    /// Computes the output of `unit`, layer `at` from the tap.
    pub(super) fn forward(&self, unit: &Unit, at: usize, shard: &mut Shard, moments: Option<&BatchMoments>) {
        if unit.is_absorbed {
            return;
        }
        let layer = &self.graph.layers()[unit.index];
        let k = self.kernels;
        let samples = shard.samples;
        let len = layer.output_shape.iter().product::<usize>();
        let channels = layer.output_shape.last().copied().unwrap_or(1);
        let mut y = std::mem::take(&mut shard.values[at]);
        y.resize(samples * len);
        let mut inner = std::mem::take(&mut shard.inner[at]);
        let normalization = unit.normalization.as_ref().filter(|_| moments.is_none());
        let x = &shard.values[normalization.map_or(unit.inputs[0], |_| unit.source())];
        match &layer.op {
            Op::Input => unreachable!("the tail begins after the input"),
            Op::Reshape => y.copy_from_slice(x),
            Op::Rescaling { scale, offset } => {
                let affine = |y: &mut [f32]| k.scale_shift(y, scale, offset, KernelActivation::Linear);
                copy_and_change(x, &mut y, channels, affine);
            }
            Op::Normalization => {
                let inverse: Vec<f32> =
                    self.param(layer, "variance").iter().map(|variance| 1.0 / variance.sqrt().max(1e-7)).collect();
                let shift: Vec<f32> =
                    self.param(layer, "mean").iter().zip(&inverse).map(|(mean, inverse)| -mean * inverse).collect();
                let affine = |y: &mut [f32]| k.scale_shift(y, &inverse, &shift, KernelActivation::Linear);
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
                let bias = bias.then(|| self.param(layer, "bias"));
                match normalization {
                    Some(normalization) => self.normalized_product(unit, normalization, bias, shard, &mut y),
                    None => {
                        let shape = Patches::of(self.graph, layer);
                        let a = if shape.is_pointwise() {
                            &x[..]
                        } else {
                            shape.gather_all(x, samples, &mut shard.patches);
                            &shard.patches[..]
                        };
                        let a = Matrix::new(a, samples * shape.rows(), shape.patch_len());
                        let epilogue = Epilogue { bias, ..Epilogue::default() };
                        k.matmul_with(a, &unit.kernel, &mut y, &epilogue, &mut shard.rounded);
                    }
                }
                finish(*activation, k, &mut y, &mut inner);
            }
            Op::Dense { activation } => {
                let a = Matrix::new(x, samples, x.len() / samples);
                let bias = Some(self.param(layer, "bias"));
                k.matmul(a, &unit.kernel, &mut y, &Epilogue { bias, ..Epilogue::default() });
                finish(*activation, k, &mut y, &mut inner);
            }
            Op::DepthwiseConv2D { .. } => {
                let shape = unit.depthwise_shape();
                let kernel = self.param(layer, "kernel");
                let pictures = x.chunks_exact(x.len() / samples).zip(y.chunks_exact_mut(len));
                match normalization {
                    None => pictures.for_each(|(x, y)| {
                        k.depthwise(shape, x, kernel, None, KernelActivation::Linear, y, None);
                    }),
                    Some(normalization) => {
                        self.normalized_depthwise(unit, normalization, kernel, shard, &mut y);
                    }
                }
            }
            Op::BatchNorm { .. } | Op::Activation(_) | Op::Relu { .. } => match (normalization, moments) {
                (Some(Normalization { scale, shift, activation, .. }), _) => {
                    k.scale_shift_into(x, scale, shift, *activation, &mut y);
                }
                (None, Some(moments)) => {
                    let (scale, shift) = self.batch_norm(layer, moments);
                    k.scale_shift_into(x, &scale, &shift, KernelActivation::Linear, &mut y);
                }
                (None, None) => {
                    let activation = kernel_activation(layer.op.activation());
                    copy_and_change(x, &mut y, channels, |y| k.activate(activation, y));
                }
            },
            Op::GlobalAveragePooling => match normalization {
                Some(normalization) => self.normalized_pooling(normalization, shard, &mut y),
                None => {
                    let input_len = x.len() / samples;
                    y.fill(0.0);
                    for (x, y) in x.chunks_exact(input_len).zip(y.chunks_exact_mut(channels)) {
                        k.sum_rows(x, channels, y);
                    }
                    let count = (input_len / channels) as f32;
                    y.iter_mut().for_each(|sum| *sum /= count);
                }
            },
            Op::Multiply => {
                let gates = &shard.values[unit.inputs[1]];
                for ((x, y), gate) in x.chunks_exact(len).zip(y.chunks_exact_mut(len)).zip(gates.chunks_exact(channels))
                {
                    k.multiply_channels_into(x, gate, y);
                }
            }
            Op::Add => {
                y.copy_from_slice(x);
                k.add_assign(&mut y, &shard.values[unit.inputs[1]]);
            }
            Op::Dropout { rate, per_sample } => {
                y.copy_from_slice(x);
                inner.resize(0);
                if let Mode::Training { seed, step, stochastic_depth } = self.mode
                    && *rate > 0.0
                    && (stochastic_depth || !per_sample)
                {
                    inner.resize(y.len());
                    for (sample, factors) in (shard.first..).zip(inner.chunks_exact_mut(len)) {
                        let mut stream = Stream::new(seed, &layer.name, &[step, sample as u64]);
                        let mut factor = || if stream.uniform() < *rate { 0.0 } else { 1.0 / (1.0 - rate) };
                        if *per_sample {
                            factors.fill(factor());
                        } else {
                            factors.fill_with(factor);
                        }
                    }
                    for (y, factor) in y.iter_mut().zip(&*inner) {
                        *y *= factor;
                    }
                }
            }
        }
        shard.values[at] = y;
        shard.inner[at] = inner;
    }
}

/// `y = change(x)`, some rows at a time.
fn copy_and_change(x: &[f32], y: &mut [f32], channels: usize, change: impl Fn(&mut [f32])) {
    let len = channels * (NEAR / channels).max(1);
    for (x, y) in x.chunks(len).zip(y.chunks_mut(len)) {
        y.copy_from_slice(x);
        change(y);
    }
}

/// Applies the activation that a product ends with; keeps what it was applied to.
fn finish(activation: Activation, k: Kernels, y: &mut [f32], inner: &mut Buffer) {
    let activation = kernel_activation(activation);
    if activation == KernelActivation::Linear {
        inner.resize(0);
    } else {
        inner.assign(y);
        k.activate(activation, y);
    }
}
