//! A file for each kind of finding: pure functions of what was seen.

pub(super) mod classes;
pub(super) mod copies;
pub(super) mod extension;
pub(super) mod labels;
pub(super) mod outliers;
pub(super) mod pixels;
pub(super) mod size;
pub(super) mod unreadable;
