//! Stronger or weaker differences.

use super::step::{Kind, Parameter};

/// `contrast(a)`: `(x − mean) · (1 + c) + mean`, c within ±a; the mean is each channel's over the view. Keras'
/// `RandomContrast(factor=a)`; torchvision takes the mean of the grey picture for all three.
pub(super) static CONTRAST: Kind = Kind {
    name: "contrast",
    parameters: &[Parameter::amplitude("shares of the difference", 1.0)],
    draw: |[share, _], random, plan| {
        let factor = 1.0 + share.draw(random);
        plan.then(move |view| stretch(&mut view.pixels, factor));
    },
};

fn stretch(pixels: &mut [f32], factor: f32) {
    let (pixels, _) = pixels.as_chunks_mut::<3>();
    for k in 0..3 {
        let sum: f64 = pixels.iter().map(|pixel| f64::from(pixel[k])).sum();
        let mean = (sum / pixels.len().max(1) as f64) as f32;
        pixels.iter_mut().for_each(|pixel| pixel[k] = (pixel[k] - mean) * factor + mean);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_channel_keeps_its_mean() {
        let mut pixels = [10.0, 0.0, 100.0, 30.0, 0.0, 200.0];
        stretch(&mut pixels, 1.5);
        assert_eq!(pixels, [5.0, 0.0, 75.0, 35.0, 0.0, 225.0]);
        stretch(&mut pixels, 0.0);
        assert_eq!(pixels, [20.0, 0.0, 150.0, 20.0, 0.0, 150.0]);
    }
}
