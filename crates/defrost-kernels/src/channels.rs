//! Arithmetic on rows × channels, and on plain slices.
//!
//! A sum over rows adds them in order, whatever the width of a vector.

use crate::activation::{Function, match_activation};
use crate::simd::{Routine, Simd, Step, Target, sweep};
use crate::{Activation, Kernels};

impl Kernels {
    /// `x[r, c] = f(x[r, c] · scale[c] + shift[c])`
    ///
    /// # Panics
    ///
    /// If `scale` and `shift` differ in length, or `x` is no whole number of rows of that length.
    pub fn scale_shift(&self, x: &mut [f32], scale: &[f32], shift: &[f32], activation: Activation) {
        assert_eq!(scale.len(), shift.len(), "`scale` and `shift` must have the same length");
        assert_rows(x.len(), scale.len());
        match_activation!(activation, function => self.call(ScaleShift { x, scale, shift, function }));
    }

    /// `y[r, c] = f(x[r, c] · scale[c] + shift[c])`
    ///
    /// # Panics
    ///
    /// If `x` and `y`, or `scale` and `shift`, differ in length, or `x` is no whole number of rows.
    pub fn scale_shift_into(&self, x: &[f32], scale: &[f32], shift: &[f32], activation: Activation, y: &mut [f32]) {
        assert_eq!(scale.len(), shift.len(), "`scale` and `shift` must have the same length");
        assert_eq!(x.len(), y.len(), "`x` and `y` must have the same length");
        assert_rows(x.len(), scale.len());
        match_activation!(activation, function => self.call(ScaleShiftInto { x, y, scale, shift, function }));
    }

    /// The gradient of [`scale_shift_into`](Self::scale_shift_into): with `dz = dy · f'(x · scale + shift)`,
    /// `dy[r, c] = dz[r, c] · scale[c]`, `sum[c] += Σ_r dz[r, c]`, `dot[c] += Σ_r dz[r, c] · x[r, c]`.
    ///
    /// `dy` thus becomes the gradient by `x`; `sum` is the one by `shift`, `dot` the one by `scale`.
    ///
    /// # Panics
    ///
    /// If `x` and `dy` differ in length, `scale`, `shift`, `sum` and `dot` do, or `x` is no whole number of rows.
    pub fn scale_shift_gradient(
        &self,
        x: &[f32],
        [scale, shift]: [&[f32]; 2],
        activation: Activation,
        dy: &mut [f32],
        [sum, dot]: [&mut [f32]; 2],
    ) {
        let channels = scale.len();
        assert!(
            [shift.len(), sum.len(), dot.len()] == [channels; 3],
            "`scale`, `shift`, `sum` and `dot` must have the same length"
        );
        assert_eq!(x.len(), dy.len(), "`x` and `dy` must have the same length");
        assert_rows(x.len(), channels);
        match_activation!(activation, function => self.call(ScaleShiftGradient { x, dy, scale, shift, sum, dot, function }));
    }

    /// `x[r, c] = x[r, c] · gate[c]`
    ///
    /// # Panics
    ///
    /// If `x` is no whole number of rows of `gate.len()`.
    pub fn multiply_channels(&self, x: &mut [f32], gate: &[f32]) {
        assert_rows(x.len(), gate.len());
        self.call(MultiplyChannels { x, gate });
    }

    /// `y[r, c] = x[r, c] · gate[c]`
    ///
    /// # Panics
    ///
    /// If `x` and `y` differ in length, or are no whole number of rows of `gate.len()`.
    pub fn multiply_channels_into(&self, x: &[f32], gate: &[f32], y: &mut [f32]) {
        assert_eq!(x.len(), y.len(), "`x` and `y` must have the same length");
        assert_rows(x.len(), gate.len());
        self.call(MultiplyChannelsInto { x, gate, y });
    }

    /// The gradient of [`multiply_channels_into`](Self::multiply_channels_into): `dgate[c] += Σ_r x[r, c] · dy[r, c]`, then
    /// `dy[r, c] = dy[r, c] · gate[c]`, which is the gradient by `x`.
    ///
    /// # Panics
    ///
    /// If `gate` and `dgate` differ in length, or `x` and `dy`, or those are no whole number of rows of `gate.len()`.
    pub fn multiply_channels_gradient(&self, x: &[f32], gate: &[f32], dy: &mut [f32], dgate: &mut [f32]) {
        assert_eq!(gate.len(), dgate.len(), "`gate` and `dgate` must have the same length");
        assert_eq!(x.len(), dy.len(), "`x` and `dy` must have the same length");
        assert_rows(x.len(), gate.len());
        self.call(MultiplyChannelsGradient { x, gate, dy, dgate });
    }

    /// `y[r, c] += row[c]`
    ///
    /// # Panics
    ///
    /// If `y` is no whole number of rows of `row.len()`.
    pub fn add_row(&self, y: &mut [f32], row: &[f32]) {
        assert_rows(y.len(), row.len());
        for y in y.chunks_exact_mut(row.len().max(1)) {
            self.add_assign(y, row);
        }
    }

    /// `out[c] += Σ_r x[r, c]`
    ///
    /// # Panics
    ///
    /// If `out` is not `channels` long, or `x` is no whole number of rows.
    pub fn sum_rows(&self, x: &[f32], channels: usize, out: &mut [f32]) {
        assert_eq!(out.len(), channels, "`out` must have one element for each channel");
        assert_rows(x.len(), channels);
        self.call(Sum { x, out });
    }

    /// `out[c] += Σ_r a[r, c] · b[r, c]`
    ///
    /// # Panics
    ///
    /// If `out` is not `channels` long, `a` and `b` differ in length, or are no whole number of rows.
    pub fn dot_rows(&self, a: &[f32], b: &[f32], channels: usize, out: &mut [f32]) {
        assert_eq!(out.len(), channels, "`out` must have one element for each channel");
        assert_eq!(a.len(), b.len(), "`a` and `b` must have the same length");
        assert_rows(a.len(), channels);
        self.call(Dot { a, b, out });
    }

    /// `y += x`
    ///
    /// # Panics
    ///
    /// If `y` and `x` differ in length.
    pub fn add_assign(&self, y: &mut [f32], x: &[f32]) {
        assert_eq!(y.len(), x.len(), "`y` and `x` must have the same length");
        self.call(Add { y, x });
    }

    /// `y += factor · x`
    ///
    /// # Panics
    ///
    /// If `y` and `x` differ in length.
    pub fn add_scaled(&self, y: &mut [f32], x: &[f32], factor: f32) {
        assert_eq!(y.len(), x.len(), "`y` and `x` must have the same length");
        self.call(AddScaled { y, x, factor });
    }
}

fn assert_rows(len: usize, channels: usize) {
    assert!(
        if channels == 0 { len == 0 } else { len.is_multiple_of(channels) },
        "{len} elements are no whole number of rows of {channels} channels"
    );
}

struct ScaleShift<'a, F> {
    x: &'a mut [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    function: F,
}

impl<F: Function> Routine for ScaleShift<'_, F> {
    #[inline(always)]
    fn run<T: Target>(self, target: T) {
        let Self { x, scale, shift, function } = self;
        for row in x.chunks_exact_mut(scale.len().max(1)) {
            // SAFETY: the step stays within the row, and `scale` and `shift` are as long.
            unsafe { sweep(target, scale.len(), &mut ScaleShift { x: row, scale, shift, function }) };
        }
    }
}

impl<F: Function> Step for ScaleShift<'_, F> {
    #[inline(always)]
    unsafe fn step<S: Simd>(&mut self, s: S, at: usize) {
        // SAFETY: the caller keeps the vector within a row.
        unsafe {
            let x = self.x.as_mut_ptr().add(at);
            let (scale, shift) = (s.load(self.scale.as_ptr().add(at)), s.load(self.shift.as_ptr().add(at)));
            s.store(x, self.function.value(s, s.mul_add(s.load(x), scale, shift)));
        }
    }
}

struct ScaleShiftInto<'a, F> {
    x: &'a [f32],
    y: &'a mut [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    function: F,
}

impl<F: Function> Routine for ScaleShiftInto<'_, F> {
    #[inline(always)]
    fn run<T: Target>(self, target: T) {
        let Self { x, y, scale, shift, function } = self;
        let channels = scale.len().max(1);
        for (x, y) in x.chunks_exact(channels).zip(y.chunks_exact_mut(channels)) {
            // SAFETY: the step stays within the rows, and `scale` and `shift` are as long.
            unsafe { sweep(target, scale.len(), &mut ScaleShiftInto { x, y, scale, shift, function }) };
        }
    }
}

impl<F: Function> Step for ScaleShiftInto<'_, F> {
    #[inline(always)]
    unsafe fn step<S: Simd>(&mut self, s: S, at: usize) {
        // SAFETY: the caller keeps the vector within a row.
        unsafe {
            let x = s.load(self.x.as_ptr().add(at));
            let (scale, shift) = (s.load(self.scale.as_ptr().add(at)), s.load(self.shift.as_ptr().add(at)));
            s.store(self.y.as_mut_ptr().add(at), self.function.value(s, s.mul_add(x, scale, shift)));
        }
    }
}

struct ScaleShiftGradient<'a, F> {
    x: &'a [f32],
    dy: &'a mut [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    sum: &'a mut [f32],
    dot: &'a mut [f32],
    function: F,
}

impl<F: Function> Routine for ScaleShiftGradient<'_, F> {
    #[inline(always)]
    fn run<T: Target>(self, target: T) {
        let Self { x, dy, scale, shift, sum, dot, function } = self;
        let block = (BLOCK_ROWS * scale.len()).max(1);
        for (x, dy) in x.chunks(block).zip(dy.chunks_mut(block)) {
            // SAFETY: the step takes the vectors at the same channel of each row of the blocks, which are as long; the four
            // other slices have an element for each channel.
            unsafe { sweep(target, scale.len(), &mut ScaleShiftGradient { x, dy, scale, shift, sum, dot, function }) };
        }
    }
}

impl<F: Function> Step for ScaleShiftGradient<'_, F> {
    #[inline(always)]
    unsafe fn step<S: Simd>(&mut self, s: S, at: usize) {
        let channels = self.scale.len();
        // SAFETY: the caller keeps the vector within the channels, and `x` and `dy` are whole rows.
        unsafe {
            let (scale, shift) = (s.load(self.scale.as_ptr().add(at)), s.load(self.shift.as_ptr().add(at)));
            let (sum_at, dot_at) = (self.sum.as_mut_ptr().add(at), self.dot.as_mut_ptr().add(at));
            let (mut sum, mut dot) = (s.load(sum_at), s.load(dot_at));
            for row in 0..self.x.len() / channels {
                let offset = row * channels + at;
                let (x, dy) = (s.load(self.x.as_ptr().add(offset)), self.dy.as_mut_ptr().add(offset));
                let dz = self.function.gradient(s, s.mul_add(x, scale, shift), s.load(dy));
                sum = s.add(sum, dz);
                dot = s.mul_add(dz, x, dot);
                s.store(dy, s.mul(dz, scale));
            }
            s.store(sum_at, sum);
            s.store(dot_at, dot);
        }
    }
}

struct MultiplyChannels<'a> {
    x: &'a mut [f32],
    gate: &'a [f32],
}

impl Routine for MultiplyChannels<'_> {
    #[inline(always)]
    fn run<T: Target>(self, target: T) {
        let Self { x, gate } = self;
        for row in x.chunks_exact_mut(gate.len().max(1)) {
            // SAFETY: the step stays within the row, and `gate` is as long.
            unsafe { sweep(target, gate.len(), &mut MultiplyChannels { x: row, gate }) };
        }
    }
}

impl Step for MultiplyChannels<'_> {
    #[inline(always)]
    unsafe fn step<S: Simd>(&mut self, s: S, at: usize) {
        // SAFETY: the caller keeps the vector within a row.
        unsafe {
            let x = self.x.as_mut_ptr().add(at);
            s.store(x, s.mul(s.load(x), s.load(self.gate.as_ptr().add(at))));
        }
    }
}

struct MultiplyChannelsInto<'a> {
    x: &'a [f32],
    gate: &'a [f32],
    y: &'a mut [f32],
}

impl Routine for MultiplyChannelsInto<'_> {
    #[inline(always)]
    fn run<T: Target>(self, target: T) {
        let Self { x, gate, y } = self;
        let channels = gate.len().max(1);
        for (x, y) in x.chunks_exact(channels).zip(y.chunks_exact_mut(channels)) {
            // SAFETY: the step stays within the rows, and `gate` is as long.
            unsafe { sweep(target, gate.len(), &mut MultiplyChannelsInto { x, gate, y }) };
        }
    }
}

impl Step for MultiplyChannelsInto<'_> {
    #[inline(always)]
    unsafe fn step<S: Simd>(&mut self, s: S, at: usize) {
        // SAFETY: the caller keeps the vector within a row.
        unsafe {
            let product = s.mul(s.load(self.x.as_ptr().add(at)), s.load(self.gate.as_ptr().add(at)));
            s.store(self.y.as_mut_ptr().add(at), product);
        }
    }
}

struct MultiplyChannelsGradient<'a> {
    x: &'a [f32],
    gate: &'a [f32],
    dy: &'a mut [f32],
    dgate: &'a mut [f32],
}

impl Routine for MultiplyChannelsGradient<'_> {
    #[inline(always)]
    fn run<T: Target>(self, target: T) {
        let Self { x, gate, dy, dgate } = self;
        let block = (BLOCK_ROWS * gate.len()).max(1);
        for (x, dy) in x.chunks(block).zip(dy.chunks_mut(block)) {
            // SAFETY: the step takes the vectors at the same channel of each row of the blocks, which are as long.
            unsafe { sweep(target, gate.len(), &mut MultiplyChannelsGradient { x, gate, dy, dgate }) };
        }
    }
}

impl Step for MultiplyChannelsGradient<'_> {
    #[inline(always)]
    unsafe fn step<S: Simd>(&mut self, s: S, at: usize) {
        let channels = self.gate.len();
        // SAFETY: the caller keeps the vector within the channels, and `x` and `dy` are whole rows.
        unsafe {
            let (gate, dgate) = (s.load(self.gate.as_ptr().add(at)), self.dgate.as_mut_ptr().add(at));
            let mut sum = s.load(dgate);
            for row in 0..self.x.len() / channels {
                let (x, dy) = (self.x.as_ptr().add(row * channels + at), self.dy.as_mut_ptr().add(row * channels + at));
                let gradient = s.load(dy);
                sum = s.mul_add(s.load(x), gradient, sum);
                s.store(dy, s.mul(gradient, gate));
            }
            s.store(dgate, sum);
        }
    }
}

/// Rows that a sum takes at once: they stay in the first-level cache, and `out` is touched once for all of them.
const BLOCK_ROWS: usize = 8;

struct Sum<'a> {
    x: &'a [f32],
    out: &'a mut [f32],
}

impl Routine for Sum<'_> {
    #[inline(always)]
    fn run<T: Target>(self, target: T) {
        let channels = self.out.len();
        for block in self.x.chunks((BLOCK_ROWS * channels).max(1)) {
            // SAFETY: the step adds the vectors at the same channel of each row of the block.
            unsafe { sweep(target, channels, &mut Sum { x: block, out: self.out }) };
        }
    }
}

impl Step for Sum<'_> {
    #[inline(always)]
    unsafe fn step<S: Simd>(&mut self, s: S, at: usize) {
        let channels = self.out.len();
        // SAFETY: the caller keeps the vector within the channels, and `x` is whole rows.
        unsafe {
            let out = self.out.as_mut_ptr().add(at);
            let mut sum = s.load(out);
            for row in 0..self.x.len() / channels {
                sum = s.add(sum, s.load(self.x.as_ptr().add(row * channels + at)));
            }
            s.store(out, sum);
        }
    }
}

struct Dot<'a> {
    a: &'a [f32],
    b: &'a [f32],
    out: &'a mut [f32],
}

impl Routine for Dot<'_> {
    #[inline(always)]
    fn run<T: Target>(self, target: T) {
        let channels = self.out.len();
        let block = (BLOCK_ROWS * channels).max(1);
        for (a, b) in self.a.chunks(block).zip(self.b.chunks(block)) {
            // SAFETY: the step takes the vectors at the same channel of each row of the blocks, which are as long.
            unsafe { sweep(target, channels, &mut Dot { a, b, out: self.out }) };
        }
    }
}

impl Step for Dot<'_> {
    #[inline(always)]
    unsafe fn step<S: Simd>(&mut self, s: S, at: usize) {
        let channels = self.out.len();
        // SAFETY: the caller keeps the vector within the channels, and `a` and `b` are whole rows.
        unsafe {
            let out = self.out.as_mut_ptr().add(at);
            let mut sum = s.load(out);
            for row in 0..self.a.len() / channels {
                let offset = row * channels + at;
                sum = s.mul_add(s.load(self.a.as_ptr().add(offset)), s.load(self.b.as_ptr().add(offset)), sum);
            }
            s.store(out, sum);
        }
    }
}

struct Add<'a> {
    y: &'a mut [f32],
    x: &'a [f32],
}

impl Routine for Add<'_> {
    #[inline(always)]
    fn run<T: Target>(mut self, target: T) {
        let len = self.y.len().min(self.x.len());
        // SAFETY: the step stays within both slices.
        unsafe { sweep(target, len, &mut self) };
    }
}

impl Step for Add<'_> {
    #[inline(always)]
    unsafe fn step<S: Simd>(&mut self, s: S, at: usize) {
        // SAFETY: the caller keeps the vector within both slices.
        unsafe {
            let y = self.y.as_mut_ptr().add(at);
            s.store(y, s.add(s.load(y), s.load(self.x.as_ptr().add(at))));
        }
    }
}

struct AddScaled<'a> {
    y: &'a mut [f32],
    x: &'a [f32],
    factor: f32,
}

impl Routine for AddScaled<'_> {
    #[inline(always)]
    fn run<T: Target>(mut self, target: T) {
        let len = self.y.len().min(self.x.len());
        // SAFETY: the step stays within both slices.
        unsafe { sweep(target, len, &mut self) };
    }
}

impl Step for AddScaled<'_> {
    #[inline(always)]
    unsafe fn step<S: Simd>(&mut self, s: S, at: usize) {
        // SAFETY: the caller keeps the vector within both slices.
        unsafe {
            let y = self.y.as_mut_ptr().add(at);
            s.store(y, s.mul_add(s.load(self.x.as_ptr().add(at)), s.splat(self.factor), s.load(y)));
        }
    }
}
