//! The CPU executor: [`Program`] runs a frozen part of a graph, fused, one picture at a time; [`Tail`] runs the rest forward
//! and backward, shard by shard.

mod absorb;
mod backward;
#[cfg(test)]
mod difference_tests;
mod forward;
mod fuse;
#[cfg(test)]
mod golden_tests;
mod layerwise;
mod normalized;
mod passage;
mod patches;
mod plan;
mod program;
mod shard;
mod strips;
mod tail;
#[cfg(test)]
mod training_tests;
mod units;

pub use defrost_kernels::{Bf16, Isa, Kernels, Precision};
pub use passage::UnitInfo;
pub use program::{Arena, Program, StepInfo};
pub use tail::{BatchNormMode, Gradients, Objective, Randomness, StepOutput, Tail};

use crate::graph::Activation;

/// What a program or a tail computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Engine {
    /// The kernels of an instruction set.
    pub kernels: Kernels,
    /// In what 1×1 convolutions multiply; everything else is single-precision.
    pub precision: Precision,
}

impl Engine {
    /// The fastest kernels of this processor.
    pub fn new(precision: Precision) -> Engine {
        Engine { kernels: Kernels::detect(), precision }
    }
}

impl Default for Engine {
    /// In single precision.
    fn default() -> Engine {
        Engine::new(Precision::F32)
    }
}

/// The kernel's name of an activation. Softmax is left to the loss: the executor gives logits.
fn kernel_activation(activation: Activation) -> defrost_kernels::Activation {
    match activation {
        Activation::Linear | Activation::Softmax => defrost_kernels::Activation::Linear,
        Activation::Relu => defrost_kernels::Activation::Relu,
        Activation::Relu6 => defrost_kernels::Activation::Relu6,
        Activation::Swish => defrost_kernels::Activation::Swish,
        Activation::Sigmoid => defrost_kernels::Activation::Sigmoid,
    }
}
