//! Small copies of pictures, as text for a page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::data::Sample;
use crate::image::{Limits, Picture, shrink, to_jpeg};

/// The longer side, in pixels: as large as a page shows it on a screen of double density.
pub(super) const SIDE: usize = 256;

/// Of 100.
const QUALITY: u8 = 75;

/// A sample's picture as a small JPEG in base64; `None` where it can't be read any longer.
pub(super) fn thumbnail(sample: &Sample) -> Option<String> {
    Some(encoded(&sample.picture(&Limits::default()).ok()?))
}

/// The picture as a small JPEG in base64.
pub(super) fn encoded(picture: &Picture) -> String {
    STANDARD.encode(to_jpeg(&shrink(picture, SIDE), QUALITY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{decode, inspect};

    #[test]
    fn thumbnails_are_small_and_keep_the_shape() {
        for (width, height, expected) in [(1000, 500, (256, 128)), (20, 30, (20, 30)), (4000, 1, (256, 1))] {
            let text = encoded(&Picture::new(width, height, vec![200; width * height * 3]));
            let bytes = STANDARD.decode(text).unwrap();
            let header = inspect(&bytes).unwrap().header;
            assert_eq!((header.width, header.height), expected);
            let first = decode(&bytes, &Limits::default()).unwrap().pixels()[0];
            assert!(first.abs_diff(200) < 4, "{first}");
        }
    }
}
