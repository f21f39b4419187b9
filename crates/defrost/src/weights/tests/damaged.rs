//! Truncated and altered copies of every good file: an error or sound weights, never a panic, a hang or a flood of memory.

use super::*;
use crate::rng::Stream;

const GOOD: [&str; 10] = [
    "formats/small_keras2.h5",
    "formats/small_keras2_tf_keras.h5.gz",
    "formats/small_keras3_legacy.h5.gz",
    "formats/small_whole.h5",
    "formats/small.weights.h5",
    "formats/small.keras",
    "formats/small.safetensors",
    "formats/small_transfer.h5.gz",
    "formats/small_transfer.keras.gz",
    "formats/small_transfer_compiled.keras.gz",
];
const TRUNCATIONS: usize = 30;
const ALTERATIONS: usize = 60;

/// `bytes` cut off somewhere, at the end as often as anywhere.
fn truncated(bytes: &[u8], random: &mut Stream) -> Vec<u8> {
    let lost = if random.below(2) == 0 { 1 + random.below(64) } else { 1 + random.below(bytes.len() as u32) };
    bytes[..bytes.len() - lost as usize].to_vec()
}

/// `bytes` with 1 to 8 bits turned over; every other time in the first 4 KB, where the structure is.
fn altered(bytes: &[u8], random: &mut Stream) -> Vec<u8> {
    let mut copy = bytes.to_vec();
    let range = if random.below(2) == 0 { copy.len().min(4096) } else { copy.len() };
    for _ in 0..=random.below(8) {
        copy[random.below(range as u32) as usize] ^= 1 << random.below(8);
    }
    copy
}

#[test]
fn damaged_files_are_errors_or_sound_weights() {
    let graph = small_net();
    let (mut refused, mut tried) = (0, 0);
    for (index, name) in GOOD.into_iter().enumerate() {
        let bytes = golden_bytes(name);
        let mut random = Stream::new(0, "damage", &[index as u64]);
        for _ in 0..TRUNCATIONS {
            let result = load_bytes(name, &truncated(&bytes, &mut random), &graph, &|_| None);
            assert!(result.is_err(), "{name} was cut off and still loads");
        }
        for _ in 0..ALTERATIONS {
            // Formats without checksums can't tell one finite number from another.
            match load_bytes(name, &altered(&bytes, &mut random), &graph, &|_| None) {
                Err(_) => refused += 1,
                Ok(loaded) => {
                    assert_eq!(loaded.params.len(), 160, "{name}");
                    assert!(loaded.params.values().flat_map(Tensor::data).all(|value| value.is_finite()), "{name}");
                }
            }
            tried += 1;
        }
    }
    assert_eq!(tried, GOOD.len() * ALTERATIONS);
    assert!(refused > tried / 4, "{refused} of {tried} were refused");
}

#[test]
fn a_dataset_that_claims_a_terabyte_is_refused_before_it_is_read() {
    let mut bytes = golden_bytes("formats/small_keras2.h5");
    // The shape of `top_conv/kernel`, as its dataspace holds it.
    let shape: Vec<u8> = [1u64, 1, 40, 152].iter().flat_map(|extent| extent.to_le_bytes()).collect();
    let at = bytes.windows(shape.len()).position(|window| window == shape).unwrap();
    bytes[at..at + 8].copy_from_slice(&(1u64 << 28).to_le_bytes());
    let error = load_bytes("x.h5", &bytes, &small_net(), &|_| None).unwrap_err().to_string();
    assert!(error.contains("top_conv/kernel") && error.contains("than a file of this length can hold"), "{error}");
}

#[test]
fn an_archive_that_unfolds_without_end_is_refused() {
    use std::io::Write;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    archive.start_file(keras_v3::WEIGHTS_MEMBER, options).unwrap();
    archive.write_all(&[b'0'; 1 << 20]).unwrap();
    archive.start_file("config.json", options).unwrap();
    archive.write_all(&[b' '; 1 << 20]).unwrap();
    let bytes = archive.finish().unwrap().into_inner();
    let error = load_bytes("x.keras", &bytes, &small_net(), &|_| None).unwrap_err().to_string();
    assert!(error.contains("config.json claims 1048576 bytes"), "{error}");
}

#[test]
fn a_configuration_nested_without_end_is_refused() {
    use std::io::Write;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file("config.json", options).unwrap();
    archive.write_all(&[b'['; 100_000]).unwrap();
    archive.start_file(keras_v3::WEIGHTS_MEMBER, options).unwrap();
    let bytes = archive.finish().unwrap().into_inner();
    let error = load_bytes("x.keras", &bytes, &small_net(), &|_| None).unwrap_err().to_string();
    assert!(error.contains("config.json: recursion limit exceeded"), "{error}");
}

#[test]
fn an_archive_with_one_altered_number_is_refused() {
    let mut bytes = golden_bytes("formats/small.keras");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let error = load_bytes("x.keras", &bytes, &small_net(), &|_| None).unwrap_err().to_string();
    assert!(error.contains("model.weights.h5: Invalid checksum"), "{error}");
}
