//! More or less light.

use super::step::{Argument, Effect, Kind};

/// `brightness(a)`: `x + 255 · b`, b within ±a.
pub(super) static BRIGHTNESS: Kind = Kind {
    name: "brightness",
    argument: Argument::Amplitude { unit: "shares of full scale", max: 1.0 },
    effect: Effect::Colour(|pixels, interval, random| brighten(pixels, interval.draw(random))),
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
