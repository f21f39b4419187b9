//! Augmentation: numbered views of a picture, so that augmented features can be stored.
//!
//! A [`Pipeline`] is an ordered list of steps that prints and parses as one line: `rotate(15)|flip|crop(0.8..1)`. Invariant: a
//! view is a pure function of the picture, the pipeline's line, the augmentation's seed and the view's number. View 0 is the
//! plain picture.
//!
//! | step | what it draws | Keras |
//! | --- | --- | --- |
//! | `flip`, `flip_vertical` | left–right, upside down; each time one chance in two | `RandomFlip` |
//! | `shift(a)` | right and down, each within ±a of the side | `RandomTranslation` |
//! | `rotate(a)` | an angle within ±a degrees, about the centre | `RandomRotation` (in turns) |
//! | `shear(a)` | a slant within ±a pixels across a pixel, both ways | `RandomShear` |
//! | `zoom(a)` | a magnification within 1 ± a, both sides alike | `RandomZoom` (there, + shrinks) |
//! | `crop(area, ratio)` | a window of that share of the area, its sides' ratio changed by `ratio`: 3/4 to 4/3 | torchvision's `RandomResizedCrop` |
//! | `brightness(a)` | adds within ±a of full scale | `RandomBrightness` |
//! | `contrast(a)` | multiplies the distance from each channel's mean by 1 ± a | `RandomContrast` |
//! | `saturation(a)` | multiplies the distance from grey by 1 ± a | `RandomSaturation` (there on a hue scale) |
//! | `hue(a)` | turns the hue within ±a of the circle | `RandomHue` (there ± a/2) |
//! | `erase(area, ratio)` | a rectangle of that share of the area, one chance in two | `RandomErasing` |
//! | `rand_augment(n, m)` | n of fourteen operations, of strength m of 30 | `RandAugment` (there m of 1) |
//! | `trivial_augment` | one of fourteen operations, and its strength | torchvision's `TrivialAugmentWide` |
//!
//! Steps act in the order that they are written, those that move pixels before those that change colours. The former are one
//! map in the picture's own pixels, before its aspect ratio changes, so pixels are interpolated once; outside, the picture
//! continues reflected. Values stay within 0..=255.
//!
//! ```
//! use defrost::augment::Pipeline;
//!
//! let pipeline: Pipeline = "rotate(15)|flip|crop(0.8..1)".parse()?;
//! assert_eq!(pipeline.to_string(), "rotate(15)|flip|crop(0.8..1)");
//! let error = "rotat(15)".parse::<Pipeline>().unwrap_err();
//! assert!(error.to_string().ends_with("did you mean `rotate`?"));
//! # Ok::<(), defrost::augment::AugmentError>(())
//! ```

mod brightness;
mod contrast;
mod crop;
mod erase;
mod flip;
mod frame;
mod hue;
mod mix;
mod operations;
mod plan;
mod rand_augment;
mod rotate;
mod saturation;
mod shear;
mod shift;
mod step;
mod text;
mod tones;
mod trivial_augment;
mod zoom;

use serde::{Deserialize, Serialize};

use crate::image::{Picture, Resize, resize};
use crate::rng::Stream;
use plan::Plan;
use step::{Kind, Step};

pub use mix::{Mixed, Mixing, Position};
pub use text::{AugmentError, names};

/// Every kind of step. A new one is a file and a line here.
static KINDS: [&Kind; 14] = [
    &flip::FLIP,
    &flip::FLIP_VERTICAL,
    &shift::SHIFT,
    &rotate::ROTATE,
    &shear::SHEAR,
    &zoom::ZOOM,
    &crop::CROP,
    &brightness::BRIGHTNESS,
    &contrast::CONTRAST,
    &saturation::SATURATION,
    &hue::HUE,
    &erase::ERASE,
    &rand_augment::RAND_AUGMENT,
    &trivial_augment::TRIVIAL_AUGMENT,
];

/// Pipelines with a name.
const PRESETS: [(&str, &str); 3] = [
    ("none", ""),
    ("light", "flip|crop(0.8..1)"),
    ("standard", "flip|rotate(10)|crop(0.6..1)|brightness(0.1)|contrast(0.2)|saturation(0.2)"),
];

/// An ordered list of augmentations; the default is none.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pipeline {
    steps: Vec<Step>,
}

impl Pipeline {
    /// The pipeline called `none`, `light` or `standard`.
    pub fn preset(name: &str) -> Option<Pipeline> {
        PRESETS.iter().find(|(known, _)| *known == name).and_then(|(_, line)| text::steps(line).ok()).map(Pipeline::of)
    }

    fn of(steps: Vec<Step>) -> Pipeline {
        Pipeline { steps }
    }

    /// Whether every view is the plain one.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// View `view` of `picture` as `[height, width, 3]` for `size = [height, width]`, RGB 0..=255; view 0 is [`resize`]'s
    /// result. `content` is the hash of the picture's content, so that a picture's views don't depend on its name or place.
    pub fn render(
        &self,
        picture: &Picture,
        view: u32,
        augment_seed: u64,
        content: &[u8; 32],
        size: [usize; 2],
        mode: Resize,
    ) -> Vec<f32> {
        if view == 0 || self.is_empty() {
            return resize(picture, size[0], size[1], mode);
        }
        let mut indices = [0; 6];
        for (index, bytes) in indices.iter_mut().zip(content.as_chunks::<8>().0) {
            *index = u64::from_le_bytes(*bytes);
        }
        indices[4] = u64::from(view);
        // Each step draws from a stream of its own: what one draws doesn't depend on the others.
        let mut plan = Plan::of(picture);
        for (position, step) in self.steps.iter().enumerate() {
            indices[5] = position as u64;
            step.draw(&mut Stream::new(augment_seed, "augment", &indices), &mut plan);
        }
        plan.render(picture, size, mode)
    }

    /// Names what a view's pixels depend on beside the picture, as a part of a cache's key: `plain` for the plain view, else
    /// BLAKE3 over the pipeline's line, the seed and the view's number.
    pub fn identity(&self, view: u32, augment_seed: u64) -> String {
        if view == 0 || self.is_empty() {
            return "plain".to_owned();
        }
        let line = self.to_string();
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(line.len() as u64).to_le_bytes());
        hasher.update(line.as_bytes());
        hasher.update(&augment_seed.to_le_bytes());
        hasher.update(&view.to_le_bytes());
        hasher.finalize().to_string()
    }
}

/// The pipeline and the number of views (the plain one included) for so many training pictures a class.
///
/// Below 30: `standard`, 8 views; below 100: `standard`, 4 views; else none. Each view costs a trunk pass, and the more
/// pictures there are, the less another view of one tells. The thresholds are judgement.
pub fn default_views(train_pictures_per_class: usize) -> (Pipeline, u32) {
    let standard = || Pipeline::preset("standard").unwrap_or_default();
    match train_pictures_per_class {
        0..30 => (standard(), 8),
        30..100 => (standard(), 4),
        _ => (Pipeline::default(), 1),
    }
}

#[cfg(test)]
mod tests;
