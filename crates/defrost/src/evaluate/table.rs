//! `predictions.csv`: a line a picture, with its path, class, predicted class, and each class' calibrated probability.

use std::path::{Path, PathBuf};

use super::{Evaluation, Outcome};
use crate::fs::{self, FsError};
use crate::metrics::argmax;

/// A table of predictions that can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// Its file.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// It isn't CSV.
    #[error("{}: {source}; restore it, or train again", path.display())]
    Csv {
        /// The table.
        path: PathBuf,
        /// What the reader says.
        source: csv::Error,
    },
    /// The columns aren't those of the classifier.
    #[error("{} has the columns {found}, expected {expected}; restore it, or train again", path.display())]
    Columns {
        /// The table.
        path: PathBuf,
        /// The columns of a table for these classes.
        expected: String,
        /// Those that it has.
        found: String,
    },
    /// A line isn't one of a picture.
    #[error("{}, line {line}: {reason}; restore it, or train again", path.display())]
    Line {
        /// The table.
        path: PathBuf,
        /// From 1, the columns' names included.
        line: u64,
        /// What is wrong.
        reason: String,
    },
}

const COLUMNS: [&str; 3] = ["path", "class", "predicted"];

impl Evaluation {
    /// The table of all outcomes.
    pub fn to_csv(&self, classes: &[String]) -> Vec<u8> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let columns = COLUMNS.into_iter().chain(classes.iter().map(String::as_str));
        let mut written = writer.write_record(columns);
        for outcome in &self.outcomes {
            let names = [&outcome.path, &classes[outcome.truth], &classes[outcome.predicted]].map(String::clone);
            let probabilities = outcome.probabilities.iter().map(f32::to_string);
            written = written.and_then(|()| writer.write_record(names.into_iter().chain(probabilities)));
        }
        debug_assert!(written.is_ok(), "rows have equal lengths, and memory takes them all");
        writer.into_inner().unwrap_or_default()
    }

    /// The evaluation that a table was written from; `temperature` is the classifier's. Logits come back up to a constant, which no
    /// softmax sees.
    ///
    /// # Errors
    /// When the file can't be read, or isn't a table for these classes.
    pub fn read_csv(path: &Path, classes: &[String], temperature: f64) -> Result<Evaluation, TableError> {
        let bytes = fs::read(path)?;
        let wrong = |source| TableError::Csv { path: path.to_owned(), source };
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let found = reader.headers().map_err(wrong)?.clone();
        if !found.iter().eq(COLUMNS.into_iter().chain(classes.iter().map(String::as_str))) {
            let expected = [&COLUMNS.map(str::to_owned)[..], classes].concat().join(",");
            let found = found.iter().collect::<Vec<_>>().join(",");
            return Err(TableError::Columns { path: path.to_owned(), expected, found });
        }
        let mut outcomes = Vec::new();
        for record in reader.into_records() {
            let record = record.map_err(wrong)?;
            let line = record.position().map_or(0, csv::Position::line);
            let outcome = outcome(&record, classes, temperature);
            outcomes.push(outcome.map_err(|reason| TableError::Line { path: path.to_owned(), line, reason })?);
        }
        Ok(Evaluation::from_outcomes(outcomes, Vec::new(), classes.len(), temperature))
    }
}

fn outcome(record: &csv::StringRecord, classes: &[String], temperature: f64) -> Result<Outcome, String> {
    let class = record.get(1).unwrap_or_default();
    let truth = classes.iter().position(|of| of == class).ok_or_else(|| format!("`{class}` is none of the classes"))?;
    let probabilities = record
        .iter()
        .skip(COLUMNS.len())
        .map(|field| field.parse().ok().filter(|share| (0.0..=1.0).contains(share)))
        .map(|share| share.ok_or_else(|| "a probability isn't a number from 0 to 1".to_owned()))
        .collect::<Result<Vec<f32>, String>>()?;
    let logits: Vec<f32> = probabilities.iter().map(|p| temperature as f32 * p.max(f32::MIN_POSITIVE).ln()).collect();
    let loss = crate::loss::CrossEntropy::plain(classes.len()).forward(&logits, crate::loss::Target::Class(truth));
    let path = record.get(0).unwrap_or_default().to_owned();
    Ok(Outcome { path, truth, predicted: argmax(&probabilities), logits, probabilities, loss })
}
