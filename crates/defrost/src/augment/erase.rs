//! A rectangle without anything to see.

use super::plan::View;
use super::step::{Interval, Kind, Parameter};
use crate::rng::Stream;

/// `erase(area, ratio)`: one time in two, a rectangle of that share of the view's area and that ratio of width to height, even
/// on a logarithmic scale, is filled with the view's mean colour. The defaults are torchvision's `RandomErasing`; its fill of 0
/// comes after normalization, so it is the mean of the network's own pictures.
///
/// # Reference
/// Z. Zhong et al., "Random Erasing Data Augmentation", 2020, algorithm 1.
pub(super) static ERASE: Kind = Kind {
    name: "erase",
    parameters: &[
        Parameter::area(Some(Interval { low: 0.02, high: 0.33 })),
        Parameter::ratio(Interval { low: 0.3, high: 3.3 }),
    ],
    draw: |[area, ratio], random, plan| {
        if random.uniform() < 0.5 {
            let mut random = random.clone();
            plan.then(move |view| {
                if let Some(window) = window(view, area, ratio, &mut random) {
                    fill(view, window);
                }
            });
        }
    },
};

/// Pixels of a view.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Window {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

/// How often a rectangle is drawn that doesn't fit, before the view stays whole.
const TRIES: usize = 10;

fn window(view: &View, area: Interval, ratio: Interval, random: &mut Stream) -> Option<Window> {
    (0..TRIES).find_map(|_| {
        let pixels = area.draw(random) * (view.width * view.height) as f32;
        let ratio = ratio.draw_ratio(random);
        let (width, height) = ((pixels * ratio).sqrt().round() as usize, (pixels / ratio).sqrt().round() as usize);
        let mut start = |side: usize, whole: usize| random.below((whole - side + 1) as u32) as usize;
        (width <= view.width && height <= view.height).then(|| {
            let (left, top) = (start(width, view.width), start(height, view.height));
            Window { left, top, width, height }
        })
    })
}

fn fill(view: &mut View, Window { left, top, width, height }: Window) {
    let count = (view.width * view.height) as f64;
    let pixels = view.pixels.as_chunks::<3>().0;
    let mean = [0, 1, 2].map(|k| (pixels.iter().map(|pixel| f64::from(pixel[k])).sum::<f64>() / count) as f32);
    for row in view.pixels.as_chunks_mut::<3>().0.chunks_exact_mut(view.width).skip(top).take(height) {
        row[left..left + width].fill(mean);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_the_area_and_the_ratio_that_were_asked_for() {
        let view = View { pixels: vec![0.0; 80 * 60 * 3], height: 60, width: 80 };
        let same = |value| Interval { low: value, high: value };
        let mut starts = std::collections::BTreeSet::new();
        for index in 0..50 {
            let mut random = Stream::new(0, "erase", &[index]);
            let window = window(&view, same(0.25), same(3.0), &mut random).unwrap();
            assert_eq!((window.width, window.height), (60, 20));
            assert!(window.left <= 20 && window.top <= 40);
            starts.insert((window.left, window.top));
        }
        assert!(starts.len() > 30, "{starts:?}");
        assert_eq!(super::window(&view, same(0.9), same(3.0), &mut Stream::new(0, "erase", &[])), None);
        let whole = super::window(&view, same(1.0), same(4.0 / 3.0), &mut Stream::new(0, "erase", &[]));
        assert_eq!(whole, Some(Window { left: 0, top: 0, width: 80, height: 60 }));
    }

    #[test]
    fn only_the_window_gets_the_mean_colour() {
        let pixels: Vec<f32> = (0..4 * 3 * 3).map(|i| i as f32).collect();
        let mut view = View { pixels: pixels.clone(), height: 3, width: 4 };
        fill(&mut view, Window { left: 1, top: 1, width: 2, height: 2 });
        for (i, (before, after)) in pixels.as_chunks::<3>().0.iter().zip(view.pixels.as_chunks::<3>().0).enumerate() {
            let inside = (1..3).contains(&(i % 4)) && (1..3).contains(&(i / 4));
            // The mean of k, k + 3, …, k + 33.
            let expected = if inside { [16.5, 17.5, 18.5] } else { *before };
            assert_eq!(*after, expected, "pixel {i}");
        }
    }
}
