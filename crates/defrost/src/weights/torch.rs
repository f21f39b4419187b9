//! PyTorch checkpoints: the pickle is parsed, never executed, and strides are honoured.

use super::torch_names::TorchNames;
use super::{Budget, Contents, Damage, Rename};
use crate::graph::Graph;
use crate::tensor::Tensor;
use half::{bf16, f16};
use pytorch_reader::{DType, PytorchReader};
use std::path::Path;

pub(super) fn read(path: &Path, len: usize, graph: &Graph, rename: Rename<'_>) -> Result<Contents, Damage> {
    let reader = PytorchReader::new(path)?;
    let mut names = reader.keys();
    names.sort_unstable();
    let torch_names = TorchNames::new(graph, rename, names.iter().map(String::as_str));
    let mut contents = Contents { foreign: true, ..Contents::default() };
    let mut budget = Budget::of(len);
    for name in names {
        let Some(tensor) = reader.get(&name) else { continue };
        let shape: Vec<u64> = tensor.shape().iter().map(|&extent| extent as u64).collect();
        budget.take_f32(&shape, &name)?;
        let data = to_f32(tensor.dtype(), &tensor.read()?);
        if tensor.num_elements() != data.len() {
            return Err(Damage(format!("{name} has {} elements for shape {shape:?}", data.len())));
        }
        torch_names.add(&mut contents, &name, Tensor::new(tensor.shape(), data));
    }
    Ok(contents)
}

/// The reader's bytes are in the machine's own order.
fn to_f32(dtype: DType, bytes: &[u8]) -> Vec<f32> {
    fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        bytes.as_chunks::<N>().0.iter().map(|chunk| value(*chunk)).collect()
    }
    match dtype {
        DType::F32 => each(bytes, f32::from_ne_bytes),
        DType::F16 => each(bytes, |b| f16::from_ne_bytes(b).to_f32()),
        DType::BF16 => each(bytes, |b| bf16::from_ne_bytes(b).to_f32()),
        DType::F64 => each(bytes, |b| f64::from_ne_bytes(b) as f32),
        DType::I64 => each(bytes, |b| i64::from_ne_bytes(b) as f32),
        DType::I32 => each(bytes, |b| i32::from_ne_bytes(b) as f32),
        DType::I16 => each(bytes, |b| f32::from(i16::from_ne_bytes(b))),
        DType::I8 => each(bytes, |b| f32::from(i8::from_ne_bytes(b))),
        DType::U64 => each(bytes, |b| u64::from_ne_bytes(b) as f32),
        DType::U32 => each(bytes, |b| u32::from_ne_bytes(b) as f32),
        DType::U16 => each(bytes, |b| f32::from(u16::from_ne_bytes(b))),
        DType::U8 | DType::Bool => each(bytes, |b: [u8; 1]| f32::from(b[0])),
    }
}
