//! What a kind of augmentation states about itself, and a step of a pipeline.

use super::frame::Frame;
use crate::rng::Stream;

/// A kind of augmentation: its name, its argument, what it does.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) argument: Argument,
    pub(super) effect: Effect,
}

/// What stands in a step's brackets.
#[derive(Debug, Clone, Copy)]
pub(super) enum Argument {
    /// No brackets: `flip`.
    Nothing,
    /// How far to either side, above 0 and at most `max`: `rotate(15)`.
    Amplitude { unit: &'static str, max: f32 },
    /// From where to where, `0 < low <= high <= max`: `crop(0.8..1)`.
    Range { unit: &'static str, max: f32 },
}

/// What a drawn number does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Effect {
    /// Moves what the view shows.
    Geometry(fn(&mut Frame, Interval, &mut Stream)),
    /// Changes RGB samples, 0..=255; what leaves the range is clipped afterwards.
    Colour(fn(&mut [f32], Interval, &mut Stream)),
}

/// Where a step's numbers are drawn from; `±a` for an amplitude.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Interval {
    pub(super) low: f32,
    pub(super) high: f32,
}

impl Interval {
    /// A uniform draw.
    pub(super) fn draw(self, random: &mut Stream) -> f32 {
        random.range(self.low, self.high)
    }
}

/// A kind with its numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) kind: &'static Kind,
    pub(super) interval: Interval,
}

impl PartialEq for Step {
    fn eq(&self, other: &Step) -> bool {
        self.kind.name == other.kind.name && self.interval == other.interval
    }
}
