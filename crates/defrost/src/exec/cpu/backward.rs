//! One layer of the tail over one shard, backward: to its input and to its parameters.

use defrost_kernels::{Activation as KernelActivation, Buffer, Epilogue, Matrix, Precision};

use super::kernel_activation;
use super::patches::Patches;
use super::shard::{BatchGradient, BatchMoments, Context, Shard};
use super::strips::{self, Strip};
use super::units::{Normalization, Unit};
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

    /// `dkernel = xᵀ · dy` and `dx = dy · kernelᵀ`, some rows at a time, so that `dy` comes from memory once.
    fn pointwise_gradients(&self, unit: &Unit, shard: &mut Shard, dy: &[f32], columns: usize) {
        let k = self.kernels;
        let input = unit.inputs[0];
        let inner = shard.values[input].len() / (dy.len() / columns);
        let mut dx = shard.buffer(if unit.passes_gradient[0] { shard.values[input].len() } else { 0 });
        let rows = (BLOCK_BYTES / size_of::<f32>() / (inner + columns)).max(BLOCK_ROWS);
        for (number, dy) in dy.chunks(rows * columns).enumerate() {
            let range = number * rows * inner..number * rows * inner + dy.len() / columns * inner;
            let dy = Matrix::new(dy, dy.len() / columns, columns);
            if let Some(number) = unit.trainable("kernel") {
                k.pack_into(dy, unit.kernel.precision(), &mut shard.packed);
                let epilogue = Epilogue { accumulate: shard.accumulates(number), ..Epilogue::default() };
                let x = Matrix::new(&shard.values[input][range.clone()], dy.rows, inner).transposed();
                let dkernel = &mut shard.parameter_gradients[number];
                k.matmul_with(x, &shard.packed, dkernel, &epilogue, &mut shard.rounded);
            }
            if unit.passes_gradient[0] {
                let rounded = &mut shard.rounded;
                k.matmul_with(dy, &unit.kernel_transposed, &mut dx[range], &Epilogue::default(), rounded);
            }
        }
        if unit.passes_gradient[0] {
            shard.arrive(input, dx, k);
        }
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

    /// Gradients of a depthwise convolution of `f(x · scale + shift)`, strip by strip: what it convolved is computed again.
    fn normalized_depthwise_gradients(
        &self,
        unit: &Unit,
        normalization: &Normalization,
        layer: &Layer,
        shard: &mut Shard,
        dy: &[f32],
    ) {
        let k = self.kernels;
        let Normalization { input, scale, shift, activation, .. } = normalization;
        let (shape, samples) = (unit.depthwise_shape(), shard.samples);
        let (input_len, len) = (shard.values[*input].len() / samples, dy.len() / samples);
        let (row, out_row) = (shape.width * shape.channels, shape.out_width * shape.channels);
        let kernel = self.param(layer, "kernel");
        let trains = unit.trainable("kernel");
        let passes = unit.passes_gradient[0];
        let mut strip = std::mem::take(&mut shard.strip);
        strip.resize(strips::by_inputs(shape).map(|strip| strip.inputs.len() * row).max().unwrap_or(0));
        let mut dkernel = shard.zeros(kernel.len());
        let (mut sum, mut dot) = (shard.zeros(scale.len()), shard.zeros(scale.len()));
        let mut dx = shard.buffer(if passes { samples * input_len } else { 0 });
        let x = &shard.values[*input];
        for sample in 0..samples {
            for Strip { inputs, outputs, window } in strips::by_inputs(shape) {
                let rows = sample * input_len + inputs.start * row..sample * input_len + inputs.end * row;
                let dy = &dy[sample * len + outputs.start * out_row..sample * len + outputs.end * out_row];
                if trains.is_some() {
                    let strip = &mut strip[..rows.len()];
                    k.scale_shift_into(&x[rows.clone()], scale, shift, *activation, strip);
                    k.depthwise_kernel_gradient(&window, strip, dy, &mut dkernel);
                }
                if passes {
                    let dx = &mut dx[rows.clone()];
                    k.depthwise_input_gradient(&window, dy, kernel, dx);
                    k.scale_shift_gradient(&x[rows], [scale, shift], *activation, dx, [&mut sum, &mut dot]);
                }
            }
        }
        if let Some(number) = trains {
            k.add_assign(shard.parameter_gradient(number), &dkernel);
        }
        shard.strip = strip;
        shard.keep(dkernel);
        self.end_normalization(normalization, shard, [sum, dot], dx);
    }

    /// Gradients of `y = f(x · scale + shift)`, a BatchNorm by moving statistics and the activation after it.
    fn normalization_gradients(&self, normalization: &Normalization, shard: &mut Shard, mut dy: Buffer) {
        let Normalization { input, scale, shift, activation, .. } = normalization;
        let (mut sum, mut dot) = (shard.zeros(scale.len()), shard.zeros(scale.len()));
        let x = &shard.values[*input];
        self.kernels.scale_shift_gradient(x, [scale, shift], *activation, &mut dy, [&mut sum, &mut dot]);
        self.end_normalization(normalization, shard, [sum, dot], dy);
    }

    /// Takes `Σ dz`, `Σ dz·x` and `dx` of a BatchNorm.
    ///
    /// With `x̂ = (x − mean) / σ`: `dβ = Σ dz`, `dγ = Σ dz · x̂ = (Σ dz·x − mean · Σ dz) / σ`, `dx = dz · γ / σ`.
    fn end_normalization(&self, normalization: &Normalization, shard: &mut Shard, [sum, dot]: [Buffer; 2], dx: Buffer) {
        let Normalization { index, input, passes_gradient, trainable, .. } = normalization;
        let layer = &self.graph.layers()[*index];
        if let (Some([gamma, beta]), Op::BatchNorm { epsilon, .. }) = (trainable, &layer.op) {
            let (mean, variance) = (self.param(layer, "moving_mean"), self.param(layer, "moving_variance"));
            for (c, dgamma) in shard.parameter_gradient(*gamma).iter_mut().enumerate() {
                let inverse = 1.0 / (f64::from(variance[c]) + f64::from(*epsilon)).sqrt();
                *dgamma += ((f64::from(dot[c]) - f64::from(mean[c]) * f64::from(sum[c])) * inverse) as f32;
            }
            self.kernels.add_assign(shard.parameter_gradient(*beta), &sum);
        }
        shard.keep(sum);
        shard.keep(dot);
        if *passes_gradient {
            shard.arrive(*input, dx, self.kernels);
        } else {
            shard.keep(dx);
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
