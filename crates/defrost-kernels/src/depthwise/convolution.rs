//! A depthwise convolution whose kernel and output may be strided: the form that the forward pass and `dx` share.

use crate::Activation;
use std::ops::Range;

/// One direction of a convolution: output `o` and tap `t` meet input `o·stride + t − pad`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    pub(super) taps: usize,
    pub(super) stride: usize,
    /// Negative where the first inputs are beyond the first window.
    pub(super) pad: isize,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
}

impl Axis {
    /// The input that tap 0 meets at `output`; it may be beyond either end.
    #[inline(always)]
    pub(super) fn first_input(&self, output: usize) -> isize {
        (output * self.stride) as isize - self.pad
    }

    /// The taps that meet an input at `output`.
    #[inline(always)]
    pub(super) fn taps_at(&self, output: usize) -> Range<usize> {
        let first = self.first_input(output);
        let inside = |tap: isize| tap.clamp(0, self.taps as isize) as usize;
        inside(-first)..inside(self.inputs as isize - first)
    }
}

/// Where a row and a column lie in a slice, before the channels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strides {
    pub(super) first: usize,
    pub(super) row: isize,
    pub(super) column: isize,
}

impl Strides {
    pub(super) fn row_major(columns: usize, channels: usize) -> Self {
        Self { first: 0, row: (columns * channels) as isize, column: channels as isize }
    }

    /// The offset of a row and column.
    #[inline(always)]
    pub(super) fn at(&self, row: usize, column: usize) -> isize {
        self.first as isize + row as isize * self.row + column as isize * self.column
    }

    /// Whether rows × columns × channels lie within `len` elements.
    fn are_within(&self, rows: usize, columns: usize, channels: usize, len: usize) -> bool {
        let (Some(last_row), Some(last_column)) = (rows.checked_sub(1), columns.checked_sub(1)) else {
            return true;
        };
        [(0, 0), (0, last_column), (last_row, 0), (last_row, last_column)].into_iter().all(|(row, column)| {
            let offset = self.at(row, column);
            offset >= 0 && offset as usize + channels <= len
        })
    }
}

/// `y = f(conv(x) + bias)`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Convolution<'a> {
    pub(super) channels: usize,
    pub(super) rows: Axis,
    pub(super) columns: Axis,
    /// Row-major.
    pub(super) x: &'a [f32],
    pub(super) kernel: &'a [f32],
    pub(super) kernel_strides: Strides,
    pub(super) y_strides: Strides,
    pub(super) bias: Option<&'a [f32]>,
    pub(super) activation: Activation,
}

impl Convolution<'_> {
    /// Asserts what the unsafe code relies on: that the slices have what the geometry speaks of.
    #[inline(always)]
    pub(super) fn assert_consistent(&self, y_len: usize, sums: Option<&[f32]>) {
        let Self { channels, rows, columns, x, kernel, bias, .. } = *self;
        assert!(x.len() == rows.inputs * columns.inputs * channels);
        assert!(self.kernel_strides.are_within(rows.taps, columns.taps, channels, kernel.len()));
        assert!(self.y_strides.are_within(rows.outputs, columns.outputs, channels, y_len));
        assert!(bias.is_none_or(|bias| bias.len() == channels) && sums.is_none_or(|sums| sums.len() == channels));
    }
}
