//! The matrix unit of x86-64 (AMX): tiles of 16 rows of 64 bytes, and products of tiles of bf16 numbers.
//!
//! The instructions are written as assembly, since the standard library does not have them. The compiler knows nothing of the
//! tile registers, so they keep their contents from one block of assembly to the next.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count};
use std::sync::OnceLock;

use crate::matmul::{MatrixUnit, TILE_STEP};

/// Proof that the processor has the unit, and that the system lets this process use it.
#[derive(Clone, Copy)]
pub(crate) struct Amx(());

impl Amx {
    /// Asks once for the system's permission, and lets the unit compute a product whose result is known.
    pub(crate) fn detect() -> Option<Self> {
        static AMX: OnceLock<Option<Amx>> = OnceLock::new();
        *AMX.get_or_init(|| (has_instructions() && permitted()).then_some(Amx(())).filter(|amx| amx.computes()))
    }

    /// Whether a product of small whole numbers is exact.
    fn computes(self) -> bool {
        const STEPS: usize = 2;
        let number = |row: usize, column: usize| ((row * 5 + column * 3) % 7) as f32 - 3.0;
        let depth = STEPS * TILE_STEP;
        let a: Vec<f32> = (0..32 * depth)
            .map(|i| crate::matmul::pair(number(i / depth, 2 * (i % depth)), number(i / depth, 2 * (i % depth) + 1)))
            .collect();
        let b: Vec<f32> = (0..depth * 32)
            .map(|i| crate::matmul::pair(number(2 * (i / 32), i % 32), number(2 * (i / 32) + 1, i % 32)))
            .collect();
        let mut c = [0.0; 32 * 32];
        self.begin();
        // SAFETY: A has 32 rows of `STEPS` steps, B as many steps of 32 columns, C 32×32.
        unsafe { self.block(a.as_ptr(), depth, b.as_ptr(), STEPS, c.as_mut_ptr()) };
        self.end();
        (0..32 * 32).all(|i| {
            let sum: f32 = (0..2 * depth).map(|k| number(i / 32, k) * number(k, i % 32)).sum();
            c[i] == sum
        })
    }
}

/// What the tile registers hold, in the form that `ldtilecfg` takes: 16 rows of 64 bytes each.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    bytes: [u16; 16],
    rows: [u8; 16],
}

static SHAPES: Shapes = {
    let (mut bytes, mut rows, mut tile) = ([0; 16], [0; 16], 0);
    while tile < 8 {
        (bytes[tile], rows[tile]) = (64, 16);
        tile += 1;
    }
    Shapes { palette: 1, start_row: 0, reserved: [0; 14], bytes, rows }
};

impl MatrixUnit for Amx {
    fn begin(self) {
        // SAFETY: an `Amx` exists only where the unit does; the shapes are 64 bytes.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const SHAPES, options(nostack, readonly)) };
    }

    unsafe fn block(self, a: *const f32, a_stride: usize, b: *const f32, steps: usize, c: *mut f32) {
        let row = size_of::<f32>() * a_stride;
        // SAFETY: an `Amx` exists only where the unit does, `begin` has set the tiles' shapes, and the caller vouches for the
        // memory. Tiles 0 to 3 are the four quarters of C, 4 and 5 the upper and lower half of A, 6 and 7 the left and right
        // half of B. Rows of B's panel and of C are 128 bytes.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "2:",
                "tileloadd tmm4, [{upper} + {row} * 1]",
                "tileloadd tmm6, [{b} + {line} * 1]",
                "tileloadd tmm7, [{b} + {line} * 1 + 64]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm5, [{lower} + {row} * 1]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {upper}, 64",
                "add {lower}, 64",
                "add {b}, 2048",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{c} + {line} * 1], tmm0",
                "tilestored [{c} + {line} * 1 + 64], tmm1",
                "tilestored [{c} + {line} * 1 + 2048], tmm2",
                "tilestored [{c} + {line} * 1 + 2112], tmm3",
                upper = inout(reg) a => _,
                lower = inout(reg) a.wrapping_add(16 * a_stride) => _,
                row = in(reg) row,
                b = inout(reg) b => _,
                line = in(reg) 128usize,
                steps = inout(reg) steps => _,
                c = in(reg) c,
                options(nostack),
            );
        }
    }

    fn end(self) {
        // SAFETY: an `Amx` exists only where the unit does.
        unsafe { asm!("tilerelease", options(nomem, nostack)) };
    }
}

/// AMX-TILE and AMX-BF16, with the system saving the tiles when it switches threads.
fn has_instructions() -> bool {
    const OSXSAVE: u32 = 1 << 27;
    const TILE_AND_BF16: u32 = 1 << 24 | 1 << 22;
    const TILE_STATES: u32 = 1 << 17 | 1 << 18;
    let (leaves, features) = (__cpuid(0).eax, __cpuid(1).ecx);
    if leaves < 7 || features & OSXSAVE == 0 || __cpuid_count(7, 0).edx & TILE_AND_BF16 != TILE_AND_BF16 {
        return false;
    }
    let saved: u32;
    // SAFETY: the processor has `xgetbv`, as OSXSAVE says.
    unsafe { asm!("xgetbv", in("ecx") 0, out("eax") saved, out("edx") _, options(nomem, nostack)) };
    saved & TILE_STATES == TILE_STATES
}

/// Asks Linux to let this process use the tiles' data (`arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)`).
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_PRCTL: isize = 158;
    let result: isize;
    // SAFETY: this system call touches no memory of ours; it changes the registers that are named.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") 0x1023,
            in("rsi") 18,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result == 0
}

/// Other systems have rules of their own, which nobody has tried.
#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}
