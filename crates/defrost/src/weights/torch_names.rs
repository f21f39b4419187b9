//! PyTorch's names and axes → ours.
//!
//! A backbone's file says what a tensor is called here; the axes follow from what its layer computes: a convolution's
//! `(out, in, h, w)` becomes `(h, w, in, out)`, a depthwise `(channels, 1, h, w)` becomes `(h, w, channels, 1)`, a linear
//! layer's `(out, in)` becomes `(in, out)`. Values are copied bit for bit.

use super::{Contents, Entry, Ignored, Reason, Rename};
use crate::graph::{Graph, Op};
use crate::tensor::Tensor;
use std::collections::HashMap;

/// What training scripts put around a model's own names.
const WRAPPERS: [&str; 7] = ["state_dict", "model_state_dict", "model", "module", "net", "state_dict_ema", "model_ema"];

/// Turns a checkpoint's tensors into entries.
pub(super) struct TorchNames<'a> {
    ops: HashMap<&'a str, &'a Op>,
    rename: Rename<'a>,
}

impl<'a> TorchNames<'a> {
    pub(super) fn new(graph: &'a Graph, rename: Rename<'a>) -> TorchNames<'a> {
        TorchNames { ops: graph.layers().iter().map(|layer| (layer.name.as_str(), &layer.op)).collect(), rename }
    }

    /// Adds the tensor called `name` in the checkpoint.
    pub(super) fn add(&self, contents: &mut Contents, name: &str, tensor: Tensor) {
        let ignored = match name.split('.').next() {
            Some(first) if first.starts_with("optim") || first.ends_with("scheduler") => Some(Reason::TrainingState),
            _ if name.ends_with("num_batches_tracked") => Some(Reason::Counter),
            _ => None,
        };
        if let Some(reason) = ignored {
            contents.ignored.push(Ignored { name: name.to_owned(), reason });
            return;
        }
        let (mut container, mut inner) = (String::new(), name);
        let mut ours = (self.rename)(inner);
        while let Some((wrapper, rest)) = inner.split_once('.')
            && ours.is_none()
            && WRAPPERS.contains(&wrapper)
        {
            container = if container.is_empty() { wrapper.to_owned() } else { format!("{container}/{wrapper}") };
            inner = rest;
            ours = (self.rename)(inner);
        }
        contents.entries.push(match &ours {
            Some(ours) => {
                let (layer, variable) = ours.rsplit_once('/').unwrap_or((ours, ""));
                Entry::new(&container, layer, variable, self.with_our_axes(layer, tensor))
            }
            None => {
                let (layer, variable) = inner.rsplit_once('.').unwrap_or(("", inner));
                Entry::new(&container, layer, variable, tensor)
            }
        });
    }

    fn with_our_axes(&self, layer: &str, tensor: Tensor) -> Tensor {
        match (self.ops.get(layer), tensor.shape().len()) {
            (Some(Op::Conv2D { .. }), 4) => permuted(&tensor, &[2, 3, 1, 0]),
            (Some(Op::DepthwiseConv2D { .. }), 4) => permuted(&tensor, &[2, 3, 0, 1]),
            // A layer that isn't the graph's: of those, only the classifier has two axes.
            (Some(Op::Dense { .. }) | None, 2) => permuted(&tensor, &[1, 0]),
            _ => tensor,
        }
    }
}

/// The tensor with its axes reordered: axis i of the result is axis `axes[i]` of `tensor`.
pub(super) fn permuted(tensor: &Tensor, axes: &[usize]) -> Tensor {
    let source = tensor.shape();
    let shape: Vec<usize> = axes.iter().map(|&axis| source[axis]).collect();
    let strides: Vec<usize> = axes.iter().map(|&axis| source[axis + 1..].iter().product()).collect();
    let mut position = vec![0; shape.len()];
    let mut data = Vec::with_capacity(tensor.data().len());
    for _ in 0..tensor.data().len() {
        let index: usize = position.iter().zip(&strides).map(|(p, s)| p * s).sum();
        data.push(tensor.data()[index]);
        for axis in (0..shape.len()).rev() {
            position[axis] += 1;
            if position[axis] < shape[axis] {
                break;
            }
            position[axis] = 0;
        }
    }
    Tensor::new(shape, data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn permuting_back_is_the_identity(shape in prop::array::uniform4(1usize..4)) {
            let len: usize = shape.iter().product();
            let tensor = Tensor::new(shape, (0..len).map(|i| i as f32).collect());
            // (2, 3, 1, 0) is undone by (3, 2, 0, 1).
            let there = permuted(&tensor, &[2, 3, 1, 0]);
            prop_assert_eq!(there.shape(), [shape[2], shape[3], shape[1], shape[0]]);
            prop_assert_eq!(permuted(&there, &[3, 2, 0, 1]), tensor);
        }
    }

    #[test]
    fn a_matrix_is_transposed() {
        let tensor = Tensor::new([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(permuted(&tensor, &[1, 0]), Tensor::new([3, 2], vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
    }
}
