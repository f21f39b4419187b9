//! Mirror images.

use super::step::Kind;

/// `flip`: left and right change places, one time in two.
pub(super) static FLIP: Kind = Kind {
    name: "flip",
    parameters: &[],
    draw: |_, random, plan| {
        if random.uniform() < 0.5 {
            plan.frame.flip();
        }
    },
};

/// `flip_vertical`: top and bottom change places, one time in two.
pub(super) static FLIP_VERTICAL: Kind = Kind {
    name: "flip_vertical",
    parameters: &[],
    draw: |_, random, plan| {
        if random.uniform() < 0.5 {
            plan.frame.flip_vertical();
        }
    },
};
