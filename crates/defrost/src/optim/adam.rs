use serde::{Deserialize, Deserializer, Serialize};

use super::clip::Bounds;
use super::{Piece, Step};
use crate::settings::Checks;

/// `m += (g − m)(1 − β₁)`, `v += (g² − v)(1 − β₂)`, `w −= m · α / (√v + ε)` with `α = lr · √(1 − β₂ᵗ) / (1 − β₁ᵗ)`.
///
/// The bias correction is Keras': ε is added to the uncorrected `√v`, where PyTorch adds it after the correction.
///
/// # Reference
/// Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", the form at the end of section 2; `amsgrad`: Reddi, Kale
/// and Kumar 2018, "On the Convergence of Adam and Beyond", algorithm 2; decoupled weight decay: Loshchilov and Hutter 2019,
/// "Decoupled Weight Decay Regularization", algorithm 2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adam {
    /// The share of the old mean that a step keeps.
    pub beta_1: f64,
    /// The share of the old mean square that a step keeps.
    pub beta_2: f64,
    /// Keeps the divisor away from zero.
    pub epsilon: f64,
    /// Whether the divisor is the largest `√v` so far.
    pub amsgrad: bool,
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

impl Default for Adam {
    fn default() -> Adam {
        Adam {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-7,
            amsgrad: false,
            weight_decay: None,
            clipnorm: None,
            global_clipnorm: None,
            clipvalue: None,
        }
    }
}

/// Adam's settings with AdamW's default: a weight decay of 0.004.
pub(super) fn with_decay<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Adam, D::Error> {
    let mut adam = Adam::deserialize(deserializer)?;
    adam.weight_decay.get_or_insert(0.004);
    Ok(adam)
}

impl Adam {
    pub(super) fn slots(&self) -> &'static [&'static str] {
        if self.amsgrad { &["momentum", "velocity", "velocity_hat"] } else { &["momentum", "velocity"] }
    }

    pub(super) fn apply(&self, step: Step, bounds: Bounds, piece: &mut Piece<'_>) {
        let (one_minus_beta_1, one_minus_beta_2) = ((1.0 - self.beta_1) as f32, (1.0 - self.beta_2) as f32);
        let epsilon = self.epsilon as f32;
        // Keras raises the betas as f32; in f64 from there on only the rounding of the power differs.
        let power = |beta: f64| f64::from(beta as f32).powf(step.number as f64) as f32;
        let alpha = step.learning_rate * (1.0 - power(self.beta_2)).sqrt() / (1.0 - power(self.beta_1));
        let moments = |g: f32, m: &mut f32, v: &mut f32| {
            *m += (g - *m) * one_minus_beta_1;
            *v += (g * g - *v) * one_minus_beta_2;
        };
        let elements = piece.values.iter_mut().zip(piece.gradient);
        match piece.slots.as_mut_slice() {
            [m, v, v_hat] => {
                for ((((w, g), m), v), v_hat) in elements.zip(&mut **m).zip(&mut **v).zip(&mut **v_hat) {
                    moments(bounds.clip(*g), m, v);
                    *v_hat = v_hat.max(*v);
                    *w = step.decayed(*w) - *m * alpha / (v_hat.sqrt() + epsilon);
                }
            }
            [m, v] => {
                for (((w, g), m), v) in elements.zip(&mut **m).zip(&mut **v) {
                    moments(bounds.clip(*g), m, v);
                    *w = step.decayed(*w) - *m * alpha / (v.sqrt() + epsilon);
                }
            }
            _ => unreachable!("Adam keeps two or three slots"),
        }
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        let share = |share: f64| (0.0..1.0).contains(&share);
        checks.require(share(self.beta_1), "beta_1", "at least 0 and < 1", self.beta_1);
        checks.require(share(self.beta_2), "beta_2", "at least 0 and < 1", self.beta_2);
        checks.require(self.epsilon > 0.0 && self.epsilon <= 1.0, "epsilon", "> 0 and at most 1", self.epsilon);
    }
}
