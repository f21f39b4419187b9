//! The plain way: one output position at a time, for any kernel and stride, and for part vectors of channels.

use super::Convolution;
use crate::activation::{Function, match_activation};
use crate::simd::{Partial, Simd, Step, Target, sweep};

/// Convolves the channels from `first` on; `first` must be 0, or leave less than a vector.
#[inline(always)]
pub(super) fn convolve<T: Target>(
    target: T,
    convolution: Convolution<'_>,
    first: usize,
    y: &mut [f32],
    mut sums: Option<&mut [f32]>,
) {
    let g = convolution.g;
    assert!(convolution.is_consistent() && y.len() == g.output_len() && first <= g.channels);
    assert!(sums.as_ref().is_none_or(|sums| sums.len() == g.channels));
    match_activation!(convolution.activation, function => {
        for row in 0..g.out_height {
            for column in 0..g.out_width {
                let y = &mut y[(row * g.out_width + column) * g.channels..][..g.channels];
                let mut position = Position { convolution, row, column, y, sums: sums.as_deref_mut(), function };
                // SAFETY: the step stays within the channels, and the lengths of all slices were asserted.
                unsafe {
                    if first == 0 {
                        sweep(target, g.channels, &mut position);
                    } else {
                        position.step(Partial::new(target, g.channels - first), first);
                    }
                }
            }
        }
    });
}

struct Position<'a, F> {
    convolution: Convolution<'a>,
    row: usize,
    column: usize,
    /// The channels of this position.
    y: &'a mut [f32],
    sums: Option<&'a mut [f32]>,
    function: F,
}

impl<F: Function> Step for Position<'_, F> {
    #[inline(always)]
    unsafe fn step<S: Simd>(&mut self, s: S, at: usize) {
        let Convolution { g, x, kernel, bias, .. } = self.convolution;
        let (tap_rows, top) = g.rows_at(self.row);
        let (tap_columns, left) = g.columns_at(self.column);
        let (first_tap, tap_step) = if kernel.is_empty() { (0, 0) } else { self.convolution.taps() };
        // SAFETY: the caller keeps the vector within the channels; the taps are those inside the picture.
        unsafe {
            let mut value = bias.map_or(s.splat(0.0), |bias| s.load(bias.as_ptr().add(at)));
            for tap_row in tap_rows {
                for tap_column in tap_columns.clone() {
                    let tap = (tap_row * g.kernel[1] + tap_column) as isize * tap_step + (first_tap + at) as isize;
                    let pixel = (top + tap_row as isize) * g.width as isize + left + tap_column as isize;
                    let input = s.load(x.as_ptr().offset(pixel * g.channels as isize).add(at));
                    value = s.mul_add(input, s.load(kernel.as_ptr().offset(tap)), value);
                }
            }
            value = self.function.value(s, value);
            s.store(self.y.as_mut_ptr().add(at), value);
            if let Some(sums) = &mut self.sums {
                let sum = sums.as_mut_ptr().add(at);
                s.store(sum, s.add(s.load(sum), value));
            }
        }
    }
}
