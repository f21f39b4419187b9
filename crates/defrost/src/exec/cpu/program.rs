//! Runs a frozen stretch of a graph, one picture at a time, without allocating.

use std::ops::Range;

use defrost_kernels::{Buffer, Depthwise, Epilogue, Kernels, Matrix, Packed};

use super::plan::{DepthwiseConvolution, Kind, Place, Plan, Product, Step};
use super::strips::{self, Strip};
use super::{Engine, fuse};
use crate::graph::{Graph, Tap};
use crate::tensor::Params;

/// A fused inference program from one tap (or the picture) to another.
///
/// Invariant: the output depends on the input alone, bit for bit, whatever ran before in the same arena.
#[derive(Debug, Clone)]
pub struct Program {
    plan: Plan,
    kernels: Kernels,
}

/// The buffers of one thread.
#[derive(Debug, Clone)]
pub struct Arena {
    slots: Vec<Buffer>,
    padded: Buffer,
    rounded: Buffer,
    strip: Buffer,
    /// Weights that a gate was multiplied into.
    gated: Packed,
}

impl Arena {
    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        let slots: usize = self.slots.iter().map(|slot| slot.len()).sum();
        (slots + self.padded.len() + self.rounded.len() + self.strip.len()) * size_of::<f32>() + self.gated.bytes()
    }
}

/// A step of a program, for people to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepInfo {
    /// The layer whose output it makes.
    pub layer: String,
    /// What is computed, such as `pointwise 49×192·1152`.
    pub what: String,
    /// Bytes that are read and written: input, weights and output.
    pub bytes: u64,
    /// Multiply-adds for one picture.
    pub multiply_adds: u64,
}

impl Program {
    /// Compiles the layers of `graph` after `from` up to and including `to`; `Tap(0)` is the picture.
    ///
    /// # Panics
    /// When `params` lacks a tensor of the graph: they are complete by construction of a model.
    pub fn new(graph: &Graph, params: &Params, from: Tap, to: Tap, engine: Engine) -> Program {
        Program { plan: fuse::compile(graph, params, from.0, to.0, engine), kernels: engine.kernels }
    }

    /// Elements of the input.
    pub fn input_len(&self) -> usize {
        self.plan.input_len
    }

    /// Elements of the output.
    pub fn output_len(&self) -> usize {
        self.plan.output_len
    }

    /// The fused steps in order.
    pub fn steps(&self) -> Vec<StepInfo> {
        self.plan.steps.iter().map(Step::info).collect()
    }

    /// Buffers for one thread.
    pub fn arena(&self) -> Arena {
        let slots = self.plan.slots.iter().map(|&len| Buffer::zeros(len)).collect();
        Arena {
            slots,
            padded: Buffer::zeros(self.plan.padded),
            rounded: Buffer::default(),
            strip: Buffer::zeros(self.plan.strip),
            gated: self.plan.largest_gated(),
        }
    }

    /// Computes `output` from `input`.
    ///
    /// # Panics
    /// When a length differs from [`input_len`](Self::input_len) or [`output_len`](Self::output_len), or the arena is
    /// another program's.
    pub fn run(&self, input: &[f32], arena: &mut Arena, output: &mut [f32]) {
        self.run_observed(input, arena, output, |_| {});
    }

    /// [`run`](Self::run), which calls `after_step` with the number of each step when it is done.
    ///
    /// # Panics
    /// As [`run`](Self::run).
    pub fn run_observed(
        &self,
        input: &[f32],
        arena: &mut Arena,
        output: &mut [f32],
        mut after_step: impl FnMut(usize),
    ) {
        assert_eq!(input.len(), self.plan.input_len, "input of the program");
        assert_eq!(output.len(), self.plan.output_len, "output of the program");
        for (number, step) in self.plan.steps.iter().enumerate() {
            self.run_step(step, input, arena);
            after_step(number);
        }
        let value = read(self.plan.output, input, &arena.slots);
        output.copy_from_slice(&value[..output.len()]);
    }

    fn run_step(&self, step: &Step, input: &[f32], arena: &mut Arena) {
        let mut buffer = std::mem::take(&mut arena.slots[step.output]);
        let mut means = step.means.map(|slot| std::mem::take(&mut arena.slots[slot]));
        let y = &mut buffer[..step.len];
        // A value that is changed in place lies in the slot that was just taken.
        let in_place = step.input == Place::Slot(step.output);
        let x = if in_place { &[] } else { read(step.input, input, &arena.slots) };
        let other = step.other.map_or(&[][..], |place| read(place, input, &arena.slots));
        let k = self.kernels;
        match &step.kind {
            Kind::Product(product) => {
                let residual = step.other.map(|_| &other[..step.len]);
                let x = padded(product, x, &mut arena.padded);
                let mut weights = &product.weights;
                if let Some(gate) = step.gate {
                    let factors = &read(gate, input, &arena.slots)[..weights.rows()];
                    k.scale_packed(weights, factors, &mut arena.gated);
                    weights = &arena.gated;
                }
                let rows = 0..product.patches.out_height;
                self.product_rows(product, weights, x, rows, residual, &mut arena.rounded, y);
            }
            Kind::Depthwise(depthwise) => {
                let x = &x[..depthwise.shape.height * depthwise.shape.width * depthwise.shape.channels];
                let mut sums = begin_means(&mut means, depthwise.shape.channels);
                self.depthwise_rows(depthwise, &depthwise.shape, x, y, sums.as_deref_mut());
                finish_means(sums, &depthwise.shape);
            }
            Kind::Strips { first, second } => {
                let mut sums = begin_means(&mut means, second.shape.channels);
                let x = padded(first, x, &mut arena.padded);
                let g = &second.shape;
                let out_row = g.out_width * g.channels;
                let Arena { strip, rounded, .. } = arena;
                let make =
                    |rows, strip: &mut [f32]| self.product_rows(first, &first.weights, x, rows, None, rounded, strip);
                strips::walk(g, strip, make, |Strip { outputs, window, .. }, strip| {
                    let y = &mut y[outputs.start * out_row..outputs.end * out_row];
                    self.depthwise_rows(second, window, strip, y, sums.as_deref_mut());
                });
                finish_means(sums, g);
            }
            Kind::Pool { positions, channels } => {
                y.fill(0.0);
                k.sum_rows(&x[..positions * channels], *channels, y);
                y.iter_mut().for_each(|sum| *sum /= *positions as f32);
            }
            Kind::Pad { shape: [height, width, channels], padding } => {
                y.fill(0.0);
                let out_width = width + padding[2] + padding[3];
                for row in 0..*height {
                    let target = ((row + padding[0]) * out_width + padding[2]) * channels;
                    let len = width * channels;
                    y[target..target + len].copy_from_slice(&x[row * len..][..len]);
                }
            }
            Kind::Affine { scale, shift, activation } if !in_place => {
                k.scale_shift_into(&x[..step.len], scale, shift, *activation, y);
            }
            elementwise => {
                if !in_place {
                    y.copy_from_slice(&x[..step.len]);
                }
                match elementwise {
                    Kind::Affine { scale, shift, activation } => k.scale_shift(y, scale, shift, *activation),
                    Kind::Multiply { channels } => k.multiply_channels(y, &other[..*channels]),
                    _ => k.add_assign(y, &other[..step.len]),
                }
            }
        }
        arena.slots[step.output] = buffer;
        if let (Some(slot), Some(means)) = (step.means, means) {
            arena.slots[slot] = means;
        }
    }

    /// Some output rows of a convolution; `x` is its whole input, padded if it isn't pointwise.
    #[expect(clippy::too_many_arguments, reason = "the operands of one fused operation")]
    fn product_rows(
        &self,
        product: &Product,
        weights: &Packed,
        x: &[f32],
        rows: Range<usize>,
        residual: Option<&[f32]>,
        rounded: &mut Buffer,
        y: &mut [f32],
    ) {
        let Product { patches: shape, bias, activation, .. } = product;
        let epilogue = |residual| Epilogue { bias: Some(bias), activation: *activation, residual, accumulate: false };
        if shape.is_pointwise() {
            let positions = rows.len() * shape.width;
            let x = &x[rows.start * shape.width * shape.channels..][..positions * shape.channels];
            let x = Matrix::new(x, positions, shape.channels);
            self.kernels.matmul_with(x, weights, y, &epilogue(residual), rounded);
        } else {
            let row_len = shape.out_width * weights.cols();
            for (number, (row, y)) in rows.zip(y.chunks_exact_mut(row_len)).enumerate() {
                let residual = residual.map(|residual| &residual[number * row_len..][..row_len]);
                self.kernels.matmul(shape.row(x, row), weights, y, &epilogue(residual));
            }
        }
    }

    /// A depthwise convolution, or the part of it that `window` is.
    fn depthwise_rows(
        &self,
        depthwise: &DepthwiseConvolution,
        window: &Depthwise,
        x: &[f32],
        y: &mut [f32],
        sums: Option<&mut [f32]>,
    ) {
        let DepthwiseConvolution { kernel, bias, activation, .. } = depthwise;
        self.kernels.depthwise(window, x, kernel, Some(bias), *activation, y, sums);
    }
}

/// The input of a convolution as [`Program::product_rows`] reads it.
fn padded<'a>(product: &Product, x: &'a [f32], buffer: &'a mut [f32]) -> &'a [f32] {
    if product.patches.is_pointwise() {
        return x;
    }
    product.patches.pad(x, buffer);
    buffer
}

/// The sums of a squeeze, at zero.
fn begin_means(means: &mut Option<Buffer>, channels: usize) -> Option<&mut [f32]> {
    let sums = &mut means.as_mut()?[..channels];
    sums.fill(0.0);
    Some(sums)
}

/// Sums become means.
fn finish_means(sums: Option<&mut [f32]>, shape: &Depthwise) {
    let count = (shape.out_height * shape.out_width) as f32;
    sums.into_iter().flatten().for_each(|sum| *sum /= count);
}

fn read<'a>(place: Place, input: &'a [f32], slots: &'a [Buffer]) -> &'a [f32] {
    match place {
        Place::Input => input,
        Place::Slot(slot) => &slots[slot],
    }
}
