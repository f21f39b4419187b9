//! Every layer of the backbones, and the counts of every cut, against Keras.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail as the test does")]

use std::path::Path;

use defrost::backbone;
use defrost::graph::{Cut, Graph};
use defrost::head::Head;
use defrost::model::{Layout, Model};
use serde_json::Value;

fn golden(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().filter_map(|n| n.as_u64().map(|n| n as usize)).collect()
}

fn assert_layers(graph: &Graph, file: &str) {
    let golden = golden(file);
    let layers = golden["layers"].as_array().unwrap();
    assert_eq!(graph.len(), layers.len(), "{file}");
    assert_eq!(graph.param_count() as u64, golden["model"]["params"].as_u64().unwrap(), "{file}");
    for (layer, expected) in graph.layers().iter().zip(layers) {
        let name = expected["name"].as_str().unwrap();
        assert_eq!(layer.name, name, "{file}");
        assert_eq!(layer.op.class(), expected["class"].as_str().unwrap(), "{name}");
        assert_eq!(layer.output_shape, numbers(&expected["output_shape"]), "{name}");
        let inputs: Vec<&str> = layer.inputs.iter().map(|&input| graph.layers()[input].name.as_str()).collect();
        let expected_inputs: Vec<&str> =
            expected["inputs"].as_array().unwrap().iter().map(|i| i.as_str().unwrap()).collect();
        // Keras lists an addition's operands in either order.
        let sorted = |mut names: Vec<&str>| {
            names.sort_unstable();
            names.join(" ")
        };
        assert_eq!(sorted(inputs), sorted(expected_inputs), "{name}");
        let weights: Vec<(&str, Vec<usize>, bool)> =
            layer.params.iter().map(|param| (param.name, param.shape.clone(), param.trainable)).collect();
        let expected_weights: Vec<(&str, Vec<usize>, bool)> = expected["weights"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (row[0].as_str().unwrap(), numbers(&row[1]), row[2].as_bool().unwrap()))
            .collect();
        assert_eq!(weights, expected_weights, "{name}");
    }
}

#[test]
fn every_layer_is_keras() {
    let b0 = backbone::find("efficientnet_b0").unwrap();
    assert_layers(&b0.graph(224), "layers/efficientnet_b0_imagenet.json");
    assert_layers(&b0.graph_from_scratch(224), "layers/efficientnet_b0_random.json");
    let mobilenet = backbone::find("mobilenet_v2_0.35").unwrap();
    assert_layers(&mobilenet.graph(224), "layers/mobilenet_v2_0.35.json");
}

/// B1 to B3: the golden lists leave out configurations.
#[test]
fn the_larger_variants_have_keras_layers() {
    for (number, size) in [(1, 240), (2, 260), (3, 300)] {
        let backbone = backbone::find(&format!("efficientnet_b{number}")).unwrap();
        let golden = golden(&format!("layers/efficientnet_b{number}.json"));
        let graph = backbone.graph(size);
        let names: Vec<&str> = graph.layers().iter().map(|layer| layer.name.as_str()).collect();
        let listed: Vec<&str> =
            golden["layers"].as_array().unwrap().iter().map(|l| l["name"].as_str().unwrap()).collect();
        // The lists were made with or without `rescaling_1`.
        let ours: Vec<&str> =
            names.iter().copied().filter(|name| listed.contains(&"rescaling_1") || *name != "rescaling_1").collect();
        assert_eq!(ours, listed, "B{number}");
        assert_eq!(graph.param_count() as u64, golden["model"]["params"].as_u64().unwrap(), "B{number}");
        for expected in golden["layers"].as_array().unwrap() {
            let layer = &graph.layers()[graph.index_of(expected["name"].as_str().unwrap()).unwrap()];
            assert_eq!(layer.output_shape, numbers(&expected["output_shape"]), "B{number} {}", layer.name);
        }
    }
}

#[test]
fn every_cut_has_keras_counts() {
    let golden = golden("summaries/params.json");
    let b0 = backbone::find("efficientnet_b0").unwrap();
    let (pretrained, scratch) = (Layout::Pretrained, Layout::FromScratch);
    let cuts = [
        ("frozen", pretrained, Cut::Head),
        ("last30", pretrained, Cut::Last(30)),
        ("last20", pretrained, Cut::Last(20)),
        ("last31", pretrained, Cut::Last(31)),
        ("percent0.7_imagenet", pretrained, Cut::Fraction(0.7)),
        ("percent0.7_random", scratch, Cut::Fraction(0.7)),
        ("full", pretrained, Cut::All),
        ("last30_random", scratch, Cut::Last(30)),
    ];
    for (name, layout, cut) in cuts {
        let expected = &golden[name];
        let model = Model::new(b0, layout, 224, &Head::default(), 5, 0);
        let summary = model.summary(model.locate(&cut).unwrap());
        let count = |key: &str| expected[key].as_u64().unwrap() as usize;
        assert_eq!(summary.parameters, count("total_params"), "{name}");
        assert_eq!(summary.trainable_parameters, count("trainable_params"), "{name}");
        assert_eq!(summary.frozen_parameters, count("frozen_params"), "{name}");
        assert_eq!(summary.layers, count("base_layers"), "{name}");
        assert_eq!(summary.trainable_layers, count("base_layers_trainable"), "{name}");
        assert_eq!(summary.first_trainable_layer.as_deref(), expected["first_trainable_name"].as_str(), "{name}");
        assert_eq!(summary.trainable_tensors, count("trainable_tensors"), "{name}");
        assert_eq!(format!("{:.2}", summary.trainable_percent()), expected["trainable_percent"].as_str().unwrap());
    }
    assert_eq!(cuts_in(&golden), 9, "one of them, a trap of Keras', is not ours");
}

fn cuts_in(golden: &Value) -> usize {
    golden.as_object().unwrap().len()
}
