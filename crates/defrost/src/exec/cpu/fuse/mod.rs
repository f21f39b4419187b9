//! Turns a stretch of a graph into fused steps: BatchNorm is folded into the convolution before it, bias, activation and skip
//! connection go into the product's epilogue, padding into the convolution after it, and a squeeze's mean is taken while the
//! depthwise convolution writes.

mod convolutions;

use defrost_kernels::{Activation as KernelActivation, Matrix};

use super::patches::Patches;
use super::plan::{Kind, Place, Plan, Product, SlotPool, Step};
use super::{Engine, kernel_activation};
use crate::graph::{Activation, Graph, Layer, LayerIndex, Op};
use crate::tensor::{Params, Tensor};

/// Compiles the layers after `from` up to and including `to`.
pub(super) fn compile(graph: &Graph, params: &Params, from: LayerIndex, to: LayerIndex, engine: Engine) -> Plan {
    let mut fuser = Fuser::new(graph, params, from, to, engine);
    for index in from + 1..=to {
        if fuser.places[index].is_none() {
            fuser.add(index);
        }
    }
    fuser.steps.iter_mut().for_each(widen);
    let len = |index: LayerIndex| graph.layers()[index].output_shape.iter().product();
    Plan {
        steps: fuser.steps,
        slots: fuser.pool.lens,
        padded: fuser.padded,
        strip: fuser.strip,
        input_len: len(from),
        output: fuser.places[to].unwrap_or(Place::Input),
        output_len: len(to),
    }
}

/// Elements of a row of factors that is long enough for vectors to work well.
const WIDE: usize = 512;

/// Repeats the factors of few channels, such as a picture's three, so that vectors hold several positions.
fn widen(step: &mut Step) {
    if let Kind::Affine { scale, shift, .. } = &mut step.kind {
        while scale.len() < WIDE && step.len.is_multiple_of(2 * scale.len()) {
            scale.extend_from_within(..);
            shift.extend_from_within(..);
        }
    }
}

/// The per-channel `x · scale + shift` of an inference BatchNorm, in f64.
pub(super) fn batch_norm_affine(layer: &Layer, params: &Params, epsilon: f32) -> (Vec<f64>, Vec<f64>) {
    let tensor = |name: &str| params[&format!("{}/{name}", layer.name)].data();
    let [gamma, beta, mean, variance] = ["gamma", "beta", "moving_mean", "moving_variance"].map(tensor);
    let scale: Vec<f64> = gamma
        .iter()
        .zip(variance)
        .map(|(&gamma, &variance)| f64::from(gamma) / (f64::from(variance) + f64::from(epsilon)).sqrt())
        .collect();
    let shift = beta
        .iter()
        .zip(mean)
        .zip(&scale)
        .map(|((&beta, &mean), scale)| f64::from(beta) - f64::from(mean) * scale)
        .collect();
    (scale, shift)
}

struct Fuser<'a> {
    graph: &'a Graph,
    params: &'a Params,
    engine: Engine,
    to: LayerIndex,
    /// The layers of the stretch that read each layer's output.
    readers: Vec<Vec<LayerIndex>>,
    /// Reads that are still to come.
    pending: Vec<usize>,
    /// Where a layer's value lies; layers that share a value share the place.
    places: Vec<Option<Place>>,
    /// The layer that owns the value: itself but for reshapes, pads and inactive dropouts.
    owners: Vec<LayerIndex>,
    /// `[top, left]` of zeros that the reader must imagine around the value.
    pads: Vec<Option<[usize; 4]>>,
    /// What the reader must multiply the value's channels by.
    gates: Vec<Option<LayerIndex>>,
    steps: Vec<Step>,
    pool: SlotPool,
    /// Lengths of the two scratches.
    padded: usize,
    strip: usize,
}

impl<'a> Fuser<'a> {
    fn new(graph: &'a Graph, params: &'a Params, from: LayerIndex, to: LayerIndex, engine: Engine) -> Fuser<'a> {
        let mut readers = vec![Vec::new(); graph.len()];
        for (index, layer) in graph.layers().iter().enumerate().skip(from + 1).take(to - from) {
            for &input in &layer.inputs {
                readers[input].push(index);
            }
        }
        let mut pending: Vec<usize> = readers.iter().map(Vec::len).collect();
        pending[to] += 1; // the caller reads the output
        let mut places = vec![None; graph.len()];
        places[from] = Some(Place::Input);
        let owners = (0..graph.len()).collect();
        let (pads, gates) = (vec![None; graph.len()], vec![None; graph.len()]);
        let (steps, pool, padded, strip) = Default::default();
        Fuser { graph, params, engine, to, readers, pending, places, owners, pads, gates, steps, pool, padded, strip }
    }

    fn layer(&self, index: LayerIndex) -> &'a Layer {
        &self.graph.layers()[index]
    }

    fn param(&self, layer: &Layer, name: &str) -> &'a Tensor {
        &self.params[&format!("{}/{name}", layer.name)]
    }

    fn len(&self, index: LayerIndex) -> usize {
        self.layer(index).output_shape.iter().product()
    }

    /// The one layer that reads `index`, if it is the only one and `index` is not itself the output.
    fn sole_reader(&self, index: LayerIndex) -> Option<LayerIndex> {
        match self.readers[index][..] {
            [reader] if index != self.to => Some(reader),
            _ => None,
        }
    }

    /// The last of `index` and the inactive dropouts after it.
    fn past_dropout(&self, index: LayerIndex) -> LayerIndex {
        match self.sole_reader(index) {
            Some(reader) if matches!(self.layer(reader).op, Op::Dropout { .. }) => self.past_dropout(reader),
            _ => index,
        }
    }

    fn place(&self, index: LayerIndex) -> Place {
        self.places[index].unwrap_or(Place::Input)
    }

    /// Counts one read of `index`; the slot is free after the last.
    fn read(&mut self, index: LayerIndex) {
        let owner = self.owners[index];
        self.pending[owner] -= 1;
        if let (0, Some(Place::Slot(slot))) = (self.pending[owner], self.places[owner]) {
            self.pool.give_back(slot);
        }
    }

    /// Gives `index` the value of the layer that it only renames.
    fn share(&mut self, index: LayerIndex, input: LayerIndex) {
        let owner = self.owners[input];
        self.places[index] = self.places[input];
        self.owners[index] = owner;
        // The reads of `index` are reads of the owner; the read by `index` itself falls away.
        self.pending[owner] += self.pending[index];
        self.pending[owner] -= 1;
    }

    fn add(&mut self, index: LayerIndex) {
        let layer = self.layer(index);
        let input = layer.inputs[0];
        match &layer.op {
            Op::Input => unreachable!("the input is layer 0, and a stretch begins after a layer"),
            Op::Reshape | Op::Dropout { .. } => self.share(index, input),
            Op::ZeroPadding { padding } => {
                let convolution = |reader| match &self.layer(reader).op {
                    Op::Conv2D { kernel, .. } => *kernel != [1, 1],
                    op => matches!(op, Op::DepthwiseConv2D { .. }),
                };
                if self.sole_reader(index).is_some_and(convolution) {
                    self.share(index, input);
                    self.pads[index] = Some(*padding);
                } else {
                    let shape = &self.layer(input).output_shape;
                    let kind = Kind::Pad { shape: [shape[0], shape[1], shape[2]], padding: *padding };
                    self.step(index, index, kind, None);
                }
            }
            Op::Rescaling { scale, offset } => {
                let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect();
                self.affine(index, wide(scale), wide(offset));
            }
            Op::Normalization => {
                let deviation = |&variance: &f32| f64::from(variance).sqrt().max(1e-7);
                let scale: Vec<f64> =
                    self.param(layer, "variance").data().iter().map(|variance| 1.0 / deviation(variance)).collect();
                let mean = self.param(layer, "mean").data();
                let shift = mean.iter().zip(&scale).map(|(&mean, scale)| -f64::from(mean) * scale).collect();
                self.affine(index, scale, shift);
            }
            Op::BatchNorm { epsilon, .. } => {
                let (scale, shift) = batch_norm_affine(layer, self.params, *epsilon);
                self.affine(index, scale, shift);
            }
            Op::Activation(_) | Op::Relu { .. } => {
                let channels = layer.output_shape.last().copied().unwrap_or(1);
                self.affine(index, vec![1.0; channels], vec![0.0; channels]);
            }
            Op::Conv2D { .. } => self.convolution(index),
            Op::DepthwiseConv2D { .. } => self.depthwise(index),
            Op::Dense { activation } => {
                let kernel = self.param(layer, "kernel");
                let weights =
                    self.engine.kernels.pack(Matrix::new(kernel.data(), kernel.shape()[0], kernel.shape()[1]));
                let bias = self.param(layer, "bias").data().to_vec();
                let patches = Patches::of_row(weights.rows());
                let product = Product { patches, weights, bias, activation: kernel_activation(*activation) };
                self.step(index, index, Kind::Product(product), None);
            }
            Op::GlobalAveragePooling => {
                let shape = &self.layer(input).output_shape;
                self.step(index, index, Kind::Pool { positions: shape[0] * shape[1], channels: shape[2] }, None);
            }
            Op::Multiply if self.sole_reader(index).is_some_and(|reader| self.takes_gate(reader)) => {
                self.share(index, input);
                self.gates[index] = Some(layer.inputs[1]);
            }
            Op::Multiply => {
                let kind = Kind::Multiply { channels: layer.output_shape[2] };
                self.step(index, index, kind, Some(layer.inputs[1]));
            }
            Op::Add => self.step(index, index, Kind::Add, Some(layer.inputs[1])),
        }
    }

    /// A step that reads the first input of `first` (and `other`) and makes the value of `last`.
    fn step(&mut self, first: LayerIndex, last: LayerIndex, kind: Kind, other: Option<LayerIndex>) {
        let input = self.layer(first).inputs[0];
        let (input_place, other_place) = (self.place(input), other.map(|other| self.place(other)));
        let in_place = matches!(kind, Kind::Affine { .. } | Kind::Multiply { .. } | Kind::Add)
            && self.pending[self.owners[input]] == 1
            && matches!(input_place, Place::Slot(_));
        let output = match input_place {
            Place::Slot(slot) if in_place => {
                self.pending[self.owners[input]] = 0;
                slot
            }
            _ => self.pool.take(self.len(last)),
        };
        let multiply_adds = self.multiply_adds(first);
        self.steps.push(Step {
            name: self.layer(last).name.clone(),
            kind,
            input: input_place,
            output,
            other: other_place,
            gate: None,
            means: None,
            len: self.len(last),
            multiply_adds,
        });
        // Only now may the inputs' slots be used again: a step must not write over what it still reads.
        if !in_place {
            self.read(input);
        }
        if let Some(other) = other {
            self.read(other);
        }
        self.places[last] = Some(Place::Slot(output));
    }

    /// Marks the layers from `first` to `last` as part of one step.
    fn absorb(&mut self, layers: &[LayerIndex]) {
        for &index in layers {
            self.places[index] = Some(Place::Input); // never read: only the last layer's value exists
        }
    }

    /// The activation that is the only reader of `index`, and the layer after which the value exists.
    fn following_activation(&self, index: LayerIndex) -> Option<(LayerIndex, Activation)> {
        let reader = self.sole_reader(index)?;
        match self.layer(reader).op {
            Op::Activation(activation) => Some((reader, activation)),
            Op::Relu { .. } => Some((reader, self.layer(reader).op.activation())),
            _ => None,
        }
    }

    /// `x · scale + shift`, merged into the affine step before it, the activation after it included.
    fn affine(&mut self, index: LayerIndex, mut scale: Vec<f64>, mut shift: Vec<f64>) {
        let layer = self.layer(index);
        let own = layer.op.activation();
        let (last, activation) = match own {
            Activation::Linear => self.following_activation(index).unwrap_or((index, own)),
            _ => (index, own),
        };
        if last != index {
            self.absorb(&[index]);
        }
        let input = layer.inputs[0];
        let merges = self.pending[self.owners[input]] == 1;
        let place = self.place(input);
        if let Some(Step {
            kind: Kind::Affine { scale: first, shift: offset, activation: KernelActivation::Linear },
            output,
            ..
        }) = self.steps.last().filter(|_| merges)
            && place == Place::Slot(*output)
        {
            for channel in 0..scale.len() {
                shift[channel] += scale[channel] * f64::from(offset[channel]);
                scale[channel] *= f64::from(first[channel]);
            }
            self.pending[self.owners[input]] = 0;
            self.places[last] = Some(place);
            let activation = kernel_activation(activation);
            if let Some(step) = self.steps.last_mut() {
                step.kind = Kind::Affine { scale: narrow(&scale), shift: narrow(&shift), activation };
                step.name = self.graph.layers()[last].name.clone();
            }
            return;
        }
        let kind =
            Kind::Affine { scale: narrow(&scale), shift: narrow(&shift), activation: kernel_activation(activation) };
        self.step(index, last, kind, None);
    }

    fn multiply_adds(&self, index: LayerIndex) -> u64 {
        let layer = self.layer(index);
        layer.op.multiply_adds(&self.layer(layer.inputs[0]).output_shape, &layer.output_shape)
    }
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}
