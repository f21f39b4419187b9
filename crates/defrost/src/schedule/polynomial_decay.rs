use serde::{Deserialize, Serialize};

use super::{divisor, rate_in_range, steps_in_range};
use crate::settings::Checks;

/// `lr = (initial − end) · (1 − step / decay_steps) ^ power + end`, then `end`.
///
/// With `cycle` the decay is stretched to the next multiple of `decay_steps` each time that one is passed, so that the rate
/// rises again there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolynomialDecay {
    /// The rate at step 0.
    pub initial_learning_rate: f64,
    /// The steps of the decay; open until the stage's length is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decay_steps: Option<u32>,
    /// The rate at the end.
    #[serde(default = "default_end")]
    pub end_learning_rate: f64,
    /// 1 is a straight line.
    #[serde(default = "default_power")]
    pub power: f64,
    /// Whether it starts again.
    #[serde(default)]
    pub cycle: bool,
}

fn default_end() -> f64 {
    1e-4
}

fn default_power() -> f64 {
    1.0
}

impl PolynomialDecay {
    /// Keras' defaults: a straight line to 1e-4.
    pub fn new(initial_learning_rate: f64) -> PolynomialDecay {
        let (end_learning_rate, power) = (default_end(), default_power());
        PolynomialDecay { initial_learning_rate, decay_steps: None, end_learning_rate, power, cycle: false }
    }

    pub(super) fn lr(&self, step: f32) -> f32 {
        let (initial, end) = (self.initial_learning_rate as f32, self.end_learning_rate as f32);
        let decay_steps = divisor(self.decay_steps);
        let share = if self.cycle {
            step / (decay_steps * (step / decay_steps).ceil().max(1.0))
        } else {
            step.min(decay_steps) / decay_steps
        };
        (initial - end) * (1.0 - share).powf(self.power as f32) + end
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        rate_in_range(checks, "initial_learning_rate", self.initial_learning_rate);
        steps_in_range(checks, "decay_steps", self.decay_steps);
        rate_in_range(checks, "end_learning_rate", self.end_learning_rate);
        checks.require(self.power > 0.0 && self.power <= 100.0, "power", "> 0 and at most 100", self.power);
    }
}
