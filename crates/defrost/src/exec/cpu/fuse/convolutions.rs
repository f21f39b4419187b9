//! Convolutions with what is folded into them: BatchNorm, activation, skip connection, padding, and the squeeze's mean.

use defrost_kernels::{Buffer, Depthwise, Matrix, Precision};

use super::{Fuser, batch_norm_affine, narrow};
use crate::exec::cpu::kernel_activation;
use crate::exec::cpu::patches::Patches;
use crate::exec::cpu::plan::{DepthwiseConvolution, Kind, Place, Product};
use crate::exec::cpu::strips;
use crate::graph::{Activation, LayerIndex, Op, conv_padding};

/// A value between a convolution and a depthwise one that is larger than this is computed in strips.
const STRIPPED_BYTES: usize = 512 << 10;

impl Fuser<'_> {
    /// The BatchNorm that is the only reader of `index`, as a factor and a summand a channel.
    fn folded_batch_norm(&self, index: LayerIndex, channels: usize) -> (LayerIndex, Vec<f64>, Vec<f64>) {
        if let Some(reader) = self.sole_reader(index)
            && let Op::BatchNorm { epsilon, .. } = self.layer(reader).op
        {
            let (scale, shift) = batch_norm_affine(self.layer(reader), self.params, epsilon);
            return (reader, scale, shift);
        }
        (index, vec![1.0; channels], vec![0.0; channels])
    }

    /// `[top, left]` of zeros before the input of a convolution, and the shape that it reads.
    fn border(&self, input: LayerIndex, kernel: [usize; 2], stride: usize, op: &Op) -> ([usize; 3], [usize; 2]) {
        let source = self.pads[input].map_or(input, |_| self.layer(input).inputs[0]);
        let shape = &self.layer(source).output_shape;
        let padding = match op {
            Op::Conv2D { padding, .. } | Op::DepthwiseConv2D { padding, .. } => *padding,
            _ => unreachable!("only convolutions have a border"),
        };
        let before = |axis: usize| conv_padding(self.layer(input).output_shape[axis], kernel[axis], stride, padding).0;
        let extra = self.pads[input].map_or([0, 0], |[top, _, left, _]| [top, left]);
        ([shape[0], shape[1], shape[2]], [before(0) + extra[0], before(1) + extra[1]])
    }

    pub(super) fn convolution(&mut self, index: LayerIndex) {
        let layer = self.layer(index);
        let Op::Conv2D { kernel, stride, bias, activation, .. } = layer.op else {
            unreachable!("called for convolutions")
        };
        let filters = layer.output_shape[2];
        let (mut last, scale, shift) = match activation {
            Activation::Linear => self.folded_batch_norm(index, filters),
            _ => (index, vec![1.0; filters], vec![0.0; filters]),
        };
        let mut layers = vec![index, last];
        let mut activation = activation;
        if activation == Activation::Linear
            && let Some((reader, following)) = self.following_activation(last)
        {
            (last, activation) = (reader, following);
            layers.push(last);
        }
        // A skip connection: an addition whose other operand exists already.
        let mut skip = None;
        if activation == Activation::Linear {
            let branch = self.past_dropout(last);
            if let Some(reader) = self.sole_reader(branch)
                && self.layer(reader).op == Op::Add
            {
                let other = self.layer(reader).inputs.iter().copied().find(|&input| input != branch);
                if let Some(other) = other.filter(|&other| other < index && self.places[other].is_some()) {
                    layers.extend(last..=branch);
                    (last, skip) = (reader, Some(other));
                }
            }
        }
        let own_bias = bias.then(|| self.param(layer, "bias").data());
        let bias: Vec<f32> = (0..filters)
            .map(|channel| {
                (shift[channel] + scale[channel] * own_bias.map_or(0.0, |bias| f64::from(bias[channel]))) as f32
            })
            .collect();
        let (input_shape, [pad_top, pad_left]) = self.border(layer.inputs[0], kernel, stride, &layer.op);
        let patches = Patches {
            height: input_shape[0],
            width: input_shape[1],
            channels: input_shape[2],
            kernel,
            stride,
            pad_top,
            pad_left,
            out_height: layer.output_shape[0],
            out_width: layer.output_shape[1],
        };
        let kernel: Vec<f32> = self
            .param(layer, "kernel")
            .data()
            .iter()
            .enumerate()
            .map(|(i, &weight)| (f64::from(weight) * scale[i % filters]) as f32)
            .collect();
        // Squeeze-excite has one row: rounding it would cost more than it saves.
        let precision = match patches.is_pointwise() && patches.rows() > 1 {
            true => self.engine.precision,
            false => Precision::F32,
        };
        let weights = self.engine.kernels.pack_as(Matrix::new(&kernel, patches.patch_len(), filters), precision);
        self.absorb(&layers);
        if !patches.is_pointwise() {
            self.padded = self.padded.max(patches.padded_size().iter().product::<usize>() * patches.channels);
        }
        let product = Product { patches, weights, bias, activation: kernel_activation(activation) };
        match self.following_depthwise(last) {
            Some((depthwise, pad))
                if skip.is_none()
                    && self.gates[layer.inputs[0]].is_none()
                    && self.len(last) * size_of::<f32>() > STRIPPED_BYTES =>
            {
                self.strips(index, last, product, depthwise, pad);
            }
            _ => {
                self.step(index, last, Kind::Product(product), skip);
                if let (Some(gate), Some(step)) = (self.gates[layer.inputs[0]], self.steps.last_mut()) {
                    step.gate = Some(self.places[gate].unwrap_or(Place::Input));
                    self.read(gate);
                }
            }
        }
    }

    /// Whether `index` multiplies a gate into its weights: it has fewer of them than inputs, and they are not rounded.
    pub(super) fn takes_gate(&self, index: LayerIndex) -> bool {
        let layer = self.layer(index);
        let [height, width, filters] = layer.output_shape[..] else { return false };
        matches!(layer.op, Op::Conv2D { kernel: [1, 1], stride: 1, .. })
            && filters < height * width
            && self.engine.precision == Precision::F32
    }

    /// The depthwise convolution that is the only reader of `index`, and the padding between them.
    fn following_depthwise(&self, index: LayerIndex) -> Option<(LayerIndex, Option<LayerIndex>)> {
        let reader = self.sole_reader(index)?;
        match self.layer(reader).op {
            Op::DepthwiseConv2D { .. } => Some((reader, None)),
            Op::ZeroPadding { .. } => {
                let after = self.sole_reader(reader)?;
                matches!(self.layer(after).op, Op::DepthwiseConv2D { .. }).then_some((after, Some(reader)))
            }
            _ => None,
        }
    }

    /// A convolution from layer `index` to `last` and the depthwise one that reads it, as one step.
    fn strips(
        &mut self,
        index: LayerIndex,
        last: LayerIndex,
        first: Product,
        depthwise: LayerIndex,
        pad: Option<LayerIndex>,
    ) {
        self.absorb(&[last]);
        if let Some(pad) = pad {
            let Op::ZeroPadding { padding } = self.layer(pad).op else { unreachable!("called with a padding") };
            self.pads[pad] = Some(padding);
            self.absorb(&[pad]);
        }
        let (second, end) = self.depthwise_convolution(depthwise);
        self.strip = self.strip.max(strips::strip_len(&second.shape));
        let multiply_adds = self.multiply_adds(depthwise);
        self.depthwise_step(index, end, Kind::Strips { first, second });
        if let Some(step) = self.steps.last_mut() {
            step.multiply_adds += multiply_adds;
        }
    }

    pub(super) fn depthwise(&mut self, index: LayerIndex) {
        let (convolution, last) = self.depthwise_convolution(index);
        self.depthwise_step(index, last, Kind::Depthwise(convolution));
    }

    /// The depthwise convolution `index` with what is folded into it, and the last layer of that.
    fn depthwise_convolution(&mut self, index: LayerIndex) -> (DepthwiseConvolution, LayerIndex) {
        let layer = self.layer(index);
        let Op::DepthwiseConv2D { kernel, stride, .. } = layer.op else { unreachable!("called for depthwise layers") };
        let channels = layer.output_shape[2];
        let (mut last, scale, shift) = self.folded_batch_norm(index, channels);
        let mut layers = vec![index, last];
        let mut activation = Activation::Linear;
        if let Some((reader, following)) = self.following_activation(last) {
            (last, activation) = (reader, following);
            layers.push(last);
        }
        let (input_shape, [pad_top, pad_left]) = self.border(layer.inputs[0], kernel, stride, &layer.op);
        let shape = Depthwise {
            height: input_shape[0],
            width: input_shape[1],
            channels,
            kernel,
            stride,
            pad_top,
            pad_left,
            out_height: layer.output_shape[0],
            out_width: layer.output_shape[1],
        };
        let kernel = self
            .param(layer, "kernel")
            .data()
            .iter()
            .enumerate()
            .map(|(i, &weight)| (f64::from(weight) * scale[i % channels]) as f32)
            .collect();
        self.absorb(&layers);
        let activation = kernel_activation(activation);
        (DepthwiseConvolution { shape, kernel, bias: Buffer::from(&narrow(&shift)[..]), activation }, last)
    }

    /// A step from layer `first` that ends in a depthwise convolution whose value is that of layer `last`.
    ///
    /// The squeeze of a squeeze-excite reads the same value: its mean is taken on the way. Its slot is taken first, so that it
    /// can't be the one that the convolution still reads.
    fn depthwise_step(&mut self, first: LayerIndex, last: LayerIndex, kind: Kind) {
        let squeeze = |&reader: &LayerIndex| self.layer(reader).op == Op::GlobalAveragePooling;
        let pool = self.readers[last].iter().copied().find(squeeze);
        let means = pool.map(|pool| self.pool.take(self.len(pool)));
        self.step(first, last, kind, None);
        if let (Some(pool), Some(slot), Some(step)) = (pool, means, self.steps.last_mut()) {
            step.means = means;
            self.places[pool] = Some(Place::Slot(slot));
            self.read(last);
        }
    }
}
