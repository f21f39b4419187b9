//! Features of pictures as files, for use elsewhere: what the frozen network sees, pooled, a row a picture.

#[cfg(feature = "parquet")]
mod parquet;

use std::collections::BTreeMap;
use std::path::Path;

use super::rows::StageRows;
use super::{Job, JobError};
use crate::features::{RowNumber, Side};
use crate::progress::Progress;
use crate::tensor::Tensor;
use crate::train::{RowSource as _, TrainError};
use crate::weights::to_safetensors;

/// Features of pictures, with their paths and labels; in the order of the paths.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    /// The network.
    pub backbone: &'static str,
    /// `[pictures, num_features]`.
    pub features: Tensor,
    /// Of each picture, as in `split.csv`.
    pub paths: Vec<String>,
    /// Of each picture, its class's index.
    pub labels: Vec<usize>,
    /// The classes, by index.
    pub classes: Vec<String>,
}

impl Job {
    /// The rows of the first stage for every readable picture, on its plain view. They come from the cache and go there, as in
    /// a training.
    ///
    /// # Errors
    /// When the user stops, a picture can't be read and the data are strict, or the cache can't be used.
    pub fn embed(&self, progress: Progress<'_>) -> Result<Embedding, JobError> {
        let pictures = self.pictures();
        let mut source = StageRows::new(pictures.clone(), &self.stages, self.features.clone(), self.engine());
        let rows = source.rows(0, &self.model, progress).map_err(TrainError::from)?;
        let sides = [Side::Train, Side::Validation, Side::Test];
        let mut readable: Vec<(usize, usize)> = sides.into_iter().flat_map(|side| pictures.readable(side)).collect();
        readable.sort_by(|(a, _), (b, _)| pictures.sample(*a).path.cmp(&pictures.sample(*b).path));
        let plain: Vec<RowNumber> = readable.iter().map(|&(picture, _)| pictures.rows_of(picture).start).collect();
        let features = rows.read(&plain).map_err(TrainError::from)?;
        Ok(Embedding {
            backbone: self.model.backbone.id,
            features: Tensor::new([plain.len(), rows.row_len()], features),
            paths: readable.iter().map(|&(picture, _)| pictures.sample(picture).path.clone()).collect(),
            labels: readable.into_iter().map(|(_, label)| label).collect(),
            classes: self.data.classes.clone(),
        })
    }
}

/// How an embedding is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbeddingFormat {
    /// numpy's `.npy`, with a CSV table of paths and labels beside it.
    Npy,
    /// safetensors, with the same table.
    Safetensors,
    /// Parquet: the table and the features in one file; where the feature `parquet` is on.
    #[cfg(feature = "parquet")]
    Parquet,
}

/// Why an embedding can't be written as it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddingError {
    /// The file's ending is none of a format's.
    #[error("{path}: a file of features ends in .npy, .safetensors or .parquet")]
    UnknownFormat {
        /// The file.
        path: String,
    },
    /// Parquet isn't built in.
    #[error(
        "{path}: this program was built without Parquet; build it with `--features parquet`, or write .npy or .safetensors"
    )]
    NoParquet {
        /// The file.
        path: String,
    },
    /// What the library for Parquet says.
    #[cfg(feature = "parquet")]
    #[error("the features can't be written as Parquet: {0}")]
    Parquet(#[from] ::parquet::errors::ParquetError),
}

impl EmbeddingFormat {
    /// By the ending of `path`.
    ///
    /// # Errors
    /// When it is none of a format's, or the format isn't built in.
    pub fn of(path: &Path) -> Result<EmbeddingFormat, EmbeddingError> {
        let shown = || path.display().to_string();
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("npy") => Ok(EmbeddingFormat::Npy),
            Some("safetensors") => Ok(EmbeddingFormat::Safetensors),
            #[cfg(feature = "parquet")]
            Some("parquet") => Ok(EmbeddingFormat::Parquet),
            #[cfg(not(feature = "parquet"))]
            Some("parquet") => Err(EmbeddingError::NoParquet { path: shown() }),
            _ => Err(EmbeddingError::UnknownFormat { path: shown() }),
        }
    }

    /// Whether paths and labels need a file of their own.
    pub fn needs_table(self) -> bool {
        matches!(self, EmbeddingFormat::Npy | EmbeddingFormat::Safetensors)
    }
}

impl Embedding {
    /// The features in `format`.
    ///
    /// # Errors
    /// When the library for Parquet refuses them.
    pub fn to_bytes(&self, format: EmbeddingFormat) -> Result<Vec<u8>, EmbeddingError> {
        match format {
            EmbeddingFormat::Npy => Ok(self.to_npy()),
            EmbeddingFormat::Safetensors => Ok(self.to_safetensors()),
            #[cfg(feature = "parquet")]
            EmbeddingFormat::Parquet => Ok(parquet::bytes(self)?),
        }
    }

    /// The features as numpy's `.npy`, version 1.0: little-endian f32 in C order.
    fn to_npy(&self) -> Vec<u8> {
        let [pictures, num_features] = [0, 1].map(|axis| self.features.shape()[axis]);
        let mut header =
            format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({pictures}, {num_features}), }}").into_bytes();
        // The values begin at a multiple of 64; a line feed ends the header.
        header.resize((NPY_PREAMBLE + header.len() + 1).next_multiple_of(64) - NPY_PREAMBLE - 1, b' ');
        header.push(b'\n');
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend_from_slice(&(header.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&header);
        bytes.extend(self.features.data().iter().flat_map(|value| value.to_le_bytes()));
        bytes
    }

    /// The features as safetensors: the tensor `features`; the metadata name the backbone.
    fn to_safetensors(&self) -> Vec<u8> {
        let tensors = BTreeMap::from([("features".to_owned(), self.features.clone())]);
        to_safetensors(&tensors, &[("backbone", self.backbone)])
    }

    /// The table beside the features, a line a row: `path`, `label`, `class`.
    pub fn to_csv(&self) -> Vec<u8> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let mut written = writer.write_record(["path", "label", "class"]);
        for (path, &label) in self.paths.iter().zip(&self.labels) {
            written = written.and_then(|()| writer.write_record([path, &label.to_string(), &self.classes[label]]));
        }
        debug_assert!(written.is_ok(), "rows have equal lengths, and memory takes them all");
        writer.into_inner().unwrap_or_default()
    }
}

/// Bytes before the header of a `.npy` file: magic, version, the header's length.
const NPY_PREAMBLE: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn embedding(pictures: usize) -> Embedding {
        let values = (0..pictures * 3).map(|value| value as f32 / 8.0).collect();
        Embedding {
            backbone: "small",
            features: Tensor::new([pictures, 3], values),
            paths: (0..pictures).map(|picture| format!("a, b/{picture}.jpg")).collect(),
            labels: (0..pictures).map(|picture| picture % 2).collect(),
            classes: vec!["cat".to_owned(), "dog".to_owned()],
        }
    }

    #[test]
    fn npy_is_as_numpy_documents_it() {
        for pictures in [0, 1, 2, 1000, 123_456] {
            let embedding = embedding(pictures);
            let bytes = embedding.to_npy();
            assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
            let len = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
            let (header, values) = bytes[10..].split_at(len);
            let header = std::str::from_utf8(header).unwrap();
            assert_eq!((10 + len) % 64, 0);
            let expected = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({pictures}, 3), }}");
            assert_eq!(header.trim_end_matches(' ').trim_end(), expected);
            assert!(header.ends_with('\n'));
            let values: Vec<f32> = values.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            assert_eq!(values, embedding.features.data());
        }
    }

    #[test]
    fn the_table_names_each_row() {
        let text = String::from_utf8(embedding(2).to_csv()).unwrap();
        assert_eq!(text, "path,label,class\n\"a, b/0.jpg\",0,cat\n\"a, b/1.jpg\",1,dog\n");
    }

    #[test]
    fn safetensors_hold_the_same() {
        let embedding = embedding(4);
        let read = crate::weights::from_safetensors("memory", &embedding.to_safetensors()).unwrap();
        assert_eq!(read["features"], embedding.features);
    }
}
