//! Tables of pictures: CSV, TSV and JSON lines, one picture a line.
//!
//! Invariant: a line is a [`Record`] or an error that names the table, the line and what was expected; nothing is guessed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::DataError;
use super::folder::Role;
use super::stored::Line;

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Tsv,
    JsonLines,
}

impl Format {
    /// By the file's ending.
    pub(super) fn of(name: &str) -> Option<Format> {
        match Path::new(name).extension()?.to_ascii_lowercase().to_str()? {
            "csv" => Some(Format::Csv),
            "tsv" | "tab" => Some(Format::Tsv),
            "jsonl" | "ndjson" => Some(Format::JsonLines),
            _ => None,
        }
    }
}

/// Whether a file's name is that of a table beside pictures, as Hugging Face's `imagefolder` has it.
pub(super) fn is_metadata(name: &str) -> bool {
    name.strip_prefix("metadata.").is_some_and(|_| Format::of(name).is_some())
}

/// A line of a table.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// As the table has it, with forward slashes.
    pub(super) path: String,
    /// `None` where the table has no such column.
    pub(super) label: Option<String>,
    pub(super) side: Option<Role>,
    pub(super) group: Option<Arc<str>>,
    pub(super) weight: f32,
    pub(super) line: Line,
}

/// What a column says, with the names that people give it; the first that a table has is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Column {
    Path,
    Label,
    Split,
    Group,
    Weight,
}

impl Column {
    const ALL: [Column; 5] = [Column::Path, Column::Label, Column::Split, Column::Group, Column::Weight];

    fn names(self) -> &'static [&'static str] {
        match self {
            Column::Path => &[
                "path",
                "filepath",
                "filename",
                "file",
                "imagepath",
                "imagefile",
                "imagename",
                "image",
                "imgpath",
                "img",
                "picture",
                "relativepath",
            ],
            Column::Label => {
                &["label", "class", "category", "target", "labelname", "classname", "labels", "species", "y"]
            }
            Column::Split => &["split", "subset", "partition", "set"],
            Column::Group => &["group", "groupid", "groups"],
            Column::Weight => &["weight", "sampleweight", "weights"],
        }
    }
}

/// Where each column stands, among the names of a table's fields.
fn columns<'a>(fields: impl Iterator<Item = &'a str> + Clone) -> BTreeMap<Column, usize> {
    let plain =
        |name: &str| name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let fields: Vec<String> = fields.map(plain).collect();
    let place = |column: &Column| column.names().iter().find_map(|name| fields.iter().position(|field| field == name));
    Column::ALL.iter().filter_map(|column| Some((*column, place(column)?))).collect()
}

/// A table that is being read: what an error names.
struct Table<'a> {
    path: &'a Path,
    name: Arc<str>,
}

impl Table<'_> {
    fn wrong(&self, line: usize, expected: impl Into<String>, got: impl Into<String>) -> DataError {
        DataError::Table { path: self.path.to_owned(), line, expected: expected.into(), got: got.into() }
    }

    /// `value` gives a column's text, or what it is instead.
    fn record(
        &self,
        number: usize,
        value: impl Fn(Column) -> Result<Option<String>, String>,
    ) -> Result<Record, DataError> {
        let value = |column: Column, expected: &str| value(column).map_err(|got| self.wrong(number, expected, got));
        let path = value(Column::Path, "the picture's path")?.unwrap_or_default();
        // Windows writes `train\cat\1.jpg`.
        let path = if path.contains('/') { path } else { path.replace('\\', "/") };
        let path = path.trim_start_matches("./").to_owned();
        if path.is_empty() || path.contains(['\n', '\0']) {
            let got = if path.is_empty() { "nothing" } else { "a field of several lines; is a quote left open?" };
            return Err(self.wrong(number, "the picture's path", got));
        }
        let label = value(Column::Label, "a label")?;
        if label.as_ref().is_some_and(String::is_empty) {
            return Err(self.wrong(number, "a label", "nothing"));
        }
        let side = match value(Column::Split, "a split")?.filter(|split| !split.is_empty()) {
            None => None,
            Some(split) => match Role::of(&split) {
                Some(side) => Some(side),
                None => {
                    return Err(self.wrong(number, "the split `train`, `validation` or `test`", format!("`{split}`")));
                }
            },
        };
        let group = value(Column::Group, "a group")?.filter(|group| !group.is_empty()).map(Arc::from);
        let weight = match value(Column::Weight, "a weight")?.filter(|weight| !weight.is_empty()) {
            None => 1.0,
            Some(weight) => match weight.parse::<f32>().ok().filter(|weight| weight.is_finite() && *weight >= 0.0) {
                Some(weight) => weight,
                None => return Err(self.wrong(number, "a weight of at least 0", format!("`{weight}`"))),
            },
        };
        let line = Line { table: Arc::clone(&self.name), number };
        Ok(Record { path, label, side, group, weight, line })
    }

    fn require_path(&self, columns: &BTreeMap<Column, usize>, fields: &str) -> Result<(), DataError> {
        match columns.contains_key(&Column::Path) {
            true => Ok(()),
            false => {
                let fields = if fields.is_empty() { "nothing" } else { fields };
                Err(self.wrong(1, "a column for the picture's path, such as `path` or `file_name`", fields))
            }
        }
    }
}

/// Reads a table; `path` is for messages.
pub(super) fn parse(path: &Path, format: Format, bytes: &[u8]) -> Result<Vec<Record>, DataError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let table = Table { path, name: name.as_ref().into() };
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(table.wrong(1, "UTF-8", "UTF-16; save the table as \"CSV UTF-8\""));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Err(error) = std::str::from_utf8(bytes) {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        return Err(table.wrong(line, "UTF-8", format!("the byte {:#04x}", bytes[error.valid_up_to()])));
    }
    let records = match format {
        Format::Csv => parse_delimited(&table, delimiter(bytes), bytes)?,
        Format::Tsv => parse_delimited(&table, b'\t', bytes)?,
        Format::JsonLines => parse_json(&table, bytes)?,
    };
    // A column that some lines have isn't one that the table lacks.
    if let Some(record) = records.iter().find(|record| record.label.is_none())
        && records.iter().any(|record| record.label.is_some())
    {
        return Err(table.wrong(record.line.number, "a label", "nothing"));
    }
    match records.is_empty() {
        true => Err(table.wrong(1, "a line for each picture", "none")),
        false => Ok(records),
    }
}

/// The comma, unless the header has none but semicolons (as spreadsheets write where the comma is a decimal point) or tabs.
fn delimiter(bytes: &[u8]) -> u8 {
    let header = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    *b",;\t".iter().find(|delimiter| header.contains(delimiter)).unwrap_or(&b',')
}

fn parse_delimited(table: &Table<'_>, delimiter: u8, bytes: &[u8]) -> Result<Vec<Record>, DataError> {
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).trim(csv::Trim::All).from_reader(bytes);
    let broken = |error: csv::Error| {
        let line = error.position().map_or(1, |position| position.line() as usize);
        table.wrong(line, "a line of the table", error.to_string())
    };
    let header = reader.headers().map_err(broken)?.clone();
    let columns = columns(header.iter());
    let fields: Vec<String> = header.iter().map(|field| format!("`{field}`")).collect();
    table.require_path(&columns, &crate::error::shortened(&fields, 10))?;
    let mut records = Vec::new();
    // The reader's own count is behind after blank lines, and where lines end in two bytes.
    let (mut line, mut counted) = (1, 0);
    for fields in reader.records() {
        let fields = fields.map_err(broken)?;
        let start = fields.position().map_or(counted, |position| position.byte() as usize).clamp(counted, bytes.len());
        let blank = bytes[start..].iter().take_while(|byte| byte.is_ascii_whitespace() && **byte != delimiter).count();
        line += bytes[counted..start + blank].iter().filter(|byte| **byte == b'\n').count();
        counted = start + blank;
        if fields.len() != header.len() {
            let expected = format!("{} fields, as in the header", header.len());
            return Err(table.wrong(line, expected, format!("{}", fields.len())));
        }
        let value = |column| Ok(columns.get(&column).and_then(|place| fields.get(*place)).map(str::to_owned));
        records.push(table.record(line, value)?);
    }
    Ok(records)
}

fn parse_json(table: &Table<'_>, bytes: &[u8]) -> Result<Vec<Record>, DataError> {
    let mut records = Vec::new();
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let fields = match serde_json::from_slice(line) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) => {
                return Err(table.wrong(
                    number,
                    "an object such as {\"path\": \"a/1.jpg\", \"label\": \"a\"}",
                    "another value",
                ));
            }
            Err(error) => return Err(table.wrong(number, "a JSON object", error.to_string())),
        };
        let columns = columns(fields.keys().map(String::as_str));
        if !columns.contains_key(&Column::Path) {
            let keys: Vec<String> = fields.keys().map(|key| format!("`{key}`")).collect();
            let expected = "a key for the picture's path, such as `path` or `file_name`";
            return Err(table.wrong(number, expected, crate::error::shortened(&keys, 10)));
        }
        let value = |column| match columns.get(&column).and_then(|place| fields.values().nth(*place)) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim().to_owned())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Bool(truth)) => Ok(Some(truth.to_string())),
            Some(Value::Array(_)) => Err("a list".to_owned()),
            Some(Value::Object(_)) => Err("an object".to_owned()),
        };
        records.push(table.record(number, value)?);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(name: &str, text: &str) -> Result<Vec<Record>, DataError> {
        parse(Path::new(name), Format::of(name).unwrap(), text.as_bytes())
    }

    fn fields(record: &Record) -> (&str, &str, Option<Role>, Option<&str>, f32, usize) {
        let Record { path, label, side, group, weight, line } = record;
        (path, label.as_deref().unwrap_or("none"), *side, group.as_deref(), *weight, line.number)
    }

    #[test]
    fn the_three_formats_say_the_same() {
        let csv = "\u{feff}path,label,split,group,weight\r\n\"a, b/1.jpg\",cat,train,p1,0.5\r\n\r\nc/2.png,\"big \"\"dog\"\"\",Val,,\r\n";
        let tsv = "weight\tFile Name\tclass\tgroup_id\tsubset\n0.5\ta, b/1.jpg\tcat\tp1\ttraining\n\n\tc\\2.png\t\"big \"\"dog\"\"\"\t\tvalidation";
        let json = "{\"file_name\": \"./a, b/1.jpg\", \"category\": \"cat\", \"split\": \"train\", \"group\": \"p1\", \"sample_weight\": 0.5}\n \n\
                    {\"file_name\": \"c/2.png\", \"category\": \"big \\\"dog\\\"\", \"split\": \"valid\", \"group\": null}\n";
        for (name, text) in [
            ("t.csv", csv),
            ("t.tsv", tsv),
            ("metadata.jsonl", json),
            ("t.CSV", &csv.replace(',', ";").replace("a;", "a,")),
        ] {
            let records = read(name, text).unwrap();
            let expected = [
                ("a, b/1.jpg", "cat", Some(Role::Train), Some("p1"), 0.5, 2 - usize::from(name.ends_with("jsonl"))),
                ("c/2.png", "big \"dog\"", Some(Role::Validation), None, 1.0, 4 - usize::from(name.ends_with("jsonl"))),
            ];
            assert_eq!(records.iter().map(fields).collect::<Vec<_>>(), expected, "{name}");
        }
    }

    #[test]
    fn the_plainest_name_of_a_column_is_taken() {
        let records = read("t.csv", "image,path,target,Label\nx,a.jpg,3,cat\n").unwrap();
        assert_eq!((records[0].path.as_str(), records[0].label.as_deref()), ("a.jpg", Some("cat")));
    }

    #[test]
    fn mistakes_name_the_line_and_what_was_expected() {
        let message = |name: &str, text: &str| read(name, text).unwrap_err().to_string();
        let cases = [
            (
                "t.csv",
                "a,b\n1,2\n",
                "t.csv, line 1: expected a column for the picture's path, such as `path` or `file_name`; got `a`, `b`",
            ),
            ("t.csv", "path,label\na.jpg\n", "t.csv, line 2: expected 2 fields, as in the header; got 1"),
            ("t.csv", "path,label\na.jpg,cat\n,dog\n", "t.csv, line 3: expected the picture's path; got nothing"),
            ("t.csv", "path,label\na.jpg,\n", "t.csv, line 2: expected a label; got nothing"),
            (
                "t.jsonl",
                "{\"path\": \"a.jpg\", \"label\": \"cat\"}\n{\"path\": \"b.jpg\", \"label\": null}\n",
                "t.jsonl, line 2: expected a label; got nothing",
            ),
            (
                "t.csv",
                "",
                "t.csv, line 1: expected a column for the picture's path, such as `path` or `file_name`; got nothing",
            ),
            (
                "t.csv",
                "path,label,split\na.jpg,cat,holdout\n",
                "t.csv, line 2: expected the split `train`, `validation` or `test`; got `holdout`",
            ),
            ("t.csv", "path,label,weight\na.jpg,cat,-1\n", "t.csv, line 2: expected a weight of at least 0; got `-1`"),
            (
                "t.csv",
                "path,label\n\"a.jpg,cat\nb.jpg,dog\n",
                "t.csv, line 2: expected 2 fields, as in the header; got 1",
            ),
            ("t.csv", "path,label\n", "t.csv, line 1: expected a line for each picture; got none"),
            (
                "t.jsonl",
                "{\"path\": \"a.jpg\"}\n[1]",
                "t.jsonl, line 2: expected an object such as {\"path\": \"a/1.jpg\", \"label\": \"a\"}; got another value",
            ),
            (
                "t.jsonl",
                "{\"text\": \"a\"}",
                "t.jsonl, line 1: expected a key for the picture's path, such as `path` or `file_name`; got `text`",
            ),
            ("t.jsonl", "{\"path\": \"a.jpg\", \"label\": [1]}", "t.jsonl, line 1: expected a label; got a list"),
        ];
        for (name, text, expected) in cases {
            assert_eq!(message(name, text), expected);
        }
        let utf16 = parse(Path::new("t.csv"), Format::Csv, b"\xff\xfep\0a\0").unwrap_err().to_string();
        assert!(utf16.contains("UTF-16"), "{utf16}");
        let latin1 = parse(Path::new("t.csv"), Format::Csv, b"path,label\nk\xe4se.jpg,a\n").unwrap_err().to_string();
        assert_eq!(latin1, "t.csv, line 2: expected UTF-8; got the byte 0xe4");
    }

    proptest! {
        #[test]
        fn any_bytes_are_records_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200), header in any::<bool>()) {
            for (name, start) in [("t.csv", &b"path,label,weight\n"[..]), ("t.tsv", b"path\tlabel\n"), ("t.jsonl", b"{\"path\": \"a\"}\n")] {
                let start = if header { start } else { &[] };
                let format = Format::of(name).unwrap();
                if let Ok(records) = parse(Path::new(name), format, &[start, &bytes].concat()) {
                    prop_assert!(records.iter().all(|record| !record.path.is_empty() && record.line.number >= 1));
                }
            }
        }

        #[test]
        fn what_is_written_reads_back(rows in prop::collection::vec(("[a-z ,\"é]{1,8}", "[a-z;\"]{1,5}", 0.0f32..10.0), 1..20)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(["path", "label", "weight"]).unwrap();
            for (path, label, weight) in &rows {
                writer.write_record([&format!("x{path}x"), label, &weight.to_string()]).unwrap();
            }
            let records = parse(Path::new("t.csv"), Format::Csv, &writer.into_inner().unwrap()).unwrap();
            let read: Vec<_> = records.iter().map(|r| (r.path.clone(), r.label.clone().unwrap(), r.weight)).collect();
            let written: Vec<_> = rows.iter().map(|(p, l, w)| (format!("x{p}x"), l.clone(), *w)).collect();
            prop_assert_eq!(read, written);
        }
    }
}
