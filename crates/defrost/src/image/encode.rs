//! From a [`Picture`] to a file's bytes.

use ::image::codecs::jpeg::JpegEncoder;
use ::image::codecs::png::PngEncoder;
use ::image::{ExtendedColorType, ImageEncoder, ImageResult};

use super::Picture;

/// The picture as PNG, without loss.
pub fn to_png(picture: &Picture) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = write(PngEncoder::new(&mut bytes), picture);
    debug_assert!(written.is_ok(), "a picture fits its own sides, and memory takes all of it");
    bytes
}

/// The picture as JPEG of a quality of 1 to 100.
pub fn to_jpeg(picture: &Picture, quality: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = write(JpegEncoder::new_with_quality(&mut bytes, quality), picture);
    debug_assert!(written.is_ok() || picture.width().max(picture.height()) > 65_535, "JPEG takes sides of 16 bits");
    bytes
}

fn write(encoder: impl ImageEncoder, picture: &Picture) -> ImageResult<()> {
    encoder.write_image(picture.pixels(), picture.width() as u32, picture.height() as u32, ExtendedColorType::Rgb8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Limits, decode};

    #[test]
    fn a_png_is_the_picture_again() {
        let pixels: Vec<u8> = (0..5 * 3 * 3).map(|i| (i * 5) as u8).collect();
        let picture = Picture::new(5, 3, pixels);
        assert_eq!(decode(&to_png(&picture), &Limits::default()).unwrap(), picture);
        let jpeg = decode(&to_jpeg(&picture, 90), &Limits::default()).unwrap();
        assert_eq!((jpeg.width(), jpeg.height()), (5, 3));
    }
}
