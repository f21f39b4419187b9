//! A map laid over its picture.

use super::{ActivationMap, evidence_colour};
use crate::image::Picture;

/// How much of the picture the strongest evidence covers.
const STRONGEST: f32 = 0.65;
/// How much of a picture's colour stays where there is no evidence: colours then belong to the map.
const COLOUR_KEPT: f32 = 0.35;

/// `picture` with `map` over it: grey and dim where nothing speaks for the class, coloured where much does. The map is enlarged
/// between the centres of its positions (bilinear).
pub fn overlay(picture: &Picture, map: &ActivationMap) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let evidence = map.evidence();
    let colours: Vec<[f32; 3]> = (0..=255_u8).map(|i| evidence_colour(f32::from(i) / 255.0).map(f32::from)).collect();
    let [rows, columns] = [(height, map.height), (width, map.width)].map(|(target, source)| between(target, source));
    let mut pixels = Vec::with_capacity(width * height * 3);
    for (&(above, below, down), line) in rows.iter().zip(picture.pixels().chunks_exact(3 * width)) {
        for (&(left, right, across), pixel) in columns.iter().zip(line.as_chunks::<3>().0) {
            let along = |row: usize| mix(evidence[row * map.width + left], evidence[row * map.width + right], across);
            let strength = mix(along(above), along(below), down);
            let colour = colours[(255.0 * strength).round() as usize];
            let [red, green, blue] = pixel.map(f32::from);
            let grey = 0.299 * red + 0.587 * green + 0.114 * blue;
            for (own, colour) in pixel.iter().zip(colour) {
                let base = mix(grey, f32::from(*own), COLOUR_KEPT + (1.0 - COLOUR_KEPT) * strength);
                pixels.push(mix(base, colour, STRONGEST * strength).round() as u8);
            }
        }
    }
    Picture::new(width, height, pixels)
}

fn mix(a: f32, b: f32, share: f32) -> f32 {
    a + share * (b - a)
}

/// For each of `target` pixels the two of `source` positions around its centre, and the share of the second.
fn between(target: usize, source: usize) -> Vec<(usize, usize, f32)> {
    let last = source - 1;
    let scale = source as f32 / target as f32;
    let at = |pixel: usize| {
        let centre = ((pixel as f32 + 0.5) * scale - 0.5).clamp(0.0, last as f32);
        let first = centre.floor() as usize;
        (first, last.min(first + 1), centre - first as f32)
    };
    (0..target).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::Method;

    fn map(width: usize, height: usize, values: Vec<f32>) -> ActivationMap {
        ActivationMap { method: Method::Cam, class: 0, logit: 0.0, width, height, values }
    }

    #[test]
    fn colour_lies_where_the_evidence_is() {
        let grey = Picture::new(40, 30, vec![90; 40 * 30 * 3]);
        let shown = overlay(&grey, &map(2, 2, vec![-3.0, 4.0, 0.0, -1.0]));
        let pixel = |x: usize, y: usize| &shown.pixels()[(y * 40 + x) * 3..][..3];
        assert_eq!(pixel(0, 0), [90; 3]);
        assert_eq!(pixel(39, 29), [90; 3]);
        let yellow = pixel(39, 0);
        assert!(yellow[0] > 150 && yellow[1] > 150 && yellow[2] < 100, "{yellow:?}");
    }

    #[test]
    fn nothing_for_the_class_leaves_the_picture_pale() {
        let red = Picture::new(3, 5, [200, 0, 0].repeat(15));
        for values in [vec![0.0; 4], vec![-1.0; 4], vec![f32::NAN; 4]] {
            let shown = overlay(&red, &map(2, 2, values));
            let [r, g, b] = [0, 1, 2].map(|i| i32::from(shown.pixels()[i]));
            assert!(r > g && g == b && g > 0);
            assert!(shown.pixels().chunks(3).all(|pixel| pixel == &shown.pixels()[..3]));
        }
    }

    #[test]
    fn enlarging_is_bilinear_between_centres() {
        assert_eq!(between(4, 2), [(0, 1, 0.0), (0, 1, 0.25), (0, 1, 0.75), (1, 1, 0.0)]);
        assert_eq!(between(2, 1), [(0, 0, 0.0), (0, 0, 0.0)]);
    }
}
