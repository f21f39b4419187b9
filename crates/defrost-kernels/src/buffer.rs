//! Memory for floats that begins at a cache line.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// As many floats as a cache line of x86-64 and most of AArch64 has, and as the widest vector.
const LINE: usize = 16;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// Floats from the start of a cache line on: a wide vector then lies in one line, not in two, where an allocator's usual
/// 16 bytes make each one straddle. Depthwise convolutions, which load a vector for every few multiply-adds, are half as fast
/// again.
#[derive(Clone, Default)]
pub struct Buffer {
    lines: Vec<Line>,
    len: usize,
}

impl Buffer {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        Self { lines: vec![Line([0.0; LINE]); len.div_ceil(LINE)], len }
    }

    /// Makes it a copy of `values`.
    pub fn assign(&mut self, values: &[f32]) {
        self.resize(values.len());
        self.copy_from_slice(values);
    }

    /// Makes it `len` long. What it holds afterwards doesn't matter; new memory is zero.
    pub fn resize(&mut self, len: usize) {
        self.lines.resize(len.div_ceil(LINE), Line([0.0; LINE]));
        self.len = len;
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: the lines are `[f32; LINE]` without gaps, initialized, and at least `len` floats together.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl From<&[f32]> for Buffer {
    fn from(values: &[f32]) -> Self {
        let mut buffer = Self::default();
        buffer.assign(values);
        buffer
    }
}

impl FromIterator<f32> for Buffer {
    fn from_iter<I: IntoIterator<Item = f32>>(values: I) -> Self {
        Self::from(&values.into_iter().collect::<Vec<f32>>()[..])
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.deref().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_begins_at_a_cache_line_and_keeps_its_values() {
        for len in [0, 1, 15, 16, 17, 1000] {
            let values: Vec<f32> = (0..len).map(|i| i as f32).collect();
            let mut buffer = Buffer::from(&values[..]);
            assert_eq!(*buffer, values[..]);
            assert!(buffer.as_ptr().addr().is_multiple_of(64), "{len}");
            buffer.resize(len + 40);
            assert_eq!(buffer.len(), len + 40);
            assert_eq!(buffer[..len], values[..]);
        }
    }
}
