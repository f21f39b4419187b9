use serde::{Deserialize, Serialize};

use super::clip::Bounds;
use super::{Piece, Step};
use crate::settings::Checks;

/// `v = ρ · v + (1 − ρ) · g²`, `w −= lr · g / √(v + ε)`; with momentum `m = momentum · m + lr · g / √(v + ε)` and `w −= m`.
///
/// ε stands inside the root, as in Keras; PyTorch adds it outside.
///
/// # Reference
/// Tieleman and Hinton 2012, Coursera "Neural Networks for Machine Learning", lecture 6.5.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rmsprop {
    /// The share of the old mean square that a step keeps.
    pub rho: f64,
    /// The share of the last move that the next one keeps.
    pub momentum: f64,
    /// Keeps the divisor away from zero.
    pub epsilon: f64,
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

impl Default for Rmsprop {
    fn default() -> Rmsprop {
        Rmsprop {
            rho: 0.9,
            momentum: 0.0,
            epsilon: 1e-7,
            weight_decay: None,
            clipnorm: None,
            global_clipnorm: None,
            clipvalue: None,
        }
    }
}

impl Rmsprop {
    pub(super) fn slots(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 { &["velocity"] } else { &["velocity", "momentum"] }
    }

    pub(super) fn apply(&self, step: Step, bounds: Bounds, piece: &mut Piece<'_>) {
        let (rho, one_minus_rho, epsilon) = (self.rho as f32, (1.0 - self.rho) as f32, self.epsilon as f32);
        let momentum = self.momentum as f32;
        let change = |g: f32, v: &mut f32| {
            *v = rho * *v + one_minus_rho * (g * g);
            step.learning_rate * g / (*v + epsilon).sqrt()
        };
        let elements = piece.values.iter_mut().zip(piece.gradient);
        match piece.slots.as_mut_slice() {
            [v] => {
                for ((w, g), v) in elements.zip(&mut **v) {
                    *w = step.decayed(*w) - change(bounds.clip(*g), v);
                }
            }
            [v, m] => {
                for (((w, g), v), m) in elements.zip(&mut **v).zip(&mut **m) {
                    *m = momentum * *m + change(bounds.clip(*g), v);
                    *w = step.decayed(*w) - *m;
                }
            }
            _ => unreachable!("RMSprop keeps one or two slots"),
        }
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        let share = |share: f64| (0.0..1.0).contains(&share);
        checks.require(share(self.rho), "rho", "at least 0 and < 1", self.rho);
        checks.require(share(self.momentum), "momentum", "at least 0 and < 1", self.momentum);
        checks.require(self.epsilon > 0.0 && self.epsilon <= 1.0, "epsilon", "> 0 and at most 1", self.epsilon);
    }
}
