//! The start values of a network that is trained from scratch, and of every new head.
//!
//! Invariant: each tensor has a random stream of its own, named after it, so that its values depend on the seed and its name
//! alone, not on the layers around it.

use rayon::prelude::*;

use crate::graph::{Graph, Initializer, Param};
use crate::rng::Stream;
use crate::tensor::{Params, Tensor};

/// The standard deviation of the standard normal distribution that is cut off at ±2.
const TRUNCATED_STD: f64 = 0.879_625_661_034_239_8;

/// Draws start values for every parameter of `graph`, each by its [`Initializer`].
pub fn initialize(graph: &Graph, seed: u64) -> Params {
    let params: Vec<_> = graph.params().collect();
    params
        .into_par_iter()
        .map(|(layer, param)| {
            let name = layer.param_name(param);
            let values = draw(param, &mut Stream::new(seed, &format!("initialize/{name}"), &[]));
            (name, Tensor::new(param.shape.clone(), values))
        })
        .collect()
}

fn draw(param: &Param, stream: &mut Stream) -> Vec<f32> {
    let length = param.len();
    match param.initializer {
        Initializer::Zeros => vec![0.0; length],
        Initializer::Ones => vec![1.0; length],
        Initializer::Constant(values) => values.iter().copied().cycle().take(length).collect(),
        Initializer::GlorotUniform => {
            let limit = glorot_limit(&param.shape) as f32;
            (0..length).map(|_| stream.range(-limit, limit)).collect()
        }
        Initializer::VarianceScalingFanOut => {
            // Cutting the tails off makes a distribution narrower; it starts wider by as much.
            let std = (fan_out_std(&param.shape) / TRUNCATED_STD) as f32;
            (0..length).map(|_| std * truncated_normal(stream)).collect()
        }
    }
}

/// `sqrt(6 / (fan_in + fan_out))` (Glorot and Bengio 2010, eq. 16).
fn glorot_limit(shape: &[usize]) -> f64 {
    let (fan_in, fan_out) = fans(shape);
    (6.0 / (fan_in + fan_out)).sqrt()
}

/// `sqrt(2 / fan_out)`: Keras' `VarianceScaling(2, "fan_out", "truncated_normal")`.
fn fan_out_std(shape: &[usize]) -> f64 {
    (2.0 / fans(shape).1).sqrt()
}

/// `(fan_in, fan_out)` as Keras counts them: the last two axes are inputs and outputs, those before them positions.
///
/// A depthwise kernel `(h, w, channels, 1)` thus has `fan_in = h · w · channels` and `fan_out = h · w`, although each output
/// reads one channel only; we follow Keras, whose networks were trained from these start values.
fn fans(shape: &[usize]) -> (f64, f64) {
    let [positions @ .., inputs, outputs] = shape else {
        let length = shape.iter().product::<usize>() as f64;
        return (length, length);
    };
    let positions = positions.iter().product::<usize>();
    ((positions * inputs) as f64, (positions * outputs) as f64)
}

/// Standard normal, drawn again until within ±2.
fn truncated_normal(stream: &mut Stream) -> f32 {
    loop {
        let value = stream.normal();
        if value.abs() <= 2.0 {
            return value;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::backbone;
    use crate::head::Head;

    fn drawn(initializer: Initializer, shape: &[usize]) -> Vec<f32> {
        let param = Param { name: "kernel", shape: shape.to_vec(), trainable: true, initializer };
        draw(&param, &mut Stream::new(1, "test", &[]))
    }

    fn largest(values: &[f32]) -> f64 {
        values.iter().map(|value| f64::from(value.abs())).fold(0.0, f64::max)
    }

    #[test]
    fn limits_and_deviations_are_keras() {
        let cases: Value = serde_json::from_str(include_str!("../../tests/goldens/optim/initializers.json")).unwrap();
        let cases = cases.as_array().unwrap();
        assert_eq!(cases.len(), 6);
        for case in cases {
            let shape: Vec<usize> =
                case["shape"].as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as usize).collect();
            let expected = |key: &str| case[key].as_f64().unwrap();
            let close = |got: f64, key: &str| (got - expected(key)).abs() <= 1e-6 * expected(key);
            assert!(close(glorot_limit(&shape), "glorot_uniform_limit"), "{shape:?}");
            assert!(close(fan_out_std(&shape), "efficientnet_conv_std"), "{shape:?}");
            assert!(close(2.0 * fan_out_std(&shape) / TRUNCATED_STD, "efficientnet_conv_cut"), "{shape:?}");

            let uniform = drawn(Initializer::GlorotUniform, &shape);
            let limit = expected("glorot_uniform_limit") * (1.0 + 1e-6);
            assert!(largest(&uniform) <= limit && largest(&uniform) > 0.98 * limit, "{shape:?}");

            let normal = drawn(Initializer::VarianceScalingFanOut, &shape);
            let cut = expected("efficientnet_conv_cut") * (1.0 + 1e-6);
            assert!(largest(&normal) <= cut && largest(&normal) > 0.95 * cut, "{shape:?}");
            let square = normal.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / normal.len() as f64;
            let std = square.sqrt() / expected("efficientnet_conv_std");
            // The estimate of a deviation from n draws scatters by 1 / sqrt(2 n).
            assert!((std - 1.0).abs() < 4.0 / (2.0 * normal.len() as f64).sqrt(), "{shape:?}: {std}");
        }
    }

    #[test]
    fn a_depthwise_kernel_counts_as_keras_counts_it() {
        assert_eq!(fans(&[3, 3, 32, 1]), (288.0, 9.0));
        assert_eq!(fans(&[5]), (5.0, 5.0));
    }

    #[test]
    fn a_tensor_depends_on_seed_and_name_alone() {
        let backbone = || backbone::find("efficientnet_lite0").unwrap().graph(64);
        let (few, many) = (Head::default().attach(backbone(), 5), Head::default().attach(backbone(), 7));
        let (few, many, other) = (initialize(&few, 3), initialize(&many, 3), initialize(&few, 4));
        assert_eq!(few["dense_1/kernel"], many["dense_1/kernel"]);
        assert_ne!(few["dense_1/kernel"], other["dense_1/kernel"]);
        assert!(few["dense_1/bias"].data().iter().all(|&bias| bias == 0.0));
        assert!(few["stem_bn/gamma"].data().iter().all(|&gamma| gamma == 1.0));
        assert_eq!(few.len(), many.len());
    }
}
