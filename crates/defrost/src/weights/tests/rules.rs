//! What is refused, what is passed over, and what the errors say.

use super::*;
use proptest::prelude::*;

fn report_of(params: &Params) -> LoadReport {
    match load_bytes("test.safetensors", &to_safetensors(params, &[]), &small_net(), &|_| None) {
        Ok(loaded) => loaded.report,
        Err(WeightsError::Mismatch(report)) => *report,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let mut params = reference("formats/small.safetensors");
    let kernel = params.remove("stem_conv/kernel").unwrap();
    params.insert("stem_cnov/kernel".into(), kernel);
    params.insert("top_bn/gamma".into(), Tensor::zeros([151]));
    params.get_mut("top_bn/beta").unwrap().data_mut()[3] = f32::NAN;
    let report = report_of(&params);
    assert_eq!(report.missing, ["stem_conv/kernel"]);
    assert_eq!(
        report.to_string(),
        "test.safetensors (safetensors) doesn't fit `small`: 1 missing (stem_conv/kernel); 1 unused (stem_cnov/kernel; did \
         you mean `stem_conv/kernel`?); 1 wrongly shaped (top_bn/gamma: expected [152], got [151]); 1 not finite \
         (top_bn/beta)"
    );
}

#[test]
fn a_larger_network_of_the_family_is_refused() {
    // B1 holds every tensor of B0, in the same shapes, and more blocks.
    let b0 = crate::backbone::find("efficientnet_b0").unwrap().graph(224);
    let b1 = crate::backbone::find("efficientnet_b1").unwrap().graph(240);
    let params: Params =
        b1.params().map(|(layer, param)| (layer.param_name(param), Tensor::zeros(param.shape.clone()))).collect();
    let bytes = to_safetensors(&params, &[]);
    let error = load_bytes("b1", &bytes, &b0, &|_| None).unwrap_err().to_string();
    assert!(error.starts_with("b1 (safetensors) doesn't fit `efficientnetb0`: "), "{error}");
    assert!(error.contains("unused (block1b_"), "{error}");
    assert!(load_bytes("b1", &bytes, &b1, &|_| None).is_ok());
}

#[test]
fn another_network_is_told_in_one_line() {
    let params = Params::from([
        ("conv1/kernel".to_owned(), Tensor::zeros([7, 7, 3, 64])),
        ("fc/kernel".to_owned(), Tensor::zeros([512, 10])),
    ]);
    assert_eq!(
        report_of(&params).to_string(),
        "test.safetensors (safetensors) holds nothing of `small`: 2 tensors, among them conv1/kernel, fc/kernel; is it \
         another network's?"
    );
}

#[test]
fn dense_layers_are_handed_out_apart() {
    let mut params = reference("formats/small.safetensors");
    params.insert("predictions/kernel".into(), Tensor::zeros([152, 10]));
    params.insert("predictions/bias".into(), Tensor::zeros([10]));
    assert_eq!(report_of(&params).other, ["predictions/bias", "predictions/kernel"]);
    // A lone vector could be anything.
    params.remove("predictions/kernel");
    assert_eq!(report_of(&params).unused[0].name, "predictions/bias");
}

#[test]
fn numbered_layers_are_recognised_only_where_they_are_alone() {
    let mut params = reference("formats/small.safetensors");
    for variable in ["mean", "variance", "count"] {
        let tensor = params.remove(&format!("normalization/{variable}")).unwrap();
        params.insert(format!("normalization_1/{variable}"), tensor);
    }
    let report = report_of(&params);
    assert!(report.is_ok(), "{report}");
    assert_eq!(report.renamed, [("normalization_1".to_owned(), "normalization".to_owned())]);
    params.insert("normalization_2/mean".into(), Tensor::zeros([3]));
    assert_eq!(report_of(&params).repeated, ["normalization/mean"]);
}

#[test]
fn names_of_keras_2_and_3_are_the_same_here() {
    let renamed: Params = reference("formats/small.safetensors")
        .into_iter()
        .map(|(name, tensor)| {
            let name = if name.contains("_dwconv/") { name.replace("kernel", "depthwise_kernel") } else { name };
            (format!("small/{name}:0"), tensor)
        })
        .collect();
    let report = report_of(&renamed);
    assert!(report.is_ok(), "{report}");
    assert_eq!(report.container, "small");
}

#[test]
fn a_format_is_told_by_its_content() {
    for (bytes, expected) in [
        (b"".as_slice(), "it is empty;"),
        (b"\x1f\x8b\x08\x00", "it is compressed by gzip: unpack it first;"),
        (b"<!DOCTYPE html><html>", "it is a web page: the download went wrong;"),
        (b"version https://git-lfs.github.com/spec/v1\n", "it is a Git LFS pointer, not the file itself;"),
        (b"\x80\x04\x95", "it is a pickle, but not a PyTorch checkpoint;"),
        (b"PK\x03\x04 and no more", "it is a damaged zip archive;"),
        (
            b"{\"metadata\": {}, \"weight_map\": {}}",
            "it lists the files that the weights are split over: put them into one file;",
        ),
        (b"some text of any kind", "it begins like no format of weights;"),
    ] {
        let error = load_bytes("x", bytes, &small_net(), &|_| None).unwrap_err().to_string();
        assert!(error.starts_with(&format!("x isn't a file of weights: {expected}")), "{error}");
    }
    let error = load(Path::new("/no/such/weights.h5"), &small_net(), &|_| None).unwrap_err().to_string();
    assert!(error.starts_with("can't read /no/such/weights.h5: "), "{error}");
}

#[test]
fn a_pytorch_model_of_the_family_passes_through_its_names_and_axes() {
    // The embedded weights, written as PyTorch names and lays them out; with a wrapper and the counters.
    let backbone = crate::backbone::find("efficientnet_lite0").unwrap();
    let graph = backbone.graph(224);
    let ours = load_bytes("embedded", defrost_weights::efficientnet_lite0(), &graph, &|_| None).unwrap().params;
    let foreign_name = |name: &str| format!("module.{}", name.replace('/', "."));
    let mut foreign: Params = ours
        .iter()
        .map(|(name, tensor)| {
            let layer = name.rsplit_once('/').and_then(|(layer, _)| graph.index_of(layer)).unwrap();
            (foreign_name(name), torch_names::to_torch_axes(&graph.layers()[layer].op, tensor))
        })
        .collect();
    foreign.insert("module._fc.weight".into(), Tensor::new([2, 1], vec![1.0, 2.0]));
    foreign.insert("module._bn0.num_batches_tracked".into(), Tensor::zeros([]));
    let rename = |name: &str| {
        let (layer, variable) = name.rsplit_once('.')?;
        if layer == "_fc" {
            return Some("predictions/kernel".to_owned());
        }
        graph.index_of(layer).map(|_| format!("{layer}/{variable}"))
    };
    let loaded = load_bytes("foreign", &to_safetensors(&foreign, &[]), &graph, &rename).unwrap();
    assert_same(&loaded.params, &ours);
    assert_eq!(loaded.report.container, "module");
    assert_eq!(loaded.report.ignored.len(), 1);
    assert_eq!(loaded.other["module/predictions/kernel"], Tensor::new([1, 2], vec![1.0, 2.0]));
}

#[test]
fn a_pytorch_model_takes_the_input_normalization_from_the_architecture() {
    let graph = small_net();
    let foreign: Params = reference("formats/small.safetensors")
        .into_iter()
        .filter(|(name, _)| !name.starts_with("normalization/"))
        .map(|(name, tensor)| (name.replace('/', "."), tensor))
        .collect();
    // Axes are moved back and forth by the name of the layer, so kernels of one shape suffice here: none is checked.
    let rename = |name: &str| Some(name.replace('.', "/"));
    let Err(WeightsError::Mismatch(report)) = load_bytes("x", &to_safetensors(&foreign, &[]), &graph, &rename) else {
        panic!("kernels have Keras' axes")
    };
    assert_eq!(report.constants, ["normalization/mean", "normalization/variance", "normalization/count"]);
    assert!(report.missing.is_empty() && report.unused.is_empty(), "{report}");
    assert!(report.wrong_shape.iter().all(|wrong| wrong.name.ends_with("/kernel")), "{report}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_missing_tensor_is_noticed(index in 0usize..160) {
        let mut params = reference("formats/small.safetensors");
        let name = params.keys().nth(index).unwrap().clone();
        params.remove(&name);
        prop_assert_eq!(report_of(&params).missing, [name]);
    }

    #[test]
    fn any_infinity_is_noticed(index in 0usize..160, element in 0usize..10_000, value in prop::sample::select(vec![
        f32::NAN, f32::INFINITY, f32::NEG_INFINITY,
    ])) {
        let mut params = reference("formats/small.safetensors");
        let (name, tensor) = params.iter_mut().nth(index).unwrap();
        let len = tensor.data().len();
        tensor.data_mut()[element % len] = value;
        let name = name.clone();
        prop_assert_eq!(report_of(&params).not_finite, [name]);
    }
}
