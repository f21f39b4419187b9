//! The register tile: a few rows of A times a panel of B.
//!
//! The loops over the tile's rows and vectors have constant bounds and short bodies, so that compilers unroll them and keep
//! the sums in registers. That is why the activation is not here.

use std::marker::PhantomData;

use super::PANEL_VECTORS;
use super::pack::Panel;
use crate::simd::{Partial, Routine, Simd, Target};

/// What the product is added to.
#[derive(Clone, Copy)]
pub(super) enum Seed<'a> {
    /// The bias, from the tile's first column on.
    Bias(&'a [f32]),
    /// What C holds.
    Output,
    Zero,
}

/// Where a tile's result goes.
pub(super) struct Output<'a> {
    /// C from the tile's first element on.
    pub(super) c: &'a mut [f32],
    /// Distance between C's rows.
    pub(super) stride: usize,
    pub(super) seed: Seed<'a>,
}

/// How the numbers in a lane are multiplied and added up.
pub(super) trait Multiply {
    fn multiply_add<S: Simd>(simd: S, a: S::Vector, b: S::Vector, sum: S::Vector) -> S::Vector;
}

/// One single-precision number in a lane.
pub(super) struct Singles;

impl Multiply for Singles {
    #[inline(always)]
    fn multiply_add<S: Simd>(simd: S, a: S::Vector, b: S::Vector, sum: S::Vector) -> S::Vector {
        simd.mul_add(a, b, sum)
    }
}

/// Two bf16 numbers in a lane.
pub(super) struct Bf16Pairs;

impl Multiply for Bf16Pairs {
    #[inline(always)]
    fn multiply_add<S: Simd>(simd: S, a: S::Vector, b: S::Vector, sum: S::Vector) -> S::Vector {
        simd.dot_pairs(a, b, sum)
    }
}

/// Where A's elements lie: a row is `segments` stretches of `segment_len` elements.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub(super) row_stride: usize,
    pub(super) col_stride: usize,
    pub(super) segments: usize,
    pub(super) segment_len: usize,
    pub(super) segment_stride: usize,
}

/// Computes a tile of `rows` ≤ [`Target::TILE_ROWS`] rows; `a` starts at its first element.
#[inline(always)]
pub(super) fn call_tile<T: Target, M: Multiply>(
    target: T,
    rows: usize,
    a: &[f32],
    layout: Layout,
    b: Panel<'_>,
    output: Output<'_>,
) {
    let vectors = b.width.div_ceil(T::LANES);
    macro_rules! tiles {
        ($($rows:literal)*) => {
            match (rows, vectors) {
                $(
                    ($rows, 1) if $rows <= T::TILE_ROWS => target.call(Tile::<$rows, 1, M> { a, layout, b, output, multiply: PhantomData }),
                    ($rows, 2) if $rows <= T::TILE_ROWS => target.call(Tile::<$rows, 2, M> { a, layout, b, output, multiply: PhantomData }),
                )*
                _ => unreachable!("a tile has 1 to {} rows and 1 to {PANEL_VECTORS} vectors", T::TILE_ROWS),
            }
        };
    }
    tiles!(1 2 3 4 5 6 7 8 9 10 11 12);
}

struct Tile<'a, const ROWS: usize, const VECTORS: usize, M> {
    a: &'a [f32],
    layout: Layout,
    b: Panel<'a>,
    output: Output<'a>,
    multiply: PhantomData<M>,
}

impl<const ROWS: usize, const VECTORS: usize, M: Multiply> Routine for Tile<'_, ROWS, VECTORS, M> {
    #[inline(always)]
    fn run<T: Target>(self, target: T) {
        let Layout { row_stride, col_stride, segments, segment_len, segment_stride } = self.layout;
        let Panel { data: b, depth, width, next, .. } = self.b;
        let Output { c, stride, seed } = self.output;
        assert!(width > (VECTORS - 1) * T::LANES && width <= VECTORS * T::LANES && width <= ZEROS.len());
        assert!(segments * segment_len == depth);
        assert!(
            depth == 0
                || (ROWS - 1) * row_stride + (segments - 1) * segment_stride + (segment_len - 1) * col_stride
                    < self.a.len()
        );
        assert!(b.len() == depth * VECTORS * T::LANES && c.len() >= (ROWS - 1) * stride + width);

        // C is needed at the end; it has the whole loop's time to come.
        for i in 0..ROWS {
            for j in 0..VECTORS * T::LANES / LINE {
                target.prefetch(c.as_ptr().wrapping_add(i * stride + j * LINE));
            }
        }
        let mut sums = [[target.splat(0.0); VECTORS]; ROWS];
        let (mut b, mut next) = (b.as_ptr(), next);
        for segment in 0..segments {
            let mut a = self.a.as_ptr().wrapping_add(segment * segment_stride);
            for _ in 0..segment_len {
                // SAFETY: A and B hold `depth` steps of these strides, asserted above; the pointers are not read after the last.
                unsafe {
                    let mut columns = [target.splat(0.0); VECTORS];
                    for (j, column) in columns.iter_mut().enumerate() {
                        *column = target.load(b.add(j * T::LANES));
                    }
                    for (i, sums) in sums.iter_mut().enumerate() {
                        let element = target.splat(*a.add(i * row_stride));
                        for j in 0..VECTORS {
                            sums[j] = M::multiply_add(target, element, columns[j], sums[j]);
                        }
                    }
                    target.prefetch(next);
                    next = next.wrapping_add(LINE);
                    a = a.wrapping_add(col_stride);
                    b = b.add(VECTORS * T::LANES);
                }
            }
        }

        // The seed is a matrix, too, whose rows may all be the same one; so there are no branches among the stores.
        let (seed, seed_stride) = match seed {
            Seed::Bias(bias) => (&bias[..width], 0),
            Seed::Output => (&*c, stride),
            Seed::Zero => (&ZEROS[..width], 0),
        };
        let (seed, c) = (seed.as_ptr(), c.as_mut_ptr());
        let last = Partial::new(target, width - (VECTORS - 1) * T::LANES);
        for (i, sums) in sums.iter().enumerate() {
            for (j, &sum) in sums.iter().enumerate() {
                let column = j * T::LANES;
                // SAFETY: the vector lies within C and the seed; their lengths were asserted.
                unsafe {
                    let (seed, to) = (seed.add(i * seed_stride + column), c.add(i * stride + column));
                    if j + 1 < VECTORS {
                        target.store(to, target.add(sum, target.load(seed)));
                    } else {
                        last.store(to, last.add(sum, last.load(seed)));
                    }
                }
            }
        }
    }
}

/// Floats of a cache line.
pub(super) const LINE: usize = 16;

/// As many as the widest panel has.
static ZEROS: [f32; 32] = [0.0; 32];
