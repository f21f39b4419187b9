//! Schedules as calls: `cosine_decay(initial_learning_rate=1e-4, decay_steps=1000)`.

use std::fmt;
use std::str::FromStr;

use toml::{Table, Value};

use super::Schedule;
use crate::settings::{self, Mistake, inline};

/// Why a text is no schedule.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// It has another form.
    #[error(
        "expected a number or a call such as `cosine_decay(initial_learning_rate=1e-4, decay_steps=1000)`; got `{text}`"
    )]
    NotACall {
        /// What was given.
        text: String,
    },
    /// What stands between the parentheses isn't `key=value, …`.
    #[error("`{arguments}` isn't a list of settings such as `decay_steps=1000, alpha=0.01`")]
    Arguments {
        /// What was given.
        arguments: String,
    },
    /// The settings are wrong; all mistakes.
    #[error("{}", mistakes.iter().map(Mistake::to_string).collect::<Vec<_>>().join("\n"))]
    Settings {
        /// Each with its key: `cosine_decay.decay_steps`.
        mistakes: Vec<Mistake>,
    },
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Schedule, ScheduleError> {
        let text = text.trim();
        let value = text.parse::<f64>().map(Value::Float).or_else(|_| call(text))?;
        settings::read(value, Schedule::check).map_err(|mut mistakes| {
            // A bare number and an unknown name have no key.
            for mistake in mistakes.iter_mut().filter(|mistake| mistake.key.is_empty()) {
                mistake.key = "schedule".to_owned();
            }
            ScheduleError::Settings { mistakes }
        })
    }
}

/// Whether there is a schedule of this name: a mistake that has no key is in the name.
fn is_known(value: Value) -> bool {
    let mistakes = settings::read::<Schedule>(value, |_, _| ()).err().unwrap_or_default();
    mistakes.iter().all(|mistake| !mistake.key.is_empty())
}

/// `name(key=value, …)` as `{ name = { key = value, … } }`.
fn call(text: &str) -> Result<Value, ScheduleError> {
    let not_a_call = || ScheduleError::NotACall { text: text.to_owned() };
    let (name, rest) = text.split_once('(').ok_or_else(not_a_call)?;
    let arguments = rest.strip_suffix(')').ok_or_else(not_a_call)?.trim();
    let named = |arguments| Value::Table(Table::from_iter([(name.trim().to_owned(), arguments)]));
    // The settings have the syntax of an inline table, so its parser reads them. Where they haven't, an unknown name, which
    // `read` finds, is the better answer.
    match format!("{{ {arguments} }}").parse::<Value>() {
        Ok(settings) => Ok(named(settings)),
        Err(_) if !is_known(named(Value::Table(Table::new()))) => Ok(named(Value::Table(Table::new()))),
        Err(_) => Err(ScheduleError::Arguments { arguments: arguments.to_owned() }),
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = serde_json::to_value(self).map_err(|_| fmt::Error)?;
        let Some(named) = value.as_object() else { return f.write_str(&inline(&value)) };
        for (name, settings) in named {
            let settings = settings.as_object().into_iter().flatten();
            let settings: Vec<String> = settings.map(|(key, value)| format!("{key}={}", inline(value))).collect();
            write!(f, "{name}({})", settings.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{CosineDecay, PiecewiseConstantDecay};

    fn error(text: &str) -> String {
        text.parse::<Schedule>().unwrap_err().to_string()
    }

    #[test]
    fn reads_calls_and_numbers() {
        let cosine = CosineDecay { decay_steps: Some(1000), alpha: 1e-6, ..CosineDecay::new(1e-4) };
        let text = "cosine_decay(initial_learning_rate=1e-4, decay_steps=1000, alpha=1e-6)";
        assert_eq!(text.parse(), Ok(Schedule::CosineDecay(cosine)));
        assert_eq!("1e-3".parse(), Ok(Schedule::from(1e-3)));
        assert_eq!("constant(learning_rate=1e-3)".parse(), Ok(Schedule::from(1e-3)));
        let piecewise = PiecewiseConstantDecay { boundaries: vec![20, 60], values: vec![1e-3, 1e-4, 1e-5] };
        let text = " piecewise_constant_decay ( boundaries=[20, 60], values=[1e-3, 1e-4, 1e-5] ) ";
        assert_eq!(text.parse(), Ok(Schedule::PiecewiseConstantDecay(piecewise)));
    }

    #[test]
    fn prints_what_it_reads() {
        let text = "cosine_decay(initial_learning_rate=0.0001, decay_steps=1000, alpha=1e-6, warmup_steps=0)";
        assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        assert_eq!(Schedule::from(1e-3).to_string(), "0.001");
    }

    #[test]
    fn errors_name_the_remedy() {
        let all = [
            "cosine",
            "cosine_decay(initial_learning_rate=1e-4",
            "cosine_decay(1e-4, 1000)",
            "cosin_decay(initial_learning_rate=1e-4)",
            "cosine(1e-4)",
            "cosine_decay(initial_lr=1e-4, decay_step=1000)",
            "cosine_decay(initial_learning_rate=1e-4, decay_steps=0, alpha=2)",
            "cosine_decay(initial_learning_rate=1e-4, decay_steps=-5)",
            "cosine_decay(initial_learning_rate=1e-4, warmup_steps=10)",
            "cosine_decay(initial_learning_rate=1e-4} b = {decay_steps=1)",
            "piecewise_constant_decay(boundaries=[20, 10], values=[1e-3, 'x'])",
            "piecewise_constant_decay(boundaries=[20, 10], values=[1e-3])",
            "exponential_decay(initial_learning_rate=1e-3)",
            "nan",
        ];
        insta::assert_snapshot!(all.map(|text| format!("{text}\n    {}", error(text).replace('\n', "\n    "))).join("\n"), @r#"
        cosine
            expected a number or a call such as `cosine_decay(initial_learning_rate=1e-4, decay_steps=1000)`; got `cosine`
        cosine_decay(initial_learning_rate=1e-4
            expected a number or a call such as `cosine_decay(initial_learning_rate=1e-4, decay_steps=1000)`; got `cosine_decay(initial_learning_rate=1e-4`
        cosine_decay(1e-4, 1000)
            `1e-4, 1000` isn't a list of settings such as `decay_steps=1000, alpha=0.01`
        cosin_decay(initial_learning_rate=1e-4)
            `schedule` must be one of `constant`, `cosine_decay`, `cosine_decay_restarts`, `exponential_decay`, `inverse_time_decay`, `piecewise_constant_decay`, `polynomial_decay`; got `cosin_decay`; did you mean `cosine_decay`?
        cosine(1e-4)
            `schedule` must be one of `constant`, `cosine_decay`, `cosine_decay_restarts`, `exponential_decay`, `inverse_time_decay`, `piecewise_constant_decay`, `polynomial_decay`; got `cosine`; did you mean `cosine_decay`?
        cosine_decay(initial_lr=1e-4, decay_step=1000)
            unknown key `cosine_decay.initial_lr`; did you mean `cosine_decay.initial_learning_rate`?
            unknown key `cosine_decay.decay_step`; did you mean `cosine_decay.decay_steps`?
        cosine_decay(initial_learning_rate=1e-4, decay_steps=0, alpha=2)
            `cosine_decay.decay_steps` must be > 0; got 0
            `cosine_decay.alpha` must be a share of the initial rate, from 0 to 1; got 2.0
        cosine_decay(initial_learning_rate=1e-4, decay_steps=-5)
            `cosine_decay.decay_steps` must be a whole number of at least 0; got -5
        cosine_decay(initial_learning_rate=1e-4, warmup_steps=10)
            `cosine_decay.warmup_steps` needs `warmup_target`, the rate at the end of the warm-up
        cosine_decay(initial_learning_rate=1e-4} b = {decay_steps=1)
            `initial_learning_rate=1e-4} b = {decay_steps=1` isn't a list of settings such as `decay_steps=1000, alpha=0.01`
        piecewise_constant_decay(boundaries=[20, 10], values=[1e-3, 'x'])
            `piecewise_constant_decay.values.1` must be a number; got "x"
            `piecewise_constant_decay.boundaries` must be ascending; got [20, 10]
        piecewise_constant_decay(boundaries=[20, 10], values=[1e-3])
            `piecewise_constant_decay.boundaries` must be ascending; got [20, 10]
            `piecewise_constant_decay.values` must be a list of 3, one more than `boundaries`; got [0.001]
        exponential_decay(initial_learning_rate=1e-3)
            `exponential_decay.decay_rate` is missing
        nan
            `schedule` must be a learning rate from 0 to 1000; got NaN
        "#);
    }
}
