//! One layer of the tail over one shard, backward: to its input and to its parameters.

use std::ops::Range;

use defrost_kernels::{Activation as KernelActivation, Epilogue, Matrix, Precision};

use super::kernel_activation;
use super::patches::Patches;
use super::shard::{BatchGradient, BatchMoments, Context, Shard};
use super::units::Unit;
use crate::graph::{Layer, Op};

/// Bytes of the rows of a product's gradients that are taken together: a part of the second-level cache.
const BLOCK_BYTES: usize = 384 << 10;

/// Rows at least: fewer would move the kernel's gradient to and fro too often.
const BLOCK_ROWS: usize = 392;

impl Context<'_> {
    /// Sends the gradient that arrived at `unit` on to its inputs and adds it up for its parameters.
    ///
    /// `batch` holds, for a BatchNorm with batch statistics, the moments and the batch's sums of `dy` and `dy · x̂`.
    pub(super) fn backward(&self, unit: &Unit, at: usize, shard: &mut Shard, batch: Option<&BatchGradient<'_>>) {
        if unit.is_absorbed {
            return;
        }
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
        let normalization = unit.normalization.as_ref().filter(|_| batch.is_none());
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
                let activation = kernel_activation(*activation);
                if activation != KernelActivation::Linear {
                    k.activation_gradient(activation, &shard.inner[at], &mut dy);
                }
                self.product_gradients(unit, layer, shard, &dy);
                shard.keep(dy);
            }
            Op::DepthwiseConv2D { .. } => {
                match normalization {
                    None => self.depthwise_gradients(unit, layer, shard, &dy),
                    Some(normalization) => {
                        self.normalized_depthwise_gradients(unit, normalization, layer, shard, &dy);
                    }
                }
                shard.keep(dy);
            }
            Op::BatchNorm { .. } | Op::Activation(_) | Op::Relu { .. } => match (normalization, batch) {
                (Some(normalization), _) => self.normalization_gradients(normalization, shard, dy),
                (None, Some(batch)) => {
                    self.batch_norm_gradient(layer, &shard.values[input], &mut dy, batch);
                    if unit.passes_gradient[0] {
                        shard.arrive(input, dy, k);
                    } else {
                        shard.keep(dy);
                    }
                }
                (None, None) => {
                    let activation = kernel_activation(layer.op.activation());
                    k.activation_gradient(activation, &shard.values[input], &mut dy);
                    shard.arrive(input, dy, k);
                }
            },
            Op::GlobalAveragePooling => {
                if let Some(normalization) = normalization {
                    let positions = shard.values[normalization.input].len() / (samples * channels);
                    dy.iter_mut().for_each(|dy| *dy *= 1.0 / positions as f32);
                    self.normalized_pooling_gradient(normalization, shard, &dy);
                    return shard.keep(dy);
                }
                let input_len = shard.values[input].len() / samples;
                let share = 1.0 / (input_len / channels) as f32;
                dy.iter_mut().for_each(|dy| *dy *= share);
                if shard.gradients[input].is_empty() {
                    shard.gradients[input] = shard.zeros(samples * input_len);
                }
                for (dx, dy) in shard.gradients[input].chunks_exact_mut(input_len).zip(dy.chunks_exact(channels)) {
                    k.add_row(dx, dy);
                }
                shard.keep(dy);
            }
            Op::Multiply => {
                let gate = unit.inputs[1];
                let mut dgate = shard.zeros(samples * channels);
                let pictures = shard.values[input].chunks_exact(len).zip(shard.values[gate].chunks_exact(channels));
                let gradients = dy.chunks_exact_mut(len).zip(dgate.chunks_exact_mut(channels));
                for ((x, gate), (dy, dgate)) in pictures.zip(gradients) {
                    k.multiply_channels_gradient(x, gate, dy, dgate);
                }
                for (input, gradient, passes) in
                    [(gate, dgate, unit.passes_gradient[1]), (input, dy, unit.passes_gradient[0])]
                {
                    if passes {
                        shard.arrive(input, gradient, k);
                    } else {
                        shard.keep(gradient);
                    }
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
                for (dy, factor) in dy.iter_mut().zip(&*shard.inner[at]) {
                    *dy *= factor;
                }
                shard.arrive(input, dy, k);
            }
        }
    }

    /// Gradients of `y = x · kernel + bias`, for dense layers and convolutions.
    fn product_gradients(&self, unit: &Unit, layer: &Layer, shard: &mut Shard, dy: &[f32]) {
        let k = self.kernels;
        let columns = layer.output_shape.last().copied().unwrap_or(1);
        if let Some(number) = unit.trainable("bias") {
            k.sum_rows(dy, columns, shard.parameter_gradient(number));
        }
        match layer.op {
            Op::Conv2D { .. } if !Patches::of(self.graph, layer).is_pointwise() => {
                self.patch_gradients(unit, &Patches::of(self.graph, layer), shard, dy, columns);
            }
            _ => self.pointwise_gradients(unit, shard, dy, columns),
        }
    }

    /// Rows of a product whose gradients are taken together.
    pub(super) fn rows_together(inner: usize, columns: usize) -> usize {
        (BLOCK_BYTES / size_of::<f32>() / (inner + columns)).max(BLOCK_ROWS)
    }

    /// `dkernel = xᵀ · dy` and `dx = dy · kernelᵀ`, some rows at a time, so that `dy` comes from memory once.
    fn pointwise_gradients(&self, unit: &Unit, shard: &mut Shard, dy: &[f32], columns: usize) {
        let k = self.kernels;
        let input = unit.inputs[0];
        if let Some(normalization) = &unit.normalization {
            return self.normalized_product_gradients(unit, normalization, shard, dy);
        }
        let inner = shard.values[input].len() / (dy.len() / columns);
        let mut dx = shard.buffer(if unit.passes_gradient[0] { shard.values[input].len() } else { 0 });
        let rows = Self::rows_together(inner, columns);
        for (number, dy) in dy.chunks(rows * columns).enumerate() {
            let range = number * rows * inner..number * rows * inner + dy.len() / columns * inner;
            let dx = if unit.passes_gradient[0] { &mut dx[range.clone()] } else { &mut [][..] };
            self.pointwise_rows(unit, shard, range, Matrix::new(dy, dy.len() / columns, columns), dx);
        }
        if unit.passes_gradient[0] {
            shard.arrive(input, dx, k);
        }
    }

    /// Some rows' part of the kernel's gradient, and their `dx`; `range` is theirs in the input.
    pub(super) fn pointwise_rows(
        &self,
        unit: &Unit,
        shard: &mut Shard,
        range: Range<usize>,
        dy: Matrix<'_>,
        dx: &mut [f32],
    ) {
        let k = self.kernels;
        if let Some(number) = unit.trainable("kernel") {
            let x = std::mem::take(&mut shard.values[unit.inputs[0]]);
            self.kernel_gradient(
                unit,
                number,
                shard,
                Matrix::new(&x[range.clone()], dy.rows, range.len() / dy.rows),
                dy,
            );
            shard.values[unit.inputs[0]] = x;
        }
        if unit.passes_gradient[0] {
            k.matmul_with(dy, &unit.kernel_transposed, dx, &Epilogue::default(), &mut shard.rounded);
        }
    }

    /// Adds `xᵀ · dy` to the gradient of parameter `number`.
    pub(super) fn kernel_gradient(&self, unit: &Unit, number: usize, shard: &mut Shard, x: Matrix<'_>, dy: Matrix<'_>) {
        let k = self.kernels;
        k.pack_into(dy, unit.kernel.precision(), &mut shard.packed);
        let epilogue = Epilogue { accumulate: shard.accumulates(number), ..Epilogue::default() };
        let dkernel = &mut shard.parameter_gradients[number];
        k.matmul_with(x.transposed(), &shard.packed, dkernel, &epilogue, &mut shard.rounded);
    }

    /// The gradients of a convolution that gathers patches.
    fn patch_gradients(&self, unit: &Unit, shape: &Patches, shard: &mut Shard, dy: &[f32], columns: usize) {
        let k = self.kernels;
        let (input, samples) = (unit.inputs[0], shard.samples);
        let dy = Matrix::new(dy, dy.len() / columns, columns);
        if let Some(number) = unit.trainable("kernel") {
            shape.gather_all(&shard.values[input], samples, &mut shard.patches);
            k.pack_into(dy, Precision::F32, &mut shard.packed);
            let epilogue = Epilogue { accumulate: shard.accumulates(number), ..Epilogue::default() };
            let patches = Matrix::new(&shard.patches, dy.rows, shape.patch_len()).transposed();
            k.matmul(patches, &shard.packed, &mut shard.parameter_gradients[number], &epilogue);
        }
        if unit.passes_gradient[0] {
            let input_len = shard.values[input].len();
            let mut dx = shard.zeros(input_len);
            shard.patches.resize(dy.rows * shape.patch_len());
            k.matmul(dy, &unit.kernel_transposed, &mut shard.patches, &Epilogue::default());
            let patches = shard.patches.chunks_exact(shape.rows() * shape.patch_len());
            for (patches, dx) in patches.zip(dx.chunks_exact_mut(input_len / samples)) {
                shape.scatter(patches, dx);
            }
            shard.arrive(input, dx, k);
        }
    }

    /// Gradients of a depthwise convolution.
    fn depthwise_gradients(&self, unit: &Unit, layer: &Layer, shard: &mut Shard, dy: &[f32]) {
        let k = self.kernels;
        let (shape, input, samples) = (unit.depthwise_shape(), unit.inputs[0], shard.samples);
        let (input_len, len) = (shard.values[input].len() / samples, dy.len() / samples);
        if let Some(number) = unit.trainable("kernel") {
            shard.parameter_gradient(number);
            let dkernel = &mut shard.parameter_gradients[number];
            for (x, dy) in shard.values[input].chunks_exact(input_len).zip(dy.chunks_exact(len)) {
                k.depthwise_kernel_gradient(shape, x, dy, dkernel);
            }
        }
        if unit.passes_gradient[0] {
            let mut dx = shard.buffer(samples * input_len);
            let kernel = self.param(layer, "kernel");
            for (dy, dx) in dy.chunks_exact(len).zip(dx.chunks_exact_mut(input_len)) {
                k.depthwise_input_gradient(shape, dy, kernel, dx);
            }
            shard.arrive(input, dx, k);
        }
    }

    /// `dy` of a BatchNorm with batch statistics becomes the input's gradient (Ioffe and Szegedy 2015, §3), over the batch's n
    /// rows: `dx = γ·σ⁻¹·(dy − Σdy/n − x̂·Σ(dy·x̂)/n)`; the sums were taken over all shards and are the parameters' gradients.
    fn batch_norm_gradient(&self, layer: &Layer, x: &[f32], dy: &mut [f32], batch: &BatchGradient<'_>) {
        let gamma = self.param(layer, "gamma");
        let BatchMoments { mean, inverse_deviation } = batch.moments;
        let (channels, count) = (gamma.len(), batch.rows as f32);
        for (x, dy) in x.chunks_exact(channels).zip(dy.chunks_exact_mut(channels)) {
            for c in 0..channels {
                let normalized = (x[c] - mean[c]) * inverse_deviation[c];
                let centred = dy[c] - batch.sum[c] / count - normalized * (batch.dot[c] / count);
                dy[c] = gamma[c] * inverse_deviation[c] * centred;
            }
        }
    }
}
