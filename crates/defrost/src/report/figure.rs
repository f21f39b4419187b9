//! Every figure: the curves of a run, a learning-rate schedule, and the way from SVG to PNG.
//!
//! Invariant: what isn't finite is left out, and a line is broken there; no value makes a figure fail.
//!
//! ```
//! use defrost::report::{Lang, schedule, to_png};
//!
//! let svg = schedule(&[(0, 1e-4), (1, 9e-5), (2, 1e-5)], "cosine_decay", Lang::English);
//! assert!(to_png(&svg, 1.0)?.starts_with(b"\x89PNG"));
//! # Ok::<(), defrost::report::FigureError>(())
//! ```

use std::io::Cursor;
use std::sync::Arc;

use image::RgbaImage;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{self, fontdb};

use super::axis::Axis;
use super::lang::Lang;
use super::plot::{Area, Key, Legend, Marker, Panel, open, stage_colour};
use crate::train::{EpochRecord, History};

/// Blue and vermilion of Okabe and Ito's colours, told apart by every kind of colour vision.
const TRAINING: &str = "#0072b2";
const VALIDATION: &str = "#d55e00";

/// The side of the largest PNG, in pixels.
pub(super) const MAX_SIDE: f32 = 16_384.0;

/// Why a figure can't become a PNG.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FigureError {
    /// The text isn't SVG.
    #[error("not an svg: {0}")]
    Svg(#[from] usvg::Error),
    /// No picture, or one that no memory should hold.
    #[error("a png must have between 1 and {MAX_SIDE} pixels a side; got {width} × {height}")]
    Size {
        /// Pixels.
        width: f32,
        /// Pixels.
        height: f32,
    },
    /// The encoder failed.
    #[error("can't encode the png: {0}")]
    Png(#[from] image::ImageError),
}

/// How the two panels of the curves lie.
struct Sheet {
    width: f32,
    panels: [Area; 2],
    /// Where the legend begins.
    legend: f32,
}

/// Side by side, for a page.
const WIDE: Sheet = Sheet {
    width: 1200.0,
    panels: [
        Area { left: 78.0, right: 580.0, top: 84.0, bottom: 356.0 },
        Area { left: 678.0, right: 1180.0, top: 84.0, bottom: 356.0 },
    ],
    legend: 424.0,
};

/// One above the other, for a telephone.
const NARROW: Sheet = Sheet {
    width: 440.0,
    panels: [
        Area { left: 74.0, right: 428.0, top: 84.0, bottom: 300.0 },
        Area { left: 74.0, right: 428.0, top: 400.0, bottom: 616.0 },
    ],
    legend: 680.0,
};

/// Accuracy and loss of all epochs side by side, the stages shaded and parted by dashed lines; 1200 pixels wide.
pub fn curves(history: &History, lang: Lang) -> String {
    draw_curves(history, lang, &WIDE)
}

/// The same, one above the other; 440 pixels wide.
pub fn narrow_curves(history: &History, lang: Lang) -> String {
    draw_curves(history, lang, &NARROW)
}

fn draw_curves(history: &History, lang: Lang, sheet: &Sheet) -> String {
    let (words, spans, records) = (lang.figure(), history.spans(), history.records());
    let names: Vec<&str> = spans.iter().map(|span| lang.stage(&span.stage)).collect();
    let title = match names.as_slice() {
        [] => words.transfer_learning.to_owned(),
        names => format!("{}: {}", words.transfer_learning, names.join(" → ")),
    };

    let mut legend = vec![
        (Key::Line(TRAINING, Marker::Circle), words.training.to_owned()),
        (Key::Line(VALIDATION, Marker::Square), words.validation.to_owned()),
    ];
    for (index, (span, name)) in spans.iter().zip(&names).enumerate() {
        legend.push((Key::Shade(stage_colour(index)), lang.epochs_of(name, span.first_epoch, span.last_epoch)));
    }
    if spans.len() > 1 {
        legend.push((Key::Boundary, words.stage_boundary.to_owned()));
    }
    let legend = Legend::new(legend, 0.95 * sheet.width);

    let mut svg = open(sheet.width, sheet.legend + legend.height(), &title);
    type Column = fn(&EpochRecord) -> f32;
    type ValueAxis = fn(&[f64], (f32, f32)) -> Axis;
    let panels: [(&str, &str, Column, Column, ValueAxis); 2] = [
        (words.accuracy_panel, words.accuracy, |r| r.accuracy, |r| r.val_accuracy, Axis::share),
        (words.loss_panel, words.loss, |r| r.loss, |r| r.val_loss, Axis::positive),
    ];
    for (area, (title, name, training, validation, value_axis)) in sheet.panels.into_iter().zip(panels) {
        let column = |of: Column| records.iter().map(move |record| (record.epoch as f64, f64::from(of(record))));
        let values: Vec<f64> = column(training).chain(column(validation)).map(|(_, value)| value).collect();
        let panel = Panel {
            x: Axis::epochs(records.len().max(1), (area.left, area.right)),
            y: value_axis(&values, (area.bottom, area.top)),
            area,
        };
        panel.shade(&mut svg, &spans);
        panel.frame(&mut svg, title, words.epoch, name);
        panel.line(&mut svg, column(training), TRAINING, Some(Marker::Circle));
        panel.line(&mut svg, column(validation), VALIDATION, Some(Marker::Square));
        if records.is_empty() {
            panel.note(&mut svg, words.no_data);
        }
    }
    legend.draw(&mut svg, sheet.width / 2.0, sheet.legend);
    svg.push_str("</svg>\n");
    svg
}

/// A learning rate over the steps, on a logarithmic scale; 840 × 420 pixels. `values`: (step, learning rate), steps rising.
///
/// A learning rate of 0 has no place on the scale and is drawn at its lower edge.
pub fn schedule(values: &[(u64, f32)], title: &str, lang: Lang) -> String {
    let words = lang.figure();
    let area = Area { left: 92.0, right: 812.0, top: 60.0, bottom: 352.0 };
    let (first, last) = (values.first().map_or(0, |value| value.0), values.last().map_or(1, |value| value.0));
    let rates: Vec<f64> = values.iter().map(|value| f64::from(value.1)).collect();
    let panel = Panel {
        x: Axis::steps(first, last, (area.left, area.right)),
        y: Axis::log(&rates, (area.bottom, area.top)),
        area,
    };
    let mut svg = open(840.0, 420.0, title);
    panel.frame(&mut svg, "", words.step, words.learning_rate);
    let points = values.iter().map(|&(step, rate)| (step as f64, f64::from(rate)));
    panel.line(&mut svg, points, TRAINING, (values.len() <= 40).then_some(Marker::Circle));
    if values.is_empty() {
        panel.note(&mut svg, words.no_data);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Renders an SVG at `scale` pixels a unit. Characters that are text in it are drawn with the system's fonts.
///
/// # Errors
/// When `svg` isn't one, or the picture would have no pixel or too many.
pub fn to_png(svg: &str, scale: f32) -> Result<Vec<u8>, FigureError> {
    encode(&rasterize(svg, scale)?)
}

/// Draws an SVG at `scale` pixels a unit.
pub(super) fn rasterize(svg: &str, scale: f32) -> Result<RgbaImage, FigureError> {
    let mut fonts = fontdb::Database::new();
    // Reading the system's fonts takes longer than drawing; figures need them only for what our font lacks.
    if svg.contains("<text") {
        fonts.load_system_fonts();
    }
    let options = usvg::Options { fontdb: Arc::new(fonts), ..usvg::Options::default() };
    let tree = usvg::Tree::from_str(svg, &options)?;
    let (width, height) = ((tree.size().width() * scale).round(), (tree.size().height() * scale).round());
    let size = || FigureError::Size { width, height };
    if !(1.0..=MAX_SIDE).contains(&width) || !(1.0..=MAX_SIDE).contains(&height) {
        return Err(size());
    }
    let mut pixels = Pixmap::new(width as u32, height as u32).ok_or_else(size)?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    let rgba = pixels.pixels().iter().flat_map(|pixel| {
        let colour = pixel.demultiply();
        [colour.red(), colour.green(), colour.blue(), colour.alpha()]
    });
    RgbaImage::from_raw(width as u32, height as u32, rgba.collect()).ok_or_else(size)
}

pub(super) fn encode(picture: &RgbaImage) -> Result<Vec<u8>, FigureError> {
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png)?;
    Ok(png.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn history(stages: &[(&str, usize)]) -> History {
        let mut history = History::default();
        let total: usize = stages.iter().map(|stage| stage.1).sum();
        for &(stage, epochs) in stages {
            for _ in 0..epochs {
                let epoch = history.next_epoch();
                let done = 4.0 * epoch as f32 / total as f32;
                history.push(EpochRecord {
                    epoch,
                    stage: stage.to_owned(),
                    loss: 0.02 + 1.1 * (-1.2 * done).exp(),
                    accuracy: 1.0 - 0.4 * (-1.3 * done).exp(),
                    val_loss: 0.3 + 0.6 * (-1.5 * done).exp() + 0.02 * (epoch % 3) as f32,
                    val_accuracy: 0.91 - 0.2 * (-1.2 * done).exp() - 0.01 * (epoch % 2) as f32,
                    learning_rate: 1e-3,
                    seconds: 1.0,
                });
            }
        }
        history
    }

    const TWO: [(&str, usize); 2] = [("feature_extraction", 5), ("fine_tuning", 5)];

    #[test]
    fn one_boundary_fewer_than_stages_in_each_panel() {
        for (stages, boundaries) in [(&TWO[..1], 0), (&TWO[..], 2 + 1)] {
            let svg = curves(&history(stages), Lang::English);
            assert_eq!(svg.matches("stroke-dasharray").count(), boundaries);
            assert_eq!(svg.matches("fill-opacity=\"0.13\"").count(), 2 * stages.len());
        }
    }

    #[test]
    fn the_title_names_the_stages() {
        let english = curves(&history(&TWO), Lang::English);
        assert!(english.contains("<title>Transfer learning: feature extraction → fine-tuning</title>"));
        let korean = curves(&history(&TWO), Lang::Korean);
        assert!(korean.contains("<title>전이학습: Feature Extraction → Fine-Tuning</title>"));
    }

    #[test]
    fn no_figure_of_ours_needs_a_font() {
        for lang in [Lang::English, Lang::Korean] {
            let stages = [("feature_extraction", 3), ("fine_tuning", 3), ("full_fine_tuning", 3), ("넷째_단계", 3)];
            for svg in [curves(&history(&stages), lang), curves(&History::default(), lang), schedule(&[], "", lang)] {
                assert!(!svg.contains("<text"), "{lang:?}");
            }
        }
    }

    #[test]
    fn every_epoch_has_its_markers() {
        let svg = curves(&history(&TWO), Lang::English);
        assert_eq!(svg.matches("<circle").count(), 2 * 10 + 1);
    }

    #[test]
    fn a_long_schedule_stays_small_and_keeps_its_end() {
        let values: Vec<(u64, f32)> =
            (0..=100_000).map(|step| (step, 1e-4 * 0.99f32.powf(step as f32 / 200.0))).collect();
        let svg = schedule(&values, "exponential_decay", Lang::English);
        assert!(svg.len() < 100_000, "{}", svg.len());
        assert!(svg.contains("L812.00 "), "the last step is drawn");
    }

    #[test]
    fn png_has_the_scaled_size() {
        let png = to_png(&curves(&history(&TWO), Lang::Korean), 0.5).unwrap();
        let picture = image::load_from_memory(&png).unwrap();
        assert_eq!((picture.width(), picture.height()), (600, 228));
        let dark = picture.to_luma8().pixels().filter(|pixel| pixel.0[0] < 128).count();
        assert!(dark > 500, "{dark}");
    }

    #[test]
    fn impossible_pictures_are_refused() {
        let svg = schedule(&[(0, 1.0)], "", Lang::English);
        for scale in [0.0, -1.0, f32::NAN, 1e9] {
            assert!(matches!(to_png(&svg, scale), Err(FigureError::Size { .. })), "{scale}");
        }
        assert!(matches!(to_png("<svg", 1.0), Err(FigureError::Svg(_))));
    }

    proptest! {
        #[test]
        fn no_value_breaks_a_figure(values in prop::collection::vec((any::<f32>(), any::<f32>()), 0..30)) {
            let mut history = History::default();
            let mut rates = Vec::new();
            for (index, (a, b)) in values.into_iter().enumerate() {
                let stage = if index < 9 { "fine_tuning" } else { "<&>\"" }.to_owned();
                let epoch = history.next_epoch();
                let record = EpochRecord { epoch, stage, loss: a, val_loss: b, accuracy: b, val_accuracy: a, ..EpochRecord::default() };
                history.push(record);
                rates.push((index as u64 * 7, a));
            }
            for svg in [curves(&history, Lang::English), schedule(&rates, "<&>\u{0}", Lang::Korean)] {
                prop_assert!(!svg.contains("NaN") && !svg.contains("inf"));
                prop_assert!(to_png(&svg, 0.1).is_ok());
            }
        }
    }
}
