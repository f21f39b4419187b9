//! Whether loading keeps up with the network: the whole feature pass (files → rows on disk) against its two halves, each alone
//! on the same threads.
//!
//! ```text
//! cargo run --release -p defrost --example loader -- FOLDER|ARCHIVE [ROUNDS]
//! ```

#![expect(clippy::print_stdout, reason = "an example's output is its purpose")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use defrost::data::{Dataset, Sample};
use defrost::exec::cpu::{Engine, Program};
use defrost::features::Cache;
use defrost::graph::Tap;
use defrost::image::{Decoding, decoder_name, resize};
use defrost::job::{Environment, Job};
use defrost::progress::Progress;
use defrost::recipe::Recipe;
use defrost::report::Lang;
use rayon::prelude::*;

/// Pictures whose pixels are in memory at once: half a gigabyte at 224 × 224.
const AT_ONCE: usize = 800;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("give a folder or an archive of pictures")?;
    let rounds: usize = args.next().map_or(Ok(5), |rounds| rounds.parse())?;
    let mut ratios = Vec::new();
    println!("decoder {}, {} threads", decoder_name(Decoding::Full), rayon::current_num_threads());
    println!("round  decode and resize   trunk   both alone   feature pass   ratio");
    for round in 1..=rounds {
        let (decode, trunk) = halves(&job(&path, Cache::none())?);
        let folder = tempfile::tempdir()?;
        let pass = whole(&path, folder.path())?;
        let ratio = pass / (decode + trunk);
        println!("{round:5}{decode:17.2} s{trunk:6.2} s{:11.2} s{pass:13.2} s{ratio:8.3}", decode + trunk);
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    println!("median ratio {:.3}", ratios[rounds / 2]);
    Ok(())
}

/// Every picture once, as deep as the pooled features.
fn job(path: &str, features: Cache) -> Result<Job, Box<dyn Error>> {
    let mut recipe = Recipe::default();
    recipe.data.path = Some(path.into());
    recipe.set("augment", "none")?;
    recipe.set_epochs("1,0")?;
    let embedded = defrost_weights::efficientnet_lite0();
    let environment = Environment { embedded, weights_cache: None, features, lang: Lang::English };
    Ok(Job::prepare(&recipe, false, &environment, Progress::none())?)
}

/// Seconds of the whole pass; its rows go to `folder`.
fn whole(path: &str, folder: &Path) -> Result<f64, Box<dyn Error>> {
    let job = job(path, Cache::in_folder(folder)?)?;
    let begun = Instant::now();
    job.embed(Progress::none())?;
    Ok(begun.elapsed().as_secs_f64())
}

/// Seconds of decoding and resizing alone, and of the trunk alone.
fn halves(job: &Job) -> (f64, f64) {
    let Dataset { train, validation, test, .. } = &job.data;
    let samples: Vec<&Sample> = train.iter().chain(validation).chain(test).collect();
    let graph = &job.model.graph;
    let tap = job.stages[0].tap;
    let program = Program::new(graph, &job.model.params, Tap(0), tap, Engine::default());
    let (size, range) = (job.input_size(), job.model.backbone.input);
    let limits = job.recipe.preprocess.decode.limits(size);
    let (mut decode, mut trunk) = (0.0, 0.0);
    for samples in samples.chunks(AT_ONCE) {
        let begun = Instant::now();
        let load = |sample: &&Sample| {
            let picture = sample.picture(&limits).ok()?;
            let mut pixels = resize(&picture, size, size, job.recipe.preprocess.resize);
            range.apply(&mut pixels);
            Some(pixels)
        };
        let pixels: Vec<Vec<f32>> = samples.par_iter().filter_map(load).collect();
        decode += begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        pixels.par_iter().for_each_init(
            || (program.arena(), vec![0.0; program.output_len()]),
            |(arena, output), pixels| program.run(pixels, arena, output),
        );
        trunk += begun.elapsed().as_secs_f64();
    }
    (decode, trunk)
}
