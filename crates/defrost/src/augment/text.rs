//! A pipeline as a line of text: steps between bars, `name`, `name(a)` or `name(low..high)`.

use std::fmt;
use std::str::FromStr;

use super::step::{Argument, Interval, Kind, Step};
use super::{KINDS, PRESETS, Pipeline};
use crate::error::did_you_mean;

/// Why a line is no pipeline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AugmentError {
    /// No such step and, where the line is one word, no such preset.
    #[error("unknown augmentation `{name}`; expected one of {}{}", listed(), did_you_mean(name, names()))]
    Unknown {
        /// What the line says.
        name: String,
    },
    /// A step's brackets hold something else than its numbers.
    #[error("`{name}` is written {expected}; got `{got}`")]
    Argument {
        /// The step's name.
        name: &'static str,
        /// The form, the unit and the accepted range.
        expected: String,
        /// The step as written.
        got: String,
    },
}

/// Every name that a line may hold: the steps', then the presets'.
pub fn names() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|kind| kind.name).chain(PRESETS.iter().map(|(name, _)| *name))
}

fn listed() -> String {
    names().collect::<Vec<_>>().join(", ")
}

/// The steps of a line; none of an empty one.
pub(super) fn steps(line: &str) -> Result<Vec<Step>, AugmentError> {
    if line.is_empty() { Ok(Vec::new()) } else { line.split('|').map(step).collect() }
}

fn step(text: &str) -> Result<Step, AugmentError> {
    let text = text.trim();
    let (name, argument) = match text.split_once('(') {
        Some((name, rest)) => (name.trim_end(), Some(rest)),
        None => (text, None),
    };
    let kind = KINDS.iter().find(|kind| kind.name == name).ok_or(AugmentError::Unknown { name: name.to_owned() })?;
    let wrong = || AugmentError::Argument { name: kind.name, expected: kind.usage(), got: text.to_owned() };
    let inside = match argument {
        Some(rest) => Some(rest.strip_suffix(')').ok_or_else(wrong)?),
        None => None,
    };
    let interval = kind.argument.interval(inside).ok_or_else(wrong)?;
    Ok(Step { kind, interval })
}

impl Argument {
    /// The numbers of what stands in the brackets, if they are acceptable.
    fn interval(self, inside: Option<&str>) -> Option<Interval> {
        let number = |text: &str| text.trim().parse::<f32>().ok();
        let (interval, max) = match (self, inside) {
            (Argument::Nothing, None) => return Some(Interval { low: 0.0, high: 0.0 }),
            (Argument::Amplitude { max, .. }, Some(inside)) => {
                let amplitude = number(inside)?;
                return (amplitude > 0.0 && amplitude <= max).then_some(Interval { low: -amplitude, high: amplitude });
            }
            (Argument::Range { max, .. }, Some(inside)) => {
                let (low, high) = inside.split_once("..")?;
                (Interval { low: number(low)?, high: number(high)? }, max)
            }
            _ => return None,
        };
        (0.0 < interval.low && interval.low <= interval.high && interval.high <= max).then_some(interval)
    }
}

impl Kind {
    /// How a step of this kind is written.
    fn usage(&self) -> String {
        let name = self.name;
        match self.argument {
            Argument::Nothing => format!("`{name}`, without a number"),
            Argument::Amplitude { unit, max } => {
                format!("`{name}(a)`, where a is in {unit}, above 0 and at most {max}")
            }
            Argument::Range { unit, max } => {
                format!("`{name}(low..high)`, where low and high are in {unit} and 0 < low <= high <= {max}")
            }
        }
    }
}

impl FromStr for Pipeline {
    type Err = AugmentError;

    /// Reads a preset's name or a line of steps.
    fn from_str(line: &str) -> Result<Pipeline, AugmentError> {
        let line = line.trim();
        if line.is_empty() {
            return Err(AugmentError::Unknown { name: String::new() });
        }
        match Pipeline::preset(line) {
            Some(pipeline) => Ok(pipeline),
            None => steps(line).map(Pipeline::of),
        }
    }
}

impl TryFrom<String> for Pipeline {
    type Error = AugmentError;

    fn try_from(line: String) -> Result<Pipeline, AugmentError> {
        line.parse()
    }
}

impl From<Pipeline> for String {
    fn from(pipeline: Pipeline) -> String {
        pipeline.to_string()
    }
}

impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        for (position, step) in self.steps.iter().enumerate() {
            if position > 0 {
                f.write_str("|")?;
            }
            write!(f, "{step}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Interval { low, high } = self.interval;
        match self.kind.argument {
            Argument::Nothing => f.write_str(self.kind.name),
            Argument::Amplitude { .. } => write!(f, "{}({high})", self.kind.name),
            Argument::Range { .. } => write!(f, "{}({low}..{high})", self.kind.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(line: &str) -> String {
        line.parse::<Pipeline>().unwrap_err().to_string()
    }

    #[test]
    fn mistakes_name_the_remedy() {
        assert_eq!(
            error("flip|rotat(15)"),
            "unknown augmentation `rotat`; expected one of flip, flip_vertical, shift, rotate, zoom, crop, brightness, \
             contrast, saturation, none, light, standard; did you mean `rotate`?"
        );
        assert_eq!(
            error("rotate(200)"),
            "`rotate` is written `rotate(a)`, where a is in degrees, above 0 and at most 180; got `rotate(200)`"
        );
        assert_eq!(
            error("flip | crop(1..0.8)"),
            "`crop` is written `crop(low..high)`, where low and high are in shares of the area and \
             0 < low <= high <= 1; got `crop(1..0.8)`"
        );
        assert_eq!(error("flip(1)"), "`flip` is written `flip`, without a number; got `flip(1)`");
        for line in
            ["", "|", "flip|", "rotate", "rotate()", "rotate(nan)", "rotate(15", "rotate(1)2", "crop(0.5)", "shift(0)"]
        {
            error(line);
        }
    }

    #[test]
    fn presets_are_pipelines() {
        for (name, line) in PRESETS {
            let pipeline: Pipeline = name.parse().unwrap();
            assert_eq!(pipeline.to_string(), if line.is_empty() { "none" } else { line });
            assert_eq!(Pipeline::preset(name), Some(pipeline));
        }
        assert_eq!(Pipeline::preset("flip"), None);
    }

    fn any_step() -> impl Strategy<Value = Step> {
        (0..KINDS.len(), 0.001f32..1.0, 0.001f32..1.0).prop_map(|(kind, a, b)| {
            let kind = KINDS[kind];
            let interval = match kind.argument {
                Argument::Nothing => Interval { low: 0.0, high: 0.0 },
                Argument::Amplitude { max, .. } => Interval { low: -a * max, high: a * max },
                Argument::Range { max, .. } => Interval { low: a.min(b) * max, high: a.max(b) * max },
            };
            Step { kind, interval }
        })
    }

    proptest! {
        #[test]
        fn lines_round_trip(steps in prop::collection::vec(any_step(), 0..6)) {
            let pipeline = Pipeline::of(steps);
            let json = serde_json::to_string(&pipeline).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Pipeline>(&json).unwrap(), &pipeline);
            prop_assert_eq!(json, format!("\"{pipeline}\""));
        }

        #[test]
        fn any_text_is_read_or_refused(line in "[a-z_|().0-9 -]{0,30}") {
            if let Ok(pipeline) = line.parse::<Pipeline>() {
                prop_assert_eq!(pipeline.to_string().parse::<Pipeline>().unwrap(), pipeline);
            }
        }
    }
}
