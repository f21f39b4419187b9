use serde::{Deserialize, Serialize};

use super::{divisor, rate_in_range, steps_in_range};
use crate::settings::Checks;

/// `lr = initial · decay_rate ^ (step / decay_steps)`; with `staircase` the exponent is rounded down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExponentialDecay {
    /// The rate at step 0.
    pub initial_learning_rate: f64,
    /// The steps in which the rate is multiplied by `decay_rate` once; open until the stage's length is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decay_steps: Option<u32>,
    /// The factor.
    pub decay_rate: f64,
    /// Whether the rate falls in steps instead of continuously.
    #[serde(default)]
    pub staircase: bool,
}

impl ExponentialDecay {
    pub(super) fn lr(&self, step: f32) -> f32 {
        let periods = step / divisor(self.decay_steps);
        let exponent = if self.staircase { periods.floor() } else { periods };
        self.initial_learning_rate as f32 * (self.decay_rate as f32).powf(exponent)
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        rate_in_range(checks, "initial_learning_rate", self.initial_learning_rate);
        steps_in_range(checks, "decay_steps", self.decay_steps);
        let rate = self.decay_rate;
        checks.require(rate > 0.0 && rate <= 1.0, "decay_rate", "> 0 and at most 1", rate);
    }
}
