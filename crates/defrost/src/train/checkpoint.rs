//! How far a training has come: one file that holds everything that the rest depends on, so that a run stopped by anything
//! goes on as if nothing had been.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::early_stopping::EarlyStopping;
use super::history::{EpochRecord, History};
use crate::freeze::{FreezeError, FrozenStage, Snapshot};
use crate::fs::{self, FsError};
use crate::model::Model;
use crate::optim::OptimizerState;
use crate::tensor::Params;
use crate::weights::{WeightsError, from_safetensors, to_safetensors};

/// A checkpoint that can't be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// Its tensors.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Its state.
    #[error("{} is damaged: {reason}; delete it and train again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// Where a run's checkpoint lies.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    path: PathBuf,
}

/// How far a training has come.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Progressed {
    /// The stage under way, from 0.
    pub(super) stage: usize,
    /// Its epoch under way, from 0.
    pub(super) epoch: usize,
    /// The epoch's step under way, from 0.
    pub(super) step: usize,
    /// Over all stages: no two steps draw the same random numbers.
    pub(super) total_steps: u64,
    pub(super) loss_sum: f64,
    pub(super) correct: u64,
    pub(super) seen: u64,
    /// Spent on the epoch under way.
    pub(super) seconds: f64,
    pub(super) converged: bool,
    pub(super) stopping: Option<EarlyStopping>,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) frozen: Vec<FrozenStage>,
    #[serde(with = "records")]
    pub(super) history: History,
    optimizer_steps: u64,
    #[serde(skip)]
    pub(super) optimizer: Option<OptimizerState>,
    #[serde(skip)]
    pub(super) best: Params,
}

mod records {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{EpochRecord, History};

    pub(super) fn serialize<S: Serializer>(history: &History, serializer: S) -> Result<S::Ok, S::Error> {
        history.records().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<History, D::Error> {
        let mut history = History::default();
        for record in Vec::<EpochRecord>::deserialize(deserializer)? {
            if record.epoch != history.next_epoch() {
                return Err(serde::de::Error::custom("epochs out of order"));
            }
            history.push(record);
        }
        Ok(history)
    }
}

impl Progressed {
    pub(super) fn stage_is_over(&self, max_epochs: usize) -> bool {
        self.converged || self.epoch >= max_epochs
    }

    pub(super) fn count(&mut self, loss: f32, correct: bool) {
        self.loss_sum += f64::from(loss);
        self.correct += u64::from(correct);
        self.seen += 1;
    }

    pub(super) fn mean_loss(&self) -> f32 {
        (self.loss_sum / self.seen as f64) as f32
    }

    pub(super) fn accuracy(&self) -> f32 {
        (self.correct as f64 / self.seen as f64) as f32
    }

    pub(super) fn end_epoch(&mut self, record: EpochRecord) {
        self.history.push(record);
        (self.loss_sum, self.correct, self.seen, self.seconds) = (0.0, 0, 0, 0.0);
        (self.step, self.epoch) = (0, self.epoch + 1);
    }

    /// Restores the best epoch's weights where they were kept, and proves that nothing frozen has changed.
    pub(super) fn end_stage(&mut self, model: &mut Model) -> Result<(), FreezeError> {
        model.params.extend(std::mem::take(&mut self.best));
        if let Some(snapshot) = self.snapshot.take() {
            self.frozen.push(snapshot.verify(&model.params)?);
        }
        (self.stage, self.epoch, self.step, self.converged) = (self.stage + 1, 0, 0, false);
        (self.stopping, self.optimizer) = (None, None);
        Ok(())
    }
}

/// Prefixes of the tensors' names in the file.
const PARAM: &str = "param/";
const SLOT: &str = "slot/";
const BEST: &str = "best/";

impl Checkpoint {
    /// The checkpoint in a run's folder `checkpoints/`.
    pub fn in_folder(folder: &Path) -> Checkpoint {
        Checkpoint { path: folder.join("last.safetensors") }
    }

    pub(super) fn save(&self, model: &Model, run: &Progressed) -> Result<(), CheckpointError> {
        let optimizer = run.optimizer.clone().unwrap_or_default();
        let state = Progressed { optimizer_steps: optimizer.steps, ..run.clone() };
        let state = serde_json::to_string(&state).map_err(|error| self.damaged(error.to_string()))?;
        let mut tensors = Params::new();
        for (prefix, part) in [(PARAM, &model.params), (SLOT, &optimizer.slots), (BEST, &run.best)] {
            tensors.extend(part.iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor.clone())));
        }
        Ok(fs::write_atomic(&self.path, &to_safetensors(&tensors, &[("state", &state)]))?)
    }

    /// Reads the checkpoint into `model`, if there is one.
    pub(super) fn load(&self, model: &mut Model) -> Result<Option<Progressed>, CheckpointError> {
        if !self.path.exists() {
            return Ok(None);
        }
        let bytes = fs::read(&self.path)?;
        let tensors = from_safetensors(&self.path.display().to_string(), &bytes)?;
        let state = crate::weights::safetensors_metadata(&bytes)
            .and_then(|metadata| metadata.get("state").cloned())
            .ok_or_else(|| self.damaged("it holds no state".to_owned()))?;
        let mut run: Progressed = serde_json::from_str(&state).map_err(|error| self.damaged(error.to_string()))?;
        let mut slots = Params::new();
        for (name, tensor) in tensors {
            if let Some(name) = name.strip_prefix(PARAM) {
                match model.params.get_mut(name) {
                    Some(own) if own.shape() == tensor.shape() => *own = tensor,
                    _ => return Err(self.damaged(format!("{name} isn't a tensor of this model"))),
                }
            } else if let Some(name) = name.strip_prefix(SLOT) {
                slots.insert(name.to_owned(), tensor);
            } else if let Some(name) = name.strip_prefix(BEST) {
                run.best.insert(name.to_owned(), tensor);
            }
        }
        if run.optimizer_steps > 0 {
            run.optimizer = Some(OptimizerState { steps: run.optimizer_steps, slots });
        }
        Ok(Some(run))
    }

    fn damaged(&self, reason: String) -> CheckpointError {
        CheckpointError::Damaged { path: self.path.clone(), reason }
    }
}
