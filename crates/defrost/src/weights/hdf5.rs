//! HDF5 as Keras writes it: groups, lists of strings in attributes, numeric datasets.
//!
//! Invariant: nothing is allocated by a size that the file claims and its length can't justify.

use super::{Budget, Damage};
use crate::tensor::Tensor;
use half::f16;
use hdf5_pure::{DType, Dataset, Datatype, DatatypeByteOrder, File, Group};
use std::cell::RefCell;

/// An open file and what may still be read from it.
#[derive(Debug)]
pub(super) struct Hdf5 {
    file: File,
    budget: RefCell<Budget>,
}

impl Hdf5 {
    pub(super) fn open(bytes: Vec<u8>) -> Result<Hdf5, Damage> {
        let len = bytes.len();
        let file = File::from_bytes(bytes)?;
        let declared = file.superblock().eof_address;
        if declared > len as u64 {
            return Err(Damage(format!("it is cut off: {len} of {declared} bytes")));
        }
        Ok(Hdf5 { file, budget: RefCell::new(Budget::of(len)) })
    }

    pub(super) fn root(&self) -> Group {
        self.file.root()
    }

    /// The dataset as f32; `None` where it doesn't hold numbers.
    pub(super) fn tensor(&self, dataset: &Dataset, name: &str) -> Result<Option<Tensor>, Damage> {
        let in_dataset = |damage: Damage| Damage(format!("{name}: {}", damage.0));
        let shape = dataset.shape().map_err(|error| in_dataset(error.into()))?;
        self.budget.borrow_mut().take_f32(&shape, name)?;
        let numeric = !matches!(
            dataset.dtype().map_err(|error| in_dataset(error.into()))?,
            DType::String
                | DType::VariableLengthString
                | DType::Compound(_)
                | DType::Enum(_)
                | DType::Array(..)
                | DType::ObjectReference
        );
        if !numeric {
            return Ok(None);
        }
        let datatype = dataset.datatype().map_err(|error| in_dataset(error.into()))?;
        let data = match is_half(&datatype) {
            true => {
                let bytes = dataset.read_raw().map_err(|error| in_dataset(error.into()))?;
                bytes.as_chunks().0.iter().map(|half| f16::from_le_bytes(*half).to_f32()).collect()
            }
            false => dataset.read_f32().map_err(|error| in_dataset(error.into()))?,
        };
        let shape: Vec<usize> = shape.iter().map(|&extent| extent as usize).collect();
        if shape.iter().product::<usize>() != data.len() {
            return Err(Damage(format!("{name} has {} elements for shape {shape:?}", data.len())));
        }
        Ok(Some(Tensor::new(shape, data)))
    }
}

/// Whether elements are IEEE's 16 bits, as the policy `float16` saves them; the library has no name for them.
fn is_half(datatype: &Datatype) -> bool {
    let Datatype::FloatingPoint { size: 2, byte_order: DatatypeByteOrder::LittleEndian, layout } = datatype else {
        return false;
    };
    (layout.exponent_size, layout.mantissa_size) == (5, 10)
}

/// The strings of an attribute; `None` where there is none of that name.
///
/// Keras splits a list over 64 KB into `name0`, `name1`, …; and an empty list is an empty array of f64.
pub(super) fn strings(group: &Group, name: &str) -> Result<Option<Vec<String>>, Damage> {
    let attributes = group.attrs()?;
    let list = |value: &hdf5_pure::AttrValue| value.as_strings().map(<[String]>::to_vec).unwrap_or_default();
    if let Some(value) = attributes.get(name) {
        return Ok(Some(list(value)));
    }
    let parts: Vec<String> = (0..).map_while(|part| attributes.get(&format!("{name}{part}"))).flat_map(list).collect();
    Ok(if parts.is_empty() { None } else { Some(parts) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdf5_pure::{FileBuilder, FloatingPointLayout};

    #[test]
    fn halves_become_f32_exactly() {
        let layout = FloatingPointLayout {
            bit_offset: 0,
            bit_precision: 16,
            exponent_location: 10,
            exponent_size: 5,
            mantissa_location: 0,
            mantissa_size: 10,
            exponent_bias: 15,
        };
        let halves: Vec<u8> = [1.5f32, -0.25].iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect();
        let mut file = FileBuilder::new();
        let datatype = Datatype::FloatingPoint { size: 2, byte_order: DatatypeByteOrder::LittleEndian, layout };
        file.create_dataset("half").with_raw_data(datatype, halves, 2);
        let hdf5 = Hdf5::open(file.finish().unwrap()).unwrap();
        let tensor = hdf5.tensor(&hdf5.root().dataset("half").unwrap(), "half").unwrap();
        assert_eq!(tensor, Some(Tensor::new([2], vec![1.5, -0.25])));
    }
}
