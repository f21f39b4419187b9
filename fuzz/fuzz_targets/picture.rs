//! Pictures of every format: headers, coded pixels, decoding.
#![no_main]

use defrost::image::{self, Limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { max_pixels: 1 << 20, ..Limits::default() };
    let _ = image::probe(bytes);
    let _ = image::inspect(bytes);
    let _ = image::damage(bytes);
    let _ = image::decode(bytes, &limits);
    let _ = image::decode(bytes, &Limits { enough_for: Some(1), ..limits });
});
