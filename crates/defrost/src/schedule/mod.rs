//! Learning rates as pure functions of the step: `lr(step)`, one file for each schedule.
//!
//! Invariant: a schedule keeps no state and, as Keras does, computes in f32 from settings rounded to f32; the same step always
//! has the same rate. Steps count from 0 at the stage's start.
//!
//! ```
//! use defrost::schedule::Schedule;
//! let schedule: Schedule = "cosine_decay(initial_learning_rate=1e-4, decay_steps=1000, alpha=1e-6)".parse()?;
//! assert_eq!(schedule.lr(0), 1e-4);
//! assert!(schedule.lr(1000) < 1.001e-10); // the floor is a share of the initial rate
//! # Ok::<(), defrost::schedule::ScheduleError>(())
//! ```

mod cosine_decay;
mod cosine_decay_restarts;
mod exponential_decay;
mod inverse_time_decay;
mod piecewise_constant_decay;
mod polynomial_decay;
mod text;

use std::fmt;

use serde::de::{MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use cosine_decay::CosineDecay;
pub use cosine_decay_restarts::CosineDecayRestarts;
pub use exponential_decay::ExponentialDecay;
pub use inverse_time_decay::InverseTimeDecay;
pub use piecewise_constant_decay::PiecewiseConstantDecay;
pub use polynomial_decay::PolynomialDecay;
pub use text::ScheduleError;

use crate::settings::Checks;

/// A learning rate over a stage's steps.
///
/// In a recipe a number (`learning_rate = 1e-3`), a name with its settings
/// (`{ cosine_decay = { initial_learning_rate = 1e-4, alpha = 0.01 } }`) or, as on the command line, a call
/// (`"cosine_decay(initial_learning_rate=1e-4, alpha=0.01)"`).
///
/// Where `decay_steps` (`first_decay_steps`) isn't given, [`resolve`](Schedule::resolve) sets it to the steps of the stage;
/// until then the schedule has no end, and so stays at its initial rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// The same rate at every step.
    Constant {
        /// The rate.
        learning_rate: f64,
    },
    /// Half a cosine down to a floor, after an optional warm-up.
    CosineDecay(CosineDecay),
    /// Cosines one after the other.
    CosineDecayRestarts(CosineDecayRestarts),
    /// Multiplied by a factor every so many steps.
    ExponentialDecay(ExponentialDecay),
    /// Divided by a linearly growing number.
    InverseTimeDecay(InverseTimeDecay),
    /// A staircase with given edges.
    PiecewiseConstantDecay(PiecewiseConstantDecay),
    /// A power of the share of steps that is left.
    PolynomialDecay(PolynomialDecay),
}

impl Schedule {
    /// The learning rate at `step`, counted from 0.
    pub fn lr(&self, step: u64) -> f32 {
        let step = step as f32;
        match self {
            Schedule::Constant { learning_rate } => *learning_rate as f32,
            Schedule::CosineDecay(schedule) => schedule.lr(step),
            Schedule::CosineDecayRestarts(schedule) => schedule.lr(step),
            Schedule::ExponentialDecay(schedule) => schedule.lr(step),
            Schedule::InverseTimeDecay(schedule) => schedule.lr(step),
            Schedule::PiecewiseConstantDecay(schedule) => schedule.lr(step),
            Schedule::PolynomialDecay(schedule) => schedule.lr(step),
        }
    }

    /// `[step, learning rate]` at every step from 0 to `steps` inclusive.
    pub fn values(&self, steps: u64) -> Vec<(u64, f32)> {
        (0..=steps).map(|step| (step, self.lr(step))).collect()
    }

    /// Steps that show all of the schedule: up to where the rate no longer changes, its first period, or, of a staircase, as far past
    /// the last edge as that is from the edge before; `None` for schedules without such an end.
    pub fn decay_steps(&self) -> Option<u64> {
        let steps = match self {
            Schedule::Constant { .. } => return None,
            Schedule::CosineDecay(schedule) => schedule.decay_steps.map(|steps| steps + schedule.warmup_steps),
            Schedule::CosineDecayRestarts(schedule) => schedule.first_decay_steps,
            Schedule::ExponentialDecay(schedule) => schedule.decay_steps,
            Schedule::InverseTimeDecay(schedule) => schedule.decay_steps,
            Schedule::PiecewiseConstantDecay(schedule) => return schedule.shown_steps(),
            Schedule::PolynomialDecay(schedule) => schedule.decay_steps,
        };
        steps.map(u64::from)
    }

    /// The schedule with its open `decay_steps` set so that it ends with a stage of `total_steps`.
    #[must_use]
    pub fn resolve(mut self, total_steps: u32) -> Schedule {
        let total = total_steps.max(1);
        match &mut self {
            Schedule::Constant { .. } | Schedule::PiecewiseConstantDecay(_) => {}
            Schedule::CosineDecay(schedule) => {
                schedule.decay_steps.get_or_insert(total.saturating_sub(schedule.warmup_steps).max(1));
            }
            Schedule::CosineDecayRestarts(CosineDecayRestarts { first_decay_steps: steps, .. })
            | Schedule::ExponentialDecay(ExponentialDecay { decay_steps: steps, .. })
            | Schedule::InverseTimeDecay(InverseTimeDecay { decay_steps: steps, .. })
            | Schedule::PolynomialDecay(PolynomialDecay { decay_steps: steps, .. }) => {
                steps.get_or_insert(total);
            }
        }
        self
    }

    /// The highest rate of the schedule, with which a stage's range is judged.
    pub fn highest(&self) -> f64 {
        match self {
            Schedule::Constant { learning_rate } => *learning_rate,
            Schedule::CosineDecay(schedule) => schedule
                .warmup_target
                .map_or(schedule.initial_learning_rate, |to| to.max(schedule.initial_learning_rate)),
            Schedule::CosineDecayRestarts(schedule) => schedule.initial_learning_rate,
            Schedule::ExponentialDecay(schedule) => schedule.initial_learning_rate,
            Schedule::InverseTimeDecay(schedule) => schedule.initial_learning_rate,
            Schedule::PiecewiseConstantDecay(schedule) => schedule.values.iter().copied().fold(0.0, f64::max),
            Schedule::PolynomialDecay(schedule) => schedule.initial_learning_rate.max(schedule.end_learning_rate),
        }
    }

    /// Notes every setting that is out of range; keys are those of the recipe.
    pub fn check(&self, checks: &mut Checks) {
        match self {
            // A recipe gives it as a number, which has no key of its own.
            Schedule::Constant { learning_rate } => rate_in_range(checks, "", *learning_rate),
            Schedule::CosineDecay(schedule) => checks.within("cosine_decay", |checks| schedule.check(checks)),
            Schedule::CosineDecayRestarts(schedule) => {
                checks.within("cosine_decay_restarts", |checks| schedule.check(checks));
            }
            Schedule::ExponentialDecay(schedule) => checks.within("exponential_decay", |checks| schedule.check(checks)),
            Schedule::InverseTimeDecay(schedule) => {
                checks.within("inverse_time_decay", |checks| schedule.check(checks))
            }
            Schedule::PiecewiseConstantDecay(schedule) => {
                checks.within("piecewise_constant_decay", |checks| schedule.check(checks));
            }
            Schedule::PolynomialDecay(schedule) => checks.within("polynomial_decay", |checks| schedule.check(checks)),
        }
    }
}

fn rate_in_range(checks: &mut Checks, key: &str, rate: f64) {
    checks.require(rate.is_finite() && (0.0..=1e3).contains(&rate), key, "a learning rate from 0 to 1000", rate);
}

fn steps_in_range(checks: &mut Checks, key: &str, steps: Option<u32>) {
    if let Some(steps) = steps {
        // Keras counts steps in f32, which is exact up to here.
        checks.require(steps > 0, key, "> 0", steps);
        checks.require(steps <= 1 << 24, key, "at most 16777216", steps);
    }
}

fn share_in_range(checks: &mut Checks, key: &str, share: f64) {
    checks.require((0.0..=1.0).contains(&share), key, "a share of the initial rate, from 0 to 1", share);
}

/// The number of steps as a divisor: without a given number, no step is any part of it.
fn divisor(steps: Option<u32>) -> f32 {
    steps.map_or(f32::INFINITY, |steps| steps as f32)
}

/// `cos(π · share)`, rounded to f32 once: the same on every platform.
fn cosine(share: f32) -> f32 {
    f64::from(std::f32::consts::PI * share).cos() as f32
}

impl From<f64> for Schedule {
    fn from(learning_rate: f64) -> Schedule {
        Schedule::Constant { learning_rate }
    }
}

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Schedule::Constant { learning_rate } => serializer.serialize_f64(*learning_rate),
            _ => Schedule::serialize(self, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Schedule, D::Error> {
        deserializer.deserialize_any(NumberOrName)
    }
}

struct NumberOrName;

impl<'de> Visitor<'de> for NumberOrName {
    type Value = Schedule;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a schedule such as { cosine_decay = { initial_learning_rate = 1e-4 } }")
    }

    fn visit_str<E: serde::de::Error>(self, call: &str) -> Result<Schedule, E> {
        call.parse().map_err(|error| E::custom(format_args!("isn't a schedule: {error}")))
    }

    fn visit_f64<E>(self, learning_rate: f64) -> Result<Schedule, E> {
        Ok(Schedule::from(learning_rate))
    }

    fn visit_i64<E>(self, learning_rate: i64) -> Result<Schedule, E> {
        Ok(Schedule::from(learning_rate as f64))
    }

    fn visit_u64<E>(self, learning_rate: u64) -> Result<Schedule, E> {
        Ok(Schedule::from(learning_rate as f64))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Schedule, A::Error> {
        let schedule = Schedule::deserialize(MapAccessDeserializer::new(&mut map))?;
        match map.next_key::<String>()? {
            None => Ok(schedule),
            Some(other) => Err(serde::de::Error::custom(format_args!("names two schedules; take out `{other}`"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// Keras' `get_config` under our names.
    fn from_config(case: &str, config: &Value) -> Schedule {
        let named = [
            ("cosine_restarts", "cosine_decay_restarts"),
            ("exponential", "exponential_decay"),
            ("inverse_time", "inverse_time_decay"),
            ("piecewise", "piecewise_constant_decay"),
            ("polynomial", "polynomial_decay"),
        ];
        let name = named.iter().find(|(prefix, _)| case.starts_with(prefix)).map_or("cosine_decay", |(_, name)| name);
        serde_json::from_value(serde_json::json!({ name: config })).unwrap()
    }

    #[test]
    fn equal_to_keras() {
        let cases: Value = serde_json::from_str(include_str!("../../tests/goldens/optim/schedules.json")).unwrap();
        let mut values = 0;
        for (case, golden) in cases.as_object().unwrap() {
            let schedule = from_config(case, &golden["config"]);
            for pair in golden["values"].as_array().unwrap() {
                let (step, expected) = (pair[0].as_u64().unwrap(), pair[1].as_f64().unwrap());
                let got = f64::from(schedule.lr(step));
                assert!((got - expected).abs() <= 1e-6 * expected, "{case}, step {step}: {got} instead of {expected}");
                values += 1;
            }
        }
        assert_eq!((cases.as_object().unwrap().len(), values > 12 * 36), (12, true));
    }

    #[test]
    fn open_steps_are_those_of_the_stage() {
        let open: Schedule =
            "cosine_decay(initial_learning_rate=0, warmup_target=1e-3, warmup_steps=20)".parse().unwrap();
        assert_eq!(open.decay_steps(), None);
        assert_eq!(open.lr(5000), 1e-3);
        let resolved = open.resolve(120);
        assert_eq!((resolved.decay_steps(), resolved.lr(120)), (Some(120), 0.0));
        assert_eq!(resolved.clone().resolve(7), resolved);
        assert_eq!(resolved.values(120).len(), 121);
        assert_eq!(Schedule::PolynomialDecay(PolynomialDecay { cycle: true, ..PolynomialDecay::new(0.1) }).lr(9), 0.1);
    }

    #[test]
    fn a_staircase_shows_its_last_rate() {
        let steps = |boundaries: &str, values: &str| {
            let call = format!("piecewise_constant_decay(boundaries=[{boundaries}], values=[{values}])");
            call.parse::<Schedule>().unwrap().decay_steps()
        };
        assert_eq!(steps("100, 250", "1e-3, 1e-4, 1e-5"), Some(400));
        assert_eq!(steps("100", "1e-3, 1e-4"), Some(200));
        assert_eq!(steps("0", "1e-3, 1e-4"), Some(1));
        assert_eq!(steps("", "1e-3"), None);
    }

    #[test]
    fn a_recipe_names_one_schedule() {
        let error = serde_json::from_str::<Schedule>(r#"{ "constant": { "learning_rate": 1 }, "cosine_decay": 3 }"#);
        assert!(error.unwrap_err().to_string().starts_with("names two schedules; take out `cosine_decay`"));
        assert_eq!(serde_json::to_string(&Schedule::from(0.5)).unwrap(), "0.5");
        let call = serde_json::from_str::<Schedule>(r#""exponential_decay(initial_learning_rate=1, decay_rate=0.5)""#);
        let (initial_learning_rate, decay_rate) = (1.0, 0.5);
        let expected = ExponentialDecay { initial_learning_rate, decay_steps: None, decay_rate, staircase: false };
        assert_eq!(call.unwrap(), Schedule::ExponentialDecay(expected));
    }

    fn continuous() -> impl Strategy<Value = Schedule> {
        let (rate, steps, share) = (0.0..0.1_f64, 10..1000_u32, 0.0..1.0_f64);
        let warmup = proptest::option::of((0.0..0.1_f64, 1..500_u32));
        prop_oneof![
            (rate.clone(), steps.clone(), share.clone(), warmup).prop_map(|(rate, steps, alpha, warmup)| {
                let (warmup_target, warmup_steps) = warmup.unzip();
                let warmup_steps = warmup_steps.unwrap_or(0);
                let decay_steps = Some(steps);
                Schedule::CosineDecay(CosineDecay {
                    decay_steps,
                    alpha,
                    warmup_target,
                    warmup_steps,
                    ..CosineDecay::new(rate)
                })
            }),
            (rate.clone(), steps.clone(), 0.1..1.0_f64).prop_map(|(rate, steps, decay_rate)| {
                let (decay_steps, staircase) = (Some(steps), false);
                Schedule::ExponentialDecay(ExponentialDecay {
                    initial_learning_rate: rate,
                    decay_steps,
                    decay_rate,
                    staircase,
                })
            }),
            (rate.clone(), steps.clone(), 0.0..3.0_f64).prop_map(|(rate, steps, decay_rate)| {
                let (decay_steps, staircase) = (Some(steps), false);
                Schedule::InverseTimeDecay(InverseTimeDecay {
                    initial_learning_rate: rate,
                    decay_steps,
                    decay_rate,
                    staircase,
                })
            }),
            (rate.clone(), rate, steps, 1.0..3.0_f64).prop_map(|(rate, end_learning_rate, steps, power)| {
                let decay_steps = Some(steps);
                let base = PolynomialDecay::new(rate);
                Schedule::PolynomialDecay(PolynomialDecay { decay_steps, end_learning_rate, power, ..base })
            }),
        ]
    }

    fn broken() -> impl Strategy<Value = Schedule> {
        let (rate, steps) = (0.0..0.1_f64, 10..1000_u32);
        prop_oneof![
            (rate.clone(), steps.clone(), 1.0..3.0_f64, 0.1..1.0_f64).prop_map(|(rate, steps, t_mul, m_mul)| {
                let first_decay_steps = Some(steps);
                let base = CosineDecayRestarts::new(rate);
                Schedule::CosineDecayRestarts(CosineDecayRestarts { first_decay_steps, t_mul, m_mul, ..base })
            }),
            (rate.clone(), rate.clone(), steps.clone()).prop_map(|(first, second, boundary)| {
                Schedule::PiecewiseConstantDecay(PiecewiseConstantDecay {
                    boundaries: vec![boundary],
                    values: vec![first, second],
                })
            }),
            (rate.clone(), steps).prop_map(|(rate, steps)| {
                let decay_steps = Some(steps);
                Schedule::PolynomialDecay(PolynomialDecay { decay_steps, cycle: true, ..PolynomialDecay::new(rate) })
            }),
            rate.prop_map(Schedule::from),
        ]
    }

    proptest! {
        #[test]
        fn rates_are_finite_and_not_above_the_highest(
            schedule in prop_oneof![continuous(), broken()],
            step in 0_u64..5000,
        ) {
            let rate = schedule.lr(step);
            prop_assert!(rate.is_finite() && rate >= 0.0, "{rate}");
            prop_assert!(f64::from(rate) <= schedule.highest() * (1.0 + 1e-6), "{rate}");
        }

        #[test]
        fn rates_have_no_jumps(schedule in continuous(), step in 0_u64..2000) {
            let jump = f64::from((schedule.lr(step + 1) - schedule.lr(step)).abs());
            // The steepest: a warm-up in `warmup_steps`, or a cubic that starts with three times its mean slope.
            let shortest = match &schedule {
                Schedule::CosineDecay(cosine) if cosine.warmup_target.is_some() => {
                    cosine.warmup_steps.min(cosine.decay_steps.unwrap())
                }
                _ => schedule.decay_steps().unwrap() as u32,
            };
            prop_assert!(jump <= 3.0 * schedule.highest() / f64::from(shortest) + 1e-7, "{jump}");
        }

        #[test]
        fn calls_round_trip(schedule in prop_oneof![continuous(), broken()]) {
            prop_assert_eq!(schedule.to_string().parse::<Schedule>(), Ok(schedule));
        }
    }
}
