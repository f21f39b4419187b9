//! Manifests; the first byte says in which format.
#![no_main]

use defrost::data::{self, DataOptions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((first, table)) = bytes.split_first() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(["t.csv", "t.tsv", "t.jsonl"][usize::from(first % 3)]);
    std::fs::write(&path, table).unwrap();
    let _ = data::open(&path, &DataOptions { as_found: true, ..DataOptions::default() });
});
