//! Small copies of pictures, as text for a page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder as _};

use crate::data::Sample;
use crate::image::{Limits, Picture, Resize, resize};

/// The longer side, in pixels: as large as a page shows it on a screen of double density.
const SIDE: usize = 256;

/// Of 100.
const QUALITY: u8 = 75;

/// The picture as a small JPEG in base64; `None` where it can't be read any longer.
pub(super) fn thumbnail(sample: &Sample) -> Option<String> {
    encoded(&sample.picture(&Limits::default()).ok()?)
}

fn encoded(picture: &Picture) -> Option<String> {
    let longer = picture.width().max(picture.height());
    let side = |length: usize| if longer <= SIDE { length } else { (length * SIDE / longer).max(1) };
    let (width, height) = (side(picture.width()), side(picture.height()));
    let pixels: Vec<u8> = resize(picture, height, width, Resize::Area).into_iter().map(|x| x.round() as u8).collect();
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
        .write_image(&pixels, width as u32, height as u32, ExtendedColorType::Rgb8)
        .ok()?;
    Some(STANDARD.encode(jpeg))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{decode, inspect};

    #[test]
    fn thumbnails_are_small_and_keep_the_shape() {
        for (width, height, expected) in [(1000, 500, (256, 128)), (20, 30, (20, 30)), (4000, 1, (256, 1))] {
            let text = encoded(&Picture::new(width, height, vec![200; width * height * 3])).unwrap();
            let bytes = STANDARD.decode(text).unwrap();
            let header = inspect(&bytes).unwrap().header;
            assert_eq!((header.width, header.height), expected);
            let first = decode(&bytes, &Limits::default()).unwrap().pixels()[0];
            assert!(first.abs_diff(200) < 4, "{first}");
        }
    }
}
