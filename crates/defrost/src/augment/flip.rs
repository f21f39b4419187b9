//! Mirror images.

use super::step::{Argument, Effect, Kind};

/// `flip`: left and right change places, one time in two.
pub(super) static FLIP: Kind = Kind {
    name: "flip",
    argument: Argument::Nothing,
    effect: Effect::Geometry(|frame, _, random| {
        if random.uniform() < 0.5 {
            frame.flip();
        }
    }),
};

/// `flip_vertical`: top and bottom change places, one time in two.
pub(super) static FLIP_VERTICAL: Kind = Kind {
    name: "flip_vertical",
    argument: Argument::Nothing,
    effect: Effect::Geometry(|frame, _, random| {
        if random.uniform() < 0.5 {
            frame.flip_vertical();
        }
    }),
};
