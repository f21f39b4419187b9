//! Pictures through a finished classifier.

use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use crate::artefact::{Answer, Artefact, ArtefactError, Classifier};
use crate::calibrate;
use crate::image::{Limits, Picture};
use crate::metrics::argmax;
use crate::model::Model;

/// A classifier at work, shared by all threads.
///
/// Invariant: a picture's prediction doesn't depend on what was asked before.
#[derive(Debug)]
pub struct Predictor {
    artefact: Artefact,
    model: Model,
    classifier: Classifier,
}

/// The probability of each class for one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction<'a> {
    classes: &'a [String],
    /// Calibrated, in the order of the classes: the softmax of the logits by the temperature.
    pub probabilities: Vec<f32>,
    /// Before the softmax.
    pub logits: Vec<f32>,
    /// The backbone's features, averaged over the picture.
    pub pooled: Vec<f32>,
    /// Whether it is unlike all pictures that the classifier has learned from; `None` where the classifier can't tell.
    pub unlike: Option<bool>,
}

/// A class with its probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Guess<'a> {
    /// The class.
    pub class: &'a str,
    /// 0–1.
    pub probability: f32,
}

impl Predictor {
    /// Compiles a classifier.
    pub fn new(artefact: Artefact, model: Model) -> Predictor {
        let classifier = Classifier::new(&artefact, &model);
        Predictor { artefact, model, classifier }
    }

    /// Reads a classifier from its folder or file, and runs its golden pictures.
    ///
    /// # Errors
    /// When there is none, it is damaged, or it gives other logits than when it was written.
    pub fn load(path: &Path) -> Result<Predictor, ArtefactError> {
        let (artefact, model, classifier) = Artefact::load_compiled(path)?;
        Ok(Predictor { artefact, model, classifier })
    }

    /// What the classifier is.
    pub fn artefact(&self) -> &Artefact {
        &self.artefact
    }

    /// Names, in the order of the probabilities.
    pub fn classes(&self) -> &[String] {
        &self.artefact.classes
    }

    /// The network with its weights.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The limits to decode pictures with, as they were decoded in training.
    pub fn limits(&self) -> Limits {
        self.artefact.decoding.limits(self.artefact.input_size)
    }

    /// The network's input for a picture: `[input_size, input_size, 3]`, resized and in the range that the backbone expects.
    pub fn prepare(&self, picture: &Picture) -> Vec<f32> {
        self.classifier.prepare(picture)
    }

    /// What the network gives for an input that [`prepare`](Self::prepare) made.
    ///
    /// # Panics
    /// When the input has another length.
    pub fn answer(&self, input: &[f32]) -> Answer {
        self.classifier.answer(input)
    }

    /// The probability of each class.
    pub fn predict(&self, picture: &Picture) -> Prediction<'_> {
        self.judge(self.answer(&self.prepare(picture)))
    }

    /// Of each picture, in their order; on all threads.
    pub fn predict_many(&self, pictures: &[Picture]) -> Vec<Prediction<'_>> {
        pictures.par_iter().map(|picture| self.predict(picture)).collect()
    }

    /// What an answer of the network means.
    fn judge(&self, answer: Answer) -> Prediction<'_> {
        let Answer { pooled, logits } = answer;
        let mut probabilities = vec![0.0; logits.len()];
        calibrate::probabilities(&logits, self.artefact.temperature(), &mut probabilities);
        let unlike = self.artefact.familiar.as_ref().map(|familiar| familiar.is_unlike(&pooled));
        Prediction { classes: self.classes(), probabilities, logits, pooled, unlike }
    }
}

impl Prediction<'_> {
    /// The number of the most probable class.
    pub fn label(&self) -> usize {
        argmax(&self.probabilities)
    }

    /// The most probable class.
    pub fn best(&self) -> Guess<'_> {
        self.guess(self.label())
    }

    /// The `k` most probable classes, the most probable first; ties in the order of the classes.
    pub fn top(&self, k: usize) -> Vec<Guess<'_>> {
        let mut order: Vec<usize> = (0..self.classes.len()).collect();
        order.sort_by(|&a, &b| self.probabilities[b].total_cmp(&self.probabilities[a]));
        order.into_iter().take(k).map(|class| self.guess(class)).collect()
    }

    fn guess(&self, class: usize) -> Guess<'_> {
        Guess { class: &self.classes[class], probability: self.probabilities[class] }
    }
}
