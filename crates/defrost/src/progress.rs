//! Events out, cancellation in: how long work tells of itself without knowing a terminal.

use std::sync::atomic::{AtomicBool, Ordering};

/// A phase of work with a known number of units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Decoding pictures for their perceptual hashes, before they are split.
    Looks,
    /// Decoding and resizing pictures for the frozen trunk, and running it: the trunk pass.
    Features,
    /// The epochs of the stages; a unit is a picture.
    Epoch,
    /// Pictures through the finished classifier.
    Predict,
    /// Bytes of a download.
    Download,
}

/// Who is told what happens. All methods may be called from any thread.
pub trait Observer: Send + Sync {
    /// A phase of `total` units begins.
    fn begin(&self, phase: Phase, total: u64, label: &str);
    /// `units` more are done.
    fn advance(&self, units: u64);
    /// The phase is over.
    fn end(&self);
}

/// The handle that the library passes around: an optional observer and a flag that stops the work.
#[derive(Default, Clone, Copy)]
pub struct Progress<'a> {
    observer: Option<&'a dyn Observer>,
    cancel: Option<&'a AtomicBool>,
}

impl std::fmt::Debug for Progress<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("observed", &self.observer.is_some()).finish_non_exhaustive()
    }
}

impl<'a> Progress<'a> {
    /// Nobody is told, nothing cancels.
    pub fn none() -> Progress<'static> {
        Progress::default()
    }

    /// Tells `observer`; stops soon after `cancel` becomes true.
    pub fn new(observer: &'a dyn Observer, cancel: &'a AtomicBool) -> Progress<'a> {
        Progress { observer: Some(observer), cancel: Some(cancel) }
    }

    /// Whether the work should stop.
    pub fn cancelled(&self) -> bool {
        self.cancel.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// A phase of `total` units begins.
    pub fn begin(&self, phase: Phase, total: u64, label: &str) {
        if let Some(observer) = self.observer {
            observer.begin(phase, total, label);
        }
    }

    /// `units` more are done.
    pub fn advance(&self, units: u64) {
        if let Some(observer) = self.observer {
            observer.advance(units);
        }
    }

    /// The phase is over.
    pub fn end(&self) {
        if let Some(observer) = self.observer {
            observer.end();
        }
    }
}
