//! Why a classifier says what it says: where in the picture the evidence for a class lies.
//!
//! Every head begins with global average pooling, so a class's logit is a function of the mean of a grid of features, and its
//! derivative tells how much each position adds. With `w_k` the derivative of the logit by the pooled feature `k`, and
//! `A_k(i, j)` that feature at a position, the map is
//!
//! ```text
//! M(i, j) = Σ_k w_k · A_k(i, j)
//! ```
//!
//! Where the classifier alone follows the pooling, `w_k` is its weight and the map is exact: its mean, with the bias, is the logit
//! (class activation mapping). With layers between, it holds near this picture (Grad-CAM; the gradient's mean over `H · W`
//! positions that it weighs by is `w_k / (H · W)`).
//!
//! Invariant: a map is a function of the picture, the classifier and the class.
//!
//! # Reference
//! Zhou et al. 2016, "Learning Deep Features for Discriminative Localization", eq. 2; Selvaraju et al. 2017, "Grad-CAM: Visual
//! Explanations from Deep Networks via Gradient-based Localization", eq. 1 and 2.

mod colour;
mod overlay;

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

pub use colour::evidence_colour;
pub use overlay::overlay;

use crate::artefact::Artefact;
use crate::backbone::InputRange;
use crate::exec::cpu::{Arena, Engine, Program, Tail};
use crate::graph::Tap;
use crate::head::{Head, HeadLayer};
use crate::image::{Picture, Resize, resize};
use crate::metrics::argmax;
use crate::model::Model;
use crate::tensor::Params;

/// How a map was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Class activation mapping: exact.
    Cam,
    /// Gradient-weighted: exact to the first order.
    GradCam,
}

impl Method {
    /// The one for a head.
    pub fn of(head: &Head) -> Method {
        match head.layers.iter().any(|layer| matches!(layer, HeadLayer::Dense { .. })) {
            true => Method::GradCam,
            false => Method::Cam,
        }
    }
}

/// Where the evidence for a class lies.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivationMap {
    /// How it was made.
    pub method: Method,
    /// The class that it explains, by its number.
    pub class: usize,
    /// Of that class.
    pub logit: f32,
    /// Positions in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// What each position adds to the logit, times the number of positions; row by row. Less than 0 speaks against the class.
    pub values: Vec<f32>,
}

impl ActivationMap {
    /// What speaks for the class, from 0 to 1 at the strongest position; 0 where something speaks against it, or nothing for it.
    pub fn evidence(&self) -> Vec<f32> {
        let strongest = self.values.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        self.values.iter().map(|value| value.max(0.0) / strongest).collect()
    }

    /// Row and column of the strongest position, the first of equals.
    pub fn strongest(&self) -> (usize, usize) {
        let at = argmax(&self.values);
        (at / self.width, at % self.width)
    }
}

/// Explains a classifier's predictions; shared by all threads.
#[derive(Debug)]
pub struct Explainer {
    method: Method,
    input_size: usize,
    resize: Resize,
    range: InputRange,
    /// Rows and columns of the grid.
    grid: [usize; 2],
    channels: usize,
    trunk: Program,
    head: Tail,
    /// The head's tensors.
    params: Params,
    arenas: Mutex<Vec<Arena>>,
}

impl Explainer {
    /// Compiles a classifier for explanations.
    pub fn new(artefact: &Artefact, model: &Model) -> Explainer {
        let layers = model.graph.layers();
        let tap = Tap(layers[model.backbone_layers].inputs[0]);
        let engine = Engine::default();
        let trunk = Program::new(&model.graph, &model.params, Tap(0), tap, engine);
        let head = Tail::differentiable(&model.graph, &model.params, tap, engine);
        let names = layers[model.backbone_layers..].iter();
        let names = names.flat_map(|layer| layer.params.iter().map(|param| layer.param_name(param)));
        let params = names.map(|name| (name.clone(), model.params[&name].clone())).collect();
        let [height, width, channels] = [0, 1, 2].map(|axis| layers[tap.0].output_shape[axis]);
        Explainer {
            method: Method::of(&artefact.head),
            input_size: artefact.input_size,
            resize: artefact.resize,
            range: model.backbone.input,
            grid: [height, width],
            channels,
            trunk,
            head,
            params,
            arenas: Mutex::default(),
        }
    }

    /// How it explains.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Where in `picture` the evidence for `class` lies; `None` is the most probable one.
    ///
    /// # Panics
    /// When there is no class of that number.
    pub fn explain(&self, picture: &Picture, class: Option<usize>) -> ActivationMap {
        let features = self.features(picture);
        let asked = |logits: &[f32]| class.unwrap_or_else(|| argmax(logits));
        let (logits, gradient) = self.head.tap_gradient(&self.params, &features, &|_, logits, gradient| {
            gradient.fill(0.0);
            gradient[asked(logits)] = 1.0;
            logits[asked(logits)]
        });
        let class = asked(&logits);
        let mut weights = vec![0.0; self.channels];
        for position in gradient.chunks_exact(self.channels) {
            weights.iter_mut().zip(position).for_each(|(weight, gradient)| *weight += gradient);
        }
        let dot = |position: &[f32]| position.iter().zip(&weights).map(|(feature, weight)| feature * weight).sum();
        let values = features.chunks_exact(self.channels).map(dot).collect();
        let [height, width] = self.grid;
        ActivationMap { method: self.method, class, logit: logits[class], width, height, values }
    }

    /// The grid of features of a picture, `[rows, columns, channels]`.
    fn features(&self, picture: &Picture) -> Vec<f32> {
        let mut pixels = resize(picture, self.input_size, self.input_size, self.resize);
        self.range.apply(&mut pixels);
        let arenas = || self.arenas.lock().unwrap_or_else(PoisonError::into_inner);
        let arena = arenas().pop();
        let mut arena = arena.unwrap_or_else(|| self.trunk.arena());
        let mut features = vec![0.0; self.trunk.output_len()];
        self.trunk.run(&pixels, &mut arena, &mut features);
        arenas().push(arena);
        features
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone;
    use crate::formula;
    use crate::loss::softmax;
    use crate::model::Layout;
    use crate::predict::Predictor;
    use crate::weights::from_safetensors;

    const SIZE: usize = 192;

    /// The embedded backbone with a head whose numbers come from the formula.
    fn classifier(head: &Head, classes: usize) -> (Artefact, Model) {
        let backbone = backbone::find("efficientnet_lite0.imagenet").unwrap();
        let mut model = Model::new(backbone, Layout::Pretrained, SIZE, head, classes, 1);
        let weights = from_safetensors("embedded", defrost_weights::efficientnet_lite0()).unwrap();
        for (name, tensor) in weights {
            model.params.insert(name, tensor);
        }
        let names: Vec<String> = (0..classes).map(|class| format!("class {class}")).collect();
        let artefact = Artefact::new(&model, SIZE, head, &names, Resize::Bilinear);
        (artefact, model)
    }

    /// Grey, with stripes in one quadrant.
    fn striped(quadrant: [usize; 2]) -> Picture {
        let mut pixels = vec![128_u8; SIZE * SIZE * 3];
        for (at, pixel) in pixels.chunks_exact_mut(3).enumerate() {
            let (row, column) = (at / SIZE, at % SIZE);
            if [row * 2 / SIZE, column * 2 / SIZE] == quadrant {
                pixel.fill(if (row / 4 + column / 4) % 2 == 0 { 255 } else { 0 });
            }
        }
        Picture::new(SIZE, SIZE, pixels)
    }

    #[test]
    fn an_exact_map_adds_up_to_the_logit() {
        let head = Head { layers: vec![HeadLayer::Dropout(0.5)] };
        let (artefact, mut model) = classifier(&head, 3);
        let bias = model.params.get_mut("classifier/bias").unwrap();
        bias.data_mut().copy_from_slice(&[0.5, -1.0, 2.0]);
        let bias = bias.data().to_vec();
        let explainer = Explainer::new(&artefact, &model);
        assert_eq!(explainer.method(), Method::Cam);
        let picture = striped([0, 1]);
        let logits = Predictor::new(artefact, model).predict(&picture).logits;
        for class in 0..3 {
            let map = explainer.explain(&picture, Some(class));
            let mean = map.values.iter().sum::<f32>() / map.values.len() as f32;
            assert!((mean + bias[class] - logits[class]).abs() < 1e-4, "{mean} + {} = {}", bias[class], logits[class]);
            assert!((map.logit - logits[class]).abs() < 1e-4);
        }
        let best = explainer.explain(&picture, None);
        assert_eq!(best.class, argmax(&logits));
        let mut probabilities = vec![0.0; 3];
        softmax(&logits, &mut probabilities);
        assert_eq!(best, explainer.explain(&picture, Some(argmax(&probabilities))));
    }

    const QUADRANTS: [[usize; 2]; 4] = [[0, 0], [0, 1], [1, 0], [1, 1]];

    /// The channel that tells stripes best: in each quadrant its largest value lies where they are, by the widest margin.
    fn stripes_channel(explainer: &Explainer) -> usize {
        let [height, width] = explainer.grid;
        let grids = QUADRANTS.map(|quadrant| (quadrant, explainer.features(&striped(quadrant))));
        let margin = |channel: usize| {
            let of = |(quadrant, features): &([usize; 2], Vec<f32>)| {
                let mut largest = [f32::NEG_INFINITY; 2];
                for (at, position) in features.chunks_exact(explainer.channels).enumerate() {
                    let inside = [2 * (at / width) / height, 2 * (at % width) / width] == *quadrant;
                    largest[usize::from(inside)] = largest[usize::from(inside)].max(position[channel]);
                }
                largest[1] - largest[0]
            };
            grids.iter().map(of).fold(f32::INFINITY, f32::min)
        };
        let margins: Vec<f32> = (0..explainer.channels).map(margin).collect();
        let best = argmax(&margins);
        assert!(margins[best] > 0.0, "no channel tells stripes");
        best
    }

    /// A class that reads a channel that tells stripes lights up where the stripes are.
    #[test]
    fn the_evidence_lies_where_it_was_planted() {
        for head in [Head { layers: Vec::new() }, Head::default()] {
            let (artefact, mut model) = classifier(&head, 2);
            let explainer = Explainer::new(&artefact, &model);
            let channel = stripes_channel(&explainer);
            let reads = |one: usize, len: usize| (0..len).map(|i| f32::from(u8::from(i == one))).collect::<Vec<_>>();
            let stripes = reads(channel, explainer.channels);
            if head.layers.is_empty() {
                set_column(&mut model, "classifier/kernel", 1, &stripes);
            } else {
                set_column(&mut model, "dense_1/kernel", 0, &stripes);
                set_column(&mut model, "dense_1/bias", 0, &[1e3]);
                set_column(&mut model, "classifier/kernel", 1, &reads(0, 256));
            }
            let explainer = Explainer::new(&artefact, &model);
            for quadrant in QUADRANTS {
                let map = explainer.explain(&striped(quadrant), Some(1));
                let (row, column) = map.strongest();
                assert_eq!([2 * row / map.height, 2 * column / map.width], quadrant, "{:?} {map:?}", head.layers);
                assert_eq!(map.evidence().iter().copied().fold(0.0, f32::max), 1.0);
            }
        }
    }

    fn set_column(model: &mut Model, name: &str, column: usize, values: &[f32]) {
        let tensor = model.params.get_mut(name).unwrap();
        let columns = tensor.shape().last().copied().unwrap();
        let columns = if tensor.shape().len() == 1 { 1 } else { columns };
        tensor.data_mut().iter_mut().skip(column).step_by(columns).zip(values).for_each(|(x, &value)| *x = value);
    }

    /// The gradient at the grid against central differences of the logit.
    #[test]
    fn weights_are_the_derivatives_by_the_pooled_features() {
        let (artefact, model) = classifier(&Head::default(), 4);
        let explainer = Explainer::new(&artefact, &model);
        let len = explainer.trunk.output_len();
        let features: Vec<f32> = formula::tensor("features", len, 1.0, 1.0);
        let logit = |features: &[f32]| {
            let of = |_: usize, logits: &[f32], gradient: &mut [f32]| {
                gradient.fill(0.0);
                gradient[2] = 1.0;
                logits[2]
            };
            explainer.head.tap_gradient(&explainer.params, features, &of)
        };
        let (logits, gradient) = logit(&features);
        let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let moved = |step: f32| -> f64 {
            let moved: Vec<f32> = features.iter().zip(&gradient).map(|(x, g)| x + step * g / norm as f32).collect();
            f64::from(logit(&moved).0[2])
        };
        let difference = (moved(0.5) - moved(-0.5)) / 1.0;
        assert!((difference - norm).abs() < 0.03 * norm, "{difference} by differences, {norm} by gradient; {logits:?}");
    }
}
