//! The page of a run: how good the classifier is, where it errs and why, how it was trained, and how to repeat it.

use rayon::prelude::*;
use serde::Serialize;

use super::run_words::{Words, words};
use super::thumbnail::{SIDE, encoded};
use super::{PageError, escaped, render};
use crate::data::ClassCount;
use crate::doctor::{Diagnosis, Kind, Severity};
use crate::evaluate::Evaluation;
use crate::explain::{ActivationMap, evidence_colour, overlay};
use crate::graph::human_count;
use crate::image::{Picture, shrink};
use crate::metrics::ClassMetrics;
use crate::report::{FindingWords, Lang, curves, narrow_curves};
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

/// Classes of the largest confusion matrix that is drawn.
const MATRIX_CLASSES: usize = 30;
/// Above so many, the matrix gets narrow columns.
const ROOMY_CLASSES: usize = 8;
/// Confusions that are listed.
const PAIRS: usize = 6;
/// Mistakes that are seen at once.
const FIRST_CARDS: usize = 8;
/// Bytes of all pictures together: the page stays below 2 MB.
const PICTURE_BYTES: usize = 1_250_000;
/// Lines of a list of pictures.
const LINES: usize = 100;
/// The bar of the largest class, in `rem`.
const WIDEST: f64 = 8.0;
/// The share of training pictures above the share of validation pictures from which memorising is said.
const MEMORISED: f32 = 0.05;
/// The half-width of an interval from which it is said.
const WIDE_INTERVAL: f64 = 0.04;

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
    reliability: Option<Reliability>,
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
struct Accuracy {
    share: String,
    low: String,
    width: String,
    caption: String,
}

#[derive(Serialize)]
struct Fact {
    name: &'static str,
    value: String,
    more: String,
}

#[derive(Serialize)]
struct Takeaway {
    tone: &'static str,
    text: String,
}

#[derive(Serialize)]
struct Curves {
    wide: String,
    narrow: String,
}

#[derive(Serialize)]
struct Matrix<'a> {
    classes: &'a [String],
    many: bool,
    rows: Vec<MatrixRow<'a>>,
}

#[derive(Serialize)]
struct MatrixRow<'a> {
    class: &'a str,
    cells: Vec<Cell>,
}

#[derive(Serialize)]
struct Cell {
    kind: String,
    count: u64,
    share: String,
}

#[derive(Serialize)]
struct Pair {
    count: u64,
    text: String,
}

#[derive(Serialize)]
struct ClassRow<'a> {
    name: &'a str,
    precision: String,
    recall: String,
    f1: String,
    support: u64,
    taken_for: String,
}

#[derive(Serialize)]
struct Reliability {
    caption: String,
    curves: Vec<Curve>,
}

#[derive(Serialize)]
struct Curve {
    kind: &'static str,
    caption: String,
    path: String,
    points: Vec<Point>,
}

#[derive(Serialize)]
struct Point {
    x: String,
    y: String,
    radius: String,
    title: String,
}

#[derive(Serialize)]
struct Card<'a> {
    path: &'a str,
    /// HTML: the names in it are escaped.
    sentence: String,
    alt: String,
    views: Vec<View>,
}

#[derive(Serialize)]
struct View {
    jpeg: String,
    alt: String,
    width: usize,
    height: usize,
}

#[derive(Serialize)]
struct CountRow<'a> {
    name: &'a str,
    train: usize,
    validation: usize,
    test: usize,
    share: String,
}

#[derive(Serialize)]
struct Skipped {
    title: String,
    lines: Vec<String>,
}

#[derive(Serialize)]
struct FindingRow {
    name: &'static str,
    severity: &'static str,
    count: usize,
    meaning: &'static str,
    lines: Vec<String>,
}

#[derive(Serialize)]
struct StageCard {
    name: String,
    lines: Vec<Line>,
    frozen_share: String,
    thawed_share: String,
    strip: String,
}

#[derive(Serialize)]
struct Line {
    name: &'static str,
    value: String,
    tone: &'static str,
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
    let pairs = confusions(report);
    let mut mistakes = cards(report, lang);
    let shown = mistakes.len();
    let evidence = mistakes.iter().any(|card| card.views.len() > 1);
    let more_mistakes = mistakes.split_off(shown.min(FIRST_CARDS));
    let hash = |name, value| Hash { name, value };
    let page = Page {
        lang: lang.code(),
        words,
        ramp: ramp(),
        name: &report.name,
        contents: contents(words),
        sentence: lang.run_sentence(report.validation.confusion.correct(), report.validation.confusion.samples()),
        built_on: lang.built_on(report.backbone, report.train_samples, report.classes.len(), report.seconds),
        accuracy: accuracy(report, lang),
        facts: facts(report, &metrics, &pairs, lang),
        takeaways: takeaways(report, &metrics, lang),
        curves: Curves {
            wide: inline(curves(report.history, lang)),
            narrow: inline(narrow_curves(report.history, lang)),
        },
        matrix: matrix(report),
        pairs: pairs
            .iter()
            .take(PAIRS)
            .map(|&(count, truth, said)| Pair { count, text: arrow(report.classes, truth, said) })
            .collect(),
        classes: class_rows(report, &metrics, &pairs),
        reliability: None,
        mistakes_lead: lang.mistakes_lead(shown, wrong(report.validation)),
        evidence,
        more_title: lang.more_mistakes(more_mistakes.len()),
        mistakes,
        more_mistakes,
        data_lead: lang.data_lead(&report.data, report.train_samples, report.views),
        has_test: report.counts.iter().any(|count| count.test > 0),
        counts: count_rows(&report.counts),
        warnings: &report.warnings,
        skipped: skipped(report, lang),
        findings: report.diagnosis.map(|diagnosis| findings(diagnosis, lang)).unwrap_or_default(),
        doctor: match report.diagnosis {
            None => Some(lang.ask_doctor(&report.data)),
            Some(diagnosis) => diagnosis.findings.is_empty().then(|| words.healthy.to_owned()),
        },
        stages: report.stages.iter().map(|stage| stage_card(stage, lang)).collect(),
        command: &report.command,
        hashes: vec![hash(words.weights_hash, report.weights_hash), hash(words.recipe_hash, report.recipe_hash)],
        recipe: &report.recipe,
        foot: format!("defrost {}", env!("CARGO_PKG_VERSION")),
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

fn accuracy(report: &RunReport<'_>, lang: Lang) -> Accuracy {
    let (low, high) = report.validation.accuracy_interval();
    Accuracy {
        share: percent(report.validation.accuracy()),
        low: percent(low),
        width: percent(high - low),
        caption: lang.interval_caption(&percent(low), &percent(high)),
    }
}

fn wrong(evaluation: &Evaluation) -> u64 {
    evaluation.confusion.samples() - evaluation.confusion.correct()
}

/// `roses → tulips`
fn arrow(classes: &[String], truth: usize, said: usize) -> String {
    format!("{} → {}", classes[truth], classes[said])
}

/// Count, truth and prediction of what was confused, the most frequent first.
fn confusions(report: &RunReport<'_>) -> Vec<(u64, usize, usize)> {
    let matrix = &report.validation.confusion;
    let cells = matrix.rows().enumerate().flat_map(|(truth, row)| {
        row.iter()
            .enumerate()
            .map(move |(said, &count)| (count, truth, said))
            .filter(move |cell| cell.0 > 0 && cell.2 != truth)
    });
    let mut cells: Vec<(u64, usize, usize)> = cells.collect();
    cells.sort_by_key(|&(count, truth, said)| (std::cmp::Reverse(count), truth, said));
    cells
}

/// The class of which the smallest share is found, the first of equals.
fn weakest(metrics: &[ClassMetrics]) -> Option<(usize, &ClassMetrics)> {
    let known = metrics.iter().enumerate().filter(|(_, class)| class.support > 0);
    known.min_by(|(_, a), (_, b)| a.recall.total_cmp(&b.recall))
}

fn facts(report: &RunReport<'_>, metrics: &[ClassMetrics], pairs: &[(u64, usize, usize)], lang: Lang) -> Vec<Fact> {
    let words = words(lang);
    let mut facts = Vec::new();
    if let Some((accuracy, (low, high))) = report.test {
        let more = lang.interval_caption(&percent(low), &percent(high));
        facts.push(Fact { name: words.test_accuracy, value: format!("{} %", percent(accuracy)), more });
    }
    if let Some((class, of)) = weakest(metrics) {
        let more = lang.found(of.recall, of.support);
        facts.push(Fact { name: words.weakest, value: report.classes[class].clone(), more });
    }
    let (value, more) = match pairs.first() {
        Some(&(count, truth, said)) => (arrow(report.classes, truth, said), lang.times(count)),
        None => ("–".to_owned(), words.none_confused.to_owned()),
    };
    facts.push(Fact { name: words.most_confused, value, more });
    facts.push(Fact {
        name: words.loss,
        value: format!("{:.3}", report.validation.loss()),
        more: words.loss_more.to_owned(),
    });
    let epochs: usize = report.stages.iter().map(|stage| stage.epochs).sum();
    facts.push(Fact {
        name: words.training_time,
        value: lang.duration(report.seconds),
        more: lang.epochs_in_stages(epochs, report.stages.len()),
    });
    facts
}

/// What a reader should know, in sentences: what may be wrong first.
fn takeaways(report: &RunReport<'_>, metrics: &[ClassMetrics], lang: Lang) -> Vec<Takeaway> {
    let mut said = Vec::new();
    let mut say = |tone, text| said.push(Takeaway { tone, text });
    let changed: usize = report.stages.iter().map(|stage| stage.frozen_tensors - stage.unchanged).sum();
    if changed > 0 {
        say("fault", lang.frozen_changed(changed));
    }
    if !report.skipped.is_empty() {
        say("doubt", lang.skipped(report.skipped.len()));
    }
    if let Some((class, of)) = weakest(metrics).filter(|(_, of)| of.recall < report.validation.accuracy() - 0.1) {
        say("doubt", lang.weak_class(&report.classes[class], of.recall));
    }
    let (low, high) = report.validation.accuracy_interval();
    if high - low > 2.0 * WIDE_INTERVAL {
        say("note", lang.wide_interval(report.validation.confusion.samples(), (high - low) / 2.0));
    }
    if let Some(last) = report.history.last().filter(|last| last.accuracy - last.val_accuracy > MEMORISED) {
        say("note", lang.memorised(f64::from(last.accuracy), f64::from(last.val_accuracy)));
    }
    if report.stages.last().is_some_and(|stage| stage.still_improving) {
        say("note", lang.still_improving());
    }
    let frozen: usize = report.stages.iter().map(|stage| stage.frozen_tensors).max().unwrap_or(0);
    if changed == 0 && frozen > 0 {
        say("good", lang.frozen_held());
    }
    said
}

fn matrix<'a>(report: &RunReport<'a>) -> Option<Matrix<'a>> {
    if report.classes.len() > MATRIX_CLASSES {
        return None;
    }
    let rows = report.classes.iter().zip(report.validation.confusion.rows()).enumerate();
    let rows = rows.map(|(truth, (class, row))| {
        let total = row.iter().sum::<u64>().max(1) as f64;
        let cells = row.iter().enumerate().map(|(said, &count)| {
            let share = count as f64 / total;
            let right = if truth == said { "right" } else { "wrong" };
            let kind = match count {
                0 => "none".to_owned(),
                _ if share > 0.5 => format!("{right} strong"),
                _ => right.to_owned(),
            };
            Cell { kind, count, share: format!("{share:.3}") }
        });
        MatrixRow { class, cells: cells.collect() }
    });
    Some(Matrix { classes: report.classes, many: report.classes.len() > ROOMY_CLASSES, rows: rows.collect() })
}

fn class_rows<'a>(
    report: &RunReport<'a>,
    metrics: &[ClassMetrics],
    pairs: &[(u64, usize, usize)],
) -> Vec<ClassRow<'a>> {
    let taken_for = |class: usize| {
        let own = pairs.iter().filter(|pair| pair.1 == class).take(3);
        own.map(|&(count, _, said)| format!("{} {count}", report.classes[said])).collect::<Vec<_>>().join(", ")
    };
    let rows = report.classes.iter().zip(metrics).enumerate();
    rows.map(|(class, (name, of))| ClassRow {
        name,
        precision: percent(of.precision),
        recall: percent(of.recall),
        f1: percent(of.f1),
        support: of.support,
        taken_for: taken_for(class),
    })
    .collect()
}

fn cards<'a>(report: &'a RunReport<'_>, lang: Lang) -> Vec<Card<'a>> {
    let shown: Vec<Vec<View>> =
        report.mistakes.par_iter().map(|mistake| views(mistake, report.classes, lang)).collect();
    let mut room = PICTURE_BYTES;
    let fits = |views: &Vec<View>| {
        let bytes: usize = views.iter().map(|view| view.jpeg.len()).sum();
        let fits = bytes <= room;
        room = room.saturating_sub(bytes);
        fits
    };
    let shown = shown.into_iter().take_while(fits);
    let cards = report.mistakes.iter().zip(shown).map(|(mistake, views)| {
        let [truth, said] = [mistake.truth, mistake.predicted].map(|class| report.classes[class].as_str());
        Card {
            path: &mistake.path,
            sentence: lang.mistake(&escaped(said), &percent(f64::from(mistake.probability)), &escaped(truth)),
            alt: lang.open_mistake(said, truth),
            views,
        }
    });
    cards.collect()
}

fn views(mistake: &Mistake, classes: &[String], lang: Lang) -> Vec<View> {
    let Some(picture) = &mistake.picture else { return Vec::new() };
    let picture = shrink(picture, SIDE);
    let view = |picture: &Picture, alt: String| View {
        jpeg: encoded(picture),
        alt,
        width: picture.width(),
        height: picture.height(),
    };
    let plain = view(&picture, lang.picture_of(&classes[mistake.truth]));
    let maps = mistake.maps.iter().map(|map| view(&overlay(&picture, map), lang.evidence_for(&classes[map.class])));
    std::iter::once(plain).chain(maps).collect()
}

fn count_rows(counts: &[ClassCount]) -> Vec<CountRow<'_>> {
    let of = |count: &ClassCount| count.train + count.validation + count.test;
    let largest = counts.iter().map(of).max().unwrap_or(0).max(1) as f64;
    counts
        .iter()
        .map(|count| CountRow {
            name: &count.class,
            train: count.train,
            validation: count.validation,
            test: count.test,
            share: format!("{:.2}", WIDEST * of(count) as f64 / largest),
        })
        .collect()
}

fn skipped(report: &RunReport<'_>, lang: Lang) -> Option<Skipped> {
    let lines = report.skipped.iter().take(LINES).map(|(path, reason)| format!("{path}: {reason}")).collect();
    (!report.skipped.is_empty()).then(|| Skipped { title: lang.skipped(report.skipped.len()), lines })
}

fn findings(diagnosis: &Diagnosis, lang: Lang) -> Vec<FindingRow> {
    let row = |kind: Kind| {
        let found: Vec<_> = diagnosis.of_kind(kind).collect();
        (!found.is_empty()).then(|| FindingRow {
            name: lang.kind(kind),
            severity: match kind.severity() {
                Severity::Fault => "fault",
                Severity::Doubt => "doubt",
                Severity::Note => "note",
            },
            count: found.len(),
            meaning: lang.meaning(kind),
            lines: found.into_iter().take(LINES).map(|finding| lang.sentence(finding)).collect(),
        })
    };
    Kind::ALL.into_iter().filter_map(row).collect()
}

fn stage_card(stage: &StageReport, lang: Lang) -> StageCard {
    let words = words(lang);
    let line = |name, value| Line { name, value, tone: "" };
    let cut = match &stage.first_layer {
        Some(layer) => format!("{} ({layer})", stage.cut),
        None => stage.cut.clone(),
    };
    let held = stage.unchanged == stage.frozen_tensors;
    let thawed = 100.0 * stage.trainable_layers as f64 / stage.layers.max(1) as f64;
    StageCard {
        name: lang.stage(&stage.name).to_owned(),
        lines: vec![
            line(words.cut, cut),
            line(words.learning_rate, stage.learning_rate.clone()),
            line(words.optimizer, stage.optimizer.to_owned()),
            line(words.epochs, stage.epochs.to_string()),
            line(words.time, lang.duration(stage.seconds)),
            line(
                words.parameters,
                lang.of_all(&human_count(stage.trainable_parameters), &human_count(stage.parameters)),
            ),
            line(words.accuracy_after, format!("{} %", percent(stage.val_accuracy))),
            Line {
                name: words.proof,
                value: lang.unchanged(stage.unchanged, stage.frozen_tensors),
                tone: if held { "good" } else { "fault" },
            },
        ],
        frozen_share: format!("{:.2}", 100.0 - thawed),
        thawed_share: format!("{thawed:.2}"),
        strip: lang.layers_frozen(stage.layers - stage.trainable_layers, stage.layers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::Method;
    use crate::train::{EpochRecord, Validated};

    const SIDE: usize = 300;

    /// A run with `classes` classes of two validation pictures each, of which the second is taken for the next class.
    fn page(classes: &[String], noise: bool, lang: Lang) -> String {
        let count = classes.len();
        let logits = |label: usize| (0..count).map(|class| if class == label { 2.0 } else { 0.0 }).collect();
        let validated: Vec<Validated> = (0..2 * count)
            .map(|picture| Validated {
                picture,
                label: picture / 2,
                logits: logits((picture / 2 + picture % 2) % count),
            })
            .collect();
        let validation = Evaluation::of_logits(&validated, classes, 1.0, |picture| format!("<b>/{picture}.jpg"));
        let mut history = History::default();
        history.push(EpochRecord {
            epoch: 1,
            stage: "fine_tuning".to_owned(),
            accuracy: 1.0,
            ..EpochRecord::default()
        });
        let pixel = |at: usize| if noise { (at * 7919 % 251) as u8 ^ (at / 3 * 31 % 253) as u8 } else { 90 };
        let picture = Picture::new(SIDE, SIDE, (0..SIDE * SIDE * 3).map(pixel).collect());
        let map = |class| {
            let values = vec![0.0, 1.0, 2.0, -1.0];
            ActivationMap { method: Method::Cam, class, logit: 0.0, width: 2, height: 2, values }
        };
        let mistakes = validation.outcomes.iter().filter(|outcome| outcome.truth != outcome.predicted);
        let mistake = |outcome: &crate::evaluate::Outcome| Mistake {
            path: outcome.path.clone(),
            truth: outcome.truth,
            predicted: outcome.predicted,
            probability: 0.9,
            picture: Some(picture.clone()),
            maps: [outcome.predicted, outcome.truth].map(map).to_vec(),
        };
        let stage = StageReport {
            name: "fine_tuning".to_owned(),
            cut: "last = 30".to_owned(),
            first_layer: Some("block6c_expand_bn".to_owned()),
            learning_rate: "0.0001".to_owned(),
            optimizer: "adam",
            epochs: 1,
            seconds: 3.0,
            val_accuracy: 0.5,
            layers: 241,
            trainable_layers: 30,
            trainable_parameters: 2_100_000,
            parameters: 3_700_000,
            frozen_tensors: 216,
            unchanged: 216,
            still_improving: false,
        };
        let report = RunReport {
            name: "photos-1".to_owned(),
            data: "<photos>".to_owned(),
            backbone: "efficientnet_lite0.imagenet",
            classes,
            train_samples: 7,
            views: 4,
            seconds: 75.0,
            validation: &validation,
            test: Some((0.5, (0.4, 0.6))),
            history: &history,
            stages: vec![stage],
            counts: Vec::new(),
            skipped: vec![("<i>.jpg".to_owned(), "starts with \"<html>\"".to_owned())],
            warnings: vec!["<u>".to_owned()],
            diagnosis: None,
            mistakes: mistakes.map(mistake).collect(),
            recipe: "name = \"<script>\"".to_owned(),
            command: "defrost train --recipe '<a>'".to_owned(),
            recipe_hash: "0123",
            weights_hash: "4567",
        };
        run_page(&report, lang).unwrap()
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|class| format!("<class {class}> & \"more\"")).collect()
    }

    #[test]
    fn a_page_holds_all_that_it_shows() {
        for lang in [Lang::English, Lang::Korean] {
            let page = page(&names(3), false, lang);
            assert!(page.contains(&format!("<html lang=\"{}\">", lang.code())));
            assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("url("));
            // Three mistakes: the picture, what speaks for the answer, what speaks for the truth.
            assert_eq!(page.matches("data:image/jpeg;base64,").count(), 9);
            assert!(page.contains("50.0<small>%</small>") && page.contains("216"));
            for entry in contents(words(lang)) {
                assert!(page.contains(&format!("id=\"{}\"", entry.id)), "{}", entry.id);
            }
        }
    }

    #[test]
    fn names_and_reasons_are_escaped() {
        let page = page(&names(3), false, Lang::English);
        for raw in ["<class", "<b>/", "<photos>", "<i>", "<u>", "<script>\"", "<a>", "<html>"] {
            assert!(!page.contains(raw), "{raw}");
        }
        assert_eq!(page.matches("<script>").count(), 1);
    }

    #[test]
    fn a_page_stays_below_two_megabytes() {
        let page = page(&names(40), true, Lang::Korean);
        assert!(page.len() < 2_000_000, "{}", page.len());
        let shown = page.matches("class=\"opens\"").count();
        assert!((1..40).contains(&shown), "the noise of {shown} pictures was meant to be too much");
        // Too many classes for a matrix; the confusions are listed.
        assert!(!page.contains("class=\"matrix") && page.contains("class=\"pairs\""));
    }
}
