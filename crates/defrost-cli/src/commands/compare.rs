//! `defrost compare`: two classifiers on the same pictures.

use std::path::Path;

use defrost::compare::{Comparison, Verdict};
use defrost::evaluate::Evaluation;
use defrost::run;
use serde::Serialize;

use super::evaluate::judge;
use super::predictor;
use crate::args;
use crate::failure::Failure;
use crate::terminal::{Terminal, columns, percent, short};

/// Changed pictures that the terminal lists; `-v` and `--json` have all.
const LISTED: usize = 20;

/// From here on the pictures tell which is better.
const SIGNIFICANT: f64 = 0.05;

#[derive(Serialize)]
struct Report<'a> {
    a: String,
    b: String,
    /// `None` where the runs' own predictions are compared.
    data: Option<String>,
    #[serde(flatten)]
    comparison: &'a Comparison,
}

pub(super) fn run(args: &args::Compare, terminal: &Terminal) -> Result<(), Failure> {
    let words = terminal.words;
    let (a, a_classes) = evaluation(&args.a, args.data.as_deref(), terminal)?;
    let (b, b_classes) = evaluation(&args.b, args.data.as_deref(), terminal)?;
    let comparison = Comparison::of((&a, &a_classes), (&b, &b_classes));
    if comparison.pictures == 0 {
        return Err(Failure::user(words.nothing_in_common()));
    }
    if comparison.left_out > 0 {
        terminal.warn(words.left_out(comparison.left_out));
    }
    let report = Report {
        a: args.a.display().to_string(),
        b: args.b.display().to_string(),
        data: args.data.as_ref().map(|data| data.display().to_string()),
        comparison: &comparison,
    };
    if terminal.wants_json() { terminal.json(&report) } else { terminal.data(text(&comparison, terminal).as_bytes()) }
}

/// What a classifier says of `data`, else of the pictures that its run validated on; and its classes.
fn evaluation(run: &Path, data: Option<&Path>, terminal: &Terminal) -> Result<(Evaluation, Vec<String>), Failure> {
    let predictor = predictor(run)?;
    let classes = predictor.classes().to_vec();
    if let Some(data) = data {
        return Ok((judge(run, &predictor, data, terminal)?.evaluation, classes));
    }
    let table = run.join(run::PREDICTIONS);
    if !table.is_file() {
        return Err(Failure::user(terminal.words.no_predictions(&short(run))));
    }
    Ok((Evaluation::read_csv(&table, &classes, predictor.artefact().temperature())?, classes))
}

fn text(comparison: &Comparison, terminal: &Terminal) -> String {
    let words = terminal.words;
    let points = |share: f64| format!("{:+.1}", 100.0 * share).replace('-', "−");
    let (low, high) = comparison.difference_interval;
    let agreement = comparison.agreement;
    let p_value = match comparison.p_value {
        p if p < 0.001 => "< 0.001".to_owned(),
        p => format!("{p:.3}"),
    };
    let mut text = words.difference(
        [&percent(comparison.accuracy_a), &percent(comparison.accuracy_b)],
        [&points(comparison.difference), &points(low), &points(high)],
        comparison.pictures as usize,
        &p_value,
    );
    text.push('\n');
    text.push_str(&words.agreement(agreement.both, agreement.only_b, agreement.only_a, agreement.neither));
    text.push('\n');
    if comparison.p_value >= SIGNIFICANT {
        text.push_str(&words.not_told_apart());
        text.push('\n');
    }
    let mut classes = vec![words.class_change_headings().to_vec()];
    classes.extend(comparison.classes.iter().map(|class| {
        let recalls = [class.recall_a, class.recall_b].map(|recall| format!("{recall:.3}"));
        let [a, b] = recalls;
        vec![class.class.clone(), class.pictures.to_string(), a, b, class.won.to_string(), class.lost.to_string()]
    }));
    text.push('\n');
    text.push_str(&columns(&classes));
    if !comparison.changed.is_empty() {
        let listed = if terminal.is_verbose() { comparison.changed.len() } else { LISTED };
        let said = |verdict: &Verdict| format!("{} {} %", verdict.class, percent(f64::from(verdict.probability)));
        let mut changed = vec![words.changed_headings().to_vec()];
        changed.extend(
            comparison
                .changed
                .iter()
                .take(listed)
                .map(|pair| vec![pair.path.clone(), pair.truth.clone(), said(&pair.a), said(&pair.b)]),
        );
        text.push('\n');
        text.push_str(&columns(&changed));
        if let Some(more @ 1..) = comparison.changed.len().checked_sub(listed) {
            text.push_str(&format!("{}\n", words.more_changed(more)));
        }
    }
    text
}
