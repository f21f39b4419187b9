//! `defrost predict`: what is on pictures.

use std::path::{Path, PathBuf};

use defrost::data;
use defrost::image::{self, Limits};
use defrost::predict::Predictor;
use defrost::progress::{Phase, Progress};
use rayon::prelude::*;
use serde::Serialize;

use super::{predictor, run_and_rest};
use crate::args;
use crate::failure::Failure;
use crate::interrupt;
use crate::terminal::{Terminal, columns, percent};

#[derive(Serialize)]
struct Report {
    run: String,
    predictions: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    path: String,
    /// `None` where no class is probable enough, or the picture can't be read.
    class: Option<String>,
    /// Of the most probable class.
    probability: Option<f32>,
    top: Vec<Top>,
    error: Option<String>,
}

#[derive(Serialize)]
struct Top {
    class: String,
    probability: f32,
}

pub(super) fn run(args: &args::Predict, terminal: &Terminal) -> Result<(), Failure> {
    let words = terminal.words;
    let (run, paths) = run_and_rest(&args.paths, terminal)?;
    if paths.is_empty() {
        return Err(Failure::user(words.no_pictures_given()).hint("defrost predict [RUN] FILE|DIR…"));
    }
    let predictor = predictor(&run)?;
    let pictures = data::pictures(paths)?;
    let cancel = interrupt::listen(terminal)?;
    let bars = terminal.bars();
    let progress = Progress::new(&bars, cancel);
    let predictions = predict(&predictor, &pictures, args, progress);
    if progress.cancelled() {
        return Err(Failure::stopped(words.stopped()));
    }
    let reasons: Vec<String> = predictions.iter().filter_map(|line| line.error.clone()).collect();
    let none_readable = reasons.len() == predictions.len();
    let report = Report { run: run.display().to_string(), predictions };
    if terminal.wants_json() {
        terminal.json(&report)?;
    } else if args.csv {
        terminal.data(&csv(&report.predictions, args.top_k)?)?;
    } else if !none_readable {
        terminal.data(text(&report.predictions, terminal).as_bytes())?;
    }
    if let (true, [first, ..]) = (none_readable, reasons.as_slice()) {
        return Err(Failure::user(words.none_readable(reasons.len(), first)));
    }
    if !reasons.is_empty() {
        terminal.warn(words.unreadable(reasons.len()));
    }
    Ok(())
}

fn predict(predictor: &Predictor, pictures: &[PathBuf], args: &args::Predict, progress: Progress<'_>) -> Vec<Line> {
    let limits = Limits::default();
    progress.begin(Phase::Predict, pictures.len() as u64, "predict");
    let lines = pictures
        .par_iter()
        .map(|path| {
            // What is left after Ctrl-C isn't printed, so it needn't be computed.
            let line = (!progress.cancelled()).then(|| predict_one(predictor, path, args, &limits));
            progress.advance(1);
            line
        })
        .flatten()
        .collect();
    progress.end();
    lines
}

fn predict_one(predictor: &Predictor, path: &Path, args: &args::Predict, limits: &Limits) -> Line {
    let shown = path.display().to_string();
    let picture = match image::open(path, limits) {
        Ok(picture) => picture,
        Err(error) => {
            let error = Some(error.to_string());
            return Line { path: shown, class: None, probability: None, top: Vec::new(), error };
        }
    };
    let prediction = predictor.predict(&picture);
    let best = prediction.best();
    let top = prediction.top(args.top_k);
    Line {
        path: shown,
        class: (best.probability >= args.min_probability).then(|| best.class.to_owned()),
        probability: Some(best.probability),
        top: top.iter().map(|of| Top { class: of.class.to_owned(), probability: of.probability }).collect(),
        error: None,
    }
}

/// A row a picture: the path, then the most probable classes. Pictures that can't be read follow, as their reasons are long.
fn text(predictions: &[Line], terminal: &Terminal) -> String {
    let (unreadable, readable): (Vec<&Line>, Vec<&Line>) = predictions.iter().partition(|line| line.error.is_some());
    let rows: Vec<Vec<String>> = readable
        .iter()
        .map(|line| {
            let mut row = vec![line.path.clone()];
            row.extend(line.class.is_none().then(|| terminal.words.unsure()));
            row.extend(line.top.iter().map(|top| format!("{} {} %", top.class, percent(f64::from(top.probability)))));
            row
        })
        .collect();
    let errors = unreadable.iter().filter_map(|line| line.error.as_ref()).map(|error| format!("{error}\n"));
    columns(&rows) + &errors.collect::<String>()
}

/// Columns `path`, `class`, `probability`, `error`, then `class_1`, `probability_1`, … for the most probable classes.
fn csv(predictions: &[Line], top_k: usize) -> Result<Vec<u8>, Failure> {
    let shown = predictions.iter().map(|line| line.top.len()).max().unwrap_or(0).min(top_k);
    let mut heading = ["path", "class", "probability", "error"].map(str::to_owned).to_vec();
    heading.extend((1..=shown).flat_map(|rank| [format!("class_{rank}"), format!("probability_{rank}")]));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&heading)?;
    for line in predictions {
        let probability = line.probability.map(|probability| probability.to_string());
        let fixed = [Some(&line.path), line.class.as_ref(), probability.as_ref(), line.error.as_ref()];
        let mut row: Vec<String> = fixed.into_iter().map(|cell| cell.cloned().unwrap_or_default()).collect();
        row.extend(line.top.iter().flat_map(|top| [top.class.clone(), top.probability.to_string()]));
        row.resize(heading.len(), String::new());
        writer.write_record(&row)?;
    }
    writer.into_inner().map_err(|error| Failure::system(error.into_error()))
}
