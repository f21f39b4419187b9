//! Resizing to f32: separable filters as TensorFlow's `tf.image.resize` computes them.
//!
//! Own code rather than a library's: TensorFlow's plain kinds must agree bit by bit or nearly so, the results are f32 although
//! the source is u8 (no intermediate rounding), and windows that begin between two pixels are what augmentation needs.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Picture;
use super::taps::{Axis, Taps};

/// How pixels are computed when a picture changes its size. The plain kinds are `tf.image.resize`'s with `antialias=False`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// Between the four nearest pixels: what the Keras notebook does. Shrinking skips pixels.
    Bilinear,
    /// A triangle as wide as an output pixel's neighbourhood, as Pillow and torchvision do.
    #[default]
    BilinearAntialias,
    /// The pixel that holds the centre.
    Nearest,
    /// The mean over the output pixel's area.
    Area,
    /// Keys' cubic between the sixteen nearest pixels; may leave 0..=255.
    Bicubic,
    /// Keys' cubic, widened when shrinking; may leave 0..=255.
    BicubicAntialias,
    /// Lanczos with three lobes, widened when shrinking; may leave 0..=255.
    Lanczos3Antialias,
}

impl Resize {
    /// All kinds.
    pub const ALL: [Resize; 7] = [
        Resize::Bilinear,
        Resize::BilinearAntialias,
        Resize::Nearest,
        Resize::Area,
        Resize::Bicubic,
        Resize::BicubicAntialias,
        Resize::Lanczos3Antialias,
    ];

    /// The name in recipes and cache keys.
    pub fn name(self) -> &'static str {
        match self {
            Resize::Bilinear => "bilinear",
            Resize::BilinearAntialias => "bilinear_antialias",
            Resize::Nearest => "nearest",
            Resize::Area => "area",
            Resize::Bicubic => "bicubic",
            Resize::BicubicAntialias => "bicubic_antialias",
            Resize::Lanczos3Antialias => "lanczos3_antialias",
        }
    }
}

impl fmt::Display for Resize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `picture` as `[height, width, 3]`, RGB 0..=255 (not rounded), whatever its aspect ratio.
pub fn resize(picture: &Picture, height: usize, width: usize, mode: Resize) -> Vec<f32> {
    let axes = [Axis::whole(picture.height(), height), Axis::whole(picture.width(), width)];
    resample(picture.pixels(), axes, mode)
}

/// `picture` with its longer side at most `side` pixels, its shape kept; each pixel is the mean of those that it stands for.
pub fn shrink(picture: &Picture, side: usize) -> Cow<'_, Picture> {
    let longer = picture.width().max(picture.height());
    if longer <= side {
        return Cow::Borrowed(picture);
    }
    let [width, height] = [picture.width(), picture.height()].map(|length| (length * side / longer).max(1));
    let pixels = resize(picture, height, width, Resize::Area).into_iter().map(|x| x.round() as u8).collect();
    Cow::Owned(Picture::new(width, height, pixels))
}

/// `src`, `[h, w, 3]`, as `[th, tw, 3]`.
///
/// # Panics
/// When `src` hasn't `h · w · 3` elements, or a source side is 0.
pub fn resize_f32(src: &[f32], h: usize, w: usize, th: usize, tw: usize, mode: Resize) -> Vec<f32> {
    assert!(src.len() == h * w * 3 && !src.is_empty(), "{} elements aren't a picture of [{h}, {w}, 3]", src.len());
    resample(src, [Axis::whole(h, th), Axis::whole(w, tw)], mode)
}

/// The window of `src` that `axes` (rows, columns) describe, `[rows.target, columns.target, 3]`.
pub(crate) fn resample<T: Copy + Into<f32>>(src: &[T], axes: [Axis; 2], mode: Resize) -> Vec<f32> {
    match mode {
        Resize::Bilinear => interpolate(src, axes),
        _ => convolve(src, axes, mode),
    }
}

/// Bilinear in TensorFlow's order of operations: along the rows, then between them.
fn interpolate<T: Copy + Into<f32>>(src: &[T], [rows, columns]: [Axis; 2]) -> Vec<f32> {
    let across = columns.neighbours();
    let mut out = Vec::with_capacity(rows.target * columns.target * 3);
    let row = |y: usize| &src[y * columns.extent * 3..][..columns.extent * 3];
    for (above, below, fy) in rows.neighbours() {
        let (above, below) = (row(above), row(below));
        for &(left, right, fx) in &across {
            for k in 0..3 {
                let at = |row: &[T], x: usize| -> f32 { row[x * 3 + k].into() };
                let (a, b) = (at(above, left), at(below, left));
                let top = a + (at(above, right) - a) * fx;
                let bottom = b + (at(below, right) - b) * fx;
                out.push(top + (bottom - top) * fy);
            }
        }
    }
    out
}

/// Weighted sums of whole rows first, which need no rearranging, then along each of the few rows that are left.
fn convolve<T: Copy + Into<f32>>(src: &[T], [rows, columns]: [Axis; 2], mode: Resize) -> Vec<f32> {
    let (down, across) = (Taps::new(&rows, mode), Taps::new(&columns, mode));
    let samples = columns.extent * 3;
    let mut out = vec![0.0; rows.target * columns.target * 3];
    let mut sums = vec![0.0; samples];
    // A fourth sample that is always 0 lets the processor take a pixel at a time.
    let mut padded = vec![[0.0; 4]; columns.extent];
    for ((first, weights), out) in down.iter().zip(out.chunks_exact_mut(columns.target * 3)) {
        sums.fill(0.0);
        for (source, &weight) in src[first * samples..].chunks_exact(samples).zip(weights) {
            for (sum, &sample) in sums.iter_mut().zip(source) {
                *sum += weight * sample.into();
            }
        }
        for (padded, pixel) in padded.iter_mut().zip(sums.as_chunks::<3>().0) {
            padded[..3].copy_from_slice(pixel);
        }
        for ((first, weights), out) in across.iter().zip(out.as_chunks_mut::<3>().0) {
            let mut pixel = [0.0; 4];
            for (source, weight) in padded[first..].iter().zip(weights) {
                for (sum, sample) in pixel.iter_mut().zip(source) {
                    *sum += weight * sample;
                }
            }
            out.copy_from_slice(&pixel[..3]);
        }
    }
    out
}
