//! A few random operations of one strength.

use super::operations::{Ranges, STRONGEST};
use super::step::{Form, Interval, Kind, Parameter};

/// `rand_augment(n, m)`: n of fourteen operations one after the other, each drawn anew, of strength m from 0 to 30. Defaults and
/// ranges are torchvision's `RandAugment(num_ops=2, magnitude=9)`.
///
/// # Reference
/// E. D. Cubuk et al., "RandAugment: Practical automated data augmentation with a reduced search space", 2020, section 3.
pub(super) static RAND_AUGMENT: Kind = Kind {
    name: "rand_augment",
    parameters: &[
        Parameter { name: "n", unit: "operations", form: Form::Count { min: 1, max: 14 }, default: Some(count(2)) },
        Parameter {
            name: "m",
            unit: "steps of strength",
            form: Form::Count { min: 0, max: STRONGEST as u8 },
            default: Some(count(9)),
        },
    ],
    draw: |[operations, strength], random, plan| {
        for _ in 0..operations.count() {
            RANGES.draw(strength.count(), random, plan);
        }
    },
};

const RANGES: Ranges = Ranges { shear: 0.3, shift: 150.0 / 331.0, rotate: 30.0, enhance: 0.9, posterize: 4.0 };

const fn count(count: u8) -> Interval {
    Interval { low: count as f32, high: count as f32 }
}
