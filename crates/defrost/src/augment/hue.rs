//! Other colours of the same strength.

use super::step::{Kind, Parameter};

/// `hue(a)`: moves the hue of HSV by h turns, h within ±a; saturation and value stay. torchvision's `ColorJitter(hue=a)`;
/// Keras' `RandomHue(factor)` is `hue(factor / 2)`.
///
/// # Reference
/// A. R. Smith, "Color Gamut Transform Pairs", 1978: the hexcone.
pub(super) static HUE: Kind = Kind {
    name: "hue",
    parameters: &[Parameter::amplitude("turns of the colour circle", 0.5)],
    draw: |[turns, _], random, plan| {
        let turns = turns.draw(random);
        plan.then(move |view| {
            let (pixels, _) = view.pixels.as_chunks_mut::<3>();
            pixels.iter_mut().for_each(|pixel| *pixel = turn(*pixel, turns));
        });
    },
};

fn turn([red, green, blue]: [f32; 3], turns: f32) -> [f32; 3] {
    let (value, darkest) = (red.max(green).max(blue), red.min(green).min(blue));
    let chroma = value - darkest;
    if chroma <= 0.0 {
        return [red, green, blue];
    }
    // In sixths of a turn: red 0, green 2, blue 4.
    let hue = if value == red {
        (green - blue) / chroma
    } else if value == green {
        2.0 + (blue - red) / chroma
    } else {
        4.0 + (red - green) / chroma
    };
    let hue = hue + 6.0 * turns;
    // A channel is at `value` for the third of the circle around its own colour, at `darkest` for the third opposite, and in
    // between for a sixth on either side.
    [5.0, 3.0, 1.0].map(|start: f32| {
        let apart = (start + hue).rem_euclid(6.0);
        value - chroma * apart.min(4.0 - apart).clamp(0.0, 1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(ours: [f32; 3], expected: [f32; 3]) {
        assert!(ours.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-2), "{ours:?} for {expected:?}");
    }

    #[test]
    fn a_third_of_a_turn_makes_red_green_and_grey_stays_grey() {
        assert_close(turn([200.0, 0.0, 0.0], 1.0 / 3.0), [0.0, 200.0, 0.0]);
        assert_close(turn([200.0, 0.0, 0.0], -1.0 / 3.0), [0.0, 0.0, 200.0]);
        assert_close(turn([80.0, 80.0, 80.0], 0.3), [80.0, 80.0, 80.0]);
    }

    #[test]
    fn equal_to_pythons_colorsys() {
        let cases = [
            ([200.0, 100.0, 50.0], 0.1, [200.0, 190.0, 50.0]),
            ([10.0, 240.0, 120.0], -0.25, [240.0, 235.0, 10.0]),
            ([30.0, 60.0, 250.0], 0.4, [250.0, 88.0, 30.0]),
            ([128.0, 127.0, 3.0], -0.5, [3.0, 4.0, 128.0]),
        ];
        for (pixel, turns, expected) in cases {
            assert_close(turn(pixel, turns), expected);
        }
    }

    #[test]
    fn a_whole_turn_changes_nothing() {
        for pixel in [[1.0, 2.0, 3.0], [250.0, 130.0, 7.0], [7.0, 250.0, 130.0], [90.0, 90.0, 30.0]] {
            for turns in [-1.0, 0.0, 1.0] {
                assert_close(turn(pixel, turns), pixel);
            }
            assert_close(turn(turn(pixel, 0.2), -0.2), pixel);
        }
    }
}
