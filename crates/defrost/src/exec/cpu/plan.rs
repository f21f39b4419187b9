//! The steps of a frozen program and the slots that hold their values: everything is decided before the first picture.

use defrost_kernels::{Activation, Buffer, Depthwise, Packed};

use super::patches::Patches;
use super::program::StepInfo;
use super::strips;

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
pub(super) struct Step {
    /// The layer whose output it makes.
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) input: Place,
    pub(super) output: usize,
    /// A second operand: the skip connection of a convolution or an addition, the gate of a multiplication.
    pub(super) other: Option<Place>,
    /// What the channels of a product's input are multiplied by: its weights take that over, which are fewer than the inputs.
    pub(super) gate: Option<Place>,
    /// Where a depthwise step leaves the means of its channels, for the squeeze-excite that follows.
    pub(super) means: Option<usize>,
    /// Length of the output.
    pub(super) len: usize,
    /// Multiply-adds for one picture.
    pub(super) multiply_adds: u64,
}

impl Step {
    /// What it computes, for people.
    pub(super) fn info(&self) -> StepInfo {
        let (what, input, weights) = match &self.kind {
            Kind::Affine { scale, .. } => ("scale and shift".to_owned(), self.len, 2 * scale.len()),
            Kind::Product(product) => {
                let gated = if self.gate.is_some() { "gated " } else { "" };
                (gated.to_owned() + &product.describe(), product.patches.input_len(), product.weights_len())
            }
            Kind::Depthwise(convolution) => {
                let g = &convolution.shape;
                (convolution.describe(), g.height * g.width * g.channels, convolution.kernel.len() + g.channels)
            }
            Kind::Strips { first, second } => (
                format!(
                    "{} → {}, {} rows at a time",
                    first.describe(),
                    second.describe(),
                    strips::rows_at_a_time(&second.shape)
                ),
                first.patches.input_len(),
                first.weights_len() + second.kernel.len() + second.shape.channels,
            ),
            Kind::Pool { positions, channels } => (format!("mean of {positions}×{channels}"), positions * channels, 0),
            Kind::Multiply { channels } => (format!("gate of {channels}"), self.len, *channels),
            Kind::Add => ("addition".to_owned(), 2 * self.len, 0),
            Kind::Pad { shape, .. } => ("padding".to_owned(), shape.iter().product(), 0),
        };
        let skip = if matches!(self.kind, Kind::Product(_)) && self.other.is_some() { self.len } else { 0 };
        StepInfo {
            layer: self.name.clone(),
            what,
            bytes: ((input + skip + weights + self.len) * size_of::<f32>()) as u64,
            multiply_adds: self.multiply_adds,
        }
    }
}

/// The kinds of step are few; BatchNorm, bias, activation and skip connection are part of the product before them.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// `x · scale + shift` for each channel, then the activation.
    Affine { scale: Vec<f32>, shift: Vec<f32>, activation: Activation },
    /// A matrix product over gathered patches; for 1×1 and dense layers over the input itself.
    Product(Product),
    /// A convolution of each channel by itself.
    Depthwise(DepthwiseConvolution),
    /// A convolution and the depthwise one after it, some rows at a time, so that the value between them stays in the cache.
    Strips { first: Product, second: DepthwiseConvolution },
    /// Mean over height and width.
    Pool { positions: usize, channels: usize },
    /// `x · gate`
    Multiply { channels: usize },
    /// `a + b`
    Add,
    /// Zeros around a picture.
    Pad {
        /// Rows, columns and channels of the input.
        shape: [usize; 3],
        /// `[top, bottom, left, right]`
        padding: [usize; 4],
    },
}

/// A convolution with folded weights.
#[derive(Debug, Clone)]
pub(super) struct Product {
    pub(super) patches: Patches,
    pub(super) weights: Packed,
    pub(super) bias: Vec<f32>,
    /// Applied before a skip connection is added.
    pub(super) activation: Activation,
}

impl Product {
    fn weights_len(&self) -> usize {
        self.weights.rows() * self.weights.cols() + self.bias.len()
    }

    fn describe(&self) -> String {
        let shape = &self.patches;
        let kind = match shape.is_pointwise() {
            true => "product".to_owned(),
            false => format!("{}×{} convolution", shape.kernel[0], shape.kernel[1]),
        };
        format!("{kind} {}×{}·{}", shape.rows(), shape.patch_len(), self.weights.cols())
    }
}

/// A depthwise convolution with folded weights.
#[derive(Debug, Clone)]
pub(super) struct DepthwiseConvolution {
    pub(super) shape: Depthwise,
    /// `(h, w, channels)`
    pub(super) kernel: Buffer,
    pub(super) bias: Buffer,
    pub(super) activation: Activation,
}

impl DepthwiseConvolution {
    fn describe(&self) -> String {
        let Depthwise { kernel: [height, width], stride, out_height, out_width, channels, .. } = self.shape;
        format!("depthwise {height}×{width}/{stride} {out_height}×{out_width}×{channels}")
    }
}

/// Steps in order, and the buffers that they need.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// Length of each slot.
    pub(super) slots: Vec<usize>,
    /// Length of the scratch for a convolution's input with zeros around it.
    pub(super) padded: usize,
    /// Length of the scratch for the value within [`Kind::Strips`].
    pub(super) strip: usize,
    pub(super) input_len: usize,
    pub(super) output: Place,
    pub(super) output_len: usize,
}

impl Plan {
    /// The largest weights that a gate is multiplied into.
    pub(super) fn largest_gated(&self) -> Packed {
        let gated = self.steps.iter().filter(|step| step.gate.is_some());
        let weights = gated.filter_map(|step| match &step.kind {
            Kind::Product(product) => Some(&product.weights),
            _ => None,
        });
        weights.max_by_key(|weights| weights.bytes()).cloned().unwrap_or_default()
    }
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
