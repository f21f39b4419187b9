//! The table: how many pictures a class × how near the domain → what to train.

use std::fmt;

use serde::Serialize;

use crate::recipe::{EarlyStopping, Epochs, Monitor, Stage};

/// From so many pictures a class on there are many of them.
pub const MANY: usize = 100;

/// From so many pictures a class on, a network can be trained from nothing.
///
/// # Reference
/// Goodfellow, Bengio and Courville 2016, "Deep Learning", section 1.2.2: about 5,000 labelled examples a category for
/// acceptable results.
pub const ENOUGH_FROM_SCRATCH: usize = 5000;

/// How near the pictures are to those that the network has learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Domain {
    /// Its features tell what there is to tell.
    Near,
    /// Its late features were made for other pictures.
    Far,
}

/// What the choice depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Situation {
    /// Of all pictures but the test's; the mean over classes.
    pub pictures_per_class: usize,
    /// How near the domain is.
    pub domain: Domain,
    /// Whether the network's last layers add anything to what earlier ones tell.
    pub late_layers_help: bool,
}

/// What to train.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The head alone, on frozen features.
    FeatureExtraction,
    /// The head, then the upper layers at a hundredth of the head's rate.
    CarefulFineTuning,
    /// The head, then the upper layers at a tenth of the head's rate.
    FineTuning,
    /// The head, the upper layers, then the whole network.
    FullFineTuning,
    /// The whole network, from random weights.
    FromScratch,
}

impl Situation {
    /// Whether there are many pictures: at least [`MANY`] a class.
    pub fn has_many(self) -> bool {
        self.pictures_per_class >= MANY
    }
}

/// The strategy for a situation.
///
/// | pictures a class | near | far |
/// | --- | --- | --- |
/// | few, < 100 | feature extraction | feature extraction, then careful fine-tuning |
/// | many, ≥ 100 | fine-tuning of the upper layers | full fine-tuning |
///
/// Far, with at least 5,000 pictures a class, and late layers that add nothing: training from scratch.
///
/// ```
/// use defrost::advise::{Domain, Situation, Strategy, strategy};
/// let situation = Situation { pictures_per_class: 30, domain: Domain::Near, late_layers_help: true };
/// assert_eq!(strategy(situation), Strategy::FeatureExtraction);
/// ```
pub fn strategy(situation: Situation) -> Strategy {
    let nothing_to_keep = !situation.late_layers_help && situation.pictures_per_class >= ENOUGH_FROM_SCRATCH;
    match (situation.has_many(), situation.domain) {
        (false, Domain::Near) => Strategy::FeatureExtraction,
        (false, Domain::Far) => Strategy::CarefulFineTuning,
        (true, Domain::Near) => Strategy::FineTuning,
        (true, Domain::Far) if nothing_to_keep => Strategy::FromScratch,
        (true, Domain::Far) => Strategy::FullFineTuning,
    }
}

/// Epochs of training from scratch, and views of each picture.
pub(super) const FROM_SCRATCH_EPOCHS: usize = 20;

impl Strategy {
    /// The stages, with learning rates in proportion to `base`, the head's.
    pub fn stages(self, base: f64) -> Vec<Stage> {
        let converged = Epochs::UntilConverged { max: 30, monitor: Monitor::ValLoss, patience: 3, min_delta: 1e-3 };
        let head = Stage::feature_extraction(5).epochs(converged);
        // With few pictures a stage can get worse while it trains, so it hands on its best epoch.
        let best = EarlyStopping { patience: 3, restore_best_weights: true, ..EarlyStopping::default() };
        let upper = Stage::fine_tuning(10).early_stopping(best);
        let stages = match self {
            Strategy::FeatureExtraction => vec![head],
            Strategy::CarefulFineTuning => {
                let careful = Stage::full_fine_tuning(1).schedule(base);
                vec![head, upper.learning_rate(careful)]
            }
            Strategy::FineTuning => vec![head, upper],
            Strategy::FullFineTuning => vec![head, upper, Stage::full_fine_tuning(5).early_stopping(best)],
            Strategy::FromScratch => vec![Stage::from_scratch(FROM_SCRATCH_EPOCHS)],
        };
        let rated = |stage: Stage| Stage { learning_rate: Some(stage.schedule(base)), ..stage };
        stages.into_iter().map(rated).collect()
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Strategy::FeatureExtraction => "feature extraction",
            Strategy::CarefulFineTuning => "feature extraction, then careful fine-tuning of the upper layers",
            Strategy::FineTuning => "feature extraction, then fine-tuning of the upper layers",
            Strategy::FullFineTuning => "feature extraction, then fine-tuning from the top down to the whole network",
            Strategy::FromScratch => "training from scratch",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Cut;
    use crate::recipe::{BatchNorm, Recipe, Weights};
    use crate::schedule::Schedule;

    fn chosen(pictures_per_class: usize, domain: Domain, late_layers_help: bool) -> Strategy {
        strategy(Situation { pictures_per_class, domain, late_layers_help })
    }

    #[test]
    fn each_cell_has_its_strategy() {
        for late_layers_help in [false, true] {
            for few in [0, 1, 99] {
                assert_eq!(chosen(few, Domain::Near, late_layers_help), Strategy::FeatureExtraction);
                assert_eq!(chosen(few, Domain::Far, late_layers_help), Strategy::CarefulFineTuning);
            }
            for many in [100, 5000, 1_000_000] {
                assert_eq!(chosen(many, Domain::Near, late_layers_help), Strategy::FineTuning);
            }
            assert_eq!(chosen(100, Domain::Far, late_layers_help), Strategy::FullFineTuning);
            assert_eq!(chosen(4999, Domain::Far, late_layers_help), Strategy::FullFineTuning);
        }
        assert_eq!(chosen(5000, Domain::Far, true), Strategy::FullFineTuning);
        assert_eq!(chosen(5000, Domain::Far, false), Strategy::FromScratch);
    }

    #[test]
    fn stages_have_the_chapters_cuts_and_rates() {
        let stages = |strategy: Strategy| -> Vec<(Cut, Schedule)> {
            let stages = strategy.stages(1e-3).into_iter();
            stages.map(|stage| (stage.cut, stage.learning_rate.unwrap())).collect()
        };
        let (head, upper, whole) = ((Cut::Head, 1e-3.into()), Cut::Last(30), (Cut::All, 1e-5.into()));
        assert_eq!(stages(Strategy::FeatureExtraction), std::slice::from_ref(&head));
        assert_eq!(stages(Strategy::CarefulFineTuning), [head.clone(), (upper.clone(), 1e-5.into())]);
        assert_eq!(stages(Strategy::FineTuning), [head.clone(), (upper.clone(), 1e-4.into())]);
        assert_eq!(stages(Strategy::FullFineTuning), [head, (upper, 1e-4.into()), whole]);
        let [(cut, schedule)] = &stages(Strategy::FromScratch)[..] else { panic!("one stage") };
        assert_eq!((cut, schedule.highest()), (&Cut::All, 1e-3));
    }

    #[test]
    fn the_stages_make_sound_recipes() {
        for strategy in [
            Strategy::FeatureExtraction,
            Strategy::CarefulFineTuning,
            Strategy::FineTuning,
            Strategy::FullFineTuning,
            Strategy::FromScratch,
        ] {
            let weights = if strategy == Strategy::FromScratch { Weights::None } else { Weights::Pretrained };
            let recipe = Recipe { weights, ..Recipe::default() }.stages(strategy.stages(1e-3));
            recipe.check().unwrap();
            assert_eq!(recipe.warnings(), [], "{strategy}");
            assert_eq!(Recipe::parse(&recipe.to_toml(), None).unwrap(), recipe);
            let batch_statistics =
                recipe.resolved().stages.pop().unwrap().batch_norm == Some(BatchNorm::BatchStatistics);
            assert_eq!(batch_statistics, strategy == Strategy::FromScratch);
        }
    }
}
