//! Moving the picture.

use super::step::{Kind, Parameter};

/// `shift(a)`: to the right and down, each by a share of the side within ±a.
pub(super) static SHIFT: Kind = Kind {
    name: "shift",
    parameters: &[Parameter::amplitude("shares of the side", 1.0)],
    draw: |[share, _], random, plan| {
        let (right, down) = (share.draw(random), share.draw(random));
        plan.frame.shift(right, down);
    },
};
