//! When a stage has stopped improving.
//!
//! Invariant: everything that a decision depends on is in the value, which can be stored with a checkpoint; the same history
//! leads to the same epoch.

use serde::{Deserialize, Serialize};

use crate::recipe;

/// Watches one quantity over a stage's epochs, with Keras' rules.
///
/// An epoch improves when its value is better than the best one by more than `min_delta`. After `patience` epochs without
/// improvement the stage ends; with a `patience` of 0 or 1 after the first, but never after the stage's very first epoch.
/// Epochs before `start_from_epoch` don't count at all. A NaN never improves (in Keras, a NaN in the first epoch is kept as
/// the best value, which nothing improves any more).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EarlyStopping {
    settings: recipe::EarlyStopping,
    best: Option<Best>,
    wait: usize,
}

/// The best epoch so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Counted from 0 in the stage.
    pub epoch: usize,
    /// The monitored value.
    pub value: f64,
}

/// What an epoch's value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// It is the best so far: its weights are those to keep, where `restore_best_weights` is set.
    pub improved: bool,
    /// The stage ends here.
    pub stop: bool,
}

impl EarlyStopping {
    /// Before the stage's first epoch.
    pub fn new(settings: recipe::EarlyStopping) -> EarlyStopping {
        EarlyStopping { settings, best: None, wait: 0 }
    }

    /// What it watches for.
    pub fn settings(&self) -> &recipe::EarlyStopping {
        &self.settings
    }

    /// The best epoch so far.
    pub fn best(&self) -> Option<Best> {
        self.best
    }

    /// Takes in the monitored value of `epoch`, counted from 0 in the stage.
    pub fn observe(&mut self, epoch: usize, value: f64) -> Decision {
        if epoch < self.settings.start_from_epoch {
            return Decision { improved: false, stop: false };
        }
        if self.improves(value) {
            self.best = Some(Best { epoch, value });
            self.wait = 0;
            return Decision { improved: true, stop: false };
        }
        self.wait += 1;
        Decision { improved: false, stop: epoch > 0 && self.wait >= self.settings.patience }
    }

    fn improves(&self, value: f64) -> bool {
        let Some(best) = self.best else { return !value.is_nan() };
        if self.settings.monitor.is_accuracy() {
            value - self.settings.min_delta > best.value
        } else {
            value + self.settings.min_delta < best.value
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Monitor;

    /// The epochs that improved, and the one after which the stage ended.
    fn watch(settings: recipe::EarlyStopping, values: &[f64]) -> (Vec<usize>, Option<usize>) {
        let mut watch = EarlyStopping::new(settings);
        let mut improved = Vec::new();
        for (epoch, &value) in values.iter().enumerate() {
            // As after a resumed run.
            watch = serde_json::from_str(&serde_json::to_string(&watch).unwrap()).unwrap();
            let decision = watch.observe(epoch, value);
            if decision.improved {
                improved.push(epoch);
                assert_eq!(watch.best(), Some(Best { epoch, value }));
            }
            if decision.stop {
                return (improved, Some(epoch));
            }
        }
        (improved, None)
    }

    fn patience(patience: usize) -> recipe::EarlyStopping {
        recipe::EarlyStopping { patience, ..recipe::EarlyStopping::default() }
    }

    #[test]
    fn ends_after_patience_epochs_without_improvement() {
        let losses = [1.0, 0.8, 0.9, 0.7, 0.7, 0.75, 0.6];
        assert_eq!(watch(patience(2), &losses), (vec![0, 1, 3], Some(5)));
        assert_eq!(watch(patience(3), &losses), (vec![0, 1, 3, 6], None));
    }

    #[test]
    fn a_patience_of_zero_ends_at_the_first_epoch_that_is_no_better() {
        assert_eq!(watch(patience(0), &[1.0, 0.9, 0.9, 0.1]), (vec![0, 1], Some(2)));
        assert_eq!(watch(patience(1), &[1.0, 0.9, 0.9, 0.1]), (vec![0, 1], Some(2)));
    }

    #[test]
    fn an_accuracy_improves_upwards() {
        let settings = recipe::EarlyStopping { monitor: Monitor::ValAccuracy, ..patience(1) };
        assert_eq!(watch(settings, &[0.5, 0.6, 0.6]), (vec![0, 1], Some(2)));
    }

    #[test]
    fn small_improvements_dont_count() {
        let settings = recipe::EarlyStopping { min_delta: 0.125, ..patience(2) };
        // Exactly `min_delta` is no improvement; small steps add up against the best value.
        assert_eq!(watch(settings, &[1.0, 0.875, 0.75, 0.7, 0.65]), (vec![0, 2], Some(4)));
    }

    #[test]
    fn early_epochs_may_be_left_out() {
        let settings = recipe::EarlyStopping { start_from_epoch: 2, ..patience(1) };
        assert_eq!(watch(settings, &[0.1, 0.2, 0.9, 0.8, 0.85]), (vec![2, 3], Some(4)));
    }

    #[test]
    fn not_a_number_never_improves() {
        let nan = f64::NAN;
        assert_eq!(watch(patience(2), &[nan, nan, 0.5]), (vec![], Some(1)));
        assert_eq!(watch(patience(3), &[nan, nan, 0.5, nan, 0.4]), (vec![2, 4], None));
        // The first epoch never ends a stage.
        assert_eq!(watch(patience(0), &[nan]), (vec![], None));
    }
}
