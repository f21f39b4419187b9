//! More or less light.

use super::step::{Kind, Parameter};

/// `brightness(a)`: `x + 255 · b`, b within ±a. Keras' `RandomBrightness(factor=a)`.
pub(super) static BRIGHTNESS: Kind = Kind {
    name: "brightness",
    parameters: &[Parameter::amplitude("shares of full scale", 1.0)],
    draw: |[share, _], random, plan| {
        let share = share.draw(random);
        plan.then(move |view| brighten(&mut view.pixels, share));
    },
};

fn brighten(pixels: &mut [f32], share: f32) {
    pixels.iter_mut().for_each(|sample| *sample += 255.0 * share);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_moves_by_the_same_amount() {
        let mut pixels = [0.0, 10.0, 200.0];
        brighten(&mut pixels, 0.2);
        assert_eq!(pixels, [51.0, 61.0, 251.0]);
    }
}
