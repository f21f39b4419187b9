//! Surveys for tests, of pictures that don't exist.

use super::{Seen, Survey};
use crate::image::PerceptualHash;

/// A picture for each label, all different, on the training side.
pub(super) fn survey(labels: &[usize], classes: usize) -> Survey {
    let seen = |(number, &label): (usize, &usize)| Seen {
        path: format!("c{label}/{number:04}.jpg"),
        label,
        side: 0,
        content: *blake3::hash(&number.to_le_bytes()).as_bytes(),
        group: None,
        traits: None,
        damage: None,
        hash: PerceptualHash::from((number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
    };
    Survey {
        classes: (0..classes).map(|class| format!("c{class}")).collect(),
        seen: labels.iter().enumerate().map(seen).collect(),
        lost: Vec::new(),
        empty: Vec::new(),
    }
}
