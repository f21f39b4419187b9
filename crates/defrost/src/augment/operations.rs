//! The fourteen operations that RandAugment and TrivialAugment choose from, with torchvision's ranges.
//!
//! Operations that move pixels act before those that change colours, as all steps do, slant about the centre (torchvision:
//! about the corner), and show the reflected picture outside (torchvision: black).

use super::plan::Plan;
use super::saturation::saturate;
use super::tones;
use crate::rng::Stream;

/// The strongest level; the weakest is 0. torchvision's `num_magnitude_bins` is one more.
pub(super) const STRONGEST: u32 = 30;

/// How far each operation goes at [`STRONGEST`].
#[derive(Debug)]
pub(super) struct Ranges {
    /// Pixels across a pixel.
    pub(super) shear: f32,
    /// Share of the side.
    pub(super) shift: f32,
    /// Degrees.
    pub(super) rotate: f32,
    /// Of brightness, saturation, contrast and sharpness: the factor's distance from 1.
    pub(super) enhance: f32,
    /// Bits of eight that posterizing takes away.
    pub(super) posterize: f32,
}

#[derive(Debug, Clone, Copy)]
enum Operation {
    Identity,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    Brightness,
    Color,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize,
}

const OPERATIONS: [Operation; 14] = [
    Operation::Identity,
    Operation::ShearX,
    Operation::ShearY,
    Operation::TranslateX,
    Operation::TranslateY,
    Operation::Rotate,
    Operation::Brightness,
    Operation::Color,
    Operation::Contrast,
    Operation::Sharpness,
    Operation::Posterize,
    Operation::Solarize,
    Operation::AutoContrast,
    Operation::Equalize,
];

impl Ranges {
    /// Adds a random operation of strength `level` to `plan`; one that can go to either side goes to a random one.
    pub(super) fn draw(&self, level: u32, random: &mut Stream, plan: &mut Plan) {
        let operation = OPERATIONS[random.below(OPERATIONS.len() as u32) as usize];
        let side = if random.below(2) == 0 { 1.0 } else { -1.0 };
        self.add(operation, level as f32 / STRONGEST as f32, side, plan);
    }

    fn add(&self, operation: Operation, share: f32, side: f32, plan: &mut Plan) {
        let to_a_side = |most: f32| side * share * most;
        let factor = 1.0 + to_a_side(self.enhance);
        match operation {
            Operation::Identity => {}
            Operation::ShearX => plan.frame.shear(to_a_side(self.shear), 0.0),
            Operation::ShearY => plan.frame.shear(0.0, to_a_side(self.shear)),
            Operation::TranslateX => plan.frame.shift(to_a_side(self.shift), 0.0),
            Operation::TranslateY => plan.frame.shift(0.0, to_a_side(self.shift)),
            Operation::Rotate => plan.frame.rotate(to_a_side(self.rotate)),
            Operation::Brightness => plan.then(move |view| tones::lighten(view, factor)),
            Operation::Color => plan.then(move |view| saturate(&mut view.pixels, factor)),
            Operation::Contrast => plan.then(move |view| tones::contrast(view, factor)),
            Operation::Sharpness => plan.then(move |view| tones::sharpen(view, factor)),
            Operation::Posterize => {
                let bits = 8 - (share * self.posterize).round() as u32;
                plan.then(move |view| tones::posterize(view, bits));
            }
            Operation::Solarize => plan.then(move |view| tones::solarize(view, 255.0 * (1.0 - share))),
            Operation::AutoContrast => plan.then(tones::auto_contrast),
            Operation::Equalize => plan.then(tones::equalize),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formula;
    use crate::image::{Picture, Resize, resize};

    const RANGES: Ranges = Ranges { shear: 0.3, shift: 0.4, rotate: 30.0, enhance: 0.9, posterize: 4.0 };

    #[test]
    fn each_operation_changes_the_picture_when_strong() {
        let picture = Picture::new(32, 32, formula::picture("operations", 32, 32, 5));
        let plain = resize(&picture, 32, 32, Resize::default());
        let render = |operation, share| {
            let mut plan = Plan::of(&picture);
            RANGES.add(operation, share, 1.0, &mut plan);
            plan.render(&picture, [32, 32], Resize::default())
        };
        for operation in OPERATIONS {
            let changed = render(operation, 1.0) != plain;
            assert_eq!(changed, !matches!(operation, Operation::Identity), "{operation:?}");
        }
        // At level 0 whatever has a strength does nothing.
        for operation in &OPERATIONS[..12] {
            let weak = render(*operation, 0.0);
            let largest = weak.iter().zip(&plain).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            // Solarizing still turns 255, and posterizing rounds.
            let allowed = match operation {
                Operation::Solarize => continue,
                Operation::Posterize => 0.5,
                _ => 1e-3,
            };
            assert!(largest <= allowed, "{operation:?}: {largest}");
        }
    }
}
