//! What is said around a training: what will happen and how long it takes, and what came of it.

use std::path::Path;

use defrost::head::HeadLayer;
use defrost::job::{Job, Outcome};
use defrost::recipe::Warning;
use defrost::report::InLang;
use defrost::run::{self, RunDir};

use crate::failure::Failure;
use crate::terminal::{Terminal, bytes, percent, short};

/// Classes whose counts are said one by one; of more, the first and the last.
const NAMED_CLASSES: usize = 6;

/// The lines before the work begins.
pub(super) fn before(job: &Job, dir: &RunDir, terminal: &Terminal) -> Result<(), Failure> {
    terminal.say(pictures(job, dir, terminal));
    terminal.say(network(job, terminal));
    if let Some(weights) = &job.weights {
        terminal.detail(weights.to_string());
    }
    hints(job, terminal);
    terminal.say(work(job, terminal)?);
    terminal.say("");
    Ok(())
}

/// What is at hand and what is to do, and how long it takes.
fn work(job: &Job, terminal: &Terminal) -> Result<String, Failure> {
    let words = terminal.words;
    let plan = job.feature_plan()?;
    let estimate = job.estimate(plan.as_ref());
    let epochs: Vec<String> = job.stages.iter().map(|stage| stage.max_epochs.to_string()).collect();
    let epochs = epochs.join(" + ");
    let Some(plan) = plan else { return Ok(words.no_features(&epochs, estimate.epochs)) };
    let missing = plan.rows - plan.found;
    let kept = match plan.budget {
        0 => words.kept_nowhere(),
        budget => {
            let room = words.room(&bytes(budget.min(plan.bytes)), &bytes(plan.bytes));
            words.kept(plan.found, missing, &room, &short(&plan.folder))
        }
    };
    let seconds = (missing > 0).then_some(estimate.features);
    Ok(words.features(job.views, &kept, seconds, &epochs, estimate.epochs))
}

fn pictures(job: &Job, dir: &RunDir, terminal: &Terminal) -> String {
    let words = terminal.words;
    let counts = job.data.class_counts();
    let count = |of: &defrost::data::ClassCount| format!("{} {}", of.class, of.train + of.validation + of.test);
    let classes = match counts.as_slice() {
        [first, .., last] if counts.len() > NAMED_CLASSES => format!("{} … {}", count(first), count(last)),
        all => all.iter().map(count).collect::<Vec<_>>().join(", "),
    };
    let sides = job.data.sides();
    let total = sides.iter().map(|(_, samples)| samples.len()).sum();
    let form = words.form(job.data.kind);
    let mut line = words.data(&short(&job.data.path), &form, total, counts.len(), &classes);
    line.push_str(&words.sides(sides.map(|(_, samples)| samples.len())));
    if job.data.excluded > 0 {
        line.push_str(&words.excluded(job.data.excluded));
    }
    if job.data.relabelled + job.data.added > 0 {
        line.push_str(&words.relabelled(job.data.relabelled, job.data.added));
    }
    if !job.data.skipped.is_empty() {
        line.push_str(&words.unreadable_listed(job.data.skipped.len(), &short(&dir.join(run::SKIPPED))));
    }
    if let Some(kept) = &job.data.kept {
        line.push('\n');
        line.push_str(&words.kept_split(&short(&kept.path), kept.known, kept.added, kept.gone));
    }
    line
}

fn network(job: &Job, terminal: &Terminal) -> String {
    let words = terminal.words;
    let units = job.recipe.head.layers.iter().filter_map(|layer| match layer {
        HeadLayer::Dense { units, .. } => Some(units.to_string()),
        HeadLayer::Dropout(_) => None,
    });
    let head: Vec<String> = units.chain([job.model.num_classes().to_string()]).collect();
    let mut line = words.network(job.model.backbone.id, &head.join(" → "));
    for (index, (stage, plan)) in job.recipe.stages.iter().zip(&job.stages).enumerate() {
        let summary = job.model.summary(plan.cut);
        if let Some(layer) = &summary.first_trainable_layer {
            let (cut, number) = (defrost::job::cut_text(&stage.cut), index + 1);
            let (trainable, all) = (millions(summary.trainable_parameters), millions(summary.parameters));
            line.push_str(&words.cut(&cut, layer, &trainable, &all, number));
        }
    }
    line
}

fn hints(job: &Job, terminal: &Terminal) {
    job.data.warnings.iter().for_each(|warning| terminal.warn(warning.in_lang(terminal.words.0)));
    // The data say it too, and CIFAR's pictures come in random order.
    let shuffled = job.data.kind.is_shuffled();
    for warning in job.recipe.warnings() {
        match warning {
            Warning::TestIsValidation => {}
            Warning::ShuffleBuffer { .. } if shuffled => {}
            warning => terminal.warn(warning.in_lang(terminal.words.0)),
        }
    }
    for (index, plan) in job.stages.iter().enumerate() {
        if let Some(block) = plan.cut.splits_block(&job.model.graph) {
            terminal.hint(terminal.words.block_aligned(index, block));
        }
    }
}

/// The lines after the work is done.
pub(super) fn after(outcome: &Outcome, dir: &Path, terminal: &Terminal) {
    let words = terminal.words;
    let said = |accuracy, (low, high): (f64, f64)| (percent(accuracy), percent(low), percent(high));
    let (accuracy, low, high) = said(outcome.val_accuracy, outcome.val_accuracy_interval);
    let mut line = words.val_accuracy(&accuracy, &low, &high, outcome.val_samples);
    if let Some(stage) = outcome.stages.last().filter(|stage| stage.frozen_tensors > 0) {
        let unchanged = if stage.frozen_unchanged { stage.frozen_tensors } else { 0 };
        line.push_str(&words.frozen_unchanged(unchanged, stage.frozen_tensors));
    }
    line.push_str(&words.in_all(outcome.seconds));
    terminal.say("");
    terminal.say(line);
    if let (Some(accuracy), Some(interval)) = (outcome.test_accuracy, outcome.test_accuracy_interval) {
        let (accuracy, low, high) = said(accuracy, interval);
        terminal.say(words.test_accuracy(&accuracy, &low, &high));
    }
    if let Some(calibration) = &outcome.calibration {
        terminal.detail(words.calibrated(calibration));
    }
    if outcome.skipped > 0 {
        terminal.warn(words.unreadable_in(outcome.skipped, &short(&dir.join(run::SKIPPED))));
    }
    let improving = outcome.stages.iter().enumerate().filter(|(_, stage)| stage.still_improving);
    let (numbers, names): (Vec<usize>, Vec<String>) =
        improving.map(|(number, stage)| (number, format!("`{}`", stage.name))).unzip();
    if let Some(first) = numbers.first() {
        terminal.hint(words.still_improving(&names.join(", "), *first));
    }
    terminal.say(format!("{} · {}", short(&dir.join(run::REPORT)), words.next("defrost predict my.jpg")));
}

/// `2.1 M`, `380 k`
fn millions(count: usize) -> String {
    match count {
        0..1000 => count.to_string(),
        1000..1_000_000 => format!("{:.0} k", count as f64 / 1e3),
        _ => format!("{:.1} M", count as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_short() {
        assert_eq!([12, 329_221, 4_378_792].map(millions), ["12", "329 k", "4.4 M"]);
    }
}
