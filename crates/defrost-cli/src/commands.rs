//! One file for each command: arguments in, the library's work, data and talk out.

mod advise;
mod augment;
mod backbones;
mod bench;
mod cache;
mod compare;
mod doctor;
mod embed;
mod evaluate;
mod export;
mod predict;
mod recipe;
mod report;
mod sample;
mod schedule;
mod serve;
mod summary;
mod train;
mod workplace;

use std::io;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use defrost::artefact::Artefact;
use defrost::error::did_you_mean;
use defrost::exec::cpu::{Isa, Kernels};
use defrost::predict::Predictor;
use defrost::run::{self, RunError};

use crate::args::{Args, Command};
use crate::environment;
use crate::failure::Failure;
use crate::terminal::{Terminal, short};

/// Does what was asked.
pub(crate) fn run(command: Command, line: &mut clap::Command, terminal: &Terminal) -> Result<(), Failure> {
    force_isa(terminal)?;
    match command {
        Command::Train(args) => train::run(&args, terminal),
        Command::Predict(args) => predict::run(&args, terminal),
        Command::Evaluate(args) => evaluate::run(&args, terminal),
        Command::Compare(args) => compare::run(&args, terminal),
        Command::Serve(args) => serve::run(&args, terminal),
        Command::Export(args) => export::run(&args, terminal),
        Command::Advise(args) => advise::run(&args, terminal),
        Command::Doctor(args) => doctor::run(&args, terminal),
        Command::Report(args) => report::run(&args, terminal),
        Command::Embed(args) => embed::run(&args, terminal),
        Command::Sample(args) => sample::run(&args, terminal),
        Command::Augment(args) => augment::run(&args, terminal),
        Command::Recipe { action } => recipe::run(&action, terminal),
        Command::Summary(args) => summary::run(&args, terminal),
        Command::Schedule(args) => schedule::run(&args, terminal),
        Command::Backbones { action } => backbones::run(action, terminal),
        Command::Bench(args) => bench::run(&args, terminal),
        Command::Cache { action } => cache::run(&action, terminal),
        Command::Completions { shell } => {
            let mut script = io::Cursor::new(Vec::new());
            clap_complete::generate(shell, &mut Args::command(), "defrost", &mut script);
            terminal.data(script.get_ref())
        }
        Command::Help { command } => help(line, &command, terminal),
    }
}

/// Prints the help of a command, or of all.
fn help(line: &mut clap::Command, names: &[String], terminal: &Terminal) -> Result<(), Failure> {
    let mut of = line;
    for name in names {
        let known: Vec<String> = of.get_subcommands().map(|below| below.get_name().to_owned()).collect();
        let unknown = || {
            let near = did_you_mean(name, known.iter().map(String::as_str));
            Failure::user(format!("there is no command `{name}`{near}"))
        };
        of = of.find_subcommand_mut(name).ok_or_else(unknown)?;
    }
    terminal.help(of)
}

/// Uses the instruction set that the environment names.
fn force_isa(terminal: &Terminal) -> Result<(), Failure> {
    let Some(name) = environment::isa() else { return Ok(()) };
    let named = Isa::ALL.into_iter().find(|isa| name == isa.name());
    if named.is_some_and(Kernels::force) {
        return Ok(());
    }
    let here: Vec<&str> = Isa::ALL.into_iter().filter(|&isa| Kernels::with(isa).is_some()).map(Isa::name).collect();
    Err(Failure::user(terminal.words.no_such_isa(&name.to_string_lossy(), &here)))
}

/// Where runs are made and looked for.
const RUNS: &str = "runs";

/// Splits a leading RUN off `paths`; where there is none, the latest run is meant, and said.
fn run_and_rest<'a>(paths: &'a [PathBuf], terminal: &Terminal) -> Result<(PathBuf, &'a [PathBuf]), Failure> {
    match paths {
        [first, rest @ ..] if Artefact::locate(first).is_some() => Ok((first.clone(), rest)),
        [first, ..] if run::exists(first) => Err(RunError::Unfinished { path: first.clone() }.into()),
        _ => Ok((latest(terminal)?, paths)),
    }
}

/// The run that is named, or the latest.
fn run_or_latest(run: Option<&Path>, terminal: &Terminal) -> Result<PathBuf, Failure> {
    match run {
        Some(run) if Artefact::locate(run).is_none() && run::exists(run) => {
            Err(RunError::Unfinished { path: run.to_owned() }.into())
        }
        Some(run) => Ok(run.to_owned()),
        None => latest(terminal),
    }
}

fn latest(terminal: &Terminal) -> Result<PathBuf, Failure> {
    let run = run::latest(Path::new(RUNS))?;
    terminal.say(terminal.words.latest_run(&short(&run)));
    Ok(run)
}

/// The classifier of a run, or the one in a file.
fn predictor(run: &Path) -> Result<Predictor, Failure> {
    Ok(Predictor::load(&Artefact::locate(run).unwrap_or_else(|| run.join(run::MODEL)))?)
}
