//! Runs a frozen stretch of a graph, one picture at a time, without allocating.

use defrost_kernels::{Epilogue, Kernels, Matrix};

use super::fuse;
use super::plan::{Kind, Place, Plan, Step};
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
    slots: Vec<Vec<f32>>,
    scratch: Vec<f32>,
}

impl Program {
    /// Compiles the layers of `graph` after `from` up to and including `to`; `Tap(0)` is the picture.
    ///
    /// # Panics
    /// When `params` lacks a tensor of the graph: they are complete by construction of a model.
    pub fn new(graph: &Graph, params: &Params, from: Tap, to: Tap, kernels: Kernels) -> Program {
        Program { plan: fuse::compile(graph, params, from.0, to.0, kernels), kernels }
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
    pub fn steps(&self) -> &[Step] {
        &self.plan.steps
    }

    /// Buffers for one thread.
    pub fn arena(&self) -> Arena {
        let slots = self.plan.slots.iter().map(|&len| vec![0.0; len]).collect();
        Arena { slots, scratch: vec![0.0; self.plan.scratch] }
    }

    /// Computes `output` from `input`.
    ///
    /// # Panics
    /// When a length differs from [`input_len`](Self::input_len) or [`output_len`](Self::output_len), or the arena is
    /// another program's.
    pub fn run(&self, input: &[f32], arena: &mut Arena, output: &mut [f32]) {
        assert_eq!(input.len(), self.plan.input_len, "input of the program");
        assert_eq!(output.len(), self.plan.output_len, "output of the program");
        for step in &self.plan.steps {
            self.run_step(step, input, arena);
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
            Kind::Convolution { patches, weights, bias, activation } => {
                let shape = &patches.0;
                let rows = if shape.is_pointwise() {
                    &x[..shape.rows() * shape.channels]
                } else {
                    let scratch = &mut arena.scratch[..shape.rows() * shape.patch_len()];
                    shape.gather(x, scratch);
                    scratch
                };
                let a = Matrix::new(rows, shape.rows(), shape.patch_len());
                let residual = step.other.map(|_| &other[..step.len]);
                let epilogue = Epilogue { bias: Some(bias), activation: *activation, residual, accumulate: false };
                k.matmul(a, weights, y, &epilogue);
            }
            Kind::Depthwise { shape, kernel, bias, activation } => {
                let x = &x[..shape.height * shape.width * shape.channels];
                let sums = means.as_mut().map(|means| &mut means[..shape.channels]);
                let count = (shape.out_height * shape.out_width) as f32;
                match sums {
                    None => k.depthwise(shape, x, kernel, Some(bias), *activation, y, None),
                    Some(sums) => {
                        sums.fill(0.0);
                        k.depthwise(shape, x, kernel, Some(bias), *activation, y, Some(&mut *sums));
                        sums.iter_mut().for_each(|sum| *sum /= count);
                    }
                }
            }
            Kind::Dense { weights, bias, activation } => {
                let a = Matrix::new(&x[..weights.rows()], 1, weights.rows());
                let epilogue =
                    Epilogue { bias: Some(bias), activation: *activation, residual: None, accumulate: false };
                k.matmul(a, weights, y, &epilogue);
            }
            Kind::Pool { rows, channels } => {
                y.fill(0.0);
                k.sum_rows(&x[..rows * channels], *channels, y);
                y.iter_mut().for_each(|sum| *sum /= *rows as f32);
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
}

fn read<'a>(place: Place, input: &'a [f32], slots: &'a [Vec<f32>]) -> &'a [f32] {
    match place {
        Place::Input => input,
        Place::Slot(slot) => &slots[slot],
    }
}
