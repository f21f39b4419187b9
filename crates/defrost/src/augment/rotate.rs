//! Turning the picture.

use super::step::{Argument, Effect, Kind};

/// `rotate(a)`: about the centre, by degrees within ±a, counter-clockwise where above 0. Corners show the reflected picture.
pub(super) static ROTATE: Kind = Kind {
    name: "rotate",
    argument: Argument::Amplitude { unit: "degrees", max: 180.0 },
    effect: Effect::Geometry(|frame, interval, random| frame.rotate(interval.draw(random))),
};
