//! Pictures of every format.
#![no_main]

use defrost::image::{self, Limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { max_pixels: 1 << 20, ..Limits::default() };
    let _ = image::probe(bytes);
    let _ = image::decode(bytes, &limits);
});
