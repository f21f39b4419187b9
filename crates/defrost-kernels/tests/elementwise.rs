//! Activations and per-channel arithmetic against double precision.

mod reference;

use defrost_kernels::Activation;
use proptest::prelude::*;
use reference::{ACTIVATIONS, activated, all_kernels, assert_close, numbers};

/// A sweep over all magnitudes, both signs.
fn sweep() -> Vec<f32> {
    let positive = (0..40_000).map(|i| 1e-6 * 1.000_6f32.powi(i)).take_while(|&x| x < 1e4);
    positive.flat_map(|x| [x, -x]).chain([0.0, -0.0]).collect()
}

#[test]
fn smooth_activations_have_the_accuracy_of_single_precision() {
    let inputs = sweep();
    for kernels in all_kernels() {
        for activation in [Activation::Sigmoid, Activation::Swish] {
            let mut y = inputs.clone();
            kernels.activate(activation, &mut y);
            let mut worst = 0.0f64;
            for (&x, &y) in inputs.iter().zip(&y) {
                let expected = activated(activation, f64::from(x));
                if x > -86.0 {
                    // What ln 2 lacks in single precision grows with the exponent.
                    let scale = expected.abs().max(1e-37) * (1.0 + 0.03 * f64::from(x.min(0.0).abs()));
                    worst = worst.max((f64::from(y) - expected).abs() / scale);
                } else {
                    assert!(y.abs() < 1e-35, "{activation:?}({x}) is {y}");
                }
            }
            assert!(worst < 5e-7, "{:?} {activation:?}: {worst:e}", kernels.isa());
        }
    }
}

#[test]
fn extreme_values_give_limits_and_nan_stays_nan() {
    let inputs = [f32::INFINITY, f32::MAX, -f32::MAX, f32::NEG_INFINITY];
    for kernels in all_kernels() {
        for (activation, expected) in [
            (Activation::Relu, [f32::INFINITY, f32::MAX, 0.0, 0.0]),
            (Activation::Relu6, [6.0, 6.0, 0.0, 0.0]),
            (Activation::Swish, [f32::INFINITY, f32::MAX, 0.0, 0.0]),
            (Activation::Sigmoid, [1.0, 1.0, 0.0, 0.0]),
        ] {
            let mut y = inputs;
            kernels.activate(activation, &mut y);
            for (y, expected) in y.into_iter().zip(expected) {
                assert!(y == expected || (y - expected).abs() < 1e-35, "{:?} {activation:?}: {y}", kernels.isa());
            }
            let mut nan = [f32::NAN; 17];
            kernels.activate(activation, &mut nan);
            assert!(nan.iter().all(|y| y.is_nan()), "{:?} {activation:?}", kernels.isa());
            let mut gradient = [1.0; 4];
            kernels.activation_gradient(activation, &inputs, &mut gradient);
            assert!(gradient.iter().all(|dy| dy.is_finite()), "{:?} {activation:?}: {gradient:?}", kernels.isa());
        }
    }
}

#[test]
fn gradients_are_the_central_differences() {
    let inputs: Vec<f32> = (-400..=400).map(|i| i as f32 * 0.03 + 0.013).collect();
    for kernels in all_kernels() {
        for activation in ACTIVATIONS {
            let mut dy = vec![2.0; inputs.len()];
            kernels.activation_gradient(activation, &inputs, &mut dy);
            let expected: Vec<f64> = inputs
                .iter()
                .map(|&x| {
                    let (x, h) = (f64::from(x), 1e-5);
                    2.0 * (activated(activation, x + h) - activated(activation, x - h)) / (2.0 * h)
                })
                .collect();
            assert_close(&dy, &expected, 2e-6, &format!("{:?} {activation:?}", kernels.isa()));
        }
    }
}

#[test]
fn the_kinks_have_the_derivative_that_tensorflow_gives_them() {
    for kernels in all_kernels() {
        let gradient = |activation, x: f32| {
            let mut dy = [3.0];
            kernels.activation_gradient(activation, &[x], &mut dy);
            dy[0]
        };
        assert_eq!(gradient(Activation::Relu, 0.0), 0.0);
        assert_eq!(gradient(Activation::Relu, 1e-30), 3.0);
        assert_eq!(gradient(Activation::Relu6, 0.0), 0.0);
        assert_eq!(gradient(Activation::Relu6, 6.0), 0.0);
        assert_eq!(gradient(Activation::Relu6, 5.99), 3.0);
    }
}

proptest! {
    #[test]
    fn channel_arithmetic_is_its_definition(rows in 0..40usize, channels in 1..70usize, factor in -2.0..2.0f32) {
        let (a, b) = (numbers(1, rows * channels), numbers(2, rows * channels));
        let (scale, shift) = (numbers(3, channels), numbers(4, channels));
        let map = |f: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
            (0..rows * channels).map(|i| f(i, i % channels)).collect()
        };
        let total = |f: &dyn Fn(usize) -> f64| -> Vec<f64> {
            let sum = |c| f64::from(shift[c]) + (0..rows).map(|r| f(r * channels + c)).sum::<f64>();
            (0..channels).map(sum).collect()
        };
        let [a64, b64, scale64, shift64] =
            [&a, &b, &scale, &shift].map(|v| v.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>());
        for kernels in all_kernels() {
            let what = format!("{:?}", kernels.isa());
            let applied = |f: &dyn Fn(&mut [f32])| {
                let mut y = a.clone();
                f(&mut y);
                y
            };
            let summed = |f: &dyn Fn(&mut [f32])| {
                let mut out = shift.clone();
                f(&mut out);
                out
            };
            let y = applied(&|y| kernels.scale_shift(y, &scale, &shift, Activation::Swish));
            let swish = |i, c| activated(Activation::Swish, a64[i] * scale64[c] + shift64[c]);
            assert_close(&y, &map(&swish), 1e-6, &what);
            let y = applied(&|y| kernels.scale_shift_into(&a, &scale, &shift, Activation::Swish, y));
            assert_close(&y, &map(&swish), 1e-6, &what);
            let mut dy = b.clone();
            let (mut sum, mut dot) = (shift.clone(), scale.clone());
            let factors = [&scale[..], &shift];
            kernels.scale_shift_gradient(&a, factors, Activation::Swish, &mut dy, [&mut sum, &mut dot]);
            let dz = |i: usize| {
                let (z, h) = (a64[i] * scale64[i % channels] + shift64[i % channels], 1e-5);
                let swish = |z| activated(Activation::Swish, z);
                b64[i] * (swish(z + h) - swish(z - h)) / (2.0 * h)
            };
            assert_close(&dy, &map(&|i, c| dz(i) * scale64[c]), 2e-6, &what);
            assert_close(&sum, &total(&dz), 1e-5, &what);
            let dots: Vec<f64> =
                total(&|i| dz(i) * a64[i]).iter().zip(&shift64).zip(&scale64).map(|((t, b), s)| t - b + s).collect();
            assert_close(&dot, &dots, 1e-5, &what);
            let y = applied(&|y| kernels.multiply_channels(y, &scale));
            assert_close(&y, &map(&|i, c| a64[i] * scale64[c]), 1e-6, &what);
            let y = applied(&|y| kernels.multiply_channels_into(&b, &scale, y));
            assert_close(&y, &map(&|i, c| b64[i] * scale64[c]), 1e-6, &what);
            let (mut dy, mut dgate) = (b.clone(), shift.clone());
            kernels.multiply_channels_gradient(&a, &scale, &mut dy, &mut dgate);
            assert_close(&dy, &map(&|i, c| b64[i] * scale64[c]), 1e-6, &what);
            assert_close(&dgate, &total(&|i| a64[i] * b64[i]), 1e-5, &what);
            let y = applied(&|y| kernels.add_row(y, &scale));
            assert_close(&y, &map(&|i, c| a64[i] + scale64[c]), 1e-6, &what);
            let y = applied(&|y| kernels.add_assign(y, &b));
            assert_close(&y, &map(&|i, _| a64[i] + b64[i]), 1e-6, &what);
            let y = applied(&|y| kernels.add_scaled(y, &b, factor));
            assert_close(&y, &map(&|i, _| a64[i] + f64::from(factor) * b64[i]), 1e-6, &what);
            let out = summed(&|out| kernels.sum_rows(&a, channels, out));
            assert_close(&out, &total(&|i| a64[i]), 1e-5, &what);
            let out = summed(&|out| kernels.dot_rows(&a, &b, channels, out));
            assert_close(&out, &total(&|i| a64[i] * b64[i]), 1e-5, &what);
        }
    }
}

#[test]
#[should_panic(expected = "no whole number of rows")]
fn part_rows_are_refused() {
    defrost_kernels::Kernels::detect().multiply_channels(&mut [0.0; 7], &[1.0; 2]);
}
