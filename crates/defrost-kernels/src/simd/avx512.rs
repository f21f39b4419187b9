//! AVX-512: 16 lanes, 32 registers, masked loads and stores.

use super::{Routine, Simd, Target};
use std::arch::x86_64::*;

/// With `BF16`, the processor also multiplies bf16 numbers (AVX512-BF16).
#[derive(Clone, Copy)]
pub(crate) struct Avx512<const BF16: bool>(());

impl<const BF16: bool> Avx512<BF16> {
    pub(crate) fn detected() -> bool {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("fma")
            && (!BF16 || is_x86_feature_detected!("avx512bf16"))
    }

    /// # Safety
    ///
    /// [`Self::detected`] must have returned true.
    pub(crate) unsafe fn assume() -> Self {
        Self(())
    }
}

// SAFETY (of every block below): an `Avx512` exists only where the features were detected; pointers are the caller's promise.
impl<const BF16: bool> Simd for Avx512<BF16> {
    type Vector = __m512;
    const LANES: usize = 16;

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: __m512) {
        // SAFETY: see above.
        unsafe { _mm512_storeu_ps(to, value) }
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    fn round(self, a: __m512) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    fn scale(self, a: __m512, exponent: __m512) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_scalef_ps(a, exponent) }
    }
    #[inline(always)]
    fn reciprocal(self, a: __m512) -> __m512 {
        // The estimate is good to 14 bits; one Newton step doubles that. A division would take twice the time.
        // SAFETY: see above.
        unsafe {
            let estimate = _mm512_rcp14_ps(a);
            _mm512_mul_ps(estimate, _mm512_fnmadd_ps(a, estimate, _mm512_set1_ps(2.0)))
        }
    }
    #[inline(always)]
    fn select_greater(self, a: __m512, b: __m512, yes: __m512, no: __m512) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), no, yes) }
    }

    /// `exp(−a) = 2^(k/32) · 2^g` with `k = round(−32 · a / ln 2)` and `|g| ≤ 1/64`: a table of 32 powers in two registers takes
    /// the place of half the polynomial. 2^g is the second-degree minimax approximation of relative error 5e-8.
    #[inline(always)]
    fn exp_negated(self, a: __m512) -> __m512 {
        // Added to a number below 2^17, it rounds to multiples of 1/32 and leaves k in the low bits.
        const ROUNDER: f32 = 1.5 * (1u32 << 18) as f32;
        // SAFETY: see above.
        unsafe {
            let (factor, rounder) = (_mm512_set1_ps(-std::f32::consts::LOG2_E), _mm512_set1_ps(ROUNDER));
            let rounded = _mm512_fmadd_ps(a, factor, rounder);
            let g = _mm512_fmsub_ps(a, factor, _mm512_sub_ps(rounded, rounder));
            let k = _mm512_castps_si512(rounded);
            let [low, high] = [0, 16].map(|at| _mm512_loadu_si512(POWERS.as_ptr().wrapping_add(at).cast()));
            let fraction = _mm512_permutex2var_epi32(low, k, high);
            // The upper bits of k go to the exponent; what its lower five add is taken off in the table.
            let power = _mm512_castsi512_ps(_mm512_add_epi32(fraction, _mm512_slli_epi32::<18>(k)));
            let p = _mm512_fmadd_ps(g, _mm512_set1_ps(0.240_226_85), _mm512_set1_ps(0.693_157_4));
            _mm512_fmadd_ps(_mm512_mul_ps(power, g), p, power)
        }
    }

    #[inline(always)]
    fn halves(self, pairs: __m512) -> [__m512; 2] {
        // SAFETY: see above.
        unsafe {
            let pairs = _mm512_castps_si512(pairs);
            let upper = _mm512_and_si512(pairs, _mm512_set1_epi32(-65536));
            [_mm512_slli_epi32::<16>(pairs), upper].map(|half| _mm512_castsi512_ps(half))
        }
    }

    #[inline(always)]
    fn dot_pairs(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: see above; vectors of 64 bytes all.
        unsafe {
            if BF16 {
                _mm512_dpbf16_ps(
                    c,
                    std::mem::transmute::<__m512, __m512bh>(a),
                    std::mem::transmute::<__m512, __m512bh>(b),
                )
            } else {
                let ([a_low, a_high], [b_low, b_high]) = (self.halves(a), self.halves(b));
                _mm512_fmadd_ps(a_low, b_low, _mm512_fmadd_ps(a_high, b_high, c))
            }
        }
    }

    #[inline(always)]
    fn prefetch(self, at: *const f32) {
        // SAFETY: see above; a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
}

impl<const BF16: bool> Target for Avx512<BF16> {
    const TILE_ROWS: usize = 12;

    #[inline(always)]
    unsafe fn load_first(self, from: *const f32, count: usize) -> __m512 {
        // SAFETY: see above; a masked load touches only the lanes of its mask.
        unsafe { _mm512_maskz_loadu_ps(first(count), from) }
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, value: __m512, count: usize) {
        // SAFETY: see above; a masked store touches only the lanes of its mask.
        unsafe { _mm512_mask_storeu_ps(to, first(count), value) }
    }
    #[inline(always)]
    fn call<R: Routine>(self, routine: R) {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
        #[inline(never)]
        fn compiled<R: Routine>(target: Avx512<false>, routine: R) {
            routine.run(target);
        }
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")]
        #[inline(never)]
        fn compiled_with_bf16<R: Routine>(target: Avx512<true>, routine: R) {
            routine.run(target);
        }
        // SAFETY: see above.
        unsafe {
            if BF16 {
                compiled_with_bf16(Avx512(()), routine);
            } else {
                compiled(Avx512(()), routine);
            }
        }
    }
}

/// The bits of `2^(j/32)`, less `j · 2^18`.
#[rustfmt::skip]
static POWERS: [u32; 32] = [
    0x3f80_0000, 0x3f7e_cd87, 0x3f7d_aac3, 0x3f7c_980f, 0x3f7b_95c2, 0x3f7a_a43a, 0x3f79_c3d3, 0x3f78_f4f0,
    0x3f78_37f0, 0x3f77_8d3a, 0x3f76_f532, 0x3f76_7043, 0x3f75_fed7, 0x3f75_a15b, 0x3f75_583f, 0x3f75_23f6,
    0x3f75_04f3, 0x3f74_fbaf, 0x3f75_08a4, 0x3f75_2c4d, 0x3f75_672a, 0x3f75_b9be, 0x3f76_248c, 0x3f76_a81e,
    0x3f77_44fd, 0x3f77_fbb8, 0x3f78_ccdf, 0x3f79_b907, 0x3f7a_c0c7, 0x3f7b_e4ba, 0x3f7d_257d, 0x3f7e_83b3,
];

#[inline(always)]
fn first(count: usize) -> __mmask16 {
    ((1u32 << count) - 1) as __mmask16
}
