//! The batches of an epoch: rows read for a step, mixed where the recipe asks for it.
//!
//! Invariant: a batch is a function of the rows and its position, so that it can be read ahead and again after a stop.

use crate::augment::{Mixed, Mixing, Position};
use crate::features::{FeaturesError, Rows};
use crate::loss::Target;

/// Reads the training batches of a stage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Feed<'a> {
    pub(super) rows: &'a Rows,
    pub(super) mixing: Mixing,
    /// The run's.
    pub(super) seed: u64,
    /// Positions of a row, down and across.
    pub(super) grid: [usize; 2],
    pub(super) classes: usize,
}

/// What one step trains on.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) rows: Vec<f32>,
    labels: Vec<usize>,
    /// `[rows, classes]`; `None` where the labels say all.
    shares: Option<Vec<f32>>,
}

impl Feed<'_> {
    /// The rows of `pictures`, (number, label) each, for a step of an epoch, both from 0.
    pub(super) fn read(&self, pictures: &[(usize, usize)], epoch: usize, step: usize) -> Result<Batch, FeaturesError> {
        let rows = read_rows(self.rows, pictures, epoch)?;
        let labels: Vec<usize> = pictures.iter().map(|&(_, label)| label).collect();
        if self.mixing.is_off() {
            return Ok(Batch { rows, labels, shares: None });
        }
        let position = Position { seed: self.seed, epoch: epoch as u64, step: step as u64 };
        let Mixed { rows, targets } = self.mixing.mix(&rows, &labels, self.classes, self.grid, position);
        Ok(Batch { rows, labels, shares: Some(targets) })
    }
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }

    /// What picture `i` should be.
    pub(super) fn target(&self, i: usize) -> Target<'_> {
        match &self.shares {
            None => Target::Class(self.labels[i]),
            Some(shares) => {
                let classes = shares.len() / self.labels.len();
                Target::Distribution(&shares[i * classes..][..classes])
            }
        }
    }
}

/// The rows of pictures, on the view that the epoch (from 0) trains on.
pub(super) fn read_rows(rows: &Rows, pictures: &[(usize, usize)], epoch: usize) -> Result<Vec<f32>, FeaturesError> {
    let numbers: Vec<usize> = pictures
        .iter()
        .map(|&(picture, _)| {
            let own = rows.pictures().rows_of(picture);
            own.start + epoch % own.len()
        })
        .collect();
    rows.read(&numbers)
}
