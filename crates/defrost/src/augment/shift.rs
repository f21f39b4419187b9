//! Moving the picture.

use super::step::{Argument, Effect, Kind};

/// `shift(a)`: to the right and down, each by a share of the side within ±a.
pub(super) static SHIFT: Kind = Kind {
    name: "shift",
    argument: Argument::Amplitude { unit: "shares of the side", max: 1.0 },
    effect: Effect::Geometry(|frame, interval, random| {
        let (right, down) = (interval.draw(random), interval.draw(random));
        frame.shift(right, down);
    }),
};
