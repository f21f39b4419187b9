use serde::{Deserialize, Serialize};

use super::{cosine, divisor, rate_in_range, share_in_range, steps_in_range};
use crate::settings::Checks;

/// `lr = from · ((1 − alpha) · (1 + cos(π · step / decay_steps)) / 2 + alpha)`: half a cosine down to the floor
/// `alpha · from`, where it stays.
///
/// With a `warmup_target` the rate first rises linearly from `initial_learning_rate` to it, in `warmup_steps`; the decay
/// then starts from `warmup_target` and its steps are counted from there. `alpha` is a share of the initial rate, not a rate.
///
/// # Reference
/// Loshchilov and Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts", eq. 5, without restarts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CosineDecay {
    /// The rate at step 0.
    pub initial_learning_rate: f64,
    /// The steps of the decay, without the warm-up; open until the stage's length is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decay_steps: Option<u32>,
    /// The floor as a share of the rate that the decay starts from.
    #[serde(default)]
    pub alpha: f64,
    /// The rate at the end of the warm-up; `None` is no warm-up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_target: Option<f64>,
    /// The steps of the warm-up.
    #[serde(default)]
    pub warmup_steps: u32,
}

impl CosineDecay {
    /// Down from `initial_learning_rate` to zero in the steps of the stage.
    pub fn new(initial_learning_rate: f64) -> CosineDecay {
        CosineDecay { initial_learning_rate, decay_steps: None, alpha: 0.0, warmup_target: None, warmup_steps: 0 }
    }

    pub(super) fn lr(&self, step: f32) -> f32 {
        let initial = self.initial_learning_rate as f32;
        let (from, decay_step) = match self.warmup_target {
            None => (initial, step),
            Some(target) => {
                let (target, warmup_steps) = (target as f32, self.warmup_steps as f32);
                if step < warmup_steps {
                    return (target - initial) * (step / warmup_steps) + initial;
                }
                (target, step - warmup_steps)
            }
        };
        let decay_steps = divisor(self.decay_steps);
        let decayed = 0.5 * (1.0 + cosine(decay_step.min(decay_steps) / decay_steps));
        from * ((1.0 - self.alpha) as f32 * decayed + self.alpha as f32)
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        rate_in_range(checks, "initial_learning_rate", self.initial_learning_rate);
        steps_in_range(checks, "decay_steps", self.decay_steps);
        share_in_range(checks, "alpha", self.alpha);
        match self.warmup_target {
            Some(target) => rate_in_range(checks, "warmup_target", target),
            None => checks.require_agreement(
                self.warmup_steps == 0,
                "warmup_steps",
                "needs `warmup_target`, the rate at the end of the warm-up",
            ),
        }
        steps_in_range(checks, "warmup_steps", (self.warmup_steps > 0).then_some(self.warmup_steps));
    }
}
