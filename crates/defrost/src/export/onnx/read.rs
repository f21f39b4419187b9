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
