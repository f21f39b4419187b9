//! Two classifiers on the same pictures: which is better, how surely, and on which pictures they differ.
//!
//! Both have seen the same pictures, so only those count on which one is right and the other wrong.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::evaluate::Evaluation;
use crate::metrics::wilson_interval;

/// What a classifier says of one picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The most probable class.
    pub class: String,
    /// Its probability, calibrated.
    pub probability: f32,
    /// Whether it is the picture's own.
    pub right: bool,
}

/// A picture that both classifiers have judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// Of the picture.
    pub path: String,
    /// Its class.
    pub truth: String,
    /// What the first says.
    pub a: Verdict,
    /// What the second says.
    pub b: Verdict,
}

/// The pictures on which both classifiers are right, only one, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Agreement {
    /// Both are right.
    pub both: u64,
    /// Only the first is.
    pub only_a: u64,
    /// Only the second is.
    pub only_b: u64,
    /// Neither is.
    pub neither: u64,
}

/// One class under both classifiers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassChange {
    /// The class.
    pub class: String,
    /// Its pictures.
    pub pictures: u64,
    /// The share that the first classifies rightly.
    pub recall_a: f64,
    /// The share that the second classifies rightly.
    pub recall_b: f64,
    /// Pictures that the second gets right and the first doesn't.
    pub won: u64,
    /// Pictures that the first gets right and the second doesn't.
    pub lost: u64,
}

/// Two classifiers on the same pictures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Pictures that both have judged.
    pub pictures: u64,
    /// Pictures that only one of them has judged, or under another class.
    pub left_out: usize,
    /// Share that the first classifies rightly.
    pub accuracy_a: f64,
    /// Share that the second classifies rightly.
    pub accuracy_b: f64,
    /// `accuracy_b − accuracy_a`
    pub difference: f64,
    /// Its 95 % interval, for pairs.
    pub difference_interval: (f64, f64),
    /// McNemar's exact, two-sided: how probable so uneven a split of the pictures on which one is right is among equals.
    pub p_value: f64,
    /// On how many pictures who is right.
    pub agreement: Agreement,
    /// Every class, the one that won most first.
    pub classes: Vec<ClassChange>,
    /// Pictures that get another class: first those lost, then those won, then those wrong in another way.
    pub changed: Vec<Pair>,
}

impl Comparison {
    /// Joins two evaluations by path; each comes with its classifier's classes. Pictures that either lacks are left out, and those
    /// that have another class there.
    pub fn of(a: (&Evaluation, &[String]), b: (&Evaluation, &[String])) -> Comparison {
        let verdicts = |(evaluation, classes): (&Evaluation, &[String])| -> BTreeMap<String, (String, Verdict)> {
            let line = |of: &crate::evaluate::Outcome| {
                let verdict = Verdict {
                    class: classes[of.predicted].clone(),
                    probability: of.probabilities[of.predicted],
                    right: of.predicted == of.truth,
                };
                (of.path.clone(), (classes[of.truth].clone(), verdict))
            };
            evaluation.outcomes.iter().map(line).collect()
        };
        let (first, mut second) = (verdicts(a), verdicts(b));
        let mut pairs = Vec::new();
        let mut left_out = 0;
        for (path, (truth, a)) in first {
            match second.remove(&path) {
                Some((other, b)) if other == truth => pairs.push(Pair { path, truth, a, b }),
                _ => left_out += 1,
            }
        }
        Comparison::of_pairs(pairs, left_out + second.len())
    }

    fn of_pairs(pairs: Vec<Pair>, left_out: usize) -> Comparison {
        let mut agreement = Agreement::default();
        let mut classes: BTreeMap<&str, Agreement> = BTreeMap::new();
        for pair in &pairs {
            agreement.count(pair);
            classes.entry(&pair.truth).or_default().count(pair);
        }
        let mut classes: Vec<ClassChange> =
            classes.into_iter().map(|(class, agreement)| agreement.class(class.to_owned())).collect();
        // Stable: equals stay in the order of their names.
        let gain = |of: &ClassChange| of.won as i64 - of.lost as i64;
        classes.sort_by_key(|class| std::cmp::Reverse(gain(class)));
        let mut changed: Vec<Pair> = pairs.into_iter().filter(|pair| pair.a.class != pair.b.class).collect();
        changed.sort_by_key(|pair| if pair.a.right { 0 } else { 2 - u8::from(pair.b.right) });
        Comparison {
            pictures: agreement.pictures(),
            left_out,
            accuracy_a: agreement.share(agreement.both + agreement.only_a),
            accuracy_b: agreement.share(agreement.both + agreement.only_b),
            difference: agreement.difference(),
            difference_interval: agreement.difference_interval(),
            p_value: agreement.p_value(),
            agreement,
            classes,
            changed,
        }
    }
}

impl Agreement {
    fn count(&mut self, pair: &Pair) {
        let count = match (pair.a.right, pair.b.right) {
            (true, true) => &mut self.both,
            (true, false) => &mut self.only_a,
            (false, true) => &mut self.only_b,
            (false, false) => &mut self.neither,
        };
        *count += 1;
    }

    fn class(self, class: String) -> ClassChange {
        ClassChange {
            class,
            pictures: self.pictures(),
            recall_a: self.share(self.both + self.only_a),
            recall_b: self.share(self.both + self.only_b),
            won: self.only_b,
            lost: self.only_a,
        }
    }

    /// All pictures.
    pub fn pictures(self) -> u64 {
        self.both + self.only_a + self.only_b + self.neither
    }

    fn share(self, part: u64) -> f64 {
        if self.pictures() == 0 { 0.0 } else { part as f64 / self.pictures() as f64 }
    }

    /// The second's accuracy less the first's; 0 without pictures.
    pub fn difference(self) -> f64 {
        self.share(self.only_b) - self.share(self.only_a)
    }

    /// The 95 % interval of the difference: Wilson's intervals of both accuracies, squared and added, less their correlation.
    ///
    /// # Reference
    /// Newcombe 1998, "Improved confidence intervals for the difference between binomial proportions based on paired data", method 10.
    pub fn difference_interval(self) -> (f64, f64) {
        let pictures = self.pictures();
        if pictures == 0 {
            return (-1.0, 1.0);
        }
        let (right_a, right_b) = (self.both + self.only_a, self.both + self.only_b);
        let (low_a, high_a) = wilson_interval(right_a, pictures);
        let (low_b, high_b) = wilson_interval(right_b, pictures);
        let (a, b) = (self.share(right_a), self.share(right_b));
        let correlation = self.correlation();
        let apart = |x: f64, y: f64| (x * x - 2.0 * correlation * x * y + y * y).max(0.0).sqrt();
        let difference = self.difference();
        let low = difference - apart(b - low_b, high_a - a);
        let high = difference + apart(high_b - b, a - low_a);
        (low.max(-1.0), high.min(1.0))
    }

    /// Of being right, with Newcombe's correction for continuity; 0 where one of them is always or never right.
    fn correlation(self) -> f64 {
        let [both, only_a, only_b, neither] =
            [self.both, self.only_a, self.only_b, self.neither].map(|count| count as f64);
        let spread = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither);
        if spread == 0.0 {
            return 0.0;
        }
        let product = both * neither - only_a * only_b;
        let half = self.pictures() as f64 / 2.0;
        let corrected = if product > half { product - half } else { product.min(0.0) };
        corrected / spread.sqrt()
    }

    /// Two-sided: twice the smaller tail of `Binomial(only_a + only_b, ½)`, at most 1.
    ///
    /// # Reference
    /// McNemar 1947, "Note on the sampling error of the difference between correlated proportions or percentages", exact form.
    pub fn p_value(self) -> f64 {
        let (trials, fewer) = (self.only_a + self.only_b, self.only_a.min(self.only_b));
        // Logarithms: 0.5^n is 0 for more than a thousand pictures.
        let mut ln_term = -(trials as f64) * std::f64::consts::LN_2;
        let mut tail = 0.0;
        for hits in 0..=fewer {
            tail += ln_term.exp();
            ln_term += ((trials - hits) as f64 / (hits + 1) as f64).ln();
        }
        (2.0 * tail).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::train::Validated;

    fn agreement(both: u64, only_b: u64, only_a: u64, neither: u64) -> Agreement {
        Agreement { both, only_a, only_b, neither }
    }

    #[test]
    fn the_interval_is_newcombes() {
        // Newcombe 1998, table II, method 10: the four counts, then the limits.
        for ([both, only_b, only_a, neither], low, high) in
            [([36, 12, 2, 0], 0.0569, 0.3404), ([53, 1, 0, 0], -0.0496, 0.0977)]
        {
            let (got_low, got_high) = agreement(both, only_b, only_a, neither).difference_interval();
            assert!((got_low - low).abs() < 5e-5 && (got_high - high).abs() < 5e-5, "{got_low} {got_high}");
        }
        assert_eq!(Agreement::default().difference_interval(), (-1.0, 1.0));
    }

    #[test]
    fn the_exact_p_is_that_of_the_binomial() {
        assert_eq!(agreement(5, 0, 0, 3).p_value(), 1.0);
        // 2 · (1 + 10) / 2^10
        assert!((agreement(0, 1, 9, 0).p_value() - 22.0 / 1024.0).abs() < 1e-12);
        assert!((agreement(0, 9, 1, 4).p_value() - 22.0 / 1024.0).abs() < 1e-12);
        assert_eq!(agreement(0, 4, 4, 0).p_value(), 1.0);
        // scipy.stats.binomtest(2300, 5000).pvalue
        assert!((agreement(0, 2300, 2700, 0).p_value() / 1.645_878_110e-8 - 1.0).abs() < 1e-8);
    }

    fn evaluation(predictions: &[(&str, usize, usize)]) -> Evaluation {
        let validated: Vec<Validated> = predictions
            .iter()
            .enumerate()
            .map(|(picture, &(_, label, predicted))| Validated {
                picture,
                label,
                logits: (0..3).map(|class| if class == predicted { 4.0 } else { 0.0 }).collect(),
            })
            .collect();
        Evaluation::of_logits(&validated, &names(&["a", "b", "c"]), 1.0, |picture| predictions[picture].0.to_owned())
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn pictures_are_joined_by_path_and_class() {
        let classes = names(&["a", "b", "c"]);
        let first =
            evaluation(&[("1", 0, 0), ("2", 0, 1), ("3", 1, 1), ("4", 1, 2), ("5", 2, 2), ("only", 2, 2), ("x", 0, 0)]);
        let second = evaluation(&[("2", 0, 0), ("1", 0, 0), ("3", 1, 0), ("4", 1, 0), ("5", 2, 0), ("x", 1, 1)]);
        let comparison = Comparison::of((&first, &classes), (&second, &classes));
        assert_eq!((comparison.pictures, comparison.left_out), (5, 2));
        assert_eq!(comparison.agreement, Agreement { both: 1, only_a: 2, only_b: 1, neither: 1 });
        assert!((comparison.difference + 0.2).abs() < 1e-12);
        let changed: Vec<&str> = comparison.changed.iter().map(|pair| pair.path.as_str()).collect();
        assert_eq!(changed, ["3", "5", "2", "4"]);
        let gains: Vec<(&str, u64, u64)> =
            comparison.classes.iter().map(|class| (class.class.as_str(), class.won, class.lost)).collect();
        assert_eq!(gains, [("a", 1, 0), ("b", 0, 1), ("c", 0, 1)]);
    }

    proptest! {
        #[test]
        fn figures_hold_for_any_counts(both in 0_u64..300, only_a in 0_u64..300, only_b in 0_u64..300, neither in 0_u64..300) {
            let own = Agreement { both, only_a, only_b, neither };
            let (low, high) = own.difference_interval();
            prop_assert!(-1.0 <= low && low <= own.difference() && own.difference() <= high && high <= 1.0, "{low} {high}");
            prop_assert!((0.0..=1.0).contains(&own.p_value()));
            let turned = Agreement { only_a: only_b, only_b: only_a, ..own };
            let (turned_low, turned_high) = turned.difference_interval();
            prop_assert!((low + turned_high).abs() < 1e-12 && (high + turned_low).abs() < 1e-12);
            prop_assert!((own.p_value() - turned.p_value()).abs() < 1e-12);
        }
    }
}
