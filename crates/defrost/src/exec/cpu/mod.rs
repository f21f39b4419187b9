//! The CPU executor: [`Program`] runs a frozen part of a graph, fused, one picture at a time; [`Tail`] runs the rest forward
//! and backward, shard by shard.

#[cfg(test)]
mod difference_tests;
mod fuse;
#[cfg(test)]
mod golden_tests;
mod layer;
mod layerwise;
mod plan;
mod program;
mod tail;
#[cfg(test)]
mod training_tests;

pub use plan::{Kind, Step};
pub use program::{Arena, Program};
pub use tail::{BatchNormMode, Gradients, Objective, Randomness, StepOutput, Tail};

use crate::graph::Activation;

/// The kernel's name of an activation. Softmax is left to the loss: the executor gives logits.
fn kernel_activation(activation: Activation) -> defrost_kernels::Activation {
    match activation {
        Activation::Linear | Activation::Softmax => defrost_kernels::Activation::Linear,
        Activation::Relu => defrost_kernels::Activation::Relu,
        Activation::Relu6 => defrost_kernels::Activation::Relu6,
        Activation::Swish => defrost_kernels::Activation::Swish,
        Activation::Sigmoid => defrost_kernels::Activation::Sigmoid,
    }
}

/// Copies the patches that a convolution reads into rows of `kernel_h · kernel_w · channels`, zeros outside the picture.
fn gather_patches(geometry: &Patches, x: &[f32], patches: &mut [f32]) {
    let g = geometry;
    let row_len = g.kernel[1] * g.channels;
    for oy in 0..g.out_height {
        for ox in 0..g.out_width {
            let patch = &mut patches[(oy * g.out_width + ox) * g.patch_len()..][..g.patch_len()];
            for (ky, row) in patch.chunks_exact_mut(row_len).enumerate() {
                let y = (oy * g.stride + ky).wrapping_sub(g.pad_top);
                let left = (ox * g.stride) as isize - g.pad_left as isize;
                if y >= g.height {
                    row.fill(0.0);
                } else if left >= 0 && left as usize + g.kernel[1] <= g.width {
                    row.copy_from_slice(&x[(y * g.width + left as usize) * g.channels..][..row_len]);
                } else {
                    for (kx, cell) in row.chunks_exact_mut(g.channels).enumerate() {
                        match usize::try_from(left + kx as isize) {
                            Ok(column) if column < g.width => {
                                cell.copy_from_slice(&x[(y * g.width + column) * g.channels..][..g.channels]);
                            }
                            _ => cell.fill(0.0),
                        }
                    }
                }
            }
        }
    }
}

/// Adds rows of patches back to the picture that they were gathered from: the transpose of [`gather_patches`].
fn scatter_patches(geometry: &Patches, patches: &[f32], x: &mut [f32]) {
    let g = geometry;
    for oy in 0..g.out_height {
        for ox in 0..g.out_width {
            let patch = &patches[(oy * g.out_width + ox) * g.patch_len()..][..g.patch_len()];
            for (tap, cell) in patch.chunks_exact(g.channels).enumerate() {
                let y = (oy * g.stride + tap / g.kernel[1]).wrapping_sub(g.pad_top);
                let column = (ox * g.stride + tap % g.kernel[1]).wrapping_sub(g.pad_left);
                if y < g.height && column < g.width {
                    let target = &mut x[(y * g.width + column) * g.channels..][..g.channels];
                    for (value, part) in target.iter_mut().zip(cell) {
                        *value += part;
                    }
                }
            }
        }
    }
}

/// The shape of a convolution as a product with gathered patches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Patches {
    height: usize,
    width: usize,
    channels: usize,
    kernel: [usize; 2],
    stride: usize,
    pad_top: usize,
    pad_left: usize,
    out_height: usize,
    out_width: usize,
}

impl Patches {
    fn rows(&self) -> usize {
        self.out_height * self.out_width
    }

    fn patch_len(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.channels
    }

    /// A 1×1 convolution of stride 1 needs no gathering: its patches are the picture.
    fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == 1
    }
}
