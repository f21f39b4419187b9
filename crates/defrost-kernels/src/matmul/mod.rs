//! Matrix products with a fused epilogue: packing, blocking and the walk over tiles.
//!
//! Invariant: an element of the result is computed by the same operations in the same order whatever the number of rows and
//! columns beside it. The inner dimension is cut into chunks by its own length alone; within a chunk each element is one
//! chain of multiply-adds, and the chunks' sums are added in order.
//!
//! # Reference
//!
//! The blocking follows Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", ACM TOMS 34(3), 2008: a
//! panel of B stays in the first-level cache while the rows of A pass by. A is small here and is read where it lies.

mod finish;
mod pack;
mod tile;
mod units;

#[cfg(target_arch = "x86_64")]
pub(crate) use pack::pair;
pub use pack::{Packed, Precision};
pub(crate) use units::MatrixUnit;
#[cfg(target_arch = "x86_64")]
pub(crate) use units::TILE_STEP;

use std::ops::Range;

use crate::simd::{self, Routine, Target};
use crate::{Activation, Bf16, Buffer, Kernels};
use tile::{Bf16Pairs, Layout, Multiply, Output, Seed, Singles, call_tile};
use units::UnitProduct;

/// Vectors in a panel of B, and the width of the register tile.
pub(crate) const PANEL_VECTORS: usize = 2;

/// The longest stretch of the inner dimension that is summed at once.
const CHUNK: usize = 512;

/// Bytes of A that stay in the second-level cache while all of B's panels pass by.
const BLOCK_BYTES: usize = 256 * 1024;

/// A strided view of a matrix: element (i, j) is `data[i * row_stride + j * col_stride]`, or, where its rows lie in
/// [segments](Matrix::patches), `data[i * row_stride + j / segment * segment_stride + j % segment]`.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    /// The elements, the first one at (0, 0).
    pub data: &'a [f32],
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// Distance between vertical neighbours.
    pub row_stride: usize,
    /// Distance between horizontal neighbours.
    pub col_stride: usize,
    /// The stretches that each row lies in, where it is more than one.
    segments: Option<Segments>,
}

/// Where the parts of a row lie.
#[derive(Debug, Clone, Copy)]
struct Segments {
    count: usize,
    stride: usize,
}

impl<'a> Matrix<'a> {
    /// A row-major, contiguous matrix.
    pub fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        Self { data, rows, cols, row_stride: cols, col_stride: 1, segments: None }
    }

    /// The patches of one row of a convolution, read where they lie in the picture: row i is `count` stretches of `len`
    /// elements, `stride` apart, the first at `i * row_stride`.
    pub fn patches(data: &'a [f32], rows: usize, row_stride: usize, [count, len, stride]: [usize; 3]) -> Self {
        let segments = Some(Segments { count, stride });
        Self { data, rows, cols: count * len, row_stride, col_stride: 1, segments }
    }

    /// The same elements with rows and columns exchanged; nothing is moved.
    ///
    /// # Panics
    ///
    /// If its rows lie in segments.
    pub fn transposed(self) -> Self {
        assert!(self.segments.is_none(), "a matrix of patches can't be transposed");
        Self {
            segments: None,
            data: self.data,
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
        }
    }

    /// Whether every element lies within `data`.
    fn is_within(&self) -> bool {
        let last = |count: usize, stride: usize| count.checked_sub(1)?.checked_mul(stride);
        let [count, len, stride] = self.layout();
        let across = || last(count, stride)?.checked_add(last(len, self.col_stride)?);
        let index = || last(self.rows, self.row_stride)?.checked_add(across()?);
        match index() {
            Some(index) => index < self.data.len(),
            None => self.rows == 0 || self.cols == 0,
        }
    }

    /// Number of segments of a row, their length, and the distance between them.
    fn layout(&self) -> [usize; 3] {
        match self.segments {
            None => [1, self.cols, 0],
            Some(Segments { count, stride }) => [count, self.cols / count.max(1), stride],
        }
    }
}

/// What happens to a product before it is stored: `C = f(A·B + bias) + residual`, or `C += A·B`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Epilogue<'a> {
    /// Added to each row, before the activation; one value for each column.
    pub bias: Option<&'a [f32]>,
    /// Applied to each element.
    pub activation: Activation,
    /// Added after the activation; as C, m×n row-major.
    pub residual: Option<&'a [f32]>,
    /// Adds the product to what C holds; there is then no bias, activation or residual.
    pub accumulate: bool,
}

impl Kernels {
    /// `C = f(A·B + bias) + residual`, or `C += A·B`.
    ///
    /// A may be strided, so a transposed view gives `Aᵀ·B`.
    ///
    /// # Shapes
    ///
    /// A m×k, B k×n, C m×n row-major and contiguous, bias n, residual m×n.
    ///
    /// # Panics
    ///
    /// If the shapes don't match, B was packed for another instruction set, or `accumulate` comes with anything else.
    pub fn matmul(&self, a: Matrix<'_>, b: &Packed, c: &mut [f32], epilogue: &Epilogue<'_>) {
        self.matmul_with(a, b, c, epilogue, &mut Buffer::default());
    }

    /// [`matmul`](Self::matmul), where B may be bf16: A is rounded into `rounded`, a buffer that grows as it must.
    ///
    /// # Panics
    ///
    /// As [`matmul`](Self::matmul); and if A is patches and B is bf16.
    pub fn matmul_with(&self, a: Matrix<'_>, b: &Packed, c: &mut [f32], epilogue: &Epilogue<'_>, rounded: &mut Buffer) {
        let (m, n) = (a.rows, b.cols());
        assert!(a.is_within(), "A reaches beyond its data");
        assert_eq!(a.cols, b.rows(), "A's columns must match B's rows");
        assert_eq!(Some(c.len()), m.checked_mul(n), "C must be m×n");
        if let Some(bias) = epilogue.bias {
            assert_eq!(bias.len(), n, "the bias must have one element for each column");
        }
        if let Some(residual) = epilogue.residual {
            assert_eq!(residual.len(), c.len(), "the residual must be m×n");
        }
        if epilogue.accumulate {
            assert!(
                epilogue.bias.is_none() && epilogue.residual.is_none() && epilogue.activation == Activation::Linear,
                "`accumulate` excludes bias, activation and residual"
            );
        }
        match b.precision() {
            Precision::F32 => self.call(Product { a, b, c, epilogue }),
            Precision::Bf16 => match simd::matrix_unit().filter(|_| self.bf16() == Bf16::Tiles && a.cols > 0) {
                Some(unit) => self.call_bf16(UnitProduct { unit, a, b, c, epilogue, rounded }),
                None => self.call_bf16(Bf16Product { a, b, c, epilogue, rounded }),
            },
        }
    }
}

struct Product<'a> {
    a: Matrix<'a>,
    b: &'a Packed,
    c: &'a mut [f32],
    epilogue: &'a Epilogue<'a>,
}

impl Routine for Product<'_> {
    #[inline(always)]
    fn run<T: Target>(self, target: T) {
        let Self { a, b, c, epilogue } = self;
        let (m, k, n) = (a.rows, a.cols, b.cols());
        b.assert_packed_for(T::LANES, false);
        let chunks = if a.segments.is_some() { 1 } else { k.div_ceil(CHUNK).max(1) };
        let depth = k.div_ceil(chunks);
        for chunk in 0..chunks {
            let (from, to) = ((chunk * depth).min(k), ((chunk + 1) * depth).min(k));
            let [segments, _, segment_stride] = a.layout();
            let layout = Layout {
                row_stride: a.row_stride,
                col_stride: a.col_stride,
                segments,
                segment_len: (to - from) / segments.max(1),
                segment_stride,
            };
            let stage = Stage { is_first: chunk == 0, is_last: chunk + 1 == chunks, from, to };
            // Blocks of even height: 49 rows are 5 tiles of 9 or 10, not 4 of 12 and one of a single row.
            for rows in even(m, block_rows(to - from, T::TILE_ROWS)) {
                let a = a.data.get(rows.start * a.row_stride + from * a.col_stride..).unwrap_or_default();
                let at = rows.start * n;
                block::<T, Singles>(target, rows.len(), a, layout, b, Block { c: &mut c[at..], at, epilogue }, stage);
            }
        }
    }
}

/// The product of bf16 numbers: A is rounded block by block, and each lane holds two neighbours of a row.
struct Bf16Product<'a> {
    a: Matrix<'a>,
    b: &'a Packed,
    c: &'a mut [f32],
    epilogue: &'a Epilogue<'a>,
    rounded: &'a mut Buffer,
}

impl Routine for Bf16Product<'_> {
    #[inline(always)]
    fn run<T: Target>(self, target: T) {
        let Self { a, b, c, epilogue, rounded } = self;
        let (m, n) = (a.rows, b.cols());
        b.assert_packed_for(T::LANES, false);
        assert!(a.segments.is_none(), "patches are multiplied in single precision");
        let depth = b.precision().lanes_for(a.cols);
        let layout = Layout { row_stride: depth, col_stride: 1, segments: 1, segment_len: depth, segment_stride: 0 };
        let stage = Stage { is_first: true, is_last: true, from: 0, to: depth };
        for rows in even(m, block_rows(depth, T::TILE_ROWS)) {
            let len = rows.len() * depth;
            if rounded.len() < len {
                rounded.resize(len);
            }
            round_rows(a, rows.clone(), depth, &mut rounded[..len]);
            let at = rows.start * n;
            let to = Block { c: &mut c[at..], at, epilogue };
            block::<T, Bf16Pairs>(target, rows.len(), &rounded[..len], layout, b, to, stage);
        }
    }
}

/// Rounds some rows of A to `depth` pairs of bf16 numbers each, with zeros after the last column.
#[inline(always)]
fn round_rows(a: Matrix<'_>, rows: Range<usize>, depth: usize, pairs: &mut [f32]) {
    for (row, pairs) in rows.zip(pairs.chunks_exact_mut(depth.max(1))) {
        let from = &a.data[row * a.row_stride..];
        let at = |j: usize| if j < a.cols { from[j * a.col_stride] } else { 0.0 };
        if a.col_stride == 1 {
            let whole = a.cols / 2;
            for (pair, from) in pairs[..whole].iter_mut().zip(from[..2 * whole].chunks_exact(2)) {
                *pair = pack::pair(from[0], from[1]);
            }
            pairs[whole..].iter_mut().for_each(|pair| *pair = pack::pair(at(2 * whole), 0.0));
        } else {
            pairs.iter_mut().enumerate().for_each(|(j, pair)| *pair = pack::pair(at(2 * j), at(2 * j + 1)));
        }
    }
}

/// A stretch of the inner dimension.
#[derive(Clone, Copy)]
struct Stage {
    is_first: bool,
    is_last: bool,
    from: usize,
    to: usize,
}

/// Some rows of the result.
struct Block<'a> {
    /// C from their first element on.
    c: &'a mut [f32],
    /// Where that lies in C.
    at: usize,
    epilogue: &'a Epilogue<'a>,
}

/// Takes some rows of A through all panels of B.
#[inline(always)]
fn block<T: Target, M: Multiply>(
    target: T,
    rows: usize,
    a: &[f32],
    layout: Layout,
    b: &Packed,
    Block { c, at, epilogue }: Block<'_>,
    stage: Stage,
) {
    let n = b.cols();
    let has_finish = epilogue.activation != Activation::Linear || epilogue.residual.is_some();
    for panel in b.panels(stage.from, stage.to) {
        for (number, tile) in even(rows, T::TILE_ROWS).enumerate() {
            let offset = tile.start * n + panel.column;
            let seed = match epilogue.bias {
                _ if epilogue.accumulate || !stage.is_first => Seed::Output,
                Some(bias) => Seed::Bias(&bias[panel.column..]),
                None => Seed::Zero,
            };
            let output = Output { c: &mut c[offset..], stride: n, seed };
            let a = a.get(tile.start * layout.row_stride..).unwrap_or_default();
            call_tile::<T, M>(target, tile.len(), a, layout, panel.ahead(number), output);
            if stage.is_last && has_finish {
                let residual = epilogue.residual.map(|residual| &residual[at + offset..]);
                finish::call(target, epilogue.activation, &mut c[offset..], residual, [tile.len(), panel.width], n);
            }
        }
    }
}

/// Cuts `0..len` into ranges of even length, at most `most`.
#[inline(always)]
fn even(len: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let parts = len.div_ceil(most);
    (0..parts).map(move |part| part * len / parts..(part + 1) * len / parts)
}

/// Rows of A that are taken through all panels together, for a chunk of `depth`.
fn block_rows(depth: usize, tile_rows: usize) -> usize {
    let rows = BLOCK_BYTES / size_of::<f32>() / depth.max(1);
    (rows / tile_rows).max(1) * tile_rows
}
