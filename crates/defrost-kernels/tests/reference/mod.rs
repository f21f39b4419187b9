//! What the kernels compute, written as plainly as possible in double precision.

use defrost_kernels::{Activation, Isa, Kernels};

pub(crate) const ACTIVATIONS: [Activation; 5] =
    [Activation::Linear, Activation::Relu, Activation::Relu6, Activation::Swish, Activation::Sigmoid];

/// The kernels of every instruction set of this processor.
pub(crate) fn all_kernels() -> Vec<Kernels> {
    let kernels: Vec<_> = Isa::ALL.into_iter().filter_map(Kernels::with).collect();
    assert!(kernels.iter().any(|k| k.isa() == Isa::Portable));
    kernels
}

/// Numbers in −1 .. 1 that look random; the same for the same seed.
pub(crate) fn numbers(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

pub(crate) fn activated(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Linear => x,
        Activation::Relu => x.max(0.0),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::Swish => x / (1.0 + (-x).exp()),
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
    }
}

/// Asserts that each element is within `tolerance` of the larger of 1 and the expected value.
#[track_caller]
pub(crate) fn assert_close(got: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), expected.len());
    for (i, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        let error = (f64::from(got) - expected).abs() / expected.abs().max(1.0);
        assert!(error <= tolerance, "{what}: element {i} is {got}, expected {expected}");
    }
}
