//! The six things that are drawn, each in its own coordinates: about −1…1, upright.

use std::f32::consts::FRAC_PI_2;

use super::canvas::{
    Canvas, Colour, Place, Point, disc, ellipse, hsv, lit, melt, mix, noise, polygon, rectangle, rod, turned, wave,
};
use crate::rng::Stream;

/// A thing's name, how far it may be turned (radians), and how it is drawn.
pub(super) struct Thing {
    pub(super) class: &'static str,
    pub(super) tilt: f32,
    pub(super) draw: fn(&mut Pen<'_>, &mut Stream),
}

/// All things, in the byte order of their names.
pub(super) const THINGS: [Thing; 6] = [
    Thing { class: "apple", tilt: 0.6, draw: apple },
    Thing { class: "butterfly", tilt: 0.9, draw: butterfly },
    Thing { class: "fish", tilt: 0.5, draw: fish },
    Thing { class: "house", tilt: 0.12, draw: house },
    Thing { class: "tree", tilt: 0.15, draw: tree },
    Thing { class: "umbrella", tilt: 0.6, draw: umbrella },
];

/// Fills shapes in one place under one light.
pub(super) struct Pen<'a> {
    pub(super) canvas: &'a mut Canvas,
    pub(super) place: Place,
    /// Where the light comes from; longer is harder.
    pub(super) light: Point,
    /// How rough surfaces are.
    pub(super) grain: f32,
    pub(super) seed: u32,
}

impl Pen<'_> {
    fn fill(&mut self, shape: impl Fn(Point) -> f32, colour: Colour) {
        self.paint(shape, |_| colour);
    }

    fn paint(&mut self, shape: impl Fn(Point) -> f32, paint: impl Fn(Point) -> Colour) {
        let (light, grain, seed) = (self.light, self.grain, self.seed);
        self.seed = self.seed.wrapping_add(1);
        self.canvas.fill(self.place, 1.2, shape, |p| {
            let shade = 1.0 + light[0] * p[0] + light[1] * p[1];
            lit(paint(p), shade * (1.0 + grain * (noise(seed, [7.0 * p[0], 7.0 * p[1]]) - 0.5)))
        });
    }
}

/// A colour of any hue: a thing's colour must not tell its class.
fn any_colour(stream: &mut Stream) -> Colour {
    hsv(stream.uniform(), stream.range(0.25, 0.95), stream.range(0.45, 0.95))
}

fn bark(stream: &mut Stream) -> Colour {
    hsv(stream.range(0.05, 0.1), stream.range(0.3, 0.6), stream.range(0.2, 0.45))
}

fn apple(pen: &mut Pen<'_>, stream: &mut Stream) {
    let skin = if stream.uniform() < 0.7 {
        hsv(stream.range(-0.04, 0.3), stream.range(0.5, 0.9), stream.range(0.5, 0.9))
    } else {
        any_colour(stream)
    };
    let blush = mix(skin, any_colour(stream), 0.5);
    let (width, drop, dent) = (stream.range(0.55, 0.68), stream.range(0.0, 0.15), stream.range(0.2, 0.3));
    let (streaks, side) = (stream.range(2.0, 6.0), stream.range(-1.0, 1.0));
    let body = |p: Point| {
        let halves = melt(disc(p, [-0.3, drop], width), disc(p, [0.3, drop], width), 0.3);
        let body = melt(halves, disc(p, [0.0, 0.35], 0.5), 0.2);
        body.max(-disc(p, [0.0, drop - width - 0.1], dent))
    };
    let bite = (stream.uniform() < 0.25).then(|| [0.95, stream.range(-0.2, 0.3)]);
    let whole = |p: Point| bite.map_or(body(p), |bite| body(p).max(-disc(p, bite, 0.35)));
    if let Some(bite) = bite {
        pen.fill(|p| body(p).max(disc(p, bite, 0.45)).max(-disc(p, bite, 0.27)), [0.93, 0.88, 0.7]);
    }
    pen.paint(whole, |p| {
        let colour = mix(skin, blush, 0.5 + side * p[0] + 0.25 * wave(p[0] / (1.3 - p[1] * p[1]).max(0.3), streaks));
        lit(colour, 1.0 - 0.35 * disc(p, [0.0, 0.1], 0.0).powi(2))
    });
    pen.fill(|p| ellipse(turned(p, [-0.38, -0.2], 0.5), [0.0; 2], [0.09, 0.17]), mix(skin, [1.0; 3], 0.6));
    let (lean, brown) = (stream.range(-0.2, 0.2), bark(stream));
    pen.fill(|p| rod(p, [0.0, drop - width + 0.15], [lean, -0.95], 0.05), brown);
    if stream.uniform() < 0.75 {
        let (green, angle) = (hsv(stream.range(0.2, 0.4), 0.6, stream.range(0.35, 0.7)), stream.range(-0.7, 0.1));
        pen.fill(
            |p| {
                let q = turned(p, [lean + 0.25, -0.82], angle);
                disc(q, [0.0, 0.22], 0.34).max(disc(q, [0.0, -0.22], 0.34))
            },
            green,
        );
    }
}

fn butterfly(pen: &mut Pen<'_>, stream: &mut Stream) {
    let (base, second, dark) = (any_colour(stream), any_colour(stream), lit(any_colour(stream), 0.3));
    let open = stream.range(0.65, 1.0);
    let (tall, low) = (stream.range(0.36, 0.48), stream.range(0.26, 0.36));
    let (border, spot, veins) = (stream.range(0.03, 0.12), stream.range(0.05, 0.14), stream.range(0.0, 0.5));
    let mirrored = |p: Point| [p[0].abs() / open, p[1]];
    let upper = |q: Point| ellipse(turned(q, [0.5, -0.38], -0.6), [0.0; 2], [0.58, tall]);
    let lower = |q: Point| ellipse(turned(q, [0.38, 0.38], 0.8), [0.0; 2], [0.46, low]);
    let pattern = |q: Point, inside: f32, centre: Point, colour: Colour| {
        let vein = veins * wave((q[1] / q[0].max(0.05)).atan(), 3.0);
        if inside > -border {
            dark
        } else if disc(q, centre, spot) < 0.0 {
            second
        } else {
            mix(colour, second, disc(q, [0.0; 2], 0.3).max(0.0) * 0.6 + vein * 0.4)
        }
    };
    pen.paint(
        |p| lower(mirrored(p)),
        |p| pattern(mirrored(p), lower(mirrored(p)), [0.45, 0.45], mix(base, dark, 0.25)),
    );
    pen.paint(|p| upper(mirrored(p)), |p| pattern(mirrored(p), upper(mirrored(p)), [0.62, -0.5], base));
    for side in [-1.0, 1.0] {
        pen.fill(|p| rod(p, [0.0, -0.5], [side * 0.25, -0.95], 0.02).min(disc(p, [side * 0.25, -0.95], 0.045)), dark);
    }
    pen.fill(|p| melt(rod(p, [0.0, -0.35], [0.0, 0.55], 0.065), disc(p, [0.0, -0.48], 0.09), 0.1), dark);
}

fn fish(pen: &mut Pen<'_>, stream: &mut Stream) {
    let facing = if stream.uniform() < 0.5 { 1.0 } else { -1.0 };
    let flipped = move |p: Point| [facing * p[0], p[1]];
    let (base, second, fin) = (any_colour(stream), any_colour(stream), any_colour(stream));
    let (height, stripes, striped) = (stream.range(0.3, 0.5), stream.range(1.5, 5.0), stream.range(0.0, 1.0));
    let (span, notch) = (stream.range(0.3, 0.5), stream.range(0.05, 0.3));
    pen.paint(
        |p| {
            let tail = polygon(flipped(p), &[[-0.45, 0.0], [-1.0, span], [-1.0, -span]]);
            tail.max(-disc(flipped(p), [-1.15, 0.0], notch + 0.05))
        },
        |p| lit(fin, 0.8 + 0.3 * wave(p[1], 6.0)),
    );
    let (crest, belly) = (stream.range(0.15, 0.35), stream.range(0.1, 0.3));
    pen.fill(|p| polygon(flipped(p), &[[0.3, -0.5 * height], [-0.4, -0.3 * height], [-0.3, -height - crest]]), fin);
    pen.fill(|p| polygon(flipped(p), &[[0.2, 0.6 * height], [-0.1, height + belly], [-0.2, 0.6 * height]]), fin);
    let body = |p: Point| {
        let radius = (0.49 + height * height) / (2.0 * height);
        let q = [p[0] - 0.15, p[1]];
        melt(
            disc(q, [0.0, radius - height], radius).max(disc(q, [0.0, height - radius], radius)),
            ellipse(q, [0.1, 0.0], [0.5, 0.92 * height]),
            0.1,
        )
    };
    pen.paint(
        |p| body(flipped(p)),
        |p| {
            let q = flipped(p);
            let scales = wave(q[0] + 0.1 * wave(q[1], 5.0), 9.0) * wave(q[1], 9.0);
            let colour = mix(base, second, striped * wave(q[0] + 0.15 * q[1], stripes));
            lit(mix(colour, [0.95; 3], (q[1] / height) * 0.4), 0.9 + 0.2 * scales)
        },
    );
    pen.fill(|p| (disc(flipped(p), [0.15, 0.0], 0.3).abs() - 0.015).max(0.3 - flipped(p)[0]), lit(base, 0.5));
    pen.fill(|p| polygon(flipped(p), &[[0.2, 0.02], [-0.1, 0.2], [-0.12, 0.05]]), lit(fin, 0.85));
    let eye = [0.58, -0.25 * height];
    pen.fill(|p| disc(flipped(p), eye, 0.085), [0.95; 3]);
    pen.fill(|p| disc(flipped(p), eye, 0.045), [0.05; 3]);
}

fn house(pen: &mut Pen<'_>, stream: &mut Stream) {
    let (wall, roof, trim) = (any_colour(stream), any_colour(stream), mix(any_colour(stream), [1.0; 3], 0.6));
    let (half, top) = (stream.range(0.55, 0.85), stream.range(-0.25, 0.1));
    let (ridge, flat, overhang) = (stream.range(-0.95, -0.6), stream.range(0.0, 0.5), stream.range(0.05, 0.18));
    let chimney = stream.range(-0.5, 0.5);
    if stream.uniform() < 0.7 {
        let brick = lit(roof, 0.7);
        pen.fill(|p| rectangle(p, [chimney, -0.7], [0.08, 0.3]), brick);
    }
    let courses = stream.range(2.0, 7.0);
    pen.paint(
        |p| rectangle(p, [0.0, 0.5 * (top + 0.8)], [half, 0.5 * (0.8 - top)]),
        |p| lit(wall, 0.92 + 0.12 * wave(p[1], courses)),
    );
    pen.paint(
        |p| {
            polygon(
                p,
                &[
                    [-flat * half, ridge],
                    [flat * half, ridge],
                    [half + overhang, top + 0.05],
                    [-half - overhang, top + 0.05],
                ],
            )
        },
        |p| lit(roof, 0.8 + 0.3 * wave(p[1] + 0.03 * wave(p[0], 6.0), 6.0)),
    );
    let (door, door_colour) = (stream.range(-0.6, 0.6) * (half - 0.15), lit(any_colour(stream), 0.6));
    let height = stream.range(0.2, 0.26);
    pen.fill(|p| rectangle(p, [door, 0.8 - height], [0.15, height + 0.03]), trim);
    pen.fill(|p| rectangle(p, [door, 0.8 - height], [0.12, height]), door_colour);
    pen.fill(|p| disc(p, [door + 0.07, 0.8 - height], 0.02), trim);
    let glass = if stream.uniform() < 0.4 { [0.98, 0.88, 0.5] } else { [0.25, 0.35, 0.45] };
    let columns = 2 + stream.below(3);
    let size = (0.55 * half / columns as f32).min(0.14);
    for column in 0..columns {
        let x = half * (2.0 * (column as f32 + 0.5) / columns as f32 - 1.0);
        let y = top + 0.26;
        if (x - door).abs() < size + 0.16 && y + size > 0.75 - 2.0 * height {
            continue;
        }
        pen.fill(|p| rectangle(p, [x, y], [size + 0.03, size + 0.03]), trim);
        pen.fill(|p| rectangle(p, [x, y], [size, size]).max(0.012 - (p[0] - x).abs().min((p[1] - y).abs())), glass);
    }
}

fn tree(pen: &mut Pen<'_>, stream: &mut Stream) {
    let leaves = match stream.below(4) {
        0 => any_colour(stream),
        1 => hsv(stream.range(0.0, 0.16), stream.range(0.5, 0.9), stream.range(0.4, 0.8)),
        _ => hsv(stream.range(0.2, 0.42), stream.range(0.35, 0.8), stream.range(0.25, 0.65)),
    };
    let (brown, thick) = (bark(stream), stream.range(0.06, 0.13));
    pen.fill(
        |p| polygon(p, &[[-0.6 * thick, -0.2], [0.6 * thick, -0.2], [1.5 * thick, 1.0], [-1.5 * thick, 1.0]]),
        brown,
    );
    let seed = pen.seed;
    let foliage = |p: Point, ragged: f32| ragged * (noise(seed, [9.0 * p[0], 9.0 * p[1]]) - 0.5);
    let speckled = |p: Point| lit(leaves, 0.55 + 0.8 * noise(seed ^ 77, [14.0 * p[0], 14.0 * p[1]]));
    if stream.uniform() < 0.4 {
        let (tiers, half) = (3 + stream.below(3), stream.range(0.45, 0.65));
        for tier in (0..tiers).rev() {
            let share = (tier as f32 + 1.0) / tiers as f32;
            let (low, high) = (-0.95 + 1.5 * share, -1.0 + 1.3 * (share - 1.0 / tiers as f32));
            let wide = half * (0.35 + 0.65 * share);
            pen.paint(
                |p| polygon(p, &[[0.0, high], [wide, low], [-wide, low]]) + foliage(p, 0.12),
                |p| lit(speckled(p), 0.75 + 0.4 * (low - p[1]) / (low - high)),
            );
        }
        return;
    }
    for side in [-1.0, 1.0] {
        let (reach, from) = (stream.range(0.25, 0.45), stream.range(-0.05, 0.25));
        pen.fill(|p| rod(p, [0.0, from], [side * reach, from - 0.35], 0.4 * thick), brown);
    }
    let (wide, high) = (stream.range(0.4, 0.65), stream.range(0.35, 0.5));
    let puffs: Vec<(Point, f32)> = (0..6 + stream.below(5))
        .map(|_| {
            let (angle, far) = (stream.range(0.0, 4.0 * FRAC_PI_2), stream.uniform().sqrt());
            let centre = [far * wide * angle.cos(), -0.4 + far * high * angle.sin()];
            (centre, stream.range(0.2, 0.34))
        })
        .collect();
    let crown = |p: Point| {
        puffs
            .iter()
            .fold(disc(p, [0.0, -0.4], 0.3), |crown, (centre, radius)| melt(crown, disc(p, *centre, *radius), 0.08))
    };
    pen.paint(|p| crown(p) + foliage(p, 0.22), |p| lit(speckled(p), 0.85 - 0.35 * (p[1] + 0.4)));
}

fn umbrella(pen: &mut Pen<'_>, stream: &mut Stream) {
    let (one, two) = (any_colour(stream), any_colour(stream));
    let two = if stream.uniform() < 0.4 { lit(one, 0.85) } else { two };
    let panels = 4 + stream.below(4);
    let (radius, base) = (stream.range(0.8, 0.95), stream.range(0.0, 0.15));
    let squash = stream.range(0.75, 1.0);
    let metal = lit(any_colour(stream), 0.45);
    let turn = if stream.uniform() < 0.5 { 1.0 } else { -1.0 };
    pen.fill(|p| rod(p, [0.0, base - squash * radius - 0.1], [0.0, 0.85], 0.028), metal);
    pen.fill(
        |p| {
            let hook = (disc(p, [turn * 0.13, 0.85], 0.13)).abs() - 0.035;
            hook.max(0.85 - p[1])
        },
        metal,
    );
    let canopy = |p: Point| {
        let dome = ellipse(p, [0.0, base], [radius, squash * radius]).max(p[1] - base);
        let width = radius / panels as f32;
        let place = ((p[0] + radius) / (2.0 * width)).floor() * 2.0 * width + width - radius;
        dome.max(-ellipse(p, [place, base], [0.97 * width, 0.6 * width]))
    };
    pen.paint(canopy, |p| {
        let up = ((base - p[1]) / (squash * radius)).clamp(0.0, 0.99);
        let across = p[0] / (radius * (1.0 - up * up).sqrt());
        let panel = ((across + 1.0) * 0.5 * panels as f32).clamp(0.0, panels as f32 - 0.01);
        let colour = if (panel as u32).is_multiple_of(2) { one } else { two };
        let fold = (panel.fract() - 0.5).abs();
        lit(colour, 1.08 - 0.7 * fold * fold - 0.15 * across * across)
    });
}
