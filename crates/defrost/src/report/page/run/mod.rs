//! The page of a run: how good the classifier is, where it errs and why, how it was trained, and how to repeat it.

mod classes;
mod data;
mod mistakes;
mod reliability;
mod sentences;
mod stages;
mod summary;
#[cfg(test)]
mod tests;
mod words;

use serde::Serialize;

use self::classes::{ClassRow, Matrix, Pair};
use self::data::{FindingRow, Skipped};
use self::mistakes::Card;
use self::reliability::ReliabilityChart;
use self::stages::StageCard;
use self::summary::{Accuracy, Fact, Takeaway};
use self::words::{Words, words};
use super::counts::{CountRow, count_rows};
use super::{PageError, render};
use crate::artefact::Origin;
use crate::calibrate::Calibration;
use crate::data::ClassCount;
use crate::doctor::Diagnosis;
use crate::evaluate::Evaluation;
use crate::explain::{ActivationMap, evidence_colour};
use crate::image::Picture;
use crate::report::{Lang, curves, narrow_curves};
use crate::train::History;

/// All that the page of a run shows.
#[derive(Debug)]
pub struct RunReport<'a> {
    /// Of the run's folder.
    pub name: String,
    /// Where the data lie.
    pub data: String,
    /// The backbone's id.
    pub backbone: &'a str,
    /// The classes' names.
    pub classes: &'a [String],
    /// Readable training pictures.
    pub train_samples: usize,
    /// Views of each of them.
    pub views: u32,
    /// Of the training.
    pub seconds: f64,
    /// On the validation pictures.
    pub validation: &'a Evaluation,
    /// How its probabilities were calibrated.
    pub calibration: Option<&'a Calibration>,
    /// Where the backbone's weights come from.
    pub origin: Option<&'a Origin>,
    /// On the test pictures: accuracy and its interval.
    pub test: Option<(f64, (f64, f64))>,
    /// Every epoch.
    pub history: &'a History,
    /// In order.
    pub stages: Vec<StageReport>,
    /// Pictures by class and side.
    pub counts: Vec<ClassCount>,
    /// Pictures that could not be used: path and reason.
    pub skipped: Vec<(String, String)>,
    /// What the data said before the training.
    pub warnings: Vec<String>,
    /// What is wrong with the data, where it was asked for.
    pub diagnosis: Option<&'a Diagnosis>,
    /// The validation pictures that it gets wrong, the surest first.
    pub mistakes: Vec<Mistake>,
    /// The resolved recipe as TOML.
    pub recipe: String,
    /// The command that repeats the run.
    pub command: String,
    /// BLAKE3 of the resolved recipe.
    pub recipe_hash: &'a str,
    /// BLAKE3 over all tensors.
    pub weights_hash: &'a str,
}

/// One stage as it was run.
#[derive(Debug)]
pub struct StageReport {
    /// `feature_extraction`, …
    pub name: String,
    /// As a recipe writes it.
    pub cut: String,
    /// The first layer of the backbone that trains.
    pub first_layer: Option<String>,
    /// The schedule as a recipe writes it.
    pub learning_rate: String,
    /// `adam`, …
    pub optimizer: &'static str,
    /// That were run.
    pub epochs: usize,
    /// Of its epochs.
    pub seconds: f64,
    /// After its last epoch.
    pub val_accuracy: f64,
    /// Of the backbone.
    pub layers: usize,
    /// Of them, those from the cut on.
    pub trainable_layers: usize,
    /// Elements that an optimizer may change, head included.
    pub trainable_parameters: usize,
    /// Elements of all tensors.
    pub parameters: usize,
    /// Tensors that had to stay as they were.
    pub frozen_tensors: usize,
    /// Of them, those that did, by their hashes.
    pub unchanged: usize,
    /// Whether the validation loss was still falling at the end.
    pub still_improving: bool,
}

/// A validation picture that the classifier gets wrong.
#[derive(Debug)]
pub struct Mistake {
    /// As in `split.csv`.
    pub path: String,
    /// Its class's number.
    pub truth: usize,
    /// What the classifier says.
    pub predicted: usize,
    /// How sure it says that, 0–1.
    pub probability: f32,
    /// The picture, where it is still there.
    pub picture: Option<Picture>,
    /// Where the evidence lies, for what it says and for what it is.
    pub maps: Vec<ActivationMap>,
}

/// Mistakes that are seen at once.
const FIRST_CARDS: usize = 8;

#[derive(Serialize)]
struct Page<'a> {
    lang: &'static str,
    words: &'static Words,
    ramp: String,
    name: &'a str,
    contents: Vec<Entry>,
    sentence: String,
    built_on: String,
    accuracy: Accuracy,
    facts: Vec<Fact>,
    takeaways: Vec<Takeaway>,
    curves: Curves,
    matrix: Option<Matrix<'a>>,
    pairs: Vec<Pair>,
    classes: Vec<ClassRow<'a>>,
    reliability: ReliabilityChart,
    mistakes: Vec<Card<'a>>,
    /// Cards that follow on demand.
    more_mistakes: Vec<Card<'a>>,
    more_title: String,
    mistakes_lead: String,
    /// Whether any card shows a map.
    evidence: bool,
    data_lead: String,
    has_test: bool,
    counts: Vec<CountRow<'a>>,
    warnings: &'a [String],
    skipped: Option<Skipped>,
    findings: Vec<FindingRow>,
    doctor: Option<String>,
    stages: Vec<StageCard>,
    command: &'a str,
    hashes: Vec<Hash<'a>>,
    recipe: &'a str,
    foot: String,
}

#[derive(Serialize)]
struct Entry {
    id: &'static str,
    name: &'static str,
}

#[derive(Serialize)]
struct Curves {
    wide: String,
    narrow: String,
}

#[derive(Serialize)]
struct Hash<'a> {
    name: &'static str,
    value: &'a str,
}

/// The page of a run, in `lang`.
///
/// # Errors
/// Where a template is wrong, which its tests rule out.
pub fn run_page(report: &RunReport<'_>, lang: Lang) -> Result<String, PageError> {
    let words = words(lang);
    let metrics = report.validation.per_class();
    let confusions = classes::confusions(report);
    let mut mistakes = mistakes::cards(report, lang);
    let shown = mistakes.len();
    let evidence = mistakes.iter().any(Card::has_evidence);
    let more_mistakes = mistakes.split_off(shown.min(FIRST_CARDS));
    let matrix = &report.validation.confusion;
    let (right, all) = (matrix.correct(), matrix.samples());
    let hash = |name, value| Hash { name, value };
    let page = Page {
        lang: lang.code(),
        words,
        ramp: ramp(),
        name: &report.name,
        contents: contents(words),
        sentence: lang.run_sentence(right, all),
        built_on: lang.built_on(report.backbone, report.train_samples, report.classes.len(), report.seconds),
        accuracy: summary::accuracy(report, lang),
        facts: summary::facts(report, &metrics, &confusions, lang),
        takeaways: summary::takeaways(report, &metrics, lang),
        curves: Curves {
            wide: inline(curves(report.history, lang)),
            narrow: inline(narrow_curves(report.history, lang)),
        },
        matrix: classes::matrix(report),
        pairs: classes::pairs(report, &confusions),
        classes: classes::class_rows(report, &metrics, &confusions),
        reliability: reliability::reliability(report, lang),
        mistakes_lead: lang.mistakes_lead(shown, all - right),
        evidence,
        more_title: lang.more_mistakes(more_mistakes.len()),
        mistakes,
        more_mistakes,
        data_lead: lang.data_lead(&report.data, report.train_samples, report.views),
        has_test: report.counts.iter().any(|count| count.test > 0),
        counts: count_rows(&report.counts),
        warnings: &report.warnings,
        skipped: data::skipped(report, lang),
        findings: report.diagnosis.map(|diagnosis| data::findings(diagnosis, lang)).unwrap_or_default(),
        doctor: match report.diagnosis {
            None => Some(lang.ask_doctor(&report.data)),
            Some(diagnosis) => diagnosis.findings.is_empty().then(|| words.healthy.to_owned()),
        },
        stages: report.stages.iter().map(|stage| stages::stage_card(stage, lang)).collect(),
        command: &report.command,
        hashes: vec![hash(words.weights_hash, report.weights_hash), hash(words.recipe_hash, report.recipe_hash)],
        recipe: &report.recipe,
        foot: lang.foot(report.backbone, report.origin),
    };
    render("run.html", page)
}

/// `92.0`
fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

fn contents(words: &Words) -> Vec<Entry> {
    let entry = |id, name| Entry { id, name };
    vec![
        entry("summary", words.summary),
        entry("curves", words.curves),
        entry("confusion", words.confusion),
        entry("classes", words.classes),
        entry("reliability", words.reliability),
        entry("mistakes", words.mistakes),
        entry("data", words.data),
        entry("stages", words.stages),
        entry("repeat", words.repeat),
    ]
}

/// The colours of evidence as the stops of a gradient.
fn ramp() -> String {
    let stops = (0..=8).map(|step| {
        let [red, green, blue] = evidence_colour(step as f32 / 8.0);
        format!("rgb({red} {green} {blue})")
    });
    stops.collect::<Vec<_>>().join(", ")
}

/// An SVG as a part of a page, which knows its namespace.
fn inline(svg: String) -> String {
    svg.replacen(" xmlns=\"http://www.w3.org/2000/svg\"", "", 1)
}
