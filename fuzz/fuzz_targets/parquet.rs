//! Parquet files, with every picture in them.
#![no_main]

use defrost::data::{self, DataOptions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train.parquet");
    std::fs::write(&path, bytes).unwrap();
    let _ = data::open(&path, &DataOptions { as_found: true, ..DataOptions::default() });
});
