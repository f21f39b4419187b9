//! `f(x · scale + shift)`, a BatchNorm by moving statistics and its activation: by itself, or on the way to what reads it, some rows
//! at a time. Reading such a value from memory takes longer than computing it again.

mod depthwise;
mod pooling;
mod product;

use defrost_kernels::Buffer;

use super::shard::{Context, Shard};
use super::units::Normalization;
use crate::graph::Op;

/// Elements that are computed together: they are then still in the nearest cache.
pub(super) const NEAR: usize = 4096;

impl Context<'_> {
    /// Gradients of `y = f(x · scale + shift)`, a BatchNorm by moving statistics and the activation after it.
    pub(super) fn normalization_gradients(&self, normalization: &Normalization, shard: &mut Shard, mut dy: Buffer) {
        let Normalization { input, scale, shift, activation, .. } = normalization;
        let (mut sum, mut dot) = (shard.zeros(scale.len()), shard.zeros(scale.len()));
        let x = &shard.values[*input];
        self.kernels.scale_shift_gradient(x, [scale, shift], *activation, &mut dy, [&mut sum, &mut dot]);
        self.end_normalization(normalization, shard, dy, [sum, dot]);
    }

    /// Takes `Σ dz` and `Σ dz·x` of a BatchNorm.
    ///
    /// With `x̂ = (x − mean) / σ`: `dβ = Σ dz`, `dγ = Σ dz · x̂ = (Σ dz·x − mean · Σ dz) / σ`; `dx = dz · γ / σ` is taken with them.
    fn normalization_parameter_gradients(
        &self,
        normalization: &Normalization,
        shard: &mut Shard,
        [sum, dot]: [Buffer; 2],
    ) {
        let Normalization { index, trainable, .. } = normalization;
        let layer = &self.graph.layers()[*index];
        if let (Some([gamma, beta]), Op::BatchNorm { epsilon, .. }) = (trainable, &layer.op) {
            let (mean, variance) = (self.param(layer, "moving_mean"), self.param(layer, "moving_variance"));
            for (c, dgamma) in shard.parameter_gradient(*gamma).iter_mut().enumerate() {
                let inverse = 1.0 / (f64::from(variance[c]) + f64::from(*epsilon)).sqrt();
                *dgamma += ((f64::from(dot[c]) - f64::from(mean[c]) * f64::from(sum[c])) * inverse) as f32;
            }
            self.kernels.add_assign(shard.parameter_gradient(*beta), &sum);
        }
        shard.keep(sum);
        shard.keep(dot);
    }

    /// Hands on the gradient by x, and takes the sums for the BatchNorm's parameters.
    fn end_normalization(&self, normalization: &Normalization, shard: &mut Shard, dx: Buffer, sums: [Buffer; 2]) {
        self.normalization_parameter_gradients(normalization, shard, sums);
        if normalization.passes_gradient {
            shard.arrive(normalization.input, dx, self.kernels);
        } else {
            shard.keep(dx);
        }
    }
}
