//! Training: epochs → history and weights, nothing else.

mod checkpoint;
mod early_stopping;
mod feed;
mod history;
mod trainer;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use early_stopping::{Best, Decision, EarlyStopping};
pub use history::{EpochRecord, History, HistoryError, Span};
pub use trainer::{Callback, RowSource, Settings, StagePlan, TrainError, Trained, Validated, train};
pub(crate) use trainer::{apply_gradients, trainable_numbers};
