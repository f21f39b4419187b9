//! Gradients kept small: by value, by each variable's norm, by the norm of all together.

use crate::settings::Checks;

/// What is clipped; at most one of the three, as in Keras.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clip {
    norm: Option<f64>,
    global_norm: Option<f64>,
    value: Option<f64>,
}

/// What happens to each element of a gradient: `clamp(g · scale, −limit, limit)`. Without clipping that is `g`, exactly.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    scale: f32,
    limit: f32,
}

impl Bounds {
    pub(super) fn clip(self, gradient: f32) -> f32 {
        (gradient * self.scale).clamp(-self.limit, self.limit)
    }
}

impl Clip {
    pub(super) fn new(norm: Option<f64>, global_norm: Option<f64>, value: Option<f64>) -> Clip {
        Clip { norm, global_norm, value }
    }

    /// The factor for every gradient, from all of them.
    pub(super) fn global_scale<'a>(&self, gradients: impl Iterator<Item = &'a [f32]>) -> f32 {
        self.global_norm.map_or(1.0, |limit| scale_to(limit, gradients.map(sum_of_squares).sum()))
    }

    /// What happens to the elements of one gradient.
    pub(super) fn bounds(&self, gradient: &[f32], global_scale: f32) -> Bounds {
        let scale = self.norm.map_or(global_scale, |limit| scale_to(limit, sum_of_squares(gradient)));
        Bounds { scale, limit: self.value.map_or(f32::INFINITY, |value| value as f32) }
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        let all = [("clipnorm", self.norm), ("global_clipnorm", self.global_norm), ("clipvalue", self.value)];
        let mut given = all.iter().filter_map(|(key, limit)| limit.map(|limit| (*key, limit)));
        for (key, limit) in given.clone() {
            checks.require(limit > 0.0 && limit.is_finite(), key, "> 0", limit);
        }
        if let (Some((first, _)), Some((second, _))) = (given.next(), given.next()) {
            checks.require_agreement(false, second, format!("and `{first}` exclude each other; keep one"));
        }
    }
}

fn scale_to(limit: f64, sum_of_squares: f64) -> f32 {
    (limit / sum_of_squares.sqrt().max(limit)) as f32
}

fn sum_of_squares(gradient: &[f32]) -> f64 {
    gradient.iter().map(|g| f64::from(*g) * f64::from(*g)).sum()
}
