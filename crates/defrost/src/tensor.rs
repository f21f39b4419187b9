//! Dense f32 arrays in C order, with Keras' axes: pictures NHWC, kernels `(h, w, in, out)`, dense `(in, out)`.

use std::collections::BTreeMap;

/// An array of f32 with its shape; a scalar has the empty shape.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Vec<f32>,
}

impl Tensor {
    /// Takes `data` as an array of `shape`.
    ///
    /// # Panics
    /// When the number of elements isn't the product of the shape.
    pub fn new(shape: impl Into<Vec<usize>>, data: Vec<f32>) -> Tensor {
        let shape = shape.into();
        assert_eq!(shape.iter().product::<usize>(), data.len(), "shape {shape:?} and {} elements", data.len());
        Tensor { shape, data }
    }

    /// All zeros.
    pub fn zeros(shape: impl Into<Vec<usize>>) -> Tensor {
        Tensor::filled(shape, 0.0)
    }

    /// All `value`.
    pub fn filled(shape: impl Into<Vec<usize>>, value: f32) -> Tensor {
        let shape = shape.into();
        let data = vec![value; shape.iter().product()];
        Tensor { shape, data }
    }

    /// The extent of each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements in C order.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// The elements in C order, to change.
    pub fn data_mut(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// The elements, without the shape.
    pub fn into_data(self) -> Vec<f32> {
        self.data
    }

    /// The same elements under another shape.
    ///
    /// # Panics
    /// When the number of elements differs.
    #[must_use]
    pub fn reshaped(self, shape: impl Into<Vec<usize>>) -> Tensor {
        Tensor::new(shape, self.data)
    }

    /// The same elements with the axes in another order: axis i of the result is axis `axes[i]` of this one.
    ///
    /// # Panics
    /// When `axes` names an axis that there isn't.
    #[must_use]
    pub fn permuted(&self, axes: &[usize]) -> Tensor {
        let shape: Vec<usize> = axes.iter().map(|&axis| self.shape[axis]).collect();
        let strides: Vec<usize> = axes.iter().map(|&axis| self.shape[axis + 1..].iter().product()).collect();
        let Some((&last, outer)) = shape.split_last() else { return self.clone() };
        let mut position = vec![0; outer.len()];
        let mut data = Vec::with_capacity(self.data.len());
        while data.len() < self.data.len() {
            let from: usize = position.iter().zip(&strides).map(|(p, s)| p * s).sum();
            data.extend((0..last).map(|i| self.data[from + i * strides[outer.len()]]));
            for axis in (0..outer.len()).rev() {
                position[axis] += 1;
                if position[axis] < outer[axis] {
                    break;
                }
                position[axis] = 0;
            }
        }
        Tensor::new(shape, data)
    }

    /// Little-endian bytes of the elements.
    pub fn to_le_bytes(&self) -> Vec<u8> {
        self.data.iter().flat_map(|value| value.to_le_bytes()).collect()
    }
}

/// Tensors by name: `stem_conv/kernel`, `block1a_bn/gamma`, `dense_1/bias`. Names are Keras 3's (`layer/variable`; a depthwise
/// kernel is called `kernel`).
pub type Params = BTreeMap<String, Tensor>;

/// BLAKE3 over all tensors in name order: name, shape, little-endian bytes.
pub fn hash_params(params: &Params) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for (name, tensor) in params {
        hash_tensor(&mut hasher, name, tensor);
    }
    hasher.finalize()
}

/// Adds one tensor to a hash: length and bytes of the name, number and extents of the axes, little-endian elements.
pub fn hash_tensor(hasher: &mut blake3::Hasher, name: &str, tensor: &Tensor) {
    hasher.update(&(name.len() as u64).to_le_bytes());
    hasher.update(name.as_bytes());
    hasher.update(&(tensor.shape.len() as u64).to_le_bytes());
    for &extent in &tensor.shape {
        hasher.update(&(extent as u64).to_le_bytes());
    }
    if cfg!(target_endian = "little") {
        hasher.update(bytemuck::cast_slice(&tensor.data));
    } else {
        hasher.update(&tensor.to_le_bytes());
    }
}

/// Sums kept apart while a product runs, so that it can use vector registers.
const LANES: usize = 16;

/// `Σ aᵢ · bᵢ` of two rows of one length.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_lanes, a_rest) = a.as_chunks::<LANES>();
    let (b_lanes, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

/// The row with a length of 1, so that [`dot`] of two is the cosine between them; all zeros stay.
pub(crate) fn unit(row: &[f32]) -> Vec<f32> {
    let length = dot(row, row).sqrt();
    let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
    row.iter().map(|value| value * scale).collect()
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
            let there = tensor.permuted(&[2, 3, 1, 0]);
            prop_assert_eq!(there.shape(), [shape[2], shape[3], shape[1], shape[0]]);
            prop_assert_eq!(there.permuted(&[3, 2, 0, 1]), tensor);
        }
    }

    #[test]
    fn a_matrix_is_transposed() {
        let tensor = Tensor::new([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(tensor.permuted(&[1, 0]), Tensor::new([3, 2], vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
    }
}
