//! What to do when a picture's aspect ratio isn't the target's.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Picture;

/// How a picture is brought to the target's aspect ratio before it is resized (`keras.layers.Resizing`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Not at all: the picture is stretched, and nothing is lost.
    #[default]
    Stretch,
    /// The largest centred window is kept (`crop_to_aspect_ratio`).
    Crop,
    /// Black is added around the picture (`pad_to_aspect_ratio`).
    Pad,
}

impl Fit {
    /// `picture` with the aspect ratio of `height` × `width`, up to whole pixels; to be resized next.
    pub fn apply(self, picture: &Picture, height: usize, width: usize) -> Cow<'_, Picture> {
        let (h, w) = self.sides(picture.height(), picture.width(), height, width);
        if (h, w) == (picture.height(), picture.width()) {
            return Cow::Borrowed(picture);
        }
        let pixels = centred(picture.pixels(), (picture.height(), picture.width()), (h, w));
        Cow::Owned(Picture::new(w, h, pixels))
    }

    /// Height and width of the window that is kept or made, in Keras' arithmetic (shares of a pixel are dropped).
    fn sides(self, h: usize, w: usize, height: usize, width: usize) -> (usize, usize) {
        if height == 0 || width == 0 {
            return (h, w);
        }
        let (fitting_h, fitting_w) = (w * height / width, h * width / height);
        match self {
            Fit::Stretch => (h, w),
            Fit::Crop => (h.min(fitting_h).max(1), w.min(fitting_w).max(1)),
            Fit::Pad => (h.max(fitting_h), w.max(fitting_w)),
        }
    }
}

/// The middle of `src`, `[h, w, 3]`, as `[th, tw, 3]`: cut where it is larger, surrounded by zeros where it is smaller.
fn centred<T: Copy + Default>(src: &[T], (h, w): (usize, usize), (th, tw): (usize, usize)) -> Vec<T> {
    // Along one side: first source pixel, first target pixel, and how many are copied.
    let overlap = |from: usize, to: usize| (from.saturating_sub(to) / 2, to.saturating_sub(from) / 2, from.min(to));
    let ((top, to_top, rows), (left, to_left, columns)) = (overlap(h, th), overlap(w, tw));
    let mut out = vec![T::default(); th * tw * 3];
    for y in 0..rows {
        let source = &src[((top + y) * w + left) * 3..][..columns * 3];
        out[((to_top + y) * tw + to_left) * 3..][..columns * 3].copy_from_slice(source);
    }
    out
}
