//! The fast way: several neighbouring outputs of a row in registers, for the kernels and strides that networks use.

use std::ops::Range;

use super::Convolution;
use crate::activation::{Function, match_activation};
use crate::simd::{Routine, Target};

/// Outputs that are computed together at most; 8, a row of the kernel and an input leave two of 16 registers.
pub(super) const COLUMNS: usize = 8;

/// Cuts a row of `outputs` into tiles of even width, at most [`COLUMNS`]; gives each one's first column and width.
pub(super) fn tiles(outputs: usize) -> impl Iterator<Item = (usize, usize)> {
    let tiles = outputs.div_ceil(COLUMNS);
    let start = move |tile: usize| tile * outputs / tiles;
    (0..tiles).map(move |tile| (start(tile), start(tile + 1) - start(tile)))
}

/// Runs `$routine` with `$columns` as a constant.
macro_rules! with_columns {
    ($columns:expr, $constant:ident => $call:expr) => {
        with_columns!(@ $columns, $constant => $call, 1 2 3 4 5 6 7 8)
    };
    (@ $columns:expr, $constant:ident => $call:expr, $($literal:literal)*) => {
        match $columns {
            $($literal => {
                const $constant: usize = $literal;
                $call
            })*
            _ => unreachable!("a tile has 1 to {COLUMNS} columns"),
        }
    };
}
pub(super) use with_columns;

/// Runs `$body` for the inputs of a tile, of which there are `$count`, with `$input` as a constant: compilers don't unroll so long
/// a loop by themselves, and sums that aren't in registers take five times as long.
macro_rules! for_each_input {
    ($count:expr, $input:ident => $body:expr) => {
        for_each_input!(@ $count, $input => $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18)
    };
    (@ $count:expr, $input:ident => $body:expr, $($literal:literal)*) => {
        $(
            if $literal < $count {
                const $input: usize = $literal;
                $body
            }
        )*
    };
}
pub(super) use for_each_input;

/// Convolves all whole vectors of channels; returns how many channels these are.
#[inline(always)]
pub(super) fn convolve<T: Target, const K: usize, const STRIDE: usize>(
    target: T,
    convolution: &Convolution<'_>,
    y: &mut [f32],
    mut sums: Option<&mut [f32]>,
) -> usize {
    let whole = convolution.channels / T::LANES * T::LANES;
    if whole == 0 {
        return 0;
    }
    let together = channels_together(T::LANES, K * convolution.columns.inputs);
    for start in (0..whole).step_by(together) {
        let channels = start..whole.min(start + together);
        for row in 0..convolution.rows.outputs {
            for (column, columns) in tiles(convolution.columns.outputs) {
                let (channels, y, sums) = (channels.clone(), &mut *y, sums.as_deref_mut());
                with_columns!(columns, N => {
                    target.call(Tile::<K, STRIDE, N> { convolution, channels, row, column, y, sums });
                });
            }
        }
    }
    whole
}

/// Channels that are taken through all rows together: `pixels` of them, as many as an output row reads, stay in the first-level
/// cache until the next rows have read them, too.
pub(super) fn channels_together(lanes: usize, pixels: usize) -> usize {
    let vectors = NEAR_BYTES / (pixels * lanes * size_of::<f32>()).max(1);
    vectors.max(LEAST_VECTORS) * lanes
}

/// A part of the first-level cache.
const NEAR_BYTES: usize = 32 << 10;

/// With fewer vectors, what a tile costs besides its arithmetic shows.
const LEAST_VECTORS: usize = 2;

struct Tile<'a, const K: usize, const STRIDE: usize, const COLUMNS: usize> {
    convolution: &'a Convolution<'a>,
    channels: Range<usize>,
    row: usize,
    column: usize,
    y: &'a mut [f32],
    sums: Option<&'a mut [f32]>,
}

impl<const K: usize, const STRIDE: usize, const COLUMNS: usize> Routine for Tile<'_, K, STRIDE, COLUMNS> {
    #[inline(always)]
    fn run<T: Target>(self, target: T) {
        let Self { convolution, channels, row, column, y, mut sums } = self;
        let Convolution { rows, columns, bias, activation, y_strides, .. } = *convolution;
        convolution.assert_consistent(y.len(), sums.as_deref());
        assert!(columns.taps == K && columns.stride == STRIDE);
        assert!(row < rows.outputs && column + COLUMNS <= columns.outputs);
        assert!(channels.end <= convolution.channels && channels.len().is_multiple_of(T::LANES));
        let left = columns.first_input(column);
        let is_inside = left >= 0 && left as usize + (COLUMNS - 1) * STRIDE + K <= columns.inputs;
        let to = y.as_mut_ptr().wrapping_offset(y_strides.at(row, column));

        for at in channels.step_by(T::LANES) {
            // SAFETY: `at + LANES` ≤ `channels.end` ≤ the convolution's channels, and the lengths of all slices were asserted.
            unsafe {
                let bias = bias.map_or(target.splat(0.0), |bias| target.load(bias.as_ptr().add(at)));
                let mut outputs = if is_inside {
                    Self::accumulate::<T, false>(target, convolution, row, left, at, bias)
                } else {
                    Self::accumulate::<T, true>(target, convolution, row, left, at, bias)
                };
                match_activation!(activation, function => {
                    for output in &mut outputs {
                        *output = function.value(target, *output);
                    }
                });
                for (i, &output) in outputs.iter().enumerate() {
                    target.store(to.wrapping_offset(i as isize * y_strides.column).wrapping_add(at), output);
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

impl<const K: usize, const STRIDE: usize, const COLUMNS: usize> Tile<'_, K, STRIDE, COLUMNS> {
    /// The sums for `COLUMNS` outputs at the vector of channels from `at` on, starting from `bias`.
    ///
    /// `EDGE`: part of the window, which starts at input column `left`, is beyond the picture's left or right edge.
    ///
    /// # Safety
    ///
    /// The convolution must be consistent with `K` and `STRIDE`, `row` one of its outputs, `at + LANES` ≤ channels.
    #[inline(always)]
    unsafe fn accumulate<T: Target, const EDGE: bool>(
        target: T,
        convolution: &Convolution<'_>,
        row: usize,
        left: isize,
        at: usize,
        bias: T::Vector,
    ) -> [T::Vector; COLUMNS] {
        let Convolution { channels, rows, columns, x, kernel, kernel_strides, .. } = *convolution;
        let top = rows.first_input(row);
        let mut outputs = [bias; COLUMNS];
        for tap_row in rows.taps_at(row) {
            let tap = kernel.as_ptr().wrapping_offset(kernel_strides.at(tap_row, 0)).wrapping_add(at);
            let mut taps = [bias; K];
            for (i, value) in taps.iter_mut().enumerate() {
                // SAFETY: the tap is one of the kernel's.
                *value = unsafe { target.load(tap.wrapping_offset(i as isize * kernel_strides.column)) };
            }
            let pixel = (top + tap_row as isize) * columns.inputs as isize + left;
            let input = x.as_ptr().wrapping_offset(pixel * channels as isize).wrapping_add(at);
            for_each_input!((COLUMNS - 1) * STRIDE + K, I => if !EDGE || ((left + I as isize) as usize) < columns.inputs {
                // SAFETY: the row is one that the tap meets, and the column is inside, too.
                let value = unsafe { target.load(input.wrapping_add(I * channels)) };
                for (column, output) in outputs.iter_mut().enumerate() {
                    if (column * STRIDE..column * STRIDE + K).contains(&I) {
                        *output = target.mul_add(value, taps[I - column * STRIDE], *output);
                    }
                }
            });
        }
        outputs
    }
}
