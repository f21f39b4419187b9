//! Slanting the picture.

use super::step::{Kind, Parameter};

/// `shear(a)`: the view's `(x, y)` shows the picture's `(x + s · y, y + t · x)`, in pixels from the centre, s and t each within
/// ±a. Keras' `RandomShear(x_factor=a, y_factor=a)`; torchvision has angles, of which these are the tangents.
pub(super) static SHEAR: Kind = Kind {
    name: "shear",
    parameters: &[Parameter::amplitude("pixels across a pixel", 0.9)],
    draw: |[share, _], random, plan| {
        let (horizontal, vertical) = (share.draw(random), share.draw(random));
        plan.frame.shear(horizontal, vertical);
    },
};
