//! Fits named tensors to a graph, strictly.
//!
//! The rules, the same for every format:
//!
//! 1. The network lies in one container of the file: its root or a nested base model. It is the one that holds the most of the
//!    graph's names; of equals, the first.
//! 2. There, a tensor is the parameter whose `layer/variable` it carries. A layer that Keras numbered (`normalization_1`) is
//!    the graph's `normalization` where the container has no other.
//! 3. Every parameter must be there once, in its shape, finite. Where names are PyTorch's, input normalization comes from the
//!    architecture, since PyTorch models keep it outside.
//! 4. What is left is of **other** layers, and handed out apart, if it lies in another container (a head around a nested
//!    base); or comes after the network's last layer, in formats that keep the order; or belongs to a dense layer, which a
//!    graph without dense layers can't have. Anything else is **unused**: an error, since it means another network (B1's file
//!    holds every tensor of B0).
//! 5. State of optimizers, metrics and random generators is passed over and listed.

use super::{Contents, Entry, Format, LoadReport, LoadedWeights, Unused, WeightsError, WrongShape, without_number};
use crate::error::did_you_mean;
use crate::graph::{Graph, Initializer, Op, Param};
use crate::tensor::{Params, Tensor};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn fit(
    mut contents: Contents,
    graph: &Graph,
    file: &str,
    format: Format,
) -> Result<LoadedWeights, WeightsError> {
    let wanted: BTreeMap<String, &Param> =
        graph.params().map(|(layer, param)| (layer.param_name(param), param)).collect();
    let container = container_of_the_network(&contents.entries, &wanted);
    let mut report = LoadReport {
        file: file.to_owned(),
        format,
        network: graph.name().to_owned(),
        container: container.clone(),
        loaded: 0,
        may_pad_otherwise: contents.timm && !file.rsplit(['/', '\\']).next().is_some_and(|name| name.contains("tf_")),
        renamed: without_numbers(&mut contents.entries, &container, graph),
        constants: Vec::new(),
        other: Vec::new(),
        ignored: contents.ignored,
        missing: Vec::new(),
        unused: Vec::new(),
        wrong_shape: Vec::new(),
        not_finite: Vec::new(),
        repeated: Vec::new(),
    };
    let is_ours = |entry: &Entry| entry.container == container && wanted.contains_key(&entry.name());
    let last = contents.entries.iter().rposition(is_ours);
    let follows = |index: usize| contents.ordered && last.is_some_and(|last| index > last);
    let dense = dense_layers(&contents.entries, graph);

    let (mut params, mut other, mut seen) = (Params::new(), Params::new(), BTreeSet::new());
    let mut left = Vec::new();
    for (index, entry) in contents.entries.into_iter().enumerate() {
        let (name, full_name) = (entry.name(), entry.full_name());
        if !seen.insert(full_name.clone()) {
            report.repeated.push(full_name);
            continue;
        }
        let outside = entry.container != container;
        let param = if outside { None } else { wanted.get(&name) };
        let is_other = outside || follows(index) || dense.contains(&(entry.container, entry.layer));
        if param.is_none() && !is_other {
            left.push(full_name);
            continue;
        }
        if !entry.tensor.data().iter().all(|value| value.is_finite()) {
            report.not_finite.push(full_name.clone());
        }
        match param {
            Some(param) if param.shape != entry.tensor.shape() => report.wrong_shape.push(WrongShape {
                name,
                expected: param.shape.clone(),
                found: entry.tensor.shape().to_vec(),
            }),
            Some(_) => {
                params.insert(name, entry.tensor);
            }
            None => {
                other.insert(full_name, entry.tensor);
            }
        }
    }
    report.loaded = params.len();
    if contents.foreign {
        report.constants = add_constants(&mut params, graph);
    }
    let wrong: BTreeSet<&str> = report.wrong_shape.iter().map(|wrong| wrong.name.as_str()).collect();
    report.missing =
        wanted.keys().filter(|name| !params.contains_key(*name) && !wrong.contains(name.as_str())).cloned().collect();
    // Where most of the network is missing, resemblances are chance.
    let misspelt = 2 * report.missing.len() < wanted.len();
    let hint = |name: &str| match misspelt {
        true => did_you_mean(name, report.missing.iter().map(String::as_str)),
        false => String::new(),
    };
    report.unused = left.into_iter().map(|name| Unused { hint: hint(&name), name }).collect();
    report.other = other.keys().cloned().collect();
    if report.is_ok() {
        Ok(LoadedWeights { params, other, report })
    } else {
        Err(WeightsError::Mismatch(Box::new(report)))
    }
}

/// The container with the most of the wanted names; of equals, the first.
fn container_of_the_network(entries: &[Entry], wanted: &BTreeMap<String, &Param>) -> String {
    let mut scores: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in entries {
        *scores.entry(&entry.container).or_default() += usize::from(wanted.contains_key(&entry.name()));
    }
    // `max_by_key` keeps the last of equals.
    scores
        .iter()
        .rev()
        .max_by_key(|(_, score)| **score)
        .map(|(container, _)| (*container).to_owned())
        .unwrap_or_default()
}

/// Gives layers that only a number sets apart from the graph's their name; returns what was renamed.
fn without_numbers(entries: &mut [Entry], container: &str, graph: &Graph) -> Vec<(String, String)> {
    let of_graph: BTreeSet<&str> = graph.layers().iter().map(|layer| layer.name.as_str()).collect();
    let of_file: BTreeSet<String> =
        entries.iter().filter(|entry| entry.container == container).map(|entry| entry.layer.clone()).collect();
    let mut renamed = BTreeSet::new();
    for entry in entries.iter_mut().filter(|entry| entry.container == container) {
        if of_graph.contains(entry.layer.as_str()) {
            continue;
        }
        if let Some(base) = without_number(&entry.layer)
            && of_graph.contains(base)
            && !of_file.contains(base)
        {
            let base = base.to_owned();
            renamed.insert((entry.layer.clone(), base.clone()));
            entry.layer = base;
        }
    }
    renamed.into_iter().collect()
}

/// `(container, layer)` of the dense layers, where the graph has none: those with a kernel of two axes.
fn dense_layers(entries: &[Entry], graph: &Graph) -> BTreeSet<(String, String)> {
    if graph.layers().iter().any(|layer| matches!(layer.op, Op::Dense { .. })) {
        return BTreeSet::new();
    }
    entries
        .iter()
        .filter(|entry| matches!(entry.variable.as_str(), "kernel" | "weight") && entry.tensor.shape().len() == 2)
        .map(|entry| (entry.container.clone(), entry.layer.clone()))
        .collect()
}

/// Adds the input normalization that a PyTorch model's file doesn't hold; returns the names.
fn add_constants(params: &mut Params, graph: &Graph) -> Vec<String> {
    let mut added = Vec::new();
    for (layer, param) in graph.params().filter(|(layer, _)| layer.op == Op::Normalization) {
        let name = layer.param_name(param);
        let value = match param.initializer {
            Initializer::Constant(values) if values.len() == param.len() => {
                Tensor::new(param.shape.clone(), values.to_vec())
            }
            Initializer::Zeros => Tensor::zeros(param.shape.clone()),
            _ => continue,
        };
        if !params.contains_key(&name) {
            params.insert(name.clone(), value);
            added.push(name);
        }
    }
    added
}
