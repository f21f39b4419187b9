//! A depthwise convolution of a normalized value, which may be a product that isn't stored either.

use std::ops::Range;

use defrost_kernels::{Activation as KernelActivation, Buffer, Depthwise, Epilogue, Kernels, Matrix};

use super::super::shard::{Context, Shard};
use super::super::strips::{self, Strip};
use super::super::units::{Normalization, Unit};
use crate::graph::Layer;

impl Context<'_> {
    /// `y = depthwise(f(x · scale + shift))`, strip by strip.
    pub(in super::super) fn normalized_depthwise(
        &self,
        unit: &Unit,
        normalization: &Normalization,
        kernel: &[f32],
        shard: &mut Shard,
        y: &mut [f32],
    ) {
        let k = self.kernels;
        let (shape, samples) = (unit.depthwise_shape(), shard.samples);
        shard.strip.resize(strips::strip_len(shape));
        let (strip, rounded) = (&mut shard.strip, &mut shard.rounded);
        let x = &shard.values[unit.source()];
        let len = y.len() / samples;
        for (x, y) in x.chunks_exact(x.len() / samples).zip(y.chunks_exact_mut(len)) {
            let input = Input { k, normalization, expansion: unit.expansion.as_deref(), shape, x };
            strips::walk(
                shape,
                strip,
                |rows, strip| input.compute(rows, strip, rounded),
                |at, strip| {
                    let row = shape.out_width * shape.channels;
                    let y = &mut y[at.outputs.start * row..at.outputs.end * row];
                    k.depthwise(&at.window, strip, kernel, None, KernelActivation::Linear, y, None);
                },
            );
        }
    }

    /// Gradients of a depthwise convolution of `f(x · scale + shift)`, strip by strip: what it convolved is computed again. Where
    /// the x is a product that isn't stored, that is computed again, too, and its gradients are taken from the same strips.
    pub(in super::super) fn normalized_depthwise_gradients(
        &self,
        unit: &Unit,
        normalization: &Normalization,
        layer: &Layer,
        shard: &mut Shard,
        dy: &[f32],
    ) {
        let k = self.kernels;
        let Normalization { scale, shift, activation, .. } = normalization;
        let (shape, samples, source) = (unit.depthwise_shape(), shard.samples, unit.source());
        let (source_len, len) = (shard.values[source].len() / samples, dy.len() / samples);
        let (row, out_row) = (shape.width * shape.channels, shape.out_width * shape.channels);
        let source_row = source_len / shape.height;
        let kernel = self.param(layer, "kernel");
        let trains = unit.trainable("kernel");
        let passes = unit.passes_gradient[0];
        let expansion = unit.expansion.as_deref();
        let expansion_passes = expansion.is_none_or(|expansion| expansion.passes_gradient[0]);
        let strip_len = strips::by_inputs(shape).map(|strip| strip.inputs.len() * row).max().unwrap_or(0);
        let mut strip = shard.buffer(strip_len);
        // Where the x is computed on the way: a strip of it, and of its gradient.
        let on_the_way = if expansion.is_some() { strip_len } else { 0 };
        let [mut product, mut dproduct] = [shard.buffer(on_the_way), shard.buffer(on_the_way)];
        let mut dkernel = shard.zeros(kernel.len());
        let (mut sum, mut dot) = (shard.zeros(scale.len()), shard.zeros(scale.len()));
        let mut dsource = shard.buffer(if passes && expansion_passes { samples * source_len } else { 0 });
        for sample in 0..samples {
            for Strip { inputs, outputs, window } in strips::by_inputs(shape) {
                let rows =
                    sample * source_len + inputs.start * source_row..sample * source_len + inputs.end * source_row;
                let dy = &dy[sample * len + outputs.start * out_row..sample * len + outputs.end * out_row];
                let pixels = inputs.len() * shape.width;
                let strip = &mut strip[..inputs.len() * row];
                let x = match expansion {
                    None => &shard.values[source][rows.clone()],
                    Some(expansion) => {
                        let x = Matrix::new(&shard.values[source][rows.clone()], pixels, rows.len() / pixels);
                        let product = &mut product[..strip.len()];
                        k.matmul_with(x, &expansion.kernel, product, &Epilogue::default(), &mut shard.rounded);
                        &*product
                    }
                };
                if trains.is_some() {
                    k.scale_shift_into(x, scale, shift, *activation, strip);
                    k.depthwise_kernel_gradient(&window, strip, dy, &mut dkernel);
                }
                if !passes {
                    continue;
                }
                let dx = match expansion {
                    None => &mut dsource[rows.clone()],
                    Some(_) => &mut dproduct[..strip.len()],
                };
                k.depthwise_input_gradient(&window, dy, kernel, dx);
                k.scale_shift_gradient(x, [scale, shift], *activation, dx, [&mut sum, &mut dot]);
                if let Some(expansion) = expansion {
                    let dproduct = Matrix::new(&dproduct[..strip.len()], pixels, shape.channels);
                    let dx = if expansion_passes { &mut dsource[rows.clone()] } else { &mut [][..] };
                    self.pointwise_rows(expansion, shard, rows, dproduct, dx);
                }
            }
        }
        if let Some(number) = trains {
            k.add_assign(shard.parameter_gradient(number), &dkernel);
        }
        [strip, product, dproduct, dkernel].into_iter().for_each(|buffer| shard.keep(buffer));
        self.normalization_parameter_gradients(normalization, shard, [sum, dot]);
        if passes && expansion_passes && (expansion.is_some() || normalization.passes_gradient) {
            shard.arrive(source, dsource, k);
        } else {
            shard.keep(dsource);
        }
    }
}

/// What a depthwise convolution reads and nothing stores: `f(x · scale + shift)`, or `f(x · kernel · scale + shift)`.
struct Input<'a> {
    k: Kernels,
    normalization: &'a Normalization,
    expansion: Option<&'a Unit>,
    shape: &'a Depthwise,
    /// Of one picture.
    x: &'a [f32],
}

impl Input<'_> {
    /// Some of its rows.
    fn compute(&self, rows: Range<usize>, out: &mut [f32], rounded: &mut Buffer) {
        let Normalization { scale, shift, activation, .. } = self.normalization;
        let row = self.x.len() / self.shape.height;
        let x = &self.x[rows.start * row..rows.end * row];
        match self.expansion {
            None => self.k.scale_shift_into(x, scale, shift, *activation, out),
            Some(expansion) => {
                let pixels = rows.len() * self.shape.width;
                let x = Matrix::new(x, pixels, row / self.shape.width);
                self.k.matmul_with(x, &expansion.kernel, out, &Epilogue::default(), rounded);
                self.k.scale_shift(out, scale, shift, *activation);
            }
        }
    }
}
