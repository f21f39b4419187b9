//! The part of the epilogue that comes after the sums: activation and residual, on a tile that was just stored.

use crate::Activation;
use crate::activation::{Function, match_activation};
use crate::simd::{Routine, Simd, Step, Target, sweep};

/// `C = f(C) + residual` on `rows` × `width` elements, rows `stride` apart in both.
#[inline(always)]
pub(super) fn call<T: Target>(
    target: T,
    activation: Activation,
    c: &mut [f32],
    residual: Option<&[f32]>,
    [rows, width]: [usize; 2],
    stride: usize,
) {
    match_activation!(activation, function => target.call(Finish { function, c, residual, rows, width, stride }));
}

struct Finish<'a, F> {
    function: F,
    c: &'a mut [f32],
    residual: Option<&'a [f32]>,
    rows: usize,
    width: usize,
    stride: usize,
}

impl<F: Function> Routine for Finish<'_, F> {
    #[inline(always)]
    fn run<T: Target>(self, target: T) {
        let Self { function, c, residual, rows, width, stride } = self;
        for row in 0..rows {
            let c = &mut c[row * stride..][..width];
            // SAFETY: the steps stay within the rows, whose width the slices have.
            unsafe {
                match residual {
                    None => sweep(target, width, &mut Activate { function, c }),
                    Some(residual) => {
                        let residual = &residual[row * stride..][..width];
                        sweep(target, width, &mut ActivateAndAdd { function, c, residual });
                    }
                }
            }
        }
    }
}

struct Activate<'a, F> {
    function: F,
    c: &'a mut [f32],
}

impl<F: Function> Step for Activate<'_, F> {
    #[inline(always)]
    unsafe fn step<S: Simd>(&mut self, s: S, at: usize) {
        // SAFETY: the caller keeps the vector within the row.
        unsafe {
            let c = self.c.as_mut_ptr().add(at);
            s.store(c, self.function.value(s, s.load(c)));
        }
    }
}

struct ActivateAndAdd<'a, F> {
    function: F,
    c: &'a mut [f32],
    residual: &'a [f32],
}

impl<F: Function> Step for ActivateAndAdd<'_, F> {
    #[inline(always)]
    unsafe fn step<S: Simd>(&mut self, s: S, at: usize) {
        // SAFETY: the caller keeps the vector within both rows.
        unsafe {
            let c = self.c.as_mut_ptr().add(at);
            let residual = s.load(self.residual.as_ptr().add(at));
            s.store(c, s.add(self.function.value(s, s.load(c)), residual));
        }
    }
}
