//! A random window, resized to the whole.

use super::step::{Argument, Effect, Kind};

/// `crop(low..high)`: a window of that share of the area. The ratio of its sides is the picture's own times a factor from 3/4
/// to 4/3, even on a logarithmic scale; a side that would be longer than the picture's is cut and the other one lengthened.
///
/// # Reference
/// C. Szegedy et al., "Going deeper with convolutions", 2015, section 6: windows of 8 to 100 % of the area, aspect ratios from
/// 3/4 to 4/3 (there of the window itself).
pub(super) static CROP: Kind = Kind {
    name: "crop",
    argument: Argument::Range { unit: "shares of the area", max: 1.0 },
    effect: Effect::Geometry(|frame, interval, random| {
        let area = interval.draw(random);
        let log_ratio = (4.0_f32 / 3.0).ln();
        let [width, height] = window(area, random.range(-log_ratio, log_ratio).exp());
        let start = [random.uniform() * (1.0 - width), random.uniform() * (1.0 - height)];
        frame.window(start, [width, height]);
    }),
};

/// Sides, as shares of the picture's, of a window of `area` whose sides stand in `ratio` where there is room.
fn window(area: f32, ratio: f32) -> [f32; 2] {
    let width = (area * ratio).sqrt().clamp(area, 1.0);
    [width, area / width]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_keep_their_area() {
        assert_eq!(window(1.0, 4.0 / 3.0), [1.0, 1.0]);
        assert_eq!(window(0.25, 1.0), [0.5, 0.5]);
        assert_eq!(window(0.9, 4.0 / 3.0), [1.0, 0.9]);
        assert_eq!(window(0.9, 0.75), [0.9, 1.0]);
        let [width, height] = window(0.3, 4.0 / 3.0);
        assert!((width / height - 4.0 / 3.0).abs() < 1e-6 && (width * height - 0.3).abs() < 1e-6);
    }
}
