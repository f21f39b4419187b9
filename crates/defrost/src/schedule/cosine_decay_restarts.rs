use serde::{Deserialize, Serialize};

use super::{cosine, divisor, rate_in_range, share_in_range, steps_in_range};
use crate::settings::Checks;

/// `lr = initial · ((1 − alpha) · m_mulⁱ · (1 + cos(π · share)) / 2 + alpha)`: period i is `first_decay_steps · t_mulⁱ` steps
/// long, and `share` is the part of it that has passed.
///
/// # Reference
/// Loshchilov and Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts", eq. 5.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CosineDecayRestarts {
    /// The rate at step 0.
    pub initial_learning_rate: f64,
    /// The steps of the first period; open until the stage's length is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_decay_steps: Option<u32>,
    /// How many times as long each period is as the one before.
    #[serde(default = "default_t_mul")]
    pub t_mul: f64,
    /// The start of each period as a share of the one before.
    #[serde(default = "default_m_mul")]
    pub m_mul: f64,
    /// The floor as a share of the initial rate.
    #[serde(default)]
    pub alpha: f64,
}

fn default_t_mul() -> f64 {
    2.0
}

fn default_m_mul() -> f64 {
    1.0
}

impl CosineDecayRestarts {
    /// Keras' defaults: each period twice as long, all starting from the same rate.
    pub fn new(initial_learning_rate: f64) -> CosineDecayRestarts {
        let (t_mul, m_mul) = (default_t_mul(), default_m_mul());
        CosineDecayRestarts { initial_learning_rate, first_decay_steps: None, t_mul, m_mul, alpha: 0.0 }
    }

    pub(super) fn lr(&self, step: f32) -> f32 {
        let t_mul = self.t_mul as f32;
        let periods = step / divisor(self.first_decay_steps);
        let (restarts, share) = if self.t_mul == 1.0 {
            (periods.floor(), periods - periods.floor())
        } else {
            let restarts = ((1.0 - periods * (1.0 - t_mul)).ln() / t_mul.ln()).floor();
            let length = t_mul.powf(restarts);
            (restarts, (periods - (1.0 - length) / (1.0 - t_mul)) / length)
        };
        let decayed = 0.5 * (self.m_mul as f32).powf(restarts) * (1.0 + cosine(share));
        self.initial_learning_rate as f32 * ((1.0 - self.alpha) as f32 * decayed + self.alpha as f32)
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        rate_in_range(checks, "initial_learning_rate", self.initial_learning_rate);
        steps_in_range(checks, "first_decay_steps", self.first_decay_steps);
        checks.require((1.0..=100.0).contains(&self.t_mul), "t_mul", "from 1 to 100", self.t_mul);
        checks.require((0.0..=1.0).contains(&self.m_mul), "m_mul", "from 0 to 1", self.m_mul);
        share_in_range(checks, "alpha", self.alpha);
    }
}
