//! What long work needs of the machine, gathered in one place for every command: Ctrl-C, progress bars, weights, the cache.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use defrost::features::Cache;
use defrost::job::{Environment, Job, JobError};
use defrost::progress::Progress;
use defrost::recipe::Recipe;
use defrost::train::TrainError;

use super::cache;
use crate::failure::Failure;
use crate::interrupt;
use crate::terminal::{Bars, Terminal};

/// Where a command works.
pub(super) struct Workplace {
    terminal: Terminal,
    cancel: &'static AtomicBool,
    pub(super) bars: Bars,
    weights_cache: Option<PathBuf>,
    features: Cache,
}

impl Workplace {
    /// Listens for Ctrl-C from now on; with `no_cache`, no features are kept.
    pub(super) fn open(terminal: &Terminal, no_cache: bool) -> Result<Workplace, Failure> {
        let features = if no_cache {
            Cache::none()
        } else {
            let folder = cache::features_folder(terminal);
            Cache::in_folder(&folder.map_err(|failure| failure.hint(terminal.words.set_cache_folder_or_go_without()))?)?
        };
        Ok(Workplace {
            terminal: *terminal,
            cancel: interrupt::listen(terminal)?,
            bars: terminal.bars(),
            weights_cache: cache::weights(terminal).ok(),
            features,
        })
    }

    pub(super) fn progress(&self) -> Progress<'_> {
        Progress::new(&self.bars, self.cancel)
    }

    pub(super) fn environment(&self) -> Environment<'_> {
        Environment {
            embedded: defrost_weights::efficientnet_lite0(),
            weights_cache: self.weights_cache.as_deref(),
            features: self.features.clone(),
            lang: self.terminal.words.0,
        }
    }

    /// The job of `recipe`; says what of its weights may be wrong.
    pub(super) fn prepare(&self, recipe: &Recipe, strict: bool) -> Result<Job, Failure> {
        let job = Job::prepare(recipe, strict, &self.environment(), self.progress());
        let job = job.map_err(|error| self.failure(error))?;
        if let Some(weights) = job.weights.as_ref().filter(|weights| weights.may_pad_otherwise) {
            self.terminal.warn(self.terminal.words.may_pad_otherwise(&weights.file));
        }
        Ok(job)
    }

    /// Why the work has ended: stopped by the user; else downloads and broken promises are not the user's fault, and the rest is
    /// judged by its cause.
    pub(super) fn failure(&self, error: JobError) -> Failure {
        match error {
            error if error.is_cancelled() => Failure::stopped(self.terminal.words.stopped()),
            JobError::Fetch(_) | JobError::Train(TrainError::Freeze(_)) => Failure::system(error),
            JobError::NoWeightsFolder { .. } => Failure::from(error).hint(self.terminal.words.set_cache_folder()),
            error => error.into(),
        }
    }
}
