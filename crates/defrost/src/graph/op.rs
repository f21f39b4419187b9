//! The vocabulary of layers: what each computes, its parameters, its cost.

/// A pointwise function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activation {
    /// `x`
    Linear,
    /// `max(x, 0)`
    Relu,
    /// `min(max(x, 0), 6)`
    Relu6,
    /// `x · sigmoid(x)`, also called SiLU (Ramachandran et al. 2017)
    Swish,
    /// `1 / (1 + exp(−x))`
    Sigmoid,
    /// `exp(x) / Σ exp(x)` over the last axis
    Softmax,
}

impl Activation {
    /// Keras' name.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Linear => "linear",
            Activation::Relu => "relu",
            Activation::Relu6 => "relu6",
            Activation::Swish => "silu",
            Activation::Sigmoid => "sigmoid",
            Activation::Softmax => "softmax",
        }
    }
}

/// How a convolution treats the border.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Padding {
    /// Zeros such that `out = ceil(in / stride)`; what is odd goes to the end (TensorFlow).
    Same,
    /// None: `out = ceil((in − kernel + 1) / stride)`.
    Valid,
}

/// The start value of a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Initializer {
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
    /// Uniform in `±sqrt(6 / (fan_in + fan_out))` (Glorot and Bengio 2010, eq. 16).
    GlorotUniform,
    /// Normal truncated at two deviations, with `std = sqrt(2 / fan_out)` after truncation: EfficientNet's convolutions.
    VarianceScalingFanOut,
    /// Fixed numbers of the architecture (input normalization).
    Constant(&'static [f32]),
}

/// A named parameter of a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// Keras 3's variable name: `kernel`, `bias`, `gamma`, `beta`, `moving_mean`, `moving_variance`.
    pub name: &'static str,
    /// Keras' axes.
    pub shape: Vec<usize>,
    /// Whether an optimizer may ever change it (moving statistics aren't).
    pub trainable: bool,
    /// Its start value.
    pub initializer: Initializer,
}

impl Param {
    /// The number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a layer computes.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// The picture: RGB, 0–255.
    Input,
    /// `x · scale + offset`, a value for each channel.
    Rescaling {
        /// Factors, one a channel.
        scale: Vec<f32>,
        /// Summands, one a channel.
        offset: Vec<f32>,
    },
    /// `(x − mean) / max(sqrt(variance), 1e-7)` by its own parameters.
    Normalization,
    /// Zeros around the picture.
    ZeroPadding {
        /// `[top, bottom, left, right]`
        padding: [usize; 4],
    },
    /// Convolution; the kernel is `(h, w, in, out)`.
    Conv2D {
        /// `[h, w]`
        kernel: [usize; 2],
        /// The same along both axes.
        stride: usize,
        /// Border.
        padding: Padding,
        /// Whether a bias is added.
        bias: bool,
        /// Applied last.
        activation: Activation,
    },
    /// A convolution of each channel by itself; the kernel is `(h, w, channels, 1)`.
    DepthwiseConv2D {
        /// `[h, w]`
        kernel: [usize; 2],
        /// The same along both axes.
        stride: usize,
        /// Border.
        padding: Padding,
    },
    /// `gamma · (x − mean) / sqrt(variance + epsilon) + beta` (Ioffe and Szegedy 2015).
    BatchNorm {
        /// Added to the variance.
        epsilon: f32,
        /// Share of the old moving average that an update keeps.
        momentum: f32,
    },
    /// A pointwise function.
    Activation(Activation),
    /// The `ReLU` layer of Keras, with its upper limit.
    Relu {
        /// `None` is no limit.
        max_value: Option<f32>,
    },
    /// Mean over height and width.
    GlobalAveragePooling,
    /// The same elements under another shape.
    Reshape,
    /// `a · b`; `b` may be `[1, 1, channels]`.
    Multiply,
    /// `a + b`
    Add,
    /// In training: zero with probability `rate`, the rest scaled by `1 / (1 − rate)`.
    Dropout {
        /// The share that is dropped.
        rate: f32,
        /// Stochastic depth (Huang et al. 2016): a whole sample is kept or dropped.
        per_sample: bool,
    },
    /// `x · kernel + bias`; the kernel is `(in, out)`.
    Dense {
        /// Applied last.
        activation: Activation,
    },
}

impl Op {
    /// Keras' class name, as `summary` prints it.
    pub fn class(&self) -> &'static str {
        match self {
            Op::Input => "InputLayer",
            Op::Rescaling { .. } => "Rescaling",
            Op::Normalization => "Normalization",
            Op::ZeroPadding { .. } => "ZeroPadding2D",
            Op::Conv2D { .. } => "Conv2D",
            Op::DepthwiseConv2D { .. } => "DepthwiseConv2D",
            Op::BatchNorm { .. } => "BatchNormalization",
            Op::Activation(_) => "Activation",
            Op::Relu { .. } => "ReLU",
            Op::GlobalAveragePooling => "GlobalAveragePooling2D",
            Op::Reshape => "Reshape",
            Op::Multiply => "Multiply",
            Op::Add => "Add",
            Op::Dropout { .. } => "Dropout",
            Op::Dense { .. } => "Dense",
        }
    }

    /// The pointwise function that the layer ends with, `Linear` where there is none.
    pub fn activation(&self) -> Activation {
        match self {
            Op::Conv2D { activation, .. } | Op::Dense { activation } | Op::Activation(activation) => *activation,
            Op::Relu { max_value: Some(6.0) } => Activation::Relu6,
            Op::Relu { .. } => Activation::Relu,
            _ => Activation::Linear,
        }
    }

    /// Multiply-adds for one picture: those of convolutions and dense layers; the rest counts as none.
    pub fn multiply_adds(&self, input_shape: &[usize], output_shape: &[usize]) -> u64 {
        let outputs: usize = output_shape.iter().product();
        let per_output = match self {
            Op::Conv2D { kernel, .. } => kernel[0] * kernel[1] * input_shape[2],
            Op::DepthwiseConv2D { kernel, .. } => kernel[0] * kernel[1],
            Op::Dense { .. } => input_shape[0],
            _ => 0,
        };
        (outputs * per_output) as u64
    }
}

/// `(padding before, padding after, output extent)` of a convolution along one axis.
pub fn conv_padding(input: usize, kernel: usize, stride: usize, padding: Padding) -> (usize, usize, usize) {
    match padding {
        Padding::Valid => (0, 0, (input + stride).saturating_sub(kernel) / stride),
        Padding::Same => {
            let output = input.div_ceil(stride);
            let total = ((output - 1) * stride + kernel).saturating_sub(input);
            (total / 2, total - total / 2, output)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_puts_what_is_odd_at_the_end() {
        assert_eq!(conv_padding(224, 3, 2, Padding::Same), (0, 1, 112));
        assert_eq!(conv_padding(7, 5, 1, Padding::Same), (2, 2, 7));
        assert_eq!(conv_padding(225, 3, 2, Padding::Valid), (0, 0, 112));
        assert_eq!(conv_padding(13, 3, 2, Padding::Same), (1, 1, 7));
    }
}
