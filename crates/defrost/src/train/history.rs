//! The record of the epochs: what `history.jsonl` holds, one line an epoch with Keras' keys.
//!
//! Invariant: epochs are numbered 1, 2, 3, … over all stages, without a gap.
//!
//! ```
//! use defrost::train::{EpochRecord, History};
//!
//! let mut history = History::default();
//! history.push(EpochRecord { epoch: 1, stage: "feature_extraction".to_owned(), ..EpochRecord::default() });
//! history.push(EpochRecord { epoch: 2, stage: "fine_tuning".to_owned(), ..EpochRecord::default() });
//! assert_eq!(history.spans()[1].first_epoch, 2);
//! ```

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize};

use crate::fs::{self, FsError};

/// What one epoch brought.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRecord {
    /// From 1, numbered on over all stages (Keras' logs count from 0).
    pub epoch: usize,
    /// The stage's name: `feature_extraction`, `fine_tuning`, …
    pub stage: String,
    /// Mean training loss over the epoch, dropout active.
    #[serde(deserialize_with = "number_or_nan")]
    pub loss: f32,
    /// Share of training samples that were classified rightly, dropout active, 0–1.
    #[serde(deserialize_with = "number_or_nan")]
    pub accuracy: f32,
    /// Mean validation loss after the epoch.
    #[serde(deserialize_with = "number_or_nan")]
    pub val_loss: f32,
    /// Share of validation samples that are classified rightly after the epoch, 0–1.
    #[serde(deserialize_with = "number_or_nan")]
    pub val_accuracy: f32,
    /// The learning rate of the epoch's last step.
    #[serde(deserialize_with = "number_or_nan")]
    pub learning_rate: f32,
    /// Wall time of training and validation.
    pub seconds: f64,
}

/// JSON has no NaN: a diverged loss is written as `null`.
fn number_or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    Ok(Option::<f32>::deserialize(deserializer)?.unwrap_or(f32::NAN))
}

/// The epochs of one stage: consecutive records of one stage name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The stage's name.
    pub stage: String,
    /// Its first epoch, from 1 over the whole run.
    pub first_epoch: usize,
    /// Its last epoch, inclusive.
    pub last_epoch: usize,
}

/// Why a history can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// The file can't be read or written.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A line isn't a record.
    #[error("{}, line {line}: not an epoch's record: {message}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// An epoch is missing or stands twice.
    #[error("{}, line {line}: expected epoch {expected}, got {got}", path.display())]
    Numbering {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The number that comes next.
        expected: usize,
        /// The number that is there.
        got: usize,
    },
}

/// The records of all epochs so far, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    records: Vec<EpochRecord>,
}

impl History {
    /// Appends an epoch.
    ///
    /// # Panics
    /// When `record.epoch` isn't [`next_epoch`](History::next_epoch).
    pub fn push(&mut self, record: EpochRecord) {
        assert_eq!(record.epoch, self.next_epoch(), "epochs are numbered without a gap");
        self.records.push(record);
    }

    /// The number of the epoch that comes next, from 1.
    pub fn next_epoch(&self) -> usize {
        self.records.len() + 1
    }

    /// The newest epoch.
    pub fn last(&self) -> Option<&EpochRecord> {
        self.records.last()
    }

    /// All epochs in order.
    pub fn records(&self) -> &[EpochRecord] {
        &self.records
    }

    /// The number of epochs.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no epoch yet.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The highest validation accuracy; the earliest of equals.
    pub fn best_val_accuracy(&self) -> Option<&EpochRecord> {
        let finite = self.records.iter().filter(|record| record.val_accuracy.is_finite());
        finite.reduce(|best, record| if record.val_accuracy > best.val_accuracy { record } else { best })
    }

    /// The stages' epochs in order. Neighbouring stages of one name count as one.
    pub fn spans(&self) -> Vec<Span> {
        let stages = self.records.chunk_by(|a, b| a.stage == b.stage);
        stages
            .map(|records| Span {
                stage: records[0].stage.clone(),
                first_epoch: records[0].epoch,
                last_epoch: records[records.len() - 1].epoch,
            })
            .collect()
    }

    /// One JSON object a line.
    #[expect(clippy::missing_panics_doc, reason = "a record has string keys and no map: it always becomes JSON")]
    pub fn to_jsonl(&self) -> String {
        let line = |record| serde_json::to_string(record).expect("a record has string keys and no map") + "\n";
        self.records.iter().map(line).collect()
    }

    /// Reads what [`to_jsonl`](History::to_jsonl) wrote; `path` is for the errors.
    ///
    /// # Errors
    /// When a line isn't a record, or an epoch is missing or stands twice.
    pub fn from_jsonl(text: &str, path: &Path) -> Result<History, HistoryError> {
        let mut history = History::default();
        for (index, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
            let (path, line) = (|| path.to_owned(), index + 1);
            let record: EpochRecord = serde_json::from_str(text).map_err(|error| HistoryError::Line {
                path: path(),
                line,
                message: without_line(&error.to_string()),
            })?;
            let expected = history.next_epoch();
            if record.epoch != expected {
                return Err(HistoryError::Numbering { path: path(), line, expected, got: record.epoch });
            }
            history.push(record);
        }
        Ok(history)
    }

    /// Reads `history.jsonl`.
    ///
    /// # Errors
    /// When the file can't be read or is damaged.
    pub fn read(path: &Path) -> Result<History, HistoryError> {
        History::from_jsonl(&fs::read_to_string(path)?, path)
    }

    /// Writes `history.jsonl` anew; a killed run leaves the old or the new one, never half a line.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write(&self, path: &Path) -> Result<(), HistoryError> {
        Ok(fs::write_atomic(path, self.to_jsonl().as_bytes())?)
    }
}

/// serde_json counts lines from the record's start, which is always line 1: only the column says something.
fn without_line(message: &str) -> String {
    message.replace(" at line 1 column ", " at column ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn history(stages: &[(&str, usize)]) -> History {
        let mut history = History::default();
        for &(stage, epochs) in stages {
            for _ in 0..epochs {
                let epoch = history.next_epoch();
                history.push(EpochRecord { epoch, stage: stage.to_owned(), loss: 0.5, ..EpochRecord::default() });
            }
        }
        history
    }

    #[test]
    fn a_line_has_keras_keys_in_order() {
        let record = EpochRecord {
            epoch: 6,
            stage: "fine_tuning".to_owned(),
            loss: 0.051,
            accuracy: 0.983,
            val_loss: 0.379,
            val_accuracy: 0.89,
            learning_rate: 1e-4,
            seconds: 2.5,
        };
        assert_eq!(
            serde_json::to_string(&record).unwrap(),
            r#"{"epoch":6,"stage":"fine_tuning","loss":0.051,"accuracy":0.983,"val_loss":0.379,"val_accuracy":0.89,"learning_rate":0.0001,"seconds":2.5}"#
        );
    }

    #[test]
    fn spans_are_numbered_on_over_the_stages() {
        let spans = history(&[("feature_extraction", 5), ("fine_tuning", 5), ("full_fine_tuning", 1)]).spans();
        let spans: Vec<_> = spans.iter().map(|s| (s.stage.as_str(), s.first_epoch, s.last_epoch)).collect();
        assert_eq!(spans, [("feature_extraction", 1, 5), ("fine_tuning", 6, 10), ("full_fine_tuning", 11, 11)]);
        assert!(History::default().spans().is_empty());
    }

    #[test]
    fn a_diverged_loss_survives_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        let mut diverged = history(&[("fine_tuning", 1)]);
        diverged.records[0].loss = f32::NAN;
        diverged.write(&path).unwrap();
        assert!(History::read(&path).unwrap().records()[0].loss.is_nan());
    }

    #[test]
    fn the_best_epoch_is_the_earliest_of_equals() {
        let mut run = history(&[("fine_tuning", 4)]);
        for (record, accuracy) in run.records.iter_mut().zip([0.7, 0.9, f32::NAN, 0.9]) {
            record.val_accuracy = accuracy;
        }
        assert_eq!(run.best_val_accuracy().unwrap().epoch, 2);
    }

    #[test]
    fn damage_is_named_with_its_line() {
        let good = history(&[("fine_tuning", 2)]).to_jsonl();
        let error = |text: &str| History::from_jsonl(text, Path::new("h.jsonl")).unwrap_err().to_string();
        let truncated = error(&good[..good.len() - 20]);
        assert!(truncated.starts_with("h.jsonl, line 2: not an epoch's record: EOF"), "{truncated}");
        let gap = good.replace("\"epoch\":2", "\"epoch\":4");
        assert_eq!(error(&gap), "h.jsonl, line 2: expected epoch 2, got 4");
        let unknown = good.replacen("\"loss\"", "\"los\"", 1);
        assert!(error(&unknown).contains("unknown field `los`"), "{}", error(&unknown));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values in prop::collection::vec((any::<u16>(), 0f32..9.0, 0f32..1.0, 1e-9f32..1.0), 0..20)) {
            let mut written = History::default();
            for (stage, loss, accuracy, learning_rate) in values {
                written.push(EpochRecord {
                    epoch: written.next_epoch(),
                    stage: format!("stage \"{stage}\"\n"),
                    loss, accuracy, val_loss: loss * 1.1, val_accuracy: accuracy / 3.0, learning_rate,
                    seconds: f64::from(loss) * 7.3,
                });
            }
            prop_assert_eq!(History::from_jsonl(&written.to_jsonl(), Path::new("h")).unwrap(), written);
        }
    }
}
