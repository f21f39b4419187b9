//! The same network in every format, as Keras wrote it.

use super::*;

const SINGLE: [(&str, Format); 7] = [
    ("formats/small_keras2.h5", Format::KerasH5),
    ("formats/small_keras2_tf_keras.h5.gz", Format::KerasH5),
    ("formats/small_keras3_legacy.h5.gz", Format::KerasH5),
    ("formats/small_whole.h5", Format::KerasH5),
    ("formats/small.weights.h5", Format::KerasWeightsH5),
    ("formats/small.keras", Format::KerasArchive),
    ("formats/small.safetensors", Format::Safetensors),
];

#[test]
fn a_single_network_is_the_same_in_every_format() {
    let expected = reference("formats/small.safetensors");
    assert_eq!(expected.len(), 160);
    for (name, format) in SINGLE {
        let loaded = load_golden(name).unwrap_or_else(|error| panic!("{error}"));
        assert_same(&loaded.params, &expected);
        let report = &loaded.report;
        assert_eq!((report.format, report.loaded, report.container.as_str()), (format, 160, ""), "{name}");
        assert!(loaded.other.is_empty() && report.ignored.is_empty() && report.renamed.is_empty(), "{report}");
    }
}

#[test]
fn a_nested_network_is_found_with_its_head() {
    let base = reference("formats/small.safetensors");
    let head: Params = reference("formats/small_transfer.safetensors")
        .into_iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix("head/")?.to_owned(), tensor)))
        .collect();
    assert_eq!(head.len(), 4);
    // Without names, the head's layers are called by class and position.
    let by_position: Params = head
        .iter()
        .map(|(name, tensor)| (name.replace("dense_1/", "dense/").replace("classifier/", "dense_1/"), tensor.clone()))
        .collect();
    for (name, container, head) in [
        ("formats/small_transfer.h5.gz", "small", &head),
        ("formats/small_transfer.keras.gz", "small", &head),
        ("formats/small_transfer.weights.h5.gz", "functional", &by_position),
    ] {
        let loaded = load_golden(name).unwrap_or_else(|error| panic!("{error}"));
        assert_same(&loaded.params, &base);
        assert_same(&loaded.other, head);
        assert_eq!(loaded.report.container, container, "{name}");
        assert!(loaded.report.ignored.is_empty(), "{}", loaded.report);
    }
}

#[test]
fn optimizer_state_is_passed_over_and_listed() {
    let loaded = load_golden("formats/small_transfer_compiled.keras.gz").unwrap_or_else(|error| panic!("{error}"));
    assert_same(&loaded.params, &reference("formats/small.safetensors"));
    assert_eq!(
        loaded.other.keys().collect::<Vec<_>>(),
        ["classifier/bias", "classifier/kernel", "dense_1/bias", "dense_1/kernel"]
    );
    let ignored = [Ignored { name: "optimizer".into(), reason: Reason::TrainingState }];
    assert_eq!(loaded.report.ignored, ignored);
    assert_eq!(
        loaded.report.to_string(),
        "formats/small_transfer_compiled.keras.gz (Keras archive (.keras)): 160 tensors of `small` in `small`, 4 of other \
         layers, 1 ignored"
    );
}

#[test]
fn the_official_layout_of_b0_loads() {
    let graph = crate::backbone::find("efficientnet_b0").unwrap().graph(224);
    let bytes = golden_bytes("formats/efficientnetb0_notop_quantised.h5.gz");
    let loaded = load_bytes("efficientnetb0_notop.h5", &bytes, &graph, &|_| None).unwrap();
    assert_eq!((loaded.report.loaded, loaded.params.len()), (312, 312));
    // The goldens' formula, rounded to multiples of 1/32 (goldens/README.md states the values before rounding).
    for (name, element, thirty_seconds) in [
        ("stem_conv/kernel", 0, 1.0),
        ("stem_conv/kernel", 863, -6.0),
        ("block1a_bn/gamma", 0, 30.0),
        ("block1a_bn/gamma", 31, 34.0),
        ("block1a_dwconv/kernel", 5, -4.0),
        ("block1a_se_reduce/kernel", 3, -12.0),
    ] {
        assert_eq!(loaded.params[name].data()[element] * 32.0, thirty_seconds, "{name}[{element}]");
    }
    let all = loaded.params.iter().filter(|(name, _)| name.starts_with("block") || name.starts_with("top"));
    assert!(all.flat_map(|(_, tensor)| tensor.data()).all(|value| (value * 32.0).fract() == 0.0));
}

#[test]
fn the_embedded_weights_load() {
    let graph = crate::backbone::find("efficientnet_lite0").unwrap().graph(224);
    let loaded = load_bytes("embedded", defrost_weights::efficientnet_lite0(), &graph, &|_| None).unwrap();
    assert_eq!((loaded.report.loaded, loaded.params.len()), (245, 245));
    let same: Params = from_safetensors("embedded", defrost_weights::efficientnet_lite0())
        .unwrap()
        .into_iter()
        .map(|(name, tensor)| (name.replace("depthwise_kernel", "kernel"), tensor))
        .collect();
    assert_same(&loaded.params, &same);
}

#[test]
fn what_is_written_loads_again() {
    let loaded = load_golden("formats/small.keras").unwrap();
    let bytes = to_safetensors(&loaded.params, &[("backbone", "small")]);
    let again = load_bytes("again", &bytes, &small_net(), &|_| None).unwrap();
    assert_same(&again.params, &loaded.params);
}
