//! The forward pass of a classifier: a picture in, pooled features and logits out.

use std::sync::{Mutex, PoisonError};

use super::Artefact;
use crate::backbone::InputRange;
use crate::exec::cpu::{Arena, Engine, Program};
use crate::graph::Tap;
use crate::image::{Picture, Resize, resize};
use crate::model::Model;

/// A compiled network, shared by all threads.
///
/// Invariant: an answer doesn't depend on what was asked before.
#[derive(Debug)]
pub(crate) struct Classifier {
    input_size: usize,
    resize: Resize,
    range: InputRange,
    /// From the picture to the pooled features.
    trunk: Program,
    /// From there to the logits.
    head: Program,
    arenas: Mutex<Vec<[Arena; 2]>>,
}

/// What a network gives for one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The backbone's features, averaged over the picture: the input of the head.
    pub pooled: Vec<f32>,
    /// Before the softmax, in the order of the classes.
    pub logits: Vec<f32>,
}

impl Classifier {
    pub(crate) fn new(artefact: &Artefact, model: &Model) -> Classifier {
        // The head's first layer pools.
        let (pooled, last) = (Tap(model.backbone_layers), Tap(model.graph.len() - 1));
        let compile = |from, to| Program::new(&model.graph, &model.params, from, to, Engine::default());
        Classifier {
            input_size: artefact.input_size,
            resize: artefact.resize,
            range: model.backbone.input,
            trunk: compile(Tap(0), pooled),
            head: compile(pooled, last),
            arenas: Mutex::default(),
        }
    }

    /// The network's input for a picture: `[input_size, input_size, 3]`.
    pub(crate) fn prepare(&self, picture: &Picture) -> Vec<f32> {
        let mut pixels = resize(picture, self.input_size, self.input_size, self.resize);
        self.range.apply(&mut pixels);
        pixels
    }

    /// The network's output for an input that [`prepare`](Self::prepare) made.
    pub(crate) fn answer(&self, input: &[f32]) -> Answer {
        let arenas = || self.arenas.lock().unwrap_or_else(PoisonError::into_inner);
        let free = arenas().pop();
        let mut pair = free.unwrap_or_else(|| [self.trunk.arena(), self.head.arena()]);
        let mut pooled = vec![0.0; self.trunk.output_len()];
        let mut logits = vec![0.0; self.head.output_len()];
        self.trunk.run(input, &mut pair[0], &mut pooled);
        self.head.run(&pooled, &mut pair[1], &mut logits);
        arenas().push(pair);
        Answer { pooled, logits }
    }
}
