//! `defrost train`: from a folder of pictures to a run.

mod recipe;
mod talk;

use std::path::Path;

use defrost::job::{JobError, Outcome};
use defrost::model::Model;
use defrost::recipe::Recipe;
use defrost::run::{self, RunDir};
use defrost::train::{Callback, History, TrainError};

use super::RUNS;
use super::workplace::Workplace;
use crate::args::Train;
use crate::failure::{Blame, Failure};
use crate::lang::Words;
use crate::terminal::{Bars, StageTable, Terminal, short};

pub(super) fn run(args: &Train, terminal: &Terminal) -> Result<(), Failure> {
    if let Some(threads) = args.threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().map_err(Failure::system)?;
    }
    let resumed = args.resume.then(|| unfinished(args, terminal.words)).transpose()?;
    let recipe = match &resumed {
        Some(dir) => recipe::resumed(args, dir.path())?,
        None => recipe::asked_for(args)?,
    };
    if let Some(data) = recipe.data.path.as_deref().filter(|data| resumed.is_none() && run::exists(data)) {
        let (path, words) = (data.display().to_string(), terminal.words);
        return Err(Failure::user(words.not_data(&path)).hint(words.how_runs_go_on(&path, &resume_command(data))));
    }
    let work = Work { recipe, resumed, out: args.out.as_deref(), strict: args.strict, no_cache: args.no_cache };
    let (outcome, dir) = work.carry_out(terminal)?;
    talk::after(&outcome, dir.path(), terminal);
    // The record states its own version: it is the run's `run.json`.
    if terminal.wants_json() { terminal.object(&outcome) } else { Ok(()) }
}

/// A training that is asked for.
pub(super) struct Work<'a> {
    pub(super) recipe: Recipe,
    /// The run that goes on.
    pub(super) resumed: Option<RunDir>,
    /// Where a new run goes; by itself, to `runs/`.
    pub(super) out: Option<&'a Path>,
    pub(super) strict: bool,
    pub(super) no_cache: bool,
}

impl Work<'_> {
    /// Trains and says how it goes, but not what came of it.
    pub(super) fn carry_out(self, terminal: &Terminal) -> Result<(Outcome, RunDir), Failure> {
        let place = Workplace::open(terminal, self.no_cache)?;
        let progress = place.progress();
        let job = place.prepare(&self.recipe, self.strict).map_err(|failure| {
            match (&self.resumed, &self.recipe.data.path) {
                (Some(dir), Some(data)) if !data.exists() => {
                    let command = resume_moved(Path::new("DATA"), dir.path());
                    failure.hint(terminal.words.data_moved(&command))
                }
                _ => failure,
            }
        })?;
        let dir = match (self.resumed, self.out) {
            (Some(dir), _) => dir,
            (None, Some(path)) => RunDir::create(path)?,
            (None, None) => RunDir::create_next(Path::new(RUNS), &job.data.name)?,
        };
        talk::before(&job, &dir, terminal)?;
        let mut table = Table { rows: StageTable::default(), bars: &place.bars };
        let outcome = job.run(&dir, &mut table, progress).map_err(|error| match error.is_cancelled() {
            true => stopped(dir.path(), terminal),
            false => interrupted(error, &place, dir.path(), terminal),
        })?;
        Ok((outcome, dir))
    }
}

/// The run that `--resume` means.
fn unfinished(args: &Train, words: Words) -> Result<RunDir, Failure> {
    if let Some(out) = &args.out {
        return Ok(RunDir::resume(out)?);
    }
    let same_data = |path: &Path| {
        let Some(data) = &args.data else { return true };
        super::recipe::read(path).is_ok_and(|recipe: Recipe| recipe.data.path.as_ref().is_some_and(|of| same(of, data)))
    };
    let runs = Path::new(RUNS);
    let path = run::latest_unfinished(runs, args.data.as_deref(), same_data).map_err(|error| {
        let failure = Failure::from(error);
        match (&args.data, run::latest_unfinished(runs, None, of_lost_data)) {
            (Some(data), Ok(path)) => failure.hint(words.resume_moved(&short(&path), &resume_moved(data, &path))),
            _ => failure,
        }
    })?;
    Ok(RunDir::resume(&path)?)
}

/// Whether the data of a recipe are no longer where it says.
fn of_lost_data(recipe: &Path) -> bool {
    super::recipe::read(recipe).is_ok_and(|recipe| recipe.data.path.is_some_and(|data| !data.exists()))
}

/// Whether two paths lead to the same place.
fn same(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn resume_command(dir: &Path) -> String {
    format!("defrost train --resume --out {}", dir.display())
}

/// The same for data that lie elsewhere now.
fn resume_moved(data: &Path, dir: &Path) -> String {
    format!("defrost train {} --resume --out {}", data.display(), dir.display())
}

fn stopped(dir: &Path, terminal: &Terminal) -> Failure {
    Failure::stopped(terminal.words.stopped_run(&short(dir), &resume_command(dir)))
}

/// A run that the system stopped goes on when its cause is gone; nothing that it has written is half-written.
fn interrupted(error: JobError, place: &Workplace, dir: &Path, terminal: &Terminal) -> Failure {
    let broken_promise = matches!(error, JobError::Train(TrainError::Freeze(_)));
    let failure = place.failure(error);
    match failure.blame {
        Blame::System if !broken_promise => failure.hint(terminal.words.goes_on(&resume_command(dir))),
        _ => failure,
    }
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
