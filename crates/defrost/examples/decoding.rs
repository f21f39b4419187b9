//! What `decode = "scaled"` costs in exactness and saves in time, on pictures large enough for it.
//!
//! ```text
//! cargo run --release -p defrost --example decoding -- FOLDER|ARCHIVE…
//! ```
//!
//! For each folder a row: how far the network's input and its pooled features are from those of the whole picture, and the
//! milliseconds of decoding and resizing on one thread. In brackets what one pixel to spare would give, instead of two.

#![expect(clippy::print_stdout, reason = "an example's output is its purpose")]

use std::error::Error;
use std::time::Instant;

use defrost::backbone;
use defrost::data::{self, DataOptions, Sample};
use defrost::exec::cpu::{Engine, Program};
use defrost::graph::Tap;
use defrost::image::{self, Decoding, Limits, Resize, decoder_name, resize};
use defrost::weights::load_bytes;
use rayon::prelude::*;

/// The network's square.
const SIDE: usize = 224;
/// Pictures that are timed.
const TIMED: usize = 40;

fn main() -> Result<(), Box<dyn Error>> {
    println!("{} against {}", decoder_name(Decoding::Scaled), decoder_name(Decoding::Full));
    println!("network's square {SIDE}; in brackets: with one pixel to spare for each of it");
    println!(
        "pictures             pixels, mean   features, relative L2: mean           largest         decode and resize"
    );
    for path in std::env::args().skip(1) {
        row(&path)?;
    }
    Ok(())
}

fn row(path: &str) -> Result<(), Box<dyn Error>> {
    let options = DataOptions { as_found: true, ..DataOptions::default() };
    let data = data::open(path, &options)?;
    let samples: Vec<Sample> = [data.train, data.validation, data.test].concat();
    let backbone = backbone::find(backbone::DEFAULT)?;
    let graph = backbone.graph(SIDE);
    let params = load_bytes("lite0", defrost_weights::efficientnet_lite0(), &graph, &|_| None)?.params;
    let program = Program::new(&graph, &params, Tap(0), Tap(graph.len() - 1), Engine::default());
    let [full, two, one] = [Limits::default(), Decoding::Scaled.limits(SIDE), Decoding::Scaled.limits(SIDE / 2)];
    let (mut sides, mut decoded) = ([0, 0], [0, 0]);
    if let Some(first) = samples.first() {
        let picture = first.picture(&full)?;
        sides = [picture.width(), picture.height()];
        let picture = first.picture(&two)?;
        decoded = [picture.width(), picture.height()];
    }
    let input = |sample: &Sample, limits: &Limits| {
        let picture = sample.picture(limits).ok()?;
        Some(resize(&picture, SIDE, SIDE, Resize::default()))
    };
    let features = |pixels: &[f32]| {
        let mut pixels = pixels.to_vec();
        backbone.input.apply(&mut pixels);
        let mut output = vec![0.0; program.output_len()];
        program.run(&pixels, &mut program.arena(), &mut output);
        pooled(&output, graph.output_shape()[2])
    };
    let apart: Vec<[[f64; 2]; 2]> = samples
        .par_iter()
        .filter_map(|sample| {
            let exact = input(sample, &full)?;
            let expected = features(&exact);
            let distance = |limits: &Limits| {
                let pixels = input(sample, limits)?;
                Some([mean_difference(&pixels, &exact), relative_l2(&features(&pixels), &expected)])
            };
            Some([distance(&two)?, distance(&one)?])
        })
        .collect();
    let mean = |rule: usize, of: usize| apart.iter().map(|row| row[rule][of]).sum::<f64>() / apart.len() as f64;
    let largest = |rule: usize| apart.iter().map(|row| row[rule][1]).fold(0.0, f64::max);
    let milliseconds = |limits: &Limits| {
        let files: Vec<_> = samples.iter().take(TIMED).filter_map(|sample| sample.file().ok().flatten()).collect();
        let begun = Instant::now();
        for file in &files {
            let picture = image::decode(file, limits);
            std::hint::black_box(picture.map(|picture| resize(&picture, SIDE, SIDE, Resize::default())).ok());
        }
        1000.0 * begun.elapsed().as_secs_f64() / files.len() as f64
    };
    // The first round only warms up.
    let rounds: Vec<[f64; 3]> = (0..4).map(|_| [&full, &two, &one].map(milliseconds)).skip(1).collect();
    let fastest = |of: usize| rounds.iter().map(|round| round[of]).fold(f64::INFINITY, f64::min);
    println!(
        "{} of {}×{}, decoded to {}×{}: {:.2} ({:.2})   {:.4} ({:.4})   {:.4} ({:.4})   {:.1} → {:.1} ms ({:.1} ms)",
        apart.len(),
        sides[0],
        sides[1],
        decoded[0],
        decoded[1],
        mean(0, 0),
        mean(1, 0),
        mean(0, 1),
        mean(1, 1),
        largest(0),
        largest(1),
        fastest(0),
        fastest(1),
        fastest(2),
    );
    Ok(())
}

fn pooled(output: &[f32], channels: usize) -> Vec<f32> {
    let mut sums = vec![0.0; channels];
    for position in output.chunks_exact(channels) {
        sums.iter_mut().zip(position).for_each(|(sum, value)| *sum += value);
    }
    sums
}

fn mean_difference(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>() / a.len() as f64
}

fn relative_l2(a: &[f32], b: &[f32]) -> f64 {
    let apart: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    let length: f64 = b.iter().map(|value| f64::from(*value).powi(2)).sum();
    (apart / length).sqrt()
}
