//! Stronger or paler colours.

use super::step::{Kind, Parameter};

/// `saturation(a)`: `grey + (x − grey) · (1 + s)`, s within ±a, with the grey of ITU-R BT.601. torchvision's
/// `ColorJitter(saturation=a)`; Keras' `RandomSaturation` scales HSV's S.
pub(super) static SATURATION: Kind = Kind {
    name: "saturation",
    parameters: &[Parameter::amplitude("shares of the distance from grey", 1.0)],
    draw: |[share, _], random, plan| {
        let factor = 1.0 + share.draw(random);
        plan.then(move |view| saturate(&mut view.pixels, factor));
    },
};

pub(super) fn saturate(pixels: &mut [f32], factor: f32) {
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
