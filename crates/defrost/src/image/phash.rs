//! A perceptual hash: 64 bits that a copy keeps when it is compressed again, made smaller or brighter.
//!
//! Invariant: a hash is a function of the decoded pixels alone, the same on every machine up to one rounding in a coefficient.

use std::f32::consts::PI;
use std::fmt;
use std::sync::LazyLock;

use super::taps::Axis;
use super::{Picture, Resize, resample};

/// Samples along each side that the picture is reduced to.
const SIDE: usize = 32;

/// What rounding samples to 8 bits may add to a coefficient; a grey level over the whole picture is 32.
const ROUNDING: f32 = 1.0;

/// 64 bits that look-alikes share: of the picture's 32 × 32 grey samples, the lowest spatial frequencies but the mean; a bit is
/// set where the cosine transform's coefficient lies above the median of all 64 (and of what rounding could make).
///
/// Compare two by [`distance`](PerceptualHash::distance).
///
/// # Reference
/// Zauner 2010, *Implementation and Benchmarking of Perceptual Image Hash Functions*, section 3.2.1 (a DCT-based hash).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PerceptualHash(u64);

impl PerceptualHash {
    /// The hash of a decoded picture. A picture of one colour has nothing to tell it apart: its hash
    /// [is blank](PerceptualHash::is_blank).
    pub fn of(picture: &Picture) -> PerceptualHash {
        let axes = [Axis::whole(picture.height(), SIDE), Axis::whole(picture.width(), SIDE)];
        let rgb = resample(picture.pixels(), axes, Resize::Area);
        // BT.601's luma, as JPEG and Pillow have it.
        let grey: Vec<f32> = rgb.as_chunks::<3>().0.iter().map(|[r, g, b]| 0.299 * r + 0.587 * g + 0.114 * b).collect();
        let coefficients = lowest_frequencies(&grey);
        let mut sorted = coefficients;
        sorted.sort_by(f32::total_cmp);
        let median = (sorted[31] + sorted[32]) / 2.0;
        // In a smooth picture most coefficients, and their median, are next to nothing: no bit may hang on that.
        let threshold = if median.abs() < ROUNDING { ROUNDING } else { median };
        let bit = |hash: u64, coefficient: &f32| hash << 1 | u64::from(*coefficient > threshold);
        PerceptualHash(coefficients.iter().fold(0, bit))
    }

    /// In how many of the 64 bits two hashes differ: 0 for the same picture, around 32 for unrelated ones.
    pub fn distance(self, other: PerceptualHash) -> u32 {
        (self.0 ^ other.0).count_ones()
    }

    /// Whether the picture has no features that a hash could hold: all of one colour.
    pub fn is_blank(self) -> bool {
        self.0 == 0
    }

    /// The bits.
    pub fn bits(self) -> u64 {
        self.0
    }
}

impl From<u64> for PerceptualHash {
    fn from(bits: u64) -> PerceptualHash {
        PerceptualHash(bits)
    }
}

impl fmt::Debug for PerceptualHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PerceptualHash({:#018x})", self.0)
    }
}

/// The 64 coefficients of the orthonormal DCT-II of `grey`, `[SIDE, SIDE]`, that follow the mean by frequency (the sum of both
/// sides' numbers), then by row.
fn lowest_frequencies(grey: &[f32]) -> [f32; 64] {
    let dot = |a: &[f32], b: &[f32; SIDE]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let across: [[f32; SIDE]; FREQUENCIES] =
        std::array::from_fn(|u| std::array::from_fn(|y| dot(&grey[y * SIDE..][..SIDE], &BASIS[u])));
    let mut diagonals = (1..FREQUENCIES).flat_map(|sum| (0..=sum).map(move |v| (v, sum - v)));
    std::array::from_fn(|_| {
        let (v, u) = diagonals.next().unwrap_or_default();
        dot(&across[u], &BASIS[v])
    })
}

/// Frequencies along each side that 64 coefficients reach.
const FREQUENCIES: usize = 11;

/// `√(2/SIDE) · cos((2i + 1) · k · π / 2·SIDE)` for frequency k and sample i, by `√½` less for k = 0.
static BASIS: LazyLock<[[f32; SIDE]; FREQUENCIES]> = LazyLock::new(|| {
    std::array::from_fn(|frequency| {
        let scale = if frequency == 0 { 1.0 / SIDE as f32 } else { 2.0 / SIDE as f32 }.sqrt();
        std::array::from_fn(|i| scale * ((2 * i + 1) as f32 * frequency as f32 * PI / (2 * SIDE) as f32).cos())
    })
});

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A smooth picture of a few waves, another for each seed.
    fn waves(seed: u64, width: usize, height: usize, change: impl Fn(f32) -> f32) -> Picture {
        let mut stream = crate::rng::Stream::new(seed, "waves", &[]);
        let waves: [[f32; 4]; 6] = std::array::from_fn(|_| std::array::from_fn(|_| stream.below(1000) as f32 / 1000.0));
        let pixel = |i: usize| {
            let (x, y) = ((i % width) as f32 / width as f32, (i / width) as f32 / height as f32);
            let wave = |[u, v, phase, size]: &[f32; 4]| size * (2.0 * PI * (3.0 * u * x + 3.0 * v * y + phase)).sin();
            let level = 128.0 + 20.0 * waves.iter().map(wave).sum::<f32>();
            [change(level).round().clamp(0.0, 255.0) as u8; 3]
        };
        Picture::new(width, height, (0..width * height).flat_map(pixel).collect())
    }

    #[test]
    fn a_picture_of_one_colour_is_blank() {
        for level in [0, 1, 127, 255] {
            assert!(PerceptualHash::of(&Picture::new(50, 31, vec![level; 50 * 31 * 3])).is_blank());
        }
        assert!(!PerceptualHash::of(&waves(1, 40, 30, |level| level)).is_blank());
    }

    #[test]
    fn half_of_the_bits_are_set() {
        let mut noise = crate::rng::Stream::new(0, "noise", &[]);
        for _ in 0..50 {
            let pixels = (0..64 * 48).flat_map(|_| [noise.below(256) as u8; 3]).collect();
            assert!((28..=32).contains(&PerceptualHash::of(&Picture::new(64, 48, pixels)).bits().count_ones()));
        }
    }

    #[test]
    fn a_smooth_picture_s_hash_does_not_hang_on_rounding() {
        let gradient = |level: usize| {
            let pixels = (0..80 * 60).flat_map(|i| [level as u8, (2 * (i % 80) + i / 80) as u8, 0]).collect();
            PerceptualHash::of(&Picture::new(80, 60, pixels))
        };
        assert!((1..50).all(|level| gradient(level) == gradient(0)));
    }

    #[test]
    fn another_size_brightness_and_contrast_change_little() {
        let (mut furthest, mut nearest) = (0, 64);
        for seed in 0..50 {
            let hash = PerceptualHash::of(&waves(seed, 96, 72, |level| level));
            let smaller = PerceptualHash::of(&waves(seed, 48, 36, |level| 0.8 * level + 30.0));
            furthest = furthest.max(hash.distance(smaller));
            let other = PerceptualHash::of(&waves(seed + 1000, 96, 72, |level| level));
            nearest = nearest.min(hash.distance(other));
        }
        assert!(furthest < nearest, "copies {furthest}, others {nearest}");
    }

    proptest! {
        #[test]
        fn any_picture_has_a_hash(width in 1usize..40, height in 1usize..40, seed: u64) {
            let mut stream = crate::rng::Stream::new(seed, "noise", &[]);
            let pixels = (0..width * height * 3).map(|_| stream.below(256) as u8).collect();
            let picture = Picture::new(width, height, pixels);
            prop_assert_eq!(PerceptualHash::of(&picture), PerceptualHash::of(&picture.clone()));
        }
    }
}
