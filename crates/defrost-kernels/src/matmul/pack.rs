//! B of a product, laid out in the order in which the tiles read it.

use super::tile::LINE;
use super::units::TILE_STEP;
use super::{Matrix, PANEL_VECTORS};
use crate::simd::{Routine, Simd, Step, Target, sweep};
use crate::{Bf16, Buffer, Kernels};

/// B of a product, in panels, for one instruction set's vector width.
///
/// A panel is a few vectors of neighbouring columns, row after row. The last panel has only as many vectors as it needs, and
/// zeros in the columns that are missing.
#[derive(Debug, Clone, Default)]
pub struct Packed {
    /// Numbers, or the bits of two bf16 numbers each: of two neighbouring rows.
    data: Buffer,
    rows: usize,
    cols: usize,
    lanes: usize,
    precision: Precision,
    padding: Padding,
}

/// What panels are padded to, with zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Padding {
    /// Whole vectors of columns.
    #[default]
    Vectors,
    /// The blocks of a matrix unit: 32 columns, and a multiple of its step.
    Blocks,
}

/// In what a product multiplies; sums are always single-precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// Single precision.
    #[default]
    F32,
    /// bf16: 8 bits of exponent, 7 of mantissa. Both factors are rounded to it.
    Bf16,
}

impl Precision {
    /// Lanes of a vector that `len` numbers take.
    pub(super) fn lanes_for(self, len: usize) -> usize {
        match self {
            Self::F32 => len,
            Self::Bf16 => len.div_ceil(2),
        }
    }
}

/// The nearest bf16 number's bits; ties go to the even one.
#[inline(always)]
pub(super) fn bf16_bits(value: f32) -> u16 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
    // A NaN must not be rounded to infinity.
    let kept = if value.is_nan() { bits | 0x0040_0000 } else { rounded };
    (kept >> 16) as u16
}

/// The bits of two bf16 numbers.
#[inline(always)]
pub(crate) fn pair(low: f32, high: f32) -> f32 {
    f32::from_bits(u32::from(bf16_bits(low)) | u32::from(bf16_bits(high)) << 16)
}

/// Some rows of one panel.
#[derive(Clone, Copy)]
pub(super) struct Panel<'a> {
    /// `vectors * LANES` floats for each row.
    pub(super) data: &'a [f32],
    /// Number of rows.
    pub(super) depth: usize,
    /// Its first column in B.
    pub(super) column: usize,
    /// Columns that are there.
    pub(super) width: usize,
    /// What a tile brings near while it computes, a cache line for each row of B: a part of the panel that comes next.
    pub(super) next: *const f32,
}

impl Panel<'_> {
    /// The panel as tile number `tile` sees it: each brings another part of what comes next.
    pub(super) fn ahead(self, tile: usize) -> Self {
        Self { next: self.next.wrapping_add(tile * self.depth * LINE), ..self }
    }
}

impl Packed {
    /// Rows of B: the k of the product.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of B: the n of the product.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.data)
    }

    /// In what the product multiplies.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Rows of a panel: of bf16 numbers, pairs.
    pub(super) fn depth(&self) -> usize {
        let depth = self.precision.lanes_for(self.rows);
        match self.padding {
            Padding::Vectors => depth,
            Padding::Blocks => depth.next_multiple_of(TILE_STEP),
        }
    }

    /// Columns of a panel that begins with `width` columns.
    fn padded(&self, width: usize) -> usize {
        match self.padding {
            Padding::Blocks if width > 0 => PANEL_VECTORS * self.lanes,
            _ => width.next_multiple_of(self.lanes),
        }
    }

    pub(super) fn assert_packed_for(&self, lanes: usize, blocks: bool) {
        let fits = self.lanes == lanes && (self.padding == Padding::Blocks) == blocks;
        assert!(fits || self.data.is_empty(), "B was packed for another instruction set");
    }

    /// Rows `from..to` of each panel; of a panel of bf16 numbers, pairs of rows.
    pub(super) fn panels(&self, from: usize, to: usize) -> impl Iterator<Item = Panel<'_>> {
        let step = (PANEL_VECTORS * self.lanes).max(1);
        (0..self.cols).step_by(step).map(move |column| {
            let width = step.min(self.cols - column);
            let padded = self.padded(width);
            let start = column * self.depth();
            let data = &self.data[start + from * padded..start + to * padded];
            Panel { data, depth: to - from, column, width, next: data.as_ptr_range().end }
        })
    }
}

impl Kernels {
    /// Makes `out` the packed `b` with row r times `factors[r]`, as if A's columns had been multiplied by them.
    ///
    /// # Panics
    ///
    /// If there isn't one factor a row, or `b` isn't in single precision.
    pub fn scale_packed(&self, b: &Packed, factors: &[f32], out: &mut Packed) {
        assert_eq!(factors.len(), b.rows, "there must be one factor for each row of B");
        assert!(b.precision == Precision::F32, "rounded weights can't be scaled");
        (out.rows, out.cols, out.lanes) = (b.rows, b.cols, b.lanes);
        (out.precision, out.padding) = (b.precision, b.padding);
        if out.data.len() < b.data.len() {
            out.data.resize(b.data.len());
        }
        self.call(ScaleRows { b, factors, out: &mut out.data[..b.data.len()] });
    }

    /// Lays out `b` for [`Kernels::matmul`].
    ///
    /// # Panics
    ///
    /// If `b` reaches beyond its data.
    pub fn pack(&self, b: Matrix<'_>) -> Packed {
        self.pack_as(b, Precision::F32)
    }

    /// Lays out `b`, rounded to `precision`, for [`Kernels::matmul_with`].
    ///
    /// # Panics
    ///
    /// If `b` reaches beyond its data.
    pub fn pack_as(&self, b: Matrix<'_>, precision: Precision) -> Packed {
        let mut out = Packed::default();
        self.pack_into(b, precision, &mut out);
        out
    }

    /// Lays out `b` in `out`, whose memory is used again.
    ///
    /// # Panics
    ///
    /// If `b` reaches beyond its data.
    pub fn pack_into(&self, b: Matrix<'_>, precision: Precision, out: &mut Packed) {
        let blocks = precision == Precision::Bf16 && self.bf16() == Bf16::Tiles;
        pack(*self, b, precision, if blocks { Padding::Blocks } else { Padding::Vectors }, out);
    }
}

/// Lays out `b` in `out`.
pub(super) fn pack(kernels: Kernels, b: Matrix<'_>, precision: Precision, padding: Padding, out: &mut Packed) {
    assert!(b.is_within(), "B reaches beyond its data");
    (out.precision, out.padding) = (precision, padding);
    kernels.call(Pack { b, out });
}

struct Pack<'a> {
    b: Matrix<'a>,
    out: &'a mut Packed,
}

impl Routine for Pack<'_> {
    #[inline(always)]
    fn run<T: Target>(self, target: T) {
        let Self { b, out } = self;
        (out.rows, out.cols, out.lanes) = (b.rows, b.cols, T::LANES);
        let depth = out.depth();
        let step = PANEL_VECTORS * T::LANES;
        out.data.resize(depth * (b.cols / step * step + out.padded(b.cols % step)));
        if b.rows == 0 {
            return;
        }
        let rows = out.precision.lanes_for(b.rows);
        for column in (0..b.cols).step_by(step) {
            let width = step.min(b.cols - column);
            let padded = out.padded(width);
            let panel = &mut out.data[column * depth..][..padded * depth];
            let from = &b.data[column * b.col_stride..];
            for (row, to) in panel.chunks_exact_mut(padded).enumerate() {
                to[if row < rows { width } else { 0 }..].fill(0.0);
                if row >= rows {
                    continue;
                }
                let to = &mut to[..width];
                // Neighbouring rows read from the same cache lines, as many as the panel is wide.
                let values = |row: usize| from[row * b.row_stride..].iter().step_by(b.col_stride.max(1));
                match out.precision {
                    Precision::F32 if b.col_stride == 1 => {
                        let from = &from[row * b.row_stride..][..width];
                        // SAFETY: the steps stay within the width, which both slices have.
                        unsafe { sweep(target, width, &mut CopyRow { from, to }) };
                    }
                    Precision::F32 => to.iter_mut().zip(values(row)).for_each(|(to, &value)| *to = value),
                    Precision::Bf16 if b.col_stride == 1 && 2 * row + 1 < b.rows => {
                        let [low, high] = [2 * row, 2 * row + 1].map(|row| &from[row * b.row_stride..][..width]);
                        to.iter_mut().zip(low).zip(high).for_each(|((to, &low), &high)| *to = pair(low, high));
                    }
                    Precision::Bf16 => {
                        to.iter_mut().zip(values(2 * row)).for_each(|(to, &value)| *to = value);
                        if 2 * row + 1 < b.rows {
                            to.iter_mut().zip(values(2 * row + 1)).for_each(|(to, &value)| *to = pair(*to, value));
                        } else {
                            to.iter_mut().for_each(|to| *to = pair(*to, 0.0));
                        }
                    }
                }
            }
        }
    }
}

struct ScaleRows<'a> {
    b: &'a Packed,
    factors: &'a [f32],
    out: &'a mut [f32],
}

impl Routine for ScaleRows<'_> {
    #[inline(always)]
    fn run<T: Target>(self, target: T) {
        let Self { b, factors, out } = self;
        let mut rest = out;
        for panel in b.panels(0, b.rows) {
            let (to, after) = rest.split_at_mut(panel.data.len());
            let width = panel.data.len() / b.rows.max(1);
            for ((to, from), &factor) in
                to.chunks_exact_mut(width.max(1)).zip(panel.data.chunks_exact(width.max(1))).zip(factors)
            {
                // SAFETY: the steps stay within the width, which both slices have.
                unsafe { sweep(target, width, &mut ScaleRow { from, factor, to }) };
            }
            rest = after;
        }
    }
}

struct ScaleRow<'a> {
    from: &'a [f32],
    factor: f32,
    to: &'a mut [f32],
}

impl Step for ScaleRow<'_> {
    #[inline(always)]
    unsafe fn step<S: Simd>(&mut self, s: S, at: usize) {
        // SAFETY: the caller keeps the vector within both slices.
        unsafe {
            let scaled = s.mul(s.load(self.from.as_ptr().add(at)), s.splat(self.factor));
            s.store(self.to.as_mut_ptr().add(at), scaled);
        }
    }
}

struct CopyRow<'a> {
    from: &'a [f32],
    to: &'a mut [f32],
}

impl Step for CopyRow<'_> {
    #[inline(always)]
    unsafe fn step<S: Simd>(&mut self, s: S, at: usize) {
        // SAFETY: the caller keeps the vector within both slices.
        unsafe { s.store(self.to.as_mut_ptr().add(at), s.load(self.from.as_ptr().add(at))) };
    }
}
