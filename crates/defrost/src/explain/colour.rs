//! The colours of evidence.

/// From violet for little evidence through red to yellow for much, RGB 0–255; `evidence` is 0–1.
///
/// Lightness and hue rise evenly in OKLab, whose distances are those that people see, and lightness alone tells the order, so the
/// map can be read in grey and by the colour-blind.
///
/// # Reference
/// Ottosson 2020, "A perceptual color space for image processing" (OKLab).
pub fn evidence_colour(evidence: f32) -> [u8; 3] {
    let t = evidence.clamp(0.0, 1.0);
    let (lightness, chroma) = (0.36 + 0.54 * t, 0.17 - 0.01 * t);
    // Degrees, from violet over red; the way round is downhill through 360.
    let hue = (295.0 + 170.0 * t).to_radians();
    srgb(lightness, chroma * hue.cos(), chroma * hue.sin())
}

/// OKLab to sRGB; what the screen can't show is cut off.
fn srgb(lightness: f32, a: f32, b: f32) -> [u8; 3] {
    let cube = |x: f32| x * x * x;
    let l = cube(lightness + 0.396_337_78 * a + 0.215_803_76 * b);
    let m = cube(lightness - 0.105_561_346 * a - 0.063_854_17 * b);
    let s = cube(lightness - 0.089_484_18 * a - 1.291_485_5 * b);
    let linear = [
        4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s,
        -1.268_438 * l + 2.609_757_4 * m - 0.341_319_4 * s,
        -0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s,
    ];
    linear.map(|x| {
        let x = x.clamp(0.0, 1.0);
        let encoded = if x <= 0.003_130_8 { 12.92 * x } else { 1.055 * x.powf(1.0 / 2.4) - 0.055 };
        (255.0 * encoded).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_evidence_is_lighter() {
        let luma = |step: usize| {
            let [r, g, b] = evidence_colour(step as f32 / 32.0).map(f32::from);
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        assert!((1..=32).all(|step| luma(step) > luma(step - 1)));
        assert_eq!(evidence_colour(-1.0), evidence_colour(0.0));
        assert_eq!(evidence_colour(f32::NAN), evidence_colour(f32::NAN));
    }

    #[test]
    fn white_and_black_are_oklabs() {
        assert_eq!(srgb(1.0, 0.0, 0.0), [255; 3]);
        assert_eq!(srgb(0.0, 0.0, 0.0), [0; 3]);
        // Ottosson's own check: sRGB red is about (0.628, 0.225, 0.126).
        assert!(
            srgb(0.627_955, 0.224_863, 0.125_846)
                .into_iter()
                .zip([255, 0, 0])
                .all(|(x, y): (u8, u8)| x.abs_diff(y) <= 1)
        );
    }
}
