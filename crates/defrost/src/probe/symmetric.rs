//! The linear algebra of a probe: products of rows and of columns, Cholesky factors, their inverses.

use rayon::prelude::*;

/// A square matrix of which the lower triangle counts, in rows.
#[derive(Clone)]
pub(super) struct Symmetric {
    pub(super) side: usize,
    values: Vec<f64>,
}

impl Symmetric {
    /// `K = X·Xᵀ` for the rows of `features`, minus their mean.
    pub(super) fn products_of_centred_rows(features: &[f32], dimensions: usize) -> Symmetric {
        let side = features.len() / dimensions;
        let mean = mean_row(features, dimensions);
        let centred: Vec<f64> = features
            .chunks_exact(dimensions)
            .flat_map(|row| row.iter().zip(&mean).map(|(x, mean)| f64::from(*x) - mean))
            .collect();
        let x = |i: usize| &centred[i * dimensions..][..dimensions];
        let mut values = vec![0.0; side * side];
        values.par_chunks_exact_mut(side).enumerate().for_each(|(i, row)| {
            row[..=i].iter_mut().enumerate().for_each(|(j, value)| *value = dot(x(i), x(j)));
        });
        Symmetric { side, values }
    }

    /// `XᵀX` for the rows of `features`, minus `mean`.
    pub(super) fn products_of_centred_columns(features: &[f32], mean: &[f64]) -> Symmetric {
        let side = mean.len();
        let mut values = vec![0.0; side * side];
        // So many rows at a time that their columns stay in the cache.
        for rows in features.chunks(CHUNK * side) {
            let count = rows.len() / side;
            let mut columns = vec![0.0; rows.len()];
            for (number, row) in rows.chunks_exact(side).enumerate() {
                for (i, (x, mean)) in row.iter().zip(mean).enumerate() {
                    columns[i * count + number] = f64::from(*x) - mean;
                }
            }
            let column = |i: usize| &columns[i * count..][..count];
            values.par_chunks_exact_mut(side).enumerate().for_each(|(i, row)| {
                row[..=i].iter_mut().enumerate().for_each(|(j, value)| *value += dot(column(i), column(j)));
            });
        }
        Symmetric { side, values }
    }

    pub(super) fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.side..][..self.side]
    }

    pub(super) fn trace(&self) -> f64 {
        self.values.iter().step_by(self.side + 1).sum()
    }

    pub(super) fn plus_diagonal(&self, value: f64) -> Symmetric {
        let mut sum = self.clone();
        sum.values.iter_mut().step_by(self.side + 1).for_each(|diagonal| *diagonal += value);
        sum
    }

    /// The lower triangular `L` with `L·Lᵀ = self`, row by row.
    pub(super) fn into_cholesky(mut self) -> Symmetric {
        let n = self.side;
        for i in 0..n {
            let (above, rest) = self.values.split_at_mut(i * n);
            let row = &mut rest[..n];
            for j in 0..i {
                let earlier = &above[j * n..][..=j];
                row[j] = (row[j] - dot(&row[..j], &earlier[..j])) / earlier[j];
            }
            // Positive but for rounding, as λ was added.
            row[i] = (row[i] - dot(&row[..i], &row[..i])).max(f64::MIN_POSITIVE).sqrt();
        }
        self
    }

    /// The inverse of a lower triangle: row i is `(unit vector − Σ L[i,k]·row k) / L[i,i]`.
    pub(super) fn into_inverse(mut self) -> Symmetric {
        let n = self.side;
        let mut sum = vec![0.0; n];
        for i in 0..n {
            let (above, rest) = self.values.split_at_mut(i * n);
            let row = &mut rest[..=i];
            sum[..i].fill(0.0);
            for (k, earlier) in above.chunks_exact(n).enumerate() {
                add_scaled(&mut sum[..=k], -row[k], &earlier[..=k]);
            }
            let pivot = row[i];
            row[..i].iter_mut().zip(&sum).for_each(|(value, sum)| *value = sum / pivot);
            row[i] = 1.0 / pivot;
        }
        self
    }
}

/// Rows whose columns are multiplied at a time.
const CHUNK: usize = 256;

/// Sums kept apart while a product runs, so that it can use vector registers.
const LANES: usize = 16;

/// The mean of the rows.
pub(super) fn mean_row(features: &[f32], dimensions: usize) -> Vec<f64> {
    let mut mean = vec![0.0; dimensions];
    for row in features.chunks_exact(dimensions) {
        mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += f64::from(*x));
    }
    let rows = (features.len() / dimensions) as f64;
    mean.iter_mut().for_each(|mean| *mean /= rows);
    mean
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a_lanes, a_rest) = a.as_chunks::<LANES>();
    let (b_lanes, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

pub(super) fn add_scaled(y: &mut [f64], factor: f64, x: &[f64]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += factor * x);
}
