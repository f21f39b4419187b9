//! The fast way: several neighbouring outputs of a row in registers, for the kernels and strides that networks use.

use super::Convolution;
use crate::activation::{Function, match_activation};
use crate::simd::{Routine, Target};

/// Outputs that are computed together at most; 8, a row of the kernel and an input leave two of 16 registers.
const COLUMNS: usize = 8;

/// Convolves all whole vectors of channels; returns how many channels these are.
#[inline(always)]
pub(super) fn convolve<T: Target, const K: usize, const STRIDE: usize>(
    target: T,
    convolution: Convolution<'_>,
    y: &mut [f32],
    mut sums: Option<&mut [f32]>,
) -> usize {
    let g = convolution.g;
    let whole = g.channels / T::LANES * T::LANES;
    if whole == 0 {
        return 0;
    }
    let tiles = g.out_width.div_ceil(COLUMNS);
    for row in 0..g.out_height {
        for tile in 0..tiles {
            let column = tile * g.out_width / tiles;
            let columns = (tile + 1) * g.out_width / tiles - column;
            let y = &mut y[(row * g.out_width + column) * g.channels..][..columns * g.channels];
            let sums = sums.as_deref_mut();
            macro_rules! call {
                ($($columns:literal)*) => {
                    match columns {
                        $($columns => target.call(
                            Columns::<K, STRIDE, $columns> { convolution, whole, row, column, y, sums },
                        ),)*
                        _ => unreachable!("a tile has 1 to {COLUMNS} columns"),
                    }
                };
            }
            call!(1 2 3 4 5 6 7 8);
        }
    }
    whole
}

struct Columns<'a, const K: usize, const STRIDE: usize, const COLUMNS: usize> {
    convolution: Convolution<'a>,
    whole: usize,
    row: usize,
    column: usize,
    y: &'a mut [f32],
    sums: Option<&'a mut [f32]>,
}

impl<const K: usize, const STRIDE: usize, const COLUMNS: usize> Routine for Columns<'_, K, STRIDE, COLUMNS> {
    #[inline(always)]
    fn run<T: Target>(self, target: T) {
        let g = self.convolution.g;
        let left = (self.column * STRIDE) as isize - g.pad_left as isize;
        if left >= 0 && left as usize + (COLUMNS - 1) * STRIDE + K <= g.width {
            self.tile::<T, false>(target, left);
        } else {
            self.tile::<T, true>(target, left);
        }
    }
}

impl<const K: usize, const STRIDE: usize, const COLUMNS: usize> Columns<'_, K, STRIDE, COLUMNS> {
    /// `EDGE`: part of the window lies beyond the picture's left or right edge.
    #[inline(always)]
    fn tile<T: Target, const EDGE: bool>(self, target: T, left: isize) {
        let Self { convolution, whole, row, y, mut sums, .. } = self;
        let Convolution { g, x, kernel, bias, activation, .. } = convolution;
        assert!(convolution.is_consistent() && g.kernel == [K, K] && g.stride == STRIDE);
        assert!(y.len() == COLUMNS * g.channels && sums.as_ref().is_none_or(|sums| sums.len() == g.channels));
        assert!(whole <= g.channels && whole.is_multiple_of(T::LANES));
        let (rows, top) = g.rows_at(row);
        let (first_tap, tap_step) = convolution.taps();

        for at in (0..whole).step_by(T::LANES) {
            // SAFETY: `at + LANES` ≤ `whole` ≤ channels; input rows and columns are those inside the picture, and the
            // lengths of all slices were asserted.
            unsafe {
                let bias = bias.map_or(target.splat(0.0), |bias| target.load(bias.as_ptr().add(at)));
                let mut outputs = [bias; COLUMNS];
                for tap_row in rows.clone() {
                    let tap = kernel.as_ptr().add(first_tap + at).wrapping_offset((tap_row * K) as isize * tap_step);
                    let mut taps = [bias; K];
                    for (i, value) in taps.iter_mut().enumerate() {
                        *value = target.load(tap.wrapping_offset(i as isize * tap_step));
                    }
                    let start = ((top + tap_row as isize) * g.width as isize + left) * g.channels as isize;
                    let input = x.as_ptr().wrapping_offset(start).wrapping_add(at);
                    for i in 0..(COLUMNS - 1) * STRIDE + K {
                        if EDGE && (left + i as isize) as usize >= g.width {
                            continue;
                        }
                        let value = target.load(input.wrapping_add(i * g.channels));
                        for (column, output) in outputs.iter_mut().enumerate() {
                            if i >= column * STRIDE && i - column * STRIDE < K {
                                *output = target.mul_add(value, taps[i - column * STRIDE], *output);
                            }
                        }
                    }
                }
                match_activation!(activation, function => {
                    for output in &mut outputs {
                        *output = function.value(target, *output);
                    }
                });
                for (column, &output) in outputs.iter().enumerate() {
                    target.store(y.as_mut_ptr().add(column * g.channels + at), output);
                }
                if let Some(sums) = &mut sums {
                    let sum = sums.as_mut_ptr().add(at);
                    let mut total = target.load(sum);
                    for &output in &outputs {
                        total = target.add(total, output);
                    }
                    target.store(sum, total);
                }
            }
        }
    }
}
