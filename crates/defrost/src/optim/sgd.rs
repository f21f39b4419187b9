use serde::{Deserialize, Serialize};

use super::clip::Bounds;
use super::{Piece, Step};
use crate::settings::Checks;

/// `w −= lr · g`; with momentum `m = momentum · m − lr · g` and `w += m`, or `w += momentum · m − lr · g` with `nesterov`.
///
/// # Reference
/// Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning", eq. 1–4; Nesterov's form is
/// written for the point that has been looked ahead to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sgd {
    /// The share of the last move that the next one keeps.
    pub momentum: f64,
    /// Whether the gradient counts as taken ahead of the move.
    pub nesterov: bool,
    /// The share of each weight that a step takes away, times the learning rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// The largest norm of a variable's gradient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clipnorm: Option<f64>,
    /// The largest norm of all gradients together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub global_clipnorm: Option<f64>,
    /// The largest absolute value of a gradient's element.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clipvalue: Option<f64>,
}

impl Sgd {
    pub(super) fn slots(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 { &[] } else { &["momentum"] }
    }

    pub(super) fn apply(&self, step: Step, bounds: Bounds, piece: &mut Piece<'_>) {
        let momentum = self.momentum as f32;
        let elements = piece.values.iter_mut().zip(piece.gradient);
        match piece.slots.as_mut_slice() {
            [] => {
                for (w, g) in elements {
                    *w = step.decayed(*w) - bounds.clip(*g) * step.learning_rate;
                }
            }
            [m, ..] => {
                for ((w, g), m) in elements.zip(&mut **m) {
                    let downhill = bounds.clip(*g) * step.learning_rate;
                    *m = *m * momentum - downhill;
                    let change = if self.nesterov { *m * momentum - downhill } else { *m };
                    *w = step.decayed(*w) + change;
                }
            }
        }
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        checks.require((0.0..1.0).contains(&self.momentum), "momentum", "at least 0 and < 1", self.momentum);
        checks.require_agreement(!self.nesterov || self.momentum > 0.0, "nesterov", "needs a `momentum` > 0");
    }
}
