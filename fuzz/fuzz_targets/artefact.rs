//! A classifier in one file.
#![no_main]

use std::path::Path;

use defrost::artefact::Artefact;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Artefact::unpack(Path::new("fuzzed.defrost"), bytes);
});
