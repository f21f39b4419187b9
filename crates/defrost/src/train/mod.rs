//! Training: epochs → history and weights, nothing else.

mod history;

pub use history::{EpochRecord, History, HistoryError, Span};
