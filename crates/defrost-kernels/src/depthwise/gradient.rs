//! The gradients of a depthwise convolution that are no convolution of stride 1 themselves.

use super::Depthwise;
use crate::simd::{Routine, Simd, Step, Target, sweep};
use std::ops::Range;

/// `dx`, gathered: each input position takes from every output whose window covers it.
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
        assert!(dy.len() == g.output_len() && kernel.len() == g.kernel_len() && dx.len() == g.input_len());
        for row in 0..g.height {
            for column in 0..g.width {
                let mut pixel = Pixel {
                    g,
                    dy,
                    kernel,
                    tap_rows: taps_onto(row + g.pad_top, g.stride, g.kernel[0], g.out_height),
                    tap_columns: taps_onto(column + g.pad_left, g.stride, g.kernel[1], g.out_width),
                    position: [row + g.pad_top, column + g.pad_left],
                    dx: &mut dx[(row * g.width + column) * g.channels..][..g.channels],
                };
                // SAFETY: the step stays within the channels, and the lengths of all slices were asserted.
                unsafe { sweep(target, g.channels, &mut pixel) };
            }
        }
    }
}

/// In one direction: the taps, `stride` apart, through which an output of `0..outputs` sees the padded input `position`.
fn taps_onto(position: usize, stride: usize, taps: usize, outputs: usize) -> Range<usize> {
    let last_output = outputs.saturating_sub(1) * stride;
    let first = position.saturating_sub(last_output);
    // The first tap ≥ `first` that is congruent to `position`.
    let first = first + (position - first) % stride;
    if outputs == 0 { 0..0 } else { first..taps.min(position + 1) }
}

struct Pixel<'a> {
    g: &'a Depthwise,
    dy: &'a [f32],
    kernel: &'a [f32],
    tap_rows: Range<usize>,
    tap_columns: Range<usize>,
    /// Row and column, counted from the padding's corner.
    position: [usize; 2],
    /// The channels of this input position.
    dx: &'a mut [f32],
}

impl Step for Pixel<'_> {
    #[inline(always)]
    unsafe fn step<S: Simd>(&mut self, s: S, at: usize) {
        let g = self.g;
        let mut sum = s.splat(0.0);
        // SAFETY: the caller keeps the vector within the channels; the taps are those that meet an output.
        unsafe {
            for tap_row in self.tap_rows.clone().step_by(g.stride) {
                let row = (self.position[0] - tap_row) / g.stride;
                for tap_column in self.tap_columns.clone().step_by(g.stride) {
                    let column = (self.position[1] - tap_column) / g.stride;
                    let dy = s.load(self.dy.as_ptr().add((row * g.out_width + column) * g.channels + at));
                    let tap = (tap_row * g.kernel[1] + tap_column) * g.channels + at;
                    sum = s.mul_add(dy, s.load(self.kernel.as_ptr().add(tap)), sum);
                }
            }
            s.store(self.dx.as_mut_ptr().add(at), sum);
        }
    }
}

/// `dkernel`: for each vector of channels, a row of taps at a time in registers.
pub(super) struct Kernel<'a> {
    pub(super) g: &'a Depthwise,
    pub(super) x: &'a [f32],
    pub(super) dy: &'a [f32],
    pub(super) dkernel: &'a mut [f32],
}

impl Routine for Kernel<'_> {
    #[inline(always)]
    fn run<T: Target>(mut self, target: T) {
        let Self { g, x, dy, .. } = self;
        assert!(x.len() == g.input_len() && dy.len() == g.output_len() && self.dkernel.len() == g.kernel_len());
        // SAFETY: the step stays within the channels, and the lengths of all slices were asserted.
        unsafe { sweep(target, g.channels, &mut self) };
    }
}

impl Step for Kernel<'_> {
    #[inline(always)]
    unsafe fn step<S: Simd>(&mut self, s: S, at: usize) {
        for tap_row in 0..self.g.kernel[0] {
            // SAFETY: the caller's promise, and the taps are the kernel's.
            unsafe {
                match self.g.kernel[1] {
                    3 => self.taps::<S, 3>(s, at, tap_row, 0),
                    5 => self.taps::<S, 5>(s, at, tap_row, 0),
                    width => {
                        for tap_column in 0..width {
                            self.taps::<S, 1>(s, at, tap_row, tap_column);
                        }
                    }
                }
            }
        }
    }
}

/// Chains of sums for each tap, so that an addition need not wait for the one before.
const CHAINS: usize = 2;

impl Kernel<'_> {
    /// Adds the gradient of `TAPS` taps of kernel row `tap_row` from `first_tap` on, at the channels from `at` on.
    ///
    /// # Safety
    ///
    /// The taps must exist, and as many channels from `at` on as `s` loads.
    #[inline(always)]
    unsafe fn taps<S: Simd, const TAPS: usize>(&mut self, s: S, at: usize, tap_row: usize, first_tap: usize) {
        let g = self.g;
        let mut sums = [[s.splat(0.0); TAPS]; CHAINS];
        // Input column of an output column's first tap: `column * stride + shift`.
        let shift = first_tap as isize - g.pad_left as isize;
        for row in 0..g.out_height {
            let (tap_rows, top) = g.rows_at(row);
            if !tap_rows.contains(&tap_row) {
                continue;
            }
            let x_row = (top + tap_row as isize) as usize * g.width;
            for column in 0..g.out_width {
                let left = (column * g.stride) as isize + shift;
                let inside = left >= 0 && left as usize + TAPS <= g.width;
                // SAFETY: row and column are the output's; input columns beyond the picture are left out.
                unsafe {
                    let dy = s.load(self.dy.as_ptr().add((row * g.out_width + column) * g.channels + at));
                    for (tap, sum) in sums[column % CHAINS].iter_mut().enumerate() {
                        let x_column = (left + tap as isize) as usize;
                        if inside || x_column < g.width {
                            let x = s.load(self.x.as_ptr().add((x_row + x_column) * g.channels + at));
                            *sum = s.mul_add(x, dy, *sum);
                        }
                    }
                }
            }
        }
        let [even, odd] = sums;
        for (tap, (even, odd)) in even.into_iter().zip(odd).enumerate() {
            // SAFETY: the caller's promise.
            unsafe {
                let to = self.dkernel.as_mut_ptr().add((tap_row * g.kernel[1] + first_tap + tap) * g.channels + at);
                s.store(to, s.add(s.load(to), s.add(even, odd)));
            }
        }
    }
}
