//! A span of epochs with one cut and one learning rate.

use std::fmt;

use serde::de::{MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::graph::{Cut, CutError, Graph};
use crate::optim::OptimizerConfig;
use crate::schedule::{CosineDecay, Schedule};
use crate::settings::Checks;

/// A span of epochs with one cut and one learning-rate schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StageTable", into = "StageTable")]
pub struct Stage {
    /// `feature_extraction`, `fine_tuning`, `full_fine_tuning`, `from_scratch`, or one's own; histories and reports call it that.
    pub name: String,
    /// How long it lasts.
    pub epochs: Epochs,
    /// What trains of the backbone, next to the head.
    pub cut: Cut,
    /// The learning rate over its steps; `None` is the recipe's base rate times what suits the stage.
    pub learning_rate: Option<Schedule>,
    /// How gradients become changes; each stage starts with a new one.
    pub optimizer: OptimizerConfig,
    /// What thawed BatchNorm normalises by; `None` is moving statistics, but the batch's own when training from scratch.
    pub batch_norm: Option<BatchNorm>,
    /// When to stop before `epochs` have passed.
    pub early_stopping: Option<EarlyStopping>,
}

/// How many epochs a stage lasts: a number, or `{ max = 30, until = "converged" }`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Epochs {
    /// So many.
    Exactly(usize),
    /// Until the monitored quantity has stopped improving.
    UntilConverged {
        /// At most so many.
        max: usize,
        /// What has to improve.
        monitor: Monitor,
        /// Epochs without improvement after which the stage has converged.
        patience: usize,
        /// By how much it has to improve.
        min_delta: f64,
    },
}

/// What thawed BatchNorm normalises by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchNorm {
    /// Its moving statistics, which stay as they are: one picture never depends on another.
    Inference,
    /// The batch's own, which also move the averages; stochastic depth is active.
    BatchStatistics,
}

/// A quantity of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Monitor {
    /// The validation loss.
    #[default]
    ValLoss,
    /// The validation accuracy.
    ValAccuracy,
    /// The training loss.
    Loss,
    /// The training accuracy.
    Accuracy,
}

impl Monitor {
    /// Whether more is better.
    pub fn is_accuracy(self) -> bool {
        matches!(self, Monitor::ValAccuracy | Monitor::Accuracy)
    }
}

/// When a stage ends early, with Keras' names and defaults.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EarlyStopping {
    /// What has to improve.
    pub monitor: Monitor,
    /// Epochs without improvement after which the stage ends.
    pub patience: usize,
    /// By how much it has to improve.
    pub min_delta: f64,
    /// Whether the stage ends with the weights of its best epoch instead of its last.
    pub restore_best_weights: bool,
    /// The first epoch of the stage, counted from 0, that is looked at.
    pub start_from_epoch: usize,
}

/// Names of stages that train the whole backbone unless they say otherwise.
const WHOLE: [&str; 2] = ["full_fine_tuning", "from_scratch"];

impl Stage {
    /// Only the new head trains.
    pub fn feature_extraction(epochs: usize) -> Stage {
        Stage::new("feature_extraction", Cut::Head, epochs)
    }

    /// The last 30 layers train, unless another cut is chosen.
    pub fn fine_tuning(epochs: usize) -> Stage {
        Stage::new("fine_tuning", Cut::Last(30), epochs)
    }

    /// Everything trains.
    pub fn full_fine_tuning(epochs: usize) -> Stage {
        Stage::new("full_fine_tuning", Cut::All, epochs)
    }

    /// Everything trains, from random weights: the rate falls along half a cosine.
    pub fn from_scratch(epochs: usize) -> Stage {
        Stage::new("from_scratch", Cut::All, epochs)
    }

    fn new(name: &str, cut: Cut, epochs: usize) -> Stage {
        Stage {
            name: name.to_owned(),
            epochs: Epochs::Exactly(epochs),
            cut,
            learning_rate: None,
            optimizer: OptimizerConfig::default(),
            batch_norm: None,
            early_stopping: None,
        }
    }

    /// The stage under another name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Stage {
        name.clone_into(&mut self.name);
        self
    }

    /// The stage with this length.
    #[must_use]
    pub fn epochs(mut self, epochs: Epochs) -> Stage {
        self.epochs = epochs;
        self
    }

    /// The stage with the last `layers` of the backbone trainable.
    #[must_use]
    pub fn last(mut self, layers: usize) -> Stage {
        self.cut = if layers == 0 { Cut::Head } else { Cut::Last(layers) };
        self
    }

    /// The stage with this share of the backbone's layers frozen.
    #[must_use]
    pub fn fraction(mut self, frozen: f64) -> Stage {
        self.cut = if frozen == 0.0 { Cut::All } else { Cut::Fraction(frozen) };
        self
    }

    /// The stage with everything from this layer or block on trainable.
    #[must_use]
    pub fn from(mut self, layer: &str) -> Stage {
        self.cut = Cut::From(layer.to_owned());
        self
    }

    /// The stage with this learning rate: a number or a schedule.
    #[must_use]
    pub fn learning_rate(mut self, schedule: impl Into<Schedule>) -> Stage {
        self.learning_rate = Some(schedule.into());
        self
    }

    /// The stage with this optimizer.
    #[must_use]
    pub fn optimizer(mut self, optimizer: OptimizerConfig) -> Stage {
        self.optimizer = optimizer;
        self
    }

    /// The stage with BatchNorm in this mode.
    #[must_use]
    pub fn batch_norm(mut self, batch_norm: BatchNorm) -> Stage {
        self.batch_norm = Some(batch_norm);
        self
    }

    /// The stage with an early end.
    #[must_use]
    pub fn early_stopping(mut self, early_stopping: EarlyStopping) -> Stage {
        self.early_stopping = Some(early_stopping);
        self
    }

    /// The largest number of epochs.
    pub fn max_epochs(&self) -> usize {
        match self.epochs {
            Epochs::Exactly(epochs) | Epochs::UntilConverged { max: epochs, .. } => epochs,
        }
    }

    /// When it ends before that: by `early_stopping`, or because it has converged.
    pub fn stopping(&self) -> Option<EarlyStopping> {
        match self.epochs {
            Epochs::Exactly(_) => self.early_stopping,
            Epochs::UntilConverged { monitor, patience, min_delta, .. } => {
                Some(EarlyStopping { monitor, patience, min_delta, ..EarlyStopping::default() })
            }
        }
    }

    /// The learning rate: the stage's own, or `base` times 1, 1/10 or 1/100.
    ///
    /// The factor goes by the stage's name where that is one of the chapter's three, else by what it thaws: nothing, something
    /// or everything. Training from scratch starts at `base` and falls to zero along half a cosine.
    pub fn schedule(&self, base: f64) -> Schedule {
        if let Some(schedule) = &self.learning_rate {
            return schedule.clone();
        }
        let share = match (self.name.as_str(), &self.cut) {
            ("from_scratch", _) => return Schedule::CosineDecay(CosineDecay::new(base)),
            ("feature_extraction", _) => 1.0,
            ("fine_tuning", _) => 0.1,
            ("full_fine_tuning", _) | (_, Cut::All) => 0.01,
            (_, Cut::Head) => 1.0,
            (_, Cut::Last(_) | Cut::Fraction(_) | Cut::From(_)) => 0.1,
        };
        // People write decimals: a tenth of 3e-3 is 3e-4, not 3.0000000000000003e-4.
        let decimal = format!("{:.12e}", base * share).parse();
        Schedule::from(decimal.unwrap_or(base * share))
    }

    pub(super) fn check(&self, backbone: Option<&Graph>, checks: &mut Checks) {
        let epochs = self.max_epochs();
        let sound = (1..=100_000).contains(&epochs);
        match self.epochs {
            Epochs::Exactly(_) => checks.require(sound, "epochs", "from 1 to 100000", epochs),
            Epochs::UntilConverged { min_delta, .. } => checks.within("epochs", |checks| {
                checks.require(sound, "max", "from 1 to 100000", epochs);
                non_negative(min_delta, checks);
            }),
        }
        if let Some(Err(error)) = backbone.map(|graph| self.cut.locate(graph)) {
            match error {
                CutError::TooMany { last, layers, graph } => {
                    checks.require(false, "last", &format!("at most the {layers} layers of {graph}"), last);
                }
                CutError::Fraction(share) => checks.require(false, "fraction", "a share from 0 to 1", share),
                CutError::Unknown { name, graph, hint } => {
                    let expected = format!("a layer or block of {graph}");
                    checks.require(false, "from", &expected, format_args!("`{name}`{hint}"));
                }
            }
        }
        if let Some(schedule) = &self.learning_rate {
            checks.within("learning_rate", |checks| schedule.check(checks));
        }
        checks.within("optimizer", |checks| self.optimizer.check(checks));
        if let Some(early_stopping) = &self.early_stopping {
            checks.require_agreement(
                matches!(self.epochs, Epochs::Exactly(_)),
                "early_stopping",
                "and `epochs.until` both say when to stop; keep one",
            );
            checks.within("early_stopping", |checks| non_negative(early_stopping.min_delta, checks));
        }
    }
}

fn non_negative(min_delta: f64, checks: &mut Checks) {
    checks.require(min_delta.is_finite() && min_delta >= 0.0, "min_delta", "at least 0", min_delta);
}

/// A stage as a file writes it: the cut as one of three keys, or none.
#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct StageTable {
    name: Option<String>,
    epochs: Epochs,
    last: Option<usize>,
    fraction: Option<f64>,
    from: Option<String>,
    learning_rate: Option<Schedule>,
    optimizer: OptimizerConfig,
    batch_norm: Option<BatchNorm>,
    early_stopping: Option<EarlyStopping>,
}

impl Default for StageTable {
    fn default() -> StageTable {
        StageTable {
            name: None,
            epochs: Epochs::Exactly(5),
            last: None,
            fraction: None,
            from: None,
            learning_rate: None,
            optimizer: OptimizerConfig::default(),
            batch_norm: None,
            early_stopping: None,
        }
    }
}

impl TryFrom<StageTable> for Stage {
    type Error = String;

    fn try_from(table: StageTable) -> Result<Stage, String> {
        let whole = table.name.as_deref().is_some_and(|name| WHOLE.contains(&name));
        let cut = match (table.last, table.fraction, table.from) {
            (None, None, None) if whole => Cut::All,
            (None, None, None) | (Some(0), None, None) => Cut::Head,
            (Some(layers), None, None) => Cut::Last(layers),
            (None, Some(0.0), None) => Cut::All,
            (None, Some(frozen), None) => Cut::Fraction(frozen),
            (None, None, Some(layer)) => Cut::From(layer),
            (last, fraction, from) => {
                let given =
                    [("`last`", last.is_some()), ("`fraction`", fraction.is_some()), ("`from`", from.is_some())];
                let given: Vec<&str> = given.iter().filter(|(_, given)| *given).map(|(key, _)| *key).collect();
                return Err(format!("has more than one cut, {}; keep one", given.join(" and ")));
            }
        };
        let name = table.name.unwrap_or_else(|| {
            let name = match cut {
                Cut::Head => "feature_extraction",
                Cut::All => "full_fine_tuning",
                Cut::Last(_) | Cut::Fraction(_) | Cut::From(_) => "fine_tuning",
            };
            name.to_owned()
        });
        Ok(Stage {
            name,
            epochs: table.epochs,
            cut,
            learning_rate: table.learning_rate,
            optimizer: table.optimizer,
            batch_norm: table.batch_norm,
            early_stopping: table.early_stopping,
        })
    }
}

impl From<Stage> for StageTable {
    fn from(stage: Stage) -> StageTable {
        let whole = WHOLE.contains(&stage.name.as_str());
        let (last, fraction, from) = match stage.cut {
            Cut::Head => (whole.then_some(0), None, None),
            Cut::All => (None, (!whole).then_some(0.0), None),
            Cut::Last(layers) => (Some(layers), None, None),
            Cut::Fraction(frozen) => (None, Some(frozen), None),
            Cut::From(layer) => (None, None, Some(layer)),
        };
        StageTable {
            name: Some(stage.name),
            epochs: stage.epochs,
            last,
            fraction,
            from,
            learning_rate: stage.learning_rate,
            optimizer: stage.optimizer,
            batch_norm: stage.batch_norm,
            early_stopping: stage.early_stopping,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EpochsTable {
    max: usize,
    until: Until,
    #[serde(default)]
    monitor: Monitor,
    #[serde(default = "default_patience")]
    patience: usize,
    #[serde(default = "default_min_delta")]
    min_delta: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Until {
    Converged,
}

fn default_patience() -> usize {
    3
}

fn default_min_delta() -> f64 {
    1e-3
}

impl Serialize for Epochs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Epochs::Exactly(epochs) => epochs.serialize(serializer),
            Epochs::UntilConverged { max, monitor, patience, min_delta } => {
                EpochsTable { max, until: Until::Converged, monitor, patience, min_delta }.serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Epochs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Epochs, D::Error> {
        struct NumberOrTable;

        impl<'de> Visitor<'de> for NumberOrTable {
            type Value = Epochs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number or { max = 30, until = \"converged\" }")
            }

            fn visit_u64<E: serde::de::Error>(self, epochs: u64) -> Result<Epochs, E> {
                let wrong = |_| E::invalid_value(serde::de::Unexpected::Unsigned(epochs), &self);
                usize::try_from(epochs).map(Epochs::Exactly).map_err(wrong)
            }

            fn visit_i64<E: serde::de::Error>(self, epochs: i64) -> Result<Epochs, E> {
                let wrong = |_| E::invalid_value(serde::de::Unexpected::Signed(epochs), &self);
                usize::try_from(epochs).map(Epochs::Exactly).map_err(wrong)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Epochs, A::Error> {
                let EpochsTable { max, until: Until::Converged, monitor, patience, min_delta } =
                    EpochsTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Epochs::UntilConverged { max, monitor, patience, min_delta })
            }
        }

        deserializer.deserialize_any(NumberOrTable)
    }
}
