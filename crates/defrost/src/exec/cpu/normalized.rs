//! Units that compute `f(x · scale + shift)` on the way, a BatchNorm and its activation before a 1×1 convolution or a pooling,
//! some rows at a time; with the gate of squeeze-excite between them.
//!
//! Reading such a value from memory takes longer than computing it again.

use std::ops::Range;

use defrost_kernels::{Buffer, Epilogue, Kernels, Matrix};

use super::shard::{Context, Shard};
use super::units::{Normalization, Unit};

/// Elements that are computed together: they are then still in the nearest cache.
pub(super) const NEAR: usize = 4096;

/// Bytes of a product's input that are computed before they are multiplied: a part of the second-level cache.
const STRIP_BYTES: usize = 256 << 10;

/// What a 1×1 convolution multiplies: rows of `f(x · scale + shift)`, times the gate of their picture.
struct Input<'a> {
    k: Kernels,
    normalization: &'a Normalization,
    x: &'a [f32],
    /// Of all pictures.
    gates: Option<&'a [f32]>,
    channels: usize,
    /// Rows of a picture.
    height: usize,
}

impl Input<'_> {
    /// `f(x · scale + shift)` of some rows.
    fn normalized(&self, rows: Range<usize>, out: &mut [f32]) {
        let Normalization { scale, shift, activation, .. } = self.normalization;
        let x = &self.x[rows.start * self.channels..rows.end * self.channels];
        self.k.scale_shift_into(x, scale, shift, *activation, out);
    }

    /// Those rows times their gates, if there are any.
    fn gated(&self, rows: Range<usize>, out: &mut [f32]) {
        let near = (NEAR / self.channels).max(1);
        for (picture, part) in by_picture(rows.clone(), self.height) {
            for start in part.clone().step_by(near) {
                let part = start..part.end.min(start + near);
                let out = &mut out[(part.start - rows.start) * self.channels..(part.end - rows.start) * self.channels];
                self.normalized(part, out);
                if let Some(gates) = self.gates {
                    self.k.multiply_channels(out, &gates[picture * self.channels..][..self.channels]);
                }
            }
        }
    }
}

/// Cuts rows at the ends of pictures: `(picture, its rows)`.
fn by_picture(rows: Range<usize>, height: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
    let pictures = rows.start / height..rows.end.div_ceil(height);
    pictures.map(move |picture| (picture, rows.start.max(picture * height)..rows.end.min((picture + 1) * height)))
}

impl Context<'_> {
    fn input<'a>(&self, unit: &'a Unit, normalization: &'a Normalization, shard: &'a Shard) -> Input<'a> {
        let x = &shard.values[normalization.input][..];
        let channels = normalization.scale.len();
        let gates = unit.gate.map(|gate| &shard.values[gate.input][..]);
        Input { k: self.kernels, normalization, x, gates, channels, height: x.len() / channels / shard.samples }
    }

    /// `y = (f(x · scale + shift) · gate) · kernel + bias`
    pub(super) fn normalized_product(
        &self,
        unit: &Unit,
        normalization: &Normalization,
        bias: Option<&[f32]>,
        shard: &mut Shard,
        y: &mut [f32],
    ) {
        let (channels, columns) = (unit.kernel.rows(), unit.kernel.cols());
        let rows = (STRIP_BYTES / size_of::<f32>() / channels).max(1);
        let mut strip = shard.buffer(rows * channels);
        let mut rounded = std::mem::take(&mut shard.rounded);
        let input = self.input(unit, normalization, shard);
        for (number, y) in y.chunks_mut(rows * columns).enumerate() {
            let range = number * rows..number * rows + y.len() / columns;
            let strip = &mut strip[..range.len() * channels];
            input.gated(range.clone(), strip);
            let epilogue = Epilogue { bias, ..Epilogue::default() };
            let a = Matrix::new(strip, range.len(), channels);
            self.kernels.matmul_with(a, &unit.kernel, y, &epilogue, &mut rounded);
        }
        shard.rounded = rounded;
        shard.keep(strip);
    }

    /// The gradients of [`normalized_product`](Self::normalized_product) by the kernel, the gate and x. Where there is a gate, what
    /// arrives at `f`'s output stays there: the pooling that reads it, too, goes on.
    pub(super) fn normalized_product_gradients(
        &self,
        unit: &Unit,
        normalization: &Normalization,
        shard: &mut Shard,
        dy: &[f32],
        rows: usize,
    ) {
        let k = self.kernels;
        let (channels, columns) = (normalization.scale.len(), unit.kernel.cols());
        let x_len = shard.values[normalization.input].len();
        let passes = unit.passes_gradient[0];
        let [mut normalized, mut gated] = [shard.buffer(rows * channels), shard.buffer(rows * channels)];
        let mut dx = shard.buffer(if passes { x_len } else { 0 });
        let mut dgates = shard.zeros(unit.gate.map_or(0, |gate| shard.values[gate.input].len()));
        let (mut sum, mut dot) = (shard.zeros(channels), shard.zeros(channels));
        for (number, dy) in dy.chunks(rows * columns).enumerate() {
            let range = number * rows..number * rows + dy.len() / columns;
            let elements = range.start * channels..range.end * channels;
            let dy = Matrix::new(dy, range.len(), columns);
            if let Some(number) = unit.trainable("kernel") {
                let gated = &mut gated[..elements.len()];
                self.input(unit, normalization, shard).gated(range.clone(), gated);
                self.kernel_gradient(unit, number, shard, Matrix::new(gated, range.len(), channels), dy);
            }
            if !passes {
                continue;
            }
            let dx = &mut dx[elements.clone()];
            k.matmul_with(dy, &unit.kernel_transposed, dx, &Epilogue::default(), &mut shard.rounded);
            let input = self.input(unit, normalization, shard);
            let Some(gates) = input.gates else {
                let Normalization { scale, shift, activation, .. } = normalization;
                k.scale_shift_gradient(&input.x[elements], [scale, shift], *activation, dx, [&mut sum, &mut dot]);
                continue;
            };
            input.normalized(range.clone(), &mut normalized[..elements.len()]);
            for (picture, part) in by_picture(range.clone(), input.height) {
                let part = (part.start - range.start) * channels..(part.end - range.start) * channels;
                let of_picture = picture * channels..(picture + 1) * channels;
                let (gate, dgate) = (&gates[of_picture.clone()], &mut dgates[of_picture]);
                k.multiply_channels_gradient(&normalized[part.clone()], gate, &mut dx[part], dgate);
            }
        }
        shard.keep(normalized);
        shard.keep(gated);
        match unit.gate {
            Some(gate) => {
                shard.keep(sum);
                shard.keep(dot);
                let [by_input, by_gate] = gate.passes_gradient;
                for (at, gradient, passes) in [(gate.input, dgates, by_gate), (normalization.output, dx, by_input)] {
                    if passes {
                        shard.arrive(at, gradient, k);
                    } else {
                        shard.keep(gradient);
                    }
                }
            }
            None if passes => self.end_normalization(normalization, shard, dx, [sum, dot]),
            None => [sum, dot].into_iter().for_each(|buffer| shard.keep(buffer)),
        }
    }

    /// The mean of `f(x · scale + shift)` over a picture's positions.
    pub(super) fn normalized_pooling(
        &self,
        unit: &Unit,
        normalization: &Normalization,
        shard: &mut Shard,
        y: &mut [f32],
    ) {
        let mut near = shard.buffer(NEAR.max(normalization.scale.len()));
        let input = self.input(unit, normalization, shard);
        let (channels, height) = (input.channels, input.height);
        let rows = near.len() / channels;
        y.fill(0.0);
        for (picture, y) in y.chunks_exact_mut(channels).enumerate() {
            for start in (picture * height..(picture + 1) * height).step_by(rows) {
                let part = start..(start + rows).min((picture + 1) * height);
                let near = &mut near[..part.len() * channels];
                input.normalized(part, near);
                self.kernels.sum_rows(near, channels, y);
            }
        }
        y.iter_mut().for_each(|sum| *sum /= height as f32);
        shard.keep(near);
    }

    /// The gradient of [`normalized_pooling`](Self::normalized_pooling), added to what arrived at `f`'s output, goes on to x.
    pub(super) fn normalized_pooling_gradient(&self, normalization: &Normalization, shard: &mut Shard, dy: &[f32]) {
        let k = self.kernels;
        let Normalization { scale, shift, activation, input, output, .. } = normalization;
        let (channels, len) = (scale.len(), shard.values[*input].len());
        let arrived = std::mem::take(&mut shard.gradients[*output]);
        let mut dx = if arrived.is_empty() { shard.zeros(len) } else { arrived };
        let (mut sum, mut dot) = (shard.zeros(channels), shard.zeros(channels));
        let picture_len = len / shard.samples;
        let near = (NEAR / channels).max(1) * channels;
        let pictures = shard.values[*input].chunks_exact(picture_len).zip(dx.chunks_exact_mut(picture_len));
        for ((x, dx), dy) in pictures.zip(dy.chunks_exact(channels)) {
            for (x, dx) in x.chunks(near).zip(dx.chunks_mut(near)) {
                k.add_row(dx, dy);
                k.scale_shift_gradient(x, [scale, shift], *activation, dx, [&mut sum, &mut dot]);
            }
        }
        self.end_normalization(normalization, shard, dx, [sum, dot]);
    }

    /// Hands on the gradient by x, and takes the sums for the BatchNorm's parameters.
    pub(super) fn end_normalization(
        &self,
        normalization: &Normalization,
        shard: &mut Shard,
        dx: Buffer,
        sums: [Buffer; 2],
    ) {
        self.normalization_parameter_gradients(normalization, shard, sums);
        if normalization.passes_gradient {
            shard.arrive(normalization.input, dx, self.kernels);
        } else {
            shard.keep(dx);
        }
    }
}
