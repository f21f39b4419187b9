//! One variant of a picture, drawn and not yet computed: where its points lie, then what happens to its colours.
//!
//! Invariant: pixels are interpolated once, whatever the number of steps, and every change of colours ends within 0..=255.

use std::fmt;

use super::frame::Frame;
use crate::image::{Picture, Resize};

/// What the steps of a pipeline have drawn.
pub(super) struct Plan {
    /// What the view shows.
    pub(super) frame: Frame,
    changes: Vec<Change>,
}

/// A change of a view's pixels, its numbers drawn.
type Change = Box<dyn FnOnce(&mut View)>;

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("frame", &self.frame).field("changes", &self.changes.len()).finish()
    }
}

/// The pixels of a view, RGB 0..=255.
#[derive(Debug)]
pub(super) struct View {
    /// `[height, width, 3]`
    pub(super) pixels: Vec<f32>,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Plan {
    /// The plain picture.
    pub(super) fn of(picture: &Picture) -> Plan {
        Plan { frame: Frame::of(picture), changes: Vec::new() }
    }

    /// Adds a change of the pixels; what leaves 0..=255 is clipped after it.
    pub(super) fn then(&mut self, change: impl FnOnce(&mut View) + 'static) {
        self.changes.push(Box::new(change));
    }

    /// The view as `[height, width, 3]`.
    pub(super) fn render(self, picture: &Picture, [height, width]: [usize; 2], mode: Resize) -> Vec<f32> {
        let mut view = View { pixels: self.frame.sample(picture, [height, width], mode), height, width };
        for change in self.changes {
            change(&mut view);
            view.pixels.iter_mut().for_each(|sample| *sample = sample.clamp(0.0, 255.0));
        }
        view.pixels
    }
}
