//! Golden pictures: eight drawings that a classifier carries with its logits for them, and that every load runs.
//!
//! They tell whether the program that reads a classifier, or a file that it was exported to, computes what the program computed
//! that trained it: decoding, resizing, layers, weights, all at once. The pictures are drawn by [`data::drawn`](crate::data::drawn),
//! never a user's own.

use std::io::Cursor;
use std::path::Path;

use ::image::codecs::png::PngEncoder;
use ::image::{ExtendedColorType, ImageEncoder};
use rayon::prelude::*;

use super::ArtefactError;
use super::classifier::Classifier;
use crate::data::{self, DRAWN_CLASSES, Drawing};
use crate::image::Picture;

/// How many there are.
pub const GOLDENS: usize = 8;

/// A logit may be this far from the one that was written, times the picture's largest logit where that is above 1.
///
/// Instruction sets add in other orders, which moves logits by some 1e-5 of the largest; a wrong resize, channel order or
/// padding moves them by more than 1e-2.
pub const TOLERANCE: f32 = 1e-3;

/// The drawings' seed. Another one makes other pictures for new classifiers; those that there are carry theirs.
const SEED: u64 = 8;

/// About so many pixels a side: smaller than most networks' input, so that pictures are enlarged, and larger.
const SIDES: [u32; GOLDENS] = [96, 96, 96, 96, 96, 96, 256, 256];

/// A drawn picture with the logits that the classifier gave when it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Golden {
    /// Of its file in the classifier's folder: `golden/1-apple.png`.
    pub name: String,
    /// As it was drawn, before it is resized.
    pub picture: Picture,
    /// Before the softmax, in the order of the classes.
    pub logits: Vec<f32>,
}

impl Golden {
    /// The farthest that a logit may be from this picture's.
    pub fn tolerance(&self) -> f32 {
        TOLERANCE * self.logits.iter().fold(1.0, |largest: f32, logit| largest.max(logit.abs()))
    }

    /// The class whose logit differs most from `logits`, and by how much; not-a-number differs most of all.
    ///
    /// # Panics
    /// When there are more or fewer logits.
    pub fn farthest(&self, logits: &[f32]) -> (usize, f32) {
        assert_eq!(logits.len(), self.logits.len(), "one logit for each class");
        let apart = self.logits.iter().zip(logits).map(|(own, other)| (own - other).abs());
        apart.enumerate().fold((0, 0.0), |worst, (class, apart)| match apart > worst.1 || apart.is_nan() {
            true => (class, apart),
            false => worst,
        })
    }

    /// The picture as a PNG file.
    pub(super) fn png(&self) -> Result<Vec<u8>, ::image::ImageError> {
        let mut png = Cursor::new(Vec::new());
        let (width, height) = (self.picture.width() as u32, self.picture.height() as u32);
        PngEncoder::new(&mut png).write_image(self.picture.pixels(), width, height, ExtendedColorType::Rgb8)?;
        Ok(png.into_inner())
    }
}

/// Draws the pictures and asks `classifier` for their logits.
pub(super) fn draw(classifier: &Classifier) -> Vec<Golden> {
    (0..GOLDENS)
        .into_par_iter()
        .map(|index| {
            let (class, round) = (index % DRAWN_CLASSES.len(), index / DRAWN_CLASSES.len());
            let drawing = Drawing { size: SIDES[index], seed: SEED, ..Drawing::default() };
            let picture = data::drawn(class, 1 + round as u32, &drawing);
            let logits = classifier.answer(&classifier.prepare(&picture)).logits;
            Golden { name: format!("golden/{}-{}.png", index + 1, DRAWN_CLASSES[class]), picture, logits }
        })
        .collect()
}

/// Runs the pictures.
///
/// # Errors
/// Names the first whose logits differ.
pub(super) fn check(
    goldens: &[Golden],
    classifier: &Classifier,
    classes: &[String],
    folder: &Path,
) -> Result<(), ArtefactError> {
    let differences: Vec<Option<ArtefactError>> = goldens
        .par_iter()
        .map(|golden| {
            let logits = classifier.answer(&classifier.prepare(&golden.picture)).logits;
            let (class, apart) = golden.farthest(&logits);
            let same = apart <= golden.tolerance();
            (!same).then(|| ArtefactError::Golden {
                path: folder.to_owned(),
                picture: golden.name.clone(),
                class: classes[class].clone(),
                expected: golden.logits[class],
                got: logits[class],
                apart,
                tolerance: golden.tolerance(),
            })
        })
        .collect();
    differences.into_iter().flatten().next().map_or(Ok(()), Err)
}
