//! Turning the picture.

use super::step::{Kind, Parameter};

/// `rotate(a)`: about the centre, by degrees within ±a, counter-clockwise where above 0. Corners show the reflected picture.
pub(super) static ROTATE: Kind = Kind {
    name: "rotate",
    parameters: &[Parameter::amplitude("degrees", 180.0)],
    draw: |[angle, _], random, plan| plan.frame.rotate(angle.draw(random)),
};
