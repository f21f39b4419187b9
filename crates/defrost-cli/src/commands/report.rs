//! `defrost report`: a run's page, written anew.

use defrost::job;
use defrost::run;
use serde::Serialize;

use super::run_or_latest;
use super::workplace::Workplace;
use crate::args;
use crate::failure::Failure;
use crate::terminal::{Terminal, short};

#[derive(Serialize)]
struct Report {
    run: String,
    html: String,
    bytes: usize,
}

pub(super) fn run(args: &args::Report, terminal: &Terminal) -> Result<(), Failure> {
    let words = terminal.words;
    let run = run_or_latest(args.run.as_deref(), terminal)?;
    let work = Workplace::open(terminal, args.no_cache)?;
    let page =
        job::report(&run, args.doctor, &work.environment(), work.progress()).map_err(|error| work.failure(error))?;
    let out = args.out.clone().unwrap_or_else(|| run.join(run::REPORT));
    defrost::fs::write_atomic(&out, page.as_bytes())?;
    terminal.say(words.written(&short(&out)));
    if terminal.wants_json() {
        let report = Report { run: run.display().to_string(), html: out.display().to_string(), bytes: page.len() };
        terminal.json(&report)?;
    }
    Ok(())
}
