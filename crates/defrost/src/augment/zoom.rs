//! Coming nearer and going away.

use super::step::{Argument, Effect, Kind};

/// `zoom(a)`: a magnification of `1 + z` about the centre, z within ±a; below 1 the margin shows the reflected picture.
pub(super) static ZOOM: Kind = Kind {
    name: "zoom",
    argument: Argument::Amplitude { unit: "shares of the size", max: 0.9 },
    effect: Effect::Geometry(|frame, interval, random| frame.zoom(1.0 + interval.draw(random))),
};
