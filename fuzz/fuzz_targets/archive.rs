//! Archives, with every picture in them; the first byte says by which ending.
#![no_main]

use defrost::data::{self, DataOptions};
use defrost::image::Limits;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((first, archive)) = bytes.split_first() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(["x.zip", "x.tar", "x.tgz"][usize::from(first % 3)]);
    std::fs::write(&path, archive).unwrap();
    if let Ok(data) = data::open(&path, &DataOptions { as_found: true, ..DataOptions::default() }) {
        let limits = Limits { max_pixels: 1 << 20, ..Limits::default() };
        data.train.iter().for_each(|sample| drop(sample.picture(&limits)));
    }
});
