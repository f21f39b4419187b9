//! Depthwise convolutions and their gradients against their definitions.

mod reference;

use defrost_kernels::{Activation, Depthwise, Kernels};
use proptest::prelude::*;
use reference::{ACTIVATIONS, activated, all_kernels, assert_close, numbers};

/// Geometries as networks use them, and odd ones: windows that miss the picture, more padding than kernel, long kernels.
fn geometries() -> impl Strategy<Value = Depthwise> {
    let usual = prop_oneof![Just([3usize, 3]), Just([5, 5])];
    let kernel = prop_oneof![4 => usual, 1 => (1..8usize, 1..8usize).prop_map(|(h, w)| [h, w])];
    let channels = prop_oneof![1..40usize, Just(16), Just(32), Just(48)];
    (kernel, 1..4usize, channels, 1..12usize, 1..30usize, 0..4usize, 0..4usize, 1..12usize, 1..30usize).prop_map(
        |(kernel, stride, channels, height, width, pad_top, pad_left, out_height, out_width)| Depthwise {
            height,
            width,
            channels,
            kernel,
            stride,
            pad_top,
            pad_left,
            out_height: out_height.min((height + pad_top) / stride + 2),
            out_width: out_width.min((width + pad_left) / stride + 2),
        },
    )
}

/// Calls `visit(output index, input index, kernel index)` for each multiply-add of the definition.
fn each_product(g: &Depthwise, mut visit: impl FnMut(usize, usize, usize)) {
    for (oy, ox) in (0..g.out_height).flat_map(|oy| (0..g.out_width).map(move |ox| (oy, ox))) {
        for (ky, kx) in (0..g.kernel[0]).flat_map(|ky| (0..g.kernel[1]).map(move |kx| (ky, kx))) {
            let (iy, ix) = (oy * g.stride + ky, ox * g.stride + kx);
            let inside = |i: usize, pad: usize, len: usize| i.checked_sub(pad).filter(|&i| i < len);
            let (Some(iy), Some(ix)) = (inside(iy, g.pad_top, g.height), inside(ix, g.pad_left, g.width)) else {
                continue;
            };
            for c in 0..g.channels {
                visit(
                    (oy * g.out_width + ox) * g.channels + c,
                    (iy * g.width + ix) * g.channels + c,
                    (ky * g.kernel[1] + kx) * g.channels + c,
                );
            }
        }
    }
}

struct Operands {
    x: Vec<f32>,
    kernel: Vec<f32>,
    bias: Vec<f32>,
    dy: Vec<f32>,
}

fn operands(g: &Depthwise) -> Operands {
    Operands {
        x: numbers(1, g.height * g.width * g.channels),
        kernel: numbers(2, g.kernel[0] * g.kernel[1] * g.channels),
        bias: numbers(3, g.channels),
        dy: numbers(4, g.out_height * g.out_width * g.channels),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_convolution_is_its_definition(
        g in geometries(),
        activation in prop::sample::select(&ACTIVATIONS[..]),
        with_bias: bool,
        with_sums: bool,
    ) {
        let Operands { x, kernel, bias, dy } = operands(&g);
        let mut expected: Vec<f64> =
            (0..dy.len()).map(|i| if with_bias { f64::from(bias[i % g.channels]) } else { 0.0 }).collect();
        each_product(&g, |y, i, k| expected[y] += f64::from(x[i]) * f64::from(kernel[k]));
        expected.iter_mut().for_each(|y| *y = activated(activation, *y));
        let mut expected_sums = vec![0.25; g.channels];
        expected.iter().enumerate().for_each(|(i, y)| expected_sums[i % g.channels] += y);
        for kernels in all_kernels() {
            let what = format!("{:?} {activation:?} {g:?}", kernels.isa());
            let mut y = vec![f32::NAN; dy.len()];
            let mut sums = vec![0.25; g.channels];
            let bias = with_bias.then_some(&bias[..]);
            kernels.depthwise(&g, &x, &kernel, bias, activation, &mut y, with_sums.then_some(&mut sums[..]));
            assert_close(&y, &expected, 1e-5, &what);
            if with_sums {
                assert_close(&sums, &expected_sums, 1e-4, &what);
            }
        }
    }

    #[test]
    fn the_gradients_are_their_definitions(g in geometries()) {
        let Operands { x, kernel, dy, .. } = operands(&g);
        let mut expected_dx = vec![0.0; x.len()];
        let mut expected_dkernel = vec![0.5; kernel.len()];
        each_product(&g, |y, i, k| {
            expected_dx[i] += f64::from(dy[y]) * f64::from(kernel[k]);
            expected_dkernel[k] += f64::from(dy[y]) * f64::from(x[i]);
        });
        for kernels in all_kernels() {
            let what = format!("{:?} {g:?}", kernels.isa());
            let mut dx = vec![f32::NAN; x.len()];
            kernels.depthwise_input_gradient(&g, &dy, &kernel, &mut dx);
            assert_close(&dx, &expected_dx, 1e-5, &what);
            let mut dkernel = vec![0.5; kernel.len()];
            kernels.depthwise_kernel_gradient(&g, &x, &dy, &mut dkernel);
            assert_close(&dkernel, &expected_dkernel, 1e-4, &what);
        }
    }

    /// A network that works by strips of rows must get what it would get from the whole picture.
    #[test]
    fn a_strip_is_a_part_of_the_whole(stride in 1..3usize, five: bool, width in 5..20usize, from in 0..5usize) {
        let k = if five { 5 } else { 3 };
        let pad = k / 2;
        let out = |len: usize| (len + 2 * pad - k) / stride + 1;
        let (height, channels) = (18, 19);
        let whole = Depthwise {
            height, width, channels, kernel: [k, k], stride, pad_top: pad, pad_left: pad,
            out_height: out(height), out_width: out(width),
        };
        let Operands { x, kernel, bias, dy } = operands(&whole);
        let top = (from * stride).saturating_sub(pad);
        let strip = Depthwise {
            height: ((from + 2) * stride + k - pad).min(height) - top,
            pad_top: pad.saturating_sub(from * stride),
            out_height: 3,
            ..whole
        };
        for kernels in all_kernels() {
            let run = |g: &Depthwise, x: &[f32], y: &mut [f32]| {
                kernels.depthwise(g, x, &kernel, Some(&bias), Activation::Swish, y, None);
            };
            let mut y = vec![0.0; dy.len()];
            run(&whole, &x, &mut y);
            let row = channels * whole.out_width;
            let mut part = vec![0.0; 3 * row];
            run(&strip, &x[top * width * channels..][..strip.height * width * channels], &mut part);
            prop_assert_eq!(&part[..], &y[from * row..(from + 3) * row]);
        }
    }
}

#[test]
#[should_panic(expected = "3 inputs, 4 outputs and 1 weights don't match")]
fn lengths_that_do_not_match_are_refused() {
    let g = Depthwise {
        height: 2,
        width: 2,
        channels: 1,
        kernel: [1, 1],
        stride: 1,
        pad_top: 0,
        pad_left: 0,
        out_height: 2,
        out_width: 2,
    };
    Kernels::detect().depthwise(&g, &[0.0; 3], &[1.0], None, Activation::Linear, &mut [0.0; 4], None);
}

#[test]
#[should_panic(expected = "don't match")]
fn sizes_that_overflow_are_refused() {
    let side = 1 << (usize::BITS / 2);
    let g = Depthwise {
        height: side,
        width: side,
        channels: 1,
        kernel: [1, 1],
        stride: 1,
        pad_top: 0,
        pad_left: 0,
        out_height: 1,
        out_width: 1,
    };
    Kernels::detect().depthwise(&g, &[], &[1.0], None, Activation::Linear, &mut [0.0], None);
}
