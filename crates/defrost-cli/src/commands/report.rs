//! `defrost report`: a run's page, written anew.

use defrost::features::Cache;
use defrost::job::{self, Environment};
use defrost::progress::Progress;
use defrost::run;
use serde::Serialize;

use super::{cache, run_or_latest};
use crate::args;
use crate::failure::Failure;
use crate::interrupt;
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
    let cancel = interrupt::listen(terminal)?;
    let bars = terminal.bars();
    let progress = Progress::new(&bars, cancel);
    let weights_cache = cache::weights(terminal)?;
    let environment = Environment {
        embedded: defrost_weights::efficientnet_lite0(),
        weights_cache: &weights_cache,
        features: if args.no_cache { Cache::none() } else { Cache::in_folder(&cache::features_folder(terminal)?)? },
        lang: words.0,
    };
    let page = job::report(&run, args.doctor, &environment, progress).map_err(|error| match error.is_cancelled() {
        true => Failure::stopped(words.stopped()),
        false => error.into(),
    })?;
    let out = args.out.clone().unwrap_or_else(|| run.join(run::REPORT));
    defrost::fs::write_atomic(&out, page.as_bytes())?;
    terminal.say(words.written(&short(&out)));
    if terminal.wants_json() {
        let report = Report { run: run.display().to_string(), html: out.display().to_string(), bytes: page.len() };
        terminal.json(&report)?;
    }
    Ok(())
}
