//! Any processor: arrays of 4 floats, which compilers turn into whatever vectors there are.

use super::{Routine, Simd, Target};

#[derive(Clone, Copy)]
pub(crate) struct Portable;

const LANES: usize = 4;
type Vector = [f32; LANES];

/// Applies an expression to each lane; a closure would not be sure to be inlined.
macro_rules! lanes {
    ($lane:ident => $value:expr) => {{
        let mut out = [0.0; LANES];
        for $lane in 0..LANES {
            out[$lane] = $value;
        }
        out
    }};
}

impl Simd for Portable {
    type Vector = Vector;
    const LANES: usize = LANES;

    #[inline(always)]
    fn splat(self, value: f32) -> Vector {
        [value; LANES]
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> Vector {
        // SAFETY: the caller vouches for `LANES` floats; an array of floats is aligned as a float is.
        unsafe { *from.cast::<Vector>() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: Vector) {
        // SAFETY: the caller vouches for `LANES` floats; an array of floats is aligned as a float is.
        unsafe { *to.cast::<Vector>() = value };
    }
    #[inline(always)]
    fn add(self, a: Vector, b: Vector) -> Vector {
        lanes!(i => a[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, a: Vector, b: Vector) -> Vector {
        lanes!(i => a[i] - b[i])
    }
    #[inline(always)]
    fn mul(self, a: Vector, b: Vector) -> Vector {
        lanes!(i => a[i] * b[i])
    }
    // Two roundings: `f32::mul_add` is a slow library call where there is no such instruction.
    #[inline(always)]
    fn mul_add(self, a: Vector, b: Vector, c: Vector) -> Vector {
        lanes!(i => a[i] * b[i] + c[i])
    }
    #[inline(always)]
    fn min(self, a: Vector, b: Vector) -> Vector {
        lanes!(i => if a[i] < b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn max(self, a: Vector, b: Vector) -> Vector {
        lanes!(i => if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn round(self, a: Vector) -> Vector {
        // Adding and taking away 1.5 × 2^23 leaves the nearest integer; exact for the exponents that this is used for.
        const SHIFT: f32 = 12_582_912.0;
        lanes!(i => (a[i] + SHIFT) - SHIFT)
    }
    #[inline(always)]
    fn scale(self, a: Vector, exponent: Vector) -> Vector {
        lanes!(i => a[i] * f32::from_bits(((exponent[i] as i32 + 127) as u32) << 23))
    }
    #[inline(always)]
    fn reciprocal(self, a: Vector) -> Vector {
        lanes!(i => 1.0 / a[i])
    }
    #[inline(always)]
    fn select_greater(self, a: Vector, b: Vector, yes: Vector, no: Vector) -> Vector {
        lanes!(i => if a[i] > b[i] { yes[i] } else { no[i] })
    }

    #[inline(always)]
    fn halves(self, pairs: Vector) -> [Vector; 2] {
        let lower = lanes!(lane => f32::from_bits(pairs[lane].to_bits() << 16));
        let upper = lanes!(lane => f32::from_bits(pairs[lane].to_bits() & 0xffff_0000));
        [lower, upper]
    }
}

impl Target for Portable {
    const TILE_ROWS: usize = 4;

    #[inline(always)]
    unsafe fn load_first(self, from: *const f32, count: usize) -> Vector {
        if count == Self::LANES {
            // SAFETY: the caller vouches for `count` floats.
            return unsafe { self.load(from) };
        }
        // SAFETY: the caller vouches for `count` floats, and only those are read.
        lanes!(i => if i < count { unsafe { *from.add(i) } } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, value: Vector, count: usize) {
        if count == Self::LANES {
            // SAFETY: the caller vouches for `count` floats.
            return unsafe { self.store(to, value) };
        }
        for (lane, &value) in value.iter().enumerate().take(count) {
            // SAFETY: the caller vouches for `count` floats.
            unsafe { *to.add(lane) = value };
        }
    }
    #[inline(always)]
    fn call<R: Routine>(self, routine: R) {
        #[inline(never)]
        fn compiled<R: Routine>(target: Portable, routine: R) {
            routine.run(target);
        }
        compiled(self, routine);
    }
}
