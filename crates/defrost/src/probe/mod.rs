//! Linear probes: how well frozen features tell the classes apart, from a closed form and without a training loop.
//!
//! Ridge regression from the features to one-of-K targets, with an intercept that isn't penalised. Every figure is of
//! leave-one-out predictions: each picture is predicted by the probe that was fitted on all the others.
//!
//! With centred features `X` (n × d), `K = X·Xᵀ`, `G = K + λI`, centred targets `Y` and `α = G⁻¹·Y`, the residual of picture i,
//! left out, is
//!
//! ```text
//! eᵢ = λ·αᵢ / (λ·(G⁻¹)ᵢᵢ − 1/n)
//! ```
//!
//! Fitting by squared error on one-of-K targets is a least-squares classifier: the largest prediction wins. `λ` is the power of
//! ten, in units of `trace(K)/n`, with the least squared error, left out.
//!
//! Invariant: a probe is a function of features and labels alone, whatever the number of threads.
//!
//! ```
//! use defrost::probe::Probe;
//! // One feature that tells two classes apart.
//! let probe = Probe::fit(&[-1.1, -1.0, -0.9, 0.9, 1.0, 1.1], &[0, 0, 0, 1, 1, 1])?;
//! assert_eq!((probe.accuracy, probe.chance), (1.0, 0.5));
//! assert!(probe.explained > 0.9);
//! # Ok::<(), defrost::probe::ProbeError>(())
//! ```
//!
//! # Reference
//! Rifkin and Lippert 2007, "Notes on Regularized Least Squares", MIT-CSAIL-TR-2007-025, section 3 (leave-one-out);
//! Alain and Bengio 2016, "Understanding intermediate layers using linear classifier probes".

mod left_out;
mod symmetric;

use rayon::prelude::*;
use serde::Serialize;

pub use left_out::left_out_predictions;
use symmetric::{Symmetric, add_scaled};

use crate::metrics::wilson_interval;

/// Candidates for `λ`, in units of `trace(K)/n`.
const LAMBDAS: [f64; 5] = [1e-3, 1e-2, 1e-1, 1.0, 10.0];

/// The 97.5 % quantile of the standard normal distribution.
const Z: f64 = 1.96;

/// Features that no probe can be fitted on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// There is nothing to tell apart, or too little to leave one out.
    #[error(
        "a linear probe needs pictures of at least two classes and more pictures than classes; got {pictures} of {classes}"
    )]
    TooFew {
        /// Rows of features.
        pictures: usize,
        /// Classes among them.
        classes: usize,
    },
    /// Rows of different lengths.
    #[error("{values} features aren't as many for each of {pictures} pictures")]
    Ragged {
        /// Features in all.
        values: usize,
        /// Labels.
        pictures: usize,
    },
    /// Infinite or not a number: the weights are damaged.
    #[error("picture {picture} has a feature that is not a finite number; check the backbone's weights")]
    NotFinite {
        /// The first such row.
        picture: usize,
    },
}

/// How well features tell the classes apart. All figures are of leave-one-out predictions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Probe {
    /// Pictures that it was fitted on.
    pub pictures: usize,
    /// Classes among them.
    pub classes: usize,
    /// The share of pictures that are predicted right.
    pub accuracy: f64,
    /// The 95 % interval of the accuracy.
    pub accuracy_interval: (f64, f64),
    /// The share of the largest class: the accuracy of always guessing it.
    pub chance: f64,
    /// The share of the targets' variance that is predicted, as R²: 1 is perfect, 0 is no better than the classes' shares.
    pub explained: f64,
    /// The chosen penalty, in units of `trace(K)/n`.
    pub lambda: f64,
    /// Each picture's squared error, in units of the mean squared error of guessing the classes' shares.
    #[serde(skip)]
    errors: Vec<f64>,
}

/// A difference with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Gain {
    /// Of the explained shares.
    pub mean: f64,
    /// Normal approximation over pictures.
    pub interval: (f64, f64),
}

impl Probe {
    /// Fits a probe on `features`, a row for each of `labels`.
    ///
    /// # Errors
    /// When there are fewer than two classes or no more pictures than classes, or a feature isn't finite.
    pub fn fit(features: &[f32], labels: &[usize]) -> Result<Probe, ProbeError> {
        let pictures = labels.len();
        let (labels, counts) = numbered(labels);
        let classes = counts.len();
        if classes < 2 || pictures <= classes {
            return Err(ProbeError::TooFew { pictures, classes });
        }
        if !features.len().is_multiple_of(pictures) || features.is_empty() {
            return Err(ProbeError::Ragged { values: features.len(), pictures });
        }
        let dimensions = features.len() / pictures;
        if let Some(index) = features.iter().position(|value| !value.is_finite()) {
            return Err(ProbeError::NotFinite { picture: index / dimensions });
        }
        let kernel = Symmetric::products_of_centred_rows(features, dimensions);
        // Features that are all alike differ by rounding only, which isn't to be scaled up.
        let scale = kernel.trace() / pictures as f64;
        let square = features.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / pictures as f64;
        let scale = if scale > 1e-12 * square { scale } else { square.max(1.0) };
        let targets = Targets::new(&labels, &counts);

        let left_out = |&lambda: &f64| targets.left_out_residuals(&kernel, lambda * scale);
        let residuals: Vec<Vec<f64>> = LAMBDAS.par_iter().map(left_out).collect();
        let sum_of_squares = |index: &usize| residuals[*index].iter().map(|e| e * e).sum::<f64>();
        let best =
            (0..LAMBDAS.len()).min_by(|a, b| sum_of_squares(a).total_cmp(&sum_of_squares(b))).unwrap_or_default();

        let baseline = targets.left_out_variance();
        let squared = |row: &[f64]| row.iter().map(|e| e * e).sum::<f64>();
        let errors: Vec<f64> =
            residuals[best].chunks_exact(targets.classes).map(|row| squared(row) / baseline).collect();
        let correct = labels.iter().zip(residuals[best].chunks_exact(targets.classes));
        let correct = correct.filter(|(label, residual)| predicted(**label, residual) == **label).count();
        Ok(Probe {
            pictures,
            classes,
            accuracy: correct as f64 / pictures as f64,
            accuracy_interval: wilson_interval(correct as u64, pictures as u64),
            chance: counts.iter().copied().max().unwrap_or(0) as f64 / pictures as f64,
            explained: 1.0 - errors.iter().sum::<f64>() / pictures as f64,
            lambda: LAMBDAS[best],
            errors,
        })
    }

    /// How much more of the targets' variance this probe explains than `other` does of the same pictures.
    ///
    /// # Panics
    /// When the probes have different numbers of pictures.
    pub fn gain_over(&self, other: &Probe) -> Gain {
        assert_eq!(self.pictures, other.pictures, "both probes must be of the same pictures");
        let n = self.pictures as f64;
        let differences = || other.errors.iter().zip(&self.errors).map(|(other, own)| other - own);
        let mean = differences().sum::<f64>() / n;
        let variance = differences().map(|difference| (difference - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let half = Z * (variance / n).sqrt();
        Gain { mean, interval: (mean - half, mean + half) }
    }
}

/// The labels as numbers without gaps, and how many pictures each has.
fn numbered(labels: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let mut known = labels.to_vec();
    known.sort_unstable();
    known.dedup();
    let mut counts = vec![0; known.len()];
    let mut number = |label: &usize| {
        let number = known.partition_point(|other| other < label);
        counts[number] += 1;
        number
    };
    (labels.iter().map(&mut number).collect(), counts)
}

/// The class with the largest prediction for a picture of `label`, the first of equals.
fn predicted(label: usize, residual: &[f64]) -> usize {
    let prediction = |class: usize| f64::from(u8::from(class == label)) - residual[class];
    let larger = |best: usize, class: usize| if prediction(class) > prediction(best) { class } else { best };
    (1..residual.len()).fold(0, larger)
}

/// One-of-K targets, centred.
struct Targets {
    classes: usize,
    /// n × K
    centred: Vec<f64>,
}

impl Targets {
    fn new(labels: &[usize], counts: &[usize]) -> Targets {
        let shares: Vec<f64> = counts.iter().map(|&count| count as f64 / labels.len() as f64).collect();
        let row = |&label: &usize| {
            shares.iter().enumerate().map(move |(class, share)| f64::from(u8::from(class == label)) - share)
        };
        let centred = labels.iter().flat_map(row).collect();
        Targets { classes: counts.len(), centred }
    }

    /// The mean squared error of guessing the shares of all other pictures.
    fn left_out_variance(&self) -> f64 {
        let n = (self.centred.len() / self.classes) as f64;
        self.centred.iter().map(|y| (y * n / (n - 1.0)).powi(2)).sum::<f64>() / n
    }

    /// Each picture's targets minus the predictions of the probe fitted on the others, n × K.
    fn left_out_residuals(&self, kernel: &Symmetric, lambda: f64) -> Vec<f64> {
        let n = kernel.side;
        let inverse = kernel.plus_diagonal(lambda).into_cholesky().into_inverse();
        // G⁻¹ = MᵀM for the inverse M of G's Cholesky factor: α = Mᵀ·(M·Y), and the diagonal is the columns' sums of squares.
        let mut alpha = vec![0.0; self.centred.len()];
        let mut diagonal = vec![0.0; n];
        let mut product = vec![0.0; self.classes];
        for i in 0..n {
            let row = &inverse.row(i)[..=i];
            product.fill(0.0);
            for (m, y) in row.iter().zip(self.centred.chunks_exact(self.classes)) {
                add_scaled(&mut product, *m, y);
            }
            for ((m, diagonal), alpha) in row.iter().zip(&mut diagonal).zip(alpha.chunks_exact_mut(self.classes)) {
                *diagonal += m * m;
                add_scaled(alpha, *m, &product);
            }
        }
        for (residual, diagonal) in alpha.chunks_exact_mut(self.classes).zip(&diagonal) {
            let factor = lambda / (lambda * diagonal - 1.0 / n as f64);
            residual.iter_mut().for_each(|alpha| *alpha *= factor);
        }
        alpha
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    /// `pictures` rows of normal features; the first feature is shifted by `shift` times the label.
    fn features(pictures: usize, dimensions: usize, labels: &[usize], shift: f32) -> Vec<f32> {
        let mut stream = Stream::new(5, "probe", &[pictures as u64, dimensions as u64]);
        let mut values: Vec<f32> = (0..pictures * dimensions).map(|_| 2.0 + stream.normal()).collect();
        for (row, &label) in values.chunks_exact_mut(dimensions).zip(labels) {
            row[0] += shift * label as f32;
        }
        values
    }

    fn labels(pictures: usize, classes: usize) -> Vec<usize> {
        (0..pictures).map(|i| i % classes).collect()
    }

    /// Solves `a·x = b` by elimination.
    fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
        let n = b.len();
        for k in 0..n {
            let pivot = (k..n).max_by(|&i, &j| a[i][k].abs().total_cmp(&a[j][k].abs())).unwrap();
            a.swap(k, pivot);
            b.swap(k, pivot);
            for i in k + 1..n {
                let factor = a[i][k] / a[k][k];
                let row = a[k].clone();
                a[i].iter_mut().zip(&row).for_each(|(x, y)| *x -= factor * y);
                b[i] -= factor * b[k];
            }
        }
        for k in (0..n).rev() {
            let known: f64 = (k + 1..n).map(|j| a[k][j] * b[j]).sum();
            b[k] = (b[k] - known) / a[k][k];
        }
        b
    }

    /// What ridge regression fitted on all but `left` predicts for it: weights of the features, and an intercept.
    fn refitted(rows: &[Vec<f64>], targets: &[f64], left: usize, lambda: f64) -> f64 {
        let d = rows[0].len();
        // An intercept as a feature that is always 1 and isn't penalised.
        let extended = |row: &[f64]| [row, &[1.0]].concat();
        let mut normal = vec![vec![0.0; d + 1]; d + 1];
        let mut right = vec![0.0; d + 1];
        for (i, row) in rows.iter().enumerate().filter(|(i, _)| *i != left) {
            let x = extended(row);
            for a in 0..=d {
                right[a] += x[a] * targets[i];
                (0..=d).for_each(|b| normal[a][b] += x[a] * x[b]);
            }
        }
        (0..d).for_each(|a| normal[a][a] += lambda);
        solve(normal, right).iter().zip(extended(&rows[left])).map(|(w, x)| w * x).sum()
    }

    #[test]
    fn leaving_one_out_equals_fitting_anew() {
        let mut tried = 0;
        for (pictures, dimensions, lambda) in [(12, 3, 0.5), (9, 20, 0.01), (15, 15, 30.0)] {
            let labels = labels(pictures, 3);
            let features = features(pictures, dimensions, &labels, 1.0);
            let kernel = Symmetric::products_of_centred_rows(&features, dimensions);
            let (labels, counts) = numbered(&labels);
            let targets = Targets::new(&labels, &counts);
            let residuals = targets.left_out_residuals(&kernel, lambda);
            let row = |row: &[f32]| row.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
            let rows: Vec<Vec<f64>> = features.chunks_exact(dimensions).map(row).collect();
            for class in 0..3 {
                let wanted: Vec<f64> = labels.iter().map(|&label| f64::from(u8::from(label == class))).collect();
                for left in 0..pictures {
                    let expected = wanted[left] - refitted(&rows, &wanted, left, lambda);
                    let got = residuals[left * 3 + class];
                    assert!((got - expected).abs() < 1e-9, "{pictures} {dimensions} {left}: {got} and {expected}");
                    tried += 1;
                }
            }
        }
        assert_eq!(tried, 108);
    }

    #[test]
    fn separable_classes_are_told_apart() {
        let labels = labels(60, 3);
        let probe = Probe::fit(&features(60, 5, &labels, 40.0), &labels).unwrap();
        // The middle class is the hardest for a linear function of one feature; two classes are easy.
        assert!(probe.accuracy > probe.chance);
        let labels: Vec<usize> = labels.iter().map(|label| label % 2).collect();
        let probe = Probe::fit(&features(60, 5, &labels, 40.0), &labels).unwrap();
        assert_eq!((probe.accuracy, probe.accuracy_interval.1), (1.0, 1.0));
        assert!(probe.explained > 0.95, "{}", probe.explained);
    }

    #[test]
    fn labels_that_have_nothing_to_do_with_the_features_stay_at_chance() {
        let labels = labels(200, 4);
        let probe = Probe::fit(&features(200, 40, &labels, 0.0), &labels).unwrap();
        assert!(probe.accuracy_interval.0 < probe.chance && probe.chance < probe.accuracy_interval.1, "{probe:?}");
        assert!(probe.explained < 0.02, "{}", probe.explained);
        assert_eq!(probe.chance, 0.25);
    }

    #[test]
    fn features_without_content_explain_nothing() {
        let probe = Probe::fit(&[0.1; 40], &labels(20, 2)).unwrap();
        assert!(probe.explained.abs() < 1e-9, "{}", probe.explained);
    }

    #[test]
    fn the_gain_tells_good_features_from_bad_ones() {
        let labels = labels(90, 2);
        let good = Probe::fit(&features(90, 4, &labels, 3.0), &labels).unwrap();
        let bad = Probe::fit(&features(90, 8, &labels, 0.2), &labels).unwrap();
        let gain = good.gain_over(&bad);
        assert!((gain.mean - (good.explained - bad.explained)).abs() < 1e-12);
        assert!(gain.interval.0 > 0.0 && bad.gain_over(&good).interval.1 < 0.0, "{gain:?}");
        assert_eq!(good.gain_over(&good), Gain { mean: 0.0, interval: (0.0, 0.0) });
    }

    #[test]
    fn a_label_without_pictures_does_not_count() {
        let labels: Vec<usize> = labels(20, 2).iter().map(|label| label * 3).collect();
        let probe = Probe::fit(&features(20, 3, &labels, 5.0), &labels).unwrap();
        assert_eq!((probe.classes, probe.accuracy), (2, 1.0));
    }

    #[test]
    fn what_cannot_be_fitted_is_said() {
        let message = |features: &[f32], labels: &[usize]| Probe::fit(features, labels).unwrap_err().to_string();
        assert!(message(&[1.0, 2.0, 3.0], &[0, 0, 0]).contains("got 3 of 1"));
        assert!(message(&[1.0, 2.0], &[0, 1]).contains("got 2 of 2"));
        assert!(message(&[1.0, 2.0, 3.0, 4.0], &[0, 1, 0]).contains("4 features"));
        assert!(message(&[1.0, f32::NAN, 3.0], &[0, 1, 0]).contains("picture 1"));
    }

    #[test]
    fn threads_change_nothing() {
        let labels = labels(50, 5);
        let features = features(50, 30, &labels, 0.5);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Probe::fit(&features, &labels).unwrap())
        };
        assert_eq!(on(1), on(3));
    }
}
