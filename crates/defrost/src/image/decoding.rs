//! Decoding a JPEG to no more pixels than are needed.

use serde::{Deserialize, Serialize};

use super::Limits;

/// How many of a JPEG's pixels are decoded. Other formats are always decoded whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decoding {
    /// All of them.
    #[default]
    Full,
    /// A half, a quarter or an eighth along each side, the fewest that leave both sides at least twice as long as the network's
    /// square: large photographs in less time and memory, at the price of slightly other pixels. What libjpeg calls
    /// DCT scaling, and Pillow `draft`.
    Scaled,
}

/// Pixels a side that are decoded for one that the network sees, at least; below it the resizing that follows, too, would smooth
/// what the decoder has smoothed.
const SPARE: usize = 2;

impl Decoding {
    /// The limits for pictures that are resized to a square of `input_size`.
    pub fn limits(self, input_size: usize) -> Limits {
        let enough_for = match self {
            Decoding::Full => None,
            Decoding::Scaled => Some(input_size),
        };
        Limits { enough_for, ..Limits::default() }
    }

    /// What the sides of a picture are divided by when it is decoded for a square of `side`; `None` where it has no pixels to
    /// spare.
    pub(super) fn reduction(sides: [usize; 2], side: usize) -> Option<usize> {
        let wanted = side.saturating_mul(SPARE);
        [8, 4, 2].into_iter().find(|reduction| sides.iter().all(|side| side / reduction >= wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_scale_that_leaves_enough_is_taken() {
        let reduction = |width, height| Decoding::reduction([width, height], 224);
        assert_eq!(reduction(4000, 3000), Some(4));
        assert_eq!(reduction(3000, 4000), Some(4));
        assert_eq!(reduction(4000, 3584), Some(8));
        assert_eq!(reduction(896, 896), Some(2));
        assert_eq!(reduction(895, 4000), None);
        assert_eq!(reduction(320, 240), None);
        assert_eq!(Decoding::reduction([usize::MAX; 2], usize::MAX), None);
    }
}
