//! Turns a picture as its file says that it was held.

use ::image::metadata::Orientation;

use super::Picture;

/// Pixels a side of the squares that are copied at a time: both rows and columns of a square stay in the processor's cache.
const TILE: usize = 32;

/// The picture that a viewer shows: `picture` as stored, turned by `orientation`.
pub(super) fn upright(picture: Picture, orientation: Orientation) -> Picture {
    // Transposed first, then reflected.
    let (transposed, mirror_x, mirror_y) = match orientation {
        Orientation::NoTransforms => return picture,
        Orientation::FlipHorizontal => (false, true, false),
        Orientation::Rotate180 => (false, true, true),
        Orientation::FlipVertical => (false, false, true),
        Orientation::Rotate90FlipH => (true, false, false),
        Orientation::Rotate90 => (true, true, false),
        Orientation::Rotate270FlipH => (true, true, true),
        Orientation::Rotate270 => (true, false, true),
    };
    let Picture { width: stored_width, height: stored_height, pixels: stored } = picture;
    let (width, height) = if transposed { (stored_height, stored_width) } else { (stored_width, stored_height) };
    let mut pixels = vec![0; stored.len()];
    for (top, left) in (0..height).step_by(TILE).flat_map(|y| (0..width).step_by(TILE).map(move |x| (y, x))) {
        for y in top..height.min(top + TILE) {
            for x in left..width.min(left + TILE) {
                let from_x = if mirror_x { width - 1 - x } else { x };
                let from_y = if mirror_y { height - 1 - y } else { y };
                let (row, column) = if transposed { (from_x, from_y) } else { (from_y, from_x) };
                let from = (row * stored_width + column) * 3;
                let to = (y * width + x) * 3;
                pixels[to..to + 3].copy_from_slice(&stored[from..from + 3]);
            }
        }
    }
    Picture { width, height, pixels }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first samples of the pixels, row by row.
    fn letters(picture: &Picture) -> Vec<String> {
        let rows = picture.pixels().chunks_exact(picture.width() * 3);
        rows.map(|row| row.chunks_exact(3).map(|pixel| char::from(pixel[0])).collect()).collect()
    }

    #[test]
    fn all_eight_orientations_of_a_small_picture() {
        let stored = Picture::new(3, 2, b"abcdef".iter().flat_map(|&letter| [letter; 3]).collect());
        let expected: [&[&str]; 8] = [
            &["abc", "def"],
            &["cba", "fed"],
            &["fed", "cba"],
            &["def", "abc"],
            &["ad", "be", "cf"],
            &["da", "eb", "fc"],
            &["fc", "eb", "da"],
            &["cf", "be", "ad"],
        ];
        for (exif, expected) in (1..).zip(expected) {
            let orientation = Orientation::from_exif(exif).unwrap();
            assert_eq!(letters(&upright(stored.clone(), orientation)), expected, "EXIF orientation {exif}");
        }
    }

    #[test]
    fn squares_meet_without_gaps() {
        let (width, height) = (2 * TILE + 5, TILE + 3);
        let stored = Picture::new(width, height, crate::formula::picture("orientation", height, width, 4));
        let turned = upright(stored.clone(), Orientation::Rotate90);
        assert_eq!((turned.width(), turned.height()), (height, width));
        assert_ne!(turned.pixels(), stored.pixels());
        assert_eq!(upright(turned, Orientation::Rotate270), stored);
    }
}
