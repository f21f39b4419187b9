//! `defrost train`: from a folder of pictures to a run.

mod recipe;
mod talk;

use std::path::{Path, PathBuf};

use defrost::features::Cache;
use defrost::job::{Environment, Job, JobError, Outcome};
use defrost::model::Model;
use defrost::progress::Progress;
use defrost::recipe::Recipe;
use defrost::run::{self, RunDir};
use defrost::train::{Callback, History, TrainError};

use super::{RUNS, cache};
use crate::args::Train;
use crate::failure::{Blame, Failure};
use crate::interrupt;
use crate::terminal::{Bars, StageTable, Terminal, short};

pub(super) fn run(args: &Train, terminal: &Terminal) -> Result<(), Failure> {
    if let Some(threads) = args.threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().map_err(Failure::system)?;
    }
    let resumed = args.resume.then(|| unfinished(args)).transpose()?;
    let recipe = match &resumed {
        Some(path) => recipe::resumed(args, path)?,
        None => recipe::asked_for(args)?,
    };
    let cancel = interrupt::listen(terminal)?;
    let bars = terminal.bars();
    let progress = Progress::new(&bars, cancel);
    let weights_cache = cache::weights(terminal)?;
    let environment = Environment {
        embedded: defrost_weights::efficientnet_lite0(),
        weights_cache: &weights_cache,
        features: if args.no_cache { Cache::none() } else { Cache::in_folder(&cache::features(terminal)?)? },
        lang: terminal.words.0,
    };
    let job = Job::prepare(&recipe, args.strict, &environment, progress).map_err(failed)?;
    let dir = match (&resumed, &args.out) {
        (Some(path), _) => RunDir::resume(path)?,
        (None, Some(path)) => RunDir::create(path)?,
        (None, None) => RunDir::create_next(Path::new(RUNS), &job.data.name)?,
    };
    talk::before(&job, &dir, terminal);
    let mut table = Table { rows: StageTable::default(), bars: &bars };
    let outcome = job.run(&dir, &mut table, progress).map_err(|error| match error.is_cancelled() {
        true => stopped(dir.path(), terminal),
        false => failed(error),
    })?;
    report(&outcome, dir.path(), terminal)
}

fn report(outcome: &Outcome, dir: &Path, terminal: &Terminal) -> Result<(), Failure> {
    talk::after(outcome, dir, terminal);
    // The record states its own version: it is the run's `run.json`.
    if terminal.wants_json() { terminal.object(outcome) } else { Ok(()) }
}

/// The run that `--resume` means.
fn unfinished(args: &Train) -> Result<PathBuf, Failure> {
    if let Some(out) = &args.out {
        return Ok(out.clone());
    }
    let same_data = |path: &Path| {
        let Some(data) = &args.data else { return true };
        super::recipe::read(path).is_ok_and(|recipe: Recipe| recipe.data.path.as_ref().is_some_and(|of| same(of, data)))
    };
    let data = args.data.clone().unwrap_or_else(|| PathBuf::from("…"));
    Ok(run::latest_unfinished(Path::new(RUNS), &data, same_data)?)
}

/// Whether two paths lead to the same place.
fn same(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// Downloads and broken promises are not the user's fault; the rest is judged by its cause.
fn failed(error: JobError) -> Failure {
    match error {
        JobError::Fetch(_) | JobError::Train(TrainError::Freeze(_)) => Failure::system(error),
        error => error.into(),
    }
}

fn stopped(dir: &Path, terminal: &Terminal) -> Failure {
    let message = terminal.words.stopped_run(&short(dir), &format!("defrost train --resume --out {}", dir.display()));
    Failure { blame: Blame::Interrupted, error: anyhow::anyhow!(message), hint: None }
}

/// Prints a row as each epoch ends.
struct Table<'a> {
    rows: StageTable,
    bars: &'a Bars,
}

impl Callback for Table<'_> {
    fn on_epoch_end(&mut self, history: &History, _model: &mut Model) {
        let lines = history.last().map(|epoch| self.rows.lines(epoch));
        lines.into_iter().flatten().for_each(|line| self.bars.say(&line));
    }
}
