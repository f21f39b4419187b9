//! Depthwise convolution of one NHWC picture, and its gradients.
//!
//! Invariant: an output element is one chain of multiply-adds over the taps inside the picture, from top left to bottom
//! right; taps in the padding are left out. How many columns are computed together doesn't show in the result.

mod columns;
mod convolution;
mod gradient;
mod plain;

use crate::simd::{Routine, Target};
use crate::{Activation, Kernels};
use convolution::{Axis, Convolution, Strides};

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
    /// Whether slices of these lengths are an input, an output and a kernel of this geometry.
    fn fits(&self, x: usize, y: usize, kernel: usize) -> bool {
        // Checked, as unsafe code relies on it: a product that wrapped could match a short slice.
        let elements = |[rows, columns]: [usize; 2]| rows.checked_mul(columns)?.checked_mul(self.channels);
        elements([self.height, self.width]) == Some(x)
            && elements([self.out_height, self.out_width]) == Some(y)
            && elements(self.kernel) == Some(kernel)
    }

    /// # Panics
    ///
    /// If a slice doesn't have the length that the geometry gives it, or the stride is 0.
    fn assert_fits(&self, x: &[f32], y: &[f32], kernel: &[f32]) {
        assert!(
            self.fits(x.len(), y.len(), kernel.len()),
            "{} inputs, {} outputs and {} weights don't match {self:?}",
            x.len(),
            y.len(),
            kernel.len()
        );
        assert!(self.stride > 0, "the stride must be > 0");
    }

    /// How output rows meet input rows.
    fn rows(&self) -> Axis {
        let pad = self.pad_top as isize;
        Axis { taps: self.kernel[0], stride: self.stride, pad, inputs: self.height, outputs: self.out_height }
    }

    /// How output columns meet input columns.
    fn columns(&self) -> Axis {
        let pad = self.pad_left as isize;
        Axis { taps: self.kernel[1], stride: self.stride, pad, inputs: self.width, outputs: self.out_width }
    }

    /// Where kernel rows and columns lie in the kernel.
    fn kernel_strides(&self) -> Strides {
        Strides::row_major(self.kernel[1], self.channels)
    }
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
    /// If a length doesn't match `g`, or the stride is 0.
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
        g.assert_fits(x, y, kernel);
        assert!(bias.is_none_or(|bias| bias.len() == g.channels), "the bias must have one element for each channel");
        assert!(
            sums.as_ref().is_none_or(|sums| sums.len() == g.channels),
            "sums must have one element for each channel"
        );
        let convolution = Convolution {
            channels: g.channels,
            rows: g.rows(),
            columns: g.columns(),
            x,
            kernel,
            kernel_strides: g.kernel_strides(),
            y_strides: Strides::row_major(g.out_width, g.channels),
            bias,
            activation,
        };
        self.call(Forward { convolution, y, sums });
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
        g.assert_fits(dx, dy, kernel);
        self.call(gradient::Input { g, dy, kernel, dx });
    }

    /// `dkernel += ∂/∂kernel Σ dy · conv(x)`.
    ///
    /// # Shapes
    ///
    /// x height×width×channels, dy out_height×out_width×channels, dkernel kh×kw×channels.
    ///
    /// # Panics
    ///
    /// If a length doesn't match `g`, or the stride is 0.
    pub fn depthwise_kernel_gradient(&self, g: &Depthwise, x: &[f32], dy: &[f32], dkernel: &mut [f32]) {
        g.assert_fits(x, dy, dkernel);
        self.call(gradient::Kernel { g, x, dy, dkernel });
    }
}

struct Forward<'a> {
    convolution: Convolution<'a>,
    y: &'a mut [f32],
    sums: Option<&'a mut [f32]>,
}

impl Routine for Forward<'_> {
    #[inline(always)]
    fn run<T: Target>(self, target: T) {
        convolve(target, &self.convolution, self.y, self.sums);
    }
}

/// Register tiles for whole vectors of channels and the kernels that networks use; the plain way for the rest.
#[inline(always)]
fn convolve<T: Target>(target: T, convolution: &Convolution<'_>, y: &mut [f32], mut sums: Option<&mut [f32]>) {
    convolution.assert_consistent(y.len(), sums.as_deref());
    let whole = match (convolution.columns.taps, convolution.columns.stride) {
        (1, 1) => columns::convolve::<T, 1, 1>(target, convolution, y, sums.as_deref_mut()),
        (2, 1) => columns::convolve::<T, 2, 1>(target, convolution, y, sums.as_deref_mut()),
        (3, 1) => columns::convolve::<T, 3, 1>(target, convolution, y, sums.as_deref_mut()),
        (3, 2) => columns::convolve::<T, 3, 2>(target, convolution, y, sums.as_deref_mut()),
        (5, 1) => columns::convolve::<T, 5, 1>(target, convolution, y, sums.as_deref_mut()),
        (5, 2) => columns::convolve::<T, 5, 2>(target, convolution, y, sums.as_deref_mut()),
        _ => 0,
    };
    if whole < convolution.channels {
        plain::convolve(target, convolution, whole, y, sums);
    }
}
