//! One layer of the tail over one shard, backward: to its input and to its parameters.

use defrost_kernels::{Activation as KernelActivation, Epilogue, Matrix};

use super::kernel_activation;
use super::patches::{Patches, depthwise_shape};
use super::shard::{BatchGradient, BatchMoments, Context, Normalization, Shard, Unit};
use crate::graph::{Layer, Op};

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
        match &layer.op {
            _ if batch.is_none() && unit.normalization.is_some() => {
                if let Some(normalization) = &unit.normalization {
                    let activation = kernel_activation(layer.op.activation());
                    self.normalization_gradients(normalization, activation, shard, dy);
                }
            }
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
            Op::BatchNorm { .. } => {
                if let Some(batch) = batch {
                    self.batch_norm_gradient(layer, &shard.values[input], &mut dy, batch);
                }
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
            Op::Conv2D { .. } => Some(Patches::of(self.graph, layer)).filter(|shape| !shape.is_pointwise()),
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
                    shape.gather_all(&shard.values[input], samples, &mut shard.patches);
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
                        shape.scatter(patches, dx);
                    }
                }
            }
            shard.arrive(input, dx, k);
        }
    }

    /// Gradients of `y = f(x · scale + shift)`, a BatchNorm by moving statistics and the activation after it.
    ///
    /// With `x̂ = (x − mean) / σ`: `dβ = Σ dz`, `dγ = Σ dz · x̂ = (Σ dz·x − mean · Σ dz) / σ`, `dx = dz · γ / σ`.
    fn normalization_gradients(
        &self,
        normalization: &Normalization,
        activation: KernelActivation,
        shard: &mut Shard,
        mut dy: Vec<f32>,
    ) {
        let Normalization { index, input, passes_gradient, trainable, scale, shift } = normalization;
        let layer = &self.graph.layers()[*index];
        let mut sum = shard.buffer(scale.len());
        let mut dot = shard.buffer(scale.len());
        sum.fill(0.0);
        dot.fill(0.0);
        let x = &shard.values[*input];
        self.kernels.scale_shift_gradient(x, [scale, shift], activation, &mut dy, [&mut sum, &mut dot]);
        if let (Some([gamma, beta]), Op::BatchNorm { epsilon, .. }) = (trainable, &layer.op) {
            let (mean, variance) = (self.param(layer, "moving_mean"), self.param(layer, "moving_variance"));
            for (c, dgamma) in shard.parameter_gradients[*gamma].iter_mut().enumerate() {
                let inverse = 1.0 / (f64::from(variance[c]) + f64::from(*epsilon)).sqrt();
                *dgamma += ((f64::from(dot[c]) - f64::from(mean[c]) * f64::from(sum[c])) * inverse) as f32;
            }
            self.kernels.add_assign(&mut shard.parameter_gradients[*beta], &sum);
        }
        shard.keep(sum);
        shard.keep(dot);
        if *passes_gradient {
            shard.arrive(*input, dy, self.kernels);
        } else {
            shard.keep(dy);
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
