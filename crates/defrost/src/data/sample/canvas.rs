//! Anti-aliased drawing by signed distances: a shape is a function from a point to its distance, negative inside.

use std::f32::consts::TAU;

/// A point or a vector; y points down.
pub(super) type Point = [f32; 2];
/// Red, green, blue in 0…1.
pub(super) type Colour = [f32; 3];

/// Where a shape's own coordinates (about −1…1) lie in the picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The origin, in pixels.
    pub(super) centre: Point,
    /// Pixels per unit.
    pub(super) scale: f32,
    /// Clockwise, in radians.
    pub(super) angle: f32,
}

/// Pixels with premultiplied colour and an opacity: a picture, or a layer to be laid over one.
#[derive(Debug, Clone)]
pub(super) struct Canvas {
    pub(super) width: usize,
    pub(super) height: usize,
    pixels: Vec<[f32; 4]>,
}

impl Canvas {
    /// A transparent canvas.
    pub(super) fn new(width: usize, height: usize) -> Canvas {
        Canvas { width, height, pixels: vec![[0.0; 4]; width * height] }
    }

    /// Gives each pixel the colour that `change` makes of its position (0…1 in both directions) and its colour.
    pub(super) fn map(&mut self, mut change: impl FnMut(Point, Colour) -> Colour) {
        for (index, pixel) in self.pixels.iter_mut().enumerate() {
            let (x, y) = (index % self.width, index / self.width);
            let at = [(x as f32 + 0.5) / self.width as f32, (y as f32 + 0.5) / self.height as f32];
            let [r, g, b] = change(at, [pixel[0], pixel[1], pixel[2]]);
            *pixel = [r, g, b, 1.0];
        }
    }

    /// Paints a shape that lies within 1.4 units of its origin; its edge is `softness` pixels wide (1 is sharp).
    pub(super) fn fill(
        &mut self,
        place: Place,
        softness: f32,
        shape: impl Fn(Point) -> f32,
        paint: impl Fn(Point) -> Colour,
    ) {
        let reach = 1.4 * place.scale + softness;
        let bounds = |centre: f32, end: usize| {
            let clamp = |value: f32| value.clamp(0.0, end as f32) as usize;
            clamp((centre - reach).floor())..clamp((centre + reach).ceil())
        };
        let (sin, cos) = place.angle.sin_cos();
        for y in bounds(place.centre[1], self.height) {
            for x in bounds(place.centre[0], self.width) {
                let (dx, dy) = (x as f32 + 0.5 - place.centre[0], y as f32 + 0.5 - place.centre[1]);
                let point = [(cos * dx + sin * dy) / place.scale, (cos * dy - sin * dx) / place.scale];
                let cover = (0.5 - shape(point) * place.scale / softness).clamp(0.0, 1.0);
                if cover > 0.0 {
                    let [r, g, b] = paint(point);
                    blend(&mut self.pixels[y * self.width + x], [r * cover, g * cover, b * cover, cover]);
                }
            }
        }
    }

    /// Lays another canvas of the same size over this one.
    pub(super) fn over(&mut self, layer: &Canvas) {
        for (below, above) in self.pixels.iter_mut().zip(&layer.pixels) {
            blend(below, *above);
        }
    }

    /// This layer's shadow: dark where it is opaque, moved by whole pixels and softened.
    pub(super) fn shadow(&self, offset: [isize; 2], softness: usize, darkness: f32) -> Canvas {
        let mut shadow = Canvas::new(self.width, self.height);
        for y in 0..self.height {
            for x in 0..self.width {
                let from = (x.checked_add_signed(-offset[0]), y.checked_add_signed(-offset[1]));
                if let (Some(from_x), Some(from_y)) = from
                    && from_x < self.width
                    && from_y < self.height
                {
                    let cover = self.pixels[from_y * self.width + from_x][3];
                    shadow.pixels[y * self.width + x][3] = darkness * cover;
                }
            }
        }
        shadow.blur(softness);
        shadow
    }

    /// Averages over a square of `2 radius + 1` pixels, twice.
    pub(super) fn blur(&mut self, radius: usize) {
        for _ in 0..if radius > 0 { 2 } else { 0 } {
            let (width, height) = (self.width, self.height);
            for y in 0..height {
                average(&mut self.pixels[y * width..][..width], radius);
            }
            let mut column = vec![[0.0; 4]; height];
            for x in 0..width {
                for (y, pixel) in column.iter_mut().enumerate() {
                    *pixel = self.pixels[y * width + x];
                }
                average(&mut column, radius);
                for (y, pixel) in column.iter().enumerate() {
                    self.pixels[y * width + x] = *pixel;
                }
            }
        }
    }

    /// The picture as bytes, RGB.
    pub(super) fn to_rgb8(&self) -> Vec<u8> {
        let byte = |value: f32| (value.clamp(0.0, 1.0) * 255.0).round() as u8;
        self.pixels.iter().flat_map(|pixel| [byte(pixel[0]), byte(pixel[1]), byte(pixel[2])]).collect()
    }
}

fn blend(below: &mut [f32; 4], above: [f32; 4]) {
    for (below, value) in below.iter_mut().zip(above) {
        *below = value + *below * (1.0 - above[3]);
    }
}

fn average(line: &mut [[f32; 4]], radius: usize) {
    let source = line.to_vec();
    let last = source.len() - 1;
    let inverse = 1.0 / (2 * radius + 1) as f32;
    for (index, pixel) in line.iter_mut().enumerate() {
        let mut sum = [0.0; 4];
        for step in 0..=2 * radius {
            let from = source[(index + step).saturating_sub(radius).min(last)];
            sum.iter_mut().zip(from).for_each(|(sum, value)| *sum += value);
        }
        *pixel = sum.map(|value| value * inverse);
    }
}

/// A disc around `centre`.
pub(super) fn disc(p: Point, centre: Point, radius: f32) -> f32 {
    (p[0] - centre[0]).hypot(p[1] - centre[1]) - radius
}

/// An upright ellipse, by its first-order distance.
pub(super) fn ellipse(p: Point, centre: Point, radii: Point) -> f32 {
    let q = [(p[0] - centre[0]) / radii[0], (p[1] - centre[1]) / radii[1]];
    let value = q[0].hypot(q[1]);
    let slope = (q[0] / radii[0]).hypot(q[1] / radii[1]);
    if slope < 1e-6 { -radii[0].min(radii[1]) } else { value * (value - 1.0) / slope }
}

/// An upright rectangle of half-width and half-height `half`.
pub(super) fn rectangle(p: Point, centre: Point, half: Point) -> f32 {
    let d = [(p[0] - centre[0]).abs() - half[0], (p[1] - centre[1]).abs() - half[1]];
    d[0].max(0.0).hypot(d[1].max(0.0)) + d[0].max(d[1]).min(0.0)
}

/// A rod with round ends.
pub(super) fn rod(p: Point, a: Point, b: Point, radius: f32) -> f32 {
    let (to, along) = ([p[0] - a[0], p[1] - a[1]], [b[0] - a[0], b[1] - a[1]]);
    let length = along[0] * along[0] + along[1] * along[1];
    let t = ((to[0] * along[0] + to[1] * along[1]) / length.max(1e-12)).clamp(0.0, 1.0);
    (to[0] - t * along[0]).hypot(to[1] - t * along[1]) - radius
}

/// A convex polygon, corners clockwise as seen (y down); beyond its corners the distance is a lower bound.
pub(super) fn polygon(p: Point, corners: &[Point]) -> f32 {
    let mut distance = f32::MIN;
    for (index, a) in corners.iter().enumerate() {
        let b = corners[(index + 1) % corners.len()];
        let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
        let outside = ((p[0] - a[0]) * dy - (p[1] - a[1]) * dx) / dx.hypot(dy).max(1e-6);
        distance = distance.max(outside);
    }
    distance
}

/// The union of two shapes, rounded where they meet over a width of `k`.
pub(super) fn melt(a: f32, b: f32, k: f32) -> f32 {
    let h = (k - (a - b).abs()).max(0.0) / k;
    a.min(b) - 0.25 * k * h * h
}

/// `p` in coordinates turned by `angle` around `centre`.
pub(super) fn turned(p: Point, centre: Point, angle: f32) -> Point {
    let ((sin, cos), (x, y)) = (angle.sin_cos(), (p[0] - centre[0], p[1] - centre[1]));
    [cos * x + sin * y, cos * y - sin * x]
}

/// Between two colours.
pub(super) fn mix(a: Colour, b: Colour, t: f32) -> Colour {
    let t = t.clamp(0.0, 1.0);
    [0, 1, 2].map(|i| a[i] + t * (b[i] - a[i]))
}

/// Brighter (above 1) or darker.
pub(super) fn lit(colour: Colour, factor: f32) -> Colour {
    colour.map(|value| value * factor)
}

/// A colour of hue, saturation and value in 0…1.
pub(super) fn hsv(hue: f32, saturation: f32, value: f32) -> Colour {
    [5.0f32, 3.0, 1.0].map(|n| {
        let k = (n + 6.0 * hue).rem_euclid(6.0);
        value - value * saturation * k.min(4.0 - k).clamp(0.0, 1.0)
    })
}

/// Smooth noise in 0…1 with features of about one unit and two finer octaves.
pub(super) fn noise(seed: u32, p: Point) -> f32 {
    let mut sum = 0.0;
    for (octave, weight) in [(1.0, 0.55), (2.1, 0.3), (4.3, 0.15)] {
        let (x, y) = (p[0] * octave, p[1] * octave);
        let (cell_x, cell_y) = (x.floor(), y.floor());
        let ease = |t: f32| t * t * (3.0 - 2.0 * t);
        let (tx, ty) = (ease(x - cell_x), ease(y - cell_y));
        let corner = |dx: i32, dy: i32| lattice(seed, cell_x as i32 + dx, cell_y as i32 + dy);
        let (top, bottom) =
            (corner(0, 0) * (1.0 - tx) + corner(1, 0) * tx, corner(0, 1) * (1.0 - tx) + corner(1, 1) * tx);
        sum += weight * (top * (1.0 - ty) + bottom * ty);
    }
    sum
}

/// A waving line in 0…1, `frequency` waves a unit.
pub(super) fn wave(x: f32, frequency: f32) -> f32 {
    0.5 + 0.5 * (TAU * frequency * x).sin()
}

/// A fixed random number in 0…1 for a lattice point: integer mixing, so that every machine draws the same.
fn lattice(seed: u32, x: i32, y: i32) -> f32 {
    let mut h = seed ^ (x as u32).wrapping_mul(0x9e37_79b1) ^ (y as u32).wrapping_mul(0x85eb_ca77);
    for shift in [15, 13, 16] {
        h = (h ^ h >> shift).wrapping_mul(0x2c1b_3c6d);
    }
    (h >> 8) as f32 / (1 << 24) as f32
}
