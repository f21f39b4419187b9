//! Pictures through a finished classifier.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::artefact::{Artefact, ArtefactError};
use crate::exec::cpu::{Arena, Engine, Program};
use crate::graph::Tap;
use crate::image::{Picture, resize};
use crate::loss::softmax;
use crate::metrics::argmax;
use crate::model::Model;

/// A classifier at work, shared by all threads.
///
/// Invariant: a picture's prediction doesn't depend on what was asked before.
#[derive(Debug)]
pub struct Predictor {
    artefact: Artefact,
    model: Model,
    program: Program,
    arenas: Mutex<Vec<Arena>>,
}

/// The probability of each class for one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction<'a> {
    classes: &'a [String],
    /// In the order of the classes.
    pub probabilities: Vec<f32>,
    /// Before the softmax.
    pub logits: Vec<f32>,
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
        let last = Tap(model.graph.len() - 1);
        let program = Program::new(&model.graph, &model.params, Tap(0), last, Engine::default());
        Predictor { artefact, model, program, arenas: Mutex::default() }
    }

    /// Reads the classifier of a run from its folder `model/`.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub fn load(folder: &Path) -> Result<Predictor, ArtefactError> {
        let (artefact, model) = Artefact::load(folder)?;
        Ok(Predictor::new(artefact, model))
    }

    /// What the classifier is.
    pub fn artefact(&self) -> &Artefact {
        &self.artefact
    }

    /// Names, in the order of the probabilities.
    pub fn classes(&self) -> &[String] {
        &self.artefact.classes
    }

    /// The probability of each class.
    pub fn predict(&self, picture: &Picture) -> Prediction<'_> {
        let size = self.artefact.input_size;
        let mut pixels = resize(picture, size, size, self.artefact.resize);
        self.model.backbone.input.apply(&mut pixels);
        let arenas = || self.arenas.lock().unwrap_or_else(PoisonError::into_inner);
        let arena = arenas().pop();
        let mut arena = arena.unwrap_or_else(|| self.program.arena());
        let mut logits = vec![0.0; self.program.output_len()];
        self.program.run(&pixels, &mut arena, &mut logits);
        arenas().push(arena);
        let mut probabilities = vec![0.0; logits.len()];
        softmax(&logits, &mut probabilities);
        Prediction { classes: self.classes(), probabilities, logits }
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
