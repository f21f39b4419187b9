//! An embedding as a Parquet file: paths, labels, classes and features in one table.

use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::Embedding;

/// A list's element has level 1 where it goes on, 0 where it begins a row; nothing is missing.
const SCHEMA: &str = "message embedding {
    required binary path (STRING);
    required int32 label;
    required binary class (STRING);
    required group features (LIST) { repeated group list { required float element; } }
}";
/// Rows that a reader has to hold at once: 40 MB of 1280 features.
const GROUP_ROWS: usize = 8192;

pub(super) fn bytes(embedding: &Embedding) -> Result<Vec<u8>, ParquetError> {
    let backbone = KeyValue::new("backbone".to_owned(), embedding.backbone.to_owned());
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        // Features don't repeat, so a dictionary of them would be given up after a while.
        .set_dictionary_enabled(false)
        .set_key_value_metadata(Some(vec![backbone]))
        .build();
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    let num_features = embedding.features.shape()[1];
    let levels =
        |rows: usize| -> Vec<i16> { (0..rows * num_features).map(|at| i16::from(at % num_features != 0)).collect() };
    for first in (0..embedding.paths.len()).step_by(GROUP_ROWS) {
        let rows = first..embedding.paths.len().min(first + GROUP_ROWS);
        let labels = &embedding.labels[rows.clone()];
        let mut group = writer.next_row_group()?;
        let paths: Vec<ByteArray> = embedding.paths[rows.clone()].iter().map(|path| path.as_str().into()).collect();
        column::<ByteArrayType>(&mut group, &paths, None)?;
        let numbers: Vec<i32> = labels.iter().map(|&label| label as i32).collect();
        column::<Int32Type>(&mut group, &numbers, None)?;
        let classes: Vec<ByteArray> = labels.iter().map(|&label| embedding.classes[label].as_str().into()).collect();
        column::<ByteArrayType>(&mut group, &classes, None)?;
        let features = &embedding.features.data()[rows.start * num_features..rows.end * num_features];
        column::<FloatType>(&mut group, features, Some(&levels(rows.len())))?;
        group.close()?;
    }
    writer.into_inner()
}

/// Writes the next column; `levels` are given for a list.
fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("the table has no such column".to_owned()));
    };
    // A repeated element that is there has definition level 1.
    let defined = levels.map(|levels| vec![1; levels.len()]);
    column.typed::<T>().write_batch(values, defined.as_deref(), levels)?;
    column.close()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::{ListAccessor as _, RowAccessor as _};

    use super::super::tests::embedding;
    use super::*;

    #[test]
    fn rows_come_back() {
        for pictures in [1, 5, GROUP_ROWS + 2] {
            let embedding = embedding(pictures);
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&bytes(&embedding).unwrap()).unwrap();
            let reader = SerializedFileReader::new(file).unwrap();
            assert_eq!(reader.num_row_groups(), pictures.div_ceil(GROUP_ROWS));
            let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
            assert_eq!(rows.len(), pictures);
            for (number, row) in rows.iter().enumerate() {
                assert_eq!(row.get_string(0).unwrap(), &embedding.paths[number]);
                assert_eq!(row.get_int(1).unwrap() as usize, embedding.labels[number]);
                assert_eq!(row.get_string(2).unwrap(), &embedding.classes[embedding.labels[number]]);
                let list = row.get_list(3).unwrap();
                let features: Vec<f32> = (0..list.len()).map(|at| list.get_float(at).unwrap()).collect();
                assert_eq!(features, embedding.features.data()[number * 3..][..3]);
            }
        }
    }
}
