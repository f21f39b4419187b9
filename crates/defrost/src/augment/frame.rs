//! What a view shows of a picture: one affine map, however many steps it came from, and its sampling.

use crate::image::{Axis, Picture, Resize, reflected, resample};

/// An affine map of the plane: `x' = a·x + b·y + c`, `y' = d·x + e·y + f`.
#[derive(Debug, Clone, Copy)]
struct Affine {
    a: f64,
    b: f64,
    c: f64,
    d: f64,
    e: f64,
    f: f64,
}

impl Affine {
    fn of(self, x: f64, y: f64) -> (f64, f64) {
        (self.a * x + self.b * y + self.c, self.d * x + self.e * y + self.f)
    }

    /// `inner` first, then this map.
    fn after(self, inner: Affine) -> Affine {
        let (c, f) = self.of(inner.c, inner.f);
        Affine {
            a: self.a * inner.a + self.b * inner.d,
            b: self.a * inner.b + self.b * inner.e,
            c,
            d: self.d * inner.a + self.e * inner.d,
            e: self.d * inner.b + self.e * inner.e,
            f,
        }
    }

    /// Each coordinate by itself: `x' = a·x + c`, `y' = e·y + f`.
    fn scale((a, c): (f64, f64), (e, f): (f64, f64)) -> Affine {
        Affine { a, b: 0.0, c, d: 0.0, e, f }
    }
}

/// Where in the picture a view's points lie.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    /// From the view, whose sides run from 0 to 1, to the picture's pixels.
    to_source: Affine,
    /// Sides of what is shown, in the picture's pixels.
    width: f64,
    height: f64,
}

impl Frame {
    /// The whole picture.
    pub(super) fn of(picture: &Picture) -> Frame {
        let (width, height) = (picture.width() as f64, picture.height() as f64);
        Frame { to_source: Affine::scale((width, 0.0), (height, 0.0)), width, height }
    }

    /// Mirrors left and right.
    pub(super) fn flip(&mut self) {
        self.step_back(Affine::scale((-1.0, 1.0), (1.0, 0.0)));
    }

    /// Turns upside down, as in a mirror.
    pub(super) fn flip_vertical(&mut self) {
        self.step_back(Affine::scale((1.0, 0.0), (-1.0, 1.0)));
    }

    /// Moves what is shown by shares of the sides.
    pub(super) fn shift(&mut self, right: f32, down: f32) {
        self.step_back(Affine::scale((1.0, -f64::from(right)), (1.0, -f64::from(down))));
    }

    /// Magnifies about the centre.
    pub(super) fn zoom(&mut self, magnification: f32) {
        let side = 1.0 / f64::from(magnification);
        let start = 0.5 - 0.5 * side;
        self.step_back(Affine::scale((side, start), (side, start)));
    }

    /// Turns counter-clockwise about the centre, in the proportions of what is shown.
    pub(super) fn rotate(&mut self, degrees: f32) {
        let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
        self.step_back_in_pixels(Affine { a: cos, b: -sin, c: 0.0, d: sin, e: cos, f: 0.0 });
    }

    /// Slants about the centre, in the proportions of what is shown: each point shows what lay `horizontal` pixels further
    /// right for each pixel that it is below the centre, and `vertical` pixels further down for each that it is right of it.
    pub(super) fn shear(&mut self, horizontal: f32, vertical: f32) {
        let (b, d) = (f64::from(horizontal), f64::from(vertical));
        self.step_back_in_pixels(Affine { a: 1.0, b, c: 0.0, d, e: 1.0, f: 0.0 });
    }

    /// Shows only a window: where it begins and its sides, as shares.
    pub(super) fn window(&mut self, [left, top]: [f32; 2], [width, height]: [f32; 2]) {
        let (width, height) = (f64::from(width), f64::from(height));
        self.step_back(Affine::scale((width, f64::from(left)), (height, f64::from(top))));
        self.width *= width;
        self.height *= height;
    }

    /// Another step, as [`step_back`](Self::step_back), in pixels from the centre.
    fn step_back_in_pixels(&mut self, to_previous: Affine) {
        let (width, height) = (self.width, self.height);
        let to_pixels = Affine::scale((width, -0.5 * width), (height, -0.5 * height));
        let from_pixels = Affine::scale((1.0 / width, 0.5), (1.0 / height, 0.5));
        self.step_back(from_pixels.after(to_previous).after(to_pixels));
    }

    /// Another step: `to_previous` maps its result's points to where they were before it.
    fn step_back(&mut self, to_previous: Affine) {
        self.to_source = self.to_source.after(to_previous);
    }

    /// The view as `[height, width, 3]`. A view that isn't turned is resized exactly as the plain one.
    pub(super) fn sample(&self, picture: &Picture, size: [usize; 2], mode: Resize) -> Vec<f32> {
        let map = self.to_source;
        if map.b != 0.0 || map.d != 0.0 {
            return self.turned(picture, size, mode);
        }
        let axis = |extent, target, slope: f64, offset: f64| Axis {
            extent,
            target,
            start: offset.min(offset + slope) as f32,
            length: slope.abs() as f32,
            mirrored: slope < 0.0,
        };
        let axes = [axis(picture.height(), size[0], map.e, map.f), axis(picture.width(), size[1], map.a, map.c)];
        resample(picture.pixels(), axes, mode)
    }

    /// Bilinear at each point; where the kind of resizing is antialiased, from the picture averaged down to the view's
    /// density first.
    fn turned(&self, picture: &Picture, [height, width]: [usize; 2], mode: Resize) -> Vec<f32> {
        // From the view's pixels to the picture's.
        let map = self.to_source.after(Affine::scale((1.0 / width as f64, 0.0), (1.0 / height as f64, 0.0)));
        let side = |extent: usize, footprint: f64| match mode {
            Resize::BilinearAntialias | Resize::BicubicAntialias | Resize::Lanczos3Antialias | Resize::Area => {
                ((extent as f64 / footprint.max(1.0)).round() as usize).max(1)
            }
            Resize::Bilinear | Resize::Nearest | Resize::Bicubic => extent,
        };
        let (rows, columns) = (side(picture.height(), map.d.hypot(map.e)), side(picture.width(), map.a.hypot(map.b)));
        let axes = [Axis::whole(picture.height(), rows), Axis::whole(picture.width(), columns)];
        let source = resample(picture.pixels(), axes, Resize::Area);
        let density = |to: usize, from: usize| (to as f64 / from as f64, 0.0);
        let map = Affine::scale(density(columns, picture.width()), density(rows, picture.height())).after(map);

        let mut out = Vec::with_capacity(height * width * 3);
        for (i, j) in (0..height).flat_map(|i| (0..width).map(move |j| (i, j))) {
            let (x, y) = map.of(j as f64 + 0.5, i as f64 + 0.5);
            let (left, right, fx) = neighbours(x as f32, columns);
            let (above, below, fy) = neighbours(y as f32, rows);
            let [a, b, c, d] = [(above, left), (above, right), (below, left), (below, right)]
                .map(|(row, column)| &source[(row * columns + column) * 3..][..3]);
            for k in 0..3 {
                let top = a[k] + (b[k] - a[k]) * fx;
                let bottom = c[k] + (d[k] - c[k]) * fx;
                out.push(top + (bottom - top) * fy);
            }
        }
        out
    }
}

/// The two pixels beside a coordinate, and the second one's share.
fn neighbours(coordinate: f32, extent: usize) -> (usize, usize, f32) {
    // One too high, hence above 0, where cutting the fraction off is rounding down.
    let x = reflected(coordinate, extent) + 0.5;
    let above = x as usize;
    (above.saturating_sub(1), above.min(extent - 1), x - above as f32)
}
