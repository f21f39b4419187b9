//! How good a classifier is on labelled pictures: one evaluation, for the terminal, the report and the server alike.

mod summary;
mod table;

pub use summary::{Calibrated, ClassFigures, Summary, TopK};
pub use table::TableError;

use rayon::prelude::*;
use serde::Serialize;

use crate::calibrate::{self, Labelled, Reliability};
use crate::data::Sample;
use crate::loss::{CrossEntropy, Target};
use crate::metrics::{ClassMetrics, ConfusionMatrix, argmax, rank};
use crate::predict::Predictor;
use crate::progress::{Phase, Progress};
use crate::train::Validated;

/// One picture's outcome: a line of `predictions.csv`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Of the picture.
    pub path: String,
    /// The folder that it lies in.
    pub truth: usize,
    /// The most probable class.
    pub predicted: usize,
    /// Before the softmax, in the order of the classes.
    pub logits: Vec<f32>,
    /// Calibrated, in the order of the classes.
    pub probabilities: Vec<f32>,
    /// Cross-entropy, before calibration.
    pub loss: f32,
}

/// What a classifier made of labelled pictures.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// Every readable picture.
    pub outcomes: Vec<Outcome>,
    /// Pictures that can't be read, with the reason.
    pub unreadable: Vec<(String, String)>,
    /// Truth by prediction.
    pub confusion: ConfusionMatrix,
    /// The classifier's.
    pub temperature: f64,
}

impl Evaluation {
    /// Asks `predictor` for every sample; labels are numbers of its classes. Sums are taken in the samples' order. `None` where
    /// the user stops it.
    pub fn of(predictor: &Predictor, samples: &[Sample], progress: Progress<'_>) -> Option<Evaluation> {
        let classes = predictor.classes().len();
        let loss = CrossEntropy::plain(classes);
        let limits = predictor.limits();
        progress.begin(Phase::Predict, samples.len() as u64, "predict");
        let judge = |sample: &Sample| {
            let picture = sample.picture(&limits).map_err(|error| (sample.path.clone(), error.to_string()))?;
            let prediction = predictor.predict(&picture);
            Ok(Outcome {
                path: sample.path.clone(),
                truth: sample.label,
                predicted: prediction.label(),
                loss: loss.forward(&prediction.logits, Target::Class(sample.label)),
                probabilities: prediction.probabilities,
                logits: prediction.logits,
            })
        };
        let results: Option<Vec<Result<Outcome, (String, String)>>> = samples
            .par_iter()
            .map(|sample| {
                let result = (!progress.cancelled()).then(|| judge(sample));
                progress.advance(1);
                result
            })
            .collect();
        progress.end();
        let (mut outcomes, mut unreadable) = (Vec::new(), Vec::new());
        for result in results? {
            match result {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => unreadable.push(error),
            }
        }
        Some(Evaluation::from_outcomes(outcomes, unreadable, classes, predictor.artefact().temperature()))
    }

    /// Of validation pictures whose logits are known; `path` tells a picture's path by its number.
    pub fn of_logits(
        validated: &[Validated],
        classes: &[String],
        temperature: f64,
        path: impl Fn(usize) -> String,
    ) -> Evaluation {
        let loss = CrossEntropy::plain(classes.len());
        let outcomes = validated
            .iter()
            .map(|Validated { picture, label, logits }| {
                let mut probabilities = vec![0.0; logits.len()];
                calibrate::probabilities(logits, temperature, &mut probabilities);
                Outcome {
                    path: path(*picture),
                    truth: *label,
                    predicted: argmax(logits),
                    loss: loss.forward(logits, Target::Class(*label)),
                    probabilities,
                    logits: logits.clone(),
                }
            })
            .collect();
        Evaluation::from_outcomes(outcomes, Vec::new(), classes.len(), temperature)
    }

    fn from_outcomes(
        outcomes: Vec<Outcome>,
        unreadable: Vec<(String, String)>,
        classes: usize,
        temperature: f64,
    ) -> Evaluation {
        let mut confusion = ConfusionMatrix::new(classes);
        for outcome in &outcomes {
            confusion.add(outcome.truth, outcome.predicted);
        }
        Evaluation { outcomes, unreadable, confusion, temperature }
    }

    /// Share of pictures that are classified rightly.
    pub fn accuracy(&self) -> f64 {
        self.confusion.accuracy()
    }

    /// The accuracy's 95 % interval (Wilson 1927).
    pub fn accuracy_interval(&self) -> (f64, f64) {
        self.confusion.accuracy_interval()
    }

    /// How far the probabilities are from the accuracy: under temperature 1, and calibrated.
    pub fn reliability(&self) -> (Reliability, Reliability) {
        let answers: Vec<Labelled<'_>> =
            self.outcomes.iter().map(|of| Labelled { logits: &of.logits, label: of.truth }).collect();
        (Reliability::of(&answers, 1.0), Reliability::of(&answers, self.temperature))
    }

    /// Mean cross-entropy, before calibration.
    pub fn loss(&self) -> f64 {
        self.outcomes.iter().map(|outcome| f64::from(outcome.loss)).sum::<f64>() / self.outcomes.len() as f64
    }

    /// The share of pictures whose class is among the `k` most probable.
    pub fn top_k_accuracy(&self, k: usize) -> f64 {
        let found = self.outcomes.iter().filter(|of| rank(&of.logits, of.truth) < k).count();
        if self.outcomes.is_empty() { 0.0 } else { found as f64 / self.outcomes.len() as f64 }
    }

    /// Precision, recall and F1 of each class.
    pub fn per_class(&self) -> Vec<ClassMetrics> {
        self.confusion.per_class()
    }
}

#[cfg(test)]
mod tests;
