//! PyTorch's names and axes → ours.
//!
//! A backbone's file says what a tensor is called here; the axes follow from what its layer computes: a convolution's
//! `(out, in, h, w)` becomes `(h, w, in, out)`, a depthwise `(channels, 1, h, w)` becomes `(h, w, channels, 1)`, a linear
//! layer's `(out, in)` becomes `(in, out)`. Values are copied bit for bit.

use super::{Contents, Entry, Ignored, Reason, Rename};
use crate::graph::{Graph, Op};
use crate::tensor::Tensor;
use std::collections::{BTreeSet, HashMap};

/// What training scripts put around a model's own names.
const WRAPPERS: [&str; 7] = ["state_dict", "model_state_dict", "model", "module", "net", "state_dict_ema", "model_ema"];

/// What timm calls the first kernel of all families here.
const TIMM_FIRST: &str = "conv_stem.weight";

/// Turns a checkpoint's tensors into entries.
pub(super) struct TorchNames<'a> {
    ops: HashMap<&'a str, &'a Op>,
    rename: Rename<'a>,
    /// What stands before the names of a network that is a part of the checkpoint's model: `backbone.`.
    prefixes: BTreeSet<String>,
}

impl<'a> TorchNames<'a> {
    /// For a checkpoint whose tensors are called `names`.
    pub(super) fn new<'n>(
        graph: &'a Graph,
        rename: Rename<'a>,
        names: impl Iterator<Item = &'n str>,
    ) -> TorchNames<'a> {
        let ops = graph.layers().iter().map(|layer| (layer.name.as_str(), &layer.op)).collect();
        TorchNames { ops, rename, prefixes: prefixes(graph, rename, names) }
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
        if let Some(prefix) = self.prefixes.iter().filter(|prefix| name.starts_with(*prefix)).max_by_key(|p| p.len()) {
            container = prefix.trim_end_matches('.').replace('.', "/");
            inner = &name[prefix.len()..];
        }
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
                contents.timm |= inner == TIMM_FIRST;
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
            (Some(op), _) => from_torch_axes(op, tensor),
            // A layer that isn't the graph's: of those, only the classifier has two axes.
            (None, 2) => tensor.permuted(&[1, 0]),
            _ => tensor,
        }
    }
}

/// What stands before the name of the network's first kernel, wherever the checkpoint has one.
fn prefixes<'n>(graph: &Graph, rename: Rename<'_>, names: impl Iterator<Item = &'n str>) -> BTreeSet<String> {
    let first = graph.params().map(|(layer, param)| layer.param_name(param)).find(|name| name.ends_with("/kernel"));
    let is_first = |tail: &str| rename(tail).is_some_and(|ours| Some(ours) == first);
    let prefix = |name: &str| {
        let starts = std::iter::once(0).chain(name.match_indices('.').map(|(at, _)| at + 1));
        starts
            .take_while(|&start| start < name.len())
            .find(|&start| is_first(&name[start..]))
            .map(|start| name[..start].to_owned())
    };
    names.filter_map(prefix).filter(|prefix| !prefix.is_empty()).collect()
}

/// PyTorch's axes of a layer's kernel → ours; other tensors as they are.
pub fn from_torch_axes(op: &Op, tensor: Tensor) -> Tensor {
    match (op, tensor.shape().len()) {
        (Op::Conv2D { .. }, 4) => tensor.permuted(&[2, 3, 1, 0]),
        (Op::DepthwiseConv2D { .. }, 4) => tensor.permuted(&[2, 3, 0, 1]),
        (Op::Dense { .. }, 2) => tensor.permuted(&[1, 0]),
        _ => tensor,
    }
}

/// Our axes of a layer's kernel → PyTorch's, which are ONNX' too; other tensors as they are.
pub fn to_torch_axes(op: &Op, tensor: &Tensor) -> Tensor {
    match (op, tensor.shape().len()) {
        (Op::Conv2D { .. }, 4) => tensor.permuted(&[3, 2, 0, 1]),
        (Op::DepthwiseConv2D { .. }, 4) => tensor.permuted(&[2, 3, 0, 1]),
        (Op::Dense { .. }, 2) => tensor.permuted(&[1, 0]),
        _ => tensor.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Activation, Padding};

    #[test]
    fn axes_that_were_moved_to_pytorchs_move_back() {
        let numbered =
            |shape: &[usize]| Tensor::new(shape, (0..shape.iter().product()).map(|i: usize| i as f32).collect());
        let (kernel, stride, padding, activation) = ([3, 5], 1, Padding::Same, Activation::Linear);
        let conv = Op::Conv2D { kernel, stride, padding, bias: false, activation };
        for (op, ours, theirs) in [
            (conv, vec![3, 5, 2, 4], vec![4, 2, 3, 5]),
            (Op::DepthwiseConv2D { kernel, stride, padding }, vec![3, 5, 4, 1], vec![4, 1, 3, 5]),
            (Op::Dense { activation }, vec![2, 3], vec![3, 2]),
            (Op::Dense { activation }, vec![3], vec![3]),
        ] {
            let tensor = numbered(&ours);
            let moved = to_torch_axes(&op, &tensor);
            assert_eq!(moved.shape(), theirs);
            assert_eq!(from_torch_axes(&op, moved), tensor);
        }
    }
}
