//! The tensors of a file that [`write`](super::write) wrote, for comparison.

use prost::Message;

use super::proto::{FLOAT, ModelProto};
use crate::graph::Graph;
use crate::tensor::{Params, Tensor};
use crate::weights::from_torch_axes;

/// The tensors that belong to layers of `graph`, with our axes; the rest are constants.
///
/// # Errors
/// With the broken rule, when `bytes` aren't such a file.
pub(in crate::export) fn read(bytes: &[u8], graph: &Graph) -> Result<Params, String> {
    let file = ModelProto::decode(bytes).map_err(|error| error.to_string())?;
    let written = file.graph.ok_or("it has no graph")?;
    let mut params = Params::new();
    for tensor in written.initializer {
        let Some((layer, _)) = graph.params().find(|(layer, param)| layer.param_name(param) == tensor.name) else {
            continue;
        };
        let shape: Vec<usize> = tensor.dims.iter().map(|&extent| extent as usize).collect();
        let data: Vec<f32> = tensor.raw_data.as_chunks().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect();
        if tensor.data_type != Some(FLOAT) || shape.iter().product::<usize>() != data.len() {
            return Err(format!("{} isn't {shape:?} of f32", tensor.name));
        }
        params.insert(tensor.name, from_torch_axes(&layer.op, Tensor::new(shape, data)));
    }
    Ok(params)
}

/// What a file holds, but for its numbers: inputs, outputs, and how many nodes of each operator.
#[cfg(test)]
pub(in crate::export) fn outline(bytes: &[u8]) -> String {
    use super::proto::{Extent, ValueInfoProto};
    use std::collections::BTreeMap;

    let graph = ModelProto::decode(bytes).unwrap().graph.unwrap();
    let shape = |value: &ValueInfoProto| {
        let dims = value.r#type.clone().unwrap().tensor_type.unwrap().shape.unwrap().dim;
        let extents = dims.into_iter().map(|dim| match dim.value.unwrap() {
            Extent::Fixed(extent) => extent.to_string(),
            Extent::Named(name) => name,
        });
        format!("{} [{}]", value.name, extents.collect::<Vec<_>>().join(", "))
    };
    let shapes = |values: &[ValueInfoProto]| values.iter().map(shape).collect::<Vec<_>>().join(", ");
    let mut operators: BTreeMap<&str, usize> = BTreeMap::new();
    let mut known: Vec<&str> = graph.input.iter().map(|input| input.name.as_str()).collect();
    known.extend(graph.initializer.iter().map(|tensor| tensor.name.as_str()));
    for node in &graph.node {
        *operators.entry(&node.op_type).or_default() += 1;
        for input in &node.input {
            assert!(known.contains(&input.as_str()), "{} reads {input} before it is computed", node.name);
        }
        for output in &node.output {
            assert!(!known.contains(&output.as_str()), "{output} is computed twice");
            known.push(output);
        }
    }
    let operators: Vec<String> = operators.iter().map(|(op, count)| format!("{op} {count}\n")).collect();
    let constants = graph.initializer.len();
    format!("{} → {}\n{}{constants} tensors\n\n", shapes(&graph.input), shapes(&graph.output), operators.concat())
}
