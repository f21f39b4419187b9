//! A contact sheet: a row for each picture, a column for each of its views, the plain one first.
//!
//! Invariant: the tiles are the pixels that a training with the same pipeline, `augment.seed`, size and resizing puts into the
//! network, rounded to 8 bits.

use std::path::Path;

use image::{Rgba, RgbaImage};
use rayon::prelude::*;

use super::figure::{FigureError, MAX_SIDE, encode, rasterize};
use super::lang::Lang;
use super::plot::open;
use super::text::{self, Anchor, Style};
use crate::augment::Pipeline;
use crate::data::{DataError, Sample};
use crate::fs;
use crate::image::{self as picture, ImageError, Limits, Picture, Resize};

/// A picture of a contact sheet.
#[derive(Debug, Clone)]
pub struct Specimen {
    label: String,
    picture: Picture,
    /// Of the encoded file: views depend on it, and not on the name.
    content: [u8; 32],
}

impl Specimen {
    /// Reads the picture in the file at `path`.
    ///
    /// # Errors
    /// When it can't be read or decoded.
    pub fn open(path: &Path, limits: &Limits) -> Result<Specimen, ImageError> {
        let picture = picture::open(path, limits)?;
        let content = *blake3::hash(&fs::read(path)?).as_bytes();
        Ok(Specimen { label: path.display().to_string(), picture, content })
    }

    /// Reads a picture of a data set.
    ///
    /// # Errors
    /// When it can't be read or decoded.
    pub fn of(sample: &Sample, limits: &Limits) -> Result<Specimen, DataError> {
        Ok(Specimen { label: sample.path.clone(), picture: sample.picture(limits)?, content: sample.content })
    }
}

/// What a contact sheet shows of each picture.
#[derive(Debug, Clone)]
pub struct ContactSheet {
    /// What makes a view.
    pub pipeline: Pipeline,
    /// Columns, the plain picture included.
    pub views: u32,
    /// The recipe's `augment.seed`.
    pub augment_seed: u64,
    /// The side of a tile in pixels.
    pub input_size: usize,
    /// How a picture is brought to that size.
    pub resize: Resize,
    /// The language of the columns' names.
    pub lang: Lang,
}

const MARGIN: usize = 16;
const GAP: usize = 6;
/// Above the first row: the title and the columns' names.
const HEAD: usize = 70;
/// Above each row's tiles: the picture's name.
const NAME: usize = 28;

const INK: &str = "#222222";
const PALE_INK: &str = "#555555";

impl ContactSheet {
    /// The sheet as a PNG.
    ///
    /// # Errors
    /// When there is nothing to show, or more than a PNG should hold.
    pub fn to_png(&self, pictures: &[Specimen]) -> Result<Vec<u8>, FigureError> {
        let (columns, rows) = (self.views as usize, pictures.len());
        let width = 2 * MARGIN + (columns * (self.input_size + GAP)).saturating_sub(GAP);
        let height = HEAD + rows * (NAME + self.input_size + GAP) + MARGIN - GAP;
        let (wide, high) = (width as f32, height as f32);
        if rows == 0 || columns == 0 || self.input_size == 0 || wide > MAX_SIDE || high > MAX_SIDE {
            return Err(FigureError::Size { width: wide, height: high });
        }
        let mut sheet = rasterize(&self.words(pictures, wide, high), 1.0)?;
        let tiles: Vec<(usize, u32, Vec<f32>)> = (0..rows * columns)
            .into_par_iter()
            .map(|tile| {
                let (row, view) = (tile / columns, (tile % columns) as u32);
                let Specimen { picture, content, .. } = &pictures[row];
                let size = [self.input_size; 2];
                (row, view, self.pipeline.render(picture, view, self.augment_seed, content, size, self.resize))
            })
            .collect();
        for (row, view, pixels) in tiles {
            paste(&mut sheet, &pixels, self.input_size, [self.left(view as usize), self.top(row)]);
        }
        encode(&sheet)
    }

    fn left(&self, column: usize) -> usize {
        MARGIN + column * (self.input_size + GAP)
    }

    /// Where a row's tiles begin.
    fn top(&self, row: usize) -> usize {
        HEAD + row * (NAME + self.input_size + GAP) + NAME
    }

    /// All that isn't a tile.
    fn words(&self, pictures: &[Specimen], width: f32, height: f32) -> String {
        let mut svg = open(width, height, &self.pipeline.to_string());
        let words = self.lang.figure();
        for view in 0..self.views {
            let name = if view == 0 { words.plain.to_owned() } else { format!("{} {view}", words.view) };
            let middle = self.left(view as usize) as f32 + 0.5 * self.input_size as f32;
            let style =
                Style { size: fitting(&name, self.input_size), fill: PALE_INK, anchor: Anchor::Middle, upright: false };
            text::draw(&mut svg, &name, middle, HEAD as f32 - 8.0, style);
        }
        for (row, Specimen { label, .. }) in pictures.iter().enumerate() {
            // A `^` would raise what follows it.
            let label = label.replace('^', "ˆ");
            let room = width as usize - 2 * MARGIN;
            let style = Style { size: fitting(&label, room), fill: INK, anchor: Anchor::Start, upright: false };
            text::draw(&mut svg, &label, MARGIN as f32, self.top(row) as f32 - 6.0, style);
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// The size of letters that lets `words` into `room` pixels.
fn fitting(words: &str, room: usize) -> f32 {
    const SIZE: f32 = 13.0;
    (SIZE * room as f32 / text::width(words, SIZE).max(1.0)).min(SIZE)
}

/// Puts a square tile, `[side, side, 3]`, onto the sheet.
fn paste(sheet: &mut RgbaImage, pixels: &[f32], side: usize, [left, top]: [usize; 2]) {
    for (i, pixel) in pixels.as_chunks::<3>().0.iter().enumerate() {
        let [red, green, blue] = pixel.map(|sample| sample.round() as u8);
        sheet.put_pixel((left + i % side) as u32, (top + i / side) as u32, Rgba([red, green, blue, 255]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formula;

    fn specimens() -> Vec<Specimen> {
        ["a/1.jpg", "꽃/<2>^&.jpg"]
            .into_iter()
            .enumerate()
            .map(|(number, label)| Specimen {
                label: label.to_owned(),
                picture: Picture::new(50, 40, formula::picture(label, 40, 50, 5)),
                content: [number as u8; 32],
            })
            .collect()
    }

    fn sheet(line: &str, views: u32) -> ContactSheet {
        let pipeline = line.parse().unwrap();
        ContactSheet { pipeline, views, augment_seed: 7, input_size: 48, resize: Resize::default(), lang: Lang::Korean }
    }

    #[test]
    fn the_tiles_are_the_views_that_a_training_sees() {
        let (sheet, specimens) = (sheet("standard", 4), specimens());
        let png = sheet.to_png(&specimens).unwrap();
        assert_eq!(png, sheet.to_png(&specimens).unwrap());
        let decoded = ::image::load_from_memory(&png).unwrap().to_rgb8();
        let mut tried = 0;
        for (row, Specimen { picture, content, .. }) in specimens.iter().enumerate() {
            for view in 0..4 {
                let expected = sheet.pipeline.render(picture, view, 7, content, [48, 48], Resize::default());
                let shown = (0..48).flat_map(|y| (0..48).map(move |x| (x, y))).flat_map(|(x, y)| {
                    let (left, top) = (sheet.left(view as usize), sheet.top(row));
                    decoded.get_pixel((left + x) as u32, (top + y) as u32).0
                });
                assert!(shown.eq(expected.iter().map(|sample| sample.round() as u8)), "row {row}, view {view}");
                tried += 1;
            }
        }
        assert_eq!(tried, 8);
        let right = decoded.width() as usize - MARGIN;
        assert_eq!((right, decoded.height() as usize - MARGIN), (sheet.left(3) + 48, sheet.top(1) + 48));
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        let refused = |sheet: ContactSheet, specimens: &[Specimen]| {
            assert!(matches!(sheet.to_png(specimens), Err(FigureError::Size { .. })));
        };
        refused(sheet("none", 3), &[]);
        refused(sheet("none", 0), &specimens());
        refused(sheet("none", u32::MAX), &specimens());
        refused(ContactSheet { input_size: 0, ..sheet("none", 3) }, &specimens());
        refused(ContactSheet { input_size: 20_000, ..sheet("none", 1) }, &specimens());
    }
}
