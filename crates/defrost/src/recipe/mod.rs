//! The whole run as data: what is trained on what, in which stages. Checked before any work begins.
//!
//! A recipe is a TOML file, a value built in code, or both with single settings changed ([`Recipe::set`]); every flag of the
//! command line is one of its fields. Invariant: what [`Recipe::to_toml`] writes reads back as the same recipe, and two recipes
//! with the same [`Recipe::hash`] describe the same run.
//!
//! ```
//! use defrost::recipe::{Recipe, Stage};
//! let mut recipe = Recipe::default().stages([Stage::feature_extraction(5), Stage::fine_tuning(5).last(30)]);
//! recipe.set("stages.1.learning_rate", "1e-5")?;
//! assert_eq!(recipe, Recipe::parse(&recipe.to_toml(), None)?);
//! # Ok::<(), defrost::recipe::RecipeErrors>(())
//! ```

mod set;
mod stage;
mod tables;
mod text;
mod warnings;

use serde::{Deserialize, Serialize};

pub use stage::{BatchNorm, EarlyStopping, Epochs, Monitor, Stage};
pub(crate) use tables::head as head_table;
pub use tables::{Augment, Data, Expect, Precision, Preprocess, Weights};
pub use text::RecipeErrors;
pub use warnings::Warning;

use crate::backbone;
use crate::head::Head;
use crate::loss::LossConfig;
use crate::settings::Checks;

/// A whole run as data.
///
/// Fields that are `None`, and `stages` where it is empty, have defaults that depend on other fields; [`resolved`](Self::resolved)
/// fills them in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Decides everything random: the split, the head's start values, the order of the pictures, dropout.
    pub seed: u64,
    /// The pretrained network: `family_variant.tag`.
    pub backbone: String,
    /// Where its weights come from.
    pub weights: Weights,
    /// The side of the square that pictures are resized to; the backbone's own where it isn't given.
    pub input_size: Option<usize>,
    /// Pictures a step.
    pub batch_size: usize,
    /// In what the frozen part computes and features are stored.
    pub precision: Precision,
    /// The learning rate of a stage that names none: this, for a head; a tenth of it, for the upper layers; a hundredth, for all.
    pub base_learning_rate: f64,
    /// What is trained on.
    pub data: Data,
    /// What happens to every picture.
    pub preprocess: Preprocess,
    /// How training pictures are varied.
    pub augment: Augment,
    /// The layers between the backbone's pooled features and the classifier.
    #[serde(with = "tables::head")]
    pub head: Head,
    /// How predictions are judged in training.
    pub loss: LossConfig,
    /// What the run should come to.
    #[serde(skip_serializing_if = "Expect::is_none")]
    pub expect: Expect,
    /// What trains, in this order; empty are those that suit the weights.
    pub stages: Vec<Stage>,
}

impl Default for Recipe {
    /// The chapter's protocol with the backbone that needs no download: five epochs of feature extraction at 1e-3, five of
    /// fine-tuning the last 30 layers at 1e-4, both by Adam.
    fn default() -> Recipe {
        Recipe {
            seed: 42,
            backbone: backbone::DEFAULT.to_owned(),
            weights: Weights::Pretrained,
            input_size: None,
            batch_size: 32,
            precision: Precision::F32,
            base_learning_rate: 1e-3,
            data: Data::default(),
            preprocess: Preprocess::default(),
            augment: Augment::default(),
            head: Head::default(),
            loss: LossConfig::default(),
            expect: Expect::default(),
            stages: Vec::new(),
        }
    }
}

impl Recipe {
    /// The recipe with these stages.
    #[must_use]
    pub fn stages(mut self, stages: impl IntoIterator<Item = Stage>) -> Recipe {
        self.stages = stages.into_iter().collect();
        self
    }

    /// The recipe with this backbone.
    #[must_use]
    pub fn backbone(mut self, id: &str) -> Recipe {
        id.clone_into(&mut self.backbone);
        self
    }

    /// The recipe with this seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Recipe {
        self.seed = seed;
        self
    }

    /// The recipe with every open field filled in: what a run does, and what its `recipe.toml` says.
    #[must_use]
    pub fn resolved(&self) -> Recipe {
        let mut recipe = self.clone();
        if let Ok(backbone) = backbone::find(&self.backbone) {
            recipe.backbone = backbone.id.to_owned();
            recipe.input_size.get_or_insert(backbone.input_size);
        }
        if recipe.stages.is_empty() {
            recipe.stages = self.default_stages();
        }
        let from_scratch = self.weights == Weights::None;
        for stage in &mut recipe.stages {
            let learning_rate = stage.schedule(self.base_learning_rate);
            stage.learning_rate = Some(learning_rate);
            stage.batch_norm =
                stage.batch_norm.or(Some(if from_scratch { BatchNorm::BatchStatistics } else { BatchNorm::Inference }));
        }
        recipe
    }

    /// BLAKE3 of what [`resolved`](Self::resolved) writes: the same for every spelling of the same run.
    pub fn hash(&self) -> blake3::Hash {
        let run = Recipe { expect: Expect::default(), ..self.resolved() };
        blake3::hash(run.to_toml().as_bytes())
    }

    /// Looks for settings that are out of range or contradict each other.
    ///
    /// # Errors
    /// All of them, by key.
    pub fn check(&self) -> Result<(), RecipeErrors> {
        let mut checks = Checks::new();
        self.check_ranges(&mut checks);
        let mistakes = checks.into_mistakes();
        if mistakes.is_empty() { Ok(()) } else { Err(RecipeErrors { origin: None, mistakes }) }
    }

    fn default_stages(&self) -> Vec<Stage> {
        match self.weights {
            Weights::None => vec![Stage::from_scratch(20)],
            Weights::Pretrained | Weights::File(_) => vec![Stage::feature_extraction(5), Stage::fine_tuning(5)],
        }
    }

    fn check_ranges(&self, checks: &mut Checks) {
        let backbone = backbone::find(&self.backbone).ok();
        let known = backbone::all().map(|backbone| backbone.id);
        checks.require_known(
            backbone.is_some(),
            "backbone",
            "one that `defrost backbones` lists",
            &self.backbone,
            known,
        );
        checks.require(i64::try_from(self.seed).is_ok(), "seed", "at most 9223372036854775807", self.seed);
        if let Some(size) = self.input_size {
            let sizes = backbone::MIN_INPUT_SIZE..=4096;
            let expected = format!("from {} to {}", sizes.start(), sizes.end());
            checks.require(sizes.contains(&size), "input_size", &expected, size);
        }
        checks.require((1..=65_536).contains(&self.batch_size), "batch_size", "from 1 to 65536", self.batch_size);
        let rate = self.base_learning_rate;
        checks.require(rate > 0.0 && rate <= 1e3, "base_learning_rate", "> 0 and at most 1000", rate);
        checks.within("data", |checks| self.data.check(checks));
        checks.within("augment", |checks| self.augment.check(checks));
        checks.within("head", |checks| tables::head::check(&self.head, checks));
        checks.within("loss", |checks| self.loss.check(checks));
        checks.within("expect", |checks| self.expect.check(checks));
        let graph = backbone.map(|backbone| backbone.graph(backbone.input_size));
        checks.within("stages", |checks| {
            for (index, stage) in self.stages.iter().enumerate() {
                checks.within(index, |checks| {
                    let names = self.stages[..index].iter().map(|earlier| &earlier.name);
                    let new = !stage.name.is_empty() && !names.into_iter().any(|name| *name == stage.name);
                    checks.require(new, "name", "a name that no earlier stage has", &stage.name);
                    stage.check(graph.as_ref(), checks);
                });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Cut;
    use crate::schedule::{CosineDecay, Schedule};

    #[test]
    fn the_base_rate_is_scaled_by_what_a_stage_thaws() {
        let rate = |stage: Stage| stage.schedule(3e-3);
        assert_eq!(rate(Stage::feature_extraction(1)), Schedule::from(3e-3));
        assert_eq!(rate(Stage::fine_tuning(1)), Schedule::from(3e-4));
        assert_eq!(rate(Stage::full_fine_tuning(1)), Schedule::from(3e-5));
        assert_eq!(rate(Stage::from_scratch(1)), Schedule::CosineDecay(CosineDecay::new(3e-3)));
        assert_eq!(rate(Stage::feature_extraction(1).named("warm")), Schedule::from(3e-3));
        assert_eq!(rate(Stage::fine_tuning(1).named("top").from("block6d")), Schedule::from(3e-4));
        assert_eq!(rate(Stage::full_fine_tuning(1).named("all")), Schedule::from(3e-5));
        assert_eq!(rate(Stage::fine_tuning(1).learning_rate(0.5)), Schedule::from(0.5));
    }

    #[test]
    fn stages_suit_the_weights() {
        let stages = |weights| Recipe { weights, ..Recipe::default() }.resolved().stages;
        let [head, top] = &stages(Weights::Pretrained)[..] else { panic!("two stages") };
        assert_eq!((&head.cut, &top.cut, top.batch_norm), (&Cut::Head, &Cut::Last(30), Some(BatchNorm::Inference)));
        let [all] = &stages(Weights::None)[..] else { panic!("one stage") };
        assert_eq!((&all.cut, all.batch_norm), (&Cut::All, Some(BatchNorm::BatchStatistics)));
    }

    #[test]
    fn no_cut_no_name_and_everything_can_be_written() {
        let stages = [
            Stage::full_fine_tuning(1).last(0),
            Stage::fine_tuning(1).fraction(0.0),
            Stage::from_scratch(1).fraction(0.7),
            Stage::feature_extraction(1).named("Kopf · 1"),
        ];
        let recipe = Recipe::default().stages(stages);
        assert_eq!(Recipe::parse(&recipe.to_toml(), None), Ok(recipe.clone()));
        assert_eq!(recipe.stages[0].cut, Cut::Head);
        assert_eq!(recipe.stages[1].cut, Cut::All);
        let unnamed = Recipe::parse("[[stages]]\n[[stages]]\nlast = 3\n[[stages]]\nfraction = 0.0", None).unwrap();
        let names: Vec<&str> = unnamed.stages.iter().map(|stage| stage.name.as_str()).collect();
        assert_eq!(names, ["feature_extraction", "fine_tuning", "full_fine_tuning"]);
    }

    #[test]
    fn stages_are_checked() {
        let stages = [
            Stage::fine_tuning(1).last(900),
            Stage::fine_tuning(1).fraction(1.5),
            Stage::fine_tuning(1).named("third").from("block6d_expnd_bn"),
            Stage::fine_tuning(1).named("").epochs(Epochs::UntilConverged {
                max: 0,
                monitor: Monitor::Loss,
                patience: 1,
                min_delta: -1.0,
            }),
        ];
        let mut recipe = Recipe::default().stages(stages);
        recipe.seed = u64::MAX;
        insta::assert_snapshot!(recipe.check().unwrap_err(), @r#"
        `seed` must be at most 9223372036854775807; got 18446744073709551615
        `stages.0.last` must be at most the 156 layers of efficientnet_lite0; got 900
        `stages.1.name` must be a name that no earlier stage has; got "fine_tuning"
        `stages.1.fraction` must be a share from 0 to 1; got 1.5
        `stages.2.from` must be a layer or block of efficientnet_lite0; got `block6d_expnd_bn`; did you mean `block6d_expand_bn`?
        `stages.3.name` must be a name that no earlier stage has; got ""
        `stages.3.epochs.max` must be from 1 to 100000; got 0
        `stages.3.epochs.min_delta` must be at least 0; got -1.0
        "#);
    }
}
