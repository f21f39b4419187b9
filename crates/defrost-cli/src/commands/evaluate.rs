//! `defrost evaluate`: a classifier on labelled pictures.

use std::path::Path;

use defrost::data::{self, Dataset};
use defrost::evaluate::{Evaluation, Summary};
use defrost::metrics::MacroAverage;
use defrost::predict::Predictor;
use defrost::progress::Progress;
use defrost::report::InLang;
use defrost::{fs, report, run};
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
    skipped: usize,
    /// Pictures that the classifier has learned from.
    seen_in_training: usize,
    #[serde(flatten)]
    figures: Summary<'a>,
    /// The figures that were drawn.
    out: Vec<String>,
}

pub(super) fn run(args: &args::Evaluate, terminal: &Terminal) -> Result<(), Failure> {
    let words = terminal.words;
    let (run, rest) = run_and_rest(&args.paths, terminal)?;
    let [path] = rest else {
        return Err(Failure::user(words.run_and_data(rest.len())).hint("defrost evaluate [RUN] DATA"));
    };
    let predictor = predictor(&run)?;
    let classes = predictor.classes();
    let Judged { evaluation, skipped, seen_in_training } = judge(&run, &predictor, path, terminal)?;
    let out = args.out.as_ref().map(|folder| draw(folder, &evaluation, classes, terminal)).transpose()?;
    let report = Report {
        run: run.display().to_string(),
        data: path.display().to_string(),
        skipped,
        seen_in_training,
        figures: evaluation.summary(classes),
        out: out.unwrap_or_default(),
    };
    if terminal.wants_json() {
        return terminal.json(&report);
    }
    terminal.data(text(&report.figures, terminal).as_bytes())?;
    report.out.iter().for_each(|path| terminal.say(words.written(path)));
    Ok(())
}

/// What a classifier made of labelled pictures, and what it should be taken with.
pub(super) struct Judged {
    pub(super) evaluation: Evaluation,
    pub(super) skipped: usize,
    pub(super) seen_in_training: usize,
}

/// Evaluates on the pictures at `path`, with the warnings that belong to it.
pub(super) fn judge(run: &Path, predictor: &Predictor, path: &Path, terminal: &Terminal) -> Result<Judged, Failure> {
    let words = terminal.words;
    let data = data::open_labelled(path, predictor.classes(), false)?;
    data.warnings.iter().for_each(|warning| terminal.warn(warning.in_lang(terminal.words.0)));
    let seen = Dataset::trained_contents(&run.join(run::SPLIT))?;
    let seen_in_training = data.test.iter().filter(|sample| seen.contains(&sample.content)).count();
    if seen_in_training > 0 {
        terminal.warn(words.trained_on(seen_in_training, data.test.len()));
    }
    let cancel = interrupt::listen(terminal)?;
    let bars = terminal.bars();
    let progress = Progress::new(&bars, cancel);
    let evaluation =
        Evaluation::of(predictor, &data.test, progress).ok_or_else(|| Failure::stopped(words.stopped()))?;
    let skipped = data.skipped.len() + evaluation.unreadable.len();
    if skipped > 0 {
        terminal.warn(words.unreadable(skipped));
    }
    data.skipped.iter().for_each(|skipped| terminal.detail(format!("  {}: {}", skipped.path, skipped.reason)));
    evaluation.unreadable.iter().for_each(|(path, reason)| terminal.detail(format!("  {path}: {reason}")));
    if evaluation.outcomes.is_empty() {
        return Err(Failure::user(words.nothing_readable(&short(path))));
    }
    Ok(Judged { evaluation, skipped, seen_in_training })
}

/// Draws the confusion matrix and the reliability into `folder`, each as SVG and PNG.
fn draw(
    folder: &Path,
    evaluation: &Evaluation,
    classes: &[String],
    terminal: &Terminal,
) -> Result<Vec<String>, Failure> {
    let lang = terminal.words.0;
    let (before, after) = evaluation.reliability();
    let figures = [
        ("confusion", report::confusion(&evaluation.confusion, classes, lang)),
        ("reliability", report::reliability(&before, &after, lang)),
    ];
    let mut written = Vec::new();
    for (name, svg) in figures {
        let (drawing, picture) = (folder.join(format!("{name}.svg")), folder.join(format!("{name}.png")));
        fs::write_atomic(&drawing, svg.as_bytes())?;
        fs::write_atomic(&picture, &report::to_png(&svg, PNG_SCALE)?)?;
        written.extend([drawing, picture].map(|path| path.display().to_string()));
    }
    Ok(written)
}

/// Pixels of a figure's picture for each of its units.
const PNG_SCALE: f32 = 2.0;

/// What the terminal shows of an evaluation.
fn text(figures: &Summary<'_>, terminal: &Terminal) -> String {
    let words = terminal.words;
    let (low, high) = figures.accuracy_interval;
    let accuracy = words.accuracy(&percent(figures.accuracy), &percent(low), &percent(high), figures.samples);
    let calibration = &figures.calibration;
    let mut text = format!("{accuracy} · {}\n", words.loss(figures.loss));
    let mut second = vec![words.balanced_accuracy(&percent(figures.balanced_accuracy))];
    second.extend(figures.top_k.iter().map(|top| words.top_k(top.k, &percent(top.accuracy))));
    text.push_str(&format!("{}\n", second.join(" · ")));
    text.push_str(&words.calibration(
        calibration.temperature,
        (calibration.before.ece, calibration.before.loss),
        (calibration.after.ece, calibration.after.loss),
    ));
    text.push_str("\n\n");
    let mut classes = vec![words.class_headings().to_vec()];
    let row = |name: String, [precision, recall, f1]: [f64; 3], pictures: u64| {
        let shares = [precision, recall, f1].map(|share| format!("{share:.3}"));
        [vec![name], shares.to_vec(), vec![pictures.to_string()]].concat()
    };
    classes.extend(
        figures.per_class.iter().map(|of| row(of.class.to_owned(), [of.precision, of.recall, of.f1], of.support)),
    );
    let MacroAverage { precision, recall, f1 } = figures.macro_average;
    classes.push(row(words.macro_average(), [precision, recall, f1], figures.samples as u64));
    text.push_str(&columns(&classes));
    if figures.classes.len() <= MATRIX_CLASSES {
        let mut matrix = vec![vec![words.truth_by_prediction()]];
        matrix[0].extend(figures.classes.iter().cloned());
        matrix.extend(figures.classes.iter().zip(&figures.confusion_matrix).map(|(class, row)| {
            let mut cells = vec![class.clone()];
            cells.extend(row.iter().map(u64::to_string));
            cells
        }));
        text.push('\n');
        text.push_str(&columns(&matrix));
    }
    text
}
