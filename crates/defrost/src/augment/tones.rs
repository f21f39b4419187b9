//! Colour operations that only RandAugment and TrivialAugment use, with Pillow's and torchvision's formulas on 0..=255.

use super::plan::View;

/// `x · factor`: Pillow's brightness.
pub(super) fn lighten(view: &mut View, factor: f32) {
    view.pixels.iter_mut().for_each(|sample| *sample *= factor);
}

/// `grey + (x − grey) · factor`, where grey is the mean of the whole grey view: Pillow's contrast.
pub(super) fn contrast(view: &mut View, factor: f32) {
    let (pixels, _) = view.pixels.as_chunks::<3>();
    let grey = |[red, green, blue]: &[f32; 3]| f64::from(0.299 * red + 0.587 * green + 0.114 * blue);
    let mean = (pixels.iter().map(grey).sum::<f64>() / pixels.len().max(1) as f64) as f32;
    view.pixels.iter_mut().for_each(|sample| *sample = mean + (*sample - mean) * factor);
}

/// `smooth + (x − smooth) · factor`, where smooth is the mean of the nine pixels around, the middle one five times; pixels at
/// the edge stay. A factor above 1 sharpens, below 1 it blurs.
pub(super) fn sharpen(view: &mut View, factor: f32) {
    let original = view.pixels.clone();
    let stride = view.width * 3;
    let inside = |end: usize| 1..end.saturating_sub(1);
    for row in inside(view.height) {
        for i in inside(view.width).flat_map(|x| (0..3).map(move |k| row * stride + x * 3 + k)) {
            let around: f32 =
                [i - stride, i, i + stride].map(|i| original[i - 3] + original[i] + original[i + 3]).iter().sum();
            let smooth = (around + 4.0 * original[i]) / 13.0;
            view.pixels[i] = smooth + (original[i] - smooth) * factor;
        }
    }
}

/// Keeps the `bits` highest bits of each sample.
pub(super) fn posterize(view: &mut View, bits: u32) {
    let mask = 0xff_u8.checked_shl(8 - bits.min(8)).unwrap_or(0);
    view.pixels.iter_mut().for_each(|sample| *sample = f32::from(sample.round() as u8 & mask));
}

/// Turns samples from `threshold` on into their negative.
pub(super) fn solarize(view: &mut View, threshold: f32) {
    view.pixels.iter_mut().filter(|sample| **sample >= threshold).for_each(|sample| *sample = 255.0 - *sample);
}

/// Stretches each channel to 0..=255; a channel of one value stays.
pub(super) fn auto_contrast(view: &mut View) {
    let (pixels, _) = view.pixels.as_chunks_mut::<3>();
    for k in 0..3 {
        let channel = || pixels.iter().map(|pixel| pixel[k]);
        let (low, high) = (channel().fold(f32::INFINITY, f32::min), channel().fold(f32::NEG_INFINITY, f32::max));
        if low < high {
            pixels.iter_mut().for_each(|pixel| pixel[k] = (pixel[k] - low) * 255.0 / (high - low));
        }
    }
}

/// Makes each channel's values equally frequent, as far as whole numbers allow.
pub(super) fn equalize(view: &mut View) {
    let (pixels, _) = view.pixels.as_chunks_mut::<3>();
    for k in 0..3 {
        let mut histogram = [0_usize; 256];
        pixels.iter().for_each(|pixel| histogram[usize::from(pixel[k].round() as u8)] += 1);
        let brightest = histogram.iter().rev().copied().find(|&count| count > 0).unwrap_or(0);
        let step = (pixels.len() - brightest) / 255;
        if step == 0 {
            continue;
        }
        let mut below = 0;
        let table = histogram.map(|count| {
            let level = ((below + step / 2) / step).min(255);
            below += count;
            level as f32
        });
        pixels.iter_mut().for_each(|pixel| pixel[k] = table[usize::from(pixel[k].round() as u8)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(height: usize, width: usize, values: &[f32]) -> View {
        let pixels = values.iter().flat_map(|&value| [value; 3]).collect();
        View { pixels, height, width }
    }

    fn channel(view: &View) -> Vec<f32> {
        let (pixels, _) = view.pixels.as_chunks::<3>();
        assert!(pixels.iter().all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]));
        pixels.iter().map(|pixel| pixel[0]).collect()
    }

    fn after(values: &[f32], change: impl Fn(&mut View)) -> Vec<f32> {
        let mut view = grey(1, values.len(), values);
        change(&mut view);
        channel(&view)
    }

    #[test]
    fn each_does_what_pillow_does() {
        assert_eq!(after(&[10.0, 100.0], |view| lighten(view, 0.5)), [5.0, 50.0]);
        assert_eq!(after(&[0.0, 128.0, 255.0, 31.0], |view| posterize(view, 3)), [0.0, 128.0, 224.0, 0.0]);
        assert_eq!(after(&[0.0, 77.4, 255.0], |view| posterize(view, 8)), [0.0, 77.0, 255.0]);
        assert_eq!(after(&[0.0, 127.0, 128.0, 255.0], |view| solarize(view, 128.0)), [0.0, 127.0, 127.0, 0.0]);
        assert_eq!(after(&[50.0, 75.0, 101.0], auto_contrast), [0.0, 125.0, 255.0]);
        assert_eq!(after(&[50.0, 50.0], auto_contrast), [50.0, 50.0]);
        let contrasted = after(&[50.0, 150.0], |view| contrast(view, 0.5));
        assert!((contrasted[0] - 75.0).abs() < 1e-3 && (contrasted[1] - 125.0).abs() < 1e-3, "{contrasted:?}");
    }

    #[test]
    fn a_sharpened_spot_stands_out_and_the_edge_stays() {
        let mut values = [10.0; 12];
        values[5] = 140.0;
        let mut view = grey(3, 4, &values);
        sharpen(&mut view, 0.0);
        // (8 · 10 + 5 · 140) / 13 at the spot, (7 · 10 + 140 + 5 · 10) / 13 beside it.
        assert_eq!(channel(&view)[4..8], [10.0, 60.0, 20.0, 10.0]);
        let mut view = grey(3, 4, &values);
        sharpen(&mut view, 2.0);
        assert_eq!(channel(&view)[4..8], [10.0, 220.0, 0.0, 10.0]);
        sharpen(&mut grey(1, 1, &[3.0]), 2.0);
    }

    #[test]
    fn equalizing_spreads_a_dark_picture_over_the_whole_range() {
        // 1024 values of 0..=63, each 16 times: step (1024 − 16) / 255 = 3.
        let values: Vec<f32> = (0..1024).map(|i| (i / 16) as f32).collect();
        let spread = after(&values, equalize);
        assert_eq!((spread[0], spread[16], spread[32], spread[1023]), (0.0, 5.0, 11.0, 255.0));
        assert!(spread.is_sorted());
        // Too few pixels for a step: unchanged.
        assert_eq!(after(&[1.0, 2.0, 3.0], equalize), [1.0, 2.0, 3.0]);
    }
}
