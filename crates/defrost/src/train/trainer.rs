//! The loop: stages, epochs, batches, from rows of the trunk to a trained model.
//!
//! Invariant: the weights after a stage are a function of the model, the rows, the settings and nothing else: not of the number
//! of threads, nor of how often the run was stopped and resumed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::checkpoint::{Checkpoint, CheckpointError, Progressed};
use super::early_stopping::EarlyStopping;
use super::feed::{Batch, Feed, read_rows};
use super::history::{EpochRecord, History};
use crate::augment::Mixing;
use crate::data::{Shuffle, epoch_order};
use crate::exec::cpu::{BatchNormMode, Engine, Randomness, Tail};
use crate::features::{FeaturesError, Rows, Side};
use crate::freeze::{FreezeError, FrozenStage, Snapshot};
use crate::graph::{CutPoint, Tap};
use crate::loss::{CrossEntropy, Target};
use crate::metrics::argmax;
use crate::model::Model;
use crate::optim::{Optimizer, OptimizerConfig, OptimizerError, Variable};
use crate::progress::{Phase, Progress};
use crate::recipe::{self, Monitor};
use crate::schedule::Schedule;
use crate::tensor::Params;

/// Why a training ended before its last epoch.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The user stopped it; the checkpoint holds everything.
    #[error("stopped; go on with `--resume`")]
    Cancelled,
    /// The loss is not a number any more.
    #[error("the loss became {loss} in stage {stage}, epoch {epoch}; lower its `learning_rate` or set `clipnorm`")]
    Diverged {
        /// The stage's name.
        stage: String,
        /// Counted over all stages, from 1.
        epoch: usize,
        /// What it became.
        loss: f32,
    },
    /// A tensor changed that the stage may not change.
    #[error(transparent)]
    Freeze(#[from] FreezeError),
    /// Rows can't be had.
    #[error(transparent)]
    Features(#[from] FeaturesError),
    /// The checkpoint can't be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint's optimizer is another one.
    #[error("the checkpoint doesn't fit the recipe: {0}")]
    Optimizer(#[from] OptimizerError),
}

/// A stage of the recipe, with its cut found in the model and its schedule's length known.
#[derive(Debug, Clone)]
pub struct StagePlan {
    /// `feature_extraction`, `fine_tuning`, …
    pub name: String,
    /// Epochs at most.
    pub max_epochs: usize,
    /// When it ends earlier.
    pub stopping: Option<recipe::EarlyStopping>,
    /// The learning rate at each of the stage's steps.
    pub schedule: Schedule,
    /// With new moments at the stage's start.
    pub optimizer: OptimizerConfig,
    /// What trains.
    pub cut: CutPoint,
    /// What the rows hold.
    pub tap: Tap,
    /// What thawed BatchNorm normalises by.
    pub batch_norm: BatchNormMode,
}

/// What all stages have in common.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Of shuffling and dropout.
    pub seed: u64,
    /// Pictures a step.
    pub batch_size: usize,
    /// How an epoch is ordered.
    pub shuffle: Shuffle,
    /// What is minimised.
    pub loss: CrossEntropy,
    /// How training batches are mixed.
    pub mixing: Mixing,
    /// What it computes with.
    pub engine: Engine,
}

/// Who is told of a training as it goes; like Keras' callbacks it is handed the model.
pub trait Callback {
    /// An epoch is over; it is the history's last.
    fn on_epoch_end(&mut self, _history: &History, _model: &mut Model) {}
}

impl Callback for () {}

/// Who makes the rows of a stage's tap, with the weights that the model has when the stage begins.
pub trait RowSource {
    /// The rows for the stage with this number.
    ///
    /// # Errors
    /// When they can't be computed or stored.
    fn rows(&mut self, stage: usize, model: &Model, progress: Progress<'_>) -> Result<Arc<Rows>, FeaturesError>;
}

/// What a training leaves behind, besides the model.
#[derive(Debug)]
pub struct Trained {
    /// Every epoch of every stage.
    pub history: History,
    /// For each stage, the hashes of what it had to leave alone.
    pub frozen: Vec<FrozenStage>,
    /// Readable training pictures.
    pub train_samples: usize,
    /// The readable validation pictures with the final model's logits.
    pub validation: Vec<Validated>,
}

/// A validation picture and what the model makes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Validated {
    /// Its number among the pictures.
    pub picture: usize,
    /// Its class.
    pub label: usize,
    /// Before the softmax.
    pub logits: Vec<f32>,
}

/// Trains `model` through `stages`. Goes on where `checkpoint` left off.
///
/// # Errors
/// When the user stops, the loss diverges, a frozen tensor changes, or rows or checkpoint fail.
pub fn train(
    model: &mut Model,
    stages: &[StagePlan],
    source: &mut dyn RowSource,
    settings: &Settings,
    checkpoint: &Checkpoint,
    callback: &mut dyn Callback,
    progress: Progress<'_>,
) -> Result<Trained, TrainError> {
    let mut run = checkpoint.load(model)?.unwrap_or_default();
    while let Some(stage) = stages.get(run.stage) {
        let rows = source.rows(run.stage, model, progress)?;
        let mut work = StageWork::begin(model, stage, &rows, settings, &mut run)?;
        while !run.stage_is_over(stage.max_epochs) {
            work.epoch(model, &mut run, checkpoint, callback, progress)?;
            checkpoint.save(model, &run)?;
        }
        run.end_stage(model)?;
        checkpoint.save(model, &run)?;
    }
    let last = stages.len() - 1;
    let rows = source.rows(last, model, progress)?;
    let mut work = StageWork::begin(model, &stages[last], &rows, settings, &mut Progressed::default())?;
    let validation = work.predict(&model.params)?;
    Ok(Trained { history: run.history, frozen: run.frozen, train_samples: work.train.len(), validation })
}

/// One stage at work.
struct StageWork<'a> {
    stage: &'a StagePlan,
    feed: Feed<'a>,
    settings: &'a Settings,
    tail: Tail,
    optimizer: Optimizer,
    /// The number of each trainable tensor among the tail's.
    numbers: BTreeMap<String, usize>,
    train: Vec<(usize, usize)>,
    validation: Vec<(usize, usize)>,
}

impl<'a> StageWork<'a> {
    fn begin(
        model: &Model,
        stage: &'a StagePlan,
        rows: &'a Rows,
        settings: &'a Settings,
        run: &mut Progressed,
    ) -> Result<StageWork<'a>, TrainError> {
        let tail = Tail::new(&model.graph, stage.tap, stage.cut, stage.batch_norm, settings.engine);
        let optimizer = match run.optimizer.take() {
            Some(state) => Optimizer::from_state(stage.optimizer.clone(), state)?,
            None => Optimizer::new(stage.optimizer.clone()),
        };
        if run.snapshot.is_none() {
            run.snapshot = Some(Snapshot::take(&stage.name, model, stage.cut, stage.batch_norm));
            run.stopping = stage.stopping.map(EarlyStopping::new);
        }
        let numbers = trainable_numbers(&tail);
        let (train, validation) = (rows.pictures().readable(Side::Train), rows.pictures().readable(Side::Validation));
        let grid = stage.tap.grid(&model.graph);
        let feed = Feed { rows, mixing: settings.mixing, seed: settings.seed, grid, classes: tail.num_classes() };
        Ok(StageWork { stage, feed, settings, tail, optimizer, numbers, train, validation })
    }

    fn epoch(
        &mut self,
        model: &mut Model,
        run: &mut Progressed,
        checkpoint: &Checkpoint,
        callback: &mut dyn Callback,
        progress: Progress<'_>,
    ) -> Result<(), TrainError> {
        let begun = Instant::now();
        let number = run.history.next_epoch();
        progress.begin(Phase::Epoch, self.train.len() as u64, &format!("{} {number}", self.stage.name));
        let batches = self.batches(number as u64 - 1);
        let feed = self.feed;
        let read = |step: usize| batches.get(step).map(|batch| feed.read(batch, number - 1, step)).transpose();
        let mut upcoming = read(run.step)?;
        while let Some(batch) = upcoming.take() {
            // The next batch's rows are read while this one is computed.
            let following = run.step + 1;
            let (step, next) = rayon::join(|| self.step(model, run, &batch), || read(following));
            step?;
            upcoming = next?;
            progress.advance(batch.len() as u64);
            run.step += 1;
            if progress.cancelled() {
                progress.end();
                run.seconds += begun.elapsed().as_secs_f64();
                run.optimizer = Some(self.optimizer.state());
                checkpoint.save(model, run)?;
                return Err(TrainError::Cancelled);
            }
        }
        progress.end();

        let (val_loss, val_accuracy) = self.validate(&model.params)?;
        let record = EpochRecord {
            epoch: number,
            stage: self.stage.name.clone(),
            loss: run.mean_loss(),
            accuracy: run.accuracy(),
            val_loss,
            val_accuracy,
            learning_rate: self.stage.schedule.lr(self.optimizer.steps().saturating_sub(1)),
            seconds: run.seconds + begun.elapsed().as_secs_f64(),
        };
        self.observe(run, model, &record);
        run.end_epoch(record);
        callback.on_epoch_end(&run.history, model);
        run.optimizer = Some(self.optimizer.state());
        Ok(())
    }

    /// The batches of an epoch, as (picture, label).
    fn batches(&self, epoch: u64) -> Vec<Vec<(usize, usize)>> {
        let order = epoch_order(self.train.len(), self.settings.seed, epoch, self.settings.shuffle);
        let order: Vec<(usize, usize)> = order.into_iter().map(|i| self.train[i]).collect();
        order.chunks(self.settings.batch_size).map(<[_]>::to_vec).collect()
    }

    fn step(&mut self, model: &mut Model, run: &mut Progressed, batch: &Batch) -> Result<(), TrainError> {
        let Settings { seed, loss, .. } = self.settings;
        let randomness = Randomness { seed: *seed, step: run.total_steps };
        let output = self.tail.forward_backward(&mut model.params, &batch.rows, randomness, &|i, logits, gradient| {
            batch.loss(i, loss, logits, gradient)
        });
        let logits = output.logits.chunks_exact(output.logits.len() / batch.len());
        for (i, (logits, &loss)) in logits.zip(&output.losses).enumerate() {
            if !loss.is_finite() {
                let (stage, epoch) = (self.stage.name.clone(), run.history.next_epoch());
                return Err(TrainError::Diverged { stage, epoch, loss });
            }
            run.count(loss, argmax(logits) == batch.target(i).class());
        }
        let learning_rate = self.stage.schedule.lr(self.optimizer.steps());
        apply_gradients(&mut self.optimizer, &mut model.params, &self.numbers, &output.gradients, learning_rate);
        run.total_steps += 1;
        Ok(())
    }

    /// `(mean loss, accuracy)` of the validation pictures in inference mode; NaN where there are none.
    fn validate(&mut self, params: &Params) -> Result<(f32, f32), TrainError> {
        let (mut sum, mut correct) = (0.0, 0);
        let validated = self.predict(params)?;
        for Validated { label, logits, .. } in &validated {
            sum += f64::from(self.settings.loss.forward(logits, Target::Class(*label)));
            correct += usize::from(argmax(logits) == *label);
        }
        let count = validated.len() as f64;
        Ok(((sum / count) as f32, (correct as f64 / count) as f32))
    }

    /// The logits of the validation pictures, on their plain view.
    fn predict(&mut self, params: &Params) -> Result<Vec<Validated>, TrainError> {
        let mut validated = Vec::with_capacity(self.validation.len());
        for batch in self.validation.chunks(VALIDATION_BATCH) {
            let logits = self.tail.predict(params, &read_rows(self.feed.rows, batch, 0)?);
            for (logits, &(picture, label)) in logits.chunks_exact(logits.len() / batch.len()).zip(batch) {
                validated.push(Validated { picture, label, logits: logits.to_vec() });
            }
        }
        Ok(validated)
    }

    /// Asks early stopping, and keeps the weights of the best epoch where they may be wanted back.
    fn observe(&self, run: &mut Progressed, model: &Model, record: &EpochRecord) {
        let epoch = run.epoch;
        let Some(stopping) = &mut run.stopping else { return };
        let value = match stopping.settings().monitor {
            Monitor::ValLoss => record.val_loss,
            Monitor::ValAccuracy => record.val_accuracy,
            Monitor::Loss => record.loss,
            Monitor::Accuracy => record.accuracy,
        };
        let decision = stopping.observe(epoch, f64::from(value));
        if decision.improved && stopping.settings().restore_best_weights {
            let moves = |name: &str| match self.stage.batch_norm {
                BatchNormMode::Inference => false,
                BatchNormMode::BatchStatistics => name.contains("/moving_"),
            };
            let may_change = |name: &String| self.numbers.contains_key(name) || moves(name);
            run.best =
                model.params.iter().filter(|(name, _)| may_change(name)).map(|(n, t)| (n.clone(), t.clone())).collect();
        }
        run.converged = decision.stop;
    }
}

/// The number of each tensor that a tail trains, by name.
pub(crate) fn trainable_numbers(tail: &Tail) -> BTreeMap<String, usize> {
    tail.trainable().iter().cloned().zip(0..).collect()
}

/// Moves the tensors that have a number against their gradients.
pub(crate) fn apply_gradients(
    optimizer: &mut Optimizer,
    params: &mut Params,
    numbers: &BTreeMap<String, usize>,
    gradients: &[Vec<f32>],
    learning_rate: f32,
) {
    let mut variables: Vec<Variable<'_>> = params
        .iter_mut()
        .filter_map(|(name, tensor)| {
            let gradient = &gradients[*numbers.get(name)?];
            Some(Variable { name, values: tensor.data_mut(), gradient })
        })
        .collect();
    optimizer.update(&mut variables, learning_rate);
}

/// Pictures a step of validation: enough for full shards on many cores.
const VALIDATION_BATCH: usize = 64;
