//! Pictures and their views, numbered for the rows.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::plain::Prepared;
use super::store::Key;
use crate::augment::Pipeline;
use crate::backbone::InputRange;
use crate::data::{DataError, Dataset, Sample, Skipped};
use crate::image::{Decoding, Picture, Resize};

/// The number of a row: training pictures first, each with all its views, then validation, then test with the plain view.
pub type RowNumber = usize;

/// A part of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Learned from.
    Train,
    /// Chosen by.
    Validation,
    /// Reported at the end.
    Test,
}

/// The pictures of a data set, and how they become pixels.
#[derive(Debug)]
pub struct Pictures {
    samples: Vec<Sample>,
    train: usize,
    validation: usize,
    pipeline: Pipeline,
    views: u32,
    augment_seed: u64,
    view_identities: Vec<String>,
    input_size: usize,
    decoding: Decoding,
    resize: Resize,
    range: InputRange,
    strict: bool,
    unreadable: Mutex<BTreeMap<usize, String>>,
}

/// How pictures become pixels.
#[derive(Debug, Clone)]
pub struct Rendering {
    /// What makes a view differ from the plain picture.
    pub pipeline: Pipeline,
    /// Views of a training picture, the plain one included; at least 1.
    pub views: u32,
    /// Of the views, apart from the run's seed.
    pub augment_seed: u64,
    /// The side of the square that the network sees.
    pub input_size: usize,
    /// How many of a JPEG's pixels are decoded.
    pub decoding: Decoding,
    /// How a picture is brought to that size.
    pub resize: Resize,
    /// What the network expects.
    pub range: InputRange,
    /// Whether an unreadable picture is an error.
    pub strict: bool,
}

impl Pictures {
    /// The pictures of `data`.
    pub fn new(data: &Dataset, rendering: Rendering) -> Pictures {
        let Rendering { pipeline, views, augment_seed, input_size, decoding, resize, range, strict } = rendering;
        let views = views.max(1);
        let view_identities = (0..views).map(|view| pipeline.identity(view, augment_seed)).collect();
        Pictures {
            samples: [&data.train[..], &data.validation, &data.test].concat(),
            train: data.train.len(),
            validation: data.validation.len(),
            pipeline,
            views,
            augment_seed,
            view_identities,
            input_size,
            decoding,
            resize,
            range,
            strict,
            unreadable: Mutex::default(),
        }
    }

    /// Pictures in all.
    pub fn count(&self) -> usize {
        self.samples.len()
    }

    /// Views of a training picture.
    pub fn views(&self) -> u32 {
        self.views
    }

    /// Rows in all.
    pub fn row_count(&self) -> usize {
        self.train * self.views as usize + self.samples.len() - self.train
    }

    /// The rows of one picture, a row a view.
    pub fn rows_of(&self, picture: usize) -> Range<RowNumber> {
        let views = self.views as usize;
        if picture < self.train {
            picture * views..(picture + 1) * views
        } else {
            let number = self.train * views + picture - self.train;
            number..number + 1
        }
    }

    /// The picture and view of a row.
    pub fn of_row(&self, number: RowNumber) -> (usize, u32) {
        let views = self.views as usize;
        if number < self.train * views {
            (number / views, (number % views) as u32)
        } else {
            (number - self.train * views + self.train, 0)
        }
    }

    /// The readable pictures of a side, as (number, label).
    pub fn readable(&self, side: Side) -> Vec<(usize, usize)> {
        let numbers = match side {
            Side::Train => 0..self.train,
            Side::Validation => self.train..self.train + self.validation,
            Side::Test => self.train + self.validation..self.samples.len(),
        };
        let unreadable = self.lock();
        numbers.filter(|number| !unreadable.contains_key(number)).map(|n| (n, self.samples[n].label)).collect()
    }

    /// How much a picture counts in training.
    pub fn weight(&self, picture: usize) -> f32 {
        self.samples[picture].weight
    }

    /// The sample with this number.
    pub fn sample(&self, picture: usize) -> &Sample {
        &self.samples[picture]
    }

    /// The pictures that couldn't be decoded, for the list of skipped ones.
    pub fn unreadable(&self) -> Vec<Skipped> {
        let skipped = |(&number, reason): (&usize, &String)| {
            let Sample { path, label, content, .. } = &self.samples[number];
            Skipped { path: path.clone(), label: *label, content: Some(*content), reason: reason.clone() }
        };
        self.lock().iter().map(skipped).collect()
    }

    pub(super) fn is_unreadable(&self, picture: usize) -> bool {
        self.lock().contains_key(&picture)
    }

    pub(super) fn mark_unreadable(&self, picture: usize, error: &DataError) {
        self.lock().insert(picture, error.to_string());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<usize, String>> {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_strict(&self) -> bool {
        self.strict
    }

    pub(super) fn decode(&self, picture: usize) -> Result<Picture, DataError> {
        self.samples[picture].picture(&self.decoding.limits(self.input_size))
    }

    /// The pixels of a view as the network expects them: `input_size × input_size × 3`.
    pub(super) fn render(&self, picture: usize, decoded: &Picture, view: u32) -> Vec<f32> {
        let content = &self.samples[picture].content;
        let size = [self.input_size, self.input_size];
        let mut pixels = self.pipeline.render(decoded, view, self.augment_seed, content, size, self.resize);
        self.range.apply(&mut pixels);
        pixels
    }

    /// Identifies what pixels depend on beside the picture and the view: decoder, resizing, what the network expects.
    pub(super) fn preparation(&self) -> blake3::Hash {
        let &Pictures { input_size, decoding, resize, range, .. } = self;
        Prepared { input_size, decoding, resize, range }.identity()
    }

    /// What the row is made from.
    pub(super) fn key(&self, trunk: &blake3::Hash, number: RowNumber) -> Key {
        let (picture, view) = self.of_row(number);
        key(trunk, &self.samples[picture].content, &self.view_identities[view as usize])
    }
}

/// A row's key: BLAKE3 over `trunk`, the picture's content and the view's identity.
pub(super) fn key(trunk: &blake3::Hash, content: &[u8; 32], view: &str) -> Key {
    let mut hasher = blake3::Hasher::new();
    // Two parts of a fixed length and the rest: no two rows give the same bytes.
    hasher.update(trunk.as_bytes());
    hasher.update(content);
    hasher.update(view.as_bytes());
    *hasher.finalize().as_bytes()
}
