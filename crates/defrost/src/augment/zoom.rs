//! Coming nearer and going away.

use super::step::{Kind, Parameter};

/// `zoom(a)`: a magnification of `1 + z` about the centre, z within ±a; below 1 the margin shows the reflected picture.
pub(super) static ZOOM: Kind = Kind {
    name: "zoom",
    parameters: &[Parameter::amplitude("shares of the size", 0.9)],
    draw: |[share, _], random, plan| plan.frame.zoom(1.0 + share.draw(random)),
};
