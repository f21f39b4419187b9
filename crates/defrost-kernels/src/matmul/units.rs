//! Products of bf16 numbers by a matrix unit: blocks of 32×32 of the result at a time.

use std::ops::Range;

use super::pack::Panel;
use super::{Block, Epilogue, Matrix, Packed, even, finish, round_rows};
use crate::simd::{Routine, Simd, Step, Target, sweep};
use crate::{Activation, Buffer};

/// Pairs of bf16 numbers that the unit takes at once: A and B are padded to a multiple of it.
pub(crate) const TILE_STEP: usize = 16;

/// Rows and columns of a block.
const SIDE: usize = 32;

/// Bytes of A that are rounded together.
const BLOCK_BYTES: usize = 128 * 1024;

/// A unit that multiplies tiles of bf16 numbers.
pub(crate) trait MatrixUnit: Copy {
    /// Prepares this thread for [`block`](Self::block).
    fn begin(self);

    /// `C = A·B` for 32 rows of A and 32 columns of B, in lanes of two bf16 numbers.
    ///
    /// # Safety
    ///
    /// `begin` must have been called. `a` must be valid for 32 rows, `a_stride` lanes apart, of `steps` · [`TILE_STEP`] lanes;
    /// `b` for as many rows of 32 lanes; `c` for writing 32×32 floats. `steps` must be at least 1.
    unsafe fn block(self, a: *const f32, a_stride: usize, b: *const f32, steps: usize, c: *mut f32);

    /// Gives the unit's state up.
    fn end(self);
}

/// The product, on `unit`.
pub(super) struct UnitProduct<'a, U> {
    pub(super) unit: U,
    pub(super) a: Matrix<'a>,
    pub(super) b: &'a Packed,
    pub(super) c: &'a mut [f32],
    pub(super) epilogue: &'a Epilogue<'a>,
    pub(super) rounded: &'a mut Buffer,
}

impl<U: MatrixUnit> Routine for UnitProduct<'_, U> {
    #[inline(always)]
    fn run<T: Target>(self, target: T) {
        let Self { unit, a, b, c, epilogue, rounded } = self;
        let (m, n, depth) = (a.rows, b.cols(), b.depth());
        b.assert_packed_for(T::LANES, true);
        assert!(a.segments.is_none(), "patches are multiplied in single precision");
        assert!(depth.is_multiple_of(TILE_STEP) && depth > 0);
        let most = (BLOCK_BYTES / size_of::<f32>() / depth / SIDE).max(1) * SIDE;
        unit.begin();
        for rows in even(m, most) {
            let len = rows.len().next_multiple_of(SIDE) * depth;
            if rounded.len() < len {
                rounded.resize(len);
            }
            let rounded = &mut rounded[..len];
            round_rows(a, rows.clone(), depth, rounded);
            rounded[rows.len() * depth..].fill(0.0);
            let at = rows.start * n;
            let mut to = Block { c: &mut c[at..], at, epilogue };
            for panel in b.panels(0, depth) {
                for start in (0..rows.len()).step_by(SIDE) {
                    let own = start..rows.len().min(start + SIDE);
                    unit_block(target, unit, &rounded[start * depth..], depth, panel, own, n, &mut to);
                }
            }
        }
        unit.end();
    }
}

/// Computes up to 32 rows of a panel; `a` starts at the first of them.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "an inner loop's body, apart so that it can be read")]
fn unit_block<T: Target, U: MatrixUnit>(
    target: T,
    unit: U,
    a: &[f32],
    depth: usize,
    panel: Panel<'_>,
    rows: Range<usize>,
    n: usize,
    Block { c, at, epilogue }: &mut Block<'_>,
) {
    let mut sums = [0.0; SIDE * SIDE];
    assert!(a.len() >= SIDE * depth && panel.data.len() == depth * SIDE);
    // SAFETY: A and B have these lengths, `depth` is a multiple of the step, `begin` was called.
    unsafe { unit.block(a.as_ptr(), depth, panel.data.as_ptr(), depth / TILE_STEP, sums.as_mut_ptr()) };
    let offset = rows.start * n + panel.column;
    for (row, sums) in sums.chunks_exact(SIDE).take(rows.len()).enumerate() {
        let c = &mut c[offset + row * n..][..panel.width];
        // SAFETY: the steps stay within the panel's width, which all slices have.
        unsafe {
            match epilogue.bias {
                _ if epilogue.accumulate => sweep(target, panel.width, &mut Accumulate { sums, c }),
                Some(bias) => {
                    let bias = &bias[panel.column..][..panel.width];
                    sweep(target, panel.width, &mut AddBias { sums, bias, c });
                }
                None => c.copy_from_slice(&sums[..panel.width]),
            }
        }
    }
    if epilogue.activation != Activation::Linear || epilogue.residual.is_some() {
        let residual = epilogue.residual.map(|residual| &residual[*at + offset..]);
        finish::call(target, epilogue.activation, &mut c[offset..], residual, [rows.len(), panel.width], n);
    }
}

struct AddBias<'a> {
    sums: &'a [f32],
    bias: &'a [f32],
    c: &'a mut [f32],
}

impl Step for AddBias<'_> {
    #[inline(always)]
    unsafe fn step<S: Simd>(&mut self, s: S, at: usize) {
        // SAFETY: the caller keeps the vector within the slices.
        unsafe {
            let sum = s.add(s.load(self.sums.as_ptr().add(at)), s.load(self.bias.as_ptr().add(at)));
            s.store(self.c.as_mut_ptr().add(at), sum);
        }
    }
}

struct Accumulate<'a> {
    sums: &'a [f32],
    c: &'a mut [f32],
}

impl Step for Accumulate<'_> {
    #[inline(always)]
    unsafe fn step<S: Simd>(&mut self, s: S, at: usize) {
        // SAFETY: the caller keeps the vector within the slices.
        unsafe {
            let c = self.c.as_mut_ptr().add(at);
            s.store(c, s.add(s.load(self.sums.as_ptr().add(at)), s.load(c)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matmul::pack::{Padding, Precision, pack};
    use crate::{Activation, Isa, Kernels};

    /// What the unit is defined to do, number by number.
    #[derive(Clone, Copy)]
    struct Emulated;

    impl MatrixUnit for Emulated {
        fn begin(self) {}

        unsafe fn block(self, a: *const f32, a_stride: usize, b: *const f32, steps: usize, c: *mut f32) {
            let halves = |pair: f32| [pair.to_bits() << 16, pair.to_bits() & 0xffff_0000].map(f32::from_bits);
            for i in 0..32 {
                for j in 0..32 {
                    let mut sum = 0.0;
                    for k in 0..steps * TILE_STEP {
                        // SAFETY: the caller vouches for the memory.
                        let (a, b) = unsafe { (*a.add(i * a_stride + k), *b.add(k * 32 + j)) };
                        sum += halves(a).iter().zip(halves(b)).map(|(a, b)| a * b).sum::<f32>();
                    }
                    // SAFETY: as above.
                    unsafe { *c.add(i * 32 + j) = sum };
                }
            }
        }

        fn end(self) {}
    }

    fn numbers(seed: usize, len: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 7919 + seed * 104_729) % 1999) as f32 / 999.0 - 1.0).collect()
    }

    /// The walk over blocks, with an emulated unit, against the vector way.
    #[test]
    fn a_unit_gives_what_vectors_give() {
        let Some(kernels) = Kernels::with(Isa::Avx512).map(|kernels| kernels.without_tiles(false)) else { return };
        for (m, k, n) in [(1, 1, 1), (49, 192, 65), (100, 33, 32), (33, 31, 16), (70, 1152, 40)] {
            let (a, b) = (numbers(1, m * k), numbers(2, k * n));
            let (bias, residual, before) = (numbers(3, n), numbers(4, m * n), numbers(5, m * n));
            let full = Epilogue {
                bias: Some(&bias),
                residual: Some(&residual),
                activation: Activation::Swish,
                accumulate: false,
            };
            for epilogue in [full, Epilogue::default(), Epilogue { accumulate: true, ..Epilogue::default() }] {
                let (a, b) = (Matrix::new(&a, m, k), Matrix::new(&b, k, n));
                let (mut expected, mut got) = (before.clone(), before.clone());
                let packed = kernels.pack_as(b, Precision::Bf16);
                kernels.matmul_with(a, &packed, &mut expected, &epilogue, &mut Buffer::default());
                let mut packed = Packed::default();
                pack(kernels, b, Precision::Bf16, Padding::Blocks, &mut packed);
                let rounded = &mut Buffer::default();
                kernels.call(UnitProduct { unit: Emulated, a, b: &packed, c: &mut got, epilogue: &epilogue, rounded });
                for (got, expected) in got.iter().zip(&expected) {
                    assert!(
                        (got - expected).abs() <= 1e-4 * expected.abs().max(1.0),
                        "{m}×{k}·{n}: {got} for {expected}"
                    );
                }
            }
        }
    }
}
