//! NEON: 4 lanes, 32 registers; every AArch64 processor has it.

use super::{Routine, Simd, Target};
use std::arch::aarch64::*;

#[derive(Clone, Copy)]
pub(crate) struct Neon;

// SAFETY (of every block below): NEON is part of the AArch64 base architecture; pointers are the caller's promise.
impl Simd for Neon {
    type Vector = float32x4_t;
    const LANES: usize = 4;

    #[inline(always)]
    fn splat(self, value: f32) -> float32x4_t {
        // SAFETY: see above.
        unsafe { vdupq_n_f32(value) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> float32x4_t {
        // SAFETY: see above.
        unsafe { vld1q_f32(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: float32x4_t) {
        // SAFETY: see above.
        unsafe { vst1q_f32(to, value) }
    }
    #[inline(always)]
    fn add(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: see above.
        unsafe { vaddq_f32(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: see above.
        unsafe { vsubq_f32(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: see above.
        unsafe { vmulq_f32(a, b) }
    }
    #[inline(always)]
    fn mul_add(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        // SAFETY: see above.
        unsafe { vfmaq_f32(c, a, b) }
    }
    #[inline(always)]
    fn min(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: see above.
        unsafe { vminq_f32(a, b) }
    }
    #[inline(always)]
    fn max(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: see above.
        unsafe { vmaxq_f32(a, b) }
    }
    #[inline(always)]
    fn round(self, a: float32x4_t) -> float32x4_t {
        // SAFETY: see above.
        unsafe { vrndnq_f32(a) }
    }
    #[inline(always)]
    fn scale(self, a: float32x4_t, exponent: float32x4_t) -> float32x4_t {
        // SAFETY: see above.
        unsafe {
            let biased = vaddq_s32(vcvtq_s32_f32(exponent), vdupq_n_s32(127));
            vmulq_f32(a, vreinterpretq_f32_s32(vshlq_n_s32::<23>(biased)))
        }
    }
    #[inline(always)]
    fn reciprocal(self, a: float32x4_t) -> float32x4_t {
        // SAFETY: see above.
        unsafe { vdivq_f32(vdupq_n_f32(1.0), a) }
    }
    #[inline(always)]
    fn select_greater(self, a: float32x4_t, b: float32x4_t, yes: float32x4_t, no: float32x4_t) -> float32x4_t {
        // SAFETY: see above.
        unsafe { vbslq_f32(vcgtq_f32(a, b), yes, no) }
    }

    #[inline(always)]
    fn halves(self, pairs: float32x4_t) -> [float32x4_t; 2] {
        // SAFETY: see above.
        unsafe {
            let pairs = vreinterpretq_u32_f32(pairs);
            let upper = vandq_u32(pairs, vdupq_n_u32(0xffff_0000));
            [vreinterpretq_f32_u32(vshlq_n_u32::<16>(pairs)), vreinterpretq_f32_u32(upper)]
        }
    }
}

impl Target for Neon {
    const TILE_ROWS: usize = 12;

    #[inline(always)]
    unsafe fn load_first(self, from: *const f32, count: usize) -> float32x4_t {
        if count == Self::LANES {
            // SAFETY: the caller vouches for `count` floats.
            return unsafe { self.load(from) };
        }
        let mut lanes = [0.0; 4];
        for (lane, value) in lanes.iter_mut().enumerate().take(count) {
            // SAFETY: the caller vouches for `count` floats.
            *value = unsafe { *from.add(lane) };
        }
        // SAFETY: `lanes` holds four floats.
        unsafe { vld1q_f32(lanes.as_ptr()) }
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, value: float32x4_t, count: usize) {
        if count == Self::LANES {
            // SAFETY: the caller vouches for `count` floats.
            return unsafe { self.store(to, value) };
        }
        let mut lanes = [0.0; 4];
        // SAFETY: `lanes` holds four floats.
        unsafe { vst1q_f32(lanes.as_mut_ptr(), value) };
        for (lane, &value) in lanes.iter().enumerate().take(count) {
            // SAFETY: the caller vouches for `count` floats.
            unsafe { *to.add(lane) = value };
        }
    }
    #[inline(always)]
    fn call<R: Routine>(self, routine: R) {
        #[inline(never)]
        fn compiled<R: Routine>(target: Neon, routine: R) {
            routine.run(target);
        }
        compiled(self, routine);
    }
}
