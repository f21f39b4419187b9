//! CSV tables whose columns are known by their names: of pictures to leave out, of an earlier split, of corrected labels.

use std::path::{Path, PathBuf};

use csv::StringRecord;

use super::DataError;
use super::split::Content;
use crate::fs;

/// A table's lines.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) path: PathBuf,
    header: StringRecord,
    lines: Vec<(usize, StringRecord)>,
}

/// One line, with its number from 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) number: usize,
    table: &'a Columns,
    record: &'a StringRecord,
}

impl Columns {
    /// Reads the table; spaces around a field don't count.
    pub(super) fn read(path: &Path) -> Result<Columns, DataError> {
        let bytes = fs::read(path)?;
        let mut table = Columns { path: path.to_owned(), header: StringRecord::new(), lines: Vec::new() };
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
        table.header = reader.headers().map_err(|error| table.wrong(1, "a header", error.to_string()))?.clone();
        for record in reader.into_records() {
            let record = record.map_err(|error| {
                let line = error.position().map_or(1, |position| position.line() as usize);
                table.wrong(line, "a line of the table", error.to_string())
            })?;
            let number = record.position().map_or(1, |position| position.line() as usize);
            table.lines.push((number, record));
        }
        Ok(table)
    }

    /// Whether there is a column of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.header.iter().any(|field| field == name)
    }

    /// That the header lacks `expected`.
    pub(super) fn lacks(&self, expected: &str) -> DataError {
        self.wrong(1, expected, self.header.iter().collect::<Vec<_>>().join(","))
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.lines.iter().map(|(number, record)| Line { number: *number, table: self, record })
    }

    fn wrong(&self, line: usize, expected: &str, got: String) -> DataError {
        DataError::Table { path: self.path.clone(), line, expected: expected.to_owned(), got }
    }
}

impl<'a> Line<'a> {
    /// What stands in a column; nothing where it is empty or missing.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        let place = self.table.header.iter().position(|field| field == name)?;
        self.record.get(place).filter(|field| !field.is_empty())
    }

    /// The hash in the column `content`.
    pub(super) fn content(&self) -> Result<Option<Content>, DataError> {
        let Some(hex) = self.get("content") else { return Ok(None) };
        match blake3::Hash::from_hex(hex) {
            Ok(content) => Ok(Some(*content.as_bytes())),
            Err(_) => Err(self.wrong("a content of 64 hexadecimal digits", format!("`{hex}`"))),
        }
    }

    /// That the line doesn't say what it must.
    pub(super) fn wrong(&self, expected: &str, got: String) -> DataError {
        self.table.wrong(self.number, expected, got)
    }
}
