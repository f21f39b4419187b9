//! A pipeline as a line of text: steps between bars, `name`, `name(a)`, `name(low..high)` or `name(a, b)`.
//!
//! Invariant: what is printed reads back as the same pipeline, and is the shortest such line: numbers that are the defaults are
//! left out from the end.

use std::fmt;
use std::str::FromStr;

use super::step::{Form, Interval, Kind, Numbers, PARAMETERS, Parameter, Step};
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
    let numbers = kind.numbers(inside).ok_or_else(wrong)?;
    Ok(Step { kind, numbers })
}

impl Kind {
    /// The numbers of what stands in the brackets, if they are acceptable.
    fn numbers(&self, inside: Option<&str>) -> Option<Numbers> {
        let mut written = inside.map(|inside| inside.split(','));
        let mut numbers = [Interval::ZERO; PARAMETERS];
        for (number, parameter) in numbers.iter_mut().zip(self.parameters) {
            *number = match written.as_mut().and_then(Iterator::next) {
                Some(text) => parameter.form.read(text)?,
                None => parameter.default?,
            };
        }
        match written.and_then(|mut rest| rest.next()) {
            // More than there are; for a step without numbers that is any brackets.
            Some(_) => None,
            None => Some(numbers),
        }
    }

    /// How a step of this kind is written.
    fn usage(&self) -> String {
        let name = self.name;
        if self.parameters.is_empty() {
            return format!("`{name}`, without a number");
        }
        let names: Vec<&str> = self.parameters.iter().map(|parameter| parameter.name).collect();
        let meanings: Vec<String> = self.parameters.iter().map(Parameter::meaning).collect();
        let optional: Vec<&str> =
            self.parameters.iter().filter(|p| p.default.is_some()).map(|parameter| parameter.name).collect();
        let optional = match optional.as_slice() {
            [] => String::new(),
            names => format!(" ({} may be left out)", names.join(" and ")),
        };
        format!("`{name}({})`, where {}{optional}", names.join(", "), meanings.join(", and "))
    }
}

impl Parameter {
    /// What may stand for it.
    fn meaning(&self) -> String {
        let Parameter { name, unit, .. } = self;
        match self.form {
            Form::Amplitude { max } => format!("{name} is in {unit}, above 0 and at most {max}"),
            Form::Range { max } => format!("{name} is low..high in {unit}, 0 < low <= high <= {max}"),
            Form::Count { min, max } => format!("{name} is a whole number of {unit} from {min} to {max}"),
        }
    }
}

impl Form {
    fn read(self, text: &str) -> Option<Interval> {
        let number = |text: &str| text.trim().parse::<f32>().ok();
        match self {
            Form::Amplitude { max } => {
                let amplitude = number(text)?;
                (amplitude > 0.0 && amplitude <= max).then_some(Interval { low: -amplitude, high: amplitude })
            }
            Form::Range { max } => {
                let (low, high) = text.split_once("..")?;
                let (low, high) = (number(low)?, number(high)?);
                (0.0 < low && low <= high && high <= max).then_some(Interval { low, high })
            }
            Form::Count { min, max } => {
                let count = text.trim().parse::<u8>().ok().filter(|count| (min..=max).contains(count))?;
                Some(Interval { low: f32::from(count), high: f32::from(count) })
            }
        }
    }

    fn write(self, Interval { low, high }: Interval) -> String {
        match self {
            Form::Amplitude { .. } | Form::Count { .. } => high.to_string(),
            Form::Range { .. } => format!("{low}..{high}"),
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
        let mut written: Vec<(&Parameter, Interval)> = self.kind.parameters.iter().zip(self.numbers).collect();
        while written.pop_if(|(parameter, number)| parameter.default == Some(*number)).is_some() {}
        let written: Vec<String> = written.iter().map(|(parameter, number)| parameter.form.write(*number)).collect();
        match written.as_slice() {
            [] => f.write_str(self.kind.name),
            numbers => write!(f, "{}({})", self.kind.name, numbers.join(", ")),
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
            "unknown augmentation `rotat`; expected one of flip, flip_vertical, shift, rotate, shear, zoom, crop, \
             brightness, contrast, saturation, hue, erase, rand_augment, trivial_augment, none, light, standard; did \
             you mean `rotate`?"
        );
        assert_eq!(
            error("rotate(200)"),
            "`rotate` is written `rotate(a)`, where a is in degrees, above 0 and at most 180; got `rotate(200)`"
        );
        assert_eq!(
            error("flip | crop(1..0.8)"),
            "`crop` is written `crop(area, ratio)`, where area is low..high in shares of the picture's, \
             0 < low <= high <= 1, and ratio is low..high in width by height, 0 < low <= high <= 100 (ratio may be left \
             out); got `crop(1..0.8)`"
        );
        assert_eq!(
            error("rand_augment(2, 31)"),
            "`rand_augment` is written `rand_augment(n, m)`, where n is a whole number of operations from 1 to 14, and m \
             is a whole number of steps of strength from 0 to 30 (n and m may be left out); got `rand_augment(2, 31)`"
        );
        assert_eq!(error("flip(1)"), "`flip` is written `flip`, without a number; got `flip(1)`");
        for line in
            ["", "|", "flip|", "rotate", "rotate()", "rotate(nan)", "rotate(15", "rotate(1)2", "crop(0.5)", "shift(0)"]
        {
            error(line);
        }
        for line in ["flip()", "erase()", "crop", "crop(0.5..1,)", "crop(0.5..1, 1..1, 1..1)", "rand_augment(2.5)"] {
            error(line);
        }
        for line in ["rand_augment(0)", "rand_augment(2, -1)", "rand_augment(300)", "trivial_augment(1)", "hue(0.6)"] {
            error(line);
        }
    }

    #[test]
    fn numbers_that_are_the_defaults_are_left_out() {
        let printed = |line: &str| line.parse::<Pipeline>().unwrap().to_string();
        assert_eq!(printed(" crop( 0.8 .. 1 , 0.75 .. 1.3333334 ) | flip "), "crop(0.8..1)|flip");
        assert_eq!(printed("crop(0.8..1, 0.5..2)"), "crop(0.8..1, 0.5..2)");
        assert_eq!(printed("erase(0.02..0.33,0.3..3.3)|erase(0.1..0.2)"), "erase|erase(0.1..0.2)");
        assert_eq!(printed("erase(0.02..0.33, 1..1)"), "erase(0.02..0.33, 1..1)");
        assert_eq!(
            printed("rand_augment(2,9)|rand_augment(3)|rand_augment(2, 10)"),
            "rand_augment|rand_augment(3)|rand_augment(2, 10)"
        );
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

    fn any_number(form: Form, a: f32, b: f32) -> Interval {
        match form {
            Form::Amplitude { max } => Interval { low: -a * max, high: a * max },
            Form::Range { max } => Interval { low: a.min(b) * max, high: a.max(b) * max },
            Form::Count { min, max } => {
                let count = (f32::from(min) + a * f32::from(max - min)).round();
                Interval { low: count, high: count }
            }
        }
    }

    fn any_step() -> impl Strategy<Value = Step> {
        let shares = proptest::array::uniform2((0.001f32..1.0, 0.001f32..1.0, any::<bool>()));
        (0..KINDS.len(), shares).prop_map(|(kind, shares)| {
            let kind = KINDS[kind];
            let mut numbers = [Interval::ZERO; PARAMETERS];
            for ((number, parameter), (a, b, plain)) in numbers.iter_mut().zip(kind.parameters).zip(shares) {
                let drawn = any_number(parameter.form, a, b);
                *number = parameter.default.filter(|_| plain).unwrap_or(drawn);
            }
            Step { kind, numbers }
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
        fn any_arguments_are_read_or_refused(kind in 0..KINDS.len(), inside in "[0-9., -]{0,12}", brackets in "[()]{0,2}") {
            let (open, close) = brackets.split_at(brackets.len().min(1));
            let line = format!("{}{open}{inside}{close}", KINDS[kind].name);
            if let Ok(pipeline) = line.parse::<Pipeline>() {
                prop_assert_eq!(pipeline.to_string().parse::<Pipeline>().unwrap(), pipeline);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(line in "[a-z_|().,0-9 -]{0,30}") {
            if let Ok(pipeline) = line.parse::<Pipeline>() {
                prop_assert_eq!(pipeline.to_string().parse::<Pipeline>().unwrap(), pipeline);
            }
        }
    }
}
