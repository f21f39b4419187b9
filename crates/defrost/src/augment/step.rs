//! What a kind of augmentation states about itself, and a step of a pipeline.

use super::plan::Plan;
use crate::rng::Stream;

/// A kind of augmentation: its name, its numbers, what it does.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// What stands in its brackets, in this order.
    pub(super) parameters: &'static [Parameter],
    /// Draws one variant.
    pub(super) draw: fn(Numbers, &mut Stream, &mut Plan),
}

/// The most parameters that a kind has.
pub(super) const PARAMETERS: usize = 2;

/// A step's numbers, in the order of its kind's parameters; the rest are [`Interval::ZERO`].
pub(super) type Numbers = [Interval; PARAMETERS];

/// One of the numbers in a step's brackets.
#[derive(Debug)]
pub(super) struct Parameter {
    /// As messages call it.
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) form: Form,
    /// What is meant where this and all later ones are left out.
    pub(super) default: Option<Interval>,
}

/// How a parameter is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// How far to either side, above 0 and at most `max`: `rotate(15)`.
    Amplitude { max: f32 },
    /// From where to where, `0 < low <= high <= max`: `crop(0.8..1)`.
    Range { max: f32 },
    /// A whole number: `rand_augment(2, 9)`.
    Count { min: u8, max: u8 },
}

impl Parameter {
    /// The only parameter of a step that goes as far to one side as to the other.
    pub(super) const fn amplitude(unit: &'static str, max: f32) -> Parameter {
        Parameter { name: "a", unit, form: Form::Amplitude { max }, default: None }
    }

    /// The size of a window in the picture.
    pub(super) const fn area(default: Option<Interval>) -> Parameter {
        Parameter { name: "area", unit: "shares of the picture's", form: Form::Range { max: 1.0 }, default }
    }

    /// The proportions of a window.
    pub(super) const fn ratio(default: Interval) -> Parameter {
        Parameter { name: "ratio", unit: "width by height", form: Form::Range { max: 100.0 }, default: Some(default) }
    }
}

/// Where a number is drawn from: `±a` for an amplitude, both ends the same for a count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Interval {
    pub(super) low: f32,
    pub(super) high: f32,
}

impl Interval {
    pub(super) const ZERO: Interval = Interval { low: 0.0, high: 0.0 };

    /// A uniform draw.
    pub(super) fn draw(self, random: &mut Stream) -> f32 {
        random.range(self.low, self.high)
    }

    /// A draw that is uniform on a logarithmic scale: twice and half are equally likely.
    pub(super) fn draw_ratio(self, random: &mut Stream) -> f32 {
        // Of 3/4 to 4/3 the reciprocal makes equal steps to either side, which the logarithms' rounding would not.
        random.range(-self.low.recip().ln(), self.high.ln()).exp()
    }

    /// What a count counts.
    pub(super) fn count(self) -> u32 {
        self.high as u32
    }
}

/// A kind with its numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) kind: &'static Kind,
    pub(super) numbers: Numbers,
}

impl Step {
    /// Adds one variant of the step to `plan`.
    pub(super) fn draw(&self, random: &mut Stream, plan: &mut Plan) {
        (self.kind.draw)(self.numbers, random, plan);
    }
}

impl PartialEq for Step {
    fn eq(&self, other: &Step) -> bool {
        self.kind.name == other.kind.name && self.numbers == other.numbers
    }
}
