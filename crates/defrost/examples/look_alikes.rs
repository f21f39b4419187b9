//! How far the perceptual hash moves when a picture is altered, and how near different pictures come: where
//! `data::LOOK_ALIKE` comes from.
//!
//! ```text
//! cargo run --release -p defrost --example look_alikes -- FOLDER|ARCHIVE
//! ```

#![expect(clippy::print_stdout, reason = "an example's output is its purpose")]

use std::error::Error;
use std::io::Cursor;

use defrost::data::{self, DataOptions, LOOK_ALIKE, Sample};
use defrost::image::{Limits, PerceptualHash, Picture, Resize, resize};
use rayon::prelude::*;

type Alteration = (&'static str, fn(&Picture) -> Picture);

const ALTERATIONS: [Alteration; 11] = [
    ("JPEG, quality 75", |picture| jpeg(picture, 75)),
    ("JPEG, quality 30", |picture| jpeg(picture, 30)),
    ("half the size", |picture| scaled(picture, picture.width() / 2, picture.height() / 2)),
    ("a quarter", |picture| scaled(picture, picture.width() / 4, picture.height() / 4)),
    ("twice the size", |picture| scaled(picture, 2 * picture.width(), 2 * picture.height())),
    ("224 × 224", |picture| scaled(picture, 224, 224)),
    ("brighter by 1.2", |picture| toned(picture, |[r, g, b]| [1.2 * r, 1.2 * g, 1.2 * b])),
    ("darker by 0.8", |picture| toned(picture, |[r, g, b]| [0.8 * r, 0.8 * g, 0.8 * b])),
    ("grey", |picture| toned(picture, |[r, g, b]| [0.299 * r + 0.587 * g + 0.114 * b; 3])),
    ("cut by 1 % at each edge", |picture| cropped(picture, 100)),
    ("cut by 2 % at each edge", |picture| cropped(picture, 50)),
];

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("give a folder or an archive of pictures")?;
    let options = DataOptions { as_found: true, ..DataOptions::default() };
    let data = data::open(&path, &options)?;
    let samples: Vec<Sample> = [data.train, data.validation, data.test].concat();
    let limits = Limits::default();
    let altered = |sample: &Sample| -> Option<(PerceptualHash, Vec<u32>)> {
        let picture = sample.picture(&limits).ok()?;
        let hash = PerceptualHash::of(&picture);
        Some((hash, ALTERATIONS.iter().map(|(_, alter)| hash.distance(PerceptualHash::of(&alter(&picture)))).collect()))
    };
    let (hashes, distances): (Vec<PerceptualHash>, Vec<Vec<u32>>) =
        samples.par_iter().filter_map(altered).collect::<Vec<_>>().into_iter().unzip();

    println!("{} pictures; share of altered ones at most so many bits away (look-alikes: {LOOK_ALIKE})", hashes.len());
    println!("{:26}{:>7}{:>7}{:>7}{:>7}{:>7}", "", 4, 6, 8, 10, 12);
    for (number, (name, _)) in ALTERATIONS.iter().enumerate() {
        let within = |bits: u32| distances.iter().filter(|of| of[number] <= bits).count() as f64 / hashes.len() as f64;
        let shares: String = [4, 6, 8, 10, 12].map(|bits| format!("{:7.3}", within(bits))).concat();
        println!("{name:26}{shares}");
    }
    let pairs: Vec<u32> = (0..hashes.len())
        .into_par_iter()
        .flat_map_iter(|a| {
            hashes[..a].iter().map(|b| hashes[a].distance(*b)).filter(|bits| *bits <= 16).collect::<Vec<_>>()
        })
        .collect();
    let counts: String =
        [4, 6, 8, 10, 12].map(|bits| format!("{:7}", pairs.iter().filter(|pair| **pair <= bits).count())).concat();
    println!("{:26}{counts}", format!("pairs of {}", hashes.len() * hashes.len().saturating_sub(1) / 2));
    Ok(())
}

fn jpeg(picture: &Picture, quality: u8) -> Picture {
    let mut bytes = Cursor::new(Vec::new());
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality);
    let (width, height) = (picture.width() as u32, picture.height() as u32);
    let written =
        image::ImageEncoder::write_image(encoder, picture.pixels(), width, height, image::ExtendedColorType::Rgb8);
    let decoded = defrost::image::decode(bytes.get_ref(), &Limits::default());
    written.ok().and(decoded.ok()).unwrap_or_else(|| picture.clone())
}

fn scaled(picture: &Picture, width: usize, height: usize) -> Picture {
    let (width, height) = (width.max(1), height.max(1));
    let pixels = resize(picture, height, width, Resize::BilinearAntialias);
    Picture::new(width, height, pixels.into_iter().map(|sample| sample.round() as u8).collect())
}

fn toned(picture: &Picture, tone: impl Fn([f32; 3]) -> [f32; 3]) -> Picture {
    let (pixels, _) = picture.pixels().as_chunks::<3>();
    let toned = pixels.iter().flat_map(|pixel| tone(pixel.map(f32::from))).map(|sample| sample.round() as u8).collect();
    Picture::new(picture.width(), picture.height(), toned)
}

/// Without one part in `share` at each edge.
fn cropped(picture: &Picture, share: usize) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let (left, top) = (width / share, height / share);
    let row = |y: usize| picture.pixels()[(y * width + left) * 3..(y * width + width - left) * 3].iter().copied();
    Picture::new(width - 2 * left, height - 2 * top, (top..height - top).flat_map(row).collect())
}
