//! How good predictions are: accuracy with its interval, confusion, precision and recall of each class.
//!
//! Invariant: everything is a function of the confusion matrix, so figures that are shown together agree.
//!
//! ```
//! use defrost::metrics::ConfusionMatrix;
//! let mut matrix = ConfusionMatrix::new(2);
//! for (truth, predicted) in [(0, 0), (0, 1), (1, 1), (1, 1)] {
//!     matrix.add(truth, predicted);
//! }
//! assert_eq!(matrix.accuracy(), 0.75);
//! assert_eq!(matrix.per_class()[1].recall, 1.0);
//! ```

use serde::Serialize;

/// The index of the largest value, the first of equals; NaN is never the largest. 0 for an empty slice.
pub fn argmax(values: &[f32]) -> usize {
    let larger = |best: usize, i: usize| if values[i] > values[best] || values[best].is_nan() { i } else { best };
    (1..values.len()).fold(0, larger)
}

/// The 95 % interval of a share of which `successes` of `samples` were seen.
///
/// # Reference
/// Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference".
pub fn wilson_interval(successes: u64, samples: u64) -> (f64, f64) {
    /// The 97.5 % quantile of the standard normal distribution.
    const Z: f64 = 1.959_963_984_540_054;
    if samples == 0 {
        return (0.0, 1.0);
    }
    let n = samples as f64;
    let share = successes as f64 / n;
    let centre = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    // At the ends the formula gives 0 and 1 but for rounding.
    let low = if successes == 0 { 0.0 } else { centre - half };
    let high = if successes == samples { 1.0 } else { centre + half };
    (low, high)
}

/// How many logits come before that of class `truth`, from the largest down; equals come in the order of the classes.
///
/// # Panics
/// When there is no such class.
pub fn rank(logits: &[f32], truth: usize) -> usize {
    let own = logits[truth];
    logits.iter().enumerate().filter(|&(class, logit)| *logit > own || (*logit == own && class < truth)).count()
}

/// How often each class was predicted as each class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: usize,
    counts: Vec<u64>,
}

/// How well one class is told from the others. A share of nothing is 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClassMetrics {
    /// Of the samples predicted as this class, the share that are of it.
    pub precision: f64,
    /// Of the samples of this class, the share predicted as it.
    pub recall: f64,
    /// `2 · precision · recall / (precision + recall)`
    pub f1: f64,
    /// The samples of this class.
    pub support: u64,
}

/// Means over the classes, each counting the same however many samples it has.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MacroAverage {
    /// Mean precision.
    pub precision: f64,
    /// Mean recall.
    pub recall: f64,
    /// Mean F1.
    pub f1: f64,
}

impl ConfusionMatrix {
    /// All zeros.
    pub fn new(classes: usize) -> ConfusionMatrix {
        ConfusionMatrix { classes, counts: vec![0; classes * classes] }
    }

    /// Counts one sample of class `truth`, predicted as `predicted`.
    ///
    /// # Panics
    /// When either isn't below the number of classes.
    pub fn add(&mut self, truth: usize, predicted: usize) {
        assert!(
            truth < self.classes && predicted < self.classes,
            "{truth} and {predicted} of {} classes",
            self.classes
        );
        self.counts[truth * self.classes + predicted] += 1;
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How many samples of class `truth` were predicted as `predicted`.
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        self.counts[truth * self.classes + predicted]
    }

    /// A row for each true class, a column for each predicted one.
    pub fn rows(&self) -> impl Iterator<Item = &[u64]> {
        (0..self.classes).map(|class| &self.counts[class * self.classes..][..self.classes])
    }

    /// All samples.
    pub fn samples(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The samples predicted right.
    pub fn correct(&self) -> u64 {
        (0..self.classes).map(|class| self.count(class, class)).sum()
    }

    /// The share of samples predicted right; 0 without samples.
    pub fn accuracy(&self) -> f64 {
        share(self.correct(), self.samples())
    }

    /// The 95 % interval of the accuracy (Wilson).
    pub fn accuracy_interval(&self) -> (f64, f64) {
        wilson_interval(self.correct(), self.samples())
    }

    /// Each class' precision, recall, F1 and support.
    pub fn per_class(&self) -> Vec<ClassMetrics> {
        let metrics = |class: usize| {
            let hits = self.count(class, class);
            let support: u64 = (0..self.classes).map(|predicted| self.count(class, predicted)).sum();
            let predicted: u64 = (0..self.classes).map(|truth| self.count(truth, class)).sum();
            let (precision, recall) = (share(hits, predicted), share(hits, support));
            // 2PR / (P + R) without the quotients: exact where the parts are.
            ClassMetrics { precision, recall, f1: share(2 * hits, support + predicted), support }
        };
        (0..self.classes).map(metrics).collect()
    }

    /// Means over the classes that have a sample or were predicted, as scikit-learn takes them; 0 without samples.
    pub fn macro_average(&self) -> MacroAverage {
        let predicted = |class: usize| (0..self.classes).any(|truth| self.count(truth, class) > 0);
        let classes: Vec<ClassMetrics> = self
            .per_class()
            .into_iter()
            .enumerate()
            .filter_map(|(class, metrics)| (metrics.support > 0 || predicted(class)).then_some(metrics))
            .collect();
        MacroAverage {
            precision: mean(classes.iter().map(|class| class.precision)),
            recall: mean(classes.iter().map(|class| class.recall)),
            f1: mean(classes.iter().map(|class| class.f1)),
        }
    }

    /// The mean recall of the classes that have samples; 0 without samples.
    pub fn balanced_accuracy(&self) -> f64 {
        mean(self.per_class().into_iter().filter(|class| class.support > 0).map(|class| class.recall))
    }
}

/// 0 of nothing.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { 0.0 } else { sum / f64::from(count) }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_of_equals_wins() {
        assert_eq!(argmax(&[0.2, 0.4, 0.4]), 1);
        assert_eq!(argmax(&[f32::NAN, -1.0, f32::NAN]), 1);
        assert_eq!(argmax(&[]), 0);
    }

    #[test]
    fn wilsons_interval_is_that_of_the_tables() {
        // Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
        for (successes, samples, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let (got_low, got_high) = wilson_interval(successes, samples);
            assert!((got_low - low).abs() < 5e-5 && (got_high - high).abs() < 5e-5, "{got_low} {got_high}");
        }
        assert_eq!(wilson_interval(0, 0), (0.0, 1.0));
        assert_eq!(wilson_interval(3, 3).1, 1.0);
    }

    #[test]
    fn classes_without_samples_or_predictions_score_zero() {
        let mut matrix = ConfusionMatrix::new(3);
        for (truth, predicted, times) in [(0, 0, 3), (0, 2, 1), (1, 0, 2)] {
            (0..times).for_each(|_| matrix.add(truth, predicted));
        }
        assert_eq!(matrix.rows().collect::<Vec<_>>(), [[3_u64, 0, 1], [2, 0, 0], [0, 0, 0]]);
        let expected = [(0.6, 0.75, 6.0 / 9.0, 4), (0.0, 0.0, 0.0, 2), (0.0, 0.0, 0.0, 0)];
        let got = matrix.per_class().into_iter().map(|class| (class.precision, class.recall, class.f1, class.support));
        assert_eq!(got.collect::<Vec<_>>(), expected);
        assert_eq!(ConfusionMatrix::new(2).accuracy(), 0.0);
        // The third class has neither samples nor right predictions, but one prediction: it counts in the mean over classes, and
        // not in the balanced accuracy.
        let average = matrix.macro_average();
        assert_eq!((average.precision, average.recall), (0.6 / 3.0, 0.25));
        assert_eq!(matrix.balanced_accuracy(), 0.375);
        assert_eq!(ConfusionMatrix::new(2).balanced_accuracy(), 0.0);
        assert_eq!(ConfusionMatrix::new(2).macro_average().f1, 0.0);
    }

    #[test]
    fn ranks_count_what_comes_before() {
        assert_eq!([0, 1, 2, 3].map(|truth| rank(&[0.1, 0.5, 0.1, 0.3], truth)), [2, 0, 3, 1]);
    }

    proptest! {
        #[test]
        fn figures_agree(pairs in proptest::collection::vec((0..4_usize, 0..4_usize), 1..200)) {
            let mut matrix = ConfusionMatrix::new(4);
            pairs.iter().for_each(|&(truth, predicted)| matrix.add(truth, predicted));
            let classes = matrix.per_class();
            prop_assert_eq!(classes.iter().map(|class| class.support).sum::<u64>(), matrix.samples());
            let recalled: f64 = classes.iter().map(|class| class.recall * class.support as f64).sum();
            prop_assert!((recalled / matrix.samples() as f64 - matrix.accuracy()).abs() < 1e-12);
            let (low, high) = matrix.accuracy_interval();
            prop_assert!(0.0 <= low && low <= matrix.accuracy() && matrix.accuracy() <= high && high <= 1.0);
        }
    }
}
