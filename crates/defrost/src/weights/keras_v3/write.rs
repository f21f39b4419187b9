//! Writing `.weights.h5` and `.keras` as Keras 3 does.

use hdf5_pure::{AttrValue, FileBuilder};
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;

use super::{CONFIG_MEMBER, Numbering, WEIGHTS_MEMBER};
use crate::graph::{Graph, Layer, Op};
use crate::tensor::Params;

/// The archive's member that says who wrote it.
const METADATA_MEMBER: &str = "metadata.json";

/// A Keras file that a library couldn't make.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KerasError {
    /// The tensors.
    #[error("can't write HDF5: {0}")]
    Hdf5(#[from] hdf5_pure::Error),
    /// The archive.
    #[error("can't write a zip archive: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// The archive's content.
    #[error("can't write a zip archive: {0}")]
    Io(#[from] std::io::Error),
}

/// `.weights.h5` of the model whose layers are those of `graph`: what `model.load_weights` reads.
///
/// # Errors
/// When the library refuses.
pub fn to_keras_weights(graph: &Graph, params: &Params) -> Result<Vec<u8>, KerasError> {
    let mut file = FileBuilder::new();
    let mut layers = file.create_group("layers");
    let mut numbering = Numbering::default();
    for layer in graph.layers() {
        let mut group = layers.create_group(&numbering.group(layer.op.class()));
        let mut vars = group.create_group("vars");
        vars.set_attr("name", AttrValue::String(layer.name.clone()));
        for (number, param) in layer.params.iter().enumerate() {
            let tensor = &params[&layer.param_name(param)];
            let shape: Vec<u64> = tensor.shape().iter().map(|&extent| extent as u64).collect();
            let dataset = vars.create_dataset(&number.to_string());
            if is_count(layer, param.name) {
                dataset.with_i32_data(&[tensor.data()[0] as i32]);
            } else {
                dataset.with_f32_data(tensor.data());
            }
            dataset.with_shape(&shape);
        }
        group.add_group(vars.finish());
        layers.add_group(group.finish());
    }
    file.add_group(layers.finish());
    Ok(file.finish()?)
}

/// The only whole number among Keras' variables: how many batches a normalization was adapted on.
fn is_count(layer: &Layer, variable: &str) -> bool {
    layer.op == Op::Normalization && variable == "count"
}

/// `.keras`: what `keras.saving.load_model` reads.
///
/// # Errors
/// When the library refuses.
pub fn to_keras_archive(config: &str, metadata: &str, weights: &[u8]) -> Result<Vec<u8>, KerasError> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    // Stored, as Keras does, at the earliest time that zip knows, so that the same classifier is the same bytes.
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default());
    for (name, content) in
        [(METADATA_MEMBER, metadata.as_bytes()), (CONFIG_MEMBER, config.as_bytes()), (WEIGHTS_MEMBER, weights)]
    {
        archive.start_file(name, options)?;
        archive.write_all(content)?;
    }
    Ok(archive.finish()?.into_inner())
}
