//! A convolution as a matrix product: each output position's patch of the picture becomes a row.

use defrost_kernels::{Buffer, Depthwise, Matrix};

use crate::graph::{Graph, Layer, Op, conv_padding};

/// The shape of a convolution as a product with gathered patches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patches {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) kernel: [usize; 2],
    pub(super) stride: usize,
    pub(super) pad_top: usize,
    pub(super) pad_left: usize,
    pub(super) out_height: usize,
    pub(super) out_width: usize,
}

impl Patches {
    /// A dense layer's: one position of `len` channels.
    pub(super) fn of_row(len: usize) -> Patches {
        Patches {
            height: 1,
            width: 1,
            channels: len,
            kernel: [1, 1],
            stride: 1,
            pad_top: 0,
            pad_left: 0,
            out_height: 1,
            out_width: 1,
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.out_height * self.out_width
    }

    pub(super) fn input_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    pub(super) fn patch_len(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.channels
    }

    /// A 1×1 convolution of stride 1 needs no gathering: its patches are the picture.
    pub(super) fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == 1
    }

    /// Of a convolution of `graph`, depthwise or not.
    pub(super) fn of(graph: &Graph, layer: &Layer) -> Patches {
        let (kernel, stride, padding) = match layer.op {
            Op::Conv2D { kernel, stride, padding, .. } | Op::DepthwiseConv2D { kernel, stride, padding } => {
                (kernel, stride, padding)
            }
            _ => unreachable!("only convolutions gather patches"),
        };
        let input = &graph.layers()[layer.inputs[0]].output_shape;
        Patches {
            height: input[0],
            width: input[1],
            channels: input[2],
            kernel,
            stride,
            pad_top: conv_padding(input[0], kernel[0], stride, padding).0,
            pad_left: conv_padding(input[1], kernel[1], stride, padding).0,
            out_height: layer.output_shape[0],
            out_width: layer.output_shape[1],
        }
    }

    /// Rows and columns of the picture with the zeros that the convolution reads around it.
    pub(super) fn padded_size(&self) -> [usize; 2] {
        let size = |outputs: usize, taps: usize| (outputs.max(1) - 1) * self.stride + taps;
        [size(self.out_height, self.kernel[0]), size(self.out_width, self.kernel[1])]
    }

    /// Copies the picture into `padded`, zeros around it.
    pub(super) fn pad(&self, x: &[f32], padded: &mut [f32]) {
        let [height, width] = self.padded_size();
        let row_len = width * self.channels;
        let left = self.pad_left * self.channels;
        let len = (self.width * self.channels).min(row_len - left);
        for (y, row) in padded[..height * row_len].chunks_exact_mut(row_len).enumerate() {
            row.fill(0.0);
            if let Some(y) = y.checked_sub(self.pad_top).filter(|&y| y < self.height) {
                row[left..left + len].copy_from_slice(&x[y * self.width * self.channels..][..len]);
            }
        }
    }

    /// The patches of output row `row`, read where they lie in the padded picture.
    pub(super) fn row<'a>(&self, padded: &'a [f32], row: usize) -> Matrix<'a> {
        let row_len = self.padded_size()[1] * self.channels;
        let segments = [self.kernel[0], self.kernel[1] * self.channels, row_len];
        Matrix::patches(&padded[row * self.stride * row_len..], self.out_width, self.stride * self.channels, segments)
    }

    /// Copies the patches that a convolution reads into rows of `kernel_h · kernel_w · channels`, zeros outside the picture.
    pub(super) fn gather(&self, x: &[f32], patches: &mut [f32]) {
        let g = self;
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

    /// Gathers the patches of several pictures, one after the other.
    pub(super) fn gather_all(&self, x: &[f32], samples: usize, patches: &mut Buffer) {
        let per_sample = self.rows() * self.patch_len();
        patches.resize(samples * per_sample);
        for (x, patches) in x.chunks_exact(x.len() / samples).zip(patches.chunks_exact_mut(per_sample)) {
            self.gather(x, patches);
        }
    }

    /// Adds rows of patches back to the picture that they were gathered from: the transpose of [`gather`](Patches::gather).
    pub(super) fn scatter(&self, patches: &[f32], x: &mut [f32]) {
        let g = self;
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
}

/// The kernel's description of a depthwise layer.
pub(super) fn depthwise_shape(graph: &Graph, layer: &Layer) -> Depthwise {
    let p = Patches::of(graph, layer);
    Depthwise {
        height: p.height,
        width: p.width,
        channels: p.channels,
        kernel: p.kernel,
        stride: p.stride,
        pad_top: p.pad_top,
        pad_left: p.pad_left,
        out_height: p.out_height,
        out_width: p.out_width,
    }
}
