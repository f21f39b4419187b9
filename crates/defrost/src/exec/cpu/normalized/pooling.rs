//! The mean of a normalized value.

use super::super::shard::{Context, Shard};
use super::super::units::Normalization;
use super::NEAR;

impl Context<'_> {
    /// The mean of `f(x · scale + shift)` over a picture's positions.
    pub(in super::super) fn normalized_pooling(&self, normalization: &Normalization, shard: &mut Shard, y: &mut [f32]) {
        let Normalization { scale, shift, activation, input, .. } = normalization;
        let channels = scale.len();
        let near_len = (NEAR / channels).max(1) * channels;
        let mut near = shard.buffer(near_len);
        let x = &shard.values[*input];
        let picture_len = x.len() / shard.samples;
        y.fill(0.0);
        for (x, y) in x.chunks_exact(picture_len).zip(y.chunks_exact_mut(channels)) {
            for x in x.chunks(near_len) {
                let near = &mut near[..x.len()];
                self.kernels.scale_shift_into(x, scale, shift, *activation, near);
                self.kernels.sum_rows(near, channels, y);
            }
        }
        let positions = (picture_len / channels) as f32;
        y.iter_mut().for_each(|sum| *sum /= positions);
        shard.keep(near);
    }

    /// The gradient of [`normalized_pooling`](Self::normalized_pooling), added to what arrived at `f`'s output, goes on to x.
    pub(in super::super) fn normalized_pooling_gradient(
        &self,
        normalization: &Normalization,
        shard: &mut Shard,
        dy: &[f32],
    ) {
        let k = self.kernels;
        let Normalization { scale, shift, activation, input, output, .. } = normalization;
        let (channels, len) = (scale.len(), shard.values[*input].len());
        let arrived = std::mem::take(&mut shard.gradients[*output]);
        let mut dx = if arrived.is_empty() { shard.zeros(len) } else { arrived };
        let (mut sum, mut dot) = (shard.zeros(channels), shard.zeros(channels));
        let picture_len = len / shard.samples;
        let near = (NEAR / channels).max(1) * channels;
        let pictures = shard.values[*input].chunks_exact(picture_len).zip(dx.chunks_exact_mut(picture_len));
        for ((x, dx), dy) in pictures.zip(dy.chunks_exact(channels)) {
            for (x, dx) in x.chunks(near).zip(dx.chunks_mut(near)) {
                k.add_row(dx, dy);
                k.scale_shift_gradient(x, [scale, shift], *activation, dx, [&mut sum, &mut dot]);
            }
        }
        self.end_normalization(normalization, shard, dx, [sum, dot]);
    }
}
