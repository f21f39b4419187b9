//! AVX2 with FMA: 8 lanes, 16 registers.

use super::{Routine, Simd, Target};
use std::arch::x86_64::*;

#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(crate) fn detected() -> bool {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
    }

    /// # Safety
    ///
    /// [`Self::detected`] must have returned true.
    pub(crate) unsafe fn assume() -> Self {
        Self(())
    }
}

// SAFETY (of every block below): an `Avx2` exists only where the features were detected; pointers are the caller's promise.
impl Simd for Avx2 {
    type Vector = __m256;
    const LANES: usize = 8;

    #[inline(always)]
    fn splat(self, value: f32) -> __m256 {
        // SAFETY: see above.
        unsafe { _mm256_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        // SAFETY: see above.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: __m256) {
        // SAFETY: see above.
        unsafe { _mm256_storeu_ps(to, value) }
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: see above.
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: see above.
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: see above.
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: see above.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: see above.
        unsafe { _mm256_min_ps(a, b) }
    }
    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: see above.
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    fn round(self, a: __m256) -> __m256 {
        // SAFETY: see above.
        unsafe { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    fn scale(self, a: __m256, exponent: __m256) -> __m256 {
        // SAFETY: see above.
        unsafe {
            let biased = _mm256_add_epi32(_mm256_cvtps_epi32(exponent), _mm256_set1_epi32(127));
            _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased)))
        }
    }
    #[inline(always)]
    fn reciprocal(self, a: __m256) -> __m256 {
        // The estimate has only 12 bits here, and the division is as fast as the two Newton steps that it would need.
        // SAFETY: see above.
        unsafe { _mm256_div_ps(_mm256_set1_ps(1.0), a) }
    }
    #[inline(always)]
    fn select_greater(self, a: __m256, b: __m256, yes: __m256, no: __m256) -> __m256 {
        // SAFETY: see above.
        unsafe { _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b)) }
    }

    #[inline(always)]
    fn halves(self, pairs: __m256) -> [__m256; 2] {
        // SAFETY: see above.
        unsafe {
            let pairs = _mm256_castps_si256(pairs);
            let upper = _mm256_and_si256(pairs, _mm256_set1_epi32(-65536));
            [_mm256_castsi256_ps(_mm256_slli_epi32::<16>(pairs)), _mm256_castsi256_ps(upper)]
        }
    }

    #[inline(always)]
    fn prefetch(self, at: *const f32) {
        // SAFETY: see above; a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
}

impl Target for Avx2 {
    const TILE_ROWS: usize = 6;

    #[inline(always)]
    unsafe fn load_first(self, from: *const f32, count: usize) -> __m256 {
        // SAFETY: see above; a masked load touches only the lanes of its mask.
        unsafe { _mm256_maskload_ps(from, first(count)) }
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, value: __m256, count: usize) {
        // SAFETY: see above; a masked store touches only the lanes of its mask. It is slow on some processors.
        unsafe {
            if count == Self::LANES {
                _mm256_storeu_ps(to, value);
            } else {
                _mm256_maskstore_ps(to, first(count), value);
            }
        }
    }
    #[inline(always)]
    fn call<R: Routine>(self, routine: R) {
        #[target_feature(enable = "avx2,fma")]
        #[inline(never)]
        fn compiled<R: Routine>(target: Avx2, routine: R) {
            routine.run(target);
        }
        // SAFETY: see above.
        unsafe { compiled(self, routine) }
    }
}

#[inline(always)]
fn first(count: usize) -> __m256i {
    // SAFETY: called with an `Avx2` at hand only.
    unsafe { _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)) }
}
