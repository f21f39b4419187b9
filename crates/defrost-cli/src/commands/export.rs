//! `defrost export`: a classifier as a file for other programs.

use std::path::Path;

use defrost::artefact::{Artefact, ArtefactError};
use defrost::export::{self, ExportError, Format, Options};
use defrost::run;
use serde::Serialize;

use super::run_and_rest;
use crate::args;
use crate::failure::Failure;
use crate::terminal::{Terminal, short};

#[derive(Serialize)]
struct Report {
    run: String,
    out: String,
    format: &'static str,
    bytes: usize,
    weights_hash: String,
}

pub(super) fn run(args: &args::Export, terminal: &Terminal) -> Result<(), Failure> {
    let format = args.format.map_or_else(|| Format::of_path(&args.out), Ok)?;
    folder_exists(&args.out)?;
    let given = args.run.as_slice();
    if let [path] = given
        && Artefact::locate(path).is_none()
        && !run::exists(path)
    {
        return Err(ArtefactError::Missing { path: path.clone() }.into());
    }
    let (run, _) = run_and_rest(given, terminal)?;
    let model_path = Artefact::locate(&run).unwrap_or_else(|| run.join(run::MODEL));
    let (artefact, model) = Artefact::load(&model_path)?;
    let options =
        Options { preprocess: args.preprocess, batch: args.batch.unwrap_or_default(), lang: terminal.words.0 };
    let bytes = export::export(&artefact, &model, format, &options)?;
    defrost::fs::write_atomic(&args.out, &bytes)?;
    terminal.say(terminal.words.exported(&short(&args.out), format.name(), bytes.len()));
    if terminal.wants_json() {
        terminal.json(&Report {
            run: run.display().to_string(),
            out: args.out.display().to_string(),
            format: format.name(),
            bytes: bytes.len(),
            weights_hash: artefact.weights_hash,
        })?;
    }
    Ok(())
}

/// A mistyped folder is better told than made.
fn folder_exists(out: &Path) -> Result<(), Failure> {
    match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            Err(ExportError::NoFolder { path: folder.to_owned() }.into())
        }
        _ => Ok(()),
    }
}
