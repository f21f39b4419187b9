//! Optimizers: Keras' update rules in f32, with state that can be saved and restored bit for bit.
//!
//! Invariant: an update is elementwise (only a gradient's norm, for clipping, is a sum, taken in a fixed order), so it doesn't
//! depend on the number of threads.
//!
//! ```
//! use defrost::optim::{Optimizer, OptimizerConfig, Variable};
//! let mut optimizer = Optimizer::new(OptimizerConfig::default());
//! let mut bias = [1.0_f32];
//! optimizer.update(&mut [Variable { name: "classifier/bias", values: &mut bias, gradient: &[0.5] }], 1e-3);
//! assert!((bias[0] - 0.999).abs() < 1e-6); // Adam's first step is the learning rate, whatever the gradient
//! ```

mod adam;
mod clip;
mod rmsprop;
mod sgd;

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use adam::Adam;
pub use rmsprop::Rmsprop;
pub use sgd::Sgd;

use crate::settings::Checks;
use crate::tensor::{Params, Tensor};
use clip::{Bounds, Clip};

/// Which optimizer, with its settings under Keras' names and with Keras' defaults.
///
/// In a recipe a name (`optimizer = "adam"`) or a name with settings (`{ adamw = { weight_decay = 0.01 } }`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerConfig {
    /// Adaptive moments.
    Adam(Adam),
    /// Adam whose weight decay is 0.004 unless it is given.
    #[serde(deserialize_with = "adam::with_decay")]
    Adamw(Adam),
    /// Stochastic gradient descent, with momentum where asked for.
    Sgd(Sgd),
    /// Gradients divided by their running root mean square.
    Rmsprop(Rmsprop),
}

impl Default for OptimizerConfig {
    fn default() -> OptimizerConfig {
        OptimizerConfig::Adam(Adam::default())
    }
}

impl OptimizerConfig {
    /// Keras' class name in snake case.
    pub fn name(&self) -> &'static str {
        match self {
            OptimizerConfig::Adam(_) => "adam",
            OptimizerConfig::Adamw(_) => "adamw",
            OptimizerConfig::Sgd(_) => "sgd",
            OptimizerConfig::Rmsprop(_) => "rmsprop",
        }
    }

    /// Notes every setting that is out of range; keys are those of the recipe.
    pub fn check(&self, checks: &mut Checks) {
        checks.within(self.name(), |checks| {
            match self {
                OptimizerConfig::Adam(adam) | OptimizerConfig::Adamw(adam) => adam.check(checks),
                OptimizerConfig::Sgd(sgd) => sgd.check(checks),
                OptimizerConfig::Rmsprop(rmsprop) => rmsprop.check(checks),
            }
            self.clip().check(checks);
            let decay = self.weight_decay();
            checks.require((0.0..=1.0).contains(&decay), "weight_decay", "from 0 to 1", decay);
        });
    }

    fn clip(&self) -> Clip {
        match self {
            OptimizerConfig::Adam(o) | OptimizerConfig::Adamw(o) => {
                Clip::new(o.clipnorm, o.global_clipnorm, o.clipvalue)
            }
            OptimizerConfig::Sgd(o) => Clip::new(o.clipnorm, o.global_clipnorm, o.clipvalue),
            OptimizerConfig::Rmsprop(o) => Clip::new(o.clipnorm, o.global_clipnorm, o.clipvalue),
        }
    }

    fn weight_decay(&self) -> f64 {
        let decay = match self {
            OptimizerConfig::Adam(optimizer) | OptimizerConfig::Adamw(optimizer) => optimizer.weight_decay,
            OptimizerConfig::Sgd(optimizer) => optimizer.weight_decay,
            OptimizerConfig::Rmsprop(optimizer) => optimizer.weight_decay,
        };
        decay.unwrap_or(0.0)
    }

    fn apply(&self, step: Step, bounds: Bounds, piece: &mut Piece<'_>) {
        match self {
            OptimizerConfig::Adam(adam) | OptimizerConfig::Adamw(adam) => adam.apply(step, bounds, piece),
            OptimizerConfig::Sgd(sgd) => sgd.apply(step, bounds, piece),
            OptimizerConfig::Rmsprop(rmsprop) => rmsprop.apply(step, bounds, piece),
        }
    }

    /// What is remembered of each variable.
    fn slots(&self) -> &'static [&'static str] {
        match self {
            OptimizerConfig::Adam(adam) | OptimizerConfig::Adamw(adam) => adam.slots(),
            OptimizerConfig::Sgd(sgd) => sgd.slots(),
            OptimizerConfig::Rmsprop(rmsprop) => rmsprop.slots(),
        }
    }
}

/// A tensor to be trained, with its gradient.
#[derive(Debug)]
pub struct Variable<'a> {
    /// Its name among all tensors: `dense_1/kernel`.
    pub name: &'a str,
    /// The elements, which the optimizer changes.
    pub values: &'a mut [f32],
    /// The derivative of the loss by each element.
    pub gradient: &'a [f32],
}

/// What all variables have in common in one step.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// Counted from 1.
    number: u64,
    learning_rate: f32,
    weight_decay: f32,
}

impl Step {
    /// The weight before the rule acts; without weight decay the weight itself, exactly.
    fn decayed(self, weight: f32) -> f32 {
        weight - weight * self.weight_decay * self.learning_rate
    }
}

/// A part of a variable, with what is remembered of it.
struct Piece<'a> {
    values: &'a mut [f32],
    gradient: &'a [f32],
    slots: Vec<&'a mut [f32]>,
}

/// Everything that an optimizer remembers, made to be stored.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OptimizerState {
    /// The steps taken.
    pub steps: u64,
    /// A flat tensor for each variable and slot: `dense_1/kernel/momentum`.
    pub slots: Params,
}

/// Why a stored state doesn't fit an optimizer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OptimizerError {
    /// Something is stored that the optimizer doesn't keep.
    #[error("the state holds `{name}`, but {optimizer} keeps {expected}; was it written with other settings?")]
    UnknownSlot {
        /// The stored tensor.
        name: String,
        /// The optimizer.
        optimizer: &'static str,
        /// The slots that it keeps.
        expected: String,
    },
    /// Something that the optimizer keeps isn't stored.
    #[error("the state lacks `{name}`, which {optimizer} keeps; was it written with other settings?")]
    MissingSlot {
        /// The tensor.
        name: String,
        /// The optimizer.
        optimizer: &'static str,
    },
}

/// An optimizer at work on a set of variables; what it remembers of a variable starts as zeros.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimizer {
    config: OptimizerConfig,
    steps: u64,
    slots: BTreeMap<String, Vec<Vec<f32>>>,
}

/// The elements of a piece: variables are cut the same way whatever the number of threads.
const CHUNK: usize = 1 << 15;

impl Optimizer {
    /// Before its first step.
    pub fn new(config: OptimizerConfig) -> Optimizer {
        Optimizer { config, steps: 0, slots: BTreeMap::new() }
    }

    /// The steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Takes one step: moves every variable against its gradient.
    ///
    /// As in Keras, gradients are clipped first; then `values −= values · weight_decay · learning_rate`; then the rule acts.
    ///
    /// # Panics
    /// When a variable's gradient, or what is remembered of it, has another length than its values.
    pub fn update(&mut self, variables: &mut [Variable<'_>], learning_rate: f32) {
        self.steps += 1;
        let step = Step { number: self.steps, learning_rate, weight_decay: self.config.weight_decay() as f32 };
        let clip = self.config.clip();
        let global_scale = clip.global_scale(variables.iter().map(|variable| variable.gradient));
        for Variable { name, values, gradient } in variables {
            assert_eq!(values.len(), gradient.len(), "`{name}` and its gradient differ in length");
            let bounds = clip.bounds(gradient, global_scale);
            let kept = self.slots.get(*name);
            let fits = kept.into_iter().flatten().all(|slot| slot.len() == values.len());
            assert!(fits, "`{name}` has another length than what is remembered of it");
            if kept.is_none() {
                let zeros = vec![vec![0.0; values.len()]; self.config.slots().len()];
                self.slots.insert((*name).to_owned(), zeros);
            }
            let slots = self.slots.get_mut(*name).into_iter().flatten();
            let mut slots: Vec<_> = slots.map(|slot| slot.chunks_mut(CHUNK)).collect();
            let pieces = values.chunks_mut(CHUNK).zip(gradient.chunks(CHUNK)).map(|(values, gradient)| Piece {
                values,
                gradient,
                slots: slots.iter_mut().filter_map(Iterator::next).collect(),
            });
            let mut pieces: Vec<Piece<'_>> = pieces.collect();
            match pieces.as_mut_slice() {
                [whole] => self.config.apply(step, bounds, whole),
                pieces => pieces.par_iter_mut().for_each(|piece| self.config.apply(step, bounds, piece)),
            }
        }
    }

    /// Everything that it remembers.
    pub fn state(&self) -> OptimizerState {
        let mut slots = Params::new();
        for (variable, contents) in &self.slots {
            for (slot, content) in self.config.slots().iter().zip(contents) {
                slots.insert(format!("{variable}/{slot}"), Tensor::new([content.len()], content.clone()));
            }
        }
        OptimizerState { steps: self.steps, slots }
    }

    /// The optimizer that wrote `state`: its next update is bit for bit the one that the other would have made.
    ///
    /// # Errors
    /// When `state` doesn't hold what `config` keeps of each variable.
    pub fn from_state(config: OptimizerConfig, state: OptimizerState) -> Result<Optimizer, OptimizerError> {
        let (optimizer, known) = (config.name(), config.slots());
        let mut slots: BTreeMap<String, Vec<Option<Vec<f32>>>> = BTreeMap::new();
        for (name, tensor) in state.slots {
            let found = name.rsplit_once('/').and_then(|(variable, slot)| {
                known.iter().position(|known| *known == slot).map(|index| (variable.to_owned(), index))
            });
            let Some((variable, index)) = found else {
                let expected = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
                return Err(OptimizerError::UnknownSlot { name, optimizer, expected });
            };
            slots.entry(variable).or_insert_with(|| vec![None; known.len()])[index] = Some(tensor.into_data());
        }
        let complete = |(variable, contents): (String, Vec<Option<Vec<f32>>>)| {
            let missing = contents.iter().position(Option::is_none);
            match missing {
                Some(index) => {
                    Err(OptimizerError::MissingSlot { name: format!("{variable}/{}", known[index]), optimizer })
                }
                None => Ok((variable, contents.into_iter().flatten().collect())),
            }
        };
        let slots = slots.into_iter().map(complete).collect::<Result<_, _>>()?;
        Ok(Optimizer { config, steps: state.steps, slots })
    }
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;
    use serde_json::Value;

    use super::*;

    const STEPS: usize = 50;

    fn formula(name: &str, length: usize, scale: f32) -> Vec<f32> {
        crate::formula::tensor(name, length, scale, 0.0)
    }

    fn config(name: &str, keras: &Value) -> OptimizerConfig {
        let optimizer = name.split('_').next().unwrap();
        let ours = ["use_ema", "ema_momentum", "ema_overwrite_frequency", "loss_scale_factor"];
        let ours = ours.into_iter().chain(["gradient_accumulation_steps", "learning_rate", "centered"]);
        let mut settings = keras.as_object().unwrap().clone();
        for key in ours {
            settings.remove(key);
        }
        serde_json::from_value(serde_json::json!({ optimizer: settings })).unwrap()
    }

    fn assert_close(case: &str, got: &[f32], expected: &[f32]) {
        assert_eq!(got.len(), expected.len());
        for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
            assert!(
                (got - expected).abs() <= 1e-5 * expected.abs(),
                "{case}, element {i}: {got} instead of {expected}"
            );
        }
    }

    #[test]
    fn equal_to_keras() {
        let file = include_bytes!("../../tests/goldens/optim/optimizers.safetensors");
        let file = SafeTensors::deserialize(file).unwrap();
        let tensor = |name: &str| bytemuck::pod_collect_to_vec::<u8, f32>(file.tensor(name).unwrap().data());
        let cases: Value = serde_json::from_str(include_str!("../../tests/goldens/optim/optimizers.json")).unwrap();
        let cases = cases.as_object().unwrap();
        assert_eq!(cases.len(), 15);
        let gradients = tensor("gradients");
        let cosine = "cosine_decay(initial_learning_rate=1e-2, decay_steps=30, alpha=0.1)";
        let cosine: crate::schedule::Schedule = cosine.parse().unwrap();
        for (name, keras) in cases {
            let mut optimizer = Optimizer::new(config(name, keras));
            let (mut first, mut second) = (formula("optim/start", 16, 1.0), formula("optim/start2", 4, 1.0));
            let expected = tensor(name);
            for (step, gradient) in gradients.chunks(16).enumerate() {
                let rate = keras["learning_rate"].as_f64().map_or_else(|| cosine.lr(step as u64), |rate| rate as f32);
                let mut variables = [
                    Variable { name: "first", values: &mut first, gradient },
                    Variable {
                        name: "second",
                        values: &mut second,
                        gradient: &formula(&format!("optim/grad2/{step}"), 4, 2.0),
                    },
                ];
                optimizer.update(&mut variables, rate);
                assert_close(&format!("{name}, step {step}"), &first, &expected[step * 16..][..16]);
            }
            assert_close(name, &second, &tensor(&format!("{name}/second_final")));
            assert_eq!(optimizer.steps(), STEPS as u64);
        }
    }

    #[test]
    fn a_restored_optimizer_goes_on_bit_for_bit() {
        let configs = [
            OptimizerConfig::Adam(Adam { amsgrad: true, ..Adam::default() }),
            OptimizerConfig::Sgd(Sgd { momentum: 0.9, nesterov: true, ..Sgd::default() }),
            OptimizerConfig::Rmsprop(Rmsprop { momentum: 0.5, ..Rmsprop::default() }),
        ];
        for config in configs {
            let mut values = formula("start", 8, 1.0);
            let mut optimizer = Optimizer::new(config.clone());
            let step = |optimizer: &mut Optimizer, values: &mut [f32], step: u64| {
                let gradient = &formula(&format!("gradient/{step}"), 8, 1.0);
                optimizer.update(&mut [Variable { name: "dense_1/kernel", values, gradient }], 0.01);
            };
            (0..5).for_each(|i| step(&mut optimizer, &mut values, i));
            let mut again = values.clone();
            let mut restored = Optimizer::from_state(config, optimizer.state()).unwrap();
            for i in 5..9 {
                step(&mut optimizer, &mut values, i);
                step(&mut restored, &mut again, i);
            }
            assert_eq!((values, optimizer), (again, restored));
        }
    }

    #[test]
    fn a_foreign_state_is_refused() {
        let mut optimizer = Optimizer::new(OptimizerConfig::default());
        optimizer.update(&mut [Variable { name: "b", values: &mut [0.0], gradient: &[1.0] }], 0.1);
        let error = Optimizer::from_state(OptimizerConfig::Sgd(Sgd::default()), optimizer.state()).unwrap_err();
        let expected = "the state holds `b/momentum`, but sgd keeps nothing; was it written with other settings?";
        assert_eq!(error.to_string(), expected);
        let amsgrad = OptimizerConfig::Adam(Adam { amsgrad: true, ..Adam::default() });
        let error = Optimizer::from_state(amsgrad, optimizer.state()).unwrap_err();
        let expected = "the state lacks `b/velocity_hat`, which adam keeps; was it written with other settings?";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_large_variable_is_updated_as_its_parts() {
        let length = 3 * CHUNK + 5;
        let (start, gradient) = (formula("start", length, 1.0), formula("gradient", length, 1.0));
        let (mut whole, mut parts) = (start.clone(), start);
        let config = OptimizerConfig::Adam(Adam { clipvalue: Some(0.5), weight_decay: Some(0.1), ..Adam::default() });
        let mut optimizer = Optimizer::new(config.clone());
        optimizer.update(&mut [Variable { name: "w", values: &mut whole, gradient: &gradient }], 0.01);
        for (values, gradient) in parts.chunks_mut(1000).zip(gradient.chunks(1000)) {
            Optimizer::new(config.clone()).update(&mut [Variable { name: "w", values, gradient }], 0.01);
        }
        assert_eq!(whole, parts);
    }

    #[test]
    fn settings_are_checked() {
        let check = |text: &str| {
            let value = format!("{{ {text} }}").parse().unwrap();
            let mistakes = crate::settings::read(value, OptimizerConfig::check).unwrap_err();
            mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(
            check("adam = { beta_1 = 1.0, epsilon = 0, eps = 1, clipnorm = 1.0, clipvalue = 1.0 }"),
            @r"
        unknown key `adam.eps`; did you mean `adam.epsilon`?
        `adam.beta_1` must be at least 0 and < 1; got 1.0
        `adam.epsilon` must be > 0 and at most 1; got 0.0
        `adam.clipvalue` and `clipnorm` exclude each other; keep one
        "
        );
        insta::assert_snapshot!(check("sgd = { momentum = -1, beta_1 = 3, nesterov = 1 }"), @r"
        unknown key `sgd.beta_1`; there are `momentum`, `nesterov`, `weight_decay`, `clipnorm`, `global_clipnorm`, `clipvalue`
        `sgd.nesterov` must be true or false; got 1
        `sgd.momentum` must be at least 0 and < 1; got -1.0
        ");
        insta::assert_snapshot!(check("adamW = {}"), @"the value must be one of `adam`, `adamw`, `sgd`, `rmsprop`; got `adamW`; did you mean `adam`?");
        let adamw: OptimizerConfig = serde_json::from_str(r#"{ "adamw": {} }"#).unwrap();
        assert_eq!(adamw, OptimizerConfig::Adamw(Adam { weight_decay: Some(0.004), ..Adam::default() }));
    }
}
