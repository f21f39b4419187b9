use serde::{Deserialize, Serialize};

use super::rate_in_range;
use crate::settings::Checks;

/// `lr = values[i]` for the first boundary i with `step ≤ boundaries[i]`, and the last value after all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PiecewiseConstantDecay {
    /// The last step of each value but the last one; ascending.
    pub boundaries: Vec<u32>,
    /// The rates, one more than there are boundaries.
    pub values: Vec<f64>,
}

impl PiecewiseConstantDecay {
    pub(super) fn lr(&self, step: f32) -> f32 {
        let passed = self.boundaries.iter().take_while(|&&boundary| step > boundary as f32).count();
        self.values.get(passed).or(self.values.last()).map_or(0.0, |&rate| rate as f32)
    }

    /// As far past the last boundary as that is from the one before it.
    pub(super) fn shown_steps(&self) -> Option<u64> {
        let mut falling = self.boundaries.iter().rev().map(|&boundary| u64::from(boundary));
        let last = falling.next()?;
        Some(last + (last - falling.next().unwrap_or(0).min(last)).max(1))
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        checks.require(self.boundaries.is_sorted_by(|a, b| a < b), "boundaries", "ascending", &self.boundaries);
        checks.require(
            self.values.len() == self.boundaries.len() + 1,
            "values",
            &format!("a list of {}, one more than `boundaries`", self.boundaries.len() + 1),
            &self.values,
        );
        checks.within("values", |checks| {
            for (index, &rate) in self.values.iter().enumerate() {
                rate_in_range(checks, &index.to_string(), rate);
            }
        });
    }
}
