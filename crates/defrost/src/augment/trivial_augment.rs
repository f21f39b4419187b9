//! One random operation of random strength.

use super::operations::{Ranges, STRONGEST};
use super::step::Kind;

/// `trivial_augment`: one of fourteen operations, of a strength that is drawn, too. The ranges are those of torchvision's
/// `TrivialAugmentWide`, its 32 pixels of shift being a share of a side of 224.
///
/// # Reference
/// S. G. Müller and F. Hutter, "TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation", 2021, algorithm 1, with
/// the wide space of table 1.
pub(super) static TRIVIAL_AUGMENT: Kind = Kind {
    name: "trivial_augment",
    parameters: &[],
    draw: |_, random, plan| {
        let level = random.below(STRONGEST + 1);
        RANGES.draw(level, random, plan);
    },
};

const RANGES: Ranges = Ranges { shear: 0.99, shift: 32.0 / 224.0, rotate: 135.0, enhance: 0.99, posterize: 6.0 };
