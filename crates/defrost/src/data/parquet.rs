//! Parquet files as Hugging Face `datasets` writes them: a picture's bytes and its label a row.
//!
//! The picture's column is a struct `{bytes, path}` (or plain bytes), the label's holds numbers, whose names the metadata under
//! `huggingface` have, or text. Invariant: of the pictures, only the row groups that are being read are in memory, a few of
//! them, each of a limited size.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use parquet::basic::Type;
use parquet::column::reader::ColumnReader;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::Value;

use super::DataError;
use super::folder::Role;
use super::options::Labels;
use super::stored::{Candidate, Stored};
use super::table::{Row, Table};
use crate::fs::FsError;

/// The most bytes that the pictures of a row group may take, as they are written.
const GROUP_LIMIT: i64 = 1 << 30;

/// Names of the picture's column, the plainest first.
const PICTURE_NAMES: [&str; 4] = ["image", "img", "picture", "photo"];
const FINE_NAMES: [&str; 6] = ["label", "labels", "fine_label", "class", "category", "target"];
const COARSE_NAMES: [&str; 1] = ["coarse_label"];

/// A file's column of pictures.
pub(super) struct Pictures {
    path: PathBuf,
    reader: SerializedFileReader<File>,
    column: usize,
    /// The row groups read last, with their pictures; a null where a row has none.
    recent: Mutex<VecDeque<Group>>,
}

/// A row group's number, and its pictures.
type Group = (usize, Arc<Vec<Option<ByteArray>>>);

impl std::fmt::Debug for Pictures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pictures").field("path", &self.path).field("column", &self.column).finish_non_exhaustive()
    }
}

impl Pictures {
    /// The encoded picture of a row.
    pub(super) fn bytes(&self, group: usize, row: usize) -> Result<Vec<u8>, FsError> {
        let wrong = |what: String| FsError::at("read", &self.path)(io::Error::new(io::ErrorKind::InvalidData, what));
        // Threads that wait here want the same group, as pictures are read in order.
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let known = recent.iter().find(|(number, _)| *number == group).map(|(_, pictures)| Arc::clone(pictures));
        let pictures = match known {
            Some(pictures) => pictures,
            None => {
                // The library promises errors, not that no damaged file makes it panic.
                let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.read(group)));
                let read = read.unwrap_or_else(|_| Err(ParquetError::General("it is damaged".to_owned())));
                let pictures = Arc::new(read.map_err(|error| wrong(error.to_string()))?);
                // One for each thread, as each reads its own part of the data.
                recent.truncate(rayon::current_num_threads());
                recent.push_front((group, Arc::clone(&pictures)));
                pictures
            }
        };
        drop(recent);
        match pictures.get(row) {
            Some(Some(picture)) => Ok(picture.data().to_vec()),
            _ => Err(wrong(format!("row {row} of row group {group} holds no picture"))),
        }
    }

    fn read(&self, group: usize) -> Result<Vec<Option<ByteArray>>, ParquetError> {
        let group = self.reader.get_row_group(group)?;
        let rows = rows_of(group.metadata().num_rows());
        match group.get_column_reader(self.column)? {
            ColumnReader::ByteArrayColumnReader(mut reader) => {
                let (mut levels, mut values) = (Vec::new(), Vec::new());
                let mut read = 0;
                while read < rows {
                    let (records, ..) = reader.read_records(rows - read, Some(&mut levels), None, &mut values)?;
                    if records == 0 {
                        break;
                    }
                    read += records;
                }
                let deepest = self.reader.metadata().file_metadata().schema_descr().column(self.column).max_def_level();
                Ok(spread(values, &levels, deepest))
            }
            _ => Err(ParquetError::General("the pictures are no bytes".to_owned())),
        }
    }
}

/// Values by row: a level below the deepest is a null. A column without nulls has no levels.
fn spread<T>(values: Vec<T>, levels: &[i16], deepest: i16) -> Vec<Option<T>> {
    let mut values = values.into_iter();
    match deepest {
        0 => values.map(Some).collect(),
        _ => levels.iter().map(|level| if *level == deepest { values.next() } else { None }).collect(),
    }
}

fn rows_of(number: i64) -> usize {
    usize::try_from(number).unwrap_or_default()
}

/// Reads the labels of `files`, which lie below `path` (or are it); which side a file is for, its name says (`train-00000-of-…`)
/// or its folder's.
pub(super) fn open(path: &Path, files: Vec<String>, labels: Labels) -> Result<Table, DataError> {
    let mut table = Table { path: path.to_owned(), rows: Vec::new(), order: None };
    for name in files {
        let at = if path.is_file() { path.to_owned() } else { path.join(&name) };
        // The library promises errors, not that no damaged file makes it panic.
        let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| add(&mut table, &at, &name, labels)));
        read.unwrap_or_else(|_| Err(wrong(&at, "it is damaged; fetch or write it again")))?;
    }
    if table.rows.is_empty() {
        return Err(DataError::NoPictures { path: path.to_owned() });
    }
    Ok(table)
}

fn wrong(path: &Path, reason: impl Into<String>) -> DataError {
    DataError::Parquet { path: path.to_owned(), reason: reason.into() }
}

/// The side that a file is for.
fn side(name: &str) -> Role {
    let (folders, file) = name.rsplit_once('/').unwrap_or(("", name));
    let stem = file.split(['-', '.', '_']).next().unwrap_or_default();
    let folder = folders.rsplit('/').find_map(Role::of);
    Role::of(stem).or(folder).unwrap_or(Role::Train)
}

fn add(table: &mut Table, path: &Path, name: &str, labels: Labels) -> Result<(), DataError> {
    let broken = |error: ParquetError| wrong(path, format!("can't be read as Parquet: {error}"));
    let file = File::open(path).map_err(FsError::at("read", path))?;
    let reader = SerializedFileReader::new(file).map_err(broken)?;
    let file = reader.metadata().file_metadata();
    let schema = file.schema_descr_ptr();
    let features = features(file.key_value_metadata().into_iter().flatten());
    let leaves: Vec<String> = schema.columns().iter().map(|column| column.path().string()).collect();
    let find = |names: &[&str], feature: &str, leaf: &str| {
        let typed = features.iter().filter(|(_, value)| value["_type"] == feature).map(|(name, _)| name.as_str());
        let mut candidates = names.iter().copied().chain(typed);
        candidates.find_map(|name| leaves.iter().position(|own| own == name || *own == format!("{name}{leaf}")))
    };
    let kind = |column: usize| schema.column(column).physical_type();
    let picture = find(&PICTURE_NAMES, "Image", ".bytes").filter(|column| kind(*column) == Type::BYTE_ARRAY);
    let Some(picture) = picture else {
        let reason = "has no column `image` with bytes of pictures; write it with Hugging Face `datasets` (`to_parquet`), which \
                      puts the bytes in";
        return Err(wrong(path, reason));
    };
    let label = match labels {
        Labels::Fine => find(&FINE_NAMES, "ClassLabel", ""),
        Labels::Coarse => find(&COARSE_NAMES, "", ""),
    };
    let Some(label) = label.filter(|label| *label != picture) else {
        let wanted = if labels == Labels::Fine { "label" } else { "coarse_label" };
        return Err(wrong(path, format!("has no column `{wanted}`; it has {}", crate::error::shortened(&leaves, 10))));
    };
    let names = names_of(features.iter().find(|(name, _)| *name == leaves[label]).map(|(_, value)| value));
    if let Some(names) = &names {
        let known = table.order.get_or_insert_with(|| names.clone());
        if known != names {
            return Err(wrong(path, "names other classes than the files before it; give one data set at a time"));
        }
    }

    let groups: Vec<(usize, i64)> = reader
        .metadata()
        .row_groups()
        .iter()
        .map(|group| (rows_of(group.num_rows()), group.column(picture).uncompressed_size()))
        .collect();
    if groups.iter().any(|(_, bytes)| *bytes > GROUP_LIMIT) {
        let reason = format!(
            "has a row group of more than {GROUP_LIMIT} bytes, which would have to be in memory at once; write it with smaller \
             ones (`row_group_size=100`)"
        );
        return Err(wrong(path, reason));
    }
    let own: Vec<Vec<Option<String>>> = (0..groups.len())
        .map(|group| labels_of(&reader, group, label, names.as_deref()).map_err(broken))
        .collect::<Result<_, _>>()?;
    let stem = name.strip_suffix(".parquet").unwrap_or(name);
    let side = side(name);
    let pictures =
        Arc::new(Pictures { path: path.to_owned(), reader, column: picture, recent: Mutex::new(VecDeque::new()) });
    let mut number = 0;
    for (group, labels) in own.into_iter().enumerate() {
        for (row, label) in labels.into_iter().enumerate() {
            // A row without a label (Hugging Face's hidden test labels are −1) can't be learned from or judged.
            if let Some(label) = label {
                let stored = Stored::Row { file: Arc::clone(&pictures), group, row };
                let candidate = Candidate::new(format!("{stem}/{number:06}"), 0, stored);
                table.rows.push(Row { label, side, candidate });
            }
            number += 1;
        }
    }
    Ok(())
}

/// The columns' types by name, as `datasets` notes them.
fn features<'a>(metadata: impl Iterator<Item = &'a KeyValue>) -> Vec<(String, Value)> {
    let noted = metadata.filter(|pair| pair.key == "huggingface").filter_map(|pair| pair.value.as_deref());
    let features = noted.filter_map(|text| serde_json::from_str::<Value>(text).ok()).find_map(|value| {
        Some(value["info"]["features"].as_object()?.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
    });
    features.unwrap_or_default()
}

/// The names of a label's numbers.
fn names_of(feature: Option<&Value>) -> Option<Vec<String>> {
    feature?["names"].as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}

/// The labels of a row group; `None` for a row that has none.
fn labels_of(
    reader: &SerializedFileReader<File>,
    group: usize,
    column: usize,
    names: Option<&[String]>,
) -> Result<Vec<Option<String>>, ParquetError> {
    let group = reader.get_row_group(group)?;
    let rows = rows_of(group.metadata().num_rows());
    let deepest = group.metadata().schema_descr().column(column).max_def_level();
    let mut levels = Vec::new();
    macro_rules! read {
        ($reader:ident) => {{
            let mut values = Vec::new();
            while $reader.read_records(rows, Some(&mut levels), None, &mut values)?.0 > 0 {}
            spread(values, &levels, deepest)
        }};
    }
    let named = |number: i64| match (names, usize::try_from(number)) {
        (_, Err(_)) => Ok(None),
        (None, Ok(_)) => Ok(Some(number.to_string())),
        (Some(names), Ok(index)) => match names.get(index) {
            Some(name) => Ok(Some(name.clone())),
            None => Err(ParquetError::General(format!("the label {number} has no name; there are {}", names.len()))),
        },
    };
    let number = |number: Option<i64>| number.map_or(Ok(None), named);
    match group.get_column_reader(column)? {
        ColumnReader::Int64ColumnReader(mut reader) => read!(reader).into_iter().map(number).collect(),
        ColumnReader::Int32ColumnReader(mut reader) => {
            read!(reader).into_iter().map(|value| number(value.map(i64::from))).collect()
        }
        ColumnReader::ByteArrayColumnReader(mut reader) => {
            let text = |value: Option<ByteArray>| match value {
                None => Ok(None),
                Some(text) => text.as_utf8().map(|text| Some(text.to_owned()).filter(|text| !text.is_empty())),
            };
            read!(reader).into_iter().map(text).collect()
        }
        _ => Err(ParquetError::General("the labels are neither whole numbers nor text".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use parquet::data_type::{ByteArrayType, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::super::{DataOptions, Dataset, Kind, open};
    use super::*;
    use crate::image::Limits;

    const FEATURES: &str = r#"{"info": {"features": {"image": {"_type": "Image"}, "label": {"names": ["dog", "cat"], "_type": "ClassLabel"}}}}"#;

    fn picture(number: usize) -> Vec<u8> {
        let mut noise = crate::rng::Stream::new(number as u64, "picture", &[]);
        let mut bytes = Cursor::new(Vec::new());
        ::image::RgbImage::from_fn(8, 6, |_, _| ::image::Rgb([noise.below(256) as u8; 3]))
            .write_to(&mut bytes, ::image::ImageFormat::Png)
            .unwrap();
        bytes.into_inner()
    }

    /// A file of those pictures, in groups of three rows; a `None` has no bytes.
    fn file(pictures: &[(Option<Vec<u8>>, i64)], metadata: Option<&str>) -> Vec<u8> {
        let schema = "message schema { optional group image { optional binary bytes; optional binary path (UTF8); } \
                      optional int64 label; }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let metadata = metadata.map(|text| vec![KeyValue::new("huggingface".to_owned(), text.to_owned())]);
        let properties = WriterProperties::builder()
            .set_compression(parquet::basic::Compression::SNAPPY)
            .set_key_value_metadata(metadata)
            .build();
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
        for group in pictures.chunks(3) {
            let mut rows = writer.next_row_group().unwrap();
            let bytes: Vec<ByteArray> =
                group.iter().filter_map(|(bytes, _)| bytes.clone().map(ByteArray::from)).collect();
            let levels: Vec<i16> = group.iter().map(|(bytes, _)| if bytes.is_some() { 2 } else { 0 }).collect();
            let mut column = rows.next_column().unwrap().unwrap();
            column.typed::<ByteArrayType>().write_batch(&bytes, Some(&levels), None).unwrap();
            column.close().unwrap();
            let mut column = rows.next_column().unwrap().unwrap();
            column.typed::<ByteArrayType>().write_batch(&[], Some(&vec![1; group.len()]), None).unwrap();
            column.close().unwrap();
            let labels: Vec<i64> = group.iter().map(|(_, label)| *label).collect();
            let mut column = rows.next_column().unwrap().unwrap();
            column.typed::<Int64Type>().write_batch(&labels, Some(&vec![1; group.len()]), None).unwrap();
            column.close().unwrap();
            rows.close().unwrap();
        }
        writer.into_inner().unwrap()
    }

    fn opened(files: &[(&str, Vec<u8>)]) -> (tempfile::TempDir, Result<Dataset, DataError>) {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            crate::fs::write_atomic(&folder.path().join("set").join(name), bytes).unwrap();
        }
        let data = open(folder.path().join("set"), &DataOptions::default());
        (folder, data)
    }

    #[test]
    fn pictures_and_named_labels_are_read_by_row() {
        let mut rows: Vec<_> = (0..8).map(|number| (Some(picture(number)), (number % 2) as i64)).collect();
        rows[4].0 = None;
        let test: Vec<_> =
            (8..12).map(|number| (Some(picture(number)), if number < 10 { (number % 2) as i64 } else { -1 })).collect();
        let files = [
            ("data/train-00000-of-00001.parquet", file(&rows, Some(FEATURES))),
            ("data/test-00000-of-00001.parquet", file(&test, Some(FEATURES))),
        ];
        let (_folder, data) = opened(&files);
        let data = data.unwrap();
        assert_eq!(
            (data.kind, data.classes.as_slice()),
            (Kind::Parquet, ["dog".to_owned(), "cat".to_owned()].as_slice())
        );
        assert_eq!((data.train.len(), data.validation.len(), data.test.len()), (5, 2, 2));
        assert_eq!(
            data.skipped.iter().map(|skipped| skipped.path.as_str()).collect::<Vec<_>>(),
            ["data/train-00000-of-00001/000004"]
        );
        for sample in data.train.iter().chain(&data.validation) {
            let number: usize = sample.path[sample.path.len() - 6..].parse().unwrap();
            assert_eq!((sample.content, sample.label), (*blake3::hash(&picture(number)).as_bytes(), number % 2));
            assert_eq!(sample.picture(&Limits::default()).unwrap().width(), 8);
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let rows: Vec<_> = (0..4).map(|number| (Some(picture(number)), number as i64)).collect();
        let error = |files: &[(&str, Vec<u8>)]| opened(files).1.unwrap_err().to_string();
        assert!(error(&[("a.parquet", file(&rows, Some(FEATURES)))]).ends_with("the label 2 has no name; there are 2"));
        assert!(error(&[("a.parquet", b"PAR1".to_vec())]).contains("can't be read as Parquet"));
        let other = FEATURES.replace("dog", "wolf");
        let rows = &rows[..2];
        let two = error(&[("a.parquet", file(rows, Some(FEATURES))), ("b.parquet", file(rows, Some(&other)))]);
        assert!(two.contains("names other classes"), "{two}");
        // Numbers without names are their own.
        let numbers: Vec<_> = (0..8).map(|number| (Some(picture(number)), 9 + (number % 2) as i64)).collect();
        assert_eq!(opened(&[("a.parquet", file(&numbers, None))]).1.unwrap().classes, ["9", "10"]);
    }

    #[test]
    fn damaged_files_are_errors_not_panics() {
        std::panic::set_hook(Box::new(|_| {}));
        let rows: Vec<_> = (0..5).map(|number| (Some(picture(number)), (number % 2) as i64)).collect();
        let good = file(&rows, Some(FEATURES));
        let mut tried = 0;
        for place in 0..good.len() {
            let mut altered = good.clone();
            altered[place] ^= 0xff;
            let _ = opened(&[("a.parquet", altered)]);
            if place % 7 == 0 {
                assert!(opened(&[("a.parquet", good[..place].to_vec())]).1.is_err());
            }
            tried += 1;
        }
        let _ = std::panic::take_hook();
        assert!(tried > 1000, "{tried}");
    }
}
