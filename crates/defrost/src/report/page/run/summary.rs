//! The first screen: one figure, a few facts, and what a reader should know.

use serde::Serialize;

use super::classes::{Confusion, arrow};
use super::words::words;
use super::{RunReport, percent};
use crate::metrics::ClassMetrics;
use crate::report::Lang;

/// The share of training pictures above the share of validation pictures from which memorising is said.
const MEMORISED: f32 = 0.05;

/// The half-width of an interval from which it is said.
const WIDE_INTERVAL: f64 = 0.04;

#[derive(Serialize)]
pub(super) struct Accuracy {
    share: String,
    low: String,
    width: String,
    caption: String,
}

#[derive(Serialize)]
pub(super) struct Fact {
    name: &'static str,
    value: String,
    more: String,
}

#[derive(Serialize)]
pub(super) struct Takeaway {
    tone: &'static str,
    text: String,
}

pub(super) fn accuracy(report: &RunReport<'_>, lang: Lang) -> Accuracy {
    let (low, high) = report.validation.accuracy_interval();
    Accuracy {
        share: percent(report.validation.accuracy()),
        low: percent(low),
        width: percent(high - low),
        caption: lang.interval_caption(&percent(low), &percent(high)),
    }
}

/// The class of which the smallest share is found, the first of equals.
fn weakest(metrics: &[ClassMetrics]) -> Option<(usize, &ClassMetrics)> {
    let known = metrics.iter().enumerate().filter(|(_, class)| class.support > 0);
    known.min_by(|(_, a), (_, b)| a.recall.total_cmp(&b.recall))
}

pub(super) fn facts(report: &RunReport<'_>, metrics: &[ClassMetrics], pairs: &[Confusion], lang: Lang) -> Vec<Fact> {
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
pub(super) fn takeaways(report: &RunReport<'_>, metrics: &[ClassMetrics], lang: Lang) -> Vec<Takeaway> {
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
