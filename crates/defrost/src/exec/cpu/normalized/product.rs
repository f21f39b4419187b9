//! A 1×1 convolution of a normalized value, with the gate of squeeze-excite between them.

use std::ops::Range;

use defrost_kernels::{Epilogue, Kernels, Matrix};

use super::super::shard::{Context, Shard};
use super::super::units::{Normalization, Unit};
use super::NEAR;

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

/// Where the elements of each picture's rows lie among those of `rows`.
fn elements_by_picture(
    rows: &Range<usize>,
    height: usize,
    channels: usize,
) -> impl Iterator<Item = (usize, Range<usize>)> {
    let first = rows.start;
    by_picture(rows.clone(), height)
        .map(move |(picture, part)| (picture, (part.start - first) * channels..(part.end - first) * channels))
}

impl Context<'_> {
    fn input<'a>(&self, unit: &'a Unit, normalization: &'a Normalization, shard: &'a Shard) -> Input<'a> {
        let x = &shard.values[normalization.input][..];
        let channels = normalization.scale.len();
        let gates = unit.gate.map(|gate| &shard.values[gate.input][..]);
        Input { k: self.kernels, normalization, x, gates, channels, height: x.len() / channels / shard.samples }
    }

    /// `y = (f(x · scale + shift) · gate) · kernel + bias`
    pub(in super::super) fn normalized_product(
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
    pub(in super::super) fn normalized_product_gradients(
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
        let height = x_len / channels / shard.samples;
        let passes = unit.passes_gradient[0];
        let [mut normalized, mut gated] = [shard.buffer(rows * channels), shard.buffer(rows * channels)];
        let mut dx = shard.buffer(if passes { x_len } else { 0 });
        let mut dgates = shard.zeros(unit.gate.map_or(0, |gate| shard.values[gate.input].len()));
        let (mut sum, mut dot) = (shard.zeros(channels), shard.zeros(channels));
        for (number, dy) in dy.chunks(rows * columns).enumerate() {
            let range = number * rows..number * rows + dy.len() / columns;
            let elements = range.start * channels..range.end * channels;
            let dy = Matrix::new(dy, range.len(), columns);
            let normalized = &mut normalized[..elements.len()];
            self.input(unit, normalization, shard).normalized(range.clone(), normalized);
            if let Some(number) = unit.trainable("kernel") {
                let x = match self.input(unit, normalization, shard).gates {
                    None => &*normalized,
                    Some(gates) => {
                        let gated = &mut gated[..elements.len()];
                        for (picture, part) in elements_by_picture(&range, height, channels) {
                            let gate = &gates[picture * channels..][..channels];
                            k.multiply_channels_into(&normalized[part.clone()], gate, &mut gated[part]);
                        }
                        gated
                    }
                };
                self.kernel_gradient(unit, number, shard, Matrix::new(x, range.len(), channels), dy);
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
            for (picture, part) in elements_by_picture(&range, height, channels) {
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
}
