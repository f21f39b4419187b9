//! The figures of an evaluation: its confusion matrix and its reliability.

use std::fmt::Write;

use super::axis::Axis;
use super::lang::Lang;
use super::plot::{Area, Key, Legend, Marker, Panel, open};
use super::text::{self, Anchor, Style};
use crate::calibrate::Reliability;
use crate::metrics::ConfusionMatrix;

/// Vermilion and blue of Okabe and Ito's colours, told apart by every kind of colour vision.
const BEFORE: &str = "#d55e00";
const AFTER: &str = "#0072b2";

const INK: &str = "#222222";
const LABEL: f32 = 13.0;
const COUNT: f32 = 12.0;

/// The side of all cells together, where each gets the room that it wants.
const MATRIX: f32 = 560.0;
/// Sides of a cell.
const CELL: (f32, f32) = (9.0, 72.0);
/// Cells that are smaller have no counts, and their rows and columns no names.
const READABLE: f32 = 18.0;
/// Names are drawn up to this width.
const WIDEST_NAME: f32 = 180.0;

/// How often each class was predicted as each class: a row for each true class, darker for a larger share of it.
pub fn confusion(matrix: &ConfusionMatrix, classes: &[String], lang: Lang) -> String {
    let words = lang.judged();
    let cell = (MATRIX / matrix.classes().max(1) as f32).clamp(CELL.0, CELL.1);
    let named = cell >= READABLE;
    let name_width = |name: &String| text::width(name, LABEL).min(WIDEST_NAME);
    let names = if named { classes.iter().map(name_width).fold(0.0, f32::max) + 10.0 } else { 10.0 };
    let (left, top) = (40.0 + names, 84.0 + names);
    let side = cell * matrix.classes() as f32;
    let mut svg = open((left + side + 24.0).max(360.0), top + side + 24.0, words.confusion);
    let centre = (left + side / 2.0, top + side / 2.0);
    text::draw(&mut svg, words.predicted, centre.0, 72.0, style(LABEL, Anchor::Middle, false));
    text::draw(&mut svg, words.truth, 24.0, centre.1, style(LABEL, Anchor::Middle, true));
    for (row, counts) in matrix.rows().enumerate() {
        let all: u64 = counts.iter().sum();
        let y = top + row as f32 * cell;
        if named {
            let size = fitting(&classes[row]);
            let (x, middle) = (left - 8.0, (row as f32 + 0.5) * cell + 0.36 * size);
            text::draw(&mut svg, &classes[row], x, top + middle, style(size, Anchor::End, false));
            text::draw(&mut svg, &classes[row], left + middle, top - 8.0, style(size, Anchor::Start, true));
        }
        for (column, &count) in counts.iter().enumerate() {
            let x = left + column as f32 * cell;
            let share = if all == 0 { 0.0 } else { count as f32 / all as f32 };
            let colour = if row == column { AFTER } else { BEFORE };
            let _ = writeln!(
                svg,
                r##"<rect x="{x:.2}" y="{y:.2}" width="{cell:.2}" height="{cell:.2}" fill="{colour}" fill-opacity="{share:.3}" stroke="#000000" stroke-opacity="0.12"/>"##
            );
            if named && count > 0 {
                let digits = count.to_string();
                let size = (COUNT * (cell - 4.0) / text::width(&digits, COUNT)).min(COUNT);
                // On a dark cell, white.
                let fill = if share > 0.55 { "#ffffff" } else { INK };
                let own = Style { size, fill, anchor: Anchor::Middle, upright: false };
                text::draw(&mut svg, &digits, x + cell / 2.0, y + cell / 2.0 + 0.36 * size, own);
            }
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// The size in which a name fits.
fn fitting(name: &str) -> f32 {
    (LABEL * WIDEST_NAME / text::width(name, LABEL)).min(LABEL)
}

fn style(size: f32, anchor: Anchor, upright: bool) -> Style {
    Style { size, fill: INK, anchor, upright }
}

/// Accuracy by confidence, a point for each bin that has pictures: on the diagonal a classifier is as sure as it is right, below it
/// is surer. 640 pixels wide.
pub fn reliability(before: &Reliability, after: &Reliability, lang: Lang) -> String {
    let words = lang.judged();
    let mut legend = vec![(Key::Boundary, words.as_sure_as_right.to_owned())];
    let error = |name: &str, of: &Reliability| format!("{name}: {} {:.3}", words.error, of.ece);
    let lines = if before == after {
        vec![(after, AFTER, Marker::Circle, words.uncalibrated)]
    } else {
        vec![(before, BEFORE, Marker::Square, words.uncalibrated), (after, AFTER, Marker::Circle, words.calibrated)]
    };
    legend.extend(lines.iter().map(|&(of, colour, marker, name)| (Key::Line(colour, marker), error(name, of))));
    let legend = Legend::new(legend, 600.0);
    let area = Area { left: 84.0, right: 604.0, top: 60.0, bottom: 480.0 };
    let panel = Panel {
        x: Axis::share(&[0.0], (area.left, area.right)),
        y: Axis::share(&[0.0], (area.bottom, area.top)),
        area,
    };
    let mut svg = open(640.0, 548.0 + legend.height(), words.reliability);
    panel.frame(&mut svg, "", words.confidence, lang.figure().accuracy);
    let _ = writeln!(
        svg,
        r##"<path d="M{} {}L{} {}" stroke="#555555" stroke-width="1.5" stroke-dasharray="6 4"/>"##,
        area.left, area.bottom, area.right, area.top
    );
    let mut drawn = false;
    for (of, colour, marker, _) in lines {
        let filled: Vec<(f64, f64)> =
            of.bins.iter().filter(|bin| bin.pictures > 0).map(|bin| (bin.confidence, bin.accuracy)).collect();
        drawn |= !filled.is_empty();
        panel.line(&mut svg, filled.into_iter(), colour, Some(marker));
    }
    if !drawn {
        panel.note(&mut svg, lang.figure().no_data);
    }
    legend.draw(&mut svg, 320.0, 548.0);
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::Labelled;
    use crate::report::to_png;

    fn matrix(classes: usize) -> ConfusionMatrix {
        let mut matrix = ConfusionMatrix::new(classes);
        for index in 0..classes * 7 {
            matrix.add(index % classes, (index * index / 3) % classes);
        }
        matrix
    }

    #[test]
    fn every_cell_is_drawn_and_names_as_far_as_they_can_be_read() {
        for (classes, named) in [(2, true), (5, true), (60, false)] {
            let names: Vec<String> = (0..classes).map(|class| format!("클래스 <{class}>")).collect();
            for lang in [Lang::English, Lang::Korean] {
                let svg = confusion(&matrix(classes), &names, lang);
                assert_eq!(svg.matches("fill-opacity").count(), classes * classes);
                assert_eq!(svg.matches("&lt;1&gt;").count(), if named { 2 } else { 0 });
                assert!(!svg.contains("<text"));
                assert!(to_png(&svg, 1.0).is_ok());
            }
        }
    }

    #[test]
    fn reliability_has_a_marker_for_each_bin_with_pictures() {
        let logits = [[0.0, 3.0], [1.0, 0.0], [0.2, 0.0], [0.0, 9.0]];
        let answers: Vec<Labelled<'_>> =
            logits.iter().enumerate().map(|(i, logits)| Labelled { logits, label: i % 2 }).collect();
        let of = |temperature| Reliability::of(&answers, temperature);
        let filled = |of: &Reliability| of.bins.iter().filter(|bin| bin.pictures > 0).count();
        let svg = reliability(&of(1.0), &of(2.0), Lang::English);
        // One more stands in the legend.
        assert_eq!(svg.matches("<circle").count(), filled(&of(2.0)) + 1);
        assert!(to_png(&svg, 1.0).is_ok());
        let same = reliability(&of(1.0), &of(1.0), Lang::Korean);
        assert_eq!(same.matches("<circle").count(), filled(&of(1.0)) + 1);
        let none = Reliability::of(&[], 1.0);
        assert!(to_png(&reliability(&none, &none, Lang::Korean), 1.0).is_ok());
    }
}
