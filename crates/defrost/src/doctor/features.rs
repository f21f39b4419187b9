//! The pictures' features, ready to be compared: square roots of the pooled features, at unit length, in the survey's order.
//!
//! The square root keeps a few large features from deciding alone. So the cosine of two rows is the Bhattacharyya coefficient of
//! the features taken as shares, and a linear probe on them a Hellinger kernel's. (`docs/guides/doctor.md` has what it brings.)
//!
//! # Reference
//! Arandjelović and Zisserman 2012, "Three things everyone should know to improve object retrieval", section 3 (RootSIFT).

use std::collections::BTreeMap;

use super::Survey;
use crate::tensor::dot;

/// What the frozen network sees of each picture of a [`Survey`].
#[derive(Debug, Clone)]
pub struct Features {
    /// Values of a row.
    pub len: usize,
    /// A row for each seen picture, of length 1.
    values: Vec<f32>,
}

impl Features {
    /// Takes `rows`, one for each of `paths`, and puts them into the survey's order; `None` where a picture has none, which
    /// happens when a file changes between two looks at it.
    pub fn new(survey: &Survey, paths: &[String], rows: &[f32]) -> Option<Features> {
        let len = rows.len().checked_div(paths.len())?;
        let number: BTreeMap<&str, usize> = paths.iter().enumerate().map(|(row, path)| (path.as_str(), row)).collect();
        let mut values = Vec::with_capacity(survey.seen.len() * len);
        for seen in &survey.seen {
            let row = number.get(seen.path.as_str())?;
            let row = &rows[row * len..][..len];
            // The roots' squares are the values themselves; where an activation gives negative ones, the root keeps the sign.
            let norm = row.iter().map(|x| f64::from(x.abs())).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
            values.extend(row.iter().map(|x| (f64::from(x.abs()).sqrt().copysign(f64::from(*x)) / norm) as f32));
        }
        Some(Features { len, values })
    }

    /// Pictures.
    pub fn count(&self) -> usize {
        self.values.len() / self.len.max(1)
    }

    /// All rows.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// A picture's row.
    pub fn row(&self, picture: usize) -> &[f32] {
        &self.values[picture * self.len..][..self.len]
    }

    /// The cosine between two pictures.
    pub fn similarity(&self, a: usize, b: usize) -> f32 {
        dot(self.row(a), self.row(b))
    }
}
