//! What a linear probe says of pictures that it hasn't seen: each group of them is predicted by the probe that was fitted on
//! all others.
//!
//! Nothing is fitted anew. With centred features `X` (n × d), `A = XᵀX + λI` and an intercept that isn't penalised, the fitted
//! values are `H·Y` with `Hᵢⱼ = xᵢᵀ·A⁻¹·xⱼ + 1/n`, and the residuals of a group `g`, left out together, are
//!
//! ```text
//! e_g = (I − H_gg)⁻¹ · (Y − H·Y)_g
//! ```
//!
//! exactly. So there are as many folds as groups, no random numbers, and the work grows with n.
//!
//! # Reference
//! Cook and Weisberg 1982, *Residuals and Influence in Regression*, section 3.6 (deleting a group of cases).

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::ProbeError;
use super::symmetric::{Symmetric, add_scaled, dot, mean_row};

/// For each of `labels`' pictures, a value for each of `classes`: near 1 for the class that a ridge regression on one-of-K
/// targets predicts, fitted on all pictures of other `groups`. `lambda` is in units of the mean squared length of a centred row,
/// as [`Probe::lambda`](super::Probe::lambda).
///
/// # Errors
/// When the features aren't as many for each picture, or one isn't finite.
pub fn left_out_predictions(
    features: &[f32],
    labels: &[usize],
    classes: usize,
    groups: &[usize],
    lambda: f64,
) -> Result<Vec<f64>, ProbeError> {
    let pictures = labels.len();
    if pictures == 0 || features.is_empty() || !features.len().is_multiple_of(pictures) || groups.len() != pictures {
        return Err(ProbeError::Ragged { values: features.len(), pictures });
    }
    let dimensions = features.len() / pictures;
    if let Some(index) = features.iter().position(|value| !value.is_finite()) {
        return Err(ProbeError::NotFinite { picture: index / dimensions });
    }
    let smoother = Smoother::new(features, dimensions, labels, classes, lambda);
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    groups.iter().enumerate().for_each(|(picture, group)| members.entry(*group).or_default().push(picture));
    let members: Vec<Vec<usize>> = members.into_values().collect();
    let residuals: Vec<Vec<f64>> = members.par_iter().map(|group| smoother.left_out_residuals(group)).collect();
    let mut predictions = vec![0.0; pictures * classes];
    for (picture, residual) in
        members.iter().zip(&residuals).flat_map(|(group, rows)| group.iter().zip(rows.chunks_exact(classes)))
    {
        for (class, value) in predictions[picture * classes..][..classes].iter_mut().enumerate() {
            *value = f64::from(u8::from(labels[*picture] == class)) - residual[class];
        }
    }
    Ok(predictions)
}

/// A fitted ridge regression.
struct Smoother<'a> {
    features: &'a [f32],
    labels: &'a [usize],
    mean: Vec<f64>,
    /// The inverse of A's Cholesky factor.
    inverse: Symmetric,
    /// `A⁻¹·Xᵀ·Y`, a row a class.
    weights: Vec<Vec<f64>>,
    /// The classes' shares: the intercept, at the mean.
    shares: Vec<f64>,
}

impl<'a> Smoother<'a> {
    fn new(features: &'a [f32], dimensions: usize, labels: &'a [usize], classes: usize, lambda: f64) -> Smoother<'a> {
        let pictures = labels.len() as f64;
        let mean = mean_row(features, dimensions);
        let products = Symmetric::products_of_centred_columns(features, &mean);
        let scale = (products.trace() / pictures).max(f64::MIN_POSITIVE);
        let inverse = products.plus_diagonal(lambda * scale).into_cholesky().into_inverse();
        let mut sums = vec![vec![0.0; dimensions]; classes];
        let mut shares = vec![0.0; classes];
        for (row, &label) in features.chunks_exact(dimensions).zip(labels) {
            shares[label] += 1.0 / pictures;
            sums[label].iter_mut().zip(row).zip(&mean).for_each(|((sum, x), mean)| *sum += f64::from(*x) - mean);
        }
        let mut smoother = Smoother { features, labels, mean, inverse, weights: Vec::new(), shares };
        // A⁻¹ = MᵀM.
        smoother.weights = sums.iter().map(|sum| smoother.transposed(&smoother.whitened(sum))).collect();
        smoother
    }

    /// `M·x` for the lower triangle M.
    fn whitened(&self, x: &[f64]) -> Vec<f64> {
        (0..x.len()).map(|i| dot(&self.inverse.row(i)[..=i], &x[..=i])).collect()
    }

    /// `Mᵀ·x`.
    fn transposed(&self, x: &[f64]) -> Vec<f64> {
        let mut product = vec![0.0; x.len()];
        x.iter().enumerate().for_each(|(i, x)| add_scaled(&mut product[..=i], *x, &self.inverse.row(i)[..=i]));
        product
    }

    /// A row for each member: its targets minus what is predicted without the group.
    fn left_out_residuals(&self, group: &[usize]) -> Vec<f64> {
        let (d, classes, n) = (self.mean.len(), self.shares.len(), self.labels.len() as f64);
        let centred = |picture: &usize| -> Vec<f64> {
            self.features[picture * d..][..d].iter().zip(&self.mean).map(|(x, mean)| f64::from(*x) - mean).collect()
        };
        let rows: Vec<Vec<f64>> = group.iter().map(centred).collect();
        let whitened: Vec<Vec<f64>> = rows.iter().map(|row| self.whitened(row)).collect();
        let mut residuals = Vec::with_capacity(group.len() * classes);
        for (picture, row) in group.iter().zip(&rows) {
            for (class, weights) in self.weights.iter().enumerate() {
                let target = f64::from(u8::from(self.labels[*picture] == class));
                residuals.push(target - self.shares[class] - dot(row, weights));
            }
        }
        let mut system: Vec<f64> =
            whitened.iter().flat_map(|a| whitened.iter().map(|b| -dot(a, b) - 1.0 / n)).collect();
        system.iter_mut().step_by(group.len() + 1).for_each(|diagonal| *diagonal += 1.0);
        solve(&mut system, &mut residuals, group.len());
        residuals
    }
}

/// Solves `a·x = b` in place for the rows of `b`, by elimination. `I − H` is positive definite unless everything is left out,
/// so no pivots are looked for; where nothing would be left to fit, no value of `b` is changed by it.
fn solve(a: &mut [f64], b: &mut [f64], n: usize) {
    let columns = b.len() / n.max(1);
    for k in 0..n {
        let pivot = a[k * n + k];
        if pivot.abs() < 1e-9 {
            continue;
        }
        for i in k + 1..n {
            let factor = a[i * n + k] / pivot;
            (k..n).for_each(|j| a[i * n + j] -= factor * a[k * n + j]);
            (0..columns).for_each(|c| b[i * columns + c] -= factor * b[k * columns + c]);
        }
    }
    for k in (0..n).rev() {
        let pivot = a[k * n + k];
        if pivot.abs() < 1e-9 {
            continue;
        }
        for c in 0..columns {
            let known: f64 = (k + 1..n).map(|j| a[k * n + j] * b[j * columns + c]).sum();
            b[k * columns + c] = (b[k * columns + c] - known) / pivot;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    fn rows(pictures: usize, dimensions: usize) -> Vec<f32> {
        let mut stream = Stream::new(3, "left out", &[pictures as u64, dimensions as u64]);
        (0..pictures * dimensions).map(|_| 1.0 + stream.normal()).collect()
    }

    /// What is predicted for `left` by a probe that has never held its group: fitted on the others, asked through a picture
    /// that is in a group of its own.
    fn fitted_on_the_others(
        features: &[f32],
        labels: &[usize],
        groups: &[usize],
        left: usize,
        lambda: f64,
    ) -> Vec<f64> {
        let d = features.len() / labels.len();
        let others: Vec<usize> = (0..labels.len()).filter(|i| groups[*i] != groups[left]).collect();
        let kept: Vec<f32> = others.iter().flat_map(|i| features[i * d..][..d].to_vec()).collect();
        let kept_labels: Vec<usize> = others.iter().map(|i| labels[*i]).collect();
        // The penalty is relative to the rows at hand; the same absolute one is meant.
        let energy = |features: &[f32]| {
            let mean = mean_row(features, d);
            let products = Symmetric::products_of_centred_columns(features, &mean);
            products.trace() / (features.len() / d) as f64
        };
        let lambda = lambda * energy(features) / energy(&kept);
        let smoother = Smoother::new(&kept, d, &kept_labels, 3, lambda);
        let row: Vec<f64> =
            features[left * d..][..d].iter().zip(&smoother.mean).map(|(x, mean)| f64::from(*x) - mean).collect();
        smoother.weights.iter().zip(&smoother.shares).map(|(weights, share)| share + dot(&row, weights)).collect()
    }

    #[test]
    fn leaving_a_group_out_equals_fitting_on_the_others() {
        let mut tried = 0;
        for (pictures, dimensions, lambda) in [(24, 4, 0.5), (20, 50, 0.1), (300, 5, 2.0)] {
            let features = rows(pictures, dimensions);
            let labels: Vec<usize> = (0..pictures).map(|i| i % 3).collect();
            let groups: Vec<usize> = (0..pictures).map(|i| if i < 7 { i % 2 } else { i }).collect();
            let predictions = left_out_predictions(&features, &labels, 3, &groups, lambda).unwrap();
            for left in 0..pictures.min(24) {
                let expected = fitted_on_the_others(&features, &labels, &groups, left, lambda);
                for (got, expected) in predictions[left * 3..][..3].iter().zip(&expected) {
                    assert!((got - expected).abs() < 1e-8, "{pictures} {dimensions} {left}: {got} and {expected}");
                    tried += 1;
                }
            }
        }
        assert_eq!(tried, 3 * (24 + 20 + 24));
    }

    #[test]
    fn leaving_single_pictures_out_agrees_with_the_probe() {
        let features = rows(40, 6);
        let labels: Vec<usize> = (0..40).map(|i| usize::from(features[i * 6] > 1.0)).collect();
        let probe = super::super::Probe::fit(&features, &labels).unwrap();
        let groups: Vec<usize> = (0..40).collect();
        let predictions = left_out_predictions(&features, &labels, 2, &groups, probe.lambda).unwrap();
        let right = |(i, label): &(usize, &usize)| (predictions[2 * i + 1] > predictions[2 * i]) == (**label == 1);
        let right = labels.iter().enumerate().filter(right).count();
        assert_eq!(right as f64 / 40.0, probe.accuracy);
    }

    #[test]
    fn where_everything_is_one_group_the_numbers_are_finite() {
        let predictions = left_out_predictions(&rows(5, 3), &[0, 1, 0, 1, 0], 2, &[0; 5], 1.0).unwrap();
        assert!(predictions.iter().all(|value| value.is_finite()), "{predictions:?}");
    }

    #[test]
    fn what_cannot_be_fitted_is_said() {
        assert!(matches!(left_out_predictions(&[1.0; 5], &[0, 1], 2, &[0, 1], 1.0), Err(ProbeError::Ragged { .. })));
        assert!(matches!(left_out_predictions(&[], &[], 2, &[], 1.0), Err(ProbeError::Ragged { .. })));
        let broken = [1.0, f32::INFINITY];
        assert!(matches!(
            left_out_predictions(&broken, &[0, 1], 2, &[0, 1], 1.0),
            Err(ProbeError::NotFinite { picture: 1 })
        ));
    }
}
