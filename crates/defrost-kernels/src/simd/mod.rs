//! One vocabulary of vector operations, implemented once for each instruction set.
//!
//! Invariant: a value that implements [`Simd`] for an instruction set is proof that this processor has it. The values are
//! made in one place, [`Kernels::call`](crate::Kernels), from an [`Isa`](crate::Isa) that was detected. That is what makes
//! the arithmetic methods safe; only loads and stores, which take pointers, are not.
//!
//! A kernel is a [`Routine`]: a struct of slices with a generic, always inlined `run`. [`Target::call`] instantiates it
//! inside a function that is compiled for the instruction set.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

#[cfg(target_arch = "x86_64")]
use amx::Amx;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
#[cfg(target_arch = "aarch64")]
pub(crate) use neon::Neon;
pub(crate) use portable::Portable;

use crate::matmul::MatrixUnit;

/// The processor's matrix unit, where it has one and the system lets this process use it.
#[cfg(target_arch = "x86_64")]
pub(crate) fn matrix_unit() -> Option<impl MatrixUnit> {
    Amx::detect()
}

/// Whether Intel made this processor.
pub(crate) fn is_intel() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        let vendor = std::arch::x86_64::__cpuid(0);
        [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes).concat() == b"GenuineIntel"
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// No such unit is known for this architecture.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn matrix_unit() -> Option<impl MatrixUnit> {
    None::<NoUnit>
}

#[cfg(not(target_arch = "x86_64"))]
#[derive(Clone, Copy)]
enum NoUnit {}

#[cfg(not(target_arch = "x86_64"))]
impl MatrixUnit for NoUnit {
    fn begin(self) {
        match self {}
    }
    unsafe fn block(self, _: *const f32, _: usize, _: *const f32, _: usize, _: *mut f32) {
        match self {}
    }
    fn end(self) {
        match self {}
    }
}

/// Lane-wise arithmetic on vectors of `LANES` floats.
pub(crate) trait Simd: Copy {
    type Vector: Copy;
    const LANES: usize;

    fn splat(self, value: f32) -> Self::Vector;

    /// # Safety
    ///
    /// `from` must be valid for reading as many floats as this value loads: `LANES`, or a [`Partial`]'s count.
    unsafe fn load(self, from: *const f32) -> Self::Vector;

    /// # Safety
    ///
    /// `to` must be valid for writing as many floats as this value stores: `LANES`, or a [`Partial`]'s count.
    unsafe fn store(self, to: *mut f32, value: Self::Vector);

    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a * b + c`, in one rounding where the instruction set can.
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// The smaller; `b` where it is NaN.
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The greater; `b` where it is NaN.
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The nearest integer.
    fn round(self, a: Self::Vector) -> Self::Vector;
    /// `a * 2^exponent` for whole exponents in −126 ..= 127.
    fn scale(self, a: Self::Vector, exponent: Self::Vector) -> Self::Vector;
    /// `1 / a` to within 2 units in the last place, for `a` in 1 ..= 2^126.
    fn reciprocal(self, a: Self::Vector) -> Self::Vector;
    /// `yes` where `a > b`, else `no` (also where either is NaN).
    fn select_greater(self, a: Self::Vector, b: Self::Vector, yes: Self::Vector, no: Self::Vector) -> Self::Vector;

    /// `exp(−a)` to about `2e-7 + 1.3e-8 · |a|` of its value, for |a| ≤ 87; NaN stays NaN.
    #[inline(always)]
    fn exp_negated(self, a: Self::Vector) -> Self::Vector {
        exp_negated_by_polynomial(self, a)
    }

    /// Lanes that hold two bf16 numbers each as two vectors of floats: the lower halves, the upper halves.
    fn halves(self, pairs: Self::Vector) -> [Self::Vector; 2];

    /// `c + Σ a · b` over the two bf16 numbers of each lane of `a` and `b`, in single precision.
    #[inline(always)]
    fn dot_pairs(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        let ([a_low, a_high], [b_low, b_high]) = (self.halves(a), self.halves(b));
        self.mul_add(a_low, b_low, self.mul_add(a_high, b_high, c))
    }

    /// Asks for the cache line at `at`, which need not be readable, to be brought near.
    #[inline(always)]
    fn prefetch(self, at: *const f32) {
        let _ = at;
    }
}

/// `exp(−a) = 2^r · exp(g)` with `r = round(−a / ln 2)` and `|g| ≤ ln 2 / 2`.
///
/// The two parts of ln 2 keep `g` exact where `r` is large. The polynomial is the fifth-degree minimax approximation of
/// relative error 9e-8 with the constant fixed at 1.
#[inline(always)]
fn exp_negated_by_polynomial<S: Simd>(s: S, a: S::Vector) -> S::Vector {
    const LN_2_HIGH: f32 = 0.693_359_4; // 355 / 512, so r · LN_2_HIGH is exact
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let r = s.round(s.mul(a, s.splat(-std::f32::consts::LOG2_E)));
    // g = −a − r · ln 2, kept as −g, which the odd coefficients' signs undo
    let minus_g = s.mul_add(r, s.splat(LN_2_LOW), s.mul_add(r, s.splat(LN_2_HIGH), a));
    let mut p = s.splat(-0.008_290_306);
    for coefficient in [0.041_897_975, -0.166_676_37, 0.499_991_5, -0.999_999_7, 1.0] {
        p = s.mul_add(p, minus_g, s.splat(coefficient));
    }
    s.scale(p, r)
}

/// A whole instruction set: full vectors, part vectors, and functions compiled for it.
pub(crate) trait Target: Simd {
    /// Rows of the matrix product's register tile; its width is [`PANEL_VECTORS`](crate::matmul::PANEL_VECTORS) vectors.
    const TILE_ROWS: usize;

    /// Loads `count` ≤ `LANES` floats; the other lanes are zero.
    ///
    /// # Safety
    ///
    /// `from` must be valid for reading `count` floats.
    unsafe fn load_first(self, from: *const f32, count: usize) -> Self::Vector;

    /// Stores the first `count` ≤ `LANES` lanes.
    ///
    /// # Safety
    ///
    /// `to` must be valid for writing `count` floats.
    unsafe fn store_first(self, to: *mut f32, value: Self::Vector, count: usize);

    /// Runs `routine` in a function of its own that is compiled for this instruction set.
    fn call<R: Routine>(self, routine: R);
}

/// A kernel: what it works on, as a struct, and the code, generic over the instruction set.
///
/// `run` must be `#[inline(always)]`, and so must everything it calls with vectors, or the code is compiled without the
/// instruction set.
pub(crate) trait Routine {
    fn run<T: Target>(self, target: T);
}

/// An instruction set that loads and stores only the first `count` lanes: the same kernel then does the tail.
#[derive(Clone, Copy)]
pub(crate) struct Partial<T> {
    target: T,
    count: usize,
}

impl<T: Target> Partial<T> {
    #[inline(always)]
    pub(crate) fn new(target: T, count: usize) -> Self {
        debug_assert!(count <= T::LANES);
        Self { target, count }
    }
}

impl<T: Target> Simd for Partial<T> {
    type Vector = T::Vector;
    const LANES: usize = T::LANES;

    #[inline(always)]
    fn splat(self, value: f32) -> T::Vector {
        self.target.splat(value)
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> T::Vector {
        // SAFETY: the caller vouches for `count` floats.
        unsafe { self.target.load_first(from, self.count) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: T::Vector) {
        // SAFETY: the caller vouches for `count` floats.
        unsafe { self.target.store_first(to, value, self.count) }
    }
    #[inline(always)]
    fn add(self, a: T::Vector, b: T::Vector) -> T::Vector {
        self.target.add(a, b)
    }
    #[inline(always)]
    fn sub(self, a: T::Vector, b: T::Vector) -> T::Vector {
        self.target.sub(a, b)
    }
    #[inline(always)]
    fn mul(self, a: T::Vector, b: T::Vector) -> T::Vector {
        self.target.mul(a, b)
    }
    #[inline(always)]
    fn mul_add(self, a: T::Vector, b: T::Vector, c: T::Vector) -> T::Vector {
        self.target.mul_add(a, b, c)
    }
    #[inline(always)]
    fn min(self, a: T::Vector, b: T::Vector) -> T::Vector {
        self.target.min(a, b)
    }
    #[inline(always)]
    fn max(self, a: T::Vector, b: T::Vector) -> T::Vector {
        self.target.max(a, b)
    }
    #[inline(always)]
    fn round(self, a: T::Vector) -> T::Vector {
        self.target.round(a)
    }
    #[inline(always)]
    fn scale(self, a: T::Vector, exponent: T::Vector) -> T::Vector {
        self.target.scale(a, exponent)
    }
    #[inline(always)]
    fn reciprocal(self, a: T::Vector) -> T::Vector {
        self.target.reciprocal(a)
    }
    #[inline(always)]
    fn select_greater(self, a: T::Vector, b: T::Vector, yes: T::Vector, no: T::Vector) -> T::Vector {
        self.target.select_greater(a, b, yes, no)
    }
    #[inline(always)]
    fn exp_negated(self, a: T::Vector) -> T::Vector {
        self.target.exp_negated(a)
    }
    #[inline(always)]
    fn halves(self, pairs: T::Vector) -> [T::Vector; 2] {
        self.target.halves(pairs)
    }
    #[inline(always)]
    fn dot_pairs(self, a: T::Vector, b: T::Vector, c: T::Vector) -> T::Vector {
        self.target.dot_pairs(a, b, c)
    }
    #[inline(always)]
    fn prefetch(self, at: *const f32) {
        self.target.prefetch(at);
    }
}

/// One vector's worth of work at an offset: the body of a loop over contiguous floats.
pub(crate) trait Step {
    /// # Safety
    ///
    /// As many floats as `simd` loads must exist from `at` on in everything that the step reads or writes there.
    unsafe fn step<S: Simd>(&mut self, simd: S, at: usize);
}

/// Takes `step` over `0..len` in whole vectors and at most one part vector.
///
/// # Safety
///
/// `step` must be sound for every whole or part vector within `0..len`.
#[inline(always)]
pub(crate) unsafe fn sweep<T: Target>(target: T, len: usize, step: &mut impl Step) {
    let mut at = 0;
    while at + T::LANES <= len {
        // SAFETY: `LANES` floats lie within `0..len`, for which the caller vouches.
        unsafe { step.step(target, at) };
        at += T::LANES;
    }
    if at < len {
        // SAFETY: the part vector ends at `len`.
        unsafe { step.step(Partial::new(target, len - at), at) };
    }
}
