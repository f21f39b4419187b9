//! Depthwise convolution of one NHWC picture, and its gradients.
//!
//! Invariant: an output element is one chain of multiply-adds over the taps inside the picture, from top left to bottom
//! right; taps in the padding are left out. How many columns are computed together doesn't show in the result.

mod columns;
mod gradient;
mod plain;

use crate::simd::{Routine, Target};
use crate::{Activation, Kernels};

/// The geometry of a depthwise convolution.
///
/// Output position (oy, ox) and tap (ky, kx) meet input position (oy·stride + ky − pad_top, ox·stride + kx − pad_left).
/// Beyond the picture the input is zero, on any side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depthwise {
    /// Rows of the input.
    pub height: usize,
    /// Columns of the input.
    pub width: usize,
    /// Channels of the input and the output.
    pub channels: usize,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Distance between the windows of neighbouring outputs, in both directions.
    pub stride: usize,
    /// Rows of zeros above the picture.
    pub pad_top: usize,
    /// Columns of zeros to its left.
    pub pad_left: usize,
    /// Rows of the output.
    pub out_height: usize,
    /// Columns of the output.
    pub out_width: usize,
}

impl Depthwise {
    /// The number of input elements.
    fn input_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// The number of output elements.
    fn output_len(&self) -> usize {
        self.out_height * self.out_width * self.channels
    }

    fn kernel_len(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.channels
    }

    /// The kernel rows that meet the picture at output row `row`, and the input row that tap row 0 would meet.
    fn rows_at(&self, row: usize) -> (std::ops::Range<usize>, isize) {
        taps_inside(row, self.stride, self.pad_top, self.kernel[0], self.height)
    }

    /// The kernel columns that meet the picture at output column `column`, and the input column that tap column 0 would meet.
    fn columns_at(&self, column: usize) -> (std::ops::Range<usize>, isize) {
        taps_inside(column, self.stride, self.pad_left, self.kernel[1], self.width)
    }

    /// The convolution over `dy` that gives `dx`, with the kernel turned by half a turn. Only where the stride is 1.
    fn mirrored(&self) -> Option<Self> {
        let [kernel_height, kernel_width] = self.kernel;
        (self.stride == 1 && self.pad_top < kernel_height && self.pad_left < kernel_width).then(|| Self {
            height: self.out_height,
            width: self.out_width,
            pad_top: kernel_height - 1 - self.pad_top,
            pad_left: kernel_width - 1 - self.pad_left,
            out_height: self.height,
            out_width: self.width,
            ..*self
        })
    }
}

/// In one direction: the taps of `0..taps` that fall inside `0..len` for output `position`, and where tap 0 falls.
fn taps_inside(position: usize, stride: usize, pad: usize, taps: usize, len: usize) -> (std::ops::Range<usize>, isize) {
    let start = position * stride;
    (pad.saturating_sub(start).min(taps)..(len + pad).saturating_sub(start).min(taps), start as isize - pad as isize)
}

impl Kernels {
    /// `y = f(conv(x) + bias)`, and `sums[c] += Σ y[.., c]` over the positions of y.
    ///
    /// # Shapes
    ///
    /// x height×width×channels, kernel kh×kw×channels, y out_height×out_width×channels, bias and sums channels.
    ///
    /// # Panics
    ///
    /// If a length doesn't match `g`.
    #[expect(clippy::too_many_arguments, reason = "the operands of one fused operation")]
    pub fn depthwise(
        &self,
        g: &Depthwise,
        x: &[f32],
        kernel: &[f32],
        bias: Option<&[f32]>,
        activation: Activation,
        y: &mut [f32],
        sums: Option<&mut [f32]>,
    ) {
        assert_eq!(x.len(), g.input_len(), "x must be height×width×channels");
        assert_eq!(kernel.len(), g.kernel_len(), "the kernel must be kh×kw×channels");
        assert_eq!(y.len(), g.output_len(), "y must be out_height×out_width×channels");
        assert!(bias.is_none_or(|bias| bias.len() == g.channels), "the bias must have one element for each channel");
        assert!(
            sums.as_ref().is_none_or(|sums| sums.len() == g.channels),
            "sums must have one element for each channel"
        );
        let convolution = Convolution { g, x, kernel, mirrored: false, bias, activation };
        self.call(Run { convolution, y, sums });
    }

    /// `dx = ∂/∂x Σ dy · conv(x)`; what dx held is overwritten.
    ///
    /// # Shapes
    ///
    /// dy out_height×out_width×channels, kernel kh×kw×channels, dx height×width×channels.
    ///
    /// # Panics
    ///
    /// If a length doesn't match `g`, or the stride is 0.
    pub fn depthwise_input_gradient(&self, g: &Depthwise, dy: &[f32], kernel: &[f32], dx: &mut [f32]) {
        assert!(g.stride > 0, "the stride must be > 0");
        assert_eq!(dy.len(), g.output_len(), "dy must be out_height×out_width×channels");
        assert_eq!(kernel.len(), g.kernel_len(), "the kernel must be kh×kw×channels");
        assert_eq!(dx.len(), g.input_len(), "dx must be height×width×channels");
        if let Some(g) = &g.mirrored() {
            let activation = Activation::Linear;
            let convolution = Convolution { g, x: dy, kernel, mirrored: true, bias: None, activation };
            self.call(Run { convolution, y: dx, sums: None });
        } else {
            self.call(gradient::Input { g, dy, kernel, dx });
        }
    }

    /// `dkernel += ∂/∂kernel Σ dy · conv(x)`.
    ///
    /// # Shapes
    ///
    /// x height×width×channels, dy out_height×out_width×channels, dkernel kh×kw×channels.
    ///
    /// # Panics
    ///
    /// If a length doesn't match `g`.
    pub fn depthwise_kernel_gradient(&self, g: &Depthwise, x: &[f32], dy: &[f32], dkernel: &mut [f32]) {
        assert_eq!(x.len(), g.input_len(), "x must be height×width×channels");
        assert_eq!(dy.len(), g.output_len(), "dy must be out_height×out_width×channels");
        assert_eq!(dkernel.len(), g.kernel_len(), "dkernel must be kh×kw×channels");
        self.call(gradient::Kernel { g, x, dy, dkernel });
    }
}

/// The operands of a convolution.
#[derive(Clone, Copy)]
struct Convolution<'a> {
    g: &'a Depthwise,
    x: &'a [f32],
    kernel: &'a [f32],
    /// Whether the kernel is read from its last tap to its first.
    mirrored: bool,
    bias: Option<&'a [f32]>,
    activation: Activation,
}

impl Convolution<'_> {
    /// Whether the slices are as long as the geometry says: what the unsafe code relies on.
    fn is_consistent(&self) -> bool {
        self.x.len() == self.g.input_len()
            && self.kernel.len() == self.g.kernel_len()
            && self.bias.is_none_or(|bias| bias.len() == self.g.channels)
    }

    /// The offset of tap 0 in the kernel, and the distance to the next tap.
    #[inline(always)]
    fn taps(&self) -> (usize, isize) {
        let channels = self.g.channels;
        if self.mirrored { (self.kernel.len() - channels, -(channels as isize)) } else { (0, channels as isize) }
    }
}

struct Run<'a> {
    convolution: Convolution<'a>,
    y: &'a mut [f32],
    sums: Option<&'a mut [f32]>,
}

impl Routine for Run<'_> {
    #[inline(always)]
    fn run<T: Target>(self, target: T) {
        let Self { convolution, y, mut sums } = self;
        let g = convolution.g;
        if convolution.kernel.is_empty() || y.is_empty() {
            plain::convolve(target, convolution, 0, y, sums);
            return;
        }
        // The register tiles do whole vectors of channels; what is left over, and other kernels, take the plain way.
        let whole = match (g.kernel, g.stride) {
            ([3, 3], 1) => columns::convolve::<T, 3, 1>(target, convolution, y, sums.as_deref_mut()),
            ([3, 3], 2) => columns::convolve::<T, 3, 2>(target, convolution, y, sums.as_deref_mut()),
            ([5, 5], 1) => columns::convolve::<T, 5, 1>(target, convolution, y, sums.as_deref_mut()),
            ([5, 5], 2) => columns::convolve::<T, 5, 2>(target, convolution, y, sums.as_deref_mut()),
            _ => 0,
        };
        if whole < g.channels {
            plain::convolve(target, convolution, whole, y, sums);
        }
    }
}
