//! `defrost predict`: what is on pictures.
//!
//! Pictures are predicted some at a time, and what is said of them is written before the next ones: thousands take no more memory
//! than a few.

mod reasons;
mod sources;
mod writer;

use std::path::{Path, PathBuf};

use defrost::fs::FsError;
use defrost::image::{self, ImageError, Picture};
use defrost::predict::{Prediction, Predictor};
use defrost::progress::{Phase, Progress};
use rayon::prelude::*;
use serde::Serialize;

use self::reasons::Reasons;
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
    /// The picture of what it rests on, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) explanation: Option<String>,
    /// The training pictures that are most like it, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) nearest: Option<Vec<Near>>,
}

/// A training picture that is like another one.
#[derive(Serialize)]
pub(super) struct Near {
    pub(super) path: String,
    pub(super) class: String,
    /// Cosine of the angle between the features.
    pub(super) similarity: f32,
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
        match picture {
            Ok(picture) => Line::said(path, &predictor.predict(&picture), asked),
            Err(error) => Line::unreadable(path, &error),
        }
    }

    /// What is said by a prediction.
    fn said(path: String, prediction: &Prediction<'_>, asked: Asked) -> Line {
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
            explanation: None,
            nearest: None,
        }
    }

    fn unreadable(path: String, error: &ImageError) -> Line {
        let error = Some(error.to_string());
        let (class, probability, unlike, explanation, nearest) = Default::default();
        Line { path, class, probability, top: Vec::new(), unlike, error, explanation, nearest }
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
    let reasons = Reasons::prepare(args, &run, &predictor, terminal)?;
    let question = Question { predictor: &predictor, reasons: &reasons, run: &run, pictures: &pictures };
    let tally = predict(question, args, terminal)?;
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

/// Who is asked about which pictures.
#[derive(Clone, Copy)]
struct Question<'a> {
    predictor: &'a Predictor,
    reasons: &'a Reasons,
    run: &'a Path,
    pictures: &'a [PathBuf],
}

/// Predicts lot by lot, and writes each as soon as it is done.
fn predict(question: Question<'_>, args: &args::Predict, terminal: &Terminal) -> Result<Tally, Failure> {
    let Question { predictor, reasons, run, pictures } = question;
    let limits = predictor.limits();
    let asked = Asked { top_k: args.top_k, min_probability: args.min_probability, reject_unlike: args.reject_unlike };
    let cancel = interrupt::listen(terminal)?;
    let bars = terminal.bars();
    let progress = Progress::new(&bars, cancel);
    let mut writer = Writer::new(args, terminal, &bars, predictor.classes(), pictures);
    let mut tally = Tally::default();
    progress.begin(Phase::Predict, pictures.len() as u64, "predict");
    writer.begin(&run.display().to_string())?;
    let lot = LOT * rayon::current_num_threads();
    for (number, paths) in pictures.chunks(lot).enumerate() {
        let answer = |path: &PathBuf| {
            let shown = path.display().to_string();
            let picture = match image::open(path, &limits) {
                Ok(picture) => picture,
                Err(error) => return Ok(Line::unreadable(shown, &error)),
            };
            let prediction = predictor.predict(&picture);
            let mut line = Line::said(shown, &prediction, asked);
            reasons.add(&mut line, path, &picture, &prediction)?;
            Ok(line)
        };
        let lines: Option<Vec<Result<Line, FsError>>> = paths
            .par_iter()
            .map(|path| {
                let line = (!progress.cancelled()).then(|| answer(path));
                progress.advance(1);
                line
            })
            .collect();
        let Some(lines) = lines else {
            progress.end();
            return Err(Failure::stopped(terminal.words.stopped()));
        };
        let lines: Vec<Line> = lines.into_iter().collect::<Result<_, FsError>>()?;
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
