//! An earlier `split.csv`, and tables of pictures to leave out and of right classes. All are read before the data, which aren't there.
#![no_main]

use defrost::data::{self, DataOptions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.csv");
    std::fs::write(&path, bytes).unwrap();
    for options in [
        DataOptions { split: Some(path.clone()), ..DataOptions::default() },
        DataOptions { exclude: Some(path.clone()), ..DataOptions::default() },
        DataOptions { relabel: Some(path.clone()), ..DataOptions::default() },
    ] {
        assert!(data::open(folder.path().join("nothing"), &options).is_err());
    }
});
