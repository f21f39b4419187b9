//! The plain way: one output position at a time, for any kernel and stride, and for part vectors of channels.

use super::Convolution;
use crate::activation::{Function, match_activation};
use crate::simd::{Partial, Simd, Step, Target, sweep};

/// Convolves the channels from `first` on; `first` must be 0, or leave less than a vector.
#[inline(always)]
pub(super) fn convolve<T: Target>(
    target: T,
    convolution: &Convolution<'_>,
    first: usize,
    y: &mut [f32],
    mut sums: Option<&mut [f32]>,
) {
    let channels = convolution.channels;
    convolution.assert_consistent(y.len(), sums.as_deref());
    assert!(first == 0 || (first < channels && channels - first < T::LANES));
    match_activation!(convolution.activation, function => {
        for row in 0..convolution.rows.outputs {
            for column in 0..convolution.columns.outputs {
                let (y, sums) = (&mut *y, sums.as_deref_mut());
                let mut position = Position { convolution, row, column, y, sums, function };
                // SAFETY: the steps stay within the channels, and the lengths of all slices were asserted.
                unsafe {
                    if first == 0 {
                        sweep(target, channels, &mut position);
                    } else {
                        position.step(Partial::new(target, channels - first), first);
                    }
                }
            }
        }
    });
}

struct Position<'a, F> {
    convolution: &'a Convolution<'a>,
    row: usize,
    column: usize,
    y: &'a mut [f32],
    sums: Option<&'a mut [f32]>,
    function: F,
}

impl<F: Function> Step for Position<'_, F> {
    #[inline(always)]
    unsafe fn step<S: Simd>(&mut self, s: S, at: usize) {
        let Self { convolution, row, column, .. } = *self;
        let Convolution { channels, rows, columns, x, kernel, kernel_strides, y_strides, bias, .. } = *convolution;
        let (top, left) = (rows.first_input(row), columns.first_input(column));
        // SAFETY: the caller keeps the vector within the channels; the taps are those that meet the picture.
        unsafe {
            let mut value = bias.map_or(s.splat(0.0), |bias| s.load(bias.as_ptr().add(at)));
            for tap_row in rows.taps_at(row) {
                for tap_column in columns.taps_at(column) {
                    let pixel = (top + tap_row as isize) * columns.inputs as isize + left + tap_column as isize;
                    let input = s.load(x.as_ptr().offset(pixel * channels as isize).add(at));
                    let tap = s.load(kernel.as_ptr().offset(kernel_strides.at(tap_row, tap_column)).add(at));
                    value = s.mul_add(input, tap, value);
                }
            }
            value = self.function.value(s, value);
            s.store(self.y.as_mut_ptr().offset(y_strides.at(row, column)).add(at), value);
            if let Some(sums) = &mut self.sums {
                let sum = sums.as_mut_ptr().add(at);
                s.store(sum, s.add(s.load(sum), value));
            }
        }
    }
}
