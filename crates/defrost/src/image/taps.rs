//! Along one side: which source pixels make an output pixel, and with which weights.
//!
//! A source pixel `i` covers `[i, i + 1)`, so its centre is at `i + 0.5` (TensorFlow's `half_pixel_centers`).

use super::Resize;

/// The stretch of one side of a picture that becomes the output's side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Axis {
    /// Source pixels along this side.
    pub(crate) extent: usize,
    /// Output pixels along this side.
    pub(crate) target: usize,
    /// Where the stretch begins, in source pixels; may lie outside the picture, which continues reflected.
    pub(crate) start: f32,
    /// Length of the stretch in source pixels, above 0.
    pub(crate) length: f32,
    /// Whether the stretch is read backwards.
    pub(crate) mirrored: bool,
}

impl Axis {
    /// The whole side.
    pub(crate) fn whole(extent: usize, target: usize) -> Axis {
        Axis { extent, target, start: 0.0, length: extent as f32, mirrored: false }
    }

    /// Source pixels per output pixel.
    fn step(&self) -> f32 {
        self.length / self.target as f32
    }

    /// `i` counted from the start of the stretch.
    fn position(&self, i: usize) -> f32 {
        (if self.mirrored { self.target - 1 - i } else { i }) as f32
    }

    /// The source coordinate of the centre of output pixel `i`, inside the picture.
    fn centre(&self, i: usize) -> f32 {
        reflected(self.start + (self.position(i) + 0.5) * self.step(), self.extent)
    }

    /// The source coordinates that output pixel `i` covers, inside the picture.
    fn covered(&self, i: usize) -> (f32, f32) {
        let (step, extent) = (self.step(), self.extent as f32);
        let (low, high) = (self.start + self.position(i) * step, self.start + (self.position(i) + 1.0) * step);
        if low >= 0.0 && high <= extent {
            return (low, high);
        }
        let centre = self.centre(i);
        ((centre - 0.5 * step).max(0.0), (centre + 0.5 * step).min(extent))
    }

    /// The two neighbours of each output pixel and the second one's share: `tf.image.resize`'s bilinear, bit for bit.
    pub(super) fn neighbours(&self) -> Vec<(usize, usize, f32)> {
        let last = self.extent - 1;
        let neighbour = |i| {
            let x = self.centre(i) - 0.5;
            let below = x.floor();
            (below.max(0.0) as usize, ((below + 1.0).max(0.0) as usize).min(last), x - below)
        };
        (0..self.target).map(neighbour).collect()
    }
}

/// `x` if it lies within `[0, extent]`, else its mirror image there (Keras' fill mode `reflect`: d c b a | a b c d | d c b a).
pub(crate) fn reflected(x: f32, extent: usize) -> f32 {
    let extent = extent as f32;
    if (0.0..=extent).contains(&x) {
        return x;
    }
    let x = x.rem_euclid(2.0 * extent);
    x.min(2.0 * extent - x)
}

/// For each output pixel the first source pixel and the weights from there on; they sum to 1.
#[derive(Debug)]
pub(super) struct Taps {
    first: Vec<usize>,
    /// Where each output pixel's weights begin, and the end of the last one's.
    offsets: Vec<usize>,
    weights: Vec<f32>,
}

impl Taps {
    pub(super) fn new(axis: &Axis, mode: Resize) -> Taps {
        let mut taps = Taps { first: Vec::with_capacity(axis.target), offsets: vec![0], weights: Vec::new() };
        for i in 0..axis.target {
            let from = taps.weights.len();
            let first = mode.weigh(axis, i, &mut taps.weights);
            let sum: f32 = taps.weights[from..].iter().sum();
            taps.weights[from..].iter_mut().for_each(|weight| *weight /= sum);
            taps.first.push(first);
            taps.offsets.push(taps.weights.len());
        }
        taps
    }

    /// The first source pixel of each output pixel, and the weights.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &[f32])> {
        self.first.iter().zip(self.offsets.windows(2)).map(|(&first, ends)| (first, &self.weights[ends[0]..ends[1]]))
    }
}

impl Resize {
    /// Appends the weights (of any sum) that output pixel `i` gives to the source pixels, and returns the first one's index.
    /// What a kernel gives to pixels outside the picture is left out.
    fn weigh(self, axis: &Axis, i: usize, weights: &mut Vec<f32>) -> usize {
        let centre = axis.centre(i);
        let last = axis.extent as isize - 1;
        let clamped = |i: f32| (i as isize).clamp(0, last) as usize;
        // TensorFlow's `ScaleAndTranslate`: the kernel is as wide as an output pixel, but never narrower than a source pixel.
        let mut spread = |scale: f32, radius: f32, kernel: fn(f32) -> f32| {
            let scale = scale.max(1.0);
            let first = clamped((centre - radius * scale - 0.5).ceil());
            let end = clamped((centre + radius * scale - 0.5).floor()).max(first);
            weights.extend((first..=end).map(|i| kernel((i as f32 + 0.5 - centre) / scale)));
            first
        };
        match self {
            Resize::Nearest => {
                weights.push(1.0);
                clamped(centre.floor())
            }
            Resize::Bilinear => spread(1.0, 1.0, triangle),
            Resize::BilinearAntialias => spread(axis.step(), 1.0, triangle),
            Resize::BicubicAntialias => spread(axis.step(), 2.0, keys_cubic),
            Resize::Lanczos3Antialias => spread(axis.step(), 3.0, lanczos3),
            Resize::Bicubic => {
                let x = centre - 0.5;
                let below = x.floor();
                // TensorFlow looks the weights up in a table of 1024 positions.
                let share = ((x - below) * 1024.0).round() / 1024.0;
                let (first, end) = (clamped(below - 1.0), clamped(below + 2.0));
                weights.extend((first..=end).map(|i| keys_cubic(i as f32 - below - share)));
                first
            }
            Resize::Area => {
                let (low, high) = axis.covered(i);
                let (first, end) = (clamped(low.floor()), clamped(high.ceil() - 1.0));
                weights.extend((first..=end).map(|i| high.min(i as f32 + 1.0) - low.max(i as f32)));
                first
            }
        }
    }
}

fn triangle(x: f32) -> f32 {
    (1.0 - x.abs()).max(0.0)
}

/// Cubic convolution with a = −0.5.
///
/// # Reference
/// R. G. Keys, "Cubic convolution interpolation for digital image processing", 1981, eq. 15.
fn keys_cubic(x: f32) -> f32 {
    let x = x.abs();
    if x >= 2.0 {
        0.0
    } else if x >= 1.0 {
        ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    } else {
        ((1.5 * x - 2.5) * x) * x + 1.0
    }
}

/// `sinc(x) · sinc(x / 3)` within ±3.
fn lanczos3(x: f32) -> f32 {
    let x = x.abs();
    if x >= 3.0 {
        return 0.0;
    }
    if x <= 1e-3 {
        return 1.0;
    }
    let angle = std::f32::consts::PI * x;
    3.0 * angle.sin() * (angle / 3.0).sin() / (angle * angle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_the_picture_it_continues_reflected() {
        for (x, expected) in [(0.0, 0.0), (3.0, 3.0), (-0.5, 0.5), (3.5, 2.5), (6.5, 0.5), (-7.0, 1.0)] {
            assert_eq!(reflected(x, 3), expected, "{x}");
        }
    }

    proptest::proptest! {
        #[test]
        fn weights_sum_to_one_and_stay_inside(
            extent in 1usize..60, target in 1usize..60, start in -100f32..100.0, length in 0.01f32..200.0, mirrored: bool,
        ) {
            for mode in Resize::ALL {
                let axis = Axis { extent, target, start, length, mirrored };
                let taps = Taps::new(&axis, mode);
                proptest::prop_assert_eq!(taps.iter().count(), target);
                for (first, weights) in taps.iter() {
                    proptest::prop_assert!(first + weights.len() <= extent);
                    proptest::prop_assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-4, "{mode}: {weights:?}");
                }
            }
        }
    }
}
