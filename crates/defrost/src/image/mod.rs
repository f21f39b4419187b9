//! Pictures: decoding files, and resizing to what a network expects.
//!
//! Invariant: whatever the file held, a [`Picture`] is upright 8-bit RGB. The rules, one for all formats:
//!
//! | the file holds | the picture gets |
//! | --- | --- |
//! | an EXIF (or TIFF) orientation | the rotation or reflection that a viewer applies |
//! | grey, 1-bit, a palette | grey three times; black and white; the palette's colours |
//! | alpha, a transparent colour | the colours laid over white (Keras' decoders drop alpha and show what hides beneath) |
//! | 16 bits a sample | the high byte, `v >> 8`, as TensorFlow and Pillow do |
//! | float samples (TIFF) | `round(255 · v)` within 0..=255; not-a-number is 0 |
//! | CMYK, YCCK | the plain conversion `(255 − ink) · (255 − black) / 255`; colour profiles are not applied |
//! | several frames or pages | the first |
//!
//! Sizes are checked against [`Limits`] before memory is taken, and a file that ends early is an error, even where a decoder
//! would fill the missing rows with grey.
//!
//! ```
//! use defrost::image::{self, Limits, Resize};
//!
//! let bytes = b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0\0\0\0\0\x04\0\0\0\
//!     \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x02\x03\0";
//! let picture = image::decode(bytes, &Limits::default())?;
//! assert_eq!(picture.pixels(), [3, 2, 1]);
//! assert_eq!(image::resize(&picture, 2, 1, Resize::default()), [3.0, 2.0, 1.0, 3.0, 2.0, 1.0]);
//! # Ok::<(), image::ImageError>(())
//! ```

mod decode;
mod decoding;
mod encode;
mod fit;
mod format;
mod jpeg;
mod jpeg_scan;
mod orientation;
mod phash;
mod resize;
mod taps;
mod traits;

pub use decode::{Header, ImageError, Limits, decode, decoder_name, open, probe};
pub use decoding::Decoding;
pub use encode::{to_jpeg, to_png};
pub use fit::Fit;
pub use format::{Format, is_picture_name};
pub use phash::PerceptualHash;
pub use traits::{Traits, damage, inspect};

pub(crate) use resize::resample;
pub use resize::{Resize, resize, resize_f32, shrink};
pub(crate) use taps::{Axis, reflected};

/// A decoded picture: RGB, 8 bits a sample, rows from top to bottom.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Picture").field("width", &self.width).field("height", &self.height).finish_non_exhaustive()
    }
}

impl Picture {
    /// Takes `pixels`, `[height, width, 3]`, as a picture.
    ///
    /// # Panics
    /// When a side is 0 or the number of samples isn't `height · width · 3`.
    pub fn new(width: usize, height: usize, pixels: Vec<u8>) -> Picture {
        assert!(width > 0 && height > 0, "a picture of {width} × {height} has no pixels");
        assert_eq!(pixels.len(), height * width * 3, "samples of a picture of {width} × {height}");
        Picture { width, height, pixels }
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The samples, `[height, width, 3]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }
}
