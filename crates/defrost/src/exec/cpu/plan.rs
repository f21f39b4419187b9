//! The steps of a frozen program and the slots that hold their values: everything is decided before the first picture.

use defrost_kernels::{Activation, Depthwise, Packed};

use super::patches::Patches;

/// Where a step's value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// What the program is given.
    Input,
    /// A buffer of the arena.
    Slot(usize),
}

/// One fused step.
#[derive(Debug, Clone)]
pub struct Step {
    /// The layer whose output it makes.
    pub name: String,
    /// What is computed.
    pub kind: Kind,
    pub(super) input: Place,
    pub(super) output: usize,
    /// A second operand: the skip connection of a pointwise step or an addition, the gate of a multiplication.
    pub(super) other: Option<Place>,
    /// Where a depthwise step leaves the means of its channels, for the squeeze-excite that follows.
    pub(super) means: Option<usize>,
    /// Length of the output.
    pub(super) len: usize,
    /// Multiply-adds for one picture.
    pub multiply_adds: u64,
}

/// The kinds of step are few; BatchNorm, bias, activation and skip connection are part of the product before them.
#[derive(Debug, Clone)]
pub enum Kind {
    /// `x · scale + shift` for each channel, then the activation.
    Affine {
        /// Factors.
        scale: Vec<f32>,
        /// Summands.
        shift: Vec<f32>,
        /// Applied last.
        activation: Activation,
    },
    /// A matrix product over gathered patches; for 1×1 the picture itself.
    Convolution {
        /// Its shape; how patches are gathered.
        #[doc(hidden)]
        patches: PatchShape,
        /// The folded kernel.
        weights: Packed,
        /// The folded bias.
        bias: Vec<f32>,
        /// Applied before the skip connection is added.
        activation: Activation,
    },
    /// A convolution of each channel by itself.
    Depthwise {
        /// Its shape.
        shape: Depthwise,
        /// The folded kernel, `(h, w, channels)`.
        kernel: Vec<f32>,
        /// The folded bias.
        bias: Vec<f32>,
        /// Applied last.
        activation: Activation,
    },
    /// `x · kernel + bias` of one row.
    Dense {
        /// The kernel.
        weights: Packed,
        /// The bias.
        bias: Vec<f32>,
        /// Applied last.
        activation: Activation,
    },
    /// Mean over height and width.
    Pool {
        /// Positions.
        rows: usize,
        /// Channels.
        channels: usize,
    },
    /// `x · gate`
    Multiply {
        /// Elements of the gate.
        channels: usize,
    },
    /// `a + b`
    Add,
    /// Zeros around a picture.
    Pad {
        /// Rows and columns of the input, and its channels.
        shape: [usize; 3],
        /// `[top, bottom, left, right]`
        padding: [usize; 4],
    },
}

/// How a convolution's patches are gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatchShape(pub(super) Patches);

/// Steps in order, and the buffers that they need.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// Length of each slot.
    pub(super) slots: Vec<usize>,
    /// Length of the scratch for gathered patches.
    pub(super) scratch: usize,
    pub(super) input_len: usize,
    pub(super) output: Place,
    pub(super) output_len: usize,
}

/// Hands out slots and takes them back when their value was read for the last time.
#[derive(Debug, Default)]
pub(super) struct SlotPool {
    pub(super) lens: Vec<usize>,
    free: Vec<usize>,
}

impl SlotPool {
    /// The free slot that fits best; if none is long enough, the longest one grows.
    pub(super) fn take(&mut self, len: usize) -> usize {
        let fits = |slot: &usize| self.lens[*slot] >= len;
        let best = self.free.iter().copied().filter(fits).min_by_key(|&slot| self.lens[slot]);
        let slot = match best.or_else(|| self.free.iter().copied().max_by_key(|&slot| self.lens[slot])) {
            Some(slot) => slot,
            None => {
                self.lens.push(0);
                return self.grow(self.lens.len() - 1, len);
            }
        };
        self.free.retain(|&free| free != slot);
        self.grow(slot, len)
    }

    fn grow(&mut self, slot: usize, len: usize) -> usize {
        self.lens[slot] = self.lens[slot].max(len);
        slot
    }

    pub(super) fn give_back(&mut self, slot: usize) {
        self.free.push(slot);
    }
}
