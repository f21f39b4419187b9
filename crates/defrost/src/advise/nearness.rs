//! How near a data set's domain is to the one that a network has learned from, measured on its frozen features.
//!
//! Three measures, of which one is enough to call the domain far:
//!
//! 1. a linear probe on the pooled features explains next to nothing of the classes;
//! 2. a linear probe on an earlier layer explains more than the one on the last: the late layers were made for other things;
//! 3. the activations' means and spreads have shifted from those that BatchNorm has seen in pretraining, which the weights
//!    still hold.
//!
//! The probes see what the classes ask for; their accuracy alone mixes how near the domain is with how hard the task is and how
//! many pictures there are. The shift needs no labels and hardly depends on their number, but doesn't know the task.
//!
//! For a BatchNorm without an activation after it, the pretraining's output in channel c has mean `β` and standard deviation
//! `σ = |γ|·√(v/(v + ε))`, with `v` the moving variance. With these pictures' mean `m` and deviation `s`,
//!
//! ```text
//! distance² = Σ_c ((m − β)² + (s − σ)²) / Σ_c σ²
//! ```
//!
//! is the squared Fréchet (2-Wasserstein) distance of two Gaussians with diagonal covariance, in units of the pretraining's
//! variance; [`Nearness::shift`] is the root mean square over the network's bottlenecks.
//!
//! # Reference
//! Dowson and Landau 1982, "The Fréchet distance between multivariate normal distributions"; Schneider et al. 2020,
//! "Improving robustness against common corruptions by covariate shift adaptation" (the distance between BatchNorm statistics
//! tells the loss of accuracy); Yosinski et al. 2014, "How transferable are features in deep neural networks?" (late layers
//! transfer worse the farther the task).

use serde::Serialize;

use super::strategy::Domain;
use crate::exec::cpu::{Arena, Engine, Program};
use crate::graph::{CutPoint, Graph, Op, Tap};
use crate::model::Model;
use crate::probe::{Gain, Probe, ProbeError};

/// A larger shift is called far. Photographs, dark, grey, noisy or coarse ones included, lie below it, pictures of 32×32 above
/// (`docs/concepts/strategies.md` has the figures; `examples/domain.rs` prints them).
pub const LARGEST_SHIFT: f64 = 0.48;

/// Features that explain a smaller share of the classes don't tell them apart.
pub const LEAST_EXPLAINED: f64 = 0.05;

/// The measures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Nearness {
    /// On the pooled features, which the head is given.
    pub probe: Probe,
    /// On the pooled output of an earlier layer.
    pub earlier: Probe,
    /// That layer.
    pub earlier_layer: String,
    /// How much more the pooled features explain than the earlier layer's.
    pub gain: Gain,
    /// Root mean square of the layers' distances.
    pub shift: f64,
    /// Layer by layer, from the picture on.
    pub layers: Vec<LayerShift>,
}

/// How far one layer's activations have shifted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerShift {
    /// A BatchNorm.
    pub layer: String,
    /// In units of the pretraining's standard deviation.
    pub distance: f64,
}

impl Nearness {
    /// Whether the features explain enough to be of use.
    pub fn is_explained(&self) -> bool {
        self.probe.explained >= LEAST_EXPLAINED
    }

    /// Whether the last layers explain more than the earlier one does, beyond chance.
    pub fn late_layers_help(&self) -> bool {
        self.gain.interval.0 > 0.0
    }

    /// Whether they explain less, beyond chance.
    pub fn late_layers_hinder(&self) -> bool {
        self.gain.interval.1 < 0.0
    }

    /// Whether the activations have shifted too far.
    pub fn is_shifted(&self) -> bool {
        self.shift > LARGEST_SHIFT
    }

    /// Far where one of the measures says so.
    pub fn domain(&self) -> Domain {
        if !self.is_explained() || self.late_layers_hinder() || self.is_shifted() { Domain::Far } else { Domain::Near }
    }
}

/// BatchNorms whose output is all that later layers read, without an activation after them: a network's bottlenecks.
fn bottlenecks(graph: &Graph, backbone_layers: usize) -> Vec<Tap> {
    let layers = graph.layers();
    let is_linear = |index: usize| {
        let mut readers = layers[index + 1..].iter().filter(|layer| layer.inputs.contains(&index));
        !readers.any(|reader| matches!(reader.op, Op::Activation(_) | Op::Relu { .. }))
    };
    (0..backbone_layers)
        .filter(|&index| matches!(layers[index].op, Op::BatchNorm { .. }))
        .filter(|&index| Tap(index).is_crossed_by_every_path(graph) && is_linear(index))
        .map(Tap)
        .collect()
}

/// The trunk in pieces, from bottleneck to bottleneck and to the pooled features.
#[derive(Debug)]
pub(super) struct Trunk {
    pieces: Vec<Piece>,
    pooling: Program,
}

#[derive(Debug)]
struct Piece {
    program: Program,
    layer: String,
    /// The pretraining's mean and standard deviation of each channel.
    source: Vec<[f64; 2]>,
}

/// What the trunk makes of one picture.
#[derive(Debug)]
pub(super) struct Sight {
    pooled: Vec<f32>,
    /// For each bottleneck and channel, the mean and the mean square over positions.
    moments: Vec<Vec<[f64; 2]>>,
}

impl Trunk {
    /// `None` where the backbone has fewer than two bottlenecks.
    pub(super) fn new(model: &Model) -> Option<Trunk> {
        let program = |from: Tap, to: Tap| Program::new(&model.graph, &model.params, from, to, Engine::default());
        let taps = bottlenecks(&model.graph, model.backbone_layers);
        let mut from = Tap(0);
        let mut pieces = Vec::new();
        for &tap in &taps {
            let layer = &model.graph.layers()[tap.0];
            let Op::BatchNorm { epsilon, .. } = layer.op else { continue };
            let tensor = |name: &str| model.params[&format!("{}/{name}", layer.name)].data();
            let spread = tensor("gamma").iter().zip(tensor("moving_variance")).map(|(&gamma, &variance)| {
                let variance = f64::from(variance);
                f64::from(gamma).abs() * (variance / (variance + f64::from(epsilon))).sqrt()
            });
            let source = tensor("beta").iter().zip(spread).map(|(&beta, spread)| [f64::from(beta), spread]).collect();
            pieces.push(Piece { program: program(from, tap), layer: layer.name.clone(), source });
            from = tap;
        }
        let pooled = model.tap(CutPoint { first_trainable: model.backbone_layers }, false);
        (pieces.len() >= 2).then(|| Trunk { pieces, pooling: program(from, pooled) })
    }

    fn programs(&self) -> impl Iterator<Item = &Program> {
        self.pieces.iter().map(|piece| &piece.program).chain([&self.pooling])
    }

    pub(super) fn arenas(&self) -> Vec<Arena> {
        self.programs().map(Program::arena).collect()
    }

    /// Runs the trunk on the pixels that the network expects.
    pub(super) fn see(&self, mut pixels: Vec<f32>, arenas: &mut [Arena]) -> Sight {
        let mut moments = Vec::with_capacity(self.pieces.len());
        for (number, (program, arena)) in self.programs().zip(arenas).enumerate() {
            let mut output = vec![0.0; program.output_len()];
            program.run(&pixels, arena, &mut output);
            if let Some(piece) = self.pieces.get(number) {
                moments.push(channel_moments(&output, piece.source.len()));
            }
            pixels = output;
        }
        Sight { pooled: pixels, moments }
    }

    /// The measures over all pictures.
    pub(super) fn measure(&self, sights: &[Sight], labels: &[usize]) -> Result<Nearness, ProbeError> {
        // The one before the last is far enough from the top to be general, near enough to know things.
        let earlier_piece = self.pieces.len() - 2;
        let means =
            |sight: &Sight| sight.moments[earlier_piece].iter().map(|[mean, _]| *mean as f32).collect::<Vec<_>>();
        let pooled: Vec<f32> = sights.iter().flat_map(|sight| sight.pooled.iter().copied()).collect();
        let earlier: Vec<f32> = sights.iter().flat_map(means).collect();
        let (probe, earlier) = (Probe::fit(&pooled, labels)?, Probe::fit(&earlier, labels)?);

        let layer_shift = |(number, piece): (usize, &Piece)| {
            let moments = sights.iter().map(|sight| &sight.moments[number][..]);
            LayerShift { layer: piece.layer.clone(), distance: distance(moments, &piece.source) }
        };
        let layers: Vec<LayerShift> = self.pieces.iter().enumerate().map(layer_shift).collect();
        let squares: f64 = layers.iter().map(|layer| layer.distance.powi(2)).sum();
        Ok(Nearness {
            gain: probe.gain_over(&earlier),
            probe,
            earlier,
            earlier_layer: self.pieces[earlier_piece].layer.clone(),
            shift: (squares / layers.len() as f64).sqrt(),
            layers,
        })
    }
}

fn channel_moments(output: &[f32], channels: usize) -> Vec<[f64; 2]> {
    let mut moments = vec![[0.0; 2]; channels];
    for row in output.chunks_exact(channels) {
        for ([mean, square], &value) in moments.iter_mut().zip(row) {
            let value = f64::from(value);
            *mean += value;
            *square += value * value;
        }
    }
    let positions = (output.len() / channels) as f64;
    moments.iter_mut().flatten().for_each(|moment| *moment /= positions);
    moments
}

/// The distance of the pictures' moments from the source's mean and deviation, channel by channel.
fn distance<'a>(pictures: impl Iterator<Item = &'a [[f64; 2]]>, source: &[[f64; 2]]) -> f64 {
    let mut sums = vec![[0.0; 2]; source.len()];
    let mut count = 0.0;
    for moments in pictures {
        count += 1.0;
        sums.iter_mut().flatten().zip(moments.iter().flatten()).for_each(|(sum, moment)| *sum += moment);
    }
    let apart = |([sum, squares], [mean, spread]): (&[f64; 2], &[f64; 2])| {
        let own_mean: f64 = sum / count;
        let own_spread = (squares / count - own_mean * own_mean).max(0.0).sqrt();
        (own_mean - mean).powi(2) + (own_spread - spread).powi(2)
    };
    let apart: f64 = sums.iter().zip(source).map(apart).sum();
    let variance: f64 = source.iter().map(|[_, spread]| spread * spread).sum();
    (apart / variance.max(f64::MIN_POSITIVE)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone;
    use crate::head::Head;

    #[test]
    fn every_backbone_has_bottlenecks() {
        for backbone in backbone::all() {
            let base = backbone.graph(backbone.input_size);
            let layers = base.len();
            let graph = Head::default().attach(base, 2);
            let found = bottlenecks(&graph, layers);
            assert!(found.len() >= 5, "{}: {}", backbone.id, found.len());
            assert!(found.iter().all(|tap| tap.0 < layers));
        }
        let graph = backbone::find("efficientnet_lite0").unwrap().graph(224);
        let names: Vec<&str> =
            bottlenecks(&graph, graph.len()).iter().map(|tap| graph.layers()[tap.0].name.as_str()).collect();
        let blocks: Vec<String> = (1..=7).map(|block| format!("block{block}a_project_bn")).collect();
        assert_eq!(names, blocks);
    }

    #[test]
    fn the_distance_is_zero_for_the_source_itself_and_counts_deviations() {
        // Two pictures of one position: means 1 ± 1 and −2 ± 0.5, so deviations 1 and 0.5.
        let pictures = [[[0.0, 0.0], [-1.5, 2.25]], [[2.0, 4.0], [-2.5, 6.25]]];
        let to = |source: [[f64; 2]; 2]| distance(pictures.iter().map(|picture| &picture[..]), &source);
        assert!(to([[1.0, 1.0], [-2.0, 0.5]]) < 1e-9);
        // Off by 3 in a mean and by 1 in a deviation, over a variance of 4 + 0.25.
        let expected = ((9.0 + 1.0) / 4.25_f64).sqrt();
        assert!((to([[4.0, 2.0], [-2.0, 0.5]]) - expected).abs() < 1e-9);
    }

    fn probe(shift: f32) -> Probe {
        let labels: Vec<usize> = (0..40).map(|i| i % 2).collect();
        let feature = |(i, label): (usize, &usize)| ((i * 7919) % 13) as f32 / 6.0 - 1.0 + shift * *label as f32;
        Probe::fit(&labels.iter().enumerate().map(feature).collect::<Vec<_>>(), &labels).unwrap()
    }

    #[test]
    fn one_measure_is_enough_to_be_far() {
        let nearness = |probe: Probe, earlier: Probe, shift: f64| Nearness {
            gain: probe.gain_over(&earlier),
            probe,
            earlier,
            earlier_layer: String::new(),
            shift,
            layers: Vec::new(),
        };
        let (good, weak, useless) = (probe(4.0), probe(1.0), probe(0.0));
        let near = nearness(good.clone(), weak.clone(), 0.3);
        assert!(near.domain() == Domain::Near && near.late_layers_help());
        assert_eq!(nearness(good.clone(), weak.clone(), 0.5).domain(), Domain::Far);
        let hindered = nearness(weak, good, 0.3);
        assert!(hindered.domain() == Domain::Far && hindered.late_layers_hinder());
        let blind = nearness(useless.clone(), useless, 0.3);
        assert!(blind.domain() == Domain::Far && !blind.is_explained() && !blind.late_layers_help());
    }
}
