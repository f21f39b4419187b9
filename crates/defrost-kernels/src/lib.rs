//! Numeric kernels on `f32` slices, and all the `unsafe` code of the project.
//!
//! Matrix products with a fused epilogue, depthwise convolutions with their gradients, and per-channel arithmetic on NHWC
//! data. The crate knows no graph, no file and no thread; every function is safe and checks the lengths that it is given.
//!
//! Invariant: **a result depends on nothing but its own inputs**. A row of a product is bit for bit the same whatever the
//! number of rows that it is computed with, so a picture's result never depends on its companions. Between instruction
//! sets ([`Isa`]) results agree to rounding.
//!
//! ```
//! use defrost_kernels::{Activation, Epilogue, Kernels, Matrix};
//!
//! let kernels = Kernels::detect();
//! let weights = kernels.pack(Matrix::new(&[1.0, 2.0, 3.0, 4.0], 2, 2));
//! let mut out = [0.0; 2];
//! let epilogue = Epilogue { bias: Some(&[0.0, -100.0]), activation: Activation::Relu, ..Epilogue::default() };
//! kernels.matmul(Matrix::new(&[1.0, 1.0], 1, 2), &weights, &mut out, &epilogue);
//! assert_eq!(out, [4.0, 0.0]);
//! ```

mod activation;
mod buffer;
mod channels;
mod depthwise;
mod matmul;
mod simd;

pub use activation::Activation;
pub use buffer::Buffer;
pub use depthwise::Depthwise;
pub use matmul::{Epilogue, Matrix, Packed, Precision};

use std::sync::OnceLock;

use simd::{Routine, Target};

/// An instruction set that the kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Isa {
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    Avx512,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// AArch64.
    Neon,
    /// Any processor.
    Portable,
}

impl Isa {
    /// Every instruction set, the fastest first.
    pub const ALL: [Self; 4] = [Self::Avx512, Self::Avx2, Self::Neon, Self::Portable];

    /// Its name: `avx512`, `avx2`, `neon` or `portable`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Neon => "neon",
            Self::Portable => "portable",
        }
    }

    fn bf16(self) -> Bf16 {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 if simd::Avx512::<true>::detected() => match simd::matrix_unit() {
                Some(_) => Bf16::Tiles,
                None => Bf16::Vectors,
            },
            _ => Bf16::Emulated,
        }
    }

    fn is_detected(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => simd::Avx512::<false>::detected(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => simd::Avx2::detected(),
            Self::Neon => cfg!(target_arch = "aarch64"),
            Self::Portable => true,
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::Avx2 => false,
        }
    }
}

/// The kernels, for an instruction set that this processor has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kernels {
    isa: Isa,
    bf16: Bf16,
}

/// How bf16 numbers are multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bf16 {
    /// By tiles of the matrix unit (AMX).
    Tiles,
    /// By vectors (AVX512-BF16).
    Vectors,
    /// As single-precision numbers, which takes longer than if they were single-precision numbers.
    Emulated,
}

/// What [`Kernels::force`] set.
static FORCED: OnceLock<Kernels> = OnceLock::new();

impl Kernels {
    /// The kernels for the fastest instruction set of this processor, or for the one that was [forced](Self::force).
    pub fn detect() -> Self {
        let best =
            || Isa::ALL.into_iter().find_map(Self::with).unwrap_or(Self { isa: Isa::Portable, bf16: Bf16::Emulated });
        FORCED.get().copied().unwrap_or_else(best)
    }

    /// Makes `isa` what [`detect`](Self::detect) finds in this process, where the processor has it and nothing else was
    /// forced before; tells whether it is so now.
    pub fn force(isa: Isa) -> bool {
        Self::with(isa).is_some_and(|kernels| *FORCED.get_or_init(|| kernels) == kernels)
    }

    /// The kernels for `isa`, where this processor has it.
    pub fn with(isa: Isa) -> Option<Self> {
        isa.is_detected().then(|| Self { isa, bf16: isa.bf16() })
    }

    /// The instruction set.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// How products of bf16 numbers are computed.
    pub fn bf16(&self) -> Bf16 {
        self.bf16
    }

    /// Whether a product of bf16 numbers takes less time than one in single precision. Intel's vector instruction for them does not:
    /// it starts half as often as a multiply-add.
    pub fn bf16_pays(&self) -> bool {
        match self.bf16 {
            Bf16::Tiles => true,
            Bf16::Vectors => !simd::is_intel(),
            Bf16::Emulated => false,
        }
    }

    /// These kernels without the matrix unit, and without vector instructions for bf16 numbers if `emulated`.
    pub fn without_tiles(self, emulated: bool) -> Self {
        let bf16 = match self.bf16 {
            Bf16::Tiles | Bf16::Vectors if !emulated => Bf16::Vectors,
            _ => Bf16::Emulated,
        };
        Self { bf16, ..self }
    }

    /// Runs a routine that multiplies bf16 numbers, compiled for the instruction set.
    fn call_bf16(self, routine: impl Routine) {
        match self.bf16 {
            // SAFETY: `Isa::bf16` gives this only after `detected`.
            #[cfg(target_arch = "x86_64")]
            Bf16::Tiles | Bf16::Vectors => unsafe { simd::Avx512::<true>::assume() }.call(routine),
            _ => self.call(routine),
        }
    }

    /// Runs a routine, compiled for the instruction set.
    fn call(self, routine: impl Routine) {
        match self.isa {
            // SAFETY: `with` is the only place that makes a `Kernels` of this kind, after `detected`.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => unsafe { simd::Avx512::<false>::assume() }.call(routine),
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => unsafe { simd::Avx2::assume() }.call(routine),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => simd::Neon.call(routine),
            _ => simd::Portable.call(routine),
        }
    }
}
