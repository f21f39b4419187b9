//! Resizing against `tf.image.resize` and `keras.layers.Resizing`.

#![expect(clippy::unwrap_used, reason = "a test may fail so")]

#[path = "../src/formula.rs"]
mod formula;

use std::path::Path;

use defrost::image::{Fit, Picture, Resize, resize, resize_f32};
use safetensors::SafeTensors;

fn read(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/resize").join(name)).unwrap()
}

fn values(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let bytes = file.tensor(name).unwrap_or_else(|error| panic!("{name}: {error}")).data();
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// `17x23_11x31` as source height and width, target height and width.
fn sides(pair: &str) -> [usize; 4] {
    let numbers: Vec<usize> = pair.split(['x', '_']).map(|number| number.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

#[test]
fn all_pairs_and_kinds_agree_with_tensorflow() {
    let bytes = read("resize.safetensors");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tried = 0;
    for name in file.names() {
        let (pair, method) = name.split_once('/').unwrap();
        let [h, w, th, tw] = sides(pair);
        let input = formula::tensor(&format!("resize/{pair}"), h * w * 3, 127.5, 127.5);
        let from_floats = |mode| resize_f32(&input, h, w, th, tw, mode);
        let (ours, tolerance) = match method {
            "bilinear" => (from_floats(Resize::Bilinear), 0.0),
            "u8_bilinear" => {
                let picture = Picture::new(w, h, formula::picture(&format!("resize/{pair}"), h, w, 4));
                (resize(&picture, th, tw, Resize::Bilinear), 0.0)
            }
            "nearest" => (from_floats(Resize::Nearest), 0.0),
            "area" => (from_floats(Resize::Area), 1e-3),
            "bicubic" => (from_floats(Resize::Bicubic), 2e-3),
            "bilinear_aa" => (from_floats(Resize::BilinearAntialias), 2e-3),
            "bicubic_aa" => (from_floats(Resize::BicubicAntialias), 2e-3),
            "lanczos3_aa" => (from_floats(Resize::Lanczos3Antialias), 2e-3),
            other => panic!("unknown method {other}"),
        };
        let difference = largest_difference(&ours, &values(&file, name));
        assert!(difference <= tolerance, "{name}: {difference} apart");
        tried += 1;
    }
    assert_eq!(tried, 12 * 8);
}

#[test]
fn crop_and_pad_agree_with_keras() {
    let bytes = read("keras_resizing_40x24_16x16.safetensors");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    // The golden input is f32; f32 pictures don't exist here, so each of its linear parts is checked in units of 1/256:
    // value = high + low / 256 + rest.
    let input = formula::tensor("resize/40x24_16x16", 40 * 24 * 3, 127.5, 127.5);
    let part = |f: &dyn Fn(f32) -> f32| Picture::new(24, 40, input.iter().map(|&value| f(value) as u8).collect());
    let high = part(&|value| value.floor());
    let low = part(&|value| (value.fract() * 256.0).floor());
    for (fit, name) in [(Fit::Crop, "crop_to_aspect_ratio"), (Fit::Pad, "pad_to_aspect_ratio")] {
        let resized = |picture| resize(&fit.apply(picture, 16, 16), 16, 16, Resize::Bilinear);
        let ours: Vec<f32> = resized(&high).iter().zip(resized(&low)).map(|(high, low)| high + low / 256.0).collect();
        let difference = largest_difference(&ours, &values(&file, name));
        assert!(difference <= 1.0 / 256.0 + 1e-3, "{name}: {difference} apart");
    }
    assert_eq!(Fit::Stretch.apply(&high, 16, 16).pixels(), high.pixels());
}

#[test]
fn names_are_those_of_serde() {
    for mode in Resize::ALL {
        assert_eq!(serde_json::to_value(mode).unwrap(), mode.name());
    }
}
