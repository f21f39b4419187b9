//! Cross-entropy fused with the softmax before it: values and gradients from the logits, a sample at a time.
//!
//! Invariant: probabilities are never clipped. Keras clips them at 1e-7 when the loss is called on bare probabilities, but a
//! compiled model whose last layer is a softmax goes back to the logits, and that is what is computed here.

use serde::de::{SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::metrics::argmax;
use crate::settings::Checks;

/// How the loss of a run is computed, under Keras' names.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    /// The share of each target that is spread over all classes.
    pub label_smoothing: f64,
    /// How much the samples of each class count in training.
    pub class_weights: ClassWeights,
}

/// How much the samples of a class count in training: `"none"`, `"balanced"` or a list, in the order of the classes.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ClassWeights {
    /// All the same.
    #[default]
    None,
    /// `samples / (classes · samples of the class)`: every class counts the same, and the mean weight is 1.
    Balanced,
    /// Given, one a class.
    Values(Vec<f64>),
}

/// Settings that don't fit the data.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LossError {
    /// A weight for each class is needed.
    #[error("`loss.class_weights` must have one entry for each of the {expected} classes; got {got}")]
    WeightCount {
        /// The number of classes.
        expected: usize,
        /// The number of weights.
        got: usize,
    },
}

impl LossConfig {
    /// Notes every setting that is out of range.
    pub fn check(&self, checks: &mut Checks) {
        let smoothing = self.label_smoothing;
        checks.require((0.0..1.0).contains(&smoothing), "label_smoothing", "at least 0 and < 1", smoothing);
        if let ClassWeights::Values(weights) = &self.class_weights {
            checks.within("class_weights", |checks| {
                for (class, &weight) in weights.iter().enumerate() {
                    let sound = weight.is_finite() && weight >= 0.0;
                    checks.require(sound, &class.to_string(), "a finite number of at least 0", weight);
                }
            });
        }
    }

    /// The loss for training data with `samples` of each class.
    ///
    /// # Errors
    /// When the number of weights isn't the number of classes.
    pub fn build(&self, samples: &[usize]) -> Result<CrossEntropy, LossError> {
        let class_weights = match &self.class_weights {
            ClassWeights::None => vec![1.0; samples.len()],
            ClassWeights::Balanced => {
                let mean = samples.iter().sum::<usize>() as f64 / samples.len() as f64;
                // A class without samples is never weighted; any number will do.
                samples.iter().map(|&samples| (mean / samples.max(1) as f64) as f32).collect()
            }
            ClassWeights::Values(weights) if weights.len() != samples.len() => {
                return Err(LossError::WeightCount { expected: samples.len(), got: weights.len() });
            }
            ClassWeights::Values(weights) => weights.iter().map(|&weight| weight as f32).collect(),
        };
        Ok(CrossEntropy { label_smoothing: self.label_smoothing as f32, class_weights })
    }
}

/// What a sample should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target<'a> {
    /// One class, by its number.
    Class(usize),
    /// A share of each class, which sum to 1.
    Distribution(&'a [f32]),
}

impl Target<'_> {
    /// The class that counts as right: of a distribution the one with the largest share, the first of equals, as in Keras'
    /// categorical accuracy.
    pub fn class(&self) -> usize {
        match self {
            Target::Class(class) => *class,
            Target::Distribution(shares) => argmax(shares),
        }
    }

    /// The share of `class`.
    fn share(&self, class: usize) -> f32 {
        match self {
            Target::Class(target) => f32::from(u8::from(*target == class)),
            Target::Distribution(shares) => shares[class],
        }
    }
}

/// Cross-entropy of a softmax: `−Σ tᵢ · ln softmax(z)ᵢ`, with gradient `softmax(z)ᵢ · Σ t − tᵢ`.
///
/// With label smoothing s, `tᵢ` becomes `tᵢ · (1 − s) + s / classes`.
///
/// A sample's weight is that of its class (for a distribution, the mean of the classes' by share). A weighted mean is divided by
/// the number of samples, not by the sum of the weights, as Keras does.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossEntropy {
    label_smoothing: f32,
    class_weights: Vec<f32>,
}

impl CrossEntropy {
    /// Without smoothing or weights.
    pub fn plain(classes: usize) -> CrossEntropy {
        CrossEntropy { label_smoothing: 0.0, class_weights: vec![1.0; classes] }
    }

    /// The loss of one sample, unweighted: what validation and evaluation average.
    ///
    /// # Panics
    /// When there are more or fewer logits than classes.
    pub fn forward(&self, logits: &[f32], target: Target<'_>) -> f32 {
        assert_eq!(logits.len(), self.class_weights.len(), "one logit for each class");
        let (largest, sum) = largest_and_sum(logits);
        let ln_sum = sum.ln();
        let smoothed = self.smoothed(target);
        logits.iter().enumerate().map(|(class, logit)| smoothed(class) * (ln_sum - (logit - largest))).sum()
    }

    /// The weighted loss of one sample, and its gradient by the logits as a part of the mean over `samples`.
    ///
    /// The mean loss of a batch is the sum of what is returned, divided by `samples`; `gradient` is already divided, so that
    /// the batch's gradient is the sum of its samples'.
    ///
    /// # Shapes
    /// `logits`, `gradient`: `[classes]`.
    ///
    /// # Panics
    /// When there are more or fewer logits than classes.
    pub fn forward_backward(&self, logits: &[f32], target: Target<'_>, samples: usize, gradient: &mut [f32]) -> f32 {
        assert_eq!(logits.len(), gradient.len(), "one gradient for each logit");
        let weight = self.weight(target);
        softmax(logits, gradient);
        let smoothed = self.smoothed(target);
        let total: f32 = (0..logits.len()).map(&smoothed).sum();
        let scale = weight / samples as f32;
        for (class, gradient) in gradient.iter_mut().enumerate() {
            *gradient = (*gradient * total - smoothed(class)) * scale;
        }
        self.forward(logits, target) * weight
    }

    /// How much a sample counts in training.
    fn weight(&self, target: Target<'_>) -> f32 {
        self.class_weights.iter().enumerate().map(|(class, weight)| target.share(class) * weight).sum()
    }

    fn smoothed<'a>(&self, target: Target<'a>) -> impl Fn(usize) -> f32 + 'a {
        let smoothing = self.label_smoothing;
        let uniform = smoothing / self.class_weights.len() as f32;
        move |class| target.share(class) * (1.0 - smoothing) + uniform
    }
}

/// `exp(zᵢ) / Σ exp(z)`, with the largest logit taken out first.
///
/// # Panics
/// When the lengths differ.
pub fn softmax(logits: &[f32], probabilities: &mut [f32]) {
    assert_eq!(logits.len(), probabilities.len(), "one probability for each logit");
    let (largest, sum) = largest_and_sum(logits);
    for (probability, logit) in probabilities.iter_mut().zip(logits) {
        *probability = (logit - largest).exp() / sum;
    }
}

/// `(max z, Σ exp(z − max z))`
fn largest_and_sum(logits: &[f32]) -> (f32, f32) {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    (largest, logits.iter().map(|logit| (logit - largest).exp()).sum())
}

impl Serialize for ClassWeights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            ClassWeights::None => serializer.serialize_str("none"),
            ClassWeights::Balanced => serializer.serialize_str("balanced"),
            ClassWeights::Values(weights) => weights.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ClassWeights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ClassWeights, D::Error> {
        struct NameOrList;

        impl<'de> Visitor<'de> for NameOrList {
            type Value = ClassWeights;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("\"none\", \"balanced\" or a list with one number a class")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<ClassWeights, E> {
                match name {
                    "none" => Ok(ClassWeights::None),
                    "balanced" => Ok(ClassWeights::Balanced),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(name), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<ClassWeights, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(ClassWeights::Values)
            }
        }

        deserializer.deserialize_any(NameOrList)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn goldens() -> Value {
        serde_json::from_str(include_str!("../tests/goldens/optim/losses.json")).unwrap()
    }

    fn floats(value: &Value) -> Vec<f32> {
        value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
    }

    fn smoothing(label_smoothing: f64, classes: usize) -> CrossEntropy {
        LossConfig { label_smoothing, ..LossConfig::default() }.build(&vec![1; classes]).unwrap()
    }

    /// `|got − expected| ≤ 1e-5 · |expected|`, where what TensorFlow flushes to zero may be a denormal number.
    fn close(got: f32, expected: f32) -> bool {
        (got - expected).abs() <= 1e-5 * expected.abs() + f32::MIN_POSITIVE
    }

    #[test]
    fn equal_to_keras_from_logits() {
        let goldens = goldens();
        let labels: Vec<usize> =
            goldens["labels"].as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as usize).collect();
        let sparse = goldens["sparse_from_logits"].clone();
        let cases = [
            (0.0, sparse),
            (0.0, goldens["categorical_smoothing0.0_from_logits"].clone()),
            (0.1, goldens["categorical_smoothing0.1_from_logits"].clone()),
            (0.2, goldens["categorical_smoothing0.2_from_logits"].clone()),
        ];
        for (label_smoothing, case) in cases {
            let loss = smoothing(label_smoothing, 5);
            for (i, &label) in labels.iter().enumerate() {
                let logits = floats(&goldens["logits"][i]);
                let one_hot: Vec<f32> = (0..5).map(|class| f32::from(u8::from(class == label))).collect();
                for target in [Target::Class(label), Target::Distribution(&one_hot)] {
                    let mut gradient = [0.0; 5];
                    let value = loss.forward_backward(&logits, target, 1, &mut gradient);
                    assert!(close(value, case["values"][i].as_f64().unwrap() as f32), "sample {i}: {value}");
                    assert_eq!(value, loss.forward(&logits, target));
                    for (got, expected) in gradient.iter().zip(floats(&case["gradients_by_logits"][i])) {
                        // softmax − target cancels: what is small is known to one rounding of the larger.
                        assert!(
                            (got - expected).abs() <= 1e-5 * expected.abs() + 2e-8,
                            "sample {i}: {got}, {expected}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn equal_to_a_compiled_model() {
        let goldens = goldens();
        let labels = goldens["labels"].as_array().unwrap();
        let evaluated = goldens["through_model_evaluate"].as_object().unwrap();
        assert_eq!((labels.len(), evaluated.len()), (7, 6));
        let loss = smoothing(0.0, 5);
        for (i, label) in labels.iter().enumerate() {
            let logits = floats(&goldens["logits"][i]);
            let target = Target::Class(label.as_u64().unwrap() as usize);
            for (model, values) in evaluated {
                assert!(close(loss.forward(&logits, target), floats(values)[i]), "{model}, sample {i}");
            }
            let mut gradient = [0.0; 5];
            loss.forward_backward(&logits, target, 1, &mut gradient);
            for (got, expected) in
                gradient.iter().zip(floats(&goldens["through_model_train_bias_gradient"][i.to_string()]))
            {
                assert!((got - expected).abs() <= 1e-5 * expected.abs() + 2e-8, "sample {i}: {got}, {expected}");
            }
        }
    }

    #[test]
    fn a_weighted_loss_is_divided_by_the_number_of_samples() {
        let golden = &goldens()["class_weight_and_sample_weight"];
        let (losses, weights) = (floats(&golden["per_sample"]), golden["weights"].as_array().unwrap());
        // Sample i has class i and the loss `losses[i]`: of the logits (x, 0, 0, 0, 0), x at its class.
        let weights = weights.iter().map(|x| x.as_f64().unwrap()).chain([1.0]).collect();
        let config = LossConfig { class_weights: ClassWeights::Values(weights), ..LossConfig::default() };
        let loss = config.build(&[1; 5]).unwrap();
        let mut sum = 0.0;
        for (class, target) in losses.iter().enumerate() {
            let mut logits = [0.0; 5];
            logits[class] = (4.0 / (target.exp() - 1.0)).ln();
            let mut gradient = [0.0; 5];
            sum += loss.forward_backward(&logits, Target::Class(class), 4, &mut gradient);
            assert!(close(loss.forward(&logits, Target::Class(class)), *target));
            let expected = loss.class_weights[class] * ((-target).exp() - 1.0) / 4.0;
            assert!((gradient[class] - expected).abs() < 1e-6);
        }
        assert!(close(sum / 4.0, golden["model_loss"].as_f64().unwrap() as f32), "{sum}");
    }

    #[test]
    fn balanced_weights_have_mean_one() {
        let config = LossConfig { class_weights: ClassWeights::Balanced, ..LossConfig::default() };
        let loss = config.build(&[10, 30, 20]).unwrap();
        assert_eq!(loss.class_weights, [2.0, 2.0 / 3.0, 1.0]);
        let mixed = [0.5, 0.0, 0.5];
        assert_eq!(loss.weight(Target::Distribution(&mixed)), 1.5);
    }

    #[test]
    fn a_mixed_target_is_the_mixture_of_both_losses() {
        let loss = smoothing(0.1, 3);
        let logits = [0.3, -1.0, 2.0];
        let shares = [0.25, 0.0, 0.75];
        let of = |class| loss.forward(&logits, Target::Class(class));
        let mixed = loss.forward(&logits, Target::Distribution(&shares));
        assert!((mixed - 0.25 * of(0) - 0.75 * of(2)).abs() < 1e-6);
        assert_eq!((Target::Distribution(&shares).class(), Target::Distribution(&[0.5, 0.5]).class()), (2, 0));
        assert_eq!(Target::Class(1).class(), 1);
    }

    #[test]
    fn settings_are_checked() {
        let mistakes = |text: &str| {
            let value = format!("{{ {text} }}").parse().unwrap();
            let mistakes = crate::settings::read(value, LossConfig::check).unwrap_err();
            mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(mistakes("label_smoothing = 1, class_weights = [1, -2]"), @r"
        `label_smoothing` must be at least 0 and < 1; got 1.0
        `class_weights.1` must be a finite number of at least 0; got -2.0
        ");
        insta::assert_snapshot!(
            mistakes("smoothing = 1, class_weights = 'balance'"),
            @r#"
        unknown key `smoothing`; did you mean `label_smoothing`?
        `class_weights` must be "none", "balanced" or a list with one number a class; got "balance"
        "#
        );
        let config = LossConfig { class_weights: ClassWeights::Values(vec![1.0]), ..LossConfig::default() };
        let error = config.build(&[1, 1]).unwrap_err().to_string();
        assert_eq!(error, "`loss.class_weights` must have one entry for each of the 2 classes; got 1");
    }

    proptest! {
        #[test]
        fn the_gradient_is_the_derivative(
            logits in proptest::array::uniform4(-4.0..4.0_f32),
            shares in proptest::array::uniform4(0.01..1.0_f32),
            label_smoothing in 0.0..0.5_f64,
            weights in proptest::array::uniform4(0.1..3.0_f64),
        ) {
            let sum: f32 = shares.iter().sum();
            let shares = shares.map(|share| share / sum);
            let class_weights = ClassWeights::Values(weights.to_vec());
            let loss = LossConfig { label_smoothing, class_weights }.build(&[1; 4]).unwrap();
            let weight: f32 = shares.iter().zip(&weights).map(|(share, weight)| share * *weight as f32).sum();
            let mut gradient = [0.0; 4];
            loss.forward_backward(&logits, Target::Distribution(&shares), 1, &mut gradient);
            for class in 0..4 {
                let at = |offset: f32| {
                    let mut moved = logits;
                    moved[class] += offset;
                    loss.forward(&moved, Target::Distribution(&shares))
                };
                let difference = weight * (at(0.01) - at(-0.01)) / 0.02;
                prop_assert!((difference - gradient[class]).abs() < 3e-3, "{difference} {}", gradient[class]);
            }
        }

        #[test]
        fn probabilities_sum_to_one(logits in proptest::collection::vec(-1e4..1e4_f32, 1..20)) {
            let mut probabilities = vec![0.0; logits.len()];
            softmax(&logits, &mut probabilities);
            prop_assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }
}
