//! Reproducible tensors and pictures for tests: the formula that the golden files were made with, so that their weights and
//! inputs are computed, not shipped (SplitMix64 seeded with the FNV-1a hash of the tensor's name).
//!
//! Integration tests include this file with `#[path = "../src/formula.rs"] mod formula;`.

/// FNV-1a, 64 bits.
fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

/// The 64 random bits of element `i` of the tensor whose name hashes to `seed`.
fn bits(seed: u64, i: u64) -> u64 {
    let z = seed.wrapping_add((i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The first `len` elements of tensor `name`, uniform in `[shift - scale, shift + scale)`; an element doesn't depend on `len`.
pub(crate) fn tensor(name: &str, len: usize, scale: f32, shift: f32) -> Vec<f32> {
    let seed = fnv1a64(name.as_bytes());
    (0..len as u64)
        .map(|i| {
            let u = (bits(seed, i) >> 40) as f32 / (1 << 24) as f32;
            (u * 2.0 - 1.0) * scale + shift
        })
        .collect()
}

/// The RGB picture `name`, `[h, w, 3]`: squares of `cell` pixels, with noise.
pub(crate) fn picture(name: &str, h: usize, w: usize, cell: usize) -> Vec<u8> {
    let coarse = fnv1a64(format!("{name}/coarse").as_bytes());
    let fine = fnv1a64(format!("{name}/fine").as_bytes());
    let cells = w.div_ceil(cell);
    let mut pixels = Vec::with_capacity(h * w * 3);
    for y in 0..h {
        for x in 0..w {
            for k in 0..3 {
                let square = bits(coarse, ((y / cell * cells + x / cell) * 3 + k) as u64) >> 56;
                let noise = bits(fine, ((y * w + x) * 3 + k) as u64) >> 56;
                pixels.push(((3 * square + noise) >> 2) as u8);
            }
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_golden_files() {
        let seed = fnv1a64(b"stem_conv/kernel");
        assert_eq!(seed, 0x4fc3_8827_9749_e28d);
        assert_eq!((bits(seed, 0), bits(seed, 1)), (0x86b5_6cf3_3233_392a, 0x9c20_b951_6500_f555));
    }

    #[test]
    fn tensors_are_those_of_the_golden_files() {
        let fan_in = |n: f64, variance: f64| (variance / n).sqrt() as f32;
        let cases = [
            ("raw", 0, 1.0, 0.0, 0xbcd3_2440_u32),
            ("raw", 3, 1.0, 0.0, 0xbf05_0428),
            ("stem_conv/kernel", 0, fan_in(27.0, 6.0), 0.0, 0x3cca_666e),
            ("stem_conv/kernel", 863, fan_in(27.0, 6.0), 0.0, 0xbe46_c95b),
            ("block1a_bn/gamma", 0, 0.2, 1.0, 0x3f6d_38a6),
            ("block1a_bn/gamma", 31, 0.2, 1.0, 0x3f86_c202),
            ("block1a_dwconv/kernel", 5, fan_in(9.0, 9.0), 0.0, 0xbdf5_c670),
            ("block1a_se_reduce/kernel", 3, fan_in(32.0, 6.0), 0.0, 0xbec7_5e12),
            ("head/dense_1/kernel", 7, fan_in(1280.0, 6.0), 0.0, 0xbd17_63a9),
        ];
        for (name, i, scale, shift, expected) in cases {
            let value = tensor(name, i + 1, scale, shift)[i];
            assert_eq!(value.to_bits(), expected, "{name}[{i}] = {value}");
        }
    }

    #[test]
    fn pictures_are_those_of_the_golden_files() {
        let sum = |pixels: &[u8]| pixels.iter().map(|&value| u64::from(value)).sum::<u64>();
        let large = picture("image/0", 224, 224, 32);
        assert_eq!(large[..3], [62, 53, 128]);
        // The check value's position is (row 100, column 57).
        assert_eq!(large[(100 * 224 + 57) * 3..][..3], [159, 205, 203]);
        assert_eq!(sum(&large), 20_497_487);
        let small = picture("train/0", 64, 64, 16);
        assert_eq!((&small[..3], &small[(63 * 64 + 63) * 3..]), (&[34, 121, 193][..], &[107, 60, 74][..]));
        assert_eq!(sum(&small), 1_565_887);
    }
}
