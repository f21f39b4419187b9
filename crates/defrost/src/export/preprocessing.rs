//! What is done to RGB 0–255 before the first convolution, as one factor and one summand a channel.

use crate::graph::{Layer, LayerIndex, Op};
use crate::model::Model;

/// `x · scale + offset` for each channel of RGB 0–255: everything between the resized picture and the first layer that
/// mixes pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessing {
    /// Factors.
    pub scale: [f64; 3],
    /// Summands.
    pub offset: [f64; 3],
    /// The last of the graph's layers that it replaces.
    pub(super) last: LayerIndex,
}

impl Preprocessing {
    /// Gathers the input range of the backbone and the graph's leading layers.
    pub fn of(model: &Model) -> Preprocessing {
        let (scale, offset) = model.backbone.input.scale_offset();
        let mut result = Preprocessing { scale: [f64::from(scale); 3], offset: [f64::from(offset); 3], last: 0 };
        for (index, layer) in model.graph.layers().iter().enumerate().skip(1) {
            let in_a_row = layer.inputs == [result.last];
            let Some((scale, offset)) = affine(model, layer).filter(|_| in_a_row) else { break };
            for channel in 0..3 {
                result.scale[channel] *= scale[channel];
                result.offset[channel] = result.offset[channel] * scale[channel] + offset[channel];
            }
            result.last = index;
        }
        result
    }

    /// `mean` of `(x / 255 − mean) / std`, as PyTorch's tools state it.
    pub fn mean(&self) -> [f64; 3] {
        std::array::from_fn(|channel| -self.offset[channel] / self.scale[channel] / 255.0)
    }

    /// `std` of `(x / 255 − mean) / std`.
    pub fn std(&self) -> [f64; 3] {
        self.scale.map(|scale| 1.0 / (255.0 * scale))
    }
}

/// `(scale, offset)` of a layer that computes `x · scale + offset` for each channel; `None` for other layers.
pub(super) fn affine(model: &Model, layer: &Layer) -> Option<(Vec<f64>, Vec<f64>)> {
    let wide = |values: &[f32]| values.iter().copied().map(f64::from).collect::<Vec<_>>();
    match &layer.op {
        Op::Rescaling { scale, offset } => Some((wide(scale), wide(offset))),
        Op::Normalization => {
            let [mean, variance] =
                ["mean", "variance"].map(|name| wide(model.params[&format!("{}/{name}", layer.name)].data()));
            let scale: Vec<f64> = variance.iter().map(|variance| 1.0 / variance.sqrt().max(1e-7)).collect();
            let offset = mean.iter().zip(&scale).map(|(mean, scale)| -mean * scale).collect();
            Some((scale, offset))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone;
    use crate::head::Head;
    use crate::model::Layout;

    fn of(id: &str) -> Preprocessing {
        let backbone = backbone::find(id).unwrap();
        Preprocessing::of(&Model::new(backbone, Layout::Pretrained, 32, &Head::default(), 2, 0))
    }

    fn close(values: [f64; 3], expected: [f64; 3]) {
        for (value, expected) in values.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-6, "{value} {expected}");
        }
    }

    #[test]
    fn efficientnets_is_imagenets_mean_and_deviation() {
        let preprocessing = of("efficientnet_b0");
        assert_eq!(preprocessing.last, 3);
        close(preprocessing.mean(), [0.485, 0.456, 0.406]);
        close(preprocessing.std(), [0.229, 0.224, 0.225]);
    }

    #[test]
    fn lite0s_and_mobilenets_are_symmetric() {
        close(of("efficientnet_lite0").mean(), [127.0 / 255.0; 3]);
        close(of("efficientnet_lite0").std(), [128.0 / 255.0; 3]);
        close(of("mobilenet_v2_1.0").mean(), [0.5; 3]);
        close(of("mobilenet_v2_1.0").std(), [0.5; 3]);
        assert_eq!(of("mobilenet_v2_1.0").last, 0);
    }
}
