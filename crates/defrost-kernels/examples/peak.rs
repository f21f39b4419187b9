//! How near the kernels come to what the processor can do, on one thread and EfficientNetB0's shapes at 224×224.
//!
//! `cargo run --release -p defrost-kernels --example peak [avx512|avx2|neon|portable]`

#![expect(clippy::print_stdout, reason = "an example that prints a table")]

use defrost_kernels::{Activation, Depthwise, Epilogue, Isa, Kernels, Matrix, Precision};
use std::hint::black_box;
use std::time::Instant;

/// (m, k, n, how often in one forward pass, whether it ends in a swish)
const PRODUCTS: [(usize, usize, usize, usize, bool); 22] = [
    (12544, 27, 32, 1, true),
    (12544, 32, 16, 1, false),
    (12544, 16, 96, 1, true),
    (3136, 96, 24, 1, false),
    (3136, 24, 144, 2, true),
    (3136, 144, 24, 1, false),
    (784, 144, 40, 1, false),
    (784, 40, 240, 2, true),
    (784, 240, 40, 1, false),
    (196, 240, 80, 1, false),
    (196, 80, 480, 3, true),
    (196, 480, 80, 2, false),
    (196, 480, 112, 1, false),
    (196, 112, 672, 3, true),
    (196, 672, 112, 2, false),
    (49, 672, 192, 1, false),
    (49, 192, 1152, 4, true),
    (49, 1152, 192, 3, false),
    (49, 1152, 320, 1, false),
    (49, 320, 1280, 1, true),
    (392, 192, 1152, 0, true),
    (392, 1152, 192, 0, false),
];

/// (input size, channels, kernel, stride, how often)
const DEPTHWISE: [(usize, usize, usize, usize, usize); 10] = [
    (112, 32, 3, 1, 1),
    (112, 96, 3, 2, 1),
    (56, 144, 3, 1, 1),
    (56, 144, 5, 2, 1),
    (28, 240, 5, 1, 1),
    (28, 240, 3, 2, 1),
    (14, 480, 3, 1, 2),
    (14, 672, 5, 1, 2),
    (14, 672, 5, 2, 1),
    (7, 1152, 5, 1, 3),
];

/// Products of the backward pass of a shard of 8 pictures: dW = Xᵀ·dY.
const GRADIENTS: [(usize, usize, usize); 3] = [(392, 192, 1152), (392, 1152, 320), (1568, 672, 112)];

fn main() {
    let kernels = match std::env::args().nth(1).as_deref() {
        Some("avx512") => Kernels::with(Isa::Avx512),
        Some("avx2") => Kernels::with(Isa::Avx2),
        Some("neon") => Kernels::with(Isa::Neon),
        Some("portable") => Kernels::with(Isa::Portable),
        _ => Some(Kernels::detect()),
    };
    let Some(kernels) = kernels else {
        println!("this processor has no such instruction set");
        return;
    };
    let peak = peak(kernels);
    println!("{:?}: peak {peak:.0} GFLOP/s (the best product that stays in the first-level cache)", kernels.isa());

    println!("\n    m     k     n  epilogue   µs      GFLOP/s  of peak");
    let mut total = Total::default();
    for (m, k, n, count, swish) in PRODUCTS {
        let activation = if swish { Activation::Swish } else { Activation::Linear };
        let flops = (2 * m * k * n) as f64;
        let seconds = product(kernels, m, k, n, activation);
        let rate = flops / seconds / 1e9;
        let name = if swish { "swish" } else { "residual" };
        println!("{m:5} {k:5} {n:5}  {name:8} {:7.1} {rate:10.1} {:7.0} %", seconds * 1e6, 100.0 * rate / peak);
        total.add(count, flops, seconds);
    }
    total.print("all products", peak);

    println!("\n  size     c  kernel/stride   µs      GFLOP/s  of peak    dx µs   dkernel µs");
    let mut total = Total::default();
    for (size, channels, kernel, stride, count) in DEPTHWISE {
        let g = geometry(size, channels, kernel, stride);
        let flops = (2 * g.out_height * g.out_width * channels * kernel * kernel) as f64;
        let [forward, dx, dkernel] = depthwise(kernels, &g);
        let rate = flops / forward / 1e9;
        println!(
            "{size:6} {channels:5}  {kernel}×{kernel} / {stride}     {:7.1} {rate:10.1} {:7.0} % {:9.1} {:9.1}",
            forward * 1e6,
            100.0 * rate / peak,
            dx * 1e6,
            dkernel * 1e6
        );
        total.add(count, flops, forward);
    }
    total.print("all depthwise", peak);

    println!("\nAᵀ·B  k     m     n       µs      GFLOP/s  of peak   packing B µs, Bᵀ µs");
    for (k, m, n) in GRADIENTS {
        let (a, b, mut c) = (numbers(m * k), numbers(k * n), vec![0.0; m * n]);
        let epilogue = Epilogue { accumulate: true, ..Epilogue::default() };
        let mut packed = kernels.pack(Matrix::new(&b, k, n));
        let a = Matrix::new(&a, k, m).transposed();
        let seconds = time(|| kernels.matmul(a, &packed, black_box(&mut c), &epilogue));
        let pack = time(|| kernels.pack_into(Matrix::new(&b, k, n), Precision::F32, black_box(&mut packed)));
        let pack_transposed =
            time(|| kernels.pack_into(Matrix::new(&b, n, k).transposed(), Precision::F32, black_box(&mut packed)));
        let rate = (2 * m * k * n) as f64 / seconds / 1e9;
        println!(
            "{k:7} {m:5} {n:5} {:8.1} {rate:10.1} {:7.0} % {:9.1} {:9.1}",
            seconds * 1e6,
            100.0 * rate / peak,
            pack * 1e6,
            pack_transposed * 1e6
        );
    }

    let mut x = numbers(64 * 96);
    let swish = time(|| kernels.activate(Activation::Swish, black_box(&mut x)));
    println!("\nswish: {:.2} ns an element", swish * 1e9 / x.len() as f64);
}

#[derive(Default)]
struct Total {
    flops: f64,
    seconds: f64,
}

impl Total {
    fn add(&mut self, count: usize, flops: f64, seconds: f64) {
        self.flops += count as f64 * flops;
        self.seconds += count as f64 * seconds;
    }

    fn print(&self, what: &str, peak: f64) {
        let rate = self.flops / self.seconds / 1e9;
        println!(
            "{what}: {:.2} ms a picture, {rate:.1} GFLOP/s, {:.0} % of peak",
            self.seconds * 1e3,
            100.0 * rate / peak
        );
    }
}

/// The multiply-add peak: the best of products whose operands stay in the first-level cache, and whose sums in registers.
fn peak(kernels: Kernels) -> f64 {
    let rate = |k| {
        let (m, n) = (12, 32);
        let (a, b, mut c) = (numbers(m * k), numbers(k * n), vec![0.0; m * n]);
        let packed = kernels.pack(Matrix::new(&b, k, n));
        let epilogue = Epilogue::default();
        (2 * m * k * n) as f64
            / time(|| kernels.matmul(Matrix::new(&a, m, k), &packed, black_box(&mut c), &epilogue))
            / 1e9
    };
    [64, 96, 128, 160, 192].into_iter().map(rate).fold(0.0, f64::max)
}

fn product(kernels: Kernels, m: usize, k: usize, n: usize, activation: Activation) -> f64 {
    let (a, b, bias, mut c) = (numbers(m * k), numbers(k * n), numbers(n), vec![0.0; m * n]);
    let packed = kernels.pack(Matrix::new(&b, k, n));
    let residual = numbers(m * n);
    let residual = (activation == Activation::Linear).then_some(&residual[..]);
    let epilogue = Epilogue { bias: Some(&bias), activation, residual, accumulate: false };
    time(|| kernels.matmul(Matrix::new(&a, m, k), &packed, black_box(&mut c), &epilogue))
}

fn geometry(size: usize, channels: usize, kernel: usize, stride: usize) -> Depthwise {
    let out = size / stride;
    let pad = ((out - 1) * stride + kernel - size) / 2;
    Depthwise {
        height: size,
        width: size,
        channels,
        kernel: [kernel; 2],
        stride,
        pad_top: pad,
        pad_left: pad,
        out_height: out,
        out_width: out,
    }
}

/// Seconds of the forward pass with bias, swish and sums; of `dx`; of `dkernel`.
fn depthwise(kernels: Kernels, g: &Depthwise) -> [f64; 3] {
    let mut x = numbers(g.height * g.width * g.channels);
    let mut y = numbers(g.out_height * g.out_width * g.channels);
    let mut kernel = numbers(g.kernel[0] * g.kernel[1] * g.channels);
    let (bias, mut sums) = (numbers(g.channels), numbers(g.channels));
    let swish = Activation::Swish;
    [
        time(|| kernels.depthwise(g, &x, &kernel, Some(&bias), swish, black_box(&mut y), Some(&mut sums))),
        time(|| kernels.depthwise_input_gradient(g, &y, &kernel, black_box(&mut x))),
        time(|| kernels.depthwise_kernel_gradient(g, &x, &y, black_box(&mut kernel))),
    ]
}

fn numbers(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i * 7919 % 1000) as f32 * 1e-3 - 0.5).collect()
}

/// Seconds of one call: the fastest of several stretches of a few milliseconds.
fn time(mut call: impl FnMut()) -> f64 {
    call();
    let start = Instant::now();
    call();
    let calls = (2e-3 / start.elapsed().as_secs_f64()).ceil().clamp(1.0, 1e6) as usize;
    let stretch = |call: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        start.elapsed().as_secs_f64() / calls as f64
    };
    (0..12).map(|_| stretch(&mut call)).fold(f64::INFINITY, f64::min)
}
