//! A random window, resized to the whole.

use super::step::{Interval, Kind, Parameter};

/// `crop(area, ratio)`: a window of that share of the area, its sides' ratio the picture's own times `ratio`, even on a
/// logarithmic scale: what is drawn out of proportion is so in relation to the plain picture. A side that would be longer
/// than the picture's is cut and the other one lengthened. torchvision's `RandomResizedCrop(scale, ratio)`, where the ratio is
/// the window's itself; Keras' `RandomCrop` has neither.
///
/// # Reference
/// C. Szegedy et al., "Going deeper with convolutions", 2015, section 6: windows of 8 to 100 % of the area, aspect ratios from
/// 3/4 to 4/3 (there of the window itself).
pub(super) static CROP: Kind = Kind {
    name: "crop",
    parameters: &[Parameter::area(None), Parameter::ratio(Interval { low: 3.0 / 4.0, high: 4.0 / 3.0 })],
    draw: |[area, ratio], random, plan| {
        let area = area.draw(random);
        let [width, height] = window(area, ratio.draw_ratio(random));
        let start = [random.uniform() * (1.0 - width), random.uniform() * (1.0 - height)];
        plan.frame.window(start, [width, height]);
    },
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
