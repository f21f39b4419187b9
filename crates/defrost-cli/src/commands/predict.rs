//! `defrost predict`: what is on pictures.
//!
//! Pictures are predicted some at a time, and what is said of them is written before the next ones: thousands take no more memory
//! than a few.

mod sources;
mod writer;

use std::path::PathBuf;

use defrost::image::{self, ImageError, Limits, Picture};
use defrost::predict::Predictor;
use defrost::progress::{Phase, Progress};
use rayon::prelude::*;
use serde::Serialize;

use self::writer::Writer;
use super::{predictor, run_and_rest};
use crate::args;
use crate::failure::Failure;
use crate::interrupt;
use crate::terminal::Terminal;

/// Pictures for each thread at a time: at the end of each lot threads wait for the slowest.
const LOT: usize = 32;

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
    /// `None` where no class is probable enough, the picture is unlike all others, or it can't be read.
    pub(super) class: Option<String>,
    /// Of the most probable class.
    pub(super) probability: Option<f32>,
    pub(super) top: Vec<Top>,
    /// Whether it is unlike all training pictures; `None` where the classifier can't tell, or it can't be read.
    pub(super) unlike: Option<bool>,
    pub(super) error: Option<String>,
}

/// A class with its probability.
#[derive(Serialize)]
pub(super) struct Top {
    pub(super) class: String,
    pub(super) probability: f32,
}

/// How much is said of a picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) top_k: usize,
    pub(super) min_probability: f32,
    /// Whether no class is named for pictures unlike all training pictures.
    pub(super) reject_unlike: bool,
}

impl Line {
    /// Predicts what is on the picture that was read from `path`, or says why it can't be read.
    pub(super) fn of(predictor: &Predictor, path: String, picture: Result<Picture, ImageError>, asked: Asked) -> Line {
        let picture = match picture {
            Ok(picture) => picture,
            Err(error) => {
                let error = Some(error.to_string());
                return Line { path, class: None, probability: None, top: Vec::new(), unlike: None, error };
            }
        };
        let prediction = predictor.predict(&picture);
        let best = prediction.best();
        let top = prediction.top(asked.top_k);
        let rejected = asked.reject_unlike && prediction.unlike == Some(true);
        Line {
            path,
            class: (best.probability >= asked.min_probability && !rejected).then(|| best.class.to_owned()),
            probability: Some(best.probability),
            top: top.iter().map(|of| Top { class: of.class.to_owned(), probability: of.probability }).collect(),
            unlike: prediction.unlike,
            error: None,
        }
    }
}

/// What was said.
#[derive(Default)]
struct Tally {
    unlike: usize,
    unreadable: usize,
    /// Of the first picture that can't be read.
    reason: Option<String>,
}

pub(super) fn run(args: &args::Predict, terminal: &Terminal) -> Result<(), Failure> {
    let words = terminal.words;
    let (run, paths) = run_and_rest(&args.paths, terminal)?;
    if paths.is_empty() {
        return Err(Failure::user(words.no_pictures_given()).hint("defrost predict [RUN] FILE|DIR…"));
    }
    let predictor = predictor(&run)?;
    let pictures = sources::pictures(paths, terminal)?;
    if pictures.is_empty() {
        return Err(Failure::user(words.no_pictures_given()));
    }
    let tally = predict(&predictor, &run.display().to_string(), &pictures, args, terminal)?;
    if let (true, Some(reason)) = (tally.unreadable == pictures.len(), &tally.reason) {
        return Err(Failure::user(words.none_readable(pictures.len(), reason)));
    }
    if tally.unreadable > 0 {
        terminal.warn(words.unreadable(tally.unreadable));
    }
    if tally.unlike > 0 {
        terminal.warn(words.some_unlike(tally.unlike, pictures.len()));
    }
    Ok(())
}

/// Predicts lot by lot, and writes each as soon as it is done.
fn predict(
    predictor: &Predictor,
    run: &str,
    pictures: &[PathBuf],
    args: &args::Predict,
    terminal: &Terminal,
) -> Result<Tally, Failure> {
    let limits = Limits::default();
    let asked = Asked { top_k: args.top_k, min_probability: args.min_probability, reject_unlike: args.reject_unlike };
    let cancel = interrupt::listen(terminal)?;
    let bars = terminal.bars();
    let progress = Progress::new(&bars, cancel);
    let mut writer = Writer::new(args, terminal, &bars, predictor.classes(), pictures);
    let mut tally = Tally::default();
    progress.begin(Phase::Predict, pictures.len() as u64, "predict");
    writer.begin(run)?;
    let lot = LOT * rayon::current_num_threads();
    for (number, paths) in pictures.chunks(lot).enumerate() {
        let lines: Option<Vec<Line>> = paths
            .par_iter()
            .map(|path| {
                let read = || image::open(path, &limits);
                let line =
                    (!progress.cancelled()).then(|| Line::of(predictor, path.display().to_string(), read(), asked));
                progress.advance(1);
                line
            })
            .collect();
        let Some(lines) = lines else {
            progress.end();
            return Err(Failure::stopped(terminal.words.stopped()));
        };
        for line in &lines {
            tally.unlike += usize::from(line.unlike == Some(true));
            tally.unreadable += usize::from(line.error.is_some());
            if tally.reason.is_none() {
                tally.reason.clone_from(&line.error);
            }
        }
        // Where nothing at all can be read, the failure says why; a table would say it again.
        let last = (number + 1) * lot >= pictures.len();
        if !(args.shows_table(terminal) && last && tally.unreadable == pictures.len()) {
            writer.write(&lines)?;
        }
    }
    progress.end();
    writer.end()?;
    Ok(tally)
}

impl args::Predict {
    fn shows_table(&self, terminal: &Terminal) -> bool {
        !self.csv && !terminal.wants_json()
    }
}
