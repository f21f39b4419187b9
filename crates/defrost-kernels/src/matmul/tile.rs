//! The register tile: a few rows of A times a panel of B, with the epilogue.

use super::PANEL_VECTORS;
use super::pack::Panel;
use crate::Activation;
use crate::activation::{Function, match_activation};
use crate::simd::{Partial, Routine, Simd, Target};

/// Where a tile's result goes, and by which way.
pub(super) struct Output<'a> {
    /// C from the tile's first element on.
    pub(super) c: &'a mut [f32],
    /// Distance between C's rows, and the residual's.
    pub(super) stride: usize,
    /// From the tile's first column on.
    pub(super) bias: Option<&'a [f32]>,
    /// Whether to add to what C holds, in place of the bias.
    pub(super) add: bool,
    pub(super) activation: Activation,
    /// From the tile's first element on.
    pub(super) residual: Option<&'a [f32]>,
}

/// Computes a tile of `rows` ≤ [`Target::TILE_ROWS`] rows; `a` starts at its first element.
#[inline(always)]
pub(super) fn call_tile<T: Target>(
    target: T,
    rows: usize,
    a: &[f32],
    strides: [usize; 2],
    b: Panel<'_>,
    output: Output<'_>,
) {
    let vectors = b.width.div_ceil(T::LANES);
    macro_rules! tiles {
        ($($rows:literal)*) => {
            match (rows, vectors) {
                $(
                    ($rows, 1) if $rows <= T::TILE_ROWS => target.call(Tile::<$rows, 1> { a, strides, b, output }),
                    ($rows, 2) if $rows <= T::TILE_ROWS => target.call(Tile::<$rows, 2> { a, strides, b, output }),
                )*
                _ => unreachable!("a tile has 1 to {} rows and 1 to {PANEL_VECTORS} vectors", T::TILE_ROWS),
            }
        };
    }
    tiles!(1 2 3 4 5 6 7 8 9 10 11 12);
}

struct Tile<'a, const ROWS: usize, const VECTORS: usize> {
    a: &'a [f32],
    strides: [usize; 2],
    b: Panel<'a>,
    output: Output<'a>,
}

impl<const ROWS: usize, const VECTORS: usize> Routine for Tile<'_, ROWS, VECTORS> {
    #[inline(always)]
    fn run<T: Target>(self, target: T) {
        let [row_stride, col_stride] = self.strides;
        let Panel { data: b, depth, width, .. } = self.b;
        let Output { c, stride, bias, add, activation, residual } = self.output;
        let end = (ROWS - 1) * stride + width;
        assert!(depth == 0 || (ROWS - 1) * row_stride + (depth - 1) * col_stride < self.a.len());
        assert!(
            b.len() == depth * VECTORS * T::LANES && width > (VECTORS - 1) * T::LANES && width <= VECTORS * T::LANES
        );
        assert!(width <= ZEROS.len());
        assert!(c.len() >= end && residual.is_none_or(|r| r.len() >= end) && bias.is_none_or(|b| b.len() >= width));

        let mut sums = [[target.splat(0.0); VECTORS]; ROWS];
        let (mut a, mut b) = (self.a.as_ptr(), b.as_ptr());
        for _ in 0..depth {
            // SAFETY: A and B hold `depth` steps of these strides, asserted above; the pointers are not read after the last.
            unsafe {
                let mut columns = [target.splat(0.0); VECTORS];
                for (j, column) in columns.iter_mut().enumerate() {
                    *column = target.load(b.add(j * T::LANES));
                }
                for (i, sums) in sums.iter_mut().enumerate() {
                    let element = target.splat(*a.add(i * row_stride));
                    for j in 0..VECTORS {
                        sums[j] = target.mul_add(element, columns[j], sums[j]);
                    }
                }
                a = a.wrapping_add(col_stride);
                b = b.add(VECTORS * T::LANES);
            }
        }

        // What is not there is a row of zeros: no branches, and the sums stay in registers.
        let seed = match bias {
            _ if add => (c.as_ptr(), stride),
            Some(bias) => (bias.as_ptr(), 0),
            None => (ZEROS.as_ptr(), 0),
        };
        let residual = residual.map_or((ZEROS.as_ptr(), 0), |residual| (residual.as_ptr(), stride));
        let c = c.as_mut_ptr();
        let last = Partial::new(target, width - (VECTORS - 1) * T::LANES);
        match_activation!(activation, function => {
            for (i, sums) in sums.iter().enumerate() {
                for (j, &sum) in sums.iter().enumerate() {
                    let column = j * T::LANES;
                    // SAFETY: the vector lies within C, the residual, the bias and the zeros, asserted above.
                    unsafe {
                        let seed = seed.0.add(i * seed.1 + column);
                        let residual = residual.0.add(i * residual.1 + column);
                        let to = c.add(i * stride + column);
                        if j + 1 < VECTORS {
                            finish(target, function, sum, seed, residual, to);
                        } else {
                            finish(last, function, sum, seed, residual, to);
                        }
                    }
                }
            }
        });
    }
}

/// As many as the widest panel has.
static ZEROS: [f32; 32] = [0.0; 32];

/// Stores `f(sum + seed) + residual`.
///
/// # Safety
///
/// The pointers must be valid for as many floats as `s` loads and stores.
#[inline(always)]
unsafe fn finish<S: Simd>(
    s: S,
    function: impl Function,
    sum: S::Vector,
    seed: *const f32,
    residual: *const f32,
    to: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let value = function.value(s, s.add(sum, s.load(seed)));
        s.store(to, s.add(value, s.load(residual)));
    }
}
