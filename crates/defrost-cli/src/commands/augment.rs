//! `defrost augment`: what a pipeline does to pictures, to be looked at before it is trained on.

use std::path::PathBuf;

use defrost::augment::Pipeline;
use defrost::data::{self, DataOptions, Sample};
use defrost::fs::write_atomic;
use defrost::image::{self, Limits, Resize};
use defrost::report::{ContactSheet, Specimen};
use serde::Serialize;

use crate::args;
use crate::failure::Failure;
use crate::terminal::{Terminal, short};

#[derive(Serialize)]
struct Report {
    path: String,
    /// As it is printed: the shortest line that is read as the same.
    pipeline: String,
    seed: u64,
    views: u32,
    input_size: u32,
    /// In the order of the rows.
    pictures: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    path: String,
    error: Option<String>,
}

/// Where a picture comes from.
enum Source {
    File(PathBuf),
    Sample(Sample),
}

pub(super) fn run(args: &args::Augment, terminal: &Terminal) -> Result<(), Failure> {
    let words = terminal.words;
    let pipeline: Pipeline = args.augment.parse()?;
    if args.out.extension().is_none_or(|ending| ending != "png") {
        return Err(Failure::user(words.sheet_ending(&args.out.display().to_string())));
    }
    let sources = data::evenly(sources(&args.paths)?, args.pictures);
    let read: Vec<(String, Result<Specimen, String>)> = sources.iter().map(read).collect();
    let specimens: Vec<Specimen> = read.iter().filter_map(|(_, read)| read.as_ref().ok().cloned()).collect();
    let errors: Vec<&String> = read.iter().filter_map(|(_, read)| read.as_ref().err()).collect();
    if let (true, [first, ..]) = (specimens.is_empty(), errors.as_slice()) {
        return Err(Failure::user(words.none_readable(errors.len(), first)));
    }
    let sheet = ContactSheet {
        pipeline,
        views: args.views,
        augment_seed: args.seed,
        input_size: args.input_size as usize,
        resize: Resize::default(),
        lang: words.0,
    };
    let png = sheet.to_png(&specimens).map_err(|error| Failure::from(error).hint(words.smaller_sheet()))?;
    write_atomic(&args.out, &png)?;
    if !errors.is_empty() {
        terminal.warn(words.unreadable(errors.len()));
    }
    terminal.say(words.sheet(&short(&args.out), specimens.len(), args.views));
    if !terminal.wants_json() {
        return Ok(());
    }
    terminal.json(&Report {
        path: args.out.display().to_string(),
        pipeline: sheet.pipeline.to_string(),
        seed: args.seed,
        views: args.views,
        input_size: args.input_size,
        pictures: read.into_iter().map(|(path, read)| Line { path, error: read.err() }).collect(),
    })
}

/// The pictures of files and folders; of a single other file, the training pictures of the data set that it is.
fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    match paths {
        [archive] if archive.is_file() && !image::is_picture_name(archive) => {
            let data = data::open(archive, &DataOptions { as_found: true, ..DataOptions::default() })?;
            Ok(data.train.into_iter().map(Source::Sample).collect())
        }
        _ => Ok(data::pictures(paths)?.into_iter().map(Source::File).collect()),
    }
}

fn read(source: &Source) -> (String, Result<Specimen, String>) {
    let limits = Limits::default();
    match source {
        Source::File(path) => {
            (path.display().to_string(), Specimen::open(path, &limits).map_err(|error| error.to_string()))
        }
        Source::Sample(sample) => {
            (sample.path.clone(), Specimen::of(sample, &limits).map_err(|error| error.to_string()))
        }
    }
}
