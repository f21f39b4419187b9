//! `defrost evaluate`: a classifier on labelled pictures.

use defrost::data::{self, Dataset};
use defrost::evaluate::Evaluation;
use defrost::progress::Progress;
use defrost::run;
use serde::Serialize;

use super::{predictor, run_and_rest};
use crate::args;
use crate::failure::Failure;
use crate::interrupt;
use crate::terminal::{Terminal, columns, percent, short};

/// With more classes the confusion matrix is too wide to read; `--json` has it.
const MATRIX_CLASSES: usize = 12;

#[derive(Serialize)]
struct Report<'a> {
    run: String,
    data: String,
    samples: usize,
    skipped: usize,
    /// Pictures that the classifier has learned from.
    seen_in_training: usize,
    accuracy: f64,
    accuracy_interval: (f64, f64),
    loss: f64,
    classes: &'a [String],
    /// Rows are the truth, columns the prediction.
    confusion_matrix: Vec<&'a [u64]>,
    per_class: Vec<Class<'a>>,
}

#[derive(Serialize)]
struct Class<'a> {
    class: &'a str,
    precision: f64,
    recall: f64,
    f1: f64,
    support: u64,
}

pub(super) fn run(args: &args::Evaluate, terminal: &Terminal) -> Result<(), Failure> {
    let words = terminal.words;
    let (run, rest) = run_and_rest(&args.paths, terminal)?;
    let [path] = rest else {
        return Err(Failure::user(words.run_and_data(rest.len())).hint("defrost evaluate [RUN] DATA"));
    };
    let predictor = predictor(&run)?;
    let classes = predictor.classes();
    let data = data::open_labelled(path, classes, false)?;
    data.warnings.iter().for_each(|warning| terminal.warn(warning.to_string()));
    let seen = Dataset::trained_contents(&run.join(run::SPLIT))?;
    let seen_in_training = data.test.iter().filter(|sample| seen.contains(&sample.content)).count();
    if seen_in_training > 0 {
        terminal.warn(words.trained_on(seen_in_training, data.test.len()));
    }
    let cancel = interrupt::listen(terminal)?;
    let bars = terminal.bars();
    let progress = Progress::new(&bars, cancel);
    let evaluation =
        Evaluation::of(&predictor, &data.test, progress).ok_or_else(|| Failure::stopped(words.stopped()))?;
    let skipped = data.skipped.len() + evaluation.unreadable.len();
    if skipped > 0 {
        terminal.warn(words.unreadable(skipped));
    }
    data.skipped.iter().for_each(|skipped| terminal.detail(format!("  {}: {}", skipped.path, skipped.reason)));
    evaluation.unreadable.iter().for_each(|(path, reason)| terminal.detail(format!("  {path}: {reason}")));
    if evaluation.outcomes.is_empty() {
        return Err(Failure::user(words.nothing_readable(&short(path))));
    }
    let per_class: Vec<Class<'_>> = classes
        .iter()
        .zip(evaluation.per_class())
        .map(|(class, of)| Class { class, precision: of.precision, recall: of.recall, f1: of.f1, support: of.support })
        .collect();
    let report = Report {
        run: run.display().to_string(),
        data: path.display().to_string(),
        samples: evaluation.outcomes.len(),
        skipped,
        seen_in_training,
        accuracy: evaluation.accuracy(),
        accuracy_interval: evaluation.accuracy_interval(),
        loss: evaluation.loss(),
        classes,
        confusion_matrix: evaluation.confusion.rows().collect(),
        per_class,
    };
    if terminal.wants_json() { terminal.json(&report) } else { terminal.data(text(&report, terminal).as_bytes()) }
}

fn text(report: &Report<'_>, terminal: &Terminal) -> String {
    let words = terminal.words;
    let (low, high) = report.accuracy_interval;
    let accuracy = words.accuracy(&percent(report.accuracy), &percent(low), &percent(high), report.samples);
    let mut classes = vec![words.class_headings().to_vec()];
    classes.extend(report.per_class.iter().map(|class| {
        let shares = [class.precision, class.recall, class.f1].map(|share| format!("{share:.3}"));
        let mut row = vec![class.class.to_owned()];
        row.extend(shares);
        row.push(class.support.to_string());
        row
    }));
    let mut text = format!("{accuracy} · {}\n\n{}", words.loss(report.loss), columns(&classes));
    if report.classes.len() <= MATRIX_CLASSES {
        let mut matrix = vec![vec![words.truth_by_prediction()]];
        matrix[0].extend(report.classes.iter().cloned());
        matrix.extend(report.classes.iter().zip(&report.confusion_matrix).map(|(class, row)| {
            let mut cells = vec![class.clone()];
            cells.extend(row.iter().map(u64::to_string));
            cells
        }));
        text.push('\n');
        text.push_str(&columns(&matrix));
    }
    text
}
