//! The pieces of a chart as SVG: the sheet, a panel with its axes, lines and shades, a legend.
//!
//! Invariant: all marks lie within their panel, whatever the values.

use std::fmt::Write;

use super::axis::Axis;
use super::text::{self, Anchor, Style};
use crate::train::Span;

/// The stages' tints, of Okabe and Ito's colours, told apart by every kind of colour vision.
const STAGES: [&str; 4] = ["#56b4e9", "#009e73", "#e6c700", "#cc79a7"];
const TINT: f32 = 0.13;

const INK: &str = "#222222";
const PALE_INK: &str = "#555555";

const TITLE: f32 = 18.0;
const PANEL_TITLE: f32 = 14.5;
const LABEL: f32 = 13.0;
const TICK: f32 = 12.0;

pub(super) fn open(width: f32, height: f32, title: &str) -> String {
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">"#
    );
    svg.push_str("\n<title>");
    text::escape(&mut svg, title);
    let _ = writeln!(svg, "</title>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>");
    let size = (TITLE * (width - 48.0) / text::width(title, TITLE)).min(TITLE);
    draw(&mut svg, title, (width / 2.0, 36.0), size, INK, Anchor::Middle);
    svg
}

fn draw(svg: &mut String, words: &str, (x, y): (f32, f32), size: f32, fill: &'static str, anchor: Anchor) {
    text::draw(svg, words, x, y, Style { size, fill, anchor, upright: false });
}

/// The pixels between the axes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Area {
    pub(super) left: f32,
    pub(super) right: f32,
    pub(super) top: f32,
    pub(super) bottom: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    Circle,
    Square,
}

impl Marker {
    pub(super) fn draw(self, svg: &mut String, x: f32, y: f32, radius: f32, colour: &str) {
        let _ = match self {
            Marker::Circle => write!(svg, r#"<circle cx="{x:.2}" cy="{y:.2}" r="{radius:.2}""#),
            Marker::Square => {
                // As much ink as the circle.
                let side = radius * 1.8;
                let (x, y) = (x - side / 2.0, y - side / 2.0);
                write!(svg, r#"<rect x="{x:.2}" y="{y:.2}" width="{side:.2}" height="{side:.2}""#)
            }
        };
        let rim = radius / 5.0;
        let _ = writeln!(svg, r##" fill="{colour}" stroke="#ffffff" stroke-width="{rim:.2}"/>"##);
    }
}

/// The tint of the stage at `index`, from 0; they come round again.
pub(super) fn stage_colour(index: usize) -> &'static str {
    STAGES[index % STAGES.len()]
}

/// Two axes and what is drawn between them.
pub(super) struct Panel {
    pub(super) area: Area,
    pub(super) x: Axis,
    pub(super) y: Axis,
}

impl Panel {
    /// The stages' tints and the lines between them.
    pub(super) fn shade(&self, svg: &mut String, spans: &[Span]) {
        let Area { top, bottom, .. } = self.area;
        for (index, span) in spans.iter().enumerate() {
            let (from, to) = (self.x.at(span.first_epoch as f64 - 0.5), self.x.at(span.last_epoch as f64 + 0.5));
            let (colour, width, height) = (stage_colour(index), to - from, bottom - top);
            let _ = writeln!(
                svg,
                r#"<rect x="{from:.2}" y="{top}" width="{width:.2}" height="{height}" fill="{colour}" fill-opacity="{TINT}"/>"#
            );
        }
        for span in spans.iter().skip(1) {
            boundary(svg, (self.x.at(span.first_epoch as f64 - 0.5), top), bottom - top);
        }
    }

    /// Grid, axes, ticks and their names.
    pub(super) fn frame(&self, svg: &mut String, title: &str, x_name: &str, y_name: &str) {
        let Area { left, right, top, bottom } = self.area;
        let line = |svg: &mut String, x1: f32, y1: f32, x2: f32, y2: f32, opacity: f32| {
            let _ = writeln!(
                svg,
                r##"<path d="M{x1:.2} {y1:.2}L{x2:.2} {y2:.2}" stroke="#000000" stroke-opacity="{opacity}"/>"##
            );
        };
        for tick in &self.y.ticks {
            let y = self.y.at(tick.value);
            line(svg, left, y, right, y, if tick.label.is_empty() { 0.05 } else { 0.12 });
            draw(svg, &tick.label, (left - 9.0, y + 0.35 * TICK), TICK, PALE_INK, Anchor::End);
        }
        for tick in &self.x.ticks {
            let x = self.x.at(tick.value);
            line(svg, x, top, x, bottom, 0.06);
            line(svg, x, bottom, x, bottom + 4.0, 0.55);
            draw(svg, &tick.label, (x, bottom + 8.0 + TICK), TICK, PALE_INK, Anchor::Middle);
        }
        line(svg, left, top, left, bottom, 0.55);
        line(svg, left, bottom, right, bottom, 0.55);
        draw(svg, title, ((left + right) / 2.0, top - 13.0), PANEL_TITLE, INK, Anchor::Middle);
        draw(svg, x_name, ((left + right) / 2.0, bottom + 44.0), LABEL, INK, Anchor::Middle);
        let style = Style { size: LABEL, fill: INK, anchor: Anchor::Middle, upright: true };
        text::draw(svg, y_name, left - 58.0, (top + bottom) / 2.0, style);
    }

    /// A line through the finite points, broken at the others, with a marker on each.
    pub(super) fn line(
        &self,
        svg: &mut String,
        points: impl Iterator<Item = (f64, f64)>,
        colour: &str,
        marker: Option<Marker>,
    ) {
        let (mut path, mut places, mut broken, mut skipped) = (String::new(), Vec::<(f32, f32)>::new(), true, None);
        for (x, y) in points {
            if !y.is_finite() {
                broken = true;
                continue;
            }
            let (x, y) = (self.x.at(x), self.y.at(y));
            // Thousands of steps share a pixel: of those, the first and the last are drawn.
            if !broken && marker.is_none() && places.last().is_some_and(|place| x - place.0 < 0.5) {
                skipped = Some((x, y));
                continue;
            }
            let command = if std::mem::take(&mut broken) { 'M' } else { 'L' };
            if let Some((x, y)) = skipped.take() {
                let _ = write!(path, "L{x:.2} {y:.2}");
            }
            let _ = write!(path, "{command}{x:.2} {y:.2}");
            places.push((x, y));
        }
        if let Some((x, y)) = skipped {
            let _ = write!(path, "L{x:.2} {y:.2}");
        }
        let _ = writeln!(
            svg,
            r#"<path d="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round" stroke-linecap="round"/>"#
        );
        let Some(marker) = marker else { return };
        // Markers that touch each other hide the line.
        let room = (self.area.right - self.area.left) / places.len().max(1) as f32;
        let radius = (room / 3.5).min(4.0);
        if radius >= 1.5 {
            for (x, y) in places {
                marker.draw(svg, x, y, radius, colour);
            }
        }
    }

    /// A word in the middle of an empty panel.
    pub(super) fn note(&self, svg: &mut String, words: &str) {
        let Area { left, right, top, bottom } = self.area;
        draw(svg, words, ((left + right) / 2.0, (top + bottom) / 2.0), LABEL, PALE_INK, Anchor::Middle);
    }
}

fn boundary(svg: &mut String, (x, top): (f32, f32), height: f32) {
    let _ = writeln!(
        svg,
        r#"<path d="M{x:.2} {top:.2}v{height:.2}" stroke="{PALE_INK}" stroke-width="1.5" stroke-dasharray="6 4"/>"#
    );
}

/// What stands before a legend's words.
pub(super) enum Key {
    Line(&'static str, Marker),
    Shade(&'static str),
    Boundary,
}

/// Centred rows of keys and words.
pub(super) struct Legend {
    rows: Vec<Vec<(Key, String, f32)>>,
}

impl Legend {
    const KEY: f32 = 34.0;
    const GAP: f32 = 26.0;
    const ROW: f32 = 24.0;

    pub(super) fn new(items: Vec<(Key, String)>, room: f32) -> Legend {
        let mut rows: Vec<Vec<(Key, String, f32)>> = vec![Vec::new()];
        let mut used = 0.0;
        for (key, words) in items {
            let width = Legend::KEY + text::width(&words, LABEL) + Legend::GAP;
            if used > 0.0 && used + width > room {
                rows.push(Vec::new());
                used = 0.0;
            }
            used += width;
            if let Some(row) = rows.last_mut() {
                row.push((key, words, width));
            }
        }
        Legend { rows }
    }

    pub(super) fn height(&self) -> f32 {
        self.rows.len() as f32 * Legend::ROW + 8.0
    }

    pub(super) fn draw(&self, svg: &mut String, centre: f32, top: f32) {
        for (index, row) in self.rows.iter().enumerate() {
            let middle = top + (index as f32 + 0.5) * Legend::ROW;
            let total: f32 = row.iter().map(|item| item.2).sum();
            let mut x = centre - (total - Legend::GAP) / 2.0;
            for (key, words, width) in row {
                match key {
                    Key::Line(colour, marker) => {
                        let _ = writeln!(svg, r#"<path d="M{x:.2} {middle}h26" stroke="{colour}" stroke-width="2"/>"#);
                        marker.draw(svg, x + 13.0, middle, 4.0, colour);
                    }
                    Key::Shade(colour) => {
                        let y = middle - 7.0;
                        let _ = writeln!(
                            svg,
                            r#"<rect x="{x:.2}" y="{y}" width="26" height="14" fill="{colour}" fill-opacity="0.3"/>"#
                        );
                    }
                    Key::Boundary => boundary(svg, (x + 13.0, middle - 8.0), 16.0),
                }
                draw(svg, words, (x + Legend::KEY, middle + 0.36 * LABEL), LABEL, INK, Anchor::Start);
                x += width;
            }
        }
    }
}
