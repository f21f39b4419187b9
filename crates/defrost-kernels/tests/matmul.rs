//! Products against double precision, and their independence of how many rows there are.

mod reference;

use defrost_kernels::{Activation, Buffer, Epilogue, Kernels, Matrix, Packed, Precision};
use proptest::prelude::*;
use reference::{ACTIVATIONS, activated, all_kernels, assert_close, numbers};

#[derive(Debug, Clone)]
struct Case {
    m: usize,
    k: usize,
    n: usize,
    a_transposed: bool,
    b_transposed: bool,
    padding: usize,
    bias: bool,
    residual: bool,
    accumulate: bool,
    activation: Activation,
}

fn cases() -> impl Strategy<Value = Case> {
    let size = prop_oneof![Just(1usize), 1..40usize, 40..80usize];
    let depth = prop_oneof![0..20usize, 20..130usize, 250..600usize];
    (size.clone(), depth, size, any::<[bool; 5]>(), 0..4usize, prop::sample::select(&ACTIVATIONS[..])).prop_map(
        |(m, k, n, [a_transposed, b_transposed, bias, residual, accumulate], padding, activation)| {
            let activation = if accumulate { Activation::Linear } else { activation };
            let (bias, residual) = (bias && !accumulate, residual && !accumulate);
            Case { m, k, n, a_transposed, b_transposed, padding, bias, residual, accumulate, activation }
        },
    )
}

/// A strided view of `rows` × `cols` random numbers.
fn matrix(data: &[f32], rows: usize, cols: usize, transposed: bool, padding: usize) -> Matrix<'_> {
    let (outer, inner) = if transposed { (cols, rows) } else { (rows, cols) };
    let mut view = Matrix::new(data, outer, inner);
    view.row_stride = inner + padding;
    if transposed { view.transposed() } else { view }
}

fn element(view: &Matrix<'_>, i: usize, j: usize) -> f64 {
    f64::from(view.data[i * view.row_stride + j * view.col_stride])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_product_is_the_one_in_double_precision(case in cases()) {
        let Case { m, k, n, .. } = case;
        let size = |rows: usize, cols: usize| (rows.max(cols) + case.padding) * (rows.max(cols) + 1);
        let (a, b) = (numbers(1, size(m, k)), numbers(2, size(k, n)));
        let a = matrix(&a, m, k, case.a_transposed, case.padding);
        let b = matrix(&b, k, n, case.b_transposed, case.padding);
        let (bias, residual, before) = (numbers(3, n), numbers(4, m * n), numbers(5, m * n));
        let expected: Vec<f64> = (0..m * n)
            .map(|index| {
                let (i, j) = (index / n, index % n);
                let product: f64 = (0..k).map(|l| element(&a, i, l) * element(&b, l, j)).sum();
                let seed = if case.accumulate { f64::from(before[index]) } else { 0.0 };
                let bias = if case.bias { f64::from(bias[j]) } else { 0.0 };
                let residual = if case.residual { f64::from(residual[index]) } else { 0.0 };
                activated(case.activation, product + seed + bias) + residual
            })
            .collect();
        let epilogue = Epilogue {
            bias: case.bias.then_some(&bias[..]),
            residual: case.residual.then_some(&residual[..]),
            activation: case.activation,
            accumulate: case.accumulate,
        };
        for kernels in all_kernels() {
            let packed = kernels.pack(b);
            prop_assert_eq!((packed.rows(), packed.cols()), (k, n));
            let mut c = before.clone();
            kernels.matmul(a, &packed, &mut c, &epilogue);
            assert_close(&c, &expected, 2e-5, &format!("{:?} {case:?}", kernels.isa()));
        }
    }

    #[test]
    fn a_row_does_not_depend_on_the_others(m in 1..70usize, k in 0..600usize, n in 1..70usize, a_transposed: bool) {
        let (a, b, bias) = (numbers(1, m * k + 1), numbers(2, k * n), numbers(3, n));
        let a = matrix(&a, m, k, a_transposed, 0);
        let epilogue = Epilogue { bias: Some(&bias), activation: Activation::Swish, ..Epilogue::default() };
        for kernels in all_kernels() {
            let packed = kernels.pack(Matrix::new(&b, k, n));
            let mut together = vec![0.0; m * n];
            kernels.matmul(a, &packed, &mut together, &epilogue);
            for i in 0..m {
                let mut alone = vec![0.0; n];
                let mut row = a;
                (row.data, row.rows) = (a.data.get(i * a.row_stride..).unwrap_or_default(), 1);
                kernels.matmul(row, &packed, &mut alone, &epilogue);
                prop_assert!(alone.iter().zip(&together[i * n..]).all(|(x, y)| x.to_bits() == y.to_bits()));
            }
        }
    }
}

#[test]
fn a_long_chain_stays_accurate() {
    let k = 100_000;
    let (a, b) = (numbers(1, k), numbers(2, k));
    let (a, b): (Vec<f32>, Vec<f32>) = a.iter().zip(&b).map(|(a, b)| (a.abs(), b.abs())).unzip();
    let expected: f64 = a.iter().zip(&b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    for kernels in all_kernels() {
        let mut c = [0.0];
        kernels.matmul(Matrix::new(&a, 1, k), &kernels.pack(Matrix::new(&b, k, 1)), &mut c, &Epilogue::default());
        assert_close(&c, &[expected], 2e-6, &format!("{:?}", kernels.isa()));
    }
}

#[test]
fn scaled_weights_are_the_scaled_weights_packed() {
    for kernels in all_kernels() {
        // The room is used again, first for more, then for less.
        let mut scaled = Packed::default();
        for (k, n) in [(33, 70), (5, 1), (16, 32), (0, 3), (7, 40)] {
            let (a, b, factors) = (numbers(1, 2 * k), numbers(2, k * n), numbers(3, k));
            kernels.scale_packed(&kernels.pack(Matrix::new(&b, k, n)), &factors, &mut scaled);
            let by_hand: Vec<f32> = b.iter().enumerate().map(|(i, b)| b * factors[i / n]).collect();
            let product = |b: &Packed| {
                let mut c = vec![0.0; 2 * n];
                kernels.matmul(Matrix::new(&a, 2, k), b, &mut c, &Epilogue::default());
                c
            };
            assert_eq!(product(&scaled), product(&kernels.pack(Matrix::new(&by_hand, k, n))), "{k}×{n}");
        }
    }
}

#[test]
fn packing_again_forgets_what_was_there() {
    for kernels in all_kernels() {
        let mut packed = Packed::default();
        kernels.pack_into(Matrix::new(&[9.0; 70], 2, 35), Precision::F32, &mut packed);
        kernels.pack_into(Matrix::new(&[1.0, 2.0, 3.0], 3, 1), Precision::F32, &mut packed);
        let mut c = [0.0];
        kernels.matmul(Matrix::new(&[1.0, 10.0, 100.0], 1, 3), &packed, &mut c, &Epilogue::default());
        assert_eq!(c, [321.0]);
    }
}

#[test]
#[should_panic(expected = "A's columns must match B's rows")]
fn shapes_that_do_not_match_are_refused() {
    let kernels = Kernels::detect();
    let b = kernels.pack(Matrix::new(&[0.0; 6], 3, 2));
    kernels.matmul(Matrix::new(&[0.0; 4], 2, 2), &b, &mut [0.0; 4], &Epilogue::default());
}

#[test]
#[should_panic(expected = "A reaches beyond its data")]
fn a_view_that_is_too_large_is_refused() {
    let kernels = Kernels::detect();
    let b = kernels.pack(Matrix::new(&[0.0; 4], 2, 2));
    kernels.matmul(Matrix::new(&[0.0; 5], 3, 2), &b, &mut [0.0; 6], &Epilogue::default());
}

#[test]
fn patches_are_read_where_they_lie() {
    // A 3×3 convolution of stride 2 over rows of 11 pixels with 3 channels.
    let (width, channels, columns, filters) = (11, 3, 5, 40);
    let picture = numbers(1, 3 * width * channels);
    let kernel = numbers(2, 9 * channels * filters);
    let mut gathered = Vec::new();
    for column in 0..columns {
        for row in 0..3 {
            gathered.extend_from_slice(&picture[(row * width + 2 * column) * channels..][..3 * channels]);
        }
    }
    for kernels in all_kernels() {
        let packed = kernels.pack(Matrix::new(&kernel, 9 * channels, filters));
        let product = |a: Matrix<'_>| {
            let mut c = vec![0.0; columns * filters];
            kernels.matmul(a, &packed, &mut c, &Epilogue::default());
            c
        };
        let patches = Matrix::patches(&picture, columns, 2 * channels, [3, 3 * channels, width * channels]);
        assert_eq!(product(patches), product(Matrix::new(&gathered, columns, 9 * channels)));
        let short = Matrix::patches(&picture[1..], columns, 2 * channels, [3, 3 * channels, width * channels]);
        assert!(std::panic::catch_unwind(|| product(short)).is_err());
    }
}

/// The nearest bf16 number.
fn rounded(value: f32) -> f32 {
    let bits = value.to_bits();
    f32::from_bits((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
}

/// The kernels with each way to multiply bf16 numbers.
fn all_bf16() -> Vec<Kernels> {
    let ways = |kernels: Kernels| [kernels, kernels.without_tiles(false), kernels.without_tiles(true)];
    all_kernels().into_iter().flat_map(ways).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_product_of_bf16_numbers_is_the_one_of_rounded_factors(case in cases()) {
        let Case { m, k, n, .. } = case;
        let size = |rows: usize, cols: usize| (rows.max(cols) + case.padding) * (rows.max(cols) + 1);
        let (a, b) = (numbers(1, size(m, k)), numbers(2, size(k, n)));
        let [a_rounded, b_rounded] = [&a, &b].map(|v| v.iter().map(|&v| rounded(v)).collect::<Vec<f32>>());
        let view = |a, transposed, [rows, cols]: [usize; 2]| matrix(a, rows, cols, transposed, case.padding);
        let (bias, residual, before) = (numbers(3, n), numbers(4, m * n), numbers(5, m * n));
        let epilogue = Epilogue {
            bias: case.bias.then_some(&bias),
            residual: case.residual.then_some(&residual),
            activation: case.activation,
            accumulate: case.accumulate,
        };
        let kernels = Kernels::detect();
        let mut expected = before.clone();
        let packed = kernels.pack(view(&b_rounded, case.b_transposed, [k, n]));
        kernels.matmul(view(&a_rounded, case.a_transposed, [m, k]), &packed, &mut expected, &epilogue);
        let expected: Vec<f64> = expected.into_iter().map(f64::from).collect();
        let mut buffer = Buffer::default();
        for kernels in all_bf16() {
            let packed = kernels.pack_as(view(&b, case.b_transposed, [k, n]), Precision::Bf16);
            let a = view(&a, case.a_transposed, [m, k]);
            let mut c = before.clone();
            kernels.matmul_with(a, &packed, &mut c, &epilogue, &mut buffer);
            assert_close(&c, &expected, 2e-5, &format!("{:?} {:?}", kernels.isa(), kernels.bf16()));
            // A row alone is bit for bit the same.
            for i in [0, m / 2, m - 1] {
                let mut row = a;
                (row.data, row.rows) = (a.data.get(i * a.row_stride..).unwrap_or_default(), 1);
                let own = i * n..(i + 1) * n;
                let mut alone = before[own.clone()].to_vec();
                let residual = epilogue.residual.map(|residual| &residual[own.clone()]);
                kernels.matmul_with(row, &packed, &mut alone, &Epilogue { residual, ..epilogue }, &mut buffer);
                prop_assert_eq!(&alone, &c[own]);
            }
        }
    }
}

#[test]
fn a_nan_survives_rounding() {
    for kernels in all_bf16() {
        let packed = kernels.pack_as(Matrix::new(&[1.0; 4], 4, 1), Precision::Bf16);
        let mut c = [0.0];
        let a = [0.0, f32::from_bits(0x7fff_ffff), 0.0, 0.0];
        kernels.matmul_with(Matrix::new(&a, 1, 4), &packed, &mut c, &Epilogue::default(), &mut Buffer::default());
        assert!(c[0].is_nan(), "{:?} {:?}", kernels.isa(), kernels.bf16());
    }
}
