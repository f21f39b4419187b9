//! Text as outlines of an embedded font, so that no reader needs one.
//!
//! Invariant: a character that the font lacks isn't lost. It is left to the reader's own fonts as SVG text.

use std::fmt::Write;
use std::sync::OnceLock;

use skrifa::instance::{LocationRef, Size};
use skrifa::outline::{DrawSettings, OutlinePen};
use skrifa::{FontRef, GlyphId, MetadataProvider};

/// Latin and the 2,350 syllables of KS X 1001; `assets/font/README.md` tells where it comes from.
const FONT: &[u8] = include_bytes!("../../assets/font/DefrostSans.ttf");

/// Width of a character that the font lacks, as a share of the font size: a full-width guess.
const UNKNOWN_WIDTH: f32 = 0.9;

/// Which end of a text its `x` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) size: f32,
    pub(super) fill: &'static str,
    pub(super) anchor: Anchor,
    /// Turned by 90° against the clock around its point.
    pub(super) upright: bool,
}

fn font() -> &'static FontRef<'static> {
    static PARSED: OnceLock<FontRef<'static>> = OnceLock::new();
    PARSED.get_or_init(|| FontRef::new(FONT).expect("the embedded font is part of the program; a test reads all of it"))
}

fn glyph(character: char) -> Option<GlyphId> {
    font().charmap().map(character)
}

/// The advance of `text` in pixels at `size`.
pub(super) fn width(text: &str, size: f32) -> f32 {
    let metrics = font().glyph_metrics(Size::new(size), LocationRef::default());
    let advance = |character| glyph(character).and_then(|glyph| metrics.advance_width(glyph));
    text.chars().map(|character| advance(character).unwrap_or(UNKNOWN_WIDTH * size)).sum()
}

/// Appends `text` with its baseline at (`x`, `y`). A `^` raises what follows: `10^-4`.
pub(super) fn draw(svg: &mut String, text: &str, x: f32, y: f32, style: Style) {
    let (base, exponent) = text.split_once('^').unwrap_or((text, ""));
    let raised = style.size * 0.72;
    let total = width(base, style.size) + width(exponent, raised);
    let start = match style.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => -total / 2.0,
        Anchor::End => -total,
    };
    let turn = if style.upright { " rotate(-90)" } else { "" };
    let _ = write!(svg, r#"<g transform="translate({x:.2} {y:.2}){turn}" fill="{}" aria-label=""#, style.fill);
    escape(svg, text);
    svg.push_str("\">");
    let mut pen = Pen { path: String::new(), x: start, y: 0.0 };
    pen.run(svg, base, style.size);
    pen.y = -0.38 * style.size;
    pen.run(svg, exponent, raised);
    if !pen.path.is_empty() {
        let _ = write!(svg, r#"<path d="{}"/>"#, pen.path);
    }
    svg.push_str("</g>\n");
}

/// Appends `text` with XML's special characters escaped; what XML forbids becomes U+FFFD.
pub(super) fn escape(svg: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => svg.push_str("&amp;"),
            '<' => svg.push_str("&lt;"),
            '>' => svg.push_str("&gt;"),
            '"' => svg.push_str("&quot;"),
            character if character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}') => svg.push('\u{fffd}'),
            character => svg.push(character),
        }
    }
}

/// Collects outlines as SVG path data, y downwards.
struct Pen {
    path: String,
    x: f32,
    y: f32,
}

impl Pen {
    fn run(&mut self, svg: &mut String, text: &str, size: f32) {
        let (outlines, scale) = (font().outline_glyphs(), Size::new(size));
        let settings = || DrawSettings::unhinted(scale, LocationRef::default());
        for character in text.chars() {
            match glyph(character).and_then(|glyph| outlines.get(glyph)) {
                // The pen's own methods can't fail, and a test draws every glyph of the font.
                Some(outline) => drop(outline.draw(settings(), self)),
                None => {
                    let _ = write!(svg, r#"<text x="{:.2}" y="{:.2}" font-size="{size}" "#, self.x, self.y);
                    svg.push_str(r#"font-family="sans-serif">"#);
                    escape(svg, character.encode_utf8(&mut [0; 4]));
                    svg.push_str("</text>");
                }
            }
            self.x += width(character.encode_utf8(&mut [0; 4]), size);
        }
    }

    fn point(&mut self, command: char, points: &[(f32, f32)]) {
        self.path.push(command);
        for (index, (x, y)) in points.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            let _ = write!(self.path, "{space}{:.2} {:.2}", self.x + x, self.y - y);
        }
    }
}

impl OutlinePen for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.point('M', &[(x, y)]);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.point('L', &[(x, y)]);
    }

    fn quad_to(&mut self, cx0: f32, cy0: f32, x: f32, y: f32) {
        self.point('Q', &[(cx0, cy0), (x, y)]);
    }

    fn curve_to(&mut self, cx0: f32, cy0: f32, cx1: f32, cy1: f32, x: f32, y: f32) {
        self.point('C', &[(cx0, cy0), (cx1, cy1), (x, y)]);
    }

    fn close(&mut self) {
        self.path.push('Z');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style { size: 12.0, fill: "#000", anchor: Anchor::Middle, upright: false };

    fn drawn(text: &str) -> String {
        let mut svg = String::new();
        draw(&mut svg, text, 0.0, 0.0, STYLE);
        svg
    }

    #[test]
    fn the_whole_font_can_be_drawn() {
        let (mut glyphs, outlines) = (0, font().outline_glyphs());
        for (_, glyph) in font().charmap().mappings() {
            let mut pen = Pen { path: String::new(), x: 0.0, y: 0.0 };
            let settings = DrawSettings::unhinted(Size::new(12.0), LocationRef::default());
            outlines.get(glyph).unwrap().draw(settings, &mut pen).unwrap();
            glyphs += 1;
        }
        assert!(glyphs > 2350, "{glyphs}");
    }

    #[test]
    fn known_characters_are_outlines_and_others_text() {
        assert!(!drawn("전이학습: Feature Extraction → 10^-4").contains("<text"));
        assert_eq!(drawn("花 rose").matches("<text").count(), 1);
    }

    #[test]
    fn names_are_escaped() {
        let svg = drawn("<b> & \"c\" \u{1}");
        assert!(svg.contains("&lt;b&gt; &amp; &quot;c&quot; \u{fffd}"), "{svg}");
    }

    #[test]
    fn width_is_additive() {
        let parts = width("손실", 14.0) + width("loss", 14.0);
        assert!((width("손실loss", 14.0) - parts).abs() < 1e-3);
        assert!(width("loss", 28.0) > 1.9 * width("loss", 14.0));
    }
}
