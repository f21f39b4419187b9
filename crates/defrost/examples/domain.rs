//! How far from the pretraining's pictures are altered photographs?
//!
//! ```text
//! cargo run --release -p defrost --example domain -- photos/ [BACKBONE WEIGHTS]
//! ```
//!
//! Alters the first 30 photographs of each class in several ways and prints what `advise` measures on each: the figures behind
//! `advise::LARGEST_SHIFT`.

#![expect(clippy::print_stdout, reason = "a program's output")]

use std::error::Error;
use std::path::Path;

use defrost::advise::{Domain, Nearness, advise};
use defrost::backbone;
use defrost::data::{self, DataOptions, Dataset, Drawing, LimitPerClass};
use defrost::fs::write_atomic;
use defrost::image::{Limits, Picture, Resize, resize};
use defrost::model::{Layout, Model};
use defrost::progress::Progress;
use defrost::recipe::Recipe;
use defrost::rng::Stream;
use defrost::weights;

/// The side of an altered picture.
const SIDE: usize = 256;

/// What happens to the RGB values of a picture of `SIDE` × `SIDE`.
type Alter = fn(&mut [f32]);

const ALTERATIONS: [(&str, Alter); 11] = [
    ("as they are", |_| ()),
    ("colours inverted", |x| x.iter_mut().for_each(|value| *value = 255.0 - *value)),
    ("grey", grey),
    ("contrast 0.4", |x| x.iter_mut().for_each(|value| *value = 127.5 + 0.4 * (*value - 127.5))),
    ("dark, 0.35", |x| x.iter_mut().for_each(|value| *value *= 0.35)),
    ("noise, deviation 40", |x| {
        let mut stream = Stream::new(0, "noise", &[]);
        x.iter_mut().for_each(|value| *value = (*value + 40.0 * stream.normal()).clamp(0.0, 255.0));
    }),
    ("8 × 8 tiles shuffled", shuffle_tiles),
    ("96 × 96", |x| shrink(x, 96)),
    ("64 × 64", |x| shrink(x, 64)),
    ("32 × 32", |x| shrink(x, 32)),
    ("edges only", edges),
];

fn grey(pixels: &mut [f32]) {
    for pixel in pixels.chunks_exact_mut(3) {
        pixel.fill(0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]);
    }
}

fn shrink(pixels: &mut [f32], side: usize) {
    let small = resize(&picture(pixels, SIDE), side, side, Resize::BilinearAntialias);
    pixels.copy_from_slice(&resize(&picture(&small, side), SIDE, SIDE, Resize::Bilinear));
}

fn shuffle_tiles(pixels: &mut [f32]) {
    const TILES: usize = 8;
    let side = SIDE / TILES;
    let original = pixels.to_vec();
    let order = Stream::new(0, "tiles", &[]).permutation(TILES * TILES);
    for (tile, source) in order.into_iter().enumerate() {
        for row in 0..side {
            let start = |tile: usize| 3 * ((tile / TILES * side + row) * SIDE + tile % TILES * side);
            pixels[start(tile)..][..3 * side].copy_from_slice(&original[start(source)..][..3 * side]);
        }
    }
}

/// The length of the grey values' gradient.
fn edges(pixels: &mut [f32]) {
    grey(pixels);
    let original = pixels.to_vec();
    let at = |y: usize, x: usize| original[3 * (y.min(SIDE - 1) * SIDE + x.min(SIDE - 1))];
    for (index, pixel) in pixels.chunks_exact_mut(3).enumerate() {
        let (y, x) = (index / SIDE, index % SIDE);
        let (down, right) = (at(y + 1, x) - at(y, x), at(y, x + 1) - at(y, x));
        pixel.fill((4.0 * down.hypot(right)).min(255.0));
    }
}

fn picture(pixels: &[f32], side: usize) -> Picture {
    Picture::new(side, side, pixels.iter().map(|value| value.round() as u8).collect())
}

/// A 24-bit BMP, bottom row first; the side must be a multiple of 4.
fn bmp(picture: &Picture) -> Vec<u8> {
    let (width, height) = (picture.width() as u32, picture.height() as u32);
    let mut bytes = vec![0; 54];
    bytes[..2].copy_from_slice(b"BM");
    for (at, value) in
        [(2, 54 + 3 * width * height), (10, 54), (14, 40), (18, width), (22, height), (26, 1 + (24 << 16))]
    {
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    for row in picture.pixels().chunks_exact(3 * picture.width()).rev() {
        bytes.extend(row.chunks_exact(3).flat_map(|rgb| [rgb[2], rgb[1], rgb[0]]));
    }
    bytes
}

fn write_altered(data: &Dataset, alter: Alter, folder: &Path) -> Result<(), Box<dyn Error>> {
    for (number, sample) in data.train.iter().enumerate() {
        let original = sample.picture(&Limits::default())?;
        let mut pixels = resize(&original, SIDE, SIDE, Resize::BilinearAntialias);
        alter(&mut pixels);
        let path = folder.join(&data.classes[sample.label]).join(format!("{number}.bmp"));
        write_atomic(&path, &bmp(&picture(&pixels, SIDE)))?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("usage: domain PHOTOGRAPHS [BACKBONE WEIGHTS]")?;
    let (id, file) = (args.next(), args.next());
    let limit_per_class = LimitPerClass { train: Some(30), ..LimitPerClass::default() };
    let photographs = data::open(&path, &DataOptions { limit_per_class, ..DataOptions::default() })?;

    let backbone = backbone::find(id.as_deref().unwrap_or(backbone::DEFAULT))?;
    let graph = backbone.graph(backbone.input_size);
    let rename = |name: &str| backbone.rename(name);
    let loaded = match file {
        Some(file) => weights::load(Path::new(&file), &graph, &rename)?,
        None => weights::load_bytes(backbone.id, defrost_weights::efficientnet_lite0(), &graph, &rename)?,
    };
    let recipe = Recipe::default();
    let mut model = Model::new(backbone, Layout::Pretrained, backbone.input_size, &recipe.head, 2, 0);
    model.params.extend(loaded.params);
    let measure = |folder: &Path| -> Result<Nearness, Box<dyn Error>> {
        let data = data::open(folder, &DataOptions::default())?;
        Ok(advise(&data, &model, &recipe, Progress::none())?.nearness)
    };

    println!("| pictures | shift | probe | explained | late layers add | domain |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let print = |name: &str, nearness: &Nearness| {
        let (probe, (low, high)) = (&nearness.probe, nearness.gain.interval);
        let domain = if nearness.domain() == Domain::Near { "near" } else { "far" };
        let [accuracy, explained, gain, low, high] =
            [probe.accuracy, probe.explained, nearness.gain.mean, low, high].map(|share| 100.0 * share);
        let shift = nearness.shift;
        println!(
            "| {name} | {shift:.2} | {accuracy:.0} % | {explained:.0} % | {gain:+.1} ({low:+.1} to {high:+.1}) | {domain} |"
        );
    };
    for (name, alter) in ALTERATIONS {
        let folder = tempfile::tempdir()?;
        write_altered(&photographs, alter, folder.path())?;
        print(name, &measure(folder.path())?);
    }
    let folder = tempfile::tempdir()?;
    data::draw(folder.path(), &Drawing::default())?;
    print("drawn by `defrost sample`", &measure(folder.path())?);
    Ok(())
}
