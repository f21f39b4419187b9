//! A 1×1 convolution of a normalized value, with the gate of squeeze-excite between them.

use std::ops::Range;

use defrost_kernels::{Epilogue, Matrix};

use super::super::shard::{Context, Shard};
use super::super::units::{Gate, Normalization, Unit};
use super::NEAR;

/// Bytes of a product's input that are computed before they are multiplied: a part of the second-level cache.
const STRIP_BYTES: usize = 256 << 10;

/// Cuts rows at the ends of pictures: `(picture, its rows)`.
fn by_picture(rows: Range<usize>, height: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
    let pictures = rows.start / height..rows.end.div_ceil(height);
    pictures.map(move |picture| (picture, rows.start.max(picture * height)..rows.end.min((picture + 1) * height)))
}

impl Context<'_> {
    /// `y = (f(x · scale + shift) · gate) · kernel + bias`
    pub(in super::super) fn normalized_product(
        &self,
        unit: &Unit,
        normalization: &Normalization,
        bias: Option<&[f32]>,
        shard: &mut Shard,
        y: &mut [f32],
    ) {
        let k = self.kernels;
        let Normalization { scale, shift, activation, .. } = normalization;
        let (channels, columns) = (scale.len(), unit.kernel.cols());
        let rows = (STRIP_BYTES / size_of::<f32>() / channels).max(1);
        let near = (NEAR / channels).max(1);
        let mut strip = shard.buffer(rows * channels);
        let x = &shard.values[normalization.input];
        let gates = unit.gate.map(|gate| &shard.values[gate.input][..]);
        let height = x.len() / channels / shard.samples;
        for (number, y) in y.chunks_mut(rows * columns).enumerate() {
            let range = number * rows..number * rows + y.len() / columns;
            for (picture, part) in by_picture(range.clone(), height) {
                for start in part.clone().step_by(near) {
                    let part = start..part.end.min(start + near);
                    let x = &x[part.start * channels..part.end * channels];
                    let strip = &mut strip[(part.start - range.start) * channels..][..x.len()];
                    k.scale_shift_into(x, scale, shift, *activation, strip);
                    if let Some(gates) = gates {
                        k.multiply_channels(strip, &gates[picture * channels..][..channels]);
                    }
                }
            }
            let a = Matrix::new(&strip[..range.len() * channels], range.len(), channels);
            let epilogue = Epilogue { bias, ..Epilogue::default() };
            k.matmul_with(a, &unit.kernel, y, &epilogue, &mut shard.rounded);
        }
        shard.keep(strip);
    }

    /// The gradients of [`normalized_product`](Self::normalized_product) by the kernel and x, and by the gate.
    pub(in super::super) fn normalized_product_gradients(
        &self,
        unit: &Unit,
        normalization: &Normalization,
        shard: &mut Shard,
        dy: &[f32],
    ) {
        let x = std::mem::take(&mut shard.values[normalization.input]);
        match unit.gate {
            None => self.plain_gradients(unit, normalization, &x, shard, dy),
            Some(gate) => {
                let gates = std::mem::take(&mut shard.values[gate.input]);
                self.gated_gradients(unit, gate, normalization, [&x, &gates], shard, dy);
                shard.values[gate.input] = gates;
            }
        }
        shard.values[normalization.input] = x;
    }

    fn plain_gradients(&self, unit: &Unit, normalization: &Normalization, x: &[f32], shard: &mut Shard, dy: &[f32]) {
        let k = self.kernels;
        let Normalization { scale, shift, activation, .. } = normalization;
        let (channels, columns) = (scale.len(), unit.kernel.cols());
        let rows = Self::rows_together(channels, columns);
        let passes = unit.passes_gradient[0];
        let mut strip = shard.buffer(rows * channels);
        let mut dx = shard.buffer(if passes { x.len() } else { 0 });
        let (mut sum, mut dot) = (shard.zeros(channels), shard.zeros(channels));
        for (number, dy) in dy.chunks(rows * columns).enumerate() {
            let dy = Matrix::new(dy, dy.len() / columns, columns);
            let elements = number * rows * channels..(number * rows + dy.rows) * channels;
            let (x, strip) = (&x[elements.clone()], &mut strip[..elements.len()]);
            if let Some(number) = unit.trainable("kernel") {
                k.scale_shift_into(x, scale, shift, *activation, strip);
                self.kernel_gradient(unit, number, shard, Matrix::new(strip, dy.rows, channels), dy);
            }
            if passes {
                let dx = &mut dx[elements];
                k.matmul_with(dy, &unit.kernel_transposed, dx, &Epilogue::default(), &mut shard.rounded);
                k.scale_shift_gradient(x, [scale, shift], *activation, dx, [&mut sum, &mut dot]);
            }
        }
        shard.keep(strip);
        if passes {
            self.end_normalization(normalization, shard, dx, [sum, dot]);
        } else {
            [sum, dot].into_iter().for_each(|buffer| shard.keep(buffer));
        }
    }

    /// What arrives at `f`'s output stays there: the pooling that reads it, too, goes on.
    fn gated_gradients(
        &self,
        unit: &Unit,
        gate: Gate,
        normalization: &Normalization,
        [x, gates]: [&[f32]; 2],
        shard: &mut Shard,
        dy: &[f32],
    ) {
        let k = self.kernels;
        let Normalization { scale, shift, activation, .. } = normalization;
        let (channels, columns) = (scale.len(), unit.kernel.cols());
        let rows = Self::rows_together(channels, columns);
        let height = x.len() / channels / shard.samples;
        let passes = unit.passes_gradient[0];
        let [mut strip, mut gated] = [shard.buffer(rows * channels), shard.buffer(rows * channels)];
        let mut dx = shard.buffer(if passes { x.len() } else { 0 });
        let mut dgates = shard.zeros(gates.len());
        for (number, dy) in dy.chunks(rows * columns).enumerate() {
            let dy = Matrix::new(dy, dy.len() / columns, columns);
            let range = number * rows..number * rows + dy.rows;
            let elements = range.start * channels..range.end * channels;
            let (strip, gated) = (&mut strip[..elements.len()], &mut gated[..elements.len()]);
            k.scale_shift_into(&x[elements.clone()], scale, shift, *activation, strip);
            let pictures = || {
                by_picture(range.clone(), height).map(|(picture, part)| {
                    let part = (part.start - range.start) * channels..(part.end - range.start) * channels;
                    (picture * channels..(picture + 1) * channels, part)
                })
            };
            if let Some(number) = unit.trainable("kernel") {
                for (gate, part) in pictures() {
                    k.multiply_channels_into(&strip[part.clone()], &gates[gate], &mut gated[part]);
                }
                self.kernel_gradient(unit, number, shard, Matrix::new(gated, dy.rows, channels), dy);
            }
            if passes {
                let dx = &mut dx[elements];
                k.matmul_with(dy, &unit.kernel_transposed, dx, &Epilogue::default(), &mut shard.rounded);
                for (gate, part) in pictures() {
                    let dgate = &mut dgates[gate.clone()];
                    k.multiply_channels_gradient(&strip[part.clone()], &gates[gate], &mut dx[part], dgate);
                }
            }
        }
        shard.keep(strip);
        shard.keep(gated);
        let [by_input, by_gate] = gate.passes_gradient;
        for (at, gradient, passes) in [(gate.input, dgates, by_gate), (normalization.output, dx, by_input)] {
            if passes {
                shard.arrive(at, gradient, k);
            } else {
                shard.keep(gradient);
            }
        }
    }
}
