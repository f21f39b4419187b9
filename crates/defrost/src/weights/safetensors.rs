//! safetensors: a JSON header and little-endian arrays.
//!
//! Names with `/` are ours (`stem_conv/kernel`), names with dots a PyTorch model's (`conv_stem.weight`). Files that are
//! written here depend on the tensors alone: same tensors, same bytes.

use super::torch_names::TorchNames;
use super::{Contents, Damage, Entry, Format, Ignored, Reason, Rename, WeightsError};
use crate::graph::Graph;
use crate::tensor::{Params, Tensor};
use ::safetensors::tensor::TensorView;
use ::safetensors::{Dtype, SafeTensors};
use half::{bf16, f16};
use std::collections::HashMap;

use serde_json::{Map, Value, json};

/// All tensors of a safetensors file by name, whatever they belong to; f16, bf16, f64 and integers become f32.
///
/// # Errors
/// When the file breaks the format or a tensor doesn't hold numbers.
pub fn from_safetensors(name: &str, bytes: &[u8]) -> Result<Params, WeightsError> {
    let damaged = |reason: String| WeightsError::Damaged { file: name.to_owned(), format: Format::Safetensors, reason };
    let file = SafeTensors::deserialize(bytes).map_err(|error| damaged(error.to_string()))?;
    file.iter()
        .map(|(tensor, view)| match to_f32(&view) {
            Some(value) => Ok((tensor.to_owned(), value)),
            None => Err(damaged(format!("{tensor} is of type {:?}", view.dtype()))),
        })
        .collect()
}

/// The metadata of a safetensors file; `None` where it has none or breaks the format.
pub fn safetensors_metadata(bytes: &[u8]) -> Option<HashMap<String, String>> {
    SafeTensors::read_metadata(bytes).ok()?.1.metadata().clone()
}

/// A safetensors file of `params` in name order, with `metadata` in the order given.
pub fn to_safetensors(params: &Params, metadata: &[(&str, &str)]) -> Vec<u8> {
    let mut header = Map::new();
    if !metadata.is_empty() {
        let entries = metadata.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
        header.insert("__metadata__".into(), Value::Object(entries));
    }
    let mut offset = 0;
    for (name, tensor) in params {
        let end = offset + size_of_val(tensor.data());
        header.insert(name.clone(), json!({"dtype": "F32", "shape": tensor.shape(), "data_offsets": [offset, end]}));
        offset = end;
    }
    let mut text = Value::Object(header).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut bytes = Vec::with_capacity(8 + text.len() + offset);
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text);
    for tensor in params.values() {
        bytes.extend(tensor.to_le_bytes());
    }
    bytes
}

pub(super) fn read(bytes: &[u8], graph: &Graph, rename: Rename<'_>) -> Result<Contents, Damage> {
    let file = SafeTensors::deserialize(bytes)?;
    let mut tensors: Vec<(&str, TensorView<'_>)> = file.iter().collect();
    tensors.sort_unstable_by_key(|(name, _)| *name);
    let foreign = !tensors.is_empty() && tensors.iter().all(|(name, _)| !name.contains('/'));
    let torch_names = TorchNames::new(graph, rename, tensors.iter().map(|(name, _)| *name));
    let mut contents = Contents { foreign, ..Contents::default() };
    for (name, view) in tensors {
        let Some(tensor) = to_f32(&view) else {
            contents.ignored.push(Ignored { name: name.to_owned(), reason: Reason::NotNumbers });
            continue;
        };
        if foreign {
            torch_names.add(&mut contents, name, tensor);
            continue;
        }
        let (path, variable) = name.rsplit_once('/').unwrap_or(("", name));
        let (container, layer) = path.rsplit_once('/').unwrap_or(("", path));
        contents.entries.push(Entry::new(container, layer, variable, tensor));
    }
    // Our own exports say which of timm's models they are for.
    contents.timm &= safetensors_metadata(bytes).is_none_or(|metadata| !metadata.contains_key("timm"));
    Ok(contents)
}

/// A safetensors file of one tensor in half precision.
///
/// # Errors
/// When it has more bytes than the format can state.
pub fn half_to_safetensors(name: &str, tensor: &Tensor) -> Result<Vec<u8>, WeightsError> {
    let bytes: Vec<u8> = tensor.data().iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect();
    let failed = |error: ::safetensors::SafeTensorError| WeightsError::Damaged {
        file: name.to_owned(),
        format: Format::Safetensors,
        reason: error.to_string(),
    };
    let view = TensorView::new(Dtype::F16, tensor.shape().to_vec(), &bytes).map_err(failed)?;
    ::safetensors::serialize([(name, view)], None).map_err(failed)
}

fn to_f32(view: &TensorView<'_>) -> Option<Tensor> {
    fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        bytes.as_chunks::<N>().0.iter().map(|chunk| value(*chunk)).collect()
    }
    let bytes = view.data();
    let data = match view.dtype() {
        Dtype::F32 => each(bytes, f32::from_le_bytes),
        Dtype::F16 => each(bytes, |b| f16::from_le_bytes(b).to_f32()),
        Dtype::BF16 => each(bytes, |b| bf16::from_le_bytes(b).to_f32()),
        Dtype::F64 => each(bytes, |b| f64::from_le_bytes(b) as f32),
        Dtype::I64 => each(bytes, |b| i64::from_le_bytes(b) as f32),
        Dtype::I32 => each(bytes, |b| i32::from_le_bytes(b) as f32),
        Dtype::U64 => each(bytes, |b| u64::from_le_bytes(b) as f32),
        Dtype::U32 => each(bytes, |b| u32::from_le_bytes(b) as f32),
        Dtype::U8 | Dtype::BOOL => each(bytes, |b: [u8; 1]| f32::from(b[0])),
        _ => return None,
    };
    (view.shape().iter().product::<usize>() == data.len()).then(|| Tensor::new(view.shape(), data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn writing_and_reading_is_the_identity(
            tensors in prop::collection::btree_map(
                "[a-z]{1,8}/[a-z]{1,8}",
                (1usize..4, 1usize..5).prop_flat_map(|(rows, columns)| {
                    prop::collection::vec(any::<u32>().prop_map(f32::from_bits), rows * columns)
                        .prop_map(move |data| Tensor::new([rows, columns], data))
                }),
                0..6,
            ),
        ) {
            let bytes = to_safetensors(&tensors, &[("format", "defrost")]);
            prop_assert_eq!(bytes.len() % 4, 0);
            let read = from_safetensors("memory", &bytes).unwrap();
            // By bits, so that a NaN equals itself.
            let bits = |params: &Params| -> Vec<(String, Vec<usize>, Vec<u8>)> {
                params.iter().map(|(name, t)| (name.clone(), t.shape().to_vec(), t.to_le_bytes())).collect()
            };
            prop_assert_eq!(bits(&read), bits(&tensors));
        }
    }

    #[test]
    fn scalars_and_metadata_survive() {
        let params = Params::from([("normalization/count".to_owned(), Tensor::new([], vec![3.0]))]);
        let bytes = to_safetensors(&params, &[("b", "1"), ("a", "2")]);
        assert_eq!(bytes, to_safetensors(&params, &[("b", "1"), ("a", "2")]));
        assert_eq!(from_safetensors("memory", &bytes).unwrap(), params);
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        assert_eq!(header.metadata().as_ref().unwrap()["a"], "2");
    }

    #[test]
    fn half_precision_becomes_f32_exactly() {
        let halves: Vec<u8> = [1.5f32, -0.25].iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect();
        let brains: Vec<u8> = [1.5f32, -0.25].iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect();
        for (dtype, bytes) in [(Dtype::F16, halves), (Dtype::BF16, brains)] {
            let view = TensorView::new(dtype, vec![2], &bytes).unwrap();
            assert_eq!(to_f32(&view).unwrap(), Tensor::new([2], vec![1.5, -0.25]));
        }
        let tensor = Tensor::new([1, 2], vec![1.5, -0.25]);
        let bytes = half_to_safetensors("features", &tensor).unwrap();
        assert_eq!(from_safetensors("memory", &bytes).unwrap(), Params::from([("features".to_owned(), tensor)]));
    }
}
