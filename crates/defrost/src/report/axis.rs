//! Scales and ticks: where a value stands on an axis, and which values are named.
//!
//! Invariant: ticks lie within the range, rise, and there are at least two wherever the range allows it.

/// How values map to the axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Linear,
    Log10,
}

/// A named place on an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub(super) value: f64,
    /// Empty for a grid line without a name.
    pub(super) label: String,
}

/// A range of values mapped to a range of pixels.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    kind: Kind,
    low: f64,
    high: f64,
    pixels: (f32, f32),
    pub(super) ticks: Vec<Tick>,
}

impl Axis {
    /// Epochs 1 … `last`, half an epoch of air at both ends; whole numbers only.
    pub(super) fn epochs(last: usize, pixels: (f32, f32)) -> Axis {
        let step =
            [1, 2, 5, 10, 20, 50].into_iter().find(|step| last / step <= 10).unwrap_or_else(|| last.div_ceil(10));
        let every = |value: &usize| step == 1 || value.is_multiple_of(step) || *value == 1;
        let ticks =
            (1..=last).filter(every).map(|value| Tick { value: value as f64, label: value.to_string() }).collect();
        Axis { kind: Kind::Linear, low: 0.5, high: last as f64 + 0.5, pixels, ticks }
    }

    /// Steps 0 … `last`.
    pub(super) fn steps(first: u64, last: u64, pixels: (f32, f32)) -> Axis {
        let (low, high) = (first as f64, last.max(first + 1) as f64);
        let step = nice_step((high - low) / 8.0).max(1.0);
        let ticks = multiples(low, high, step).map(|value| Tick { value, label: thousands(value as u64) }).collect();
        Axis { kind: Kind::Linear, low, high, pixels, ticks }
    }

    /// Shares from just below the lowest value up to 1.
    pub(super) fn share(values: &[f64], pixels: (f32, f32)) -> Axis {
        let lowest = finite(values).fold(1.0, f64::min).clamp(0.0, 1.0);
        let span = (1.0 - lowest).max(0.02);
        let step = nice_step(span / 5.0);
        Axis::linear((((1.0 - span) / step).floor() * step).max(0.0), 1.0, step, pixels)
    }

    /// From 0 to just above the highest value.
    pub(super) fn positive(values: &[f64], pixels: (f32, f32)) -> Axis {
        let highest = finite(values).fold(0.0, f64::max);
        let highest = if highest > 0.0 { highest } else { 1.0 };
        let step = nice_step(highest * 1.02 / 6.0);
        Axis::linear(0.0, (highest * 1.02 / step).ceil() * step, step, pixels)
    }

    fn linear(low: f64, high: f64, step: f64, pixels: (f32, f32)) -> Axis {
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        // 0.25 needs one decimal more than its magnitude says.
        let decimals = decimals + usize::from((step * 10f64.powi(decimals as i32)).fract() > 1e-6);
        let ticks =
            multiples(low, high, step).map(|value| Tick { value, label: format!("{value:.decimals$}") }).collect();
        Axis { kind: Kind::Linear, low, high, pixels, ticks }
    }

    /// A logarithmic axis around the positive values, at most [`DECADES`](Axis::DECADES) below the highest.
    pub(super) fn log(values: &[f64], pixels: (f32, f32)) -> Axis {
        let positive = finite(values).filter(|value| *value > 0.0);
        let (lowest, highest) =
            positive.fold((f64::INFINITY, 0f64), |(low, high), value| (low.min(value), high.max(value)));
        let (lowest, highest) = if highest > 0.0 { (lowest, highest) } else { (0.1, 1.0) };
        let lowest = lowest.log10().max(highest.log10() - Axis::DECADES);
        // A constant still gets a decade to stand in.
        let air = ((highest.log10() - lowest) * 0.05).max(0.08);
        let (mut low, mut high) = (lowest - air, highest.log10() + air);
        let missing = 1.0 - (high - low);
        if missing > 0.0 {
            (low, high) = (low - missing / 2.0, high + missing / 2.0);
        }
        let decades = high - low;
        let every = if decades > 8.0 { 2 } else { 1 };
        let inside = |value: &f64| (low..=high).contains(&value.log10());
        let mut ticks = Vec::new();
        for exponent in low.floor() as i32..=high.ceil() as i32 {
            for digit in 1..10 {
                let value = f64::from(digit) * 10f64.powi(exponent);
                let named = match digit {
                    1 => exponent % every == 0,
                    2 | 5 => decades < 2.1,
                    _ => false,
                };
                if inside(&value) && (named || decades < 4.0 || digit == 1) {
                    ticks.push(Tick { value, label: if named { power(digit, exponent) } else { String::new() } });
                }
            }
        }
        Axis { kind: Kind::Log10, low, high, pixels, ticks }
    }

    /// How far a logarithmic axis reaches down: a cosine that ends at 0 would reach for ever.
    const DECADES: f64 = 8.0;

    /// The pixel of `value`; what lies outside the range stands at its end.
    pub(super) fn at(&self, value: f64) -> f32 {
        let value = match self.kind {
            Kind::Linear => value,
            Kind::Log10 if value > 0.0 => value.log10(),
            Kind::Log10 => self.low,
        };
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0) as f32;
        self.pixels.0 + share * (self.pixels.1 - self.pixels.0)
    }
}

fn finite(values: &[f64]) -> impl Iterator<Item = f64> {
    values.iter().copied().filter(|value| value.is_finite())
}

/// The smallest of 1, 2, 2.5, 5 · 10ⁿ that is at least `raw`.
fn nice_step(raw: f64) -> f64 {
    let magnitude = 10f64.powf(raw.log10().floor());
    let factor = [1.0, 2.0, 2.5, 5.0].into_iter().find(|factor| factor * magnitude >= raw * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * magnitude
}

fn multiples(low: f64, high: f64, step: f64) -> impl Iterator<Item = f64> {
    let first = (low / step - 1e-6).ceil() as i64;
    let last = (high / step + 1e-6).floor() as i64;
    (first..=last).map(move |count| count as f64 * step)
}

/// `10^-4`, `2·10^-4`; the drawn text raises what follows `^`.
fn power(digit: i32, exponent: i32) -> String {
    let factor = if digit == 1 { String::new() } else { format!("{digit}·") };
    format!("{factor}10^{exponent}")
}

/// `12,000`
fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PIXELS: (f32, f32) = (0.0, 100.0);

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.label.as_str()).filter(|label| !label.is_empty()).collect()
    }

    #[test]
    fn epochs_are_whole_and_start_at_1() {
        assert_eq!(labels(&Axis::epochs(1, PIXELS)), ["1"]);
        assert_eq!(labels(&Axis::epochs(10, PIXELS)).len(), 10);
        assert_eq!(labels(&Axis::epochs(60, PIXELS)), ["1", "10", "20", "30", "40", "50", "60"]);
    }

    #[test]
    fn a_share_ends_at_1() {
        assert_eq!(labels(&Axis::share(&[0.683, 0.9], PIXELS)), ["0.6", "0.7", "0.8", "0.9", "1.0"]);
        assert_eq!(labels(&Axis::share(&[1.0], PIXELS)).last(), Some(&"1.000"));
        assert_eq!(labels(&Axis::share(&[f64::NAN], PIXELS)).last(), Some(&"1.000"));
    }

    #[test]
    fn decades_are_named() {
        assert_eq!(labels(&Axis::log(&[1e-4, 1e-6], PIXELS)), ["10^-6", "10^-5", "10^-4"]);
        assert_eq!(labels(&Axis::log(&[1e-4], PIXELS)), ["5·10^-5", "10^-4", "2·10^-4"]);
        // At most eight decades, and every second is named.
        assert_eq!(labels(&Axis::log(&[1e-4, 1e-30], PIXELS)).len(), 5);
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }

    proptest! {
        #[test]
        fn ticks_rise_within_the_range(values in prop::collection::vec(-1e3f64..1e6, 1..9), last in 1usize..3000) {
            for axis in [
                Axis::share(&values, PIXELS),
                Axis::positive(&values, PIXELS),
                Axis::log(&values.iter().map(|value| value / 1e9).collect::<Vec<_>>(), PIXELS),
                Axis::epochs(last, PIXELS),
                Axis::steps(0, last as u64, PIXELS),
            ] {
                prop_assert!(labels(&axis).len() >= 2 || last == 1, "{axis:?}");
                prop_assert!(labels(&axis).len() <= 14, "{axis:?}");
                prop_assert!(axis.ticks.windows(2).all(|pair| axis.at(pair[0].value) < axis.at(pair[1].value)), "{axis:?}");
                prop_assert!(axis.ticks.iter().all(|tick| (0.0..=100.0).contains(&axis.at(tick.value))));
            }
        }
    }
}
