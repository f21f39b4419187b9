//! The layers of a tail as units: what each needs to run, and which compute a BatchNorm on the way.

use defrost_kernels::{Activation as KernelActivation, Depthwise, Matrix, Packed, Precision};

use super::fuse::batch_norm_affine;
use super::patches::{Patches, depthwise_shape};
use super::{BatchNormMode, Engine, absorb};
use crate::graph::{CutPoint, Graph, LayerIndex, Op, Tap};
use crate::tensor::Params;

/// What one layer of the tail needs to run.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    /// Its index in the graph.
    pub(super) index: LayerIndex,
    /// Its inputs, counted from the tap.
    pub(super) inputs: Vec<usize>,
    /// Whether a gradient must reach each input.
    pub(super) passes_gradient: Vec<bool>,
    /// Whether a gradient by its output is needed at all.
    pub(super) needs_gradient: bool,
    /// Numbers of its parameters among those that train, by name.
    pub(super) trainable: Vec<(&'static str, usize)>,
    /// Whether BatchNorm takes the batch's own moments in training.
    pub(super) batch_statistics: bool,
    /// A BatchNorm by moving statistics that this unit computes: itself, or the one before it.
    pub(super) normalization: Option<Normalization>,
    /// The gate that a 1×1 convolution multiplies the channels of its input by, on the way.
    pub(super) gate: Option<Gate>,
    /// The shape of a depthwise convolution, the padding before it included where that is absorbed.
    pub(super) depthwise: Option<Depthwise>,
    /// The 1×1 convolution before the BatchNorm of a depthwise unit, where its output is too large to be stored: it is computed
    /// strip by strip, and backward once more.
    pub(super) expansion: Option<Box<Unit>>,
    /// Whether a later unit computes this one.
    pub(super) is_absorbed: bool,
    /// The kernel as the right-hand side of the forward product, and transposed for the input's gradient.
    pub(super) kernel: Packed,
    pub(super) kernel_transposed: Packed,
}

impl Unit {
    pub(super) fn trainable(&self, name: &str) -> Option<usize> {
        self.trainable.iter().find(|(own, _)| *own == name).map(|(_, number)| *number)
    }

    /// The shape of a depthwise unit.
    pub(super) fn depthwise_shape(&self) -> &Depthwise {
        self.depthwise.as_ref().unwrap_or_else(|| unreachable!("only depthwise convolutions have such a shape"))
    }

    /// The value that it is computed from, counted from the tap.
    pub(super) fn source(&self) -> usize {
        match (&self.expansion, &self.normalization) {
            (Some(expansion), _) => expansion.source(),
            (None, Some(normalization)) => normalization.input,
            (None, None) => self.inputs[0],
        }
    }

    /// The values that it reads, counted from the tap.
    pub(super) fn reads(&self) -> impl Iterator<Item = usize> {
        let gate = self.gate.as_ref().map(|gate| gate.input);
        std::iter::once(self.source()).chain(self.inputs.iter().skip(1).copied()).chain(gate)
    }

    /// Whether a step of training changes what it computes with.
    pub(super) fn has_trainable(&self) -> bool {
        let normalization = self.normalization.as_ref();
        !self.trainable.is_empty()
            || normalization.is_some_and(|normalization| normalization.trainable.is_some())
            || self.expansion.as_ref().is_some_and(|expansion| expansion.has_trainable())
    }

    /// Packs the kernel anew, after it changed, and takes the factors of a BatchNorm.
    pub(super) fn pack(&mut self, graph: &Graph, params: &Params, engine: Engine) {
        if self.is_absorbed {
            return;
        }
        if let Some(normalization) = &mut self.normalization {
            normalization.read(graph, params);
        }
        if let Some(expansion) = &mut self.expansion {
            expansion.pack(graph, params, engine);
        }
        let layer = &graph.layers()[self.index];
        if !matches!(layer.op, Op::Conv2D { .. } | Op::Dense { .. }) {
            return;
        }
        let kernel = &params[&format!("{}/kernel", layer.name)];
        let columns = kernel.shape().last().copied().unwrap_or(1);
        let matrix = Matrix::new(kernel.data(), kernel.data().len() / columns, columns);
        let precision = product_precision(graph, self.index, engine.precision);
        engine.kernels.pack_into(matrix, precision, &mut self.kernel);
        if self.passes_gradient[0] {
            engine.kernels.pack_into(matrix.transposed(), precision, &mut self.kernel_transposed);
        }
    }
}

/// In what the products of layer `index` multiply: as asked for where they are 1×1 convolutions of several positions.
fn product_precision(graph: &Graph, index: LayerIndex, asked: Precision) -> Precision {
    let layer = &graph.layers()[index];
    match layer.op {
        Op::Conv2D { .. } => {
            let patches = Patches::of(graph, layer);
            if patches.is_pointwise() && patches.rows() > 1 { asked } else { Precision::F32 }
        }
        _ => Precision::F32,
    }
}

/// A BatchNorm by moving statistics with the activation after it, `f(x · scale + shift)`, in one pass.
///
/// The unit that it ends in computes it: the BatchNorm itself or the activation, or the units that read it, strip by strip, which
/// leave it nowhere.
#[derive(Debug, Clone)]
pub(super) struct Normalization {
    /// The BatchNorm.
    pub(super) index: LayerIndex,
    /// Its input, counted from the tap.
    pub(super) input: usize,
    /// Its output, where gradients arrive: the activation's, counted from the tap.
    pub(super) output: usize,
    /// Whether a gradient must reach the input.
    pub(super) passes_gradient: bool,
    pub(super) activation: KernelActivation,
    /// Numbers of gamma and beta among the parameters that train.
    pub(super) trainable: Option<[usize; 2]>,
    pub(super) scale: Vec<f32>,
    pub(super) shift: Vec<f32>,
}

/// The gate of squeeze-excite before a 1×1 convolution.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gate {
    /// One value for each channel of a picture; counted from the tap.
    pub(super) input: usize,
    /// Whether a gradient must reach what is multiplied, and the gate.
    pub(super) passes_gradient: [bool; 2],
}

impl Normalization {
    fn read(&mut self, graph: &Graph, params: &Params) {
        let layer = &graph.layers()[self.index];
        if let Op::BatchNorm { epsilon, .. } = layer.op {
            let (scale, shift) = batch_norm_affine(layer, params, epsilon);
            self.scale = scale.iter().map(|&x| x as f32).collect();
            self.shift = shift.iter().map(|&x| x as f32).collect();
        }
    }
}

/// The units of the layers after `tap`, and the names of the tensors that train from `cut` on, in graph order; `to_tap` asks for
/// the gradient by the tap, too.
pub(super) fn compile(
    graph: &Graph,
    tap: Tap,
    cut: CutPoint,
    mode: BatchNormMode,
    to_tap: bool,
) -> (Vec<Unit>, Vec<String>) {
    let mut trainable = Vec::new();
    let mut needs_gradient = vec![false; graph.len() - tap.0];
    needs_gradient[0] = to_tap;
    let mut units = Vec::new();
    for (index, layer) in graph.layers().iter().enumerate().skip(tap.0 + 1) {
        let inputs: Vec<usize> = layer.inputs.iter().map(|input| input - tap.0).collect();
        let passes_gradient: Vec<bool> = inputs.iter().map(|&input| needs_gradient[input]).collect();
        let mut own = Vec::new();
        if cut.trains(index) {
            for param in layer.params.iter().filter(|param| param.trainable) {
                own.push((param.name, trainable.len()));
                trainable.push(layer.param_name(param));
            }
        }
        let batch_norm = matches!(layer.op, Op::BatchNorm { .. });
        let needed = !own.is_empty() || passes_gradient.contains(&true);
        needs_gradient[index - tap.0] = needed;
        units.push(Unit {
            index,
            inputs,
            passes_gradient,
            needs_gradient: needed,
            batch_statistics: batch_norm && !own.is_empty() && mode == BatchNormMode::BatchStatistics,
            trainable: own,
            normalization: None,
            gate: None,
            depthwise: matches!(layer.op, Op::DepthwiseConv2D { .. }).then(|| depthwise_shape(graph, layer)),
            expansion: None,
            is_absorbed: false,
            kernel: Packed::default(),
            kernel_transposed: Packed::default(),
        });
    }
    absorb::absorb(graph, &mut units);
    (units, trainable)
}
