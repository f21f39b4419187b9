//! Transfer learning for image classifiers.
//!
//! **A network is data, and its frozen part is a pure function of the picture. A pure function is computed once.**
//! Everything in this crate follows from that sentence; the modules are listed lowest first, and a module uses only
//! modules listed before it (`tests/architecture.rs` checks it).

pub mod error;
pub mod fs;
pub mod progress;
pub mod rng;
pub mod settings;

pub mod image;
pub mod tensor;

pub mod graph;
pub mod weights;

pub mod backbone;
pub mod head;

pub mod model;

pub mod augment;
pub mod calibrate;
pub mod data;
pub mod exec;
pub mod familiar;
pub mod freeze;
pub mod loss;
pub mod metrics;
pub mod optim;
pub mod schedule;

pub mod features;

pub mod artefact;
pub mod cost;
pub mod probe;
pub mod recipe;
pub mod run;

pub mod train;

pub mod bench;
pub mod evaluate;
pub mod explain;
pub mod predict;

pub mod advise;
pub mod compare;
pub mod doctor;

pub mod export;
pub mod report;

pub mod job;

#[cfg(test)]
mod formula;
#[cfg(test)]
mod goldens;
