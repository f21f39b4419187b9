//! Every format, for every backbone.

use std::collections::BTreeMap;

use super::*;
use crate::artefact::Origin;
use crate::backbone::{self, Backbone, MIN_INPUT_SIZE};
use crate::calibrate::Calibration;
use crate::graph::Activation;
use crate::head::{Head, HeadLayer};
use crate::image::Resize;
use crate::model::Layout;

/// The formats that hold tensors.
const FORMATS: [Format; 5] = [Format::Onnx, Format::Keras, Format::KerasWeights, Format::Safetensors, Format::Defrost];

/// A classifier with drawn tensors.
fn classifier(id: &str, head: &Head) -> (Artefact, Model) {
    let classes = ["a", "b", "c"].map(str::to_owned);
    let backbone = backbone::find(id).unwrap();
    let mut model = Model::new(backbone, Layout::Pretrained, MIN_INPUT_SIZE, head, classes.len(), 7);
    // Moving statistics as of real pictures, so that logits don't vanish; each tensor differs from all others.
    for (name, tensor) in &mut model.params {
        let len = tensor.data().len();
        match name.rsplit_once('/') {
            Some((_, "moving_variance" | "gamma")) => {
                *tensor = Tensor::new(tensor.shape(), crate::formula::tensor(name, len, 0.4, 1.0));
            }
            Some((_, "moving_mean" | "beta" | "bias")) => {
                *tensor = Tensor::new(tensor.shape(), crate::formula::tensor(name, len, 0.1, 0.0));
            }
            _ => {}
        }
    }
    let mut artefact = Artefact::new(&model, MIN_INPUT_SIZE, head, &classes, Resize::default());
    artefact.origin = Some(Origin::published(backbone));
    artefact.calibration = Some(Calibration::fit(&[]));
    artefact.recipe = "seed = 7\n".to_owned();
    (artefact, model)
}

fn export_with(
    options: Options,
    format: Format,
    (artefact, model): &(Artefact, Model),
) -> Result<Vec<u8>, ExportError> {
    export(artefact, model, format, &options)
}

#[test]
fn every_family_exports_in_every_format() {
    let bare = Head { layers: Vec::new() };
    let deep = Head {
        layers: vec![
            HeadLayer::Dropout(0.2),
            HeadLayer::Dense { units: 6, activation: Activation::Swish },
            HeadLayer::Dense { units: 5, activation: Activation::Linear },
        ],
    };
    for (id, head) in [
        ("efficientnet_lite0", Head::default()),
        ("efficientnet_b0", Head::default()),
        ("mobilenet_v2_0.35", Head::default()),
        ("mobilenet_v2_0.35", bare),
        ("mobilenet_v2_0.35", deep),
    ] {
        let classifier = classifier(id, &head);
        for format in FORMATS {
            let bytes = export_with(Options::default(), format, &classifier);
            assert!(bytes.is_ok_and(|bytes| bytes.len() > 1_000_000), "{id} as {format}");
        }
    }
}

/// All tensors zero: names, shapes and structure are what is asked here.
fn zeros(backbone: &'static Backbone) -> (Artefact, Model) {
    let classes = ["a", "b"].map(str::to_owned);
    let graph = Head::default().attach(backbone.graph(MIN_INPUT_SIZE), classes.len());
    let params =
        graph.params().map(|(layer, param)| (layer.param_name(param), Tensor::zeros(param.shape.clone()))).collect();
    let backbone_layers = backbone.graph(MIN_INPUT_SIZE).len();
    let model = Model { backbone, layout: Layout::Pretrained, graph, backbone_layers, params };
    let (mut artefact, _) = classifier("mobilenet_v2_0.35", &Head::default());
    artefact.backbone = backbone.id.to_owned();
    artefact.goldens.clear();
    (artefact, model)
}

#[test]
fn every_backbone_exports() {
    let mut exported = 0;
    for backbone in backbone::all() {
        let classifier = zeros(backbone);
        // The large ones are the small ones with more blocks and channels.
        let large = classifier.1.graph.param_count() > 8_000_000;
        let formats = [Format::Onnx, Format::KerasWeights, Format::Safetensors];
        for &format in if large { &formats[..1] } else { &formats } {
            if let Err(error) = export_with(Options::default(), format, &classifier) {
                panic!("{} as {format}: {error}", backbone.id);
            }
            exported += 1;
        }
    }
    assert!(exported > 2 * backbone::all().count(), "{exported}");
}

#[test]
fn an_onnx_graph_has_these_nodes() {
    let mut text = String::new();
    for (id, options) in [
        ("efficientnet_lite0", Options::default()),
        ("efficientnet_b0", Options { preprocess: true, batch: Batch::Fixed(4), ..Options::default() }),
        ("mobilenet_v2_0.35", Options { preprocess: true, ..Options::default() }),
    ] {
        let bytes = export_with(options, Format::Onnx, &classifier(id, &Head::default())).unwrap();
        text += &format!("{id}\n{}", onnx::outline(&bytes));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_calibrated_classifier_divides_its_logits() {
    let (mut artefact, model) = classifier("mobilenet_v2_0.35", &Head::default());
    let plain = export(&artefact, &model, Format::Onnx, &Options::default()).unwrap();
    assert!(!onnx::outline(&plain).contains("Div"));
    artefact.calibration.as_mut().unwrap().temperature = 1.5;
    let calibrated = export(&artefact, &model, Format::Onnx, &Options::default()).unwrap();
    assert!(onnx::outline(&calibrated).contains("Div 1\n"));
    let (config, _) = keras::config(&model, 1.5);
    assert!(config.contains(
        r#""name":"temperature","trainable":true,"dtype":"float32","scale":0.6666666666666666,"offset":0.0"#
    ));
    assert!(!keras::config(&model, 1.0).0.contains("temperature"));
}

#[test]
fn a_keras_model_has_these_layers() {
    let mut text = String::new();
    for id in ["efficientnet_b0", "mobilenet_v2_0.35"] {
        let (_, model) = classifier(id, &Head::default());
        let config: serde_json::Value = serde_json::from_str(&keras::config(&model, 1.0).0).unwrap();
        let layers = config["config"]["layers"].as_array().unwrap();
        let mut classes: BTreeMap<&str, usize> = BTreeMap::new();
        let mut first = Vec::new();
        for layer in layers {
            let class = layer["class_name"].as_str().unwrap();
            let count = classes.entry(class).or_default();
            *count += 1;
            if *count == 1 {
                first.push(format!("{class} {}", layer["config"]));
            }
            assert_eq!(layer["name"], layer["config"]["name"]);
        }
        assert_eq!(layers.last().unwrap()["name"], "probabilities");
        text += &format!("{id}\n{classes:?}\n{}\n", first.join("\n"));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn what_is_not_the_classifier_is_refused() {
    let (artefact, model) = classifier("mobilenet_v2_0.35", &Head::default());
    // A bit of a tensor, in each format: the last layer's bias lies near the end of all of them.
    for format in [Format::Onnx, Format::KerasWeights, Format::Safetensors] {
        let bytes = export(&artefact, &model, format, &Options::default()).unwrap();
        let bias = model.params["classifier/bias"].to_le_bytes();
        let place = bytes.windows(bias.len()).position(|window| window == bias).unwrap();
        let mut damaged = bytes.clone();
        damaged[place] ^= 1;
        let error = verify(&artefact, &model, format, &damaged).unwrap_err().to_string();
        assert!(error.contains("classifier/bias is of other values"), "{format}: {error}");
        assert!(verify(&artefact, &model, format, &bytes[..bytes.len() / 2]).is_err(), "{format}");
    }
    let mut other = model.params.clone();
    other.remove("Conv1/kernel");
    let error = compare(Format::Keras, &model.params, &other).unwrap_err().to_string();
    assert!(error.contains("Conv1/kernel is missing"), "{error}");
    let error = compare(Format::Keras, &other, &model.params).unwrap_err().to_string();
    assert!(error.contains("Conv1/kernel is not the classifier's"), "{error}");
}

#[test]
fn a_golden_picture_with_other_logits_stops_the_export() {
    let (mut artefact, model) = classifier("mobilenet_v2_0.35", &Head::default());
    artefact.goldens[3].logits[1] += 1.0;
    let name = artefact.goldens[3].name.clone();
    for format in FORMATS {
        let error = export(&artefact, &model, format, &Options::default()).unwrap_err().to_string();
        assert!(error.contains(&name), "{format}: {error}");
    }
}

#[test]
fn the_same_classifier_is_the_same_bytes() {
    let classifier = classifier("mobilenet_v2_0.35", &Head::default());
    for format in Format::ALL {
        let [one, two] = [(), ()].map(|()| export_with(Options::default(), format, &classifier).unwrap());
        assert!(one == two, "{format}");
    }
}

#[test]
fn onnxs_options_are_refused_elsewhere() {
    let classifier = classifier("mobilenet_v2_0.35", &Head::default());
    let preprocess = Options { preprocess: true, ..Options::default() };
    let error = export_with(preprocess, Format::Keras, &classifier).unwrap_err().to_string();
    assert_eq!(error, "`--preprocess` is for onnx alone; keras always takes RGB 0–255 in batches of any size");
    let batch = Options { batch: Batch::Fixed(3), ..Options::default() };
    let error = export_with(batch, Format::Safetensors, &classifier).unwrap_err().to_string();
    assert_eq!(error, "`--batch` is for onnx alone; safetensors holds weights alone");
}

#[test]
fn formats_are_told_by_name_and_by_ending() {
    for format in Format::ALL {
        assert_eq!(format.name().parse::<Format>().unwrap(), format);
        assert_eq!(Format::of_path(Path::new(&format!("a.b/MY{}", format.ending().to_uppercase()))).unwrap(), format);
    }
    let error = "onxx".parse::<Format>().unwrap_err().to_string();
    assert!(error.starts_with("unknown format `onxx`; did you mean `onnx`?"), "{error}");
    assert!(matches!(Format::of_path(Path::new("model.h5")), Err(ExportError::NoFormat { .. })));
}

#[test]
fn timms_classifier_is_the_head() {
    let (_, model) = classifier("efficientnet_lite0", &Head::default());
    let python = timm::Classifier::of(&model).python;
    assert_eq!(python, "nn.Sequential(nn.Linear(1280, 256), nn.ReLU(), nn.Dropout(0.3), nn.Linear(256, 3))");
    let (_, model) = classifier("mobilenet_v2_0.35", &Head { layers: Vec::new() });
    assert_eq!(timm::Classifier::of(&model).python, "nn.Linear(1280, 3)");
}

#[test]
fn a_card_says_what_the_classifier_is() {
    let (mut artefact, model) = classifier("mobilenet_v2_0.35", &Head::default());
    artefact.figures = Some(crate::artefact::Figures {
        train_samples: 600,
        val_samples: 200,
        val_accuracy: 0.915,
        val_accuracy_interval: (0.868, 0.946),
        val_loss: 0.3091,
    });
    let card = |lang| {
        let options = Options { lang, ..Options::default() };
        String::from_utf8(export(&artefact, &model, Format::Card, &options).unwrap()).unwrap()
    };
    let english = card(crate::report::Lang::English).replace(&artefact.weights_hash, "HASH");
    insta::assert_snapshot!(english);
    let korean = card(crate::report::Lang::Korean);
    for fact in ["91.5%", "86.8–94.6", "200장", "600장", "Apache-2.0", "nn.Linear(1280, 256)"] {
        assert!(korean.contains(fact), "{fact}\n{korean}");
    }
}
