//! Which units of a tail compute layers before them on the way, so that these layers' values lie nowhere.

use super::kernel_activation;
use super::patches::Patches;
use super::units::{Gate, Normalization, Unit};
use crate::graph::{Activation, Graph, Op};

/// Bytes of a picture's value from which on it is computed twice rather than stored: more than stays in a second-level cache
/// between the product that makes it and the convolution that reads it. Networks of tests are small.
const RECOMPUTED_BYTES: usize = if cfg!(test) { 1 << 10 } else { 512 << 10 };

/// Gives each BatchNorm by moving statistics, with the activation that alone reads it, to the units that read that; else to
/// itself.
pub(super) fn absorb(graph: &Graph, units: &mut [Unit]) {
    let readers = readers(units);
    for number in 0..units.len() {
        if matches!(graph.layers()[units[number].index].op, Op::BatchNorm { .. }) {
            Absorption { graph, readers: &readers, units }.normalization(number);
        }
    }
}

/// The units that read each unit's output, by number.
fn readers(units: &[Unit]) -> Vec<Vec<usize>> {
    let mut readers = vec![Vec::new(); units.len()];
    for (number, unit) in units.iter().enumerate() {
        for input in unit.inputs.iter().filter_map(|input| input.checked_sub(1)) {
            readers[input].push(number);
        }
    }
    readers
}

struct Absorption<'a> {
    graph: &'a Graph,
    readers: &'a [Vec<usize>],
    units: &'a mut [Unit],
}

impl Absorption<'_> {
    fn op(&self, number: usize) -> &Op {
        &self.graph.layers()[self.units[number].index].op
    }

    /// The only unit that reads `number`.
    fn sole_reader(&self, number: usize) -> Option<usize> {
        match self.readers[number][..] {
            [reader] => Some(reader),
            _ => None,
        }
    }

    /// Finds who computes the BatchNorm `number`.
    fn normalization(&mut self, number: usize) {
        let unit = &self.units[number];
        let is_activation = |reader: &usize| matches!(self.op(*reader), Op::Activation(_) | Op::Relu { .. });
        let reader = self.sole_reader(number).filter(is_activation).filter(|_| !unit.batch_statistics);
        let last = reader.unwrap_or(number);
        let activation = reader.map_or(Activation::Linear, |reader| self.op(reader).activation());
        let normalization = Normalization {
            index: unit.index,
            input: unit.inputs[0],
            output: last + 1,
            passes_gradient: unit.passes_gradient[0],
            activation: kernel_activation(activation),
            trainable: unit.trainable("gamma").zip(unit.trainable("beta")).map(|(gamma, beta)| [gamma, beta]),
            scale: Vec::new(),
            shift: Vec::new(),
        };
        self.units[number].is_absorbed = last != number;
        let given = last != number
            && (self.give_to_depthwise(last, &normalization) || self.give_to_pooling(last, &normalization) || {
                let convolution = self.sole_reader(last).filter(|&reader| self.is_pointwise(reader));
                convolution.is_some_and(|convolution| self.give(last, convolution, &normalization))
            });
        if !given {
            self.units[last].normalization = Some(normalization);
        }
    }

    /// Lets `to` compute it; `last` no longer does.
    fn give(&mut self, last: usize, to: usize, normalization: &Normalization) -> bool {
        self.units[last].is_absorbed = true;
        self.units[to].normalization = Some(normalization.clone());
        true
    }

    /// A depthwise convolution that alone reads it takes it strip by strip, over padding, and with the 1×1 convolution before the
    /// BatchNorm where that is large.
    fn give_to_depthwise(&mut self, last: usize, normalization: &Normalization) -> bool {
        let (mut reader, mut padding, mut pad) = (self.sole_reader(last), [0; 4], None);
        if let Some(between) = reader
            && let Op::ZeroPadding { padding: zeros } = self.op(between)
        {
            (padding, pad, reader) = (*zeros, reader, self.sole_reader(between));
        }
        let Some(convolution) = reader.filter(|&reader| self.units[reader].depthwise.is_some()) else { return false };
        self.give(last, convolution, normalization);
        if let Some(pad) = pad {
            self.units[pad].is_absorbed = true;
        }
        if let Some(depthwise) = &mut self.units[convolution].depthwise {
            let input = &self.graph.layers()[normalization.index].output_shape;
            (depthwise.height, depthwise.width) = (input[0], input[1]);
            (depthwise.pad_top, depthwise.pad_left) = (depthwise.pad_top + padding[0], depthwise.pad_left + padding[2]);
        }
        let producer = normalization.input.checked_sub(1).filter(|&producer| self.sole_reader(producer).is_some());
        if let Some(expansion) = producer.filter(|&producer| self.is_large_expansion(producer)) {
            self.units[convolution].expansion = Some(Box::new(self.units[expansion].clone()));
            self.units[expansion].is_absorbed = true;
        }
        true
    }

    /// A pooling takes it, where besides it only squeeze-excite's product reads it, and that is for a 1×1 convolution alone, which
    /// then takes it, too, and multiplies.
    fn give_to_pooling(&mut self, last: usize, normalization: &Normalization) -> bool {
        let is_pooling = |number: usize| matches!(self.op(number), Op::GlobalAveragePooling);
        match self.readers[last][..] {
            [pooling] if is_pooling(pooling) => self.give(last, pooling, normalization),
            [pooling, product] if is_pooling(pooling) && matches!(self.op(product), Op::Multiply) => {
                let &[multiplied, gate] = &self.units[product].inputs[..] else { return false };
                let Some(convolution) = self.sole_reader(product).filter(|&reader| self.is_pointwise(reader)) else {
                    return false;
                };
                if multiplied != last + 1 {
                    return false;
                }
                let passes_gradient = [self.units[product].passes_gradient[0], self.units[product].passes_gradient[1]];
                self.units[product].is_absorbed = true;
                self.units[convolution].gate = Some(Gate { input: gate, passes_gradient });
                self.give(last, convolution, normalization);
                self.give(last, pooling, normalization)
            }
            _ => false,
        }
    }

    fn is_pointwise(&self, number: usize) -> bool {
        let layer = &self.graph.layers()[self.units[number].index];
        matches!(layer.op, Op::Conv2D { .. }) && Patches::of(self.graph, layer).is_pointwise()
    }

    /// Whether `number` is a plain 1×1 convolution with a large output.
    fn is_large_expansion(&self, number: usize) -> bool {
        let layer = &self.graph.layers()[self.units[number].index];
        let bytes = layer.output_shape.iter().product::<usize>() * size_of::<f32>();
        matches!(layer.op, Op::Conv2D { bias: false, activation: Activation::Linear, .. })
            && self.is_pointwise(number)
            && self.units[number].normalization.is_none()
            && bytes >= RECOMPUTED_BYTES
    }
}

#[cfg(test)]
mod tests {
    use crate::backbone;
    use crate::exec::cpu::{BatchNormMode, units};
    use crate::graph::{CutPoint, Tap};
    use crate::head::Head;
    use crate::model::{Layout, Model};

    #[test]
    fn of_a_block_only_what_convolutions_and_batch_norms_without_activation_make_is_stored() {
        let b0 = backbone::find("efficientnet_b0").unwrap();
        let model = Model::new(b0, Layout::Pretrained, 224, &Head::default(), 5, 0);
        let cut = CutPoint { first_trainable: 0 };
        let (units, _) = units::compile(&model.graph, Tap(0), cut, BatchNormMode::Inference, false);
        let stored = |name: &str| {
            let unit = units.iter().find(|unit| model.graph.layers()[unit.index].name == name).unwrap();
            !unit.is_absorbed
        };
        for name in ["expand_conv", "expand_bn", "expand_activation", "bn", "activation", "se_excite"] {
            assert!(!stored(&format!("block2b_{name}")), "{name}");
        }
        for name in ["dwconv", "se_squeeze", "project_conv", "project_bn", "add"] {
            assert!(stored(&format!("block2b_{name}")), "{name}");
        }
        assert!(!stored("top_activation") && stored("top_conv") && stored("gap"));
    }
}
