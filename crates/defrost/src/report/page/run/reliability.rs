//! The reliability diagram.

use serde::Serialize;

use super::RunReport;
use crate::calibrate::Reliability;
use crate::report::Lang;

/// The side of the diagram in its own units, as the template draws it.
const DIAGRAM: f64 = 300.0;

#[derive(Serialize)]
pub(super) struct ReliabilityChart {
    caption: String,
    curves: Vec<Curve>,
}

#[derive(Serialize)]
struct Curve {
    kind: &'static str,
    caption: String,
    path: String,
    points: Vec<Point>,
}

#[derive(Serialize)]
struct Point {
    x: String,
    y: String,
    radius: String,
    title: String,
}

pub(super) fn reliability(report: &RunReport<'_>, lang: Lang) -> ReliabilityChart {
    let (before, after) = report.validation.reliability();
    let temperature = report.validation.temperature;
    let calibrated = temperature != 1.0;
    let mut curves = Vec::new();
    if calibrated {
        curves.push(curve("before", lang.uncalibrated(before.ece), &before, lang));
        curves.push(curve("after", lang.calibrated(temperature, after.ece), &after, lang));
    } else {
        curves.push(curve("after", lang.uncalibrated(before.ece), &before, lang));
    }
    let left = report.calibration.and_then(|calibration| calibration.left);
    let caption = match left {
        Some(left) => lang.left_uncalibrated(left),
        None => lang.calibrated_on(report.validation.confusion.samples()),
    };
    ReliabilityChart { caption, curves }
}

fn curve(kind: &'static str, caption: String, of: &Reliability, lang: Lang) -> Curve {
    let all: u64 = of.bins.iter().map(|bin| bin.pictures).sum();
    let points: Vec<Point> = of
        .bins
        .iter()
        .filter(|bin| bin.pictures > 0)
        .map(|bin| Point {
            x: format!("{:.1}", DIAGRAM * bin.confidence),
            y: format!("{:.1}", DIAGRAM * (1.0 - bin.accuracy)),
            // Its area is the share of the pictures.
            radius: format!("{:.1}", 2.0 + 7.0 * (bin.pictures as f64 / all as f64).sqrt()),
            title: lang.bin(bin.pictures, bin.confidence, bin.accuracy),
        })
        .collect();
    let places: Vec<String> = points.iter().map(|point| format!("{} {}", point.x, point.y)).collect();
    Curve { kind, caption, path: format!("M{}", places.join("L")), points }
}
