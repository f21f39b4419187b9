//! `defrost predict`: what is on pictures.

use std::path::PathBuf;

use defrost::data;
use defrost::image::{self, ImageError, Limits, Picture};
use defrost::predict::Predictor;
use defrost::progress::{Phase, Progress};
use rayon::prelude::*;
use serde::Serialize;

use super::{predictor, run_and_rest};
use crate::args;
use crate::failure::Failure;
use crate::interrupt;
use crate::terminal::{Terminal, columns, percent};

/// The answer to a question about pictures, here and from the server.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) run: String,
    pub(super) predictions: Vec<Line>,
}

/// What is said of one picture.
#[derive(Serialize)]
pub(super) struct Line {
    pub(super) path: String,
    /// `None` where no class is probable enough, or the picture can't be read.
    pub(super) class: Option<String>,
    /// Of the most probable class.
    pub(super) probability: Option<f32>,
    top: Vec<Top>,
    pub(super) error: Option<String>,
}

#[derive(Serialize)]
struct Top {
    class: String,
    probability: f32,
}

/// How much is said of a picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) top_k: usize,
    pub(super) min_probability: f32,
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
    let asked = Asked { top_k: args.top_k, min_probability: args.min_probability };
    progress.begin(Phase::Predict, pictures.len() as u64, "predict");
    let lines = pictures
        .par_iter()
        .map(|path| {
            // What is left after Ctrl-C isn't printed, so it needn't be computed.
            let read = || image::open(path, &limits);
            let line = (!progress.cancelled()).then(|| Line::of(predictor, path.display().to_string(), read(), asked));
            progress.advance(1);
            line
        })
        .flatten()
        .collect();
    progress.end();
    lines
}

impl Line {
    /// Predicts what is on the picture that was read from `path`, or says why it can't be read.
    pub(super) fn of(predictor: &Predictor, path: String, picture: Result<Picture, ImageError>, asked: Asked) -> Line {
        let picture = match picture {
            Ok(picture) => picture,
            Err(error) => {
                let error = Some(error.to_string());
                return Line { path, class: None, probability: None, top: Vec::new(), error };
            }
        };
        let prediction = predictor.predict(&picture);
        let best = prediction.best();
        let top = prediction.top(asked.top_k);
        Line {
            path,
            class: (best.probability >= asked.min_probability).then(|| best.class.to_owned()),
            probability: Some(best.probability),
            top: top.iter().map(|of| Top { class: of.class.to_owned(), probability: of.probability }).collect(),
            error: None,
        }
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
