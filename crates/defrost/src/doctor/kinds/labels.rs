//! Pictures whose features say another class than their label: confident learning on the predictions of a linear probe.
//!
//! 1. A ridge regression on the frozen features predicts every picture from all others; copies, near ones too, are left out
//!    together, so that no picture is its own witness ([`left_out_predictions`]).
//! 2. `p = softmax(τ·ŷ)`, with the `τ` that makes the given labels most likely.
//! 3. The threshold of a class is the mean probability of it over the pictures that are labelled so. A picture is confidently of
//!    the class, among those whose threshold it reaches, with the largest probability; where that isn't its label, it counts as a
//!    likely label error (off the diagonal of the confident joint). How many are found follows from the data: no number or
//!    share of errors is assumed.
//! 4. The surest comes first, by the normalised margin `ln(p_given / max p_other)`.
//!
//! # Reference
//! Northcutt, Jiang and Chuang 2021, "Confident learning: estimating uncertainty in dataset labels", section 3.1 (thresholds,
//! confident joint) and 3.2 (ranking by normalised margin).

use serde::Serialize;

use super::super::{Fact, Features, Finding, Survey};
use crate::metrics::wilson_interval;
use crate::probe::{Probe, left_out_predictions};

/// Pictures on which the penalty is chosen, at most.
const CHOSEN_ON: usize = 1000;

/// What the features say of the labels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelCheck {
    /// The share of pictures whose given label the probe predicts, each left out.
    pub accuracy: f64,
    /// The 95 % interval of it.
    pub accuracy_interval: (f64, f64),
    /// Every picture whose label the probe doesn't predict, the most doubtful first.
    pub doubts: Vec<Doubt>,
}

/// A picture whose features say another class than its label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Doubt {
    /// The picture's number in the survey.
    #[serde(skip)]
    pub picture: usize,
    /// As in `split.csv`.
    pub path: String,
    /// The given class.
    pub given: String,
    /// Its probability.
    pub given_probability: f64,
    /// The most probable class.
    pub suggested: String,
    /// Its probability.
    pub suggested_probability: f64,
    /// Whether it is off the diagonal of the confident joint, and so a finding.
    pub confident: bool,
}

/// Checks the labels; `groups` names the pictures that are copies of each other. `None` where there is too little to learn from.
pub(crate) fn check(survey: &Survey, features: &Features, groups: &[usize]) -> Option<LabelCheck> {
    let labels: Vec<usize> = survey.seen.iter().map(|seen| seen.label).collect();
    let classes = survey.classes.len();
    let lambda = penalty(survey, features)?;
    let values = left_out_predictions(features.values(), &labels, classes, groups, lambda).ok()?;
    let probabilities = calibrated(&values, &labels, classes);
    let thresholds = thresholds(&probabilities, &labels, classes);

    let of = |picture: usize| &probabilities[picture * classes..][..classes];
    let best = |row: &[f64], takes: &dyn Fn(usize) -> bool| {
        (0..classes).filter(|class| takes(*class)).max_by(|a, b| row[*a].total_cmp(&row[*b]).then(b.cmp(a)))
    };
    let mut doubts: Vec<(f64, Doubt)> = Vec::new();
    for (picture, (seen, &label)) in survey.seen.iter().zip(&labels).enumerate() {
        let row = of(picture);
        let Some(suggested) = best(row, &|_| true).filter(|class| *class != label) else { continue };
        let confidently = best(row, &|class| thresholds[class].is_some_and(|threshold| row[class] >= threshold));
        let doubt = Doubt {
            picture,
            path: seen.path.clone(),
            given: survey.classes[label].clone(),
            given_probability: row[label],
            suggested: survey.classes[suggested].clone(),
            suggested_probability: row[suggested],
            confident: confidently == Some(suggested),
        };
        doubts.push((row[label].ln() - row[suggested].ln(), doubt));
    }
    // By path where equals meet: the survey's order.
    doubts.sort_by(|(a, one), (b, other)| a.total_cmp(b).then(one.picture.cmp(&other.picture)));
    let (right, all) = ((labels.len() - doubts.len()) as u64, labels.len() as u64);
    Some(LabelCheck {
        accuracy: right as f64 / all as f64,
        accuracy_interval: wilson_interval(right, all),
        doubts: doubts.into_iter().map(|(_, doubt)| doubt).collect(),
    })
}

/// The confident ones as findings.
pub(crate) fn find(survey: &Survey, check: &LabelCheck) -> Vec<Finding> {
    let finding = |doubt: &Doubt| {
        let fact = Fact::LabelError {
            suggested: doubt.suggested.clone(),
            suggested_probability: doubt.suggested_probability,
            given_probability: doubt.given_probability,
        };
        Finding::against(survey.subject(&survey.seen[doubt.picture]), fact)
    };
    check.doubts.iter().filter(|doubt| doubt.confident).map(finding).collect()
}

/// The penalty that predicts best, on some of the pictures: those with the first contents, which is a random choice that doesn't
/// depend on names.
fn penalty(survey: &Survey, features: &Features) -> Option<f64> {
    let mut chosen: Vec<usize> = (0..survey.seen.len()).collect();
    chosen.sort_by_key(|picture| survey.seen[*picture].content);
    // A copy would be found again, not predicted.
    chosen.dedup_by_key(|picture| survey.seen[*picture].content);
    chosen.truncate(CHOSEN_ON);
    let rows: Vec<f32> = chosen.iter().flat_map(|picture| features.row(*picture)).copied().collect();
    let labels: Vec<usize> = chosen.iter().map(|picture| survey.seen[*picture].label).collect();
    Some(Probe::fit(&rows, &labels).ok()?.lambda)
}

/// `softmax(τ·values)` a row, with the τ from 1 to 100 that makes the labels most likely.
fn calibrated(values: &[f64], labels: &[usize], classes: usize) -> Vec<f64> {
    let softmax = |row: &[f64], tau: f64| -> Vec<f64> {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = row.iter().map(|value| (tau * (value - largest)).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.into_iter().map(|power| power / sum).collect()
    };
    let cost = |ln_tau: f64| -> f64 {
        let rows = values.chunks_exact(classes).zip(labels);
        rows.map(|(row, &label)| -softmax(row, ln_tau.exp())[label].max(f64::MIN_POSITIVE).ln()).sum()
    };
    let tau = minimum(cost, 0.0, 100f64.ln()).exp();
    values.chunks_exact(classes).flat_map(|row| softmax(row, tau)).collect()
}

/// Where a function with one minimum between `low` and `high` has it, by golden section.
fn minimum(f: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    let share = (5f64.sqrt() - 1.0) / 2.0;
    let (mut a, mut b) = (high - share * (high - low), low + share * (high - low));
    let (mut at_a, mut at_b) = (f(a), f(b));
    while high - low > 1e-3 {
        if at_a < at_b {
            (high, b, at_b) = (b, a, at_a);
            a = high - share * (high - low);
            at_a = f(a);
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = low + share * (high - low);
            at_b = f(b);
        }
    }
    (low + high) / 2.0
}

/// For each class, the mean probability of it over the pictures that are labelled so; `None` where there are none.
fn thresholds(probabilities: &[f64], labels: &[usize], classes: usize) -> Vec<Option<f64>> {
    let mut sums = vec![(0.0, 0u32); classes];
    for (row, &label) in probabilities.chunks_exact(classes).zip(labels) {
        sums[label].0 += row[label];
        sums[label].1 += 1;
    }
    sums.into_iter().map(|(sum, count)| (count > 0).then(|| sum / f64::from(count))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::survey;
    use super::*;
    use crate::rng::Stream;

    /// Three classes around three corners.
    fn corners(labels: &[usize]) -> Vec<f32> {
        let mut stream = Stream::new(1, "corners", &[]);
        labels
            .iter()
            .flat_map(|&label| (0..6).map(|i| if i == label { 1.0 } else { 0.0 }).collect::<Vec<f32>>())
            .map(|x| x + 0.2 * stream.uniform())
            .collect()
    }

    #[test]
    fn swapped_labels_are_found_and_only_they() {
        let truth: Vec<usize> = (0..90).map(|i| i % 3).collect();
        let mut labels = truth.clone();
        for i in [4, 30, 77] {
            labels[i] = (labels[i] + 1) % 3;
        }
        let survey = survey(&labels, 3);
        let paths: Vec<String> = survey.seen.iter().map(|seen| seen.path.clone()).collect();
        let features = Features::new(&survey, &paths, &corners(&truth)).unwrap();
        let groups: Vec<usize> = (0..90).collect();
        let check = check(&survey, &features, &groups).unwrap();
        let mut found: Vec<usize> = check.doubts.iter().map(|doubt| doubt.picture).collect();
        found.sort_unstable();
        assert_eq!(found, [4, 30, 77]);
        assert!(check.doubts.iter().all(|doubt| doubt.confident && doubt.given_probability < 0.2), "{check:?}");
        assert!((check.accuracy - 87.0 / 90.0).abs() < 1e-9);
        let findings = find(&survey, &check);
        assert!(findings.iter().all(|finding| finding.leave_out.len() == 1));
    }

    #[test]
    fn too_little_to_learn_from_is_no_finding() {
        for (labels, classes) in [(vec![0, 0, 0], 1), (vec![0, 1], 2), (vec![], 2)] {
            let survey = survey(&labels, classes);
            let paths: Vec<String> = survey.seen.iter().map(|seen| seen.path.clone()).collect();
            let groups: Vec<usize> = (0..labels.len()).collect();
            let features = Features::new(&survey, &paths, &corners(&labels));
            assert!(features.is_none_or(|features| check(&survey, &features, &groups).is_none()));
        }
    }

    #[test]
    fn the_minimum_is_found() {
        assert!((minimum(|x| (x - 1.3).powi(2), 0.0, 4.0) - 1.3).abs() < 1e-3);
        assert!((minimum(|x| x, 0.0, 4.0)).abs() < 1e-3);
    }
}
