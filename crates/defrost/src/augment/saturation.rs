//! Stronger or paler colours.

use super::step::{Argument, Effect, Kind};

/// `saturation(a)`: `grey + (x − grey) · (1 + s)`, s within ±a, with the grey of ITU-R BT.601.
pub(super) static SATURATION: Kind = Kind {
    name: "saturation",
    argument: Argument::Amplitude { unit: "shares of the distance from grey", max: 1.0 },
    effect: Effect::Colour(|pixels, interval, random| saturate(pixels, 1.0 + interval.draw(random))),
};

fn saturate(pixels: &mut [f32], factor: f32) {
    for pixel in pixels.as_chunks_mut::<3>().0 {
        let grey = 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
        pixel.iter_mut().for_each(|sample| *sample = grey + (*sample - grey) * factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_stays_and_red_moves_from_its_grey() {
        let mut pixels = [80.0, 80.0, 80.0, 100.0, 0.0, 0.0];
        saturate(&mut pixels, 0.5);
        let expected = [80.0, 80.0, 80.0, 64.95, 14.95, 14.95];
        assert!(pixels.iter().zip(expected).all(|(ours, expected)| (ours - expected).abs() < 1e-4), "{pixels:?}");
    }
}
