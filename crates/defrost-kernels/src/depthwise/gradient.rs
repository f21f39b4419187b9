//! The gradients of a depthwise convolution.

use std::ops::Range;

use super::columns::{COLUMNS, channels_together, for_each_input, tiles, with_columns};
use super::{Axis, Convolution, Depthwise, Strides, convolve};
use crate::Activation;
use crate::simd::{Partial, Routine, Simd, Step, Target, sweep};

/// `dx`: a convolution over `dy` with the kernel turned by half a turn, for each phase of the stride.
///
/// The inputs at one position modulo the stride meet only every `stride`-th tap, so they are the outputs of a convolution of
/// stride 1 with those taps. With stride 2 there are four such phases, and none of them multiplies by zero.
pub(super) struct Input<'a> {
    pub(super) g: &'a Depthwise,
    pub(super) dy: &'a [f32],
    pub(super) kernel: &'a [f32],
    pub(super) dx: &'a mut [f32],
}

impl Routine for Input<'_> {
    #[inline(always)]
    fn run<T: Target>(self, target: T) {
        let Self { g, dy, kernel, dx } = self;
        let [tap, pixel] = [g.kernel_strides(), Strides::row_major(g.width, g.channels)];
        let step = g.stride as isize;
        for row in 0..g.stride {
            let (rows, last_tap_row) = phase(g.rows(), row);
            for column in 0..g.stride {
                let (columns, last_tap_column) = phase(g.columns(), column);
                let convolution = Convolution {
                    channels: g.channels,
                    rows,
                    columns,
                    x: dy,
                    kernel,
                    kernel_strides: Strides {
                        first: tap.at(last_tap_row, last_tap_column) as usize,
                        row: -step * tap.row,
                        column: -step * tap.column,
                    },
                    y_strides: Strides {
                        first: pixel.at(row, column) as usize,
                        row: step * pixel.row,
                        column: step * pixel.column,
                    },
                    bias: None,
                    activation: Activation::Linear,
                };
                convolve(target, &convolution, dx, None);
            }
        }
    }
}

/// The axis along which `dy` is convolved to give the inputs `phase`, `phase + stride`, …, and the last tap that they meet.
fn phase(forward: Axis, phase: usize) -> (Axis, usize) {
    let Axis { taps, stride, pad, inputs, outputs } = forward;
    // Input `phase + stride·j` and tap `first + stride·t` meet output `j + shift − t`.
    let padded = phase + pad as usize;
    let (first, shift) = (padded % stride, padded / stride);
    let met = taps.saturating_sub(first).div_ceil(stride);
    let axis = Axis {
        taps: met,
        stride: 1,
        pad: met as isize - 1 - shift as isize,
        inputs: outputs,
        outputs: inputs.saturating_sub(phase).div_ceil(stride),
    };
    (axis, first + stride * met.saturating_sub(1))
}

/// `dkernel`.
pub(super) struct Kernel<'a> {
    pub(super) g: &'a Depthwise,
    pub(super) x: &'a [f32],
    pub(super) dy: &'a [f32],
    pub(super) dkernel: &'a mut [f32],
}

impl Kernel<'_> {
    /// Asserts what the unsafe code relies on.
    fn assert_consistent(&self) {
        assert!(self.g.fits(self.x.len(), self.dy.len(), self.dkernel.len()));
    }

    /// Adds what the tiles of all rows give, for whole vectors of channels; returns how many channels these are.
    #[inline(always)]
    fn by_tiles<T: Target, const K: usize, const STRIDE: usize>(&mut self, target: T) -> usize {
        let whole = self.g.channels / T::LANES * T::LANES;
        if whole == 0 {
            return 0;
        }
        let together = channels_together(T::LANES, K * self.g.width);
        for start in (0..whole).step_by(together) {
            let channels = start..whole.min(start + together);
            for row in 0..self.g.out_height {
                for (column, columns) in tiles(self.g.out_width) {
                    let Kernel { g, x, dy, dkernel } = self;
                    let (gradient, channels) = (Kernel { g, x, dy, dkernel }, channels.clone());
                    with_columns!(columns, N => {
                        target.call(KernelTile::<K, STRIDE, N> { gradient, channels, row, column });
                    });
                }
            }
        }
        whole
    }
}

impl Routine for Kernel<'_> {
    #[inline(always)]
    fn run<T: Target>(mut self, target: T) {
        self.assert_consistent();
        let channels = self.g.channels;
        let whole = match (self.g.kernel[1], self.g.stride) {
            (3, 1) => self.by_tiles::<T, 3, 1>(target),
            (3, 2) => self.by_tiles::<T, 3, 2>(target),
            (5, 1) => self.by_tiles::<T, 5, 1>(target),
            (5, 2) => self.by_tiles::<T, 5, 2>(target),
            _ => 0,
        };
        // SAFETY: the steps stay within the channels, and the lengths of all slices were asserted.
        unsafe {
            if whole == 0 {
                sweep(target, channels, &mut self);
            } else if whole < channels {
                self.step(Partial::new(target, channels - whole), whole);
            }
        }
    }
}

/// The plain way: tap by tap.
impl Step for Kernel<'_> {
    #[inline(always)]
    unsafe fn step<S: Simd>(&mut self, s: S, at: usize) {
        let g = self.g;
        let (rows, columns) = (g.rows(), g.columns());
        for tap_row in 0..g.kernel[0] {
            for tap_column in 0..g.kernel[1] {
                // SAFETY: the caller keeps the vector within the channels; inputs beyond the picture are left out.
                unsafe {
                    let to = self.dkernel.as_mut_ptr().offset(g.kernel_strides().at(tap_row, tap_column)).add(at);
                    let mut sum = s.load(to);
                    for row in (0..g.out_height).filter(|&row| rows.taps_at(row).contains(&tap_row)) {
                        let x_row = (rows.first_input(row) + tap_row as isize) as usize * g.width;
                        for column in 0..g.out_width {
                            let x_column = (columns.first_input(column) + tap_column as isize) as usize;
                            if x_column < g.width {
                                let x = s.load(self.x.as_ptr().add((x_row + x_column) * g.channels + at));
                                let dy = self.dy.as_ptr().add((row * g.out_width + column) * g.channels + at);
                                sum = s.mul_add(x, s.load(dy), sum);
                            }
                        }
                    }
                    s.store(to, sum);
                }
            }
        }
    }
}

/// The fast way: what `COLUMNS` neighbouring outputs give, a row of taps at a time in registers.
struct KernelTile<'a, const K: usize, const STRIDE: usize, const COLUMNS: usize> {
    gradient: Kernel<'a>,
    channels: Range<usize>,
    row: usize,
    column: usize,
}

impl<const K: usize, const STRIDE: usize, const COLUMNS: usize> Routine for KernelTile<'_, K, STRIDE, COLUMNS> {
    #[inline(always)]
    fn run<T: Target>(mut self, target: T) {
        let g = self.gradient.g;
        self.gradient.assert_consistent();
        assert!(g.kernel[1] == K && g.stride == STRIDE);
        assert!(self.row < g.out_height && self.column + COLUMNS <= g.out_width);
        assert!(self.channels.end <= g.channels && self.channels.len().is_multiple_of(T::LANES));
        let left = g.columns().first_input(self.column);
        let is_inside = left >= 0 && left as usize + (COLUMNS - 1) * STRIDE + K <= g.width;
        for at in self.channels.clone().step_by(T::LANES) {
            // SAFETY: what was asserted, and `at + LANES` ≤ `channels.end`.
            unsafe {
                if is_inside {
                    self.accumulate::<T, false>(target, left, at);
                } else {
                    self.accumulate::<T, true>(target, left, at);
                }
            }
        }
    }
}

impl<const K: usize, const STRIDE: usize, const COLUMNS: usize> KernelTile<'_, K, STRIDE, COLUMNS> {
    /// `EDGE`: part of the window, which starts at input column `left`, is beyond the picture's left or right edge.
    ///
    /// # Safety
    ///
    /// The gradient must be consistent with `K` and `STRIDE`, the tile inside the output, `at + LANES` ≤ channels.
    #[inline(always)]
    unsafe fn accumulate<T: Target, const EDGE: bool>(&mut self, target: T, left: isize, at: usize) {
        let Kernel { g, x, dy, dkernel } = &mut self.gradient;
        let (rows, channels) = (g.rows(), g.channels);
        let top = rows.first_input(self.row);
        let outputs = dy.as_ptr().wrapping_add((self.row * g.out_width + self.column) * channels + at);
        let mut dy = [target.splat(0.0); COLUMNS];
        for (i, value) in dy.iter_mut().enumerate() {
            // SAFETY: the tile is inside the output.
            *value = unsafe { target.load(outputs.wrapping_add(i * channels)) };
        }
        for tap_row in rows.taps_at(self.row) {
            let taps = dkernel.as_mut_ptr().wrapping_add(tap_row * K * channels + at);
            let mut sums = [target.splat(0.0); K];
            for (i, sum) in sums.iter_mut().enumerate() {
                // SAFETY: the tap is one of the kernel's.
                *sum = unsafe { target.load(taps.wrapping_add(i * channels)) };
            }
            let pixel = (top + tap_row as isize) * g.width as isize + left;
            let input = x.as_ptr().wrapping_offset(pixel * channels as isize).wrapping_add(at);
            for_each_input!((COLUMNS - 1) * STRIDE + K, I => if !EDGE || ((left + I as isize) as usize) < g.width {
                // SAFETY: the row is one that the tap meets, and the column is inside, too.
                let value = unsafe { target.load(input.wrapping_add(I * channels)) };
                for (column, &dy) in dy.iter().enumerate() {
                    if (column * STRIDE..column * STRIDE + K).contains(&I) {
                        let sum = &mut sums[I - column * STRIDE];
                        *sum = target.mul_add(value, dy, *sum);
                    }
                }
            });
            for (i, &sum) in sums.iter().enumerate() {
                // SAFETY: as when it was loaded.
                unsafe { target.store(taps.wrapping_add(i * channels), sum) };
            }
        }
    }
}
