//! What a run came to: `run.json`, and what `defrost train --json` prints.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Job, JobError};
use crate::calibrate::{Calibration, Left};
use crate::evaluate::Evaluation;
use crate::run::{self, RunDir, RunError};
use crate::train::{EpochRecord, Trained};

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Of this record.
    pub version: u32,
    /// The run's directory.
    pub run: String,
    /// The form of the data, such as `folder per class`.
    #[serde(default)]
    pub form: String,
    /// Names, in the order of the outputs.
    pub classes: Vec<String>,
    /// Readable training pictures.
    pub train_samples: usize,
    /// Readable validation pictures.
    pub val_samples: usize,
    /// Pictures that were left out, listed in `skipped.csv`.
    pub skipped: usize,
    /// Pictures that were left out as asked for.
    #[serde(default)]
    pub excluded: usize,
    /// Pictures that were given another class as asked for.
    #[serde(default)]
    pub relabelled: usize,
    /// Training pictures that were added as asked for.
    #[serde(default)]
    pub added: usize,
    /// Views of a training picture.
    pub views: u32,
    /// Of the final classifier.
    pub val_accuracy: f64,
    /// Its 95 % interval (Wilson).
    pub val_accuracy_interval: (f64, f64),
    /// Mean cross-entropy of the final classifier.
    pub val_loss: f64,
    /// The best of any epoch, as the history holds it.
    pub best_val_accuracy: f32,
    /// How the probabilities were calibrated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<CalibrationOutcome>,
    /// On `test/`, evaluated once, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_accuracy: Option<f64>,
    /// Its 95 % interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_accuracy_interval: Option<(f64, f64)>,
    /// Wall time of this process.
    pub seconds: f64,
    /// BLAKE3 over all tensors in name order.
    pub weights_hash: String,
    /// BLAKE3 of the resolved recipe.
    pub recipe_hash: String,
    /// In order.
    pub stages: Vec<StageOutcome>,
}

/// What calibration came to, on the validation pictures; `model/model.json` has all of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibrationOutcome {
    /// Logits are divided by it before the softmax.
    pub temperature: f64,
    /// Why it was left at 1.
    pub left: Option<Left>,
    /// Expected calibration error with temperature 1.
    pub ece_before: f64,
    /// Expected calibration error with this one.
    pub ece_after: f64,
}

impl From<&Calibration> for CalibrationOutcome {
    fn from(calibration: &Calibration) -> CalibrationOutcome {
        CalibrationOutcome {
            temperature: calibration.temperature,
            left: calibration.left,
            ece_before: calibration.before.ece,
            ece_after: calibration.after.ece,
        }
    }
}

/// What one stage came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageOutcome {
    /// `feature_extraction`, `fine_tuning`, …
    pub name: String,
    /// That were run.
    pub epochs: usize,
    /// At its first step.
    pub learning_rate: f32,
    /// Layers of the backbone from the cut on, as Keras counts them.
    pub trainable_layers: usize,
    /// After its last epoch, as the history holds it.
    pub val_accuracy: f32,
    /// Of its epochs.
    pub seconds: f64,
    /// Whether every frozen tensor is bit for bit the same.
    pub frozen_unchanged: bool,
    /// How many those are.
    pub frozen_tensors: usize,
    /// Tensors of the backbone.
    pub backbone_tensors: usize,
    /// Whether the validation loss was still falling when the stage ended.
    pub still_improving: bool,
}

impl Outcome {
    pub(super) fn new(
        job: &Job,
        dir: &RunDir,
        trained: &Trained,
        validation: &Evaluation,
        test: Option<&Evaluation>,
        seconds: f64,
    ) -> Outcome {
        let records = trained.history.records();
        let mut first = 0;
        let stages = job
            .stages
            .iter()
            .zip(&trained.frozen)
            .map(|(stage, frozen)| {
                // Stages may share a name; their epochs lie one after the other.
                let same_stage = |record: &&EpochRecord| record.stage == stage.name;
                let epochs = records[first..].iter().take_while(same_stage).count().min(stage.max_epochs);
                let own = &records[first..first + epochs];
                first += epochs;
                StageOutcome {
                    name: stage.name.clone(),
                    epochs,
                    learning_rate: stage.schedule.lr(0),
                    trainable_layers: job.model.summary(stage.cut).trainable_layers,
                    val_accuracy: own.last().map_or(f32::NAN, |record| record.val_accuracy),
                    seconds: own.iter().map(|record| record.seconds).sum(),
                    frozen_unchanged: frozen.unchanged == frozen.frozen_tensors,
                    frozen_tensors: frozen.frozen_tensors,
                    backbone_tensors: frozen.backbone_tensors,
                    still_improving: still_improving(own),
                }
            })
            .collect();
        let best = records.iter().map(|record| record.val_accuracy).fold(f32::NEG_INFINITY, f32::max);
        let skipped = job.data.skipped.len();
        Outcome {
            version: 1,
            run: dir.path().display().to_string(),
            form: job.data.kind.to_string(),
            classes: job.data.classes.clone(),
            train_samples: trained.train_samples,
            val_samples: trained.validation.len(),
            skipped: skipped + job.data.train.len() + job.data.validation.len()
                - trained.train_samples
                - trained.validation.len(),
            excluded: job.data.excluded,
            relabelled: job.data.relabelled,
            added: job.data.added,
            views: job.views,
            val_accuracy: validation.accuracy(),
            val_accuracy_interval: validation.accuracy_interval(),
            val_loss: validation.loss(),
            best_val_accuracy: best,
            calibration: None,
            test_accuracy: test.map(Evaluation::accuracy),
            test_accuracy_interval: test.map(Evaluation::accuracy_interval),
            seconds,
            weights_hash: job.model.weights_hash(),
            recipe_hash: job.recipe.hash().to_hex().to_string(),
            stages,
        }
    }

    /// Reads that of the run at `path`.
    ///
    /// # Errors
    /// When it is no run, isn't finished, or its record is damaged.
    pub fn load(path: &Path) -> Result<Outcome, JobError> {
        if !run::exists(path) {
            return Err(RunError::NotARun { path: path.to_owned() }.into());
        }
        if !run::is_finished(path) {
            return Err(RunError::Unfinished { path: path.to_owned() }.into());
        }
        let path = path.join(run::OUTCOME);
        serde_json::from_str(&crate::fs::read_to_string(&path)?)
            .map_err(|error| JobError::Damaged { path, reason: error.to_string() })
    }

    pub(super) fn save(&self, dir: &RunDir) -> Result<(), JobError> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        Ok(crate::fs::write_atomic(&dir.join(run::OUTCOME), format!("{text}\n").as_bytes())?)
    }
}

/// Whether the last epoch's validation loss is the stage's lowest, by at least one per cent.
fn still_improving(records: &[EpochRecord]) -> bool {
    let [before @ .., last] = records else { return false };
    !before.is_empty() && before.iter().all(|record| last.val_loss < 0.99 * record.val_loss)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(losses: &[f32]) -> Vec<EpochRecord> {
        losses.iter().map(|&val_loss| EpochRecord { val_loss, ..EpochRecord::default() }).collect()
    }

    #[test]
    fn a_stage_that_still_improves_is_noticed() {
        assert!(still_improving(&records(&[1.0, 0.8, 0.7])));
        assert!(!still_improving(&records(&[1.0, 0.7, 0.699])));
        assert!(!still_improving(&records(&[1.0, 0.7, 0.8])));
        assert!(!still_improving(&records(&[1.0])));
    }
}
