//! What a recipe may well do, but people should know before they wait for it.

use std::fmt;

use super::{Recipe, Stage, Weights};
use crate::data::Validation;
use crate::graph::Cut;
use crate::optim::OptimizerConfig;

/// Something in a recipe that is allowed but seldom meant.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// A learning rate outside the range that suits what the stage thaws.
    RateOutOfRange {
        /// The stage's name.
        stage: String,
        /// Its highest rate.
        learning_rate: f64,
        /// The lowest that suits it.
        low: f64,
        /// The highest that suits it.
        high: f64,
    },
    /// A stage that thaws layers, with a rate that isn't 10 to 100 times below the first stage's.
    RateNearFirst {
        /// The stage's name.
        stage: String,
        /// Its highest rate.
        learning_rate: f64,
        /// The first stage's.
        first: f64,
    },
    /// The test pictures choose the best epoch.
    TestIsValidation,
    /// Pictures are mixed with their neighbours only.
    ShuffleBuffer {
        /// The size of the buffer.
        pictures: usize,
    },
    /// Layers that were never trained are frozen.
    FrozenRandom {
        /// The stage's name.
        stage: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::RateOutOfRange { stage, learning_rate, low, high } => write!(
                f,
                "the learning rate of `{stage}`, {learning_rate:e}, is outside {low:e} to {high:e}, which suits what it thaws"
            ),
            Warning::RateNearFirst { stage, learning_rate, first } => write!(
                f,
                "the learning rate of `{stage}`, {learning_rate:e}, isn't 10 to 100 times below the first stage's {first:e}"
            ),
            Warning::TestIsValidation => f.write_str(
                "`data.validation` is \"test\": the pictures that choose the best epoch can't say how good it is",
            ),
            Warning::ShuffleBuffer { pictures } => write!(
                f,
                "`data.shuffle_buffer` mixes each picture with the next {pictures} only; where files come class by class, \
                 that makes batches of one class"
            ),
            Warning::FrozenRandom { stage } => {
                write!(f, "`{stage}` freezes layers that were never trained, as `weights` is \"none\"")
            }
        }
    }
}

impl Recipe {
    /// What people should know before they wait for the run.
    ///
    /// [`Warning::ShuffleBuffer`] is moot where the data come in random order, as CIFAR's files do; only who has opened them
    /// knows.
    pub fn warnings(&self) -> Vec<Warning> {
        let recipe = self.resolved();
        let from_scratch = recipe.weights == Weights::None;
        let mut warnings = Vec::new();
        if recipe.data.validation == Validation::Test {
            warnings.push(Warning::TestIsValidation);
        }
        if let Some(pictures) = recipe.data.shuffle_buffer {
            warnings.push(Warning::ShuffleBuffer { pictures });
        }
        let mut first = None;
        for stage in &recipe.stages {
            if from_scratch {
                if stage.cut != Cut::All {
                    warnings.push(Warning::FrozenRandom { stage: stage.name.clone() });
                }
                continue;
            }
            let learning_rate = stage.schedule(recipe.base_learning_rate).highest();
            let Some((low, high)) = suitable_rates(stage) else { continue };
            // Rates are decimals: 1e-4 is in the range although 1e-3 / 10 may round below it.
            let within = |rate: f64, low: f64, high: f64| rate >= low * (1.0 - 1e-9) && rate <= high * (1.0 + 1e-9);
            if !within(learning_rate, low, high) {
                warnings.push(Warning::RateOutOfRange { stage: stage.name.clone(), learning_rate, low, high });
            }
            match first {
                None => first = Some(learning_rate),
                Some(first) if stage.cut != Cut::Head && !within(learning_rate, first / 100.0, first / 10.0) => {
                    warnings.push(Warning::RateNearFirst { stage: stage.name.clone(), learning_rate, first });
                }
                Some(_) => {}
            }
        }
        warnings
    }
}

/// The chapter's ranges, which are for optimizers that set the step's length themselves; SGD's rates mean something else.
fn suitable_rates(stage: &Stage) -> Option<(f64, f64)> {
    if matches!(stage.optimizer, OptimizerConfig::Sgd(_)) {
        return None;
    }
    Some(match stage.cut {
        Cut::Head => (1e-3, 1e-2),
        Cut::All => (1e-6, 1e-5),
        Cut::Last(_) | Cut::Fraction(_) | Cut::From(_) => (1e-5, 1e-4),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::Sgd;

    fn report(recipe: &Recipe) -> String {
        recipe.warnings().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_chapters_recipes_are_fine() {
        let from_scratch = Recipe { weights: Weights::None, ..Recipe::default() };
        let thawing = [Stage::feature_extraction(5), Stage::fine_tuning(5), Stage::full_fine_tuning(2)];
        for recipe in [Recipe::default(), Recipe::default().stages(thawing), from_scratch] {
            assert_eq!(recipe.warnings(), []);
        }
    }

    #[test]
    fn unwise_settings_are_told() {
        let mut recipe = Recipe::default().stages([
            Stage::feature_extraction(5).learning_rate(0.1),
            Stage::fine_tuning(5).learning_rate(1e-3),
            Stage::fine_tuning(5).named("slow").learning_rate(5e-4),
            Stage::full_fine_tuning(1).learning_rate(1e-2).optimizer(OptimizerConfig::Sgd(Sgd::default())),
        ]);
        recipe.data.validation = Validation::Test;
        recipe.data.shuffle_buffer = Some(1000);
        insta::assert_snapshot!(report(&recipe), @r#"
        `data.validation` is "test": the pictures that choose the best epoch can't say how good it is
        `data.shuffle_buffer` mixes each picture with the next 1000 only; where files come class by class, that makes batches of one class
        the learning rate of `feature_extraction`, 1e-1, is outside 1e-3 to 1e-2, which suits what it thaws
        the learning rate of `fine_tuning`, 1e-3, is outside 1e-5 to 1e-4, which suits what it thaws
        the learning rate of `slow`, 5e-4, is outside 1e-5 to 1e-4, which suits what it thaws
        the learning rate of `slow`, 5e-4, isn't 10 to 100 times below the first stage's 1e-1
        "#);
        recipe.weights = Weights::None;
        recipe.data = crate::recipe::Data::default();
        recipe.stages.truncate(1);
        insta::assert_snapshot!(report(&recipe), @r#"`feature_extraction` freezes layers that were never trained, as `weights` is "none""#);
    }
}
