//! All figures of an evaluation together, as `defrost evaluate --json` prints them.

use serde::Serialize;

use super::Evaluation;
use crate::calibrate::Reliability;
use crate::metrics::MacroAverage;

/// The numbers of classes that the truth is looked for among, where there are more classes than that.
const RANKS: [usize; 3] = [2, 3, 5];

/// What an evaluation comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary<'a> {
    /// Pictures that were judged.
    pub samples: usize,
    /// Share that is classified rightly.
    pub accuracy: f64,
    /// Its 95 % interval (Wilson).
    pub accuracy_interval: (f64, f64),
    /// Mean recall over the classes that have pictures.
    pub balanced_accuracy: f64,
    /// Shares whose class is among the most probable; empty with two classes.
    pub top_k: Vec<TopK>,
    /// Means over the classes.
    pub macro_average: MacroAverage,
    /// Mean cross-entropy, before calibration.
    pub loss: f64,
    /// How far probabilities and accuracy are apart.
    pub calibration: Calibrated,
    /// Names, in the order of rows and columns.
    pub classes: &'a [String],
    /// Rows are the truth, columns the prediction.
    pub confusion_matrix: Vec<&'a [u64]>,
    /// In the order of the classes.
    pub per_class: Vec<ClassFigures<'a>>,
}

/// A share of pictures whose class is among the most probable ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TopK {
    /// How many those are.
    pub k: usize,
    /// The share.
    pub accuracy: f64,
}

/// Reliability before and after the temperature.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibrated {
    /// The classifier's.
    pub temperature: f64,
    /// With temperature 1.
    pub before: Reliability,
    /// With the classifier's.
    pub after: Reliability,
}

/// How well one class is told from the others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClassFigures<'a> {
    /// The class.
    pub class: &'a str,
    /// Of the pictures predicted as this class, the share that are of it.
    pub precision: f64,
    /// Of the pictures of this class, the share predicted as it.
    pub recall: f64,
    /// Their harmonic mean.
    pub f1: f64,
    /// The pictures of this class.
    pub support: u64,
}

impl Evaluation {
    /// All figures; `classes` are the classifier's.
    pub fn summary<'a>(&'a self, classes: &'a [String]) -> Summary<'a> {
        let (before, after) = self.reliability();
        let top_k = |&k: &usize| (k < classes.len()).then(|| TopK { k, accuracy: self.top_k_accuracy(k) });
        Summary {
            samples: self.outcomes.len(),
            accuracy: self.accuracy(),
            accuracy_interval: self.accuracy_interval(),
            balanced_accuracy: self.confusion.balanced_accuracy(),
            top_k: RANKS.iter().filter_map(top_k).collect(),
            macro_average: self.confusion.macro_average(),
            loss: self.loss(),
            calibration: Calibrated { temperature: self.temperature, before, after },
            classes,
            confusion_matrix: self.confusion.rows().collect(),
            per_class: classes
                .iter()
                .zip(self.per_class())
                .map(|(class, of)| ClassFigures {
                    class,
                    precision: of.precision,
                    recall: of.recall,
                    f1: of.f1,
                    support: of.support,
                })
                .collect(),
        }
    }
}
