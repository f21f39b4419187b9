//! Probabilities that can be believed: temperature scaling, and how far confidence and accuracy are apart.
//!
//! A network that is trained to the end is often surer than it is right. Its logits are divided by one number, the temperature,
//! before the softmax; the order of the classes, and so the accuracy, stays.
//!
//! # Reference
//! Guo et al. 2017, "On Calibration of Modern Neural Networks", sections 2 and 4.2.
//!
//! ```
//! use defrost::calibrate::{Calibration, Labelled};
//! // A hundred answers that are sure beyond their accuracy of 80 %.
//! let sure = [6.0, 0.0];
//! let answers: Vec<Labelled<'_>> = (0..100).map(|i| Labelled { logits: &sure, label: usize::from(i % 5 == 0) }).collect();
//! let calibration = Calibration::fit(&answers);
//! assert!((calibration.temperature - 6.0 / 4.0_f64.ln()).abs() < 1e-6);
//! assert!(calibration.before.ece > 0.19 && calibration.after.ece < 1e-6);
//! ```

use serde::{Deserialize, Serialize};

use crate::loss::softmax;
use crate::metrics::argmax;

/// Bins of confidence, as in the paper.
pub const BINS: usize = 15;

/// With fewer held-out pictures the temperature stays 1.
pub const LEAST_PICTURES: usize = 50;

/// A temperature that its 95 % interval doesn't tell within this factor, up and down, isn't used.
const WIDEST: f64 = 2.0;

/// What a classifier says of a picture whose class is known.
#[derive(Debug, Clone, Copy)]
pub struct Labelled<'a> {
    /// Before the softmax.
    pub logits: &'a [f32],
    /// Its class.
    pub label: usize,
}

/// The temperature of a classifier, with what it was fitted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Logits are divided by it before the softmax.
    pub temperature: f64,
    /// Its 95 % interval, by the curvature of the loss at its minimum; `None` where none was fitted.
    pub interval: Option<(f64, f64)>,
    /// Held-out pictures that it was fitted on.
    pub pictures: usize,
    /// Why it was left at 1.
    pub left: Option<Left>,
    /// On those pictures, with temperature 1.
    pub before: Reliability,
    /// On the same pictures, with this temperature.
    pub after: Reliability,
}

/// Why a temperature was left at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Left {
    /// There are fewer than [`LEAST_PICTURES`].
    TooFew,
    /// Every picture is classified rightly: the loss falls with the temperature down to 0.
    NoMistakes,
    /// The pictures tell it only within a factor of two, or not at all.
    Uncertain,
}

/// How far the probabilities of a classifier are from its accuracy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// Mean cross-entropy; 0 without pictures.
    pub loss: f64,
    /// Expected calibration error: `Σ nᵦ / n · |accuracyᵦ − confidenceᵦ|` over the bins; 0 without pictures.
    pub ece: f64,
    /// [`BINS`] of equal width; bin `i` holds confidences in `(i / 15, (i + 1) / 15]`.
    pub bins: Vec<Bin>,
}

/// The pictures whose most probable class has a probability within a bin. Means of nothing are 0.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Bin {
    /// How many.
    pub pictures: u64,
    /// Mean probability of the most probable class.
    pub confidence: f64,
    /// The share that is classified rightly.
    pub accuracy: f64,
}

/// The softmax of `logits / temperature`.
///
/// # Panics
/// When the lengths differ.
pub fn probabilities(logits: &[f32], temperature: f64, probabilities: &mut [f32]) {
    let scaled: Vec<f32> = logits.iter().map(|logit| logit / temperature as f32).collect();
    softmax(&scaled, probabilities);
}

impl Reliability {
    /// Of `answers` under a temperature.
    pub fn of(answers: &[Labelled<'_>], temperature: f64) -> Reliability {
        let mut loss = 0.0;
        let mut sums = [(0_u64, 0.0, 0_u64); BINS];
        for answer in answers {
            let spread = Spread::of(answer.logits, 1.0 / temperature);
            loss += spread.ln_sum - spread.scaled(answer.logits[answer.label]);
            let best = argmax(answer.logits);
            let confidence = (spread.scaled(answer.logits[best]) - spread.ln_sum).exp();
            let bin = &mut sums[((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1];
            bin.0 += 1;
            bin.1 += confidence;
            bin.2 += u64::from(best == answer.label);
        }
        let mean = |sum: f64, count: u64| if count == 0 { 0.0 } else { sum / count as f64 };
        let bins: Vec<Bin> = sums
            .iter()
            .map(|&(pictures, confidence, right)| Bin {
                pictures,
                confidence: mean(confidence, pictures),
                accuracy: mean(right as f64, pictures),
            })
            .collect();
        let all = answers.len() as u64;
        let apart = bins.iter().map(|bin| bin.pictures as f64 * (bin.accuracy - bin.confidence).abs()).sum();
        Reliability { loss: mean(loss, all), ece: mean(apart, all), bins }
    }
}

impl Calibration {
    /// The temperature that makes the mean cross-entropy of `answers` least, or 1 where they can't tell it.
    pub fn fit(answers: &[Labelled<'_>]) -> Calibration {
        let fitted = Calibration::search(answers);
        let (temperature, interval, left) = match fitted {
            Ok((temperature, interval)) => (temperature, Some(interval), None),
            Err(left) => (1.0, None, Some(left)),
        };
        let before = Reliability::of(answers, 1.0);
        let after = Reliability::of(answers, temperature);
        Calibration { temperature, interval, pictures: answers.len(), left, before, after }
    }

    fn search(answers: &[Labelled<'_>]) -> Result<(f64, (f64, f64)), Left> {
        if answers.len() < LEAST_PICTURES {
            return Err(Left::TooFew);
        }
        if answers.iter().all(|answer| argmax(answer.logits) == answer.label) {
            return Err(Left::NoMistakes);
        }
        let (inverse, curvature) = least_loss(answers).ok_or(Left::Uncertain)?;
        // The mean loss' curvature, times the pictures, is the information that they hold of 1/T.
        let deviation = 1.0 / (answers.len() as f64 * curvature).sqrt() / inverse;
        let factor = (NORMAL_QUANTILE * deviation).exp();
        if factor > WIDEST || factor.is_nan() {
            return Err(Left::Uncertain);
        }
        let temperature = 1.0 / inverse;
        Ok((temperature, (temperature / factor, temperature * factor)))
    }
}

/// The 97.5 % quantile of the standard normal distribution.
const NORMAL_QUANTILE: f64 = 1.959_963_984_540_054;

/// Bounds of 1/T.
const INVERSES: (f64, f64) = (1e-3, 1e3);

/// The 1/T of the least mean cross-entropy, and its second derivative there.
///
/// In 1/T the loss is convex (a log-sum-exp of linear functions less a linear one), so its derivative has one zero: Newton's
/// steps find it, and where one would leave the bracket, its middle is taken.
fn least_loss(answers: &[Labelled<'_>]) -> Option<(f64, f64)> {
    let (mut low, mut high) = INVERSES;
    let mut inverse = 1.0;
    for _ in 0..100 {
        let (slope, curvature) = derivatives(answers, inverse);
        if !(slope.is_finite() && curvature > 0.0) {
            return None;
        }
        if slope > 0.0 {
            high = inverse
        } else {
            low = inverse
        }
        let newton = inverse - slope / curvature;
        let next = if low < newton && newton < high { newton } else { (low * high).sqrt() };
        if (next - inverse).abs() <= 1e-10 * inverse {
            let inside = INVERSES.0 * 1.01 < next && next < INVERSES.1 * 0.99;
            return inside.then_some((next, curvature));
        }
        inverse = next;
    }
    None
}

/// The first and the second derivative of the mean cross-entropy by 1/T: `mean(E[z] − z_label)` and `mean(Var[z])`.
fn derivatives(answers: &[Labelled<'_>], inverse: f64) -> (f64, f64) {
    let (mut slope, mut curvature) = (0.0, 0.0);
    for answer in answers {
        let spread = Spread::of(answer.logits, inverse);
        let share = |logit: f32| (spread.scaled(logit) - spread.ln_sum).exp();
        let mean: f64 = answer.logits.iter().map(|&logit| share(logit) * f64::from(logit)).sum();
        slope += mean - f64::from(answer.logits[answer.label]);
        curvature += answer.logits.iter().map(|&logit| share(logit) * (f64::from(logit) - mean).powi(2)).sum::<f64>();
    }
    let count = answers.len() as f64;
    (slope / count, curvature / count)
}

/// Logits, scaled and with the largest taken out.
struct Spread {
    largest: f64,
    inverse: f64,
    /// `ln Σ exp(scaled)`
    ln_sum: f64,
}

impl Spread {
    fn of(logits: &[f32], inverse: f64) -> Spread {
        let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let ln_sum = logits.iter().map(|&logit| ((f64::from(logit) - largest) * inverse).exp()).sum::<f64>().ln();
        Spread { largest, inverse, ln_sum }
    }

    fn scaled(&self, logit: f32) -> f64 {
        (f64::from(logit) - self.largest) * self.inverse
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rng::Stream;

    /// Logits whose labels are drawn from their softmax: calibrated at temperature 1.
    fn calibrated(pictures: usize, classes: usize) -> (Vec<Vec<f32>>, Vec<usize>) {
        let mut stream = Stream::new(3, "calibration", &[]);
        let logits: Vec<Vec<f32>> =
            (0..pictures).map(|_| (0..classes).map(|_| 2.0 * stream.normal()).collect()).collect();
        let labels = logits
            .iter()
            .map(|logits| {
                let mut shares = vec![0.0; classes];
                softmax(logits, &mut shares);
                let mut rest = stream.uniform();
                shares.iter().position(|share| {
                    rest -= share;
                    rest < 0.0
                })
            })
            .map(|label| label.unwrap_or(0))
            .collect();
        (logits, labels)
    }

    fn labelled<'a>(logits: &'a [Vec<f32>], labels: &[usize]) -> Vec<Labelled<'a>> {
        logits.iter().zip(labels).map(|(logits, &label)| Labelled { logits, label }).collect()
    }

    #[test]
    fn a_known_temperature_is_found() {
        let (logits, labels) = calibrated(4000, 5);
        let plain = Calibration::fit(&labelled(&logits, &labels));
        let (low, high) = plain.interval.unwrap();
        assert!(low < 1.0 && 1.0 < high && high / low < 1.2, "{plain:?}");
        for factor in [0.2_f32, 3.0] {
            let scaled: Vec<Vec<f32>> =
                logits.iter().map(|row| row.iter().map(|logit| logit * factor).collect()).collect();
            let fitted = Calibration::fit(&labelled(&scaled, &labels));
            assert!((fitted.temperature / f64::from(factor) - plain.temperature).abs() < 1e-5, "{fitted:?}");
            assert!(fitted.after.loss < fitted.before.loss && fitted.after.ece < 0.03 && fitted.before.ece > 0.1);
        }
    }

    #[test]
    fn where_the_pictures_cannot_tell_it_the_temperature_stays() {
        let (logits, labels) = calibrated(LEAST_PICTURES - 1, 3);
        let few = Calibration::fit(&labelled(&logits, &labels));
        assert_eq!((few.temperature, few.left, few.interval), (1.0, Some(Left::TooFew), None));
        assert_eq!(few.before, few.after);
        let (logits, _) = calibrated(200, 3);
        let right: Vec<usize> = logits.iter().map(|logits| argmax(logits)).collect();
        assert_eq!(Calibration::fit(&labelled(&logits, &right)).left, Some(Left::NoMistakes));
        let mut one_wrong = right.clone();
        one_wrong[0] = (right[0] + 1) % 3;
        let flat = vec![vec![0.0; 3]; 200];
        assert_eq!(Calibration::fit(&labelled(&flat, &one_wrong)).left, Some(Left::Uncertain));
        let none = Calibration::fit(&[]);
        assert_eq!((none.left, none.before.loss), (Some(Left::TooFew), 0.0));
    }

    #[test]
    fn the_error_is_guos() {
        // Three answers: 0.5 right, 0.5 wrong, and one of 1 − 1e-6 that is right.
        let (even, sure) = ([0.0, 0.0], [0.0, -14.0]);
        let answers = [(&even, 0), (&even, 1), (&sure, 0)].map(|(logits, label)| Labelled { logits, label });
        let reliability = Reliability::of(&answers, 1.0);
        // 0.5 lies in (7/15, 8/15].
        assert_eq!(reliability.bins[7], Bin { pictures: 2, confidence: 0.5, accuracy: 0.5 });
        assert_eq!(reliability.bins[14].pictures, 1);
        assert!(reliability.ece < 1e-6);
        let wrong = [Labelled { logits: &sure, label: 1 }];
        assert!((Reliability::of(&wrong, 1.0).ece - 1.0).abs() < 1e-5);
    }

    proptest! {
        #[test]
        fn the_loss_is_least_at_the_temperature(seed in 0_u64..1000, gain in 0.3_f32..4.0) {
            let mut stream = Stream::new(seed, "loss", &[]);
            let logits: Vec<Vec<f32>> = (0..80).map(|_| (0..4).map(|_| gain * stream.normal()).collect()).collect();
            let labels: Vec<usize> = logits
                .iter()
                .map(|logits| if stream.uniform() < 0.6 { argmax(logits) } else { stream.below(4) as usize })
                .collect();
            let answers = labelled(&logits, &labels);
            if let Some((inverse, _)) = least_loss(&answers) {
                let least = Reliability::of(&answers, 1.0 / inverse).loss;
                for factor in [0.9, 1.1] {
                    prop_assert!(Reliability::of(&answers, factor / inverse).loss >= least);
                }
            }
        }
    }
}
