//! Stored rows of pictures that are known by their content alone: nothing is computed, and the pictures needn't be there.

use super::pictures::key;
use super::rows::combine;
use super::store::{Kept, Key};
use super::{Cache, StoreError};
use crate::augment::Pipeline;
use crate::backbone::InputRange;
use crate::image::{Decoding, Resize, decoder_name};

/// How a picture becomes what the network sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prepared {
    /// The side of the square.
    pub input_size: usize,
    /// How many of a JPEG's pixels are decoded.
    pub decoding: Decoding,
    /// How a picture is brought to that size.
    pub resize: Resize,
    /// What the network expects.
    pub range: InputRange,
}

impl Prepared {
    /// Identifies what pixels depend on beside the picture and the view.
    pub(super) fn identity(&self) -> blake3::Hash {
        let &Prepared { input_size, decoding, resize, range } = self;
        blake3::hash(format!("{} {resize:?} {input_size} {range:?}", decoder_name(decoding)).as_bytes())
    }
}

/// The rows of pictures' plain views, as far as a cache has them.
#[derive(Debug, Default)]
pub struct PlainRows {
    keys: Vec<Key>,
    kept: Kept,
}

impl PlainRows {
    /// Looks for the rows of the pictures with these contents (BLAKE3). `fingerprint` identifies the network, as for
    /// [`Rows::from_pictures`](super::Rows::from_pictures).
    ///
    /// # Errors
    /// When the cache can't be opened.
    pub fn find(
        cache: &Cache,
        fingerprint: blake3::Hash,
        prepared: Prepared,
        contents: &[[u8; 32]],
    ) -> Result<PlainRows, StoreError> {
        let Some(store) = cache.store() else { return Ok(PlainRows::default()) };
        let trunk = combine(&[fingerprint, prepared.identity()]);
        let plain = Pipeline::default().identity(0, 0);
        let keys: Vec<Key> = contents.iter().map(|content| key(&trunk, content, &plain)).collect();
        let kept = store.find(&keys)?;
        Ok(PlainRows { keys, kept })
    }

    /// How many there are.
    pub fn found(&self) -> usize {
        self.kept.places.iter().flatten().count()
    }

    /// Reads the row of a picture by its number; false where it isn't kept, or is damaged.
    pub fn read(&self, picture: usize, row: &mut [f32]) -> bool {
        self.keys.get(picture).is_some_and(|key| self.kept.read(picture, key, row))
    }
}
